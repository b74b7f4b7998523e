/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords_grid.c - grids, frames and published conventions.
 */
#include "core/coords.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* Keeps t, and every value made from it, within float. */
#define LIMIT 0x1p31

/* ---- descriptors ---- */

static coordconv_status check_number(const struct cconv_log *log, const char *what,
                                     const char *field, double value)
{
    if (value >= -LIMIT && value <= LIMIT) /* a NaN is not */
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s is %g, expected -2^31 to 2^31", what,
                      field, value);
}

static coordconv_status check_kinds(const struct cconv_log *log, const char *what,
                                    const coordconv_grid_desc *d)
{
    coordconv_status status =
        cconv_check_range(log, what, "grid sampling", d->sampling, COORDCONV_SAMPLING_ALIGNED,
                          COORDCONV_SAMPLING_SWAPPED);

    if (status == COORDCONV_OK)
        status = cconv_check_range(log, what, "grid radius", d->radius, COORDCONV_RADIUS_PLAIN,
                                   COORDCONV_RADIUS_CENTERED);
    if (status == COORDCONV_OK)
        status = cconv_check_range(log, what, "grid single", d->single, COORDCONV_SINGLE_MIDDLE,
                                   COORDCONV_SINGLE_LOW);
    if (status == COORDCONV_OK && d->sampling == COORDCONV_SAMPLING_PIXEL &&
        d->radius == COORDCONV_RADIUS_CENTERED)
        status = cconv_fail(log, COORDCONV_ERR_INVALID, "%s: grid radius %d needs a range", what,
                            d->radius);
    return status;
}

static coordconv_status check_limits(const struct cconv_log *log, const char *what,
                                     const coordconv_grid_desc *d)
{
    coordconv_status status = check_number(log, what, "grid low", d->low);

    if (status == COORDCONV_OK)
        status = check_number(log, what, "grid high", d->high);
    if (status == COORDCONV_OK && d->low == d->high && d->low != 0)
        status = cconv_fail(log, COORDCONV_ERR_INVALID, "%s: grid low and high are both %g", what,
                            d->low);
    return status;
}

coordconv_status cconv_grid_read(const struct cconv_log *log, const char *what,
                                 const coordconv_grid_desc *desc, struct cconv_grid *out)
{
    coordconv_grid_desc d = { .struct_size = 0 };
    coordconv_status status = COORDCONV_OK;

    if (desc != NULL)
        status = cconv_desc_read(log, "grid", desc, CCONV_DESC_END(coordconv_grid_desc, single),
                                 sizeof d, &d);
    if (status == COORDCONV_OK)
        status = check_kinds(log, what, &d);
    if (status == COORDCONV_OK)
        status = check_limits(log, what, &d);
    if (status != COORDCONV_OK)
        return status;
    *out = (struct cconv_grid){
        .low = d.low, .high = d.high, .sampling = d.sampling, .radius = d.radius, .single = d.single
    };
    if (d.low == d.high) {
        out->low = -1;
        out->high = 1;
    }
    return COORDCONV_OK;
}

coordconv_status cconv_grid_of(const struct cconv_log *log, const char *what, int32_t axes,
                               uint32_t coords, const coordconv_grid_desc *desc,
                               struct cconv_grid *out)
{
    const coordconv_status st = cconv_grid_read(log, what, desc, out);

    if (st == COORDCONV_OK && axes != 2 && out->sampling == COORDCONV_SAMPLING_SWAPPED)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: sampling %d swaps two axes, not %d",
                          what, (int)out->sampling, (int)axes);
    if (st != COORDCONV_OK || (coords & COORDCONV_COORDS_PIXEL) == 0)
        return st;
    if ((out->sampling != COORDCONV_SAMPLING_ALIGNED &&
         out->sampling != COORDCONV_SAMPLING_PIXEL) ||
        out->radius == COORDCONV_RADIUS_CENTERED)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "%s: coords in pixels, but grid sampling %d, radius %d", what,
                          (int)out->sampling, (int)out->radius);
    out->sampling = COORDCONV_SAMPLING_PIXEL;
    return COORDCONV_OK;
}

