/* SPDX-License-Identifier: BSD-2-Clause */
#include "gradient_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/compile.h"

double check_error(const double *gradient, const double *difference, int64_t count, double loss)
{
    double largest = 0.0, worst = 0.0;

    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(difference[i]));
    const double tolerance = CHECK_RELATIVE * largest + CHECK_ABSOLUTE * (1.0 + fabs(loss));
    for (int64_t i = 0; i < count; i++) {
        const double error = fabs(gradient[i] - difference[i]) / tolerance;
        if (!(error <= worst)) /* a NaN must not be passed over */
            worst = isnan(error) ? INFINITY : error;
    }
    return worst;
}

char subject[256];

int clear_subject(void **state)
{
    (void)state;
    subject[0] = '\0';
    return 0;
}

void check_gradient(double error)
{
    if (!(error <= 1.0)) {
        print_error("%s: error %g times the tolerance\n", subject, error);
        fail();
    }
}

/* Value of the loss after something has been changed. */
typedef double loss_fn(void *arg);

/* Central differences of the loss with respect to every element of a tensor. */
static double *differences(coordconv_tensor *tensor, loss_fn *loss, void *arg)
{
    const int64_t count = coordconv_tensor_count(tensor);
    double *values = test_values(tensor);
    double *out = calloc((size_t)count + 1, sizeof *out);

    assert_non_null(out);
    for (int64_t i = 0; i < count; i++) {
        const double keep = values[i];
        double side[2];
        for (int s = 0; s < 2; s++) {
            values[i] = s == 0 ? keep + CHECK_STEP : keep - CHECK_STEP;
            coordconv_tensor_modified(tensor);
            side[s] = loss(arg);
        }
        values[i] = keep;
        coordconv_tensor_modified(tensor);
        out[i] = (side[0] - side[1]) / (2.0 * CHECK_STEP);
    }
    return out;
}

static double compare(coordconv_tensor *tensor, const double *gradient, loss_fn *loss, void *arg)
{
    double *difference = differences(tensor, loss, arg);
    const double error =
        check_error(gradient, difference, coordconv_tensor_count(tensor), loss(arg));

    free(difference);
    return error;
}

/* ---- a layer by itself ---- */

struct layer_run {
    coordconv_layer *layer;
    coordconv_tensor *x, *y, *dy;
};

/* sum y dy: its gradient with respect to y is dy. */
static double layer_loss(void *arg)
{
    struct layer_run *run = arg;
    double sum = 0.0;

    check_ok(coordconv_layer_forward(run->layer, COORDCONV_TRAINING, run->x, run->y, NULL, 0));
    for (int64_t i = 0; i < coordconv_tensor_count(run->y); i++)
        sum += test_values(run->y)[i] * test_values(run->dy)[i];
    return sum;
}

double check_layer(coordconv_context *context, coordconv_layer *layer, int32_t ndim,
                   const int64_t *shape, uint64_t seed)
{
    static const char *const names[] = { "weight", "bias" };
    const int32_t count = coordconv_layer_parameter_count(layer);
    int64_t out[COORDCONV_MAX_NDIM];
    coordconv_tensor *gradients[2] = { NULL, NULL };

    check_ok(coordconv_layer_output_shape(layer, ndim, shape, out));
    struct layer_run run = { layer, test_tensor(context, ndim, shape, seed), NULL,
                             test_tensor(context, ndim, out, seed + 1) };
    run.y = test_like(context, run.dy);
    coordconv_tensor *dx = test_like(context, run.x);
    for (int32_t i = 0; i < count; i++)
        gradients[i] = test_like(context, test_parameter(layer, names[i]));
    check_ok(coordconv_layer_backward(layer, run.x, run.dy, dx, gradients, NULL, 0));

    double worst = compare(run.x, test_values(dx), layer_loss, &run);
    for (int32_t i = 0; i < count; i++)
        worst = fmax(worst, compare(test_parameter(layer, names[i]), test_values(gradients[i]),
                                    layer_loss, &run));
    for (int32_t i = 0; i < 2; i++)
        coordconv_tensor_unref(gradients[i]);
    coordconv_tensor_unref(dx);
    coordconv_tensor_unref(run.x);
    coordconv_tensor_unref(run.y);
    coordconv_tensor_unref(run.dy);
    return worst;
}

/* ---- a model ---- */

void net_begin(struct net *net, coordconv_context *context, uint64_t seed)
{
    *net = (struct net){ .context = context, .seed = seed };
    check_ok(coordconv_model_new(context, &net->model));
}

static coordconv_value add_input(struct net *net, coordconv_tensor *tensor, int32_t fixed)
{
    const int32_t ndim = coordconv_tensor_ndim(tensor);
    int64_t shape[COORDCONV_MAX_NDIM] = { 0 };
    const int32_t index = net->input_count++;

    assert_in_range(index, 0, NET_MAX - 1);
    for (int32_t i = 0; i < ndim; i++)
        shape[i] = coordconv_tensor_dim(tensor, i);
    snprintf(net->input[index].name, sizeof net->input[index].name, "x%d", (int)index);
    net->input[index].tensor = tensor;
    net->input[index].fixed = fixed;
    return coordconv_model_input(net->model, net->input[index].name, coordconv_tensor_dtype(tensor),
                                 ndim, shape);
}

coordconv_value net_input(struct net *net, int32_t ndim, const int64_t *shape)
{
    return add_input(net, test_tensor(net->context, ndim, shape, net->seed += 1000), 0);
}

