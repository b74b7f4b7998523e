/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_shared.c - coordinates as channels that a batch shares, and as maps, against
 * a convolution of inputs that have them as channels of their own, for random
 * geometry: forward and all gradients, on one thread and on three. Then the map
 * below them: phases of a scatter side by side, and factors of output channels,
 * which no layer has together with shared channels.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#include "core/context.h"
#include "core/coords.h"
#include "ops/corr_pass.h"

#ifdef CCONV_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 2e-5
#endif

enum {
    CASES = 250,
    RESULTS = 4, /* y, dx, gradients of the weight and of the bias */
    WAYS = 5
};

/* With which map sizes and threads; the last is the plain convolution. */
static coordconv_context *contexts[WAYS];
static uint32_t random_state;

static int pick(int least, int most)
{
    random_state = random_state * 1664525u + 1013904223u;
    return least + (int)((random_state >> 16) % (uint32_t)(most - least + 1));
}

struct shared_case {
    coordconv_conv2d_desc desc;
    int transposed;
    int64_t in[4];
};

static struct shared_case pick_case(void)
{
    static const int32_t outputs[] = { 1, 2, 3, 5, 8, 13, 16, 32, 37, 70 };
    static const uint32_t coords[] = {
        COORDCONV_COORDS_RADIUS, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
        COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
        COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS | COORDCONV_COORDS_PIXEL, COORDCONV_COORDS_XY
    };
    struct shared_case c = { .transposed = pick(0, 2) == 0 };
    const int is_matrix = pick(0, 4) == 0;

    c.desc = (coordconv_conv2d_desc){ .struct_size = sizeof c.desc,
                                      .coords = coords[pick(0, COUNT(coords) - 1)],
                                      .in_channels = pick(1, 9),
                                      .out_channels = outputs[pick(0, COUNT(outputs) - 1)],
                                      .padding = pick(0, 3) == 0 ? COORDCONV_SAME
                                                                 : COORDCONV_PADDING_EXPLICIT,
                                      .no_bias = pick(0, 4) == 0 };
    for (int i = 0; i < 2; i++) {
        c.desc.kernel[i] = is_matrix ? 1 : pick(1, 5);
        c.desc.stride[i] = is_matrix || pick(0, 1) ? 1 : pick(2, 3);
        c.desc.dilation[i] = pick(0, 2) == 0 ? pick(2, 3) : 1;
    }
    for (int i = 0; i < 4 && c.desc.padding == COORDCONV_PADDING_EXPLICIT && !is_matrix; i++)
        c.desc.pads[i] = pick(0, 3) == 0 ? pick(3, 9) : pick(0, 2);
    c.in[0] = pick(0, 2) == 0 ? pick(2, 3) : 1;
    c.in[1] = pick(1, 40);
    c.in[2] = pick(0, 4) == 0 ? pick(100, 230) : pick(1, 40);
    c.in[3] = c.desc.in_channels;
    return c;
}

static coordconv_layer *new_layer(coordconv_context *context, const struct shared_case *c,
                                  uint32_t coords, int32_t in_channels)
{
    coordconv_conv2d_desc conv = c->desc;
    coordconv_conv_transpose2d_desc back = { .struct_size = sizeof back,
                                             .coords = coords,
                                             .in_channels = in_channels,
                                             .out_channels = conv.out_channels,
                                             .padding = conv.padding,
                                             .no_bias = conv.no_bias };
    coordconv_layer *layer = NULL;

    conv.coords = coords;
    conv.in_channels = in_channels;
    memcpy(back.kernel, conv.kernel, sizeof back.kernel);
    memcpy(back.stride, conv.stride, sizeof back.stride);
    memcpy(back.dilation, conv.dilation, sizeof back.dilation);
    memcpy(back.pads, conv.pads, sizeof back.pads);
    if (c->transposed)
        check_ok(coordconv_conv_transpose2d_new(context, &back, &layer));
    else
        check_ok(coordconv_conv2d_new(context, &conv, &layer));
    return layer;
}

static coordconv_tensor *new_tensor(coordconv_context *context, int32_t ndim, const int64_t *shape,
                                    uint32_t seed)
{
    const uint32_t before = random_state;
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, CCONV_REAL_DTYPE, ndim, shape, &tensor));
    random_state = seed;
    for (int64_t i = 0; i < coordconv_tensor_count(tensor); i++)
        ((cconv_real *)coordconv_tensor_data(tensor))[i] = (cconv_real)pick(-1000, 1000) / 512;
    random_state = before;
    return tensor;
}

