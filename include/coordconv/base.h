/* SPDX-License-Identifier: BSD-2-Clause
 *
 * base.h - status codes, element types, version: what every other header uses.
 *
 * Rules that hold for the whole library, said once:
 *
 * - A function that can fail returns coordconv_status: COORDCONV_OK or a
 *   negative value. On failure its outputs, and the objects handed in, are as
 *   they were before the call; but a failed run of a plan may have written to
 *   the plan's arena, its activations, and the plan may be run again.
 * - The text of the last failure on this thread is coordconv_last_error().
 * - The library never prints, exits, aborts, or changes locale, signal
 *   handlers, the floating-point mode or another library's global state.
 * - Handles are opaque. X_new() hands out one reference, X_ref() adds one,
 *   X_unref() drops one and frees at zero; X_unref(NULL) does nothing. A handle
 *   keeps alive what it stands on, so handles may be dropped in any order.
 * - Descriptors (structs named *_desc) begin with struct_size. Zero the whole
 *   struct, set struct_size = sizeof it, then what you need: a field left at
 *   zero takes the default written beside it. Fields are only ever appended. A
 *   larger struct from a newer program is accepted while the bytes this
 *   library does not know are zero. Descriptors, strings and arrays passed in
 *   are read during the call only, unless a comment says otherwise.
 */
#ifndef COORDCONV_BASE_H
#define COORDCONV_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifndef COORDCONV_API
#if defined(__GNUC__)
#define COORDCONV_API __attribute__((visibility("default")))
#else
#define COORDCONV_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** 0 or one of the negative values below. The values never change. */
typedef int32_t coordconv_status;

enum {
    COORDCONV_OK = 0,
    COORDCONV_ERR_NOMEM = -1,        /* an allocation failed */
    COORDCONV_ERR_INVALID = -2,      /* a NULL where none is allowed, or a value out of range */
    COORDCONV_ERR_SHAPE = -3,        /* shapes that do not fit each other, or overflow */
    COORDCONV_ERR_DTYPE = -4,        /* an element type that is not taken here */
    COORDCONV_ERR_ABI = -5,          /* struct_size unknown, or set bytes beyond what we know */
    COORDCONV_ERR_STATE = -6,        /* not in this order: an unbound input, no forward pass yet */
    COORDCONV_ERR_NOT_FOUND = -7,    /* no input, output, parameter or file of that name */
    COORDCONV_ERR_IO = -8,           /* the operating system refused to open, read or write */
    COORDCONV_ERR_FORMAT = -9,       /* a file that is not what it claims to be */
    COORDCONV_ERR_UNSUPPORTED = -10, /* well formed, but this build or version cannot do it */
    COORDCONV_ERR_NUMERIC = -11      /* a NaN or an infinity where the result would be ruined */
};

/** Name of a status such as "COORDCONV_ERR_SHAPE"; "unknown status" for others. Since 0.1. */
COORDCONV_API const char *coordconv_status_name(coordconv_status status);

/**
 * What went wrong in the last failing call on this thread, with the values:
 * "kernel 5x5 does not fit the padded input 4x4". Never NULL; "" before the
 * first failure. A successful call leaves it alone. Valid until the next
 * failing call on the same thread. Since 0.1.
 */
COORDCONV_API const char *coordconv_last_error(void);

/** Version of the library that is running: major << 16 | minor << 8 | patch. Since 0.1. */
COORDCONV_API uint32_t coordconv_version(void);

/** Element types of tensors; fixed values. Models compute in COORDCONV_F32. */
enum {
    COORDCONV_F32 = 1,
    COORDCONV_F64 = 2,
    COORDCONV_I32 = 3,
    COORDCONV_I64 = 4,
    COORDCONV_U8 = 5
};

/** Bytes of one element, 0 for an unknown dtype. Since 0.1. */
COORDCONV_API size_t coordconv_dtype_size(int32_t dtype);

/** Limits: at most this many axes, and every extent at most 2^31 - 1. */
#define COORDCONV_MAX_NDIM 8

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_BASE_H */
