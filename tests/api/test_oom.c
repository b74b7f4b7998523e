/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_oom.c - every allocation of every scenario fails in turn.
 *
 * A scenario is run with allocation 0 refused, then 1, and so on until none is:
 *
 * - once, and given up: COORDCONV_ERR_NOMEM comes back, and dropping what there
 *   is gives every byte back;
 * - from then on, and given up: the same;
 * - once, and the failed call repeated on the same objects: it succeeds, and
 *   the result of the scenario is the same to the bit as if nothing had happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

enum {
    SLOTS = 24
};

/* Everything a scenario makes, so that it can be dropped from outside. */
struct stage {
    coordconv_context *context;
    coordconv_tensor *tensor[SLOTS];
    coordconv_layer *layer[SLOTS];
    coordconv_model *model[SLOTS];
    coordconv_plan *plan[SLOTS];
    coordconv_optimizer *optimizer[SLOTS];
    int repeat;      /* repeat a failed call */
    int refusals;    /* calls that failed for want of memory */
    int released;    /* calls of the release function of borrowed memory */
    uint64_t digest; /* of the results */
};

typedef coordconv_status scenario_fn(struct stage *s);

static int count_refusal(struct stage *s, coordconv_status status)
{
    if (status == COORDCONV_OK)
        return 0;
    s->refusals++;
    return s->repeat && status == COORDCONV_ERR_NOMEM;
}

/* Do a call, once more if it failed and that is wanted, and return from the
 * scenario if it still failed. */
#define TRY(s, call)                                                                               \
    do {                                                                                           \
        coordconv_status try_ = (call);                                                            \
        if (count_refusal((s), try_))                                                              \
            try_ = (call);                                                                         \
        if (try_ != COORDCONV_OK)                                                                  \
            return try_;                                                                           \
    } while (0)

static void digest_bytes(struct stage *s, const void *data, size_t bytes)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < bytes; i++) /* FNV-1a */
        s->digest = (s->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static void digest(struct stage *s, coordconv_tensor *tensor)
{
    assert_int_equal(coordconv_tensor_is_contiguous(tensor), 1);
    digest_bytes(s, coordconv_tensor_data(tensor),
                 (size_t)coordconv_tensor_count(tensor) *
                     coordconv_dtype_size(coordconv_tensor_dtype(tensor)));
}

/* ---- sweeping ---- */

static void drop(struct stage *s)
{
    /* Against the order of making: each keeps alive what it stands on. */
    coordconv_context_unref(s->context);
    for (int i = 0; i < SLOTS; i++) {
        coordconv_tensor_unref(s->tensor[i]);
        coordconv_layer_unref(s->layer[i]);
        coordconv_model_unref(s->model[i]);
        coordconv_plan_unref(s->plan[i]);
        coordconv_optimizer_unref(s->optimizer[i]);
    }
}

static coordconv_status play(scenario_fn *scenario, struct test_heap *heap, struct stage *s)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .threads = 1,
                                          .seed = 5,
                                          .alloc = test_heap_alloc,
                                          .free = test_heap_free,
                                          .alloc_user = heap };

    TRY(s, coordconv_context_new(&desc, &s->context));
    return scenario(s);
}

/* One scenario with allocation `at` refused; returns whether any was. */
static int play_refusing(scenario_fn *scenario, size_t at, int fail_on, int repeat, uint64_t *want)
{
    struct test_heap heap;
    struct stage s = { .repeat = repeat };

    test_heap_init(&heap);
    heap.fail_at = at;
    heap.fail_on = fail_on;
    const coordconv_status status = play(scenario, &heap, &s);
    const int refused = atomic_load(&heap.refused) > 0;
    if (refused && !repeat) {
        assert_int_equal(status, COORDCONV_ERR_NOMEM);
        assert_true(coordconv_last_error()[0] != '\0');
    } else {
        if (status != COORDCONV_OK)
            print_error("%s: %s\n", coordconv_status_name(status), coordconv_last_error());
        assert_int_equal(status, COORDCONV_OK);
        assert_int_equal(s.refusals, refused);
        if (*want == 0)
            *want = s.digest;
        assert_true(s.digest == *want);
    }
    drop(&s);
    test_heap_check_empty(&heap);
    return refused;
}

