/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/corr_winograd.h"

#include <string.h>

#include "base/checked.h"

/* A block's input should stay in a core's second-level cache, with room for weights. */
enum {
    BLOCK_BYTES = 192 * 1024,
    LINE_PIXELS = 480,
    LEAST_BLOCKS = 8,
    LEAST_PACKED = 64 * 1024,        /* weights worth waking a thread for */
    STREAM_BYTES = 12 * 1024 * 1024, /* an image batch that no cache of a core or two holds */
    STREAM_ALIGN = 64
};

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Rows a task takes: as many as the cache holds, but enough tasks for all threads. */
static void choose_blocks(struct cconv_pass *p, size_t products)
{
    const size_t row_bytes = CCONV_MAX(p->row * sizeof(cconv_real) * (size_t)p->step[0], 1);
    const size_t fit = CCONV_MAX(BLOCK_BYTES / row_bytes, 1);
    const size_t spread = ceil_div(p->batch * p->out_h, LEAST_BLOCKS);
    size_t parts = p->lines ? CCONV_MAX(ceil_div(p->out_w, LINE_PIXELS), 1) : 1;

    if (parts > 1) /* of one size, and the same number for each of two threads */
        parts += p->batch * parts % 2;
    p->block_w = ceil_div(p->out_w, parts);
    p->block_h = CCONV_MAX(CCONV_MIN(CCONV_MIN(fit, spread), p->out_h), 1);
    p->block_work = p->block_h * p->block_w * CCONV_MAX(products, 1) * p->out_cg * p->groups;
}

void cconv_pass_shorten_blocks(struct cconv_pass *p)
{
    const size_t row_bytes =
        (p->row * (size_t)p->step[0] + p->out_w * p->out_c) * sizeof(cconv_real);
    const size_t fit = CCONV_MAX(2 * BLOCK_BYTES / CCONV_MAX(row_bytes, 1), 1);

    p->block_work = p->block_work / p->block_h * CCONV_MIN(p->block_h, fit);
    p->block_h = CCONV_MIN(p->block_h, fit);
}

/* With one tap and nothing skipped, rows and columns are one long line of pixels. */
static void join_rows(struct cconv_pass *p)
{
    const int pointwise = p->taps[0] == 1 && p->taps[1] == 1 && p->step[0] == 1 &&
                          p->step[1] == 1 && p->pad[0] == 0 && p->pad[1] == 0 &&
                          p->in_h == p->out_h && p->in_w == p->out_w &&
                          p->out_row == p->out_pixel * (ptrdiff_t)p->out_w;

    if (!pointwise)
        return;
    p->line_w = p->in_w;
    p->in_w = p->out_w = p->in_h * p->in_w;
    p->in_h = p->out_h = 1;
    p->lines = 1;
}

static void choose(const coordconv_context *context, struct cconv_pass *p)
{
    const int64_t last =
        ((int64_t)p->out_w - 1) * p->step[1] - p->pad[1] + (p->taps[1] - 1) * p->dilation[1];
    const int empty = p->taps[0] <= 0 || p->taps[1] <= 0;

    if (empty)
        p->taps[0] = p->taps[1] = 0;
    p->depth = p->groups > 1 && p->in_cg == 1 && p->out_cg == 1;
    if (p->depth) {
        p->out_cg = p->groups;
        p->groups = 1;
    }
    p->strip = !empty && (p->pad[1] > 0 || last >= (int64_t)p->in_w);
    p->row = p->in_w * p->in_c;
    if (p->strip)
        p->row = (size_t)(last + p->pad[1] + 1) * p->in_c;
    /* Neighbouring taps join into one run where their channels lie side by side. */
    p->segments_y = p->groups == 1 && !p->depth && p->dilation[1] == 1 ? 1 : (size_t)p->taps[1];
    p->segment_length = p->segments_y == 1 ? (size_t)p->taps[1] * p->in_cg : p->in_cg;
    p->panel = p->depth ? &context->kernels.conv.depth
                        : cconv_panel_choose(&context->kernels.conv, p->out_cg,
                                             cconv_pass_offset_count(p), p->segment_length);
    p->panels = ceil_div(p->out_cg, p->panel->nr);
    p->run_weights = cconv_panel_run(p->panel, p->segment_length);
    p->panel_weights = cconv_pass_offset_count(p) * p->run_weights;
    choose_blocks(p, cconv_pass_offset_count(p) * p->segment_length);
    if (p->phase_c == 0)
        cconv_winograd_choose(context, p);
}

