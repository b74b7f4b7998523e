/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_depth.c - the loops of one input channel for each output channel,
 * against sums in a wider type, between inaccessible pages as in check_forward.c.
 */
#include "check_conv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "guard.h"

#define DEPTH_CHANNELS 40
#define DEPTH_TAPS     26
#define DEPTH_PIXELS   26
#define DEPTH_ROWS     2
#define GAP            3

/* A tap further is a pixel further; pixels have GAP values nobody may touch. */
struct shape {
    size_t channels, taps, pixels, stride;
    ptrdiff_t offset[DEPTH_TAPS];
};

struct arena {
    struct guard a, b, init, add, c;
};

static void arena_open(struct arena *arena)
{
    const size_t pixels = DEPTH_ROWS * (DEPTH_PIXELS + DEPTH_TAPS);
    const size_t bytes = pixels * (DEPTH_CHANNELS + GAP) * sizeof(cconv_real);

    guard_open(&arena->a, bytes);
    guard_open(&arena->b, 64 * DEPTH_TAPS * sizeof(cconv_real));
    guard_open(&arena->init, bytes);
    guard_open(&arena->add, bytes);
    guard_open(&arena->c, bytes);
}

static void arena_close(struct arena *arena)
{
    guard_close(&arena->a);
    guard_close(&arena->b);
    guard_close(&arena->init);
    guard_close(&arena->add);
    guard_close(&arena->c);
}

static cconv_real *filled(const struct guard *g, int last, size_t elements, uint64_t *state)
{
    const size_t bytes = elements * sizeof(cconv_real);
    cconv_real *values = last ? guard_last(g, bytes) : guard_first(g, bytes);

    for (size_t i = 0; i < elements; i++)
        values[i] = random_value(FILL_UNIFORM, 1, state);
    return values;
}

static struct shape shape_of(size_t channels, size_t taps, size_t pixels)
{
    struct shape s = { channels, taps, pixels, channels + GAP, { 0 } };

    for (size_t t = 0; t < taps; t++)
        s.offset[t] = (ptrdiff_t)(t * s.stride);
    return s;
}

/* From the first to the last element of `pixels` of them. */
static size_t span(const struct shape *s, size_t pixels)
{
    return (pixels - 1) * s->stride + s->channels;
}

static struct cconv_panel_forward place(const struct cconv_panel *depth, const struct shape *s,
                                        const struct arena *arena, int last, uint64_t *state)
{
    const size_t blocks = (s->channels + depth->nr - 1) / depth->nr;
    const size_t weights = s->taps * depth->nr;
    cconv_real *a = filled(&arena->a, last, span(s, s->pixels + s->taps - 1), state);
    cconv_real *b = filled(&arena->b, last, blocks * weights, state);

    for (size_t i = s->channels; i < blocks * depth->nr; i++)
        for (size_t t = 0; t < s->taps; t++)
            b[(blocks - 1) * weights + t * depth->nr + i % depth->nr] = 0;
    return (struct cconv_panel_forward){
        .pixels = s->pixels,
        .channels = s->channels,
        .segments = s->taps,
        .segment_length = 1,
        .offset = s->offset,
        .a = a,
        .a_stride = (ptrdiff_t)s->stride,
        .b = b,
        .b_block = (ptrdiff_t)weights,
        .init = filled(&arena->init, last, span(s, s->pixels), state),
        .init_stride = (ptrdiff_t)s->stride,
        .add = filled(&arena->add, last, span(s, s->pixels), state),
        .add_stride = (ptrdiff_t)s->stride,
        .c = filled(&arena->c, last, span(s, s->pixels), state),
        .c_stride = (ptrdiff_t)s->stride,
    };
}

static void check_sums(const struct cconv_panel *depth, const struct cconv_panel_forward *p)
{
    for (size_t pixel = 0; pixel < p->pixels; pixel++)
        for (size_t o = 0; o < p->channels; o++) {
            const size_t at = pixel * (size_t)p->a_stride + o;
            const cconv_real *b = p->b + o / depth->nr * (size_t)p->b_block + o % depth->nr;
            wide_real sum = (wide_real)p->init[at] + (wide_real)p->add[at], magnitude = 2;

            for (size_t s = 0; s < p->segments; s++) {
                const wide_real product =
                    (wide_real)p->a[at + (size_t)p->offset[s]] * (wide_real)b[s * depth->nr];

                sum += product;
                magnitude += product < 0 ? -product : product;
            }
            if (!near_enough(p->c[at], sum, magnitude, p->segments + 2))
                fail_msg("isa %d, %zu channels, %zu taps, %zu pixels: pixel %zu channel %zu: "
                         "%.9g, not %.9g",
                         (int)checked_isa, p->channels, p->segments, p->pixels, pixel, o,
                         (double)p->c[at], (double)sum);
        }
}

