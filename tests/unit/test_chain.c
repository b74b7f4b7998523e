/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_chain.c - runs of pointwise operations tile by tile, against the same
 * model node by node.
 *
 * Forward, an element is the same sum either way, but where a vector is spread:
 * then the products are added up before the position part is. Gradients of
 * parameters are sums over all pixels in another order. Both are held to a
 * bound relative to the largest element, tens of roundings for forward and the
 * square root of the number of pixels, a few thousand, for gradients.
 *
 * The chain before a loss that is a sum over samples is joined with it: plan_run goes both ways
 * piece by piece, and what only the way back reads is in memory for a piece at a time.
 */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/compile.h"

#ifdef CCONV_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON FLT_EPSILON
#endif

#define FORWARD_BOUND  (64 * EPSILON)
#define GRADIENT_BOUND (1024 * EPSILON)

enum {
    HEIGHT = 23,
    WIDTH = 13,
    BATCH = 5,
    PIECES = 17, /* images of a batch that is cut into pieces of one */
    SIDE = 35    /* of an image that makes a chain by itself */
};

/* A model with inputs "x" and perhaps "labels", outputs "y", "loss" and perhaps "middle". */
typedef coordconv_model *net_fn(coordconv_context *context);

static coordconv_value apply_conv(coordconv_model *m, coordconv_context *context,
                                  const coordconv_conv2d_desc *desc, uint64_t seed,
                                  coordconv_value x)
{
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, desc, &layer));
    test_fill_layer(layer, seed);
    x = coordconv_model_apply(m, layer, x);
    coordconv_layer_unref(layer);
    return x;
}

static coordconv_value conv(coordconv_model *m, coordconv_context *context, int32_t in, int32_t out,
                            uint32_t coords, coordconv_value x)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { 1, 1 },
                                         .coords = coords };

    return apply_conv(m, context, &desc, (uint64_t)(in * 100 + out), x);
}

/* 3x3 to 12 channels: no layer of a chain. */
static coordconv_value wide(coordconv_model *m, coordconv_context *context, int32_t in,
                            uint64_t seed, coordconv_value x)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .in_channels = in,
                                         .out_channels = 12,
                                         .kernel = { 3, 3 },
                                         .padding = COORDCONV_SAME };

    return apply_conv(m, context, &desc, seed, x);
}

static coordconv_model *begin(coordconv_context *context)
{
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    return m;
}

static coordconv_value image_input(coordconv_model *m, int64_t channels)
{
    return coordconv_model_input(m, "x", TEST_REAL, 4, (int64_t[]){ -1, HEIGHT, WIDTH, channels });
}

/* The mean of tanh(0.7 y)^2: a scalar that depends on every element in its own way. */
static void finish(coordconv_model *m, coordconv_value y)
{
    const coordconv_value curved = coordconv_model_tanh(m, coordconv_model_scale(m, y, 0.7));
    const coordconv_value zero = coordconv_model_scale(m, y, 0);

    coordconv_model_output(m, "y", y);
    coordconv_model_output(m, "loss", coordconv_model_mse(m, curved, zero));
}

/* A vector repeated over a canvas, then 1x1 layers of all widths. */
static coordconv_model *spread_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 2, (int64_t[]){ -1, 3 });

    h = coordconv_model_tile(m, h, HEIGHT, WIDTH);
    h = coordconv_model_relu(m, conv(m, context, 3, 33, COORDCONV_COORDS_XY, h));
    h = coordconv_model_leaky_relu(m, conv(m, context, 33, 16, 0, h), 0.1);
    h = coordconv_model_tanh(m, conv(m, context, 16, 7, 0, h));
    h = conv(m, context, 7, 1, 0, h);
    coordconv_model_output(m, "y", h);
    const coordconv_value labels =
        coordconv_model_input(m, "labels", COORDCONV_I32, 1, (int64_t[]){ -1 });
    coordconv_model_output(m, "loss", coordconv_model_softmax_cross_entropy(m, h, labels));
    return m;
}

/* The same vector, no coordinates and no bias, in one layer alone. */
static coordconv_model *plain_spread_net(coordconv_context *context)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .in_channels = 3,
                                         .out_channels = 40,
                                         .kernel = { 1, 1 },
                                         .no_bias = 1 };
    coordconv_model *m = begin(context);
    coordconv_value h = coordconv_model_input(m, "x", TEST_REAL, 2, (int64_t[]){ -1, 3 });

    h = coordconv_model_tile(m, h, HEIGHT, WIDTH);
    finish(m, apply_conv(m, context, &desc, 5, h));
    return m;
}

