/* SPDX-License-Identifier: BSD-2-Clause
 *
 * onednn.c - the benchmark's worker for oneDNN, through its C API.
 *
 * what=fwd: a plain image in, a plain map out. Variant EDGE.INSIDE.ALGORITHM,
 * EDGE nhwc or nchw, INSIDE same or any (the layout oneDNN likes best), ALGORITHM
 * auto, direct or winograd. The weights are packed and the coordinates written
 * beforehand; a run copies the image beside the coordinates (straight into
 * oneDNN's layout where it can be addressed), convolves, and reorders the output.
 *
 * what=plain_fwd, plain_data, plain_weights: one primitive of a convolution
 * without coordinates, nothing else. Variant LAYOUT.ALGORITHM with LAYOUT any, nhwc
 * or nchw.
 */
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

enum {
    MAX_STEPS = 4,
    MAX_OWNED = 24
};

struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[4];
    int count;
};

struct convolution {
    struct job_desc desc;
    int nhwc;    /* layout at the edge */
    float *x;    /* the user's image */
    float *join; /* plain and joined, where the image is copied by hand; else NULL */
    struct step steps[MAX_STEPS];
    int step_count;
    dnnl_memory_t y;
    dnnl_memory_t owned[MAX_OWNED];
    int owned_count;
    float *kept[MAX_OWNED]; /* freed with the job */
    int kept_count;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

/* ---- memory ---- */

static void describe(dnnl_memory_desc_t *md, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    (void)dnnl_memory_desc_init_by_tag(md, 4, dims, dnnl_f32, tag);
}

static dnnl_format_tag_t plain_tag(int nhwc)
{
    return nhwc ? dnnl_nhwc : dnnl_nchw;
}

/* Over `data`, or over memory of its own if that is NULL. */
static dnnl_memory_t memory_over(struct convolution *job, const dnnl_memory_desc_t *md, void *data)
{
    dnnl_memory_t memory = NULL;

    if (job->owned_count == MAX_OWNED ||
        dnnl_memory_create(&memory, md, engine, data != NULL ? data : DNNL_MEMORY_ALLOCATE) !=
            dnnl_success)
        return NULL;
    job->owned[job->owned_count++] = memory;
    return memory;
}

static float *keep(struct convolution *job, float *data)
{
    job->kept[job->kept_count++] = data;
    return data;
}

static float *data_of(dnnl_memory_t memory)
{
    void *data = NULL;

    (void)dnnl_memory_get_data_handle(memory, &data);
    return data;
}

/* ---- steps ---- */

static int run_step(const struct step *step)
{
    return dnnl_primitive_execute(step->primitive, stream, step->count, step->args) != dnnl_success;
}

/* A reorder of one memory into another; NULL primitive if there is none. */
static struct step reorder_step(dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *from_md, *to_md;
    dnnl_primitive_desc_t pd = NULL;
    struct step step = { .args = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } }, .count = 2 };

    (void)dnnl_memory_get_memory_desc(from, &from_md);
    (void)dnnl_memory_get_memory_desc(to, &to_md);
    if (dnnl_reorder_primitive_desc_create(&pd, from_md, engine, to_md, engine, NULL) ==
        dnnl_success) {
        if (dnnl_primitive_create(&step.primitive, pd) != dnnl_success)
            step.primitive = NULL;
        (void)dnnl_primitive_desc_destroy(pd);
    }
    return step;
}

static int add_step(struct convolution *job, struct step step)
{
    if (step.primitive == NULL || job->step_count == MAX_STEPS)
        return -1;
    job->steps[job->step_count++] = step;
    return 0;
}

/* Now, once. */
static int reorder_once(dnnl_memory_t from, dnnl_memory_t to)
{
    struct step step = reorder_step(from, to);
    const int failed = step.primitive == NULL || run_step(&step) != 0;

    if (step.primitive != NULL)
        (void)dnnl_primitive_destroy(step.primitive);
    return failed ? -1 : dnnl_stream_wait(stream) != dnnl_success;
}

/* Memory of the layout md with the content of `plain`, values in layout tag, which it frees. */
static dnnl_memory_t packed(struct convolution *job, const dnnl_memory_desc_t *md,
                            dnnl_format_tag_t tag, float *plain)
{
    dnnl_memory_desc_t plain_md;

    describe(&plain_md, md->dims, tag);
    dnnl_memory_t from = memory_over(job, &plain_md, plain), to = memory_over(job, md, NULL);
    const int failed = from == NULL || to == NULL || reorder_once(from, to) != 0;
    free(plain);
    return failed ? NULL : to;
}

/* ---- the image beside the coordinates, plain ---- */