static coordconv_tensor *like(coordconv_context *context, const coordconv_tensor *tensor)
{
    int64_t shape[COORDCONV_MAX_NDIM];

    for (int32_t i = 0; i < coordconv_tensor_ndim(tensor); i++)
        shape[i] = coordconv_tensor_dim(tensor, i);
    return new_tensor(context, coordconv_tensor_ndim(tensor), shape, 1);
}

/* x with the coordinates beside its channels. */
static coordconv_tensor *join(coordconv_context *context, coordconv_tensor *x, uint32_t coords)
{
    const int64_t n = coordconv_tensor_dim(x, 0), h = coordconv_tensor_dim(x, 1);
    const int64_t w = coordconv_tensor_dim(x, 2), c = coordconv_tensor_dim(x, 3);
    const int64_t all = c + coordconv_coords_channels(coords), shape[4] = { n, h, w, all };
    coordconv_tensor *joined = new_tensor(context, 4, shape, 1);
    const cconv_real *from = coordconv_tensor_data(x);
    cconv_real *to = coordconv_tensor_data(joined);

    for (int64_t i = 0; i < n; i++)
        cconv_coords_values(coords, 0, 1, h, w, to + i * h * w * all + c, 1, w * all, all);
    for (int64_t i = 0; i < n * h * w; i++)
        memcpy(to + i * all, from + i * c, (size_t)c * sizeof *to);
    return joined;
}

struct results {
    coordconv_tensor *tensor[RESULTS];
    coordconv_tensor *inference; /* y */
};

static void drop(struct results *r)
{
    for (int i = 0; i < RESULTS; i++)
        coordconv_tensor_unref(r->tensor[i]);
    coordconv_tensor_unref(r->inference);
}

static void *new_workspace(coordconv_layer *layer, int32_t mode, const int64_t *in, size_t *bytes)
{
    void *workspace;

    check_ok(coordconv_layer_workspace(layer, mode, 4, in, bytes));
    workspace = aligned_alloc(CCONV_ALIGN, (*bytes / CCONV_ALIGN + 1) * CCONV_ALIGN);
    assert_non_null(workspace);
    memset(workspace, 0xff, *bytes);
    return workspace;
}

static void run_layer(coordconv_context *context, coordconv_layer *layer, coordconv_tensor *x,
                      const int64_t out[4], struct results *r)
{
    static const char *const names[2] = { "weight", "bias" };
    const int64_t in[4] = { coordconv_tensor_dim(x, 0), coordconv_tensor_dim(x, 1),
                            coordconv_tensor_dim(x, 2), coordconv_tensor_dim(x, 3) };
    coordconv_tensor *dy = new_tensor(context, 4, out, 77);
    size_t bytes;
    void *workspace = new_workspace(layer, COORDCONV_TRAINING, in, &bytes);

    r->tensor[0] = new_tensor(context, 4, out, 1);
    r->inference = new_tensor(context, 4, out, 1);
    r->tensor[1] = like(context, x);
    for (int i = 0; i < 2; i++) {
        coordconv_tensor *parameter = NULL;

        r->tensor[2 + i] = NULL;
        if (coordconv_layer_parameter(layer, names[i], &parameter) != COORDCONV_OK)
            continue;
        r->tensor[2 + i] = like(context, parameter);
        for (int64_t k = 0; k < coordconv_tensor_count(parameter); k++)
            ((cconv_real *)coordconv_tensor_data(parameter))[k] =
                (cconv_real)((k * 7919 + i) % 1009 - 504) / 512;
        coordconv_tensor_unref(parameter);
    }
    check_ok(coordconv_layer_forward(layer, COORDCONV_TRAINING, x, r->tensor[0], workspace, bytes));
    check_ok(coordconv_layer_backward(layer, x, dy, r->tensor[1], r->tensor + 2, workspace, bytes));
    free(workspace);
    workspace = new_workspace(layer, COORDCONV_INFERENCE, in, &bytes);
    check_ok(
        coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, r->inference, workspace, bytes));
    free(workspace);
    coordconv_tensor_unref(dy);
}

/* want may be longer along the last axis. */
static void check_close(coordconv_tensor *got, coordconv_tensor *want)
{
    if (got == NULL)
        return;
    const int32_t last = coordconv_tensor_ndim(got) - 1;
    const int64_t n = coordconv_tensor_dim(got, last), m = coordconv_tensor_dim(want, last);
    const cconv_real *a = coordconv_tensor_data(got), *b = coordconv_tensor_data(want);
    double largest = 1, error = 0;

    for (int64_t i = 0; i < coordconv_tensor_count(got); i++) {
        const double value = (double)b[i / n * m + i % n];

        largest = fmax(largest, fabs(value));
        error = fmax(error, fabs((double)a[i] - value));
        if (!(fabs((double)a[i] - value) < 1e30))
            error = INFINITY;
    }
    if (!(error <= TOLERANCE * largest)) {
        print_error("error %g of %g\n", error, largest);
        fail();
    }
}

