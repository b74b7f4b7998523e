/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr_grad.c - gradients of the weights.
 *
 * The blocks of the gather pass are dealt to a number of partial sums that
 * depends on shapes alone; each partial adds up its blocks in order, and the
 * partials are added in order at the end, so the bits do not depend on threads.
 */
#include <string.h>

#include "base/checked.h"
#include "ops/corr_winograd.h"

/* Partial sums: enough to keep threads busy, few enough to be cheap to clear and add. */
enum {
    MOST_PARTIALS = 16,
    LEAST_TASKS = 8,
    PARTIAL_BYTES = 8 * 1024 * 1024
};

/* The images, or the shared channels. */
struct input {
    struct cconv_pass pass;
    const ptrdiff_t *offset;
    const cconv_real *big;
    size_t image; /* elements from one to the next: 0 where it is shared */
    size_t first; /* channel of the weights */
    size_t at;    /* elements before its part of a panel's sums */
    size_t strip; /* bytes before its strip in a slot's */
};

struct grad {
    struct input input[2];
    size_t inputs;
    const struct cconv_pass *pass; /* of the images */
    cconv_transpose_fn *transpose;
    size_t panels; /* of all groups */
    size_t panel_sums;
    size_t partials;
    size_t splits;    /* tasks that share a partial sum, each with some of the panels */
    size_t finishers; /* tasks that add up the partials */
    size_t blocks;
    size_t panel_bytes, strip_bytes;
    const cconv_real *small;
    char *sums;   /* [partials][panels] packed panels */
    char *strips; /* of each slot */
    const struct cconv_corr *corr;
    cconv_real *dweight;
};

static void add_input(struct grad *g, const struct cconv_pass *p, size_t first)
{
    struct input *in = &g->input[g->inputs++];

    *in =
        (struct input){ .pass = *p, .first = first, .at = g->panel_sums, .strip = g->strip_bytes };
    g->panel_sums = cconv_size_add(g->panel_sums, p->panel_weights);
    g->strip_bytes = cconv_size_add(g->strip_bytes, cconv_pass_strip(p));
}

static void plan_grad(const coordconv_context *context, const struct cconv_corr *c, struct grad *g)
{
    struct cconv_pass pass;
    size_t weights;

    *g = (struct grad){ .corr = c, .transpose = context->kernels.transpose };
    cconv_pass_gather(context, c, &pass);
    if (pass.winograd == 0)
        cconv_pass_shorten_blocks(&pass);
    add_input(g, &pass, 0);
    g->pass = &g->input[0].pass;
    if (pass.winograd != 0)
        return;
    if (c->shared != 0) {
        const struct cconv_pass shared = cconv_pass_shared(&pass, c->shared);

        add_input(g, &shared, c->shared_first);
    }
    g->panels = pass.groups * pass.panels;
    g->blocks = cconv_pass_blocks(&pass);
    g->panel_bytes = cconv_size_align(cconv_size_mul(g->panel_sums, sizeof(cconv_real)));
    weights = CCONV_MAX(cconv_size_mul(g->panel_bytes, g->panels), 1);
    g->partials = CCONV_MAX(CCONV_MIN(PARTIAL_BYTES / weights, MOST_PARTIALS), 1);
    g->partials = CCONV_MIN(g->partials, 1 + g->blocks * pass.block_work / CCONV_LEAST_WORK);
    g->partials = CCONV_MIN(g->partials, CCONV_MAX(g->blocks, 1));
    if (g->partials > 1) /* the same for each of two threads */
        g->partials -= g->partials % 2;
    g->splits = 1;
    if (g->partials < LEAST_TASKS && !pass.depth)
        g->splits = CCONV_MIN(LEAST_TASKS / g->partials, g->panels);
    g->splits =
        CCONV_MIN(g->splits, 1 + g->blocks * pass.block_work / g->partials / CCONV_LEAST_WORK);
    g->finishers = CCONV_MIN(1 + g->partials * weights / CCONV_LEAST_WORK, g->panels);
}

