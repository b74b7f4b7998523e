/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_load_bad.c - files that are damaged, made to hurt, or of another model:
 * each gives a status and a message, and changes nothing at all.
 *
 * tests/unit/test_safetensors.c has the table of everything that can be wrong
 * with a header; here is what only a model can notice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/saved_model.h"

static char path[64];

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof path, "/tmp/coordconv-bad-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* ---- files by hand ---- */

struct bytes {
    unsigned char *data;
    size_t count;
};

static struct bytes make_file(const char *header, size_t data_bytes)
{
    const size_t n = strlen(header);
    struct bytes file = { calloc(1, 8 + n + data_bytes), 8 + n + data_bytes };

    assert_non_null(file.data);
    for (int i = 0; i < 8; i++)
        file.data[i] = (unsigned char)((uint64_t)n >> 8 * i & 0xff);
    memcpy(file.data + 8, header, n);
    return file;
}

static struct bytes read_back(void)
{
    struct bytes file = { malloc(1 << 16), 0 };
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    assert_non_null(file.data);
    file.count = fread(file.data, 1, 1 << 16, f);
    assert_true(file.count < 1 << 16);
    fclose(f);
    return file;
}

static void write_out(const void *data, size_t count)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

/* Replace the one place where `old` stands by `new` of the same length. */
static void edit(struct bytes *file, const char *old, const char *new)
{
    const size_t n = strlen(old);
    int found = 0;

    assert_int_equal(strlen(new), n);
    for (size_t i = 0; i + n <= file->count; i++) {
        if (memcmp(file->data + i, old, n) == 0) {
            memcpy(file->data + i, new, n);
            found++;
        }
    }
    assert_int_equal(found, 1);
}

/* Load from a block of exactly this size. */
static coordconv_status load_exact(struct saved_model *m, const void *data, size_t count)
{
    unsigned char *copy = malloc(count > 0 ? count : 1);
    coordconv_status status;

    assert_non_null(copy);
    memcpy(copy, data, count);
    status = coordconv_load_memory(m->model, m->optimizer, copy, count);
    free(copy);
    return status;
}

