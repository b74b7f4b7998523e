/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels.h - pixels of images to planes of float, and such planes to where they belong.
 *
 * Values are float whatever models compute in, and have the same bits in every set.
 */
#ifndef CCONV_KERNELS_PIXELS_H
#define CCONV_KERNELS_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#define CCONV_MOST_DATA 4 /* channels of a pixel */

/* to[c][j] = ((float)from[j * step + source[c]] - mean[c]) * scale[c]
 * for 0 <= c < channels, 0 <= j < n; source[c] < step; step and channels are 1 and 1, 3 and 3,
 * 4 and 3, or 4 and 4. */
struct cconv_unpack {
    const void *from; /* uint8_t or float, as the kernel's name says */
    size_t step, n, channels;
    size_t source[CCONV_MOST_DATA];
    float mean[CCONV_MOST_DATA], scale[CCONV_MOST_DATA];
    float *to[CCONV_MOST_DATA];
    int stream; /* as below; each to[c] then begins a line of cache */
};

typedef void cconv_unpack_fn(const struct cconv_unpack *u);

/* to[i] = from[i], or value, for 0 <= i < n. stream: past the caches, where the set can do so;
 * a fence has to follow before others read. */
typedef void cconv_store_fn(float *to, const float *from, size_t n, int stream);
typedef void cconv_fill_fn(float *to, float value, size_t n, int stream);

/* to[j * channels + c] = from[c][j] for 0 <= c < channels, 0 <= j < n. */
typedef void cconv_interleave_fn(float *to, const float *const *from, size_t channels, size_t n);

#define CCONV_MOST_WOVEN 8

/* Sixteen pixels of a result whose channels lie side by side, as 16 * channels values: byte
 * base[f / 16] + place[f] of the 16 * step bytes of those pixels gives value f, less mean[f], times
 * scale[f]; where place[f] is 0x80 there are no data, mean and scale are 0. row[f] is what
 * depends on the row alone, 0 elsewhere. */
struct cconv_weave {
    size_t channels, step;
    uint8_t base[CCONV_MOST_WOVEN];
    uint8_t place[16 * CCONV_MOST_WOVEN];
    float mean[16 * CCONV_MOST_WOVEN], scale[16 * CCONV_MOST_WOVEN], row[16 * CCONV_MOST_WOVEN];
};

/* The pixels of n / 16 such groups; columns are as many values as to has: those of what depends on
 * the column alone, 0 elsewhere. Returns the pixels written. With stream, to begins a line of
 * cache. */
typedef size_t cconv_weave_fn(const struct cconv_weave *w, const uint8_t *from,
                              const float *columns, float *to, size_t n, int stream);

/* to[j] = sqrt(xx[j] + yy) / divisor. */
typedef void cconv_distance_fn(float *to, const double *xx, double yy, double divisor, size_t n);

struct cconv_pixel_kernels {
    cconv_unpack_fn *unpack_u8, *unpack_f32;
    cconv_store_fn *store;
    cconv_fill_fn *fill;
    cconv_interleave_fn *interleave;
    cconv_weave_fn *weave;
    cconv_distance_fn *distance;
    void (*fence)(void);
};

void cconv_pixels_init_ref(struct cconv_pixel_kernels *k);
void cconv_pixels_init_avx2(struct cconv_pixel_kernels *k);   /* CCONV_HAVE_AVX2 */
void cconv_pixels_init_avx512(struct cconv_pixel_kernels *k); /* CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_PIXELS_H */
