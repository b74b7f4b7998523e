/* SPDX-License-Identifier: BSD-2-Clause
 *
 * group_template.h - panels of few channels: the lanes of a vector are channels
 * times a group of consecutive products of the run.
 *
 * Lane o * GROUP + j of a sum adds up the products k of channel o with
 * k % GROUP = j. Inputs reach the lanes by a load that repeats GROUP values
 * across the vector. Where GROUP is 2 such a load costs no more than the broadcast
 * of one value, so a step is one load and one multiply-add as it is for wide
 * panels. Where GROUP is all of LANES nothing is repeated, each channel has a
 * vector of its own, and a load serves all channels. Loads that repeat four or
 * eight values are slower than multiply-adds on some processors (Zen 5: 0.8
 * cycles against 0.5).
 *
 * At the end the lanes of a channel are added up, those of GROUP sums at a time,
 * which leaves one vector of LANES results as they lie in memory where pixels
 * have no other channels.
 *
 * The file that includes it has included x86/unroll.h and defines for all panels
 *
 *   V(op), part_of(n), LOAD_PART, STORE_PART, RELU, LEAKY, struct place
 *                       as for conv_template.h, which comes first
 *   COUNTING            lane l holds l
 *   CYCLE(v, n)         lane l holds lane l % n of v; n divides LANES
 *
 * and anew for each panel, undefined again at the end of this file,
 *
 *   VEC, LANES, MM, PART, VECTORS, TILE, NAME(x)
 *                       as for conv_template.h
 *   GROUP               products in a vector; the panel's width is VECTORS * LANES / GROUP
 *   REST, rest_of(n)    type that says how many of GROUP values are there, n < GROUP
 *   SPREAD(p)           lane l holds p[l % GROUP]
 *   SPREAD_REST(p, rest) the same, 0 for values that are not there, which are not read
 *   REPEAT(p, v, n)     lane l holds p[(v * LANES + l) / GROUP], or if that is not below n
 *                       anything finite or in p
 *   FOLD(s)             lane i * LANES / GROUP + o: sum of lanes o * GROUP .. + GROUP - 1
 *                       of s[i], 0 <= i < GROUP
 *   PIXEL_BY_PIXEL      if wanted, where TILE and GROUP are LANES: the longest run, of those
 *                       beyond two vectors, for which a tile is read pixel by pixel, as
 *                       memory is faster in that order
 *
 * Packed weights are [segments][ceil(segment_length / GROUP)][NR][GROUP].
 */

#ifndef CCONV_KERNELS_X86_GROUP_STORE
#define CCONV_KERNELS_X86_GROUP_STORE

/* Pixels by which gradients are fetched before their turn: few bytes each, they come from
 * memory while inputs were copied to the second level. */
#define GROUP_AHEAD 64

/* Most results of a tile, with room to read the last vector. */
#define GROUP_RESULTS (24 * 8 + LANES)

/* A call, and what all its tiles share. Where pixels lie side by side, results are rows of numbers,
 * and so are their starts: from `init` on, or the same vector again and again. */
struct group_call {
    const struct cconv_panel_forward *p;
    size_t nr;              /* divides LANES */
    int dense;              /* pixels lie side by side, in all images */
    int plain;              /* dense, nothing is added and no sum is multiplied */
    const float *init;      /* if dense */
    ptrdiff_t pixel, step;  /* of init, from pixel to pixel and from vector to vector */
    VEC start, down, right; /* of as many pixels as fill a vector */
    VEC column, columns;    /* those of a vector's lanes, and how many there are */
};

/* Values of nr channels, again and again. */
INLINE VEC group_repeat(size_t nr, const float *values)
{
    return values == NULL ? V(setzero_ps)() : CYCLE(LOAD_PART(values, part_of(nr)), nr);
}

