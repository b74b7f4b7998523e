/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels_template.h - the kernels of pixels.h in vectors of LANES floats.
 *
 * The file that includes it defines
 *
 *   LANES      floats of a vector
 *   vec        a vector
 *   load, store_to, stream_to  of a vector at an address; stream_to an aligned one
 *   all, subtract, times       one value in all lanes, arithmetic
 *   join(a, b)                 the bits of both
 *   load_bytes(p)              LANES bytes in an __m128i
 *   bytes_to_vec(bytes)        the first LANES of them as floats
 *   distances(to, xx, yy, divisor)  LANES values of cconv_distance_fn
 *   INIT       the name of the function that fills the table
 */

/* The bytes of one channel lie in `step` blocks of 16 bytes that hold 16 pixels. pixel * step +
 * source is the place of one; a block takes those within it, the others become 0 (0x80). */
#define PLACE(block, step, source, pixel)                                                          \
    ((pixel) * (step) + (source) >= 16 * (block) &&                                                \
             (pixel) * (step) + (source) < 16 * (block) + 16                                       \
         ? (pixel) * (step) + (source)-16 * (block)                                                \
         : 0x80)
#define BLOCK(b, s, c)                                                                             \
    {                                                                                              \
        PLACE(b, s, c, 0), PLACE(b, s, c, 1), PLACE(b, s, c, 2), PLACE(b, s, c, 3),                \
            PLACE(b, s, c, 4), PLACE(b, s, c, 5), PLACE(b, s, c, 6), PLACE(b, s, c, 7),            \
            PLACE(b, s, c, 8), PLACE(b, s, c, 9), PLACE(b, s, c, 10), PLACE(b, s, c, 11),          \
            PLACE(b, s, c, 12), PLACE(b, s, c, 13), PLACE(b, s, c, 14), PLACE(b, s, c, 15)         \
    }

static const uint8_t of_three[3][3][16] = {
    { BLOCK(0, 3, 0), BLOCK(1, 3, 0), BLOCK(2, 3, 0) },
    { BLOCK(0, 3, 1), BLOCK(1, 3, 1), BLOCK(2, 3, 1) },
    { BLOCK(0, 3, 2), BLOCK(1, 3, 2), BLOCK(2, 3, 2) },
};
static const uint8_t of_four[4][4][16] = {
    { BLOCK(0, 4, 0), BLOCK(1, 4, 0), BLOCK(2, 4, 0), BLOCK(3, 4, 0) },
    { BLOCK(0, 4, 1), BLOCK(1, 4, 1), BLOCK(2, 4, 1), BLOCK(3, 4, 1) },
    { BLOCK(0, 4, 2), BLOCK(1, 4, 2), BLOCK(2, 4, 2), BLOCK(3, 4, 2) },
    { BLOCK(0, 4, 3), BLOCK(1, 4, 3), BLOCK(2, 4, 3), BLOCK(3, 4, 3) },
};

/* ---- unpacking ---- */

INLINE void convert(float *to, __m128i bytes, float mean, float scale, int stream)
{
    const vec m = all(mean), s = all(scale);

    UNROLL
    for (int k = 0; k < 16; k += LANES) {
        const vec v = times(subtract(bytes_to_vec(bytes), m), s);

        if (stream)
            stream_to(to + k, v);
        else
            store_to(to + k, v);
        bytes = _mm_bsrli_si128(bytes, LANES % 16);
    }
}

INLINE __m128i one_channel(const __m128i block[], const uint8_t *place, size_t step)
{
    __m128i bytes = _mm_shuffle_epi8(block[0], _mm_loadu_si128((const __m128i *)place));

    UNROLL
    for (size_t b = 1; b < step; b++) {
        const __m128i at = _mm_loadu_si128((const __m128i *)(place + 16 * b));

        bytes = _mm_or_si128(bytes, _mm_shuffle_epi8(block[b], at));
    }
    return bytes;
}

