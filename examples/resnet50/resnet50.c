/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet50.c - ResNet-50, plain and behind the CoordConv layer that the CoordConv paper
 * put before it: classify an image, make a few training steps on it, tell sizes and times.
 *
 * Weights are drawn from the seed or loaded from a state dict of PyTorch, saved as
 * safetensors, with the names of torchvision's ResNet.
 */
#include <math.h>
#include <stdio.h>

#include "common/experiment.h"
#include "common/experiment_curves.h"
#include "common/picture.h"
#include "common/progress.h"
#include "resnet.h"
#include "resnet50_image.h"

enum {
    STEPS = 5,
    QUICK_STEPS = 2,
    RUNS = 10, /* of the image */
    QUICK_RUNS = 2,
    TOP = 5,
    MOST_REPORTS = 10 /* mismatches of a file told one by one */
};

enum net {
    PLAIN,
    COORDCONV,
    NETS,
    ALL_NETS = NETS /* the last choice of --net */
};

static const struct experiment_case cases[NETS] = { { "", "plain" }, { "", "coordconv" } };

struct program {
    struct experiment experiment;
    int net;
    const char *weights, *convention, *image;
    long width, classes, side, runs;
    struct picture *picture;
};

/* ---- the net ---- */

/* Every mismatch of a file comes here; the first few are told. */
static void report_mismatch(void *user, int32_t kind, const char *name, const char *text)
{
    int *told = user;

    (void)kind;
    (void)name;
    if (++*told <= MOST_REPORTS)
        fprintf(stderr, "  %s\n", text);
}

static coordconv_status load_weights(const struct program *program, coordconv_model *model)
{
    /* A module that joins coordinates to its input and holds a convolution, as most are. */
    static const coordconv_name_pair names[] = { { "coordconv.conv", "coordconv" } };
    int told = 0;
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .convention = program->convention,
                                          .names = names,
                                          .name_count = 1,
                                          .report = report_mismatch,
                                          .report_user = &told };

    return coordconv_load_weights(model, program->weights, &desc);
}

/* Image to logits, and with a label to the loss. */
static coordconv_status make_model(const struct program *program, coordconv_context *context,
                                   int net, coordconv_model **model)
{
    static const int64_t label_shape = -1;
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    struct resnet shape = resnet_50;
    coordconv_value logits = COORDCONV_NO_VALUE;
    coordconv_status st = COORDCONV_OK;

    shape.width = (int32_t)program->width;
    shape.classes = (int32_t)program->classes;
    shape.extra = net == COORDCONV ? RESNET_EXTRA : 0;
    if (program->convention != NULL) {
        st = coordconv_convention(program->convention, &convention);
        shape.convention = &convention;
    }
    if (st != COORDCONV_OK)
        return st;
    *model = resnet_new(context, &shape, &logits);
    if (*model == NULL)
        return COORDCONV_ERR_NOMEM;
    const coordconv_value label =
        coordconv_model_input(*model, "label", COORDCONV_I32, 1, &label_shape);
    const coordconv_value loss = coordconv_model_softmax_cross_entropy(*model, logits, label);
    coordconv_model_output(*model, "loss", loss);
    st = coordconv_model_status(*model);
    return st == COORDCONV_OK && program->weights != NULL ? load_weights(program, *model) : st;
}

/* ---- classify ---- */

/* Classes, the likeliest first. */
struct top {
    int32_t classes[TOP];
    double share[TOP];
};

/* The likeliest classes of one image, with their shares of exp(logit). */
static void find_top(const float *logits, int32_t classes, struct top *top)
{
    double sum = 0;

    for (int rank = 0; rank < TOP; rank++) {
        int32_t best = -1;
        for (int32_t i = 0; i < classes; i++) {
            int taken = 0;
            for (int r = 0; r < rank; r++)
                taken |= top->classes[r] == i;
            if (!taken && (best < 0 || logits[i] > logits[best]))
                best = i;
        }
        top->classes[rank] = best;
    }
    for (int32_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - (double)logits[top->classes[0]]);
    for (int rank = 0; rank < TOP; rank++)
        top->share[rank] =
            exp((double)logits[top->classes[rank]] - (double)logits[top->classes[0]]) / sum;
}

