/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_load_weights.c - other people's weights: names, conventions, types, and
 * that every mismatch is told before anything changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/saved_model.h"
#include "api/weights_file.h"

#define DESC                                                                                       \
    {                                                                                              \
        .struct_size = sizeof(coordconv_weights_desc)                                              \
    }

/* ---- what is reported ---- */

struct reports {
    int count;
    int32_t kind[16];
    char name[16][64], text[16][300];
};

static void record(void *user, int32_t kind, const char *name, const char *text)
{
    struct reports *r = user;

    assert_true(r->count < 16);
    r->kind[r->count] = kind;
    snprintf(r->name[r->count], sizeof r->name[0], "%s", name);
    snprintf(r->text[r->count], sizeof r->text[0], "%s", text);
    r->count++;
}

struct expected {
    int32_t kind;
    const char *name, *text;
};

static void check_reports(const struct reports *got, const struct expected *want, size_t count)
{
    for (int i = 0; i < got->count; i++) {
        if ((size_t)i >= count || got->kind[i] != want[i].kind ||
            strcmp(got->name[i], want[i].name) != 0 || !strstr(got->text[i], want[i].text)) {
            print_error("report %d: kind %d, \"%s\": %s\n", i, got->kind[i], got->name[i],
                        got->text[i]);
            fail();
        }
    }
    assert_int_equal(got->count, count);
}

/* ---- names ---- */

/* How PyTorch spells the parameters of one of the fixture's layers. */
static void add_layer(struct weights_file *f, struct saved_model *m, int layer, const char *name)
{
    static const char *const names[] = { "weight", "bias", "running_mean", "running_var" };
    static const int64_t steps = 1234;
    char text[64];

    for (size_t k = 0; k < (layer == 1 ? COUNT(names) : 2); k++) {
        snprintf(text, sizeof text, "%s.%s", name, names[k]);
        weights_file_add_parameter(f, text, m->layer[layer], names[k]);
    }
    if (layer == 1) {
        snprintf(text, sizeof text, "%s.num_batches_tracked", name);
        weights_file_add(f, text, "I64", 0, NULL, &steps, sizeof steps);
    }
}

static void fill_layers(struct saved_model *m, uint64_t seed)
{
    for (int i = 0; i < saved_model_layers; i++)
        test_fill_layer(m->layer[i], seed + (uint64_t)i);
}

/* A file of a model whose layers have these names, read with desc into another. */
static void check_renamed(const char *const names[3], const coordconv_weights_desc *desc)
{
    struct saved_model from, to;
    struct weights_file f;

    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    fill_layers(&from, 77);
    weights_file_begin(&f);
    for (int i = 0; i < saved_model_layers; i++)
        add_layer(&f, &from, i, names[i]);
    weights_file_end(&f);
    check_ok(weights_load_exact(to.model, f.bytes, f.count, desc));
    saved_model_check_parameters(&to, &from);
    weights_file_free(&f);
    saved_model_free(&from);
    saved_model_free(&to);
}

static void names_prefix_and_map_meet_the_models(void **state)
{
    static const char *const own[] = { "conv1", "1", "head" };
    static const char *const wrapped[] = { "module.conv1", "module.1", "module.head" };
    static const char *const torch[] = { "net.features.0", "net.features.1", "net.fc" };
    static const coordconv_name_pair dots[] = { { "features.0", "conv1" },
                                                { "features.1.", "1." },
                                                { "fc", "head" } };
    static const coordconv_name_pair longest[] = { { "", "no.such.place" },
                                                   { "net", "elsewhere" },
                                                   { "net.features", "" },
                                                   { "net.features.0", "conv1" },
                                                   { "net.fc", "head" } };
    static const coordconv_name_pair whole[] = { { "net.fc.weight", "head.weight" },
                                                 { "net.fc.bias", "head.bias" },
                                                 { "net.features.0", "conv1" },
                                                 { "net.features", "" } };
    coordconv_weights_desc desc = DESC;
    (void)state;

    check_renamed(own, NULL);
    check_renamed(own, &desc);
    desc.prefix = "";
    check_renamed(own, &desc);
    desc.prefix = "module.";
    check_renamed(wrapped, &desc);
    desc.prefix = "module";
    check_renamed(wrapped, &desc);
    desc.prefix = "net.";
    desc.names = dots;
    desc.name_count = COUNT(dots);
    check_renamed(torch, &desc);
    desc.prefix = NULL;
    desc.names = longest;
    desc.name_count = COUNT(longest);
    check_renamed(torch, &desc);
    desc.names = whole;
    desc.name_count = COUNT(whole);
    check_renamed(torch, &desc);
}

