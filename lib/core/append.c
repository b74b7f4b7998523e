/* SPDX-License-Identifier: BSD-2-Clause
 *
 * append.c - pixels and coordinates, side by side.
 *
 * The image is cut into strips of columns. What depends on the column alone is made once a strip;
 * a row of the strip is unpacked into planes that stay in the first level of the cache, and from
 * there it goes to where it belongs, once: past the caches if the result would not fit them.
 */
#include "core/append.h"

#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "core/context.h"

#define STRIP       512 /* columns, of a strip that passes through planes */
#define GROUP       8   /* coordinate channels of a pass */
#define PLANES      (CCONV_MOST_DATA + GROUP)
#define TASK_PIXELS (1 << 18)
#define STREAM_FROM ((size_t)8 << 20) /* bytes written */
#define PI          3.14159265358979323846

/* ---- values ---- */

static double largest(double a, double b)
{
    return a > b ? a : b;
}

/* Where a sample is seen from the camera's axis. */
static double from_center_x(const struct cconv_append *a, double column)
{
    return a->place.first[CCONV_X] + column * a->place.step[CCONV_X] - a->center_x;
}

static double from_center_y(const struct cconv_append *a, double row)
{
    return a->place.first[CCONV_Y] + row * a->place.step[CCONV_Y] - a->center_y;
}

static double phase(const coordconv_channel *c, double x, double y)
{
    return PI * (c->a * x + c->b * y);
}

static double value_of_place(const struct cconv_append *a, const coordconv_channel *c, double row,
                             double column)
{
    const double x = cconv_axis_value(&a->along_x, column);
    const double y = cconv_axis_value(&a->along_y, row);
    const double at[] = { y, x };

    switch (c->kind) {
    case COORDCONV_CHANNEL_X:
        return x;
    case COORDCONV_CHANNEL_Y:
        return y;
    case COORDCONV_CHANNEL_ANGLE:
        return x == 0 && y == 0 ? 0 : atan2(y, x);
    case COORDCONV_CHANNEL_LOG_RADIUS:
        return log(
            largest(cconv_radius_value(&a->grid, 2, at, a->most), c->a != 0 ? c->a : 1.0 / 1024));
    case COORDCONV_CHANNEL_SINE:
        return sin(phase(c, x, y));
    case COORDCONV_CHANNEL_COSINE:
        return cos(phase(c, x, y));
    default:
        return cconv_radius_value(&a->grid, 2, at, a->most);
    }
}

static double value_of(const struct cconv_append *a, const coordconv_channel *c, double row,
                       double column)
{
    switch (c->kind) {
    case COORDCONV_CHANNEL_CENTERED_X:
        return from_center_x(a, column);
    case COORDCONV_CHANNEL_CENTERED_Y:
        return from_center_y(a, row);
    case COORDCONV_CHANNEL_RAY_X:
        return from_center_x(a, column) / a->focal_x;
    case COORDCONV_CHANNEL_RAY_Y:
        return from_center_y(a, row) / a->focal_y;
    case COORDCONV_CHANNEL_FIELD_X:
        return atan(from_center_x(a, column) / a->focal_x);
    case COORDCONV_CHANNEL_FIELD_Y:
        return atan(from_center_y(a, row) / a->focal_y);
    default:
        return value_of_place(a, c, row, column);
    }
}

/* What a channel's values depend on. */
enum reach {
    OF_DATA,
    OF_COLUMN,
    OF_ROW,
    OF_BOTH
};

static enum reach reach_of(const coordconv_channel *c)
{
    switch (c->kind) {
    case COORDCONV_CHANNEL_X:
    case COORDCONV_CHANNEL_CENTERED_X:
    case COORDCONV_CHANNEL_RAY_X:
    case COORDCONV_CHANNEL_FIELD_X:
        return OF_COLUMN;
    case COORDCONV_CHANNEL_Y:
    case COORDCONV_CHANNEL_CENTERED_Y:
    case COORDCONV_CHANNEL_RAY_Y:
    case COORDCONV_CHANNEL_FIELD_Y:
        return OF_ROW;
    case COORDCONV_CHANNEL_SINE:
    case COORDCONV_CHANNEL_COSINE:
        return c->b == 0 ? OF_COLUMN : c->a == 0 ? OF_ROW : OF_BOTH;
    default:
        return OF_BOTH;
    }
}

