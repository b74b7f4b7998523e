/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_conv_random.c - convolutions of random geometry against plain loops that
 * join the coordinate channels to the input, as the paper does.
 *
 * All data are small integers and coordinates are in pixels, so every direct sum
 * is exact in float32 whatever its order, and the comparison is for equality.
 * Where the library may choose its ways, it is for 1e-5 of the largest value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static uint32_t tested_isa, direct_sums;

enum {
    CASES = 400,
    LARGE_CASES = 24,
    MAX_COORDS = 2
};

static uint32_t random_state;

/* Numerical Recipes' linear congruential generator; the top bits are good enough to pick shapes. */
static int pick(int least, int most)
{
    random_state = random_state * 1664525u + 1013904223u;
    return least + (int)((random_state >> 16) % (uint32_t)(most - least + 1));
}

struct geometry {
    int transposed, coords; /* coords: number of channels, 0 or 2 */
    int n, h, w, c, o, groups;
    int kernel[2], stride[2], dilation[2], pads[4];
    int same, bias;
    int64_t oh, ow;
};

static void pick_geometry(struct geometry *g)
{
    memset(g, 0, sizeof *g);
    g->transposed = pick(0, 1);
    g->coords = pick(0, 1) ? 2 : 0;
    g->n = pick(1, 3);
    g->h = pick(1, 13);
    g->w = pick(1, 17);
    g->groups = g->coords != 0 ? 1 : pick(0, 3) == 0 ? pick(2, 4) : 1;
    g->c = g->groups * pick(1, g->groups > 1 ? 5 : 20);
    g->o = g->groups * (g->groups > 1 ? pick(1, 5) : pick(0, 2) == 0 ? pick(1, 3) : pick(1, 70));
    if (g->coords == 0 && pick(0, 5) == 0) /* depthwise */
        g->groups = g->c = g->o = pick(2, 70);
    g->same = pick(0, 3) == 0;
    g->bias = pick(0, 1);
    for (int i = 0; i < 2; i++) {
        g->kernel[i] = pick(0, 2) == 0 ? 1 : pick(1, 5);
        g->stride[i] = pick(0, 1) ? 1 : pick(1, 4);
        g->dilation[i] = pick(0, 2) == 0 ? pick(1, 3) : 1;
    }
    for (int i = 0; i < 4 && !g->same; i++)
        g->pads[i] = pick(0, 4);
}

/* Coordinates beside few channels, over images too large for a whole map of their share. */
static void pick_large_geometry(struct geometry *g)
{
    memset(g, 0, sizeof *g);
    g->transposed = pick(0, 4) == 0;
    g->coords = 2;
    g->n = pick(1, 2);
    g->h = pick(20, 60);
    g->w = pick(20, 60);
    g->groups = 1;
    g->c = pick(1, 2);
    g->o = pick(25, 70);
    g->same = pick(0, 1);
    g->bias = pick(0, 1);
    for (int i = 0; i < 2; i++) {
        g->kernel[i] = pick(0, 2) == 0 ? 1 : pick(1, 6);
        g->stride[i] = g->transposed || pick(0, 3) ? 1 : 2;
        g->dilation[i] = pick(0, 2) == 0 ? pick(1, 3) : 1;
    }
    for (int i = 0; i < 4 && !g->same; i++)
        g->pads[i] = pick(0, 4);
}