/* "mod" is no part of "module.x", and what is told to be left out is. */
static void what_is_left_out_is_not_unexpected(void **state)
{
    static const coordconv_name_pair map[] = { { "decoder", NULL }, { "decoder.head", "head" } };
    static const float one = 1;
    struct saved_model from, to;
    struct weights_file f;
    coordconv_weights_desc desc = DESC;
    (void)state;

    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    fill_layers(&from, 5);
    weights_file_begin(&f);
    add_layer(&f, &from, 0, "ema.conv1");
    add_layer(&f, &from, 1, "ema.1");
    add_layer(&f, &from, 2, "ema.decoder.head");
    weights_file_add(&f, "ema.decoder.mask", "F32", 0, NULL, &one, 4);
    weights_file_add(&f, "emanon.mask", "F32", 0, NULL, &one, 4);
    weights_file_end(&f);
    desc.prefix = "ema";
    desc.names = map;
    desc.name_count = COUNT(map);
    check_ok(weights_load_exact(to.model, f.bytes, f.count, &desc));
    saved_model_check_parameters(&to, &from);
    desc.prefix = NULL;
    check_fails(weights_load_exact(to.model, f.bytes, f.count, &desc), COORDCONV_ERR_SHAPE,
                "10 unexpected");
    weights_file_free(&f);
    saved_model_free(&from);
    saved_model_free(&to);
}

/* ---- mismatches ---- */

/* Two tensors that fit and one of each kind that does not. */
static void make_misfit(struct weights_file *f, struct saved_model *from)
{
    static const int64_t plain[] = { 3, 2, 3, 3 }, two[] = { 2 }, counts[] = { 1 };
    static const int64_t steps = 7;
    static const float zeros[54];

    weights_file_begin(f);
    weights_file_add(f, "conv1.weight", "F32", 4, plain, zeros, sizeof zeros);
    weights_file_add_parameter(f, "conv1.bias", from->layer[0], "bias");
    weights_file_add_parameter(f, "1.weight", from->layer[1], "weight");
    weights_file_add(f, "1.num_batches_tracked", "F32", 1, counts, zeros, 4);
    weights_file_add(f, "2.num_batches_tracked", "I64", 0, NULL, &steps, 8);
    weights_file_add(f, "head.bias", "I32", 1, two, zeros, 8);
    weights_file_add(f, "tail.bias", "F32", 1, two, zeros, 8);
    weights_file_add(f, "zz\\u001b[2J", "F32", 1, two, zeros, 8);
    weights_file_end(f);
}

static void every_mismatch_is_told_and_nothing_changed(void **state)
{
    static const coordconv_name_pair map[] = { { "tail", "head" } };
    static const struct expected want[] = {
        { COORDCONV_WEIGHTS_MISSING, "1.bias", "\"1.bias\" [3] is not in the file" },
        { COORDCONV_WEIGHTS_UNEXPECTED, "1.num_batches_tracked", "[1] of the file" },
        { COORDCONV_WEIGHTS_MISSING, "1.running_mean", "not in the file" },
        { COORDCONV_WEIGHTS_MISSING, "1.running_var", "not in the file" },
        { COORDCONV_WEIGHTS_SHAPE, "conv1.weight",
          "\"conv1.weight\" is [3, 4, 3, 3] in the model, \"conv1.weight\" is [3, 2, 3, 3]" },
        { COORDCONV_WEIGHTS_DTYPE, "head.bias", "is I32 in the file" },
        { COORDCONV_WEIGHTS_TWICE, "tail.bias",
          "\"head.bias\" and \"tail.bias\" of the file both come to \"head.bias\"" },
        { COORDCONV_WEIGHTS_MISSING, "head.weight", "[2, 3] is not in the file" },
        { COORDCONV_WEIGHTS_UNEXPECTED, "zz\x1b[2J", "\"zz?[2J\" [2] of the file" },
    };
    struct saved_model from, to, kept;
    struct weights_file f;
    coordconv_weights_desc desc = DESC;
    struct reports reports = { .count = 0 };
    (void)state;

    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    saved_model_make(&kept, 2, 0);
    fill_layers(&from, 9);
    make_misfit(&f, &from);
    desc.names = map;
    desc.name_count = COUNT(map);
    desc.report = record;
    desc.report_user = &reports;
    check_fails(weights_load_exact(to.model, f.bytes, f.count, &desc), COORDCONV_ERR_SHAPE,
                "load_weights: 4 missing, 2 unexpected, 1 of another shape, 1 of another type, 1 "
                "there twice; first: \"1.bias\"");
    check_reports(&reports, want, COUNT(want));
    saved_model_check_parameters(&to, &kept);

    /* Lenient: the same is told, and only what cannot be is a failure. */
    reports.count = 0;
    desc.lenient = 1;
    check_fails(weights_load_exact(to.model, f.bytes, f.count, &desc), COORDCONV_ERR_SHAPE,
                "load_weights: 1 of another shape, 1 of another type, 1 there twice; first: "
                "\"conv1.weight\"");
    check_reports(&reports, want, COUNT(want));
    saved_model_check_parameters(&to, &kept);
    weights_file_free(&f);
    saved_model_free(&from);
    saved_model_free(&to);
    saved_model_free(&kept);
}

