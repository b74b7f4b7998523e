/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ours_nets.c - whole nets: training steps of Not-so-Clevr, and the memory of a ResNet-50.
 *
 * A step is forward, backward and Adam. The weights come from files, so that the
 * losses of the first step can be compared with those of the peers.
 */
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CANVAS = 64,
    STEP_LAYERS = 5
};

/* ---- Not-so-Clevr ---- */

struct step_net {
    int32_t widths[STEP_LAYERS + 1];
    int32_t kernels[STEP_LAYERS];
    int painter; /* 1: a point to a map; 0: a map to a point */
};

static const struct step_net classification = { { 2, 32, 32, 64, 64, 1 }, { 1, 1, 1, 1, 1 }, 1 };
static const struct step_net regression = { { 1, 8, 8, 8, 8, 2 }, { 1, 1, 1, 3, 3 }, 0 };

struct step_job {
    struct ours ours;
    coordconv_layer *layers[STEP_LAYERS];
    coordconv_model *model;
    coordconv_plan *plan;
    coordconv_optimizer *optimizer;
    coordconv_tensor *x, *target;
};

static coordconv_status run_step(struct ours *ours)
{
    struct step_job *job = (struct step_job *)ours;
    const coordconv_status status = coordconv_plan_run(job->plan);

    return status == COORDCONV_OK ? coordconv_optimizer_step(job->optimizer) : status;
}

static coordconv_status step_output(struct ours *ours, const char *what, coordconv_tensor **tensor)
{
    return coordconv_plan_output(((struct step_job *)ours)->plan, what, tensor);
}

static void drop_step(struct ours *ours)
{
    struct step_job *job = (struct step_job *)ours;

    coordconv_optimizer_unref(job->optimizer);
    coordconv_plan_unref(job->plan);
    coordconv_model_unref(job->model);
    for (int i = 0; i < STEP_LAYERS; i++)
        coordconv_layer_unref(job->layers[i]);
    coordconv_tensor_unref(job->x);
    coordconv_tensor_unref(job->target);
    free(job);
}

static coordconv_status make_step_layer(coordconv_context *context, const struct job_desc *d,
                                        const struct step_net *net, int i, coordconv_layer **layer)
{
    const int32_t k = net->kernels[i];
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords =
                                             i == 0 ? COORDCONV_COORDS_XY : COORDCONV_COORDS_NONE,
                                         .in_channels = net->widths[i],
                                         .out_channels = net->widths[i + 1],
                                         .kernel = { k, k },
                                         .padding = COORDCONV_SAME };
    coordconv_status status = coordconv_conv2d_new(context, &desc, layer);
    coordconv_tensor *weight = NULL, *values = NULL;
    char name[16];

    snprintf(name, sizeof name, "w%d", i);
    const int64_t shape[4] = { desc.out_channels, desc.in_channels + (i == 0 ? 2 : 0), k, k };
    if (status == COORDCONV_OK)
        status = coordconv_layer_parameter(*layer, "weight", &weight);
    if (status == COORDCONV_OK)
        status = ours_read(context, d, name, 4, shape, &values);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_copy(weight, values);
    coordconv_tensor_unref(weight);
    coordconv_tensor_unref(values);
    return status;
}

static void build_step(struct step_job *job, const struct step_net *net)
{
    coordconv_model *m = job->model;
    const int64_t image[4] = { -1, CANVAS, CANVAS, 1 }, pair[2] = { -1, 2 }, label = -1;
    coordconv_value h = net->painter ? coordconv_model_input(m, "x", COORDCONV_F32, 2, pair)
                                     : coordconv_model_input(m, "x", COORDCONV_F32, 4, image);
    const coordconv_value target =
        net->painter ? coordconv_model_input(m, "target", COORDCONV_I32, 1, &label)
                     : coordconv_model_input(m, "target", COORDCONV_F32, 2, pair);

    if (net->painter)
        h = coordconv_model_tile(m, h, CANVAS, CANVAS);
    for (int i = 0; i < STEP_LAYERS; i++)
        h = coordconv_model_apply(m, job->layers[i],
                                  i > 0 && net->painter ? coordconv_model_relu(m, h) : h);
    coordconv_model_output(
        m, "loss",
        net->painter ? coordconv_model_softmax_cross_entropy(m, h, target)
                     : coordconv_model_mse(m, coordconv_model_global_max_pool(m, h), target));
}