static void group_begin(struct group_call *call, const struct cconv_panel_forward *p, size_t nr)
{
    const ptrdiff_t stride = (ptrdiff_t)nr;
    const struct cconv_panel_affine *affine = p->affine;
    const int same = p->init == NULL || p->init_stride == 0;

    call->p = p;
    call->nr = nr;
    call->dense = p->channels == nr && p->c_stride == stride &&
                  (same || p->init_stride == stride) && (p->add == NULL || p->add_stride == stride);
    call->plain = call->dense && p->add == NULL && p->act != CCONV_ACT_LEAKY;
    if (!call->dense)
        return;
    call->init = same ? (const float *)&call->start : p->init;
    call->pixel = same ? 0 : stride;
    call->step = same ? 0 : LANES;
    if (affine == NULL) {
        call->start = group_repeat(nr, same ? p->init : NULL);
        return;
    }
    const float share = 1.0F / (float)stride;
    const VEC lane = V(add_ps)(V(set1_ps)(0.5F), COUNTING);

    call->start = group_repeat(nr, affine->base);
    call->down = group_repeat(nr, affine->down);
    call->right = group_repeat(nr, affine->right);
    call->column = V(cvtepi32_ps)(V(cvttps_epi32)(V(mul_ps)(lane, V(set1_ps)(share))));
    call->columns = V(set1_ps)(LANES * share);
}

/* End of the pixels from `first` on that lie in one row. */
static inline size_t group_row_end(const struct cconv_panel_forward *p, size_t first)
{
    if (p->affine == NULL)
        return p->pixels;
    return end_within(p, first, p->affine->width - place_of(p->affine, first).column);
}

INLINE VEC group_act(VEC sum, float slope, const enum cconv_activation act)
{
    if (act == CCONV_ACT_RELU)
        return RELU(sum);
    return act == CCONV_ACT_LEAKY ? LEAKY(sum, V(set1_ps)(slope)) : sum;
}

/* What `count` pixels from `first` on start from, pixel by pixel. The bits are
 * those of group_plane: each start is made by the same two multiply-adds. */
NOINLINE
static void group_starts(const struct cconv_panel_forward *p, size_t nr, size_t first, size_t count,
                         float *start)
{
    const struct cconv_panel_affine *affine = p->affine;
    const PART part = part_of(p->channels);

    for (size_t i = first; i < first + count; i++, start += nr) {
        VEC from = V(setzero_ps)();

        if (affine != NULL && i >= affine->begin && i < affine->end) {
            const struct place at = place_of(affine, i);

            from = V(fmadd_ps)(V(set1_ps)((float)(ptrdiff_t)at.row), LOAD_PART(affine->down, part),
                               LOAD_PART(affine->base, part));
            from = V(fmadd_ps)(V(set1_ps)((float)(ptrdiff_t)at.column),
                               LOAD_PART(affine->right, part), from);
        } else if (p->init != NULL) {
            from = LOAD_PART(p->init + (ptrdiff_t)i * p->init_stride, part);
        }
        V(storeu_ps)(start, from);
    }
}

/* Where the numbers of pixels side by side in one row, from `first` on, start in the affine part.
 */
struct group_plane {
    VEC row, column;
};

INLINE struct group_plane group_plane(const struct group_call *call, size_t first)
{
    const struct place at = place_of(call->p->affine, first);
    const VEC row = V(set1_ps)((float)(ptrdiff_t)at.row);
    const VEC column = V(set1_ps)((float)(ptrdiff_t)at.column);

    return (struct group_plane){ V(fmadd_ps)(row, call->down, call->start),
                                 V(add_ps)(column, call->column) };
}

/* The starts of a vector of them; on to the next. */
INLINE VEC group_plane_next(const struct group_call *call, struct group_plane *plane)
{
    const VEC start = V(fmadd_ps)(plane->column, call->right, plane->row);

    plane->column = V(add_ps)(plane->column, call->columns);
    return start;
}

/* Where sums start. */
enum group_from {
    GROUP_MAP,  /* from numbers in memory */
    GROUP_PLANE /* in the affine part, in one row */
};

/* Finish `count` pixels from `first` on, whose sums lack what they start from,
 * where pixels lie side by side: they are one row of numbers then. */
INLINE void group_row(const struct group_call *call, size_t first, size_t count, const float *total,
                      const float *map, ptrdiff_t step, const enum group_from from,
                      const enum cconv_activation act)
{
    const struct cconv_panel_forward *p = call->p;
    const size_t nr = call->nr, n = count * nr;
    const float *const add = p->add == NULL ? NULL : p->add + first * nr;
    struct group_plane plane;
    float *const c = p->c + first * nr;

    if (from == GROUP_PLANE)
        plane = group_plane(call, first);
    for (size_t i = 0; i < n; i += LANES, map += step) {
        const PART part = part_of(n - i);
        VEC sum = V(loadu_ps)(total + i);

        if (from == GROUP_PLANE)
            sum = V(add_ps)(group_plane_next(call, &plane), sum);
        else
            sum = V(add_ps)(LOAD_PART(map, part), sum);
        if (add != NULL)
            sum = V(add_ps)(sum, LOAD_PART(add + i, part));
        STORE_PART(c + i, part, group_act(sum, p->slope, act));
    }
}