static void lenient_loads_what_there_is(void **state)
{
    static const struct expected want[] = {
        { COORDCONV_WEIGHTS_MISSING, "1.bias", "" },
        { COORDCONV_WEIGHTS_MISSING, "1.running_mean", "" },
        { COORDCONV_WEIGHTS_MISSING, "1.running_var", "" },
        { COORDCONV_WEIGHTS_MISSING, "1.weight", "" },
        { COORDCONV_WEIGHTS_UNEXPECTED, "classifier.bias", "" },
        { COORDCONV_WEIGHTS_UNEXPECTED, "classifier.weight", "" },
        { COORDCONV_WEIGHTS_MISSING, "head.bias", "" },
        { COORDCONV_WEIGHTS_MISSING, "head.weight", "" },
    };
    struct saved_model from, to, kept;
    struct weights_file f, none;
    coordconv_weights_desc desc = DESC;
    struct reports reports = { .count = 0 };
    (void)state;

    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    saved_model_make(&kept, 2, 0);
    fill_layers(&from, 9);
    weights_file_begin(&f);
    add_layer(&f, &from, 0, "conv1");
    add_layer(&f, &from, 2, "classifier");
    weights_file_end(&f);
    desc.lenient = 1;
    desc.report = record;
    desc.report_user = &reports;
    check_ok(weights_load_exact(to.model, f.bytes, f.count, &desc));
    check_reports(&reports, want, COUNT(want));
    test_check_same(test_parameter(to.layer[0], "weight"), test_parameter(from.layer[0], "weight"),
                    "weight");
    test_check_same(test_parameter(to.layer[0], "bias"), test_parameter(from.layer[0], "bias"),
                    "bias");
    test_check_same(test_parameter(to.layer[2], "weight"), test_parameter(kept.layer[2], "weight"),
                    "weight of head");
    weights_file_free(&f);

    /* But not a file that has nothing at all to do with the model. */
    desc.report = NULL;
    weights_file_begin(&none);
    add_layer(&none, &from, 2, "classifier");
    weights_file_end(&none);
    check_fails(weights_load_exact(to.model, none.bytes, none.count, &desc), COORDCONV_ERR_SHAPE,
                "none of 2 tensors of the file is in the model");
    weights_file_free(&none);
    saved_model_free(&from);
    saved_model_free(&to);
    saved_model_free(&kept);
}

/* ---- types ---- */

/* A model of one linear layer "l", [1, n]. */
struct single {
    coordconv_context *context;
    coordconv_layer *layer;
    coordconv_model *model;
};

static void make_linear(struct single *s, int32_t n)
{
    const coordconv_linear_desc desc = {
        .struct_size = sizeof desc, .in_features = n, .out_features = 1, .no_bias = 1
    };
    const int64_t shape[] = { -1, n };

    s->context = test_context(1, NULL, NULL);
    check_ok(coordconv_linear_new(s->context, &desc, &s->layer));
    check_ok(coordconv_layer_set_name(s->layer, "l"));
    check_ok(coordconv_model_new(s->context, &s->model));
    const coordconv_value x = coordconv_model_input(s->model, "x", TEST_REAL, 2, shape);
    coordconv_model_output(s->model, "y", coordconv_model_apply(s->model, s->layer, x));
}

