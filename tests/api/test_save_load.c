/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_save_load.c - what is saved is loaded bit for bit, training goes on as if
 * nothing had been, and a save that fails or is killed leaves the old file.
 */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/saved_model.h"

/* ---- a folder to work in ---- */

static char folder[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/coordconv-save-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return 0;
}

/* Files of the folder; those whose name begins with `removed` go (NULL: none). */
static int sweep(const char *removed)
{
    DIR *d = opendir(folder);
    char name[400];
    int n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (removed != NULL && strncmp(e->d_name, removed, strlen(removed)) == 0)
            unlink(name);
        n++;
    }
    closedir(d);
    return n;
}

static int entries(void)
{
    return sweep(NULL);
}

static int teardown(void **state)
{
    (void)state;
    sweep("");
    return rmdir(folder);
}

/* The bytes of the file at path, to be freed. */
static unsigned char *file_bytes(size_t *bytes)
{
    struct stat info;
    unsigned char *data;
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    *bytes = (size_t)info.st_size;
    data = malloc(*bytes);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, f), *bytes);
    fclose(f);
    return data;
}

/* ---- round trips ---- */

/* Every bit pattern is a value: also those no training gives. */
static void parameters_and_buffers_come_back_bit_for_bit(void **state)
{
    static const float odd[] = {
        NAN, -NAN, INFINITY, -INFINITY, -0.0f, 0x1p-149f, 0x1.fffffep127f
    };
    struct saved_model a, b;
    (void)state;

    saved_model_make(&a, 1, 0);
    saved_model_make(&b, 2, 0);
    for (int i = 0; i < saved_model_layers; i++)
        test_fill_layer(a.layer[i], 77 + (uint64_t)i);
    for (size_t i = 0; i < COUNT(odd); i++)
        test_values(test_parameter(a.layer[0], "weight"))[i] = (test_real)odd[i];
    check_ok(coordconv_save(a.model, NULL, path, 0, NULL));
    assert_int_equal(entries(), 1);
    check_ok(coordconv_load(b.model, NULL, path));
    saved_model_check_same(&b, &a);
    saved_model_free(&b);

    size_t bytes;
    unsigned char *data = file_bytes(&bytes);
    saved_model_make(&b, 3, 0);
    check_ok(coordconv_load_memory(b.model, NULL, data, bytes));
    saved_model_check_same(&b, &a);
    free(data);
    saved_model_free(&a);
    saved_model_free(&b);
}

