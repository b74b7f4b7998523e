/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy.h - tensors in NumPy's .npy files.
 *
 * Read: versions 1.0, 2.0 and 3.0; float32, float64, int32, int64 and uint8 of
 * either byte order; C and Fortran order. A Fortran-ordered array becomes a
 * tensor of the same shape whose strides grow from the first axis on; nothing is
 * turned. Refused: other element types (objects above all, which are pickles),
 * headers of more than 10,000 bytes, more than COORDCONV_MAX_NDIM axes, and
 * bytes before or behind what the header says.
 *
 * Written: version 1.0, this machine's byte order, C order; the file that
 * numpy.save of NumPy 1.24 makes of the same array.
 *
 * Files are not trusted: every length is checked before it is used.
 *
 * Thread safety: any number of calls at once, as far as they use different
 * tensors or only read them.
 */
#ifndef COORDCONV_NPY_H
#define COORDCONV_NPY_H

#include <coordconv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Read a file into a new tensor. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_NOT_FOUND (no
 * such file), COORDCONV_ERR_IO, COORDCONV_ERR_FORMAT (no .npy file, or not as long
 * as it says), COORDCONV_ERR_UNSUPPORTED (another version), COORDCONV_ERR_DTYPE (an
 * element type we do not have), COORDCONV_ERR_SHAPE (too many axes, an extent outside
 * 0 .. 2^31 - 1, a size that overflows) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_npy_read(coordconv_context *context, const char *path,
                                                  coordconv_tensor **out);

/** coordconv_npy_read() from memory, aligned or not; the bytes are copied. Since 0.1. */
COORDCONV_API coordconv_status coordconv_npy_read_memory(coordconv_context *context,
                                                         const void *data, size_t bytes,
                                                         coordconv_tensor **out);

/**
 * A tensor over the file itself, mapped into memory until the last reference is
 * gone: pages are read when they are first touched. Writing to the tensor is
 * allowed and does not reach the file. Where a file cannot be mapped as it is
 * (the other byte order, elements out of alignment, a file system that cannot)
 * it is read as by coordconv_npy_read().
 *
 * As with every mapping, a file that somebody makes shorter meanwhile ends the
 * program with SIGBUS when its lost part is touched, and it is open whether bytes
 * changed in the file show. Since 0.1. Returns as coordconv_npy_read.
 */
COORDCONV_API coordconv_status coordconv_npy_map(coordconv_context *context, const char *path,
                                                 coordconv_tensor **out);

/**
 * Write a tensor to a file, whole or not at all: it is written beside its place,
 * synchronised, then renamed. A tensor that is not row-major is copied first.
 * Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_IO (with the
 * system's reason) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_npy_write(const coordconv_tensor *tensor,
                                                   const char *path);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_NPY_H */
