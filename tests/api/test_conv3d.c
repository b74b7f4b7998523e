/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_conv3d.c - convolutions of volumes against plain loops in double, with
 * other coordinates, of parts of larger volumes, folded in plans, and the same bits
 * however they are cut.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "support.h"

#define ALL (COORDCONV_COORDS_XY | COORDCONV_COORDS_Z | COORDCONV_COORDS_RADIUS)

static coordconv_context *context;

/* 0 .. bound - 1 */
static int32_t pick(uint64_t *state, int32_t bound)
{
    return (int32_t)((test_random(state) + 1.0) / 2.0 * bound);
}

/* ---- plain loops ---- */

static double along(const coordconv_grid_desc *g, double k, int64_t n)
{
    const double single = g->single == COORDCONV_SINGLE_LOW ? g->low : (g->low + g->high) / 2;
    const double span = g->high - g->low;

    switch (g->sampling) {
    case COORDCONV_SAMPLING_START:
        return g->low + span * k / (double)n;
    case COORDCONV_SAMPLING_CENTER:
        return g->low + span * (2 * k + 1) / (2.0 * (double)n);
    case COORDCONV_SAMPLING_PIXEL:
        return k;
    default:
        return n == 1 ? single : g->low + span * k / (double)(n - 1);
    }
}

