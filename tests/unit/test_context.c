/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_context.c - contexts: defaults, hooks, log, limits, and every way to be refused.
 */
#include <string.h>

#include "support.h"

#include "core/context.h"

static void defaults_make_a_context(void **state)
{
    coordconv_context *context = NULL;
    (void)state;

    check_ok(coordconv_context_new(NULL, &context));
    assert_true(coordconv_context_threads(context) >= 1);
    assert_true(strlen(coordconv_context_isa(context)) > 0);
    assert_ptr_equal(coordconv_context_ref(context), context);
    coordconv_context_unref(context);
    assert_true(coordconv_context_threads(context) >= 1);
    coordconv_context_unref(context);
}

static void fields_are_kept(void **state)
{
    coordconv_context_desc d = { .struct_size = sizeof d,
                                 .max_isa = COORDCONV_ISA_REFERENCE,
                                 .seed = UINT64_C(0x123456789abcdef0),
                                 .threads = 1024 };
    coordconv_context *context = NULL;
    (void)state;

    check_ok(coordconv_context_new(&d, &context));
    assert_string_equal(coordconv_context_isa(context), "reference");
    assert_int_equal(coordconv_context_threads(context), 1024);
    assert_true(context->seed == d.seed);
    coordconv_context_unref(context);
}

static void nothing_is_asked_of_null(void **state)
{
    (void)state;
    assert_string_equal(coordconv_context_isa(NULL), "");
    assert_int_equal(coordconv_context_threads(NULL), 0);
    assert_null(coordconv_context_ref(NULL));
    coordconv_context_unref(NULL);
}

static void a_context_lives_in_its_own_heap(void **state)
{
    struct test_heap heap;
    coordconv_context *context;
    (void)state;

    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    assert_int_equal(heap.live_blocks, 1);
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
}

static void no_memory_makes_no_context(void **state)
{
    struct test_heap heap;
    coordconv_context_desc d = { .struct_size = sizeof d,
                                 .alloc = test_heap_alloc,
                                 .free = test_heap_free,
                                 .alloc_user = &heap };
    coordconv_context *context = NULL;
    (void)state;

    test_heap_init(&heap);
    heap.fail_at = 0;
    check_fails(coordconv_context_new(&d, &context), COORDCONV_ERR_NOMEM, "no memory");
    assert_null(context);
    test_heap_check_empty(&heap);
}

static void bad_fields_are_refused(void **state)
{
    const coordconv_context_desc good = { .struct_size = sizeof good };
    coordconv_context_desc d;
    coordconv_context *context = NULL;
    (void)state;

#define REFUSED(field, value, status, text)                                                        \
    do {                                                                                           \
        d = good;                                                                                  \
        d.field = (value);                                                                         \
        check_fails(coordconv_context_new(&d, &context), status, text);                            \
        assert_null(context);                                                                      \
    } while (0)
    REFUSED(max_isa, 5, COORDCONV_ERR_INVALID, "max_isa 5");
    REFUSED(max_isa, UINT32_MAX, COORDCONV_ERR_INVALID, "max_isa 4294967295");
    REFUSED(threads, -1, COORDCONV_ERR_INVALID, "-1 threads");
    REFUSED(threads, 1025, COORDCONV_ERR_INVALID, "1025 threads");
    REFUSED(direct_sums, 2, COORDCONV_ERR_INVALID, "direct_sums");
    REFUSED(alloc, test_heap_alloc, COORDCONV_ERR_INVALID, "alloc is set without free");
    REFUSED(free, test_heap_free, COORDCONV_ERR_INVALID, "free is set without alloc");
    REFUSED(struct_size, 0, COORDCONV_ERR_ABI, "struct_size 0");
    REFUSED(struct_size, sizeof good - 1, COORDCONV_ERR_ABI, "struct_size");
#undef REFUSED
    check_fails(coordconv_context_new(&good, NULL), COORDCONV_ERR_INVALID, "out is NULL");
}

static void larger_descriptors_are_taken_while_their_rest_is_zero(void **state)
{
    struct {
        coordconv_context_desc d;
        uint64_t later;
    } newer = { .d = { .struct_size = sizeof newer } };
    coordconv_context *context = NULL;
    (void)state;

    check_ok(coordconv_context_new(&newer.d, &context));
    coordconv_context_unref(context);
    context = NULL;
    newer.later = 1;
    check_fails(coordconv_context_new(&newer.d, &context), COORDCONV_ERR_ABI, "too old");
    assert_null(context);
}

struct heard {
    int times;
    coordconv_status status;
    char text[256];
};

static void hear(void *user, coordconv_status status, const char *message)
{
    struct heard *h = user;

    h->times++;
    h->status = status;
    strncpy(h->text, message, sizeof h->text - 1);
}

static void the_log_hears_every_failure(void **state)
{
    struct heard h = { 0 };
    coordconv_context_desc d = {
        .struct_size = sizeof d, .threads = -7, .log = hear, .log_user = &h
    };
    const int64_t shape[] = { -4 };
    coordconv_context *context = NULL;
    coordconv_tensor *t = NULL;
    (void)state;

    check_fails(coordconv_context_new(&d, &context), COORDCONV_ERR_INVALID, "-7");
    assert_int_equal(h.times, 1);
    assert_string_equal(h.text, coordconv_last_error());
    d.threads = 1;
    check_ok(coordconv_context_new(&d, &context));
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 1, shape, &t), COORDCONV_ERR_SHAPE,
                "-4");
    assert_int_equal(h.times, 2);
    assert_int_equal(h.status, COORDCONV_ERR_SHAPE);
    assert_string_equal(h.text, coordconv_last_error());
    coordconv_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_make_a_context),
        cmocka_unit_test(fields_are_kept),
        cmocka_unit_test(nothing_is_asked_of_null),
        cmocka_unit_test(a_context_lives_in_its_own_heap),
        cmocka_unit_test(no_memory_makes_no_context),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(larger_descriptors_are_taken_while_their_rest_is_zero),
        cmocka_unit_test(the_log_hears_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
