/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet50.c - ResNet-50, plain and behind the CoordConv layer that the CoordConv paper
 * put before it: classify an image, make training steps, tell sizes and times.
 *
 * Weights are drawn at random or loaded from a state dict of PyTorch, saved as
 * safetensors, with the names of torchvision's ResNet.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/jsonl.h"
#include "common/options.h"
#include "common/progress.h"
#include "resnet.h"
#include "resnet50_image.h"

enum {
    PLAIN,
    COORDCONV,
    NETS,
    ALL_NETS = NETS, /* the last choice of --net */
    TOP = 5,
    MOST_STEPS = 100,
    MOST_REPORTS = 10, /* mismatches of a file told one by one */
    PATH_SIZE = 4096
};

static const char *const net_choices[] = { "plain", "coordconv", "both", NULL };

struct job {
    int net;
    const char *weights, *convention, *image, *out, *json;
    long width, classes, side, steps, runs, threads;
    int quick, quiet;
    FILE *json_file;
};

/* What is found out about one net. */
struct figures {
    int64_t parameters;
    size_t arena, packed; /* bytes of an inference plan, and those of them that hold weights */
    double image, step;   /* seconds: the fastest run of an image, and of a training step */
    double loss[MOST_STEPS + 1];
    int32_t top[TOP]; /* classes, the likeliest first */
    double share[TOP];
};

static enum options_result read_options(struct job *job, int argc, char **argv)
{
    const struct option options[] = {
        { "net", OPTION_CHOICE, &job->net, net_choices, 0, 0, "NET", "which net" },
        { "weights", OPTION_TEXT, &job->weights, NULL, 0, 0, "FILE",
          "safetensors to load; random weights without" },
        { "convention", OPTION_TEXT, &job->convention, NULL, 0, 0, "NAME",
          "how the file's CoordConv makes coordinates (coordconv)" },
        { "image", OPTION_TEXT, &job->image, NULL, 0, 0, "FILE",
          "PNG or PPM to classify; one is drawn without" },
        { "width", OPTION_WHOLE, &job->width, NULL, 1, 1024, "N", "channels of the stem (64)" },
        { "classes", OPTION_WHOLE, &job->classes, NULL, TOP, 1e6, "N", "classes (1000)" },
        { "side", OPTION_WHOLE, &job->side, NULL, 33, 4096, "N", "pixels of a side (224)" },
        { "steps", OPTION_WHOLE, &job->steps, NULL, 1, MOST_STEPS, "N", "training steps (1)" },
        { "runs", OPTION_WHOLE, &job->runs, NULL, 1, 1e6, "N",
          "runs of the image, the fastest counts (10)" },
        { "threads", OPTION_WHOLE, &job->threads, NULL, 1, 1024, "N",
          "most threads (one a processor)" },
        { "out", OPTION_TEXT, &job->out, NULL, 0, 0, "DIR", "folder for image.png (none)" },
        { "json", OPTION_TEXT, &job->json, NULL, 0, 0, "FILE", "JSON lines, one a net (none)" },
        { "quick", OPTION_FLAG, &job->quick, NULL, 0, 0, NULL, "two runs of the image" },
        { "quiet", OPTION_FLAG, &job->quiet, NULL, 0, 0, NULL, "one line a net" },
    };
    const size_t count = sizeof options / sizeof options[0];
    char message[200];
    enum options_result result = options_parse(options, count, argc, argv, message, sizeof message);

    if (result == OPTIONS_OK && job->weights != NULL && job->net == ALL_NETS) {
        snprintf(message, sizeof message, "--weights fill one net: --net plain or --net coordconv");
        result = OPTIONS_WRONG;
    }
    if (result == OPTIONS_HELP) {
        puts("Usage: resnet50 [options]\n\nRun ResNet-50, plain and behind a CoordConv layer.\n");
        options_print(stdout, options, count);
    } else if (result == OPTIONS_WRONG) {
        fprintf(stderr, "resnet50: %s\nresnet50 --help lists the options\n", message);
    }
    return result;
}

static int complain(const char *what)
{
    fprintf(stderr, "resnet50: %s\n", what);
    return -1;
}

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