static double plain_radius(const double v[3])
{
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* place: z, y, x. */
static double radius(const coordconv_grid_desc *g, const double place[3], const int64_t extent[3])
{
    double v[3], most = 0;

    for (int i = 0; i < 3; i++)
        v[i] = along(g, place[i], extent[i]);
    for (int corner = 0; corner < 8; corner++) {
        double at[3];
        for (int i = 0; i < 3; i++)
            at[i] = along(g, corner >> i & 1 ? (double)(extent[i] - 1) : 0, extent[i]);
        most = fmax(most, plain_radius(at));
    }
    for (int i = 0; i < 3; i++) {
        if (g->radius == COORDCONV_RADIUS_OFFSET)
            v[i] -= 0.5;
        if (g->radius == COORDCONV_RADIUS_CENTERED)
            v[i] = (v[i] - g->low) / (g->high - g->low) - 0.5;
    }
    return plain_radius(v) / (g->radius == COORDCONV_RADIUS_NORMALIZED && most > 0 ? most : 1);
}

/* Coordinate channel q of x, y, z, radius as the flags have them. */
static double coordinate(uint32_t coords, const coordconv_grid_desc *g, int q,
                         const double place[3], const int64_t extent[3])
{
    const int xy = (coords & COORDCONV_COORDS_XY) != 0;
    const int has[3] = { xy || (coords & COORDCONV_COORDS_X) != 0,
                         xy || (coords & COORDCONV_COORDS_Y) != 0,
                         (coords & COORDCONV_COORDS_Z) != 0 };

    for (int i = 0; i < 3; i++) {
        if (has[i] && q-- == 0)
            return along(g, place[2 - i], extent[2 - i]);
    }
    assert_int_equal(q, 0);
    return radius(g, place, extent);
}

/* SAME too. */
static int64_t pad_before(const coordconv_conv3d_desc *d, int axis, int64_t in, int64_t out)
{
    const int64_t reach = (int64_t)d->dilation[axis] * (d->kernel[axis] - 1) + 1;
    const int64_t total = (out - 1) * d->stride[axis] + reach - in;

    if (d->padding != COORDCONV_SAME)
        return d->pads[axis];
    return total > 0 ? total / 2 : 0;
}

struct layer {
    coordconv_conv3d_desc desc; /* all fields set, grid NULL */
    coordconv_grid_desc grid;   /* low and high set */
    coordconv_layer *layer;
    int64_t in[5], out[5];
    const coordconv_frame_desc *frames; /* one a volume; NULL: each is the whole */
};

/* Coordinate channel q of voxel p = z, y, x of volume n. */
static double coordinate_of(const struct layer *l, int64_t n, int q, const int64_t p[3])
{
    const coordconv_frame_desc whole = { 0 }, *f = l->frames != NULL ? &l->frames[n] : &whole;
    const double first[3] = { f->z, f->y, f->x }, step[3] = { f->step_z, f->step_y, f->step_x };
    const int64_t extent[3] = { f->depth, f->height, f->width };
    double place[3];
    int64_t of[3];

    for (int i = 0; i < 3; i++) {
        place[i] = first[i] + (step[i] != 0 ? step[i] : 1) * (double)p[i];
        of[i] = extent[i] != 0 ? extent[i] : l->in[1 + i];
    }
    return coordinate(l->desc.coords, &l->grid, q, place, of);
}

/* Output `at` of [n, z, y, x, o]; the sum of magnitudes as well. */
static double plain_output(const struct layer *l, coordconv_tensor *x, const int64_t at[5],
                           double *magnitude)
{
    const coordconv_conv3d_desc *d = &l->desc;
    const int32_t *k = d->kernel;
    coordconv_tensor *weight = test_parameter(l->layer, "weight");
    const int channels = (int)coordconv_tensor_dim(weight, 1), data = d->in_channels / d->groups;
    const int64_t group = at[4] / (d->out_channels / d->groups);
    double sum = d->no_bias ? 0 : test_values(test_parameter(l->layer, "bias"))[at[4]];

    *magnitude = fabs(sum);
    for (int tap = 0; tap < k[0] * k[1] * k[2]; tap++) {
        const int64_t by[3] = { tap / (k[1] * k[2]), tap / k[2] % k[1], tap % k[2] };
        int64_t p[3];
        int inside = 1;
        for (int i = 0; i < 3; i++) {
            p[i] = at[1 + i] * d->stride[i] + by[i] * d->dilation[i] -
                   pad_before(d, i, l->in[1 + i], l->out[1 + i]);
            inside = inside && p[i] >= 0 && p[i] < l->in[1 + i];
        }
        for (int c = 0; inside && c < channels; c++) {
            const int64_t voxel = ((at[0] * l->in[1] + p[0]) * l->in[2] + p[1]) * l->in[3] + p[2];
            const double value = c < data ? test_values(x)[voxel * l->in[4] + group * data + c]
                                          : coordinate_of(l, at[0], c - data, p);
            const double product =
                value * test_values(weight)[(at[4] * channels + c) * k[0] * k[1] * k[2] + tap];
            sum += product;
            *magnitude += fabs(product);
        }
    }
    return sum;
}

static void check_plain(const struct layer *l, coordconv_tensor *x, coordconv_tensor *y)
{
    const double unit = sizeof(test_real) == 4 ? FLT_EPSILON : DBL_EPSILON;
    const int64_t count = coordconv_tensor_count(y);

    for (int64_t i = 0; i < count; i++) {
        int64_t at[5], rest = i;
        double magnitude;
        for (int a = 4; a >= 0; a--) {
            at[a] = rest % l->out[a];
            rest /= l->out[a];
        }
        const double want = plain_output(l, x, at, &magnitude);
        if (!(fabs(test_values(y)[i] - want) <= 24 * unit * magnitude)) {
            print_error("y[%d] of [%d,%d,%d,%d,%d], coords %u: %g, want %g\n", (int)i,
                        (int)l->in[0], (int)l->in[1], (int)l->in[2], (int)l->in[3], (int)l->in[4],
                        (unsigned)l->desc.coords, (double)test_values(y)[i], want);
            fail();
        }
    }
}

static void make(struct layer *l, coordconv_context *of, int with_grid)
{
    coordconv_conv3d_desc d = l->desc;

    d.grid = with_grid ? &l->grid : NULL;
    l->layer = NULL;
    check_ok(coordconv_conv3d_new(of, &d, &l->layer));
    test_fill_layer(l->layer, 5);
}

static coordconv_tensor *run(coordconv_context *of, struct layer *l, int32_t mode,
                             coordconv_tensor *x)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_layer_output_shape(l->layer, 5, l->in, l->out));
    check_ok(coordconv_tensor_new(of, TEST_REAL, 5, l->out, &y));
    check_ok(coordconv_layer_forward(l->layer, mode, x, y, NULL, 0));
    return y;
}

