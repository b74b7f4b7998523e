/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_load_weights_bad.c - checkpoints that are damaged or made to hurt, through
 * coordconv_load_weights(): a status, a message, and nothing changed.
 *
 * tests/unit/test_safetensors.c has the table of everything that can be wrong
 * with a header.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/saved_model.h"
#include "api/weights_file.h"

static char path[64];

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof path, "/tmp/coordconv-hostile-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_out(const void *data, size_t count)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

/* ---- a good file gone bad ---- */

static void add_all(struct weights_file *f, struct saved_model *m)
{
    static const char *const names[] = { "weight", "bias", "running_mean", "running_var" };
    static const char *const layers[] = { "net.conv1", "net.1", "net.head" };
    static const int64_t steps = 5;
    char name[64];

    for (int i = 0; i < saved_model_layers; i++) {
        for (size_t k = 0; k < (i == 1 ? COUNT(names) : 2); k++) {
            snprintf(name, sizeof name, "%s.%s", layers[i], names[k]);
            weights_file_add_parameter(f, name, m->layer[i], names[k]);
        }
    }
    weights_file_add(f, "net.1.num_batches_tracked", "I64", 0, NULL, &steps, 8);
}

static coordconv_weights_desc net_desc(int32_t lenient)
{
    const coordconv_weights_desc desc = {
        .struct_size = sizeof desc, .prefix = "net", .convention = "mkocabas", .lenient = lenient
    };

    return desc;
}

static void every_truncated_file_is_refused(void **state)
{
    const coordconv_weights_desc desc = net_desc(1);
    struct saved_model m, kept;
    struct weights_file f;
    (void)state;

    saved_model_make(&m, 1, 0);
    saved_model_make(&kept, 1, 0);
    weights_file_begin(&f);
    add_all(&f, &m);
    weights_file_end(&f);
    check_ok(weights_load_exact(kept.model, f.bytes, f.count, &desc));
    saved_model_free(&kept);
    saved_model_make(&kept, 1, 0);
    write_out(f.bytes, f.count);
    for (size_t n = f.count; n-- > 0;) {
        check_fails(weights_load_exact(m.model, f.bytes, n, &desc), COORDCONV_ERR_FORMAT,
                    "safetensors: ");
        assert_int_equal(truncate(path, (off_t)n), 0);
        check_fails(coordconv_load_weights(m.model, path, &desc), COORDCONV_ERR_FORMAT,
                    "safetensors: ");
    }
    saved_model_check_parameters(&m, &kept);
    weights_file_free(&f);
    saved_model_free(&m);
    saved_model_free(&kept);
}

static void every_changed_byte_is_refused_or_harmless(void **state)
{
    static const unsigned char changes[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff };
    size_t refused = 0, loaded = 0, header;
    struct saved_model m, kept;
    struct weights_file f;
    (void)state;

    saved_model_make(&m, 1, 0);
    saved_model_make(&kept, 1, 0);
    weights_file_begin(&f);
    add_all(&f, &m);
    weights_file_end(&f);
    header = 8 + f.header_bytes;
    for (size_t i = 0; i < f.count; i++) {
        const unsigned char good = f.bytes[i];
        for (size_t k = 0; k < COUNT(changes); k++) {
            const coordconv_weights_desc desc = net_desc(i % 2 == 1);
            f.bytes[i] = (unsigned char)(good ^ changes[k]);
            if (weights_load_exact(m.model, f.bytes, f.count, &desc) != COORDCONV_OK) {
                assert_true(i < header); /* the data may be any bits */
                saved_model_check_parameters(&m, &kept);
                refused++;
            } else {
                loaded++;
                saved_model_free(&m);
                saved_model_make(&m, 1, 0);
            }
        }
        f.bytes[i] = good;
    }
    assert_true(refused > 6 * header);
    assert_true(loaded >= COUNT(changes) * (f.count - header));
    weights_file_free(&f);
    saved_model_free(&m);
    saved_model_free(&kept);
}

/* ---- files made to hurt ---- */

/* A linear layer "l" of [1, 2]. */
struct single {
    coordconv_context *context;
    coordconv_layer *layer;
    coordconv_model *model;
};

static void make_single(struct single *s)
{
    const coordconv_linear_desc desc = {
        .struct_size = sizeof desc, .in_features = 2, .out_features = 1, .no_bias = 1
    };
    static const int64_t shape[] = { -1, 2 };

    s->context = test_context(1, NULL, NULL);
    check_ok(coordconv_linear_new(s->context, &desc, &s->layer));
    check_ok(coordconv_layer_set_name(s->layer, "l"));
    check_ok(coordconv_model_new(s->context, &s->model));
    const coordconv_value x = coordconv_model_input(s->model, "x", TEST_REAL, 2, shape);
    coordconv_model_output(s->model, "y", coordconv_model_apply(s->model, s->layer, x));
    check_ok(coordconv_tensor_fill(test_parameter(s->layer, "weight"), 7));
}