static size_t offsets_bytes(const struct grad *g)
{
    return cconv_size_align(cconv_size_mul(cconv_pass_offset_count(g->pass), sizeof(ptrdiff_t)));
}

static size_t sums_bytes(const struct grad *g)
{
    return cconv_size_mul(cconv_size_mul(g->panel_bytes, g->panels), g->partials);
}

size_t cconv_corr_grad_scratch(const coordconv_context *context, const struct cconv_corr *c)
{
    struct grad g;

    plan_grad(context, c, &g);
    if (g.pass->winograd != 0)
        return cconv_winograd_grad_scratch(context, g.pass);
    return cconv_size_add(
        cconv_size_add(cconv_size_mul(offsets_bytes(&g), g.inputs), sums_bytes(&g)),
        cconv_size_mul(g.strip_bytes, context->parallel.slots));
}

static cconv_real *partial_panel(const struct grad *g, size_t partial, size_t panel)
{
    return (cconv_real *)(void *)(g->sums + (partial * g->panels + panel) * g->panel_bytes);
}

/* Rows y .. y + rows - 1, all with the same taps inside, into one panel. */
static void add_rows(const struct grad *g, const struct input *in, const struct cconv_rows *rows,
                     const struct cconv_block *b, size_t y, size_t count, size_t panel,
                     cconv_real *sum)
{
    const struct cconv_pass *p = &in->pass;
    const size_t nr = p->panel->nr, group = panel / p->panels, first_o = panel % p->panels * nr;
    int64_t tap;
    const int64_t taps = cconv_pass_taps_inside(p, y, &tap);
    const int64_t row = (int64_t)y * p->step[0] - p->pad[0] + tap * p->dilation[0] - rows->first;

    if (taps == 0)
        return;
    const struct cconv_panel_grad call = {
        .rows = count,
        .pixels = b->x1 - b->x0,
        .channels = CCONV_MIN(nr, p->out_cg - first_o),
        .segments = (size_t)taps * p->segments_y,
        .segment_length = p->segment_length,
        .offset = in->offset,
        .a = rows->origin + row * (int64_t)p->row + (int64_t)b->x0 * p->step[1] * (int64_t)p->in_c +
             (int64_t)(p->depth ? first_o : group * p->in_cg),
        .a_row = (ptrdiff_t)((size_t)p->step[0] * p->row),
        .a_stride = (ptrdiff_t)((size_t)p->step[1] * p->in_c),
        .g = g->small + b->n * p->out_image + (ptrdiff_t)y * p->out_row +
             (ptrdiff_t)b->x0 * p->out_pixel + (ptrdiff_t)(group * p->out_cg + first_o),
        .g_row = p->out_row,
        .g_stride = p->out_pixel,
        .w = sum + in->at + (size_t)tap * p->segments_y * p->run_weights
    };
    p->panel->grad(&call);
}

/* Add one block into one panel: rows with all their taps inside go together. */
static void add_block(const struct grad *g, const struct cconv_rows rows[],
                      const struct cconv_block *b, size_t panel, cconv_real *sum)
{
    size_t y = b->y0;

    while (y < b->y1) {
        int64_t tap, next_tap;
        const int64_t taps = cconv_pass_taps_inside(g->pass, y, &tap);
        size_t end = y + 1;

        while (end < b->y1 && cconv_pass_taps_inside(g->pass, end, &next_tap) == taps &&
               next_tap == tap)
            end++;
        for (size_t i = 0; i < g->inputs; i++)
            add_rows(g, &g->input[i], &rows[i], b, y, end - y, panel, sum);
        y = end;
    }
}

