/* SPDX-License-Identifier: BSD-2-Clause
 *
 * narrow_grad_template.h - weight gradients for one output channel: vectors
 * along the run.
 *
 * The parameters are those of narrow_forward_template.h, without FOLD. There is
 * one instance, with the longest vectors: a short run costs no more in a long
 * vector, since nothing is summed across it.
 */

/* Most vectors of products at once. */
#define TILE ENOUGH_SUMS

/* `count` vectors of a pixel. Adjacent ones are consecutive and only the last
 * may be partial; others are whole runs, each of them partial. */
INLINE void NAME(narrow_grad_pixel)(VEC sum[], PART part, const float *x, const ptrdiff_t *at,
                                    float g, const int count, const int adjacent)
{
    const VEC gradient = V(set1_ps)(g);

    UNROLL
    for (int i = 0; i < count; i++) {
        const float *const from = x + (adjacent ? i * LANES : at[i]);
        const VEC value = adjacent && i < count - 1 ? V(loadu_ps)(from) : LOAD_PART(from, part);

        sum[i] = V(fmadd_ps)(value, gradient, sum[i]);
    }
}

/* `count` vectors, `step` apart in w, for all rows and pixels; see conv_template.h. */
INLINE void NAME(narrow_grad_tile)(const struct cconv_panel_grad *p, PART part, const ptrdiff_t *at,
                                   float *w, const int count, const int adjacent)
{
    const int chains = CHAINS(count);
    const ptrdiff_t step = adjacent ? LANES : (ptrdiff_t)p->segment_length;
    const ptrdiff_t a_stride = p->a_stride, g_stride = p->g_stride;
    VEC sum[2 * ENOUGH_SUMS];

    UNROLL
    for (int i = 0; i < count * chains; i++)
        sum[i] = V(setzero_ps)();
    for (size_t r = 0; r < p->rows; r++) {
        const float *x = p->a + (ptrdiff_t)r * p->a_row + (adjacent ? at[0] : 0);
        const float *g = p->g + (ptrdiff_t)r * p->g_row;
        size_t left = p->pixels;

        for (; chains > 1 && left >= (size_t)chains; left -= (size_t)chains) {
            UNROLL
            for (int j = 0; j < chains; j++, x += a_stride, g += g_stride)
                NAME(narrow_grad_pixel)(sum + j * count, part, x, at, *g, count, adjacent);
        }
        for (; left > 0; left--, x += a_stride, g += g_stride)
            NAME(narrow_grad_pixel)(sum, part, x, at, *g, count, adjacent);
    }
    UNROLL
    for (int i = 0; i < count; i++, w += step) {
        const PART here = adjacent && i < count - 1 ? part_of(LANES) : part;
        VEC total = sum[i];

        UNROLL
        for (int j = 1; j < chains; j++)
            total = V(add_ps)(total, sum[j * count + i]);
        STORE_PART(w, here, V(add_ps)(LOAD_PART(w, here), total));
    }
}

typedef void NAME(narrow_grad_fn)(const struct cconv_panel_grad *p, PART part, const ptrdiff_t *at,
                                  float *w);

#define DEFINE_GRAD(n)                                                                             \
    static void NAME(narrow_adjacent_##n)(const struct cconv_panel_grad *p, PART part,             \
                                          const ptrdiff_t *at, float *w)                           \
    {                                                                                              \
        NAME(narrow_grad_tile)(p, part, at, w, n, 1);                                              \
    }                                                                                              \
    static void NAME(narrow_scattered_##n)(const struct cconv_panel_grad *p, PART part,            \
                                           const ptrdiff_t *at, float *w)                          \
    {                                                                                              \
        NAME(narrow_grad_tile)(p, part, at, w, n, 0);                                              \
    }
#define ADJACENT_ENTRY(n)  NAME(narrow_adjacent_##n),
#define SCATTERED_ENTRY(n) NAME(narrow_scattered_##n),

UP_TO(TILE, DEFINE_GRAD)

/* A run of several vectors. */
static void NAME(narrow_grad_run)(const struct cconv_panel_grad *p, size_t s)
{
    static NAME(narrow_grad_fn) *const tile[] = { UP_TO(TILE, ADJACENT_ENTRY) };
    const size_t length = p->segment_length;
    const size_t vectors = tiles_for(length, LANES);
    size_t first = 0;

    for (size_t left = tiles_for(vectors, TILE); left > 0; left--) {
        const size_t count = (vectors - first + left - 1) / left;
        const size_t k = first * LANES;
        const size_t lanes = length - k - (count - 1) * LANES;
        const ptrdiff_t at = p->offset[s] + (ptrdiff_t)k;

        tile[count - 1](p, part_of(lanes), &at, p->w + s * length + k);
        first += count;
    }
}

/* Runs of one vector each. */
static void NAME(narrow_grad_short_runs)(const struct cconv_panel_grad *p)
{
    static NAME(narrow_grad_fn) *const tile[] = { UP_TO(TILE, SCATTERED_ENTRY) };
    const PART part = part_of(p->segment_length);
    size_t first = 0;

    for (size_t left = tiles_for(p->segments, TILE); left > 0; left--) {
        const size_t count = (p->segments - first + left - 1) / left;

        tile[count - 1](p, part, p->offset + first, p->w + first * p->segment_length);
        first += count;
    }
}

static void NAME(narrow_grad)(const struct cconv_panel_grad *p)
{
    if (p->segment_length <= LANES) {
        NAME(narrow_grad_short_runs)(p);
        return;
    }
    for (size_t s = 0; s < p->segments; s++)
        NAME(narrow_grad_run)(p, s);
}

#undef TILE
#undef DEFINE_GRAD
#undef ADJACENT_ENTRY
#undef SCATTERED_ENTRY
#undef VEC
#undef LANES
#undef MM
#undef PART
#undef NAME
