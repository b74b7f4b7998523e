/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/corr.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"
#include "ops/corr_winograd.h"
#include "ops/shared.h"

enum {
    FAR_BYTES = 512 * 1024
};

int cconv_corr_is_far(size_t elements)
{
    return elements > FAR_BYTES / sizeof(cconv_real);
}

static size_t kernel_plane(const struct cconv_corr *c)
{
    return (size_t)c->kernel[0] * (size_t)c->kernel[1];
}

/* Packed: the table of segment offsets, then [groups][panels] panels of weights. */
static size_t offsets_bytes(const struct cconv_pass *p)
{
    return cconv_size_align(cconv_size_mul(cconv_pass_offset_count(p), sizeof(ptrdiff_t)));
}

static size_t own_bytes(const struct cconv_pass *p)
{
    if (p->winograd != 0)
        return cconv_winograd_packed(p);
    const size_t weights = cconv_size_mul(cconv_size_mul(p->groups, p->panels), p->panel_weights);

    return cconv_size_add(offsets_bytes(p),
                          cconv_size_align(cconv_size_mul(weights, sizeof(cconv_real))));
}

/* Behind it the same for the shared channels. */
static size_t packed_bytes(const struct cconv_pass *p, const struct cconv_corr *c)
{
    if (c->shared == 0)
        return own_bytes(p);
    const struct cconv_pass shared = cconv_pass_shared(p, c->shared);

    return cconv_size_add(own_bytes(p), own_bytes(&shared));
}

static void scale_panel(const struct cconv_pass *p, const cconv_real *scale, size_t channels,
                        cconv_real *packed)
{
    const size_t nr = p->panel->nr, group = p->panel->group;

    for (size_t i = 0; i < p->panel_weights; i += nr * group) {
        for (size_t o = 0; o < channels; o++) {
            for (size_t k = 0; k < group; k++)
                packed[i + o * group + k] *= scale[o];
        }
    }
}

struct packing {
    const coordconv_context *context;
    const struct cconv_pass *pass;
    struct cconv_weight_strides strides;
    const cconv_real *weight, *scale;
    cconv_real *panels;
};

/* Channel o of a pass of several phases: zeros where its phase lacks a tap. */
static void pack_merged(const struct packing *k, size_t o, cconv_real *packed)
{
    const struct cconv_pass *p = k->pass;
    const struct cconv_weight_strides *s = &k->strides;
    const int64_t phase = (int64_t)(o / p->phase_c), kernel_w = (int64_t)s->kernel_w;
    const cconv_real factor = k->scale != NULL ? k->scale[o % p->phase_c] : 1;

    for (size_t tap = 0; tap < (size_t)(p->taps[0] * p->taps[1]); tap++) {
        const int64_t ky = (int64_t)tap / p->taps[1], kx = (int64_t)tap % p->taps[1];
        const int64_t wy = p->tap_first[0] + ky * p->tap_step[0];
        const int64_t wx = p->tap_first[1] + kx * p->tap_step[1] + phase;

        if (wx < 0 || wx >= kernel_w)
            continue;
        const cconv_real *w = k->weight + o % p->phase_c * s->out + wy * kernel_w + wx;

        for (size_t i = 0; i < p->in_cg; i++)
            packed[cconv_pass_place(p, tap, i)] = factor * w[i * s->in];
    }
}

