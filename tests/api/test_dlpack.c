/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_dlpack.c - tensors to and from DLPack structs: what the structs say, what is
 * refused, and that every deleter is called exactly once or not at all.
 *
 * Where DLPack's own header is installed, the layouts are compared when this is
 * compiled.
 */
#include <pthread.h>
#include <stdlib.h>

#include "bad_input.h"
#include "fixture.h"

#ifdef HAVE_DLPACK
#include <dlpack/dlpack.h>

#define SAME_SIZE(ours, theirs) _Static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define SAME_PLACE(ours, our_field, theirs, their_field)                                           \
    _Static_assert(offsetof(ours, our_field) == offsetof(theirs, their_field) &&                   \
                       sizeof(((ours *)NULL)->our_field) == sizeof(((theirs *)NULL)->their_field), \
                   #theirs "." #their_field)

SAME_SIZE(coordconv_dl_device, DLDevice);
SAME_PLACE(coordconv_dl_device, device_type, DLDevice, device_type);
SAME_PLACE(coordconv_dl_device, device_id, DLDevice, device_id);
SAME_SIZE(coordconv_dl_dtype, DLDataType);
SAME_PLACE(coordconv_dl_dtype, code, DLDataType, code);
SAME_PLACE(coordconv_dl_dtype, bits, DLDataType, bits);
SAME_PLACE(coordconv_dl_dtype, lanes, DLDataType, lanes);
SAME_SIZE(coordconv_dl_tensor, DLTensor);
SAME_PLACE(coordconv_dl_tensor, data, DLTensor, data);
SAME_PLACE(coordconv_dl_tensor, device, DLTensor, device);
SAME_PLACE(coordconv_dl_tensor, ndim, DLTensor, ndim);
SAME_PLACE(coordconv_dl_tensor, dtype, DLTensor, dtype);
SAME_PLACE(coordconv_dl_tensor, shape, DLTensor, shape);
SAME_PLACE(coordconv_dl_tensor, strides, DLTensor, strides);
SAME_PLACE(coordconv_dl_tensor, byte_offset, DLTensor, byte_offset);
SAME_SIZE(coordconv_dl_managed, DLManagedTensor);
SAME_PLACE(coordconv_dl_managed, tensor, DLManagedTensor, dl_tensor);
SAME_PLACE(coordconv_dl_managed, manager_ctx, DLManagedTensor, manager_ctx);
SAME_PLACE(coordconv_dl_managed, deleter, DLManagedTensor, deleter);
_Static_assert((int)COORDCONV_DL_CPU == (int)kDLCPU, "device");
_Static_assert((int)COORDCONV_DL_INT == (int)kDLInt, "int");
_Static_assert((int)COORDCONV_DL_UINT == (int)kDLUInt, "uint");
_Static_assert((int)COORDCONV_DL_FLOAT == (int)kDLFloat, "float");
#ifdef DLPACK_FLAG_BITMASK_READ_ONLY
SAME_SIZE(coordconv_dl_version, DLPackVersion);
SAME_SIZE(coordconv_dl_managed_versioned, DLManagedTensorVersioned);
SAME_PLACE(coordconv_dl_managed_versioned, version, DLManagedTensorVersioned, version);
SAME_PLACE(coordconv_dl_managed_versioned, manager_ctx, DLManagedTensorVersioned, manager_ctx);
SAME_PLACE(coordconv_dl_managed_versioned, deleter, DLManagedTensorVersioned, deleter);
SAME_PLACE(coordconv_dl_managed_versioned, flags, DLManagedTensorVersioned, flags);
SAME_PLACE(coordconv_dl_managed_versioned, tensor, DLManagedTensorVersioned, dl_tensor);
_Static_assert(COORDCONV_DL_READ_ONLY == DLPACK_FLAG_BITMASK_READ_ONLY, "flag");
#endif
#endif

enum {
    THREADS = 8,
    ROUNDS = 50
};

/* ---- a producer of our own ---- */

/* A struct of either kind over `values`, with its deletions counted. */
struct product {
    coordconv_dl_managed plain;
    coordconv_dl_managed_versioned versioned;
    int64_t shape[9], strides[9];
    _Alignas(8) float values[64];
    atomic_int deleted;
};

static void count_plain(coordconv_dl_managed *self)
{
    atomic_fetch_add(&((struct product *)self->manager_ctx)->deleted, 1);
}

static void count_versioned(coordconv_dl_managed_versioned *self)
{
    atomic_fetch_add(&((struct product *)self->manager_ctx)->deleted, 1);
}

/* 2 x 3 x 4 floats with room behind each row of 4 and each sheet of 3. */
static void produce(struct product *p)
{
    const coordconv_dl_tensor tensor = { .data = p->values,
                                         .device = { COORDCONV_DL_CPU, 0 },
                                         .ndim = 3,
                                         .dtype = { COORDCONV_DL_FLOAT, 32, 1 },
                                         .shape = p->shape,
                                         .strides = p->strides };

    *p = (struct product){ .shape = { 2, 3, 4 }, .strides = { 20, 5, 1 } };
    for (size_t i = 0; i < COUNT(p->values); i++)
        p->values[i] = (float)i;
    p->plain = (coordconv_dl_managed){ tensor, p, count_plain };
    p->versioned = (coordconv_dl_managed_versioned){
        .version = { 1, 1 }, .manager_ctx = p, .deleter = count_versioned, .tensor = tensor
    };
}

static coordconv_status import(struct product *p, int versioned, coordconv_tensor **out)
{
    return versioned ? coordconv_tensor_from_dlpack_versioned(context, &p->versioned, out)
                     : coordconv_tensor_from_dlpack(context, &p->plain, out);
}

/* ---- import ---- */

static void an_import_is_the_memory_itself(void **state)
{
    struct product p;
    (void)state;

    for (int versioned = 0; versioned < 2; versioned++) {
        coordconv_tensor *t = NULL;

        produce(&p);
        p.plain.tensor.byte_offset = p.versioned.tensor.byte_offset = 2 * sizeof(float);
        check_ok(import(&p, versioned, &t));
        assert_int_equal(coordconv_tensor_dtype(t), COORDCONV_F32);
        assert_int_equal(coordconv_tensor_ndim(t), 3);
        for (int32_t i = 0; i < 3; i++) {
            assert_int_equal(coordconv_tensor_dim(t, i), p.shape[i]);
            assert_int_equal(coordconv_tensor_stride(t, i), p.strides[i]);
        }
        assert_ptr_equal(coordconv_tensor_data(t), p.values + 2);
        check_ok(coordconv_tensor_fill(t, -1));
        assert_true(p.values[1] == 1 && p.values[2] == -1 && p.values[5] == -1);
        assert_true(p.values[6] == 6); /* behind a row */
        assert_int_equal(p.deleted, 0);
        coordconv_tensor_unref(t);
        assert_int_equal(p.deleted, 1);
    }
}

static void no_strides_mean_row_major(void **state)
{
    static const int64_t want[] = { 12, 4, 1 };
    struct product p;
    coordconv_tensor *t = NULL;
    (void)state;

    produce(&p);
    p.plain.tensor.strides = NULL;
    check_ok(import(&p, 0, &t));
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(coordconv_tensor_stride(t, i), want[i]);
    assert_int_equal(coordconv_tensor_is_contiguous(t), 1);
    coordconv_tensor_unref(t);
    assert_int_equal(p.deleted, 1);
}

static void every_element_type_comes_and_goes(void **state)
{
    static const struct {
        coordconv_dl_dtype dl;
        int32_t dtype;
    } rows[] = {
        { { 2, 32, 1 }, COORDCONV_F32 }, { { 2, 64, 1 }, COORDCONV_F64 },
        { { 0, 32, 1 }, COORDCONV_I32 }, { { 0, 64, 1 }, COORDCONV_I64 },
        { { 1, 8, 1 }, COORDCONV_U8 },
    };
    struct product p;
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        coordconv_dl_managed *managed = NULL;
        coordconv_tensor *t = NULL;

        produce(&p);
        p.plain.tensor.strides = NULL;
        p.plain.tensor.dtype = rows[i].dl;
        check_ok(import(&p, 0, &t));
        assert_int_equal(coordconv_tensor_dtype(t), rows[i].dtype);
        check_ok(coordconv_tensor_to_dlpack(t, &managed));
        assert_memory_equal(&managed->tensor.dtype, &rows[i].dl, sizeof rows[i].dl);
        coordconv_tensor_unref(t);
        assert_int_equal(p.deleted, 0);
        managed->deleter(managed);
        assert_int_equal(p.deleted, 1);
    }
}

