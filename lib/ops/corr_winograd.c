/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr_winograd.c - a pass by Winograd's transforms.
 *
 * A task is a block of tiles, taken from the whole batch as one row, and as a
 * rule all output channels; where there are few tiles, some of the panels. Its
 * inputs are spread to planes, each plane is multiplied by its weights with the
 * panel kernels (a plane is a 1x1 convolution of the block's tiles), and the
 * products are joined to outputs. The planes of a block stay in the core's
 * second-level cache.
 */
#include "ops/corr_winograd.h"

#include <assert.h>

#include "base/checked.h"

enum {
    BLOCK_BYTES = 300 * 1024, /* planes of a block */
    LEAST_TILES = 16,         /* of a block: what a panel of weights is fetched for */
    LEAST_TASKS = 8,
    LEAST_PANELS = 2, /* of a task: each spreads the block's inputs anew */
    EVEN_BLOCKS = 16,
    PANEL_TILES = 12, /* what the widest panels take at once */
    LINE = 64,        /* bytes of a cache line */
    PAD = 16, /* elements between planes, or their tiles would meet in the same cache sets */
    CACHED_WEIGHTS = 1024 * 1024 /* bytes of transformed weights a core keeps */
};

/* Nanoseconds, as the costs of kernels, to fetch a byte of weights that is not kept. */
#define FETCH_COST 0.012F

/* What tiles have to gain to be worth their rounding. */
#define WORTH 0.95F

/* The taps may be some of a larger kernel. */
static int fits(const struct cconv_pass *p)
{
    return p->taps[0] == 3 && p->taps[1] == 3 && p->step[0] == 1 && p->step[1] == 1 &&
           p->dilation[0] == 1 && p->dilation[1] == 1 && p->groups == 1 && !p->depth;
}

static float panels_cost(const struct cconv_panel *panel, size_t channels, size_t products)
{
    const size_t panels = (channels + panel->nr - 1) / panel->nr;

    return (float)panels * (panel->pixel_cost + panel->product_cost * (float)products);
}

/* Taps inside of all output rows: for each tap, the outputs that find a row there. */
static int64_t taps_inside(const struct cconv_pass *p)
{
    int64_t sum = 0;

    for (int64_t tap = 0; tap < p->taps[0]; tap++) {
        const int64_t first = p->pad[0] - tap;
        const int64_t end = CCONV_MIN(first + (int64_t)p->in_h, (int64_t)p->out_h);

        sum += CCONV_MAX(end - CCONV_MAX(first, 0), 0);
    }
    return sum;
}

/* Time of one image. Not of the batch: how a batch is cut must not change the bits. */
static float direct_cost(const struct cconv_pass *p)
{
    return (float)p->out_w * (float)taps_inside(p) / 3 *
           panels_cost(p->panel, p->out_cg, 9 * p->in_cg);
}

static float winograd_cost(const struct cconv_pass *p, const struct cconv_winograd *k,
                           const struct cconv_panel *panel)
{
    const size_t tiles = ((p->out_h + k->m - 1) / k->m) * ((p->out_w + k->m - 1) / k->m);
    const float planes = (float)((k->m + 2) * (k->m + 2));
    const float weights = planes * (float)p->in_cg * (float)p->out_cg * (float)sizeof(cconv_real);
    const float fetched = weights > CACHED_WEIGHTS ? weights - CACHED_WEIGHTS : 0;

    return (float)tiles * (planes * panels_cost(panel, p->out_cg, p->in_cg) +
                           k->input_cost * (float)p->in_cg + k->output_cost * (float)p->out_cg) +
           fetched * FETCH_COST;
}

void cconv_winograd_choose(const coordconv_context *context, struct cconv_pass *p)
{
    const struct cconv_winograd_kernels *k = &context->kernels.winograd;
    const int32_t wanted = context->winograd;
    const struct cconv_panel *panel;
    float best, cost2, cost4;

    p->winograd = 0;
    if (!fits(p) || wanted == 0)
        return;
    panel = cconv_panel_choose_ungrouped(&context->kernels.conv, p->out_cg, p->in_cg);
    if (p->plane * panel->nr > CCONV_TURNED) /* pack_task wants it turned */
        return;
    best = WORTH * direct_cost(p);
    cost2 = winograd_cost(p, &k->f2, panel);
    cost4 = winograd_cost(p, &k->f4, panel);
    if (wanted != CCONV_WINOGRAD_BY_COST)
        p->winograd = (size_t)wanted;
    else if (CCONV_MIN(cost2, cost4) < best)
        p->winograd = cost4 <= cost2 ? 4 : 2;
    if (p->winograd == 0)
        return;
    p->panel = panel;
    p->panels = (p->out_cg + panel->nr - 1) / panel->nr;
}

size_t cconv_winograd_planes(const struct cconv_pass *p)
{
    return (p->winograd + 2) * (p->winograd + 2);
}

const struct cconv_winograd *cconv_winograd_kernels(const coordconv_context *context,
                                                    const struct cconv_pass *p)
{
    const struct cconv_winograd_kernels *k = &context->kernels.winograd;

    return p->winograd == 2 ? &k->f2 : &k->f4;
}

struct cconv_tiles cconv_winograd_tiles(const struct cconv_pass *p)
{
    struct cconv_tiles t = { .down = (p->out_h + p->winograd - 1) / p->winograd,
                             .across = (p->out_w + p->winograd - 1) / p->winograd };

    t.count = p->batch * t.down * t.across;
    return t;
}

struct cconv_tile cconv_winograd_tile(const struct cconv_pass *p, const struct cconv_tiles *t,
                                      size_t i)
{
    return (struct cconv_tile){ .n = i / t->across / t->down,
                                .y = i / t->across % t->down * p->winograd,
                                .x = i % t->across * p->winograd };
}

/* Clip a tile of `size` pixels that begins at `first` to an axis of `extent`. */
static void clip(int64_t first, size_t size, size_t extent, int32_t *begin, int32_t *end)
{
    const int64_t from = CCONV_MIN(CCONV_MAX(-first, 0), (int64_t)size);
    const int64_t to = CCONV_MIN((int64_t)extent - first, (int64_t)size);

    *begin = (int32_t)from;
    *end = (int32_t)CCONV_MAX(to, from);
}

void cconv_winograd_spread_input(const struct cconv_pass *p, const struct cconv_winograd *k,
                                 const struct cconv_tile *tile, const cconv_real *in, cconv_real *v,
                                 size_t plane)
{
    const int64_t y = (int64_t)tile->y - p->pad[0], x = (int64_t)tile->x - p->pad[1];
    struct cconv_winograd_spread s = {
        .channels = p->in_cg,
        .x = in +
             (((int64_t)tile->n * (int64_t)p->in_h + y) * (int64_t)p->in_w + x) * (int64_t)p->in_c,
        .row = (ptrdiff_t)(p->in_w * p->in_c),
        .pixel = (ptrdiff_t)p->in_c,
        .v = v,
        .plane = (ptrdiff_t)plane
    };

    clip(y, k->m + 2, p->in_h, &s.y0, &s.y1);
    clip(x, k->m + 2, p->in_w, &s.x0, &s.x1);
    k->input(&s);
}

/* How a pass is cut up. */
struct cut {
    struct cconv_tiles tiles;
    size_t block; /* most tiles of a block */
    size_t blocks;
    size_t splits;              /* parts of a block, each with some of the panels */
    size_t in_plane, out_plane; /* elements */
};

static struct cut cut_pass(const struct cconv_pass *p)
{
    const size_t channels = p->in_cg + p->out_cg;
    const size_t fit = BLOCK_BYTES / (cconv_winograd_planes(p) * channels * sizeof(cconv_real));
    struct cut c = { .tiles = cconv_winograd_tiles(p) };

    c.blocks = (c.tiles.count + CCONV_MAX(fit, LEAST_TILES) - 1) / CCONV_MAX(fit, LEAST_TILES);
    c.block = (c.tiles.count + c.blocks - 1) / c.blocks;
    if (c.block > PANEL_TILES && c.block % PANEL_TILES - 1 < 2) /* two short ones otherwise */
        c.blocks++;
    if (c.blocks > 1 && c.blocks < EVEN_BLOCKS) /* the same for each of two threads */
        c.blocks += c.blocks % 2;
    c.block = (c.tiles.count + c.blocks - 1) / c.blocks;
    c.splits = CCONV_MIN(LEAST_TASKS / c.blocks, p->panels / LEAST_PANELS);
    c.splits = CCONV_MAX(c.splits, 1);
    c.in_plane = cconv_size_mul(c.block, p->in_cg) + PAD;
    c.out_plane = cconv_size_mul(c.block, p->out_cg) + PAD;
    return c;
}

static size_t slot_bytes(const struct cconv_pass *p, const struct cut *c)
{
    return cconv_size_align(
        cconv_size_mul(cconv_winograd_planes(p) * sizeof(cconv_real), c->in_plane + c->out_plane));
}

size_t cconv_winograd_packed(const struct cconv_pass *p)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(cconv_winograd_planes(p), p->panels),
                       cconv_size_mul(p->in_cg * p->panel->nr, sizeof(cconv_real))));
}