/* Inputs of one panel from `first` on. */
static void pack_inputs(const struct packing *k, const struct cconv_weight_view *v, size_t first,
                        size_t channels, cconv_real *packed)
{
    const struct cconv_pass *p = k->pass;
    const size_t group = p->panel->group, taps = (size_t)(p->taps[0] * p->taps[1]);

    for (size_t tap = 0; tap < taps; tap++) {
        const int64_t ky = (int64_t)tap / p->taps[1], kx = (int64_t)tap % p->taps[1];
        const size_t wy = (size_t)(p->tap_first[0] + ky * p->tap_step[0]);
        const size_t wx = (size_t)(p->tap_first[1] + kx * p->tap_step[1]);
        const cconv_real *w = v->values + (wy * k->strides.kernel_w + wx) * v->tap;

        for (size_t i = 0; i < v->inputs; i++) {
            cconv_real *to = packed + cconv_pass_place(p, tap, first + i);

            if (v->out == 1 && group == 1) {
                memcpy(to, w + i * v->in, channels * sizeof *to);
                continue;
            }
            for (size_t o = 0; o < channels; o++)
                to[o * group] = w[o * v->out + i * v->in];
        }
    }
}

/* One panel; zero beyond the channels and products there are. */
static void pack_task(void *arg, size_t task, size_t slot)
{
    const struct packing *k = arg;
    const struct cconv_pass *p = k->pass;
    const size_t group = task / p->panels, o = task % p->panels * p->panel->nr;
    const size_t channels = CCONV_MIN(p->panel->nr, p->out_cg - o);
    cconv_real *packed = k->panels + task * p->panel_weights, room[CCONV_TURNED];

    (void)slot;
    if (channels < p->panel->nr || p->panel->group > 1 || p->phase_c != 0)
        memset(packed, 0, p->panel_weights * sizeof *packed);
    if (p->phase_c != 0) {
        for (size_t i = 0; i < channels; i++)
            pack_merged(k, o + i, packed + i * p->panel->group);
        return;
    }
    for (size_t i = 0; i < p->in_cg;) {
        const struct cconv_weight_view v = cconv_pass_turn(
            k->context, p, &k->strides, k->weight + group * k->strides.group + o * k->strides.out,
            channels, i, room);

        pack_inputs(k, &v, i, channels, packed);
        i += v.inputs;
    }
    if (k->scale != NULL)
        scale_panel(p, k->scale + group * p->out_cg + o, channels, packed);
}

static void pack_own(coordconv_context *context, const struct cconv_pass *p,
                     const struct cconv_weight_strides *s, const cconv_real *weight,
                     const cconv_real *scale, char *packed)
{
    struct packing k = { context, p,     *s,
                         weight,  scale, (cconv_real *)(void *)(packed + offsets_bytes(p)) };

    if (p->winograd != 0) {
        cconv_winograd_pack(context, p, s, weight, scale, packed);
        return;
    }
    if (p->depth) /* groups have become channels */
        k.strides.out = s->group;
    cconv_pass_offsets(p, (ptrdiff_t *)(void *)packed);
    cconv_pass_pack(context, p, pack_task, &k, p->groups * p->panels);
}

static void pack(coordconv_context *context, const struct cconv_pass *p, const struct cconv_corr *c,
                 const struct cconv_weight_strides *s, const cconv_real *weight,
                 const cconv_real *scale, char *packed)
{
    pack_own(context, p, s, weight, scale, packed);
    if (c->shared == 0)
        return;
    const struct cconv_pass shared = cconv_pass_shared(p, c->shared);

    pack_own(context, &shared, s, weight + c->shared_first * s->in, scale, packed + own_bytes(p));
}

/* An input of a pass, its weights, and room for a strip of it in each slot. */
struct input {
    struct cconv_pass pass;
    const ptrdiff_t *offset;
    const cconv_real *weights;
    const cconv_real *in;
    size_t image; /* elements from one to the next: 0 where it is shared */
    size_t strip;
};

/* A pass under way. */
struct run {
    const struct cconv_corr *corr;
    const struct cconv_pass *pass;
    struct input input[2]; /* the images and, if there are any, the shared channels */
    size_t inputs;
    const cconv_real *in;
    struct cconv_corr_init init;
    enum cconv_activation act;
    cconv_real slope;
    cconv_real *out;
    char *scratch;
    int stream;    /* outputs go past the caches */
    int init_far;  /* starts are read from further away */
    size_t strips; /* bytes of a slot's strips */
    size_t splits; /* parts of a block, each with some of the panels */
    size_t parts;  /* of all blocks */
    size_t grain;  /* parts a task takes */
};

