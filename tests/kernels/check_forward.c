/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_forward.c - forward loops of the convolution panels.
 *
 * A shape is run once at its full width and compared with sums in a wider type.
 * All smaller runs, the calls with fewer pixels and fewer channels, must then
 * give the bits of that run: the contract says that no sum depends on them.
 * Buffers lie against inaccessible pages, in one round their ends and in
 * another their beginnings, and gaps are filled with NaN or a canary.
 */
#include "check_conv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "guard.h"

#define MAX_COLUMNS 200
#define CANARY      ((cconv_real)-12345.678)
#define SLOPE       ((cconv_real)0.2)

enum init {
    INIT_NONE,
    INIT_BIAS,
    INIT_MAP,
    INIT_AFFINE, /* in rows of some width */
    INIT_BORDER, /* one row, affine but at its ends, which start from init */
    INITS
};

enum side {
    SIDE_LAST,
    SIDE_FIRST,
    SIDES
};

struct shape {
    size_t segments, length;
    enum layout layout;
    enum fill fill;
    enum init init;
    int add;
};

/* A shape with its numbers, and what came out of the full run. */
struct round {
    const struct cconv_panel *panel;
    struct shape shape;
    struct inputs in;
    size_t products;
    cconv_real *a, *b;
    cconv_real init[MAX_PIXELS * MAX_NR]; /* what the pixels start from */
    cconv_real add[MAX_PIXELS * MAX_NR];
    struct cconv_panel_affine affine;        /* of the full run */
    cconv_real plane[3][MAX_NR];             /* base, down, right */
    cconv_real full[3][MAX_PIXELS * MAX_NR]; /* an activation each */
};

/* Where the kernel sees them. */
struct arena {
    struct guard a, b, init, plane[3], rows, columns, add, c;
};

static cconv_real a_values[MAX_SEGMENTS * (MAX_PIXELS * (MAX_LENGTH + 3))];
static cconv_real b_values[MAX_SEGMENTS * MAX_LENGTH * MAX_NR];

static void arena_open(struct arena *arena)
{
    guard_open(&arena->a, sizeof a_values);
    guard_open(&arena->b, MAX_PACKED * sizeof(cconv_real));
    guard_open(&arena->init, MAX_PIXELS * (MAX_NR + 3) * sizeof(cconv_real));
    for (int i = 0; i < 3; i++)
        guard_open(&arena->plane[i], MAX_NR * sizeof(cconv_real));
    guard_open(&arena->rows, MAX_COLUMNS * (MAX_NR + 1) * sizeof(cconv_real));
    guard_open(&arena->columns, MAX_COLUMNS * (MAX_NR + 1) * sizeof(cconv_real));
    guard_open(&arena->add, MAX_PIXELS * (MAX_NR + 2) * sizeof(cconv_real));
    guard_open(&arena->c, MAX_PIXELS * (MAX_NR + 5) * sizeof(cconv_real));
}

static void arena_close(struct arena *arena)
{
    guard_close(&arena->a);
    guard_close(&arena->b);
    guard_close(&arena->init);
    for (int i = 0; i < 3; i++)
        guard_close(&arena->plane[i]);
    guard_close(&arena->rows);
    guard_close(&arena->columns);
    guard_close(&arena->add);
    guard_close(&arena->c);
}

static cconv_real *at_side(const struct guard *g, enum side side, size_t elements)
{
    return side == SIDE_LAST ? guard_last(g, elements * sizeof(cconv_real))
                             : guard_first(g, elements * sizeof(cconv_real));
}

static int is_affine(enum init init)
{
    return init == INIT_AFFINE || init == INIT_BORDER;
}

/* Rows of every width up to one that holds all pixels, tables of all columns or of some, and
 * borders of all widths. */
