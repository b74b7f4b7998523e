/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_fuse.c - what a plan fuses, or lets lie in one place, changes no result.
 *
 * Every net is built twice from the same layers: as it is, and with every value
 * an output, which forbids all fusing but that of nothing. Sums and activations
 * must agree to the bit; a folded batch norm rounds elsewhere, so there the
 * bound is that of the sums.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#include "core/context.h"
#include "graph/compile.h"

enum {
    H = 9,
    W = 10,
    C = 4,
    WIDTH = 20,                     /* of the wide layers */
    MOST_PRODUCTS = 9 * (WIDTH + 3) /* of one sum in any layer here */
};

/* One net under construction. */
struct net {
    coordconv_model *model;
    coordconv_layer **layer; /* those of the case */
    int watched;             /* every value is an output */
    int count;
};

static coordconv_value see(struct net *n, coordconv_value v)
{
    char name[16];

    snprintf(name, sizeof name, "v%d", n->count++);
    if (n->watched)
        coordconv_model_output(n->model, name, v);
    return v;
}

static coordconv_value apply(struct net *n, int layer, coordconv_value x)
{
    return see(n, coordconv_model_apply(n->model, n->layer[layer], x));
}

static coordconv_value relu(struct net *n, coordconv_value x)
{
    return see(n, coordconv_model_relu(n->model, x));
}

static coordconv_value add(struct net *n, coordconv_value a, coordconv_value b)
{
    return see(n, coordconv_model_add(n->model, a, b));
}

/* Layers of every case: three convolutions that keep the shape, then others. */
enum {
    CONV,
    CONV_B,
    CONV_NO_BIAS,
    STRIDED,
    DEPTHWISE,
    UP,
    UP_GROUPS,
    UP_GAPS,
    LINEAR,
    NORM,
    NORM_B,
    EXPAND,
    WIDE,
    NORM_WIDE,
    ALL_LAYERS
};

static coordconv_layer *make_conv(coordconv_context *context, const coordconv_conv2d_desc *given)
{
    coordconv_conv2d_desc d = *given;
    coordconv_layer *layer = NULL;

    d.struct_size = sizeof d;
    d.in_channels = d.in_channels != 0 ? d.in_channels : C;
    d.out_channels = d.out_channels != 0 ? d.out_channels : C;
    d.kernel[0] = d.kernel[1] = 3;
    d.padding = COORDCONV_SAME;
    check_ok(coordconv_conv2d_new(context, &d, &layer));
    return layer;
}

static coordconv_layer *make_up(coordconv_context *context, int32_t rows, uint32_t coords,
                                int32_t groups)
{
    const coordconv_conv_transpose2d_desc d = { .struct_size = sizeof d,
                                                .coords = coords,
                                                .in_channels = C,
                                                .out_channels = C,
                                                .kernel = { rows, 2 },
                                                .stride = { 2, 1 },
                                                .groups = groups,
                                                .padding = COORDCONV_SAME };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv_transpose2d_new(context, &d, &layer));
    return layer;
}

static void make_layers(coordconv_context *context, coordconv_layer *layer[ALL_LAYERS])
{
    const coordconv_linear_desc linear = { .struct_size = sizeof linear,
                                           .in_features = C,
                                           .out_features = C };
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = C };
    const coordconv_batch_norm_desc wide = { .struct_size = sizeof wide, .channels = WIDTH };

    layer[CONV] = make_conv(context, &(coordconv_conv2d_desc){ .coords = COORDCONV_COORDS_XY });
    layer[CONV_B] = make_conv(context, &(coordconv_conv2d_desc){ .coords = 0 });
    layer[CONV_NO_BIAS] = make_conv(
        context, &(coordconv_conv2d_desc){ .coords = COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
                                           .no_bias = 1 });
    layer[STRIDED] =
        make_conv(context, &(coordconv_conv2d_desc){ .stride = { 2, 3 }, .dilation = { 2, 1 } });
    layer[DEPTHWISE] = make_conv(context, &(coordconv_conv2d_desc){ .groups = C });
    layer[UP] = make_up(context, 3, COORDCONV_COORDS_XY, 1);
    layer[UP_GROUPS] = make_up(context, 3, 0, 2);
    layer[UP_GAPS] = make_up(context, 1, 0, 1);
    check_ok(coordconv_linear_new(context, &linear, &layer[LINEAR]));
    check_ok(coordconv_batch_norm_new(context, &norm, &layer[NORM]));
    check_ok(coordconv_batch_norm_new(context, &norm, &layer[NORM_B]));
    layer[EXPAND] = make_conv(context, &(coordconv_conv2d_desc){ .out_channels = WIDTH });
    layer[WIDE] = make_conv(context, &(coordconv_conv2d_desc){ .coords = COORDCONV_COORDS_XY,
                                                               .in_channels = WIDTH,
                                                               .out_channels = WIDTH });
    check_ok(coordconv_batch_norm_new(context, &wide, &layer[NORM_WIDE]));
    for (int i = 0; i < ALL_LAYERS; i++)
        test_fill_layer(layer[i], 50 + (uint64_t)i);
}

