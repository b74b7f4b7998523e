/* SPDX-License-Identifier: BSD-2-Clause
 *
 * corr_winograd_grad.c - gradients of the weights by Winograd's transforms.
 *
 * Inputs and output gradients of a chunk of tiles are spread to planes; a plane
 * of the transformed gradient is the product of the two, summed over tiles by the
 * panel kernels, and is transformed back once all tiles are in. The transformed
 * gradient is cut into pieces, some input channels by one panel of outputs, so
 * that a piece stays in cache while all planes of it are summed.
 *
 * Where all tiles are one chunk, a piece is finished at once, and its memory used
 * again. Where the sum is small against the tiles, partial sums of it, a number that depends
 * on shapes alone, each take their chunks on one thread. Where it is not, there
 * is one sum, and a chunk is spread and multiplied by all threads together.
 */
#include <string.h>

#include "base/checked.h"
#include "kernels/stream.h"
#include "ops/corr_winograd.h"

enum {
    BLOCK_BYTES = 640 * 1024,        /* planes of a chunk of one thread */
    CHUNK_BYTES = 16 * 1024 * 1024,  /* planes of a chunk of all threads */
    PARTIAL_BYTES = 8 * 1024 * 1024, /* all partial sums */
    MOST_PARTIALS = 16,
    LEAST_PARTIALS = 4,
    LEAST_CHUNKS = 8, /* of a partial sum: for less, clearing and adding it costs too much */
    STREAM_BYTES = 2 * 1024 * 1024, /* a gradient that is not found in a cache again */
    PIECE_CHANNELS = 48,
    GROUP = 8, /* tiles a task spreads */
    PAD = 16   /* elements between planes, as in corr_winograd.c */
};

struct grad {
    const struct cconv_pass *pass;
    const struct cconv_winograd *kernels;
    cconv_transpose_fn *transpose;
    struct cconv_tiles tiles;
    size_t planes;
    size_t chunk; /* most tiles of a chunk */
    size_t chunks;
    size_t in_plane, out_plane; /* elements between planes of a chunk */
    size_t cuts;                /* pieces along the input channels */
    size_t pieces;
    size_t piece; /* elements of a piece */
    size_t partials;
    const cconv_real *in, *dout;
    cconv_real *dweight;
    size_t weight_s;
    int stream;          /* the gradient is written past the caches */
    size_t slots;        /* pieces under way at once, where each is finished before the next */
    cconv_real *sums;    /* [partials][pieces] or [slots] of [planes][channels of the piece][nr] */
    cconv_real *spread;  /* a chunk's planes, inputs then gradients; one a slot if partials > 1 */
    size_t first, count; /* the chunk under way of all threads: tiles */
};

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* First input channel of cut i. */
static size_t cut_begin(const struct grad *g, size_t i)
{
    return g->pass->in_cg * i / g->cuts;
}

static void plan_chunks(struct grad *g, size_t bytes)
{
    const size_t tile = g->planes * (g->pass->in_cg + g->pass->out_cg) * sizeof(cconv_real);

    g->chunks = CCONV_MAX(ceil_div(g->tiles.count, CCONV_MAX(bytes / tile, 16)), 1);
    g->chunk = ceil_div(g->tiles.count, g->chunks);
    g->in_plane = g->chunk * g->pass->in_cg + PAD;
    g->out_plane = g->chunk * g->pass->out_cg + PAD;
}

static struct grad plan(const coordconv_context *context, const struct cconv_pass *p)
{
    struct grad g = { .pass = p,
                      .kernels = cconv_winograd_kernels(context, p),
                      .transpose = context->kernels.transpose,
                      .tiles = cconv_winograd_tiles(p),
                      .planes = cconv_winograd_planes(p) };
    size_t bytes;

    g.cuts = ceil_div(p->in_cg, PIECE_CHANNELS);
    g.pieces = g.cuts * p->panels;
    g.piece = g.planes * ceil_div(p->in_cg, g.cuts) * p->panel->nr;
    bytes = cconv_size_mul(cconv_size_mul(g.pieces, g.piece), sizeof(cconv_real));
    plan_chunks(&g, BLOCK_BYTES);
    g.partials =
        CCONV_MIN(CCONV_MIN(PARTIAL_BYTES / bytes, g.chunks / LEAST_CHUNKS), MOST_PARTIALS);
    g.partials -= g.partials % 2; /* the same for each of two threads */
    if (g.partials < LEAST_PARTIALS) {
        g.partials = 1;
        plan_chunks(&g, CHUNK_BYTES);
        if (g.chunks == 1)
            g.slots = context->parallel.slots;
    }
    return g;
}

