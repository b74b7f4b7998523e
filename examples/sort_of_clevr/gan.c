/* SPDX-License-Identifier: BSD-2-Clause
 *
 * gan.c - generative adversarial networks of Sort-of-Clevr images, with transposed
 * convolutions and with CoordConv: how whole their objects are, and how many places they know.
 *
 * The discriminator sees real and generated images through the same amount of
 * noise (Arjovsky, Bottou 2017; Soenderby et al. 2017). Without it, after 600 to
 * 900 steps with the seed 101, the generator of transposed convolutions drew one image for every
 * code, and that of coordinates, which had no batch norm then, an empty one.
 */
#include <stdio.h>

#include "common/experiment.h"
#include "gan_nets.h"
#include "scene_judge.h"
#include "scene_pictures.h"

enum {
    BATCH = 16,
    STEPS = 18000, /* these end a run, not the budget, which is for slow machines */
    QUICK_STEPS = 7000,
    CURVE_EVERY = 100,
    GENERATOR = 0, /* which trainee */
    DISCRIMINATOR = 1
};

/* Streams of a step's random numbers. */
enum {
    CODE_STREAM,
    REAL_NOISE_STREAM,
    FAKE_NOISE_STREAM,
    STREAMS
};

static const double noise = 0.5; /* deviation; an image runs from -1 to 1 */
static const double discriminator_rate = 2e-4;

enum variant {
    CONV,
    COORDCONV,
    DATA, /* no net: what the measure says of real images */
    VARIANTS
};

static const struct experiment_case cases[VARIANTS] = { { "", "conv" },
                                                        { "", "coordconv" },
                                                        { "", "data" } };

/* Of 2e-4, 5e-4 and 1e-3 (conv: 1e-4, too) the one that covered most places with the seed 101, in
 * runs of 1200 to 6000 steps, not all of one length. */
static const double generator_rates[VARIANTS] = { [CONV] = 2e-4, [COORDCONV] = 5e-4 };

/* ---- the two plans and what is bound to them ---- */

struct game {
    coordconv_plan *deceiving, *discerning;
    coordconv_optimizer *optimizers[2];
    coordconv_tensor *code, *real, *fake, *noise, *one, *zero;
};

static void game_close(struct game *g)
{
    coordconv_plan_unref(g->deceiving);
    coordconv_plan_unref(g->discerning);
    coordconv_optimizer_unref(g->optimizers[GENERATOR]);
    coordconv_optimizer_unref(g->optimizers[DISCRIMINATOR]);
    coordconv_tensor_unref(g->code);
    coordconv_tensor_unref(g->real);
    coordconv_tensor_unref(g->fake);
    coordconv_tensor_unref(g->noise);
    coordconv_tensor_unref(g->one);
    coordconv_tensor_unref(g->zero);
    *g = (struct game){ 0 };
}

static coordconv_status make_tensors(struct game *g, coordconv_context *context)
{
    const int64_t image[4] = { BATCH, SCENE_SIDE, SCENE_SIDE, 3 };
    const int64_t code[2] = { BATCH, GAN_CODE }, label[2] = { BATCH, 1 };
    coordconv_status status;

    if ((status = coordconv_tensor_new(context, COORDCONV_F32, 2, code, &g->code)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, image, &g->real)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, image, &g->fake)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 4, image, &g->noise)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 2, label, &g->one)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_new(context, COORDCONV_F32, 2, label, &g->zero)) !=
            COORDCONV_OK ||
        (status = coordconv_tensor_fill(g->one, 1)) != COORDCONV_OK)
        return status;
    return coordconv_tensor_fill(g->zero, 0);
}

/* The discriminator is shown the images that the generator's step was made from. */
static coordconv_status bind_tensors(struct game *g)
{
    const struct {
        coordconv_plan *plan;
        const char *name;
        coordconv_tensor *tensor;
    } bonds[] = {
        { g->deceiving, "code", g->code },  { g->deceiving, "noise", g->noise },
        { g->deceiving, "one", g->one },    { g->deceiving, "image", g->fake },
        { g->discerning, "real", g->real }, { g->discerning, "fake", g->fake },
        { g->discerning, "one", g->one },   { g->discerning, "zero", g->zero },
    };
    coordconv_status status = COORDCONV_OK;

    for (size_t i = 0; i < sizeof bonds / sizeof bonds[0] && status == COORDCONV_OK; i++)
        status = coordconv_plan_bind(bonds[i].plan, bonds[i].name, bonds[i].tensor);
    return status;
}

