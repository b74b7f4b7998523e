/* SPDX-License-Identifier: BSD-2-Clause
 *
 * depth_template.h - one input channel for each output channel, vectors across
 * channels. Included by conv_template.h where DEPTH_PIXELS is defined, for its
 * macros and for what begins and ends a sum.
 *
 * A multiply-add reads a vector of inputs of its own, which is all that bounds
 * it while inputs come from the first-level cache; 3x3 taps then still take in
 * images faster than memory gives them. A tile is DEPTH_PIXELS pixels x VECTORS
 * vectors. All channels of a few tiles are done before the next, so that memory
 * is read in order.
 *
 * Defines NAME(depth) and NAME(depth_grad); the packing has blocks of LANES.
 */

INLINE void NAME(depth_sums)(VEC sum[][VECTORS], const PART part[VECTORS],
                             const struct cconv_panel_forward *p, size_t first, const int whole,
                             const int count)
{
    const ptrdiff_t pixel = (ptrdiff_t)first, stride = p->a_stride;
    const float *init = p->init == NULL ? no_start : p->init + pixel * p->init_stride;
    const float *b = p->b;

    NAME(start_init)(sum, part, init, p->init == NULL ? 0 : p->init_stride, whole, count);
    for (size_t s = 0; s < p->segments; s++, b += LANES) {
        const float *const a = p->a + pixel * stride + p->offset[s];
        VEC weight[VECTORS];

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            weight[v] = V(loadu_ps)(b + v * p->b_block);
        UNROLL
        for (int i = 0; i < count; i++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] = V(fmadd_ps)(NAME(load)(a + i * stride + v * LANES, part[v], whole),
                                        weight[v], sum[i][v]);
        }
    }
}

/* A tile whose channels begin where p says; sums are chains over the taps. */
INLINE void NAME(depth_tile)(const struct cconv_panel_forward *p, const PART part[VECTORS],
                             size_t first, const int count)
{
    VEC sum[DEPTH_PIXELS][VECTORS];

    if (NAME(is_whole)(p))
        NAME(depth_sums)(sum, part, p, first, 1, count);
    else
        NAME(depth_sums)(sum, part, p, first, 0, count);
    if (p->add != NULL)
        NAME(forward_add)(sum, part, p, first, count);
    NAME(activate)(sum, p->act, p->slope, count);
    NAME(forward_store)(sum, part, p, first, count);
}

#define DEFINE_DEPTH(n)                                                                            \
    static void NAME(depth_##n)(const struct cconv_panel_forward *p, const PART part[VECTORS],     \
                                size_t first)                                                      \
    {                                                                                              \
        NAME(depth_tile)(p, part, first, n);                                                       \
    }
#define DEPTH_ENTRY(n) NAME(depth_##n),

UP_TO(DEPTH_PIXELS, DEFINE_DEPTH)

/* `count` pixels, channels from `channel` on, as many as the registers hold. */
static void NAME(depth_channels)(const struct cconv_panel_forward *all, size_t channel,
                                 size_t first, size_t count)
{
    static NAME(forward_tile_fn) *const tile[] = { UP_TO(DEPTH_PIXELS, DEPTH_ENTRY) };
    struct cconv_panel_forward p = *all;
    PART part[VECTORS];

    NAME(parts)(part, all->channels - channel);
    p.channels -= channel;
    p.a += channel;
    p.b += (ptrdiff_t)(channel / LANES) * all->b_block;
    p.c += channel;
    p.init = all->init == NULL ? NULL : all->init + channel;
    p.add = all->add == NULL ? NULL : all->add + channel;
    for (const size_t end = first + count; first < end;) {
        const size_t next = next_tile(end - first, DEPTH_PIXELS);

        tile[tile_index(next)](&p, part, first);
        first += next;
    }
}

#ifdef DEPTH_GRAD

