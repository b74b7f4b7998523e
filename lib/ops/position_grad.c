/* SPDX-License-Identifier: BSD-2-Clause
 *
 * position_grad.c - gradients of the weights of x and y, and of the bias.
 *
 * With G the sum of dy over the batch, and over the outputs whose tap lies inside,
 *
 *   dvx[ky,kx] = sum of G[i,j] Cx(j step - pad + kx dilation)
 *   dvy[ky,kx] = sum of G[i,j] Cy(i step - pad + ky dilation)
 *   dbias      = sum of all G
 *
 * Along the run (position.h) a tap is inside or not for all outputs together, so
 * all that is needed of it is the sum and the first moment. One pass over dy
 * makes, for each output row, the sum and the moment of its run and each column
 * of its border; then the rows of the run of rows are summed up likewise; the
 * rest, in double, is small.
 *
 * A row's run is taken `side` columns at a time, so that the sums fill vectors
 * where an output has few channels. Moments are about the middle.
 */
#include <string.h>

#include "base/checked.h"
#include "ops/position.h"
#include "ops/split.h"

enum {
    SIDE = 64,     /* values of columns side by side */
    PIECE = 1024,  /* steps of a run summed at once */
    ROWS = 256,    /* rows summed at once */
    TASKS = 8,     /* keep threads busy */
    CHANNELS = 64, /* worked on together in the end */
    SLICE = 2048   /* sums of a task over rows */
};

/* How a row of outputs is summed, and how its sums lie: the columns before the
 * run; for each piece of the run `side` sums and moments; the columns after the
 * pieces, of which those before x.end belong to the run. */
struct row {
    size_t side, steps, pieces;
    size_t channels, before, after;
    size_t first_after; /* column */
    size_t values;
};

struct grad {
    const struct cconv_position *p;
    coordconv_context *context;
    struct row row;
    size_t batch, rows;             /* output rows of an image */
    size_t parts, task_rows, tasks; /* parts of the batch, each with sums of its own */
    const cconv_real *dy;
    cconv_real *sums; /* [parts][rows][row.values] */
    cconv_real *run;  /* the run of rows: sum, moment; [2][row.values] */
    double *taps;     /* [slots][taps y][2][CHANNELS] */
    cconv_real *dweight, *dbias;
};

static struct row plan_row(const struct cconv_position *p)
{
    const size_t run = (size_t)(p->x.end - p->x.begin);
    struct row r = { .channels = p->channels, .before = (size_t)p->x.begin };

    r.side = CCONV_MIN(CCONV_MAX(SIDE / p->channels, 1), run);
    r.steps = run / r.side;
    r.pieces = (r.steps + PIECE - 1) / PIECE;
    r.first_after = r.before + r.side * r.steps;
    r.after = (size_t)p->x.out - r.first_after;
    r.values = cconv_size_mul(r.before + 2 * r.side * r.pieces + r.after, r.channels);
    return r;
}

/* Steps of piece k of the run, and their middle counted from its first. */
static size_t piece_steps(const struct row *r, size_t k)
{
    return CCONV_MIN(PIECE, r->steps - k * PIECE);
}

static double middle(size_t n)
{
    return 0.5 * ((double)n - 1);
}

static size_t sums_bytes(const struct grad *g)
{
    return cconv_size_align(cconv_size_mul(cconv_size_mul(g->parts, g->rows),
                                           cconv_size_mul(g->row.values, sizeof(cconv_real))));
}

static size_t run_bytes(const struct grad *g)
{
    return cconv_size_align(cconv_size_mul(g->row.values, 2 * sizeof(cconv_real)));
}

static size_t taps_bytes(const struct grad *g)
{
    return cconv_size_mul((size_t)g->p->y.taps, 2 * CHANNELS * sizeof(double));
}

static struct grad plan_grad(const struct cconv_position *p, size_t batch)
{
    struct grad g = { .p = p, .row = plan_row(p), .batch = batch, .rows = (size_t)p->y.out };
    const size_t row = batch * (size_t)p->x.out * p->channels, all = row * g.rows;
    size_t blocks;

    g.task_rows = CCONV_MIN(CCONV_MAX(CCONV_CHUNK / CCONV_MAX(row, 1), 1), g.rows);
    blocks = (g.rows + g.task_rows - 1) / g.task_rows;
    g.parts = CCONV_MIN((TASKS + blocks - 1) / blocks, 1 + all / blocks / CCONV_CHUNK);
    g.parts = CCONV_MIN(g.parts, CCONV_MAX(batch, 1));
    g.tasks = g.parts * blocks;
    return g;
}

static void add_row(const struct grad *g, const cconv_real *dy, cconv_real *sums)
{
    const struct row *r = &g->row;
    cconv_moments_fn *const moments = g->context->kernels.moments;
    const size_t width = r->side * r->channels;

    moments(1, r->before * r->channels, dy, 0, 0, sums, NULL);
    dy += r->before * r->channels;
    sums += r->before * r->channels;
    for (size_t k = 0; k < r->pieces; k++, sums += 2 * width) {
        const size_t steps = piece_steps(r, k);

        moments(steps, width, dy, width, (cconv_real)-middle(steps), sums, sums + width);
        dy += steps * width;
    }
    moments(1, r->after * r->channels, dy, 0, 0, sums, NULL);
}

