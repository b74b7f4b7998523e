/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_pixels.c - the kernels of pixels have the bits of the reference at every count, touch
 * nothing else and read nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check_conv.h"

#define ROOM      208
#define UNTOUCHED (-42.5F)

static struct cconv_pixel_kernels tested, reference;

static void choose(void)
{
    struct cconv_kernels k;

    cconv_kernels_init(&k, checked_isa);
    tested = k.pixels;
    cconv_pixels_init_ref(&reference);
}

/* Two results that begin on a line of cache, plus `odd` floats. */
struct pair {
    float *memory[2], *to[2];
    size_t floats;
};

static struct pair open_pair(size_t floats, size_t odd)
{
    struct pair p = { .floats = (floats + odd + 47) / 16 * 16 };

    for (int k = 0; k < 2; k++) {
        p.memory[k] = aligned_alloc(64, p.floats * sizeof(float));
        assert_non_null(p.memory[k]);
        for (size_t i = 0; i < p.floats; i++)
            p.memory[k][i] = UNTOUCHED;
        p.to[k] = p.memory[k] + 16 + odd;
    }
    return p;
}

static void close_pair(struct pair *p)
{
    assert_memory_equal(p->memory[0], p->memory[1], p->floats * sizeof(float));
    free(p->memory[0]);
    free(p->memory[1]);
}

static void check_unpack(size_t step, size_t channels, size_t n, int stream, uint64_t *state)
{
    uint8_t *const from = malloc(n * step); /* exactly, for a sanitizer */
    struct pair p = open_pair(channels * ROOM, 0);
    struct cconv_unpack u = {
        .from = from, .step = step, .n = n, .channels = channels, .stream = stream
    };

    assert_non_null(from);
    for (size_t i = 0; i < n * step; i++)
        from[i] = (uint8_t)random_bits(state);
    for (size_t c = 0; c < channels; c++) {
        u.source[c] = random_below(state, step);
        u.mean[c] = (float)random_below(state, 1000) / 3;
        u.scale[c] = (float)random_below(state, 1000) / 700 - 0.5F;
    }
    for (int k = 0; k < 2; k++) {
        for (size_t c = 0; c < channels; c++)
            u.to[c] = p.to[k] + c * ROOM;
        (k == 0 ? &tested : &reference)->unpack_u8(&u);
    }
    tested.fence();
    close_pair(&p);
    free(from);
}

void pixels_unpack_every_count(void **state)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 3, 3 }, { 4, 3 }, { 4, 4 } };
    uint64_t seed = 1;
    (void)state;

    choose();
    for (size_t shape = 0; shape < 4; shape++)
        for (size_t n = 1; n < ROOM - 8; n++)
            check_unpack(shapes[shape][0], shapes[shape][1], n, n % 2 != 0, &seed);
}

void pixels_store_every_count(void **state)
{
    float from[ROOM];
    uint64_t seed = 2;
    (void)state;

    choose();
    for (size_t i = 0; i < ROOM; i++)
        from[i] = (float)random_below(&seed, 1 << 20);
    for (size_t n = 0; n < ROOM - 8; n++) {
        for (size_t odd = 0; odd < 16; odd++) {
            struct pair p = open_pair(2 * ROOM, odd);
            const int stream = (int)((n + odd) % 2);

            for (int k = 0; k < 2; k++) {
                const struct cconv_pixel_kernels *const kernels = k == 0 ? &tested : &reference;

                kernels->store(p.to[k], from + ROOM - n, n, stream);
                kernels->fill(p.to[k] + ROOM, 7.5F, n, stream);
                kernels->fence();
            }
            close_pair(&p);
        }
    }
}

/* Of data, row and column each value has one. */
static void fill_weave(struct cconv_weave *w, float *columns, size_t groups, uint64_t *state)
{
    const size_t values = 16 * w->channels;

    for (size_t i = 0; i < w->channels; i++)
        w->base[i] = (uint8_t)random_below(state, 16 * w->step - 15);
    for (size_t f = 0; f < values; f++) {
        const size_t kind = random_below(state, 3);

        w->place[f] = (uint8_t)(kind == 0 ? random_below(state, 16) : 0x80);
        w->mean[f] = kind == 0 ? (float)random_below(state, 256) : 0;
        w->scale[f] = kind == 0 ? 0.25F - (float)random_below(state, 2) : 0;
        w->row[f] = kind == 1 ? (float)random_below(state, 999) - 500 : 0;
        for (size_t g = 0; g < groups; g++)
            columns[g * values + f] = kind == 2 ? (float)random_below(state, 999) - 500 : 0;
    }
}

static void check_weave(size_t channels, size_t step, size_t groups, int stream, uint64_t *state)
{
    const size_t values = 16 * channels;
    uint8_t *const from = malloc(groups * 16 * step);
    float *const columns = malloc(groups * values * sizeof *columns);
    struct pair p = open_pair(groups * values, stream ? 0 : random_below(state, 5));
    struct cconv_weave w = { .channels = channels, .step = step };

    assert_true(from != NULL && columns != NULL);
    for (size_t i = 0; i < groups * 16 * step; i++)
        from[i] = (uint8_t)random_bits(state);
    fill_weave(&w, columns, groups, state);
    for (int k = 0; k < 2; k++) {
        const struct cconv_pixel_kernels *const kernels = k == 0 ? &tested : &reference;
        const size_t n = 16 * groups + random_below(state, 16);

        assert_int_equal(kernels->weave(&w, from, columns, p.to[k], n, stream), 16 * groups);
    }
    tested.fence();
    close_pair(&p);
    free(from);
    free(columns);
}

void pixels_weave_every_count(void **state)
{
    uint64_t seed = 3;
    (void)state;

    choose();
    for (size_t channels = 1; channels <= CCONV_MOST_WOVEN; channels++)
        for (size_t step = 1; step <= 4; step++)
            for (size_t groups = 1; groups < 6; groups++)
                check_weave(channels, step, groups, groups % 2 != 0, &seed);
}

void pixels_distance_every_count(void **state)
{
    double xx[ROOM];
    uint64_t seed = 4;
    (void)state;

    choose();
    for (size_t i = 0; i < ROOM; i++)
        xx[i] = (double)random_below(&seed, 1 << 30) / 1234567;
    for (size_t n = 0; n < ROOM; n++) {
        struct pair p = open_pair(ROOM, n % 3);

        tested.distance(p.to[0], xx + ROOM - n, (double)n / 7, n % 2 ? 1 : 1.3, n);
        reference.distance(p.to[1], xx + ROOM - n, (double)n / 7, n % 2 ? 1 : 1.3, n);
        close_pair(&p);
    }
}
