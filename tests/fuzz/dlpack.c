/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dlpack.c - fuzzing target: the input is the fields of a DLPack struct, in the order in
 * which build() reads them; those that are missing are 0.
 *
 * Shape and strides lie in blocks of exactly their length. Whether the elements
 * are really there nobody can know from the struct, so they are looked at only where they
 * lie in the memory the struct was given.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum {
    MEMORY = 4096,
    /* bits of the first byte */
    VERSIONED = 1,
    NO_STRIDES = 2,
    NO_SHAPE = 4,
    NO_DATA = 8,
    NO_DELETER = 16
};

struct input {
    const uint8_t *at;
    size_t left;
};

struct product {
    coordconv_dl_managed plain;
    coordconv_dl_managed_versioned versioned;
    uint8_t kind;
    char *memory;
    int deleted;
};

static void read_field(struct input *in, void *field, size_t bytes)
{
    const size_t n = bytes < in->left ? bytes : in->left;

    memset(field, 0, bytes);
    memcpy(field, in->at, n);
    in->at += n;
    in->left -= n;
}

static void count_plain(coordconv_dl_managed *self)
{
    ((struct product *)self->manager_ctx)->deleted++;
}

static void count_versioned(coordconv_dl_managed_versioned *self)
{
    ((struct product *)self->manager_ctx)->deleted++;
}

/* As many entries as there are axes, if that is a number the library may take. */
static int64_t *read_axes(struct input *in, int32_t ndim, int missing)
{
    const size_t bytes =
        ndim > 0 && ndim <= COORDCONV_MAX_NDIM ? (size_t)ndim * sizeof(int64_t) : 0;
    int64_t *axes = missing ? NULL : malloc(bytes > 0 ? bytes : 1);

    REQUIRE(missing || axes != NULL);
    if (!missing)
        read_field(in, axes, bytes);
    return axes;
}

static void build(struct input *in, struct product *p)
{
    coordconv_dl_tensor t = { .data = NULL };

    *p = (struct product){ .memory = calloc(1, MEMORY) };
    REQUIRE(p->memory != NULL);
    read_field(in, &p->kind, 1);
    read_field(in, &p->versioned.version.major, 4);
    read_field(in, &p->versioned.version.minor, 4);
    read_field(in, &p->versioned.flags, 8);
    read_field(in, &t.device.device_type, 4);
    read_field(in, &t.device.device_id, 4);
    read_field(in, &t.dtype.code, 1);
    read_field(in, &t.dtype.bits, 1);
    read_field(in, &t.dtype.lanes, 2);
    read_field(in, &t.ndim, 4);
    read_field(in, &t.byte_offset, 8);
    t.shape = read_axes(in, t.ndim, p->kind & NO_SHAPE);
    t.strides = read_axes(in, t.ndim, p->kind & NO_STRIDES);
    t.data = p->kind & NO_DATA ? NULL : p->memory;
    p->plain = (coordconv_dl_managed){ t, p, p->kind & NO_DELETER ? NULL : count_plain };
    p->versioned.tensor = t;
    p->versioned.manager_ctx = p;
    p->versioned.deleter = p->kind & NO_DELETER ? NULL : count_versioned;
}

/* The elements lie in the memory that is there. */
static int is_inside(const struct product *p, coordconv_tensor *t)
{
    const int64_t element = (int64_t)coordconv_dtype_size(coordconv_tensor_dtype(t));
    const uint64_t offset = p->plain.tensor.byte_offset;
    int64_t last = 0;

    if (coordconv_tensor_count(t) == 0)
        return 1;
    REQUIRE((char *)coordconv_tensor_data(t) == p->memory + offset);
    for (int32_t i = 0; i < coordconv_tensor_ndim(t); i++)
        last += (coordconv_tensor_dim(t, i) - 1) * coordconv_tensor_stride(t, i);
    return offset < MEMORY && last < MEMORY && (int64_t)offset + (last + 1) * element <= MEMORY;
}

static void require_as_described(const coordconv_dl_tensor *d, const coordconv_tensor *t)
{
    const int empty = coordconv_tensor_count(t) == 0;

    REQUIRE(coordconv_tensor_ndim(t) == d->ndim);
    REQUIRE(coordconv_dtype_size(coordconv_tensor_dtype(t)) * 8 == d->dtype.bits);
    for (int32_t i = 0; i < d->ndim; i++) {
        REQUIRE(coordconv_tensor_dim(t, i) == d->shape[i]);
        REQUIRE(coordconv_tensor_stride(t, i) >= 0);
        if (d->shape[i] > 1 && d->strides != NULL && !empty)
            REQUIRE(coordconv_tensor_stride(t, i) == d->strides[i]);
    }
}

/* A second tensor over the same memory, by way of an export. */
static void pass_on(coordconv_tensor *t)
{
    coordconv_dl_managed *managed = NULL;
    coordconv_tensor *again = NULL;

    REQUIRE(coordconv_tensor_to_dlpack(t, &managed) == COORDCONV_OK);
    REQUIRE(coordconv_tensor_from_dlpack(fuzz_context(), managed, &again) == COORDCONV_OK);
    require_as_described(&managed->tensor, again);
    coordconv_tensor_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };
    coordconv_tensor *t = NULL;
    coordconv_status status;
    struct product p;

    build(&in, &p);
    if (p.kind & VERSIONED)
        status = coordconv_tensor_from_dlpack_versioned(fuzz_context(), &p.versioned, &t);
    else
        status = coordconv_tensor_from_dlpack(fuzz_context(), &p.plain, &t);
    REQUIRE((status == COORDCONV_OK) == (t != NULL));
    if (status == COORDCONV_OK) {
        require_as_described(&p.plain.tensor, t);
        pass_on(t);
        if (is_inside(&p, t))
            fuzz_read_elements(t);
        REQUIRE(p.deleted == 0);
        coordconv_tensor_unref(t);
    }
    REQUIRE(p.deleted == (status == COORDCONV_OK && !(p.kind & NO_DELETER)));
    fuzz_require_all_freed();
    free(p.plain.tensor.shape);
    free(p.plain.tensor.strides);
    free(p.memory);
    return 0;
}
