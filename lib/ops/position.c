/* SPDX-License-Identifier: BSD-2-Clause
 *
 * position.c - what the coordinates x and y and the bias add to an output.
 *
 * An output of row group g and column group h begins its sum with
 *
 *   base + y down + x right,   base = bias + sum over the taps inside of
 *                                     vx Cx(kx dilation - pad) + vy Cy(ky dilation - pad)
 *                              down = step scale sum of vy, right = step scale sum of vx
 *
 * where C is the coordinate with which the axis would go on outside the canvas.
 * Coefficients are made in double and rounded once.
 */
#include "ops/position.h"

#include <string.h>

#include "base/checked.h"
#include "core/coords.h"

/* Output channels worked on together. */
enum {
    CHANNELS = 2 * CCONV_CORR_BLOCK
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0 ? 1 : 0);
}

int64_t cconv_position_taps(const struct cconv_position_axis *a, int64_t i, int64_t *first)
{
    const int64_t at = i * a->step - a->pad;
    const int64_t begin = CCONV_MIN(CCONV_MAX(ceil_div(-at, a->dilation), 0), a->taps);
    const int64_t end = CCONV_MIN(CCONV_MAX(ceil_div(a->in - at, a->dilation), 0), a->taps);

    *first = begin;
    return CCONV_MAX(end - begin, 0);
}

/* First output whose tap `tap` lies at or beyond sample `edge`. */
static int64_t passes(const struct cconv_position_axis *a, int64_t tap, int64_t edge)
{
    return ceil_div(edge + a->pad - tap * a->dilation, a->step);
}

/* First output after i that has other taps inside, or the end. Going on from i, the
 * tap before the first one comes in, or the last one goes out. */
static int64_t next_change(const struct cconv_position_axis *a, int64_t i)
{
    int64_t first, next = a->out;
    const int64_t count = cconv_position_taps(a, i, &first);

    if (count == 0)
        return i + 1;
    if (first > 0)
        next = CCONV_MIN(next, passes(a, first - 1, 0));
    return CCONV_MIN(next, passes(a, first + count - 1, a->in));
}

/* The longest run of outputs with the same taps inside. */
static void find_run(struct cconv_position_axis *a)
{
    a->begin = a->end = 0;
    for (int64_t i = 0, next; i < a->out; i = next) {
        next = next_change(a, i);
        if (next - i > a->end - a->begin) {
            a->begin = i;
            a->end = next;
        }
    }
}

/* The run but for the tiles that reach beyond it. */
static void fit_tiles(struct cconv_position_axis *a, int64_t tile)
{
    a->formula_begin = ceil_div(a->begin, tile) * tile;
    a->formula_end = a->end < a->out ? a->end / tile * tile : a->end;
    if (a->formula_begin >= a->formula_end)
        a->formula_begin = a->formula_end = 0;
}

static struct cconv_position_axis axis_of(const struct cconv_corr *c, int axis, int scatter,
                                          size_t tile)
{
    const int64_t small = (int64_t)(axis == 0 ? c->small_h : c->small_w);
    const int64_t big = (int64_t)(axis == 0 ? c->big_h : c->big_w);
    const int64_t reach = (int64_t)(c->kernel[axis] - 1) * c->dilation[axis];
    struct cconv_position_axis a = { .in = scatter ? small : big,
                                     .out = scatter ? big : small,
                                     .taps = c->kernel[axis],
                                     .step = c->stride[axis],
                                     .pad = scatter ? reach - c->pad[axis] : c->pad[axis],
                                     .dilation = c->dilation[axis],
                                     .tap_first = scatter ? c->kernel[axis] - 1 : 0,
                                     .tap_step = scatter ? -1 : 1 };

    find_run(&a);
    fit_tiles(&a, (int64_t)tile);
    return a;
}

