/* SPDX-License-Identifier: BSD-2-Clause
 *
 * append_bound.c - what no way of appending channels can be faster than: read the image, write the
 * result past the caches, compute nothing. Loaded by append.py, so that it takes turns with the
 * rest.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static uint32_t read_bytes(const unsigned char *from, size_t bytes)
{
    __m256i sum[4] = { _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                       _mm256_setzero_si256() };
    __m256i all;

    for (size_t at = 0; at + 128 <= bytes; at += 128) {
        for (size_t k = 0; k < 4; k++)
            sum[k] = _mm256_add_epi32(
                sum[k], _mm256_loadu_si256((const __m256i *)(const void *)(from + at + 32 * k)));
    }
    all = _mm256_add_epi32(_mm256_add_epi32(sum[0], sum[1]), _mm256_add_epi32(sum[2], sum[3]));
    return (uint32_t)_mm256_extract_epi32(all, 0) + (uint32_t)_mm256_extract_epi32(all, 5);
}

/* The values differ: a machine may have short cuts for zeros. */
__attribute__((target("avx2"))) static void stream(float *to, size_t floats, uint32_t seed)
{
    const __m256 step = _mm256_set1_ps(0.5F);
    __m256 x = _mm256_set1_ps((float)(seed & 255));

    for (size_t at = 0; at + 16 <= floats; at += 16, x = _mm256_add_ps(x, step)) {
        _mm256_stream_ps(to + at, x);
        _mm256_stream_ps(to + at + 8, x);
    }
}

static void fence(void)
{
    _mm_sfence();
}
#else
static uint32_t read_bytes(const unsigned char *from, size_t bytes)
{
    uint32_t sum = 0;

    for (size_t at = 0; at < bytes; at++)
        sum += from[at];
    return sum;
}

static void stream(float *to, size_t floats, uint32_t seed)
{
    memset(to, (int)(seed & 1) + 1, floats * sizeof *to);
}

static void fence(void)
{
}
#endif

void append_bound(const unsigned char *from, size_t bytes, float *to, size_t floats, size_t parts);

/* Read and write `parts` parts in turn: how the two go together best is for the machine to say. */
void append_bound(const unsigned char *from, size_t bytes, float *to, size_t floats, size_t parts)
{
    const size_t in = bytes / parts, out = floats / parts / 16 * 16;

    for (size_t part = 0; part < parts; part++)
        stream(to + part * out, part + 1 < parts ? out : floats - part * out,
               read_bytes(from + part * in, in));
    fence();
}