static struct layer draw(uint64_t *seed)
{
    static const uint32_t coords[] = { 0,
                                       ALL,
                                       COORDCONV_COORDS_XY,
                                       COORDCONV_COORDS_Z,
                                       COORDCONV_COORDS_RADIUS,
                                       COORDCONV_COORDS_Y | COORDCONV_COORDS_Z };
    const int32_t groups = pick(seed, 3) == 0 ? 2 : 1;
    struct layer l = { .desc = { .struct_size = sizeof l.desc,
                                 .coords = groups == 1 ? coords[pick(seed, COUNT(coords))] : 0,
                                 .in_channels = groups * (1 + pick(seed, 4)),
                                 .out_channels = groups * (1 + pick(seed, 20)),
                                 .padding = pick(seed, 3) == 0,
                                 .groups = groups,
                                 .no_bias = pick(seed, 4) == 0 },
                       .grid = { .struct_size = sizeof l.grid, .low = -1, .high = 1 },
                       .in = { 1 + pick(seed, 2) } };

    for (int i = 0; i < 3; i++) {
        l.desc.kernel[i] = 1 + pick(seed, 4);
        l.desc.stride[i] = 1 + pick(seed, 3);
        l.desc.dilation[i] = 1 + pick(seed, 3);
        l.desc.pads[i] = l.desc.padding ? 0 : pick(seed, 4);
        l.desc.pads[i + 3] = l.desc.padding ? 0 : pick(seed, 4);
        l.in[1 + i] = 1 + pick(seed, 9);
    }
    l.in[4] = l.desc.in_channels;
    return l;
}

static void plain_loops(void **state)
{
    uint64_t seed = 11;
    int ran = 0;
    (void)state;

    for (int i = 0; i < 300; i++) {
        struct layer l = draw(&seed);
        const int with_grid = pick(&seed, 2);

        if (with_grid)
            l.grid = (coordconv_grid_desc){ .struct_size = sizeof l.grid,
                                            .sampling = pick(&seed, 4),
                                            .low = -0.5,
                                            .high = 2,
                                            .radius = pick(&seed, 3),
                                            .single = pick(&seed, 2) };
        if (with_grid && l.grid.sampling != COORDCONV_SAMPLING_PIXEL && pick(&seed, 4) == 0)
            l.grid.radius = COORDCONV_RADIUS_CENTERED;
        make(&l, context, with_grid);
        if (coordconv_layer_output_shape(l.layer, 5, l.in, l.out) == COORDCONV_OK) {
            coordconv_tensor *x = test_tensor(context, 5, l.in, seed);
            coordconv_tensor *y = run(context, &l, i % 2, x);
            check_plain(&l, x, y);
            coordconv_tensor_unref(x);
            coordconv_tensor_unref(y);
            ran++;
        }
        coordconv_layer_unref(l.layer);
    }
    assert_in_range(ran, 200, 300);
}

/* ---- the same bits ---- */

/* So large that the slices of a volume are made in several runs, the last shorter. */
static struct layer large(void)
{
    return (
        struct layer){ .desc = { .struct_size = sizeof(coordconv_conv3d_desc),
                                 .coords = ALL,
                                 .in_channels = 10,
                                 .out_channels = 5,
                                 .kernel = { 3, 3, 1 },
                                 .stride = { 1, 1, 1 },
                                 .dilation = { 1, 1, 1 },
                                 .pads = { 2, 1, 0, 2, 0, 0 },
                                 .groups = 1 },
                       .grid = { .struct_size = sizeof(coordconv_grid_desc), .low = -1, .high = 1 },
                       .in = { 2, 6, 53, 47, 10 } };
}

struct result {
    coordconv_tensor *y, *dx, *gradients[2];
};

static struct result train(coordconv_context *of, struct layer *l)
{
    struct result r;

