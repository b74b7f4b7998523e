/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_position.c - the share of x and y in a convolution, and its gradients,
 * against plain sums over the taps inside, for random geometry: axes of one
 * pixel, kernels larger than the image, even ones, strides, dilation, pads that
 * differ, and pads beyond the reach of the kernel; and for random grids and frames.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#include "core/coords.h"
#include "ops/position.h"

#ifdef CCONV_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON FLT_EPSILON
#endif

enum {
    CASES = 300,
    CONTEXTS = 2
};

static coordconv_context *contexts[CONTEXTS];
static uint32_t random_state;

static int pick(int least, int most)
{
    random_state = random_state * 1664525u + 1013904223u;
    return least + (int)((random_state >> 16) % (uint32_t)(most - least + 1));
}

static cconv_real *random_reals(size_t count)
{
    cconv_real *v = malloc((count + 1) * sizeof *v);

    assert_non_null(v);
    for (size_t i = 0; i < count; i++)
        v[i] = (cconv_real)pick(-1000, 1000) / 512;
    return v;
}

static void *rubbish(size_t bytes)
{
    void *memory = aligned_alloc(CCONV_ALIGN, (bytes / CCONV_ALIGN + 1) * CCONV_ALIGN);

    assert_non_null(memory);
    memset(memory, 0xff, bytes); /* NaN */
    return memory;
}

struct position_case {
    struct cconv_corr corr;
    int scatter;
    struct cconv_axis axis[2]; /* y, x */
    uint32_t flags;            /* both, or one of them */
    size_t batch, out_c;
    int64_t in[2], out[2];
    size_t weights;
};

static size_t channels_of(const struct position_case *c)
{
    return (size_t)coordconv_coords_channels(c->flags);
}

/* Whether coordinate channel q is x. */
static int is_x(const struct position_case *c, size_t q)
{
    return q == 0 && c->flags != COORDCONV_COORDS_Y;
}

static int pick_axis(struct position_case *c, int axis)
{
    const int before = pick(0, 3) == 0 ? pick(0, 12) : pick(0, 2);
    const int after = pick(0, 3) == 0 ? pick(0, 12) : pick(0, 2);
    int64_t reach;

    c->in[axis] = pick(0, 5) == 0 ? 1 : pick(1, 45);
    c->corr.kernel[axis] = pick(0, 5) == 0 ? pick(1, 14) : pick(1, 5);
    c->corr.stride[axis] = c->scatter || pick(0, 1) ? 1 : pick(2, 7);
    c->corr.dilation[axis] = pick(0, 3) == 0 ? pick(2, 9) : 1;
    c->corr.pad[axis] = before;
    reach = (int64_t)(c->corr.kernel[axis] - 1) * c->corr.dilation[axis] + 1;
    if (c->scatter)
        c->out[axis] = c->in[axis] - 1 - before - after + reach;
    else if (c->in[axis] + before + after >= reach)
        c->out[axis] = (c->in[axis] + before + after - reach) / c->corr.stride[axis] + 1;
    else
        c->out[axis] = 0;
    return c->out[axis] > 0;
}

/* Half of the grids are the library's own, and half of the images are whole. */
static void pick_coordinates(struct position_case *c)
{
    struct cconv_grid grid = { .low = -1, .high = 1 };
    const int64_t extent[CCONV_AXES] = { c->in[0], c->in[1], 1 };
    struct cconv_place place = cconv_place_whole(extent);

    if (pick(0, 1)) {
        grid.low = pick(-4, 0) * 0.5;
        grid.high = pick(1, 4) * 0.5;
        grid.sampling = pick(COORDCONV_SAMPLING_ALIGNED, COORDCONV_SAMPLING_SWAPPED);
        grid.single = pick(COORDCONV_SINGLE_MIDDLE, COORDCONV_SINGLE_LOW);
    }
    if (pick(0, 1)) {
        for (int i = 0; i < 2; i++) {
            place.first[i] = pick(-40, 40) * 0.25;
            place.step[i] = pick(0, 2) == 0 ? -1 : pick(1, 9) * 0.25;
            place.extent[i] = pick(1, 60);
        }
    }
    c->axis[0] = cconv_axis(&grid, &place, CCONV_Y);
    c->axis[1] = cconv_axis(&grid, &place, CCONV_X);
}

