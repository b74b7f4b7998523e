/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vae.c - variational autoencoders of Sort-of-Clevr images, with convolutions and with
 * CoordConv: what they draw, what they keep of an image, what lies between two.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/experiment.h"
#include "scene_judge.h"
#include "scene_pictures.h"
#include "vae_nets.h"

enum {
    BATCH = 16,
    STEPS = 8000,
    QUICK_STEPS = 3500,
    LONGER = 7, /* times as many steps: conv-long takes about four fifths of coordconv's time */
    TEST_BATCH = STUDIO_BATCH,
    CURVE_EVERY = 100,
    FIRST_TEST_NOISE = 1 << 29 /* streams: those below are of training steps */
};

enum variant {
    CONV,
    CONV_LONG,
    COORDCONV,
    DATA, /* no net: what the measure says of real images */
    VARIANTS
};

static const struct experiment_case cases[VARIANTS] = {
    { "", "conv" }, { "", "conv-long" }, { "", "coordconv" }, { "", "data" }
};

/* What gave the best bound: 1e-3 or 3e-3 with the seed 101, 3e-3, 6e-3 or (conv) 1.2e-2 with 102.
 * They were not compared at conv-long's length. */
static const double rates[VARIANTS] = { [CONV] = 6e-3, [CONV_LONG] = 6e-3, [COORDCONV] = 3e-3 };

static double rate_of(const struct run *run)
{
    return rates[run->which - cases];
}

/* ---- a plan of the training model with what is bound to it ---- */

struct bench {
    coordconv_plan *plan;
    coordconv_tensor *image, *target, *noise, *painted;
    int64_t batch;
};

static coordconv_status bind_new(struct bench *b, coordconv_context *context, const char *name,
                                 int is_image, coordconv_tensor **tensor)
{
    const int64_t image[4] = { b->batch, SCENE_SIDE, SCENE_SIDE, 3 };
    const int64_t code[2] = { b->batch, VAE_CODE };
    const coordconv_status status = coordconv_tensor_new(context, COORDCONV_F32, is_image ? 4 : 2,
                                                         is_image ? image : code, tensor);

    return status == COORDCONV_OK ? coordconv_plan_bind(b->plan, name, *tensor) : status;
}

static void bench_close(struct bench *b)
{
    coordconv_plan_unref(b->plan);
    coordconv_tensor_unref(b->image);
    coordconv_tensor_unref(b->target);
    coordconv_tensor_unref(b->noise);
    coordconv_tensor_unref(b->painted);
    *b = (struct bench){ 0 };
}

static coordconv_status bench_open(struct bench *b, coordconv_context *context,
                                   const struct vae *vae, int32_t mode, int64_t batch)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .mode = mode, .batch = batch };
    coordconv_status status;

    *b = (struct bench){ .batch = batch };
    if ((status = coordconv_plan_new(vae->training, &desc, &b->plan)) != COORDCONV_OK ||
        (status = bind_new(b, context, "image", 1, &b->image)) != COORDCONV_OK ||
        (status = bind_new(b, context, "target", 1, &b->target)) != COORDCONV_OK ||
        (status = bind_new(b, context, "noise", 0, &b->noise)) != COORDCONV_OK ||
        (status = bind_new(b, context, "painted", 1, &b->painted)) != COORDCONV_OK)
        bench_close(b);
    return status;
}

/* Real images, and the noise of this stream. */
static coordconv_status bench_fill(struct bench *b, uint64_t seed, const int64_t *numbers,
                                   uint64_t stream)
{
    float *image = coordconv_tensor_data(b->image), *target = coordconv_tensor_data(b->target);
    const coordconv_status status = scene_paint_all(seed, numbers, b->batch, image);

    if (status != COORDCONV_OK)
        return status;
    for (int64_t i = 0; i < b->batch * SCENE_VALUES; i++)
        target[i] = (image[i] + 1) / 2;
    return coordconv_tensor_normal(b->noise, 0, 1, seed, stream);
}