/* ---- strips ---- */

struct plane {
    size_t channel; /* of the result */
    enum reach reach;
    const coordconv_channel *coords; /* NULL: data */
    float value;                     /* of this row, OF_ROW */
};

struct strip {
    union {
        _Alignas(CCONV_ALIGN) float plane[PLANES][STRIP];
        _Alignas(CCONV_ALIGN) float columns[PLANES * STRIP]; /* of weave */
    } values;
    _Alignas(CCONV_ALIGN) float woven[PLANES * STRIP]; /* on its way past the caches */
    struct cconv_weave weave;
    int can_weave, is_woven;       /* this pass; this strip */
    double xx[STRIP];              /* squares of x, of the radius */
    size_t first, n, planes, data; /* data: the plane of the first data channel */
    struct plane plane[PLANES];
    const struct cconv_append *a;
    const struct cconv_pixel_kernels *k;
    int stream;
};

static void add_data(struct strip *s)
{
    s->data = s->planes;
    for (size_t c = 0; c < s->a->unpack.channels; c++)
        s->plane[s->planes++] = (struct plane){ .channel = s->a->data_at + c, .reach = OF_DATA };
}

static void add_coords(struct strip *s, size_t first, size_t count)
{
    for (size_t k = first; k < first + count; k++) {
        const coordconv_channel *c = &s->a->channels[k];

        s->plane[s->planes++] =
            (struct plane){ .channel = s->a->coords_at + k, .reach = reach_of(c), .coords = c };
    }
}

/* The planes of a pass, in the order of their channels. */
static void choose_planes(struct strip *s, size_t first, size_t count, int with_data)
{
    const int before = s->a->coords_at < s->a->data_at;

    s->planes = 0;
    if (with_data && !before)
        add_data(s);
    add_coords(s, first, count);
    if (with_data && before)
        add_data(s);
}

/* Whether rows go from bytes to the result at once: all planes do, none being of both axes. */
static int can_weave(struct strip *s)
{
    for (size_t p = 0; p < s->planes; p++)
        if (s->plane[p].reach == OF_BOTH)
            return 0;
    return s->planes == cconv_append_written(s->a) && cconv_append_weave(s->a, &s->weave);
}

/* Columns' values where they are in the result, 0 between them. */
static void weave_columns(struct strip *s)
{
    const size_t channels = s->planes;

    memset(s->values.columns, 0, channels * s->n * sizeof *s->values.columns);
    for (size_t p = 0; p < channels; p++) {
        const struct plane *const plane = &s->plane[p];
        float *const to = s->values.columns + plane->channel;

        for (size_t j = 0; plane->reach == OF_COLUMN && j < s->n; j++)
            to[j * channels] = (float)value_of(s->a, plane->coords, 0, (double)(s->first + j));
    }
}

static void make_columns(struct strip *s)
{
    const struct cconv_append *const a = s->a;

    for (size_t p = 0; p < s->planes; p++) {
        const struct plane *const plane = &s->plane[p];

        for (size_t j = 0; plane->reach == OF_COLUMN && j < s->n; j++)
            s->values.plane[p][j] = (float)value_of(a, plane->coords, 0, (double)(s->first + j));
        for (size_t j = 0; plane->reach == OF_BOTH && j < s->n; j++) {
            const double x =
                cconv_radius_part(&a->grid, cconv_axis_value(&a->along_x, (double)(s->first + j)));

            s->xx[j] = x * x;
        }
    }
}

/* Weaving takes sixteens of pixels; what is left at the end of a row is a strip of its own. */
static void begin_strip(struct strip *s, size_t first)
{
    const size_t left = s->a->width - first;

    s->first = first;
    s->is_woven = s->can_weave && left >= 16;
    if (s->is_woven) {
        s->n = CCONV_MIN(left, PLANES * STRIP / s->planes) / 16 * 16;
        weave_columns(s);
    } else {
        s->n = CCONV_MIN(left, STRIP);
        make_columns(s);
    }
}