size_t cconv_winograd_scratch(const coordconv_context *context, const struct cconv_pass *p)
{
    const struct cut c = cut_pass(p);

    return cconv_size_mul(slot_bytes(p, &c), context->parallel.slots);
}

struct packing {
    const coordconv_context *context;
    const struct cconv_pass *pass;
    const struct cconv_winograd *kernels;
    const struct cconv_weight_strides *strides;
    const cconv_real *weight, *scale;
    cconv_real *packed;
};

/* count rows of nr weights. */
static void scale_taps(cconv_real *to, size_t count, const cconv_real *scale, size_t channels,
                       size_t nr)
{
    for (size_t i = 0; i < count; i++, to += nr) {
        for (size_t o = 0; o < channels; o++)
            to[o] *= scale[o];
    }
}

/* One panel. */
static void pack_task(void *arg, size_t task, size_t slot)
{
    const struct packing *k = arg;
    const struct cconv_pass *p = k->pass;
    const size_t nr = p->panel->nr, channels = CCONV_MIN(nr, p->out_cg - task * nr);
    const int64_t kernel_w = (int64_t)k->strides->kernel_w;
    const int64_t tap0 = p->tap_first[0] * kernel_w + p->tap_first[1];
    cconv_real room[CCONV_TURNED];
    struct cconv_winograd_spread filter = { .channels = nr,
                                            .row = (ptrdiff_t)(kernel_w * p->tap_step[0] *
                                                               (int64_t)nr),
                                            .pixel = (ptrdiff_t)(p->tap_step[1] * (int64_t)nr),
                                            .y1 = 3,
                                            .x1 = 3,
                                            .v = k->packed + task * p->in_cg * nr,
                                            .plane = (ptrdiff_t)(p->panels * p->in_cg * nr) };

    (void)slot;
    for (size_t i = 0; i < p->in_cg;) {
        const struct cconv_weight_view v = cconv_pass_turn(
            k->context, p, k->strides, k->weight + task * nr * k->strides->out, channels, i, room);

        assert(v.values == room);
        if (k->scale != NULL)
            scale_taps(room, v.inputs * v.in / nr, k->scale + task * nr, channels, nr);
        for (size_t end = i + v.inputs; i < end; i++, filter.v += nr) {
            filter.x = v.values + (i + v.inputs - end) * v.in + (size_t)tap0 * nr;
            k->kernels->filter(&filter);
        }
    }
}