static void an_import_without_axes_is_a_scalar(void **state)
{
    struct product p;
    coordconv_tensor *t = NULL;
    (void)state;

    produce(&p);
    p.plain.tensor.ndim = 0;
    p.plain.tensor.shape = p.plain.tensor.strides = NULL;
    check_ok(import(&p, 0, &t));
    assert_int_equal(coordconv_tensor_count(t), 1);
    coordconv_tensor_unref(t);
    assert_int_equal(p.deleted, 1);
}

/* Nothing of it is looked at but its shape: data may be NULL or anything, and so may strides. */
static void an_import_without_elements_needs_no_data(void **state)
{
    struct product p;
    (void)state;

    for (int with_data = 0; with_data < 2; with_data++) {
        coordconv_tensor *t = NULL;

        produce(&p);
        p.shape[1] = 0;
        p.strides[0] = -7;
        p.plain.tensor.data = with_data ? (char *)p.values + 1 : NULL;
        p.plain.tensor.byte_offset = UINT64_MAX;
        check_ok(import(&p, 0, &t));
        assert_int_equal(coordconv_tensor_count(t), 0);
        assert_int_equal(coordconv_tensor_dim(t, 2), 4);
        coordconv_tensor_unref(t);
        assert_int_equal(p.deleted, 1);
    }
}

