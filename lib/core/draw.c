/* SPDX-License-Identifier: BSD-2-Clause
 *
 * draw.c - tensors and permutations out of random numbers.
 *
 * Element i, counted row-major whatever the strides, is a function of the seed,
 * the stream and i alone.
 */
#include <inttypes.h>
#include <math.h>

#include "base/random.h"
#include "core/tensor.h"

/* Permutations draw from the upper half of the counters, normal and uniform numbers from quarters
 * of the lower, initial weights from its beginning: one seed may serve for all. */
#define PERMUTATION_INDEX (UINT64_C(1) << 63)
#define NORMAL_INDEX      (UINT64_C(1) << 62)
#define UNIFORM_INDEX     (UINT64_C(1) << 61)

struct draw {
    double (*deviate)(uint64_t seed, uint64_t stream, uint64_t index);
    double scale, offset;
    uint64_t seed, stream, first; /* index of element 0 */
};

static double symmetric_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return 2 * cconv_random_uniform(seed, stream, index) - 1;
}

static void store(coordconv_tensor *tensor, int64_t at, double value)
{
    if (tensor->dtype == COORDCONV_F32)
        ((float *)(void *)tensor->data)[at] = (float)value;
    else
        ((double *)(void *)tensor->data)[at] = value;
}

static void draw_elements(coordconv_tensor *tensor, const struct draw *draw)
{
    const struct cconv_shape *shape = &tensor->shape;
    const uint64_t count = cconv_shape_count(shape);
    int64_t index[COORDCONV_MAX_NDIM] = { 0 };
    int64_t at = 0;

    for (uint64_t i = 0; i < count; i++) {
        store(tensor, at,
              draw->offset +
                  draw->scale * draw->deviate(draw->seed, draw->stream, draw->first + i));
        for (int32_t axis = shape->ndim - 1; axis >= 0; axis--) {
            at += tensor->stride[axis];
            if (++index[axis] < shape->dim[axis])
                break;
            at -= shape->dim[axis] * tensor->stride[axis];
            index[axis] = 0;
        }
    }
    cconv_tensor_touch(tensor);
}

static coordconv_status check_fan(const struct cconv_log *log, const char *name, int64_t fan)
{
    if (fan < 1)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "init: %s is %" PRId64 ", at least 1 is possible", name, fan);
    return COORDCONV_OK;
}

/* The drawing kinds; the fans are used as double, so their sum cannot overflow. */
static coordconv_status choose(const struct cconv_log *log, int32_t kind, int64_t fan_in,
                               int64_t fan_out, struct draw *draw)
{
    coordconv_status status = check_fan(log, "fan_in", fan_in);

    if (status == COORDCONV_OK && kind == COORDCONV_INIT_GLOROT_UNIFORM)
        status = check_fan(log, "fan_out", fan_out);
    if (status != COORDCONV_OK)
        return status;
    if (kind == COORDCONV_INIT_HE_NORMAL) {
        draw->deviate = cconv_random_normal;
        draw->scale = sqrt(2.0 / (double)fan_in);
    } else {
        draw->deviate = symmetric_uniform;
        draw->scale = sqrt(6.0 / ((double)fan_in + (double)fan_out));
    }
    return COORDCONV_OK;
}

coordconv_status cconv_tensor_draw(coordconv_tensor *tensor, int32_t kind, double value,
                                   int64_t fan_in, int64_t fan_out, uint64_t seed, uint64_t stream)
{
    const struct cconv_log *log = &cconv_tensor_context(tensor)->log;
    struct draw draw = { .seed = seed, .stream = stream };
    coordconv_status status;

    if (tensor->dtype != COORDCONV_F32 && tensor->dtype != COORDCONV_F64)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "init: dtype %" PRId32 " is no float type",
                          tensor->dtype);
    switch (kind) {
    case COORDCONV_INIT_DEFAULT:
    case COORDCONV_INIT_ZEROS:
        return coordconv_tensor_fill(tensor, 0);
    case COORDCONV_INIT_CONSTANT:
        return coordconv_tensor_fill(tensor, value);
    case COORDCONV_INIT_HE_NORMAL:
    case COORDCONV_INIT_GLOROT_UNIFORM:
        status = choose(log, kind, fan_in, fan_out, &draw);
        if (status == COORDCONV_OK)
            draw_elements(tensor, &draw);
        return status;
    default:
        return cconv_fail(log, COORDCONV_ERR_INVALID, "init: kind %" PRId32 " is unknown", kind);
    }
}

coordconv_status coordconv_tensor_init(coordconv_tensor *tensor, int32_t kind, double value,
                                       int64_t fan_in, int64_t fan_out, uint64_t seed)
{
    if (tensor == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "init: tensor is NULL");
    return cconv_tensor_draw(tensor, kind, value, fan_in, fan_out, seed, 0);
}

static coordconv_status draw_into(coordconv_tensor *tensor, const char *what,
                                  const struct draw *draw)
{
    const struct cconv_log *log = tensor != NULL ? &cconv_tensor_context(tensor)->log : NULL;

    if (tensor == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: tensor is NULL", what);
    if (!isfinite(draw->offset) || !(draw->scale >= 0) || !isfinite(draw->scale))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: from %g on, width %g", what,
                          draw->offset, draw->scale);
    if (tensor->dtype != COORDCONV_F32 && tensor->dtype != COORDCONV_F64)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "%s: dtype %" PRId32 " is no float type", what,
                          tensor->dtype);
    draw_elements(tensor, draw);
    return COORDCONV_OK;
}

coordconv_status coordconv_tensor_normal(coordconv_tensor *tensor, double mean, double deviation,
                                         uint64_t seed, uint64_t stream)
{
    const struct draw draw = { .deviate = cconv_random_normal,
                               .scale = deviation,
                               .offset = mean,
                               .seed = seed,
                               .stream = stream,
                               .first = NORMAL_INDEX };

    return draw_into(tensor, "tensor_normal", &draw);
}

coordconv_status coordconv_tensor_uniform(coordconv_tensor *tensor, double low, double high,
                                          uint64_t seed, uint64_t stream)
{
    const struct draw draw = { .deviate = cconv_random_uniform,
                               .scale = high - low,
                               .offset = low,
                               .seed = seed,
                               .stream = stream,
                               .first = UNIFORM_INDEX };

    return draw_into(tensor, "tensor_uniform", &draw);
}

coordconv_status coordconv_permutation(uint64_t seed, uint64_t stream, int64_t count, int64_t *out)
{
    if (out == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "permutation: out is NULL");
    if (count < 0)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "permutation: count %" PRId64 " is negative",
                          count);
    for (int64_t i = 0; i < count; i++) { /* entry i goes to a place among the first i + 1 */
        const uint64_t bound = (uint64_t)i + 1;
        const int64_t j =
            (int64_t)cconv_random_below(seed, stream, PERMUTATION_INDEX | (uint64_t)i, bound);

        out[i] = out[j];
        out[j] = i;
    }
    return COORDCONV_OK;
}
