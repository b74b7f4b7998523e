/* SPDX-License-Identifier: BSD-2-Clause
 *
 * context.h - where memory, threads, log and random seed come from.
 *
 * Thread safety: a context may be used by any number of threads at once.
 */
#ifndef COORDCONV_CONTEXT_H
#define COORDCONV_CONTEXT_H

#include <coordconv/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Allocator, threads, instruction set and seed: what everything else is made in. */
typedef struct coordconv_context coordconv_context;

/**
 * Return `bytes` of memory aligned to `alignment` (a power of two, at least 16),
 * or NULL. May be called from several threads at once, and must not call the
 * library. Two things do not come from here: the threads' own bookkeeping
 * (pthreadpool) and the parsing of file headers (jansson), which use malloc.
 */
typedef void *(*coordconv_alloc_fn)(void *user, size_t bytes, size_t alignment);

/** Release what the alloc function returned, with the same size. */
typedef void (*coordconv_free_fn)(void *user, void *memory, size_t bytes);

/** One piece of parallel work; may be called from any thread. */
typedef void (*coordconv_task_fn)(void *task_context, size_t index);

/**
 * Call task(task_context, i) once for each i in 0 .. count - 1, on any threads,
 * in any order, and return when all have returned. Running them one after the
 * other is allowed. The results do not depend on how the calls are spread.
 */
typedef void (*coordconv_parallel_for_fn)(void *user, coordconv_task_fn task, void *task_context,
                                          size_t count);

/**
 * Told of the failures of calls that know a context, with the text that
 * coordconv_last_error() will have. May be called from any thread, from several
 * at once. A call of the library made here leaves that text alone.
 */
typedef void (*coordconv_log_fn)(void *user, coordconv_status status, const char *message);

/** Instruction sets. The values are names, not an order. */
enum {
    COORDCONV_ISA_BEST = 0,      /* what the processor offers */
    COORDCONV_ISA_REFERENCE = 1, /* plain C only */
    COORDCONV_ISA_AVX2 = 2,      /* x86-64 with AVX2 and FMA */
    COORDCONV_ISA_AVX512 = 3,    /* x86-64 with AVX-512 F, BW, DQ, VL */
    COORDCONV_ISA_NEON = 4       /* AArch64 with Advanced SIMD */
};

/** How to make a context. */
typedef struct coordconv_context_desc {
    uint32_t struct_size; /* sizeof the struct */
    uint32_t max_isa; /* COORDCONV_ISA_*: use no better set than this; one of another architecture
                       * is no limit; default best */
    uint64_t seed;    /* of the initial weights; default 0, a seed like any other */
    int32_t threads;  /* most threads of one call, 1 to 1024; default one per usable processor */
    uint32_t direct_sums; /* 1: convolutions sum directly, never by Winograd's transforms, which are
                           * faster and round differently (see numerics in the documentation) */
    coordconv_alloc_fn alloc;               /* default the C library, which
                                             * is asked for large pages for large blocks; set alloc and free
                                             * together */
    coordconv_free_fn free;                 /* default free */
    void *alloc_user;                       /* first argument of both */
    coordconv_parallel_for_fn parallel_for; /* default a pthreadpool of our own */
    void *parallel_user;                    /* its first argument */
    coordconv_log_fn log;                   /* default none */
    void *log_user;                         /* its first argument */
} coordconv_context_desc;

/**
 * Make a context. desc may be NULL: all defaults. No thread is started before
 * the first parallel call. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_ABI, COORDCONV_ERR_INVALID (out NULL, a
 * field out of range, only one of alloc and free) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_context_new(const coordconv_context_desc *desc,
                                                     coordconv_context **out);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_context *coordconv_context_ref(coordconv_context *context);

/** Drop a reference; the last one joins the threads. Since 0.1. */
COORDCONV_API void coordconv_context_unref(coordconv_context *context);

/** Instruction set in use: "avx512", "avx2", "neon" or "reference"; "" for NULL. Since 0.1. */
COORDCONV_API const char *coordconv_context_isa(const coordconv_context *context);

/** Most threads of one call; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_context_threads(const coordconv_context *context);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_CONTEXT_H */