    make(l, of, 0);
    coordconv_tensor *x = test_tensor(of, 5, l->in, 3);
    r.y = run(of, l, COORDCONV_TRAINING, x);
    r.dx = test_like(of, x);
    r.gradients[0] = test_like(of, test_parameter(l->layer, "weight"));
    r.gradients[1] = test_like(of, test_parameter(l->layer, "bias"));
    check_ok(coordconv_layer_backward(l->layer, x, r.y, r.dx, r.gradients, NULL, 0));
    coordconv_tensor_unref(x);
    coordconv_layer_unref(l->layer);
    return r;
}

static void drop(struct result *r)
{
    coordconv_tensor_unref(r->y);
    coordconv_tensor_unref(r->dx);
    coordconv_tensor_unref(r->gradients[0]);
    coordconv_tensor_unref(r->gradients[1]);
}

static void threads_change_nothing(void **state)
{
    struct layer l = large();
    struct result want = train(context, &l);
    (void)state;

    for (int32_t threads = 2; threads <= 4; threads++) {
        struct test_pool pool = { .order = threads == 4 ? TEST_ORDER_BACKWARD : TEST_ORDER_THREADS,
                                  .threads = (size_t)threads };
        coordconv_context *of = test_context(threads, NULL, &pool);
        struct result got = train(of, &l);

        test_check_same(got.y, want.y, "y");
        test_check_same(got.dx, want.dx, "dx");
        test_check_same(got.gradients[0], want.gradients[0], "dweight");
        test_check_same(got.gradients[1], want.gradients[1], "dbias");
        assert_true(atomic_load(&pool.calls) > 0);
        drop(&got);
        coordconv_context_unref(of);
    }
    drop(&want);
}

static double dot(coordconv_tensor *a, coordconv_tensor *b, double *magnitude)
{
    double sum = 0;

    for (int64_t i = 0; i < coordconv_tensor_count(a); i++) {
        const double product = (double)test_values(a)[i] * (double)test_values(b)[i];
        sum += product;
        *magnitude += fabs(product);
    }
    return sum;
}

/* y is linear in its parameters, and but for what it is at x = 0 in x: so the products of each
 * with its gradient are that of y with dy. */
static void gradients_of_several_runs(void **state)
{
    struct layer l = large();
    (void)state;

    make(&l, context, 0);
    coordconv_tensor *x = test_tensor(context, 5, l.in, 3), *zero = test_like(context, x);
    coordconv_tensor *weight = test_parameter(l.layer, "weight");
    coordconv_tensor *bias = test_parameter(l.layer, "bias");
    coordconv_tensor *y = run(context, &l, COORDCONV_TRAINING, x);
    coordconv_tensor *y_zero = run(context, &l, COORDCONV_TRAINING, zero);
    coordconv_tensor *dy = test_tensor(context, 5, l.out, 91), *dx = test_like(context, x);
    coordconv_tensor *gradients[2] = { test_like(context, weight), test_like(context, bias) };
    double m = 0;

    for (int64_t i = 0; i < coordconv_tensor_count(dy); i++) /* slices weigh unequally */
        test_values(dy)[i] += (test_real)(i * 16 / coordconv_tensor_count(dy));
    check_ok(coordconv_layer_backward(l.layer, x, dy, dx, gradients, NULL, 0));
    const double all = dot(y, dy, &m), of_x = all - dot(y_zero, dy, &m);
    const double of_weights = dot(weight, gradients[0], &m) + dot(bias, gradients[1], &m);
    assert_true(fabs(all - of_weights) <= 1e-5 * m);
    assert_true(fabs(of_x - dot(x, dx, &m)) <= 1e-5 * m);
    coordconv_tensor *const made[] = { x, zero, y, y_zero, dy, dx, gradients[0], gradients[1] };
    for (size_t i = 0; i < COUNT(made); i++)
        coordconv_tensor_unref(made[i]);
    coordconv_layer_unref(l.layer);
}