/* Values read twice, an output in the middle, a value that leaves for a 3x3 layer
 * and comes back, coordinates in the middle. */
static coordconv_model *branched_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    coordconv_value h = image_input(m, 4);

    h = coordconv_model_sigmoid(
        m, conv(m, context, 4, 12, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, h));
    const coordconv_value skip = h;
    h = coordconv_model_relu(m, conv(m, context, 12, 40, 0, h));
    h = conv(m, context, 40, 12, 0, h);
    coordconv_model_output(m, "middle", h);
    h = coordconv_model_multiply(m, coordconv_model_add(m, h, skip), skip);
    const coordconv_value away = h;
    h = coordconv_model_relu(m, wide(m, context, 12, 9, h));
    h = coordconv_model_add(m, coordconv_model_scale(m, h, 0.5), away);
    h = coordconv_model_multiply(m, h, h);
    h = coordconv_model_leaky_relu(m, conv(m, context, 12, 24, COORDCONV_COORDS_XY, h), 0.2);
    finish(m, conv(m, context, 24, 2, 0, h));
    return m;
}

/* A chain behind a 3x3 layer whose output it reads twice, and which wants the gradient of that;
 * its end is read by an output as well. */
static coordconv_model *labelled_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    coordconv_value h = coordconv_model_relu(m, wide(m, context, 4, 6, image_input(m, 4)));
    const coordconv_value skip = h;

    h = coordconv_model_sigmoid(m, conv(m, context, 12, 30, COORDCONV_COORDS_XY, h));
    h = coordconv_model_multiply(m, conv(m, context, 30, 12, 0, h), skip);
    coordconv_model_output(m, "middle", coordconv_model_scale(m, h, 2));
    h = conv(m, context, 12, 1, COORDCONV_COORDS_XY, coordconv_model_tanh(m, h));
    coordconv_model_output(m, "y", h);
    const coordconv_value labels =
        coordconv_model_input(m, "labels", COORDCONV_I32, 1, (int64_t[]){ -1 });
    coordconv_model_output(
        m, "loss",
        coordconv_model_softmax_cross_entropy(m, coordconv_model_flatten(m, h, 1), labels));
    return m;
}

/* What the loss compares the chain's end with is made after the chain. */
static coordconv_model *late_target_net(coordconv_context *context)
{
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool,
                                         .kernel = { 3, 3 },
                                         .stride = { 1, 1 },
                                         .padding = COORDCONV_SAME };
    coordconv_model *m = begin(context);
    const coordconv_value x = image_input(m, 4);
    coordconv_value h = conv(m, context, 4, 20, COORDCONV_COORDS_XY, x);

    h = conv(m, context, 20, 4, 0, coordconv_model_tanh(m, h));
    coordconv_model_output(m, "y", h);
    coordconv_model_output(m, "loss",
                           coordconv_model_mse(m, h, coordconv_model_avg_pool2d(m, x, &pool)));
    return m;
}

/* One layer applied twice and once more outside the run. */
static coordconv_model *shared_net(coordconv_context *context)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .in_channels = 8,
                                         .out_channels = 8,
                                         .kernel = { 1, 1 },
                                         .coords = COORDCONV_COORDS_XY };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    coordconv_model *m = begin(context);
    coordconv_layer *layer = NULL;
    coordconv_value h = image_input(m, 8);

    check_ok(coordconv_conv2d_new(context, &desc, &layer));
    test_fill_layer(layer, 3);
    h = coordconv_model_relu(m, coordconv_model_apply(m, layer, h));
    h = coordconv_model_tanh(m, coordconv_model_apply(m, layer, h));
    h = coordconv_model_max_pool2d(m, h, &pool);
    finish(m, coordconv_model_apply(m, layer, h));
    coordconv_layer_unref(layer);
    return m;
}

/* One image with a radius, and more outputs than a small map holds. */
static coordconv_model *radius_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    coordconv_value h =
        coordconv_model_input(m, "x", TEST_REAL, 4, (int64_t[]){ -1, SIDE, SIDE, 4 });

    h = coordconv_model_tanh(m, conv(m, context, 4, 9, 0, h));
    h = conv(m, context, 9, 40, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, h);
    finish(m, conv(m, context, 40, 3, COORDCONV_COORDS_RADIUS, coordconv_model_relu(m, h)));
    return m;
}

