/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- .npy, format version 1.0, '<f4' and '<i4' in C order only ---- */

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

/* "'shape': (2, 3), }" to extents; "()" is a scalar. */
static void parse_shape(const char *header, struct golden_array *a)
{
    const char *p = strchr((const char *)must(strstr(header, "'shape':")), '(');

    assert_non_null(p);
    a->ndim = 0;
    a->count = 1;
    for (p++; *p != ')';) {
        char *end;
        const long extent = strtol(p, &end, 10);
        assert_true(end != p && a->ndim < COORDCONV_MAX_NDIM && extent >= 0);
        a->shape[a->ndim++] = extent;
        a->count *= extent;
        p = end + strspn(end, ", ");
    }
}

static int read_array(FILE *file, struct golden_array *a)
{
    unsigned char magic[10];
    char header[512];

    if (fread(magic, 1, sizeof magic, file) != sizeof magic)
        return 0;
    assert_memory_equal(magic, "\x93NUMPY\x01\x00", 8);
    const size_t length = (size_t)(magic[8] | magic[9] << 8);
    assert_true(length < sizeof header);
    assert_int_equal(fread(header, 1, length, file), length);
    header[length] = '\0';
    assert_non_null(strstr(header, "'fortran_order': False"));
    parse_shape(header, a);
    const int is_int = strstr(header, "'<i4'") != NULL;
    assert_true(is_int || strstr(header, "'<f4'") != NULL);
    void *data = must(calloc((size_t)a->count + 1, 4));
    assert_int_equal(fread(data, 4, (size_t)a->count, file), a->count);
    test_file_order(data, (size_t)a->count * 4, 4);
    a->ints = is_int ? data : NULL;
    a->floats = is_int ? NULL : data;
    return 1;
}

void golden_load(struct golden *g, const char *name, int32_t count)
{
    char path[1024];

    memset(g, 0, sizeof *g);
    g->name = name;
    snprintf(path, sizeof path, "%s/%s.npy", GOLDEN_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while (g->count < GOLDEN_MAX_ARRAYS && read_array(file, &g->array[g->count]))
        g->count++;
    fclose(file);
    assert_int_equal(g->count, count);
}

void golden_free(struct golden *g)
{
    for (int32_t i = 0; i < g->count; i++) {
        free(g->array[i].ints);
        free(g->array[i].floats);
    }
}

int32_t golden_config(const struct golden *g, int32_t index)
{
    assert_in_range(index, 0, g->array[GOLDEN_CONFIG].count - 1);
    return g->array[GOLDEN_CONFIG].ints[index];
}

/* ---- tensors ---- */

coordconv_tensor *golden_blank(const struct golden *g, coordconv_context *context, int32_t array)
{
    const struct golden_array *a = &g->array[array];
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, a->ints != NULL ? COORDCONV_I32 : COORDCONV_F32, a->ndim,
                                  a->shape, &tensor));
    return tensor;
}

coordconv_tensor *golden_tensor(const struct golden *g, coordconv_context *context, int32_t array)
{
    const struct golden_array *a = &g->array[array];
    coordconv_tensor *tensor = golden_blank(g, context, array);

    memcpy(coordconv_tensor_data(tensor),
           a->ints != NULL ? (const void *)a->ints : (const void *)a->floats, (size_t)a->count * 4);
    return tensor;
}

void golden_set(const struct golden *g, int32_t array, coordconv_layer *layer, const char *name)
{
    coordconv_tensor *values = golden_tensor(g, golden_context(), array);

    check_ok(coordconv_tensor_copy(test_parameter(layer, name), values));
    coordconv_tensor_unref(values);
}

void golden_check(const struct golden *g, int32_t array, int32_t bound, coordconv_tensor *got,
                  const char *what)
{
    const struct golden_array *a = &g->array[array];

    assert_int_equal(coordconv_tensor_ndim(got), a->ndim);
    for (int32_t i = 0; i < a->ndim; i++)
        assert_int_equal(coordconv_tensor_dim(got, i), a->shape[i]);
    assert_int_equal(coordconv_tensor_is_contiguous(got), 1);
    golden_check_values(g, array, bound, coordconv_tensor_data(got), what);
}

void golden_check_values(const struct golden *g, int32_t array, int32_t bound, const float *got,
                         const char *what)
{
    const struct golden_array *a = &g->array[array];

    assert_in_range(bound, 0, g->array[GOLDEN_BOUNDS].count - 1);
    const double tolerance = GOLDEN_RTOL * g->array[GOLDEN_BOUNDS].floats[bound];
    assert_true(tolerance > 0.0 && isfinite(tolerance));
    for (int64_t i = 0; i < a->count; i++) {
        const double difference = fabs((double)got[i] - (double)a->floats[i]);
        if (!(difference <= tolerance)) {
            print_error("%s: %s: element %lld is %.9g, expected %.9g, off by %.2g, allowed %.2g\n",
                        g->name, what, (long long)i, (double)got[i], (double)a->floats[i],
                        difference, tolerance);
            fail();
        }
    }
}

/* ---- running ---- */

static coordconv_context *current;

coordconv_context *golden_context(void)
{
    return current;
}

static int run_group(const char *group, const char *const *names, size_t count,
                     CMUnitTestFunction test)
{
    struct CMUnitTest tests[64];
    char title[128];

    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < count && i < COUNT(tests); i++) {
        tests[i].name = names[i];
        tests[i].test_func = test;
        tests[i].initial_state = (void *)(uintptr_t)names[i];
    }
    snprintf(title, sizeof title, "%s, %s", group, coordconv_context_isa(current));
    return _cmocka_run_group_tests(title, tests, count, NULL, NULL);
}

int golden_run(const char *group, const char *const *names, size_t count, CMUnitTestFunction test)
{
    static const struct {
        uint32_t isa;
        const char *name;
    } sets[] = { { COORDCONV_ISA_REFERENCE, "reference" },
                 { COORDCONV_ISA_AVX2, "avx2" },
                 { COORDCONV_ISA_AVX512, "avx512" },
                 { COORDCONV_ISA_NEON, "neon" } };
    int failures = 0;

    for (size_t i = 0; i < COUNT(sets); i++) {
        coordconv_context_desc desc = { .struct_size = sizeof desc,
                                        .max_isa = sets[i].isa,
                                        .threads = 1 };
        if (coordconv_context_new(&desc, &current) != COORDCONV_OK)
            return failures + 1;
        if (strcmp(coordconv_context_isa(current), sets[i].name) == 0)
            failures += run_group(group, names, count, test);
        coordconv_context_unref(current);
    }
    return failures;
}

void golden_add_loss(coordconv_model *model, coordconv_value y, const struct golden_array *dy)
{
    const int64_t canvas[4] = { 1, dy->count, 1, 1 };
    const coordconv_value weights =
        coordconv_model_input(model, "dy", COORDCONV_F32, dy->ndim, dy->shape);
    const coordconv_value products = coordconv_model_multiply(model, y, weights);
    const coordconv_value sum =
        coordconv_model_global_sum_pool(model, coordconv_model_reshape(model, products, 4, canvas));

    coordconv_model_output(model, "loss", coordconv_model_reshape(model, sum, 0, canvas));
}