/* ---- a row of a strip ---- */

/* Where a row of the strip belongs in the result; of channel 0. */
static float *row_of_result(const struct strip *s, size_t row)
{
    return s->a->dst + (int64_t)row * s->a->to_row + (int64_t)s->first * s->a->to_column;
}

/* Planar data goes straight to the result; past the caches, bytes do so where every channel of this
 * row begins a line of cache there. */
static int goes_straight(const struct strip *s, const float *to)
{
    const struct cconv_append *const a = s->a;
    uintptr_t odd = 0;

    for (size_t c = 0; c < a->unpack.channels; c++)
        odd |= (uintptr_t)(to + (int64_t)(a->data_at + c) * a->to_channel);
    return a->to_column == 1 && (!s->stream || (!a->is_float && odd % CCONV_ALIGN == 0));
}

/* Returns whether the data are where they belong. */
static int unpack(struct strip *s, size_t row)
{
    const struct cconv_append *const a = s->a;
    const unsigned char *const from = a->data + (int64_t)row * a->row_stride;
    cconv_unpack_fn *const fn = a->is_float ? s->k->unpack_f32 : s->k->unpack_u8;
    float *const to = row_of_result(s, row);
    const int straight = goes_straight(s, to);
    struct cconv_unpack u = a->unpack;

    u.n = s->n;
    u.stream = straight && s->stream;
    for (size_t c = 0; c < u.channels; c++)
        u.to[c] = straight ? to + (int64_t)(a->data_at + c) * a->to_channel
                           : s->values.plane[s->data + c];
    if (!a->planar) {
        u.from = from + s->first * u.step * a->value_bytes;
        fn(&u);
        return straight;
    }
    u.step = u.channels = 1;
    u.source[0] = 0;
    for (size_t c = 0; c < a->unpack.channels; c++) {
        u.from = from + (int64_t)a->unpack.source[c] * a->plane_stride + s->first * a->value_bytes;
        u.mean[0] = a->unpack.mean[c];
        u.scale[0] = a->unpack.scale[c];
        u.to[0] = u.to[c];
        fn(&u);
    }
    return straight;
}

static void make_plane(struct strip *s, size_t p, size_t row)
{
    const struct cconv_append *const a = s->a;
    struct plane *const plane = &s->plane[p];

    if (plane->reach == OF_ROW) {
        plane->value = (float)value_of(a, plane->coords, (double)row, 0);
    } else if (plane->reach == OF_BOTH && plane->coords->kind == COORDCONV_CHANNEL_RADIUS) {
        const double y = cconv_radius_part(&a->grid, cconv_axis_value(&a->along_y, (double)row));

        s->k->distance(s->values.plane[p], s->xx, y * y, cconv_radius_divisor(&a->grid, a->most),
                       s->n);
    } else if (plane->reach == OF_BOTH) {
        for (size_t j = 0; j < s->n; j++)
            s->values.plane[p][j] =
                (float)value_of(a, plane->coords, (double)row, (double)(s->first + j));
    }
}

static void write_planar(struct strip *s, float *to, int data_are_there)
{
    for (size_t p = 0; p < s->planes; p++) {
        const struct plane *const plane = &s->plane[p];
        float *const at = to + (int64_t)plane->channel * s->a->to_channel;

        if (plane->reach == OF_ROW)
            s->k->fill(at, plane->value, s->n, s->stream);
        else if (plane->reach != OF_DATA || !data_are_there)
            s->k->store(at, s->values.plane[p], s->n, s->stream);
    }
}

/* Values of a plane lie side by side from here on. */
static void spread(struct strip *s)
{
    for (size_t p = 0; p < s->planes; p++)
        if (s->plane[p].reach == OF_ROW)
            s->k->fill(s->values.plane[p], s->plane[p].value, s->n, 0);
}

static void write_woven(struct strip *s, float *to)
{
    const float *from[PLANES];

    spread(s);
    for (size_t p = 0; p < s->planes; p++)
        from[p] = s->values.plane[p];
    if (s->stream) {
        s->k->interleave(s->woven, from, s->planes, s->n);
        s->k->store(to, s->woven, s->n * s->planes, 1);
    } else {
        s->k->interleave(to, from, s->planes, s->n);
    }
}