static size_t kernel_plane(const struct cconv_corr *c)
{
    return (size_t)c->kernel[0] * (size_t)c->kernel[1];
}

void cconv_pass_gather(const coordconv_context *context, const struct cconv_corr *c,
                       struct cconv_pass *p)
{
    *p = (struct cconv_pass){ .batch = c->batch,
                              .in_h = c->big_h,
                              .in_w = c->big_w,
                              .in_c = c->big_c,
                              .out_h = c->small_h,
                              .out_w = c->small_w,
                              .out_c = c->small_c,
                              .out_row = (ptrdiff_t)(c->small_w * c->small_c),
                              .out_pixel = (ptrdiff_t)c->small_c,
                              .out_image = c->small_h * c->small_w * c->small_c,
                              .groups = c->groups,
                              .in_cg = c->big_c / c->groups,
                              .out_cg = c->small_c / c->groups,
                              .plane = kernel_plane(c) };
    for (int i = 0; i < 2; i++) {
        p->taps[i] = c->kernel[i];
        p->step[i] = c->stride[i];
        p->dilation[i] = c->dilation[i];
        p->pad[i] = c->pad[i];
        p->tap_first[i] = 0;
        p->tap_step[i] = 1;
    }
    join_rows(p);
    choose(context, p);
}

struct cconv_pass cconv_pass_shared(const struct cconv_pass *p, size_t channels)
{
    struct cconv_pass s = *p;