static void free_single(struct single *s)
{
    coordconv_layer_unref(s->layer);
    coordconv_model_unref(s->model);
    coordconv_context_unref(s->context);
}

/* PyTorch's names of a GroupNorm's parameters are ours. */
static void group_norms(void **state)
{
    static const float weight[4] = { 1, -2, 3, 0.5f }, bias[4] = { 4, 3, 2, 1 };
    const coordconv_group_norm_desc desc = { .struct_size = sizeof desc, .channels = 4 };
    const int64_t shape[] = { -1, 4 }, four[] = { 4 };
    struct weights_file f;
    struct single s;
    (void)state;

    s.context = test_context(1, NULL, NULL);
    check_ok(coordconv_group_norm_new(s.context, &desc, &s.layer));
    check_ok(coordconv_layer_set_name(s.layer, "n"));
    check_ok(coordconv_model_new(s.context, &s.model));
    const coordconv_value x = coordconv_model_input(s.model, "x", TEST_REAL, 2, shape);
    coordconv_model_output(s.model, "y", coordconv_model_apply(s.model, s.layer, x));
    weights_file_begin(&f);
    weights_file_add(&f, "n.weight", "F32", 1, four, weight, sizeof weight);
    weights_file_add(&f, "n.bias", "F32", 1, four, bias, sizeof bias);
    weights_file_end(&f);
    check_ok(weights_load_exact(s.model, f.bytes, f.count, NULL));
    assert_memory_equal(test_values(test_parameter(s.layer, "weight")), weight, sizeof weight);
    assert_memory_equal(test_values(test_parameter(s.layer, "bias")), bias, sizeof bias);
    weights_file_free(&f);
    free_single(&s);
}

/* The bits that n numbers of a type become. */
static void check_type(const char *dtype, int32_t n, const void *data, size_t bytes,
                       const uint32_t *want)
{
    const int64_t shape[] = { 1, n };
    struct weights_file f;
    struct single s;

    make_linear(&s, n);
    weights_file_begin(&f);
    weights_file_add(&f, "l.weight", dtype, 2, shape, data, bytes);
    weights_file_end(&f);
    check_ok(weights_load_exact(s.model, f.bytes, f.count, NULL));
    assert_memory_equal(test_values(test_parameter(s.layer, "weight")), want, 4 * (size_t)n);
    weights_file_free(&f);
    free_single(&s);
}

static void numbers_are_widened_exactly(void **state)
{
    static const uint16_t half[] = { 0x3c00, 0xc000, 0x0001, 0x83ff, 0x0400, 0x7bff,
                                     0x7c00, 0xfc00, 0x7e01, 0x8000, 0x3555 };
    static const uint32_t of_half[] = { 0x3f800000, 0xc0000000, 0x33800000, 0xb87fc000,
                                        0x38800000, 0x477fe000, 0x7f800000, 0xff800000,
                                        0x7fc02000, 0x80000000, 0x3eaaa000 };
    static const uint16_t brain[] = { 0x3f80, 0xc000, 0x0001, 0x7f80, 0xff80, 0x7fc1, 0x7f7f };
    static const uint32_t of_brain[] = { 0x3f800000, 0xc0000000, 0x00010000, 0x7f800000,
                                         0xff800000, 0x7fc10000, 0x7f7f0000 };
    static const uint32_t single[] = { 0x00000001, 0x807fffff, 0x7f800001, 0xffc12345, 0x7f7fffff };
    /* Rounded to the nearest, ties to even; what is too large is infinite, too small 0. */
    static const double wide[] = { 1,        1 + 0x1p-24, 1 + 0x3p-24, 1 + 0x1.8p-24,
                                   0x1p-149, 0x1p-150,    1e300,       -1e-300,
                                   0.1 };
    static const uint32_t of_wide[] = { 0x3f800000, 0x3f800000, 0x3f800002, 0x3f800001, 1,
                                        0,          0x7f800000, 0x80000000, 0x3dcccccd };
    (void)state;

    check_type("F16", COUNT(half), half, sizeof half, of_half);
    check_type("BF16", COUNT(brain), brain, sizeof brain, of_brain);
    check_type("F32", COUNT(single), single, sizeof single, single);
    check_type("F64", COUNT(wide), wide, sizeof wide, of_wide);
}