static void round_plane(struct round *r, uint64_t *state)
{
    const int border = r->shape.init == INIT_BORDER;
    struct cconv_panel_affine *affine = &r->affine;

    for (int i = 0; i < 3; i++)
        for (size_t o = 0; o < r->panel->nr; o++)
            r->plane[i][o] = random_value(r->shape.fill, 1, state);
    affine->width = border ? SIZE_MAX : 1 + random_below(state, MAX_PIXELS);
    affine->period = 1 + random_below(state, 2 * MAX_PIXELS);
    affine->row = random_below(state, MAX_COLUMNS - MAX_PIXELS);
    affine->column = random_below(state, border ? MAX_COLUMNS - MAX_PIXELS : affine->width);
    affine->begin = border ? random_below(state, MAX_PIXELS / 2) : 0;
    affine->end = border ? affine->begin + random_below(state, MAX_PIXELS / 2 + 1) : MAX_PIXELS;
}

static int pixel_affine(const struct round *r, size_t pixel)
{
    return is_affine(r->shape.init) && pixel >= r->affine.begin && pixel < r->affine.end;
}

static void round_begin(struct round *r, const struct cconv_panel *panel, struct shape shape,
                        uint64_t *state)
{
    r->panel = panel;
    r->shape = shape;
    r->in = inputs_laid(shape.layout, MAX_PIXELS, shape.segments, shape.length);
    r->products = shape.segments * shape.length;
    r->a = a_values;
    r->b = b_values;
    inputs_fill(&r->in, shape.fill, state, r->a);
    for (size_t i = 0; i < r->products * panel->nr; i++)
        r->b[i] = random_value(shape.fill, 1, state);
    for (size_t i = 0; i < MAX_PIXELS * panel->nr; i++)
        r->init[i] = i >= panel->nr && shape.init == INIT_BIAS ? r->init[i - panel->nr]
                     : shape.init == INIT_NONE                 ? 0
                                                               : random_value(shape.fill, 1, state);
    for (size_t i = 0; i < MAX_PIXELS * panel->nr; i++)
        r->add[i] = shape.add ? random_value(shape.fill, 1, state) : 0;
    r->affine = (struct cconv_panel_affine){ .width = SIZE_MAX };
    if (is_affine(shape.init))
        round_plane(r, state);
}

static void fail_at(const struct round *r, const char *what, size_t pixel, size_t channel,
                    double got, double want)
{
    fail_msg(
        "isa %d, panel %zu, %zu x %zu, layout %d, fill %d, init %d, add %d: %s, pixel %zu channel "
        "%zu: got %.9g, want %.9g",
        (int)checked_isa, r->panel->nr, r->shape.segments, r->shape.length, r->shape.layout,
        r->shape.fill, r->shape.init, r->shape.add, what, pixel, channel, got, want);
}

/* What lies between the starts of two pixels: nothing in half of the shapes. */
static size_t start_gap(const struct round *r)
{
    return r->shape.length % 2 == 0 ? 0 : 3;
}

/* Likewise of what is added. */
static size_t add_gap(const struct round *r)
{
    return r->shape.length / 2 % 2 == 0 ? 0 : 2;
}

/* Inputs, weights and starts of `channels` channels at one side of their pages. */
static struct cconv_panel_forward round_place(const struct round *r, const struct arena *arena,
                                              enum side side, size_t channels)
{
    const size_t nr = r->panel->nr;
    const size_t stride = r->shape.init == INIT_BIAS ? 0 : channels + start_gap(r);
    const size_t add_stride = channels + add_gap(r);
    const size_t starts = (MAX_PIXELS - 1) * stride + channels;
    cconv_real *a = at_side(&arena->a, side, r->in.elements);
    const size_t run = cconv_panel_run(r->panel, r->shape.length);
    cconv_real *b = at_side(&arena->b, side, r->shape.segments * run);
    cconv_real *init = at_side(&arena->init, side, starts);
    cconv_real *add = at_side(&arena->add, side, (MAX_PIXELS - 1) * add_stride + channels);
    const struct cconv_panel_forward p = {
        .pixels = MAX_PIXELS,
        .channels = channels,
        .segments = r->shape.segments,
        .segment_length = r->shape.length,
        .a = a + r->in.origin,
        .a_stride = r->in.stride,
        .b = b,
        .init = r->shape.init == INIT_NONE || r->shape.init == INIT_AFFINE ? NULL : init,
        .init_stride = (ptrdiff_t)stride,
        .init_far = r->shape.init != INIT_NONE && r->shape.init != INIT_AFFINE,
        .add = r->shape.add ? add : NULL,
        .add_stride = (ptrdiff_t)add_stride,
        .slope = SLOPE,
    };