int cconv_position(const struct cconv_corr *coords, uint32_t flags, int scatter, size_t tile,
                   size_t small_map, struct cconv_position *p)
{
    const size_t plane = (size_t)coords->kernel[0] * (size_t)coords->kernel[1];
    const int has_x = cconv_coords_has_x(flags), has_y = cconv_coords_has_y(flags);

    if ((!has_x && !has_y) || (flags & COORDCONV_COORDS_RADIUS) != 0 ||
        (scatter && (coords->stride[0] != 1 || coords->stride[1] != 1)))
        return 0;
    *p = (struct cconv_position){ .y = axis_of(coords, 0, scatter, tile),
                                  .x = axis_of(coords, 1, scatter, tile),
                                  .channels = scatter ? coords->big_c : coords->small_c,
                                  .has_x = has_x,
                                  .has_y = has_y,
                                  .small_map = small_map,
                                  .weight_o = scatter ? plane : coords->weight_s,
                                  .weight_y = !has_x    ? 0
                                              : scatter ? coords->weight_s
                                                        : plane,
                                  .kernel_w = (size_t)coords->kernel[1] };
    return 1;
}

void cconv_position_set(struct cconv_position *p, const struct cconv_axis *y,
                        const struct cconv_axis *x)
{
    p->y.origin = cconv_axis_value(y, 0);
    p->y.scale = cconv_axis_slope(y);
    p->x.origin = cconv_axis_value(x, 0);
    p->x.scale = cconv_axis_slope(x);
}

size_t cconv_position_groups(const struct cconv_position_axis *a)
{
    return (size_t)(a->out - (a->end - a->begin) + 1);
}

struct cconv_position_group cconv_position_group(const struct cconv_position_axis *a, size_t i)
{
    const int64_t at = (int64_t)i;
    struct cconv_position_group g = { at, at + 1 };

    if (at == a->begin)
        g.last = a->end;
    else if (at > a->begin) {
        g.first = at + a->end - a->begin - 1;
        g.last = g.first + 1;
    }
    return g;
}

int cconv_position_map_is_whole(const struct cconv_position *p)
{
    const size_t pixels = cconv_size_mul((size_t)p->y.out, (size_t)p->x.out);
    const size_t bytes = cconv_size_mul(cconv_size_mul(pixels, p->channels), sizeof(cconv_real));

    return p->x.out < CCONV_PANEL_ROW || bytes <= p->small_map || p->y.formula_end == 0 ||
           p->x.formula_end == 0;
}

int cconv_position_has_map(const struct cconv_position *p)
{
    return cconv_position_map_is_whole(p) || p->y.formula_begin > 0 ||
           p->y.formula_end < p->y.out || p->x.formula_begin > 0 || p->x.formula_end < p->x.out;
}

/* The tables begin on a line of cache. */
static size_t table_start(const struct cconv_position *p)
{
    const size_t line = CCONV_ALIGN / sizeof(cconv_real);

    return cconv_size_mul((cconv_size_mul(p->channels, 3) + line - 1) / line, line);
}

static size_t table_values(const struct cconv_position *p, int64_t rows)
{
    const size_t blocks = (p->channels + CCONV_CORR_BLOCK - 1) / CCONV_CORR_BLOCK;

    return cconv_size_mul(cconv_size_mul(blocks, CCONV_CORR_BLOCK), (size_t)rows);
}

/* Columns of their table. It is read with every row, and should leave room in the first-level
 * cache: one of a long row is for part of it, the one that leaves most for the row's last part,
 * since small tiles are slow. */
static int64_t period(const struct cconv_position *p)
{
    static const int64_t several[] = { 96, 84, 72 };
    const int64_t columns = p->x.formula_end;
    int64_t best = several[0];

    if (columns <= best)
        return columns;
    for (size_t i = 1; i < CCONV_COUNT(several); i++)
        if ((columns - 1) % several[i] > (columns - 1) % best)
            best = several[i];
    return best;
}

size_t cconv_position_plane_values(const struct cconv_position *p)
{
    return cconv_size_add(table_start(p), cconv_size_add(table_values(p, p->y.formula_end),
                                                         table_values(p, period(p))));
}