static void sweep(scenario_fn *scenario, size_t least)
{
    uint64_t want = 0;
    size_t count = 0;

    assert_false(play_refusing(scenario, SIZE_MAX, 0, 0, &want));
    while (play_refusing(scenario, count, 0, 0, &want))
        count++;
    for (size_t at = 0; at <= count; at++)
        assert_int_equal(play_refusing(scenario, at, 1, 0, &want), at < count);
    for (size_t at = 0; at <= count; at++)
        assert_int_equal(play_refusing(scenario, at, 0, 1, &want), at < count);
    print_message("  %zu allocations\n", count);
    assert_true(count >= least); /* the sweep has something to sweep */
}

/* ---- scenarios: tensors ---- */

static const int64_t image_shape[4] = { 2, 6, 5, 3 };

static coordconv_status nothing_but_a_context(struct stage *s)
{
    (void)s;
    return COORDCONV_OK;
}

static void count_release(void *user, void *data)
{
    struct stage *s = user;

    assert_non_null(data);
    s->released++;
}

static coordconv_status tensors(struct stage *s)
{
    static const int32_t axes[4] = { 0, 3, 1, 2 };
    static float borrowed[24];
    const int64_t shape[2] = { 4, 3 }, strides[2] = { 6, 1 };

    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F32, 4, image_shape, &s->tensor[0]));
    TRY(s, coordconv_tensor_init(s->tensor[0], COORDCONV_INIT_HE_NORMAL, 0, 3, 1, 4));
    TRY(s, coordconv_tensor_permute(s->tensor[0], axes, &s->tensor[1]));
    TRY(s, coordconv_tensor_slice(s->tensor[1], 2, 1, 4, &s->tensor[2]));
    const int64_t slice_shape[4] = { 2, 3, 4, 5 };
    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F64, 4, slice_shape, &s->tensor[3]));
    TRY(s, coordconv_tensor_copy(s->tensor[3], s->tensor[2]));
    digest(s, s->tensor[3]);
    const int released = s->released;
    TRY(s, coordconv_tensor_wrap(s->context, COORDCONV_F32, 2, shape, strides, borrowed,
                                 count_release, s, &s->tensor[4]));
    assert_int_equal(s->released, released); /* not by a call that failed */
    TRY(s, coordconv_tensor_fill(s->tensor[4], 2));
    coordconv_tensor_unref(s->tensor[4]);
    s->tensor[4] = NULL;
    assert_int_equal(s->released, released + 1);
    return COORDCONV_OK;
}

/* Out and back through both kinds of struct; a deleter is called by an import, or here. */
static coordconv_status dlpack(struct stage *s)
{
    coordconv_dl_managed *plain = NULL;
    coordconv_dl_managed_versioned *versioned = NULL;
    coordconv_status status;

    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F32, 4, image_shape, &s->tensor[0]));
    TRY(s, coordconv_tensor_init(s->tensor[0], COORDCONV_INIT_HE_NORMAL, 0, 3, 1, 4));
    TRY(s, coordconv_tensor_to_dlpack(s->tensor[0], &plain));
    status = coordconv_tensor_from_dlpack(s->context, plain, &s->tensor[1]);
    if (count_refusal(s, status))
        status = coordconv_tensor_from_dlpack(s->context, plain, &s->tensor[1]);
    if (status != COORDCONV_OK) {
        plain->deleter(plain);
        return status;
    }
    TRY(s, coordconv_tensor_to_dlpack_versioned(s->tensor[1], &versioned));
    status = coordconv_tensor_from_dlpack_versioned(s->context, versioned, &s->tensor[2]);
    if (count_refusal(s, status))
        status = coordconv_tensor_from_dlpack_versioned(s->context, versioned, &s->tensor[2]);
    if (status != COORDCONV_OK) {
        versioned->deleter(versioned);
        return status;
    }
    digest(s, s->tensor[2]);
    return COORDCONV_OK;
}