/* A file is the same from every machine: here the tensor that is last in it, of several blocks. */
static void numbers_are_written_lowest_byte_first(void **state)
{
    struct saved_model a;
    size_t bytes;
    (void)state;

    saved_model_make_wide(&a, 1, 0, 1500);
    coordconv_tensor *weight = test_parameter(a.layer[2], "weight");
    const size_t count = (size_t)coordconv_tensor_count(weight);
    assert_int_equal(count, 3000);
    check_ok(coordconv_save(a.model, NULL, path, 0, NULL));
    unsigned char *data = file_bytes(&bytes);
    assert_true(bytes > 4 * count);
    const unsigned char *at = data + bytes - 4 * count;
    for (size_t i = 0; i < count; i++, at += 4) {
        const float value = (float)test_values(weight)[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        const uint32_t written =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

        assert_int_equal(written, bits);
    }
    free(data);
    saved_model_free(&a);
}

static void the_same_state_gives_the_same_file(void **state)
{
    struct saved_model a;
    size_t n, m;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    saved_model_train(&a, 2);
    check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
    unsigned char *first = file_bytes(&n);
    check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
    unsigned char *second = file_bytes(&m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    assert_int_equal((8 + first[0] + 256 * first[1]) % 8,
                     0); /* data aligned for any of our types */
    free(first);
    free(second);
    saved_model_free(&a);
}

/* A plan that has run keeps packed copies of weights and has to learn of new ones. */
static void a_plan_runs_with_what_was_loaded(void **state)
{
    struct saved_model a, b;
    coordconv_tensor *want = NULL, *before = NULL, *after = NULL;
    (void)state;

    saved_model_make(&a, 1, 0);
    saved_model_make(&b, 2, 0);
    want = saved_model_run(&a);
    before = saved_model_run(&b);
    assert_memory_not_equal(coordconv_tensor_data(want), coordconv_tensor_data(before),
                            (size_t)coordconv_tensor_count(want) * sizeof(test_real));
    check_ok(coordconv_save(a.model, NULL, path, 0, NULL));
    check_ok(coordconv_load(b.model, NULL, path));
    after = saved_model_run(&b);
    test_check_same(after, want, "output after loading");
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(before);
    coordconv_tensor_unref(after);
    saved_model_free(&a);
    saved_model_free(&b);
}

static void training_resumed_gives_the_bits_of_training_on(void **state)
{
    (void)state;

    for (size_t i = 0; i < saved_model_optimizer_count; i++) {
        struct saved_model a, b;
        saved_model_make(&a, 1, (int32_t)i + 1);
        check_ok(coordconv_optimizer_set_learning_rate(a.optimizer, 0.1 / 3));
        saved_model_train(&a, 3);
        check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
        saved_model_train(&a, 4);

        saved_model_make(&b, 2, (int32_t)i + 1); /* other weights, other rate, other history */
        saved_model_train(&b, 1);
        check_ok(coordconv_load(b.model, b.optimizer, path));
        assert_int_equal(coordconv_optimizer_steps(b.optimizer), 3);
        assert_true(coordconv_optimizer_learning_rate(b.optimizer) == 0.1 / 3);
        saved_model_train(&b, 4);
        saved_model_check_same(&b, &a);
        assert_int_equal(coordconv_optimizer_steps(b.optimizer), 7);
        saved_model_free(&a);
        saved_model_free(&b);
    }
}

static void state_is_ignored_without_an_optimizer(void **state)
{
    struct saved_model a, b;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    saved_model_make(&b, 2, 0);
    saved_model_train(&a, 2);
    check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
    check_ok(coordconv_load(b.model, NULL, path));
    saved_model_check_parameters(&b, &a);
    saved_model_free(&a);
    saved_model_free(&b);
}

/* A name that begins like the library's own state is a name like others. */
/* Files keep optimizer state under that prefix, and load skips it when no optimizer is given. */
static void no_layer_is_called_optimizer(void **state)
{
    struct saved_model a;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    check_fails(coordconv_layer_set_name(a.layer[0], "optimizer.head"), COORDCONV_ERR_INVALID,
                "optimizer.head");
    check_fails(coordconv_layer_set_name(a.layer[0], "optimizer"), COORDCONV_ERR_INVALID,
                "optimizer");
    check_ok(coordconv_layer_set_name(a.layer[0], "optimizers"));
    saved_model_free(&a);
}

/* ---- metadata ---- */

static void check_word(coordconv_context *context, const char *key, const char *want)
{
    char value[64];
    size_t length = 99;

    memset(value, '#', sizeof value);
    check_ok(coordconv_load_metadata(context, path, key, value, strlen(want) + 1, &length));
    assert_string_equal(value, want);
    assert_int_equal(length, strlen(want));
    assert_int_equal(value[strlen(want) + 1], '#');
    length = 99;
    check_fails(coordconv_load_metadata(context, path, key, value, strlen(want), &length),
                COORDCONV_ERR_SHAPE, key);
    assert_int_equal(length, strlen(want));
    check_ok(coordconv_load_metadata(context, path, key, value, sizeof value, NULL));
}

static void metadata_are_kept(void **state)
{
    static const coordconv_metadata words[] = {
        { "epoch", "17" },
        { "empty", "" },
        { "r\xc3\xa9gion \"\\\n", "\xf0\x9f\x98\x80 \x01 \"quoted\"" },
        { "coordconv", "a key of the user" },
    };
    struct saved_model a;
    size_t length = 99;
    char value[8] = "as it is";
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    check_ok(coordconv_optimizer_set_steps(a.optimizer, INT64_C(9007199254740993)));
    check_ok(coordconv_save(a.model, a.optimizer, path, COUNT(words), words));
    for (size_t i = 0; i < COUNT(words); i++)
        check_word(a.context, words[i].key, words[i].value);
    check_word(a.context, "coordconv.version", "0.1.0");
    check_word(a.context, "coordconv.optimizer", "adam");
    check_word(a.context, "coordconv.steps", "9007199254740993");
    check_ok(coordconv_load(a.model, a.optimizer, path));
    assert_true(coordconv_optimizer_steps(a.optimizer) == INT64_C(9007199254740993));

    check_fails(coordconv_load_metadata(a.context, path, "none", value, sizeof value, &length),
                COORDCONV_ERR_NOT_FOUND, "\"none\"");
    check_fails(coordconv_load_metadata(a.context, path, "empty", NULL, 0, &length),
                COORDCONV_ERR_SHAPE, "need 1 bytes");
    assert_int_equal(length, 0);
    assert_memory_equal(value, "as it is", 8);
    check_fails(coordconv_load_metadata(a.context, folder, "k", value, sizeof value, NULL),
                COORDCONV_ERR_IO, folder);
    unlink(path);
    check_fails(coordconv_load_metadata(a.context, path, "k", value, sizeof value, NULL),
                COORDCONV_ERR_NOT_FOUND, path);
    saved_model_free(&a);
}

static void bad_metadata_are_refused(void **state)
{
    static char long_key[257];
    static const struct {
        coordconv_metadata word;
        const char *message;
    } bad[] = {
        { { NULL, "v" }, "NULL" },
        { { "k", NULL }, "NULL" },
        { { "", "v" }, "1 to 255" },
        { { long_key, "v" }, "1 to 255" },
        { { "coordconv.steps", "1" }, "\"coordconv.\"" },
        { { "coordconv.", "1" }, "\"coordconv.\"" },
        { { "fine", "v" }, "\"fine\" is there twice" },
        { { "\xff", "v" }, "UTF-8" },
        { { "k", "\xc3" }, "UTF-8" },
        { { "k", "\x80" }, "UTF-8" },
        { { "k", "\xc0\xaf" }, "UTF-8" },
        { { "k", "\xe0\x80\xaf" }, "UTF-8" },
        { { "k", "\xed\xa0\x80" }, "UTF-8" },
        { { "k", "\xf4\x90\x80\x80" }, "UTF-8" },
        { { "k", "\xf8\x88\x80\x80\x80" }, "UTF-8" },
        { { "k", "\xe2\x82" }, "UTF-8" },
    };
    struct saved_model a;
    (void)state;

    memset(long_key, 'k', sizeof long_key - 1);
    saved_model_make(&a, 1, 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        const coordconv_metadata words[] = { { "fine", "v" }, bad[i].word };
        check_fails(coordconv_save(a.model, NULL, path, 2, words), COORDCONV_ERR_INVALID,
                    bad[i].message);
        assert_int_equal(entries(), 0);
    }
    check_fails(coordconv_save(a.model, NULL, path, -1, NULL), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_save(a.model, NULL, path, 1, NULL), COORDCONV_ERR_INVALID, "NULL");
    long_key[255] = '\0'; /* the longest that is taken */
    const coordconv_metadata longest = { long_key, "\xf4\x8f\xbf\xbf \xed\x9f\xbf \xee\x80\x80" };
    check_ok(coordconv_save(a.model, NULL, path, 1, &longest));
    check_word(a.context, long_key, longest.value);
    saved_model_free(&a);
}

/* ---- models that cannot be saved ---- */

static void nothing_is_null(void **state)
{
    struct saved_model a;
    char value[4];
    (void)state;

    saved_model_make(&a, 1, 0);
    check_fails(coordconv_save(NULL, NULL, path, 0, NULL), COORDCONV_ERR_INVALID, "model is NULL");
    check_fails(coordconv_save(a.model, NULL, NULL, 0, NULL), COORDCONV_ERR_INVALID,
                "path is NULL");
    check_fails(coordconv_load(NULL, NULL, path), COORDCONV_ERR_INVALID, "model is NULL");
    check_fails(coordconv_load(a.model, NULL, NULL), COORDCONV_ERR_INVALID, "path is NULL");
    check_fails(coordconv_load_memory(NULL, NULL, "", 0), COORDCONV_ERR_INVALID, "model is NULL");
    check_fails(coordconv_load_memory(a.model, NULL, NULL, 0), COORDCONV_ERR_INVALID,
                "data is NULL");
    check_fails(coordconv_load_metadata(NULL, path, "k", value, 4, NULL), COORDCONV_ERR_INVALID,
                "context is NULL");
    check_fails(coordconv_load_metadata(a.context, NULL, "k", value, 4, NULL),
                COORDCONV_ERR_INVALID, "path is NULL");
    check_fails(coordconv_load_metadata(a.context, path, NULL, value, 4, NULL),
                COORDCONV_ERR_INVALID, "key is NULL");
    check_fails(coordconv_load_metadata(a.context, path, "k", NULL, 4, NULL), COORDCONV_ERR_INVALID,
                "value is NULL");
    assert_int_equal(entries(), 0);
    saved_model_free(&a);
}

static void names_must_be_different_and_utf8(void **state)
{
    struct saved_model a;
    size_t before;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    check_ok(coordconv_save(a.model, NULL, path, 0, NULL));
    unsigned char *kept = file_bytes(&before);
    check_ok(coordconv_layer_set_name(a.layer[2], "conv1"));
    check_fails(coordconv_save(a.model, NULL, path, 0, NULL), COORDCONV_ERR_INVALID,
                "two layers are called \"conv1\"");
    check_fails(coordconv_load(a.model, NULL, path), COORDCONV_ERR_INVALID,
                "two layers are called \"conv1\"");
    check_ok(coordconv_layer_set_name(a.layer[2], "1")); /* what the layer without name is called */
    check_fails(coordconv_save(a.model, NULL, path, 0, NULL), COORDCONV_ERR_INVALID,
                "two layers are called \"1\"");
    check_ok(coordconv_layer_set_name(a.layer[2], "\xe9"));
    check_fails(coordconv_save(a.model, NULL, path, 0, NULL), COORDCONV_ERR_INVALID, "UTF-8");
    size_t after;
    unsigned char *now = file_bytes(&after);
    assert_int_equal(after, before);
    assert_memory_equal(now, kept, before);
    free(now);
    free(kept);
    saved_model_free(&a);
}

static void a_poisoned_model_tells_its_first_error(void **state)
{
    struct saved_model a;
    char first[256];
    (void)state;

    saved_model_make(&a, 1, 0);
    coordconv_model_relu(a.model, 12345);
    const coordconv_status status = coordconv_model_status(a.model);
    assert_int_not_equal(status, COORDCONV_OK);
    snprintf(first, sizeof first, "%s", coordconv_last_error());
    check_fails(coordconv_save(a.model, NULL, path, 0, NULL), status, first);
    check_fails(coordconv_load(a.model, NULL, path), status, first);
    saved_model_free(&a);
}

static void an_optimizer_of_another_model_is_refused(void **state)
{
    struct saved_model a, b;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    saved_model_make_wide(&b, 1, COORDCONV_ADAM, 5);
    check_fails(coordconv_save(a.model, b.optimizer, path, 0, NULL), COORDCONV_ERR_INVALID,
                "belongs to no parameter");
    assert_int_equal(entries(), 0);
    check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
    check_fails(coordconv_load(a.model, b.optimizer, path), COORDCONV_ERR_INVALID,
                "belongs to no parameter");
    saved_model_free(&a);
    saved_model_free(&b);
}

/* ---- saves that fail ---- */

static void places_that_take_no_file_are_told(void **state)
{
    struct saved_model a;
    char where[160];
    (void)state;

    saved_model_make(&a, 1, 0);
    check_fails(coordconv_save(a.model, NULL, "", 0, NULL), COORDCONV_ERR_IO, "name of a file");
    check_fails(coordconv_save(a.model, NULL, folder, 0, NULL), COORDCONV_ERR_IO, folder);
    check_fails(coordconv_save(a.model, NULL, "/dev/full", 0, NULL), COORDCONV_ERR_IO, "/dev/full");
    snprintf(where, sizeof where, "%s/none/model", folder);
    check_fails(coordconv_save(a.model, NULL, where, 0, NULL), COORDCONV_ERR_IO, where);
    snprintf(where, sizeof where, "%s/closed", folder);
    assert_int_equal(mkdir(where, 0500), 0);
    if (geteuid() != 0) { /* nothing is closed to root */
        char inside[200];
        snprintf(inside, sizeof inside, "%s/model", where);
        check_fails(coordconv_save(a.model, NULL, inside, 0, NULL), COORDCONV_ERR_IO, inside);
    }
    assert_int_equal(rmdir(where), 0);
    assert_int_equal(entries(), 0);
    saved_model_free(&a);
}

/* A child may write so many bytes and no more: as on a full disk, in the middle of a file. */
static int save_within(const struct saved_model *a, rlim_t limit)
{
    const pid_t child = fork();
    int result;

    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit bound = { limit, limit };
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &bound) != 0)
            _exit(100);
        const coordconv_status status = coordconv_save(a->model, a->optimizer, path, 0, NULL);
        _exit(-status);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return -WEXITSTATUS(result);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct saved_model a;
    size_t bytes, now;
    (void)state;

    saved_model_make(&a, 1, COORDCONV_ADAM);
    check_ok(coordconv_save(a.model, a.optimizer, path, 0, NULL));
    unsigned char *kept = file_bytes(&bytes);
    saved_model_train(&a, 1);
    for (size_t limit = 0; limit < bytes; limit += 1 + bytes / 13) {
        assert_int_equal(save_within(&a, limit), COORDCONV_ERR_IO);
        unsigned char *after = file_bytes(&now);
        assert_int_equal(now, bytes);
        assert_memory_equal(after, kept, bytes);
        free(after);
        assert_int_equal(entries(), 1);
    }
    assert_int_equal(save_within(&a, bytes), COORDCONV_OK);
    unsigned char *after = file_bytes(&now);
    assert_int_equal(now, bytes);
    assert_memory_not_equal(after, kept, bytes);
    free(after);
    free(kept);
    saved_model_free(&a);
}