static void pick_case(struct position_case *c)
{
    static const uint32_t flags[] = { COORDCONV_COORDS_XY, COORDCONV_COORDS_XY, COORDCONV_COORDS_X,
                                      COORDCONV_COORDS_Y };
    static const int channels[] = { 1, 2, 3, 7, 16, 33, 64, 70, 130 };
    struct cconv_corr *r = &c->corr;
    size_t plane;

    do {
        memset(c, 0, sizeof *c);
        c->scatter = pick(0, 2) == 0;
    } while (!pick_axis(c, 0) || !pick_axis(c, 1));
    pick_coordinates(c);
    c->flags = flags[pick(0, COUNT(flags) - 1)];
    c->batch = (size_t)pick(1, 3);
    c->out_c = (size_t)channels[pick(0, COUNT(channels) - 1)];
    plane = (size_t)(r->kernel[0] * r->kernel[1]);
    r->batch = r->groups = 1;
    r->small_h = (size_t)(c->scatter ? c->in[0] : c->out[0]);
    r->small_w = (size_t)(c->scatter ? c->in[1] : c->out[1]);
    r->big_h = (size_t)(c->scatter ? c->out[0] : c->in[0]);
    r->big_w = (size_t)(c->scatter ? c->out[1] : c->in[1]);
    r->small_c = c->scatter ? channels_of(c) : c->out_c;
    r->big_c = c->scatter ? c->out_c : channels_of(c);
    r->weight_s = r->big_c * plane;
    c->weights = r->small_c * r->weight_s;
}

/* Input sample of output i and tap k (as in the weights), -1 if outside. */
static int64_t sample(const struct position_case *c, int axis, int64_t i, int k)
{
    const struct cconv_corr *r = &c->corr;
    const int64_t at = c->scatter
                           ? i + r->pad[axis] - (int64_t)k * r->dilation[axis]
                           : i * r->stride[axis] - r->pad[axis] + (int64_t)k * r->dilation[axis];

    return at >= 0 && at < c->in[axis] ? at : -1;
}

static size_t weight_at(const struct position_case *c, size_t o, size_t q, int ky, int kx)
{
    const struct cconv_corr *r = &c->corr;
    const size_t s = c->scatter ? q : o, b = c->scatter ? o : q;

    return s * r->weight_s + (b * (size_t)r->kernel[0] + (size_t)ky) * (size_t)r->kernel[1] +
           (size_t)kx;
}

/* The largest number a weight is multiplied with, on the canvas or as far as taps reach. */
static double largest(const struct position_case *c)
{
    double most = 1;

    for (int i = 0; i < 2; i++) {
        const double reach = (double)c->corr.kernel[i] * c->corr.dilation[i] + c->corr.pad[i];
        const double origin = fabs(cconv_axis_value(&c->axis[i], 0));
        const double scale = fabs(cconv_axis_slope(&c->axis[i]));

        most = fmax(most, origin + scale * ((double)c->in[i] + 2 * reach));
    }
    return most;
}

static double share(const struct position_case *c, const cconv_real *weight, size_t o, int64_t i,
                    int64_t j, double *magnitude)
{
    double sum = 0;

    for (int ky = 0; ky < c->corr.kernel[0]; ky++)
        for (int kx = 0; kx < c->corr.kernel[1]; kx++) {
            const int64_t y = sample(c, 0, i, ky), x = sample(c, 1, j, kx);

            for (size_t q = 0; q < channels_of(c); q++) {
                const double v = (double)weight[weight_at(c, o, q, ky, kx)];

                *magnitude += fabs(v) * largest(c);
                if (y >= 0 && x >= 0)
                    sum += v * (is_x(c, q) ? cconv_axis_value(&c->axis[1], (double)x)
                                           : cconv_axis_value(&c->axis[0], (double)y));
            }
        }
    return sum;
}

static void check_near(const struct position_case *c, const char *what, double got, double want,
                       double slack)
{
    if (fabs(got - want) <= slack)
        return;
    fail_msg(
        "%s is %.9g, expected %.9g: %s %lldx%lld -> %lldx%lldx%zu, kernel %dx%d, stride %d %d, "
        "dilation %d %d, pad %d %d, y %g + %g i, x %g + %g j, batch %zu",
        what, got, want, c->scatter ? "scatter" : "gather", (long long)c->in[0],
        (long long)c->in[1], (long long)c->out[0], (long long)c->out[1], c->out_c,
        c->corr.kernel[0], c->corr.kernel[1], c->corr.stride[0], c->corr.stride[1],
        c->corr.dilation[0], c->corr.dilation[1], c->corr.pad[0], c->corr.pad[1],
        cconv_axis_value(&c->axis[0], 0), cconv_axis_slope(&c->axis[0]),
        cconv_axis_value(&c->axis[1], 0), cconv_axis_slope(&c->axis[1]), c->batch);
}