static double output_of(const struct bench *b, const char *name)
{
    coordconv_tensor *tensor = NULL;
    double value = NAN;

    if (coordconv_plan_output(b->plan, name, &tensor) == COORDCONV_OK)
        value = (double)*(const float *)coordconv_tensor_data(tensor);
    coordconv_tensor_unref(tensor);
    return value;
}

/* ---- training ---- */

static coordconv_status set_rate(const struct run *run, coordconv_optimizer *optimizer)
{
    const coordconv_schedule_desc cosine = { .struct_size = sizeof cosine,
                                             .kind = COORDCONV_SCHEDULE_COSINE,
                                             .rate = rate_of(run),
                                             .final_rate = rate_of(run) / 100,
                                             .total = (double)run->steps };
    double now = 0;
    const coordconv_status status = coordconv_schedule_rate(&cosine, (double)run->step, &now);

    return status == COORDCONV_OK ? coordconv_optimizer_set_learning_rate(optimizer, now) : status;
}

static coordconv_status train_step(struct run *run, struct bench *b, coordconv_optimizer *optimizer)
{
    int64_t numbers[BATCH];
    char note[64];
    coordconv_status status = set_rate(run, optimizer);

    for (int64_t i = 0; i < BATCH; i++)
        numbers[i] = (run->step * BATCH + i) % TRAIN_IMAGES;
    if (status == COORDCONV_OK)
        status = bench_fill(b, run->seed, numbers, (uint64_t)run->step);
    if (status == COORDCONV_OK)
        status = coordconv_plan_run(b->plan);
    if (status == COORDCONV_OK)
        status = coordconv_optimizer_step(optimizer);
    if (status != COORDCONV_OK)
        return status;
    const double loss = output_of(b, "loss");
    if (run->step % CURVE_EVERY == 0)
        run_point(run, "loss", (double)run->step, loss);
    snprintf(note, sizeof note, "loss %.1f nats", loss);
    return run_advance(run, note);
}

static int64_t steps_of(const struct run *run)
{
    const int64_t steps = run->settings->quick ? QUICK_STEPS : STEPS;

    return run->which == &cases[CONV_LONG] ? LONGER * steps : steps;
}

static coordconv_status train(struct run *run, const struct vae *vae)
{
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                            .kind = COORDCONV_ADAM,
                                            .learning_rate = rate_of(run),
                                            .clip_norm = 1000 };
    struct trainee trainee = { vae->training, NULL };
    struct bench bench;
    coordconv_status status = bench_open(&bench, run->context, vae, COORDCONV_TRAINING, BATCH);

    if (status == COORDCONV_OK)
        status = coordconv_optimizer_new(bench.plan, &desc, &trainee.optimizer);
    if (status == COORDCONV_OK)
        status = run_begin(run, &trainee, 1, steps_of(run));
    while (status == COORDCONV_OK && run_goes_on(run))
        status = train_step(run, &bench, trainee.optimizer);
    coordconv_optimizer_unref(trainee.optimizer);
    bench_close(&bench);
    return status;
}

/* ---- judging ---- */

/* Sums over test images, from number TRAIN_IMAGES on: the bound with one draw of each code, and
 * what is painted from it. */
struct test_sums {
    double loss, misfit, divergence;
    struct objects_tally painted;
};

static coordconv_status test_batch(const struct run *run, struct bench *b, int64_t first,
                                   struct test_sums *sums)
{
    int64_t numbers[TEST_BATCH];

    for (int64_t i = 0; i < TEST_BATCH; i++)
        numbers[i] = TRAIN_IMAGES + first + i;
    coordconv_status status = bench_fill(b, run->seed, numbers, FIRST_TEST_NOISE + (uint64_t)first);
    if (status == COORDCONV_OK)
        status = coordconv_plan_run(b->plan);
    if (status != COORDCONV_OK)
        return status;
    sums->loss += output_of(b, "loss") * TEST_BATCH;
    sums->misfit += output_of(b, "misfit") * TEST_BATCH;
    sums->divergence += output_of(b, "divergence") * TEST_BATCH;
    objects_add(&sums->painted, coordconv_tensor_data(b->painted), TEST_BATCH);
    return COORDCONV_OK;
}

