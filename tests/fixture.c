/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

struct test_heap heap;
coordconv_context *context;

int start(void **state)
{
    (void)state;
    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    return 0;
}

int stop(void **state)
{
    (void)state;
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}