/* ---- coordinate channels ---- */

enum {
    DATA = 2,
    OUT = 3,
    KERNEL = 2
};

enum kind {
    IMAGES,
    TRANSPOSED,
    SIGNALS,
    VOLUMES
};

/* Of the input, and of the weight. */
static int axes_of(enum kind kind)
{
    return kind == SIGNALS ? 3 : kind == VOLUMES ? 5 : 4;
}

static const coordconv_grid_desc *volume_grid; /* NULL: our own */

/* A model of one convolution "c" with coordinates. */
static void make_conv(struct single *s, uint32_t coords, enum kind kind)
{
    const coordconv_conv1d_desc line = { .struct_size = sizeof line,
                                         .coords = coords,
                                         .in_channels = DATA,
                                         .out_channels = OUT,
                                         .kernel = KERNEL,
                                         .no_bias = 1 };
    const coordconv_conv2d_desc conv = { .struct_size = sizeof conv,
                                         .coords = coords,
                                         .in_channels = DATA,
                                         .out_channels = OUT,
                                         .kernel = { 1, KERNEL },
                                         .no_bias = 1 };
    const coordconv_conv_transpose2d_desc up = { .struct_size = sizeof up,
                                                 .coords = coords,
                                                 .in_channels = DATA,
                                                 .out_channels = OUT,
                                                 .kernel = { 1, KERNEL },
                                                 .no_bias = 1 };
    const coordconv_conv3d_desc volume = { .struct_size = sizeof volume,
                                           .coords = coords,
                                           .in_channels = DATA,
                                           .out_channels = OUT,
                                           .kernel = { 1, 1, KERNEL },
                                           .no_bias = 1,
                                           .grid = volume_grid };
    static const int64_t shape[] = { 1, 4, 5, 4, DATA };
    const int axes = axes_of(kind);

    s->context = test_context(1, NULL, NULL);
    check_ok(kind == SIGNALS      ? coordconv_conv1d_new(s->context, &line, &s->layer)
             : kind == VOLUMES    ? coordconv_conv3d_new(s->context, &volume, &s->layer)
             : kind == TRANSPOSED ? coordconv_conv_transpose2d_new(s->context, &up, &s->layer)
                                  : coordconv_conv2d_new(s->context, &conv, &s->layer));
    check_ok(coordconv_layer_set_name(s->layer, "c"));
    check_ok(coordconv_model_new(s->context, &s->model));
    const coordconv_value x =
        coordconv_model_input(s->model, "x", TEST_REAL, axes, shape + 5 - axes);
    coordconv_model_output(s->model, "y", coordconv_model_apply(s->model, s->layer, x));
}

/* Load a weight whose elements tell channel, output and place; channel c of ours must be channel
 * source[c] - '0' of the file. */
static void check_order(uint32_t coords, enum kind kind, const coordconv_weights_desc *desc,
                        const char *source)
{
    const int channels = (int)strlen(source);
    const int transposed = kind == TRANSPOSED, axes = axes_of(kind);
    int64_t shape[5] = { transposed ? channels : OUT, transposed ? OUT : channels, 1, 1 };
    float data[OUT * 6 * KERNEL];
    struct weights_file f;
    struct single s;

    shape[axes - 1] = KERNEL;
    make_conv(&s, coords, kind);
    for (int i = 0; i < OUT * channels * KERNEL; i++)
        data[i] = (float)i;
    weights_file_begin(&f);
    weights_file_add(&f, "c.weight", "F32", axes, shape, data,
                     4 * (size_t)(OUT * channels) * KERNEL);
    weights_file_end(&f);
    check_ok(weights_load_exact(s.model, f.bytes, f.count, desc));
    const float *got = (const float *)coordconv_tensor_data(test_parameter(s.layer, "weight"));
    for (int o = 0; o < OUT; o++) {
        for (int c = 0; c < channels; c++) {
            const int from = source[c] - '0';
            for (int k = 0; k < KERNEL; k++) {
                const int to_index = (transposed ? c * OUT + o : o * channels + c) * KERNEL + k;
                const int index = (transposed ? from * OUT + o : o * channels + from) * KERNEL + k;
                assert_true(got[to_index] == (float)index);
            }
        }
    }
    weights_file_free(&f);
    free_single(&s);
}