/* The generator's optimizer leaves alone the discriminator that stands behind it. */
static coordconv_status make_optimizers(struct game *g, const struct gan *gan, double rate)
{
    coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                      .kind = COORDCONV_ADAM,
                                      .learning_rate = discriminator_rate,
                                      .beta1 = 0.5,
                                      .beta2 = 0.999 };
    const coordconv_status status =
        coordconv_optimizer_new(g->discerning, &desc, &g->optimizers[DISCRIMINATOR]);

    if (status != COORDCONV_OK)
        return status;
    desc.learning_rate = rate;
    desc.layers = gan->generator.layers.items;
    desc.layer_count = gan->generator.layers.count;
    return coordconv_optimizer_new(g->deceiving, &desc, &g->optimizers[GENERATOR]);
}

static coordconv_status game_open(struct game *g, coordconv_context *context, const struct gan *gan,
                                  double rate)
{
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = BATCH };
    coordconv_status status;

    *g = (struct game){ 0 };
    if ((status = coordconv_plan_new(gan->deceiving, &desc, &g->deceiving)) != COORDCONV_OK ||
        (status = coordconv_plan_new(gan->discerning, &desc, &g->discerning)) != COORDCONV_OK ||
        (status = make_optimizers(g, gan, rate)) != COORDCONV_OK ||
        (status = make_tensors(g, context)) != COORDCONV_OK ||
        (status = bind_tensors(g)) != COORDCONV_OK)
        game_close(g);
    return status;
}

/* ---- training ---- */

/* As the paper has it: uniform between -1 and 1. */
static coordconv_status draw_codes(coordconv_tensor *code, uint64_t seed, uint64_t stream)
{
    return coordconv_tensor_uniform(code, -1, 1, seed, stream);
}

/* Real images with noise on them, codes, and noise for what is generated from these. */
static coordconv_status fill(const struct run *run, struct game *g)
{
    const uint64_t first = (uint64_t)run->step * STREAMS;
    float *real = coordconv_tensor_data(g->real);
    const float *added = coordconv_tensor_data(g->noise);
    int64_t numbers[BATCH];
    coordconv_status status;

    for (int64_t i = 0; i < BATCH; i++)
        numbers[i] = (run->step * BATCH + i) % TRAIN_IMAGES;
    if ((status = scene_paint_all(run->seed, numbers, BATCH, real)) != COORDCONV_OK ||
        (status = coordconv_tensor_normal(g->noise, 0, noise, run->seed,
                                          first + REAL_NOISE_STREAM)) != COORDCONV_OK)
        return status;
    for (int64_t i = 0; i < BATCH * SCENE_VALUES; i++)
        real[i] += added[i];
    status = coordconv_tensor_normal(g->noise, 0, noise, run->seed, first + FAKE_NOISE_STREAM);
    return status == COORDCONV_OK ? draw_codes(g->code, run->seed, first + CODE_STREAM) : status;
}

static coordconv_status move(coordconv_plan *plan, coordconv_optimizer *optimizer, double *loss)
{
    coordconv_tensor *tensor = NULL;
    coordconv_status status = coordconv_plan_run(plan);

    if (status == COORDCONV_OK)
        status = coordconv_optimizer_step(optimizer);
    if (status == COORDCONV_OK)
        status = coordconv_plan_output(plan, "loss", &tensor);
    if (status == COORDCONV_OK)
        *loss = (double)*(const float *)coordconv_tensor_data(tensor);
    coordconv_tensor_unref(tensor);
    return status;
}

static coordconv_status train_step(struct run *run, struct game *g)
{
    double deceiving = 0, discerning = 0;
    char note[80];
    coordconv_status status = fill(run, g);

    if (status == COORDCONV_OK)
        status = move(g->deceiving, g->optimizers[GENERATOR], &deceiving);
    if (status == COORDCONV_OK)
        status = move(g->discerning, g->optimizers[DISCRIMINATOR], &discerning);
    if (status != COORDCONV_OK)
        return status;
    if (run->step % CURVE_EVERY == 0) {
        run_point(run, "generator-loss", (double)run->step, deceiving);
        run_point(run, "discriminator-loss", (double)run->step, discerning);
    }
    run_figure(run, "generator-loss", deceiving); /* the last step's stay */
    run_figure(run, "discriminator-loss", discerning);
    snprintf(note, sizeof note, "generator %.2f, discriminator %.2f", deceiving, discerning);
    return run_advance(run, note);
}