static void join_nhwc(const struct convolution *job)
{
    const struct job_desc *d = &job->desc;
    const size_t c = (size_t)d->c, stride = (size_t)(d->c + d->coords);
    const ptrdiff_t pixels = (ptrdiff_t)d->n * d->h * d->w;

#pragma omp parallel for schedule(static)
    for (ptrdiff_t p = 0; p < pixels; p++)
        memcpy(job->join + (size_t)p * stride, job->x + (size_t)p * c, c * sizeof(float));
}

static void join_nchw(const struct convolution *job)
{
    const struct job_desc *d = &job->desc;
    const size_t map = (size_t)(d->h * d->w), c = (size_t)d->c, all = (size_t)(d->c + d->coords);
    const ptrdiff_t maps = (ptrdiff_t)d->n * d->c;

#pragma omp parallel for schedule(static)
    for (ptrdiff_t m = 0; m < maps; m++)
        memcpy(job->join + ((size_t)m / c * all + (size_t)m % c) * map, job->x + (size_t)m * map,
               map * sizeof(float));
}

/* Image and coordinates, joined, in the layout of the edge. */
static float *joined_input(struct convolution *job)
{
    const struct job_desc *d = &job->desc;
    const size_t q = (size_t)d->coords, c = (size_t)d->c, all = c + q;
    const size_t pixels = (size_t)(d->h * d->w);
    float *coords = worker_coords(d), *joined = worker_floats((size_t)d->n * pixels * all);
    float *const before = job->join;

    for (size_t n = 0; n < (size_t)d->n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < q; i++)
                joined[job->nhwc ? (n * pixels + p) * all + c + i
                                 : (n * all + c + i) * pixels + p] = coords[p * q + i];
    free(coords);
    job->join = joined;
    (job->nhwc ? join_nhwc : join_nchw)(job);
    job->join = before;
    return joined;
}

/* ---- the convolution ---- */

static dnnl_alg_kind_t algorithm(const char *name)
{
    if (strcmp(name, "direct") == 0)
        return dnnl_convolution_direct;
    return strcmp(name, "winograd") == 0 ? dnnl_convolution_winograd : dnnl_convolution_auto;
}

struct shapes {
    dnnl_dims_t x, w, b, y, strides, dilates, pads;
};

static struct shapes shapes_of(const struct job_desc *d, int channels)
{
    return (struct shapes){ { d->n, channels, d->h, d->w },
                            { d->o, channels, d->k, d->k },
                            { d->o },
                            { d->n, d->o, d->oh, d->ow },
                            { d->s, d->s },
                            { 0, 0 },
                            { d->p, d->p } };
}

static dnnl_primitive_desc_t forward_desc(const struct shapes *s, dnnl_prop_kind_t prop,
                                          dnnl_alg_kind_t alg, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t x, w, b, y;
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;

    describe(&x, s->x, tag);
    describe(&w, s->w, dnnl_format_tag_any);
    describe(&y, s->y, tag);
    (void)dnnl_memory_desc_init_by_tag(&b, 1, s->b, dnnl_f32, dnnl_x);
    if (dnnl_dilated_convolution_forward_desc_init(&desc, prop, alg, &x, &w, &b, &y, s->strides,
                                                   s->dilates, s->pads, s->pads) != dnnl_success ||
        dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL) != dnnl_success)
        return NULL;
    return pd;
}

static const dnnl_memory_desc_t *query(dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(pd, what, 0);
}

static void implementation(dnnl_primitive_desc_t pd, char *note, size_t note_size)
{
    const char *name = "";

    (void)dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    snprintf(note, note_size, "%s", name);
}

/* How the image gets into src each run: in place, straight into the layout, or by way of a
 * plain copy. */
static int add_input(struct convolution *job, const dnnl_memory_desc_t *src_md, dnnl_memory_t src)
{
    const struct job_desc *d = &job->desc;
    const dnnl_dims_t image = { d->n, d->c, d->h, d->w }, origin = { 0 };
    const dnnl_dims_t all = { d->n, d->c + d->coords, d->h, d->w };
    dnnl_memory_desc_t plain, part;
    const dnnl_format_tag_t tag = plain_tag(job->nhwc);

    describe(&plain, all, tag);
    if (dnnl_memory_desc_equal(&plain, src_md)) {
        job->join = data_of(src);
        return 0;
    }
    if (dnnl_memory_desc_init_submemory(&part, src_md, image, origin) == dnnl_success) {
        dnnl_memory_desc_t user;

        describe(&user, image, tag);
        dnnl_memory_t from = memory_over(job, &user, job->x);
        dnnl_memory_t to = memory_over(job, &part, data_of(src));
        if (from != NULL && to != NULL && add_step(job, reorder_step(from, to)) == 0)
            return 0;
    }
    job->join = keep(job, joined_input(job));
    return add_step(job, reorder_step(memory_over(job, &plain, job->join), src));
}