/* In the line of all rows either all pixels are affine or none. */
static int line_is_affine(const struct cconv_pass *p, const struct cconv_corr_affine *a)
{
    return a->y0 == 0 && a->y1 * p->line_w >= p->out_w && a->x0 == 0 && a->x1 >= p->line_w;
}

static const cconv_real *block_of(const cconv_real *table, size_t rows, size_t channel)
{
    return table + channel / CCONV_CORR_BLOCK * rows * CCONV_CORR_BLOCK +
           channel % CCONV_CORR_BLOCK;
}

struct cconv_panel_affine cconv_corr_affine_line(const struct cconv_corr_affine *a, size_t channel,
                                                 size_t width, size_t at, size_t pixels)
{
    return (struct cconv_panel_affine){ .base = a->base + channel,
                                        .down = a->down + channel,
                                        .right = a->right + channel,
                                        .rows = block_of(a->rows, a->y1, channel),
                                        .columns = block_of(a->columns, a->period, channel),
                                        .stride = CCONV_CORR_BLOCK,
                                        .period = a->period,
                                        .row = at / width,
                                        .column = at % width,
                                        .width = width,
                                        .end = pixels };
}

/* The affine starts of a block, channels from `channel` on; of its first row unless the rows are
 * one line. */
static struct cconv_panel_affine affine_start(const struct run *r, const struct cconv_block *b,
                                              size_t channel)
{
    const struct cconv_corr_affine *a = r->init.affine;
    const size_t pixels = b->x1 - b->x0;

    if (r->pass->lines)
        return cconv_corr_affine_line(a, channel, r->pass->line_w, b->x0, pixels);
    struct cconv_panel_affine start = cconv_corr_affine_line(a, channel, SIZE_MAX, b->x0, pixels);
    start.begin = CCONV_MAX(a->x0, b->x0) - b->x0;
    start.end = CCONV_MAX(CCONV_MIN(a->x1, b->x1), b->x0) - b->x0;
    return start;
}

static int row_is_affine(const struct run *r, size_t y)
{
    const struct cconv_corr_affine *a = r->init.affine;

    if (a == NULL || r->pass->lines)
        return a != NULL && line_is_affine(r->pass, a);
    return y >= a->y0 && y < a->y1;
}

/* What a call reads, whatever the row: panels from `first` on. */
static void set_inputs(const struct input *in, const struct cconv_rows *rows,
                       const struct cconv_block *b, size_t first, struct cconv_panel_forward *call)
{
    const struct cconv_pass *p = &in->pass;
    const size_t channel = p->depth ? first * p->panel->nr : first / p->panels * p->in_cg;

    call->segment_length = p->segment_length;
    call->offset = in->offset;
    call->a = rows->origin + (int64_t)b->x0 * p->step[1] * (int64_t)p->in_c + (int64_t)channel;
    call->a_stride = (ptrdiff_t)((size_t)p->step[1] * p->in_c);
    call->b = in->weights + first * p->panel_weights;
}

/* Move a call from the block's origin to the taps inside for one row of outputs. */
static void move_inputs(const struct input *in, const struct cconv_rows *rows, size_t y,
                        struct cconv_panel_forward *call)
{
    const struct cconv_pass *p = &in->pass;
    int64_t tap;
    const int64_t taps = cconv_pass_taps_inside(p, y, &tap);
    const int64_t row = (int64_t)y * p->step[0] - p->pad[0] + tap * p->dilation[0] - rows->first;

    call->segments = (size_t)taps * p->segments_y;
    if (taps != 0)
        call->a += row * (int64_t)p->row;
    call->b += (size_t)tap * p->segments_y * p->run_weights;
}

