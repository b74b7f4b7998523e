/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stream.c - with vectors that every x86-64 has; elsewhere an ordinary copy.
 */
#include "kernels/stream.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

enum {
    LINE = 64,
    REALS = LINE / sizeof(cconv_real)
};

void cconv_stream_copy(size_t count, const cconv_real *from, cconv_real *to)
{
    const size_t misplaced = (uintptr_t)to % LINE / sizeof *to;
    size_t i = misplaced != 0 ? REALS - misplaced : 0;

    if (i > count)
        i = count;
    memcpy(to, from, i * sizeof *to);
    for (; i + REALS <= count; i += REALS) {
        const __m128i *line = (const __m128i *)(const void *)(from + i);
        __m128i *place = (__m128i *)(void *)(to + i);

        for (int k = 0; k < LINE / 16; k++)
            _mm_stream_si128(place + k, _mm_loadu_si128(line + k));
    }
    memcpy(to + i, from + i, (count - i) * sizeof *to);
}

#else

void cconv_stream_copy(size_t count, const cconv_real *from, cconv_real *to)
{
    memcpy(to, from, count * sizeof *to);
}

#endif