static void coordinate_channels_come_into_our_order(void **state)
{
    static const struct {
        const char *convention;
        uint32_t coords;
        const char *source;
    } cases[] = {
        { NULL, COORDCONV_COORDS_XY, "0123" },
        { "coordconv", COORDCONV_COORDS_XY, "0123" },
        { "solo", COORDCONV_COORDS_XY, "0123" },
        { "paddle", COORDCONV_COORDS_XY, "0123" },
        { "mkocabas", COORDCONV_COORDS_XY, "0132" },
        { "keras-coordconv", COORDCONV_COORDS_XY, "0132" },
        { "pfrendl", COORDCONV_COORDS_XY, "0132" },
        { "wizaron", COORDCONV_COORDS_XY, "2310" },
        { "dominikandreas", COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS, "01234" },
        { "dominikandreas", COORDCONV_COORDS_RADIUS, "012" },
        { "batdetect2", COORDCONV_COORDS_Y, "012" },
        { "wizaron", COORDCONV_COORDS_X, "120" },
        { "wizaron", COORDCONV_COORDS_X | COORDCONV_COORDS_Y, "2310" },
        { "mkocabas", 0, "01" },
        { "wizaron", 0, "01" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_weights_desc desc = DESC;
        desc.convention = cases[i].convention;
        for (enum kind kind = IMAGES; kind <= TRANSPOSED; kind++)
            check_order(cases[i].coords, kind, &desc, cases[i].source);
        if (cases[i].coords == COORDCONV_COORDS_X)
            check_order(cases[i].coords, SIGNALS, &desc, cases[i].source);
    }
}

/* z, y, x where the row stands first. */
static void volumes_come_into_our_order(void **state)
{
    static const uint32_t xyz = COORDCONV_COORDS_XY | COORDCONV_COORDS_Z;
    coordconv_weights_desc desc = DESC;
    coordconv_convention_desc monai = { .struct_size = sizeof monai };
    (void)state;

    check_order(xyz, VOLUMES, &desc, "01234");
    desc.convention = "coordconv";
    check_order(xyz | COORDCONV_COORDS_RADIUS, VOLUMES, &desc, "012345");
    desc.convention = "keras-coordconv";
    check_order(xyz, VOLUMES, &desc, "01432");
    check_order(COORDCONV_COORDS_Y | COORDCONV_COORDS_Z, VOLUMES, &desc, "0132");
    check_order(COORDCONV_COORDS_Z, VOLUMES, &desc, "012");
    check_ok(coordconv_convention("monai", &monai));
    volume_grid = &monai.grid; /* from -0.5 to 0.5 */
    desc.convention = "monai";
    check_order(xyz, VOLUMES, &desc, "01432");
    check_order(COORDCONV_COORDS_XY, VOLUMES, &desc, "0132");
    volume_grid = NULL;
}

static void a_layer_may_have_a_convention_of_its_own(void **state)
{
    static const coordconv_layer_convention wizaron[] = { { "c", "wizaron" } };
    static const coordconv_layer_convention ours[] = { { "c", NULL } };
    coordconv_weights_desc desc = DESC;
    (void)state;

    desc.conventions = wizaron;
    desc.convention_count = 1;
    check_order(COORDCONV_COORDS_XY, IMAGES, &desc, "2310");
    desc.convention = "mkocabas";
    check_order(COORDCONV_COORDS_XY, IMAGES, &desc, "2310");
    desc.conventions = ours;
    check_order(COORDCONV_COORDS_XY, IMAGES, &desc, "0123");
}

static void coordinates_of_other_values_are_told(void **state)
{
    static const struct {
        const char *convention;
        uint32_t coords;
        const char *text;
    } cases[] = {
        { "monai", COORDCONV_COORDS_XY,
          "\"c.weight\": the layer's coordinates are aligned -1 to 1, those of the convention "
          "\"monai\" aligned -0.5 to 0.5" },
        { "mkocabas", COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
          "aligned -1 to 1, radius plain, those of the convention \"mkocabas\" aligned -1 to 1, "
          "radius offset" },
        { "wizaron", COORDCONV_COORDS_RADIUS, "radius normalized" },
        { "uber", COORDCONV_COORDS_XY, "\"uber\" swapped" },
        { "paddle-slip", COORDCONV_COORDS_XY, "aligned -1 to -0.5" },
        { "solo", COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS,
          "the convention \"solo\" has no radius" },
        { "cell-center", COORDCONV_COORDS_XY, "\"cell-center\" cell centers -1 to 1" },
        { "solo", COORDCONV_COORDS_XY | COORDCONV_COORDS_PIXEL, "are pixels, those" },
        { "walsvid", COORDCONV_COORDS_XY | COORDCONV_COORDS_Z,
          "the convention \"walsvid\" has no z" },
        { "keras-coordconv", COORDCONV_COORDS_XY | COORDCONV_COORDS_Z | COORDCONV_COORDS_RADIUS,
          "the convention \"keras-coordconv\" has no radius" },
        { "monai", COORDCONV_COORDS_XY | COORDCONV_COORDS_Z,
          "aligned -1 to 1, those of the convention \"monai\" aligned -0.5 to 0.5" },
    };
    static const float zeros[6 * OUT * KERNEL];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t z = cases[i].coords & COORDCONV_COORDS_Z;
        const int32_t channels = DATA + coordconv_coords_channels(cases[i].coords - z) + (z != 0);
        const int axes = z != 0 ? 5 : 4;
        int64_t shape[5] = { OUT, channels, 1, 1 };
        const struct expected want = { COORDCONV_WEIGHTS_COORDS, "c.weight", cases[i].text };
        struct reports reports = { .count = 0 };
        coordconv_weights_desc desc = DESC;
        struct weights_file f;
        struct single s;

        shape[axes - 1] = KERNEL;
        make_conv(&s, cases[i].coords, z != 0 ? VOLUMES : IMAGES);
        weights_file_begin(&f);
        weights_file_add(&f, "c.weight", "F32", axes, shape, zeros,
                         4 * (size_t)(OUT * channels) * KERNEL);
        weights_file_end(&f);
        desc.convention = cases[i].convention;
        desc.report = record;
        desc.report_user = &reports;
        desc.lenient = (int32_t)(i % 2);
        check_fails(weights_load_exact(s.model, f.bytes, f.count, &desc), COORDCONV_ERR_SHAPE,
                    "load_weights: 1 with other coordinates");
        check_reports(&reports, &want, 1);
        weights_file_free(&f);
        free_single(&s);
    }
}