static void run_row(const struct run *r, const struct cconv_rows *rows, size_t y,
                    const struct cconv_panel_forward *calls)
{
    struct cconv_panel_forward call = calls[0];

    move_inputs(&r->input[0], &rows[0], y, &call);
    if (r->inputs == 1) {
        r->pass->panel->forward(&call);
        return;
    }
    struct cconv_panel_forward shared = calls[1];

    move_inputs(&r->input[1], &rows[1], y, &shared);
    cconv_shared_forward(r->pass->panel, &call, &shared);
}

/* A block's rows of outputs of one panel, or with depth of several. */
static void run_panel(const struct run *r, const struct cconv_rows *rows,
                      const struct cconv_block *b, size_t first, size_t panels)
{
    const struct cconv_pass *p = r->pass;
    const size_t first_o = first % p->panels * p->panel->nr;
    const size_t channel = first / p->panels * p->out_cg + first_o;
    const ptrdiff_t at = p->out_first + (ptrdiff_t)b->y0 * p->out_row +
                         (ptrdiff_t)b->x0 * p->out_pixel + (ptrdiff_t)channel;
    const ptrdiff_t image = (ptrdiff_t)(b->n * p->out_image) + at;
    struct cconv_panel_affine affine;
    struct cconv_panel_forward calls[2];
    struct cconv_panel_forward *call = &calls[0];

    *call = (struct cconv_panel_forward){ .pixels = b->x1 - b->x0,
                                          .channels =
                                              CCONV_MIN(panels * p->panel->nr, p->out_cg - first_o),
                                          .b_block = (ptrdiff_t)p->panel_weights,
                                          .init = r->init.values,
                                          .init_stride = r->init.is_map ? p->out_pixel : 0,
                                          .init_far = r->init_far,
                                          .add = r->init.add == NULL ? NULL : r->init.add + image,
                                          .add_stride = p->out_pixel,
                                          .c = r->out + image,
                                          .c_stride = p->out_pixel,
                                          .act = r->act,
                                          .slope = r->slope,
                                          .stream = r->stream };
    if (call->init != NULL)
        call->init += r->init.is_map ? at : (ptrdiff_t)channel;
    if (r->init.affine != NULL)
        affine = affine_start(r, b, channel);
    for (size_t i = 0; i < r->inputs; i++)
        set_inputs(&r->input[i], &rows[i], b, first, &calls[i]);
    for (size_t y = b->y0; y < b->y1; y++) {
        call->affine = row_is_affine(r, y) ? &affine : NULL;
        if (call->affine != NULL && !p->lines)
            affine.row = y;
        run_row(r, rows, y, calls);
        call->c += p->out_row;
        if (call->add != NULL)
            call->add += p->out_row;
        if (r->init.is_map && call->init != NULL)
            call->init += p->out_row;
    }
}

/* Panels outermost: one panel's weights stay in cache over all rows of a block.
 * With depth they are few, and it is the image that should be read in order. */
static void run_part(const struct run *r, size_t block, size_t part, char *strip)
{
    const struct cconv_pass *p = r->pass;
    const struct cconv_block b = cconv_pass_block(p, block);
    const size_t all = p->groups * p->panels;
    const size_t first = all * part / r->splits, end = all * (part + 1) / r->splits;
    const size_t together = p->depth ? end - first : 1;
    struct cconv_rows rows[2];

    for (size_t i = 0; i < r->inputs; i++) {
        const struct input *in = &r->input[i];

        /* A pass without strips has no scratch either. */
        rows[i] = cconv_pass_rows(&in->pass, in->in + b.n * in->image, &b,
                                  in->strip == 0 ? NULL : (cconv_real *)(void *)strip);
        strip += in->strip;
    }
    for (size_t i = first; i < end; i += together)
        run_panel(r, rows, &b, i, together);
}

static void run_task(void *arg, size_t task, size_t slot)
{
    const struct run *r = arg;
    const size_t end = CCONV_MIN((task + 1) * r->grain, r->parts);

    for (size_t i = task * r->grain; i < end; i++)
        run_part(r, i / r->splits, i % r->splits, r->scratch + slot * r->strips);
}