static coordconv_status make_step_inputs(struct step_job *job, coordconv_context *context,
                                         const struct job_desc *d, const struct step_net *net)
{
    const int64_t image[4] = { d->n, CANVAS, CANVAS, 1 }, pair[2] = { d->n, 2 }, n = d->n;
    coordconv_tensor *labels = NULL;
    coordconv_status status =
        ours_read(context, d, "x", net->painter ? 2 : 4, net->painter ? pair : image, &job->x);

    if (status != COORDCONV_OK || !net->painter)
        return status != COORDCONV_OK ? status
                                      : ours_read(context, d, "target", 2, pair, &job->target);
    status = ours_read(context, d, "target", 1, &n, &labels);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_I32, 1, &n, &job->target);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_copy(job->target, labels);
    coordconv_tensor_unref(labels);
    return status;
}

static coordconv_status make_step(struct step_job *job, coordconv_context *context,
                                  const struct job_desc *d, const struct step_net *net)
{
    const coordconv_plan_desc plan = { .struct_size = sizeof plan,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = d->n };
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    coordconv_status status = coordconv_model_new(context, &job->model);

    for (int i = 0; i < STEP_LAYERS && status == COORDCONV_OK; i++)
        status = make_step_layer(context, d, net, i, &job->layers[i]);
    if (status == COORDCONV_OK)
        status = make_step_inputs(job, context, d, net);
    if (status != COORDCONV_OK)
        return status;
    build_step(job, net);
    if ((status = coordconv_plan_new(job->model, &plan, &job->plan)) == COORDCONV_OK &&
        (status = coordconv_plan_bind(job->plan, "x", job->x)) == COORDCONV_OK &&
        (status = coordconv_plan_bind(job->plan, "target", job->target)) == COORDCONV_OK)
        status = coordconv_optimizer_new(job->plan, &adam, &job->optimizer);
    return status;
}

/* The loss before anything is learned, for the note. */
static coordconv_status first_step(struct step_job *job, char *note, size_t note_size)
{
    coordconv_tensor *loss = NULL;
    coordconv_status status = run_step(&job->ours);

    if (status == COORDCONV_OK)
        status = coordconv_plan_output(job->plan, "loss", &loss);
    if (status == COORDCONV_OK)
        snprintf(note, note_size, "loss=%.8g", (double)*(const float *)coordconv_tensor_data(loss));
    coordconv_tensor_unref(loss);
    return status;
}

struct ours *ours_step_new(const struct job_desc *d, char *note, size_t note_size)
{
    const struct step_net *net =
        strcmp(d->variant, "regression") == 0 ? &regression : &classification;
    struct step_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return NULL;
    job->ours = (struct ours){ run_step, step_output, drop_step };
    coordconv_status status = make_step(job, ours_context(d), d, net);
    if (status == COORDCONV_OK)
        status = first_step(job, note, note_size);
    if (status == COORDCONV_OK)
        return &job->ours;
    snprintf(note, note_size, "%s: %s", coordconv_status_name(status), coordconv_last_error());
    drop_step(&job->ours);
    return NULL;
}

/* ---- ResNet-50 ---- */

/* The layers are kept by the model. `least` follows what is alive while one convolution runs. */
struct resnet {
    coordconv_context *context;
    coordconv_model *model;
    coordconv_status status;
    double least; /* bytes: the most that an input, an output and a shortcut are together */
};