static void strides_of_single_indices_are_ignored(void **state)
{
    struct product p;
    coordconv_tensor *t = NULL;
    (void)state;

    produce(&p);
    p.shape[0] = 1;
    p.strides[0] = INT64_MIN;
    check_ok(import(&p, 0, &t));
    assert_true(coordconv_tensor_stride(t, 0) >= 0);
    assert_int_equal(coordconv_tensor_stride(t, 1), 5);
    coordconv_tensor_unref(t);
}

/* One number seen at every index of an axis, as numpy.broadcast_to makes it: read, not written. */
static void an_import_may_repeat_elements(void **state)
{
    static const int64_t shape[] = { 2, 3, 4 };
    struct product p;
    coordconv_tensor *t = NULL, *copy = NULL;
    (void)state;

    produce(&p);
    p.strides[0] = 0;
    check_ok(import(&p, 0, &t));
    assert_int_equal(coordconv_tensor_stride(t, 0), 0);
    assert_int_equal(coordconv_tensor_is_contiguous(t), 0);
    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 3, shape, &copy));
    check_ok(coordconv_tensor_copy(copy, t));
    for (int i = 0; i < 24; i++)
        assert_true(((const float *)coordconv_tensor_data(copy))[i] ==
                    p.values[i % 12 / 4 * 5 + i % 4]);
    check_fails(coordconv_tensor_copy(t, copy), COORDCONV_ERR_INVALID, "share their places");
    coordconv_tensor_unref(copy);
    coordconv_tensor_unref(t);
    assert_int_equal(p.deleted, 1);
}

static void a_deleter_may_be_missing(void **state)
{
    struct product p;
    (void)state;

    for (int versioned = 0; versioned < 2; versioned++) {
        coordconv_tensor *t = NULL;

        produce(&p);
        p.plain.deleter = NULL;
        p.versioned.deleter = NULL;
        check_ok(import(&p, versioned, &t));
        coordconv_tensor_unref(t);
    }
}