/* Parts of a block when there are few blocks: as many as have work enough. */
static size_t choose_splits(const struct cconv_pass *p, size_t blocks)
{
    const size_t wanted = CCONV_MIN((8 + blocks - 1) / blocks, p->groups * p->panels);

    return CCONV_MAX(CCONV_MIN(wanted, p->block_work / CCONV_LEAST_WORK), 1);
}

static void set_input(struct input *in, const struct cconv_pass *p, const char *packed,
                      const cconv_real *values, size_t image)
{
    *in = (struct input){ .pass = *p,
                          .offset = (const ptrdiff_t *)(const void *)packed,
                          .weights = (const cconv_real *)(const void *)(packed + offsets_bytes(p)),
                          .in = values,
                          .image = image,
                          .strip = cconv_pass_strip(p) };
}

/* Without the shared channels where `shared` is 0. */
static void run(coordconv_context *context, struct run *r, size_t shared, const char *packed)
{
    const struct cconv_pass *p = r->pass;
    const size_t blocks = cconv_pass_blocks(p);

    if (blocks == 0)
        return;
    if (p->winograd != 0) {
        const struct cconv_pass_run w = { p, r->in, r->init, r->act, r->slope, r->out, r->scratch };

        cconv_winograd_run(context, &w, packed);
        return;
    }
    set_input(&r->input[0], p, packed, r->in, p->in_h * p->in_w * p->in_c);
    r->inputs = 1;
    if (shared != 0) {
        const struct cconv_pass second = cconv_pass_shared(p, shared);

        set_input(&r->input[1], &second, packed + own_bytes(p), r->corr->shared_values, 0);
        r->inputs = 2;
    }
    r->strips = r->input[0].strip + (shared != 0 ? r->input[1].strip : 0);
    r->stream = cconv_pass_streams(p, r->out);
    r->init_far = r->init.is_map && r->init.affine == NULL && cconv_corr_is_far(p->out_image);
    r->splits = choose_splits(p, blocks);
    r->parts = blocks * r->splits;
    r->grain = 1 + CCONV_LEAST_WORK / (p->block_work / r->splits + 1);
    cconv_parallel_run(&context->parallel, run_task, r, (r->parts + r->grain - 1) / r->grain);
}

static size_t scratch_bytes(const coordconv_context *context, const struct cconv_pass *p,
                            const struct cconv_corr *c)
{
    size_t strips = cconv_pass_strip(p);

    if (p->winograd != 0)
        return cconv_winograd_scratch(context, p);
    if (c->shared != 0) {
        const struct cconv_pass shared = cconv_pass_shared(p, c->shared);

        strips = cconv_size_add(strips, cconv_pass_strip(&shared));
    }
    return cconv_size_mul(strips, context->parallel.slots);
}

size_t cconv_corr_gather_packed(const coordconv_context *context, const struct cconv_corr *c)
{
    struct cconv_pass p;

    cconv_pass_gather(context, c, &p);
    return packed_bytes(&p, c);
}

size_t cconv_corr_gather_scratch(const coordconv_context *context, const struct cconv_corr *c)
{
    struct cconv_pass p;

    cconv_pass_gather(context, c, &p);
    return scratch_bytes(context, &p, c);
}

void cconv_corr_gather_pack(coordconv_context *context, const struct cconv_corr *c,
                            const cconv_real *weight, const cconv_real *scale, void *packed)
{
    const struct cconv_weight_strides s = { .out = c->weight_s,
                                            .in = kernel_plane(c),
                                            .group = c->small_c / c->groups * c->weight_s,
                                            .kernel_w = (size_t)c->kernel[1] };
    struct cconv_pass p;

    cconv_pass_gather(context, c, &p);
    pack(context, &p, c, &s, weight, scale, packed);
}

