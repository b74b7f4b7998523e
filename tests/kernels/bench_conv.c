/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bench_conv.c - how fast the convolution panels are beside what the processor
 * can do at all.
 *
 * Each figure is the best of many runs of a fraction of a millisecond: other
 * work on the machine then spoils some runs, not the figure.
 */
#include "bench.h"
#include "check_conv.h"

#include <stdio.h>

#include <coordconv/context.h>

#include "base/compiler.h"

#if CCONV_ARCH_X86_64
#include <immintrin.h>
#endif

#define PIXELS 64
#define ROWS   4
#define RUNS   60

#if CCONV_ARCH_X86_64

/* Twelve chains, more than two units of four cycles can use, from values the
 * compiler does not know. Returns the count of operations. */
__attribute__((noinline, target("avx512f"))) static double peak_512(float *out)
{
    const __m512 x = _mm512_set1_ps(0.999F), y = _mm512_set1_ps(0.001F);
    __m512 sum[12], total = y;

    for (int i = 0; i < 12; i++)
        sum[i] = _mm512_set1_ps(out[i]);
    for (int n = 0; n < 40000; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
    }
    for (int i = 0; i < 12; i++)
        total = _mm512_add_ps(total, sum[i]);
    _mm512_storeu_ps(out, total);
    return 40000.0 * 12 * 32;
}

__attribute__((noinline, target("avx2,fma"))) static double peak_256(float *out)
{
    const __m256 x = _mm256_set1_ps(0.999F), y = _mm256_set1_ps(0.001F);
    __m256 sum[12], total = y;

    for (int i = 0; i < 12; i++)
        sum[i] = _mm256_set1_ps(out[i]);
    for (int n = 0; n < 40000; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
    }
    for (int i = 0; i < 12; i++)
        total = _mm256_add_ps(total, sum[i]);
    _mm256_storeu_ps(out, total);
    return 40000.0 * 12 * 16;
}

/* GFLOP/s of nothing but multiply-adds; 0 for the reference set. */
static double peak_of(int32_t isa)
{
    double best = 0;

    for (int i = 0; i < RUNS && isa != COORDCONV_ISA_REFERENCE; i++) {
        float out[16] = { (float)i };
        const double start = bench_now();
        const double done = isa == COORDCONV_ISA_AVX512 ? peak_512(out) : peak_256(out);
        const double speed = done / (bench_now() - start) * 1e-9;

        best = CCONV_MAX(best, speed);
    }
    return best;
}

#else

static double peak_of(int32_t isa)
{
    (void)isa;
    return 0;
}

#endif

struct bench {
    const char *name;
    size_t kernel, depth; /* square kernel, input channels */
};

static _Alignas(CCONV_ALIGN) cconv_real a_values[(ROWS + 2) * (PIXELS + 2) * 64];
static _Alignas(CCONV_ALIGN) cconv_real w_values[3 * (3 * 64 + 16) * MAX_NR];
static _Alignas(CCONV_ALIGN) cconv_real c_values[ROWS * PIXELS * MAX_NR];

/* Seconds of one call over ROWS rows, the best of many. */
static double time_of(const struct cconv_panel *panel, const struct bench *bench, size_t channels,
                      int grad, int runs)
{
    const ptrdiff_t row = (ptrdiff_t)((PIXELS + 2) * bench->depth);
    const ptrdiff_t offset[3] = { 0, row, 2 * row };
    const struct cconv_panel_forward f = {
        .pixels = PIXELS,
        .channels = channels,
        .segments = bench->kernel,
        .segment_length = bench->kernel * bench->depth,
        .offset = offset,
        .a = a_values,
        .a_stride = (ptrdiff_t)bench->depth,
        .b = w_values,
        .init = a_values,
        .c = c_values,
        .c_stride = (ptrdiff_t)panel->nr,
        .act = CCONV_ACT_RELU,
    };
    const struct cconv_panel_grad g = {
        .rows = ROWS,
        .pixels = PIXELS,
        .channels = channels,
        .segments = bench->kernel,
        .segment_length = bench->kernel * bench->depth,
        .offset = offset,
        .a = a_values,
        .a_row = row,
        .a_stride = (ptrdiff_t)bench->depth,
        .g = c_values,
        .g_row = (ptrdiff_t)(PIXELS * panel->nr),
        .g_stride = (ptrdiff_t)panel->nr,
        .w = w_values,
    };
    double best = 1e9;

    for (int i = 0; i < runs; i++) {
        const double start = bench_now();
        double taken;
        int calls = 0;

        do {
            if (grad)
                panel->grad(&g);
            for (size_t y = 0; y < ROWS && !grad; y++) {
                struct cconv_panel_forward one = f;

                one.a += (ptrdiff_t)y * row;
                one.c += y * PIXELS * panel->nr;
                panel->forward(&one);
            }
            calls++;
            taken = bench_now() - start;
        } while (taken < 1e-4);
        best = CCONV_MIN(best, taken / calls);
    }
    return best;
}

