/* SPDX-License-Identifier: BSD-2-Clause
 *
 * narrow_forward_template.h - the panel of one output channel: vectors along the
 * run.
 *
 * The file that includes it has included x86/unroll.h and defines anew for each
 * vector length, undefined again at the end of this file,
 *
 *   VEC, LANES, MM, PART, part_of(n), LOAD_PART, STORE_PART
 *                       as for conv_template.h
 *   FOLD(v)             sum of the parts of v as four floats
 *   NAME(x)             x with a suffix of its own
 *
 * Every multiply-add reads a vector of its own from memory, most of them across
 * two cache lines: the loads are the bound, at about half the arithmetic.
 */

#ifndef CCONV_KERNELS_X86_NARROW_STORE
#define CCONV_KERNELS_X86_NARROW_STORE

/* What `count` pixels from `first` on start from where there is an affine part. */
INLINE void narrow_starts(const struct cconv_panel_forward *p, size_t first, size_t count,
                          float *start)
{
    const struct cconv_panel_affine *affine = p->affine;
    struct place at = place_of(affine, first);

    for (size_t i = first; i < first + count; i++, at.column++) {
        if (at.column == affine->width) {
            at.column = 0;
            at.row++;
        }
        if (i >= affine->begin && i < affine->end)
            *start++ = affine->rows[(ptrdiff_t)at.row * affine->stride] +
                       affine->columns[(ptrdiff_t)at.column * affine->stride];
        else
            *start++ = p->init == NULL ? 0.0F : p->init[(ptrdiff_t)i * p->init_stride];
    }
}

/* Finish `count` sums that lack their start, for pixels from `first` on. Not
 * inlined: it is the same for all of them. */
NOINLINE
static void narrow_store(const struct cconv_panel_forward *p, ptrdiff_t first, const float *total,
                         int count)
{
    float start[4] = { 0 };
    const float *init = p->init == NULL ? NULL : p->init + first * p->init_stride;
    ptrdiff_t stride = p->init_stride;

    if (p->affine != NULL) {
        narrow_starts(p, (size_t)first, (size_t)count, start);
        init = start;
        stride = 1;
    }
    for (int i = 0; i < count; i++) {
        const float sum = (init == NULL ? 0.0F : init[i * stride]) + total[i];
        const float all = p->add == NULL ? sum : sum + p->add[(first + i) * p->add_stride];
        float *const c = p->c + (first + i) * p->c_stride;

        if (p->act == CCONV_ACT_RELU)
            *c = all <= 0.0F ? 0.0F : all;
        else if (p->act == CCONV_ACT_LEAKY)
            *c = all <= 0.0F ? all * p->slope + 0.0F : all;
        else
            *c = all;
    }
}

#endif

/* Pixels at once; they share the weights, and are enough independent sums. */
#define TILE ENOUGH_SUMS

/* Add one run of `count` pixels to their sums. */
INLINE const float *NAME(narrow_run)(VEC sum[], const float *a, ptrdiff_t stride, const float *b,
                                     size_t length, PART rest, const int count)
{
    size_t k = 0;

    for (; length - k >= LANES; k += LANES) {
        const VEC weight = V(loadu_ps)(b + k);

        UNROLL
        for (int i = 0; i < count; i++)
            sum[i] = V(fmadd_ps)(V(loadu_ps)(a + i * stride + k), weight, sum[i]);
    }
    if (k < length) {
        const VEC weight = LOAD_PART(b + k, rest);

        UNROLL
        for (int i = 0; i < count; i++)
            sum[i] = V(fmadd_ps)(LOAD_PART(a + i * stride + k, rest), weight, sum[i]);
    }
    return b + length;
}

/* Totals of up to four sums; the same order of adding for each. */
INLINE void NAME(narrow_totals)(float total[4], const VEC sum[], const int count)
{
    const __m128 s0 = FOLD(sum[0]);
    const __m128 s1 = count > 1 ? FOLD(sum[1]) : s0;
    const __m128 s2 = count > 2 ? FOLD(sum[2]) : s0;
    const __m128 s3 = count > 3 ? FOLD(sum[3]) : s0;

    _mm_storeu_ps(total, _mm_hadd_ps(_mm_hadd_ps(s0, s1), _mm_hadd_ps(s2, s3)));
}

INLINE void NAME(narrow_tile)(const struct cconv_panel_forward *p, size_t first, const int count)
{
    const ptrdiff_t pixel = (ptrdiff_t)first;
    const PART rest = part_of(p->segment_length % LANES);
    const float *b = p->b;
    VEC sum[TILE];

    UNROLL
    for (int i = 0; i < count; i++)
        sum[i] = V(setzero_ps)();
    for (size_t s = 0; s < p->segments; s++)
        b = NAME(narrow_run)(sum, p->a + pixel * p->a_stride + p->offset[s], p->a_stride, b,
                             p->segment_length, rest, count);
    UNROLL
    for (int i = 0; i < count; i += 4) {
        float total[4];

        NAME(narrow_totals)(total, sum + i, count - i);
        narrow_store(p, pixel + i, total, count - i < 4 ? count - i : 4);
    }
}

typedef void NAME(narrow_tile_fn)(const struct cconv_panel_forward *p, size_t first);

#define DEFINE_FORWARD(n)                                                                          \
    static void NAME(narrow_##n)(const struct cconv_panel_forward *p, size_t first)                \
    {                                                                                              \
        NAME(narrow_tile)(p, first, n);                                                            \
    }
#define FORWARD_ENTRY(n) NAME(narrow_##n),

UP_TO(TILE, DEFINE_FORWARD)

static void NAME(narrow_forward)(const struct cconv_panel_forward *p)
{
    static NAME(narrow_tile_fn) *const tile[] = { UP_TO(TILE, FORWARD_ENTRY) };
    size_t first = 0;

    for (size_t left = tiles_for(p->pixels, TILE); left > 0; left--) {
        const size_t count = (p->pixels - first + left - 1) / left;

        tile[count - 1](p, first);
        first += count;
    }
}

#undef TILE
#undef DEFINE_FORWARD
#undef FORWARD_ENTRY
#undef VEC
#undef LANES
#undef MM
#undef PART
#undef FOLD
#undef NAME
