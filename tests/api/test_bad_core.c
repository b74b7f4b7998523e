/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bad_core.c - bad input to base.h, context.h, coords.h and tensor.h.
 */
#include "bad_input.h"
#include "fixture.h"

#include <math.h>

/* ---- base, context, coords ---- */

static void base(void **state)
{
    (void)state;
    assert_string_equal(coordconv_status_name(COORDCONV_OK), "COORDCONV_OK");
    assert_string_equal(coordconv_status_name(COORDCONV_ERR_NUMERIC), "COORDCONV_ERR_NUMERIC");
    assert_string_equal(coordconv_status_name(1), "unknown status");
    assert_string_equal(coordconv_status_name(-12), "unknown status");
    assert_string_equal(coordconv_status_name(INT32_MIN), "unknown status");
    assert_string_equal(coordconv_status_name(INT32_MAX), "unknown status");
    assert_int_equal(coordconv_dtype_size(0), 0);
    assert_int_equal(coordconv_dtype_size(6), 0);
    assert_int_equal(coordconv_dtype_size(-1), 0);
    assert_int_equal(coordconv_dtype_size(INT32_MIN), 0);
    assert_int_equal(coordconv_dtype_size(COORDCONV_U8), 1);
    assert_true(coordconv_version() >= 0x000100);
    check_fails(coordconv_context_new(NULL, NULL), COORDCONV_ERR_INVALID, "NULL");
    assert_non_null(coordconv_last_error());
}

static coordconv_status make_context(const void *desc, void **out)
{
    coordconv_context *made = *out;
    const coordconv_status status = coordconv_context_new(desc, &made);

    *out = made;
    return status;
}

static void unmake_context(void *made)
{
    coordconv_context_unref(made);
}

static int32_t logged;
static char logged_text[512];

static void log_write(void *user, coordconv_status status, const char *message)
{
    assert_ptr_equal(user, &logged);
    logged = status;
    strncpy(logged_text, message, sizeof logged_text - 1);
}

static void contexts(void **state)
{
    coordconv_context_desc good = { .struct_size = sizeof good };
    const struct bad_field fields[] = {
        BAD(coordconv_context_desc, max_isa, 5, INVALID, "5"),
        BAD(coordconv_context_desc, max_isa, -1, INVALID, "4294967295"),
        BAD(coordconv_context_desc, threads, -1, INVALID, "-1"),
        BAD(coordconv_context_desc, threads, 1025, INVALID, "1025"),
        BAD(coordconv_context_desc, direct_sums, 7, INVALID, "7"),
    };
    (void)state;

    bad_fields(make_context, &good, sizeof good, fields, COUNT(fields));
    bad_struct_size(make_context, &good, sizeof good, unmake_context);
    good.alloc = test_heap_alloc;
    check_refused(coordconv_context, coordconv_context_new(&good, &out), COORDCONV_ERR_INVALID,
                  "free");
    good.alloc = NULL;
    good.free = test_heap_free;
    check_refused(coordconv_context, coordconv_context_new(&good, &out), COORDCONV_ERR_INVALID,
                  "alloc");
    assert_null(coordconv_context_ref(NULL));
    coordconv_context_unref(NULL);
    assert_string_equal(coordconv_context_isa(NULL), "");
    assert_int_equal(coordconv_context_threads(NULL), 0);
}

static void failures_are_logged(void **state)
{
    const coordconv_context_desc desc = { .struct_size = sizeof desc,
                                          .log = log_write,
                                          .log_user = &logged };
    coordconv_context *with_log = NULL;
    (void)state;

    check_ok(coordconv_context_new(&desc, &with_log));
    logged = 0;
    check_refused(coordconv_tensor, coordconv_tensor_new(with_log, 99, 0, NULL, &out),
                  COORDCONV_ERR_DTYPE, "99");
    assert_int_equal(logged, COORDCONV_ERR_DTYPE);
    assert_string_equal(logged_text, coordconv_last_error());
    coordconv_context_unref(with_log);
}