/* Some rows of some images. */
static void row_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;
    const size_t part = task % g->parts, y0 = task / g->parts * g->task_rows;
    const size_t y1 = CCONV_MIN(y0 + g->task_rows, g->rows);
    const size_t row = (size_t)g->p->x.out * g->row.channels;
    cconv_real *sums = g->sums + part * g->rows * g->row.values;

    (void)slot;
    memset(sums + y0 * g->row.values, 0, (y1 - y0) * g->row.values * sizeof *sums);
    for (size_t n = g->batch * part / g->parts; n < g->batch * (part + 1) / g->parts; n++)
        for (size_t y = y0; y < y1; y++)
            add_row(g, g->dy + (n * g->rows + y) * row, sums + y * g->row.values);
}

/* A slice of the rows: the parts of the batch together, then the run of rows. */
static void slice_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;
    cconv_moments_fn *const moments = g->context->kernels.moments;
    const size_t values = g->row.values, first = task * SLICE;
    const size_t count = CCONV_MIN(SLICE, values - first);
    const size_t begin = (size_t)g->p->y.begin, end = (size_t)g->p->y.end;
    cconv_real *run = g->run + first;

    (void)slot;
    for (size_t y = 0; y < g->rows && g->parts > 1; y++)
        moments(g->parts - 1, count, g->sums + (g->rows + y) * values + first, g->rows * values, 0,
                g->sums + y * values + first, NULL);
    memset(run, 0, count * sizeof *run);
    memset(run + values, 0, count * sizeof *run);
    for (size_t y = begin; y < end; y += ROWS)
        moments(CCONV_MIN(ROWS, end - y), count, g->sums + y * values + first, values,
                (cconv_real)((double)(y - begin) - middle(end - begin)), run, run + values);
}

/* to[i] += factor * from[i] */
static void add_multiple(double *to, double factor, const cconv_real *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += factor * (double)from[i];
}

/* A tap along one axis. */
struct tap {
    const struct cconv_position_axis *axis;
    int64_t k;
};

static double coordinate(const struct tap *t, double output)
{
    const struct cconv_position_axis *a = t->axis;

    return a->origin +
           a->scale * (output * (double)a->step + (double)(t->k * a->dilation - a->pad));
}

static int inside(const struct tap *t, size_t output)
{
    const struct cconv_position_axis *a = t->axis;
    const int64_t at = (int64_t)output * a->step - a->pad + t->k * a->dilation;

    return at >= 0 && at < a->in;
}

static void fold_border(const struct row *r, const struct tap *t, const cconv_real *values,
                        size_t first, size_t columns, size_t count, double *sum, double *weighted)
{
    for (size_t j = first; j < first + columns; j++, values += r->channels) {
        if (t != NULL && !inside(t, j))
            continue;
        add_multiple(sum, 1, values, count);
        if (weighted != NULL)
            add_multiple(weighted, coordinate(t, (double)j), values, count);
    }
}

/* One piece of the run, whose first output is `first`. */
static void fold_piece(const struct row *r, const struct tap *t, const cconv_real *values,
                       size_t first, size_t steps, size_t count, double *sum, double *weighted)
{
    const cconv_real *moments = values + r->side * r->channels;

    for (size_t i = 0; i < r->side; i++, values += r->channels, moments += r->channels) {
        const double centre = (double)(first + i) + middle(steps) * (double)r->side;

        add_multiple(sum, 1, values, count);
        if (weighted == NULL)
            continue;
        add_multiple(weighted, coordinate(t, centre), values, count);
        add_multiple(weighted, t->axis->scale * (double)t->axis->step * (double)r->side, moments,
                     count);
    }
}

/* Sums of a row, channels first .. first + count - 1, over the columns where tap t
 * is inside (NULL: over all): of the values, and times the tap's coordinate unless
 * weighted is NULL. */
static void fold_row(const struct row *r, const struct tap *t, const cconv_real *values,
                     size_t count, double *sum, double *weighted)
{
    const size_t width = r->side * r->channels;

    memset(sum, 0, count * sizeof *sum);
    if (weighted != NULL)
        memset(weighted, 0, count * sizeof *weighted);
    fold_border(r, t, values, 0, r->before, count, sum, weighted);
    values += r->before * r->channels;
    for (size_t k = 0; k < r->pieces; k++, values += 2 * width)
        if (t == NULL || inside(t, r->before))
            fold_piece(r, t, values, r->before + k * PIECE * r->side, piece_steps(r, k), count, sum,
                       weighted);
    fold_border(r, t, values, r->first_after, r->after, count, sum, weighted);
}

/* The rows of one group: their sum, and for the run their moment. */
struct rows {
    struct cconv_position_group group;
    const cconv_real *sum, *moment;
    double centre;
};

