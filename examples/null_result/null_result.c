/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result.c - does a CoordConv layer before a classifier help, and when?
 *
 * The paper put one before ResNet-50 on ImageNet, saw no difference, and had used 100 GPUs. A
 * small ResNet on digits is asked the same here: where the place of the digit says nothing about
 * its label, where it decides the label, and where it decides but the border gives it away.
 */
#include <stdio.h>

#include "common/experiment.h"
#include "null_result_judge.h"
#include "null_result_pictures.h"

enum {
    BATCH = 32,
    STEPS = 3000,
    QUICK_STEPS = 1000,
    LOSS_EVERY = 100,    /* steps between points of the curve */
    VALIDATION_SHARE = 6 /* one of so many training digits is kept for validation */
};

static const double rate = 1e-2;

/* The words of --judge. */
enum {
    BY_TEST,
    BY_VALIDATION
};

/* The program while it runs. */
struct study {
    struct experiment_case cases[LAYOUTS * FRONTS];
    struct digits digits;
    int judge;
    long judged; /* 0: all there are */
};

static const struct layout *layout_of(const struct study *s, const struct experiment_case *which)
{
    return &layouts[(which - s->cases) / FRONTS];
}

static enum front front_of(const struct study *s, const struct experiment_case *which)
{
    return (enum front)((which - s->cases) % FRONTS);
}

/* ---- digits ---- */

static int64_t train_count(const struct study *s)
{
    return s->digits.train.count - s->digits.train.count / VALIDATION_SHARE;
}

static struct jury jury_of(const struct study *s)
{
    const int64_t first = s->judge == BY_TEST ? 0 : train_count(s);
    const struct digit_set *set = s->judge == BY_TEST ? &s->digits.test : &s->digits.train;
    const int64_t all = set->count - first;

    return (struct jury){ set, first, s->judged > 0 && s->judged < all ? s->judged : all };
}

static coordconv_status load_digits(const struct settings *settings, void *user)
{
    struct study *s = user;
    coordconv_context *context = NULL;
    char message[512];
    coordconv_status status = coordconv_context_new(NULL, &context);

    if (status == COORDCONV_OK &&
        digits_load(context, settings->mnist, &s->digits, message, sizeof message) != 0) {
        fprintf(stderr, "null_result: %s\n", message);
        status = COORDCONV_ERR_IO;
    } else if (status == COORDCONV_OK && !settings->quiet)
        fprintf(stderr, "%s\n", s->digits.note);
    coordconv_context_unref(context);
    return status;
}

/* ---- training ---- */

struct trainer {
    const struct layout *layout;
    const struct digit_set *set;
    struct net net;
    struct sampler sampler;
    coordconv_plan *plan;
    coordconv_tensor *strips, *labels, *loss;
    coordconv_optimizer *optimizer;
};

static coordconv_status make_tensors(struct trainer *t, coordconv_context *context)
{
    const int64_t shape[4] = { BATCH, STRIP_HEIGHT, layout_width(t->layout), 1 };
    coordconv_status status = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &t->strips);

    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_I32, 1, shape, &t->labels);
    if (status == COORDCONV_OK)
        status = coordconv_tensor_new(context, COORDCONV_F32, 0, NULL, &t->loss);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(t->plan, "strip", t->strips);
    if (status == COORDCONV_OK)
        status = coordconv_plan_bind(t->plan, "label", t->labels);
    return status == COORDCONV_OK ? coordconv_plan_bind(t->plan, "loss", t->loss) : status;
}

static coordconv_status trainer_open(struct trainer *t, const struct study *s, struct run *run)
{
    const coordconv_plan_desc plan = { .struct_size = sizeof plan,
                                       .mode = COORDCONV_TRAINING,
                                       .batch = BATCH };
    const coordconv_optimizer_desc adam = { .struct_size = sizeof adam, .kind = COORDCONV_ADAM };
    coordconv_status status;

    *t = (struct trainer){ .layout = layout_of(s, run->which), .set = &s->digits.train };
    status = net_new(&t->net, run->context, front_of(s, run->which), STRIP_HEIGHT,
                     layout_width(t->layout), CLASSES);
    if (status == COORDCONV_OK)
        status = coordconv_plan_new(t->net.model, &plan, &t->plan);
    if (status == COORDCONV_OK)
        status = make_tensors(t, run->context);
    if (status == COORDCONV_OK)
        status = coordconv_optimizer_new(t->plan, &adam, &t->optimizer);
    if (status == COORDCONV_OK)
        status = sampler_new(&t->sampler, run->context, run->seed, train_count(s), BATCH);
    return status;
}

static void trainer_close(struct trainer *t)
{
    sampler_free(&t->sampler);
    coordconv_optimizer_unref(t->optimizer);
    coordconv_tensor_unref(t->strips);
    coordconv_tensor_unref(t->labels);
    coordconv_tensor_unref(t->loss);
    coordconv_plan_unref(t->plan);
    net_free(&t->net);
}

static coordconv_status set_rate(const struct trainer *t, const struct run *run)
{
    const coordconv_schedule_desc cosine = { .struct_size = sizeof cosine,
                                             .kind = COORDCONV_SCHEDULE_COSINE,
                                             .rate = rate,
                                             .final_rate = rate * 1e-2,
                                             .total = (double)run->steps };
    double now = 0;
    const coordconv_status status = coordconv_schedule_rate(&cosine, (double)run->step, &now);

    return status == COORDCONV_OK ? coordconv_optimizer_set_learning_rate(t->optimizer, now)
                                  : status;
}

