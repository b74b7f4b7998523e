/* SPDX-License-Identifier: BSD-2-Clause
 *
 * weights_file.h - safetensors files put together by hand, as other programs write them.
 */
#ifndef COORDCONV_TESTS_WEIGHTS_FILE_H
#define COORDCONV_TESTS_WEIGHTS_FILE_H

#include "support.h"

#define WEIGHTS_FILE_ROOM 16384

struct weights_file {
    char header[WEIGHTS_FILE_ROOM];
    size_t header_bytes;
    unsigned char data[WEIGHTS_FILE_ROOM];
    size_t data_bytes;
    unsigned char *bytes; /* the whole, after weights_file_end() */
    size_t count;
};

void weights_file_begin(struct weights_file *f);

/* A tensor by its numbers, as they lie here. */
void weights_file_add(struct weights_file *f, const char *name, const char *dtype, int32_t ndim,
                      const int64_t *shape, const void *data, size_t bytes);

/* A parameter of a layer, under a name of one's own, as F32. */
void weights_file_add_parameter(struct weights_file *f, const char *name, coordconv_layer *layer,
                                const char *parameter);

void weights_file_end(struct weights_file *f);
void weights_file_free(struct weights_file *f);

/* Load from a block of exactly this size. */
coordconv_status weights_load_exact(coordconv_model *model, const void *data, size_t count,
                                    const coordconv_weights_desc *desc);

#endif /* COORDCONV_TESTS_WEIGHTS_FILE_H */