/* ---- layers ---- */

static const coordconv_conv2d_desc conv_desc = { .struct_size = sizeof conv_desc,
                                                 .coords =
                                                     COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
                                                 .in_channels = 3,
                                                 .out_channels = 4,
                                                 .kernel = { 3, 2 },
                                                 .padding = COORDCONV_SAME };
static const coordconv_conv_transpose2d_desc up_desc = { .struct_size = sizeof up_desc,
                                                         .coords = COORDCONV_COORDS_XY,
                                                         .in_channels = 4,
                                                         .out_channels = 3,
                                                         .kernel = { 3, 3 },
                                                         .stride = { 2, 2 },
                                                         .padding = COORDCONV_SAME };
static const coordconv_conv1d_desc line_desc = { .struct_size = sizeof line_desc,
                                                 .coords = COORDCONV_COORDS_X,
                                                 .in_channels = 3,
                                                 .out_channels = 4,
                                                 .kernel = 3 };
static const coordconv_conv3d_desc volume_desc = { .struct_size = sizeof volume_desc,
                                                   .coords = COORDCONV_COORDS_Z,
                                                   .in_channels = 2,
                                                   .out_channels = 3,
                                                   .kernel = { 2, 3, 1 },
                                                   .padding = COORDCONV_SAME };
static const coordconv_linear_desc linear_desc = { .struct_size = sizeof linear_desc,
                                                   .in_features = 3,
                                                   .out_features = 4 };
static const coordconv_batch_norm_desc norm_desc = { .struct_size = sizeof norm_desc,
                                                     .channels = 4 };

static const coordconv_group_norm_desc group_desc = { .struct_size = sizeof group_desc,
                                                      .channels = 4,
                                                      .groups = 2 };

/* The drawn weights go into the digest: a layer that could not be made is not counted among
 * the layers the context has made, so the next one draws what it would have drawn. */
static coordconv_status layers(struct stage *s)
{
    TRY(s, coordconv_conv2d_new(s->context, &conv_desc, &s->layer[0]));
    TRY(s, coordconv_conv_transpose2d_new(s->context, &up_desc, &s->layer[1]));
    TRY(s, coordconv_linear_new(s->context, &linear_desc, &s->layer[2]));
    TRY(s, coordconv_batch_norm_new(s->context, &norm_desc, &s->layer[3]));
    TRY(s, coordconv_layer_set_name(s->layer[3], "norm"));
    TRY(s, coordconv_linear_new(s->context, &linear_desc, &s->layer[4]));
    TRY(s, coordconv_conv1d_new(s->context, &line_desc, &s->layer[5]));
    TRY(s, coordconv_conv3d_new(s->context, &volume_desc, &s->layer[6]));
    for (int i = 0; i < 7; i++)
        digest(s, test_parameter(s->layer[i], "weight"));
    return COORDCONV_OK;
}

static coordconv_status other_coords(struct stage *s)
{
    coordconv_conv2d_desc plain = conv_desc;

    plain.coords = 0;
    TRY(s, coordconv_conv2d_new(s->context, &plain, &s->layer[0]));
    TRY(s, coordconv_layer_with_coords(s->layer[0], COORDCONV_COORDS_XY, &s->layer[1]));
    TRY(s, coordconv_layer_with_coords(s->layer[1], 0, &s->layer[2]));
    TRY(s, coordconv_conv2d_new(s->context, &plain, &s->layer[3]));
    for (int i = 0; i < 4; i++)
        digest(s, test_parameter(s->layer[i], "weight"));
    return COORDCONV_OK;
}