static void check_same(coordconv_tensor *a, coordconv_tensor *b)
{
    if (a != NULL)
        assert_memory_equal(coordconv_tensor_data(a), coordconv_tensor_data(b),
                            (size_t)coordconv_tensor_count(a) * sizeof(cconv_real));
}

/* One way to run a case; 0 if the kernel does not fit. */
static int run_case(const struct shared_case *c, int way, struct results *r)
{
    coordconv_context *context = contexts[way];
    coordconv_layer *layer = new_layer(context, c, c->desc.coords, c->desc.in_channels);
    int64_t out[4];
    const int fits = coordconv_layer_output_shape(layer, 4, c->in, out) == COORDCONV_OK;

    if (fits) {
        coordconv_tensor *x = new_tensor(context, 4, c->in, 5);

        if (way == WAYS - 1) {
            coordconv_tensor *joined = join(context, x, c->desc.coords);

            coordconv_layer_unref(layer);
            coordconv_tensor_unref(x);
            x = joined;
            layer = new_layer(context, c, 0, (int32_t)coordconv_tensor_dim(x, 3));
        }
        run_layer(context, layer, x, out, r);
        coordconv_tensor_unref(x);
    }
    coordconv_layer_unref(layer);
    return fits;
}

static int check_case(const struct shared_case *c)
{
    struct results results[WAYS];

    for (int way = 0; way < WAYS; way++)
        if (!run_case(c, way, &results[way]))
            return 0;
    for (int i = 0; i < RESULTS; i++) {
        check_same(results[0].tensor[i], results[1].tensor[i]);
        check_same(results[2].tensor[i], results[3].tensor[i]);
        check_close(results[0].tensor[i], results[WAYS - 1].tensor[i]);
        check_close(results[2].tensor[i], results[WAYS - 1].tensor[i]);
    }
    check_same(results[0].inference, results[1].inference);
    check_close(results[0].inference, results[WAYS - 1].inference);
    check_close(results[2].inference, results[WAYS - 1].inference);
    for (int way = 0; way < WAYS; way++)
        drop(&results[way]);
    return 1;
}

static void matches_a_plain_convolution(void **state)
{
    const int cases = getenv("COORDCONV_TEST_SHORT") != NULL ? CASES / 5 : CASES;
    (void)state;

    random_state = 20261123;
    for (int done = 0; done < cases;) {
        const struct shared_case c = pick_case();

        contexts[2]->small_map = contexts[3]->small_map = done % 2 == 0 ? SIZE_MAX : 0;
        done += check_case(&c);
    }
}

static cconv_real *new_reals(size_t count)
{
    cconv_real *values =
        aligned_alloc(CCONV_ALIGN, (count * sizeof *values / CCONV_ALIGN + 1) * CCONV_ALIGN);

    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (cconv_real)pick(-1000, 1000) / 512;
    return values;
}

/* Channels of two images side by side, the second the same for the whole batch. */
static cconv_real *join_images(const struct cconv_corr *c, size_t pixels, size_t channels,
                               const cconv_real *first)
{
    const size_t all = channels + c->shared;
    cconv_real *to = new_reals(c->batch * pixels * all);

    for (size_t i = 0; i < c->batch * pixels; i++) {
        memcpy(to + i * all, first + i * channels, channels * sizeof *to);
        memcpy(to + i * all + channels, c->shared_values + i % pixels * c->shared,
               c->shared * sizeof *to);
    }
    return to;
}

/* A gather or a scatter, each weight times that of its output channel. */
static cconv_real *run_corr(coordconv_context *context, const struct cconv_corr *c, int scatter,
                            const cconv_real *weight, const cconv_real *factor,
                            const cconv_real *bias, const cconv_real *in)
{
    const struct cconv_corr_init init = { .values = bias };
    cconv_real *packed, *scratch, *out;

    if (scatter) {
        packed = new_reals(cconv_corr_scatter_packed(context, c) / sizeof *packed);
        scratch = new_reals(cconv_corr_scatter_scratch(context, c) / sizeof *scratch);
        out = new_reals(c->batch * c->big_h * c->big_w * c->big_c);
        cconv_corr_scatter_pack(context, c, weight, factor, packed);
        cconv_corr_scatter(context, c, packed, in, init, CCONV_ACT_RELU, 0, out, scratch);
    } else {
        packed = new_reals(cconv_corr_gather_packed(context, c) / sizeof *packed);
        scratch = new_reals(cconv_corr_gather_scratch(context, c) / sizeof *scratch);
        out = new_reals(c->batch * c->small_h * c->small_w * c->small_c);
        cconv_corr_gather_pack(context, c, weight, factor, packed);
        cconv_corr_gather(context, c, packed, in, init, CCONV_ACT_RELU, 0, out, scratch);
    }
    free(packed);
    free(scratch);
    return out;
}

