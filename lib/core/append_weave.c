/* SPDX-License-Identifier: BSD-2-Clause
 *
 * append_weave.c - which byte becomes which value, where bytes and values lie side by side.
 */
#include <string.h>

#include "base/compiler.h"
#include "core/append.h"

#define NO_BYTE 0x80

/* The byte that value f of 16 pixels is made of, or NO_BYTE. */
static size_t byte_of(const struct cconv_append *a, size_t channels, size_t f)
{
    const size_t pixel = f / channels, channel = f % channels;

    if (channel < a->data_at || channel >= a->data_at + a->unpack.channels)
        return NO_BYTE;
    return pixel * a->unpack.step + a->unpack.source[channel - a->data_at];
}

static void place_value(const struct cconv_append *a, struct cconv_weave *w, size_t f, size_t byte)
{
    const size_t c = f % w->channels - a->data_at; /* of data */

    w->place[f] = (uint8_t)(byte == NO_BYTE ? NO_BYTE : byte - w->base[f / 16]);
    w->mean[f] = byte == NO_BYTE ? 0 : a->unpack.mean[c];
    w->scale[f] = byte == NO_BYTE ? 0 : a->unpack.scale[c];
}

/* Values of one vector come from 16 bytes in a row that lie within the 16 pixels. */
static int place_sixteen(const struct cconv_append *a, struct cconv_weave *w, size_t first)
{
    size_t least = 16 * w->step - 16;

    for (size_t f = first; f < first + 16; f++)
        least = CCONV_MIN(
            least, byte_of(a, w->channels, f) == NO_BYTE ? least : byte_of(a, w->channels, f));
    w->base[first / 16] = (uint8_t)least;
    for (size_t f = first; f < first + 16; f++) {
        const size_t byte = byte_of(a, w->channels, f);

        if (byte != NO_BYTE && byte - least > 15)
            return 0;
        place_value(a, w, f, byte);
    }
    return 1;
}

int cconv_append_weave(const struct cconv_append *a, struct cconv_weave *w)
{
    const size_t channels = cconv_append_written(a);

    if (a->data == NULL || a->planar || a->is_float || a->to_channel != 1 ||
        channels > CCONV_MOST_WOVEN || a->to_column != (int64_t)channels)
        return 0;
    memset(w, 0, sizeof *w);
    w->channels = channels;
    w->step = a->unpack.step;
    for (size_t first = 0; first < 16 * channels; first += 16)
        if (!place_sixteen(a, w, first))
            return 0;
    return 1;
}
