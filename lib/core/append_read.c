/* SPDX-License-Identifier: BSD-2-Clause
 *
 * append_read.c - the arguments of coordconv_append.
 */
#include "core/append.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/report.h"
#include "core/shape.h"

#define WHAT          "append"

#define STRIDES       ": channel, row, column stride %" PRId64 ", %" PRId64 ", %" PRId64
#define MOST_CHANNELS 1024
#define LIMIT         0x1p31

/* ---- the image ---- */

static const struct {
    unsigned char channels;
    int8_t place[CCONV_MOST_DATA]; /* of grey or red, green, blue, alpha; -1: not there */
} formats[] = {
    [COORDCONV_PIXELS_GREY] = { 1, { 0, -1, -1, -1 } },
    [COORDCONV_PIXELS_RGB] = { 3, { 0, 1, 2, -1 } },
    [COORDCONV_PIXELS_BGR] = { 3, { 2, 1, 0, -1 } },
    [COORDCONV_PIXELS_RGBA] = { 4, { 0, 1, 2, 3 } },
    [COORDCONV_PIXELS_BGRA] = { 4, { 2, 1, 0, 3 } },
};

static coordconv_status check_kind(const struct cconv_log *log, const coordconv_pixels_desc *p)
{
    coordconv_status status = cconv_check_range(log, WHAT, "format of the pixels", p->format,
                                                COORDCONV_PIXELS_GREY, COORDCONV_PIXELS_BGRA);

    if (status == COORDCONV_OK)
        status = cconv_check_range(log, WHAT, "planar", p->planar, 0, 1);
    if (status == COORDCONV_OK)
        status = cconv_check_range(log, WHAT, "height", p->height, 1, INT32_MAX);
    if (status == COORDCONV_OK)
        status = cconv_check_range(log, WHAT, "width", p->width, 1, INT32_MAX);
    if (status == COORDCONV_OK && p->dtype != COORDCONV_U8 && p->dtype != COORDCONV_F32)
        status = cconv_fail(log, COORDCONV_ERR_DTYPE,
                            WHAT ": dtype %" PRId32 " of the pixels, expected %d or %d", p->dtype,
                            COORDCONV_U8, COORDCONV_F32);
    return status;
}

static coordconv_status check_strides(const struct cconv_log *log, const coordconv_pixels_desc *p,
                                      size_t row, struct cconv_append *a)
{
    const size_t height = (size_t)p->height, planes = p->planar ? a->unpack.step : 1;
    size_t row_stride, plane_stride, all;

    if (p->row_stride != 0 && cconv_extent(p->row_stride, 1).stride < row)
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT ": row_stride %" PRId64 " is less than the %zu bytes of a row",
                          p->row_stride, row);
    row_stride = p->row_stride != 0 ? cconv_extent(p->row_stride, 1).stride : row;
    if (p->plane_stride != 0 &&
        (!p->planar || p->plane_stride < 0 || cconv_size_from(p->plane_stride) < row))
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT ": plane_stride %" PRId64 " for %s pixels with rows of %zu bytes",
                          p->plane_stride, p->planar ? "planar" : "interleaved", row);
    plane_stride = p->plane_stride != 0 ? cconv_size_from(p->plane_stride)
                                        : cconv_size_mul(height, row_stride);
    all = cconv_size_add(cconv_size_add(cconv_size_mul(height - 1, row_stride), row),
                         cconv_size_mul(planes - 1, plane_stride));
    if (all > PTRDIFF_MAX)
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT ": %zu rows of stride %" PRId64 " exceed memory", height,
                          p->row_stride);
    if (p->bytes != 0 && p->row_stride >= 0 && p->bytes < all)
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT ": the pixels take %zu bytes, there are %zu", all, p->bytes);
    if (p->bytes != 0 && p->row_stride < 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          WHAT ": bytes is %zu, but rows begin before data", p->bytes);
    a->row_stride = p->row_stride < 0 ? -(int64_t)row_stride : (int64_t)row_stride;
    a->plane_stride = planes > 1 ? (int64_t)plane_stride : 0;
    return COORDCONV_OK;
}

static coordconv_status check_alignment(const struct cconv_log *log, const coordconv_pixels_desc *p,
                                        const struct cconv_append *a)
{
    if (!a->is_float ||
        ((uintptr_t)p->data % sizeof(float) == 0 && a->row_stride % (int64_t)sizeof(float) == 0 &&
         a->plane_stride % (int64_t)sizeof(float) == 0))
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_SHAPE,
                      WHAT ": floats at %p, row_stride %" PRId64 ", plane_stride %" PRId64
                           ": not all are multiples of 4",
                      p->data, a->row_stride, a->plane_stride);
}