struct cconv_corr_affine cconv_position_plane(const struct cconv_position *p,
                                              const cconv_real *values)
{
    return (struct cconv_corr_affine){ .base = values,
                                       .down = values + p->channels,
                                       .right = values + 2 * p->channels,
                                       .rows = values + table_start(p),
                                       .columns = values + table_start(p) +
                                                  table_values(p, p->y.formula_end),
                                       .y0 = (size_t)p->y.formula_begin,
                                       .y1 = (size_t)p->y.formula_end,
                                       .x0 = (size_t)p->x.formula_begin,
                                       .x1 = (size_t)p->x.formula_end,
                                       .period = (size_t)period(p) };
}

/* Of a tap column and of an output column, for some channels. */
struct sums {
    double base[CHANNELS], down[CHANNELS], right[CHANNELS];
};

struct fill {
    const struct cconv_position *p;
    const cconv_real *weight, *scale, *bias;
    cconv_real *values, *map;
    char *scratch; /* for each slot the sums of all tap columns */
    size_t scratch_slot;
};

/* Sums of a tap column over the taps inside, for channels first .. first + count - 1. */
static void sum_taps(const struct fill *f, int64_t kx, int64_t tap, int64_t taps, size_t first,
                     size_t count, struct sums *sum)
{
    const struct cconv_position *p = f->p;
    const struct cconv_position_axis *ay = &p->y, *ax = &p->x;
    const double x = ax->origin + ax->scale * (double)(kx * ax->dilation - ax->pad);
    const size_t wx = (size_t)(ax->tap_first + kx * ax->tap_step);

    for (size_t i = 0; i < count; i++) {
        const cconv_real *w = f->weight + (first + i) * p->weight_o + wx;
        const double scale = f->scale != NULL ? (double)f->scale[first + i] : 1;
        double base = 0, sum_x = 0, sum_y = 0;

        for (int64_t k = tap; k < tap + taps; k++) {
            const cconv_real *at = w + (size_t)(ay->tap_first + k * ay->tap_step) * p->kernel_w;
            const double vx = p->has_x ? (double)at[0] : 0;
            const double vy = p->has_y ? (double)at[p->weight_y] : 0;

            base += vy * (ay->origin + ay->scale * (double)(k * ay->dilation - ay->pad));
            sum_y += vy;
            sum_x += vx;
        }
        sum->base[i] = scale * (base + sum_x * x);
        sum->down[i] = scale * sum_y * (ay->scale * (double)ay->step);
        sum->right[i] = scale * sum_x * (ax->scale * (double)ax->step);
    }
}

/* What an output of a column with these taps inside begins with. */
static void sum_columns(const struct fill *f, const struct sums *columns, int64_t tap, int64_t taps,
                        size_t first, size_t count, struct sums *sum)
{
    for (size_t i = 0; i < count; i++) {
        sum->base[i] = f->bias != NULL ? (double)f->bias[first + i] : 0;
        sum->down[i] = sum->right[i] = 0;
    }
    for (int64_t k = tap; k < tap + taps; k++)
        for (size_t i = 0; i < count; i++) {
            sum->base[i] += columns[k].base[i];
            sum->down[i] += columns[k].down[i];
            sum->right[i] += columns[k].right[i];
        }
}

/* Coefficients of the formula, rounded. */
struct plane {
    cconv_real base[CHANNELS], down[CHANNELS], right[CHANNELS];
};

static void round_sums(const struct sums *sum, size_t count, struct plane *plane)
{
    for (size_t i = 0; i < count; i++) {
        plane->base[i] = (cconv_real)sum->base[i];
        plane->down[i] = (cconv_real)sum->down[i];
        plane->right[i] = (cconv_real)sum->right[i];
    }
}

/* table[k][o] = base[o] + k * slope[o], channels from `first` on; base NULL: 0. */
static void write_table(cconv_real *table, int64_t rows, const cconv_real *base,
                        const cconv_real *slope, size_t first, size_t count)
{
    for (size_t b = 0; b < count; b += CCONV_CORR_BLOCK) {
        cconv_real *to = table + (first + b) * (size_t)rows;
        const size_t end = CCONV_MIN(count, b + CCONV_CORR_BLOCK);

        for (int64_t k = 0; k < rows; k++, to += CCONV_CORR_BLOCK)
            for (size_t o = b; o < end; o++)
                to[o - b] = (base != NULL ? base[o] : 0) + (cconv_real)k * slope[o];
    }
}

