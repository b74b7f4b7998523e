/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments_ref.c - sums and moments of rows in plain C. Columns are taken a few
 * at a time, so that their sums stay in registers over all rows.
 */
#include "kernels/moments.h"

#include "base/compiler.h"

#define WIDTH 16

static inline void add_block(size_t rows, const size_t columns, const cconv_real *x, size_t stride,
                             cconv_real first, cconv_real *sum, cconv_real *moment)
{
    cconv_real s[WIDTH] = { 0 }, m[WIDTH] = { 0 };

    for (size_t r = 0; r < rows; r++, x += stride, first += 1) {
        CCONV_VECTORISE
        for (size_t c = 0; c < columns; c++) {
            s[c] += x[c];
            m[c] += first * x[c];
        }
    }
    for (size_t c = 0; c < columns; c++)
        sum[c] += s[c];
    for (size_t c = 0; c < columns && moment != NULL; c++)
        moment[c] += m[c];
}

void cconv_moments_ref(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                       cconv_real first, cconv_real *sum, cconv_real *moment)
{
    size_t c = 0;

    for (; columns - c >= WIDTH; c += WIDTH)
        add_block(rows, WIDTH, x + c, stride, first, sum + c, moment == NULL ? NULL : moment + c);
    for (; c < columns; c++)
        add_block(rows, 1, x + c, stride, first, sum + c, moment == NULL ? NULL : moment + c);
}
