/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_tensor.c - tensors: shapes, views, lifetimes, and every way to be refused.
 */
#include "support.h"

#include "core/tensor.h"

static coordconv_context *context;
static struct test_heap heap;

static int make_context(void **state)
{
    (void)state;
    test_heap_init(&heap);
    context = test_context(1, &heap, NULL);
    return 0;
}

static int drop_context(void **state)
{
    (void)state;
    coordconv_context_unref(context);
    test_heap_check_empty(&heap);
    return 0;
}

static coordconv_tensor *make(int32_t dtype, int32_t ndim, const int64_t *shape)
{
    coordconv_tensor *t = NULL;

    check_ok(coordconv_tensor_new(context, dtype, ndim, shape, &t));
    return t;
}

/* ---- new ---- */

static void new_is_zero_row_major_and_aligned(void **state)
{
    static const int64_t shape[] = { 2, 3, 4 };
    static const int32_t dtypes[] = { COORDCONV_F32, COORDCONV_F64, COORDCONV_I32, COORDCONV_I64,
                                      COORDCONV_U8 };
    (void)state;

    for (size_t d = 0; d < COUNT(dtypes); d++) {
        coordconv_tensor *t = make(dtypes[d], 3, shape);
        const unsigned char *bytes = coordconv_tensor_data(t);

        assert_int_equal(coordconv_tensor_dtype(t), dtypes[d]);
        assert_int_equal(coordconv_tensor_ndim(t), 3);
        assert_int_equal(coordconv_tensor_count(t), 24);
        assert_int_equal((uintptr_t)bytes % 64, 0);
        for (int axis = 0; axis < 3; axis++)
            assert_int_equal(coordconv_tensor_dim(t, axis), shape[axis]);
        assert_int_equal(coordconv_tensor_stride(t, 0), 12);
        assert_int_equal(coordconv_tensor_stride(t, 1), 4);
        assert_int_equal(coordconv_tensor_stride(t, 2), 1);
        assert_int_equal(coordconv_tensor_is_contiguous(t), 1);
        for (size_t i = 0; i < 24 * coordconv_dtype_size(dtypes[d]); i++)
            assert_int_equal(bytes[i], 0);
        coordconv_tensor_unref(t);
    }
}

static void scalars_and_empty_tensors_exist(void **state)
{
    static const int64_t empty[] = { 3, 0, 5 };
    coordconv_tensor *scalar = make(COORDCONV_F64, 0, NULL), *none = make(COORDCONV_U8, 3, empty);
    (void)state;

    assert_int_equal(coordconv_tensor_ndim(scalar), 0);
    assert_int_equal(coordconv_tensor_count(scalar), 1);
    assert_int_equal(coordconv_tensor_is_contiguous(scalar), 1);
    assert_int_equal(coordconv_tensor_count(none), 0);
    assert_int_equal(coordconv_tensor_is_contiguous(none), 1);
    check_ok(coordconv_tensor_fill(none, 1));
    check_ok(coordconv_tensor_copy(none, none));
    check_ok(coordconv_tensor_fill(scalar, 2.5));
    assert_true(*(double *)coordconv_tensor_data(scalar) == 2.5);
    coordconv_tensor_unref(none);
    coordconv_tensor_unref(scalar);
}