struct cconv_place cconv_place_whole(const int64_t extent[CCONV_AXES])
{
    struct cconv_place p = { .step = { 1, 1, 1 } };

    memcpy(p.extent, extent, sizeof p.extent);
    return p;
}

int cconv_place_same(const struct cconv_place *a, const struct cconv_place *b)
{
    int same = 1;

    for (int i = 0; i < CCONV_AXES; i++)
        same &=
            a->first[i] == b->first[i] && a->step[i] == b->step[i] && a->extent[i] == b->extent[i];
    return same;
}

/* What is said of an axis, nothing unless it is one of so many; 0 leaves the whole's step and
 * extent. */
static coordconv_status read_axis(const struct cconv_log *log, const char *what, int axis,
                                  int32_t axes, const struct cconv_place *said,
                                  struct cconv_place *place)
{
    static const char names[CCONV_AXES][3][13] = { { "frame y", "frame step_y", "frame height" },
                                                   { "frame x", "frame step_x", "frame width" },
                                                   { "frame z", "frame step_z", "frame depth" } };
    const double first = said->first[axis], step = said->step[axis];
    const int64_t extent = said->extent[axis];

    if (!cconv_axes_have(axes, axis) && (first != 0 || step != 0 || extent != 0))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s where there is none", what,
                          names[axis][0]);
    coordconv_status status = cconv_check_range(log, what, names[axis][2], extent, 0, INT32_MAX);

    if (status == COORDCONV_OK)
        status = check_number(log, what, names[axis][0], first);
    if (status == COORDCONV_OK)
        status = check_number(log, what, names[axis][1], step);
    place->first[axis] = first;
    place->step[axis] = step != 0 ? step : place->step[axis];
    place->extent[axis] = extent != 0 ? extent : place->extent[axis];
    return status;
}

coordconv_status cconv_place_read(const struct cconv_log *log, const char *what,
                                  const coordconv_frame_desc *desc, int32_t axes,
                                  struct cconv_place *place)
{
    coordconv_frame_desc d = { .struct_size = 0 };
    struct cconv_place said, got = *place;
    coordconv_status status = COORDCONV_OK;

    if (desc != NULL)
        status = cconv_desc_read(log, "frame", desc, CCONV_DESC_END(coordconv_frame_desc, width),
                                 sizeof d, &d);
    said = (struct cconv_place){ { d.y, d.x, d.z },
                                 { d.step_y, d.step_x, d.step_z },
                                 { d.height, d.width, d.depth } };
    for (int i = 0; i < CCONV_AXES && status == COORDCONV_OK; i++)
        status = read_axis(log, what, i, axes, &said, &got);
    if (status == COORDCONV_OK)
        *place = got;
    return status;
}

/* ---- axes ---- */

/* Every sample at the same value, with nothing to round. */
static struct cconv_axis constant_axis(double value)
{
    return (struct cconv_axis){ .low = value, .high = value, .length = 1, .first = 0, .step = 0 };
}

struct cconv_axis cconv_axis(const struct cconv_grid *g, const struct cconv_place *place, int axis)
{
    const double n = (double)place->extent[axis], first = place->first[axis];
    const double step = place->step[axis];
    const int other = axis == CCONV_Y ? CCONV_X : CCONV_Y;
    struct cconv_axis a = {
        .low = g->low, .high = g->high, .length = n, .first = first, .step = step
    };

    switch (g->sampling) {
    case COORDCONV_SAMPLING_START:
        return a;
    case COORDCONV_SAMPLING_CENTER:
        a.length = 2 * n;
        a.first = 2 * first + 1;
        a.step = 2 * step;
        return a;
    case COORDCONV_SAMPLING_PIXEL:
        a.low = 0;
        a.high = 1;
        a.length = 1;
        return a;
    default:
        a.length =
            (g->sampling == COORDCONV_SAMPLING_SWAPPED ? (double)place->extent[other] : n) - 1;
    }
    if (a.length > 0)
        return a;
    return constant_axis(g->single == COORDCONV_SINGLE_LOW ? g->low : (g->low + g->high) / 2);
}

/* One quotient of two numbers that are exact where low and high are small integers: mirror images
 * then differ by their sign alone. */