static void batches_are_their_volumes(void **state)
{
    struct layer l = large();
    coordconv_tensor *x = test_tensor(context, 5, l.in, 8), *y;
    (void)state;

    make(&l, context, 0);
    y = run(context, &l, COORDCONV_INFERENCE, x);
    check_plain(&l, x, y);
    for (int64_t n = 0; n < 2; n++) {
        coordconv_tensor *one = NULL, *got, *want = NULL;

        check_ok(coordconv_tensor_slice(x, 0, n, 1, &one));
        check_ok(coordconv_tensor_slice(y, 0, n, 1, &want));
        l.in[0] = 1;
        got = run(context, &l, COORDCONV_INFERENCE, one);
        test_check_same(got, want, "one volume");
        coordconv_tensor_unref(one);
        coordconv_tensor_unref(got);
        coordconv_tensor_unref(want);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_layer_unref(l.layer);
}

/* ---- parts of larger volumes ---- */

/* "x" -> layers, a leaky ReLU between -> "y". */
static coordconv_plan *plan_of(coordconv_context *of, int count, coordconv_layer *const *layer,
                               const int64_t in[5])
{
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;

    check_ok(coordconv_model_new(of, &m));
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 5, in);
    for (int i = 0; i < count; i++)
        h = coordconv_model_apply(m, layer[i], i > 0 ? coordconv_model_leaky_relu(m, h, 0.5) : h);
    coordconv_model_output(m, "y", h);
    check_ok(coordconv_plan_new(m, NULL, &plan));
    coordconv_model_unref(m);
    return plan;
}

static coordconv_tensor *run_plan(coordconv_plan *plan, coordconv_tensor *x)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &y));
    return y;
}

static coordconv_frame_desc pick_frame(uint64_t *seed)
{
    coordconv_frame_desc f = { .struct_size = sizeof f,
                               .y = pick(seed, 20) - 4,
                               .x = 0.5 * pick(seed, 40) - 4,
                               .step_y = pick(seed, 2) * 0.75,
                               .step_x = pick(seed, 2) ? -1 : 0,
                               .height = pick(seed, 2) ? 1 + pick(seed, 30) : 0,
                               .width = 1 + pick(seed, 30),
                               .z = 0.25 * pick(seed, 80) - 4,
                               .step_z = 0.5 * (pick(seed, 9) - 4),
                               .depth = pick(seed, 4) ? 1 + pick(seed, 30) : 0 };
    return f;
}

/* Some volumes in a row lie alike. Frames taken away, the bits are those from before. */
static void frames_of_one_layer(void **state)
{
    uint64_t seed = 71;
    (void)state;

    for (int i = 0; i < 60; i++) {
        coordconv_frame_desc frames[4];
        struct layer l = draw(&seed);

        l.in[0] = 1 + pick(&seed, 4);
        make(&l, context, 0);
        for (int n = 0; n < 4; n++)
            frames[n] = n > 0 && pick(&seed, 2) ? frames[n - 1] : pick_frame(&seed);
        if (coordconv_layer_output_shape(l.layer, 5, l.in, l.out) == COORDCONV_OK) {
            coordconv_tensor *x = test_tensor(context, 5, l.in, seed);
            coordconv_plan *plan = plan_of(context, 1, &l.layer, l.in);
            coordconv_tensor *plain = run_plan(plan, x), *kept = test_like(context, plain), *y;

            check_ok(coordconv_tensor_copy(kept, plain));
            check_ok(coordconv_plan_set_frames(plan, "x", l.in[0], frames));
            y = run_plan(plan, x);
            l.frames = frames;
            check_plain(&l, x, y);
            coordconv_tensor_unref(y);
            check_ok(coordconv_plan_set_frames(plan, "x", 0, NULL));
            y = run_plan(plan, x);
            test_check_same(y, kept, "whole volumes again");
            coordconv_tensor *const made[] = { x, plain, kept, y };
            for (size_t k = 0; k < COUNT(made); k++)
                coordconv_tensor_unref(made[k]);
            coordconv_plan_unref(plan);
        }
        coordconv_layer_unref(l.layer);
    }
}