    memcpy(a, r->a, r->in.elements * sizeof *a);
    for (size_t i = 0; i < r->shape.segments * run; i++)
        b[i] = 0;
    for (size_t i = 0; i < r->products; i++)
        for (size_t o = 0; o < channels; o++)
            b[i / r->shape.length * run + cconv_panel_place(r->panel, i % r->shape.length, o)] =
                r->b[i * nr + o];
    for (size_t i = 0; i < starts; i++)
        init[i] = (cconv_real)NAN;
    for (size_t i = 0; i < MAX_PIXELS; i++)
        if (!pixel_affine(r, i)) /* what lies under affine pixels is not to be read */
            memcpy(init + i * stride, r->init + i * nr, channels * sizeof *init);
    for (size_t i = 0; i < MAX_PIXELS; i++)
        memcpy(add + i * add_stride, r->add + i * nr, channels * sizeof *add);
    return p;
}

/* One of the tables, up to the last row or column that the full run uses. */
static const cconv_real *place_table(const struct guard *g, enum side side, size_t channels,
                                     size_t count, const cconv_real *base, const cconv_real *slope)
{
    const size_t stride = channels + 1;
    cconv_real *table = at_side(g, side, (count - 1) * stride + channels);

    for (size_t i = 0; i < count; i++)
        for (size_t o = 0; o < channels; o++)
            table[i * stride + o] = (base != NULL ? base[o] : 0) + (cconv_real)i * slope[o];
    return table;
}

static void place_tables(const struct round *r, const struct arena *arena, enum side side,
                         size_t channels, struct cconv_panel_affine *affine)
{
    const struct cconv_panel_affine *a = &r->affine;
    const size_t last = a->column + a->end - 1;

    if (!is_affine(r->shape.init) || a->begin == a->end)
        return;
    affine->stride = (ptrdiff_t)channels + 1;
    affine->rows = place_table(&arena->rows, side, channels, a->row + last / a->width + 1,
                               affine->base, affine->down);
    affine->columns =
        place_table(&arena->columns, side, channels,
                    CCONV_MIN(CCONV_MIN(a->width, last + 1), a->period), NULL, affine->right);
}

/* The plane as a call sees it that begins at pixel `first`. */
static struct cconv_panel_affine plane_place(const struct round *r, const struct arena *arena,
                                             enum side side, size_t channels, size_t first)
{
    const cconv_real *at[3];
    struct cconv_panel_affine affine = r->affine;

    for (int i = 0; i < 3; i++)
        at[i] = memcpy(at_side(&arena->plane[i], side, channels), r->plane[i],
                       channels * sizeof(cconv_real));
    affine.base = at[0];
    affine.down = at[1];
    affine.right = at[2];
    affine.column += first;
    if (affine.column >= affine.width) {
        affine.row += affine.column / affine.width;
        affine.column %= affine.width;
    }
    affine.begin -= CCONV_MIN(affine.begin, first);
    affine.end -= CCONV_MIN(affine.end, first);
    place_tables(r, arena, side, channels, &affine);
    return affine;
}