/* Every allocation of a save and of a load fails once. */
static void out_of_memory_changes_nothing(void **state)
{
    struct test_heap heap;
    struct saved_model a, before;
    size_t n;
    (void)state;

    test_heap_init(&heap);
    saved_model_make_on(&a, 1, COORDCONV_ADAM, 3, &heap);
    saved_model_train(&a, 2);
    for (n = 0;; n++) {
        heap.fail_at = atomic_load(&heap.calls) + n;
        const size_t refused = atomic_load(&heap.refused), live = atomic_load(&heap.live_blocks);
        const coordconv_status status = coordconv_save(a.model, a.optimizer, path, 0, NULL);
        assert_int_equal(atomic_load(&heap.live_blocks), live);
        if (atomic_load(&heap.refused) == refused)
            break;
        assert_int_equal(status, COORDCONV_ERR_NOMEM);
        assert_int_equal(entries(), 0);
    }
    assert_true(n >= 4); /* names, tensors, words, items, header */
    heap.fail_at = SIZE_MAX;
    saved_model_make(&before, 1, COORDCONV_ADAM); /* the very same state */
    saved_model_train(&before, 2);
    saved_model_train(&a, 1);
    saved_model_train(&before, 1);
    for (n = 0;; n++) {
        heap.fail_at = atomic_load(&heap.calls) + n;
        const size_t refused = atomic_load(&heap.refused), live = atomic_load(&heap.live_blocks);
        const coordconv_status status = coordconv_load(a.model, a.optimizer, path);
        assert_int_equal(atomic_load(&heap.live_blocks), live);
        if (atomic_load(&heap.refused) == refused)
            break;
        assert_int_equal(status, COORDCONV_ERR_NOMEM);
        saved_model_check_same(&a, &before);
        assert_int_equal(coordconv_optimizer_steps(a.optimizer), 3);
    }
    assert_true(n >= 5);
    assert_int_equal(coordconv_optimizer_steps(a.optimizer), 2);
    heap.fail_at = SIZE_MAX;
    saved_model_free(&before);
    saved_model_free(&a);
    test_heap_check_empty(&heap);
}