/* W[s][b], each plane times the factor of the output channel it belongs to. */
static cconv_real *times_factors(const struct cconv_corr *c, int scatter, const cconv_real *weight,
                                 const cconv_real *factor)
{
    const size_t plane = (size_t)(c->kernel[0] * c->kernel[1]);
    cconv_real *product = new_reals(c->small_c * c->weight_s);

    for (size_t i = 0; i < c->small_c * c->weight_s; i++)
        product[i] = weight[i] * factor[scatter ? i % c->weight_s / plane : i / c->weight_s];
    return product;
}

static void check_corr(struct cconv_corr c, int scatter)
{
    struct cconv_corr plain = c;
    size_t *const channels = scatter ? &plain.small_c : &plain.big_c;
    const size_t pixels = scatter ? c.small_h * c.small_w : c.big_h * c.big_w, own = *channels;
    const size_t out_c = scatter ? c.big_c : c.small_c;
    const size_t outputs = c.batch * out_c * (scatter ? c.big_h * c.big_w : c.small_h * c.small_w);
    cconv_real *shared = new_reals(pixels * c.shared), *in = new_reals(c.batch * pixels * own);
    cconv_real *bias = new_reals(out_c), *factor = new_reals(out_c), *joined, *want, *got[2],
               *product;

    *channels += c.shared;
    c.shared_first = own;
    c.shared_values = shared;
    c.weight_s = plain.weight_s = plain.big_c * (size_t)(c.kernel[0] * c.kernel[1]);
    plain.shared = 0;
    cconv_real *weight = new_reals(plain.small_c * plain.weight_s);

    assert_true(cconv_corr_shares(contexts[0], &c, scatter));
    joined = join_images(&c, pixels, own, in);
    product = times_factors(&plain, scatter, weight, factor);
    want = run_corr(contexts[0], &plain, scatter, product, NULL, bias, joined);
    for (int i = 0; i < 2; i++)
        got[i] = run_corr(contexts[i], &c, scatter, weight, factor, bias, in);
    assert_memory_equal(got[0], got[1], outputs * sizeof *want);
    for (size_t i = 0; i < outputs; i++)
        assert_true(fabs((double)got[0][i] - (double)want[i]) <= 100 * TOLERANCE);
    free(shared);
    free(in);
    free(bias);
    free(factor);
    free(weight);
    free(product);
    free(joined);
    free(want);
    free(got[0]);
    free(got[1]);
}

/* Phases are side by side where the outputs have few channels. */
static void phases_and_factors(void **state)
{
    static const size_t out[] = { 1, 3, 8, 40 };
    int merged = 0;
    (void)state;

    random_state = 11;
    for (size_t i = 0; i < 4 * COUNT(out); i++) {
        const size_t channels = out[i % COUNT(out)];
        struct cconv_corr c = { .batch = 1 + i / COUNT(out) % 2,
                                .small_h = 9,
                                .small_w = 13,
                                .small_c = 7,
                                .big_h = 18,
                                .big_w = 26 + i / COUNT(out) / 2,
                                .big_c = channels,
                                .groups = 1,
                                .kernel = { 4, 4 },
                                .stride = { 2, 2 },
                                .dilation = { 1, 1 },
                                .pad = { 1, 1 },
                                .shared = 1 + i % 3 };

        merged += cconv_pass_merges(contexts[0], &c);
        check_corr(c, 1);
        c.big_c = c.small_c;
        c.small_c = channels;
        check_corr(c, 0);
    }
    assert_in_range(merged, 1, 4 * COUNT(out) - 1);
}

int main(void)
{
    static struct test_pool pools[2] = { { .order = TEST_ORDER_THREADS, .threads = 3 },
                                         { .order = TEST_ORDER_THREADS, .threads = 3 } };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_a_plain_convolution),
        cmocka_unit_test(phases_and_factors),
    };
    int failed;

    for (int i = 0; i < WAYS; i++) {
        coordconv_context_desc desc = { .struct_size = sizeof desc, .threads = 1 };

        if (i == 1 || i == 3) {
            desc.threads = 3;
            desc.parallel_for = test_pool_run;
            desc.parallel_user = &pools[i / 2];
        }
        desc.direct_sums = i == WAYS - 1;
        if (coordconv_context_new(&desc, &contexts[i]) != COORDCONV_OK)
            return 1;
        contexts[i]->small_map = i < 2 ? 0 : SIZE_MAX;
        if (i < 2)
            contexts[i]->winograd = 0;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < WAYS; i++)
        coordconv_context_unref(contexts[i]);
    return failed;
}
