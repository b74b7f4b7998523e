/* SPDX-License-Identifier: BSD-2-Clause
 *
 * machine.c - what the machine can do at most: multiply-adds and memory.
 *
 * A job is one figure; its run does a fixed amount of work on each thread. The
 * answer to `make` says how much: work=N in operations or bytes.
 */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    CHAINS = 12, /* more than two units of a latency of four can have under way */
    TURNS = 400000,
    MAX_THREADS = 64
};

/* Bytes of all arrays of all threads: what is left of them in a last level cache, or in that of
 * the host of a virtual machine, must not matter. */
static const size_t stream_bytes = (size_t)512 << 20;

struct share {
    void (*work)(struct share *share);
    float *a, *b, *c; /* arrays of `count` floats, or sums where there is none */
    float *sums;      /* what keeps the compiler from leaving the work out */
    size_t count;
};

struct figure {
    struct share shares[MAX_THREADS];
    int threads;
};

/* ---- multiply-adds ---- */

#if defined(__x86_64__)
__attribute__((noinline, target("avx512f"))) static void fma_512(struct share *s)
{
    const __m512 x = _mm512_set1_ps(0.999F), y = _mm512_set1_ps(0.001F);
    __m512 sum[CHAINS];

    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps(s->a[i]);
    for (int n = 0; n < TURNS; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
    }
    for (int i = 0; i < CHAINS; i++)
        s->a[i] = _mm512_reduce_add_ps(sum[i]);
}

__attribute__((noinline, target("avx2,fma"))) static void fma_256(struct share *s)
{
    const __m256 x = _mm256_set1_ps(0.999F), y = _mm256_set1_ps(0.001F);
    __m256 sum[CHAINS];

    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm256_set1_ps(s->a[i]);
    for (int n = 0; n < TURNS; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
    }
    for (int i = 0; i < CHAINS; i++)
        s->a[i] = _mm256_cvtss_f32(sum[i]);
}

/* ---- memory ---- */

__attribute__((noinline, target("avx2"))) static void read_memory(struct share *s)
{
    __m256 sum[8];

    for (int i = 0; i < 8; i++)
        sum[i] = _mm256_setzero_ps();
    for (size_t at = 0; at < s->count; at += 64) {
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            sum[i] = _mm256_add_ps(sum[i], _mm256_load_ps(s->a + at + 8 * i));
    }
    for (int i = 0; i < 8; i++)
        s->sums[i] = _mm256_cvtss_f32(sum[i]);
}

/* Ordinary stores: the cache line is read first, and that is not counted. */
__attribute__((noinline, target("avx2"))) static void write_memory(struct share *s)
{
    const __m256 step = _mm256_set1_ps(s->sums[0]);
    __m256 x = step;

    for (size_t at = 0; at < s->count; at += 8, x = _mm256_add_ps(x, step))
        _mm256_store_ps(s->a + at, x);
}

/* Stores past the caches. The values differ: a machine may have short cuts for zeros. */
__attribute__((noinline, target("avx2"))) static void stream_memory(struct share *s)
{
    const __m256 step = _mm256_set1_ps(s->sums[0]);
    __m256 x = step;

    for (size_t at = 0; at < s->count; at += 8, x = _mm256_add_ps(x, step))
        _mm256_stream_ps(s->a + at, x);
    _mm_sfence();
}

__attribute__((noinline, target("avx2"))) static void copy_memory(struct share *s)
{
    for (size_t at = 0; at < s->count; at += 8)
        _mm256_stream_ps(s->a + at, _mm256_load_ps(s->b + at));
    _mm_sfence();
}

__attribute__((noinline, target("avx2,fma"))) static void triad_memory(struct share *s)
{
    const __m256 x = _mm256_set1_ps(0.5F);

    for (size_t at = 0; at < s->count; at += 8)
        _mm256_store_ps(s->a + at,
                        _mm256_fmadd_ps(_mm256_load_ps(s->b + at), x, _mm256_load_ps(s->c + at)));
}
#endif