static void new_refuses_bad_arguments(void **state)
{
    static const int64_t ok[] = { 2, 3 }, negative[] = { 2, -3 };
    static const int64_t wide[] = { INT64_C(1) << 31 }, most[] = { INT32_MAX };
    static const int64_t many[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    coordconv_tensor *const before = (coordconv_tensor *)&heap;
    coordconv_tensor *t = before;
    (void)state;

    check_fails(coordconv_tensor_new(NULL, COORDCONV_F32, 2, ok, &t), COORDCONV_ERR_INVALID,
                "context is NULL");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 2, ok, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 2, NULL, &t), COORDCONV_ERR_INVALID,
                "shape is NULL");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, -1, ok, &t), COORDCONV_ERR_INVALID,
                "-1 axes");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 9, many, &t), COORDCONV_ERR_INVALID,
                "9 axes");
    check_fails(coordconv_tensor_new(context, 0, 2, ok, &t), COORDCONV_ERR_DTYPE, "dtype 0");
    check_fails(coordconv_tensor_new(context, 6, 2, ok, &t), COORDCONV_ERR_DTYPE, "dtype 6");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 2, negative, &t), COORDCONV_ERR_SHAPE,
                "-3");
    check_fails(coordconv_tensor_new(context, COORDCONV_U8, 1, wide, &t), COORDCONV_ERR_SHAPE,
                "2147483648");
    assert_ptr_equal(t, before);
    heap.fail_at = heap.calls + 2; /* storage and handle fit, two gigabytes would not */
    check_fails(coordconv_tensor_new(context, COORDCONV_U8, 1, most, &t), COORDCONV_ERR_NOMEM,
                "[2147483647]");
    assert_ptr_equal(t, before);
    heap.fail_at = SIZE_MAX;
}

/* Products past size_t, also where an empty axis would hide them behind a 0. */
static void overflowing_shapes_are_refused(void **state)
{
    static const int64_t shapes[][4] = {
        { INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX },
        { INT32_MAX, INT32_MAX, 2, 1 },
        { 0, INT32_MAX, INT32_MAX, INT32_MAX },
        { INT32_MAX, INT32_MAX, INT32_MAX, 0 },
    };
    coordconv_tensor *t = NULL;
    char data;
    (void)state;

    for (size_t i = 0; i < COUNT(shapes); i++) {
        check_fails(coordconv_tensor_new(context, COORDCONV_U8, 4, shapes[i], &t),
                    COORDCONV_ERR_SHAPE, "too large");
        check_fails(
            coordconv_tensor_wrap(context, COORDCONV_U8, 4, shapes[i], NULL, &data, NULL, NULL, &t),
            COORDCONV_ERR_SHAPE, "2147483647, 2147483647");
    }
    assert_null(t);
}

static void every_allocation_may_fail(void **state)
{
    static const int64_t shape[] = { 4, 4 };
    static const int32_t axes[] = { 1, 0 };
    coordconv_tensor *t = NULL, *view = NULL;
    float data[16];
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        heap.fail_at = heap.calls + i;
        check_fails(coordconv_tensor_new(context, COORDCONV_F32, 2, shape, &t), COORDCONV_ERR_NOMEM,
                    "no memory");
    }
    for (size_t i = 0; i < 2; i++) {
        heap.fail_at = heap.calls + i;
        check_fails(
            coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, data, NULL, NULL, &t),
            COORDCONV_ERR_NOMEM, "no memory");
    }
    assert_null(t);
    t = make(COORDCONV_F32, 2, shape);
    heap.fail_at = heap.calls;
    check_fails(coordconv_tensor_permute(t, axes, &view), COORDCONV_ERR_NOMEM, "view");
    heap.fail_at = heap.calls;
    check_fails(coordconv_tensor_slice(t, 0, 1, 1, &view), COORDCONV_ERR_NOMEM, "view");
    heap.fail_at = SIZE_MAX;
    assert_null(view);
    coordconv_tensor_unref(t);
}

static void questions_to_nothing_get_nothing(void **state)
{
    static const int64_t shape[] = { 2, 3 };
    coordconv_tensor *t = make(COORDCONV_F32, 2, shape);
    (void)state;

    assert_int_equal(coordconv_tensor_dtype(NULL), 0);
    assert_int_equal(coordconv_tensor_ndim(NULL), 0);
    assert_int_equal(coordconv_tensor_dim(NULL, 0), 0);
    assert_int_equal(coordconv_tensor_stride(NULL, 0), 0);
    assert_int_equal(coordconv_tensor_count(NULL), 0);
    assert_int_equal(coordconv_tensor_is_contiguous(NULL), 0);
    assert_null(coordconv_tensor_data(NULL));
    assert_null(coordconv_tensor_ref(NULL));
    coordconv_tensor_unref(NULL);
    coordconv_tensor_modified(NULL);
    assert_int_equal(coordconv_tensor_dim(t, -1), 0);
    assert_int_equal(coordconv_tensor_dim(t, 2), 0);
    assert_int_equal(coordconv_tensor_stride(t, -1), 0);
    assert_int_equal(coordconv_tensor_stride(t, 2), 0);
    coordconv_tensor_unref(t);
}