static coordconv_status new_like(struct stage *s, const coordconv_tensor *like,
                                 coordconv_tensor **out)
{
    int64_t shape[COORDCONV_MAX_NDIM] = { 0 };

    for (int32_t i = 0; i < coordconv_tensor_ndim(like); i++)
        shape[i] = coordconv_tensor_dim(like, i);
    return coordconv_tensor_new(s->context, TEST_REAL, coordconv_tensor_ndim(like), shape, out);
}

/* Forward and backward of one layer without a workspace. */
static coordconv_status run_layer(struct stage *s, coordconv_layer *layer, coordconv_tensor **slot,
                                  int32_t ndim, const int64_t *shape)
{
    int64_t out[5];
    coordconv_tensor *gradients[2] = { NULL, NULL };

    test_fill_layer(layer, 3);
    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, ndim, shape, &slot[0]));
    TRY(s, coordconv_tensor_init(slot[0], COORDCONV_INIT_HE_NORMAL, 0, 3, 1, 4));
    TRY(s, coordconv_layer_output_shape(layer, ndim, shape, out));
    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, ndim, out, &slot[1]));
    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, ndim, shape, &slot[2]));
    TRY(s, new_like(s, test_parameter(layer, "weight"), &slot[3]));
    gradients[0] = slot[3];
    TRY(s, coordconv_layer_forward(layer, COORDCONV_TRAINING, slot[0], slot[1], NULL, 0));
    digest(s, slot[1]);
    TRY(s, coordconv_layer_forward(layer, COORDCONV_INFERENCE, slot[0], slot[1], NULL, 0));
    digest(s, slot[1]);
    TRY(s, coordconv_layer_backward(layer, slot[0], slot[1], slot[2], NULL, NULL, 0));
    TRY(s, coordconv_layer_backward(layer, slot[0], slot[1], NULL, gradients, NULL, 0));
    digest(s, slot[2]);
    digest(s, gradients[0]);
    return COORDCONV_OK;
}

static coordconv_status layers_run(struct stage *s)
{
    const int64_t wide[4] = { 2, 6, 5, 4 }, flat[2] = { 6, 3 }, volume[5] = { 2, 3, 4, 5, 2 };
    coordconv_status status;

    TRY(s, coordconv_conv2d_new(s->context, &conv_desc, &s->layer[0]));
    TRY(s, coordconv_conv_transpose2d_new(s->context, &up_desc, &s->layer[1]));
    TRY(s, coordconv_linear_new(s->context, &linear_desc, &s->layer[2]));
    TRY(s, coordconv_batch_norm_new(s->context, &norm_desc, &s->layer[3]));
    TRY(s, coordconv_conv3d_new(s->context, &volume_desc, &s->layer[4]));
    TRY(s, coordconv_group_norm_new(s->context, &group_desc, &s->layer[5]));
    status = run_layer(s, s->layer[0], &s->tensor[0], 4, image_shape);
    if (status == COORDCONV_OK)
        status = run_layer(s, s->layer[1], &s->tensor[4], 4, wide);
    if (status == COORDCONV_OK)
        status = run_layer(s, s->layer[2], &s->tensor[8], 2, flat);
    if (status == COORDCONV_OK)
        status = run_layer(s, s->layer[3], &s->tensor[12], 4, wide);
    if (status == COORDCONV_OK)
        status = run_layer(s, s->layer[4], &s->tensor[16], 5, volume);
    if (status == COORDCONV_OK)
        status = run_layer(s, s->layer[5], &s->tensor[20], 4, wide);
    return status;
}

/* ---- models and plans ---- */

static coordconv_status make_layers(struct stage *s)
{
    TRY(s, coordconv_conv2d_new(s->context, &conv_desc, &s->layer[0]));
    TRY(s, coordconv_conv_transpose2d_new(s->context, &up_desc, &s->layer[1]));
    TRY(s, coordconv_linear_new(s->context, &linear_desc, &s->layer[2]));
    TRY(s, coordconv_batch_norm_new(s->context, &norm_desc, &s->layer[3]));
    TRY(s, coordconv_layer_set_name(s->layer[2], "linear"));
    for (int i = 0; i < 4; i++)
        test_fill_layer(s->layer[i], 20 + (uint64_t)i);
    return COORDCONV_OK;
}