void cconv_corr_gather(coordconv_context *context, const struct cconv_corr *c, const void *packed,
                       const cconv_real *big, struct cconv_corr_init init,
                       enum cconv_activation act, cconv_real slope, cconv_real *small,
                       void *scratch)
{
    struct cconv_pass p;
    struct run r = { .corr = c,
                     .pass = &p,
                     .in = big,
                     .init = init,
                     .act = act,
                     .slope = slope,
                     .out = small,
                     .scratch = scratch };

    cconv_pass_gather(context, c, &p);
    run(context, &r, c->shared, packed);
}

/* The phases of a scatter that any tap reaches, one after the other: those of taps
 * 0, 1, ... on each axis, until they come round again. */
struct phases {
    const coordconv_context *context;
    const struct cconv_corr *corr;
    int merged;
    int64_t next;
};

static struct phases all_phases(const coordconv_context *context, const struct cconv_corr *c)
{
    return (struct phases){ context, c, cconv_pass_merges(context, c), 0 };
}

static int next_phase(struct phases *i, struct cconv_pass *p)
{
    const int64_t width = i->merged ? 2 : cconv_pass_phases(i->corr, 1);

    if (i->next >= width * cconv_pass_phases(i->corr, 0))
        return 0;
    if (i->merged) {
        const int64_t next = i->next++;

        return cconv_pass_scatter_merged(i->context, i->corr, next / 2, (int)(next % 2), p) ||
               next_phase(i, p);
    }
    cconv_pass_scatter(i->context, i->corr, i->next / width, i->next % width, p);
    i->next++;
    return 1;
}

size_t cconv_corr_scatter_packed(const coordconv_context *context, const struct cconv_corr *c)
{
    struct phases i = all_phases(context, c);
    struct cconv_pass p;
    size_t sum = 0;

    while (next_phase(&i, &p))
        sum = cconv_size_add(sum, packed_bytes(&p, c));
    return sum;
}

/* The bias of a row of phases. */
static size_t bias_bytes(const struct cconv_corr *c)
{
    return cconv_size_align(cconv_size_mul(c->big_c, (size_t)c->stride[1] * sizeof(cconv_real)));
}

static void repeat_bias(const struct cconv_corr *c, struct run *r)
{
    cconv_real *bias = (cconv_real *)(void *)r->scratch;

    r->scratch += bias_bytes(c);
    if (r->init.values == NULL || r->init.is_map)
        return;
    for (size_t i = 0; i < (size_t)c->stride[1]; i++)
        memcpy(bias + i * c->big_c, r->init.values, c->big_c * sizeof *bias);
    r->init.values = bias;
}

size_t cconv_corr_scatter_scratch(const coordconv_context *context, const struct cconv_corr *c)
{
    struct phases i = all_phases(context, c);
    struct cconv_pass p;
    size_t most = 0;

    while (next_phase(&i, &p))
        most = CCONV_MAX(most, scratch_bytes(context, &p, c));
    return cconv_size_add(most, i.merged ? bias_bytes(c) : 0);
}

void cconv_corr_scatter_pack(coordconv_context *context, const struct cconv_corr *c,
                             const cconv_real *weight, const cconv_real *scale, void *packed)
{
    const struct cconv_weight_strides s = { .out = kernel_plane(c),
                                            .in = c->weight_s,
                                            .group = c->small_c / c->groups * c->weight_s,
                                            .kernel_w = (size_t)c->kernel[1] };
    struct phases i = all_phases(context, c);
    struct cconv_pass p;

    for (char *at = packed; next_phase(&i, &p); at += packed_bytes(&p, c))
        pack(context, &p, c, &s, weight, scale, at);
}