/* A batch norm, which in training needs all pixels, and a residual sum. */
static coordconv_model *residual_net(coordconv_context *context)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = 12 };
    coordconv_model *m = begin(context);
    coordconv_layer *norm = NULL;
    coordconv_value h = image_input(m, 4);

    check_ok(coordconv_batch_norm_new(context, &desc, &norm));
    test_fill_layer(norm, 4);
    h = coordconv_model_relu(m, conv(m, context, 4, 12, 0, h));
    const coordconv_value skip = h;
    h = coordconv_model_relu(m, conv(m, context, 12, 30, COORDCONV_COORDS_XY, h));
    h = coordconv_model_apply(m, norm, conv(m, context, 30, 12, COORDCONV_COORDS_XY, h));
    h = coordconv_model_relu(m, coordconv_model_add(m, h, skip));
    finish(m, conv(m, context, 12, 24, 0, h));
    coordconv_layer_unref(norm);
    return m;
}

/* The vector that is repeated has another reader, which could write over it. */
static coordconv_model *busy_vector_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = 3,
                                         .out_features = 5 };
    coordconv_layer *layer = NULL;
    coordconv_value z = coordconv_model_input(m, "x", TEST_REAL, 2, (int64_t[]){ -1, 3 });

    check_ok(coordconv_linear_new(context, &desc, &layer));
    test_fill_layer(layer, 8);
    z = coordconv_model_apply(m, layer, z);
    const coordconv_value canvas = coordconv_model_tile(m, z, HEIGHT, WIDTH);
    coordconv_model_output(m, "middle", coordconv_model_scale(m, coordconv_model_relu(m, z), 2));
    const coordconv_value h = conv(m, context, 5, 20, COORDCONV_COORDS_XY, canvas);
    finish(m, conv(m, context, 20, 3, 0, coordconv_model_relu(m, h)));
    coordconv_layer_unref(layer);
    return m;
}

/* Linear layers over the rows of a three-axis input. */
static coordconv_model *linear_net(coordconv_context *context)
{
    coordconv_model *m = begin(context);
    coordconv_value h =
        coordconv_model_input(m, "x", TEST_REAL, 3, (int64_t[]){ -1, HEIGHT * WIDTH, 6 });

    for (int i = 0; i < 3; i++) {
        const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                             .in_features = i == 0 ? 6 : 20,
                                             .out_features = 20,
                                             .no_bias = i == 1 };
        coordconv_layer *layer = NULL;

        check_ok(coordconv_linear_new(context, &desc, &layer));
        test_fill_layer(layer, (uint64_t)i);
        h = coordconv_model_relu(m, coordconv_model_apply(m, layer, h));
        coordconv_layer_unref(layer);
    }
    finish(m, h);
    return m;
}

static const struct net {
    const char *name;
    net_fn *make;
    int32_t chains; /* in training */
    int32_t ndim;
    int64_t x[4];
    int has_middle;
    int joined; /* with the loss */
} nets[] = {
    { "spread", spread_net, 1, 2, { BATCH, 3 }, 0, 0 },
    { "plain spread", plain_spread_net, 1, 2, { BATCH, 3 }, 0, 1 },
    { "branched", branched_net, 2, 4, { BATCH, HEIGHT, WIDTH, 4 }, 1, 1 },
    { "shared", shared_net, 1, 4, { BATCH, HEIGHT, WIDTH, 8 }, 0, 0 },
    { "radius", radius_net, 1, 4, { 1, SIDE, SIDE, 4 }, 0, 1 },
    { "residual", residual_net, 2, 4, { BATCH, HEIGHT, WIDTH, 4 }, 0, 0 },
    { "busy vector", busy_vector_net, 1, 2, { BATCH, 3 }, 1, 1 },
    { "linear", linear_net, 1, 3, { BATCH, HEIGHT *WIDTH, 6 }, 0, 1 },
    { "many spread", spread_net, 1, 2, { PIECES, 3 }, 0, 1 },
    { "late target", late_target_net, 1, 4, { BATCH, HEIGHT, WIDTH, 4 }, 0, 0 },
    { "labelled", labelled_net, 1, 4, { PIECES, HEIGHT, WIDTH, 4 }, 1, 1 },
};