/* ---- the nets ---- */

static coordconv_value norm_behind_conv(struct net *n, coordconv_value x)
{
    return relu(n, apply(n, NORM, apply(n, CONV, x)));
}

static coordconv_value norm_behind_conv_without_bias(struct net *n, coordconv_value x)
{
    const coordconv_value y = apply(n, NORM, apply(n, CONV_NO_BIAS, x));

    return see(n, coordconv_model_leaky_relu(n->model, y, 0.25));
}

static coordconv_value norm_behind_strides(struct net *n, coordconv_value x)
{
    return see(n, coordconv_model_sigmoid(n->model, apply(n, NORM, apply(n, STRIDED, x))));
}

static coordconv_value norm_behind_depthwise(struct net *n, coordconv_value x)
{
    return apply(n, NORM, apply(n, DEPTHWISE, x));
}

static coordconv_value norm_behind_transpose(struct net *n, coordconv_value x)
{
    return relu(n, apply(n, NORM, apply(n, UP, x)));
}

static coordconv_value norm_behind_grouped_transpose(struct net *n, coordconv_value x)
{
    return apply(n, NORM_B, apply(n, UP_GROUPS, x));
}

static coordconv_value norm_behind_linear(struct net *n, coordconv_value x)
{
    return relu(n, apply(n, NORM, apply(n, LINEAR, x)));
}

/* A norm behind a norm, behind a sum and behind an activation stays. */
static coordconv_value norms_that_stay(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, NORM_B, apply(n, NORM, apply(n, CONV, x)));
    const coordconv_value s = apply(n, NORM, add(n, x, apply(n, CONV_B, h)));

    return apply(n, NORM_B, relu(n, apply(n, CONV_B, s)));
}

static coordconv_value reshape(struct net *n, coordconv_value x, int64_t last)
{
    const int64_t shape[3] = { 0, -1, last };

    return see(n, coordconv_model_reshape(n->model, x, 3, shape));
}

/* Other channels than the layer's: 2 C of half as many pixels (W H is even). */
static coordconv_value activation_behind_a_reshape(struct net *n, coordconv_value x)
{
    return relu(n, reshape(n, apply(n, CONV, x), 2 * C));
}

static coordconv_value norm_behind_a_reshape(struct net *n, coordconv_value x)
{
    return apply(n, NORM, reshape(n, apply(n, CONV, x), C));
}

/* Two readers of what the convolution gives. */
static coordconv_value norm_of_a_value_with_two_readers(struct net *n, coordconv_value x)
{
    const coordconv_value c = apply(n, CONV, x);

    return add(n, apply(n, NORM, c), c);
}

static coordconv_value one_layer_two_norms(struct net *n, coordconv_value x)
{
    const coordconv_value a = apply(n, NORM, apply(n, CONV, x));

    return relu(n, add(n, a, apply(n, NORM_B, apply(n, CONV, x))));
}

static coordconv_value residual(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, CONV_B, x));

    return relu(n, add(n, h, apply(n, CONV, h)));
}

static coordconv_value residual_with_norm(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, NORM_B, apply(n, CONV_B, x)));
    const coordconv_value d = relu(n, apply(n, CONV_NO_BIAS, h));

    return relu(n, add(n, apply(n, NORM, apply(n, CONV, d)), h));
}