static coordconv_status read_pixels(const struct cconv_log *log, const coordconv_pixels_desc *desc,
                                    struct cconv_append *a, int32_t *format)
{
    coordconv_pixels_desc p;
    coordconv_status status = cconv_desc_read(
        log, "pixels", desc, CCONV_DESC_END(coordconv_pixels_desc, plane_stride), sizeof p, &p);
    size_t row;

    if (status == COORDCONV_OK)
        status = check_kind(log, &p);
    if (status != COORDCONV_OK)
        return status;
    a->height = (size_t)p.height;
    a->width = (size_t)p.width;
    a->planar = p.planar;
    a->is_float = p.dtype == COORDCONV_F32;
    a->value_bytes = a->is_float ? sizeof(float) : 1;
    a->data = p.data;
    a->unpack.step = formats[p.format].channels;
    *format = p.format;
    row = a->width * a->value_bytes * (p.planar ? 1 : a->unpack.step);
    status = check_strides(log, &p, row, a);
    return status != COORDCONV_OK ? status : check_alignment(log, &p, a);
}

/* ---- data channels ---- */

/* Which channel of a pixel each channel written comes from. */
static coordconv_status read_format(const struct cconv_log *log, int32_t from, int32_t to,
                                    struct cconv_unpack *u)
{
    coordconv_status status = cconv_check_range(log, WHAT, "format", to, 0, COORDCONV_PIXELS_BGRA);

    if (status != COORDCONV_OK)
        return status;
    if (to == 0)
        to = from;
    u->channels = formats[to].channels;
    if (u->channels > formats[from].channels || (u->channels == 1) != (formats[from].channels == 1))
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          WHAT ": format %" PRId32 " cannot be made of pixels of format %" PRId32,
                          to, from);
    for (size_t colour = 0; colour < CCONV_MOST_DATA; colour++)
        if (formats[to].place[colour] >= 0)
            u->source[(size_t)formats[to].place[colour]] = (size_t)formats[from].place[colour];
    return COORDCONV_OK;
}

static coordconv_status read_scales(const struct cconv_log *log, const coordconv_append_desc *d,
                                    struct cconv_unpack *u)
{
    for (size_t c = 0; c < CCONV_MOST_DATA; c++) {
        if (!isfinite(d->mean[c]) || !isfinite(d->scale[c]))
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              WHAT ": mean[%zu] is %g, scale[%zu] is %g", c, (double)d->mean[c], c,
                              (double)d->scale[c]);
        u->mean[c] = d->mean[c];
        u->scale[c] = d->scale[c] != 0 ? d->scale[c] : 1;
    }
    return COORDCONV_OK;
}

/* ---- coordinate channels ---- */

static int has_parameters(int32_t kind)
{
    return kind == COORDCONV_CHANNEL_SINE || kind == COORDCONV_CHANNEL_COSINE;
}

static int within_limit(double value)
{
    return value >= -LIMIT && value <= LIMIT;
}

static coordconv_status check_channel(const struct cconv_log *log, const coordconv_channel *c,
                                      size_t k)
{
    const int a_good = has_parameters(c->kind)
                           ? within_limit(c->a)
                           : c->a == 0 || (c->kind == COORDCONV_CHANNEL_LOG_RADIUS && c->a > 0 &&
                                           within_limit(c->a));
    const int b_good = has_parameters(c->kind) ? within_limit(c->b) : c->b == 0;

    if (c->kind >= COORDCONV_CHANNEL_X && c->kind <= COORDCONV_CHANNEL_COSINE && c->reserved == 0 &&
        a_good && b_good)
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_INVALID,
                      WHAT ": channel %zu has kind %" PRId32 ", a %g, b %g, reserved %" PRId32, k,
                      c->kind, c->a, c->b, c->reserved);
}

/* A camera is looked at only where a channel needs it. */
static coordconv_status check_camera(const struct cconv_log *log, const coordconv_channel *c,
                                     const coordconv_append_desc *d)
{
    const int camera =
        c->kind >= COORDCONV_CHANNEL_CENTERED_X && c->kind <= COORDCONV_CHANNEL_FIELD_Y;
    const int along_y = c->kind % 2 != 0; /* they come in pairs, x first */
    const double center = along_y ? d->center_y : d->center_x;
    const double focal = along_y ? d->focal_y : d->focal_x;

    if (!camera || (within_limit(center) && (c->kind <= COORDCONV_CHANNEL_CENTERED_Y ||
                                             (within_limit(focal) && fabs(focal) >= 1 / LIMIT))))
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_INVALID,
                      WHAT ": a channel of kind %" PRId32 " with center_%c %g and focal_%c %g",
                      c->kind, along_y ? 'y' : 'x', center, along_y ? 'y' : 'x', focal);
}