static void tell_top(struct run *run, const struct top *top)
{
    char name[32];

    for (int i = 0; i < TOP; i++) {
        snprintf(name, sizeof name, "class_%d", i + 1);
        run_figure(run, name, top->classes[i]);
        snprintf(name, sizeof name, "share_%d", i + 1);
        run_figure(run, name, top->share[i]);
    }
}

static coordconv_status run_image(struct run *run, const struct program *program,
                                  coordconv_plan *plan)
{
    const long runs = program->runs > 0 ? program->runs : run->settings->quick ? QUICK_RUNS : RUNS;
    coordconv_tensor *logits = NULL;
    struct top top;
    double fastest = INFINITY;
    coordconv_status st = coordconv_plan_run(plan); /* packs the weights: not counted */

    for (long i = 0; i < runs && st == COORDCONV_OK; i++) {
        const double begin = progress_seconds();
        st = coordconv_plan_run(plan);
        fastest = fmin(fastest, progress_seconds() - begin);
    }
    if (st == COORDCONV_OK)
        st = coordconv_plan_output(plan, "logits", &logits);
    if (st != COORDCONV_OK)
        return st;
    find_top(coordconv_tensor_data(logits), (int32_t)program->classes, &top);
    coordconv_tensor_unref(logits);
    tell_top(run, &top);
    run_figure(run, "image_seconds", fastest);
    return COORDCONV_OK;
}

static coordconv_input_shape image_shape(const struct program *program)
{
    return (coordconv_input_shape){ "image", 4, 0, { 1, program->side, program->side, 3 } };
}

static coordconv_status classify(struct run *run, const struct program *program,
                                 coordconv_model *model, coordconv_tensor *image)
{
    static const char *const outputs[] = { "logits" };
    const coordconv_input_shape shape = image_shape(program);
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .inputs = &shape,
                                       .input_count = 1,
                                       .outputs = outputs,
                                       .output_count = 1 };
    size_t arena = 0, packed = 0;
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if ((st = coordconv_plan_arena_size(model, &desc, &arena)) == COORDCONV_OK &&
        (st = coordconv_plan_packed_size(model, &desc, &packed)) == COORDCONV_OK &&
        (st = coordconv_plan_new(model, &desc, &plan)) == COORDCONV_OK &&
        (st = coordconv_plan_bind(plan, "image", image)) == COORDCONV_OK)
        st = run_image(run, program, plan);
    coordconv_plan_unref(plan);
    run_figure(run, "arena_bytes", (double)arena);
    run_figure(run, "weights_bytes", (double)packed);
    return st;
}

/* ---- train, on the one image, called class 0 ---- */

struct trainer {
    coordconv_model *model;
    coordconv_plan *plan;
    coordconv_optimizer *optimizer;
    coordconv_tensor *image, *label;
};

static void trainer_free(struct trainer *t)
{
    coordconv_tensor_unref(t->image);
    coordconv_tensor_unref(t->label);
    coordconv_optimizer_unref(t->optimizer);
    coordconv_plan_unref(t->plan);
    coordconv_model_unref(t->model);
}

static coordconv_status make_tensors(struct trainer *t, const struct program *program,
                                     coordconv_context *context)
{
    const int64_t image[4] = { 1, program->side, program->side, 3 };
    coordconv_status st;

    if ((st = coordconv_tensor_new(context, COORDCONV_I32, 1, image, &t->label)) != COORDCONV_OK ||
        (st = coordconv_tensor_new(context, COORDCONV_F32, 4, image, &t->image)) != COORDCONV_OK)
        return st;
    return image_prepare(program->picture, (int)program->side, coordconv_tensor_data(t->image)) == 0
               ? COORDCONV_OK
               : COORDCONV_ERR_NOMEM;
}