/* A projection on the shortcut, made after the main path and before it. */
static coordconv_value shortcut_last(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, CONV, x);
    const coordconv_value main_path = apply(n, CONV_B, relu(n, h));

    return relu(n, add(n, main_path, apply(n, CONV_NO_BIAS, x)));
}

static coordconv_value shortcut_first(struct net *n, coordconv_value x)
{
    const coordconv_value h = see(n, coordconv_model_tanh(n->model, apply(n, CONV_NO_BIAS, x)));

    return add(n, apply(n, CONV_B, relu(n, apply(n, CONV, x))), h);
}

static coordconv_value residual_of_the_input(struct net *n, coordconv_value x)
{
    return add(n, x, apply(n, CONV, x));
}

/* The shortcut is read once more, behind the sum: it must not be written over. */
static coordconv_value shortcut_read_later(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, CONV_B, x);
    const coordconv_value s = relu(n, add(n, h, apply(n, CONV, x)));

    return see(n, coordconv_model_multiply(n->model, s, h));
}

/* Between the convolution and the sum, someone reads the shortcut. */
static coordconv_value shortcut_read_between(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, CONV_B, x), c = apply(n, CONV, x);
    const coordconv_value t = see(n, coordconv_model_tanh(n->model, h));

    return see(n, coordconv_model_multiply(n->model, add(n, c, h), t));
}

/* The other summand is not there yet when the convolution runs. */
static coordconv_value summand_made_later(struct net *n, coordconv_value x)
{
    const coordconv_value c = apply(n, CONV, x);

    return add(n, c, see(n, coordconv_model_tanh(n->model, x)));
}

static coordconv_value activation_before_the_sum(struct net *n, coordconv_value x)
{
    return add(n, x, relu(n, apply(n, CONV, x)));
}

static coordconv_value a_value_twice(struct net *n, coordconv_value x)
{
    const coordconv_value c = apply(n, CONV, x);

    return relu(n, add(n, c, c));
}

static coordconv_value two_sums(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, CONV_B, x), g = apply(n, CONV_NO_BIAS, x);

    return relu(n, add(n, add(n, apply(n, CONV, x), h), g));
}

/* Reads of a value before the one that writes over it are no hindrance. */
static coordconv_value last_reader_writes_over(struct net *n, coordconv_value x)
{
    const coordconv_value h = apply(n, CONV, x);
    const coordconv_value t = see(n, coordconv_model_tanh(n->model, h));
    const coordconv_value s = see(n, coordconv_model_sigmoid(n->model, h));

    return see(n, coordconv_model_multiply(n->model, t, s));
}

static coordconv_value two_views(struct net *n, coordconv_value x)
{
    const coordconv_value h = see(n, coordconv_model_tanh(n->model, apply(n, CONV, x)));
    const coordconv_value a = reshape(n, h, C), b = reshape(n, h, C);

    return see(n, coordconv_model_multiply(n->model, a, b));
}

/* One view has a single reader, but what it shows has two. */
static coordconv_value read_beside_a_view(struct net *n, coordconv_value x)
{
    const coordconv_value c = apply(n, CONV, x);
    const coordconv_value t = see(n, coordconv_model_tanh(n->model, reshape(n, c, C)));

    return add(n, relu(n, reshape(n, c, C)), t);
}

static coordconv_value linear_residual(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, LINEAR, x));

    return relu(n, add(n, apply(n, LINEAR, h), h));
}

/* Outputs between the taps of a stride start from the bias, and are made once as all others. */
static coordconv_value residual_with_gaps(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, UP, x));

    return relu(n, add(n, h, apply(n, UP_GAPS, x)));
}

/* Channels enough for the kernels of large layers. */
static coordconv_value wide_residual(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, EXPAND, x));

    return relu(n, add(n, h, apply(n, WIDE, h)));
}

static coordconv_value wide_residual_with_norm(struct net *n, coordconv_value x)
{
    const coordconv_value h = relu(n, apply(n, EXPAND, x));

    return relu(n, add(n, h, apply(n, NORM_WIDE, apply(n, WIDE, h))));
}