/* A linear layer "l" of one weight. */
static void make_single(struct saved_model *m)
{
    const coordconv_linear_desc desc = {
        .struct_size = sizeof desc, .in_features = 2, .out_features = 1, .no_bias = 1
    };
    const int64_t shape[] = { -1, 2 };

    memset(m, 0, sizeof *m);
    m->context = test_context(1, NULL, NULL);
    check_ok(coordconv_linear_new(m->context, &desc, &m->layer[0]));
    check_ok(coordconv_layer_set_name(m->layer[0], "l"));
    check_ok(coordconv_model_new(m->context, &m->model));
    const coordconv_value x = coordconv_model_input(m->model, "x", TEST_REAL, 2, shape);
    coordconv_model_output(m->model, "y", coordconv_model_apply(m->model, m->layer[0], x));
    coordconv_layer_unref(m->layer[0]);
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* ---- files of others ---- */

/* No word of ours in it, entries and keys in another order, odd header length. */
static void a_file_of_another_program_is_read(void **state)
{
    static const char header[] =
        "{ \"l.weight\" : {\"data_offsets\":[0,8],\"shape\":[1,2], \"dtype\":\"F32\"}} ";
    static const unsigned char data[] = { 0, 0, 0x20, 0x40, 0, 0, 0x80, 0xbf }; /* 2.5, -1 */
    struct saved_model m;
    struct bytes file = make_file(header, 8);
    (void)state;

    memcpy(file.data + file.count - 8, data, 8);
    make_single(&m);
    check_ok(load_exact(&m, file.data, file.count));
    assert_true(test_values(test_parameter(m.layer[0], "weight"))[0] == 2.5f);
    assert_true(test_values(test_parameter(m.layer[0], "weight"))[1] == -1.0f);
    write_out(file.data, file.count);
    check_ok(coordconv_tensor_fill(test_parameter(m.layer[0], "weight"), 0));
    check_ok(coordconv_load(m.model, NULL, path));
    assert_true(test_values(test_parameter(m.layer[0], "weight"))[0] == 2.5f);
    free(file.data);
    saved_model_free(&m);
}

static void what_does_not_fit_the_model_is_named(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        coordconv_status status;
        const char *message;
    } bad[] = {
        { "{}", 0, COORDCONV_ERR_SHAPE, "\"l.weight\" is not in the file" },
        { "{" TENSOR("l.weights", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "\"l.weight\" is not in the file" },
        { "{" TENSOR("a", "F32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "\"a\" of the file is not in the model" },
        { "{" TENSOR("l.weight", "F32", "[1,2]", "[0,8]") "," TENSOR("z", "U8", "[1]", "[8,9]") "}",
          9, COORDCONV_ERR_SHAPE, "\"z\" of the file is not in the model" },
        { "{" TENSOR("l.weight", "F32", "[1,2]", "[0,8]") "," TENSOR("l.bias", "F32", "[1]",
                                                                     "[8,12]") "}",
          12, COORDCONV_ERR_SHAPE, "\"l.bias\" of the file is not in the model" },
        { "{" TENSOR("l.weight", "F32", "[2,1]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "\"l.weight\" is [2, 1], expected [1, 2]" },
        { "{" TENSOR("l.weight", "F32", "[2]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "\"l.weight\" is [2], expected [1, 2]" },
        { "{" TENSOR("l.weight", "F32", "[1,2,1]", "[0,8]") "}", 8, COORDCONV_ERR_SHAPE,
          "expected [1, 2]" },
        { "{" TENSOR("l.weight", "F32", "[]", "[0,4]") "}", 4, COORDCONV_ERR_SHAPE,
          "expected [1, 2]" },
        { "{" TENSOR("l.weight", "F32", "[1,0]", "[0,0]") "}", 0, COORDCONV_ERR_SHAPE,
          "\"l.weight\" is [1, 0], expected [1, 2]" },
        { "{" TENSOR("l.weight", "F64", "[1,2]", "[0,16]") "}", 16, COORDCONV_ERR_DTYPE,
          "\"l.weight\" is F64, expected F32" },
        { "{" TENSOR("l.weight", "I32", "[1,2]", "[0,8]") "}", 8, COORDCONV_ERR_DTYPE,
          "\"l.weight\" is I32, expected F32" },
        { "{" TENSOR("l.weight", "BF16", "[1,2]", "[0,4]") "}", 4, COORDCONV_ERR_DTYPE,
          "\"l.weight\" is BF16, expected F32" },
        { "{" TENSOR("l.weight", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8,
          COORDCONV_ERR_UNSUPPORTED, "9 axes" },
        { "{" TENSOR("l.weight", "F32", "[1,2]", "[0,8]") "}", 9, COORDCONV_ERR_FORMAT, "8 bytes" },
        { "{" TENSOR("l.weight", "F32", "[1,2]", "[0,8]") "}", 7, COORDCONV_ERR_FORMAT, "8 bytes" },
        { "{" TENSOR("l.weight", "F32", "[1,2]", "[0,8]"), 8, COORDCONV_ERR_FORMAT, "header" },
    };
    struct saved_model m;
    (void)state;

    make_single(&m);
    check_ok(coordconv_tensor_fill(test_parameter(m.layer[0], "weight"), 7));
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes file = make_file(bad[i].header, bad[i].data);
        check_fails(load_exact(&m, file.data, file.count), bad[i].status, bad[i].message);
        write_out(file.data, file.count);
        check_fails(coordconv_load(m.model, NULL, path), bad[i].status, bad[i].message);
        assert_true(test_values(test_parameter(m.layer[0], "weight"))[0] == 7);
        assert_true(test_values(test_parameter(m.layer[0], "weight"))[1] == 7);
        free(file.data);
    }
    saved_model_free(&m);
}

/* ---- a good file gone bad ---- */

/* Damage is only seen where it makes a difference; this needs two equal models:
 * one loads, the other shows how it was. */
struct pair {
    struct saved_model m, kept;
    struct bytes file;
};

static void make_pair(struct pair *p)
{
    struct saved_model other;

    saved_model_make(&other, 9, COORDCONV_ADAM);
    saved_model_train(&other, 2);
    check_ok(coordconv_save(other.model, other.optimizer, path, 0, NULL));
    saved_model_free(&other);
    p->file = read_back();
    saved_model_make(&p->m, 1, COORDCONV_ADAM);
    saved_model_make(&p->kept, 1, COORDCONV_ADAM);
    saved_model_train(&p->m, 1);
    saved_model_train(&p->kept, 1);
}

static void free_pair(struct pair *p)
{
    saved_model_free(&p->m);
    saved_model_free(&p->kept);
    free(p->file.data);
}

static void check_unchanged(const struct pair *p)
{
    saved_model_check_same(&p->m, &p->kept);
    assert_int_equal(coordconv_optimizer_steps(p->m.optimizer), 1);
    assert_true(coordconv_optimizer_learning_rate(p->m.optimizer) == 0.001);
}

static void every_truncated_file_is_refused(void **state)
{
    struct pair p;
    (void)state;

    make_pair(&p);
    for (size_t n = p.file.count; n-- > 0;) {
        check_fails(load_exact(&p.m, p.file.data, n), COORDCONV_ERR_FORMAT, "safetensors: ");
        assert_int_equal(truncate(path, (off_t)n), 0);
        check_fails(coordconv_load(p.m.model, p.m.optimizer, path), COORDCONV_ERR_FORMAT,
                    "safetensors: ");
    }
    check_unchanged(&p);
    check_ok(load_exact(&p.m, p.file.data, p.file.count));
    free_pair(&p);
}

static void every_changed_byte_is_refused_or_harmless(void **state)
{
    static const unsigned char changes[] = { 0xff, 0x01, 0x20, 0x80 };
    size_t refused = 0, header;
    struct pair p;
    (void)state;

    make_pair(&p);
    header = 8 + p.file.data[0] + 256u * p.file.data[1];
    for (size_t i = 0; i < p.file.count; i++) {
        for (size_t k = 0; k < COUNT(changes); k++) {
            p.file.data[i] ^= changes[k];
            if (load_exact(&p.m, p.file.data, p.file.count) != COORDCONV_OK) {
                assert_true(i < header); /* the data may be any bits */
                check_unchanged(&p);
                refused++;
            } else { /* back to how it was */
                saved_model_free(&p.m);
                saved_model_make(&p.m, 1, COORDCONV_ADAM);
                saved_model_train(&p.m, 1);
            }
            p.file.data[i] ^= changes[k];
        }
    }
    assert_true(refused > 3 * header);
    free_pair(&p);
}

static void an_optimizer_that_does_not_fit_is_told(void **state)
{
    static const struct {
        const char *old, *new;
        coordconv_status status;
        const char *message;
    } edits[] = {
        { "\"adam\"", "\"sgd1\"", COORDCONV_ERR_SHAPE, "optimizer \"sgd1\", expected \"adam\"" },
        { "coordconv.optimizer", "coordconv.optimiser", COORDCONV_ERR_SHAPE, "no optimizer" },
        { "coordconv.steps\":\"2\"", "coordconv.steps\":\"x\"", COORDCONV_ERR_FORMAT, "\"x\"" },
        { "coordconv.steps", "coordconv.stepz", COORDCONV_ERR_FORMAT, "coordconv.steps" },
        { "coordconv.learning_rate", "coordconv.learning_rats", COORDCONV_ERR_FORMAT,
          "coordconv.learning_rate" },
        { "rate\":\"3f", "rate\":\"3g", COORDCONV_ERR_FORMAT, "\"3g" },    /* no digit */
        { "rate\":\"3f", "rate\":\"3F", COORDCONV_ERR_FORMAT, "\"3F" },    /* not as we write it */
        { "rate\":\"3f5", "rate\":\"bf5", COORDCONV_ERR_FORMAT, "\"bf5" }, /* below 0 */
        { "rate\":\"3f5", "rate\":\"7ff", COORDCONV_ERR_FORMAT, "\"7ff" }, /* NaN */
        { "optimizer.head.bias.m", "optimizer.head.bias.n", COORDCONV_ERR_SHAPE,
          "\"optimizer.head.bias.m\" is not in the file" },
    };
    struct saved_model sgd;
    struct pair p;
    (void)state;

    make_pair(&p);
    for (size_t i = 0; i < COUNT(edits); i++) {
        edit(&p.file, edits[i].old, edits[i].new);
        check_fails(load_exact(&p.m, p.file.data, p.file.count), edits[i].status, edits[i].message);
        edit(&p.file, edits[i].new, edits[i].old);
    }
    check_unchanged(&p);
    saved_model_make(&sgd, 1, SAVED_MODEL_PLAIN_SGD);
    check_fails(load_exact(&sgd, p.file.data, p.file.count), COORDCONV_ERR_SHAPE,
                "optimizer \"adam\", expected \"sgd\"");
    saved_model_free(&sgd);
    check_ok(coordconv_save(p.m.model, NULL, path, 0, NULL));
    check_fails(coordconv_load(p.m.model, p.m.optimizer, path), COORDCONV_ERR_SHAPE,
                "no optimizer");
    check_unchanged(&p);
    free_pair(&p);
}

/* An optimizer over the head alone has no use for the state of the others. */
static void state_of_other_layers_is_refused(void **state)
{
    coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = COORDCONV_ADAM };
    struct pair p;
    (void)state;

    make_pair(&p);
    desc.layer_count = 1;
    desc.layers = &p.m.layer[2];
    coordconv_optimizer_unref(p.m.optimizer);
    p.m.optimizer = NULL;
    check_ok(coordconv_optimizer_new(p.m.plan, &desc, &p.m.optimizer));
    check_fails(load_exact(&p.m, p.file.data, p.file.count), COORDCONV_ERR_SHAPE,
                "of the file is not in the model");
    saved_model_check_parameters(&p.m, &p.kept);
    assert_int_equal(coordconv_optimizer_steps(p.m.optimizer), 0);
    free_pair(&p);
}

/* Load a file that holds nothing but an optimizer without state. */
static void check_words(struct saved_model *m, const char *steps, const char *rate,
                        coordconv_status want, const char *message)
{
    char header[400];
    struct bytes file;

    snprintf(header, sizeof header,
             "{\"__metadata__\":{\"coordconv.optimizer\":\"sgd\",\"coordconv.steps\":\"%s\","
             "\"coordconv.learning_rate\":\"%s\"}}",
             steps, rate);
    file = make_file(header, 0);
    check_fails(load_exact(m, file.data, file.count), want, message);
    free(file.data);
}

static void steps_and_rates_no_optimizer_takes_are_refused(void **state)
{
    static const char good_rate[] = "3f50624dd2f1a9fc"; /* 0.001 */
    static const char *const steps[] = { "",
                                         "-1",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1.0",
                                         "0x1",
                                         "1e3",
                                         "9223372036854775808",
                                         "18446744073709551616" };
    static const char *const rates[] = {
        "",
        "0.001",
        "3f50624dd2f1a9f",
        "3f50624dd2f1a9fc0",
        "3F50624DD2F1A9FC",
        " 3f50624dd2f1a9f",
        "0000000000000000", /* 0 */
        "8000000000000000", /* -0 */
        "bf50624dd2f1a9fc", /* -0.001 */
        "7ff0000000000000", /* infinity */
        "7ff8000000000000", /* NaN */
    };
    coordconv_optimizer_desc desc = { .struct_size = sizeof desc, .kind = COORDCONV_SGD };
    const coordconv_plan_desc plan = { .struct_size = sizeof plan, .mode = COORDCONV_TRAINING };
    struct saved_model m;
    (void)state;

    saved_model_make(&m, 1, 0);
    check_ok(coordconv_plan_new(m.model, &plan, &m.plan));
    check_ok(coordconv_optimizer_new(m.plan, &desc, &m.optimizer));
    for (size_t i = 0; i < COUNT(steps); i++)
        check_words(&m, steps[i], good_rate, COORDCONV_ERR_FORMAT, "no number");
    for (size_t i = 0; i < COUNT(rates); i++)
        check_words(&m, "1", rates[i], COORDCONV_ERR_FORMAT, "no rate");
    /* With good words it is the tensors that are missing. */
    check_words(&m, "9223372036854775807", good_rate, COORDCONV_ERR_SHAPE, "not in the file");
    saved_model_free(&m);
}

static void files_that_are_none_are_told(void **state)
{
    struct saved_model m;
    (void)state;

    make_single(&m);
    check_fails(coordconv_load(m.model, NULL, "/tmp"), COORDCONV_ERR_IO, "not a regular file");
    check_fails(coordconv_load(m.model, NULL, "/dev/zero"), COORDCONV_ERR_IO, "not a regular file");
    check_fails(coordconv_load(m.model, NULL, ""), COORDCONV_ERR_NOT_FOUND, "cannot open");
    check_fails(coordconv_load(m.model, NULL, "/tmp/no such file.safetensors"),
                COORDCONV_ERR_NOT_FOUND, "/tmp/no such file.safetensors");
    saved_model_free(&m);
}

/* A header that claims more than there is costs no memory: 16 MB claimed by 8
 * bytes, and 1 TB of data, holes included, behind a small header. */
static void claims_are_checked_before_memory_is_spent(void **state)
{
    static const unsigned char large[] = { 0, 0x24, 0xf4, 0, 0, 0, 0, 0 };
    static const char header[] =
        "{" TENSOR("l.weight", "F32", "[262144,1048576]", "[0,1099511627776]") "}";
    struct test_heap heap;
    struct saved_model m;
    struct bytes file = make_file(header, 0);
    (void)state;

    test_heap_init(&heap);
    saved_model_make_on(&m, 1, 0, 3, &heap);
    const size_t calls = atomic_load(&heap.calls);
    write_out(large, sizeof large);
    check_fails(coordconv_load(m.model, NULL, path), COORDCONV_ERR_FORMAT, "16000000 bytes");
    assert_int_equal(atomic_load(&heap.calls), calls);
    write_out(file.data, file.count);
    assert_int_equal(truncate(path, (off_t)file.count + ((off_t)1 << 40)), 0);
    check_fails(coordconv_load(m.model, NULL, path), COORDCONV_ERR_SHAPE, "not in the file");
    assert_true(atomic_load(&heap.live_bytes) < 1 << 20);
    free(file.data);
    saved_model_free(&m);
    test_heap_check_empty(&heap);
}

/* Sanitizers keep what has been freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* How often a header's length a process grows by reading it, in a process of its own; rounded up.
 */
static int growth(const struct bytes *file)
{
    int status;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct saved_model m;
        struct rusage before, after;

        saved_model_make(&m, 1, 0);
        getrusage(RUSAGE_SELF, &before);
        if (coordconv_load_memory(m.model, NULL, file->data, file->count) != COORDCONV_ERR_FORMAT)
            _exit(255);
        getrusage(RUSAGE_SELF, &after);
        _exit((int)(((size_t)(after.ru_maxrss - before.ru_maxrss) * 1024 - 1) / file->count + 1));
    }
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Of texts that are let through to the parser the one found to cost most: empty strings. */
static void headers_take_memory_by_their_length(void **state)
{
    enum {
        BYTES = 4000000
    };
    char *header;
    size_t n = 6;
    (void)state;

    if (SANITIZED || getenv("COORDCONV_TEST_SHORT") != NULL)
        skip();
    header = malloc(BYTES + 1);
    assert_non_null(header);
    memcpy(header, "{\"a\":[", n);
    for (; n < BYTES - 8; n += 3)
        memcpy(header + n, "\"\",", 3);
    strcpy(header + n - 1, "]}");
    struct bytes file = make_file(header, 0);
    const int times = growth(&file);

    if (times < 8 || times > 32)
        fail_msg("memory for a header is %d times its length", times);
    free(file.data);
    free(header);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_another_program_is_read),
        TEST(what_does_not_fit_the_model_is_named),
        TEST(every_truncated_file_is_refused),
        TEST(every_changed_byte_is_refused_or_harmless),
        TEST(an_optimizer_that_does_not_fit_is_told),
        TEST(state_of_other_layers_is_refused),
        TEST(steps_and_rates_no_optimizer_takes_are_refused),
        TEST(files_that_are_none_are_told),
        TEST(claims_are_checked_before_memory_is_spent),
        TEST(headers_take_memory_by_their_length),
    };

    return cmocka_run_group_tests_name("load_bad", tests, NULL, NULL);
}
