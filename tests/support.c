/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- statuses ---- */

static char forgotten[512];

/* Leave a message that no other failure leaves, so that a failure without a message shows. */
void test_forget_error(void)
{
    double rate;

    (void)coordconv_schedule_rate(NULL, 0.0, &rate);
    strncpy(forgotten, coordconv_last_error(), sizeof forgotten - 1);
}

void test_check_status(coordconv_status got, coordconv_status want, const char *text,
                       const char *call, const char *file, int line)
{
    const char *message = coordconv_last_error();

    if (got != want) {
        print_error("%s\n  returned %s, expected %s\n  last error: %s\n", call,
                    coordconv_status_name(got), coordconv_status_name(want), message);
        _fail(file, line);
    }
    if (want == COORDCONV_OK)
        return;
    if (strncmp(message, forgotten, sizeof forgotten) == 0 && strstr(call, "schedule") == NULL) {
        print_error("%s\n  failed without a message\n", call);
        _fail(file, line);
    }
    if (strstr(message, text) == NULL) {
        print_error("%s\n  says \"%s\", expected \"%s\" in it\n", call, message, text);
        _fail(file, line);
    }
}

/* ---- memory ---- */

/* Kept in front of each block. */
struct block {
    uint64_t magic;
    size_t bytes, offset;
};

#define BLOCK_MAGIC UINT64_C(0x5ca1ab1e0ddba115)
#define LARGEST     ((size_t)1 << 28)

void test_heap_init(struct test_heap *heap)
{
    memset(heap, 0, sizeof *heap);
    heap->fail_at = SIZE_MAX;
}

void *test_heap_alloc(void *user, size_t bytes, size_t alignment)
{
    struct test_heap *heap = user;
    const size_t number = atomic_fetch_add(&heap->calls, 1);
    const size_t offset = alignment < sizeof(struct block) ? 64 : alignment;

    if (number == heap->fail_at || (heap->fail_on && number > heap->fail_at) || bytes > LARGEST) {
        atomic_fetch_add(&heap->refused, 1);
        return NULL;
    }
    char *whole = aligned_alloc(offset, (offset + bytes + offset - 1) / offset * offset);
    if (whole == NULL)
        return NULL;
    struct block *block = (struct block *)(void *)(whole + offset - sizeof *block);
    *block = (struct block){ BLOCK_MAGIC, bytes, offset };
    /* The library may not count on zeros it did not write. */
    memset(whole + offset, 0xa5, bytes);
    atomic_fetch_add(&heap->live_blocks, 1);
    atomic_fetch_add(&heap->live_bytes, bytes);
    return whole + offset;
}

void test_heap_free(void *user, void *memory, size_t bytes)
{
    struct test_heap *heap = user;
    struct block *block = (struct block *)(void *)((char *)memory - sizeof *block);

    if (memory == NULL || block->magic != BLOCK_MAGIC || block->bytes != bytes) {
        atomic_fetch_add(&heap->errors, 1);
        return;
    }
    block->magic = 0;
    atomic_fetch_sub(&heap->live_blocks, 1);
    atomic_fetch_sub(&heap->live_bytes, bytes);
    free((char *)memory - block->offset);
}

void test_heap_check_empty(const struct test_heap *heap)
{
    assert_int_equal(atomic_load(&heap->errors), 0);
    assert_int_equal(atomic_load(&heap->live_blocks), 0);
    assert_int_equal(atomic_load(&heap->live_bytes), 0);
}

/* ---- threads ---- */

struct work {
    coordconv_task_fn task;
    void *context;
    size_t count;
    atomic_size_t next;
};

static void *work_loop(void *arg)
{
    struct work *work = arg;

    for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count;)
        work->task(work->context, i);
    return NULL;
}

static void run_threads(struct work *work, size_t threads)
{
    pthread_t helpers[16];
    size_t started = 0;

    while (started + 1 < threads && started < COUNT(helpers) &&
           pthread_create(&helpers[started], NULL, work_loop, work) == 0)
        started++;
    work_loop(work);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
}

void test_pool_run(void *user, coordconv_task_fn task, void *task_context, size_t count)
{
    struct test_pool *pool = user;
    struct work work = { .task = task, .context = task_context, .count = count };

    if (count > 1)
        atomic_fetch_add(&pool->calls, 1);
    if (pool->order == TEST_ORDER_THREADS) {
        run_threads(&work, pool->threads);
        return;
    }
    for (size_t i = 0; i < count; i++)
        task(task_context, pool->order == TEST_ORDER_FORWARD ? i : count - 1 - i);
}

/* ---- contexts, tensors, numbers ---- */

coordconv_context *test_context(int32_t threads, struct test_heap *heap, struct test_pool *pool)
{
    coordconv_context_desc desc = { .struct_size = sizeof desc, .threads = threads };
    coordconv_context *context = NULL;

    if (heap != NULL) {
        desc.alloc = test_heap_alloc;
        desc.free = test_heap_free;
        desc.alloc_user = heap;
    }
    if (pool != NULL) {
        desc.parallel_for = test_pool_run;
        desc.parallel_user = pool;
    }
    check_ok(coordconv_context_new(&desc, &context));
    return context;
}