static coordconv_status train_step(struct trainer *t, const struct run *run)
{
    struct scene scenes[BATCH];
    coordconv_status status = sampler_batch(&t->sampler, run->step, scenes);

    if (status != COORDCONV_OK)
        return status;
    scenes_paint(t->layout, t->set, BATCH, scenes, coordconv_tensor_data(t->strips),
                 coordconv_tensor_data(t->labels));
    status = set_rate(t, run);
    if (status == COORDCONV_OK)
        status = coordconv_plan_run(t->plan);
    return status == COORDCONV_OK ? coordconv_optimizer_step(t->optimizer) : status;
}

static coordconv_status train(struct trainer *t, struct run *run)
{
    const struct trainee trainee = { t->net.model, t->optimizer };
    coordconv_status status =
        run_begin(run, &trainee, 1, run->settings->quick ? QUICK_STEPS : STEPS);

    while (status == COORDCONV_OK && run_goes_on(run)) {
        status = train_step(t, run);
        if (status != COORDCONV_OK)
            return status;
        const double loss = (double)*(const float *)coordconv_tensor_data(t->loss);
        char note[40];

        if (run->step % LOSS_EVERY == 0)
            run_point(run, "loss", (double)run->step, loss);
        snprintf(note, sizeof note, "loss %.3f", loss);
        status = run_advance(run, note);
    }
    return status;
}

static coordconv_status run_case(struct run *run, void *user)
{
    const struct study *s = user;
    const struct jury jury = jury_of(s);
    struct trainer t;
    coordconv_status status = trainer_open(&t, s, run);

    if (status == COORDCONV_OK)
        status = train(&t, run);
    if (status == COORDCONV_OK && !run_stopped(run)) {
        status = judge_net(run, &t.net, t.layout, &jury);
        run_figure(run, "digits_drawn", s->digits.drawn);
        run_figure(run, "operations", t.net.training_operations * BATCH * (double)run->step);
    }
    trainer_close(&t);
    return status;
}

/* ---- what it came to ---- */

static void tell_cost(const struct settings *settings, const struct study *s)
{
    double operations = 0, seconds = 0;
    long runs = 0;

    for (long i = 0; i < settings->seeds; i++) {
        for (int c = 0; c < LAYOUTS * FRONTS; c++) {
            const uint64_t seed = (uint64_t)(settings->first_seed + i);

            operations += finished_figure(settings, &s->cases[c], seed, "operations");
            seconds += finished_figure(settings, &s->cases[c], seed, "core_seconds");
            runs++;
        }
    }
    printf("\n%ld runs: %.2g floating-point operations of training, %.0f seconds of one processor "
           "core. The paper: 100 GPUs.\n",
           runs, operations, seconds);
}

static coordconv_status show(const struct settings *settings, void *user)
{
    const struct study *s = user;
    coordconv_context *context = NULL;
    coordconv_status status = coordconv_context_new(NULL, &context);

    if (!settings->quiet)
        tell_cost(settings, s);
    if (status == COORDCONV_OK)
        status = picture_strips(settings, context, &s->digits.test);
    if (status == COORDCONV_OK)
        status = picture_accuracy(settings, s->cases);
    coordconv_context_unref(context);
    return status;
}

/* ---- the program ---- */

static void list_cases(struct study *s)
{
    for (int i = 0; i < LAYOUTS * FRONTS; i++)
        s->cases[i] = (struct experiment_case){ layouts[i / FRONTS].name,
                                                front_name((enum front)(i % FRONTS)) };
}

int main(int argc, char **argv)
{
    static struct study s;
    static const char *const judges[] = { "test", "validation", NULL };
    static const char *const metrics[] = { "accuracy", "loss", "side", "moved", NULL };
    const char *const resnet = front_name(NOTHING), *const conv = front_name(PLAIN_FRONT),
                      *const coordconv = front_name(COORDCONV_FRONT);
    const struct comparison comparisons[] = { { "accuracy", coordconv, resnet },
                                              { "accuracy", coordconv, conv },
                                              { "accuracy", conv, resnet } };
    const struct option options[] = {
        { "judge", OPTION_CHOICE, &s.judge, judges, 0, 0, NULL,
          "the digits that runs are judged by" },
        { "judged", OPTION_WHOLE, &s.judged, NULL, 1, 1e6, "N", "how many of them (all)" },
    };
    const struct experiment experiment = {
        .name = "null_result",
        .about = "A small ResNet with and without a CoordConv layer before it, on digits whose\n"
                 "place says nothing about their label, and on digits whose place decides it.",
        .cases = s.cases,
        .case_count = LAYOUTS * FRONTS,
        .comparisons = comparisons,
        .comparison_count = sizeof comparisons / sizeof comparisons[0],
        .metrics = metrics,
        .seeds = 10,
        .quick_seeds = 3,
        .budget = 600,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .uses_mnist = 1,
        .user = &s,
        .prepare = load_digits,
        .run = run_case,
        .finish = show,
    };

    list_cases(&s);
    const int result = experiment_main(&experiment, argc, argv);
    digits_free(&s.digits);
    return result;
}
