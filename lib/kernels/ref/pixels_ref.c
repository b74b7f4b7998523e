/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/pixels.h"

#include <math.h>
#include <string.h>

#define DEFINE_UNPACK(name, type)                                                                  \
    static void name(const struct cconv_unpack *u)                                                 \
    {                                                                                              \
        for (size_t c = 0; c < u->channels; c++) {                                                 \
            const type *const from = (const type *)u->from + u->source[c];                         \
            const float mean = u->mean[c], scale = u->scale[c];                                    \
            float *const to = u->to[c];                                                            \
                                                                                                   \
            for (size_t j = 0; j < u->n; j++)                                                      \
                to[j] = ((float)from[j * u->step] - mean) * scale;                                 \
        }                                                                                          \
    }

DEFINE_UNPACK(unpack_u8, uint8_t)
DEFINE_UNPACK(unpack_f32, float)

static void store(float *to, const float *from, size_t n, int stream)
{
    (void)stream;
    memcpy(to, from, n * sizeof *to);
}

static void fill(float *to, float value, size_t n, int stream)
{
    (void)stream;
    for (size_t i = 0; i < n; i++)
        to[i] = value;
}

static void interleave(float *to, const float *const *from, size_t channels, size_t n)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t j = 0; j < n; j++)
            to[j * channels + c] = from[c][j];
    }
}

static void distance(float *to, const double *xx, double yy, double divisor, size_t n)
{
    for (size_t j = 0; j < n; j++)
        to[j] = (float)(sqrt(xx[j] + yy) / divisor);
}

static void fence(void)
{
}

void cconv_pixels_init_ref(struct cconv_pixel_kernels *k)
{
    k->unpack_u8 = unpack_u8;
    k->unpack_f32 = unpack_f32;
    k->store = store;
    k->fill = fill;
    k->interleave = interleave;
    k->distance = distance;
    k->fence = fence;
}
