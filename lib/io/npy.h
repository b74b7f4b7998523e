/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy.h - what stands before the elements in a .npy file.
 */
#ifndef CCONV_IO_NPY_H
#define CCONV_IO_NPY_H

#include "base/report.h"
#include "core/shape.h"

/* Longest header text that is read; NumPy's own limit. */
#define CCONV_NPY_MAX_HEADER 10000

/* Magic string, version and length of the text before it, at most. */
#define CCONV_NPY_MAX_PREFIX 12

struct cconv_npy {
    int32_t dtype;
    int swapped;              /* the bytes of an element are in the other order */
    int fortran;              /* the first axis lies densest */
    struct cconv_shape shape; /* as the program sees it */
    size_t data, bytes;       /* place of the elements in the file */
};

/* Judge a file of file_bytes by its first `available` bytes, which are all of it or at least
 * CCONV_NPY_MAX_PREFIX + CCONV_NPY_MAX_HEADER. */
coordconv_status cconv_npy_header_read(const struct cconv_log *log, const unsigned char *file,
                                       size_t available, uint64_t file_bytes,
                                       struct cconv_npy *out);

#endif /* CCONV_IO_NPY_H */