static coordconv_status make_layer(coordconv_context *context, const struct geometry *g,
                                   coordconv_layer **out)
{
    const uint32_t coords = g->coords != 0 ? COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL : 0;
    coordconv_conv2d_desc d = { .struct_size = sizeof d,
                                .coords = coords,
                                .in_channels = g->c,
                                .out_channels = g->o,
                                .groups = g->groups,
                                .padding = g->same ? COORDCONV_SAME : 0,
                                .no_bias = !g->bias };
    coordconv_conv_transpose2d_desc t = { .struct_size = sizeof t,
                                          .coords = coords,
                                          .in_channels = g->c,
                                          .out_channels = g->o,
                                          .groups = g->groups,
                                          .padding = g->same ? COORDCONV_SAME : 0,
                                          .no_bias = !g->bias };

    for (int i = 0; i < 2; i++) {
        d.kernel[i] = t.kernel[i] = g->kernel[i];
        d.stride[i] = t.stride[i] = g->stride[i];
        d.dilation[i] = t.dilation[i] = g->dilation[i];
    }
    for (int i = 0; i < 4; i++)
        d.pads[i] = t.pads[i] = g->pads[i];
    return g->transposed ? coordconv_conv_transpose2d_new(context, &t, out)
                         : coordconv_conv2d_new(context, &d, out);
}

static coordconv_tensor *integers(coordconv_context *context, int ndim, const int64_t *shape)
{
    coordconv_tensor *t;
    float *v;

    check_ok(coordconv_tensor_new(context, COORDCONV_F32, ndim, shape, &t));
    v = coordconv_tensor_data(t);
    for (int64_t i = 0; i < coordconv_tensor_count(t); i++)
        v[i] = (float)pick(-3, 3);
    return t;
}

/* Pads at the top and left, as SAME sets them. The big image is the input of a
 * convolution, the output of its transpose. */
static int pad_before(const struct geometry *g, int axis)
{
    const int64_t small =
        axis == 0 ? (g->transposed ? g->h : g->oh) : (g->transposed ? g->w : g->ow);
    const int64_t big = axis == 0 ? (g->transposed ? g->oh : g->h) : (g->transposed ? g->ow : g->w);
    const int64_t reach = (int64_t)g->dilation[axis] * (g->kernel[axis] - 1) + 1;
    const int64_t total = (small - 1) * g->stride[axis] + reach - big;

    if (!g->same)
        return g->pads[axis];
    return total > 0 ? (int)(total / 2) : 0;
}

/* Value of input channel ch, data or coordinate, of the joined input. */
static double joined(const struct geometry *g, const float *x, int n, int64_t i, int64_t j, int ch)
{
    if (ch == g->c)
        return (double)j;
    if (ch == g->c + 1)
        return (double)i;
    return x[((n * g->h + i) * g->w + j) * g->c + ch];
}

struct arrays {
    const float *x, *weight, *bias, *dy;
    double *y, *dx, *dweight, *dbias;
};

/* One product of the layer: input pixel (i, j) channel ch, output pixel (p, q)
 * channel o, weight index w. */
static void one_product(const struct geometry *g, const struct arrays *a, int n, int64_t i,
                        int64_t j, int ch, int64_t p, int64_t q, int o, size_t w)
{
    const size_t out = (size_t)(((n * g->oh + p) * g->ow + q) * g->o + o);
    const double x = joined(g, a->x, n, i, j, ch);

    a->y[out] += x * a->weight[w];
    a->dweight[w] += x * a->dy[out];
    if (ch < g->c)
        a->dx[((n * g->h + i) * g->w + j) * g->c + ch] += (double)a->dy[out] * a->weight[w];
}

/* All products between big pixel (bi, bj) and small pixel (si, sj) through tap (ky, kx). */
static void tap_products(const struct geometry *g, const struct arrays *a, int n, int64_t si,
                         int64_t sj, int64_t bi, int64_t bj, int ky, int kx)
{
    const int in_g = g->c / g->groups, out_g = g->o / g->groups;
    const int in_axis = g->transposed ? g->c + g->coords : in_g + g->coords;

    for (int ch = 0; ch < g->c + g->coords; ch++) {
        const int group = g->groups > 1 ? ch / in_g : 0;

        for (int k = 0; k < out_g; k++) {
            const int o = group * out_g + k;
            const int first = g->transposed ? ch : o,
                      second = g->transposed ? k : ch - group * in_g;
            const int second_axis = g->transposed ? out_g : in_axis;
            const size_t w =
                (size_t)(((first * second_axis + second) * g->kernel[0] + ky) * g->kernel[1] + kx);

            if (g->transposed)
                one_product(g, a, n, si, sj, ch, bi, bj, o, w);
            else
                one_product(g, a, n, bi, bj, ch, si, sj, o, w);
        }
    }
}