enum {
    DEEP = 3,
    TILES = 4
};

/* Layers without padding; stride: of them all together, z, y, x. */
static void make_deep(coordconv_context *of, coordconv_layer *layer[DEEP], int64_t stride[3],
                      uint64_t *seed)
{
    for (int i = 0; i < 3; i++)
        stride[i] = 1;
    for (int k = 0; k < DEEP; k++) {
        struct layer l = { .desc = { .struct_size = sizeof l.desc,
                                     .coords = ALL,
                                     .in_channels = k == 0 ? 2 : 5,
                                     .out_channels = 5 } };
        for (int i = 0; i < 3; i++) {
            l.desc.kernel[i] = 1 + pick(seed, 3);
            l.desc.stride[i] = 1 + (pick(seed, 3) == 0);
            stride[i] *= l.desc.stride[i];
        }
        make(&l, of, 0);
        layer[k] = l.layer;
    }
}

/* What lies at `first` in `whole`, as large as `part`. */
static coordconv_tensor *cut(coordconv_tensor *whole, const int64_t first[3],
                             const int64_t extent[3])
{
    coordconv_tensor *part = whole;

    coordconv_tensor_ref(part);
    for (int32_t i = 0; i < 3; i++) {
        coordconv_tensor *rest = part;

        part = NULL;
        check_ok(coordconv_tensor_slice(rest, 1 + i, first[i], extent[i], &part));
        coordconv_tensor_unref(rest);
    }
    return part;
}

/* A network of layers without padding gives the same for a part as for the whole volume: bit for
 * bit as long as sums are made directly, as the size of a slice decides on Winograd's transforms.
 */
static void tiles_are_the_whole(void **state)
{
    const int64_t whole[5] = { 1, 19, 23, 21, 2 }, tile[5] = { 1, 15, 14, 16, 2 };
    const coordconv_context_desc desc = { .struct_size = sizeof desc, .direct_sums = 1 };
    coordconv_context *direct = NULL;
    uint64_t seed = 90;
    (void)state;

    check_ok(coordconv_context_new(&desc, &direct));
    for (int i = 0; i < 8; i++) {
        coordconv_layer *layer[DEEP];
        int64_t stride[3], extent[3];

        make_deep(direct, layer, stride, &seed);
        coordconv_plan *of_whole = plan_of(direct, DEEP, layer, whole);
        coordconv_plan *of_tile = plan_of(direct, DEEP, layer, tile);
        coordconv_tensor *x = test_tensor(direct, 5, whole, seed);
        coordconv_tensor *want = run_plan(of_whole, x);
        for (int t = 0; t < TILES; t++) {
            int64_t at[3], first[3];
            coordconv_tensor *part, *got;

            for (int k = 0; k < 3; k++) {
                at[k] = pick(&seed, (int32_t)((whole[1 + k] - tile[1 + k]) / stride[k]) + 1);
                first[k] = at[k] * stride[k];
            }
            const coordconv_frame_desc frame = { .struct_size = sizeof frame,
                                                 .y = (double)first[1],
                                                 .x = (double)first[2],
                                                 .height = whole[2],
                                                 .width = whole[3],
                                                 .z = (double)first[0],
                                                 .depth = whole[1] };
            part = cut(x, first, &tile[1]);
            check_ok(coordconv_plan_set_frames(of_tile, "x", 1, &frame));
            got = run_plan(of_tile, part);
            coordconv_tensor_unref(part);
            for (int k = 0; k < 3; k++)
                extent[k] = coordconv_tensor_dim(got, 1 + k);
            coordconv_tensor *there = cut(want, at, extent), *same = test_like(direct, got);
            check_ok(coordconv_tensor_copy(same, there));
            test_check_same(got, same, "a tile");
            coordconv_tensor_unref(there);
            coordconv_tensor_unref(same);
            coordconv_tensor_unref(got);
        }
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(want);
        coordconv_plan_unref(of_whole);
        coordconv_plan_unref(of_tile);
        for (int k = 0; k < DEEP; k++)
            coordconv_layer_unref(layer[k]);
    }
    coordconv_context_unref(direct);
}