/* Channels from `first` on, which begins a block. */
static void write_plane(const struct fill *f, size_t first, size_t count, const struct plane *plane)
{
    const struct cconv_position *p = f->p;
    cconv_real *to = f->values + first;

    memcpy(to, plane->base, count * sizeof *to);
    memcpy(to + p->channels, plane->down, count * sizeof *to);
    memcpy(to + 2 * p->channels, plane->right, count * sizeof *to);
    to = f->values + table_start(p);
    write_table(to, p->y.formula_end, plane->base, plane->down, first, count);
    to += table_values(p, p->y.formula_end);
    write_table(to, period(p), NULL, plane->right, first, count);
}

/* Where the formula is not used. */
static void write_map(const struct fill *f, struct cconv_position_group y,
                      struct cconv_position_group x, size_t first, size_t count,
                      const struct plane *plane)
{
    const struct cconv_position *p = f->p;
    const int whole = cconv_position_map_is_whole(p);

    for (int64_t i = y.first; i < y.last; i++) {
        const int formula = !whole && i >= p->y.formula_begin && i < p->y.formula_end;

        for (int64_t j = x.first; j < x.last; j++) {
            if (formula && j == p->x.formula_begin) {
                j = p->x.formula_end - 1;
                continue;
            }
            cconv_real *to = f->map + (size_t)(i * p->x.out + j) * p->channels + first;

            for (size_t o = 0; o < count; o++)
                to[o] = (plane->base[o] + (cconv_real)i * plane->down[o]) +
                        (cconv_real)j * plane->right[o];
        }
    }
}

static void fill_channels(const struct fill *f, struct cconv_position_group y, size_t first,
                          size_t count, struct sums *columns)
{
    const struct cconv_position *p = f->p;
    int64_t tap;
    const int64_t taps = cconv_position_taps(&p->y, y.first, &tap);
    struct sums sum;
    struct plane plane;

    for (int64_t k = 0; k < p->x.taps; k++)
        sum_taps(f, k, tap, taps, first, count, columns + k);
    for (size_t g = 0; g < cconv_position_groups(&p->x); g++) {
        const struct cconv_position_group x = cconv_position_group(&p->x, g);
        const int64_t inside = cconv_position_taps(&p->x, x.first, &tap);

        sum_columns(f, columns, tap, inside, first, count, &sum);
        round_sums(&sum, count, &plane);
        if (y.first == p->y.begin && x.first == p->x.begin)
            write_plane(f, first, count, &plane);
        write_map(f, y, x, first, count, &plane);
    }
}

/* One group of rows. */
static void fill_task(void *arg, size_t task, size_t slot)
{
    const struct fill *f = arg;
    const struct cconv_position_group y = cconv_position_group(&f->p->y, task);
    struct sums *columns = (struct sums *)(void *)(f->scratch + slot * f->scratch_slot);

    for (size_t o = 0; o < f->p->channels; o += CHANNELS)
        fill_channels(f, y, o, CCONV_MIN(CHANNELS, f->p->channels - o), columns);
}

static size_t columns_bytes(const struct cconv_position *p)
{
    return cconv_size_align(cconv_size_mul((size_t)p->x.taps, sizeof(struct sums)));
}

size_t cconv_position_scratch(const coordconv_context *context, const struct cconv_position *p)
{
    return cconv_size_mul(columns_bytes(p), context->parallel.slots);
}

void cconv_position_fill(coordconv_context *context, const struct cconv_position *p,
                         const cconv_real *weight, const cconv_real *scale, const cconv_real *bias,
                         cconv_real *values, cconv_real *map, void *scratch)
{
    struct fill f = { p, weight, scale, bias, values, map, scratch, columns_bytes(p) };

    cconv_parallel_run(&context->parallel, fill_task, &f, cconv_position_groups(&p->y));
}