static coordconv_status load_weights(const struct job *job, coordconv_model *model)
{
    /* A module that joins coordinates to its input and holds a convolution, as most are. */
    static const coordconv_name_pair names[] = { { "coordconv.conv", "coordconv" } };
    int told = 0;
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .convention = job->convention,
                                          .names = names,
                                          .name_count = 1,
                                          .report = report_mismatch,
                                          .report_user = &told };

    return coordconv_load_weights(model, job->weights, &desc);
}

/* Image to logits, and with a label to the loss. */
static coordconv_status make_model(const struct job *job, coordconv_context *context, int net,
                                   coordconv_model **model)
{
    static const int64_t label_shape = -1;
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    struct resnet shape = resnet_50;
    coordconv_value logits = COORDCONV_NO_VALUE;
    coordconv_status st = COORDCONV_OK;

    shape.width = (int32_t)job->width;
    shape.classes = (int32_t)job->classes;
    shape.extra = net == COORDCONV ? RESNET_EXTRA : 0;
    if (job->convention != NULL) {
        st = coordconv_convention(job->convention, &convention);
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
    return st == COORDCONV_OK && job->weights != NULL ? load_weights(job, *model) : st;
}

/* ---- classify ---- */

/* The likeliest classes of one image, with their shares of exp(logit). */
static void find_top(const float *logits, int32_t classes, struct figures *f)
{
    double sum = 0;

    for (int rank = 0; rank < TOP; rank++) {
        int32_t best = -1;
        for (int32_t i = 0; i < classes; i++) {
            int taken = 0;
            for (int r = 0; r < rank; r++)
                taken |= f->top[r] == i;
            if (!taken && (best < 0 || logits[i] > logits[best]))
                best = i;
        }
        f->top[rank] = best;
    }
    for (int32_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - (double)logits[f->top[0]]);
    for (int rank = 0; rank < TOP; rank++)
        f->share[rank] = exp((double)logits[f->top[rank]] - (double)logits[f->top[0]]) / sum;
}

static coordconv_status run_image(const struct job *job, coordconv_plan *plan, struct figures *f)
{
    coordconv_tensor *logits = NULL;
    coordconv_status st = coordconv_plan_run(plan); /* packs the weights: not counted */

    f->image = INFINITY;
    for (long i = 0; i < (job->quick ? 2 : job->runs) && st == COORDCONV_OK; i++) {
        const double begin = progress_seconds();
        st = coordconv_plan_run(plan);
        f->image = fmin(f->image, progress_seconds() - begin);
    }
    if (st == COORDCONV_OK)
        st = coordconv_plan_output(plan, "logits", &logits);
    if (st == COORDCONV_OK)
        find_top(coordconv_tensor_data(logits), (int32_t)job->classes, f);
    coordconv_tensor_unref(logits);
    return st;
}

static coordconv_status classify(const struct job *job, coordconv_model *model,
                                 coordconv_tensor *image, struct figures *f)
{
    static const char *const outputs[] = { "logits" };
    const coordconv_input_shape shape = { "image", 4, 0, { 1, job->side, job->side, 3 } };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .inputs = &shape,
                                       .input_count = 1,
                                       .outputs = outputs,
                                       .output_count = 1 };
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if ((st = coordconv_plan_arena_size(model, &desc, &f->arena)) == COORDCONV_OK &&
        (st = coordconv_plan_packed_size(model, &desc, &f->packed)) == COORDCONV_OK &&
        (st = coordconv_plan_new(model, &desc, &plan)) == COORDCONV_OK &&
        (st = coordconv_plan_bind(plan, "image", image)) == COORDCONV_OK)
        st = run_image(job, plan, f);
    coordconv_plan_unref(plan);
    return st;
}

/* ---- train ---- */

static coordconv_status read_loss(coordconv_plan *plan, double *value)
{
    coordconv_tensor *loss = NULL;
    const coordconv_status st = coordconv_plan_output(plan, "loss", &loss);

    if (st == COORDCONV_OK)
        *value = (double)*(const float *)coordconv_tensor_data(loss);
    coordconv_tensor_unref(loss);
    return st;
}