/* ---- wrap ---- */

struct released {
    int times;
    void *data;
};

static void release(void *user, void *data)
{
    struct released *r = user;

    r->times++;
    r->data = data;
}

static void borrowed_memory_is_released_once_at_the_end(void **state)
{
    static const int64_t shape[] = { 2, 3 };
    static const int32_t axes[] = { 1, 0 };
    struct released r = { 0, NULL };
    float data[6] = { 0, 1, 2, 3, 4, 5 };
    coordconv_tensor *t, *view, *slice;
    (void)state;

    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, data, release, &r, &t));
    assert_ptr_equal(coordconv_tensor_data(t), data);
    check_ok(coordconv_tensor_permute(t, axes, &view));
    check_ok(coordconv_tensor_slice(view, 0, 1, 1, &slice));
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(coordconv_tensor_ref(view));
    coordconv_tensor_unref(view);
    assert_int_equal(r.times, 0);
    assert_ptr_equal(coordconv_tensor_data(slice), data + 1);
    coordconv_tensor_unref(slice);
    assert_int_equal(r.times, 1);
    assert_ptr_equal(r.data, data);
}

static void tensors_keep_their_context_alive(void **state)
{
    static const int64_t shape[] = { 5 };
    coordconv_tensor *t;
    (void)state;

    t = make(COORDCONV_F32, 1, shape);
    coordconv_context_unref(context);
    check_ok(coordconv_tensor_fill(t, 1));
    coordconv_tensor_unref(t);
    test_heap_check_empty(&heap);
    context = test_context(1, &heap, NULL);
}

static void wrap_refuses_bad_arguments(void **state)
{
    static const int64_t shape[] = { 2, 3 }, none[] = { 0, 3 }, negative[] = { 3, -1 };
    static const int64_t far[] = { INT64_MAX, 1 }, sum[] = { INT64_MAX / 4, INT64_MAX / 6 };
    struct released r = { 0, NULL };
    float data[6];
    coordconv_tensor *t = NULL;
    (void)state;

    check_fails(coordconv_tensor_wrap(NULL, COORDCONV_F32, 2, shape, NULL, data, release, &r, &t),
                COORDCONV_ERR_INVALID, "context");
    check_fails(
        coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, data, release, &r, NULL),
        COORDCONV_ERR_INVALID, "out");
    check_fails(
        coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, NULL, release, &r, &t),
        COORDCONV_ERR_INVALID, "data is NULL");
    check_fails(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, (char *)data + 2,
                                      release, &r, &t),
                COORDCONV_ERR_INVALID, "aligned");
    check_fails(
        coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, negative, data, release, &r, &t),
        COORDCONV_ERR_INVALID, "stride -1");
    check_fails(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, far, data, release, &r, &t),
                COORDCONV_ERR_SHAPE, "too far");
    check_fails(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, sum, data, release, &r, &t),
                COORDCONV_ERR_SHAPE, "too far");
    check_fails(coordconv_tensor_wrap(context, 77, 2, shape, NULL, data, release, &r, &t),
                COORDCONV_ERR_DTYPE, "77");
    assert_int_equal(r.times, 0);
    assert_null(t);
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 2, none, NULL, NULL, NULL, NULL, &t));
    assert_null(coordconv_tensor_data(t));
    coordconv_tensor_unref(t);
}

/* ---- views ---- */