/* ---- interrupted saves ---- */

/* A layer of 200,000 weights, so that writing takes its time. */
static coordconv_layer *big_model(coordconv_context *context, coordconv_model **model)
{
    const coordconv_linear_desc desc = {
        .struct_size = sizeof desc, .in_features = 200, .out_features = 1000, .no_bias = 1
    };
    const int64_t shape[] = { -1, 200 };
    coordconv_layer *layer = NULL;

    check_ok(coordconv_linear_new(context, &desc, &layer));
    check_ok(coordconv_model_new(context, model));
    const coordconv_value x = coordconv_model_input(*model, "x", TEST_REAL, 2, shape);
    coordconv_model_output(*model, "y", coordconv_model_apply(*model, layer, x));
    coordconv_layer_unref(layer); /* the model holds it */
    return layer;
}

/* All weights are `value`, and the metadata say so. */
static coordconv_status save_value(coordconv_model *model, coordconv_layer *layer, int value)
{
    char text[16];
    const coordconv_metadata word = { "value", text };
    const coordconv_status status = coordconv_tensor_fill(test_parameter(layer, "weight"), value);

    snprintf(text, sizeof text, "%d", value);
    return status == COORDCONV_OK ? coordconv_save(model, NULL, path, 1, &word) : status;
}

static void save_for_ever(coordconv_model *model, coordconv_layer *layer, int value)
{
    while (save_value(model, layer, value) == COORDCONV_OK)
        value++;
    _exit(1);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The file is of one piece: all weights are the number in its metadata. */
static int check_whole(coordconv_context *context, coordconv_model *model, coordconv_layer *layer)
{
    char text[16];
    const test_real *w;

    check_ok(coordconv_load(model, NULL, path));
    check_ok(coordconv_load_metadata(context, path, "value", text, sizeof text, NULL));
    w = test_values(test_parameter(layer, "weight"));
    for (int64_t i = 0; i < 200000; i++)
        assert_true(w[i] == (test_real)atoi(text));
    return atoi(text);
}

/* 100 rounds, fewer only where 5 seconds do not suffice for them. Each kills within
 * the time of three saves, so that some die in the first and some in a later one. */
static void a_killed_save_leaves_one_whole_file(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL); /* no threads to lose in fork() */
    coordconv_model *model = NULL;
    coordconv_layer *layer = big_model(context, &model);
    const double begin = seconds();
    uint64_t random = 5;
    int value = 0, rounds = 0, cut = 0, moved = 0;
    (void)state;

    for (int i = 0; i < 4; i++)
        check_ok(save_value(model, layer, 0));
    const double one_save = (seconds() - begin) / 4;
    for (; rounds < 100 && seconds() - begin < 5; rounds++) {
        const double wait = (test_random(&random) + 1) / 2 * 3 * one_save;
        const struct timespec pause = { (time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9) };
        const pid_t child = fork();
        int result, now;
        assert_true(child >= 0);
        if (child == 0)
            save_for_ever(model, layer, 1 + 10000 * rounds);
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result)); /* not stopped by a failure of its own */
        now = check_whole(context, model, layer);
        assert_true(now == value || now > 10000 * rounds); /* the old file or a new one */
        moved += now != value;
        value = now;
        cut += sweep(".") > 1; /* what the killed one was writing is left beside it */
    }
    assert_true(rounds >= 10);
    assert_true(cut > 0);   /* some were caught in the act */
    assert_true(moved > 0); /* and some had finished a save before */
    coordconv_model_unref(model);
    coordconv_context_unref(context);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_and_buffers_come_back_bit_for_bit),
        TEST(numbers_are_written_lowest_byte_first),
        TEST(the_same_state_gives_the_same_file),
        TEST(a_plan_runs_with_what_was_loaded),
        TEST(training_resumed_gives_the_bits_of_training_on),
        TEST(state_is_ignored_without_an_optimizer),
        TEST(no_layer_is_called_optimizer),
        TEST(metadata_are_kept),
        TEST(bad_metadata_are_refused),
        TEST(nothing_is_null),
        TEST(names_must_be_different_and_utf8),
        TEST(a_poisoned_model_tells_its_first_error),
        TEST(an_optimizer_of_another_model_is_refused),
        TEST(places_that_take_no_file_are_told),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(out_of_memory_changes_nothing),
        TEST(a_killed_save_leaves_one_whole_file),
    };

    return cmocka_run_group_tests_name("save_load", tests, NULL, NULL);
}