/* Packed: [planes][panels][in_cg][nr]. */
void cconv_winograd_pack(coordconv_context *context, const struct cconv_pass *p,
                         const struct cconv_weight_strides *s, const cconv_real *weight,
                         const cconv_real *scale, void *packed)
{
    struct packing k = { context, p, cconv_winograd_kernels(context, p), s, weight, scale, packed };

    cconv_pass_pack(context, p, pack_task, &k, p->panels);
}

struct run {
    const struct cconv_pass_run *r;
    const struct cconv_winograd *kernels;
    struct cut cut;
    const cconv_real *weights;
    int stream;
    size_t threads; /* that share the blocks: each takes about every so many-th */
};

/* One plane of a block, one panel. */
static void multiply(const struct run *w, size_t plane, size_t panel, size_t tiles,
                     const cconv_real *v, cconv_real *product, size_t stride)
{
    static const ptrdiff_t zero = 0;
    const struct cconv_pass *p = w->r->pass;
    const size_t nr = p->panel->nr;
    const struct cconv_panel_forward call = { .pixels = tiles,
                                              .channels = CCONV_MIN(nr, p->out_cg - panel * nr),
                                              .segments = 1,
                                              .segment_length = p->in_cg,
                                              .offset = &zero,
                                              .a = v,
                                              .a_stride = (ptrdiff_t)p->in_cg,
                                              .b = w->weights +
                                                   (plane * p->panels + panel) * p->in_cg * nr,
                                              .c = product,
                                              .c_stride = (ptrdiff_t)stride };

    p->panel->forward(&call);
}

