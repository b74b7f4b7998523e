/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dispatch.c - which kernels this processor gets.
 */
#include <assert.h>

#include <coordconv/context.h>

#include "base/compiler.h"
#include "kernels/kernels.h"

#if defined(CCONV_HAVE_AVX2) || defined(CCONV_HAVE_AVX512)

/* The compiler's run-time support asks CPUID, and XGETBV for what the system saves. */
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#endif

#if defined(CCONV_HAVE_AVX512)

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

#endif

int32_t cconv_cpu_isa(void)
{
#if defined(CCONV_HAVE_AVX2) || defined(CCONV_HAVE_AVX512)
    __builtin_cpu_init(); /* we may be called before constructors have run */
#endif
#if defined(CCONV_HAVE_AVX512)
    if (has_avx512())
        return COORDCONV_ISA_AVX512;
#endif
#if defined(CCONV_HAVE_AVX2)
    if (has_avx2())
        return COORDCONV_ISA_AVX2;
#endif
    return COORDCONV_ISA_REFERENCE;
}

static void init_reference(struct cconv_kernels *k)
{
    k->isa = "reference";
    cconv_conv_init_ref(&k->conv);
    cconv_winograd_init_ref(&k->winograd);
    cconv_eltwise_init_ref(&k->eltwise);
    cconv_pool_init_ref(&k->pool);
    cconv_norm_init_ref(&k->norm);
    cconv_loss_init_ref(&k->loss);
    cconv_reduce_init_ref(&k->reduce);
    k->moments = cconv_moments_ref;
    k->transpose = cconv_transpose_ref;
}

void cconv_kernels_init(struct cconv_kernels *k, int32_t max_isa)
{
    const int32_t isa = CCONV_MIN(max_isa, cconv_cpu_isa());

    assert(max_isa >= COORDCONV_ISA_REFERENCE);
    init_reference(k);
    if (isa <= COORDCONV_ISA_REFERENCE)
        return;
#if defined(CCONV_HAVE_AVX2)
    if (isa >= COORDCONV_ISA_AVX2) {
        cconv_conv_init_avx2(&k->conv);
        k->moments = cconv_moments_avx2;
        cconv_winograd_init_avx2(&k->winograd);
        k->transpose = cconv_transpose_avx2;
        k->isa = "avx2";
    }
#endif
#if defined(CCONV_HAVE_AVX512)
    if (isa >= COORDCONV_ISA_AVX512) {
        cconv_conv_init_avx512(&k->conv);
        k->moments = cconv_moments_avx512;
        cconv_winograd_init_avx512(&k->winograd);
        k->transpose = cconv_transpose_avx512;
        k->isa = "avx512";
    }
#endif
}

/* Time of a pixel: what a panel takes to begin and end its sums and for each
 * product, times the panels there have to be. */
static float cost_of(const struct cconv_panel *panel, size_t channels, size_t products)
{
    const size_t panels = (channels + panel->nr - 1) / panel->nr;

    return (float)panels * (panel->pixel_cost + panel->product_cost * (float)products);
}

const struct cconv_panel *cconv_panel_choose(const struct cconv_conv_kernels *k, size_t channels,
                                             size_t products)
{
    const struct cconv_panel *best = &k->panel[0];

    assert(k->count > 0 && channels > 0);
    for (size_t i = 1; i < k->count; i++)
        if (cost_of(&k->panel[i], channels, products) <= cost_of(best, channels, products))
            best = &k->panel[i];
    return best;
}