static void plain_loops(const struct geometry *g, const struct arrays *a)
{
    const int64_t small_h = g->transposed ? g->h : g->oh, small_w = g->transposed ? g->w : g->ow;
    const int64_t big_h = g->transposed ? g->oh : g->h, big_w = g->transposed ? g->ow : g->w;
    const int top = pad_before(g, 0), left = pad_before(g, 1);
    const int taps = g->kernel[0] * g->kernel[1];

    for (int64_t p = 0; p < g->n * g->oh * g->ow * g->o; p++) {
        a->y[p] += a->bias != NULL ? a->bias[p % g->o] : 0;
        if (a->dbias != NULL)
            a->dbias[p % g->o] += a->dy[p];
    }
    for (int64_t s = 0; s < g->n * small_h * small_w * taps; s++) {
        const int64_t pixel = s / taps, si = pixel / small_w % small_h, sj = pixel % small_w;
        const int tap = (int)(s % taps), ky = tap / g->kernel[1], kx = tap % g->kernel[1];
        const int64_t bi = si * g->stride[0] - top + ky * g->dilation[0];
        const int64_t bj = sj * g->stride[1] - left + kx * g->dilation[1];

        if (bi >= 0 && bi < big_h && bj >= 0 && bj < big_w)
            tap_products(g, a, (int)(pixel / small_w / small_h), si, sj, bi, bj, ky, kx);
    }
}

static double larger(double a, double b)
{
    const double size = b < 0 ? -b : b;

    return size > a ? size : a;
}

static void check_equal(const struct geometry *g, const char *what, coordconv_tensor *got,
                        const double *want)
{
    const float *v = coordconv_tensor_data(got);
    double tolerance = 0;

    for (int64_t i = 0; i < coordconv_tensor_count(got); i++)
        tolerance = direct_sums ? 0 : larger(tolerance, 1e-5 * want[i]);
    for (int64_t i = 0; i < coordconv_tensor_count(got); i++) {
        if (larger(0, (double)v[i] - want[i]) > tolerance)
            fail_msg(
                "%s[%lld] is %g, expected %g: %s %d x %dx%dx%d -> %d, groups %d, kernel %dx%d, "
                "stride %d %d, dilation %d %d, pads %d %d %d %d, same %d, coords %d",
                what, (long long)i, (double)v[i], want[i], g->transposed ? "transposed" : "conv",
                g->n, g->h, g->w, g->c, g->o, g->groups, g->kernel[0], g->kernel[1], g->stride[0],
                g->stride[1], g->dilation[0], g->dilation[1], g->pads[0], g->pads[1], g->pads[2],
                g->pads[3], g->same, g->coords);
    }
}

static double *zeros(const coordconv_tensor *like)
{
    double *v = calloc((size_t)coordconv_tensor_count(like) + 1, sizeof *v);

    assert_non_null(v);
    return v;
}

static coordconv_tensor *like(coordconv_context *context, const coordconv_tensor *t)
{
    int64_t shape[4];

    for (int i = 0; i < coordconv_tensor_ndim(t); i++)
        shape[i] = coordconv_tensor_dim(t, i);
    return integers(context, coordconv_tensor_ndim(t), shape);
}

static void fill(coordconv_tensor *t)
{
    float *v = coordconv_tensor_data(t);

    for (int64_t i = 0; i < coordconv_tensor_count(t); i++)
        v[i] = (float)pick(-3, 3);
}

