/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_concurrent.c - what may run at once: plans of one model, layers, contexts,
 * references, error texts. Run under ThreadSanitizer too, so all threads are
 * plain ones: the context's parallel_for is the test's.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

enum {
    THREADS = 4,
    RUNS = 8,
    N = 3,
    H = 48,
    W = 40,
    C = 4
};

static struct test_pool pool = { .order = TEST_ORDER_THREADS, .threads = 3 };
static coordconv_context *context;

static const int64_t x_shape[4] = { N, H, W, C };

/* Run fn once for each of THREADS arguments of `size` bytes, all at the same time. */
static void at_once(void *(*fn)(void *arg), void *args, size_t size)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, (char *)args + i * size), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static coordconv_layer *new_conv(coordconv_context *in)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
                                         .in_channels = C,
                                         .out_channels = 6,
                                         .kernel = { 3, 3 },
                                         .padding = COORDCONV_SAME };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(in, &desc, &layer));
    return layer;
}

/* conv, batch norm, pooling, linear, softmax cross-entropy. */
static coordconv_model *new_model(coordconv_context *in)
{
    const int64_t shape[4] = { -1, H, W, C }, one[1] = { -1 };
    const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc, .channels = 6 };
    const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                .in_features = 6,
                                                .out_features = 5 };
    coordconv_layer *conv = new_conv(in), *norm = NULL, *linear = NULL;
    coordconv_model *m = NULL;

    check_ok(coordconv_batch_norm_new(in, &norm_desc, &norm));
    check_ok(coordconv_linear_new(in, &linear_desc, &linear));
    check_ok(coordconv_model_new(in, &m));
    coordconv_value h = coordconv_model_input(m, "x", COORDCONV_F32, 4, shape);
    h = coordconv_model_relu(m, coordconv_model_apply(m, conv, h));
    h = coordconv_model_global_avg_pool(m, coordconv_model_apply(m, norm, h));
    h = coordconv_model_apply(m, linear, h);
    coordconv_model_output(m, "y", h);
    coordconv_model_output(m, "loss",
                           coordconv_model_softmax_cross_entropy(
                               m, h, coordconv_model_input(m, "labels", COORDCONV_I32, 1, one)));
    coordconv_layer_unref(conv);
    coordconv_layer_unref(norm);
    coordconv_layer_unref(linear);
    return m;
}

static coordconv_plan *new_plan(coordconv_context *in, coordconv_model *m, int32_t mode,
                                uint64_t seed)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .mode = mode, .batch = N };
    coordconv_tensor *x = test_tensor(in, 4, x_shape, seed), *labels = test_labels(in, N, 5, seed);
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(m, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "x", x));
    check_ok(coordconv_plan_bind(plan, "labels", labels));
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(labels);
    return plan;
}

static coordconv_tensor *output(coordconv_plan *plan)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_plan_output(plan, "y", &y));
    return y;
}

/* In threads nothing is asserted (cmocka jumps): failures are counted and told afterwards. */
static atomic_int failures;

static void must(int right)
{
    if (!right)
        atomic_fetch_add(&failures, 1);
}

/* ---- plans ---- */

struct runner {
    coordconv_plan *plan;
    const coordconv_tensor *weight; /* of the model all run */
    float want[N * 5];
};

static void *run_plan(void *arg)
{
    struct runner *r = arg;

    for (int i = 0; i < RUNS; i++) {
        coordconv_tensor *y = NULL;
        must(coordconv_plan_run(r->plan) == COORDCONV_OK);
        must(coordconv_plan_output(r->plan, "y", &y) == COORDCONV_OK);
        must(memcmp(coordconv_tensor_const_data(y), r->want, sizeof r->want) == 0);
        must(((const float *)coordconv_tensor_const_data(r->weight))[i] != 0);
        coordconv_tensor_unref(y);
    }
    return NULL;
}