static void coords(void **state)
{
    float dst[4] = { 7, 7, 7, 7 };
    (void)state;

    assert_int_equal(coordconv_coords_channels(32), -1);
    assert_int_equal(coordconv_coords_channels(UINT32_MAX), -1);
    assert_int_equal(coordconv_coords_channels(0), 0);
    assert_int_equal(coordconv_coords_channels(7), 3);
    check_fails(coordconv_coords_fill(1, 2, 2, NULL, 1, 1, 1), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_coords_fill(0, 2, 2, dst, 1, 1, 1), COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_coords_fill(4, 2, 2, dst, 1, 1, 1), COORDCONV_ERR_INVALID, "4");
    check_fails(coordconv_coords_fill(32, 2, 2, dst, 1, 1, 1), COORDCONV_ERR_INVALID, "20");
    check_fails(coordconv_coords_fill(1, 0, 2, dst, 1, 1, 1), COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_coords_fill(1, 2, -5, dst, 1, 1, 1), COORDCONV_ERR_INVALID, "-5");
    check_fails(coordconv_coords_fill(1, INT64_C(1) << 31, 2, dst, 0, 0, 0), COORDCONV_ERR_INVALID,
                "2147483648");
    for (int i = 0; i < 4; i++)
        assert_true(dst[i] == 7);
}

static void conventions(void **state)
{
    coordconv_convention_desc out = { .struct_size = sizeof out, .coords = 42 };
    (void)state;

    check_fails(coordconv_convention(NULL, &out), COORDCONV_ERR_INVALID, "name is NULL");
    check_fails(coordconv_convention("uber", NULL), COORDCONV_ERR_INVALID, "out is NULL");
    check_fails(coordconv_convention("ubers", &out), COORDCONV_ERR_NOT_FOUND, "ubers");
    assert_int_equal(out.coords, 42);
    out.struct_size = sizeof out - 1;
    check_fails(coordconv_convention("uber", &out), COORDCONV_ERR_ABI, "struct_size");
    assert_int_equal(out.coords, 42);
    out.struct_size = sizeof out;
    check_ok(coordconv_convention("uber", &out));
    assert_int_equal(out.coords, COORDCONV_COORDS_XY | COORDCONV_COORDS_RADIUS);
    assert_int_equal(out.grid.sampling, COORDCONV_SAMPLING_SWAPPED);
}

/* ---- tensors ---- */

static void tensor_arguments(void **state)
{
    const int64_t shape[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    (void)state;

    check_refused(coordconv_tensor, coordconv_tensor_new(NULL, COORDCONV_F32, 1, shape, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_new(context, COORDCONV_F32, 1, shape, NULL), COORDCONV_ERR_INVALID,
                "NULL");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, COORDCONV_F32, 1, NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, COORDCONV_F32, -1, shape, &out),
                  COORDCONV_ERR_INVALID, "-1");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, COORDCONV_F32, 9, shape, &out),
                  COORDCONV_ERR_INVALID, "9");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, 0, 1, shape, &out),
                  COORDCONV_ERR_DTYPE, "0");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, 6, 1, shape, &out),
                  COORDCONV_ERR_DTYPE, "6");
    check_refused(coordconv_tensor, coordconv_tensor_new(context, INT32_MIN, 1, shape, &out),
                  COORDCONV_ERR_DTYPE, "-2147483648");
}

