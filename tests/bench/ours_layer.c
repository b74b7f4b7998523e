/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ours_layer.c - one convolution, forward, or forward and backward.
 *
 * Forward is an inference plan whose output is read where the plan has it.
 * Forward and backward is, in the variant "layer", the two calls of layer.h on a
 * workspace kept between runs: dL/dy is given, as it is to the peers. In the
 * variant "plan" it is a training plan, which packs the weights once but has to
 * have a loss, whose passes over y are in the time.
 */
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layer_job {
    struct ours ours;
    coordconv_layer *layer;
    coordconv_model *model;
    coordconv_plan *plan;
    coordconv_tensor *x, *y, *dy, *dx, *gradients[2];
    void *workspace;
    size_t workspace_bytes;
};

static coordconv_status run_plan(struct ours *ours)
{
    return coordconv_plan_run(((struct layer_job *)ours)->plan);
}

static coordconv_status run_layer(struct ours *ours)
{
    struct layer_job *job = (struct layer_job *)ours;
    coordconv_status status = coordconv_layer_forward(job->layer, COORDCONV_TRAINING, job->x,
                                                      job->y, job->workspace, job->workspace_bytes);

    if (status == COORDCONV_OK)
        status = coordconv_layer_backward(job->layer, job->x, job->dy, job->dx, job->gradients,
                                          job->workspace, job->workspace_bytes);
    return status;
}

static coordconv_status plan_output(struct ours *ours, const char *what, coordconv_tensor **tensor)
{
    struct layer_job *job = (struct layer_job *)ours;

    if (strcmp(what, "y") != 0)
        return COORDCONV_ERR_NOT_FOUND;
    return coordconv_plan_output(job->plan, "y", tensor);
}

static coordconv_status layer_output(struct ours *ours, const char *what, coordconv_tensor **tensor)
{
    struct layer_job *job = (struct layer_job *)ours;

    if (strcmp(what, "y") == 0)
        *tensor = job->y;
    else if (strcmp(what, "dx") == 0)
        *tensor = job->dx;
    else if (strcmp(what, "dw") == 0)
        *tensor = job->gradients[0];
    else if (strcmp(what, "db") == 0)
        *tensor = job->gradients[1];
    else
        return COORDCONV_ERR_NOT_FOUND;
    coordconv_tensor_ref(*tensor);
    return COORDCONV_OK;
}

static void drop(struct ours *ours)
{
    struct layer_job *job = (struct layer_job *)ours;

    coordconv_plan_unref(job->plan);
    coordconv_model_unref(job->model);
    coordconv_layer_unref(job->layer);
    coordconv_tensor_unref(job->x);
    coordconv_tensor_unref(job->y);
    coordconv_tensor_unref(job->dy);
    coordconv_tensor_unref(job->dx);
    coordconv_tensor_unref(job->gradients[0]);
    coordconv_tensor_unref(job->gradients[1]);
    free(job->workspace);
    free(job);
}

static coordconv_status set_parameter(coordconv_layer *layer, const char *name, float *data)
{
    coordconv_tensor *tensor = NULL;
    const coordconv_status status = coordconv_layer_parameter(layer, name, &tensor);

    if (status == COORDCONV_OK)
        memcpy(coordconv_tensor_data(tensor), data,
               (size_t)coordconv_tensor_count(tensor) * sizeof *data);
    coordconv_tensor_unref(tensor);
    free(data);
    return status;
}

static coordconv_status make_layer(struct layer_job *job, coordconv_context *context,
                                   const struct job_desc *d)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = d->coords == 2   ? COORDCONV_COORDS_XY
                                                   : d->coords == 3 ? COORDCONV_COORDS_XY |
                                                                          COORDCONV_COORDS_RADIUS
                                                                    : COORDCONV_COORDS_NONE,
                                         .in_channels = d->c,
                                         .out_channels = d->o,
                                         .kernel = { d->k, d->k },
                                         .stride = { d->s, d->s },
                                         .pads = { d->p, d->p, d->p, d->p } };
    coordconv_status status = coordconv_conv2d_new(context, &desc, &job->layer);

    if (status == COORDCONV_OK)
        status = set_parameter(job->layer, "weight", worker_weight(d));
    if (status == COORDCONV_OK)
        status = set_parameter(job->layer, "bias", worker_read(d, "b", (size_t)d->o));
    return status;
}

