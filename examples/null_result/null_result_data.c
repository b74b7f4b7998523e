/* SPDX-License-Identifier: BSD-2-Clause
 *
 * null_result_data.c - digits on a strip, and what their place has to do with their label.
 */
#include "null_result_data.h"

#include <stdlib.h>
#include <string.h>

#include "common/draws.h"

enum {
    MOST_SCENES = 1024 /* placed at once */
};

const struct layout layouts[LAYOUTS] = { { "anywhere", "the class is the digit", 0, 0 },
                                         { "sides", "the class is the digit and its side", 0, 1 },
                                         { "sides, narrow",
                                           "the same, the ends of the strip in sight", 1, 1 } };

int layout_width(const struct layout *layout)
{
    return layout->is_narrow ? NARROW_WIDTH : WIDE_WIDTH;
}

static int is_right(int place)
{
    return place >= SIDE_PLACES;
}

int place_column(const struct layout *layout, int place)
{
    return (layout->is_narrow ? 0 : BLANK) + place + (is_right(place) ? MIDDLE_GAP : 0);
}

int place_across(int place)
{
    const int across = place + SIDES_APART - MIDDLE_GAP;

    return !is_right(place) && is_right(across) && across < PLACES ? across : -1;
}

int32_t scene_label(const struct layout *layout, int digit, int place)
{
    return layout->side_counts && is_right(place) ? DIGIT_CLASSES + digit : digit;
}

/* ---- where digits stand ---- */

static int share_of(float share, int count)
{
    const int whole = (int)(share * (float)count);

    return whole < count ? whole : count - 1;
}

coordconv_status scenes_place(coordconv_context *context, uint64_t seed, uint64_t stream,
                              int64_t count, struct scene *scenes)
{
    float shares[2 * MOST_SCENES];

    if (count > MOST_SCENES)
        return COORDCONV_ERR_INVALID;
    const coordconv_status status = draws_uniform(context, seed, stream, 2 * count, shares);
    for (int64_t i = 0; i < count && status == COORDCONV_OK; i++) {
        scenes[i].place = share_of(shares[2 * i], PLACES);
        scenes[i].top = share_of(shares[2 * i + 1], TOPS);
    }
    return status;
}

/* ---- strips ---- */

static void paint_digit(const unsigned char *pixels, int width, float *strip)
{
    for (int i = 0; i < INK_SIDE; i++) {
        for (int j = 0; j < INK_SIDE; j++) {
            const unsigned char *four = pixels + 2 * i * DIGIT_SIDE + 2 * j;

            strip[i * width + j] =
                (float)(four[0] + four[1] + four[DIGIT_SIDE] + four[DIGIT_SIDE + 1]) *
                (INK / (4 * 255.0f));
        }
    }
}

void scenes_paint(const struct layout *layout, const struct digit_set *set, int64_t count,
                  const struct scene *scenes, float *strips, int32_t *labels)
{
    const int width = layout_width(layout);

    memset(strips, 0, (size_t)count * STRIP_HEIGHT * (size_t)width * sizeof *strips);
    for (int64_t i = 0; i < count; i++) {
        const struct scene *s = &scenes[i];
        float *strip = strips + i * STRIP_HEIGHT * width;

        paint_digit(set->pixels + s->digit * DIGIT_PIXELS, width,
                    strip + s->top * width + place_column(layout, s->place));
        if (labels != NULL)
            labels[i] = scene_label(layout, set->labels[s->digit], s->place);
    }
}

/* ---- training ---- */

coordconv_status sampler_new(struct sampler *sampler, coordconv_context *context, uint64_t seed,
                             int64_t digits, int64_t batch)
{
    *sampler = (struct sampler){
        .context = context, .seed = seed, .digits = digits, .batch = batch, .pass = -1
    };
    sampler->order = malloc((size_t)digits * sizeof *sampler->order);
    return sampler->order != NULL ? COORDCONV_OK : COORDCONV_ERR_NOMEM;
}

void sampler_free(struct sampler *sampler)
{
    free(sampler->order);
    sampler->order = NULL;
}

static coordconv_status turn_to_pass(struct sampler *s, int64_t pass)
{
    if (s->pass == pass)
        return COORDCONV_OK;
    s->pass = pass;
    return coordconv_permutation(s->seed, (uint64_t)pass, s->digits, s->order);
}

coordconv_status sampler_batch(struct sampler *sampler, int64_t step, struct scene *scenes)
{
    coordconv_status status =
        scenes_place(sampler->context, sampler->seed, (uint64_t)step, sampler->batch, scenes);

    for (int64_t i = 0; i < sampler->batch && status == COORDCONV_OK; i++) {
        const int64_t number = step * sampler->batch + i;

        status = turn_to_pass(sampler, number / sampler->digits);
        if (status == COORDCONV_OK)
            scenes[i].digit = sampler->order[number % sampler->digits];
    }
    return status;
}