    s.in_c = s.in_cg = channels;
    s.row = p->row / p->in_c * channels;
    s.segment_length = p->segment_length / p->in_cg * channels;
    s.run_weights = cconv_panel_run(p->panel, s.segment_length);
    s.panel_weights = cconv_pass_offset_count(p) * s.run_weights;
    return s;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Big pixel o = t stride + r is reached from small pixel i by tap k where
 * i stride - pad + k dilation = o: for those k with (r + pad - k dilation)
 * divisible by the stride, from i = t + (r + pad - k dilation) / stride. Such k
 * are stride / gcd apart; as k falls, i rises by dilation / gcd. */
static int64_t taps_apart(const struct cconv_corr *c, int axis)
{
    return c->stride[axis] / gcd(c->stride[axis], c->dilation[axis]);
}

int64_t cconv_pass_phases(const struct cconv_corr *c, int axis)
{
    return CCONV_MIN(c->kernel[axis], taps_apart(c, axis));
}

/* The phase of the taps first, first + apart, ...; returns its r. */
static int64_t phase_axis(const struct cconv_corr *c, int axis, int64_t first, struct cconv_pass *p)
{
    const int64_t s = c->stride[axis], d = c->dilation[axis], apart = taps_apart(c, axis);
    const int64_t at = first * d - c->pad[axis], r = at - floor_div(at, s) * s;
    const int64_t count = (c->kernel[axis] - 1 - first) / apart + 1;
    const int64_t last = first + (count - 1) * apart;

    p->taps[axis] = count;
    p->step[axis] = 1;
    p->dilation[axis] = d * apart / s;
    p->tap_first[axis] = last;
    p->tap_step[axis] = -apart;
    p->pad[axis] = -floor_div(r + c->pad[axis] - last * d, s);
    return r;
}

static size_t phase_extent(size_t extent, int32_t stride, int64_t r)
{
    const size_t first = (size_t)r;

    return first < extent ? ceil_div(extent - first, (size_t)stride) : 0;
}

static struct cconv_pass scatter_pass(const struct cconv_corr *c)
{
    return (struct cconv_pass){ .batch = c->batch,
                                .in_h = c->small_h,
                                .in_w = c->small_w,
                                .in_c = c->small_c,
                                .out_h = c->big_h,
                                .out_w = c->big_w,
                                .out_c = c->big_c,
                                .out_row = (ptrdiff_t)(c->big_w * c->big_c),
                                .out_pixel = (ptrdiff_t)c->big_c,
                                .out_image = c->big_h * c->big_w * c->big_c,
                                .groups = c->groups,
                                .in_cg = c->small_c / c->groups,
                                .out_cg = c->big_c / c->groups,
                                .plane = kernel_plane(c) };
}

void cconv_pass_scatter(const coordconv_context *context, const struct cconv_corr *c, int64_t ky,
                        int64_t kx, struct cconv_pass *p)
{
    int64_t ry, rx;

    *p = scatter_pass(c);
    ry = phase_axis(c, 0, ky, p);
    rx = phase_axis(c, 1, kx, p);
    p->out_first = (ptrdiff_t)ry * p->out_row + (ptrdiff_t)rx * p->out_pixel;
    p->out_h = phase_extent(c->big_h, c->stride[0], ry);
    p->out_w = phase_extent(c->big_w, c->stride[1], rx);
    p->out_row *= c->stride[0];
    p->out_pixel *= c->stride[1];
    join_rows(p);
    choose(context, p);
}

int cconv_pass_scatter_merged(const coordconv_context *context, const struct cconv_corr *c,
                              int64_t ky, int rest, struct cconv_pass *p)
{
    const int64_t s = c->stride[1], whole = (int64_t)c->big_w / s;
    const int64_t phases = rest ? (int64_t)c->big_w % s : s;
    /* Big pixel t s + r is reached from small pixel t + i by tap r + pad - i s. */
    const int64_t least = -floor_div(c->kernel[1] - 1 - c->pad[1], s);
    const int64_t most = floor_div(s - 1 + c->pad[1], s);

    *p = scatter_pass(c);
    p->out_first = (ptrdiff_t)phase_axis(c, 0, ky, p) * p->out_row;
    p->out_h = phase_extent(c->big_h, c->stride[0], p->out_first / p->out_row);
    p->out_w = (size_t)(rest ? 1 : whole);
    p->phase_c = p->out_cg;
    p->out_cg *= (size_t)phases;
    p->out_c = p->out_cg;
    p->out_row *= c->stride[0];
    p->out_pixel *= (ptrdiff_t)s;
    p->out_first += rest ? (ptrdiff_t)whole * p->out_pixel : 0;
    p->taps[1] = most - least + 1;
    p->step[1] = p->dilation[1] = 1;
    p->pad[1] = -least - (rest ? whole : 0);
    p->tap_first[1] = c->pad[1] - least * s;
    p->tap_step[1] = -s;
    if (p->out_w == 0 || phases == 0)
        return 0;
    choose(context, p);
    return 1;
}

static float pixel_cost(const struct cconv_pass *p)
{
    return (float)p->panels * (p->panel->pixel_cost +
                               p->panel->product_cost * (float)(p->panel_weights / p->panel->nr));
}

int cconv_pass_merges(const coordconv_context *context, const struct cconv_corr *c)
{
    const int64_t width = cconv_pass_phases(c, 1);
    float merged = 0, apart = 0;
    struct cconv_pass p;

    if (width == 1 || width < c->stride[1] || c->dilation[1] != 1 || c->groups > 1 ||
        c->big_c >= CCONV_CORR_BLOCK)
        return 0;
    for (int64_t ky = 0; ky < cconv_pass_phases(c, 0); ky++) {
        if (!cconv_pass_scatter_merged(context, c, ky, 0, &p))
            return 0;
        merged += pixel_cost(&p);
        for (int64_t kx = 0; kx < width; kx++) {
            cconv_pass_scatter(context, c, ky, kx, &p);
            if (p.winograd != 0)
                return 0;
            apart += pixel_cost(&p);
        }
    }
    return merged < apart;
}

int cconv_pass_reaches(const struct cconv_corr *c, int axis, int64_t r)
{
    for (int64_t k = 0; k < cconv_pass_phases(c, axis); k++) {
        if ((r + c->pad[axis] - k * c->dilation[axis]) % c->stride[axis] == 0)
            return 1;
    }
    return 0;
}

void cconv_pass_empty(const coordconv_context *context, const struct cconv_corr *c, int64_t ry,
                      int64_t rx, struct cconv_pass *p)
{
    *p = scatter_pass(c);
    for (int i = 0; i < 2; i++)
        p->step[i] = p->dilation[i] = 1;
    p->out_first = (ptrdiff_t)ry * p->out_row;
    p->out_h = phase_extent(c->big_h, c->stride[0], ry);
    p->out_row *= c->stride[0];
    if (rx >= 0) {
        p->out_first += (ptrdiff_t)rx * p->out_pixel;
        p->out_w = phase_extent(c->big_w, c->stride[1], rx);
        p->out_pixel *= c->stride[1];
    }
    choose(context, p);
}

size_t cconv_pass_blocks(const struct cconv_pass *p)
{
    if (p->out_h == 0 || p->out_w == 0)
        return 0;
    return p->batch * ceil_div(p->out_h, p->block_h) * ceil_div(p->out_w, p->block_w);
}

struct cconv_block cconv_pass_block(const struct cconv_pass *p, size_t i)
{
    const size_t columns = ceil_div(p->out_w, p->block_w), rows = ceil_div(p->out_h, p->block_h);
    const size_t x = i % columns, y = i / columns % rows;

