/* SPDX-License-Identifier: BSD-2-Clause
 *
 * names.h - the tensors of a file by the names a model has for them.
 */
#ifndef CCONV_IO_NAMES_H
#define CCONV_IO_NAMES_H

#include <coordconv/io.h>

#include "io/safetensors.h"

struct cconv_renamed {
    const char *name; /* ours */
    const struct cconv_safetensor *tensor;
};

struct cconv_names {
    const struct cconv_allocator *allocator;
    struct cconv_renamed *items; /* sorted by name, then by the file's own */
    size_t count;
    char *text; /* behind all names */
    size_t text_bytes;
};

/* Apply prefix and names of desc to every tensor of a file. Those left out are not in the list. */
coordconv_status cconv_names_make(const struct cconv_allocator *allocator,
                                  const struct cconv_log *log, const struct cconv_safetensors *file,
                                  const coordconv_weights_desc *desc, struct cconv_names *out);

void cconv_names_destroy(struct cconv_names *names);

#endif /* CCONV_IO_NAMES_H */