static void tensor_extents(void **state)
{
    const int64_t most = INT32_MAX;
    const struct {
        int32_t ndim;
        int64_t shape[COORDCONV_MAX_NDIM];
        coordconv_status status;
        const char *text;
    } cases[] = {
        { 2, { 3, -1 }, COORDCONV_ERR_SHAPE, "-1" },
        { 1, { INT64_MIN }, COORDCONV_ERR_SHAPE, "-9223372036854775808" },
        { 1, { INT64_C(1) << 31 }, COORDCONV_ERR_SHAPE, "2147483648" },
        { 2, { 0, INT64_C(1) << 62 }, COORDCONV_ERR_SHAPE, "4611686018427387904" },
        { 3, { most, most, most }, COORDCONV_ERR_SHAPE, "2147483647" },
        { 4, { 65536, 65536, 65536, 65536 }, COORDCONV_ERR_SHAPE, "65536" },
        { 8, { most, most, most, most, most, most, most, most }, COORDCONV_ERR_SHAPE, "" },
        { 3, { 1 << 30, 1 << 30, 4 }, COORDCONV_ERR_SHAPE, "" }, /* 2^62 elements, 2^64 bytes */
        { 2, { 1 << 30, 1 << 30 }, COORDCONV_ERR_SHAPE, "" }, /* 2^62 bytes, but 2^63 as doubles */
        { 2, { 1 << 30, 1 << 10 }, COORDCONV_ERR_NOMEM, "" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        float value = 0;
        check_refused(
            coordconv_tensor,
            coordconv_tensor_new(context, COORDCONV_F32, cases[i].ndim, cases[i].shape, &out),
            cases[i].status, cases[i].text);
        if (cases[i].status == COORDCONV_ERR_SHAPE)
            check_refused(coordconv_tensor,
                          coordconv_tensor_wrap(context, COORDCONV_F32, cases[i].ndim,
                                                cases[i].shape, NULL, &value, NULL, NULL, &out),
                          cases[i].status, cases[i].text);
    }
}

static void never_released(void *user, void *data)
{
    (void)user;
    (void)data;
    fail();
}

#define WRAP(dtype, ndim, shape, strides, data)                                                    \
    coordconv_tensor_wrap(context, dtype, ndim, shape, strides, data, never_released, NULL, &out)

static void wrapping(void **state)
{
    const int64_t shape[2] = { 2, 3 }, negative[2] = { 3, -1 }, far[2] = { INT64_MAX / 2, 1 };
    const int64_t product[2] = { INT64_C(1) << 62, INT64_C(1) << 62 };
    const int64_t many[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    double values[8] = { 0 };
    (void)state;

    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, shape, NULL, NULL),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, shape, NULL, (char *)values + 2),
                  COORDCONV_ERR_INVALID, "align");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F64, 2, shape, NULL, (char *)values + 4),
                  COORDCONV_ERR_INVALID, "align");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, shape, negative, values),
                  COORDCONV_ERR_INVALID, "-1");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, shape, far, values), COORDCONV_ERR_SHAPE,
                  "");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, shape, product, values),
                  COORDCONV_ERR_SHAPE, "");
    check_refused(coordconv_tensor, WRAP(77, 2, shape, NULL, values), COORDCONV_ERR_DTYPE, "77");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 9, many, NULL, values),
                  COORDCONV_ERR_INVALID, "9");
    check_refused(coordconv_tensor, WRAP(COORDCONV_F32, 2, NULL, NULL, values),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor,
                  coordconv_tensor_wrap(NULL, COORDCONV_F32, 2, shape, NULL, values, never_released,
                                        NULL, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_wrap(context, COORDCONV_F32, 2, shape, NULL, values,
                                      never_released, NULL, NULL),
                COORDCONV_ERR_INVALID, "NULL");
}

static void tensor_null(void **state)
{
    (void)state;
    assert_null(coordconv_tensor_ref(NULL));
    coordconv_tensor_unref(NULL);
    coordconv_tensor_modified(NULL);
    assert_int_equal(coordconv_tensor_dtype(NULL), 0);
    assert_int_equal(coordconv_tensor_ndim(NULL), 0);
    assert_int_equal(coordconv_tensor_dim(NULL, 0), 0);
    assert_int_equal(coordconv_tensor_stride(NULL, 0), 0);
    assert_int_equal(coordconv_tensor_count(NULL), 0);
    assert_null(coordconv_tensor_data(NULL));
    assert_null(coordconv_tensor_const_data(NULL));
    assert_int_equal(coordconv_tensor_is_contiguous(NULL), 0);
}

static coordconv_tensor *small_tensor(int32_t dtype)
{
    const int64_t shape[2] = { 2, 3 };
    coordconv_tensor *tensor = NULL;

    check_ok(coordconv_tensor_new(context, dtype, 2, shape, &tensor));
    return tensor;
}

static void axes_that_are_not_there(void **state)
{
    coordconv_tensor *t = small_tensor(COORDCONV_F32);
    static const int32_t axes[] = { -1, 2, 8, INT32_MIN, INT32_MAX };
    (void)state;

    for (size_t i = 0; i < COUNT(axes); i++) {
        assert_int_equal(coordconv_tensor_dim(t, axes[i]), 0);
        assert_int_equal(coordconv_tensor_stride(t, axes[i]), 0);
        check_refused(coordconv_tensor, coordconv_tensor_slice(t, axes[i], 0, 1, &out),
                      COORDCONV_ERR_INVALID, "axis");
    }
    coordconv_tensor_unref(t);
}