static void plans_of_one_model(void **state)
{
    coordconv_model *m = new_model(context);
    struct runner runners[THREADS];
    coordconv_tensor *weight = test_parameter(coordconv_model_layer(m, 0), "weight");
    (void)state;

    for (size_t i = 0; i < THREADS; i++) {
        runners[i].weight = weight;
        runners[i].plan = new_plan(context, m, COORDCONV_INFERENCE, 10 + i);
        check_ok(coordconv_plan_run(runners[i].plan));
        coordconv_tensor *y = output(runners[i].plan);
        memcpy(runners[i].want, test_values(y), sizeof runners[i].want);
        coordconv_tensor_unref(y);
    }
    assert_memory_not_equal(runners[0].want, runners[1].want, sizeof runners[0].want);
    at_once(run_plan, runners, sizeof runners[0]);
    assert_int_equal(atomic_load(&failures), 0);
    for (size_t i = 0; i < THREADS; i++)
        coordconv_plan_unref(runners[i].plan);
    coordconv_model_unref(m);
}

/* Each thread makes, runs and drops plans of the model. */
struct maker {
    coordconv_model *model;
    coordconv_tensor *x, *labels;
};

static void *make_plans(void *arg)
{
    const struct maker *m = arg;

    for (int i = 0; i < RUNS; i++) {
        const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = N };
        coordconv_plan *plan = NULL;
        must(coordconv_plan_new(m->model, &desc, &plan) == COORDCONV_OK);
        must(coordconv_plan_bind(plan, "x", m->x) == COORDCONV_OK);
        must(coordconv_plan_bind(plan, "labels", m->labels) == COORDCONV_OK);
        must(coordconv_plan_run(plan) == COORDCONV_OK);
        coordconv_plan_unref(plan);
    }
    return NULL;
}

static void making_plans_of_one_model(void **state)
{
    struct maker makers[THREADS];
    struct maker first = { .model = new_model(context),
                           .x = test_tensor(context, 4, x_shape, 20),
                           .labels = test_labels(context, N, 5, 21) };
    (void)state;

    for (size_t i = 0; i < THREADS; i++)
        makers[i] = first;
    at_once(make_plans, makers, sizeof makers[0]);
    assert_int_equal(atomic_load(&failures), 0);
    coordconv_tensor_unref(first.x);
    coordconv_tensor_unref(first.labels);
    coordconv_model_unref(first.model);
}

/* ---- a layer, references, errors ---- */

struct layer_user {
    coordconv_layer *layer;
    coordconv_tensor *x, *y;
};

static void *use_layer(void *arg)
{
    const struct layer_user *u = arg;

    for (int i = 0; i < RUNS; i++) {
        coordconv_tensor *weight = NULL, *view = NULL;
        must(coordconv_layer_forward(u->layer, COORDCONV_INFERENCE, u->x, u->y, NULL, 0) ==
             COORDCONV_OK);
        must(coordconv_layer_parameter(u->layer, "weight", &weight) == COORDCONV_OK);
        must(coordconv_tensor_slice(u->x, 0, 1, 1, &view) == COORDCONV_OK);
        coordconv_tensor_unref(view);
        coordconv_tensor_unref(weight);
        coordconv_layer_unref(coordconv_layer_ref(u->layer));
        coordconv_tensor_unref(coordconv_tensor_ref(u->x));
    }
    return NULL;
}

static void a_shared_layer(void **state)
{
    const int64_t shape[4] = { N, H, W, 6 };
    coordconv_layer *layer = new_conv(context);
    coordconv_tensor *x = test_tensor(context, 4, x_shape, 30);
    struct layer_user users[THREADS];
    (void)state;

    for (size_t i = 0; i < THREADS; i++) {
        users[i] = (struct layer_user){ .layer = layer, .x = x };
        check_ok(coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &users[i].y));
    }
    at_once(use_layer, users, sizeof users[0]);
    assert_int_equal(atomic_load(&failures), 0);
    for (size_t i = 0; i < THREADS; i++) {
        test_check_same(users[i].y, users[0].y, "y");
        if (i > 0)
            coordconv_tensor_unref(users[i].y);
    }
    coordconv_tensor_unref(users[0].y);
    coordconv_tensor_unref(x);
    coordconv_layer_unref(layer);
}

