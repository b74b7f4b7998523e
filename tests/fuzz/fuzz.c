/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz.c - the context of the fuzzing targets.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 1 << 26,         /* bytes of a block */
    MOST_ELEMENTS = 1 << 14 /* of a tensor that is read: one element can stand for billions */
};

/* Targets run on one thread. */
static size_t live, live_at_rest;
static coordconv_context *context;

void fuzz_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not true: %s\n  last error: %s\n", file, line, condition,
            coordconv_last_error());
    abort();
}

static void *give(void *user, size_t bytes, size_t alignment)
{
    void *memory = NULL;

    (void)user;
    if (bytes > MOST || posix_memalign(&memory, alignment, bytes) != 0)
        return NULL;
    live++;
    return memory;
}

static void take_back(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    REQUIRE(memory != NULL && live > 0);
    live--;
    free(memory);
}

coordconv_context *fuzz_context(void)
{
    const coordconv_context_desc desc = {
        .struct_size = sizeof desc, .threads = 1, .alloc = give, .free = take_back
    };

    if (context == NULL) {
        REQUIRE(coordconv_context_new(&desc, &context) == COORDCONV_OK);
        live_at_rest = live;
    }
    return context;
}

void fuzz_require_all_freed(void)
{
    REQUIRE(live == live_at_rest);
}

void fuzz_read_elements(const coordconv_tensor *tensor)
{
    int64_t shape[COORDCONV_MAX_NDIM] = { 0 };
    const int32_t ndim = coordconv_tensor_ndim(tensor);
    coordconv_tensor *copy = NULL;

    REQUIRE(ndim >= 0 && ndim <= COORDCONV_MAX_NDIM);
    for (int32_t i = 0; i < ndim; i++)
        shape[i] = coordconv_tensor_dim(tensor, i);
    if (coordconv_tensor_count(tensor) > MOST_ELEMENTS)
        return;
    if (coordconv_tensor_new(fuzz_context(), COORDCONV_F64, ndim, shape, &copy) == COORDCONV_OK)
        REQUIRE(coordconv_tensor_copy(copy, tensor) == COORDCONV_OK);
    coordconv_tensor_unref(copy);
}