static double in_table(const cconv_real *table, size_t rows, size_t row, size_t o)
{
    return (
        double)table[(o / CCONV_CORR_BLOCK * rows + row) * CCONV_CORR_BLOCK + o % CCONV_CORR_BLOCK];
}

static void check_starts(const struct position_case *c, const struct cconv_position *p,
                         const cconv_real *weight, const cconv_real *bias, const cconv_real *values,
                         const cconv_real *map)
{
    const struct cconv_corr_affine a = cconv_position_plane(p, values);

    for (size_t n = 0; n < (size_t)(c->out[0] * c->out[1]) * c->out_c; n++) {
        const size_t o = n % c->out_c, pixel = n / c->out_c;
        const size_t y = pixel / (size_t)c->out[1], x = pixel % (size_t)c->out[1];
        const int in_run = y >= a.y0 && y < a.y1 && x >= a.x0 && x < a.x1;
        double magnitude = fabs((double)bias[o]);
        const double want =
            (double)bias[o] + share(c, weight, o, (int64_t)y, (int64_t)x, &magnitude);
        const double slack = 6 * (double)EPSILON * magnitude;

        if (in_run) {
            check_near(c, "the formula",
                       (double)a.base[o] + (double)y * (double)a.down[o] +
                           (double)x * (double)a.right[o],
                       want, slack);
            check_near(c, "the sum of tables",
                       in_table(a.rows, a.y1, y, o) + in_table(a.columns, a.x1, x, o), want, slack);
        }
        if (!in_run || cconv_position_map_is_whole(p))
            check_near(c, "the map", (double)map[n], want, slack);
    }
}

static void check_fill(const struct position_case *c, const struct cconv_position *p,
                       const cconv_real *weight)
{
    const size_t pixels = (size_t)(c->out[0] * c->out[1]);
    const size_t values_bytes = cconv_position_plane_values(p) * sizeof(cconv_real);
    const size_t map_bytes = pixels * c->out_c * sizeof(cconv_real);
    cconv_real *bias = random_reals(c->out_c), *values[CONTEXTS], *map[CONTEXTS];

    for (int i = 0; i < CONTEXTS; i++) {
        void *scratch = rubbish(cconv_position_scratch(contexts[i], p));

        values[i] = rubbish(values_bytes);
        map[i] = rubbish(map_bytes);
        cconv_position_fill(contexts[i], p, weight, NULL, bias, values[i], map[i], scratch);
        free(scratch);
    }
    assert_memory_equal(values[0], values[1], values_bytes);
    assert_memory_equal(map[0], map[1], map_bytes);
    check_starts(c, p, weight, bias, values[0], map[0]);
    for (int i = 0; i < CONTEXTS; i++) {
        free(values[i]);
        free(map[i]);
    }
    free(bias);
}

/* The gradient of one weight of x or y. */
static double gradient_of(const struct position_case *c, const cconv_real *dy, size_t o, size_t q,
                          int ky, int kx, double *magnitude)
{
    double sum = 0;

    for (size_t n = 0; n < c->batch; n++)
        for (int64_t i = 0; i < c->out[0]; i++)
            for (int64_t j = 0; j < c->out[1]; j++) {
                const int64_t y = sample(c, 0, i, ky), x = sample(c, 1, j, kx);
                const size_t at = (n * (size_t)c->out[0] + (size_t)i) * (size_t)c->out[1];
                const double g = (double)dy[(at + (size_t)j) * c->out_c + o];

                *magnitude += fabs(g) * largest(c);
                if (y >= 0 && x >= 0)
                    sum += g * (is_x(c, q) ? cconv_axis_value(&c->axis[1], (double)x)
                                           : cconv_axis_value(&c->axis[0], (double)y));
            }
    return sum;
}

static void check_gradients(const struct position_case *c, const cconv_real *dy,
                            const cconv_real *dweight, const cconv_real *dbias)
{
    const double terms = (double)(c->out[0] + c->out[1] + (int64_t)c->batch);
    const size_t step = 1 + c->out_c / 3; /* some channels */

    for (size_t o = 0; o < c->out_c; o += step) {
        double sum = 0, magnitude = 0;

        for (size_t i = o; i < c->batch * (size_t)(c->out[0] * c->out[1]) * c->out_c;
             i += c->out_c) {
            sum += (double)dy[i];
            magnitude += fabs((double)dy[i]);
        }
        check_near(c, "the bias gradient", (double)dbias[o], sum,
                   terms * (double)EPSILON * magnitude);
        for (size_t q = 0; q < channels_of(c); q++)
            for (int ky = 0; ky < c->corr.kernel[0]; ky++)
                for (int kx = 0; kx < c->corr.kernel[1]; kx++) {
                    magnitude = 0;
                    sum = gradient_of(c, dy, o, q, ky, kx, &magnitude);
                    check_near(c, is_x(c, q) ? "a gradient of x" : "a gradient of y",
                               (double)dweight[weight_at(c, o, q, ky, kx)], sum,
                               terms * (double)EPSILON * magnitude);
                }
    }
}