static void the_last_view_calls_the_deleter(void **state)
{
    static const int32_t axes[3] = { 2, 0, 1 };
    struct product p;
    coordconv_tensor *t = NULL, *turned = NULL, *part = NULL;
    (void)state;

    produce(&p);
    check_ok(import(&p, 1, &t));
    check_ok(coordconv_tensor_permute(t, axes, &turned));
    check_ok(coordconv_tensor_slice(turned, 0, 1, 2, &part));
    coordconv_tensor_ref(t);
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(turned);
    assert_int_equal(p.deleted, 0);
    coordconv_tensor_unref(part);
    assert_int_equal(p.deleted, 1);
}

static void other_minor_versions_and_harmless_flags_are_read(void **state)
{
    struct product p;
    coordconv_tensor *t = NULL;
    (void)state;

    produce(&p);
    p.versioned.version.minor = 4000000000u;
    p.versioned.flags = COORDCONV_DL_IS_COPIED | COORDCONV_DL_SUBBYTE_PADDED;
    check_ok(import(&p, 1, &t));
    coordconv_tensor_unref(t);
    assert_int_equal(p.deleted, 1);
}

/* ---- what is refused ---- */

/* One field of the tensor set to a value. */
struct bad_tensor {
    size_t offset, size; /* in coordconv_dl_tensor; size 0: an entry of shape or strides */
    int64_t value;
    coordconv_status status;
    const char *text;
};

#define FIELD(field, value, status, text)                                                          \
    {                                                                                              \
        offsetof(coordconv_dl_tensor, field), sizeof(((coordconv_dl_tensor *)NULL)->field),        \
            (int64_t)(value), COORDCONV_ERR_##status, text                                         \
    }
#define ENTRY(array, index, value, status, text)                                                   \
    {                                                                                              \
        offsetof(struct product, array) + (index) * sizeof(int64_t), 0, (int64_t)(value),          \
            COORDCONV_ERR_##status, text                                                           \
    }

static const struct bad_tensor bad_tensors[] = {
    FIELD(device.device_type, 2, UNSUPPORTED, "device type 2"),
    FIELD(device.device_type, 0, UNSUPPORTED, "device type 0"),
    FIELD(device.device_type, 3, UNSUPPORTED, "device type 3"),
    FIELD(device.device_type, -1, UNSUPPORTED, "device type -1"),
    FIELD(dtype.lanes, 0, DTYPE, "0 lanes"),
    FIELD(dtype.lanes, 4, DTYPE, "4 lanes"),
    FIELD(dtype.bits, 16, DTYPE, "type code 2 and 16 bits"),
    FIELD(dtype.bits, 0, DTYPE, "type code 2 and 0 bits"),
    FIELD(dtype.code, 1, DTYPE, "type code 1 and 32 bits"),
    FIELD(dtype.code, 3, DTYPE, "type code 3"),
    FIELD(dtype.code, 4, DTYPE, "type code 4"),
    FIELD(dtype.code, 5, DTYPE, "type code 5"),
    FIELD(dtype.code, 6, DTYPE, "type code 6"),
    FIELD(dtype.code, 255, DTYPE, "type code 255"),
    FIELD(ndim, -1, INVALID, "-1 axes"),
    FIELD(ndim, 9, INVALID, "9 axes"),
    FIELD(ndim, INT32_MAX, INVALID, "2147483647 axes"),
    FIELD(shape, 0, INVALID, "shape is NULL"),
    FIELD(data, 0, INVALID, "data is NULL"),
    FIELD(byte_offset, 1, INVALID, "not aligned"),
    FIELD(byte_offset, 2, INVALID, "not aligned"),
    FIELD(byte_offset, UINT64_MAX, SHAPE, "18446744073709551615 reach too far"),
    FIELD(byte_offset, INT64_MIN, SHAPE, "9223372036854775808 reach too far"),
    ENTRY(shape, 0, -1, SHAPE, "extent -1 of axis 0"),
    ENTRY(shape, 2, INT64_MIN, SHAPE, "extent -9223372036854775808 of axis 2"),
    ENTRY(shape, 0, INT64_C(1) << 62, SHAPE, "extent 4611686018427387904 of axis 0"),
    ENTRY(shape, 1, INT64_C(1) << 31, SHAPE, "extent 2147483648 of axis 1"),
    ENTRY(strides, 0, -20, INVALID, "stride -20 of axis 0"),
    ENTRY(strides, 2, INT64_MIN, INVALID, "stride -9223372036854775808 of axis 2"),
    ENTRY(strides, 1, INT64_MAX, SHAPE, "reach too far"),
    ENTRY(strides, 0, INT64_MAX / 4, SHAPE, "reach too far"),
    ENTRY(strides, 0, INT64_C(1) << 62, SHAPE, "reach too far"),
};