INLINE size_t whole_sixteens(const struct cconv_unpack *u, const uint8_t *const place[],
                             size_t step, size_t channels)
{
    size_t j = 0;

    for (; j + 16 <= u->n; j += 16) {
        const uint8_t *const from = (const uint8_t *)u->from + j * step;
        __m128i block[4];

        UNROLL
        for (size_t b = 0; b < step; b++)
            block[b] = _mm_loadu_si128((const __m128i *)(from + 16 * b));
        UNROLL
        for (size_t c = 0; c < channels; c++)
            convert(u->to[c] + j, step > 1 ? one_channel(block, place[c], step) : block[0],
                    u->mean[c], u->scale[c], u->stream);
    }
    return j;
}

static void unpack_u8(const struct cconv_unpack *u)
{
    const uint8_t *place[CCONV_MOST_DATA] = { NULL };
    const uint8_t *const from = u->from;
    size_t done;

    for (size_t c = 0; c < u->channels; c++)
        place[c] = u->step == 3 ? of_three[u->source[c]][0] : of_four[u->source[c]][0];
    done = u->step == 1       ? whole_sixteens(u, place, 1, 1)
           : u->step == 3     ? whole_sixteens(u, place, 3, 3)
           : u->channels == 3 ? whole_sixteens(u, place, 4, 3)
                              : whole_sixteens(u, place, 4, 4);
    for (size_t c = 0; c < u->channels; c++) {
        for (size_t j = done; j < u->n; j++)
            u->to[c][j] = ((float)from[j * u->step + u->source[c]] - u->mean[c]) * u->scale[c];
    }
}

/* ---- storing ---- */

/* Floats before the first line of cache that begins at or after to. */
static size_t until_line(const float *to, size_t n)
{
    const size_t left = (0 - (size_t)(uintptr_t)to) % 64 / sizeof *to;

    return left < n ? left : n;
}

#define LINE 16 /* floats of a line of cache */

static void store(float *to, const float *from, size_t n, int stream)
{
    size_t i = until_line(to, n);

    if (!stream) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    memcpy(to, from, i * sizeof *to);
    for (; i + LINE <= n; i += LINE) {
        UNROLL
        for (size_t k = 0; k < LINE; k += LANES)
            stream_to(to + i + k, load(from + i + k));
    }
    memcpy(to + i, from + i, (n - i) * sizeof *to);
}

static void fill(float *to, float value, size_t n, int stream)
{
    const vec v = all(value);
    size_t i = 0;

    for (const size_t head = until_line(to, n); i < head; i++)
        to[i] = value;
    for (; i + LINE <= n; i += LINE) {
        UNROLL
        for (size_t k = 0; k < LINE; k += LANES) {
            if (stream)
                stream_to(to + i + k, v);
            else
                store_to(to + i + k, v);
        }
    }
    for (; i < n; i++)
        to[i] = value;
}

/* ---- bytes to values side by side ---- */

static size_t weave(const struct cconv_weave *w, const uint8_t *from, const float *columns,
                    float *to, size_t n, int stream)
{
    const size_t values = 16 * w->channels;

    for (size_t group = 0; group < n / 16; group++) {
        for (size_t f = 0; f < values; f += LANES) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(from + w->base[f / 16]));
            const vec data = bytes_to_vec(_mm_shuffle_epi8(bytes, load_bytes(w->place + f)));
            const vec v = join(times(subtract(data, load(w->mean + f)), load(w->scale + f)),
                               join(load(columns + f), load(w->row + f)));

            if (stream)
                stream_to(to + f, v);
            else
                store_to(to + f, v);
        }
        from += 16 * w->step;
        columns += values;
        to += values;
    }
    return n / 16 * 16;
}

/* ---- the rest ---- */

static void distance(float *to, const double *xx, double yy, double divisor, size_t n)
{
    size_t j = 0;

    for (; j + LANES <= n; j += LANES)
        distances(to + j, xx + j, yy, divisor);
    for (; j < n; j++)
        to[j] = (float)(sqrt(xx[j] + yy) / divisor);
}

static void fence(void)
{
    _mm_sfence();
}

void INIT(struct cconv_pixel_kernels *k)
{
    k->unpack_u8 = unpack_u8;
    k->store = store;
    k->fill = fill;
    k->weave = weave;
    k->distance = distance;
    k->fence = fence;
}
