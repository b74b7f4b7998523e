/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels_template.h - the kernels of pixels.h in vectors of LANES floats.
 *
 * The file that includes it defines
 *
 *   LANES      floats of a vector
 *   vec        a vector; bytes_to_vec(p): of the LANES bytes at p; load(p), store_to(p, v),
 *              stream_to(p, v) with p aligned, all(value), subtract(a, b), times(a, b)
 *   indices    a vector of int32_t, load_indices(p)
 *   pick       (v, from, where, lanes): v, but in `lanes` (a bit a lane) lanes of from
 *   distances  (to, xx, yy, divisor): LANES of them, yy and divisor being double
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

INLINE void convert(float *to, __m128i bytes, float mean, float scale)
{
    const vec m = all(mean), s = all(scale);

    UNROLL
    for (int k = 0; k < 16; k += LANES) {
        store_to(to + k, times(subtract(bytes_to_vec(bytes), m), s));
        bytes = _mm_bsrli_si128(bytes, LANES % 16);
    }
}

INLINE void sixteen_pixels(const uint8_t *from, const uint8_t *const place[], size_t step,
                           const struct cconv_unpack *u, size_t j)
{
    __m128i block[4];

    UNROLL
    for (size_t b = 0; b < step; b++)
        block[b] = _mm_loadu_si128((const __m128i *)(from + 16 * b));
    for (size_t c = 0; c < u->channels; c++) {
        __m128i bytes = block[0];

        if (step > 1) {
            bytes = _mm_shuffle_epi8(bytes, _mm_loadu_si128((const __m128i *)place[c]));
            UNROLL
            for (size_t b = 1; b < step; b++)
                bytes = _mm_or_si128(
                    bytes, _mm_shuffle_epi8(block[b],
                                            _mm_loadu_si128((const __m128i *)(place[c] + 16 * b))));
        }
        convert(u->to[c] + j, bytes, u->mean[c], u->scale[c]);
    }
}

INLINE size_t whole_sixteens(const struct cconv_unpack *u, const uint8_t *const place[],
                             size_t step)
{
    const uint8_t *const from = u->from;
    size_t j = 0;

    for (; j + 16 <= u->n; j += 16)
        sixteen_pixels(from + j * step, place, step, u, j);
    return j;
}

static void unpack_u8(const struct cconv_unpack *u)
{
    const uint8_t *place[CCONV_MOST_DATA] = { NULL };
    const uint8_t *const from = u->from;
    size_t done;

    for (size_t c = 0; c < u->channels; c++)
        place[c] = u->step == 3 ? of_three[u->source[c]][0] : of_four[u->source[c]][0];
    done = u->step == 3   ? whole_sixteens(u, place, 3)
           : u->step == 4 ? whole_sixteens(u, place, 4)
                          : whole_sixteens(u, place, 1);
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

/* ---- interleaving ---- */

#define MOST_WOVEN 8

/* Lane l of vector v of LANES pixels is channel (v * LANES + l) % channels of pixel
 * (v * LANES + l) / channels. */
struct weave {
    int32_t pixel[MOST_WOVEN][LANES];
    uint32_t lanes[MOST_WOVEN][MOST_WOVEN]; /* of vector v, those of channel c */
};

static void plan_weave(struct weave *w, size_t channels)
{
    for (size_t v = 0; v < channels; v++) {
        for (size_t c = 0; c < channels; c++)
            w->lanes[v][c] = 0;
        for (size_t l = 0; l < LANES; l++) {
            const size_t at = v * LANES + l;

            w->pixel[v][l] = (int32_t)(at / channels);
            w->lanes[v][at % channels] |= 1U << l;
        }
    }
}

INLINE void weave_all(float *to, const float *const *from, size_t channels, size_t n,
                      const struct weave *w)
{
    for (size_t j = 0; j + LANES <= n; j += LANES) {
        vec in[MOST_WOVEN];

        UNROLL
        for (size_t c = 0; c < channels; c++)
            in[c] = load(from[c] + j);
        for (size_t v = 0; v < channels; v++) {
            const indices where = load_indices(w->pixel[v]);
            vec out = in[0];

            UNROLL
            for (size_t c = 0; c < channels; c++)
                out = pick(out, in[c], where, w->lanes[v][c]);
            store_to(to + j * channels + v * LANES, out);
        }
    }
}

static void interleave(float *to, const float *const *from, size_t channels, size_t n)
{
    struct weave w;
    size_t done = n / LANES * LANES;

    if (channels > MOST_WOVEN) {
        done = 0;
    } else {
        plan_weave(&w, channels);
        switch (channels) {
        case 3:
            weave_all(to, from, 3, n, &w);
            break;
        case 5:
            weave_all(to, from, 5, n, &w);
            break;
        case 6:
            weave_all(to, from, 6, n, &w);
            break;
        default:
            weave_all(to, from, channels, n, &w);
        }
    }
    for (size_t j = done; j < n; j++) {
        for (size_t c = 0; c < channels; c++)
            to[j * channels + c] = from[c][j];
    }
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
    k->interleave = interleave;
    k->distance = distance;
    k->fence = fence;
}