static void spoil(struct product *p, const struct bad_tensor *bad)
{
    char *in[] = { (char *)&p->plain.tensor, (char *)&p->versioned.tensor };
    int64_t low_first = bad->value;

    if (bad->size == 0)
        memcpy((char *)p + bad->offset, &bad->value, sizeof bad->value);
    test_file_order(&low_first, sizeof low_first, sizeof low_first);
    for (size_t i = 0; i < COUNT(in) && bad->size > 0; i++) {
        memcpy(in[i] + bad->offset, &low_first, bad->size);
        test_file_order(in[i] + bad->offset, bad->size, bad->size);
    }
}

static void bad_tensors_are_refused_and_left_to_the_caller(void **state)
{
    struct product p;
    (void)state;

    for (size_t i = 0; i < COUNT(bad_tensors); i++) {
        for (int versioned = 0; versioned < 2; versioned++) {
            produce(&p);
            spoil(&p, &bad_tensors[i]);
            check_refused(coordconv_tensor, import(&p, versioned, &out), bad_tensors[i].status,
                          bad_tensors[i].text);
            assert_int_equal(p.deleted, 0);
        }
    }
}

static void extents_whose_product_overflows_are_refused(void **state)
{
    struct product p;
    (void)state;

    produce(&p);
    for (int i = 0; i < 3; i++) {
        p.shape[i] = INT32_MAX;
        p.strides[i] = 0;
    }
    check_refused(coordconv_tensor, import(&p, 0, &out), COORDCONV_ERR_SHAPE, "too large");
    assert_int_equal(p.deleted, 0);
}

static void data_at_the_end_of_the_address_space_is_refused(void **state)
{
    struct product p;
    (void)state;

    produce(&p);
    p.plain.tensor.data = (void *)(UINTPTR_MAX - 7);
    check_refused(coordconv_tensor, import(&p, 0, &out), COORDCONV_ERR_SHAPE, "reach too far");
    assert_int_equal(p.deleted, 0);
}

static void other_versions_and_flags_are_refused(void **state)
{
    static const struct {
        uint32_t major;
        uint64_t flags;
        const char *text;
    } rows[] = {
        { 0, 0, "version 0.1" },
        { 2, 0, "version 2.1" },
        { 4000000000u, 0, "version 4000000000.1" },
        { 1, COORDCONV_DL_READ_ONLY, "read-only" },
        { 1, COORDCONV_DL_READ_ONLY | COORDCONV_DL_IS_COPIED, "read-only" },
        { 1, 8, "flags 0x8" },
        { 1, UINT64_C(1) << 63, "flags 0x8000000000000000" },
    };
    struct product p;
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        produce(&p);
        p.versioned.version.major = rows[i].major;
        p.versioned.flags = rows[i].flags;
        check_refused(coordconv_tensor, import(&p, 1, &out), COORDCONV_ERR_UNSUPPORTED,
                      rows[i].text);
        assert_int_equal(p.deleted, 0);
    }
}