/* Every operation there is in one model: inputs x [-1, 6, 5, 3], labels, targets [-1, 4]. */
static void build(struct stage *s, coordconv_model *m)
{
    const int64_t open[4] = { -1, 6, 5, 3 }, one[1] = { -1 }, four[2] = { -1, 4 };
    const int64_t again[2] = { 0, -1 };
    const coordconv_pool2d_desc pool = { .struct_size = sizeof pool, .kernel = { 2, 2 } };
    const coordconv_upsample2d_desc bigger = { .struct_size = sizeof bigger,
                                               .factor = { 2, 2 },
                                               .mode = COORDCONV_UPSAMPLE_BILINEAR };
    const coordconv_value x = coordconv_model_input(m, "x", COORDCONV_F32, 4, open);
    const coordconv_value labels = coordconv_model_input(m, "labels", COORDCONV_I32, 1, one);
    const coordconv_value target = coordconv_model_input(m, "target", COORDCONV_F32, 2, four);

    coordconv_value h = coordconv_model_relu(m, coordconv_model_apply(m, s->layer[0], x));
    h = coordconv_model_leaky_relu(m, coordconv_model_apply(m, s->layer[3], h), 0.1);
    coordconv_value a = coordconv_model_max_pool2d(m, h, &pool);
    coordconv_value b = coordconv_model_tanh(m, coordconv_model_avg_pool2d(m, h, &pool));
    h = coordconv_model_multiply(m, coordconv_model_add(m, a, b), b);
    h = coordconv_model_apply(m, s->layer[1], h); /* [N, 6, 4, 3] */
    h = coordconv_model_avg_pool2d(m, coordconv_model_upsample2d(m, h, &bigger), &pool);
    a = coordconv_model_global_max_pool(m, h);
    b = coordconv_model_add(m, coordconv_model_global_avg_pool(m, h),
                            coordconv_model_scale(m, coordconv_model_global_sum_pool(m, h), 0.1));
    coordconv_value t = coordconv_model_tile(m, a, 6, 4);
    t = coordconv_model_softmax(m, coordconv_model_add(m, t, h), 1u << 1 | 1u << 2);
    const coordconv_value joined = coordconv_model_concat(
        m, 2, (const coordconv_value[]){ coordconv_model_flatten(m, t, 1), a }, 1);
    coordconv_model_output(m, "joined", coordconv_model_reshape(m, joined, 2, again));
    a = coordconv_model_apply(m, s->layer[2], a);
    b = coordconv_model_apply(m, s->layer[2], coordconv_model_sigmoid(m, b));
    coordconv_value loss = coordconv_model_mse(m, a, target);
    loss = coordconv_model_add(m, loss, coordconv_model_softmax_cross_entropy(m, a, labels));
    loss = coordconv_model_add(m, loss, coordconv_model_sigmoid_cross_entropy(m, b, target));
    const coordconv_loss_desc loss_desc = { .struct_size = sizeof loss_desc,
                                            .kind = COORDCONV_LOSS_SMOOTH_L1,
                                            .weighted = 1,
                                            .weight = target };
    loss = coordconv_model_add(m, loss, coordconv_model_loss(m, b, target, &loss_desc));
    loss =
        coordconv_model_add(m, loss, coordconv_model_gaussian_kl(m, a, coordconv_model_exp(m, b)));
    coordconv_model_output(m, "y", a);
    coordconv_model_output(m, "loss", loss);
}

/* A poisoned model stays poisoned, so repeating means building another. */
static coordconv_status new_model(struct stage *s, coordconv_model **out)
{
    coordconv_model *m = NULL;
    coordconv_status status = coordconv_model_new(s->context, &m);

    if (status != COORDCONV_OK)
        return status;
    build(s, m);
    status = coordconv_model_status(m);
    if (status != COORDCONV_OK) {
        coordconv_model_unref(m);
        return status;
    }
    *out = m;
    return COORDCONV_OK;
}