struct net_case {
    const char *name;
    coordconv_value (*build)(struct net *n, coordconv_value x);
    int inference_fused, training_fused; /* operations done by another */
    int norms;                           /* on the way of a value */
};

static const struct net_case cases[] = {
    { "norm_behind_conv", norm_behind_conv, 2, 1, 1 },
    { "norm_behind_conv_without_bias", norm_behind_conv_without_bias, 2, 1, 1 },
    { "norm_behind_strides", norm_behind_strides, 1, 0, 1 },
    { "norm_behind_depthwise", norm_behind_depthwise, 1, 0, 1 },
    { "norm_behind_transpose", norm_behind_transpose, 2, 1, 1 },
    { "norm_behind_grouped_transpose", norm_behind_grouped_transpose, 1, 0, 1 },
    { "norm_behind_linear", norm_behind_linear, 2, 1, 1 },
    { "norms_that_stay", norms_that_stay, 3, 2, 2 },
    { "activation_behind_a_reshape", activation_behind_a_reshape, 1, 1, 0 },
    { "norm_behind_a_reshape", norm_behind_a_reshape, 0, 0, 0 },
    { "norm_of_a_value_with_two_readers", norm_of_a_value_with_two_readers, 0, 0, 0 },
    { "one_layer_two_norms", one_layer_two_norms, 4, 0, 1 },
    { "residual", residual, 3, 3, 0 },
    { "residual_with_norm", residual_with_norm, 6, 2, 2 },
    { "shortcut_last", shortcut_last, 3, 3, 0 },
    { "shortcut_first", shortcut_first, 2, 2, 0 },
    { "residual_of_the_input", residual_of_the_input, 1, 1, 0 },
    { "shortcut_read_later", shortcut_read_later, 2, 2, 0 },
    { "shortcut_read_between", shortcut_read_between, 1, 1, 0 },
    { "summand_made_later", summand_made_later, 0, 0, 0 },
    { "activation_before_the_sum", activation_before_the_sum, 1, 1, 0 },
    { "a_value_twice", a_value_twice, 0, 0, 0 },
    { "two_sums", two_sums, 1, 1, 0 },
    { "last_reader_writes_over", last_reader_writes_over, 0, 0, 0 },
    { "two_views", two_views, 0, 0, 0 },
    { "read_beside_a_view", read_beside_a_view, 0, 0, 0 },
    { "linear_residual", linear_residual, 3, 3, 0 },
    { "residual_with_gaps", residual_with_gaps, 3, 3, 0 },
    { "wide_residual", wide_residual, 3, 3, 0 },
    { "wide_residual_with_norm", wide_residual_with_norm, 4, 1, 1 },
};

/* ---- building and running ---- */

static coordconv_model *build(coordconv_context *context, coordconv_layer **layer,
                              const struct net_case *c, int watched)
{
    const int64_t shape[4] = { -1, H, W, C };
    struct net n = { .layer = layer, .watched = watched };

    check_ok(coordconv_model_new(context, &n.model));
    const coordconv_value x = coordconv_model_input(n.model, "x", TEST_REAL, 4, shape);
    const coordconv_value y = c->build(&n, x);
    coordconv_model_output(n.model, "y", y);
    coordconv_model_output(n.model, "loss",
                           coordconv_model_mse(n.model, y, coordconv_model_scale(n.model, y, 0.5)));
    check_ok(coordconv_model_status(n.model));
    return n.model;
}

/* Something behind y, so that it is no output: the loss in training, a copy at inference. */
static coordconv_plan *make_plan(coordconv_model *model, int32_t mode)
{
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .batch = 3, .input_gradients = mode
    };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    return plan;
}

static int fused_in(const coordconv_plan *plan)
{
    int count = 0;

    for (int32_t i = 0; i < plan->node_count; i++)
        count += plan->nodes[i].used && plan->nodes[i].skipped;
    return count;
}

static coordconv_tensor *output(coordconv_plan *plan, const char *name)
{
    coordconv_tensor *y = NULL;

    check_ok(coordconv_plan_output(plan, name, &y));
    return y;
}

/* Each norm on the way may round once more for every product of the sum before it, and scales
 * here are at most 2. */