static size_t sums_bytes(const struct grad *g)
{
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(g->slots != 0 ? g->slots : g->pieces, g->piece),
                       g->partials * sizeof(cconv_real)));
}

static size_t spread_bytes(const struct grad *g)
{
    return cconv_size_align(
        cconv_size_mul(g->planes * sizeof(cconv_real), g->in_plane + g->out_plane));
}

size_t cconv_winograd_grad_scratch(const coordconv_context *context, const struct cconv_pass *p)
{
    const struct grad g = plan(context, p);
    const size_t slots = g.partials > 1 ? context->parallel.slots : 1;

    return cconv_size_add(sums_bytes(&g), cconv_size_mul(spread_bytes(&g), slots));
}

/* Spread tile `tile` to place `i` of a chunk. */
static void spread_tile(const struct grad *g, size_t tile, size_t i, cconv_real *planes)
{
    const struct cconv_pass *p = g->pass;
    const struct cconv_tile t = cconv_winograd_tile(p, &g->tiles, tile);
    const struct cconv_winograd_spread s = { .channels = p->out_cg,
                                             .x = g->dout + t.n * p->out_image + p->out_first +
                                                  (ptrdiff_t)t.y * p->out_row +
                                                  (ptrdiff_t)t.x * p->out_pixel,
                                             .row = p->out_row,
                                             .pixel = p->out_pixel,
                                             .y1 = (int32_t)CCONV_MIN(p->winograd, p->out_h - t.y),
                                             .x1 = (int32_t)CCONV_MIN(p->winograd, p->out_w - t.x),
                                             .v = planes + g->planes * g->in_plane + i * p->out_cg,
                                             .plane = (ptrdiff_t)g->out_plane };

    cconv_winograd_spread_input(p, g->kernels, &t, g->in, planes + i * p->in_cg, g->in_plane);
    g->kernels->gradient(&s);
}

/* Add a chunk's products to a piece. */
static void add_piece(const struct grad *g, size_t piece, size_t tiles, const cconv_real *planes,
                      cconv_real *sum)
{
    static const ptrdiff_t zero = 0;
    const struct cconv_pass *p = g->pass;
    const size_t nr = p->panel->nr, first = piece / g->cuts * nr;
    const size_t begin = cut_begin(g, piece % g->cuts);
    const size_t channels = cut_begin(g, piece % g->cuts + 1) - begin;
    struct cconv_panel_grad call = { .rows = 1,
                                     .pixels = tiles,
                                     .channels = CCONV_MIN(nr, p->out_cg - first),
                                     .segments = 1,
                                     .segment_length = channels,
                                     .offset = &zero,
                                     .a_stride = (ptrdiff_t)p->in_cg,
                                     .g_stride = (ptrdiff_t)p->out_cg };

    for (size_t plane = 0; plane < g->planes; plane++) {
        call.a = planes + plane * g->in_plane + begin;
        call.g = planes + g->planes * g->in_plane + plane * g->out_plane + first;
        call.w = sum + plane * channels * nr;
        p->panel->grad(&call);
    }
}

/* Transform a piece back, in place, and put it where the weights' layout wants it. */
static void finish_piece(const struct grad *g, size_t piece, cconv_real *sum)
{
    const struct cconv_pass *p = g->pass;
    const size_t nr = p->panel->nr, first = piece / g->cuts * nr;
    const size_t begin = cut_begin(g, piece % g->cuts);
    const size_t channels = cut_begin(g, piece % g->cuts + 1) - begin;
    const size_t plane = channels * nr;
    const struct cconv_winograd_join taps = { .channels = plane,
                                              .v = sum,
                                              .plane = (ptrdiff_t)plane,
                                              .rows = 3,
                                              .columns = 3,
                                              .c = sum,
                                              .row = (ptrdiff_t)(3 * plane),
                                              .pixel = (ptrdiff_t)plane };
    const size_t columns = CCONV_MIN(nr, p->out_cg - first);
    struct cconv_transpose kernels = { .outer = channels,
                                       .inner = 9,
                                       .columns = columns,
                                       .from = sum,
                                       .from_outer = nr,
                                       .from_inner = plane,
                                       .to = g->dweight + first * g->weight_s + begin * 9,
                                       .to_stride = g->weight_s };
    cconv_real *to = kernels.to;

    g->kernels->filter_gradient(&taps);
    if (!g->stream || nr % 2 != 0) {
        g->transpose(&kernels);
        return;
    }
    /* The planes behind the nine have room for half of them. */
    kernels.to = sum + 9 * plane;
    kernels.to_stride = channels * 9;
    for (size_t o = 0; o < columns; o += nr / 2, kernels.from += nr / 2) {
        kernels.columns = CCONV_MIN(nr / 2, columns - o);
        g->transpose(&kernels);
        for (size_t k = 0; k < kernels.columns; k++, to += g->weight_s)
            cconv_stream_copy(channels * 9, kernels.to + k * kernels.to_stride, to);
    }
}

