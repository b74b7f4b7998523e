/* SPDX-License-Identifier: BSD-2-Clause
 *
 * support.h - what the test programs share: assertions on statuses, a heap that
 * counts and refuses, a parallel-for of plain threads, random numbers.
 *
 * Built a second time with CCONV_DOUBLE for the gradient tests, where models
 * compute in double.
 */
#ifndef COORDCONV_TESTS_SUPPORT_H
#define COORDCONV_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <coordconv/coordconv.h>

#ifdef CCONV_DOUBLE
typedef double test_real;
#define TEST_REAL COORDCONV_F64
#else
typedef float test_real;
#define TEST_REAL COORDCONV_F32
#endif

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The call returns COORDCONV_OK; else the test fails and shows the library's message. */
#define check_ok(call) test_check_status((call), COORDCONV_OK, NULL, #call, __FILE__, __LINE__)

/* The call returns this failure with a message of its own that contains text. */
#define check_fails(call, status, text)                                                            \
    (test_forget_error(), test_check_status((call), (status), (text), #call, __FILE__, __LINE__))

void test_forget_error(void);
void test_check_status(coordconv_status got, coordconv_status want, const char *text,
                       const char *call, const char *file, int line);

/* ---- memory ---- */

/* Behind a context's alloc and free. Refuses allocation number fail_at (from 0,
 * SIZE_MAX: none) and, where fail_on is set, all after it; and always what is
 * larger than any test needs. */
struct test_heap {
    atomic_size_t calls, refused;
    atomic_size_t live_blocks, live_bytes;
    atomic_size_t errors; /* frees of what was never given, or with another size */
    size_t fail_at;
    int fail_on;
};

void test_heap_init(struct test_heap *heap);
void *test_heap_alloc(void *user, size_t bytes, size_t alignment);
void test_heap_free(void *user, void *memory, size_t bytes);

/* Everything has been given back, each block with its own size. */
void test_heap_check_empty(const struct test_heap *heap);

/* ---- threads ---- */

enum test_order {
    TEST_ORDER_THREADS,
    TEST_ORDER_FORWARD,
    TEST_ORDER_BACKWARD
};

/* Behind a context's parallel_for. */
struct test_pool {
    enum test_order order;
    size_t threads;
    atomic_size_t calls; /* parallel-for calls with more than one task */
};

void test_pool_run(void *user, coordconv_task_fn task, void *task_context, size_t count);

/* ---- contexts, tensors, numbers ---- */

/* A context of the given threads; heap and pool may be NULL. */
coordconv_context *test_context(int32_t threads, struct test_heap *heap, struct test_pool *pool);

/* Uniform in [-1, 1), from a state that any value may begin. */
double test_random(uint64_t *state);

/* A row-major tensor of TEST_REAL filled with test_random, of int32 with 0 .. bound - 1. */
coordconv_tensor *test_tensor(coordconv_context *context, int32_t ndim, const int64_t *shape,
                              uint64_t seed);
coordconv_tensor *test_labels(coordconv_context *context, int64_t count, int32_t bound,
                              uint64_t seed);

/* A tensor of TEST_REAL zeros in the shape of another. */
coordconv_tensor *test_like(coordconv_context *context, const coordconv_tensor *tensor);

test_real *test_values(coordconv_tensor *tensor);

/* Parameter or buffer of a layer, borrowed. */
coordconv_tensor *test_parameter(coordconv_layer *layer, const char *name);

/* Fill every parameter and buffer with numbers of its own; variances stay above 0. */
void test_fill_layer(coordconv_layer *layer, uint64_t seed);

/* The highest byte of a number is its first. */
int test_is_big_endian(void);

/* Turn elements of `size` bytes from the order they have here into that of files, lowest byte
 * first, or back: nothing is to be done on most machines. */
void test_file_order(void *data, size_t bytes, size_t size);

/* Same count and the same bits. */
void test_check_same(coordconv_tensor *got, coordconv_tensor *want, const char *what);

/* The COORDCONV_ISA_* that contexts here can be made to use; returns how many. */
#define TEST_MAX_ISAS 4
size_t test_isas(uint32_t isas[TEST_MAX_ISAS]);

#endif /* COORDCONV_TESTS_SUPPORT_H */
