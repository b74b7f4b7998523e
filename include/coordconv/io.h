/* SPDX-License-Identifier: BSD-2-Clause
 *
 * io.h - parameters and training state in one safetensors file.
 *
 * Tensors are named "LAYER.PARAMETER" ("conv1.weight"), LAYER being the
 * layer's name or, without one, the number of its first use in the model.
 * Optimizer state is kept beside them as "optimizer.LAYER.PARAMETER.SLOT"
 * with its step count and learning rate in the metadata, so that training
 * resumed from the file gives the bits of training that was never interrupted.
 *
 * Files are not trusted: every length is checked before it is used, and a file
 * that does not fit changes nothing.
 *
 * Thread safety: as reading (save) or changing (load) the model's layers.
 */
#ifndef COORDCONV_IO_H
#define COORDCONV_IO_H

#include <coordconv/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A word the program keeps in the file: epoch, seed, data set. */
typedef struct coordconv_metadata {
    const char *key;   /* 1 .. 255 bytes of UTF-8, not beginning with "coordconv." */
    const char *value; /* UTF-8 */
} coordconv_metadata;

/**
 * Save all parameters and buffers of a model and, if optimizer is not NULL, its
 * state. The file appears whole or not at all: it is written beside its place,
 * synchronised, then renamed. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, two layers of one name, bad
 * UTF-8), a poisoned model's first error, COORDCONV_ERR_IO (with the system's reason),
 * COORDCONV_ERR_NOMEM or COORDCONV_ERR_UNSUPPORTED (built without jansson).
 */
COORDCONV_API coordconv_status coordconv_save(const coordconv_model *model,
                                              const coordconv_optimizer *optimizer,
                                              const char *path, int32_t metadata_count,
                                              const coordconv_metadata *metadata);

/**
 * Load what coordconv_save() wrote into a model of the same parameters and, if
 * not NULL, an optimizer of the same kind. Every tensor of the model must be in
 * the file with its shape; a file with tensors the model lacks is refused.
 * Optimizer state in the file is ignored when optimizer is NULL. Of the
 * optimizer, state, steps and learning rate are kept in the file; momentum,
 * betas, decay and clipping are those the optimizer was made with. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, two layers of one name, an
 * optimizer of another model), a poisoned model's first error,
 * COORDCONV_ERR_NOT_FOUND (no such file), COORDCONV_ERR_IO, COORDCONV_ERR_FORMAT (no
 * safetensors file), COORDCONV_ERR_SHAPE (it does not fit the model or the
 * optimizer: a tensor missing, left over or of another shape, another kind of
 * optimizer) or COORDCONV_ERR_DTYPE, both naming the tensor, COORDCONV_ERR_NOMEM or
 * COORDCONV_ERR_UNSUPPORTED.
 */
COORDCONV_API coordconv_status coordconv_load(coordconv_model *model,
                                              coordconv_optimizer *optimizer, const char *path);

/** coordconv_load() from memory; the bytes are read during the call. Since 0.1. */
COORDCONV_API coordconv_status coordconv_load_memory(coordconv_model *model,
                                                     coordconv_optimizer *optimizer,
                                                     const void *data, size_t bytes);

/**
 * Read one metadata value of a file into a buffer, NUL-terminated. *length (may
 * be NULL) becomes the length without the NUL, also when the buffer is too
 * small. Since 0.1.
 *
 * Returns as coordconv_load, COORDCONV_ERR_NOT_FOUND also for a key not there,
 * COORDCONV_ERR_SHAPE for a buffer too small.
 */
COORDCONV_API coordconv_status coordconv_load_metadata(coordconv_context *context, const char *path,
                                                       const char *key, char *value,
                                                       size_t capacity, size_t *length);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_IO_H */