/* Where in a tile the formula of the starts holds. */
static void start_affine(const struct cconv_pass *p, const struct cconv_corr_affine *a,
                         const struct cconv_tile *t, size_t first, struct cconv_winograd_join *j)
{
    j->base = a->base + first;
    j->down = a->down + first;
    j->right = a->right + first;
    j->row0 = (cconv_real)t->y;
    j->column0 = (cconv_real)t->x;
    clip((int64_t)t->y - (int64_t)a->y0, p->winograd, a->y1 - a->y0, &j->ay0, &j->ay1);
    clip((int64_t)t->x - (int64_t)a->x0, p->winograd, a->x1 - a->x0, &j->ax0, &j->ax1);
}

/* Join output channels first .. first + channels - 1 of a tile. */
static void join(const struct run *w, size_t tile, size_t first, size_t channels,
                 const cconv_real *product)
{
    const struct cconv_pass_run *r = w->r;
    const struct cconv_pass *p = r->pass;
    const size_t m = p->winograd;
    const struct cconv_tile t = cconv_winograd_tile(p, &w->cut.tiles, tile);
    const ptrdiff_t at = p->out_first + (ptrdiff_t)t.y * p->out_row +
                         (ptrdiff_t)t.x * p->out_pixel + (ptrdiff_t)first;
    const size_t in_batch = t.n * p->out_image;
    struct cconv_winograd_join j = { .channels = channels,
                                     .v = product,
                                     .plane = (ptrdiff_t)w->cut.out_plane,
                                     .rows = (int32_t)CCONV_MIN(m, p->out_h - t.y),
                                     .columns = (int32_t)CCONV_MIN(m, p->out_w - t.x),
                                     .add =
                                         r->init.add == NULL ? NULL : r->init.add + in_batch + at,
                                     .c = r->out + in_batch + at,
                                     .row = p->out_row,
                                     .pixel = p->out_pixel,
                                     .stream = w->stream,
                                     .act = r->act,
                                     .slope = r->slope };

    if (r->init.values != NULL)
        j.init = r->init.values + (r->init.is_map ? at : (ptrdiff_t)first);
    if (r->init.is_map) {
        j.init_row = p->out_row;
        j.init_pixel = p->out_pixel;
    }
    if (r->init.affine != NULL)
        start_affine(p, r->init.affine, &t, first, &j);
    w->kernels->output(&j);
}