static void check_near(coordconv_tensor *got, coordconv_tensor *want, int norms, const char *what)
{
    const double epsilon = sizeof(test_real) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
    double largest = 1;

    if (norms == 0) {
        test_check_same(got, want, what);
        return;
    }
    for (int64_t i = 0; i < coordconv_tensor_count(want); i++)
        largest = fmax(largest, fabs((double)test_values(want)[i]));
    for (int64_t i = 0; i < coordconv_tensor_count(want); i++) {
        const double off = fabs((double)test_values(got)[i] - (double)test_values(want)[i]);

        if (!(off <= norms * 2 * MOST_PRODUCTS * epsilon * largest)) {
            print_error("%s: element %d is %.9g, unfused %.9g\n", what, (int)i,
                        (double)test_values(got)[i], (double)test_values(want)[i]);
            fail();
        }
    }
}

static void compare_outputs(coordconv_plan *got, coordconv_plan *want, const struct net_case *c)
{
    coordconv_tensor *a = output(got, "y"), *b = output(want, "y");

    check_near(a, b, c->norms, c->name);
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
}

/* Inference: as built, after each of the layers involved has changed, and once more. */
static void compare_inference(coordconv_context *context, coordconv_layer **layer,
                              coordconv_tensor *x, const struct net_case *c)
{
    coordconv_model *plain = build(context, layer, c, 0), *watched = build(context, layer, c, 1);
    coordconv_plan *got = make_plan(plain, COORDCONV_INFERENCE);
    coordconv_plan *want = make_plan(watched, COORDCONV_INFERENCE);
    coordconv_tensor *before = test_like(context, x);

    check_ok(coordconv_tensor_copy(before, x));
    if (fused_in(got) != c->inference_fused || fused_in(want) != 0)
        print_error("%s: %d fused, and %d\n", c->name, fused_in(got), fused_in(want));
    assert_int_equal(fused_in(got), c->inference_fused);
    assert_int_equal(fused_in(want), 0);
    check_ok(coordconv_plan_bind(got, "x", x));
    check_ok(coordconv_plan_bind(want, "x", x));
    for (int change = -1; change < ALL_LAYERS; change++) {
        if (change >= 0)
            test_fill_layer(layer[change], 90 + (uint64_t)change);
        check_ok(coordconv_plan_run(got));
        check_ok(coordconv_plan_run(want));
        compare_outputs(got, want, c);
    }
    test_check_same(x, before, "x");
    coordconv_tensor_unref(before);
    coordconv_plan_unref(got);
    coordconv_plan_unref(want);
    coordconv_model_unref(plain);
    coordconv_model_unref(watched);
}

/* Parameters by name: a watched net has more of them where a value leads nowhere else. */
static void compare_parameters(coordconv_plan *got, coordconv_plan *want)
{
    for (int32_t i = 0; i < got->parameter_count; i++) {
        const struct cconv_plan_parameter *a = &got->parameters[i], *b = want->parameters;

        while (strcmp(a->name, b->name) != 0)
            b++;
        assert_memory_equal(got->gradients + a->offset, want->gradients + b->offset,
                            a->count * sizeof(test_real));
    }
}

static void compare_gradients(coordconv_plan *got, coordconv_plan *want, const struct net_case *c)
{
    coordconv_tensor *a[2] = { output(got, "y") }, *b[2] = { output(want, "y") };

    check_ok(coordconv_plan_input_gradient(got, "x", &a[1]));
    check_ok(coordconv_plan_input_gradient(want, "x", &b[1]));
    for (int i = 0; i < 2; i++) {
        test_check_same(a[i], b[i], c->name);
        coordconv_tensor_unref(a[i]);
        coordconv_tensor_unref(b[i]);
    }
    compare_parameters(got, want);
}