/* Run pixels first .. first + pixels - 1 and compare with the full run, bit for bit. */
static void check_part(const struct round *r, const struct arena *arena, enum side side,
                       const struct cconv_panel_forward *placed, size_t first, size_t pixels)
{
    struct cconv_panel_forward p = *placed;
    /* Side by side or not: panels may have a way of their own for either. */
    const size_t channels = p.channels, stride = channels + (pixels % 2 == 0 ? 0 : 5);
    const size_t elements = (pixels - 1) * stride + channels;
    const cconv_real canary = CANARY;
    const struct cconv_panel_affine affine = plane_place(r, arena, side, channels, first);

    p.offset = r->in.offset;
    p.pixels = pixels;
    p.affine = is_affine(r->shape.init) ? &affine : NULL;
    p.a += (ptrdiff_t)first * p.a_stride;
    p.init = p.init == NULL ? NULL : p.init + (ptrdiff_t)first * p.init_stride;
    p.add = p.add == NULL ? NULL : p.add + (ptrdiff_t)first * p.add_stride;
    p.c = at_side(&arena->c, side, elements);
    p.c_stride = (ptrdiff_t)stride;
    for (size_t i = 0; i < elements; i++)
        p.c[i] = canary;
    r->panel->forward(&p);
    for (size_t i = 0; i < elements; i++) {
        const size_t pixel = first + i / stride, o = i % stride;
        const cconv_real *want = o < channels ? &r->full[p.act][pixel * r->panel->nr + o] : &canary;

        if (memcmp(&p.c[i], want, sizeof canary) != 0)
            fail_at(r, o < channels ? "not the bits of the full run" : "written beside the output",
                    pixel, o, (double)p.c[i], (double)*want);
    }
}

/* What pixel and channel start from, and the sum of its parts' magnitudes. */
static wide_real start_value(const struct round *r, size_t pixel, size_t o, wide_real *magnitude)
{
    const size_t at = r->affine.column + pixel;
    wide_real start = r->init[pixel * r->panel->nr + o], y = 0, x = 0;

    if (pixel_affine(r, pixel)) {
        start = r->plane[0][o];
        y = (wide_real)(r->affine.row + at / r->affine.width) * (wide_real)r->plane[1][o];
        x = (wide_real)(at % r->affine.width) * (wide_real)r->plane[2][o];
    }
    *magnitude = (start < 0 ? -start : start) + (y < 0 ? -y : y) + (x < 0 ? -x : x);
    return start + y + x;
}

/* The full run without activation against sums in a wider type. */
static void check_sums(const struct round *r)
{
    const size_t nr = r->panel->nr;

    for (size_t pixel = 0; pixel < MAX_PIXELS; pixel++)
        for (size_t o = 0; o < nr; o++) {
            const cconv_real got = r->full[CCONV_ACT_NONE][pixel * nr + o];
            const wide_real add = r->add[pixel * nr + o];
            wide_real magnitude, sum = start_value(r, pixel, o, &magnitude) + add;

            magnitude += add < 0 ? -add : add;

            for (size_t s = 0; s < r->shape.segments; s++)
                for (size_t k = 0; k < r->shape.length; k++) {
                    const wide_real product = (wide_real)input_at(&r->in, r->a, pixel, s, k) *
                                              (wide_real)r->b[(s * r->shape.length + k) * nr + o];

                    sum += product;
                    magnitude += product < 0 ? -product : product;
                }
            if (!near_enough(got, sum, magnitude, r->products + 4))
                fail_at(r, "wrong sum", pixel, o, (double)got, (double)sum);
        }
}

/* The full run, and what activations make of it. */
static void round_run(struct round *r, const struct arena *arena,
                      const struct cconv_eltwise_kernels *eltwise)
{
    const size_t nr = r->panel->nr, n = MAX_PIXELS * nr;
    struct cconv_panel_forward p = round_place(r, arena, SIDE_LAST, nr);
    const struct cconv_panel_affine affine = plane_place(r, arena, SIDE_LAST, nr, 0);

    p.affine = is_affine(r->shape.init) ? &affine : NULL;
    p.offset = r->in.offset;
    p.c = r->full[CCONV_ACT_NONE];
    p.c_stride = (ptrdiff_t)nr;
    r->panel->forward(&p);
    check_sums(r);
    eltwise->act_forward(CCONV_ACT_RELU, SLOPE, n, p.c, r->full[CCONV_ACT_RELU]);
    eltwise->act_forward(CCONV_ACT_LEAKY, SLOPE, n, p.c, r->full[CCONV_ACT_LEAKY]);
}