static coordconv_status judge_bound(struct run *run, const struct vae *vae)
{
    struct test_sums sums = { 0 };
    struct bench bench;
    coordconv_status status =
        bench_open(&bench, run->context, vae, COORDCONV_INFERENCE, TEST_BATCH);

    for (int64_t first = 0; first < judged_images / 2 && status == COORDCONV_OK;
         first += TEST_BATCH)
        status = test_batch(run, &bench, first, &sums);
    bench_close(&bench);
    const double count = (double)sums.painted.images;
    run_figure(run, "ELBO", -sums.loss / count);
    run_figure(run, "misfit", sums.misfit / count);
    run_figure(run, "divergence", sums.divergence / count);
    run_figure(run, "rebuilt-whole", (double)sums.painted.whole / count);
    return status;
}

/* ---- codes: of the prior, and of test images ---- */

struct reader {
    coordconv_plan *plan;
    coordconv_tensor *image;
    uint64_t seed;
};

static void reader_close(struct reader *r)
{
    coordconv_plan_unref(r->plan);
    coordconv_tensor_unref(r->image);
    *r = (struct reader){ 0 };
}

static coordconv_status reader_open(struct reader *r, coordconv_context *context,
                                    const struct vae *vae, uint64_t seed)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc, .batch = STUDIO_BATCH };
    const int64_t shape[4] = { STUDIO_BATCH, SCENE_SIDE, SCENE_SIDE, 3 };
    coordconv_status status;

    *r = (struct reader){ .seed = seed };
    if ((status = coordconv_plan_new(vae->reader, &desc, &r->plan)) != COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &r->image)) !=
            COORDCONV_OK ||
        (status = coordconv_plan_bind(r->plan, "image", r->image)) != COORDCONV_OK)
        reader_close(r);
    return status;
}

/* The means of the codes of a batch of test images. */
static coordconv_status read_batch(void *user, coordconv_tensor *code, uint64_t number)
{
    const struct reader *r = user;
    int64_t numbers[STUDIO_BATCH];

    for (int64_t i = 0; i < STUDIO_BATCH; i++)
        numbers[i] = TRAIN_IMAGES + (int64_t)number * STUDIO_BATCH + i;
    coordconv_status status =
        scene_paint_all(r->seed, numbers, STUDIO_BATCH, coordconv_tensor_data(r->image));
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(r->plan, "code", code);
    return status == COORDCONV_OK ? coordconv_plan_run(r->plan) : status;
}

static coordconv_status draw_batch(void *user, coordconv_tensor *code, uint64_t number)
{
    const struct reader *r = user;

    return coordconv_tensor_normal(code, 0, 1, r->seed, STUDIO_STREAM + number);
}

static coordconv_status judge(struct run *run, const struct vae *vae)
{
    struct studio studio = { 0 };
    struct reader reader = { 0 };
    coordconv_status status = judge_bound(run, vae);

    if (status == COORDCONV_OK)
        status = studio_open(&studio, run->context, vae->painter, VAE_CODE);
    if (status == COORDCONV_OK)
        status = reader_open(&reader, run->context, vae, run->seed);
    if (status == COORDCONV_OK)
        status = judge_samples(run, &studio, draw_batch, &reader, judged_images);
    if (status == COORDCONV_OK)
        status = judge_between(run, &studio, read_batch, &reader, judged_images / 8);
    reader_close(&reader);
    studio_close(&studio);
    return status;
}