/* The same pixel by pixel, wherever they lie. */
INLINE void group_pixels(const struct group_call *call, size_t first, size_t count,
                         const float *total, const float *init, ptrdiff_t stride,
                         const enum cconv_activation act)
{
    const struct cconv_panel_forward *p = call->p;
    const PART part = part_of(p->channels);

    for (size_t i = first; i < first + count; i++, total += call->nr, init += stride) {
        VEC sum = V(add_ps)(LOAD_PART(init, part), V(loadu_ps)(total));

        if (p->add != NULL)
            sum = V(add_ps)(sum, LOAD_PART(p->add + (ptrdiff_t)i * p->add_stride, part));
        STORE_PART(p->c + (ptrdiff_t)i * p->c_stride, part, group_act(sum, p->slope, act));
    }
}

/* Whether all of these pixels, which lie in one row, are affine. */
INLINE int group_in_plane(const struct group_call *call, size_t first, size_t count)
{
    const struct cconv_panel_affine *affine = call->p->affine;

    return affine != NULL && first >= affine->begin && first + count <= affine->end;
}

/* One function for each way to start and each activation. */
#define DEFINE_ROW(from, act)                                                                      \
    NOINLINE                                                                                       \
    static void group_row_##from##_##act(const struct group_call *call, size_t first,              \
                                         size_t count, const float *total, const float *map,       \
                                         ptrdiff_t step)                                           \
    {                                                                                              \
        group_row(call, first, count, total, map, step, GROUP_##from, CCONV_ACT_##act);            \
    }
#define DEFINE_PIXELS(act)                                                                         \
    NOINLINE                                                                                       \
    static void group_pixels_##act(const struct group_call *call, size_t first, size_t count,      \
                                   const float *total, const float *init, ptrdiff_t stride)        \
    {                                                                                              \
        group_pixels(call, first, count, total, init, stride, CCONV_ACT_##act);                    \
    }
#define EACH_ACT(F, from) F(from, NONE) F(from, RELU) F(from, LEAKY)

EACH_ACT(DEFINE_ROW, MAP)
EACH_ACT(DEFINE_ROW, PLANE)
DEFINE_PIXELS(NONE)
DEFINE_PIXELS(RELU)
DEFINE_PIXELS(LEAKY)

static void group_finish(const struct group_call *call, size_t first, size_t count,
                         const float *total)
{
    static void (*const row[][3])(
        const struct group_call *, size_t, size_t, const float *, const float *,
        ptrdiff_t) = { { group_row_MAP_NONE, group_row_MAP_RELU, group_row_MAP_LEAKY },
                       { group_row_PLANE_NONE, group_row_PLANE_RELU, group_row_PLANE_LEAKY } };
    static void (*const pixels[])(
        const struct group_call *, size_t, size_t, const float *, const float *,
        ptrdiff_t) = { group_pixels_NONE, group_pixels_RELU, group_pixels_LEAKY };
    const struct cconv_panel_forward *p = call->p;
    const enum group_from from =
        call->dense && group_in_plane(call, first, count) ? GROUP_PLANE : GROUP_MAP;
    const float *init = call->dense       ? call->init + (ptrdiff_t)first * call->pixel
                        : p->init == NULL ? NULL
                                          : p->init + (ptrdiff_t)first * p->init_stride;
    ptrdiff_t stride = call->dense ? call->step : p->init_stride;
    float starts[GROUP_RESULTS];

    if (from == GROUP_MAP && (p->affine != NULL || init == NULL)) {
        group_starts(p, call->nr, first, count, starts);
        init = starts;
        stride = call->dense ? LANES : (ptrdiff_t)call->nr;
    }
    if (call->dense)
        row[from][p->act](call, first, count, total, init, stride);
    else
        pixels[p->act](call, first, count, total, init, stride);
}

#endif

#define NR     (VECTORS * LANES / GROUP)
#define PACKED (VECTORS * LANES) /* weights of a group */

/* One step: GROUP products, or the rest of a run, of `count` pixels. */
INLINE void NAME(step)(VEC sum[][VECTORS], const float *const four[], const ptrdiff_t stride,
                       const ptrdiff_t stride3, const float *b, REST rest, const int count,
                       const int whole)
{
    VEC weight[VECTORS];

    (void)rest;
    UNROLL
    for (int v = 0; v < VECTORS; v++)
        weight[v] = V(loadu_ps)(b + v * LANES);
    UNROLL
    for (int i = 0; i < count; i++) {
        const float *const from = four[i / 4] + (i % 4 == 3 ? stride3 : i % 4 * stride);
        const VEC x = whole ? SPREAD(from) : SPREAD_REST(from, rest);

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(fmadd_ps)(x, weight[v], sum[i][v]);
    }
}

/* One run; see forward_run of conv_template.h for the pointers. */
INLINE const float *NAME(run)(VEC sum[][VECTORS], const float *a, ptrdiff_t stride, const float *b,
                              size_t length, REST rest, const int count)
{
    const float *four[(TILE + 3) / 4];
    ptrdiff_t stride3 = 3 * stride;

    OPAQUE(stride3);
    UNROLL
    for (int i = 0; i < count; i += 4, a += 4 * stride) {
        four[i / 4] = a;
        OPAQUE(four[i / 4]);
    }
    for (; length >= GROUP; length -= GROUP, b += PACKED) {
        NAME(step)(sum, four, stride, stride3, b, rest, count, 1);
        UNROLL
        for (int i = 0; i < count; i += 4) {
            four[i / 4] += GROUP;
            OPAQUE(four[i / 4]);
        }
    }
    if (length > 0) {
        NAME(step)(sum, four, stride, stride3, b, rest, count, 0);
        b += PACKED;
    }
    return b;
}

/* Totals of GROUP sums from sum i of `count` on; past the last, it again. */
INLINE VEC NAME(fold)(const VEC *sum, int i, const int count)
{
    VEC s[GROUP];

    UNROLL
    for (int j = 0; j < GROUP; j++)
        s[j] = sum[i + j < count ? i + j : count - 1];
    return FOLD(s);
}

/* Tiles that finish plain calls by themselves: the larger ones. Others are rare, and need not
 * have code for it. */
#define HAS_PLAIN(count) (3 * (count) >= 2 * TILE)

/* group_finish where the call is plain, from and to registers. */
INLINE void NAME(finish_plain)(const struct group_call *call, size_t first, VEC *total,
                               const int count)
{
    const struct cconv_panel_forward *p = call->p;
    const PART last = part_of((size_t)(count * NR - 1) % LANES + 1);
    const float *const init = call->init + (ptrdiff_t)first * call->pixel;
    float *const c = p->c + first * NR;

    if (p->affine != NULL) {
        struct group_plane plane = group_plane(call, first);

        UNROLL
        for (int i = 0; i < count * NR; i += LANES)
            total[i / LANES] = V(add_ps)(group_plane_next(call, &plane), total[i / LANES]);
    } else if (call->step == 0) {
        UNROLL
        for (int i = 0; i < count * NR; i += LANES)
            total[i / LANES] = V(add_ps)(call->start, total[i / LANES]);
    } else {
        UNROLL
        for (int i = 0; i < count * NR; i += LANES) {
            const int whole = count * NR - i >= LANES;
            const VEC start = whole ? V(loadu_ps)(init + i) : LOAD_PART(init + i, last);

            total[i / LANES] = V(add_ps)(start, total[i / LANES]);
        }
    }
    if (p->act == CCONV_ACT_RELU) {
        UNROLL
        for (int i = 0; i < count * NR; i += LANES)
            total[i / LANES] = RELU(total[i / LANES]);
    }
    UNROLL
    for (int i = 0; i < count * NR; i += LANES) {
        if (count * NR - i >= LANES)
            V(storeu_ps)(c + i, total[i / LANES]);
        else
            STORE_PART(c + i, last, total[i / LANES]);
    }
}

INLINE void NAME(tile)(const struct group_call *call, size_t first, const int count)
{
    const struct cconv_panel_forward *p = call->p;
    const float *a = p->a + (ptrdiff_t)first * p->a_stride;
    const float *b = p->b;
    const REST rest = rest_of(p->segment_length % GROUP);
    _Alignas(64) float total[TILE * NR + LANES];
    VEC sum[TILE][VECTORS], folded[TILE * VECTORS / GROUP + 1];

    UNROLL
    for (int i = 0; i < count; i++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(setzero_ps)();
    }
    for (size_t s = 0; s < p->segments; s++)
        b = NAME(run)(sum, a + p->offset[s], p->a_stride, b, p->segment_length, rest, count);
    UNROLL
    for (int i = 0; i < count * VECTORS; i += GROUP)
        folded[i / GROUP] = NAME(fold)(&sum[0][0], i, count * VECTORS);
    if (HAS_PLAIN(count) && call->plain &&
        (p->affine == NULL || group_in_plane(call, first, (size_t)count))) {
        NAME(finish_plain)(call, first, folded, count);
        return;
    }
    UNROLL
    for (int i = 0; i < count * VECTORS; i += GROUP)
        V(storeu_ps)(total + i * LANES / GROUP, folded[i / GROUP]);
    group_finish(call, first, (size_t)count, total);
}

#ifdef PIXEL_BY_PIXEL

/* A tile of one run of few vectors: pixel by pixel, which reads memory in order.
 * The chain of a sum is that of the tiles above. */
static void NAME(tile_in_order)(const struct group_call *call, size_t first)
{
    const struct cconv_panel_forward *p = call->p;
    const size_t whole = p->segment_length / GROUP * GROUP;
    const REST rest = rest_of(p->segment_length % GROUP);
    const float *a = p->a + (ptrdiff_t)first * p->a_stride + p->offset[0];
    _Alignas(64) float total[TILE * NR + LANES];
    VEC sum[TILE];

    for (int i = 0; i < TILE; i++, a += p->a_stride) {
        sum[i] = V(setzero_ps)();
        for (size_t k = 0; k < whole; k += GROUP)
            sum[i] = V(fmadd_ps)(SPREAD(a + k), V(loadu_ps)(p->b + k), sum[i]);
        if (whole < p->segment_length)
            sum[i] = V(fmadd_ps)(SPREAD_REST(a + whole, rest), V(loadu_ps)(p->b + whole), sum[i]);
    }
    V(storeu_ps)(total, FOLD(sum));
    group_finish(call, first, TILE, total);
}

#endif

typedef void NAME(tile_fn)(const struct group_call *call, size_t first);

#define DEFINE_FORWARD(n)                                                                          \
    static void NAME(forward_##n)(const struct group_call *call, size_t first)                     \
    {                                                                                              \
        NAME(tile)(call, first, n);                                                                \
    }
#define FORWARD_ENTRY(n) NAME(forward_##n),

EVEN_TO(TILE, DEFINE_FORWARD)

/* Tiles end where a row of affine starts does. */
static void NAME(forward)(const struct cconv_panel_forward *p)
{
    static NAME(tile_fn) *const tile[] = { EVEN_TO(TILE, FORWARD_ENTRY) };
    struct group_call call;
    size_t first = 0;

    group_begin(&call, p, NR);
    while (first < p->pixels) {
        const size_t end = group_row_end(p, first);

#ifdef PIXEL_BY_PIXEL
        for (; p->segments == 1 && p->segment_length > 2 * GROUP &&
               p->segment_length <= PIXEL_BY_PIXEL && end - first >= TILE;
             first += TILE)
            NAME(tile_in_order)(&call, first);
#endif
        while (first < end) {
            const size_t count = next_even_tile(end - first, TILE);

            tile[even_index(count)](&call, first);
            first += count;
        }
    }
}

/* Where the products of a tile of gradients lie. */
enum NAME(place) {
    NAME(adjacent),  /* whole groups side by side */
    NAME(scattered), /* whole groups anywhere */
    NAME(rests)      /* ends of runs */
};

/* The `count` groups of a tile: group i begins at at[i] in the inputs and at to[i]
 * in the weights; of adjacent ones, at[0] and to[0] say where the first is. */
struct NAME(groups) {
    size_t count;
    ptrdiff_t at[TILE];
    size_t to[TILE];
};

INLINE void NAME(grad_pixel)(VEC sum[][VECTORS], const struct cconv_panel_grad *p, const float *x,
                             const struct NAME(groups) * of, const float *g, REST rest,
                             const int count, const enum NAME(place) place)
{
    VEC gradient[VECTORS];

    (void)rest;
    UNROLL
    for (int v = 0; v < VECTORS; v++)
        gradient[v] = REPEAT(g, v, p->channels);
    UNROLL
    for (int i = 0; i < count; i++) {
        const float *const from = x + (place == NAME(adjacent) ? i * GROUP : of->at[i]);
        const VEC value = place == NAME(rests) ? SPREAD_REST(from, rest) : SPREAD(from);

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(fmadd_ps)(value, gradient[v], sum[i][v]);
    }
}

/* Totals of the groups of a tile added to their weights, those of the channels that are there. */
NOINLINE
static void NAME(grad_end)(const struct cconv_panel_grad *p, const struct NAME(groups) * of,
                           int adjacent, const float *totals)
{
    const size_t there = p->channels * GROUP;

    for (size_t i = 0; i < of->count; i++) {
        float *w = p->w + (adjacent ? of->to[0] + i * PACKED : of->to[i]);

        for (size_t before = 0; before < PACKED; before += LANES, w += LANES, totals += LANES) {
            const PART part = part_of(there > before ? there - before : 0);

            STORE_PART(w, part, V(add_ps)(LOAD_PART(w, part), V(loadu_ps)(totals)));
        }
    }
}

/* `count` groups for all rows and pixels, added to w at the end; see conv_template.h. */
INLINE void NAME(grad_tile)(const struct cconv_panel_grad *p, const struct NAME(groups) * of,
                            const int count, const enum NAME(place) place)
{
    const int chains = CHAINS(count * VECTORS);
    const ptrdiff_t a_stride = p->a_stride, g_stride = p->g_stride;
    const REST rest = rest_of(p->segment_length % GROUP);
    VEC sum[TILE + ENOUGH_SUMS][VECTORS];
    float totals[TILE * PACKED];

    UNROLL
    for (int i = 0; i < count * chains; i++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(setzero_ps)();
    }
    for (size_t r = 0; r < p->rows; r++) {
        const float *x = p->a + (ptrdiff_t)r * p->a_row + (place == NAME(adjacent) ? of->at[0] : 0);
        const float *g = p->g + (ptrdiff_t)r * p->g_row;
        size_t left = p->pixels;

        for (; chains > 1 && left >= (size_t)chains; left -= (size_t)chains) {
            UNROLL
            for (int j = 0; j < chains; j++, x += a_stride, g += g_stride)
                NAME(grad_pixel)(sum + j * count, p, x, of, g, rest, count, place);
        }
        for (; left > 0; left--, x += a_stride, g += g_stride) {
            __builtin_prefetch(g + GROUP_AHEAD * g_stride);
            NAME(grad_pixel)(sum, p, x, of, g, rest, count, place);
        }
    }
    UNROLL
    for (int i = 0; i < count; i++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++) {
            VEC total = sum[i][v];

            UNROLL
            for (int j = 1; j < chains; j++)
                total = V(add_ps)(total, sum[j * count + i][v]);
            V(storeu_ps)(totals + i * PACKED + v * LANES, total);
        }
    }
    NAME(grad_end)(p, of, place == NAME(adjacent), totals);
}

typedef void NAME(grad_tile_fn)(const struct cconv_panel_grad *p, const struct NAME(groups) * of);

#define DEFINE_ADJACENT(n)                                                                         \
    static void NAME(grad_adjacent_##n)(const struct cconv_panel_grad *p,                          \
                                        const struct NAME(groups) * of)                            \
    {                                                                                              \
        NAME(grad_tile)(p, of, n, NAME(adjacent));                                                 \
    }
#define DEFINE_SCATTERED(n)                                                                        \
    static void NAME(grad_scattered_##n)(const struct cconv_panel_grad *p,                         \
                                         const struct NAME(groups) * of)                           \
    {                                                                                              \
        NAME(grad_tile)(p, of, n, NAME(scattered));                                                \
    }
#define DEFINE_RESTS(n)                                                                            \
    static void NAME(grad_rests_##n)(const struct cconv_panel_grad *p,                             \
                                     const struct NAME(groups) * of)                               \
    {                                                                                              \
        NAME(grad_tile)(p, of, n, NAME(rests));                                                    \
    }
#define ADJACENT_ENTRY(n)  NAME(grad_adjacent_##n),
#define SCATTERED_ENTRY(n) NAME(grad_scattered_##n),
#define RESTS_ENTRY(n)     NAME(grad_rests_##n),

/* Ends of runs are few. */
#define END_TILE 6

UP_TO(TILE, DEFINE_ADJACENT)
EVEN_TO(TILE, DEFINE_SCATTERED)
EVEN_TO(END_TILE, DEFINE_RESTS)

/* The whole groups of one run. */
static void NAME(grad_run)(const struct cconv_panel_grad *p, size_t s)
{
    static NAME(grad_tile_fn) *const tile[] = { UP_TO(TILE, ADJACENT_ENTRY) };
    const size_t whole = p->segment_length / GROUP;
    const size_t packed = (p->segment_length + GROUP - 1) / GROUP;
    size_t first = 0;

    while (first < whole) {
        const size_t count = next_tile(whole - first, TILE);
        struct NAME(groups) of;

        of.count = count;
        of.at[0] = p->offset[s] + (ptrdiff_t)(first * GROUP);
        of.to[0] = (s * packed + first) * PACKED;
        tile[tile_index(count)](p, &of);
        first += count;
    }
}

/* Run one of `tile`, which are for 1 group and for even counts; group 0 may be done twice. */
static void NAME(grad_any)(const struct cconv_panel_grad *p, NAME(grad_tile_fn) *const *tile,
                           struct NAME(groups) * of)
{
    of->at[of->count % TILE] = of->at[0];
    tile[even_index(of->count)](p, of);
}

/* The whole groups of runs too short to fill a tile each. */
static void NAME(grad_short_runs)(const struct cconv_panel_grad *p)
{
    static NAME(grad_tile_fn) *const tile[] = { EVEN_TO(TILE, SCATTERED_ENTRY) };
    const size_t whole = p->segment_length / GROUP;
    const size_t packed = (p->segment_length + GROUP - 1) / GROUP;
    const size_t groups = p->segments * whole;
    size_t first = 0;

    for (size_t left = tiles_for(groups, TILE); left > 0; left--) {
        struct NAME(groups) of = { .count = (groups - first + left - 1) / left };

        for (size_t i = 0; i < of.count; i++) {
            const size_t s = (first + i) / whole, j = (first + i) % whole;

            of.at[i] = p->offset[s] + (ptrdiff_t)(j * GROUP);
            of.to[i] = (s * packed + j) * PACKED;
        }
        NAME(grad_any)(p, tile, &of);
        first += of.count;
    }
}

/* What remains of each run. */
static void NAME(grad_ends)(const struct cconv_panel_grad *p)
{
    static NAME(grad_tile_fn) *const tile[] = { EVEN_TO(END_TILE, RESTS_ENTRY) };
    const size_t whole = p->segment_length / GROUP;
    size_t first = 0;

    for (size_t left = tiles_for(p->segments, END_TILE); left > 0; left--) {
        struct NAME(groups) of = { .count = (p->segments - first + left - 1) / left };

        for (size_t i = 0; i < of.count; i++) {
            of.at[i] = p->offset[first + i] + (ptrdiff_t)(whole * GROUP);
            of.to[i] = ((first + i) * (whole + 1) + whole) * PACKED;
        }
        NAME(grad_any)(p, tile, &of);
        first += of.count;
    }
}

static void NAME(grad)(const struct cconv_panel_grad *p)
{
    if (p->segments > 1 && p->segment_length / GROUP * VECTORS < ENOUGH_SUMS)
        NAME(grad_short_runs)(p);
    else
        for (size_t s = 0; s < p->segments; s++)
            NAME(grad_run)(p, s);
    if (p->segment_length % GROUP != 0)
        NAME(grad_ends)(p);
}

#undef DEFINE_FORWARD
#undef FORWARD_ENTRY
#undef DEFINE_ADJACENT
#undef DEFINE_SCATTERED
#undef END_TILE
#undef DEFINE_RESTS
#undef ADJACENT_ENTRY
#undef SCATTERED_ENTRY
#undef RESTS_ENTRY
#undef NR
#undef HAS_PLAIN
#undef PACKED
#undef VEC
#undef LANES
#undef MM
#undef PART
#undef VECTORS
#undef TILE
#undef NAME
#undef GROUP
#undef REST
#undef rest_of
#undef SPREAD
#undef SPREAD_REST
#undef REPEAT
#undef FOLD
#undef PIXEL_BY_PIXEL