/* `count` taps over all rows and pixels, added to w at the end. */
INLINE void NAME(depth_taps)(const struct cconv_panel_grad *p, PART part, const ptrdiff_t *offset,
                             float *w, const int whole, const int count)
{
    const int chains = CHAINS(count);
    const ptrdiff_t a_stride = p->a_stride, g_stride = p->g_stride;
    VEC sum[TILE + ENOUGH_SUMS];
    float totals[TILE * LANES];

    UNROLL
    for (int i = 0; i < count * chains; i++)
        sum[i] = V(setzero_ps)();
    for (size_t r = 0; r < p->rows; r++) {
        const float *a = p->a + (ptrdiff_t)r * p->a_row;
        const float *g = p->g + (ptrdiff_t)r * p->g_row;
        size_t left = p->pixels;

        for (; chains > 1 && left >= (size_t)chains; left -= (size_t)chains) {
            UNROLL
            for (int j = 0; j < chains; j++, a += a_stride, g += g_stride) {
                const VEC gradient = NAME(load)(g, part, whole);

                UNROLL
                for (int i = 0; i < count; i++)
                    sum[j * count + i] = V(fmadd_ps)(NAME(load)(a + offset[i], part, whole),
                                                     gradient, sum[j * count + i]);
            }
        }
        for (; left > 0; left--, a += a_stride, g += g_stride) {
            const VEC gradient = NAME(load)(g, part, whole);

            UNROLL
            for (int i = 0; i < count; i++)
                sum[i] = V(fmadd_ps)(NAME(load)(a + offset[i], part, whole), gradient, sum[i]);
        }
    }
    UNROLL
    for (int i = 0; i < count; i++) {
        VEC total = sum[i];

        UNROLL
        for (int j = 1; j < chains; j++)
            total = V(add_ps)(total, sum[j * count + i]);
        V(storeu_ps)(totals + i * LANES, total);
    }
    NAME(grad_end)(w, &part, totals, (size_t)count);
}

typedef void NAME(depth_taps_fn)(const struct cconv_panel_grad *p, PART part,
                                 const ptrdiff_t *offset, float *w);

#define DEFINE_TAPS(n)                                                                             \
    static void NAME(depth_taps_##n)(const struct cconv_panel_grad *p, PART part,                  \
                                     const ptrdiff_t *offset, float *w)                            \
    {                                                                                              \
        NAME(depth_taps)(p, part, offset, w, 1, n);                                                \
    }
#define TAPS_ENTRY(n) NAME(depth_taps_##n),

UP_TO(12, DEFINE_TAPS)

#if !PARTS_ARE_FREE

/* The last channels alone, which are not worth as much code. */
#define DEFINE_PART_TAPS(n)                                                                        \
    static void NAME(depth_part_taps_##n)(const struct cconv_panel_grad *p, PART part,             \
                                          const ptrdiff_t *offset, float *w)                       \
    {                                                                                              \
        NAME(depth_taps)(p, part, offset, w, 0, n);                                                \
    }
#define PART_TAPS_ENTRY(n) NAME(depth_part_taps_##n),

UP_TO(6, DEFINE_PART_TAPS)

#endif

static void NAME(depth_grad)(const struct cconv_panel_grad *p)
{
    static NAME(depth_taps_fn) *const whole[] = { UP_TO(12, TAPS_ENTRY) };
    NAME(depth_taps_fn) *const *tile = whole;
    const PART part = part_of(p->channels);
    size_t first = 0, most = 12;

#if !PARTS_ARE_FREE
    static NAME(depth_taps_fn) *const parts[] = { UP_TO(6, PART_TAPS_ENTRY) };

    if (p->channels < LANES) {
        tile = parts;
        most = 6;
    }
#endif
    while (first < p->segments) {
        const size_t count = next_tile(p->segments - first, most);

        tile[tile_index(count)](p, part, p->offset + first, p->w + first * LANES);
        first += count;
    }
}

#endif

#undef DEFINE_DEPTH
#undef DEPTH_ENTRY
#undef DEFINE_TAPS
#undef TAPS_ENTRY
#undef DEFINE_PART_TAPS
#undef PART_TAPS_ENTRY
#undef DEPTH_PIXELS
#undef DEPTH_GRAD