/* Training: the same bits, norms too, which stay. */
static void compare_training(coordconv_context *context, coordconv_layer **layer,
                             coordconv_tensor *x, const struct net_case *c)
{
    coordconv_model *plain = build(context, layer, c, 0), *watched = build(context, layer, c, 1);
    coordconv_plan *got = make_plan(plain, COORDCONV_TRAINING);
    coordconv_plan *want = make_plan(watched, COORDCONV_TRAINING);

    if (fused_in(got) != c->training_fused)
        print_error("%s: %d fused in training\n", c->name, fused_in(got));
    assert_int_equal(fused_in(got), c->training_fused);
    check_ok(coordconv_plan_bind(got, "x", x));
    check_ok(coordconv_plan_bind(want, "x", x));
    for (int run = 0; run < 2; run++) {
        check_ok(coordconv_plan_run(got));
        check_ok(coordconv_plan_run(want));
        compare_gradients(got, want, c);
    }
    coordconv_plan_unref(got);
    coordconv_plan_unref(want);
    coordconv_model_unref(plain);
    coordconv_model_unref(watched);
}

static void compare_all(void compare(coordconv_context *, coordconv_layer **, coordconv_tensor *,
                                     const struct net_case *),
                        size_t threads, int32_t winograd, size_t small_map)
{
    const int64_t shape[4] = { 3, H, W, C };
    struct test_pool pool = { .threads = threads };
    struct test_heap heap;

    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_layer *layer[ALL_LAYERS] = { NULL };

        test_heap_init(&heap);
        coordconv_context *context = test_context((int32_t)threads, &heap, &pool);
        coordconv_tensor *x = test_tensor(context, 4, shape, 11);
        context->winograd = winograd;
        context->small_map = small_map;
        make_layers(context, layer);
        compare(context, layer, x, &cases[i]);
        for (int k = 0; k < ALL_LAYERS; k++)
            coordconv_layer_unref(layer[k]);
        coordconv_tensor_unref(x);
        coordconv_context_unref(context);
        test_heap_check_empty(&heap);
    }
}

static void inference_is_as_if_nothing_were_fused(void **state)
{
    (void)state;
    compare_all(compare_inference, 1, 0, CCONV_SMALL_MAP);
    compare_all(compare_inference, 3, 4, CCONV_SMALL_MAP);
    compare_all(compare_inference, 1, 0, 0);
    compare_all(compare_inference, 3, 4, 0);
}

static void training_is_as_if_nothing_were_fused(void **state)
{
    (void)state;
    compare_all(compare_training, 1, 0, CCONV_SMALL_MAP);
    compare_all(compare_training, 3, 4, CCONV_SMALL_MAP);
    compare_all(compare_training, 1, 0, 0);
    compare_all(compare_training, 3, 4, 0);
}

/* ---- any net ---- */

enum {
    STEPS = 14,
    NETS = 300
};

static uint32_t draw(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((test_random(state) + 1) / 2 * bound);
}

static coordconv_value draw_step(struct net *n, uint64_t *state, const coordconv_value *made,
                                 uint32_t count)
{
    static const int same_shape[] = { CONV, CONV_B, CONV_NO_BIAS, DEPTHWISE, LINEAR, NORM };
    const int64_t shape[4] = { 0, H, W, C };
    /* The last value more often, so that there are chains. */
    const coordconv_value a = made[draw(state, 3) > 0 ? count - 1 : draw(state, count)];
    const coordconv_value b = made[draw(state, count)];
    const uint32_t kind = draw(state, 13);

    if (kind < 4)
        return apply(n, same_shape[draw(state, COUNT(same_shape))], a);
    if (kind < 6)
        return relu(n, a);
    if (kind < 9)
        return add(n, a, b);
    if (kind == 9)
        return see(n, coordconv_model_tanh(n->model, a));
    if (kind == 10)
        return see(n, coordconv_model_reshape(n->model, a, 4, shape));
    const coordconv_value t = see(n, coordconv_model_tanh(n->model, a));

    return see(n, kind == 11 ? coordconv_model_multiply(n->model, t, b)
                             : coordconv_model_exp(n->model, t));
}

/* The net that a number stands for; some of its values are outputs, watched or not. */
static coordconv_value draw_net(struct net *n, uint64_t number, coordconv_value x)
{
    coordconv_value made[STEPS + 1] = { x };
    uint64_t state = number;

    for (uint32_t i = 0; i < STEPS; i++) {
        char name[16];

        made[i + 1] = draw_step(n, &state, made, i + 1);
        snprintf(name, sizeof name, "o%u", (unsigned)i);
        if (draw(&state, 12) == 0)
            coordconv_model_output(n->model, name, made[i + 1]);
    }
    return made[STEPS];
}