static coordconv_status make_model(struct stage *s)
{
    const coordconv_status status = make_layers(s);

    if (status != COORDCONV_OK)
        return status;
    TRY(s, new_model(s, &s->model[0]));
    assert_int_equal(coordconv_model_layer_count(s->model[0]), 4);
    return COORDCONV_OK;
}

/* x is bound as the NHWC view of double NCHW memory, so that it needs a staging copy. */
static coordconv_status make_inputs(struct stage *s)
{
    static const int32_t axes[4] = { 0, 2, 3, 1 };
    const int64_t planar[4] = { 2, 3, 6, 5 }, two = 2, four[2] = { 2, 4 };

    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F64, 4, planar, &s->tensor[0]));
    TRY(s, coordconv_tensor_init(s->tensor[0], COORDCONV_INIT_HE_NORMAL, 0, 2, 1, 4));
    TRY(s, coordconv_tensor_permute(s->tensor[0], axes, &s->tensor[1]));
    TRY(s, coordconv_tensor_new(s->context, COORDCONV_I32, 1, &two, &s->tensor[2]));
    TRY(s, coordconv_tensor_fill(s->tensor[2], 3));
    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F32, 2, four, &s->tensor[3]));
    TRY(s, coordconv_tensor_fill(s->tensor[3], 0.25));
    return COORDCONV_OK;
}

static coordconv_status make_plan(struct stage *s, int32_t mode, coordconv_plan **plan)
{
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .batch = 2, .input_gradients = mode
    };
    const coordconv_frame_desc frame = { .struct_size = sizeof frame, .y = 3, .height = 20 };
    size_t bytes = 0;

    TRY(s, coordconv_plan_arena_size(s->model[0], &desc, &bytes));
    TRY(s, coordconv_plan_new(s->model[0], &desc, plan));
    TRY(s, coordconv_plan_bind(*plan, "x", s->tensor[1]));
    TRY(s, coordconv_plan_bind(*plan, "labels", s->tensor[2]));
    TRY(s, coordconv_plan_bind(*plan, "target", s->tensor[3]));
    TRY(s, coordconv_plan_set_frames(*plan, "x", 1, &frame));
    return COORDCONV_OK;
}

static coordconv_status begin_plan(struct stage *s, int32_t mode)
{
    coordconv_status status = make_model(s);

    if (status == COORDCONV_OK)
        status = make_inputs(s);
    if (status == COORDCONV_OK)
        status = make_plan(s, mode, &s->plan[0]);
    return status;
}

static coordconv_status inference(struct stage *s)
{
    const coordconv_status status = begin_plan(s, COORDCONV_INFERENCE);

    if (status != COORDCONV_OK)
        return status;
    TRY(s, coordconv_plan_run(s->plan[0]));
    TRY(s, coordconv_plan_output(s->plan[0], "y", &s->tensor[4]));
    TRY(s, coordconv_plan_output(s->plan[0], "joined", &s->tensor[5]));
    digest(s, s->tensor[4]);
    digest(s, s->tensor[5]);
    return COORDCONV_OK;
}

