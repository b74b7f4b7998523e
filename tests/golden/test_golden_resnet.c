/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_golden_resnet.c - logits of a ResNet-50 of half a hundred layers, plain and behind a
 * CoordConv, as PyTorch computes them: with weights of make_resnet.py's formula, and
 * with a state dict loaded by name.
 */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../examples/resnet50/resnet.h"

enum {
    BATCH, /* of the configuration, three numbers for each array */
    HEIGHT,
    WIDTH,
    SIZES = 2
};

/* ---- the formula of make_resnet.py ---- */

/* A number in [-1, 1) of 24 bits, from FNV-1a of the name and the last step of MurmurHash3. */
static double noise(const char *name, uint32_t index)
{
    uint32_t h = 2166136261u;

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    uint32_t k = index * 0x9e3779b9u + h;
    k = (k ^ k >> 16) * 0x85ebca6bu;
    k = (k ^ k >> 13) * 0xc2b2ae35u;
    k ^= k >> 16;
    return (double)(k >> 8) * 0x1p-23 - 1;
}

static int ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static void centre_and_reach(const char *name, const coordconv_tensor *t, double *centre,
                             double *reach)
{
    const int last_norm = ends_with(name, "bn3.weight");

    *centre = 0;
    *reach = 0.25;
    if (coordconv_tensor_ndim(t) > 1) {
        const int64_t fan_in = coordconv_tensor_count(t) / coordconv_tensor_dim(t, 0);
        *reach = sqrt(6 / (double)fan_in);
    } else if (ends_with(name, "running_var")) {
        *centre = 1;
        *reach = 0.5;
    } else if (ends_with(name, "weight")) {
        *centre = last_norm ? 0.5 : 1;
    }
}

static void fill_parameter(coordconv_tensor *t, const char *name)
{
    float *values = coordconv_tensor_data(t);
    double centre, reach;

    centre_and_reach(name, t, &centre, &reach);
    for (int64_t i = 0; i < coordconv_tensor_count(t); i++)
        values[i] = (float)(centre + reach * noise(name, (uint32_t)i));
}

static void fill_model(coordconv_model *model)
{
    static const char *const parameters[] = { "weight", "bias", "running_mean", "running_var" };

    for (int32_t i = 0; i < coordconv_model_layer_count(model); i++) {
        coordconv_layer *layer = coordconv_model_layer(model, i);
        for (size_t p = 0; p < COUNT(parameters); p++) {
            coordconv_tensor *t = NULL;
            char name[64];
            if (coordconv_layer_parameter(layer, parameters[p], &t) != COORDCONV_OK)
                continue; /* a layer without */
            snprintf(name, sizeof name, "%s.%s", coordconv_layer_name(layer), parameters[p]);
            fill_parameter(t, name);
            coordconv_tensor_unref(t);
        }
    }
}

/* Squares of 16 x 16 pixels, and noise on them. */
static coordconv_tensor *make_image(const int32_t *size)
{
    const int32_t height = size[HEIGHT], width = size[WIDTH];
    const int64_t shape[4] = { size[BATCH], height, width, 3 };
    coordconv_tensor *image = NULL;

    check_ok(coordconv_tensor_new(golden_context(), COORDCONV_F32, 4, shape, &image));
    float *x = coordconv_tensor_data(image);
    for (int32_t n = 0; n < size[BATCH]; n++) {
        for (int32_t i = 0; i < height; i++) {
            for (int32_t j = 0; j < width; j++) {
                for (int32_t c = 0; c < 3; c++) {
                    const int32_t square = ((n * height + i / 16) * width + j / 16) * 3 + c;
                    const int32_t pixel = ((n * height + i) * width + j) * 3 + c;
                    *x++ = (float)(1.5 * noise("square", (uint32_t)square) +
                                   0.5 * noise("pixel", (uint32_t)pixel));
                }
            }
        }
    }
    return image;
}

/* ---- comparing ---- */

/* Largest difference of the logits of one array, in deviations of PyTorch's among the classes:
 * there are logits near 0, and what all classes have in common says nothing. */