/* loss[i] is that before step i. */
static coordconv_status make_steps(const struct job *job, coordconv_plan *plan, struct figures *f)
{
    const coordconv_optimizer_desc sgd = {
        .struct_size = sizeof sgd, .kind = COORDCONV_SGD, .learning_rate = 1e-3, .momentum = 0.9
    };
    coordconv_optimizer *optimizer = NULL;
    coordconv_status st = coordconv_optimizer_new(plan, &sgd, &optimizer);

    f->step = INFINITY;
    for (long i = 0; i < job->steps && st == COORDCONV_OK; i++) {
        const double begin = progress_seconds();
        if ((st = coordconv_plan_run(plan)) == COORDCONV_OK &&
            (st = coordconv_optimizer_step(optimizer)) == COORDCONV_OK)
            st = read_loss(plan, &f->loss[i]);
        f->step = fmin(f->step, progress_seconds() - begin);
    }
    if (st == COORDCONV_OK && (st = coordconv_plan_forward(plan)) == COORDCONV_OK)
        st = read_loss(plan, &f->loss[job->steps]);
    coordconv_optimizer_unref(optimizer);
    return st;
}

/* On the one image, called class 0. */
static coordconv_status train(const struct job *job, coordconv_context *context,
                              coordconv_model *model, coordconv_tensor *image, struct figures *f)
{
    static const int64_t one = 1;
    const coordconv_input_shape shape = { "image", 4, 0, { 1, job->side, job->side, 3 } };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = COORDCONV_TRAINING, .inputs = &shape, .input_count = 1
    };
    coordconv_tensor *label = NULL;
    coordconv_plan *plan = NULL;
    coordconv_status st;

    if ((st = coordconv_plan_new(model, &desc, &plan)) == COORDCONV_OK &&
        (st = coordconv_tensor_new(context, COORDCONV_I32, 1, &one, &label)) == COORDCONV_OK &&
        (st = coordconv_plan_bind(plan, "label", label)) == COORDCONV_OK &&
        (st = coordconv_plan_bind(plan, "image", image)) == COORDCONV_OK)
        st = make_steps(job, plan, f);
    coordconv_tensor_unref(label);
    coordconv_plan_unref(plan);
    return st;
}

/* ---- what came out ---- */

static void print_figures(const struct job *job, int net, const struct figures *f)
{
    printf("%-9s %9lld parameters, %.1f ms an image, %.1f ms a training step, loss %.3f -> %.3f\n",
           net_choices[net], (long long)f->parameters, 1e3 * f->image, 1e3 * f->step, f->loss[0],
           f->loss[job->steps]);
    if (job->quiet)
        return;
    printf("          %.1f MB of memory for an image, %.1f MB of them weights\n",
           1e-6 * (double)f->arena, 1e-6 * (double)f->packed);
    if (job->weights == NULL) {
        puts("          random weights: give --weights to see which classes it finds");
        return;
    }
    printf("          classes");
    for (int i = 0; i < TOP; i++)
        printf("%s %d (%.1f %%)", i > 0 ? "," : "", (int)f->top[i], 100 * f->share[i]);
    putchar('\n');
}

static int write_json(const struct job *job, const char *isa, int net, const struct figures *f)
{
    struct jsonl j;
    char name[32];

    if (job->json_file == NULL)
        return 0;
    jsonl_begin(&j, job->json_file);
    jsonl_text(&j, "program", "resnet50");
    jsonl_text(&j, "net", net_choices[net]);
    jsonl_text(&j, "isa", isa);
    jsonl_whole(&j, "threads", job->threads);
    jsonl_whole(&j, "side", job->side);
    jsonl_whole(&j, "parameters", f->parameters);
    jsonl_whole(&j, "arena_bytes", (int64_t)f->arena);
    jsonl_whole(&j, "weights_bytes", (int64_t)f->packed);
    jsonl_number(&j, "image_seconds", f->image);
    jsonl_number(&j, "step_seconds", f->step);
    for (long i = 0; i <= job->steps; i++) {
        snprintf(name, sizeof name, "loss_%ld", i);
        jsonl_number(&j, name, f->loss[i]);
    }
    for (int i = 0; i < TOP; i++) {
        snprintf(name, sizeof name, "class_%d", i + 1);
        jsonl_whole(&j, name, f->top[i]);
        snprintf(name, sizeof name, "share_%d", i + 1);
        jsonl_number(&j, name, f->share[i]);
    }
    return jsonl_end(&j) == 0 ? 0 : complain(strerror(errno));
}