static coordconv_status train(struct run *run, const struct gan *gan)
{
    struct game game;
    coordconv_status status =
        game_open(&game, run->context, gan, generator_rates[run->which - cases]);

    if (status != COORDCONV_OK)
        return status;
    const struct trainee trainees[2] = { { gan->painter, game.optimizers[GENERATOR] },
                                         { gan->discerning, game.optimizers[DISCRIMINATOR] } };
    status = run_begin(run, trainees, 2, run->settings->quick ? QUICK_STEPS : STEPS);
    while (status == COORDCONV_OK && run_goes_on(run))
        status = train_step(run, &game);
    game_close(&game);
    return status;
}

/* user: the seed. */
static coordconv_status draw_batch(void *user, coordconv_tensor *code, uint64_t number)
{
    return draw_codes(code, *(uint64_t *)user, STUDIO_STREAM + number);
}

static coordconv_status judge(struct run *run, const struct gan *gan)
{
    struct studio studio;
    coordconv_status status = studio_open(&studio, run->context, gan->painter, GAN_CODE);

    if (status != COORDCONV_OK)
        return status;
    run_figure(run, "generator-parameters", (double)coordconv_model_parameter_count(gan->painter));
    status = judge_samples(run, &studio, draw_batch, &run->seed, judged_images);
    if (status == COORDCONV_OK)
        status = judge_between(run, &studio, draw_batch, &run->seed, judged_images / 8);
    studio_close(&studio);
    return status;
}

static coordconv_status run_one(struct run *run, void *user)
{
    struct gan gan;

    (void)user;
    if (run->which == &cases[DATA])
        return judge_data(run, judged_images);
    coordconv_status status = gan_new(&gan, run->context, run->which == &cases[COORDCONV]);
    if (status == COORDCONV_OK)
        status = train(run, &gan);
    if (status == COORDCONV_OK && !run_stopped(run))
        status = judge(run, &gan);
    gan_free(&gan);
    return status;
}

/* ---- the page of pictures ---- */

static coordconv_status make_panel(const struct settings *settings, coordconv_context *context,
                                   int32_t i, const struct scene_panel *data,
                                   struct scene_panel **panel)
{
    uint64_t seed = (uint64_t)settings->first_seed;
    struct studio studio = { 0 };
    struct gan gan;
    char path[PATH_SIZE];
    coordconv_status status = gan_new(&gan, context, i == COORDCONV);

    run_weights_path(settings, &cases[i], seed, GENERATOR, path);
    if (status == COORDCONV_OK)
        status = coordconv_load(gan.painter, NULL, path);
    if (status == COORDCONV_OK)
        status = studio_open(&studio, context, gan.painter, GAN_CODE);
    if (status == COORDCONV_OK)
        status = panel_of_painter(cases[i].variant, &studio, draw_batch, draw_batch, &seed,
                                  data->tally.images, panel);
    studio_close(&studio);
    gan_free(&gan);
    return status;
}

static coordconv_status draw_page(const struct settings *settings, void *user)
{
    (void)user;
    return scene_page(settings, "gan.png", "generative adversarial nets of Sort-of-Clevr", DATA,
                      judged_images, make_panel);
}

int main(int argc, char **argv)
{
    static const struct comparison comparisons[] = {
        { "two-objects", "coordconv", "conv" },    { "both-whole", "coordconv", "conv" },
        { "between-two", "coordconv", "conv" },    { "between-whole", "coordconv", "conv" },
        { "between-specks", "coordconv", "conv" }, { "blue-coverage", "coordconv", "conv" },
        { "red-coverage", "coordconv", "conv" },
    };
    static const char *const metrics[] = {
        "two-objects",      "both-whole",     "blue-found",
        "red-found",        "blue-specks",    "red-specks",
        "between-two",      "between-whole",  "between-specks",
        "blue-entropy",     "red-entropy",    "blue-data-entropy",
        "red-data-entropy", "blue-coverage",  "red-coverage",
        "blue-divergence",  "red-divergence", NULL,
    };
    const struct experiment experiment = {
        .name = "gan",
        .about =
            "Generative adversarial networks of Sort-of-Clevr images, with transposed\n"
            "convolutions and with CoordConv. A run ends after 18000 steps (7000 with --quick):\n"
            "of CoordConv about seven minutes on one processor core, five on two.",
        .cases = cases,
        .case_count = VARIANTS,
        .comparisons = comparisons,
        .comparison_count = sizeof comparisons / sizeof comparisons[0],
        .metrics = metrics,
        .seeds = 3,
        .quick_seeds = 1,
        .options = judge_options,
        .option_count = 1,
        .budget = 1200,
        .run = run_one,
        .finish = draw_page,
    };

    return experiment_main(&experiment, argc, argv);
}