static double difference(const struct golden *g, coordconv_model *model, int32_t index)
{
    const struct golden_array *want = &g->array[GOLDEN_FIRST + index];
    const int32_t *size = g->array[GOLDEN_CONFIG].ints + (ptrdiff_t)3 * index;
    const coordconv_input_shape shape = { "image", 4, 0, { size[0], size[1], size[2], 3 } };
    const coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                       .inputs = &shape,
                                       .input_count = 1 };
    coordconv_tensor *image = make_image(size), *logits = NULL;
    coordconv_plan *plan = NULL;
    double most = 0;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    check_ok(coordconv_plan_bind(plan, "image", image));
    check_ok(coordconv_plan_run(plan));
    check_ok(coordconv_plan_output(plan, "logits", &logits));
    assert_int_equal(coordconv_tensor_count(logits), want->count);
    for (int64_t i = 0; i < want->count; i++) {
        const double d = fabs((double)test_values(logits)[i] - (double)want->floats[i]);
        assert_true(isfinite(d));
        most = fmax(most, d);
    }
    coordconv_tensor_unref(logits);
    coordconv_plan_unref(plan);
    coordconv_tensor_unref(image);
    return most / (double)g->array[GOLDEN_BOUNDS].floats[index];
}

static void check_sizes(const struct golden *g, coordconv_model *model)
{
    for (int32_t i = 0; i < SIZES; i++) {
        const int32_t *size = g->array[GOLDEN_CONFIG].ints + (ptrdiff_t)3 * i;
        const double d = difference(g, model, i);

        print_message("  %s, %d of %d x %d: %.1e\n", g->name, size[BATCH], size[HEIGHT],
                      size[WIDTH], d);
        assert_true(d < 1e-4);
    }
}

/* ---- cases ---- */

/* Plain or behind a CoordConv, weights by the formula. */
static void logits_are_those_of_pytorch(void **state)
{
    const char *name = *state;
    struct resnet net = resnet_50;
    struct golden g;

    golden_load(&g, name, GOLDEN_FIRST + SIZES);
    net.extra = ends_with(name, "coordconv") ? RESNET_EXTRA : 0;
    coordconv_model *model = resnet_new(golden_context(), &net, NULL);
    check_ok(coordconv_model_status(model));
    /* The published number; and five more channels of 64 filters of 7 x 7, and the layer itself. */
    assert_int_equal(coordconv_model_parameter_count(model),
                     25557032 + (net.extra > 0 ? 64 * 5 * 49 + 8 * 6 + 8 : 0));
    fill_model(model);
    check_sizes(&g, model);
    coordconv_model_unref(model);
    golden_free(&g);
}

static coordconv_status load(coordconv_model *model, const char *convention)
{
    static const coordconv_name_pair names[] = { { "coordconv.conv", "coordconv" } };
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .convention = convention,
                                          .names = names,
                                          .name_count = COUNT(names) };

    return coordconv_load_weights(model, GOLDEN_DIR "/resnet-narrow.safetensors", &desc);
}

/* A state dict finds its places by name. In the order of another convention it shows; a net
 * without the layer, or with another radius, does not take it. */
static void a_state_dict_fits(void **state)
{
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    struct resnet net = resnet_50;
    struct golden g;
    (void)state;

    golden_load(&g, "resnet-narrow", GOLDEN_FIRST + SIZES);
    net.width = 2;
    net.classes = 10;
    coordconv_model *model = resnet_new(golden_context(), &net, NULL);
    check_fails(load(model, NULL), COORDCONV_ERR_SHAPE, "2 unexpected, 1 of another shape");
    coordconv_model_unref(model);

    check_ok(coordconv_convention("mkocabas", &convention));
    net.extra = RESNET_EXTRA;
    net.convention = &convention;
    model = resnet_new(golden_context(), &net, NULL);
    check_fails(load(model, "coordconv"), COORDCONV_ERR_SHAPE, "radius");
    check_ok(load(model, "mkocabas"));
    check_sizes(&g, model);
    check_ok(load(model, "paper")); /* the same values, x first */
    assert_true(difference(&g, model, 0) > 1e-3);
    coordconv_model_unref(model);
    golden_free(&g);
}

int main(void)
{
    static const char *const nets[] = { "resnet50-plain", "resnet50-coordconv" };
    static const char *const narrow[] = { "resnet-narrow" };

    return golden_run("resnet50", nets, COUNT(nets), logits_are_those_of_pytorch) +
           golden_run("resnet, narrow", narrow, COUNT(narrow), a_state_dict_fits);
}