double cconv_axis_value(const struct cconv_axis *a, double k)
{
    const double t = a->first + k * a->step;

    return ((a->length - t) * a->low + t * a->high) / a->length;
}

double cconv_axis_slope(const struct cconv_axis *a)
{
    return (a->high - a->low) * a->step / a->length;
}

/* ---- radius ---- */

double cconv_radius_part(const struct cconv_grid *grid, double value)
{
    if (grid->radius == COORDCONV_RADIUS_OFFSET)
        return value - 0.5;
    if (grid->radius == COORDCONV_RADIUS_CENTERED)
        return (value - grid->low) / (grid->high - grid->low) - 0.5;
    return value;
}

/* Where the largest is 0, all are. */
double cconv_radius_divisor(const struct cconv_grid *grid, double most)
{
    return grid->radius == COORDCONV_RADIUS_NORMALIZED && most > 0 ? most : 1;
}

/* The first of so many axes, and the one behind the last. */
static int first_axis(int axes)
{
    return axes == 1 ? CCONV_X : CCONV_Y;
}

static int last_axis(int axes)
{
    return axes == 1 ? CCONV_X + 1 : axes;
}

double cconv_radius_value(const struct cconv_grid *grid, int axes, const double *value, double most)
{
    double squares = 0;

    for (int i = first_axis(axes); i < last_axis(axes); i++) {
        const double v = cconv_radius_part(grid, value[i]);

        squares += v * v;
    }
    return sqrt(squares) / cconv_radius_divisor(grid, most);
}

/* Largest absolute value on an axis of n samples: it is at one of its ends. */
static double most_of_axis(const struct cconv_axis *a, int64_t n)
{
    return fmax(fabs(cconv_axis_value(a, 0)), fabs(cconv_axis_value(a, (double)(n - 1))));
}

double cconv_radius_most(const struct cconv_grid *grid, int axes, const struct cconv_place *place)
{
    const struct cconv_place whole = cconv_place_whole(place->extent);
    double squares = 0;

    for (int i = first_axis(axes); i < last_axis(axes); i++) {
        const struct cconv_axis a = cconv_axis(grid, &whole, i);
        const double most = most_of_axis(&a, whole.extent[i]);

        squares += most * most;
    }
    return sqrt(squares);
}

/* ---- conventions ---- */

const char *cconv_coords_lacking(uint32_t wanted, uint32_t offered)
{
    if (cconv_coords_has_x(wanted) > cconv_coords_has_x(offered))
        return "x";
    if (cconv_coords_has_y(wanted) > cconv_coords_has_y(offered))
        return "y";
    if (wanted & ~offered & COORDCONV_COORDS_Z)
        return "z";
    return wanted & ~offered & COORDCONV_COORDS_RADIUS ? "radius" : NULL;
}

/* Fields of a convention that differ, in few bytes. */
struct convention {
    float low, high;
    unsigned char row_first, before, has_radius, sampling, radius, single, y_alone;
};

enum {
    OWN,
    PAPER,
    UBER,
    MKOCABAS,
    WIZARON,
    AWING,
    SOLO,
    PFRENDL,
    BATDETECT2,
    PADDLE,
    PADDLE_SLIP,
    MONAI,
    DREF360,
    N_MCA,
    CELL_CENTER
};

static const struct convention conventions[] = {
    [OWN] = { .has_radius = 1 },
    [PAPER] = { .has_radius = 1, .radius = COORDCONV_RADIUS_OFFSET },
    [UBER] = { .has_radius = 1, .sampling = COORDCONV_SAMPLING_SWAPPED },
    [MKOCABAS] = { .row_first = 1, .has_radius = 1, .radius = COORDCONV_RADIUS_OFFSET },
    [WIZARON] = { .row_first = 1,
                  .before = 1,
                  .has_radius = 1,
                  .radius = COORDCONV_RADIUS_NORMALIZED },
    [AWING] = { .row_first = 1, .has_radius = 1, .radius = COORDCONV_RADIUS_NORMALIZED },
    [SOLO] = { .single = COORDCONV_SINGLE_LOW },
    [PFRENDL] = { .row_first = 1, .single = COORDCONV_SINGLE_LOW },
    [BATDETECT2] = { .row_first = 1, .single = COORDCONV_SINGLE_LOW, .y_alone = 1 },
    [PADDLE] = { .single = COORDCONV_SINGLE_MIDDLE },
    [PADDLE_SLIP] = { .low = -1, .high = -0.5F },
    [MONAI] = { .low = -0.5F, .high = 0.5F, .row_first = 1, .single = COORDCONV_SINGLE_LOW },
    [DREF360] = { .row_first = 1, .sampling = COORDCONV_SAMPLING_START },
    [N_MCA] = { .low = 0, .high = 1, .row_first = 1 },
    [CELL_CENTER] = { .has_radius = 1, .sampling = COORDCONV_SAMPLING_CENTER },
};

