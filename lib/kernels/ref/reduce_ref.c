/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reduce_ref.c - sums over rows in plain C.
 *
 * Each column is one chain of additions, row after row. Rows are taken several at
 * a time, so that the sums go through memory once for that many; and few
 * columns are read as more, several rows as one (strip.h), where a row follows
 * another without a gap.
 */
#include "kernels/reduce.h"

#include "base/compiler.h"
#include "kernels/ref/set.h"
#include "kernels/ref/strip.h"

#define ROWS 8

/* sum[c] += ROWS rows, in their order. */
static void add_some(size_t columns, const cconv_real *restrict x, size_t stride,
                     cconv_real *restrict sum)
{
    for (size_t c = 0; c < columns; c++) {
        cconv_real s = sum[c];

        CCONV_UNROLL
        for (size_t r = 0; r < ROWS; r++)
            s += x[r * stride + c];
        sum[c] = s;
    }
}

static void add_one(size_t columns, const cconv_real *restrict x, cconv_real *restrict sum)
{
    for (size_t c = 0; c < columns; c++)
        sum[c] += x[c];
}

static void add_wide(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                     cconv_real *sum)
{
    for (; rows >= ROWS; rows -= ROWS, x += ROWS * stride)
        add_some(columns, x, stride, sum);
    for (; rows > 0; rows--, x += stride)
        add_one(columns, x, sum);
}

static void add_narrow(size_t rows, size_t columns, const cconv_real *x, cconv_real *sum)
{
    const struct cconv_strip s = cconv_strip_at(rows, columns, 0);
    cconv_real lanes[CCONV_FOLD] = { 0 };

    add_wide(s.rows, s.width, x, s.pitch, lanes);
    add_one(s.tail, x + s.rows * s.pitch, lanes);
    for (size_t j = 0; j < s.width; j += columns)
        add_one(columns, lanes + j, sum);
}

static void add_rows(size_t rows, size_t columns, const cconv_real *x, size_t stride,
                     cconv_real *sum)
{
    if (columns == 0)
        return;
    if (stride == columns && columns <= CCONV_FOLD / 2)
        add_narrow(rows, columns, x, sum);
    else
        add_wide(rows, columns, x, stride, sum);
}

void CCONV_SET(cconv_reduce_init)(struct cconv_reduce_kernels *k)
{
    k->add_rows = add_rows;
}