/* Memory that is wanted soon. */
struct ahead {
    const char *at;
    size_t lines, step; /* left, and at a time */
};

/* The input rows of a block: asked for while the block before it is multiplied,
 * when memory has nothing else to do. */
static struct ahead block_ahead(const struct run *w, size_t block)
{
    const struct cconv_pass *p = w->r->pass;
    const struct cut *c = &w->cut;
    struct ahead a = { .lines = 0 };

    if (block >= c->blocks)
        return a;
    const struct cconv_tile first =
        cconv_winograd_tile(p, &c->tiles, c->tiles.count * block / c->blocks);
    const struct cconv_tile last =
        cconv_winograd_tile(p, &c->tiles, c->tiles.count * (block + 1) / c->blocks - 1);
    const size_t rows = p->batch * p->in_h, row = p->in_w * p->in_c;
    const size_t begin = CCONV_MIN(first.n * p->in_h + first.y, rows);
    const size_t end = CCONV_MIN(last.n * p->in_h + last.y + p->winograd, rows);

    a.at = (const char *)(w->r->in + begin * row);
    a.lines = (end - begin) * row * sizeof(cconv_real) / LINE;
    a.step = a.lines / cconv_winograd_planes(p) + 1;
    return a;
}

static void fetch(struct ahead *a)
{
    const size_t count = CCONV_MIN(a->step, a->lines);

    for (size_t i = 0; i < count; i++)
        CCONV_PREFETCH(a->at + i * LINE);
    a->at += count * LINE;
    a->lines -= count;
}

static void run_part(void *arg, size_t part, size_t slot)
{
    const struct run *w = arg;
    const struct cconv_pass *p = w->r->pass;
    const struct cut *c = &w->cut;
    const size_t block = part / c->splits, split = part % c->splits;
    const size_t tile0 = c->tiles.count * block / c->blocks;
    const size_t tiles = c->tiles.count * (block + 1) / c->blocks - tile0;
    const size_t panel0 = p->panels * split / c->splits;
    const size_t panel1 = p->panels * (split + 1) / c->splits;
    const size_t first = panel0 * p->panel->nr;
    const size_t channels = CCONV_MIN(panel1 * p->panel->nr, p->out_cg) - first;
    cconv_real *v = (cconv_real *)(void *)((char *)w->r->scratch + slot * slot_bytes(p, c));
    cconv_real *product = v + cconv_winograd_planes(p) * c->in_plane;

    for (size_t i = 0; i < tiles; i++) {
        const struct cconv_tile tile = cconv_winograd_tile(p, &c->tiles, tile0 + i);

        cconv_winograd_spread_input(p, w->kernels, &tile, w->r->in, v + i * p->in_cg, c->in_plane);
    }
    struct ahead ahead = block_ahead(w, block + w->threads);

    for (size_t plane = 0; plane < cconv_winograd_planes(p); plane++) {
        fetch(&ahead);
        for (size_t panel = panel0; panel < panel1; panel++)
            multiply(w, plane, panel, tiles, v + plane * c->in_plane,
                     product + plane * c->out_plane + (panel - panel0) * p->panel->nr, channels);
    }
    for (size_t i = 0; i < tiles; i++)
        join(w, tile0 + i, first, channels, product + i * channels);
}

void cconv_winograd_run(coordconv_context *context, const struct cconv_pass_run *r,
                        const void *packed)
{
    struct run w = { .r = r,
                     .kernels = cconv_winograd_kernels(context, r->pass),
                     .cut = cut_pass(r->pass),
                     .weights = packed,
                     .stream = cconv_pass_streams(r->pass, r->out),
                     .threads = context->parallel.slots };

    cconv_parallel_run(&context->parallel, run_part, &w, w.cut.blocks * w.cut.splits);
}