/* Text within the table, so that it needs no relocation when the library is loaded. */
static const struct {
    char name[23];
    unsigned char is;
} names[] = {
    { "coordconv", OWN },
    { "paper", PAPER },
    { "glastonburyc", PAPER },
    { "mkocabas-np", PAPER },
    { "uber", UBER },
    { "ashwindcruz", UBER },
    { "mkocabas", MKOCABAS },
    { "mkocabas-th", MKOCABAS },
    { "walsvid", MKOCABAS },
    { "keras-coordconv", MKOCABAS },
    { "mvoelk", MKOCABAS },
    { "wizaron", WIZARON },
    { "adaptive-wing-loss", AWING },
    { "solo", SOLO },
    { "solov2", SOLO },
    { "mmdetection", SOLO },
    { "optimize-coordconv", SOLO },
    { "pfrendl", PFRENDL },
    { "batdetect2", BATDETECT2 },
    { "dominikandreas", OWN },
    { "paddle", PADDLE },
    { "paddle-slip", PADDLE_SLIP },
    { "ppyolo", PADDLE_SLIP },
    { "monai", MONAI },
    { "dref360", DREF360 },
    { "n-mca", N_MCA },
    { "cell-center", CELL_CENTER },
};

/* What a caller has room for is told apart from what the library knows: grid stands last and may
 * grow, and the caller's own ends where the descriptor does. */
static void spell_out(const struct convention *c, uint32_t size, coordconv_convention_desc *out)
{
    const size_t grid_at = offsetof(coordconv_convention_desc, grid);

    *out = (coordconv_convention_desc){
        .struct_size = size,
        .coords = (uint32_t)(c->y_alone ? COORDCONV_COORDS_Y : COORDCONV_COORDS_XY) |
                  (c->has_radius ? (uint32_t)COORDCONV_COORDS_RADIUS : 0),
        .row_first = c->row_first,
        .before = c->before,
        .grid = { .struct_size = (uint32_t)CCONV_MIN(size - grid_at, sizeof out->grid),
                  .sampling = c->sampling,
                  .low = (double)c->low,
                  .high = (double)c->high,
                  .radius = c->radius,
                  .single = c->single },
    };
}

/* As far as the first release of the grid reached. */
#define CONVENTION_LEAST                                                                           \
    (offsetof(coordconv_convention_desc, grid) + CCONV_DESC_END(coordconv_grid_desc, single))

coordconv_status cconv_convention(const struct cconv_log *log, const char *name,
                                  coordconv_convention_desc *out)
{
    coordconv_convention_desc d;
    coordconv_status status;

    if (name == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "convention: %s is NULL",
                          name == NULL ? "name" : "out");
    status = cconv_desc_read(log, "convention", out, CONVENTION_LEAST, sizeof d, &d);
    if (status != COORDCONV_OK)
        return status;
    for (size_t i = 0; i < CCONV_COUNT(names); i++) {
        if (strcmp(name, names[i].name) != 0)
            continue;
        spell_out(&conventions[names[i].is], d.struct_size, &d);
        memcpy(out, &d, CCONV_MIN(d.struct_size, sizeof d));
        return COORDCONV_OK;
    }
    return cconv_fail(log, COORDCONV_ERR_NOT_FOUND, "convention: no convention is called \"%.64s\"",
                      name);
}

coordconv_status coordconv_convention(const char *name, coordconv_convention_desc *out)
{
    return cconv_convention(NULL, name, out);
}