/* ---- other coordinates ---- */

static void with_coords(void **state)
{
    uint64_t seed = 40;
    struct layer l = draw(&seed);
    coordconv_layer *all = NULL, *none = NULL;
    (void)state;

    l.desc.groups = 1;
    l.desc.coords = COORDCONV_COORDS_Z;
    for (int i = 0; i < 3; i++) {
        l.in[1 + i] = 6;
        l.desc.kernel[i] = l.desc.dilation[i] = 1 + i % 2;
    }
    make(&l, context, 1);
    coordconv_tensor *x = test_tensor(context, 5, l.in, 7);
    check_ok(coordconv_layer_with_coords(l.layer, ALL, &all));
    assert_int_equal(coordconv_layer_coords(all), ALL);
    assert_int_equal(coordconv_tensor_dim(test_parameter(all, "weight"), 1),
                     l.desc.in_channels + 4);
    coordconv_layer_unref(l.layer);
    l.layer = all;
    coordconv_tensor *y = run(context, &l, COORDCONV_INFERENCE, x);
    l.desc.coords = ALL;
    check_plain(&l, x, y); /* its new weights are 0 */
    for (int64_t i = 0; i < 2; i++) {
        const int64_t plane = (int64_t)l.desc.kernel[0] * l.desc.kernel[1] * l.desc.kernel[2];
        assert_true(test_values(test_parameter(all, "weight"))[(l.desc.in_channels + i) * plane] ==
                    0);
    }
    check_fails(coordconv_layer_with_coords(all, COORDCONV_COORDS_XY, &none), COORDCONV_ERR_INVALID,
                "channel z");
    check_fails(coordconv_layer_with_coords(all, 64, &none), COORDCONV_ERR_INVALID, "40");
    assert_null(none);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_layer_unref(all);
}

/* ---- in a plan ---- */

/* A plan folds the batch norm and the activation into the layer: as the three by themselves. */
static void folded(void **state)
{
    struct layer l = large();
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = 5 };
    coordconv_layer *norm = NULL;
    coordconv_model *m = NULL;
    coordconv_plan *plan = NULL;
    coordconv_tensor *y, *want, *got = NULL;
    (void)state;

    l.in[2] = l.in[3] = 9;
    make(&l, context, 0);
    check_ok(coordconv_batch_norm_new(context, &desc, &norm));
    test_fill_layer(norm, 9);
    coordconv_tensor *x = test_tensor(context, 5, l.in, 3);
    y = run(context, &l, COORDCONV_INFERENCE, x);
    want = test_like(context, y);
    check_ok(coordconv_layer_forward(norm, COORDCONV_INFERENCE, y, want, NULL, 0));
    check_ok(coordconv_model_new(context, &m));
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 5, l.in);
    h = coordconv_model_apply(m, norm, coordconv_model_apply(m, l.layer, h));
    coordconv_model_output(m, "y", coordconv_model_leaky_relu(m, h, 0.25));
    check_ok(coordconv_plan_new(m, NULL, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "y", &got));
    for (int64_t i = 0; i < coordconv_tensor_count(got); i++) {
        const double v = test_values(want)[i], active = v > 0 ? v : 0.25 * v;
        assert_true(fabs(test_values(got)[i] - active) <= 1e-4 * (1 + fabs(v)));
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(y);
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(got);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_layer_unref(norm);
    coordconv_layer_unref(l.layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_loops),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(batches_are_their_volumes),
        cmocka_unit_test(gradients_of_several_runs),
        cmocka_unit_test(frames_of_one_layer),
        cmocka_unit_test(tiles_are_the_whole),
        cmocka_unit_test(with_coords),
        cmocka_unit_test(folded),
    };

    context = test_context(1, NULL, NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    coordconv_context_unref(context);
    return failed;
}