static void run_case(coordconv_context *context, struct geometry *g, coordconv_layer *layer,
                     const int64_t out_shape[4])
{
    const int64_t in_shape[4] = { g->n, g->h, g->w, g->c };
    coordconv_tensor *x = integers(context, 4, in_shape), *dx = like(context, x);
    coordconv_tensor *y = integers(context, 4, out_shape), *dy = like(context, y);
    coordconv_tensor *parameter[2] = { NULL, NULL }, *gradient[2] = { NULL, NULL };
    double *want_y = zeros(y), *want_dx = zeros(x), *want[2] = { NULL, NULL };

    check_ok(coordconv_layer_parameter(layer, "weight", &parameter[0]));
    if (g->bias)
        check_ok(coordconv_layer_parameter(layer, "bias", &parameter[1]));
    for (int i = 0; i < 1 + g->bias; i++) {
        fill(parameter[i]);
        gradient[i] = like(context, parameter[i]);
        want[i] = zeros(parameter[i]);
    }
    check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, y, NULL, 0));
    check_ok(coordconv_layer_backward(layer, x, dy, dx, gradient, NULL, 0));
    const struct arrays a = { coordconv_tensor_data(x),
                              coordconv_tensor_data(parameter[0]),
                              g->bias ? coordconv_tensor_data(parameter[1]) : NULL,
                              coordconv_tensor_data(dy),
                              want_y,
                              want_dx,
                              want[0],
                              want[1] };
    plain_loops(g, &a);
    check_equal(g, "y", y, want_y);
    check_equal(g, "dx", dx, want_dx);
    check_equal(g, "dweight", gradient[0], want[0]);
    if (g->bias)
        check_equal(g, "dbias", gradient[1], want[1]);
    for (int i = 0; i < 2; i++) {
        coordconv_tensor_unref(parameter[i]);
        coordconv_tensor_unref(gradient[i]);
        free(want[i]);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(dx);
    coordconv_tensor_unref(y);
    coordconv_tensor_unref(dy);
    free(want_y);
    free(want_dx);
}

static void run_cases(void (*pick_one)(struct geometry *g), int cases)
{
    coordconv_context_desc desc = {
        .struct_size = sizeof desc, .max_isa = tested_isa, .direct_sums = direct_sums, .threads = 2
    };
    coordconv_context *context;
    int run = 0;

    random_state = 20261123;
    check_ok(coordconv_context_new(&desc, &context));
    while (run < cases) {
        struct geometry g;
        coordconv_layer *layer;
        int64_t in_shape[4], out_shape[4];

        pick_one(&g);
        check_ok(make_layer(context, &g, &layer));
        in_shape[0] = g.n;
        in_shape[1] = g.h;
        in_shape[2] = g.w;
        in_shape[3] = g.c;
        /* Kernels that do not fit are another test's business. */
        if (coordconv_layer_output_shape(layer, 4, in_shape, out_shape) == COORDCONV_OK) {
            g.oh = out_shape[1];
            g.ow = out_shape[2];
            run_case(context, &g, layer, out_shape);
            run++;
        }
        coordconv_layer_unref(layer);
    }
    coordconv_context_unref(context);
}

static void random_geometries(void **state)
{
    (void)state;
    run_cases(pick_geometry, CASES);
}

static void large_geometries(void **state)
{
    (void)state;
    run_cases(pick_large_geometry,
              getenv("COORDCONV_TEST_SHORT") != NULL ? LARGE_CASES / 4 : LARGE_CASES);
}

int main(void)
{
    static const char *const name[] = { "", "reference", "avx2", "avx512", "neon" };
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_geometries),
                                        cmocka_unit_test(large_geometries) };
    uint32_t isas[TEST_MAX_ISAS];
    const size_t count = test_isas(isas);
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        tested_isa = isas[i];
        for (direct_sums = 0; direct_sums < 2; direct_sums++)
            failed += cmocka_run_group_tests_name(name[tested_isa], tests, NULL, NULL);
    }
    return failed;
}