static void free_single(struct single *s)
{
    coordconv_layer_unref(s->layer);
    coordconv_model_unref(s->model);
    coordconv_context_unref(s->context);
}

static void check_hostile(struct single *s, uint64_t length, const char *header, size_t n,
                          size_t data, coordconv_status status, const char *message)
{
    static const coordconv_weights_desc desc = { .struct_size = sizeof desc, .lenient = 1 };
    unsigned char *file = calloc(1, 8 + n + data);

    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i & 0xff);
    memcpy(file + 8, header, n);
    check_fails(weights_load_exact(s->model, file, 8 + n + data, &desc), status, message);
    write_out(file, 8 + n + data);
    check_fails(coordconv_load_weights(s->model, path, &desc), status, message);
    assert_true(test_values(test_parameter(s->layer, "weight"))[0] == 7);
    assert_true(test_values(test_parameter(s->layer, "weight"))[1] == 7);
    free(file);
}

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define L(shape, offsets) "{" T("l.weight", "F32", shape, offsets) "}"

static void hostile_headers_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        coordconv_status status;
        const char *message;
    } bad[] = {
        { "", 0, COORDCONV_ERR_FORMAT, "begin with {" },
        { "[]", 0, COORDCONV_ERR_FORMAT, "begin with {" },
        { "\x80\x02}q", 0, COORDCONV_ERR_FORMAT, "begin with {" }, /* a pickle */
        { "PK\x03\x04", 0, COORDCONV_ERR_FORMAT, "begin with {" }, /* a zip of PyTorch */
        { "{\"\xff\":1}", 0, COORDCONV_ERR_FORMAT, "header byte" },
        /* places */
        { L("[1,2]", "[8,16]"), 16, COORDCONV_ERR_FORMAT, "lies at [8, 16)" },
        { L("[1,2]", "[0,16]"), 8, COORDCONV_ERR_FORMAT, "has 16 bytes" },
        { L("[1,2]", "[8,0]"), 8, COORDCONV_ERR_FORMAT, "lies at [8, 0)" },
        { L("[1,2]", "[0,8]"), 16, COORDCONV_ERR_FORMAT, "take 8 bytes, the file has 16" },
        { L("[1,2]", "[0,8]"), 4, COORDCONV_ERR_FORMAT, "take 8 bytes, the file has 4" },
        { L("[1,2]", "[0,9223372036854775807]"), 8, COORDCONV_ERR_FORMAT, "9223372036854775807" },
        { L("[1,2]", "[9223372036854775800,9223372036854775807]"), 8, COORDCONV_ERR_FORMAT,
          "lies at" },
        { L("[1,2]", "[0,18446744073709551624]"), 8, COORDCONV_ERR_FORMAT, "header byte" },
        { "{" T("l.weight", "F32", "[1,2]", "[0,8]") "," T("m", "F32", "[2]", "[4,12]") "}", 12,
          COORDCONV_ERR_FORMAT, "\"m\" lies at [4, 12)" },
        { "{" T("l.weight", "F32", "[1,2]", "[0,8]") "," T("m", "F32", "[2]", "[12,20]") "}", 20,
          COORDCONV_ERR_FORMAT, "\"m\" lies at [12, 20)" },
        { "{" T("l.weight", "F32", "[1,2]", "[0,8]") "," T("l.weight", "F32", "[1,2]",
                                                           "[8,16]") "}",
          16, COORDCONV_ERR_FORMAT, "duplicate" },
        /* shapes */
        { L("[-1,-2]", "[0,8]"), 8, COORDCONV_ERR_FORMAT, "byte 0x2d" },
        { L("[1,2.0]", "[0,8]"), 8, COORDCONV_ERR_FORMAT, "byte 0x2e" },
        { L("[1e999]", "[0,8]"), 8, COORDCONV_ERR_FORMAT, "byte 0x65" },
        { L("[4294967296,4294967296]", "[0,0]"), 0, COORDCONV_ERR_FORMAT, "has 0 bytes" },
        { L("[4611686018427387904,4]", "[0,0]"), 0, COORDCONV_ERR_FORMAT, "has 0 bytes" },
        { L("[2147483648,2,1]", "[0,0]"), 0, COORDCONV_ERR_FORMAT, "has 0 bytes" },
        { L("[65536,65536,65536,65536]", "[0,0]"), 0, COORDCONV_ERR_FORMAT, "has 0 bytes" },
        { L("[0,4611686018427387904]", "[0,0]"), 0, COORDCONV_ERR_SHAPE, "is [0, 46116860184" },
        { L("[]", "[0,4]"), 4, COORDCONV_ERR_SHAPE, "is [] in the file" },
        { L("[0]", "[0,0]"), 0, COORDCONV_ERR_SHAPE, "is [0] in the file" },
        { L("[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, COORDCONV_ERR_UNSUPPORTED, "9 axes" },
        /* types */
        { "{" T("l.weight", "F33", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_FORMAT, "dtype" },
        { "{" T("l.weight", "I64", "[1,2]", "[0,16]") "}", 16, COORDCONV_ERR_SHAPE, "is I64" },
        { "{" T("l.weight", "C64", "[1,2]", "[0,16]") "}", 16, COORDCONV_ERR_SHAPE, "is C64" },
        { "{" T("l.weight", "F4", "[1,2]", "[0,1]") "}", 1, COORDCONV_ERR_SHAPE, "is F4" },
        { "{" T("l.weight", "F8_E4M3", "[1,2]", "[0,2]") "}", 2, COORDCONV_ERR_SHAPE, "another" },
        /* names */
        { "{" T("\\u0000", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_FORMAT, "header byte" },
        { "{" T("l.weight\\u0000", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_FORMAT,
          "header byte" },
        { "{" T("\\ud800", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_FORMAT, "header byte" },
        { "{" T("", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE, "none of 1" },
        { "{" T("__metadata__", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_FORMAT,
          "is not a string" },
        { "{" T("num_batches_tracked", "I64", "[]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "none of 1" },
    };
    struct single s;
    (void)state;

    make_single(&s);
    for (size_t i = 0; i < COUNT(bad); i++)
        check_hostile(&s, strlen(bad[i].header), bad[i].header, strlen(bad[i].header), bad[i].data,
                      bad[i].status, bad[i].message);
    free_single(&s);
}

static void hostile_lengths_are_refused(void **state)
{
    static const uint64_t lengths[] = { 3,
                                        8,
                                        9,
                                        16000000,
                                        16000001,
                                        UINT64_C(1) << 31,
                                        (UINT64_C(1) << 32) + 2,
                                        UINT64_C(1) << 63,
                                        UINT64_MAX - 7,
                                        UINT64_MAX };
    struct single s;
    (void)state;

    make_single(&s);
    for (size_t i = 0; i < COUNT(lengths); i++)
        check_hostile(&s, lengths[i], "{}", 2, 0, COORDCONV_ERR_FORMAT, "safetensors: header of");
    check_hostile(&s, 0, "{}", 2, 0, COORDCONV_ERR_FORMAT, "begin with {");
    check_hostile(&s, 1, "{}", 2, 0, COORDCONV_ERR_FORMAT, "header byte");
    free_single(&s);
}

static void deep_and_dense_headers_are_refused(void **state)
{
    static const char *const units[] = { "[", "{\"\":", "[],", "{}," };
    struct single s;
    (void)state;

    make_single(&s);
    for (size_t u = 0; u < COUNT(units); u++) {
        const size_t step = strlen(units[u]), n = 6 + 100000 * step;
        char *text = malloc(n);
        assert_non_null(text);
        memcpy(text, "{\"a\":[", 6);
        for (size_t i = 6; i < n; i += step)
            memcpy(text + i, units[u], step);
        check_hostile(&s, n, text, n, 0, COORDCONV_ERR_FORMAT,
                      u < 2 ? "deeper than 3" : "more values than tensors");
        free(text);
    }
    free_single(&s);
}

/* Names of 10 million bytes, one of which a pair makes longer still, cost what they are. */
static void long_names_are_short_in_messages(void **state)
{
    const size_t n = 10000000;
    static const char tail[] = "\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
    static const coordconv_name_pair pair = { "", "some.where" };
    const coordconv_weights_desc desc = { .struct_size = sizeof desc,
                                          .names = &pair,
                                          .name_count = 1 };
    char *file = malloc(8 + n + sizeof tail + 4);
    struct single s;
    (void)state;

    assert_non_null(file);
    make_single(&s);
    const size_t header = n + sizeof tail - 1;
    for (int i = 0; i < 8; i++)
        file[i] = (char)(header >> 8 * i & 0xff);
    memset(file + 8, 'a', n);
    memcpy(file + 8, "{\"", 2);
    memcpy(file + 8 + n, tail, sizeof tail - 1);
    memset(file + 8 + header, 0, 4);
    check_fails(weights_load_exact(s.model, file, 8 + header + 4, &desc), COORDCONV_ERR_SHAPE,
                "1 missing, 1 unexpected");
    assert_true(strlen(coordconv_last_error()) < 512);
    free(file);
    free_single(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_truncated_file_is_refused),    TEST(every_changed_byte_is_refused_or_harmless),
        TEST(hostile_headers_are_refused),        TEST(hostile_lengths_are_refused),
        TEST(deep_and_dense_headers_are_refused), TEST(long_names_are_short_in_messages),
    };

    return cmocka_run_group_tests_name("load_weights_bad", tests, NULL, NULL);
}
