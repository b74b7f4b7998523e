/* SPDX-License-Identifier: BSD-2-Clause
 *
 * safetensors.c - fuzzing target: the first byte says which way a file is read, the rest is
 * the file.
 */
#include <string.h>

#include "fuzz.h"

enum {
    AS_OWN = 1,      /* coordconv_load_memory() */
    LENIENT = 2,     /* missing and unexpected tensors are no failure */
    CONVENTION = 4,  /* coordinates before the data, y first */
    RENAMED = 8,     /* prefix and name map */
    UNTOUCHED = 1234 /* every parameter before loading */
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
    static const int64_t shape[] = { 1, 2, 2, 1 };
    coordconv_model *model = NULL;

    REQUIRE(coordconv_model_new(fuzz_context(), &model) == COORDCONV_OK);
    const coordconv_value x = coordconv_model_input(model, "x", COORDCONV_F32, 4, shape);
    coordconv_model_output(model, "y", coordconv_model_apply(model, layer, x));
    REQUIRE(coordconv_model_status(model) == COORDCONV_OK);
    return model;
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

static coordconv_status load(coordconv_model *model, unsigned way, const uint8_t *data,
                             size_t bytes)
{
    static const coordconv_name_pair names[] = { { "a.b", "c" }, { "d", NULL }, { "e", "" } };
    int reports = 0;
    coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                    .lenient = (way & LENIENT) != 0,
                                    .convention = way & CONVENTION ? "wizaron" : NULL,
                                    .report = look,
                                    .report_user = &reports };

    if (way & AS_OWN)
        return coordconv_load_memory(model, NULL, data, bytes);
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
static void check(coordconv_layer *layer, coordconv_status status)
{
    coordconv_tensor *weight = NULL;

    REQUIRE(coordconv_layer_parameter(layer, "weight", &weight) == COORDCONV_OK);
    fuzz_read_elements(weight);
    if (status != COORDCONV_OK) {
        const float *values = (const float *)coordconv_tensor_data(weight);
        for (int i = 0; i < 6; i++)
            REQUIRE(values[i] == UNTOUCHED);
        REQUIRE(coordconv_last_error()[0] != '\0');
    }
    coordconv_tensor_unref(weight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t nothing[1];
    coordconv_layer *layer = make_conv();
    coordconv_model *model = make_model(layer);

    check(layer, load(model, bytes > 0 ? data[0] : 0, bytes > 0 ? data + 1 : nothing,
                      bytes > 0 ? bytes - 1 : 0));
    coordconv_model_unref(model);
    coordconv_layer_unref(layer);
    fuzz_require_all_freed();
    return 0;
}