static void partial_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;
    const size_t partial = task / g->splits, split = task % g->splits;
    const size_t first = g->panels * split / g->splits, end = g->panels * (split + 1) / g->splits;
    char *const strips = g->strips + slot * g->strip_bytes;

    memset(partial_panel(g, partial, first), 0, (end - first) * g->panel_bytes);
    for (size_t i = g->blocks * partial / g->partials; i < g->blocks * (partial + 1) / g->partials;
         i++) {
        const struct cconv_block b = cconv_pass_block(g->pass, i);
        struct cconv_rows rows[2];

        for (size_t k = 0; k < g->inputs; k++) {
            const struct input *in = &g->input[k];

            rows[k] = cconv_pass_rows(&in->pass, in->big + b.n * in->image, &b,
                                      (cconv_real *)(void *)(strips + in->strip));
        }
        for (size_t panel = first; panel < end; panel++)
            add_block(g, rows, &b, panel, partial_panel(g, partial, panel));
    }
}

/* Put the sums of one panel where the weights' layout wants them. */
static void place_panel(const struct grad *g, const struct input *in, size_t panel,
                        const cconv_real *sum)
{
    const struct cconv_pass *p = &in->pass;
    const size_t nr = p->panel->nr, plane = (size_t)(p->taps[0] * p->taps[1]);
    const size_t first = panel / p->panels * p->out_cg + panel % p->panels * nr;
    const size_t channels = CCONV_MIN(nr, p->out_cg - panel % p->panels * nr);
    cconv_real *const dweight = g->dweight + first * g->corr->weight_s + in->first * plane;

    sum += in->at;
    if (p->panel->group == 1) {
        const struct cconv_transpose kernels = { .outer = p->in_cg,
                                                 .inner = plane,
                                                 .columns = channels,
                                                 .from = sum,
                                                 .from_outer = nr,
                                                 .from_inner = p->in_cg * nr,
                                                 .to = dweight,
                                                 .to_stride = g->corr->weight_s };
        g->transpose(&kernels);
        return;
    }
    for (size_t tap = 0; tap < plane; tap++) {
        for (size_t b = 0; b < p->in_cg; b++) {
            const cconv_real *from = sum + cconv_pass_place(p, tap, b);

            for (size_t o = 0; o < channels; o++)
                dweight[o * g->corr->weight_s + b * plane + tap] = from[o * p->panel->group];
        }
    }
}

/* Add up the partials of one panel and place them. */
static void finish_panel(const struct grad *g, size_t panel)
{
    cconv_real *sum = partial_panel(g, 0, panel);

    for (size_t i = 1; i < g->partials; i++) {
        const cconv_real *other = partial_panel(g, i, panel);

        for (size_t k = 0; k < g->panel_sums; k++)
            sum[k] += other[k];
    }
    for (size_t i = 0; i < g->inputs; i++)
        place_panel(g, &g->input[i], panel, sum);
}

static void finish_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;

    (void)slot;
    for (size_t i = g->panels * task / g->finishers; i < g->panels * (task + 1) / g->finishers; i++)
        finish_panel(g, i);
}

void cconv_corr_grad(coordconv_context *context, const struct cconv_corr *c,
                     const cconv_real *small, const cconv_real *big, cconv_real *dweight,
                     void *scratch)
{
    struct grad g;

    plan_grad(context, c, &g);
    if (g.pass->winograd != 0) {
        cconv_winograd_grad(context, g.pass, c->weight_s, big, small, dweight, scratch);
        return;
    }
    g.small = small;
    g.input[0].big = big;
    g.input[0].image = g.pass->in_h * g.pass->in_w * g.pass->in_c;
    g.input[1].big = c->shared_values;
    g.dweight = dweight;
    g.sums = (char *)scratch + g.inputs * offsets_bytes(&g);
    g.strips = g.sums + sums_bytes(&g);
    for (size_t i = 0; i < g.inputs; i++) {
        ptrdiff_t *const offset = (ptrdiff_t *)(void *)((char *)scratch + i * offsets_bytes(&g));

        cconv_pass_offsets(&g.input[i].pass, offset);
        g.input[i].offset = offset;
    }
    cconv_parallel_run(&context->parallel, partial_task, &g, g.partials * g.splits);
    cconv_parallel_run(&context->parallel, finish_task, &g, g.finishers);
}