static coordconv_status training(struct stage *s)
{
    coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .momentum = 0.9 };
    const coordconv_status status = begin_plan(s, COORDCONV_TRAINING);

    if (status != COORDCONV_OK)
        return status;
    for (int32_t kind = COORDCONV_SGD; kind <= COORDCONV_ADAMW; kind++) {
        desc.kind = kind;
        TRY(s, coordconv_optimizer_new(s->plan[0], &desc, &s->optimizer[kind]));
        for (int step = 0; step < 2; step++) {
            TRY(s, coordconv_plan_run(s->plan[0]));
            TRY(s, coordconv_optimizer_step(s->optimizer[kind]));
        }
        desc.momentum = 0;
    }
    TRY(s, coordconv_plan_input_gradient(s->plan[0], "x", &s->tensor[4]));
    TRY(s, coordconv_plan_gradients(s->plan[0], &s->tensor[5]));
    digest(s, s->tensor[4]);
    digest(s, s->tensor[5]);
    const int64_t count = coordconv_model_parameter_count(s->model[0]);
    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, 1, &count, &s->tensor[6]));
    TRY(s, coordconv_plan_get_parameters(s->plan[0], s->tensor[6]));
    digest(s, s->tensor[6]);
    TRY(s, coordconv_plan_set_parameters(s->plan[0], s->tensor[6]));
    return COORDCONV_OK;
}

/* The optimizer moves to a second plan of the model with all it remembers. */
static coordconv_status changing_plans(struct stage *s)
{
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = COORDCONV_ADAM };
    coordconv_status status = begin_plan(s, COORDCONV_TRAINING);

    if (status != COORDCONV_OK)
        return status;
    TRY(s, coordconv_optimizer_new(s->plan[0], &desc, &s->optimizer[0]));
    TRY(s, coordconv_plan_run(s->plan[0]));
    TRY(s, coordconv_optimizer_step(s->optimizer[0]));
    status = make_plan(s, COORDCONV_TRAINING, &s->plan[1]);
    if (status != COORDCONV_OK)
        return status;
    TRY(s, coordconv_optimizer_set_plan(s->optimizer[0], s->plan[1]));
    TRY(s, coordconv_plan_run(s->plan[1]));
    TRY(s, coordconv_optimizer_step(s->optimizer[0]));
    digest(s, test_parameter(s->layer[0], "weight"));
    return COORDCONV_OK;
}

/* ---- files ---- */

static char path[64];

static coordconv_status saving_and_loading(struct stage *s)
{
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = COORDCONV_ADAM };
    const coordconv_metadata note = { "epoch", "17" };
    const coordconv_weights_desc weights = { .struct_size = sizeof weights, .lenient = 1 };
    char value[8] = "";
    const coordconv_status status = begin_plan(s, COORDCONV_TRAINING);

    if (status != COORDCONV_OK)
        return status;
    TRY(s, coordconv_optimizer_new(s->plan[0], &desc, &s->optimizer[0]));
    TRY(s, coordconv_plan_run(s->plan[0]));
    TRY(s, coordconv_optimizer_step(s->optimizer[0]));
    TRY(s, coordconv_save(s->model[0], s->optimizer[0], path, 1, &note));
    for (int i = 0; i < 4; i++)
        TRY(s, coordconv_tensor_fill(test_parameter(s->layer[i], "weight"), 0));
    TRY(s, coordconv_load(s->model[0], s->optimizer[0], path));
    for (int i = 0; i < 4; i++)
        TRY(s, coordconv_tensor_fill(test_parameter(s->layer[i], "weight"), 0));
    TRY(s, coordconv_load_weights(s->model[0], path, &weights));
    TRY(s, coordconv_load_metadata(s->context, path, "epoch", value, sizeof value, NULL));
    digest_bytes(s, value, sizeof value);
    for (int i = 0; i < 4; i++)
        digest(s, test_parameter(s->layer[i], "weight"));
    return COORDCONV_OK;
}

/* A view, so that writing copies; and in Fortran order, so that reading makes a view. */
static coordconv_status npy(struct stage *s)
{
    static const char header[] = "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3)}";
    static const int32_t axes[4] = { 3, 1, 0, 2 };
    unsigned char file[10 + sizeof header - 1 + 24] = "\x93NUMPY\x01";

    TRY(s, coordconv_tensor_new(s->context, COORDCONV_F32, 4, image_shape, &s->tensor[0]));
    TRY(s, coordconv_tensor_init(s->tensor[0], COORDCONV_INIT_HE_NORMAL, 0, 3, 1, 4));
    TRY(s, coordconv_tensor_permute(s->tensor[0], axes, &s->tensor[1]));
    TRY(s, coordconv_npy_write(s->tensor[1], path));
    TRY(s, coordconv_npy_read(s->context, path, &s->tensor[2]));
    TRY(s, coordconv_npy_map(s->context, path, &s->tensor[3]));
    digest(s, s->tensor[2]);
    digest(s, s->tensor[3]);
    file[8] = sizeof header - 1;
    memcpy(file + 10, header, sizeof header - 1);
    TRY(s, coordconv_npy_read_memory(s->context, file, sizeof file, &s->tensor[4]));
    return COORDCONV_OK;
}