/* ---- comparing ---- */

#define MOST_RESULTS 6

/* Copies of what a run gave. */
struct results {
    int count;
    struct {
        const char *what;
        double bound;
        int64_t count;
        test_real *values;
    } part[MOST_RESULTS];
};

static void keep(struct results *r, const char *what, double bound, coordconv_tensor *tensor)
{
    const int64_t count = coordconv_tensor_count(tensor);
    test_real *copy = calloc((size_t)count, sizeof *copy);

    assert_non_null(copy);
    assert_true(r->count < MOST_RESULTS);
    memcpy(copy, test_values(tensor), (size_t)count * sizeof *copy);
    r->part[r->count].what = what;
    r->part[r->count].bound = bound;
    r->part[r->count].count = count;
    r->part[r->count++].values = copy;
    coordconv_tensor_unref(tensor);
}

static void drop(struct results *r)
{
    for (int i = 0; i < r->count; i++)
        free(r->part[i].values);
    r->count = 0;
}

static void check_close(const char *name, const struct results *got, const struct results *want)
{
    assert_int_equal(got->count, want->count);
    for (int i = 0; i < got->count; i++) {
        double largest = 0, worst = 0;

        assert_int_equal(got->part[i].count, want->part[i].count);
        for (int64_t k = 0; k < want->part[i].count; k++) {
            const double w = (double)want->part[i].values[k];
            const double error = fabs((double)got->part[i].values[k] - w);

            largest = fmax(largest, fabs(w));
            worst = error <= worst ? worst : error;
        }
        if (!(worst <= want->part[i].bound * largest))
            fail_msg("%s, %s: off by %g of %g", name, want->part[i].what, worst, largest);
        assert_true(largest > 0);
    }
}

static void check_bits(const char *name, const struct results *got, const struct results *want)
{
    assert_int_equal(got->count, want->count);
    for (int i = 0; i < got->count; i++) {
        assert_int_equal(got->part[i].count, want->part[i].count);
        if (memcmp(got->part[i].values, want->part[i].values,
                   (size_t)want->part[i].count * sizeof(test_real)) != 0)
            fail_msg("%s, %s: not the same bits", name, want->part[i].what);
    }
}

/* ---- running ---- */

static int has_labels(const struct net *net)
{
    return net->make == spread_net || net->make == labelled_net;
}

static void bind_inputs(coordconv_plan *plan, coordconv_context *context, const struct net *net)
{
    coordconv_tensor *x = test_tensor(context, net->ndim, net->x, 77);
    coordconv_tensor *labels = test_labels(context, net->x[0], HEIGHT * WIDTH, 78);

    check_ok(coordconv_plan_bind(plan, "x", x));
    if (has_labels(net))
        check_ok(coordconv_plan_bind(plan, "labels", labels));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(labels);
}

static void keep_output(struct results *r, coordconv_plan *plan, const char *name)
{
    coordconv_tensor *t = NULL;

    check_ok(coordconv_plan_output(plan, name, &t));
    keep(r, name, FORWARD_BOUND, t);
}

static void keep_results(struct results *r, coordconv_plan *plan, const struct net *net,
                         int32_t mode, int input_gradients)
{
    coordconv_tensor *t = NULL;

    keep_output(r, plan, "y");
    keep_output(r, plan, "loss");
    if (net->has_middle)
        keep_output(r, plan, "middle");
    if (mode == COORDCONV_TRAINING) {
        check_ok(coordconv_plan_gradients(plan, &t));
        keep(r, "gradients", GRADIENT_BOUND, t);
    }
    if (input_gradients) {
        check_ok(coordconv_plan_input_gradient(plan, "x", &t));
        keep(r, "input gradient", GRADIENT_BOUND, t);
    }
}

static coordconv_plan *make_plan(coordconv_model *m, int64_t batch, int32_t mode,
                                 int input_gradients, int no_chains)
{
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .batch = batch, .input_gradients = input_gradients
    };
    coordconv_plan *plan = NULL;

    check_ok(cconv_plan_make(m, &desc, no_chains, &plan));
    return plan;
}