static coordconv_status make_tensors(struct layer_job *job, coordconv_context *context,
                                     const struct job_desc *d)
{
    const int64_t in[4] = { d->n, d->h, d->w, d->c }, out[4] = { d->n, d->oh, d->ow, d->o };
    coordconv_status status = ours_read(context, d, "x.nhwc", 4, in, &job->x);

    if (status != COORDCONV_OK || strcmp(d->what, "fwd") == 0)
        return status;
    return ours_read(context, d, "dy.nhwc", 4, out, &job->dy);
}

static coordconv_status make_plan(struct layer_job *job, coordconv_context *context, int training)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = training ? COORDCONV_TRAINING : COORDCONV_INFERENCE,
                                       .input_gradients = training };
    int64_t in[4], out[4];
    coordconv_status status = coordconv_model_new(context, &job->model);

    for (int32_t i = 0; i < 4; i++)
        in[i] = coordconv_tensor_dim(job->x, i);
    if (status == COORDCONV_OK)
        status = coordconv_layer_output_shape(job->layer, 4, in, out);
    if (status != COORDCONV_OK)
        return status;
    const coordconv_value x = coordconv_model_input(job->model, "x", COORDCONV_F32, 4, in);
    const coordconv_value y = coordconv_model_apply(job->model, job->layer, x);
    coordconv_model_output(job->model, "y", y);
    if (training) {
        const coordconv_value t = coordconv_model_input(job->model, "t", COORDCONV_F32, 4, out);
        coordconv_model_output(job->model, "loss", coordconv_model_mse(job->model, y, t));
    }
    status = coordconv_plan_new(job->model, &desc, &job->plan);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(job->plan, "x", job->x);
    if (status == COORDCONV_OK && training)
        status = coordconv_plan_bind(job->plan, "t", job->dy);
    return status;
}

static coordconv_status like(coordconv_context *context, const coordconv_tensor *tensor,
                             coordconv_tensor **out)
{
    int64_t shape[COORDCONV_MAX_NDIM];
    const int32_t ndim = coordconv_tensor_ndim(tensor);

    for (int32_t i = 0; i < ndim; i++)
        shape[i] = coordconv_tensor_dim(tensor, i);
    return coordconv_tensor_new(context, COORDCONV_F32, ndim, shape, out);
}

static coordconv_status make_gradients(struct layer_job *job, coordconv_context *context)
{
    static const char *const names[2] = { "weight", "bias" };
    int64_t in[4];
    coordconv_status status = like(context, job->dy, &job->y);

    if (status == COORDCONV_OK)
        status = like(context, job->x, &job->dx);
    for (int i = 0; i < 2 && status == COORDCONV_OK; i++) {
        coordconv_tensor *parameter = NULL;

        status = coordconv_layer_parameter(job->layer, names[i], &parameter);
        if (status == COORDCONV_OK)
            status = like(context, parameter, &job->gradients[i]);
        coordconv_tensor_unref(parameter);
    }
    for (int32_t i = 0; i < 4; i++)
        in[i] = coordconv_tensor_dim(job->x, i);
    if (status == COORDCONV_OK)
        status =
            coordconv_layer_workspace(job->layer, COORDCONV_TRAINING, 4, in, &job->workspace_bytes);
    if (status == COORDCONV_OK)
        job->workspace = worker_floats(job->workspace_bytes / sizeof(float) + 1);
    return status;
}

struct ours *ours_layer_new(const struct job_desc *d, char *note, size_t note_size)
{
    const int forward = strcmp(d->what, "fwd") == 0;
    const int by_plan = forward || strcmp(d->variant, "plan") == 0;
    coordconv_context *context = ours_context(d);
    struct layer_job *job = calloc(1, sizeof *job);
    coordconv_status status = COORDCONV_ERR_NOMEM;

    if (job == NULL)
        return NULL;
    job->ours =
        (struct ours){ by_plan ? run_plan : run_layer, by_plan ? plan_output : layer_output, drop };
    if ((status = make_layer(job, context, d)) == COORDCONV_OK &&
        (status = make_tensors(job, context, d)) == COORDCONV_OK)
        status = by_plan ? make_plan(job, context, !forward) : make_gradients(job, context);
    if (status == COORDCONV_OK)
        return &job->ours;
    snprintf(note, note_size, "%s: %s", coordconv_status_name(status), coordconv_last_error());
    drop(&job->ours);
    return NULL;
}
