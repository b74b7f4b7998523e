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

/* At most one of the three is not 0. Their bits are joined, so that a -0 stays one. */
static float join(float a, float b, float c)
{
    uint32_t bits[3];
    float joined;

    memcpy(&bits[0], &a, sizeof a);
    memcpy(&bits[1], &b, sizeof b);
    memcpy(&bits[2], &c, sizeof c);
    bits[0] |= bits[1] | bits[2];
    memcpy(&joined, bits, sizeof joined);
    return joined;
}

static size_t weave(const struct cconv_weave *w, const uint8_t *from, const float *columns,
                    float *to, size_t n, int stream)
{
    const size_t values = 16 * w->channels;

    (void)stream;
    for (size_t group = 0; group < n / 16; group++) {
        for (size_t f = 0; f < values; f++) {
            const int is_data = (w->place[f] & 0x80) == 0;
            const uint8_t byte = is_data ? from[w->base[f / 16] + w->place[f]] : 0;

            to[f] = join(((float)byte - w->mean[f]) * w->scale[f], columns[f], w->row[f]);
        }
        from += 16 * w->step;
        columns += values;
        to += values;
    }
    return n / 16 * 16;
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
    k->weave = weave;
    k->distance = distance;
    k->fence = fence;
}