/* Without a list: what flags say, or all that the convention has but for the radius. */
static coordconv_status list_usual(const struct cconv_log *log, const coordconv_append_desc *d,
                                   const coordconv_convention_desc *convention,
                                   struct cconv_append *a)
{
    const uint32_t radius = COORDCONV_COORDS_RADIUS;
    const uint32_t known = COORDCONV_COORDS_XY | radius | COORDCONV_COORDS_X | COORDCONV_COORDS_Y;
    const uint32_t coords = d->coords != 0 ? d->coords : convention->coords & ~radius;
    const char *const lacks = (coords & ~known) != 0
                                  ? "such flag; for pixels, set a grid"
                                  : cconv_coords_lacking(coords, convention->coords);

    if (lacks != NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          WHAT ": coords is 0x%" PRIx32 ", convention \"%.64s\" has no %s", coords,
                          d->convention != NULL ? d->convention : "coordconv", lacks);
    for (int axis = convention->row_first, k = 0; k < 2; k++, axis ^= 1)
        if ((coords & (COORDCONV_COORDS_XY | (uint32_t)COORDCONV_COORDS_X << axis)) != 0)
            a->usual[a->count++].kind = COORDCONV_CHANNEL_X + axis;
    if ((coords & radius) != 0)
        a->usual[a->count++].kind = COORDCONV_CHANNEL_RADIUS;
    a->channels = a->usual;
    return COORDCONV_OK;
}

static coordconv_status read_list(const struct cconv_log *log, const coordconv_append_desc *d,
                                  const coordconv_convention_desc *convention,
                                  struct cconv_append *a)
{
    coordconv_status status =
        cconv_check_range(log, WHAT, "channel_count", d->channel_count, 0, MOST_CHANNELS);

    if (status != COORDCONV_OK)
        return status;
    if (d->channels == NULL ? d->channel_count != 0 : d->coords != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          WHAT ": channels is %s, channel_count %" PRId32 ", coords 0x%" PRIx32,
                          d->channels == NULL ? "NULL" : "set", d->channel_count, d->coords);
    if (d->channels == NULL)
        return list_usual(log, d, convention, a);
    a->channels = d->channels;
    a->count = (size_t)d->channel_count;
    for (size_t k = 0; k < a->count && status == COORDCONV_OK; k++) {
        status = check_channel(log, &a->channels[k], k);
        if (status == COORDCONV_OK)
            status = check_camera(log, &a->channels[k], d);
    }
    return status;
}

static coordconv_status read_places(const struct cconv_log *log, const coordconv_append_desc *d,
                                    const coordconv_grid_desc *grid, struct cconv_append *a)
{
    const int64_t extent[CCONV_AXES] = { (int64_t)a->height, (int64_t)a->width, 1 };
    coordconv_status status = cconv_grid_read(log, WHAT, grid, &a->grid);

    a->place = cconv_place_whole(extent);
    if (status == COORDCONV_OK)
        status = cconv_place_read(log, WHAT, d->frame, 2, &a->place);
    if (status != COORDCONV_OK)
        return status;
    a->along_y = cconv_axis(&a->grid, &a->place, CCONV_Y);
    a->along_x = cconv_axis(&a->grid, &a->place, CCONV_X);
    a->most = cconv_radius_most(&a->grid, 2, &a->place);
    a->center_y = d->center_y;
    a->center_x = d->center_x;
    a->focal_y = d->focal_y;
    a->focal_x = d->focal_x;
    return COORDCONV_OK;
}

static coordconv_status read_coords(const struct cconv_log *log, const coordconv_append_desc *d,
                                    struct cconv_append *a)
{
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    coordconv_status status = cconv_check_range(log, WHAT, "before", d->before, 0, 1);
    const size_t data = a->unpack.channels;
    int before;