static void permuted_views_swap_extents_and_strides(void **state)
{
    static const int64_t shape[] = { 2, 3, 4, 5 };
    static const int32_t to_nhwc[] = { 0, 2, 3, 1 };
    coordconv_tensor *t = make(COORDCONV_F32, 4, shape), *view;
    (void)state;

    check_ok(coordconv_tensor_permute(t, to_nhwc, &view));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(coordconv_tensor_dim(view, i), shape[to_nhwc[i]]);
        assert_int_equal(coordconv_tensor_stride(view, i), coordconv_tensor_stride(t, to_nhwc[i]));
    }
    assert_int_equal(coordconv_tensor_is_contiguous(view), 0);
    assert_ptr_equal(coordconv_tensor_data(view), coordconv_tensor_data(t));
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(view);
}

static void permute_refuses_what_is_no_permutation(void **state)
{
    static const int64_t shape[] = { 2, 3 };
    static const int32_t twice[] = { 1, 1 }, beyond[] = { 0, 2 }, below[] = { -1, 0 };
    static const int32_t ok[] = { 1, 0 };
    coordconv_tensor *t = make(COORDCONV_F32, 2, shape), *view = NULL;
    (void)state;

    check_fails(coordconv_tensor_permute(t, twice, &view), COORDCONV_ERR_INVALID, "axis 1 comes");
    check_fails(coordconv_tensor_permute(t, beyond, &view), COORDCONV_ERR_INVALID, "axis 2");
    check_fails(coordconv_tensor_permute(t, below, &view), COORDCONV_ERR_INVALID, "axis -1");
    check_fails(coordconv_tensor_permute(t, NULL, &view), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_permute(t, ok, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_permute(NULL, ok, &view), COORDCONV_ERR_INVALID, "NULL");
    assert_null(view);
    coordconv_tensor_unref(t);
}

static void slices_see_their_part(void **state)
{
    static const int64_t shape[] = { 4, 6 };
    coordconv_tensor *t = make(COORDCONV_I32, 2, shape), *columns, *rows, *none;
    int32_t *data = coordconv_tensor_data(t);
    (void)state;

    for (int i = 0; i < 24; i++)
        data[i] = i;
    check_ok(coordconv_tensor_slice(t, 1, 2, 3, &columns));
    check_ok(coordconv_tensor_slice(columns, 0, 1, 2, &rows));
    assert_int_equal(coordconv_tensor_dim(rows, 0), 2);
    assert_int_equal(coordconv_tensor_dim(rows, 1), 3);
    assert_int_equal(*(int32_t *)coordconv_tensor_data(rows), 8);
    assert_int_equal(coordconv_tensor_is_contiguous(rows), 0);
    check_ok(coordconv_tensor_fill(rows, -1));
    for (int i = 0; i < 24; i++) {
        const int inside = i / 6 >= 1 && i / 6 < 3 && i % 6 >= 2 && i % 6 < 5;

        assert_int_equal(data[i], inside ? -1 : i);
    }
    check_ok(coordconv_tensor_slice(t, 0, 4, 0, &none));
    assert_int_equal(coordconv_tensor_count(none), 0);
    coordconv_tensor_unref(none);
    coordconv_tensor_unref(columns);
    coordconv_tensor_unref(rows);
    coordconv_tensor_unref(t);
}

static void slice_refuses_ranges_outside(void **state)
{
    static const int64_t shape[] = { 4, 6 };
    coordconv_tensor *t = make(COORDCONV_I32, 2, shape), *view = NULL;
    (void)state;

    check_fails(coordconv_tensor_slice(t, 2, 0, 1, &view), COORDCONV_ERR_INVALID, "axis 2");
    check_fails(coordconv_tensor_slice(t, -1, 0, 1, &view), COORDCONV_ERR_INVALID, "axis -1");
    check_fails(coordconv_tensor_slice(t, 0, -1, 1, &view), COORDCONV_ERR_INVALID, "from -1");
    check_fails(coordconv_tensor_slice(t, 0, 1, -1, &view), COORDCONV_ERR_INVALID, "-1 indices");
    check_fails(coordconv_tensor_slice(t, 0, 3, 2, &view), COORDCONV_ERR_INVALID, "axis of 4");
    check_fails(coordconv_tensor_slice(t, 0, 5, 0, &view), COORDCONV_ERR_INVALID, "from 5");
    check_fails(coordconv_tensor_slice(t, 1, 1, INT64_MAX, &view), COORDCONV_ERR_INVALID, "from 1");
    check_fails(coordconv_tensor_slice(NULL, 0, 0, 1, &view), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_slice(t, 0, 0, 1, NULL), COORDCONV_ERR_INVALID, "NULL");
    assert_null(view);
    coordconv_tensor_unref(t);
}

/* An axis of length 1 may have any stride and leave the tensor contiguous. */
static void strides_of_single_axes_do_not_matter(void **state)
{
    static const int64_t shape[] = { 3, 1, 2 }, strides[] = { 2, 99, 1 }, apart[] = { 3, 2, 1 };
    float data[9];
    coordconv_tensor *t;
    (void)state;

    check_ok(
        coordconv_tensor_wrap(context, COORDCONV_F32, 3, shape, strides, data, NULL, NULL, &t));
    assert_int_equal(coordconv_tensor_is_contiguous(t), 1);
    coordconv_tensor_unref(t);
    check_ok(coordconv_tensor_wrap(context, COORDCONV_F32, 3, shape, apart, data, NULL, NULL, &t));
    assert_int_equal(coordconv_tensor_is_contiguous(t), 0);
    coordconv_tensor_unref(t);
}

/* ---- writes are noticed ---- */

static void writes_move_the_version(void **state)
{
    static const int64_t shape[] = { 2, 3 };
    coordconv_tensor *t = make(COORDCONV_F32, 2, shape), *view;
    coordconv_dl_managed *plain;
    coordconv_dl_managed_versioned *versioned;
    uint64_t before = cconv_tensor_version(t);
    (void)state;

#define MOVES(statement)                                                                           \
    do {                                                                                           \
        statement;                                                                                 \
        assert_true(cconv_tensor_version(t) != before);                                            \
        before = cconv_tensor_version(t);                                                          \
    } while (0)
    MOVES((void)coordconv_tensor_data(t));
    MOVES(coordconv_tensor_modified(t));
    MOVES(check_ok(coordconv_tensor_fill(t, 1)));
    MOVES(check_ok(coordconv_tensor_init(t, COORDCONV_INIT_HE_NORMAL, 0, 1, 1, 1)));
    MOVES(check_ok(coordconv_tensor_copy(t, t)));
    check_ok(coordconv_tensor_slice(t, 0, 0, 1, &view));
    MOVES(check_ok(coordconv_tensor_fill(view, 2))); /* through a view as well */
    MOVES(check_ok(coordconv_tensor_to_dlpack(t, &plain)));
    MOVES(check_ok(coordconv_tensor_to_dlpack_versioned(view, &versioned)));
#undef MOVES
    (void)coordconv_tensor_count(t);
    (void)coordconv_tensor_is_contiguous(t);
    assert_true(*(const float *)coordconv_tensor_const_data(view) == 2);
    assert_true(cconv_tensor_version(t) == before);
    plain->deleter(plain);
    versioned->deleter(versioned);
    coordconv_tensor_unref(view);
    coordconv_tensor_unref(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_context, drop_context)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_is_zero_row_major_and_aligned),
        TEST(scalars_and_empty_tensors_exist),
        TEST(new_refuses_bad_arguments),
        TEST(overflowing_shapes_are_refused),
        TEST(every_allocation_may_fail),
        TEST(questions_to_nothing_get_nothing),
        TEST(borrowed_memory_is_released_once_at_the_end),
        TEST(tensors_keep_their_context_alive),
        TEST(wrap_refuses_bad_arguments),
        TEST(permuted_views_swap_extents_and_strides),
        TEST(permute_refuses_what_is_no_permutation),
        TEST(slices_see_their_part),
        TEST(slice_refuses_ranges_outside),
        TEST(strides_of_single_axes_do_not_matter),
        TEST(writes_move_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