/* A checkpoint without coordinates, or with one more, is one of another shape. */
static void another_number_of_coordinates_is_another_shape(void **state)
{
    static const float zeros[6 * OUT * KERNEL];
    (void)state;

    for (int32_t channels = DATA; channels <= DATA + 3; channels++) {
        const int64_t shape[] = { OUT, channels, 1, KERNEL };
        coordconv_weights_desc desc = DESC;
        struct weights_file f;
        struct single s;

        make_conv(&s, COORDCONV_COORDS_XY, IMAGES);
        weights_file_begin(&f);
        weights_file_add(&f, "c.weight", "F32", 4, shape, zeros,
                         4 * (size_t)(OUT * channels) * KERNEL);
        weights_file_end(&f);
        desc.convention = "mkocabas";
        desc.lenient = 1;
        if (channels == DATA + 2)
            check_ok(weights_load_exact(s.model, f.bytes, f.count, &desc));
        else
            check_fails(weights_load_exact(s.model, f.bytes, f.count, &desc), COORDCONV_ERR_SHAPE,
                        "is [3, 4, 1, 2] in the model");
        weights_file_free(&f);
        free_single(&s);
    }
}

/* ---- calls ---- */

static void a_file_is_read_as_memory_is(void **state)
{
    struct saved_model from, to;
    char path[] = "/tmp/coordconv-weights-XXXXXX";
    const int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0);
    close(fd);
    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    fill_layers(&from, 3);
    check_ok(coordconv_save(from.model, NULL, path, 0, NULL));
    check_ok(coordconv_load_weights(to.model, path, NULL));
    saved_model_check_parameters(&to, &from);
    unlink(path);
    check_fails(coordconv_load_weights(to.model, path, NULL), COORDCONV_ERR_NOT_FOUND,
                "cannot open");
    check_fails(coordconv_load_weights(to.model, "/tmp", NULL), COORDCONV_ERR_IO, "regular file");
    saved_model_free(&from);
    saved_model_free(&to);
}

