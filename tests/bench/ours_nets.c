/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ours_nets.c - whole nets: training steps of Not-so-Clevr, and the memory of a ResNet-50.
 *
 * A step is forward, backward and Adam. The weights come from files, so that the
 * losses of the first step can be compared with those of the peers.
 */
#include "ours.h"
#include "../../examples/resnet50/resnet.h"

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

coordconv_status ours_resnet_arena(coordconv_context *context, struct ours_arena *arena)
{
    const coordconv_input_shape image = { "image", 4, 0, { 1, 224, 224, 3 } };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .inputs = &image,
                                       .input_count = 1 };
    coordconv_model *model = resnet_new(context, &resnet_50, NULL);
    size_t bytes = 0, packed = 0;
    coordconv_status status = coordconv_plan_arena_size(model, &desc, &bytes);

    if (status == COORDCONV_OK)
        status = coordconv_plan_packed_size(model, &desc, &packed);
    arena->bytes = (double)bytes;
    arena->weights = (double)packed;
    arena->least = (double)resnet_most_alive(1, 224, resnet_50.width);
    coordconv_model_unref(model);
    return status;
}