/* What no tap reaches, and nothing besides: what is added may be the output. */
static void run_unreached(coordconv_context *context, const struct cconv_corr *c,
                          const struct run *scatter, const char *packed)
{
    struct cconv_pass p;
    struct run r = *scatter;

    r.pass = &p;
    for (int64_t y = 0; y < c->stride[0]; y++) {
        if (!cconv_pass_reaches(c, 0, y)) {
            cconv_pass_empty(context, c, y, -1, &p);
            run(context, &r, 0, packed);
            continue;
        }
        for (int64_t x = 0; x < c->stride[1]; x++) {
            if (cconv_pass_reaches(c, 1, x))
                continue;
            cconv_pass_empty(context, c, y, x, &p);
            run(context, &r, 0, packed);
        }
    }
}

void cconv_corr_scatter(coordconv_context *context, const struct cconv_corr *c, const void *packed,
                        const cconv_real *small, struct cconv_corr_init init,
                        enum cconv_activation act, cconv_real slope, cconv_real *big, void *scratch)
{
    struct phases i = all_phases(context, c);
    struct cconv_pass p;
    struct run r = { .corr = c,
                     .pass = &p,
                     .in = small,
                     .init = init,
                     .act = act,
                     .slope = slope,
                     .out = big,
                     .scratch = scratch };

    assert(init.affine == NULL || (c->stride[0] == 1 && c->stride[1] == 1 && c->groups == 1));
    if (cconv_pass_phases(c, 0) < c->stride[0] || cconv_pass_phases(c, 1) < c->stride[1])
        run_unreached(context, c, &r, packed);
    if (i.merged)
        repeat_bias(c, &r);
    for (const char *at = packed; next_phase(&i, &p); at += packed_bytes(&p, c))
        run(context, &r, c->shared, at);
}

int cconv_corr_shares(const coordconv_context *context, const struct cconv_corr *c, int scatter)
{
    struct phases i;
    struct cconv_pass p;

    if (!scatter) {
        cconv_pass_gather(context, c, &p);
        return p.winograd == 0;
    }
    i = all_phases(context, c);
    while (next_phase(&i, &p))
        if (p.winograd != 0)
            return 0;
    return 1;
}

int cconv_corr_is_matrix(const struct cconv_corr *c)
{
    for (int i = 0; i < 2; i++) {
        if (c->kernel[i] != 1 || c->stride[i] != 1 || c->pad[i] != 0)
            return 0;
    }
    return c->groups == 1 && c->small_h == c->big_h && c->small_w == c->big_w;
}

size_t cconv_corr_tile(const coordconv_context *context, const struct cconv_corr *c, int scatter)
{
    struct cconv_pass p;

    if (scatter)
        cconv_pass_scatter(context, c, 0, 0, &p);
    else
        cconv_pass_gather(context, c, &p);
    return p.winograd != 0 ? p.winograd : 1;
}

static const cconv_real *weights_in(const struct cconv_pass *p, const char *packed)
{
    return (const cconv_real *)(const void *)(packed + offsets_bytes(p));
}

static void take_matrix(const struct cconv_pass *p, const char *packed, struct cconv_corr_matrix *m)
{
    *m = (struct cconv_corr_matrix){ .panel = p->panel,
                                     .panels = p->panels,
                                     .panel_weights = p->panel_weights,
                                     .in = p->in_cg,
                                     .out = p->out_cg,
                                     .weights = packed == NULL ? NULL : weights_in(p, packed),
                                     .shared = packed == NULL
                                                   ? NULL
                                                   : weights_in(p, packed + own_bytes(p)) };
}

void cconv_corr_gather_matrix(const coordconv_context *context, const struct cconv_corr *c,
                              const void *packed, struct cconv_corr_matrix *m)
{
    struct cconv_pass p;

    assert(cconv_corr_is_matrix(c));
    cconv_pass_gather(context, c, &p);
    take_matrix(&p, packed, m);
}

void cconv_corr_scatter_matrix(const coordconv_context *context, const struct cconv_corr *c,
                               const void *packed, struct cconv_corr_matrix *m)
{
    struct cconv_pass p;

    assert(cconv_corr_is_matrix(c));
    cconv_pass_scatter(context, c, 0, 0, &p);
    take_matrix(&p, packed, m);
}