/* A plan that has packed the old weights runs with the new. */
static void a_plan_runs_with_what_was_loaded(void **state)
{
    static const char *const names[] = { "conv1", "1", "head" };
    struct saved_model from, to;
    struct weights_file f;
    coordconv_tensor *want, *before, *after;
    (void)state;

    saved_model_make(&from, 1, 0);
    saved_model_make(&to, 2, 0);
    fill_layers(&from, 3);
    weights_file_begin(&f);
    for (int i = 0; i < saved_model_layers; i++)
        add_layer(&f, &from, i, names[i]);
    weights_file_end(&f);
    want = saved_model_run(&from);
    before = saved_model_run(&to);
    check_ok(weights_load_exact(to.model, f.bytes, f.count, NULL));
    after = saved_model_run(&to);
    assert_true(test_values(before)[0] != test_values(want)[0]);
    test_check_same(after, want, "output");
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(before);
    coordconv_tensor_unref(after);
    weights_file_free(&f);
    saved_model_free(&from);
    saved_model_free(&to);
}

static void bad_arguments_are_told(void **state)
{
    static const coordconv_name_pair no_name[] = { { "a", "b" }, { NULL, "b" } };
    static const coordconv_layer_convention layers[] = {
        { "conv1", "solo" }, { "head", "solo" }, { "conv1", "soloist" }, { NULL, "solo" }
    };
    static const unsigned char bytes[8];
    struct saved_model m;
    coordconv_weights_desc desc = DESC;
    (void)state;

    saved_model_make(&m, 1, 0);
#define LOAD coordconv_load_weights_memory(m.model, bytes, 8, &desc)
    check_fails(coordconv_load_weights(NULL, "x", NULL), COORDCONV_ERR_INVALID, "model is NULL");
    check_fails(coordconv_load_weights(m.model, NULL, NULL), COORDCONV_ERR_INVALID, "path is NULL");
    check_fails(coordconv_load_weights_memory(NULL, bytes, 8, NULL), COORDCONV_ERR_INVALID,
                "model is NULL");
    check_fails(coordconv_load_weights_memory(m.model, NULL, 8, NULL), COORDCONV_ERR_INVALID,
                "data is NULL");
    desc.struct_size--;
    check_fails(LOAD, COORDCONV_ERR_ABI, "struct_size");
    desc.struct_size++;
    desc.lenient = 2;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "lenient is 2");
    desc.lenient = 0;
    desc.name_count = -1;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "name_count is -1");
    desc.name_count = 1;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "name_count is 1, expected 0 to 0");
    desc.names = no_name;
    desc.name_count = 2;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "names[1].theirs is NULL");
    desc.name_count = 0;
    desc.convention = "Solo";
    check_fails(LOAD, COORDCONV_ERR_NOT_FOUND, "no convention \"Solo\"");
    desc.convention = "solo";
    desc.convention_count = 1;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "convention_count is 1");
    desc.conventions = layers;
    desc.convention_count = 2;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "conventions[1].layer is \"head\"");
    desc.conventions = layers + 2;
    check_fails(LOAD, COORDCONV_ERR_NOT_FOUND, "\"soloist\"");
    desc.conventions = layers + 3;
    desc.convention_count = 1;
    check_fails(LOAD, COORDCONV_ERR_INVALID, "conventions[0].layer is \"(NULL)\"");
    desc.convention_count = 0;
    check_fails(LOAD, COORDCONV_ERR_FORMAT, "begin with {");
#undef LOAD
    saved_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_prefix_and_map_meet_the_models),
        cmocka_unit_test(what_is_left_out_is_not_unexpected),
        cmocka_unit_test(every_mismatch_is_told_and_nothing_changed),
        cmocka_unit_test(lenient_loads_what_there_is),
        cmocka_unit_test(numbers_are_widened_exactly),
        cmocka_unit_test(coordinate_channels_come_into_our_order),
        cmocka_unit_test(volumes_come_into_our_order),
        cmocka_unit_test(a_layer_may_have_a_convention_of_its_own),
        cmocka_unit_test(coordinates_of_other_values_are_told),
        cmocka_unit_test(another_number_of_coordinates_is_another_shape),
        cmocka_unit_test(a_file_is_read_as_memory_is),
        cmocka_unit_test(group_norms),
        cmocka_unit_test(a_plan_runs_with_what_was_loaded),
        cmocka_unit_test(bad_arguments_are_told),
    };

    return cmocka_run_group_tests_name("load_weights", tests, NULL, NULL);
}