static struct rows rows_of(const struct grad *g, size_t index)
{
    const struct cconv_position_axis *y = &g->p->y;
    struct rows rows = { .group = cconv_position_group(y, index) };

    rows.centre = (double)rows.group.first + middle((size_t)(rows.group.last - rows.group.first));
    rows.sum = g->sums + (size_t)rows.group.first * g->row.values;
    if (rows.group.first == y->begin) {
        rows.sum = g->run;
        rows.moment = g->run + g->row.values;
    }
    return rows;
}

/* What a group of rows gives to the taps of column t. */
static void add_rows(const struct grad *g, const struct rows *rows, const struct tap *t,
                     size_t first, size_t count, double *taps)
{
    const struct cconv_position_axis *y = &g->p->y;
    double sum[CHANNELS], weighted[CHANNELS], moment[CHANNELS] = { 0 };
    int64_t tap;
    const int64_t inside_y = cconv_position_taps(y, rows->group.first, &tap);

    if (inside_y == 0)
        return;
    fold_row(&g->row, t, rows->sum + first, count, sum, weighted);
    if (rows->moment != NULL)
        fold_row(&g->row, t, rows->moment + first, count, moment, NULL);
    for (int64_t k = tap; k < tap + inside_y; k++) {
        const struct tap ty = { y, k };
        const double at = coordinate(&ty, rows->centre), slope = y->scale * (double)y->step;
        double *x_sum = taps + 2 * k * CHANNELS, *y_sum = x_sum + CHANNELS;

        for (size_t i = 0; i < count; i++) {
            x_sum[i] += weighted[i];
            y_sum[i] += at * sum[i] + slope * moment[i];
        }
    }
}

static void write_taps(const struct grad *g, const struct tap *t, size_t first, size_t count,
                       const double *taps)
{
    const struct cconv_position *p = g->p;
    const size_t wx = (size_t)(p->x.tap_first + t->k * p->x.tap_step);

    for (int64_t k = 0; k < p->y.taps; k++, taps += 2 * CHANNELS) {
        const size_t wy = (size_t)(p->y.tap_first + k * p->y.tap_step);
        cconv_real *to = g->dweight + first * p->weight_o + wy * p->kernel_w + wx;

        for (size_t i = 0; i < count; i++, to += p->weight_o) {
            if (p->has_x)
                to[0] = (cconv_real)taps[i];
            if (p->has_y)
                to[p->weight_y] = (cconv_real)taps[CHANNELS + i];
        }
    }
}

static void write_bias(const struct grad *g, size_t first, size_t count)
{
    double total[CHANNELS] = { 0 }, sum[CHANNELS];

    for (size_t i = 0; i < cconv_position_groups(&g->p->y); i++) {
        const struct rows rows = rows_of(g, i);

        fold_row(&g->row, NULL, rows.sum + first, count, sum, NULL);
        for (size_t o = 0; o < count; o++)
            total[o] += sum[o];
    }
    for (size_t o = 0; o < count; o++)
        g->dbias[first + o] = (cconv_real)total[o];
}

/* Some output channels of all gradients. */
static void finish_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;
    const size_t first = task * CHANNELS, count = CCONV_MIN(CHANNELS, g->row.channels - first);
    double *taps = g->taps + slot * (taps_bytes(g) / sizeof *taps);

    if (g->dbias != NULL)
        write_bias(g, first, count);
    for (int64_t k = 0; k < g->p->x.taps; k++) {
        const struct tap t = { &g->p->x, k };

        memset(taps, 0, taps_bytes(g));
        for (size_t i = 0; i < cconv_position_groups(&g->p->y); i++) {
            const struct rows rows = rows_of(g, i);

            add_rows(g, &rows, &t, first, count, taps);
        }
        write_taps(g, &t, first, count, taps);
    }
}

size_t cconv_position_grad_scratch(const coordconv_context *context, const struct cconv_position *p,
                                   size_t batch)
{
    const struct grad g = plan_grad(p, batch);

    return cconv_size_add(cconv_size_add(sums_bytes(&g), run_bytes(&g)),
                          cconv_size_mul(taps_bytes(&g), context->parallel.slots));
}

void cconv_position_grad(coordconv_context *context, const struct cconv_position *p, size_t batch,
                         const cconv_real *dy, cconv_real *dweight, cconv_real *dbias,
                         void *scratch)
{
    struct grad g = plan_grad(p, batch);

    g.context = context;
    g.dy = dy;
    g.sums = scratch;
    g.run = (cconv_real *)(void *)((char *)scratch + sums_bytes(&g));
    g.taps = (double *)(void *)((char *)g.run + run_bytes(&g));
    g.dweight = dweight;
    g.dbias = dbias;
    cconv_parallel_run(&context->parallel, row_task, &g, g.tasks);
    cconv_parallel_run(&context->parallel, slice_task, &g, (g.row.values + SLICE - 1) / SLICE);
    cconv_parallel_run(&context->parallel, finish_task, &g,
                       (p->channels + CHANNELS - 1) / CHANNELS);
}
