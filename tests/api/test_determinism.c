/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_determinism.c - the same bits for any number of threads, any order of
 * the parallel pieces and any split of a batch.
 *
 * Sizes are such that every operation has several pieces to hand out.
 */
#include <string.h>

#include "support.h"

enum {
    BATCH = 7,
    SIDE = 28,
    CLASSES = 10,
    STEPS = 5
};

/* Everything that was computed, to be compared bit for bit. */
struct result {
    coordconv_tensor *part[8];
    int32_t count;
};

static void keep(struct result *r, coordconv_context *context, coordconv_tensor *tensor)
{
    coordconv_tensor *copy = test_like(context, tensor);

    assert_in_range(r->count, 0, COUNT(r->part) - 1);
    check_ok(coordconv_tensor_copy(copy, tensor));
    r->part[r->count++] = copy;
}

static void drop(struct result *r)
{
    for (int32_t i = 0; i < r->count; i++)
        coordconv_tensor_unref(r->part[i]);
    r->count = 0;
}

static void compare(const struct result *got, const struct result *want, const char *what)
{
    assert_int_equal(got->count, want->count);
    for (int32_t i = 0; i < got->count; i++)
        test_check_same(got->part[i], want->part[i], what);
}

/* ---- a net with everything in it ---- */

static coordconv_value apply(coordconv_context *context, coordconv_model *m, int kind, int32_t in,
                             int32_t out, coordconv_value x)
{
    const coordconv_conv2d_desc conv = {
        .struct_size = sizeof conv,
        .coords = kind == 0 ? COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS : COORDCONV_COORDS_NONE,
        .in_channels = in,
        .out_channels = out,
        .kernel = { 3, 3 },
        .groups = kind == 1 ? in : 1,
        .padding = COORDCONV_SAME
    };
    const coordconv_conv_transpose2d_desc up = { .struct_size = sizeof up,
                                                 .coords = COORDCONV_COORDS_XY,
                                                 .in_channels = in,
                                                 .out_channels = out,
                                                 .kernel = { 3, 3 },
                                                 .stride = { 2, 2 },
                                                 .padding = COORDCONV_SAME };
    const coordconv_linear_desc linear = { .struct_size = sizeof linear,
                                           .in_features = in,
                                           .out_features = out };
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = in };
    const coordconv_group_norm_desc groups = { .struct_size = sizeof groups,
                                               .channels = in,
                                               .groups = 3 };
    coordconv_layer *layer = NULL;

    check_ok(kind <= 1   ? coordconv_conv2d_new(context, &conv, &layer)
             : kind == 2 ? coordconv_conv_transpose2d_new(context, &up, &layer)
             : kind == 3 ? coordconv_linear_new(context, &linear, &layer)
             : kind == 4 ? coordconv_batch_norm_new(context, &norm, &layer)
                         : coordconv_group_norm_new(context, &groups, &layer));
    const coordconv_value y = coordconv_model_apply(m, layer, x);
    coordconv_layer_unref(layer);
    return y;
}

static coordconv_model *new_net(coordconv_context *context)
{
    const int64_t image[4] = { -1, SIDE, SIDE, 3 }, one[1] = { -1 };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    const coordconv_upsample2d_desc larger = { .struct_size = sizeof larger,
                                               .factor = { 2, 2 },
                                               .mode = COORDCONV_UPSAMPLE_BILINEAR };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 4, image);
    coordconv_value h = apply(context, m, 0, 3, 12, x);
    const coordconv_value skip = h = coordconv_model_relu(m, apply(context, m, 4, 12, 12, h));
    h = coordconv_model_max_pool2d(m, h, &pool);
    h = coordconv_model_leaky_relu(m, apply(context, m, 1, 12, 12, h), 0.1);
    h = apply(context, m, 2, 12, 12, h);
    h = apply(context, m, 5, 12, 12, h);
    h = coordconv_model_add(m, coordconv_model_tanh(m, h), skip);
    h = coordconv_model_avg_pool2d(m, h, &pool);
    h = coordconv_model_avg_pool2d(m, coordconv_model_upsample2d(m, h, &larger), &pool);
    coordconv_model_output(m, "map", coordconv_model_softmax(m, h, 1u << 1 | 1u << 2));
    const coordconv_value parts[3] = {
        coordconv_model_global_avg_pool(m, h), coordconv_model_global_max_pool(m, h),
        coordconv_model_sigmoid(m, coordconv_model_global_sum_pool(m, h))
    };
    h = coordconv_model_concat(m, 3, parts, 1);
    h = apply(context, m, 3, 36, CLASSES, h);
    coordconv_model_output(m, "y", h);
    const coordconv_value loss = coordconv_model_softmax_cross_entropy(
        m, h, coordconv_model_input(m, "labels", COORDCONV_I32, 1, one));
    const coordconv_value kl = coordconv_model_gaussian_kl(m, h, h);
    coordconv_model_output(m, "loss",
                           coordconv_model_add(m, loss, coordconv_model_scale(m, kl, 0.01)));
    return m;
}