/* ---- all of it ---- */

static int do_net(struct job *job, coordconv_context *context, coordconv_tensor *image, int net)
{
    coordconv_model *model = NULL;
    struct figures f = { .parameters = 0 };
    coordconv_status st;

    if ((st = make_model(job, context, net, &model)) == COORDCONV_OK &&
        (st = classify(job, model, image, &f)) == COORDCONV_OK)
        st = train(job, context, model, image, &f);
    f.parameters = coordconv_model_parameter_count(model);
    coordconv_model_unref(model);
    if (st != COORDCONV_OK) {
        fprintf(stderr, "resnet50: %s: %s\n", coordconv_status_name(st), coordconv_last_error());
        return -1;
    }
    print_figures(job, net, &f);
    return write_json(job, coordconv_context_isa(context), net, &f);
}

/* The picture as it is before it is scaled. */
static int write_picture(const struct job *job, const struct picture *picture)
{
    char path[PATH_SIZE], message[PATH_SIZE + 80];

    if (job->out == NULL)
        return 0;
    if (mkdir(job->out, 0777) != 0 && errno != EEXIST) {
        snprintf(message, sizeof message, "%s: %s", job->out, strerror(errno));
        return complain(message);
    }
    snprintf(path, sizeof path, "%s/image.png", job->out);
    return picture_write_png(picture, path, message, sizeof message) == 0 ? 0 : complain(message);
}

/* The image as a tensor [1, side, side, 3]; NULL after a complaint. */
static coordconv_tensor *make_image(const struct job *job, coordconv_context *context)
{
    const int64_t shape[4] = { 1, job->side, job->side, 3 };
    char message[PATH_SIZE + 80] = "no memory";
    struct picture *picture = job->image != NULL ? picture_read(job->image, message, sizeof message)
                                                 : image_draw((int)job->side);
    coordconv_tensor *image = NULL;

    if (picture == NULL || write_picture(job, picture) != 0 ||
        coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &image) != COORDCONV_OK ||
        image_prepare(picture, (int)job->side, coordconv_tensor_data(image)) != 0) {
        complain(picture == NULL ? message : "no image");
        coordconv_tensor_unref(image);
        image = NULL;
    }
    picture_free(picture);
    return image;
}

static int do_all(struct job *job)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .threads = (int32_t)job->threads };
    coordconv_context *context = NULL;
    coordconv_tensor *image = NULL;
    int failed = coordconv_context_new(&desc, &context) != COORDCONV_OK
                     ? complain(coordconv_last_error())
                     : 0;

    if (failed == 0)
        failed = (image = make_image(job, context)) == NULL;
    job->threads = coordconv_context_threads(context);
    for (int net = 0; net < NETS && failed == 0; net++)
        if (job->net == ALL_NETS || job->net == net)
            failed = do_net(job, context, image, net);
    coordconv_tensor_unref(image);
    coordconv_context_unref(context);
    return failed;
}

int main(int argc, char **argv)
{
    struct job job = {
        .net = ALL_NETS, .width = 64, .classes = 1000, .side = 224, .steps = 1, .runs = 10
    };
    const enum options_result options = read_options(&job, argc, argv);

    if (options != OPTIONS_OK)
        return options == OPTIONS_HELP ? EXIT_SUCCESS : EXIT_FAILURE;
    if (job.json != NULL) {
        job.json_file = strcmp(job.json, "-") == 0 ? stdout : fopen(job.json, "w");
        if (job.json_file == NULL)
            return complain(job.json), EXIT_FAILURE;
    }
    int failed = do_all(&job);
    if (job.json_file != NULL && job.json_file != stdout && fclose(job.json_file) != 0)
        failed = complain(job.json);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