static coordconv_status trainer_init(struct trainer *t, const struct program *program,
                                     const struct run *run)
{
    const coordconv_input_shape shape = image_shape(program);
    const coordconv_plan_desc plan = {
        .struct_size = sizeof plan, .mode = COORDCONV_TRAINING, .inputs = &shape, .input_count = 1
    };
    const coordconv_optimizer_desc sgd = {
        .struct_size = sizeof sgd, .kind = COORDCONV_SGD, .learning_rate = 1e-3, .momentum = 0.9
    };
    coordconv_status st;

    if ((st = make_model(program, run->context, (int)(run->which - cases), &t->model)) !=
            COORDCONV_OK ||
        (st = make_tensors(t, program, run->context)) != COORDCONV_OK ||
        (st = coordconv_plan_new(t->model, &plan, &t->plan)) != COORDCONV_OK ||
        (st = coordconv_optimizer_new(t->plan, &sgd, &t->optimizer)) != COORDCONV_OK ||
        (st = coordconv_plan_bind(t->plan, "label", t->label)) != COORDCONV_OK)
        return st;
    return coordconv_plan_bind(t->plan, "image", t->image);
}

static coordconv_status read_loss(coordconv_plan *plan, double *value)
{
    coordconv_tensor *loss = NULL;
    const coordconv_status st = coordconv_plan_output(plan, "loss", &loss);

    if (st == COORDCONV_OK)
        *value = (double)*(const float *)coordconv_tensor_data(loss);
    coordconv_tensor_unref(loss);
    return st;
}

static coordconv_status train(struct trainer *t, struct run *run)
{
    double fastest = INFINITY, loss = 0;
    char note[48];
    coordconv_status st = COORDCONV_OK;

    while (st == COORDCONV_OK && run_goes_on(run)) {
        const double begin = progress_seconds();
        if ((st = coordconv_plan_run(t->plan)) == COORDCONV_OK &&
            (st = coordconv_optimizer_step(t->optimizer)) == COORDCONV_OK)
            st = read_loss(t->plan, &loss);
        if (st != COORDCONV_OK)
            break;
        fastest = fmin(fastest, progress_seconds() - begin);
        run_figure(run, "step_seconds", fastest);
        if (run->step == 0)
            run_figure(run, "loss_before", loss);
        run_point(run, "loss", (double)run->step, loss);
        snprintf(note, sizeof note, "loss %.3f", loss);
        st = run_advance(run, note);
    }
    return st;
}

static coordconv_status look_at_end(struct trainer *t, struct run *run)
{
    double loss = 0;
    coordconv_status st = coordconv_plan_forward(t->plan);

    if (st == COORDCONV_OK)
        st = read_loss(t->plan, &loss);
    run_figure(run, "loss_after", loss);
    run_point(run, "loss", (double)run->step, loss);
    return st;
}

static coordconv_status do_run(struct run *run, void *user)
{
    const struct program *program = user;
    struct trainer t = { .model = NULL };
    coordconv_status st = trainer_init(&t, program, run);

    if (st == COORDCONV_OK) {
        const struct trainee trainee = { t.model, t.optimizer };
        st = run_begin(run, &trainee, 1, run->settings->quick ? QUICK_STEPS : STEPS);
    }
    if (st == COORDCONV_OK && run->step == 0)
        st = classify(run, program, t.model, t.image);
    if (st == COORDCONV_OK)
        st = train(&t, run);
    if (st == COORDCONV_OK && !run_stopped(run))
        st = look_at_end(&t, run);
    trainer_free(&t);
    return st;
}

/* ---- what came out ---- */

/* Of the first seed. */
static void tell(const struct settings *settings, const struct program *program,
                 const struct experiment_case *which)
{
    const uint64_t seed = (uint64_t)settings->first_seed;

    printf("%-9s %9.0f parameters, %.1f ms an image, %.1f ms a training step,\n"
           "          %.1f MB of memory for an image, %.1f MB of them weights\n",
           which->variant, finished_figure(settings, which, seed, "parameters"),
           1e3 * finished_figure(settings, which, seed, "image_seconds"),
           1e3 * finished_figure(settings, which, seed, "step_seconds"),
           1e-6 * finished_figure(settings, which, seed, "arena_bytes"),
           1e-6 * finished_figure(settings, which, seed, "weights_bytes"));
    if (program->weights == NULL) {
        puts("          random weights: give --weights to see which classes it finds");
        return;
    }
    printf("          classes");
    for (int i = 0; i < TOP; i++) {
        char name[32];
        snprintf(name, sizeof name, "class_%d", i + 1);
        printf("%s %.0f", i > 0 ? "," : "", finished_figure(settings, which, seed, name));
        snprintf(name, sizeof name, "share_%d", i + 1);
        printf(" (%.1f %%)", 100 * finished_figure(settings, which, seed, name));
    }
    putchar('\n');
}

