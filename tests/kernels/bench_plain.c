/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bench_plain.c - how fast the kernels but the convolutions are, beside what the
 * memory gives.
 *
 * A figure is the bytes that have to go through memory, by the second: in arrays
 * that stay in the second-level cache, and in arrays larger than all caches.
 * Each is the best of several runs.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <coordconv/context.h>

#include "base/compiler.h"
#include "bench.h"
#include "plain_cases.h"

#define CACHED   16384              /* values of an array: 64 KiB of float */
#define STREAMED ((size_t)16 << 20) /* 64 MiB */
#define PIECE    16384              /* values of a call, as tasks have them */

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Arrays of the larger size; the cached runs use their beginnings. */
struct arrays {
    cconv_real *x, *y, *out;
    int32_t *arg, *where;
};

static void *filled(size_t bytes)
{
    unsigned char *p = aligned_alloc(CCONV_ALIGN, bytes);

    if (p == NULL)
        abort();
    memset(p, 0, bytes);
    return p;
}

static struct arrays make_arrays(void)
{
    struct arrays a = { filled(STREAMED * sizeof(cconv_real)),
                        filled(STREAMED * sizeof(cconv_real)),
                        filled(STREAMED * sizeof(cconv_real)), filled(STREAMED * sizeof(int32_t)),
                        filled(STREAMED * sizeof(int32_t)) };

    for (size_t i = 0; i < STREAMED; i++) {
        a.x[i] = (cconv_real)((double)(i * 7 % 1009) / 500 - 1);
        a.y[i] = (cconv_real)((double)(i * 11 % 1013) / 500 - 1);
        a.arg[i] = (int32_t)(i & 1);
    }
    return a;
}

static void free_arrays(struct arrays *a)
{
    free(a->x);
    free(a->y);
    free(a->out);
    free(a->arg);
    free(a->where);
}

/* One pass over `total` values, in calls of PIECE. */
static void pass(const struct plain_case *c, const struct cconv_kernels *k, const struct arrays *a,
                 size_t channels, size_t total)
{
    static cconv_real vector[4 * PLAIN_MAX_CHANNELS];
    static double sums[2 * PLAIN_MAX_CHANNELS];

    for (size_t at = 0; at < total; at += PIECE) {
        const size_t rows = PIECE / channels;
        const struct plain_data d = { rows,          channels,    rows * channels, a->x + at,
                                      a->y + at,     a->arg + at, vector,          a->out + at,
                                      a->where + at, sums };

        c->run(k, &d);
    }
}

static double best_speed(const struct plain_case *c, const struct cconv_kernels *k,
                         const struct arrays *a, size_t channels, size_t total)
{
    const int passes = total == CACHED ? 20 : 1, runs = total == CACHED ? 40 : 3;
    const double bytes = (double)c->arrays * (double)total * sizeof(cconv_real);
    double best = 1e9;

    for (int i = 0; i < runs; i++) {
        const double start = bench_now();

        for (int j = 0; j < passes; j++)
            pass(c, k, a, channels, total);
        best = CCONV_MIN(best, (bench_now() - start) / passes);
    }
    return bytes / best * 1e-9;
}

static void print_case(const struct plain_case *c, const struct cconv_kernels *sets, size_t count,
                       const struct arrays *a)
{
    static const size_t channels[] = { 3, 64, 256 };

    for (size_t i = 0; i < (c->matrix ? CCONV_COUNT(channels) : 1); i++) {
        const size_t n = c->matrix ? channels[i] : 1;

        printf("%-26s %5s", c->name, "");
        if (c->matrix)
            printf("\b\b\b\b\b%5zu", n);
        for (size_t s = 0; s < count; s++)
            printf(" %8.1f %8.1f", best_speed(c, &sets[s], a, n, CACHED),
                   best_speed(c, &sets[s], a, n, STREAMED));
        printf("\n");
    }
}

/* What the library's own loops are held against: the C library's copy. */
static double copy_speed(const struct arrays *a, size_t n)
{
    double best = 0;

    for (int i = 0; i < 20; i++) {
        const double start = bench_now();

        for (size_t done = 0; done < STREAMED; done += n)
            memcpy(a->out, a->x, n * sizeof *a->x);
        best = CCONV_MAX(best, 2.0 * STREAMED * sizeof *a->x / (bench_now() - start));
    }
    return best * 1e-9;
}

int bench_plain(const char *beginning)
{
    struct arrays a = make_arrays();
    struct cconv_kernels sets[4];
    size_t count = 0;

    for (int32_t isa = COORDCONV_ISA_REFERENCE; isa <= COORDCONV_ISA_NEON; isa++)
        if (cconv_cpu_has(isa))
            cconv_kernels_init(&sets[count++], isa);
    printf("GB/s, in the second-level cache and from memory; memcpy: %.1f and %.1f\n%-32s",
           copy_speed(&a, CACHED), copy_speed(&a, STREAMED), "");
    for (size_t s = 0; s < count; s++)
        printf(" %17s", sets[s].isa);
    printf("\n");
    for (size_t i = 0; i < plain_case_count; i++)
        if (strncmp(plain_cases[i].name, beginning, strlen(beginning)) == 0)
            print_case(&plain_cases[i], sets, count, &a);
    free_arrays(&a);
    return 0;
}