/* ---- analytic nets ---- */

static coordconv_status run_analytic(struct stage *s, int slot, const char *in, const char *out)
{
    TRY(s, coordconv_plan_new(s->model[slot], NULL, &s->plan[slot]));
    TRY(s, coordconv_plan_bind(s->plan[slot], in, s->tensor[slot == 0 ? 0 : 1]));
    TRY(s, coordconv_plan_run(s->plan[slot]));
    TRY(s, coordconv_plan_output(s->plan[slot], out, &s->tensor[2 + slot]));
    digest(s, s->tensor[2 + slot]);
    return COORDCONV_OK;
}

static coordconv_status analytic_nets(struct stage *s)
{
    const int64_t canvas[4] = { 1, 5, 7, 1 }, point[2] = { 1, 2 };
    coordconv_status status;

    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, 4, canvas, &s->tensor[0]));
    TRY(s, coordconv_tensor_new(s->context, TEST_REAL, 2, point, &s->tensor[1]));
    TRY(s, coordconv_tensor_fill(s->tensor[1], 3));
    TRY(s, coordconv_analytic_onehot_to_xy(s->context, 5, 7, &s->model[0]));
    TRY(s, coordconv_analytic_xy_to_onehot(s->context, 5, 7, &s->model[1]));
    TRY(s, coordconv_analytic_xy_to_rectangle(s->context, 5, 7, 1, 2, &s->model[2]));
    if ((status = run_analytic(s, 0, "image", "xy")) != COORDCONV_OK ||
        (status = run_analytic(s, 1, "xy", "image")) != COORDCONV_OK)
        return status;
    return run_analytic(s, 2, "xy", "image");
}

/* ---- tests ---- */

#define DEFINE_TEST(scenario, least)                                                               \
    static void test_##scenario(void **state)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        sweep(scenario, least);                                                                    \
    }

DEFINE_TEST(nothing_but_a_context, 1)
DEFINE_TEST(tensors, 8)
DEFINE_TEST(dlpack, 9)
DEFINE_TEST(layers, 15)
DEFINE_TEST(other_coords, 10)
DEFINE_TEST(layers_run, 40)
DEFINE_TEST(make_model, 40)
DEFINE_TEST(inference, 60)
DEFINE_TEST(training, 70)
DEFINE_TEST(changing_plans, 70)
DEFINE_TEST(analytic_nets, 40)

static void name_file(void)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/coordconv-oom-%ld", folder != NULL ? folder : "/tmp",
             (long)getpid());
}

static void test_npy(void **state)
{
    (void)state;

    name_file();
    sweep(npy, 16);
    remove(path);
}

static void test_saving_and_loading(void **state)
{
    struct test_heap heap;
    struct stage s = { .repeat = 0 };
    (void)state;

    name_file();
    test_heap_init(&heap);
    const coordconv_status status = play(saving_and_loading, &heap, &s);
    drop(&s);
    if (status == COORDCONV_ERR_UNSUPPORTED)
        skip();
    sweep(saving_and_loading, 80);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_but_a_context),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_dlpack),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_other_coords),
        cmocka_unit_test(test_layers_run),
        cmocka_unit_test(test_make_model),
        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_changing_plans),
        cmocka_unit_test(test_npy),
        cmocka_unit_test(test_saving_and_loading),
        cmocka_unit_test(test_analytic_nets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
