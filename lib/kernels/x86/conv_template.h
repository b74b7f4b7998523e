/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_template.h - panels with vectors of output channels in the registers.
 *
 * One algorithm for every width and instruction set. The file that includes it
 * has included x86/unroll.h and defines for all panels
 *
 *   V(op)               intrinsic `op` of the vectors in use: MM and op
 *   ONE, LOAD_ONE(p)    a value that is to be multiplied with a vector, and how it is loaded
 *   FMADD_ONE(x, v, sum)
 *   part_of(n)          the PART with the first n lanes, all of them if there are not so many
 *   LOAD_PART(p, part)  anything in other lanes, whose memory is not touched
 *   STORE_PART(p, part, v)
 *   LOAD_MASKED(p, part) the same as LOAD_PART, not asking whether the part is all
 *   PARTS_ARE_FREE      whether parts cost no more than whole vectors
 *   RELU(v), LEAKY(v, slope)
 *
 * and anew for each panel, undefined again at the end of this file,
 *
 *   VEC, LANES, MM      the vector of floats, its length, how its intrinsics begin: _mm256_
 *   PART                type that says which lanes are there
 *   VECTORS             vectors a row of the panel; its width is VECTORS * LANES
 *   TILE                most pixels (forward) or products (grad) at once: 6, 12 or 24
 *   NAME(x)             x with a suffix of its own
 *   DEPTH_PIXELS, DEPTH_GRAD  if wanted, see depth_template.h
 *
 * Both loops hold TILE * VECTORS sums in registers. A step takes VECTORS loads
 * and TILE broadcasts from memory for TILE * VECTORS multiply-adds, so it is
 * bound by arithmetic where a processor loads as many vectors as it multiplies,
 * but for one part in TILE where VECTORS is 1. A tile takes all registers there
 * are; a run that is no multiple of TILE is cut into parts of nearly equal
 * size, never full tiles and a small rest.
 *
 * There is a copy of a tile for each size, so it holds what is common; what is
 * rare is done by a function of each panel, with starts or sums in memory.
 */

#ifndef CCONV_KERNELS_X86_PLACE
#define CCONV_KERNELS_X86_PLACE

/* Where pixel `p` of a call lies. */
struct place {
    size_t row, column;
};

static inline struct place place_of(const struct cconv_panel_affine *affine, size_t p)
{
    struct place at = { affine->row, affine->column + p };

    if (at.column >= affine->width) {
        at.row += at.column / affine->width;
        at.column %= affine->width;
    }
    return at;
}

/* Whether some of the pixels first .. end - 1 are affine. */
static inline int any_affine(const struct cconv_panel_affine *affine, size_t first, size_t end)
{
    return first < affine->end && end > affine->begin && affine->begin < affine->end;
}

/* End of at most `most` pixels of a call from `first` on. */
static inline size_t end_within(const struct cconv_panel_forward *p, size_t first, size_t most)
{
    const size_t left = p->pixels - first;

    return first + (left < most ? left : most);
}

/* What sums start from where nothing is given. */
static const float no_start[64];

#endif

/* Products by which weights are fetched before their turn. Large layers stream
 * them from the last cache, which the processor's own guess is too late for. */
#define WEIGHTS_AHEAD 64

/* Pixels by which inputs and gradients are fetched before their turn: a tile
 * reads many pixels at once, and the gradients of one panel lie apart, where the
 * processor does not see a stream. A step fetches TILE inputs: all of them
 * where a pixel's run is its channels. Where inputs are cached that is time lost,
 * even if what is asked for is there: such calls have a loop without. */
#define INPUTS_AHEAD    (2 * TILE)
#define GRADIENTS_AHEAD 32

#define NR              (VECTORS * LANES)

/* Which tiles have a loop of their own where inputs are cached: those of most pixels. */
#define HAS_CACHED(count) (VECTORS > 1 && (count) == TILE)

/* Tiles of rows that are longer than one: they have more code of their own. */
#define IS_LARGE(count) ((count) > TILE / 2)

INLINE void NAME(parts)(PART part[VECTORS], size_t channels)
{
    for (size_t v = 0; v < VECTORS; v++)
        part[v] = part_of(channels > v * LANES ? channels - v * LANES : 0);
}