/* Where a piece of a partial sum is kept. */
static cconv_real *piece_sum(const struct grad *g, size_t partial, size_t piece)
{
    return g->sums + (partial * g->pieces + piece) * g->piece;
}

static void partial_task(void *arg, size_t partial, size_t slot)
{
    const struct grad *g = arg;
    cconv_real *planes = g->spread + slot * (spread_bytes(g) / sizeof(cconv_real));
    const size_t end = g->chunks * (partial + 1) / g->partials;

    memset(piece_sum(g, partial, 0), 0, g->pieces * g->piece * sizeof(cconv_real));
    for (size_t chunk = g->chunks * partial / g->partials; chunk < end; chunk++) {
        const size_t first = g->tiles.count * chunk / g->chunks;
        const size_t count = g->tiles.count * (chunk + 1) / g->chunks - first;

        for (size_t i = 0; i < count; i++)
            spread_tile(g, first + i, i, planes);
        for (size_t piece = 0; piece < g->pieces; piece++)
            add_piece(g, piece, count, planes, piece_sum(g, partial, piece));
    }
}

static void finish_task(void *arg, size_t piece, size_t slot)
{
    const struct grad *g = arg;
    cconv_real *sum = piece_sum(g, 0, piece);

    (void)slot;
    for (size_t i = 1; i < g->partials; i++) {
        const cconv_real *other = piece_sum(g, i, piece);

        for (size_t k = 0; k < g->piece; k++)
            sum[k] += other[k];
    }
    finish_piece(g, piece, sum);
}

static void spread_task(void *arg, size_t task, size_t slot)
{
    const struct grad *g = arg;
    const size_t end = CCONV_MIN((task + 1) * GROUP, g->count);

    (void)slot;
    for (size_t i = task * GROUP; i < end; i++)
        spread_tile(g, g->first + i, i, g->spread);
}

static void piece_task(void *arg, size_t piece, size_t slot)
{
    const struct grad *g = arg;
    cconv_real *sum = piece_sum(g, 0, g->slots != 0 ? slot : piece);

    if (g->first == 0)
        memset(sum, 0, g->piece * sizeof *sum);
    add_piece(g, piece, g->count, g->spread, sum);
    if (g->first + g->count == g->tiles.count)
        finish_piece(g, piece, sum);
}

void cconv_winograd_grad(coordconv_context *context, const struct cconv_pass *p, size_t weight_s,
                         const cconv_real *in, const cconv_real *dout, cconv_real *dweight,
                         void *scratch)
{
    struct grad g = plan(context, p);

    g.in = in;
    g.dout = dout;
    g.dweight = dweight;
    g.weight_s = weight_s;
    g.stream = p->out_cg * weight_s > STREAM_BYTES / sizeof *dweight;
    g.sums = scratch;
    g.spread = (cconv_real *)(void *)((char *)scratch + sums_bytes(&g));
    if (g.partials > 1) {
        cconv_parallel_run(&context->parallel, partial_task, &g, g.partials);
        cconv_parallel_run(&context->parallel, finish_task, &g, g.pieces);
        return;
    }
    for (size_t chunk = 0; chunk < g.chunks; chunk++) {
        g.first = g.tiles.count * chunk / g.chunks;
        g.count = g.tiles.count * (chunk + 1) / g.chunks - g.first;
        cconv_parallel_run(&context->parallel, spread_task, &g, ceil_div(g.count, GROUP));
        cconv_parallel_run(&context->parallel, piece_task, &g, g.pieces);
    }
}