static void check_grad(const struct position_case *c, const struct cconv_position *p)
{
    const size_t pixels = (size_t)(c->out[0] * c->out[1]);
    cconv_real *dy = random_reals(c->batch * pixels * c->out_c);
    cconv_real *dweight[CONTEXTS], *dbias[CONTEXTS];

    for (int i = 0; i < CONTEXTS; i++) {
        void *scratch = rubbish(cconv_position_grad_scratch(contexts[i], p, c->batch));

        dweight[i] = rubbish(c->weights * sizeof(cconv_real));
        dbias[i] = rubbish(c->out_c * sizeof(cconv_real));
        cconv_position_grad(contexts[i], p, c->batch, dy, dweight[i], dbias[i], scratch);
        free(scratch);
    }
    assert_memory_equal(dweight[0], dweight[1], c->weights * sizeof(cconv_real));
    assert_memory_equal(dbias[0], dbias[1], c->out_c * sizeof(cconv_real));
    check_gradients(c, dy, dweight[0], dbias[0]);
    for (int i = 0; i < CONTEXTS; i++) {
        free(dweight[i]);
        free(dbias[i]);
    }
    free(dy);
}

/* No whole tile is half the formula's, and none is left out that could be. */
static void check_tiles(const struct cconv_position_axis *a, int64_t tile)
{
    assert_int_equal(a->formula_begin % tile, 0);
    assert_true(a->formula_end % tile == 0 || a->formula_end == a->out);
    if (a->formula_end == 0) {
        assert_true(a->end - a->begin < 2 * tile);
        return;
    }
    assert_in_range(a->formula_begin - a->begin, 0, tile - 1);
    assert_in_range(a->end - a->formula_end, 0, tile - 1);
}

static void matches_plain_sums(void **state)
{
    static const size_t tiles[] = { 1, 2, 4 };
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? CASES / 5 : CASES;
    int whole = 0, border = 0;
    (void)state;

    random_state = 20261124;
    for (int i = 0; i < cases; i++) {
        struct position_case c;
        struct cconv_position p;

        pick_case(&c);
        cconv_real *weight = random_reals(c.weights);

        assert_true(cconv_position(&c.corr, c.flags, c.scatter, tiles[i % 3], CCONV_SMALL_MAP, &p));
        cconv_position_set(&p, &c.axis[0], &c.axis[1]);
        check_tiles(&p.y, (int64_t)tiles[i % 3]);
        check_tiles(&p.x, (int64_t)tiles[i % 3]);
        whole += cconv_position_map_is_whole(&p);
        border += cconv_position_has_map(&p) && !cconv_position_map_is_whole(&p);
        check_fill(&c, &p, weight);
        check_grad(&c, &p);
        free(weight);
    }
    assert_true(whole > 0 && border > 0);
}

/* The radius is no formula, nor is a transposed convolution of stride 2. */
static void says_what_it_cannot(void **state)
{
    struct position_case c;
    struct cconv_position p;
    (void)state;

    pick_case(&c);
    assert_false(
        cconv_position(&c.corr, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, 0, 1, 0, &p));
    assert_false(cconv_position(&c.corr, COORDCONV_COORDS_RADIUS, 0, 1, 0, &p));
    c.corr.stride[1] = 2;
    assert_false(cconv_position(&c.corr, COORDCONV_COORDS_XY, 1, 1, 0, &p));
}

int main(void)
{
    static struct test_pool pool = { .order = TEST_ORDER_THREADS, .threads = 3 };
    const coordconv_context_desc one = { .struct_size = sizeof one, .threads = 1 };
    const coordconv_context_desc three = { .struct_size = sizeof three,
                                           .threads = 3,
                                           .parallel_for = test_pool_run,
                                           .parallel_user = &pool };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_plain_sums),
        cmocka_unit_test(says_what_it_cannot),
    };
    int failed = 1;

    if (coordconv_context_new(&one, &contexts[0]) == COORDCONV_OK &&
        coordconv_context_new(&three, &contexts[1]) == COORDCONV_OK)
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < CONTEXTS; i++)
        coordconv_context_unref(contexts[i]);
    return failed;
}