/* Whether all channels of a panel are there, or it does not matter. */
INLINE int NAME(is_whole)(const struct cconv_panel_forward *p)
{
    return PARTS_ARE_FREE || p->channels >= NR;
}

/* `whole`, known when this is compiled, is what is_whole says. */
INLINE VEC NAME(load)(const float *from, PART part, const int whole)
{
    (void)part;
    return PARTS_ARE_FREE || !whole ? LOAD_MASKED(from, part) : V(loadu_ps)(from);
}

INLINE void NAME(start_init)(VEC sum[][VECTORS], const PART part[VECTORS], const float *init,
                             ptrdiff_t stride, const int whole, const int count)
{
    UNROLL
    for (int i = 0; i < count; i++, init += stride) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = NAME(load)(init + v * LANES, part[v], whole);
    }
}

/* Part of a row of affine starts, as tiles see it: what its pixels share, and their columns. */
struct NAME(row) {
    struct cconv_panel_affine affine;
    _Alignas(64) float start[NR];
};

/* The part from pixel `first` on, which ends with the row or the table of columns: its end. In
 * row->affine, rows is the one row and column + i the place of pixel i in the table. */
NOINLINE
static size_t NAME(row_begin)(struct NAME(row) * row, const PART part[VECTORS],
                              const struct cconv_panel_forward *p, size_t first)
{
    const struct cconv_panel_affine *affine = p->affine;
    const struct place at = place_of(affine, first);
    const size_t column = at.column % affine->period, left = affine->period - column;
    const size_t width = affine->width - at.column;
    const size_t end = end_within(p, first, left < width ? left : width);
    const VEC before = V(set1_ps)((float)(ptrdiff_t)(at.column - column));

    row->affine = *affine;
    row->affine.rows = row->start;
    row->affine.column = column - first;
    if (!any_affine(affine, first, end))
        return end;
    for (size_t v = 0; v < VECTORS; v++) {
        const ptrdiff_t o = (ptrdiff_t)(v * LANES);
        VEC start = LOAD_PART(affine->rows + (ptrdiff_t)at.row * affine->stride + o, part[v]);

        if (at.column > column)
            start = V(fmadd_ps)(before, LOAD_PART(affine->right + o, part[v]), start);
        V(storeu_ps)(row->start + o, start);
    }
    return end;
}

INLINE const float *NAME(columns_from)(const struct cconv_panel_affine *affine, size_t first)
{
    return affine->columns + (ptrdiff_t)(affine->column + first) * affine->stride;
}

/* Pixels side by side in one row, all of them affine. */
INLINE void NAME(start_affine)(VEC sum[][VECTORS], const PART part[VECTORS],
                               const struct cconv_panel_affine *affine, size_t first,
                               const int whole, const int count)
{
    const float *column = NAME(columns_from)(affine, first);
    VEC start[VECTORS];

    UNROLL
    for (int v = 0; v < VECTORS; v++)
        start[v] = V(loadu_ps)(affine->rows + v * LANES);
    UNROLL
    for (int i = 0; i < count; i++, column += affine->stride) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(add_ps)(start[v], NAME(load)(column + v * LANES, part[v], whole));
    }
}

/* Pixels side by side in one row, some of them affine. The same bits as above:
 * a row of -0 leaves every number as it is. */
INLINE void NAME(start_border)(VEC sum[][VECTORS], const PART part[VECTORS],
                               const struct cconv_panel_affine *affine, size_t first,
                               const float *init, ptrdiff_t stride, const int count)
{
    const float *column = NAME(columns_from)(affine, first);
    float nothing[NR];

    UNROLL
    for (int v = 0; v < VECTORS; v++)
        V(storeu_ps)(nothing + v * LANES, V(set1_ps)(-0.0F));
    UNROLL
    for (int i = 0; i < count; i++, column += affine->stride, init += stride) {
        const int is_affine = first + (size_t)i - affine->begin < affine->end - affine->begin;
        const float *const from = is_affine ? column : init;
        const float *const start = is_affine ? affine->rows : nothing;

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] =
                V(add_ps)(V(loadu_ps)(start + v * LANES), LOAD_PART(from + v * LANES, part[v]));
    }
}

