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
 * for 0 <= c < channels, 0 <= j < n; step is 1, 3 or 4, source[c] < step. */
struct cconv_unpack {
    const void *from; /* uint8_t or float, as the kernel's name says */
    size_t step, n, channels;
    size_t source[CCONV_MOST_DATA];
    float mean[CCONV_MOST_DATA], scale[CCONV_MOST_DATA];
    float *to[CCONV_MOST_DATA];
};

typedef void cconv_unpack_fn(const struct cconv_unpack *u);

/* to[i] = from[i], or value, for 0 <= i < n. stream: past the caches, where the set can do so;
 * a fence has to follow before others read. */
typedef void cconv_store_fn(float *to, const float *from, size_t n, int stream);
typedef void cconv_fill_fn(float *to, float value, size_t n, int stream);

/* to[j * channels + c] = from[c][j] for 0 <= c < channels, 0 <= j < n. */
typedef void cconv_interleave_fn(float *to, const float *const *from, size_t channels, size_t n);

/* to[j] = sqrt(xx[j] + yy) / divisor. */
typedef void cconv_distance_fn(float *to, const double *xx, double yy, double divisor, size_t n);

struct cconv_pixel_kernels {
    cconv_unpack_fn *unpack_u8, *unpack_f32;
    cconv_store_fn *store;
    cconv_fill_fn *fill;
    cconv_interleave_fn *interleave;
    cconv_distance_fn *distance;
    void (*fence)(void);
};

void cconv_pixels_init_ref(struct cconv_pixel_kernels *k);
void cconv_pixels_init_avx2(struct cconv_pixel_kernels *k);   /* CCONV_HAVE_AVX2 */
void cconv_pixels_init_avx512(struct cconv_pixel_kernels *k); /* CCONV_HAVE_AVX512 */

#endif /* CCONV_KERNELS_PIXELS_H */