/* Weights, bias, and what the primitive writes. Leaves the convolution as the last step. */
static int add_convolution(struct convolution *job, dnnl_primitive_desc_t pd, dnnl_memory_t src)
{
    const struct job_desc *d = &job->desc;
    struct step step = { .count = 4 };
    dnnl_memory_t w = packed(job, query(pd, dnnl_query_weights_md), dnnl_oihw, worker_weight(d));
    dnnl_memory_t b = memory_over(job, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1),
                                  keep(job, worker_read(d, "b", (size_t)d->o)));

    job->y = memory_over(job, query(pd, dnnl_query_dst_md), NULL);
    if (w == NULL || b == NULL || job->y == NULL ||
        dnnl_primitive_create(&step.primitive, pd) != dnnl_success)
        return -1;
    step.args[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, src };
    step.args[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, w };
    step.args[2] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, b };
    step.args[3] = (dnnl_exec_arg_t){ DNNL_ARG_DST, job->y };
    return add_step(job, step);
}

static int add_output(struct convolution *job, dnnl_primitive_desc_t pd)
{
    const struct shapes s = shapes_of(&job->desc, job->desc.c);
    dnnl_memory_desc_t plain;
    dnnl_memory_t inside = job->y;

    describe(&plain, s.y, plain_tag(job->nhwc));
    if (dnnl_memory_desc_equal(&plain, query(pd, dnnl_query_dst_md)))
        return 0;
    job->y = memory_over(job, &plain, NULL);
    return job->y == NULL ? -1 : add_step(job, reorder_step(inside, job->y));
}

static int make_forward(struct convolution *job, const char *edge, const char *inside,
                        const char *alg, char *note, size_t note_size)
{
    const struct job_desc *d = &job->desc;
    const struct shapes s = shapes_of(d, d->c + d->coords);

    job->nhwc = strcmp(edge, "nhwc") == 0;
    const dnnl_format_tag_t tag =
        strcmp(inside, "any") == 0 ? dnnl_format_tag_any : plain_tag(job->nhwc);
    dnnl_primitive_desc_t pd = forward_desc(&s, dnnl_forward_inference, algorithm(alg), tag);
    if (pd == NULL) {
        snprintf(note, note_size, "such primitive");
        return -1;
    }
    const dnnl_memory_desc_t *src_md = query(pd, dnnl_query_src_md);
    job->x = keep(job, worker_read(d, job->nhwc ? "x.nhwc" : "x.nchw",
                                   (size_t)d->n * (size_t)(d->h * d->w * d->c)));
    dnnl_memory_t src = packed(job, src_md, plain_tag(job->nhwc), joined_input(job));
    implementation(pd, note, note_size);
    const int failed = src == NULL || add_input(job, src_md, src) != 0 ||
                       add_convolution(job, pd, src) != 0 || add_output(job, pd) != 0;
    (void)dnnl_primitive_desc_destroy(pd);
    return failed ? -1 : 0;
}

/* ---- single primitives ---- */

static dnnl_primitive_desc_t backward_desc(const struct job_desc *d, const struct shapes *s,
                                           dnnl_alg_kind_t alg, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t x, w, b, y;
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t pd = NULL, hint = forward_desc(s, dnnl_forward_training, alg, tag);
    dnnl_status_t status;

    if (hint == NULL)
        return NULL;
    describe(&x, s->x, tag);
    describe(&w, s->w, dnnl_format_tag_any);
    describe(&y, s->y, tag);
    (void)dnnl_memory_desc_init_by_tag(&b, 1, s->b, dnnl_f32, dnnl_x);
    if (strcmp(d->what, "plain_data") == 0)
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &desc, alg, &x, &w, &y, s->strides, s->dilates, s->pads, s->pads);
    else
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, alg, &x, &w, &b, &y, s->strides, s->dilates, s->pads, s->pads);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, NULL, engine, hint);
    (void)dnnl_primitive_desc_destroy(hint);
    return status == dnnl_success ? pd : NULL;
}

/* Its values do not matter for the time, as long as they are ordinary numbers. */
static dnnl_memory_t filled(struct convolution *job, dnnl_primitive_desc_t pd, dnnl_query_t what,
                            int index)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, index);
    dnnl_memory_t memory = memory_over(job, md, NULL);

    if (memory == NULL)
        return NULL;
    float *data = data_of(memory);
    for (size_t i = 0; i < dnnl_memory_desc_get_size(md) / sizeof *data; i++)
        data[i] = (float)(i * 2654435761U % 1024U) / 1024.0F - 0.5F;
    return memory;
}