/* The same to memory, NR numbers a pixel, where starts are not worth code in each tile. */
NOINLINE
static void NAME(gather_border)(float *to, const PART part[VECTORS],
                                const struct cconv_panel_affine *affine, size_t first,
                                const float *init, ptrdiff_t stride, size_t count)
{
    const float *column = NAME(columns_from)(affine, first);

    for (size_t i = first; i < first + count; i++, column += affine->stride, init += stride) {
        const int is_affine = i >= affine->begin && i < affine->end;

        for (size_t v = 0; v < VECTORS; v++, to += LANES) {
            const VEC from = LOAD_PART((is_affine ? column : init) + v * LANES, part[v]);

            V(storeu_ps)(to, from);
            if (is_affine)
                V(storeu_ps)(to, V(add_ps)(V(loadu_ps)(affine->rows + v * LANES), from));
        }
    }
}

INLINE void NAME(start)(VEC sum[][VECTORS], const PART part[VECTORS],
                        const struct cconv_panel_forward *p, size_t first, const int whole,
                        const int count)
{
    const struct cconv_panel_affine *affine = p->affine;
    const size_t end = first + (size_t)count;
    const float *init = p->init == NULL ? no_start : p->init + (ptrdiff_t)first * p->init_stride;
    ptrdiff_t stride = p->init == NULL ? 0 : p->init_stride;
    float rows[TILE * NR];

    if (affine != NULL && any_affine(affine, first, end)) {
        if (first >= affine->begin && end <= affine->end) {
            NAME(start_affine)(sum, part, affine, first, whole, count);
            return;
        }
        if (PARTS_ARE_FREE && IS_LARGE(count)) {
            NAME(start_border)(sum, part, affine, first, init, stride, count);
            return;
        }
        NAME(gather_border)(rows, part, affine, first, init, stride, (size_t)count);
        init = rows;
        stride = NR;
    }
    NAME(start_init)(sum, part, init, stride, whole, count);
}

INLINE void NAME(forward_start)(VEC sum[][VECTORS], const PART part[VECTORS],
                                const struct cconv_panel_forward *p, size_t first, const int count)
{
    if (NAME(is_whole)(p))
        NAME(start)(sum, part, p, first, 1, count);
    else
        NAME(start)(sum, part, p, first, 0, count);
}

/* One run. Four pixels share a pointer: they lie at 0, 1, 2 and 3 strides from
 * it, which the addressing modes reach with two registers. The compiler is not
 * to know how the pointers hang together, or it makes one a pixel and spills. */
INLINE const float *NAME(forward_run)(VEC sum[][VECTORS], const float *a, ptrdiff_t stride,
                                      const float *b, size_t length, const int count,
                                      const int cached)
{
    const float *four[(TILE + 3) / 4];
    ptrdiff_t stride3 = 3 * stride;
    const float *ahead = a + INPUTS_AHEAD * stride;

    OPAQUE(stride3);
    UNROLL
    for (int i = 0; i < count; i += 4, a += 4 * stride) {
        four[i / 4] = a;
        OPAQUE(four[i / 4]);
    }
    for (size_t k = 0; k < length; k++, b += NR) {
        VEC weight[VECTORS];

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            weight[v] = V(loadu_ps)(b + v * LANES);
        UNROLL
        for (int v = 0; !cached && VECTORS > 1 && v < VECTORS; v++)
            __builtin_prefetch(b + WEIGHTS_AHEAD * NR + v * LANES);
        if (!cached) {
            __builtin_prefetch(ahead);
            ahead += TILE;
        }
        UNROLL
        for (int i = 0; i < count; i++) {
            const ptrdiff_t at = i % 4 == 3 ? stride3 : i % 4 * stride;
            const ONE x = LOAD_ONE(four[i / 4] + at);

            UNROLL
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] = FMADD_ONE(x, weight[v], sum[i][v]);
        }
        UNROLL
        for (int i = 0; i < count; i += 4) {
            four[i / 4]++;
            OPAQUE(four[i / 4]);
        }
    }
    return b;
}

INLINE void NAME(add)(VEC sum[][VECTORS], const PART part[VECTORS], const float *add,
                      ptrdiff_t stride, const int whole, const int count)
{
    UNROLL
    for (int i = 0; i < count; i++, add += stride) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(add_ps)(sum[i][v], NAME(load)(add + v * LANES, part[v], whole));
    }
}