static coordconv_status finish(const struct settings *settings, void *user)
{
    static const struct curve_picture losses = { "loss", "loss on the one image", "training step",
                                                 "loss.png" };
    const struct program *program = user;
    const struct experiment *e = &program->experiment;
    char path[PATH_SIZE], message[PATH_SIZE + 80];

    for (size_t i = 0; i < e->case_count && !settings->quiet; i++)
        tell(settings, program, &e->cases[i]);
    settings_path(settings, "image.png", path);
    if (picture_write_png(program->picture, path, message, sizeof message) == 0 &&
        curves_draw(settings, e->cases, e->case_count, &losses, message, sizeof message) == 0)
        return COORDCONV_OK;
    fprintf(stderr, "resnet50: %s\n", message);
    return COORDCONV_ERR_IO;
}

/* ---- the program ---- */

static coordconv_status prepare(const struct settings *settings, void *user)
{
    struct program *program = user;
    char message[PATH_SIZE + 80] = "no memory";

    (void)settings;
    if (program->net != ALL_NETS) {
        program->experiment.cases = &cases[program->net];
        program->experiment.case_count = 1;
    } else if (program->weights != NULL) {
        fprintf(stderr, "resnet50: --weights fill one net: --net plain or --net coordconv\n");
        return COORDCONV_ERR_INVALID;
    }
    program->picture = program->image != NULL
                           ? picture_read(program->image, message, sizeof message)
                           : image_draw((int)program->side);
    if (program->picture != NULL)
        return COORDCONV_OK;
    fprintf(stderr, "resnet50: %s\n", message);
    return COORDCONV_ERR_FORMAT;
}

int main(int argc, char **argv)
{
    static const char *const net_choices[] = { "plain", "coordconv", "both", NULL };
    static const char *const metrics[] = {
        "parameters",   "loss_before", "loss_after", "image_seconds",
        "step_seconds", "arena_bytes", NULL
    };
    struct program program = { .net = ALL_NETS, .width = 64, .classes = 1000, .side = 224 };
    const struct option options[] = {
        { "net", OPTION_CHOICE, &program.net, net_choices, 0, 0, "NET", "which net" },
        { "weights", OPTION_TEXT, &program.weights, NULL, 0, 0, "FILE",
          "safetensors to load; random weights without" },
        { "convention", OPTION_TEXT, &program.convention, NULL, 0, 0, "NAME",
          "how the file's CoordConv makes coordinates (coordconv)" },
        { "image", OPTION_TEXT, &program.image, NULL, 0, 0, "FILE",
          "PNG or PPM to classify; one is drawn without" },
        { "width", OPTION_WHOLE, &program.width, NULL, 1, 1024, "N", "channels of the stem (64)" },
        { "classes", OPTION_WHOLE, &program.classes, NULL, TOP, 1e6, "N", "classes (1000)" },
        { "side", OPTION_WHOLE, &program.side, NULL, 33, 4096, "N", "pixels of a side (224)" },
        { "runs", OPTION_WHOLE, &program.runs, NULL, 1, 1e6, "N",
          "runs of the image, the fastest counts (10)" },
    };

    program.experiment = (struct experiment){
        .name = "resnet50",
        .about =
            "Run ResNet-50, plain and behind a CoordConv layer, on one image, and train it for a\n"
            "few steps.",
        .cases = cases,
        .case_count = NETS,
        .metrics = metrics,
        .seeds = 3,
        .quick_seeds = 1,
        .budget = 120,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .forgets_weights = 1,
        .user = &program,
        .prepare = prepare,
        .run = do_run,
        .finish = finish,
    };
    const int result = experiment_main(&program.experiment, argc, argv);
    picture_free(program.picture);
    return result;
}