static void null_is_refused(void **state)
{
    struct product p;
    coordconv_tensor *t = NULL;
    (void)state;

    produce(&p);
    check_refused(coordconv_tensor, coordconv_tensor_from_dlpack(NULL, &p.plain, &out),
                  COORDCONV_ERR_INVALID, "context is NULL");
    check_refused(coordconv_tensor, coordconv_tensor_from_dlpack(context, NULL, &out),
                  COORDCONV_ERR_INVALID, "managed is NULL");
    check_fails(coordconv_tensor_from_dlpack(context, &p.plain, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    check_refused(coordconv_tensor,
                  coordconv_tensor_from_dlpack_versioned(NULL, &p.versioned, &out),
                  COORDCONV_ERR_INVALID, "context is NULL");
    check_refused(coordconv_tensor, coordconv_tensor_from_dlpack_versioned(context, NULL, &out),
                  COORDCONV_ERR_INVALID, "managed is NULL");
    check_fails(coordconv_tensor_from_dlpack_versioned(context, &p.versioned, NULL),
                COORDCONV_ERR_INVALID, "out is NULL");
    assert_int_equal(p.deleted, 0);
    check_refused(coordconv_dl_managed, coordconv_tensor_to_dlpack(NULL, &out),
                  COORDCONV_ERR_INVALID, "tensor is NULL");
    check_refused(coordconv_dl_managed_versioned, coordconv_tensor_to_dlpack_versioned(NULL, &out),
                  COORDCONV_ERR_INVALID, "tensor is NULL");
    check_ok(coordconv_tensor_new(context, COORDCONV_U8, 0, NULL, &t));
    check_fails(coordconv_tensor_to_dlpack(t, NULL), COORDCONV_ERR_INVALID, "out is NULL");
    check_fails(coordconv_tensor_to_dlpack_versioned(t, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    coordconv_tensor_unref(t);
}

/* ---- export ---- */

/* Columns 1 and 2 of a 2 x 3 matrix, seen with its axes exchanged. */
static coordconv_tensor *view(float **element)
{
    static const int64_t shape[] = { 2, 3 };
    static const int32_t axes[] = { 1, 0 };
    coordconv_tensor *t = NULL, *turned = NULL, *part = NULL;

    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 2, shape, &t));
    *element = (float *)coordconv_tensor_data(t) + 1;
    check_ok(coordconv_tensor_permute(t, axes, &turned));
    check_ok(coordconv_tensor_slice(turned, 0, 1, 2, &part));
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(turned);
    return part;
}

static void check_export_of_view(const coordconv_dl_tensor *t, const float *element)
{
    assert_ptr_equal((char *)t->data + t->byte_offset, element);
    assert_int_equal(t->device.device_type, COORDCONV_DL_CPU);
    assert_int_equal(t->device.device_id, 0);
    assert_int_equal(t->ndim, 2);
    assert_int_equal(t->dtype.code, COORDCONV_DL_FLOAT);
    assert_int_equal(t->dtype.bits, 32);
    assert_int_equal(t->dtype.lanes, 1);
    assert_int_equal(t->shape[0], 2);
    assert_int_equal(t->shape[1], 2);
    assert_int_equal(t->strides[0], 1);
    assert_int_equal(t->strides[1], 3);
}

static void an_export_keeps_the_tensor_alive(void **state)
{
    coordconv_dl_managed *plain = NULL;
    coordconv_dl_managed_versioned *versioned = NULL;
    float *element;
    coordconv_tensor *t = view(&element);
    (void)state;

    check_ok(coordconv_tensor_to_dlpack(t, &plain));
    check_ok(coordconv_tensor_to_dlpack_versioned(t, &versioned));
    coordconv_tensor_unref(t);
    check_export_of_view(&plain->tensor, element);
    plain->deleter(plain);
    check_export_of_view(&versioned->tensor, element);
    assert_int_equal(versioned->version.major, 1);
    assert_int_equal(versioned->flags, 0);
    *element = 1; /* still there, as ASan would say otherwise */
    versioned->deleter(versioned);
}

static void an_export_outlives_its_context(void **state)
{
    struct test_heap own;
    coordconv_dl_managed *managed = NULL;
    coordconv_context *short_lived;
    coordconv_tensor *t = NULL;
    (void)state;

    test_heap_init(&own);
    short_lived = test_context(1, &own, NULL);
    check_ok(coordconv_tensor_new(short_lived, COORDCONV_F64, 0, NULL, &t));
    check_ok(coordconv_tensor_to_dlpack(t, &managed));
    coordconv_tensor_unref(t);
    coordconv_context_unref(short_lived);
    *(double *)managed->tensor.data = 1;
    managed->deleter(managed);
    test_heap_check_empty(&own);
}

static void an_export_without_elements_has_no_data(void **state)
{
    static const int64_t shape[] = { 3, 0, 2 };
    coordconv_dl_managed *managed = NULL;
    coordconv_tensor *t = NULL;
    (void)state;

    check_ok(coordconv_tensor_new(context, COORDCONV_I64, 3, shape, &t));
    check_ok(coordconv_tensor_to_dlpack(t, &managed));
    coordconv_tensor_unref(t);
    assert_null(managed->tensor.data);
    check_ok(coordconv_tensor_from_dlpack(context, managed, &t));
    assert_int_equal(coordconv_tensor_dim(t, 0), 3);
    coordconv_tensor_unref(t);
}

/* Out and back again through two contexts: the memory of the first under a tensor of the second. */
static void an_export_can_be_imported(void **state)
{
    struct test_heap own;
    coordconv_dl_managed_versioned *managed = NULL;
    coordconv_context *other;
    coordconv_tensor *back = NULL;
    float *element;
    coordconv_tensor *t = view(&element);
    (void)state;

    test_heap_init(&own);
    other = test_context(1, &own, NULL);
    check_ok(coordconv_tensor_to_dlpack_versioned(t, &managed));
    check_ok(coordconv_tensor_from_dlpack_versioned(other, managed, &back));
    coordconv_tensor_unref(t);
    coordconv_context_unref(other);
    assert_ptr_equal(coordconv_tensor_data(back), element);
    assert_int_equal(coordconv_tensor_stride(back, 1), 3);
    coordconv_tensor_unref(back);
    test_heap_check_empty(&own);
}

/* ---- threads ---- */

static void *drop(void *tensor)
{
    coordconv_tensor_unref(tensor);
    return NULL;
}

static void *delete_it(void *managed)
{
    coordconv_dl_managed *m = managed;

    m->deleter(m);
    return NULL;
}

static void at_once(void *(*fn)(void *arg), void **args)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, args[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void one_of_many_threads_deletes(void **state)
{
    static const int32_t axes[3] = { 1, 2, 0 };
    void *views[THREADS];
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        struct product p;
        coordconv_tensor *t = NULL;

        produce(&p);
        check_ok(import(&p, round % 2, &t));
        for (int i = 0; i < THREADS; i++) {
            coordconv_tensor *made = NULL;
            if (i % 2 == 0)
                check_ok(coordconv_tensor_permute(t, axes, &made));
            else
                made = coordconv_tensor_ref(t);
            views[i] = made;
        }
        coordconv_tensor_unref(t);
        at_once(drop, views);
        assert_int_equal(p.deleted, 1);
    }
}

static void exports_are_deleted_by_any_thread(void **state)
{
    void *exports[THREADS];
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        float *element;
        coordconv_tensor *t = view(&element);

        for (int i = 0; i < THREADS; i++) {
            coordconv_dl_managed *managed = NULL;
            check_ok(coordconv_tensor_to_dlpack(t, &managed));
            exports[i] = managed;
        }
        coordconv_tensor_unref(t);
        at_once(delete_it, exports);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_import_is_the_memory_itself),
        TEST(no_strides_mean_row_major),
        TEST(every_element_type_comes_and_goes),
        TEST(an_import_without_axes_is_a_scalar),
        TEST(an_import_without_elements_needs_no_data),
        TEST(strides_of_single_indices_are_ignored),
        TEST(an_import_may_repeat_elements),
        TEST(a_deleter_may_be_missing),
        TEST(the_last_view_calls_the_deleter),
        TEST(other_minor_versions_and_harmless_flags_are_read),
        TEST(bad_tensors_are_refused_and_left_to_the_caller),
        TEST(extents_whose_product_overflows_are_refused),
        TEST(data_at_the_end_of_the_address_space_is_refused),
        TEST(other_versions_and_flags_are_refused),
        TEST(null_is_refused),
        TEST(an_export_keeps_the_tensor_alive),
        TEST(an_export_outlives_its_context),
        TEST(an_export_without_elements_has_no_data),
        TEST(an_export_can_be_imported),
        TEST(one_of_many_threads_deletes),
        TEST(exports_are_deleted_by_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