INLINE void NAME(forward_add)(VEC sum[][VECTORS], const PART part[VECTORS],
                              const struct cconv_panel_forward *p, size_t first, const int count)
{
    const float *const add = p->add + (ptrdiff_t)first * p->add_stride;

    if (NAME(is_whole)(p))
        NAME(add)(sum, part, add, p->add_stride, 1, count);
    else
        NAME(add)(sum, part, add, p->add_stride, 0, count);
}

INLINE void NAME(activate)(VEC sum[][VECTORS], enum cconv_activation act, float slope,
                           const int count)
{
    if (act == CCONV_ACT_RELU) {
        UNROLL
        for (int i = 0; i < count; i++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] = RELU(sum[i][v]);
        }
    } else if (act == CCONV_ACT_LEAKY) {
        UNROLL
        for (int i = 0; i < count; i++) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] = LEAKY(sum[i][v], V(set1_ps)(slope));
        }
    }
}

/* From rows of NR numbers. */
NOINLINE
static void NAME(store_parts)(float *to, ptrdiff_t stride, const PART part[VECTORS],
                              const float *from, size_t count)
{
    for (size_t v = 0; v < VECTORS; v++) {
        const PART lanes = part[v];

        for (size_t i = 0; i < count; i++)
            STORE_PART(to + (ptrdiff_t)i * stride + v * LANES, lanes,
                       V(loadu_ps)(from + i * NR + v * LANES));
    }
}

INLINE void NAME(forward_store)(VEC sum[][VECTORS], const PART part[VECTORS],
                                const struct cconv_panel_forward *p, size_t first, const int count)
{
    float *c = p->c + (ptrdiff_t)first * p->c_stride;
    ptrdiff_t stride = p->c_stride;
    float rows[TILE * NR];

    if (!NAME(is_whole)(p)) {
        c = rows;
        stride = NR;
    }
    UNROLL
    for (int i = 0; i < count; i++, c += stride) {
        UNROLL
        for (int v = 0; v < VECTORS; v++) {
            if (PARTS_ARE_FREE)
                STORE_PART(c + v * LANES, part[v], sum[i][v]);
            else
                V(storeu_ps)(c + v * LANES, sum[i][v]);
        }
    }
    if (!NAME(is_whole)(p)) {
        float *const to = p->c + (ptrdiff_t)first * p->c_stride;

        NAME(store_parts)(to, p->c_stride, part, rows, (size_t)count);
    }
}

/* `count` pixels from `first` on. Whatever the count, the sum of a pixel and a
 * channel is one chain of fused multiply-adds from its start over s, then k. */
INLINE void NAME(forward_tile)(const struct cconv_panel_forward *p, const PART part[VECTORS],
                               size_t first, const int count)
{
    const float *a = p->a + (ptrdiff_t)first * p->a_stride;
    const float *b = p->b;
    const ptrdiff_t c_stride = p->c_stride;
    float *c = p->c + (ptrdiff_t)first * c_stride;
    VEC sum[TILE][VECTORS];

    NAME(forward_start)(sum, part, p, first, count);
    if (HAS_CACHED(count) && p->cached)
        for (size_t s = 0; s < p->segments; s++)
            b = NAME(forward_run)(sum, a + p->offset[s], p->a_stride, b, p->segment_length, count,
                                  1);
    else
        for (size_t s = 0; s < p->segments; s++)
            b = NAME(forward_run)(sum, a + p->offset[s], p->a_stride, b, p->segment_length, count,
                                  0);
    if (p->add != NULL)
        NAME(forward_add)(sum, part, p, first, count);
    NAME(activate)(sum, p->act, p->slope, count);
    if (!IS_LARGE(count) || !p->stream) {
        NAME(forward_store)(sum, part, p, first, count);
        return;
    }
    UNROLL
    for (int i = 0; i < count; i++, c += c_stride) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            V(stream_ps)(c + v * LANES, sum[i][v]);
    }
}

typedef void NAME(forward_tile_fn)(const struct cconv_panel_forward *p, const PART part[VECTORS],
                                   size_t first);

#define DEFINE_FORWARD(n)                                                                          \
    static void NAME(forward_##n)(const struct cconv_panel_forward *p, const PART part[VECTORS],   \
                                  size_t first)                                                    \
    {                                                                                              \
        NAME(forward_tile)(p, part, first, n);                                                     \
    }
