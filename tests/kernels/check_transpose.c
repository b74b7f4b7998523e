/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_transpose.c - every value goes where it should, and nothing else is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check_conv.h"

#define UNTOUCHED ((cconv_real)-1)

static void check(cconv_transpose_fn *transpose, size_t outer, size_t inner, size_t columns,
                  size_t gap)
{
    const size_t from_inner = columns + gap, from_outer = inner * from_inner + gap;
    const size_t to_stride = outer * inner + gap;
    const size_t last = (outer - 1) * from_outer + (inner - 1) * from_inner + columns;
    /* Exactly what may be touched, so that a sanitizer sees one value too many. */
    cconv_real *from = malloc(last * sizeof *from);
    cconv_real *to = malloc(((columns - 1) * to_stride + outer * inner) * sizeof *to);
    const struct cconv_transpose t = { outer,      inner,      columns, from,
                                       from_outer, from_inner, to,      to_stride };

    assert_true(from != NULL && to != NULL);
    for (size_t i = 0; i < last; i++)
        from[i] = (cconv_real)i;
    for (size_t i = 0; i < (columns - 1) * to_stride + outer * inner; i++)
        to[i] = UNTOUCHED;
    transpose(&t);
    for (size_t i = 0; i < (columns - 1) * to_stride + outer * inner; i++) {
        const size_t c = i / to_stride, r = i % to_stride;
        const size_t at = r / inner * from_outer + r % inner * from_inner + c;

        assert_true(to[i] == (r < outer * inner ? (cconv_real)at : UNTOUCHED));
    }
    free(from);
    free(to);
}

void transpose_moves_every_value(void **state)
{
    struct cconv_kernels k;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    for (size_t columns = 1; columns < 40; columns++) {
        for (size_t outer = 1; outer < 20; outer++)
            check(k.transpose, outer, 1 + (outer + columns) % 9, columns, columns % 3);
        check(k.transpose, 1, 64, columns, 5);
    }
}