static void run(coordconv_context *context, const struct net *net, int32_t mode,
                int input_gradients, int no_chains, struct results *r)
{
    coordconv_model *m = net->make(context);
    coordconv_plan *plan = make_plan(m, net->x[0], mode, input_gradients, no_chains);

    if (no_chains)
        assert_int_equal(plan->chain_count, 0);
    else if (mode == COORDCONV_TRAINING && !input_gradients)
        assert_int_equal(plan->chain_count, net->chains);
    if (mode == COORDCONV_TRAINING && !no_chains)
        assert_int_equal(plan->loss_chain != 0, net->joined);
    bind_inputs(plan, context, net);
    for (int i = 0; i < 2; i++) /* the second finds what the first left in the arena */
        check_ok(coordconv_plan_run(plan));
    keep_results(r, plan, net, mode, input_gradients);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

static coordconv_context *isa_context(uint32_t isa)
{
    const coordconv_context_desc desc = {
        .struct_size = sizeof desc, .max_isa = isa, .seed = 12, .threads = 1
    };
    coordconv_context *context = NULL;

    check_ok(coordconv_context_new(&desc, &context));
    return context;
}

/* In training, with and without gradients of the input, and in inference. */
static void as_node_by_node(void **state)
{
    uint32_t isas[TEST_MAX_ISAS];
    const size_t isa_count = test_isas(isas);
    (void)state;

    for (size_t i = 0; i < COUNT(nets) * isa_count * 3; i++) {
        const struct net *net = &nets[i % COUNT(nets)];
        const size_t mode = i / COUNT(nets) % 3;
        struct results want = { .count = 0 }, got = { .count = 0 };
        coordconv_context *context = isa_context(isas[i / COUNT(nets) / 3]);

        run(context, net, mode < 2, mode == 1, 1, &want);
        run(context, net, mode < 2, mode == 1, 0, &got);
        check_close(net->name, &got, &want);
        drop(&got);
        drop(&want);
        coordconv_context_unref(context);
    }
}

/* A forward pass by itself, then a backward pass, gives what both together do. */
static void forward_and_backward_apart(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    (void)state;

    for (size_t i = 0; i < COUNT(nets); i++) {
        coordconv_model *m = nets[i].make(context);
        coordconv_plan *plan = make_plan(m, nets[i].x[0], COORDCONV_TRAINING, 1, 0);
        struct results want = { .count = 0 }, got = { .count = 0 };

        bind_inputs(plan, context, &nets[i]);
        check_ok(coordconv_plan_run(plan));
        keep_results(&want, plan, &nets[i], COORDCONV_TRAINING, 1);
        check_ok(coordconv_plan_forward(plan));
        check_ok(coordconv_plan_backward(plan));
        keep_results(&got, plan, &nets[i], COORDCONV_TRAINING, 1);
        check_bits(nets[i].name, &got, &want);
        drop(&got);
        drop(&want);
        coordconv_plan_unref(plan);
        coordconv_model_unref(m);
    }
    coordconv_context_unref(context);
}

static void any_number_of_threads(void **state)
{
    static const struct {
        enum test_order order;
        int32_t told, threads;
    } cases[] = { { TEST_ORDER_FORWARD, 3, 1 },
                  { TEST_ORDER_BACKWARD, 5, 1 },
                  { TEST_ORDER_THREADS, 2, 2 },
                  { TEST_ORDER_THREADS, 5, 5 } };
    (void)state;

    for (size_t i = 0; i < COUNT(nets) * 2; i++) {
        const struct net *net = &nets[i % COUNT(nets)];
        const int32_t mode = i < COUNT(nets) ? COORDCONV_TRAINING : COORDCONV_INFERENCE;
        struct results want = { .count = 0 };
        coordconv_context *context = test_context(1, NULL, NULL);

        run(context, net, mode, 0, 0, &want);
        coordconv_context_unref(context);
        for (size_t k = 0; k < COUNT(cases); k++) {
            struct test_pool pool = { .order = cases[k].order,
                                      .threads = (size_t)cases[k].threads };
            struct results got = { .count = 0 };

            context = test_context(cases[k].told, NULL, &pool);
            run(context, net, mode, 0, 0, &got);
            check_bits(net->name, &got, &want);
            drop(&got);
            coordconv_context_unref(context);
        }
        drop(&want);
    }
}

/* ---- batches, memory ---- */

/* Inference of image n alone gives the bits it has within the batch. */
static void any_split_of_a_batch(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    (void)state;

    for (size_t i = 0; i < COUNT(nets); i++) {
        const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = 1 };
        const struct net *net = &nets[i];
        struct results all = { .count = 0 };
        coordconv_model *m = net->make(context);
        coordconv_plan *plan = NULL;

        run(context, net, COORDCONV_INFERENCE, 0, 0, &all);
        check_ok(coordconv_plan_new(m, &desc, &plan));
        for (int64_t n = 0; n < net->x[0]; n++) {
            coordconv_tensor *x = test_tensor(context, net->ndim, net->x, 77), *one = NULL;
            coordconv_tensor *labels = test_labels(context, 1, 1, 78), *y = NULL;

            check_ok(coordconv_tensor_slice(x, 0, n, 1, &one));
            check_ok(coordconv_plan_bind(plan, "x", one));
            if (has_labels(net))
                check_ok(coordconv_plan_bind(plan, "labels", labels));
            check_ok(coordconv_plan_run(plan));
            check_ok(coordconv_plan_output(plan, "y", &y));
            const int64_t count = coordconv_tensor_count(y);
            assert_int_equal(count * net->x[0], all.part[0].count);
            assert_memory_equal(test_values(y), all.part[0].values + n * count,
                                (size_t)count * sizeof(test_real));
            coordconv_tensor_unref(y);
            coordconv_tensor_unref(x);
            coordconv_tensor_unref(one);
            coordconv_tensor_unref(labels);
        }
        drop(&all);
        coordconv_plan_unref(plan);
        coordconv_model_unref(m);
    }
    coordconv_context_unref(context);
}

