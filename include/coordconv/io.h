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
 * Files are not trusted: every length is checked before it is used, a header may
 * have 16,000,000 bytes, memory for it is at most 32 times its length, and a file
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

/** A name of a file, or its leading parts, and what this library is to take it for. */
typedef struct coordconv_name_pair {
    const char *theirs; /* name in the file */
    const char *ours;   /* NULL: tensors of that name are left out */
} coordconv_name_pair;

/** The convention by which one layer's weights were trained. */
typedef struct coordconv_layer_convention {
    const char *layer;      /* its name, or the number of its first use in the model */
    const char *convention; /* as coordconv_weights_desc.convention */
} coordconv_layer_convention;

/** What a report of coordconv_load_weights() is about. */
enum {
    COORDCONV_WEIGHTS_MISSING = 1,    /* of the model, not in the file */
    COORDCONV_WEIGHTS_UNEXPECTED = 2, /* of the file, not in the model */
    COORDCONV_WEIGHTS_SHAPE = 3,      /* another shape, other numbers of coordinates among them */
    COORDCONV_WEIGHTS_DTYPE = 4,      /* neither F32, F64, F16 nor BF16 */
    COORDCONV_WEIGHTS_TWICE = 5,      /* two tensors of the file come to the same name */
    COORDCONV_WEIGHTS_COORDS = 6      /* the layer's coordinates are not the convention's */
};

/**
 * Told of one mismatch. name: of the model's tensor; where kind is UNEXPECTED or
 * TWICE, of the file's, in which any UTF-8 but NUL may stand. text: a sentence
 * fit for printing. Both are valid during the call only, in which the model may
 * not be touched.
 */
typedef void (*coordconv_weights_report_fn)(void *user, int32_t kind, const char *name,
                                            const char *text);

/**
 * How to read a file of other people's weights.
 *
 * Names are taken part by part, parts being separated by dots. First prefix, if
 * not NULL, is taken off; tensors that do not begin with it are left out.
 * Then the pair of `names` applies that has most parts (the first of equal
 * ones): its `theirs`, whole or as leading parts, is replaced by its `ours`.
 * Either may be "", no part at all; a final dot does not matter. With the pair
 * "layer1.0", "stem" the tensor "layer1.0.weight" is "stem.weight".
 */
typedef struct coordconv_weights_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t lenient;      /* 1: missing and unexpected tensors are no failure; default 0 */
    const char *prefix;   /* default none */
    /* The convention by which coordinate channels stand in the weights of layers with
     * coordinates: a name of coordconv_convention(). Default: as in this library. */
    const char *convention;
    const coordconv_name_pair *names;              /* [name_count] */
    const coordconv_layer_convention *conventions; /* [convention_count]: layers with their own */
    int32_t name_count;                            /* default 0 */
    int32_t convention_count;                      /* default 0 */
    coordconv_weights_report_fn report;            /* default none */
    void *report_user;                             /* its first argument */
} coordconv_weights_desc;

/**
 * Load a safetensors file of another program, such as a PyTorch state dict,
 * into a model. desc may be NULL: names as they are, strict.
 *
 * Parameters are stored in PyTorch's layouts, which are this library's as well:
 * convolution [O, I, KH, KW], transposed convolution [I, O, KH, KW], linear
 * [out, in], batch norm weight, bias, running_mean, running_var, group norm weight, bias. F32, F16
 * and BF16 are kept exactly, F64 is rounded to the nearest float. I64 tensors named
 * "num_batches_tracked" are left out.
 *
 * The channels of a CoordConv weight are brought from the order of the
 * convention to data, x, y, z, radius; those of volumes may be "coordconv", or
 * "keras-coordconv" and "monai", which have z, y, x and no radius. The values of coordinates are
 * the layer's affair: its range, sampling and radius must be the convention's (make the layer with
 * the grid of coordconv_convention()); what an axis of one sample gives is not compared.
 *
 * All mismatches are reported, sorted by the model's names, before the
 * call fails; a failure changes nothing. A header may have 16,000,000 bytes.
 * Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, two layers of one name,
 * conventions of a layer that is none or has no coordinates), COORDCONV_ERR_ABI,
 * COORDCONV_ERR_NOT_FOUND (no such file or convention), COORDCONV_ERR_IO,
 * COORDCONV_ERR_FORMAT, COORDCONV_ERR_SHAPE (mismatches, whose numbers the message
 * tells; nothing of the file is in the model), COORDCONV_ERR_NOMEM or
 * COORDCONV_ERR_UNSUPPORTED (built without jansson, tensors of more than 8 axes).
 */
COORDCONV_API coordconv_status coordconv_load_weights(coordconv_model *model, const char *path,
                                                      const coordconv_weights_desc *desc);

/** coordconv_load_weights() from memory; the bytes are read during the call. Since 0.1. */
COORDCONV_API coordconv_status coordconv_load_weights_memory(coordconv_model *model,
                                                             const void *data, size_t bytes,
                                                             const coordconv_weights_desc *desc);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_IO_H */