coordconv_value net_target(struct net *net, int32_t ndim, const int64_t *shape, int per_sample)
{
    coordconv_tensor *tensor = test_tensor(net->context, ndim, shape, net->seed += 1000);
    double *values = test_values(tensor);
    const int64_t count = coordconv_tensor_count(tensor), each = count / shape[0];

    for (int64_t i = 0; i < count; i++)
        values[i] = (values[i] + 1.001) / 2.002;
    for (int64_t n = 0; per_sample && n < shape[0]; n++) { /* a distribution sums to 1 */
        double sum = 0.0;
        for (int64_t i = 0; i < each; i++)
            sum += values[n * each + i];
        for (int64_t i = 0; i < each; i++)
            values[n * each + i] /= sum;
    }
    return add_input(net, tensor, 1);
}

coordconv_value net_labels(struct net *net, int64_t count, int32_t classes)
{
    return add_input(net, test_labels(net->context, count, classes, net->seed += 1000), 1);
}

coordconv_value net_apply(struct net *net, coordconv_layer *layer, coordconv_value x)
{
    test_fill_layer(layer, net->seed += 1000);
    const coordconv_value y = coordconv_model_apply(net->model, layer, x);
    coordconv_layer_unref(layer);
    return y;
}

coordconv_value net_sum(struct net *net, coordconv_value y)
{
    const int64_t canvas[4] = { 1, -1, 1, 1 };
    coordconv_model *m = net->model;
    const coordconv_value curved =
        coordconv_model_multiply(m, y, coordconv_model_tanh(m, coordconv_model_scale(m, y, 0.7)));

    return coordconv_model_reshape(
        m, coordconv_model_global_sum_pool(m, coordconv_model_reshape(m, curved, 4, canvas)), 0,
        canvas);
}

static double plan_loss(void *arg)
{
    coordconv_plan *plan = arg;
    coordconv_tensor *loss = NULL;

    check_ok(coordconv_plan_forward(plan));
    check_ok(coordconv_plan_output(plan, "loss", &loss));
    const double value = test_values(loss)[0];
    coordconv_tensor_unref(loss);
    return value;
}

/* A copy, because the next run overwrites what lies in the arena. */
static double *copy_values(coordconv_tensor *tensor)
{
    const int64_t count = coordconv_tensor_count(tensor);
    double *copy = calloc((size_t)count + 1, sizeof *copy);

    assert_non_null(copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = test_values(tensor)[i];
    coordconv_tensor_unref(tensor);
    return copy;
}

static double check_inputs(struct net *net, coordconv_plan *plan)
{
    double *gradient[NET_MAX] = { NULL };
    double worst = 0.0;

    for (int32_t i = 0; i < net->input_count; i++) {
        coordconv_tensor *dx = NULL;
        if (net->input[i].fixed)
            continue;
        check_ok(coordconv_plan_input_gradient(plan, net->input[i].name, &dx));
        gradient[i] = copy_values(dx);
    }
    for (int32_t i = 0; i < net->input_count; i++) {
        if (gradient[i] != NULL)
            worst = fmax(worst, compare(net->input[i].tensor, gradient[i], plan_loss, plan));
        free(gradient[i]);
    }
    return worst;
}

static double check_parameters(coordconv_plan *plan)
{
    coordconv_tensor *flat = NULL;
    double worst = 0.0;

    check_ok(coordconv_plan_gradients(plan, &flat));
    double *gradients = copy_values(flat);
    for (int32_t i = 0; i < coordconv_plan_parameter_count(plan); i++) {
        coordconv_tensor *values = NULL;
        int64_t offset = -1;
        check_ok(coordconv_plan_parameter(plan, i, NULL, &offset, &values));
        worst = fmax(worst, compare(values, gradients + offset, plan_loss, plan));
    }
    free(gradients);
    return worst;
}

double net_check(struct net *net, coordconv_value loss)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = COORDCONV_TRAINING,
                                       .input_gradients = 1 };
    coordconv_plan *plan = NULL;

    coordconv_model_output(net->model, "loss", loss);
    check_ok(coordconv_plan_new(net->model, &desc, &plan));
    net->joined = plan->loss_chain != 0;
    for (int32_t i = 0; i < net->input_count; i++)
        check_ok(coordconv_plan_bind(plan, net->input[i].name, net->input[i].tensor));
    if (net->frame_count != 0)
        check_ok(coordconv_plan_set_frames(plan, "x0", net->frame_count, net->frames));
    check_ok(coordconv_plan_run(plan));
    double worst = check_inputs(net, plan);
    check_ok(coordconv_plan_run(plan)); /* a second time over the same buffers */
    worst = fmax(worst, check_parameters(plan));
    coordconv_plan_unref(plan);
    for (int32_t i = 0; i < net->input_count; i++)
        coordconv_tensor_unref(net->input[i].tensor);
    coordconv_model_unref(net->model);
    return worst;
}

coordconv_layer *new_linear(coordconv_context *context, int32_t in, int32_t out, int32_t no_bias)
{
    const coordconv_linear_desc desc = {
        .struct_size = sizeof desc, .in_features = in, .out_features = out, .no_bias = no_bias
    };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_linear_new(context, &desc, &layer));
    return layer;
}

coordconv_layer *new_group_norm(coordconv_context *context, int32_t channels, int32_t groups)
{
    const coordconv_group_norm_desc desc = { .struct_size = sizeof desc,
                                             .channels = channels,
                                             .groups = groups };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_group_norm_new(context, &desc, &layer));
    return layer;
}

coordconv_layer *new_batch_norm(coordconv_context *context, int32_t channels)
{
    const coordconv_batch_norm_desc desc = { .struct_size = sizeof desc, .channels = channels };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_batch_norm_new(context, &desc, &layer));
    return layer;
}

coordconv_layer *new_plain_conv(coordconv_context *context, int32_t in, int32_t out, int32_t kernel,
                                uint32_t coords)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = coords,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .padding = COORDCONV_SAME };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_conv2d_new(context, &desc, &layer));
    return layer;
}