/* Convolution, batch norm, pooling, linear: few calls of parallel_for. */
static coordconv_model *new_small_net(coordconv_context *context)
{
    const int64_t image[4] = { -1, SIDE, SIDE, 3 }, one[1] = { -1 };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(context, &m));
    coordconv_value h = coordconv_model_input(m, "x", COORDCONV_F32, 4, image);
    h = apply(context, m, 0, 3, 12, h);
    h = coordconv_model_max_pool2d(m, apply(context, m, 4, 12, 12, h), &pool);
    coordconv_model_output(m, "map", h);
    h = apply(context, m, 3, 12, CLASSES, coordconv_model_global_avg_pool(m, h));
    coordconv_model_output(m, "y", h);
    coordconv_model_output(m, "loss",
                           coordconv_model_softmax_cross_entropy(
                               m, h, coordconv_model_input(m, "labels", COORDCONV_I32, 1, one)));
    return m;
}

typedef coordconv_model *net_fn(coordconv_context *context);

static coordconv_plan *new_plan(coordconv_model *m, int32_t mode, int64_t batch)
{
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .batch = batch, .input_gradients = mode
    };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(m, &desc, &plan));
    return plan;
}

static void bind(coordconv_plan *plan, coordconv_tensor *x, coordconv_tensor *labels)
{
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "labels", labels));
}

static void keep_output(struct result *r, coordconv_context *context, coordconv_plan *plan,
                        const char *name)
{
    coordconv_tensor *t = NULL;

    check_ok(coordconv_plan_output(plan, name, &t));
    keep(r, context, t);
    coordconv_tensor_unref(t);
}

/* Forward, backward, then five steps of training, on this context. */
static void train(coordconv_context *context, net_fn *net, struct result *r)
{
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                            .kind = COORDCONV_ADAM,
                                            .clip_norm = 0.5 };
    const int64_t shape[4] = { BATCH, SIDE, SIDE, 3 };
    coordconv_tensor *x = test_tensor(context, 4, shape, 50), *t = NULL;
    coordconv_tensor *labels = test_labels(context, BATCH, CLASSES, 51);
    coordconv_model *m = net(context);
    coordconv_plan *plan = new_plan(m, COORDCONV_TRAINING, BATCH);
    coordconv_optimizer *optimizer = NULL;

    bind(plan, x, labels);
    check_ok(coordconv_optimizer_new(plan, &desc, &optimizer));
    check_ok(coordconv_plan_run(plan));
    keep_output(r, context, plan, "map");
    keep_output(r, context, plan, "y");
    keep_output(r, context, plan, "loss");
    check_ok(coordconv_plan_input_gradient(plan, "x", &t));
    keep(r, context, t);
    coordconv_tensor_unref(t);
    check_ok(coordconv_plan_gradients(plan, &t));
    keep(r, context, t);
    coordconv_tensor_unref(t);
    for (int step = 0; step < STEPS; step++) {
        check_ok(coordconv_plan_run(plan));
        check_ok(coordconv_optimizer_step(optimizer));
    }
    const int64_t count = coordconv_model_parameter_count(m);
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 1, &count, &t));
    check_ok(coordconv_plan_get_parameters(plan, t));
    keep(r, context, t);
    keep(r, context, test_parameter(coordconv_model_layer(m, 1), "running_var"));
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(labels);
    coordconv_optimizer_unref(optimizer);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
}

static uint32_t isas[TEST_MAX_ISAS];
static size_t isa_count;

static coordconv_context *new_context(uint32_t isa, int32_t threads, struct test_pool *pool)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .max_isa = isa,
                                          .seed = 12,
                                          .threads = threads,
                                          .parallel_for = pool != NULL ? test_pool_run : NULL,
                                          .parallel_user = pool };
    coordconv_context *context = NULL;

    check_ok(coordconv_context_new(&desc, &context));
    return context;
}

static void trained_on(net_fn *net, uint32_t isa, int32_t threads, struct test_pool *pool,
                       struct result *r)
{
    coordconv_context *context = new_context(isa, threads, pool);

    train(context, net, r);
    coordconv_context_unref(context);
}

/* Our own threads wait busily and there may be fewer processors, so this is the
 * small net; the other tests have the test's threads. */
