/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments_template.h - sums and moments of rows, see kernels/moments.h.
 *
 * The file that includes it has included x86/unroll.h and defines V(op), VEC,
 * LANES, MM, PART, part_of(n), LOAD_PART and STORE_PART as for conv_template.h,
 * and
 *
 *   BLOCK    vectors of columns at once
 *   MOMENTS  name of the function
 *
 * A block holds a sum and a moment for each vector in registers, which is
 * enough to hide the latency of both; it is bound by the load of each value.
 */

/* `count` vectors of columns, the last of which may be a part. */
INLINE void add_block(size_t rows, const float *x, size_t stride, float first, float *sum,
                      float *moment, PART last, const int count, const int weighted)
{
    const VEC one = V(set1_ps)(1.0F);
    VEC weight = V(set1_ps)(first);
    VEC s[BLOCK], m[BLOCK];
    PART part[BLOCK];

    UNROLL
    for (int v = 0; v < count; v++) {
        s[v] = m[v] = V(setzero_ps)();
        part[v] = v == count - 1 ? last : part_of(LANES);
    }
    for (; rows > 0; rows--, x += stride) {
        UNROLL
        for (int v = 0; v < count; v++) {
            const VEC value = LOAD_PART(x + v * LANES, part[v]);

            s[v] = V(add_ps)(s[v], value);
            if (weighted)
                m[v] = V(fmadd_ps)(weight, value, m[v]);
        }
        weight = V(add_ps)(weight, one);
    }
    UNROLL
    for (int v = 0; v < count; v++) {
        float *const to = sum + v * LANES;

        STORE_PART(to, part[v], V(add_ps)(LOAD_PART(to, part[v]), s[v]));
    }
    if (!weighted)
        return;
    UNROLL
    for (int v = 0; v < count; v++) {
        float *const to = moment + v * LANES;

        STORE_PART(to, part[v], V(add_ps)(LOAD_PART(to, part[v]), m[v]));
    }
}

INLINE void add_all(size_t rows, size_t columns, const float *x, size_t stride, float first,
                    float *sum, float *moment, const int weighted)
{
    for (; columns >= BLOCK * LANES; columns -= BLOCK * LANES) {
        add_block(rows, x, stride, first, sum, moment, part_of(LANES), BLOCK, weighted);
        x += BLOCK * LANES;
        sum += BLOCK * LANES;
        moment += weighted ? BLOCK * LANES : 0;
    }
    for (; columns >= 2 * LANES; columns -= 2 * LANES) {
        add_block(rows, x, stride, first, sum, moment, part_of(LANES), 2, weighted);
        x += 2 * LANES;
        sum += 2 * LANES;
        moment += weighted ? 2 * LANES : 0;
    }
    if (columns > LANES)
        add_block(rows, x, stride, first, sum, moment, part_of(columns - LANES), 2, weighted);
    else if (columns > 0)
        add_block(rows, x, stride, first, sum, moment, part_of(columns), 1, weighted);
}

void MOMENTS(size_t rows, size_t columns, const float *x, size_t stride, float first, float *sum,
             float *moment)
{
    if (moment != NULL)
        add_all(rows, columns, x, stride, first, sum, moment, 1);
    else
        add_all(rows, columns, x, stride, first, sum, NULL, 0);
}
