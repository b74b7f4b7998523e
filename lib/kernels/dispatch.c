/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dispatch.c - which kernels this processor gets.
 */
#include <assert.h>

#include <coordconv/context.h>

#include "base/compiler.h"
#include "kernels/kernels.h"
#include "kernels/x86/cpu_x86.h"

/* The kernels in plain C but for convolution, compiled for one set. */
#define INIT_PLAIN(k, set)                                                                         \
    do {                                                                                           \
        cconv_eltwise_init_##set(&(k)->eltwise);                                                   \
        cconv_pool_init_##set(&(k)->pool);                                                         \
        cconv_norm_init_##set(&(k)->norm);                                                         \
        cconv_loss_init_##set(&(k)->loss);                                                         \
        cconv_reduce_init_##set(&(k)->reduce);                                                     \
    } while (0)

static void init_reference(struct cconv_kernels *k)
{
    k->isa = "reference";
    cconv_conv_init_ref(&k->conv);
    cconv_winograd_init_ref(&k->winograd);
    k->moments = cconv_moments_ref;
    k->transpose = cconv_transpose_ref;
    INIT_PLAIN(k, ref);
}

static int always(void)
{
    return 1;
}

#if defined(CCONV_HAVE_AVX2)

static void init_avx2(struct cconv_kernels *k)
{
    cconv_conv_init_avx2(&k->conv);
    cconv_winograd_init_avx2(&k->winograd);
    k->moments = cconv_moments_avx2;
    k->transpose = cconv_transpose_avx2;
    INIT_PLAIN(k, avx2);
    k->isa = "avx2";
}

#endif
#if defined(CCONV_HAVE_AVX512)

static void init_avx512(struct cconv_kernels *k)
{
    cconv_conv_init_avx512(&k->conv);
    cconv_winograd_init_avx512(&k->winograd);
    k->moments = cconv_moments_avx512;
    k->transpose = cconv_transpose_avx512;
    INIT_PLAIN(k, avx512);
    k->isa = "avx512";
}

#endif

struct set {
    int32_t isa;
    int (*usable)(void);
    void (*init)(struct cconv_kernels *k); /* replaces what this set does better */
};

/* What this build has, the worst first. */
static const struct set sets[] = {
    { COORDCONV_ISA_REFERENCE, always, init_reference },
#if defined(CCONV_HAVE_AVX2)
    { COORDCONV_ISA_AVX2, cconv_cpu_has_avx2, init_avx2 },
#endif
#if defined(CCONV_HAVE_AVX512)
    { COORDCONV_ISA_AVX512, cconv_cpu_has_avx512, init_avx512 },
#endif
};

/* Does a context that may use `max_isa` use this set? The values are names, so
 * what is better than what is said here, and only of one architecture. */
static int within(int32_t isa, int32_t max_isa)
{
    switch (max_isa) {
    case COORDCONV_ISA_REFERENCE:
        return isa == COORDCONV_ISA_REFERENCE;
    case COORDCONV_ISA_AVX2:
        return isa != COORDCONV_ISA_AVX512;
    default:
        return 1;
    }
}

int32_t cconv_cpu_isa(void)
{
    int32_t best = COORDCONV_ISA_REFERENCE;

    for (size_t i = 0; i < CCONV_COUNT(sets) && sets[i].usable(); i++)
        best = sets[i].isa;
    return best;
}

void cconv_kernels_init(struct cconv_kernels *k, int32_t max_isa)
{
    for (size_t i = 0; i < CCONV_COUNT(sets) && sets[i].usable(); i++)
        if (within(sets[i].isa, max_isa))
            sets[i].init(k);
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