static void any_number_of_our_own_threads(void **state)
{
    static const int32_t counts[] = { 2, 3, 5 };
    struct result want = { .count = 0 };
    (void)state;

    trained_on(new_small_net, COORDCONV_ISA_BEST, 1, NULL, &want);
    for (size_t k = 0; k < COUNT(counts); k++) {
        struct result got = { .count = 0 };
        trained_on(new_small_net, COORDCONV_ISA_BEST, counts[k], NULL, &got);
        compare(&got, &want, "threads of our own");
        drop(&got);
    }
    drop(&want);
}

static void any_number_of_threads_in_any_order(void **state)
{
    static const struct {
        enum test_order order;
        int32_t told, threads; /* of which the context is told, and that there are */
    } cases[] = { { TEST_ORDER_FORWARD, 3, 1 },  { TEST_ORDER_BACKWARD, 3, 1 },
                  { TEST_ORDER_BACKWARD, 5, 1 }, { TEST_ORDER_THREADS, 2, 2 },
                  { TEST_ORDER_THREADS, 3, 3 },  { TEST_ORDER_THREADS, 5, 5 },
                  { TEST_ORDER_THREADS, 4, 2 } };
    (void)state;

    for (size_t i = 0; i < isa_count; i++) {
        struct result want = { .count = 0 };
        trained_on(new_net, isas[i], 1, NULL, &want);
        for (size_t k = 0; k < COUNT(cases); k++) {
            struct test_pool pool = { .order = cases[k].order,
                                      .threads = (size_t)cases[k].threads };
            struct result got = { .count = 0 };
            trained_on(new_net, isas[i], cases[k].told, &pool, &got);
            assert_true(atomic_load(&pool.calls) > 50);
            compare(&got, &want, "the test's threads");
            drop(&got);
        }
        drop(&want);
    }
}

/* Seeds are seeds: the comparisons above would see another net. */
static void another_seed_is_another_net(void **state)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc, .seed = 13, .threads = 1 };
    coordconv_context *context = NULL;
    struct result a = { .count = 0 }, b = { .count = 0 };
    (void)state;

    check_ok(coordconv_context_new(&desc, &context));
    train(context, new_net, &a);
    trained_on(new_net, COORDCONV_ISA_BEST, 1, NULL, &b);
    assert_memory_not_equal(test_values(a.part[5]), test_values(b.part[5]), 64);
    drop(&a);
    drop(&b);
    coordconv_context_unref(context);
}

/* ---- batch splits ---- */

/* Samples first .. first + count - 1 of x into the same of y. */
static void run_part(coordconv_model *m, coordconv_tensor *x, coordconv_tensor *labels,
                     int64_t first, int64_t count, coordconv_tensor *y)
{
    coordconv_plan *plan = new_plan(m, COORDCONV_INFERENCE, count);
    coordconv_tensor *in = NULL, *out = NULL, *some = NULL;

    check_ok(coordconv_tensor_slice(x, 0, first, count, &in));
    check_ok(coordconv_tensor_slice(labels, 0, first, count, &some));
    check_ok(coordconv_tensor_slice(y, 0, first, count, &out));
    bind(plan, in, some);
    check_ok(coordconv_plan_bind(plan, "map", out));
    check_ok(coordconv_plan_run(plan));
    coordconv_tensor_unref(in);
    coordconv_tensor_unref(some);
    coordconv_tensor_unref(out);
    coordconv_plan_unref(plan);
}

static void any_split_of_a_batch(void **state)
{
    static const int64_t splits[][BATCH + 1] = {
        { 7 }, { 1, 1, 1, 1, 1, 1, 1 }, { 3, 4 }, { 5, 2 }, { 2, 2, 3 },
    };
    const int64_t shape[4] = { BATCH, SIDE, SIDE, 3 };
    const int64_t map[4] = { BATCH, SIDE / 2, SIDE / 2, 12 };
    (void)state;

    for (size_t i = 0; i < isa_count; i++) {
        struct test_pool pool = { .order = TEST_ORDER_BACKWARD };
        coordconv_context *context = new_context(isas[i], 2, &pool);
        coordconv_model *m = new_net(context);
        coordconv_tensor *x = test_tensor(context, 4, shape, 60), *want = NULL;
        coordconv_tensor *labels = test_labels(context, BATCH, CLASSES, 61);
        for (size_t k = 0; k < COUNT(splits); k++) {
            coordconv_tensor *y = NULL;
            int64_t first = 0;
            check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, map, &y));
            for (int part = 0; splits[k][part] > 0; first += splits[k][part++])
                run_part(m, x, labels, first, splits[k][part], y);
            assert_int_equal(first, BATCH);
            if (want == NULL)
                want = coordconv_tensor_ref(y);
            test_check_same(y, want, "a split batch");
            coordconv_tensor_unref(y);
        }
        coordconv_tensor_unref(want);
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(labels);
        coordconv_model_unref(m);
        coordconv_context_unref(context);
    }
}