/* Bytes to values side by side. */
static void weave_row(struct strip *s, size_t row, float *to)
{
    const struct cconv_append *const a = s->a;
    const unsigned char *const from =
        a->data + (int64_t)row * a->row_stride + s->first * a->unpack.step;
    const size_t channels = s->planes;
    const int straight = !s->stream || (uintptr_t)to % CCONV_ALIGN == 0;

    for (size_t p = 0; p < channels; p++)
        for (size_t k = 0; s->plane[p].reach == OF_ROW && k < 16; k++)
            s->weave.row[k * channels + s->plane[p].channel] = s->plane[p].value;
    s->k->weave(&s->weave, from, s->values.columns, straight ? to : s->woven, s->n,
                straight && s->stream);
    if (!straight)
        s->k->store(to, s->woven, s->n * channels, 1);
}

static void write_anywhere(struct strip *s, float *to)
{
    const int64_t step = s->a->to_column;

    spread(s);
    for (size_t p = 0; p < s->planes; p++) {
        float *const at = to + (int64_t)s->plane[p].channel * s->a->to_channel;

        for (size_t j = 0; j < s->n; j++)
            at[(int64_t)j * step] = s->values.plane[p][j];
    }
}

static void run_row(struct strip *s, size_t row, int with_data)
{
    const struct cconv_append *const a = s->a;
    float *const to = row_of_result(s, row);
    int there;

    for (size_t p = 0; p < s->planes; p++)
        make_plane(s, p, row);
    if (s->is_woven) {
        weave_row(s, row, to);
        return;
    }
    there = with_data && unpack(s, row);
    if (a->to_column == 1)
        write_planar(s, to, there);
    else if (a->to_channel == 1 && a->to_column == (int64_t)s->planes)
        write_woven(s, to);
    else
        write_anywhere(s, to);
}

/* ---- the image ---- */

struct job {
    const struct cconv_append *a;
    const struct cconv_pixel_kernels *k;
    size_t task_rows;
    int stream;
};

static void run_rows(void *arg, size_t task, size_t slot)
{
    const struct job *const job = arg;
    const struct cconv_append *const a = job->a;
    const size_t begin = task * job->task_rows;
    const size_t end = CCONV_MIN(a->height, begin + job->task_rows);
    struct strip s;
    size_t done = 0;

    (void)slot;
    s.a = a;
    s.k = job->k;
    s.stream = job->stream;
    do {
        const size_t count = CCONV_MIN(a->count - done, GROUP);
        const int with_data = done == 0 && a->data != NULL;

        choose_planes(&s, done, count, with_data);
        s.can_weave = can_weave(&s);
        for (size_t first = 0; first < a->width; first += s.n) {
            begin_strip(&s, first);
            for (size_t row = begin; row < end; row++)
                run_row(&s, row, with_data);
        }
        done += count;
    } while (done < a->count);
    if (job->stream)
        job->k->fence();
}

coordconv_status coordconv_append(coordconv_context *context, const coordconv_pixels_desc *pixels,
                                  const coordconv_append_desc *desc, float *dst, size_t count)
{
    struct cconv_pixel_kernels kernels;
    struct cconv_append a;
    struct job job = { .a = &a };
    const coordconv_status status =
        cconv_append_read(cconv_context_log(context), pixels, desc, dst, count, &a);

    if (status != COORDCONV_OK || cconv_append_written(&a) == 0)
        return status; /* the coordinates of an empty list are soon written */
    job.stream = a.height * a.width > STREAM_FROM / sizeof *dst / cconv_append_written(&a);
    if (context == NULL) {
        cconv_pixels_init(&kernels);
        job.k = &kernels;
        job.task_rows = a.height;
        run_rows(&job, 0, 0);
        return COORDCONV_OK;
    }
    job.k = &context->kernels.pixels;
    job.task_rows = CCONV_MAX(TASK_PIXELS / a.width, 1);
    cconv_parallel_run(&context->parallel, run_rows, &job,
                       (a.height + job.task_rows - 1) / job.task_rows);
    return COORDCONV_OK;
}