#define FORWARD_ENTRY(n) NAME(forward_##n),

UP_TO(TILE, DEFINE_FORWARD)

/* Fetch what the tile after this one starts from; the next call's starts follow this one's. */
INLINE void NAME(fetch_starts)(const struct cconv_panel_forward *p, size_t first, size_t count)
{
    const float *init = p->init + (ptrdiff_t)(first + TILE) * p->init_stride;

    for (size_t i = 0; i < count; i++, init += p->init_stride) {
        UNROLL
        for (int o = 0; o < NR; o += 16)
            __builtin_prefetch(init + o);
    }
}

/* The pixels first .. end - 1. */
INLINE void NAME(forward_pixels)(const struct cconv_panel_forward *p, const PART part[VECTORS],
                                 size_t first, size_t end)
{
    static NAME(forward_tile_fn) *const tile[] = { UP_TO(TILE, FORWARD_ENTRY) };

    while (first < end) {
        const size_t count = next_tile(end - first, TILE);

        if (p->init_far)
            NAME(fetch_starts)(p, first, count);
        tile[tile_index(count)](p, part, first);
        first += count;
    }
}

/* Tiles end where a row of affine starts does. */
static void NAME(forward)(const struct cconv_panel_forward *p)
{
    const struct cconv_panel_forward *call = p;
    struct cconv_panel_forward in_row;
    struct NAME(row) row;
    PART part[VECTORS];

    NAME(parts)(part, p->channels);
    if (p->affine != NULL) {
        in_row = *p;
        in_row.affine = &row.affine;
        call = &in_row;
    }
    for (size_t first = 0, end = p->pixels; first < p->pixels; first = end) {
        if (p->affine != NULL)
            end = NAME(row_begin)(&row, part, p, first);
        NAME(forward_pixels)(call, part, first, end);
    }
}

/* A pixel's share: count products, at x[i] if adjacent, else at x[at[i]]. */
INLINE void NAME(grad_pixel)(VEC sum[][VECTORS], const PART part[VECTORS], const float *x,
                             const ptrdiff_t *at, const float *g, const int count,
                             const int adjacent)
{
    VEC gradient[VECTORS];

    UNROLL
    for (int v = 0; v < VECTORS; v++)
        gradient[v] = LOAD_PART(g + v * LANES, part[v]);
    UNROLL
    for (int i = 0; i < count; i++) {
        const ONE value = LOAD_ONE(x + (adjacent ? i : at[i]));

        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = FMADD_ONE(value, gradient[v], sum[i][v]);
    }
}

/* Totals of `wanted` products added to w. */
NOINLINE
static void NAME(grad_end)(float *w, const PART part[VECTORS], const float *totals, size_t wanted)
{
    for (size_t i = 0; i < wanted; i++, w += NR, totals += NR)
        for (size_t v = 0; v < VECTORS; v++)
            STORE_PART(
                w + v * LANES, part[v],
                V(add_ps)(LOAD_PART(w + v * LANES, part[v]), V(loadu_ps)(totals + v * LANES)));
}

/* `count` products, the first at `at`, for all rows and pixels, the `wanted`
 * ones added to w at the end. Where they are too few to keep the units busy, neighbouring pixels
 * go to sums of their own. */
INLINE void NAME(grad_tile)(const struct cconv_panel_grad *p, const PART part[VECTORS],
                            const ptrdiff_t *at, float *w, size_t wanted, const int count,
                            const int adjacent)
{
    const int chains = CHAINS(count * VECTORS);
    const ptrdiff_t a_stride = p->a_stride, g_stride = p->g_stride;
    VEC sum[TILE + ENOUGH_SUMS][VECTORS];
    float totals[TILE * NR];

    UNROLL
    for (int i = 0; i < count * chains; i++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = V(setzero_ps)();
    }
    for (size_t r = 0; r < p->rows; r++) {
        const float *x = p->a + (ptrdiff_t)r * p->a_row + (adjacent ? at[0] : 0);
        const float *g = p->g + (ptrdiff_t)r * p->g_row;
        size_t left = p->pixels;

        for (; chains > 1 && left >= (size_t)chains; left -= (size_t)chains) {
            UNROLL
            for (int j = 0; j < chains; j++, x += a_stride, g += g_stride)
                NAME(grad_pixel)(sum + j * count, part, x, at, g, count, adjacent);
        }
        for (; left > 0; left--, x += a_stride, g += g_stride) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                __builtin_prefetch(g + GRADIENTS_AHEAD * g_stride + v * LANES);
            if (adjacent)
                __builtin_prefetch(x + GRADIENTS_AHEAD * a_stride);
            NAME(grad_pixel)(sum, part, x, at, g, count, adjacent);
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
            V(storeu_ps)(totals + i * NR + v * LANES, total);
        }
    }
    NAME(grad_end)(w, part, totals, wanted);
}