/* Both ends of a run of `pixels`, for one count of channels. */
static void check_parts(const struct round *r, const struct arena *arena, size_t channels,
                        size_t least, size_t most)
{
    for (int side = 0; side < SIDES; side++) {
        struct cconv_panel_forward p = round_place(r, arena, (enum side)side, channels);

        for (size_t pixels = least; pixels <= most; pixels++) {
            const int last = (side == SIDE_LAST) == (p.a_stride > 0);

            p.act = (enum cconv_activation)((pixels + channels) % 3);
            p.cached = (int)((pixels + channels) / 3 % 2);
            check_part(r, arena, (enum side)side, &p, last ? MAX_PIXELS - pixels : 0, pixels);
        }
    }
}

static void check_shape(const struct cconv_kernels *k, const struct cconv_panel *panel,
                        const struct arena *arena, struct shape shape, int every)
{
    static struct round r;
    uint64_t state = shape.segments * 1000 + shape.length;

    round_begin(&r, panel, shape, &state);
    round_run(&r, arena, &k->eltwise);
    if (every) {
        for (size_t channels = 1; channels <= panel->nr; channels++)
            check_parts(&r, arena, channels, 1, MAX_PIXELS);
        return;
    }
    for (int i = 0; i < 2; i++) {
        const size_t pixels = 1 + random_below(&state, MAX_PIXELS);

        check_parts(&r, arena, 1 + random_below(&state, panel->nr), pixels, pixels);
        check_parts(&r, arena, panel->nr, pixels, pixels);
    }
}

/* Lengths that end everywhere in a vector, then some that fill many. */
static size_t length_of(size_t i)
{
    static const size_t more[] = { 47, 48, 64, 65, 127, 192, 576 };

    return i < 40 ? i + 1 : more[i - 40];
}

void forward_matches_sums(void **state)
{
    struct cconv_kernels k;
    struct arena arena;
    size_t turn = 0;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t i = 0; i < k.conv.count; i++)
        for (size_t segments = 1; segments <= MAX_SEGMENTS; segments++)
            for (size_t l = 0; l < 47; l++, turn++) {
                const struct shape shape = { segments,
                                             length_of(l),
                                             (enum layout)(turn % LAYOUTS),
                                             (enum fill)(turn / 4 % FILLS),
                                             (enum init)(turn % INITS),
                                             (int)(turn / 3 % 2) };

                check_shape(&k, &k.conv.panel[i], &arena, shape, 0);
            }
    arena_close(&arena);
}

void forward_same_bits_however_split(void **state)
{
    static const size_t sizes[][2] = { { 1, 1 }, { 1, 5 }, { 3, 4 }, { 2, 17 }, { 3, 24 } };
    struct cconv_kernels k;
    struct arena arena;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    arena_open(&arena);
    for (size_t i = 0; i < k.conv.count; i++)
        for (size_t j = 0; j < 2 * INITS; j++) {
            const size_t *const size = sizes[j % CCONV_COUNT(sizes)];
            const struct shape shape = { size[0],
                                         size[1],
                                         (enum layout)(j % LAYOUTS),
                                         FILL_UNIFORM,
                                         (enum init)(j % INITS),
                                         j >= INITS };

            check_shape(&k, &k.conv.panel[i], &arena, shape, 1);
        }
    arena_close(&arena);
}

/* NaN from an input reaches the output through any activation. */
void forward_keeps_nan(void **state)
{
    const cconv_real a[1] = { (cconv_real)NAN };
    const ptrdiff_t offset[1] = { 0 };
    struct cconv_kernels k;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    for (size_t i = 0; i < k.conv.count; i++)
        for (int act = CCONV_ACT_NONE; act <= CCONV_ACT_LEAKY; act++) {
            _Alignas(CCONV_ALIGN) cconv_real b[16 * MAX_NR] = { 1 }; /* a whole group */
            cconv_real c[1] = { 0 };
            const struct cconv_panel_forward p = {
                .pixels = 1,
                .channels = 1,
                .segments = 1,
                .segment_length = 1,
                .offset = offset,
                .a = a,
                .b = b,
                .c = c,
                .act = (enum cconv_activation)act,
                .slope = SLOPE,
            };

            k.conv.panel[i].forward(&p);
            assert_true(isnan(c[0]));
        }
}
