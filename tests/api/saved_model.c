/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/saved_model.h"

#include <string.h>

#define BATCH  4
#define HEIGHT 5
#define WIDTH  6

static void make_layers(struct saved_model *m, int32_t channels)
{
    const coordconv_conv2d_desc conv = { .struct_size = sizeof conv,
                                         .coords = COORDCONV_COORDS_XY,
                                         .in_channels = 2,
                                         .out_channels = channels,
                                         .kernel = { 3, 3 },
                                         .padding = COORDCONV_SAME };
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = channels };
    const coordconv_linear_desc head = { .struct_size = sizeof head,
                                         .in_features = channels,
                                         .out_features = 2 };

    check_ok(coordconv_conv2d_new(m->context, &conv, &m->layer[0]));
    check_ok(coordconv_layer_set_name(m->layer[0], "conv1"));
    check_ok(coordconv_batch_norm_new(m->context, &norm, &m->layer[1]));
    check_ok(coordconv_linear_new(m->context, &head, &m->layer[2]));
    check_ok(coordconv_layer_set_name(m->layer[2], "head"));
}

static void make_model(struct saved_model *m)
{
    static const int64_t image[] = { -1, HEIGHT, WIDTH, 2 };
    static const int64_t pair[] = { -1, 2 };
    coordconv_value x, target;

    check_ok(coordconv_model_new(m->context, &m->model));
    x = coordconv_model_input(m->model, "image", TEST_REAL, 4, image);
    target = coordconv_model_input(m->model, "target", TEST_REAL, 2, pair);
    x = coordconv_model_apply(m->model, m->layer[0], x);
    x = coordconv_model_relu(m->model, coordconv_model_apply(m->model, m->layer[1], x));
    x = coordconv_model_global_avg_pool(m->model, x);
    x = coordconv_model_apply(m->model, m->layer[2], x);
    coordconv_model_output(m->model, "y", x);
    coordconv_model_output(m->model, "loss", coordconv_model_mse(m->model, x, target));
    check_ok(coordconv_model_status(m->model));
    for (int i = 0; i < saved_model_layers; i++)
        coordconv_layer_unref(m->layer[i]); /* the model holds them */
}

static void make_optimizer(struct saved_model *m, int32_t kind)
{
    const coordconv_plan_desc plan = { .struct_size = sizeof plan,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = BATCH };
    coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = kind };

    desc.weight_decay = 0.01;
    desc.momentum = kind == COORDCONV_SGD ? 0.9 : 0;
    if (kind == SAVED_MODEL_PLAIN_SGD)
        desc.kind = COORDCONV_SGD;
    check_ok(coordconv_plan_new(m->model, &plan, &m->plan));
    check_ok(coordconv_optimizer_new(m->plan, &desc, &m->optimizer));
}

void saved_model_make_on(struct saved_model *m, uint64_t seed, int32_t optimizer, int32_t channels,
                         struct test_heap *heap)
{
    coordconv_context_desc desc = { .struct_size = sizeof desc, .seed = seed, .threads = 1 };

    memset(m, 0, sizeof *m);
    if (heap != NULL) {
        desc.alloc = test_heap_alloc;
        desc.free = test_heap_free;
        desc.alloc_user = heap;
    }
    check_ok(coordconv_context_new(&desc, &m->context));
    make_layers(m, channels);
    make_model(m);
    if (optimizer != 0)
        make_optimizer(m, optimizer);
}

void saved_model_make_wide(struct saved_model *m, uint64_t seed, int32_t optimizer,
                           int32_t channels)
{
    saved_model_make_on(m, seed, optimizer, channels, NULL);
}

void saved_model_make(struct saved_model *m, uint64_t seed, int32_t optimizer)
{
    saved_model_make_on(m, seed, optimizer, 3, NULL);
}

void saved_model_free(struct saved_model *m)
{
    coordconv_optimizer_unref(m->optimizer);
    coordconv_plan_unref(m->plan);
    coordconv_plan_unref(m->inference);
    coordconv_model_unref(m->model);
    coordconv_context_unref(m->context);
}

static void bind(coordconv_plan *plan, coordconv_context *context, const char *name, int32_t ndim,
                 const int64_t *shape, uint64_t seed)
{
    coordconv_tensor *tensor = test_tensor(context, ndim, shape, seed);

    check_ok(coordconv_plan_bind(plan, name, tensor));
    coordconv_tensor_unref(tensor); /* the plan holds it */
}

void saved_model_train(struct saved_model *m, int steps)
{
    static const int64_t image[] = { BATCH, HEIGHT, WIDTH, 2 };
    static const int64_t pair[] = { BATCH, 2 };

    for (int i = 0; i < steps; i++) {
        const uint64_t step = (uint64_t)coordconv_optimizer_steps(m->optimizer);
        bind(m->plan, m->context, "image", 4, image, 1000 + step);
        bind(m->plan, m->context, "target", 2, pair, 2000 + step);
        check_ok(coordconv_plan_run(m->plan));
        check_ok(coordconv_optimizer_step(m->optimizer));
    }
}

coordconv_tensor *saved_model_run(struct saved_model *m)
{
    static const int64_t image[] = { BATCH, HEIGHT, WIDTH, 2 };
    static const int64_t pair[] = { BATCH, 2 };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = BATCH };
    coordconv_tensor *output = NULL, *copy = NULL;

    if (m->inference == NULL) {
        check_ok(coordconv_plan_new(m->model, &desc, &m->inference));
        bind(m->inference, m->context, "image", 4, image, 3000);
        bind(m->inference, m->context, "target", 2, pair, 3001);
    }
    check_ok(coordconv_plan_run(m->inference));
    check_ok(coordconv_plan_output(m->inference, "y", &output));
    copy = test_like(m->context, output);
    check_ok(coordconv_tensor_copy(copy, output));
    coordconv_tensor_unref(output);
    return copy;
}

void saved_model_check_parameters(const struct saved_model *got, const struct saved_model *want)
{
    static const char *const names[] = { "weight", "bias", "running_mean", "running_var" };

    for (int i = 0; i < saved_model_layers; i++) {
        for (size_t k = 0; k < (i == 1 ? COUNT(names) : 2); k++)
            test_check_same(test_parameter(got->layer[i], names[k]),
                            test_parameter(want->layer[i], names[k]), names[k]);
    }
}

void saved_model_check_same(const struct saved_model *got, const struct saved_model *want)
{
    const int32_t states = coordconv_optimizer_state_count(want->optimizer);

    saved_model_check_parameters(got, want);
    assert_int_equal(coordconv_optimizer_state_count(got->optimizer), states);
    for (int32_t i = 0; i < states; i++) {
        coordconv_tensor *a = NULL, *b = NULL;
        const char *name = NULL;
        check_ok(coordconv_optimizer_state(got->optimizer, i, NULL, &a));
        check_ok(coordconv_optimizer_state(want->optimizer, i, &name, &b));
        test_check_same(a, b, name);
    }
}