    return (struct cconv_block){ .n = i / columns / rows,
                                 .y0 = y * p->block_h,
                                 .y1 = CCONV_MIN((y + 1) * p->block_h, p->out_h),
                                 .x0 = x * p->block_w,
                                 .x1 = CCONV_MIN((x + 1) * p->block_w, p->out_w) };
}

/* A core that takes its next task (base/parallel.c) does so by a locked instruction,
 * which also makes what was written past its caches visible. */
int cconv_pass_streams(const struct cconv_pass *p, const cconv_real *out)
{
    const size_t lanes = STREAM_ALIGN / sizeof(cconv_real);

    return p->batch * p->out_image > STREAM_BYTES / sizeof(cconv_real) &&
           p->panel->nr % lanes == 0 && p->out_cg % p->panel->nr == 0 &&
           (size_t)p->out_first % lanes == 0 && (size_t)p->out_pixel % lanes == 0 &&
           (size_t)p->out_row % lanes == 0 && (p->batch == 1 || p->out_image % lanes == 0) &&
           (uintptr_t)out % STREAM_ALIGN == 0;
}

void cconv_pass_pack(coordconv_context *context, const struct cconv_pass *p, cconv_task_fn *pack,
                     void *arg, size_t panels)
{
    if (panels * p->panel_weights > LEAST_PACKED) {
        cconv_parallel_run(&context->parallel, pack, arg, panels);
        return;
    }
    for (size_t i = 0; i < panels; i++)
        pack(arg, i, 0);
}

/* A kernel plane lies together, and planes one behind the other along the inputs or,
 * seen the other way, the outputs. */
struct cconv_weight_view cconv_pass_turn(const coordconv_context *context,
                                         const struct cconv_pass *p,
                                         const struct cconv_weight_strides *s,
                                         const cconv_real *weight, size_t channels, size_t i,
                                         cconv_real room[CCONV_TURNED])
{
    const size_t nr = p->panel->nr, plane = CCONV_MIN(s->in, s->out);
    const size_t fit = CCONV_MIN(CCONV_TURNED / (plane * nr), p->in_cg - i);
    const size_t step = s->in == plane ? fit : 1; /* inputs that are one run of columns */
    struct cconv_transpose t = { .outer = channels,
                                 .inner = 1,
                                 .columns = step * plane,
                                 .from = weight + i * s->in,
                                 .from_outer = s->out,
                                 .to = room,
                                 .to_stride = nr };

    if (s->out == 1 || fit == 0)
        return (struct cconv_weight_view){ t.from, s->out, s->in, 1, p->in_cg - i };
    if (channels < nr)
        memset(room, 0, fit * plane * nr * sizeof *room);
    for (size_t k = 0; k < fit; k += step) {
        context->kernels.transpose(&t);
        t.from += s->in;
        t.to += plane * nr;
    }
    return (struct cconv_weight_view){ room, 1, plane * nr, nr, fit };
}

/* Input rows that outputs y0 .. y1 - 1 reach, whether inside the image or not. */
static size_t rows_reached(const struct cconv_pass *p, size_t outputs)
{
    return (outputs - 1) * (size_t)p->step[0] + (size_t)((p->taps[0] - 1) * p->dilation[0]) + 1;
}

size_t cconv_pass_strip(const struct cconv_pass *p)
{
    if (!p->strip)
        return 0;
    return cconv_size_align(
        cconv_size_mul(cconv_size_mul(rows_reached(p, p->block_h), p->row), sizeof(cconv_real)));
}

size_t cconv_pass_offset_count(const struct cconv_pass *p)
{
    return (size_t)p->taps[0] * p->segments_y;
}

void cconv_pass_offsets(const struct cconv_pass *p, ptrdiff_t *offset)
{
    for (int64_t ky = 0; ky < p->taps[0]; ky++) {
        for (size_t kx = 0; kx < p->segments_y; kx++)
            *offset++ = (ptrdiff_t)((size_t)(ky * p->dilation[0]) * p->row +
                                    kx * (size_t)p->dilation[1] * p->in_c);
    }
}

size_t cconv_pass_place(const struct cconv_pass *p, size_t tap, size_t i)
{
    const size_t k = tap * p->in_cg + i; /* among all products */

    return k / p->segment_length * p->run_weights +
           cconv_panel_place(p->panel, k % p->segment_length, 0);
}

/* One row of the strip: zeros, the pixels that are there, zeros. */
static void copy_row(const struct cconv_pass *p, const cconv_real *image, int64_t y,
                     cconv_real *strip)
{
    const size_t zero = p->pad[1] > 0 ? (size_t)p->pad[1] * p->in_c : 0;
    const size_t skip = p->pad[1] < 0 ? (size_t)-p->pad[1] : 0;
    const size_t left = CCONV_MIN(zero, p->row);
    const size_t there = skip < p->in_w ? (p->in_w - skip) * p->in_c : 0;
    const size_t copied = CCONV_MIN(there, p->row - left);

    memset(strip, 0, left * sizeof *strip);
    memcpy(strip + left, image + ((size_t)y * p->in_w + skip) * p->in_c, copied * sizeof *strip);
    memset(strip + left + copied, 0, (p->row - left - copied) * sizeof *strip);
}

struct cconv_rows cconv_pass_rows(const struct cconv_pass *p, const cconv_real *image,
                                  const struct cconv_block *b, cconv_real *strip)
{
    const int64_t top = (int64_t)b->y0 * p->step[0] - p->pad[0];
    struct cconv_rows rows = { .origin = strip, .first = top };

    if (!p->strip) {
        rows.origin = image - p->pad[1] * (int64_t)p->in_c;
        rows.first = 0;
        return rows;
    }
    for (size_t i = 0; i < rows_reached(p, b->y1 - b->y0); i++) {
        const int64_t y = top + (int64_t)i;

        if (y >= 0 && y < (int64_t)p->in_h)
            copy_row(p, image, y, strip + i * p->row);
    }
    return rows;
}

int64_t cconv_pass_taps_inside(const struct cconv_pass *p, size_t y, int64_t *first)
{
    const int64_t top = (int64_t)y * p->step[0] - p->pad[0], d = p->dilation[0];
    const int64_t begin = top < 0 ? (-top + d - 1) / d : 0;
    const int64_t end = CCONV_MIN(p->taps[0], floor_div((int64_t)p->in_h - 1 - top, d) + 1);

    *first = CCONV_MIN(begin, p->taps[0]);
    return CCONV_MAX(end - *first, 0);
}
