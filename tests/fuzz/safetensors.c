/* SPDX-License-Identifier: BSD-2-Clause
 *
 * safetensors.c - fuzzing target: the first byte says which way a file is read, the rest is
 * the file.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"

enum {
    AS_OWN = 1,     /* coordconv_load_memory() */
    LENIENT = 2,    /* missing and unexpected tensors are no failure */
    CONVENTION = 4, /* coordinates before the data, y first */
    RENAMED = 8,    /* prefix and name map */
    TRAINED = 16,   /* with AS_OWN: and an optimizer's state */
    STEPS = 7,      /* its steps and, in floats, every parameter and state before loading */
    UNTOUCHED = 1234
};

static coordconv_layer *make_conv(void)
{
    const coordconv_conv2d_desc desc = { .struct_size = sizeof desc,
                                         .coords = COORDCONV_COORDS_XY,
                                         .in_channels = 1,
                                         .out_channels = 2,
                                         .kernel = { 1, 1 },
                                         .init = COORDCONV_INIT_CONSTANT,
                                         .init_value = UNTOUCHED };
    coordconv_layer *layer = NULL;

    REQUIRE(coordconv_conv2d_new(fuzz_context(), &desc, &layer) == COORDCONV_OK);
    REQUIRE(coordconv_layer_set_name(layer, "c") == COORDCONV_OK);
    return layer;
}

static coordconv_model *make_model(coordconv_layer *layer)
{
    static const int64_t shape[] = { 1, 2, 2, 1 }, target[] = { 1, 2, 2, 2 };
    coordconv_model *model = NULL;

    REQUIRE(coordconv_model_new(fuzz_context(), &model) == COORDCONV_OK);
    const coordconv_value x = coordconv_model_input(model, "x", COORDCONV_F32, 4, shape);
    const coordconv_value y = coordconv_model_apply(model, layer, x);
    coordconv_model_output(model, "y", y);
    coordconv_model_output(
        model, "loss",
        coordconv_model_mse(model, y,
                            coordconv_model_input(model, "target", COORDCONV_F32, 4, target)));
    REQUIRE(coordconv_model_status(model) == COORDCONV_OK);
    return model;
}

static coordconv_optimizer *make_optimizer(coordconv_model *model)
{
    const coordconv_plan_desc training = { .struct_size = sizeof training,
                                           .mode = COORDCONV_TRAINING };
    const coordconv_optimizer_desc desc = { .struct_size = sizeof desc,
                                            .kind = COORDCONV_ADAM,
                                            .learning_rate = 0.5 };
    coordconv_plan *plan = NULL;
    coordconv_optimizer *optimizer = NULL;
    coordconv_tensor *state = NULL;

    REQUIRE(coordconv_plan_new(model, &training, &plan) == COORDCONV_OK);
    REQUIRE(coordconv_optimizer_new(plan, &desc, &optimizer) == COORDCONV_OK);
    coordconv_plan_unref(plan);
    REQUIRE(coordconv_optimizer_set_steps(optimizer, STEPS) == COORDCONV_OK);
    REQUIRE(coordconv_optimizer_state_count(optimizer) == 4);
    for (int32_t i = 0; i < 4; i++) {
        REQUIRE(coordconv_optimizer_state(optimizer, i, NULL, &state) == COORDCONV_OK);
        REQUIRE(coordconv_tensor_fill(state, UNTOUCHED) == COORDCONV_OK);
    }
    return optimizer;
}

static void look(void *user, int32_t kind, const char *name, const char *text)
{
    int *reports = user;

    REQUIRE(kind >= COORDCONV_WEIGHTS_MISSING && kind <= COORDCONV_WEIGHTS_COORDS);
    REQUIRE(name != NULL && strlen(text) < 300);
    for (const char *c = text; *c != '\0'; c++)
        REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
    (*reports)++;
}

static coordconv_status load(coordconv_model *model, coordconv_optimizer *optimizer, unsigned way,
                             const uint8_t *data, size_t bytes)
{
    static const coordconv_name_pair names[] = { { "a.b", "c" }, { "d", NULL }, { "e", "" } };
    int reports = 0;
    coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                    .lenient = (way & LENIENT) != 0,
                                    .convention = way & CONVENTION ? "wizaron" : NULL,
                                    .report = look,
                                    .report_user = &reports };

    if (way & AS_OWN)
        return coordconv_load_memory(model, optimizer, data, bytes);
    if (way & RENAMED) {
        desc.prefix = "m";
        desc.names = names;
        desc.name_count = 3;
    }
    const coordconv_status status = coordconv_load_weights_memory(model, data, bytes, &desc);
    REQUIRE(status != COORDCONV_OK || desc.lenient || reports == 0);
    REQUIRE(status != COORDCONV_ERR_SHAPE || reports > 0);
    return status;
}

/* A failure changes nothing; what has been loaded can be read. */
static void check_elements(const coordconv_tensor *tensor, coordconv_status status)
{
    const float *const values = coordconv_tensor_const_data(tensor);

    fuzz_read_elements(tensor);
    for (int64_t i = 0; status != COORDCONV_OK && i < coordconv_tensor_count(tensor); i++)
        REQUIRE(values[i] == UNTOUCHED);
}

static void check(coordconv_layer *layer, coordconv_status status)
{
    coordconv_tensor *weight = NULL;

    REQUIRE(coordconv_layer_parameter(layer, "weight", &weight) == COORDCONV_OK);
    check_elements(weight, status);
    coordconv_tensor_unref(weight);
    if (status != COORDCONV_OK)
        REQUIRE(coordconv_last_error()[0] != '\0');
}

static void check_optimizer(const coordconv_optimizer *optimizer, coordconv_status status)
{
    const double rate = coordconv_optimizer_learning_rate(optimizer);
    const int64_t steps = coordconv_optimizer_steps(optimizer);
    coordconv_tensor *state = NULL;

    REQUIRE(status == COORDCONV_OK ? steps >= 0 : steps == STEPS);
    REQUIRE(status == COORDCONV_OK ? rate > 0 && isfinite(rate) : rate == 0.5);
    for (int32_t i = 0; i < 4; i++) {
        REQUIRE(coordconv_optimizer_state(optimizer, i, NULL, &state) == COORDCONV_OK);
        check_elements(state, status);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing[1];
    const unsigned way = bytes > 0 ? data[0] : 0;
    coordconv_layer *layer = make_conv();
    coordconv_model *model = make_model(layer);
    coordconv_optimizer *optimizer =
        (way & AS_OWN) && (way & TRAINED) ? make_optimizer(model) : NULL;
    const coordconv_status status =
        load(model, optimizer, way, bytes > 0 ? data + 1 : nothing, bytes > 0 ? bytes - 1 : 0);

    check(layer, status);
    if (optimizer != NULL)
        check_optimizer(optimizer, status);
    coordconv_optimizer_unref(optimizer);
    coordconv_model_unref(model);
    coordconv_layer_unref(layer);
    fuzz_require_all_freed();
    return 0;
}