static const struct kind {
    const char *name;
    void (*work)(struct share *share);
    double per_share; /* operations, or bytes per float of an array */
    int arrays;       /* 0: arithmetic */
} kinds[] = {
#if defined(__x86_64__)
    { "fma512", fma_512, (double)TURNS *CHAINS * 16 * 2, 0 },
    { "fma256", fma_256, (double)TURNS *CHAINS * 8 * 2, 0 },
    { "read", read_memory, 4, 1 },
    { "write", write_memory, 4, 1 },
    { "stream", stream_memory, 4, 1 },
    { "copy", copy_memory, 8, 2 },
    { "triad", triad_memory, 12, 3 },
#endif
    { NULL, NULL, 0, 0 },
};

static int supported(const char *name)
{
#if defined(__x86_64__)
    return strcmp(name, "fma512") == 0 ? __builtin_cpu_supports("avx512f")
                                       : __builtin_cpu_supports("avx2");
#else
    (void)name;
    return 0;
#endif
}

/* ---- jobs ---- */

static void *run_share(void *share)
{
    struct share *s = share;

    s->work(s);
    return NULL;
}

static int run(void *work)
{
    struct figure *figure = work;
    pthread_t threads[MAX_THREADS];
    int failed = 0;

    for (int i = 1; i < figure->threads; i++)
        failed |= pthread_create(&threads[i], NULL, run_share, &figure->shares[i]);
    run_share(&figure->shares[0]);
    for (int i = 1; i < figure->threads; i++)
        failed |= pthread_join(threads[i], NULL);
    return failed;
}

/* Memory of all threads, shared by all figures: they take turns. */
static float *stream_memory_of_all(void)
{
    static float *block;

    if (block == NULL) {
        block = worker_floats(stream_bytes / sizeof(float));
        for (size_t i = 0; i < stream_bytes / sizeof(float); i++)
            block[i] = (float)(i % 1021U);
    }
    return block;
}

static void make_share(struct share *share, const struct kind *kind, size_t thread, size_t threads)
{
    share->work = kind->work;
    share->sums = worker_floats(64);
    for (int i = 0; i < 64; i++)
        share->sums[i] = 0.01F * (float)(i + 1);
    share->a = share->b = share->c = share->sums;
    share->count = 64;
    if (kind->arrays == 0)
        return;
    const size_t arrays = (size_t)kind->arrays;
    share->count = stream_bytes / sizeof(float) / threads / arrays / 64 * 64;
    share->a = stream_memory_of_all() + thread * arrays * share->count;
    share->b = share->a + (arrays > 1 ? 1 : 0) * share->count;
    share->c = share->b + (arrays > 2 ? 1 : 0) * share->count;
}

static void *make(const struct job_desc *d, char *note, size_t note_size)
{
    const struct kind *kind = kinds;

    while (kind->name != NULL && strcmp(kind->name, d->what) != 0)
        kind++;
    if (kind->name == NULL || !supported(kind->name) || d->threads > MAX_THREADS) {
        snprintf(note, note_size, "such figure on this machine");
        return NULL;
    }
    struct figure *figure = calloc(1, sizeof *figure);
    if (figure == NULL)
        return NULL;
    figure->threads = d->threads;
    for (int i = 0; i < figure->threads; i++)
        make_share(&figure->shares[i], kind, (size_t)i, (size_t)figure->threads);
    const double each = kind->arrays > 0 ? (double)figure->shares[0].count : 1;
    snprintf(note, note_size, "work=%.0f", kind->per_share * each * d->threads);
    return figure;
}

static void drop(void *work)
{
    struct figure *figure = work;

    for (int i = 0; i < figure->threads; i++)
        free(figure->shares[i].sums);
    free(figure);
}

int main(void)
{
    static const struct worker worker = { .make = make, .run = run, .drop = drop };

    return worker_serve(&worker);
}