/* Forward and grad: GFLOP/s, share of the peak, nanoseconds a pixel. */
static void bench_panel(const struct cconv_panel *panel, double peak)
{
    static const struct bench benches[] = {
        { "1x1x1", 1, 1 }, { "1x1x8", 1, 8 }, { "1x1x64", 1, 64 }, { "3x3x1", 3, 1 },
        { "3x3x3", 3, 3 }, { "3x3x8", 3, 8 }, { "3x3x64", 3, 64 },
    };

    for (int grad = 0; grad < 2; grad++)
        for (size_t i = 0; i < CCONV_COUNT(benches); i++) {
            const struct bench *b = &benches[i];
            const size_t products = b->kernel * b->kernel * b->depth;
            const double seconds = time_of(panel, b, panel->nr, grad, RUNS) / (ROWS * PIXELS);
            const double speed = 2 * (double)(panel->nr * products) / seconds * 1e-9;

            printf("%3zu %-7s %-6s %6.1f %4.0f%% %8.2f\n", panel->nr, grad ? "grad" : "forward",
                   b->name, speed, peak > 0 ? 100 * speed / peak : 0, seconds * 1e9);
        }
}

/* Forward seconds of a layer: full panels, and one for the channels left. */
static double layer_time(const struct cconv_panel *panel, const struct bench *bench,
                         size_t channels)
{
    const size_t full = channels / panel->nr, rest = channels % panel->nr;
    double seconds = 0;

    if (full > 0)
        seconds += (double)full * time_of(panel, bench, panel->nr, 0, RUNS / 4);
    if (rest > 0)
        seconds += time_of(panel, bench, rest, 0, RUNS / 4);
    return seconds;
}

/* The panel chosen, and its time over that of the best: 1.00 where none is better. */
static void bench_choice(const struct cconv_conv_kernels *k)
{
    static const struct bench benches[] = {
        { "1", 1, 1 },  { "3", 1, 3 },   { "8", 1, 8 },
        { "27", 3, 3 }, { "64", 1, 64 }, { "576", 3, 64 },
    };
    static const size_t channels[] = { 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 100 };

    printf("panel chosen and time over the best panel's, products across\n    ");
    for (size_t j = 0; j < CCONV_COUNT(benches); j++)
        printf("%10s", benches[j].name);
    printf("\n");
    for (size_t i = 0; i < CCONV_COUNT(channels); i++) {
        printf("%4zu", channels[i]);
        for (size_t j = 0; j < CCONV_COUNT(benches); j++) {
            const struct bench *b = &benches[j];
            const struct cconv_panel *chosen =
                cconv_panel_choose(k, channels[i], b->kernel, b->kernel * b->depth);
            double best = 1e9, taken = 0;

            for (size_t l = 0; l < k->count; l++) {
                const double seconds = layer_time(&k->panel[l], b, channels[i]);

                best = CCONV_MIN(best, seconds);
                taken = chosen == &k->panel[l] ? seconds : taken;
            }
            printf("   %2zu %.2f", chosen->nr, taken / best);
        }
        printf("\n");
    }
}

/* One input channel for each of 64 output channels, 3x3: nanoseconds a pixel. */
static void bench_depth(const struct cconv_panel *depth, double peak)
{
    enum {
        CHANNELS = 64,
        TAPS = 9
    };
    const ptrdiff_t row = (PIXELS + 2) * CHANNELS;
    ptrdiff_t offset[TAPS];

    for (int i = 0; i < TAPS; i++)
        offset[i] = i / 3 * row + i % 3 * CHANNELS;
    for (int grad = 0; grad < 2; grad++) {
        double best = 1e9, speed;

        for (int i = 0; i < RUNS; i++) {
            const double start = bench_now();
            double taken;
            int calls = 0;

            do {
                const struct cconv_panel_forward f = { .pixels = PIXELS,
                                                       .channels = CHANNELS,
                                                       .segments = TAPS,
                                                       .segment_length = 1,
                                                       .offset = offset,
                                                       .a = a_values,
                                                       .a_stride = CHANNELS,
                                                       .b = w_values,
                                                       .b_block = (ptrdiff_t)(TAPS * depth->nr),
                                                       .init = a_values,
                                                       .c = c_values,
                                                       .c_stride = CHANNELS,
                                                       .act = CCONV_ACT_RELU };

                for (size_t first = 0; grad && first < CHANNELS; first += depth->nr) {
                    const struct cconv_panel_grad g = { .rows = 1,
                                                        .pixels = PIXELS,
                                                        .channels = depth->nr,
                                                        .segments = TAPS,
                                                        .segment_length = 1,
                                                        .offset = offset,
                                                        .a = a_values + first,
                                                        .a_stride = CHANNELS,
                                                        .g = c_values + first,
                                                        .g_stride = CHANNELS,
                                                        .w = w_values };

                    depth->grad(&g);
                }
                if (!grad)
                    depth->forward(&f);
                calls++;
                taken = bench_now() - start;
            } while (taken < 1e-4);
            best = CCONV_MIN(best, taken / calls);
        }
        best /= PIXELS;
        speed = 2.0 * CHANNELS * TAPS / best * 1e-9;
        printf(" depth %-7s 3x3x64 %6.1f %4.0f%% %8.2f\n", grad ? "grad" : "forward", speed,
               peak > 0 ? 100 * speed / peak : 0, best * 1e9);
    }
}

int bench_conv(void)
{
    for (int32_t isa = COORDCONV_ISA_REFERENCE; isa <= COORDCONV_ISA_NEON; isa++) {
        const double peak = cconv_cpu_has(isa) ? peak_of(isa) : 0;
        struct cconv_kernels k;

        if (!cconv_cpu_has(isa))
            continue;

        cconv_kernels_init(&k, isa);
        printf("%s: peak %.1f GFLOP/s\n", k.isa, peak);
        for (size_t i = 0; i < k.conv.count; i++)
            bench_panel(&k.conv.panel[i], peak);
        bench_depth(&k.conv.depth, peak);
        bench_choice(&k.conv);
    }
    return 0;
}
