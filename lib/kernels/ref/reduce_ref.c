/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/reduce.h"

static void add_rows(size_t rows, size_t columns, const cconv_real *restrict x, size_t stride,
                     cconv_real *restrict sum)
{
    for (; rows > 0; rows--, x += stride) {
        for (size_t c = 0; c < columns; c++)
            sum[c] += x[c];
    }
}

void cconv_reduce_init_ref(struct cconv_reduce_kernels *k)
{
    k->add_rows = add_rows;
}
