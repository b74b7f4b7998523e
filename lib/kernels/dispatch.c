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
    cconv_pixels_init_ref(&k->pixels);
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
    cconv_pixels_init_avx2(&k->pixels);
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
    cconv_pixels_init_avx512(&k->pixels);
    k->moments = cconv_moments_avx512;
    k->transpose = cconv_transpose_avx512;
    INIT_PLAIN(k, avx512);
    k->isa = "avx512";
}

#endif

#if defined(CCONV_HAVE_NEON)

/* Every AArch64 processor has it, and compilers use it for plain C there. */
static void init_neon(struct cconv_kernels *k)
{
    cconv_conv_init_neon(&k->conv);
    cconv_winograd_init_neon(&k->winograd);
    k->moments = cconv_moments_neon;
    k->transpose = cconv_transpose_neon;
    k->isa = "neon";
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
#if defined(CCONV_HAVE_NEON)
    { COORDCONV_ISA_NEON, always, init_neon },
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

int cconv_cpu_has(int32_t isa)
{
    for (size_t i = 0; i < CCONV_COUNT(sets) && sets[i].usable(); i++)
        if (sets[i].isa == isa)
            return 1;
    return 0;
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

void cconv_pixels_init(struct cconv_pixel_kernels *k)
{
    /* Asking the processor takes longer than a small image, in a virtual machine most of all. */
    static _Thread_local int32_t best;

    if (best == 0)
        best = cconv_cpu_isa();
    cconv_pixels_init_ref(k);
#if defined(CCONV_HAVE_AVX2)
    if (best == COORDCONV_ISA_AVX2)
        cconv_pixels_init_avx2(k);
#endif
#if defined(CCONV_HAVE_AVX512)
    if (best == COORDCONV_ISA_AVX512)
        cconv_pixels_init_avx512(k);
#endif
}

/* Time of a pixel: what a panel takes to begin and end its sums and for each
 * product, those that fill up a group included, times the panels there have to be. */
static float cost_of(const struct cconv_panel *panel, size_t channels, size_t segments,
                     size_t length)
{
    const size_t panels = (channels + panel->nr - 1) / panel->nr;
    const size_t products = segments * (cconv_panel_run(panel, length) / panel->nr);

    return (float)panels * (panel->pixel_cost + panel->product_cost * (float)products);
}

static const struct cconv_panel *choose(const struct cconv_conv_kernels *k, size_t channels,
                                        size_t segments, size_t length, size_t most_group)
{
    const struct cconv_panel *best = NULL;
    float least = 0;

    assert(channels > 0);
    for (size_t i = 0; i < k->count; i++) {
        const float cost = cost_of(&k->panel[i], channels, segments, length);

        if (k->panel[i].group <= most_group && (best == NULL || cost <= least)) {
            best = &k->panel[i];
            least = cost;
        }
    }
    assert(best != NULL);
    return best;
}

const struct cconv_panel *cconv_panel_choose(const struct cconv_conv_kernels *k, size_t channels,
                                             size_t segments, size_t segment_length)
{
    return choose(k, channels, segments, segment_length, SIZE_MAX);
}

const struct cconv_panel *cconv_panel_choose_ungrouped(const struct cconv_conv_kernels *k,
                                                       size_t channels, size_t products)
{
    return choose(k, channels, 1, products, 1);
}

size_t cconv_panel_run(const struct cconv_panel *panel, size_t segment_length)
{
    return (segment_length + panel->group - 1) / panel->group * panel->group * panel->nr;
}

size_t cconv_panel_place(const struct cconv_panel *panel, size_t k, size_t o)
{
    return (k / panel->group * panel->nr + o) * panel->group + k % panel->group;
}