typedef void NAME(grad_tile_fn)(const struct cconv_panel_grad *p, const PART part[VECTORS],
                                const ptrdiff_t *at, float *w, size_t wanted);

#define DEFINE_ADJACENT(n)                                                                         \
    static void NAME(grad_adjacent_##n)(const struct cconv_panel_grad *p,                          \
                                        const PART part[VECTORS], const ptrdiff_t *at, float *w,   \
                                        size_t wanted)                                             \
    {                                                                                              \
        NAME(grad_tile)(p, part, at, w, wanted, n, 1);                                             \
    }
#define DEFINE_SCATTERED(n)                                                                        \
    static void NAME(grad_scattered_##n)(const struct cconv_panel_grad *p,                         \
                                         const PART part[VECTORS], const ptrdiff_t *at, float *w,  \
                                         size_t wanted)                                            \
    {                                                                                              \
        NAME(grad_tile)(p, part, at, w, wanted, n, 0);                                             \
    }
#define ADJACENT_ENTRY(n)  NAME(grad_adjacent_##n),
#define SCATTERED_ENTRY(n) NAME(grad_scattered_##n),

UP_TO(TILE, DEFINE_ADJACENT)
EVEN_TO(TILE, DEFINE_SCATTERED)

/* Tiles within one run. */
static void NAME(grad_run)(const struct cconv_panel_grad *p, const PART part[VECTORS], size_t s)
{
    static NAME(grad_tile_fn) *const tile[] = { UP_TO(TILE, ADJACENT_ENTRY) };
    const size_t length = p->segment_length;
    size_t k = 0;

    while (k < length) {
        const size_t count = next_tile(length - k, TILE);
        const ptrdiff_t at = p->offset[s] + (ptrdiff_t)k;

        tile[tile_index(count)](p, part, &at, p->w + (s * length + k) * NR, count);
        k += count;
    }
}

/* Tiles across runs too short to fill one each; product 0 of one may be done twice. */
static void NAME(grad_short_runs)(const struct cconv_panel_grad *p, const PART part[VECTORS])
{
    static NAME(grad_tile_fn) *const tile[] = { EVEN_TO(TILE, SCATTERED_ENTRY) };
    const size_t length = p->segment_length;
    const size_t products = p->segments * length;
    size_t first = 0;

    for (size_t left = tiles_for(products, TILE); left > 0; left--) {
        const size_t count = (products - first + left - 1) / left;
        ptrdiff_t at[TILE];

        for (size_t i = 0; i < count; i++)
            at[i] = p->offset[(first + i) / length] + (ptrdiff_t)((first + i) % length);
        at[count % TILE] = at[0];
        tile[even_index(count)](p, part, at, p->w + first * NR, count);
        first += count;
    }
}

static void NAME(grad)(const struct cconv_panel_grad *p)
{
    PART part[VECTORS];

    NAME(parts)(part, p->channels);
    if (p->segments > 1 && p->segment_length * VECTORS < ENOUGH_SUMS) {
        NAME(grad_short_runs)(p, part);
        return;
    }
    for (size_t s = 0; s < p->segments; s++)
        NAME(grad_run)(p, part, s);
}

#ifdef DEPTH_PIXELS
#include "kernels/x86/depth_template.h"
#endif

#undef DEFINE_FORWARD
#undef FORWARD_ENTRY
#undef DEFINE_ADJACENT
#undef DEFINE_SCATTERED
#undef ADJACENT_ENTRY
#undef SCATTERED_ENTRY
#undef NR
#undef HAS_CACHED
#undef IS_LARGE
#undef WEIGHTS_AHEAD
#undef INPUTS_AHEAD
#undef VEC
#undef LANES
#undef MM
#undef PART
#undef VECTORS
#undef TILE
#undef NAME
