/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/transpose.h"

void cconv_transpose_ref(const struct cconv_transpose *t)
{
    for (size_t c = 0; c < t->columns; c++) {
        cconv_real *to = t->to + c * t->to_stride;

        for (size_t i = 0; i < t->outer; i++) {
            for (size_t j = 0; j < t->inner; j++)
                *to++ = t->from[i * t->from_outer + j * t->from_inner + c];
        }
    }
}