/* Any part of the pixels gives the bits of the whole, and nothing between pixels is written. */
static void check_parts(const struct cconv_panel *depth, const struct cconv_panel_forward *p,
                        size_t first)
{
    static cconv_real want[(DEPTH_PIXELS + 1) * (DEPTH_CHANNELS + GAP)];
    const size_t n = (p->pixels - 1) * (size_t)p->c_stride + p->channels;
    const ptrdiff_t at = (ptrdiff_t)first * p->c_stride;
    struct cconv_panel_forward part = *p;

    memcpy(want, p->c, n * sizeof *want);
    for (size_t i = (size_t)at; i < n; i++)
        if (i % (size_t)p->c_stride < p->channels)
            p->c[i] = 0;
    part.pixels -= first;
    part.a += at;
    part.init += at;
    part.add += at;
    part.c += at;
    depth->forward(&part);
    assert_memory_equal(p->c, want, n * sizeof *want);
}

void depth_forward_matches_sums(void **state)
{
    static const size_t taps[] = { 1, 3, 9, 25 };
    struct cconv_kernels k;
    struct arena arena;
    uint64_t random = 3;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t channels = 1; channels <= DEPTH_CHANNELS; channels++)
        for (size_t pixels = 1; pixels <= DEPTH_PIXELS; pixels++) {
            const struct shape s =
                shape_of(channels, taps[(channels + pixels) % CCONV_COUNT(taps)], pixels);
            const struct cconv_panel_forward p =
                place(&k.conv.depth, &s, &arena, (int)(pixels % 2), &random);

            k.conv.depth.forward(&p);
            check_sums(&k.conv.depth, &p);
            check_parts(&k.conv.depth, &p, random_below(&random, pixels));
        }
    arena_close(&arena);
}

static void check_grad(const struct cconv_panel *depth, const struct shape *s,
                       const struct arena *arena, int last, uint64_t *state)
{
    const size_t row = (s->pixels + s->taps) * s->stride;
    const size_t a_span = (DEPTH_ROWS - 1) * row + span(s, s->pixels + s->taps - 1);
    const size_t g_span = (DEPTH_ROWS - 1) * row + span(s, s->pixels);
    const struct cconv_panel_grad p = {
        .rows = DEPTH_ROWS,
        .pixels = s->pixels,
        .channels = s->channels,
        .segments = s->taps,
        .segment_length = 1,
        .offset = s->offset,
        .a = filled(&arena->a, last, a_span, state),
        .a_row = (ptrdiff_t)row,
        .a_stride = (ptrdiff_t)s->stride,
        .g = filled(&arena->c, last, g_span, state),
        .g_row = (ptrdiff_t)row,
        .g_stride = (ptrdiff_t)s->stride,
        .w = filled(&arena->b, last, s->taps * depth->nr, state),
    };
    cconv_real before[DEPTH_TAPS * 64];

    memcpy(before, p.w, s->taps * depth->nr * sizeof *before);
    depth->grad(&p);
    for (size_t i = 0; i < s->taps * depth->nr; i++) {
        const size_t t = i / depth->nr, o = i % depth->nr;
        wide_real sum = before[i], magnitude = 1;

        for (size_t j = 0; j < DEPTH_ROWS * s->pixels && o < s->channels; j++) {
            const size_t at = j / s->pixels * row + j % s->pixels * s->stride + o;
            const wide_real product =
                (wide_real)p.a[at + (size_t)s->offset[t]] * (wide_real)p.g[at];

            sum += product;
            magnitude += product < 0 ? -product : product;
        }
        if (!near_enough(p.w[i], sum, magnitude, DEPTH_ROWS * s->pixels + 1))
            fail_msg("isa %d, %zu channels, %zu taps, %zu pixels: tap %zu channel %zu: %.9g, not "
                     "%.9g",
                     (int)checked_isa, s->channels, s->taps, s->pixels, t, o, (double)p.w[i],
                     (double)sum);
    }
}

void depth_grad_matches_sums(void **state)
{
    struct cconv_kernels k;
    struct arena arena;
    uint64_t random = 4;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t channels = 1; channels <= k.conv.depth.nr; channels++)
        for (size_t taps = 1; taps <= DEPTH_TAPS; taps++) {
            const struct shape s =
                shape_of(channels, taps, 1 + random_below(&random, DEPTH_PIXELS));

            check_grad(&k.conv.depth, &s, &arena, (int)(taps % 2), &random);
        }
    arena_close(&arena);
}