static uint64_t net_number;

static coordconv_value this_net(struct net *n, coordconv_value x)
{
    return draw_net(n, net_number, x);
}

/* In training norms are not folded, so every bit must agree; the outputs too. */
static int compare_any(coordconv_context *context, coordconv_layer **layer, coordconv_tensor *x)
{
    const struct net_case c = { "a random net", this_net, 0, 0, 0 };
    coordconv_model *plain = build(context, layer, &c, 0), *watched = build(context, layer, &c, 1);
    coordconv_plan *got = make_plan(plain, COORDCONV_TRAINING);
    coordconv_plan *want = make_plan(watched, COORDCONV_TRAINING);
    const int fused = fused_in(got);

    for (int run = 0; run < 2; run++) {
        check_ok(coordconv_plan_bind(got, "x", x));
        check_ok(coordconv_plan_bind(want, "x", x));
        check_ok(coordconv_plan_run(got));
        check_ok(coordconv_plan_run(want));
        compare_gradients(got, want, &c);
        for (int32_t i = 0; i < got->output_count; i++) {
            coordconv_tensor *a = output(got, got->outputs[i].name);
            coordconv_tensor *b = output(want, got->outputs[i].name);

            test_check_same(a, b, got->outputs[i].name);
            coordconv_tensor_unref(a);
            coordconv_tensor_unref(b);
        }
    }
    coordconv_plan_unref(got);
    coordconv_plan_unref(want);
    coordconv_model_unref(plain);
    coordconv_model_unref(watched);
    return fused;
}

/* Inference without norms, which are folded there, by making the norm a convolution. */
static int compare_any_inference(coordconv_context *context, coordconv_layer **layer,
                                 coordconv_tensor *x)
{
    const struct net_case c = { "a random net", this_net, 0, 0, 0 };
    coordconv_layer *norm = layer[NORM];

    layer[NORM] = layer[CONV_B];
    coordconv_model *plain = build(context, layer, &c, 0), *watched = build(context, layer, &c, 1);
    layer[NORM] = norm;
    coordconv_plan *got = make_plan(plain, COORDCONV_INFERENCE);
    coordconv_plan *want = make_plan(watched, COORDCONV_INFERENCE);
    coordconv_tensor *before = test_like(context, x);
    const int fused = fused_in(got);

    check_ok(coordconv_tensor_copy(before, x));
    check_ok(coordconv_plan_bind(got, "x", x));
    check_ok(coordconv_plan_bind(want, "x", x));
    check_ok(coordconv_plan_run(got));
    check_ok(coordconv_plan_run(want));
    for (int32_t i = 0; i < got->output_count; i++) {
        coordconv_tensor *a = output(got, got->outputs[i].name);
        coordconv_tensor *b = output(want, got->outputs[i].name);

        test_check_same(a, b, got->outputs[i].name);
        coordconv_tensor_unref(a);
        coordconv_tensor_unref(b);
    }
    test_check_same(x, before, "x");
    coordconv_tensor_unref(before);
    coordconv_plan_unref(got);
    coordconv_plan_unref(want);
    coordconv_model_unref(plain);
    coordconv_model_unref(watched);
    return fused;
}

static void any_net_is_as_if_nothing_were_fused(void **state)
{
    const int64_t shape[4] = { 3, H, W, C };
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 4, shape, 12);
    coordconv_layer *layer[ALL_LAYERS] = { NULL };
    int fused = 0;
    (void)state;

    make_layers(context, layer);
    for (net_number = 0; net_number < NETS; net_number++) {
        fused += compare_any(context, layer, x);
        fused += compare_any_inference(context, layer, x);
    }
    print_message("  %d fused\n", fused);
    assert_true(fused > NETS); /* there was something to compare */
    for (int k = 0; k < ALL_LAYERS; k++)
        coordconv_layer_unref(layer[k]);
    coordconv_tensor_unref(x);
    coordconv_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_is_as_if_nothing_were_fused),
        cmocka_unit_test(training_is_as_if_nothing_were_fused),
        cmocka_unit_test(any_net_is_as_if_nothing_were_fused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