/* What lies between the layers takes room in neither pass but where backward reads it. */
static void arena_holds_no_inner_values(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_model *m = spread_net(context);
    coordconv_plan *chained = make_plan(m, BATCH, COORDCONV_INFERENCE, 0, 0);
    coordconv_plan *single = make_plan(m, BATCH, COORDCONV_INFERENCE, 0, 1);
    coordconv_plan *training = make_plan(m, BATCH, COORDCONV_TRAINING, 0, 0);
    int32_t in_arena = 0, gradients = 0;
    (void)state;

    assert_true(chained->arena_bytes < single->arena_bytes);
    for (int32_t i = 0; i < chained->node_count; i++) {
        in_arena += chained->values[i].data != NULL;
        gradients += training->values[i].gradient != NULL;
    }
    assert_int_equal(in_arena, 2);  /* logits, loss */
    assert_int_equal(gradients, 2); /* likewise */
    coordconv_plan_unref(chained);
    coordconv_plan_unref(single);
    coordconv_plan_unref(training);
    coordconv_model_unref(m);
    coordconv_context_unref(context);
}

/* What only the way back reads is in the arena for a piece, not for the batch. */
static void arena_keeps_a_piece(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_model *m = spread_net(context);
    coordconv_plan *plan = make_plan(m, PIECES, COORDCONV_TRAINING, 0, 0);
    const struct cconv_chain *chain = &plan->chains[0];
    (void)state;

    assert_int_equal(chain->piece, HEIGHT * WIDTH);
    assert_int_equal(chain->kept, 33 + 16 + 7);
    assert_int_equal(chain->keepers, 1);
    assert_true(plan->arena_bytes < chain->pixels * chain->kept * sizeof(test_real));
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_context_unref(context);
}

static void running_allocates_nothing(void **state)
{
    struct test_heap heap;
    (void)state;

    test_heap_init(&heap);
    for (size_t i = 0; i < COUNT(nets); i++) {
        coordconv_context *context = test_context(1, &heap, NULL);
        coordconv_model *m = nets[i].make(context);
        coordconv_plan *plan = make_plan(m, nets[i].x[0], COORDCONV_TRAINING, 1, 0);

        bind_inputs(plan, context, &nets[i]);
        const size_t before = atomic_load(&heap.calls);
        check_ok(coordconv_plan_run(plan));
        assert_int_equal(atomic_load(&heap.calls), before);
        coordconv_plan_unref(plan);
        coordconv_model_unref(m);
        coordconv_context_unref(context);
    }
    test_heap_check_empty(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_node_by_node),           cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(any_split_of_a_batch),      cmocka_unit_test(arena_holds_no_inner_values),
        cmocka_unit_test(running_allocates_nothing), cmocka_unit_test(forward_and_backward_apart),
        cmocka_unit_test(arena_keeps_a_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