    if (status == COORDCONV_OK && d->convention != NULL && d->grid != NULL)
        status = cconv_fail(log, COORDCONV_ERR_INVALID, WHAT ": both a convention and a grid");
    if (status == COORDCONV_OK)
        status =
            cconv_convention(log, d->convention != NULL ? d->convention : "coordconv", &convention);
    if (status == COORDCONV_OK)
        status = read_list(log, d, &convention, a);
    if (status == COORDCONV_OK)
        status = read_places(log, d, d->grid != NULL ? d->grid : &convention.grid, a);
    if (status != COORDCONV_OK)
        return status;
    before = d->before || convention.before;
    a->data_at = before ? a->count : 0;
    a->coords_at = before ? 0 : data;
    return COORDCONV_OK;
}

/* ---- the result ---- */

static coordconv_status check_result(const struct cconv_log *log, const struct cconv_append *a,
                                     size_t channels, size_t count)
{
    struct cconv_extent e[] = { { (size_t)a->to_channel, channels },
                                { (size_t)a->to_row, a->height },
                                { (size_t)a->to_column, a->width } };
    size_t last;

    if (cconv_extents_overlap(e, 3, &last))
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT STRIDES ": %zu channels of %zux%zu overlap", a->to_channel,
                          a->to_row, a->to_column, channels, a->height, a->width);
    if (last >= count || last > PTRDIFF_MAX / sizeof(float))
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          WHAT ": %zu channels of %zux%zu reach float %zu, dst has %zu", channels,
                          a->height, a->width, last, count);
    return COORDCONV_OK;
}

static coordconv_status read_result(const struct cconv_log *log, const coordconv_append_desc *d,
                                    float *dst, size_t count, struct cconv_append *a)
{
    const size_t channels = a->unpack.channels + a->count;

    if (dst == NULL || (uintptr_t)dst % sizeof *dst != 0)
        return cconv_fail(log, COORDCONV_ERR_INVALID, WHAT ": dst is %s",
                          dst == NULL ? "NULL" : "no multiple of 4");
    if (d->channel_stride < 0 || d->row_stride < 0 || d->column_stride < 0)
        return cconv_fail(log, COORDCONV_ERR_SHAPE, WHAT STRIDES ": one is below 0",
                          d->channel_stride, d->row_stride, d->column_stride);
    a->dst = dst;
    a->to_channel = d->channel_stride;
    a->to_row = d->row_stride;
    a->to_column = d->column_stride;
    if (d->channel_stride == 0 && d->row_stride == 0 && d->column_stride == 0) {
        a->to_column = 1;
        a->to_row = (int64_t)a->width;
        a->to_channel = (int64_t)a->width * (int64_t)a->height;
    }
    const coordconv_status status = check_result(log, a, channels, count);

    if (a->width == 1)
        a->to_column = 1; /* what was said says nothing, least of all how channels lie */
    return status;
}

/* ---- all of it ---- */

static coordconv_status read_parts(const struct cconv_log *log, const coordconv_append_desc *d,
                                   struct cconv_append *a)
{
    const coordconv_status status = cconv_check_range(log, WHAT, "parts", d->parts,
                                                      COORDCONV_PARTS_ALL, COORDCONV_PARTS_COORDS);

    if (status != COORDCONV_OK)
        return status;
    if (a->data == NULL && d->parts != COORDCONV_PARTS_COORDS)
        return cconv_fail(log, COORDCONV_ERR_INVALID, WHAT ": data of the pixels is NULL");
    if (d->parts == COORDCONV_PARTS_DATA)
        a->count = 0;
    if (d->parts == COORDCONV_PARTS_COORDS)
        a->data = NULL;
    return COORDCONV_OK;
}

coordconv_status cconv_append_read(const struct cconv_log *log, const coordconv_pixels_desc *pixels,
                                   const coordconv_append_desc *desc, float *dst, size_t count,
                                   struct cconv_append *out)
{
    coordconv_append_desc d;
    coordconv_status status = cconv_desc_read(
        log, WHAT, desc, CCONV_DESC_END(coordconv_append_desc, column_stride), sizeof d, &d);
    int32_t format = 0;

    memset(out, 0, sizeof *out);
    if (status == COORDCONV_OK)
        status = read_pixels(log, pixels, out, &format);
    if (status == COORDCONV_OK)
        status = read_format(log, format, d.format, &out->unpack);
    if (status == COORDCONV_OK)
        status = read_scales(log, &d, &out->unpack);
    if (status == COORDCONV_OK)
        status = read_coords(log, &d, out);
    if (status == COORDCONV_OK)
        status = read_result(log, &d, dst, count, out);
    return status == COORDCONV_OK ? read_parts(log, &d, out) : status;
}
