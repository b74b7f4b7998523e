/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_grad.c - weight-gradient loops of the convolution panels, against sums
 * in a wider type, between inaccessible pages as in check_forward.c.
 */
#include "check_conv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "guard.h"

#define MAX_ROWS 3

struct shape {
    size_t rows, pixels, channels, segments, length;
    enum layout layout;
    enum fill fill;
};

struct arena {
    struct guard a, g, w;
};

static void arena_open(struct arena *arena)
{
    const size_t real = sizeof(cconv_real);

    guard_open(&arena->a, MAX_ROWS * MAX_SEGMENTS * MAX_PIXELS * (MAX_LENGTH + 3) * real);
    guard_open(&arena->g, MAX_ROWS * MAX_PIXELS * (MAX_NR + 3) * real);
    guard_open(&arena->w, MAX_PACKED * real);
}

static void arena_close(struct arena *arena)
{
    guard_close(&arena->a);
    guard_close(&arena->g);
    guard_close(&arena->w);
}

static cconv_real *at_side(const struct guard *g, int last, size_t elements)
{
    return last ? guard_last(g, elements * sizeof(cconv_real))
                : guard_first(g, elements * sizeof(cconv_real));
}

/* Gradients in the channels there are, NaN in what lies between pixels. */
static void fill_gradients(const struct cconv_panel_grad *p, enum fill fill, uint64_t *state,
                           cconv_real *g, size_t elements)
{
    for (size_t i = 0; i < elements; i++)
        g[i] = (cconv_real)NAN;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t pixel = 0; pixel < p->pixels; pixel++)
            for (size_t o = 0; o < p->channels; o++)
                g[(ptrdiff_t)r * p->g_row + (ptrdiff_t)pixel * p->g_stride + (ptrdiff_t)o] =
                    random_value(fill, 1, state);
}

/* One weight: what it was, and the products of all rows and pixels. */
static int weight_right(const struct cconv_panel_grad *p, size_t segment, size_t k, size_t o,
                        cconv_real before, cconv_real got)
{
    wide_real sum = before, magnitude = fabs((double)before);

    for (size_t r = 0; r < p->rows; r++)
        for (size_t pixel = 0; pixel < p->pixels; pixel++) {
            const ptrdiff_t row = (ptrdiff_t)r, column = (ptrdiff_t)pixel;
            const wide_real product =
                (wide_real)p
                    ->a[row * p->a_row + column * p->a_stride + p->offset[segment] + (ptrdiff_t)k] *
                (wide_real)p->g[row * p->g_row + column * p->g_stride + (ptrdiff_t)o];

            sum += product;
            magnitude += product < 0 ? -product : product;
        }
    return near_enough(got, sum, magnitude, p->rows * p->pixels + 1);
}

static void check_weights(const struct cconv_panel *panel, const struct cconv_panel_grad *p,
                          const cconv_real *before, const struct shape *shape)
{
    const size_t nr = panel->nr, products = p->segments * p->segment_length;
    const size_t run = cconv_panel_run(panel, p->segment_length);

    for (size_t i = 0; i < products; i++)
        for (size_t o = 0; o < nr; o++) {
            const size_t k = i % p->segment_length;
            const size_t at = i / p->segment_length * run + cconv_panel_place(panel, k, o);
            const cconv_real got = p->w[at];
            const int right = o < p->channels
                                  ? weight_right(p, i / p->segment_length, k, o, before[at], got)
                                  : got == 0;

            if (!right)
                fail_msg("isa %d, panel %zu, %zu rows of %zu, %zu channels, %zu x %zu, layout %d, "
                         "fill %d: product %zu channel %zu: %.9g is wrong",
                         (int)checked_isa, nr, shape->rows, shape->pixels, shape->channels,
                         shape->segments, shape->length, shape->layout, shape->fill, i, o,
                         (double)got);
        }
}

static void check_shape(const struct cconv_panel *panel, const struct arena *arena, int last,
                        const struct shape *shape, uint64_t *state)
{
    static cconv_real before[MAX_PACKED];
    const struct inputs in =
        inputs_laid(shape->layout, shape->pixels, shape->segments, shape->length);
    const size_t weights = shape->segments * cconv_panel_run(panel, shape->length);
    const size_t a_elements = shape->rows * in.elements;
    const size_t g_stride = shape->channels + (size_t)shape->layout;
    const size_t g_elements = shape->rows * shape->pixels * g_stride - (size_t)shape->layout;
    cconv_real *a = at_side(&arena->a, last, a_elements);
    cconv_real *g = at_side(&arena->g, last, g_elements);
    const struct cconv_panel_grad p = {
        .rows = shape->rows,
        .pixels = shape->pixels,
        .channels = shape->channels,
        .segments = shape->segments,
        .segment_length = shape->length,
        .offset = in.offset,
        .a = a + in.origin,
        .a_row = (ptrdiff_t)in.elements,
        .a_stride = in.stride,
        .g = g,
        .g_row = (ptrdiff_t)(shape->pixels * g_stride),
        .g_stride = (ptrdiff_t)g_stride,
        .w = at_side(&arena->w, last, weights),
    };

    for (size_t r = 0; r < shape->rows; r++)
        inputs_fill(&in, shape->fill, state, a + r * in.elements);
    fill_gradients(&p, shape->fill, state, g, g_elements);
    for (size_t i = 0; i < weights; i++)
        before[i] = i / panel->group % panel->nr < shape->channels
                        ? random_value(FILL_INFINITE, 1, state)
                        : 0;
    memcpy(p.w, before, weights * sizeof *before);
    panel->grad(&p);
    check_weights(panel, &p, before, shape);
}

static size_t length_of(size_t i)
{
    static const size_t more[] = { 48, 65, 127, 192, 576 };

    return i < 40 ? i + 1 : more[i - 40];
}

void grad_matches_sums(void **state)
{
    struct cconv_kernels k;
    struct arena arena;
    uint64_t random = 1;
    size_t turn = 0;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t i = 0; i < k.conv.count; i++)
        for (size_t segments = 1; segments <= MAX_SEGMENTS; segments++)
            for (size_t l = 0; l < 45; l++, turn++) {
                const struct shape shape = {
                    1 + turn % MAX_ROWS,
                    1 + random_below(&random, MAX_PIXELS),
                    1 + random_below(&random, k.conv.panel[i].nr),
                    segments,
                    length_of(l),
                    (enum layout)(turn % LAYOUTS),
                    (enum fill)(turn / 4 % FILLS),
                };

                check_shape(&k.conv.panel[i], &arena, 0, &shape, &random);
                check_shape(&k.conv.panel[i], &arena, 1, &shape, &random);
            }
    arena_close(&arena);
}

/* Every count of pixels with every count of channels. */
void grad_every_count(void **state)
{
    static const size_t sizes[][2] = { { 1, 1 }, { 4, 2 }, { 1, 9 }, { 1, 26 } };
    struct cconv_kernels k;
    struct arena arena;
    uint64_t random = 2;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t i = 0; i < k.conv.count; i++)
        for (size_t channels = 1; channels <= k.conv.panel[i].nr; channels++)
            for (size_t pixels = 1; pixels <= MAX_PIXELS; pixels++) {
                const size_t *size = sizes[(channels + pixels) % CCONV_COUNT(sizes)];
                const struct shape shape = { 1 + pixels % 2, pixels,      channels,    size[0],
                                             size[1],        LAYOUT_GAPS, FILL_UNIFORM };

                check_shape(&k.conv.panel[i], &arena, 1, &shape, &random);
            }
    arena_close(&arena);
}