static coordconv_value add_conv(struct resnet *r, coordconv_value x, int32_t in, int32_t out,
                                int32_t kernel, int32_t stride)
{
    const int32_t pad = kernel / 2;
    const coordconv_conv2d_desc conv = { .struct_size = sizeof conv,
                                         .in_channels = in,
                                         .out_channels = out,
                                         .kernel = { kernel, kernel },
                                         .stride = { stride, stride },
                                         .pads = { pad, pad, pad, pad },
                                         .no_bias = 1 };
    const coordconv_batch_norm_desc norm = { .struct_size = sizeof norm, .channels = out };
    coordconv_layer *layers[2] = { NULL, NULL };

    if (r->status == COORDCONV_OK)
        r->status = coordconv_conv2d_new(r->context, &conv, &layers[0]);
    if (r->status == COORDCONV_OK)
        r->status = coordconv_batch_norm_new(r->context, &norm, &layers[1]);
    for (int i = 0; i < 2; i++) {
        x = coordconv_model_apply(r->model, layers[i], x);
        coordconv_layer_unref(layers[i]);
    }
    return x;
}

static void alive(struct resnet *r, double floats)
{
    if (floats * sizeof(float) > r->least)
        r->least = floats * sizeof(float);
}

/* One bottleneck over a map of `side` pixels; 4 * width channels come out. */
static coordconv_value add_block(struct resnet *r, coordconv_value x, int32_t in, int32_t width,
                                 int32_t stride, int side)
{
    const int32_t out = 4 * width;
    const int after = side / stride;
    const double big = (double)side * side, small = (double)after * after;
    coordconv_model *m = r->model;
    coordconv_value shortcut = x;
    coordconv_value h = coordconv_model_relu(m, add_conv(r, x, in, width, 1, 1));

    h = coordconv_model_relu(m, add_conv(r, h, width, width, 3, stride));
    h = add_conv(r, h, width, out, 1, 1);
    if (in != out || stride > 1)
        shortcut = add_conv(r, x, in, out, 1, stride);
    alive(r, big * (in + width));
    alive(r, big * (in + width) + small * width);
    alive(r, small * width + small * out + (in != out || stride > 1 ? small * out : big * in));
    return coordconv_model_relu(m, coordconv_model_add(m, h, shortcut));
}

static coordconv_value add_body(struct resnet *r, coordconv_value h)
{
    static const int32_t blocks[4] = { 3, 4, 6, 3 };
    int32_t in = 64;
    int side = 56;

    for (int stage = 0; stage < 4; stage++)
        for (int32_t i = 0; i < blocks[stage]; i++) {
            const int32_t width = 64 << stage, stride = i == 0 && stage > 0 ? 2 : 1;

            h = add_block(r, h, in, width, stride, side);
            side /= stride;
            in = 4 * width;
        }
    return coordconv_model_global_avg_pool(r->model, h);
}

static void add_head(struct resnet *r, coordconv_value h)
{
    const coordconv_linear_desc desc = { .struct_size = sizeof desc,
                                         .in_features = 2048,
                                         .out_features = 1000 };
    coordconv_layer *linear = NULL;

    if (r->status == COORDCONV_OK)
        r->status = coordconv_linear_new(r->context, &desc, &linear);
    coordconv_model_output(r->model, "logits", coordconv_model_apply(r->model, linear, h));
    coordconv_layer_unref(linear);
}

coordconv_status ours_resnet_arena(coordconv_context *context, struct ours_arena *arena)
{
    const int64_t image[4] = { 1, 224, 224, 3 };
    const coordconv_pool2d_desc pool = {
        .struct_size = sizeof pool, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }
    };
    struct resnet r = { .context = context };
    size_t bytes = 0, packed = 0;

    r.status = coordconv_model_new(context, &r.model);
    coordconv_value h = coordconv_model_input(r.model, "image", COORDCONV_F32, 4, image);
    h = coordconv_model_relu(r.model, add_conv(&r, h, 3, 64, 7, 2));
    alive(&r, 112.0 * 112 * 64 + 56.0 * 56 * 64);
    add_head(&r, add_body(&r, coordconv_model_max_pool2d(r.model, h, &pool)));
    if (r.status == COORDCONV_OK)
        r.status = coordconv_plan_arena_size(r.model, NULL, &bytes);
    if (r.status == COORDCONV_OK)
        r.status = coordconv_plan_packed_size(r.model, NULL, &packed);
    arena->bytes = (double)bytes;
    arena->weights = (double)packed;
    arena->least = r.least;
    coordconv_model_unref(r.model);
    return r.status;
}