static void views(void **state)
{
    coordconv_tensor *t = small_tensor(COORDCONV_F32);
    const int32_t good[2] = { 1, 0 }, twice[2] = { 1, 1 }, high[2] = { 0, 2 }, low[2] = { -1, 0 };
    (void)state;

    check_refused(coordconv_tensor, coordconv_tensor_permute(NULL, good, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_tensor_permute(t, NULL, &out), COORDCONV_ERR_INVALID,
                  "NULL");
    check_fails(coordconv_tensor_permute(t, good, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_tensor_permute(t, twice, &out), COORDCONV_ERR_INVALID,
                  "1");
    check_refused(coordconv_tensor, coordconv_tensor_permute(t, high, &out), COORDCONV_ERR_INVALID,
                  "2");
    check_refused(coordconv_tensor, coordconv_tensor_permute(t, low, &out), COORDCONV_ERR_INVALID,
                  "-1");
    check_refused(coordconv_tensor, coordconv_tensor_slice(NULL, 0, 0, 1, &out),
                  COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_slice(t, 0, 0, 1, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_refused(coordconv_tensor, coordconv_tensor_slice(t, 1, -1, 1, &out),
                  COORDCONV_ERR_INVALID, "-1");
    check_refused(coordconv_tensor, coordconv_tensor_slice(t, 1, 1, 3, &out), COORDCONV_ERR_INVALID,
                  "3");
    check_refused(coordconv_tensor, coordconv_tensor_slice(t, 1, 0, -2, &out),
                  COORDCONV_ERR_INVALID, "-2");
    check_refused(coordconv_tensor, coordconv_tensor_slice(t, 1, INT64_MAX, INT64_MAX, &out),
                  COORDCONV_ERR_INVALID, "9223372036854775807");
    coordconv_tensor_unref(t);
}

static void copies_and_fills(void **state)
{
    coordconv_tensor *a = small_tensor(COORDCONV_F32), *b = NULL, *ints = NULL;
    const int64_t other[2] = { 3, 2 };
    (void)state;

    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 2, other, &b));
    ints = small_tensor(COORDCONV_I32);
    check_ok(coordconv_tensor_fill(a, 4));
    check_fails(coordconv_tensor_copy(NULL, a), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_copy(a, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_copy(a, b), COORDCONV_ERR_SHAPE, "[3, 2]");
    check_fails(coordconv_tensor_fill(NULL, 0), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_init(NULL, 0, 0, 1, 1, 0), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_init(a, 5, 0, 1, 1, 0), COORDCONV_ERR_INVALID, "5");
    check_fails(coordconv_tensor_init(a, -1, 0, 1, 1, 0), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_tensor_init(a, COORDCONV_INIT_HE_NORMAL, 0, 0, 1, 0),
                COORDCONV_ERR_INVALID, "0");
    check_fails(coordconv_tensor_init(a, COORDCONV_INIT_GLOROT_UNIFORM, 0, 1, -3, 0),
                COORDCONV_ERR_INVALID, "-3");
    check_fails(coordconv_tensor_init(ints, COORDCONV_INIT_ZEROS, 0, 1, 1, 0), COORDCONV_ERR_DTYPE,
                "");
    for (int i = 0; i < 6; i++)
        assert_true(test_values(a)[i] == 4);
    coordconv_tensor_unref(a);
    coordconv_tensor_unref(b);
    coordconv_tensor_unref(ints);
}

/* A float outside an integer's range gives its nearest end, a NaN gives 0. */
static void conversions_out_of_range(void **state)
{
    static const struct {
        double value;
        int64_t i32, i64, u8;
    } cases[] = {
        { 1e300, INT32_MAX, INT64_MAX, 255 },
        { -1e300, INT32_MIN, INT64_MIN, 0 },
        { INFINITY, INT32_MAX, INT64_MAX, 255 },
        { -INFINITY, INT32_MIN, INT64_MIN, 0 },
        { 9223372036854775808.0, INT32_MAX, INT64_MAX, 255 },
        { (double)NAN, 0, 0, 0 },
        { 2147483648.0, INT32_MAX, INT64_C(2147483648), 255 },
        { -1.5, -1, -1, 0 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        coordconv_tensor *from = small_tensor(COORDCONV_F64), *to[3];
        check_ok(coordconv_tensor_fill(from, cases[i].value));
        to[0] = small_tensor(COORDCONV_I32);
        to[1] = small_tensor(COORDCONV_I64);
        to[2] = small_tensor(COORDCONV_U8);
        for (int k = 0; k < 3; k++)
            check_ok(coordconv_tensor_copy(to[k], from));
        assert_true(((int32_t *)coordconv_tensor_data(to[0]))[5] == cases[i].i32);
        assert_true(((int64_t *)coordconv_tensor_data(to[1]))[5] == cases[i].i64);
        assert_true(((uint8_t *)coordconv_tensor_data(to[2]))[5] == cases[i].u8);
        for (int k = 0; k < 3; k++)
            check_ok(coordconv_tensor_fill(to[k], cases[i].value));
        assert_true(((int32_t *)coordconv_tensor_data(to[0]))[0] == cases[i].i32);
        assert_true(((int64_t *)coordconv_tensor_data(to[1]))[0] == cases[i].i64);
        assert_true(((uint8_t *)coordconv_tensor_data(to[2]))[0] == cases[i].u8);
        coordconv_tensor_unref(from);
        for (int k = 0; k < 3; k++)
            coordconv_tensor_unref(to[k]);
    }
}

static void random_numbers(void **state)
{
    const double nan = (double)NAN, infinity = (double)INFINITY;
    coordconv_tensor *a = small_tensor(COORDCONV_F32), *ints = small_tensor(COORDCONV_I32);
    (void)state;

    check_fails(coordconv_tensor_normal(NULL, 0, 1, 2, 3), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_normal(a, nan, 1, 2, 3), COORDCONV_ERR_INVALID, "nan");
    check_fails(coordconv_tensor_normal(a, 0, -1, 2, 3), COORDCONV_ERR_INVALID, "-1");
    check_fails(coordconv_tensor_normal(a, 0, infinity, 2, 3), COORDCONV_ERR_INVALID, "inf");
    check_fails(coordconv_tensor_normal(ints, 0, 1, 2, 3), COORDCONV_ERR_DTYPE, "3");
    check_fails(coordconv_tensor_uniform(NULL, 0, 1, 2, 3), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_tensor_uniform(a, 1, 0.5, 2, 3), COORDCONV_ERR_INVALID, "-0.5");
    check_fails(coordconv_tensor_uniform(a, 0, infinity, 2, 3), COORDCONV_ERR_INVALID, "inf");
    check_fails(coordconv_tensor_uniform(a, -1e308, 1e308, 2, 3), COORDCONV_ERR_INVALID, "inf");
    check_fails(coordconv_tensor_uniform(ints, 0, 1, 2, 3), COORDCONV_ERR_DTYPE, "3");
    for (int i = 0; i < 6; i++) /* a failed call has written nothing */
        assert_true(((const float *)coordconv_tensor_data(a))[i] == 0);
    check_ok(coordconv_tensor_uniform(a, 2.5, 2.5, 2, 3));
    assert_true(((const float *)coordconv_tensor_data(a))[1] == 2.5f);
    coordconv_tensor_unref(ints);
    coordconv_tensor_unref(a);
}

static void permutations(void **state)
{
    int64_t out[2] = { 7, 7 };
    (void)state;

    check_fails(coordconv_permutation(0, 0, 2, NULL), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_permutation(0, 0, -1, out), COORDCONV_ERR_INVALID, "-1");
    check_ok(coordconv_permutation(0, 0, 0, out));
    assert_true(out[0] == 7 && out[1] == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base),
        cmocka_unit_test(contexts),
        cmocka_unit_test(failures_are_logged),
        cmocka_unit_test(coords),
        cmocka_unit_test(conventions),
        cmocka_unit_test(tensor_arguments),
        cmocka_unit_test(tensor_extents),
        cmocka_unit_test(wrapping),
        cmocka_unit_test(tensor_null),
        cmocka_unit_test(axes_that_are_not_there),
        cmocka_unit_test(views),
        cmocka_unit_test(copies_and_fills),
        cmocka_unit_test(conversions_out_of_range),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(permutations),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