static void *fail_with_own_text(void *arg)
{
    const int32_t dtype = *(const int32_t *)arg;
    char text[16];

    snprintf(text, sizeof text, "%d", (int)dtype);
    must(coordconv_last_error()[0] == '\0'); /* a thread begins with none */
    for (int i = 0; i < 1000; i++) {
        coordconv_tensor *out = NULL;
        must(coordconv_tensor_new(context, dtype, 0, NULL, &out) == COORDCONV_ERR_DTYPE);
        must(strstr(coordconv_last_error(), text) != NULL);
    }
    return NULL;
}

static void each_thread_has_its_own_error(void **state)
{
    int32_t dtypes[THREADS] = { 1111, 2222, 3333, 4444 };
    (void)state;

    at_once(fail_with_own_text, dtypes, sizeof dtypes[0]);
    assert_int_equal(atomic_load(&failures), 0);
}

/* ---- training, contexts ---- */

struct trainer {
    float first_weight;
};

/* A context, a net and its training of the thread's own. */
static void *train(void *arg)
{
    struct trainer *t = arg;
    struct test_pool own = { .order = TEST_ORDER_THREADS, .threads = 2 };
    const coordconv_context_desc context_desc = { .struct_size = sizeof context_desc,
                                                  .threads = 2,
                                                  .parallel_for = test_pool_run,
                                                  .parallel_user = &own };
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = COORDCONV_ADAM };
    coordconv_context *mine = NULL;
    coordconv_optimizer *optimizer = NULL;
    coordconv_tensor *weight = NULL;

    must(coordconv_context_new(&context_desc, &mine) == COORDCONV_OK);
    coordconv_model *m = new_model(mine);
    coordconv_plan *plan = new_plan(mine, m, COORDCONV_TRAINING, 40);
    must(coordconv_optimizer_new(plan, &desc, &optimizer) == COORDCONV_OK);
    for (int i = 0; i < 4; i++) {
        must(coordconv_plan_run(plan) == COORDCONV_OK);
        must(coordconv_optimizer_step(optimizer) == COORDCONV_OK);
    }
    must(coordconv_layer_parameter(coordconv_model_layer(m, 0), "weight", &weight) == COORDCONV_OK);
    t->first_weight = *(const float *)coordconv_tensor_data(weight);
    coordconv_tensor_unref(weight);
    coordconv_optimizer_unref(optimizer);
    coordconv_plan_unref(plan);
    coordconv_model_unref(m);
    coordconv_context_unref(mine);
    return NULL;
}

static void contexts_have_nothing_in_common(void **state)
{
    struct trainer alone = { 0 }, together[THREADS] = { { 0 } };
    (void)state;

    train(&alone);
    at_once(train, together, sizeof together[0]);
    assert_int_equal(atomic_load(&failures), 0);
    assert_true(alone.first_weight != 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(together[i].first_weight == alone.first_weight);
}

/* Layers made by several threads on one context: each gets its own number. */
static void *make_layer(void *arg)
{
    coordconv_layer **layer = arg;
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = 4,
                                         .out_features = 4 };

    must(coordconv_linear_new(context, &desc, layer) == COORDCONV_OK);
    return NULL;
}

static void layers_made_at_once_differ(void **state)
{
    coordconv_layer *layers[THREADS] = { NULL };
    (void)state;

    at_once(make_layer, layers, sizeof layers[0]);
    assert_int_equal(atomic_load(&failures), 0);
    for (size_t i = 0; i < THREADS; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(test_values(test_parameter(layers[i], "weight")),
                                    test_values(test_parameter(layers[k], "weight")), 64);
    for (size_t i = 0; i < THREADS; i++)
        coordconv_layer_unref(layers[i]);
}

static int start(void **state)
{
    (void)state;
    context = test_context(3, NULL, &pool);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_true(atomic_load(&pool.calls) > 0);
    coordconv_context_unref(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_of_one_model),
        cmocka_unit_test(making_plans_of_one_model),
        cmocka_unit_test(a_shared_layer),
        cmocka_unit_test(each_thread_has_its_own_error),
        cmocka_unit_test(contexts_have_nothing_in_common),
        cmocka_unit_test(layers_made_at_once_differ),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