static void add_argument(struct convolution *job, struct step *step, dnnl_primitive_desc_t pd,
                         int argument, dnnl_query_t what, int index)
{
    step->args[step->count++] = (dnnl_exec_arg_t){ argument, filled(job, pd, what, index) };
}

static int make_plain(struct convolution *job, const char *layout, const char *alg, char *note,
                      size_t note_size)
{
    const struct job_desc *d = &job->desc;
    const struct shapes s = shapes_of(d, d->c);
    const dnnl_format_tag_t tag =
        strcmp(layout, "any") == 0 ? dnnl_format_tag_any : plain_tag(layout[1] == 'h');
    const int forward = strcmp(d->what, "plain_fwd") == 0;
    const int data = strcmp(d->what, "plain_data") == 0;
    struct step step = { .count = 0 };
    dnnl_primitive_desc_t pd = forward
                                   ? forward_desc(&s, dnnl_forward_training, algorithm(alg), tag)
                                   : backward_desc(d, &s, algorithm(alg), tag);

    if (pd == NULL || dnnl_primitive_create(&step.primitive, pd) != dnnl_success) {
        snprintf(note, note_size, "such primitive");
        return -1;
    }
    if (data)
        add_argument(job, &step, pd, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0);
    else
        add_argument(job, &step, pd, DNNL_ARG_SRC, dnnl_query_src_md, 0);
    if (forward || data)
        add_argument(job, &step, pd, DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0);
    else
        add_argument(job, &step, pd, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0);
    if (forward)
        add_argument(job, &step, pd, DNNL_ARG_BIAS, dnnl_query_weights_md, 1);
    else if (!data)
        add_argument(job, &step, pd, DNNL_ARG_DIFF_BIAS, dnnl_query_diff_weights_md, 1);
    if (forward)
        add_argument(job, &step, pd, DNNL_ARG_DST, dnnl_query_dst_md, 0);
    else
        add_argument(job, &step, pd, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0);
    implementation(pd, note, note_size);
    (void)dnnl_primitive_desc_destroy(pd);
    return add_step(job, step);
}

/* ---- jobs ---- */

static void drop(void *work)
{
    struct convolution *job = work;

    for (int i = 0; i < job->step_count; i++)
        (void)dnnl_primitive_destroy(job->steps[i].primitive);
    for (int i = 0; i < job->owned_count; i++)
        (void)dnnl_memory_destroy(job->owned[i]);
    for (int i = 0; i < job->kept_count; i++)
        free(job->kept[i]);
    free(job);
}

static void *make(const struct job_desc *d, char *note, size_t note_size)
{
    struct convolution *job = calloc(1, sizeof *job);
    char words[3][16] = { "", "", "" };
    int failed;

    if (job == NULL)
        return NULL;
    omp_set_num_threads(d->threads);
    job->desc = *d;
    (void)sscanf(d->variant, "%15[^.].%15[^.].%15s", words[0], words[1], words[2]);
    if (strcmp(d->what, "fwd") == 0)
        failed = make_forward(job, words[0], words[1], words[2], note, note_size);
    else if (strncmp(d->what, "plain_", 6) == 0)
        failed = make_plain(job, words[0], words[1], note, note_size);
    else
        failed = -1;
    if (failed == 0)
        return job;
    drop(job);
    return NULL;
}

static int run(void *work)
{
    const struct convolution *job = work;
    int failed = 0;

    if (job->join != NULL && job->desc.coords > 0)
        (job->nhwc ? join_nhwc : join_nchw)(job);
    for (int i = 0; i < job->step_count; i++)
        failed |= run_step(&job->steps[i]);
    return failed | (dnnl_stream_wait(stream) != dnnl_success);
}

static const char *output(void *work, const char *what, const char *file)
{
    const struct convolution *job = work;
    const struct job_desc *d = &job->desc;

    if (strcmp(what, "y") != 0 || strcmp(d->what, "fwd") != 0 ||
        worker_write(file, data_of(job->y),
                     (size_t)d->n * (size_t)(d->oh * d->ow) * (size_t)d->o) != 0)
        return NULL;
    return job->nhwc ? "nhwc" : "nchw";
}

int main(void)
{
    static const struct worker worker = {
        .make = make, .run = run, .output = output, .drop = drop
    };

    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success)
        return EXIT_FAILURE;
    return worker_serve(&worker);
}