/* Layers by themselves, at widths that take each of the inner loops. */
static void layers_by_themselves(void **state)
{
    static const int32_t widths[] = { 1, 2, 4, 8, 16, 17, 32, 48 };
    const int64_t shape[4] = { BATCH, 18, 23, 5 };
    (void)state;

    for (size_t i = 0; i < isa_count * COUNT(widths); i++) {
        const int32_t width = widths[i % COUNT(widths)];
        const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                             .coords = COORDCONV_COORDS_XY,
                                             .in_channels = 5,
                                             .out_channels = width,
                                             .kernel = { 3, 3 },
                                             .padding = COORDCONV_SAME };
        struct result want = { .count = 0 };
        for (int32_t threads = 1; threads <= 5; threads += 2) {
            struct test_pool pool = { .order = TEST_ORDER_THREADS, .threads = (size_t)threads };
            coordconv_context *context = new_context(isas[i / COUNT(widths)], threads, &pool);
            coordconv_layer *layer = NULL;
            struct result got = { .count = 0 };
            int64_t out[4];
            check_ok(coordconv_conv2d_new(context, &desc, &layer));
            test_fill_layer(layer, 70);
            check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
            coordconv_tensor *x = test_tensor(context, 4, shape, 71), *dx = test_like(context, x);
            coordconv_tensor *dy = test_tensor(context, 4, out, 72), *y = test_like(context, dy);
            coordconv_tensor *g[2] = { test_like(context, test_parameter(layer, "weight")),
                                       test_like(context, test_parameter(layer, "bias")) };
            check_ok(coordconv_layer_forward(layer, COORDCONV_TRAINING, x, y, NULL, 0));
            check_ok(coordconv_layer_backward(layer, x, dy, dx, g, NULL, 0));
            coordconv_tensor *all[] = { y, dx, g[0], g[1], x, dy };
            for (size_t k = 0; k < COUNT(all); k++) {
                keep(&got, context, all[k]);
                coordconv_tensor_unref(all[k]);
            }
            if (threads == 1)
                want = got;
            compare(&got, &want, "a layer");
            if (threads != 1)
                drop(&got);
            coordconv_layer_unref(layer);
            coordconv_context_unref(context);
        }
        drop(&want);
    }
}

/* Outputs of more than any cache holds, which may be written past it, as a batch and one
 * by one. Images of odd extent leave the second of them on no line of a cache. */
static void large_images_one_by_one(void **state)
{
    static const int32_t widths[] = { 4, 8, 16 };
    (void)state;

    for (size_t i = 0; i < isa_count * COUNT(widths); i++) {
        const int32_t width = widths[i % COUNT(widths)], stride = width == 4 ? 4 : 2;
        const coordconv_conv_transpose2d_desc desc = { .struct_size = sizeof desc,
                                                       .in_channels = 3,
                                                       .out_channels = width,
                                                       .kernel = { stride + 1, stride + 1 },
                                                       .stride = { stride, stride },
                                                       .pads = { 1, 1, 1, 1 } };
        const int64_t side = width == 4 ? 159 : 226, shape[4] = { 2, side, side, 3 };
        coordconv_context *context = new_context(isas[i / COUNT(widths)], 2, NULL);
        coordconv_layer *layer = NULL;
        int64_t out[4];
        check_ok(coordconv_conv_transpose2d_new(context, &desc, &layer));
        test_fill_layer(layer, 80);
        check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
        assert_int_equal(out[1] % 2, 1);
        assert_true(2 * out[1] * out[2] * out[3] * (int64_t)sizeof(float) > 12 << 20);
        coordconv_tensor *x = test_tensor(context, 4, shape, 81), *in = NULL, *part = NULL;
        coordconv_tensor *want = test_tensor(context, 4, out, 82), *y = test_like(context, want);
        check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, x, y, NULL, 0));
        for (int64_t n = 0; n < 2; n++) {
            check_ok(coordconv_tensor_slice(x, 0, n, 1, &in));
            check_ok(coordconv_tensor_slice(want, 0, n, 1, &part));
            check_ok(coordconv_layer_forward(layer, COORDCONV_INFERENCE, in, part, NULL, 0));
            coordconv_tensor_unref(in);
            coordconv_tensor_unref(part);
        }
        test_check_same(y, want, "large images");
        coordconv_tensor_unref(x);
        coordconv_tensor_unref(y);
        coordconv_tensor_unref(want);
        coordconv_layer_unref(layer);
        coordconv_context_unref(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_our_own_threads),
        cmocka_unit_test(any_number_of_threads_in_any_order),
        cmocka_unit_test(another_seed_is_another_net),
        cmocka_unit_test(any_split_of_a_batch),
        cmocka_unit_test(layers_by_themselves),
        cmocka_unit_test(large_images_one_by_one),
    };
    isa_count = test_isas(isas);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
