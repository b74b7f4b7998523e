/* SPDX-License-Identifier: BSD-2-Clause
 *
 * context.h - what a coordconv_context holds.
 */
#ifndef CCONV_CORE_CONTEXT_H
#define CCONV_CORE_CONTEXT_H

#include <stdatomic.h>

#include <coordconv/context.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/report.h"
#include "kernels/kernels.h"

enum {
    CCONV_WINOGRAD_BY_COST = -1,
    CCONV_SMALL_MAP = 128 * 1024
};

struct coordconv_context {
    atomic_int references;
    struct cconv_allocator allocator;
    struct cconv_log log;
    struct cconv_parallel parallel;
    struct cconv_kernels kernels;
    int32_t winograd; /* 0: never; 2, 4: F(2, 3), F(4, 3) wherever they fit; else as costs say */
    /* Bytes of a position map that is read from a core's own cache again and again, and so
     * costs no more than a formula. */
    size_t small_map;
    uint64_t seed;
    atomic_uint_fast64_t layers_made; /* random stream of the next layer's weights */
};

/* The log of a context that may be NULL. */
static inline const struct cconv_log *cconv_context_log(const coordconv_context *context)
{
    return context != NULL ? &context->log : NULL;
}

#endif /* CCONV_CORE_CONTEXT_H */