/* splitmix64: short, and good enough for test data. */
double test_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

static void fill_random(coordconv_tensor *tensor, uint64_t seed)
{
    const int64_t count = coordconv_tensor_count(tensor);
    test_real *values = test_values(tensor);

    for (int64_t i = 0; i < count; i++)
        values[i] = (test_real)test_random(&seed);
}

coordconv_tensor *test_tensor(coordconv_context *context, int32_t ndim, const int64_t *shape,
                              uint64_t seed)
{
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, TEST_REAL, ndim, shape, &tensor));
    fill_random(tensor, seed);
    return tensor;
}

coordconv_tensor *test_labels(coordconv_context *context, int64_t count, int32_t bound,
                              uint64_t seed)
{
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, COORDCONV_I32, 1, &count, &tensor));
    int32_t *values = coordconv_tensor_data(tensor);
    for (int64_t i = 0; i < count; i++)
        values[i] = (int32_t)((test_random(&seed) + 1.0) / 2.0 * bound);
    return tensor;
}

coordconv_tensor *test_like(coordconv_context *context, const coordconv_tensor *tensor)
{
    int64_t shape[COORDCONV_MAX_NDIM] = { 0 };
    const int32_t ndim = coordconv_tensor_ndim(tensor);
    coordconv_tensor *like = NULL;

    for (int32_t i = 0; i < ndim; i++)
        shape[i] = coordconv_tensor_dim(tensor, i);
    check_ok(coordconv_tensor_new(context, TEST_REAL, ndim, shape, &like));
    return like;
}

test_real *test_values(coordconv_tensor *tensor)
{
    assert_int_equal(coordconv_tensor_dtype(tensor), TEST_REAL);
    return coordconv_tensor_data(tensor);
}

coordconv_tensor *test_parameter(coordconv_layer *layer, const char *name)
{
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_layer_parameter(layer, name, &tensor));
    coordconv_tensor_unref(tensor); /* the layer holds its own reference */
    return tensor;
}

void test_fill_layer(coordconv_layer *layer, uint64_t seed)
{
    static const char *const names[] = { "weight", "bias", "running_mean", "running_var" };

    for (size_t i = 0; i < COUNT(names); i++) {
        coordconv_tensor *tensor = NULL;
        if (coordconv_layer_parameter(layer, names[i], &tensor) != COORDCONV_OK)
            continue;
        fill_random(tensor, seed + i);
        if (strcmp(names[i], "running_var") == 0)
            for (int64_t k = 0; k < coordconv_tensor_count(tensor); k++)
                test_values(tensor)[k] += (test_real)1.5;
        coordconv_tensor_modified(tensor);
        coordconv_tensor_unref(tensor);
    }
}

int test_is_big_endian(void)
{
    const uint16_t one = 1;

    return *(const unsigned char *)&one == 0;
}

void test_file_order(void *data, size_t bytes, size_t size)
{
    unsigned char *at = data;

    if (!test_is_big_endian())
        return;
    for (const unsigned char *end = at + bytes; at < end; at += size) {
        for (size_t i = 0; i < size / 2; i++) {
            const unsigned char low = at[size - 1 - i];
            at[size - 1 - i] = at[i];
            at[i] = low;
        }
    }
}

void test_check_same(coordconv_tensor *got, coordconv_tensor *want, const char *what)
{
    const size_t size = coordconv_dtype_size(coordconv_tensor_dtype(want));
    const int64_t count = coordconv_tensor_count(want);

    assert_int_equal(coordconv_tensor_dtype(got), coordconv_tensor_dtype(want));
    assert_int_equal(coordconv_tensor_count(got), count);
    const char *a = coordconv_tensor_data(got);
    const char *b = coordconv_tensor_data(want);
    for (int64_t i = 0; i < count; i++) {
        if (memcmp(a + (size_t)i * size, b + (size_t)i * size, size) != 0) {
            print_error("%s: element %lld of %lld differs\n", what, (long long)i, (long long)count);
            fail();
        }
    }
}

size_t test_isas(uint32_t isas[TEST_MAX_ISAS])
{
    static const char *const names[] = { "", "reference", "avx2", "avx512", "neon" };
    size_t count = 0;

    for (uint32_t isa = 1; isa < sizeof names / sizeof names[0]; isa++) {
        const coordconv_context_desc desc = { .struct_size = sizeof desc, .max_isa = isa };
        coordconv_context *context = NULL;

        check_ok(coordconv_context_new(&desc, &context));
        if (strcmp(coordconv_context_isa(context), names[isa]) == 0)
            isas[count++] = isa;
        coordconv_context_unref(context);
    }
    return count;
}