static coordconv_status run_one(struct run *run, void *user)
{
    struct vae vae;

    (void)user;
    if (run->which == &cases[DATA])
        return judge_data(run, judged_images);
    coordconv_status status = vae_new(&vae, run->context, run->which == &cases[COORDCONV]);
    if (status == COORDCONV_OK)
        status = train(run, &vae);
    if (status == COORDCONV_OK && !run_stopped(run))
        status = judge(run, &vae);
    vae_free(&vae);
    return status;
}

/* ---- the page of pictures ---- */

/* The test images that the data's panel has, by way of the means of their codes. */
static coordconv_status rebuild(struct scene_panel *panel, const struct studio *studio,
                                struct reader *reader)
{
    coordconv_status status = read_batch(reader, studio->code, 0);

    if (status == COORDCONV_OK)
        status = coordconv_plan_run(studio->plan);
    if (status == COORDCONV_OK)
        memcpy(panel->rebuilt, coordconv_tensor_data(studio->image), sizeof panel->rebuilt);
    panel->has_rebuilt = 1;
    return status;
}

static coordconv_status make_panel(const struct settings *settings, coordconv_context *context,
                                   int32_t i, const struct scene_panel *data,
                                   struct scene_panel **panel)
{
    const uint64_t seed = (uint64_t)settings->first_seed;
    struct studio studio = { 0 };
    struct reader reader = { 0 };
    struct vae vae;
    char path[PATH_SIZE];
    coordconv_status status = vae_new(&vae, context, i == COORDCONV);

    run_weights_path(settings, &cases[i], seed, 0, path);
    if (status == COORDCONV_OK)
        status = coordconv_load(vae.training, NULL, path);
    if (status == COORDCONV_OK)
        status = studio_open(&studio, context, vae.painter, VAE_CODE);
    if (status == COORDCONV_OK)
        status = reader_open(&reader, context, &vae, seed);
    if (status == COORDCONV_OK)
        status = panel_of_painter(cases[i].variant, &studio, draw_batch, read_batch, &reader,
                                  data->tally.images, panel);
    if (status == COORDCONV_OK)
        status = rebuild(*panel, &studio, &reader);
    reader_close(&reader);
    studio_close(&studio);
    vae_free(&vae);
    return status;
}

static coordconv_status draw_page(const struct settings *settings, void *user)
{
    (void)user;
    return scene_page(settings, "vae.png", "variational autoencoders of Sort-of-Clevr", DATA,
                      judged_images, make_panel);
}

int main(int argc, char **argv)
{
    static const struct comparison comparisons[] = {
        { "ELBO", "coordconv", "conv" },           { "ELBO", "coordconv", "conv-long" },
        { "both-whole", "coordconv", "conv" },     { "both-whole", "coordconv", "conv-long" },
        { "between-whole", "coordconv", "conv" },  { "between-whole", "coordconv", "conv-long" },
        { "between-two", "coordconv", "conv" },    { "between-two", "coordconv", "conv-long" },
        { "between-specks", "coordconv", "conv" }, { "between-specks", "coordconv", "conv-long" },
        { "rebuilt-whole", "coordconv", "conv" },  { "rebuilt-whole", "coordconv", "conv-long" },
    };
    static const char *const metrics[] = {
        "ELBO",         "rebuilt-whole",   "two-objects",    "both-whole",
        "between-two",  "between-whole",   "between-specks", "blue-coverage",
        "red-coverage", "blue-divergence", "red-divergence", NULL
    };
    const struct experiment experiment = {
        .name = "vae",
        .about = "Variational autoencoders of Sort-of-Clevr images, with convolutions and with "
                 "CoordConv.",
        .cases = cases,
        .case_count = VARIANTS,
        .comparisons = comparisons,
        .comparison_count = sizeof comparisons / sizeof comparisons[0],
        .metrics = metrics,
        .seeds = 5,
        .quick_seeds = 2,
        .options = judge_options,
        .option_count = 1,
        .budget = 900,
        .run = run_one,
        .finish = draw_page,
    };

    return experiment_main(&experiment, argc, argv);
}
