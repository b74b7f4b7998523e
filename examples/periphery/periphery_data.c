/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_data.c - signs laid by zones, scenes painted, windows cut out.
 */
#include "periphery_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/draws.h"

enum {
    SEEN_HEIGHT = ROAD_HEIGHT + 2 * ROAD_RIM, /* of what is painted and kept */
    SEEN_WIDTH = ROAD_WIDTH + 2 * ROAD_RIM,
    SEEN_VALUES = 3 * SEEN_HEIGHT * SEEN_WIDTH,
    SIGN_LOTS = 512,
    NOISE = 1 << 16,
    TRIES = 60
};

static const float cell_reach = 3.5f; /* of a sign's middle to the cells that should answer */

const struct window whole_view = { 0, 0, VIEW_ROWS, VIEW_COLUMNS };

/* ---- the rule ---- */

/* How far inside the central region a place is, in pixels; negative outside. */
static float depth_inside(const struct rule *rule, float x, float y)
{
    const float half_x = ROAD_WIDTH / 2.0f, half_y = ROAD_HEIGHT / 2.0f;

    return fminf(half_x * rule->central - fabsf(x - half_x),
                 half_y * rule->central - fabsf(y - half_y));
}

int is_ahead(const struct rule *rule, float x, float y)
{
    return rule->central >= 1 || depth_inside(rule, x, y) >= 0;
}

enum zone zone_of(const struct rule *rule, float x, float y)
{
    const float depth = depth_inside(rule, x, y);

    if (rule->central >= 1 || depth > CELL)
        return ZONE_CENTRE;
    return depth < -CELL ? ZONE_PERIPHERY : ZONE_RING;
}

/* ---- signs ---- */

struct dice {
    float lots[SIGN_LOTS];
    int used;
};

static float roll(struct dice *d, float low, float high)
{
    return low + (high - low) * d->lots[d->used++ % SIGN_LOTS];
}

static int is_on_its_side(const struct rule *rule, const struct road_sign *s)
{
    const int right = s->kind == ROAD_LIMIT || s->kind == ROAD_WARNING ? rule->sides : -rule->sides;

    return right == 0 || (s->x > ROAD_WIDTH / 2.0f) == (right > 0);
}

static int is_apart(const struct road_sign *s, const struct road_sign *others, int count)
{
    for (int k = 0; k < count; k++)
        if (fmaxf(fabsf(s->x - others[k].x), fabsf(s->y - others[k].y)) <
            s->radius + others[k].radius + 1)
            return 0;
    return 1;
}

/* A place in the zone wanted, apart from the other signs; 0 where no try found one. */
static int place_sign(struct dice *d, const struct rule *rule, struct road_sign *signs, int count)
{
    struct road_sign *s = &signs[count];
    const enum zone zone = rule->central >= 1 ? ZONE_CENTRE : (enum zone)roll(d, 0, ZONES);

    s->kind = (int)roll(d, 0, ROAD_KINDS);
    s->radius = roll(d, 4, 7);
    for (int k = 0; k < TRIES; k++) {
        s->x = roll(d, 2, ROAD_WIDTH - 2);
        s->y = roll(d, 2, ROAD_HEIGHT - 2);
        if (zone_of(rule, s->x, s->y) == zone && is_on_its_side(rule, s) &&
            is_apart(s, signs, count))
            return 1;
    }
    return 0;
}

static int place_signs(struct dice *d, const struct rule *rule, struct road_sign *signs)
{
    const int wanted = 2 + (int)roll(d, 0, 3);
    int count = 0;

    for (int k = 0; k < wanted; k++)
        count += place_sign(d, rule, signs, count);
    return count;
}

/* ---- scenes ---- */

/* What a camera makes of the light: noise, more of it by night, and 256 steps. */
static void expose(const float *light, const float *noise, float strength, unsigned char *pixels)
{
    for (int i = 0; i < SEEN_VALUES; i++) {
        const float value = light[i] + strength * (noise[i] - 0.5f);

        pixels[i] = (unsigned char)(255 * fminf(fmaxf(value, 0), 1) + 0.5f);
    }
}

coordconv_status scene_of(coordconv_context *context, uint64_t seed, const struct rule *rule,
                          int which, struct road_scene *scene, int *noise)
{
    struct road_sign signs[ROAD_MOST_SIGNS];
    struct dice dice = { .used = 0 };
    const coordconv_status status =
        draws_uniform(context, seed, 2 * (uint64_t)which, SIGN_LOTS, dice.lots);

    if (status != COORDCONV_OK)
        return status;
    const int count = place_signs(&dice, rule, signs);
    *noise = (int)roll(&dice, 0, NOISE);
    return road_scene_make(scene, context, seed, 2 * (uint32_t)which + 1, signs, count);
}

static coordconv_status make_scene(struct scenes *s, coordconv_context *context, uint64_t seed,
                                   int which, float *light, const float *noise)
{
    struct road_canvas canvas = {
        SEEN_WIDTH, SEEN_HEIGHT, s->shift_x - ROAD_RIM, s->shift_y - ROAD_RIM, 1, light
    };
    struct road_scene scene;
    int from = 0;
    const coordconv_status status = scene_of(context, seed, &s->rule, which, &scene, &from);

    if (status != COORDCONV_OK)
        return status;
    s->sign_counts[which] = scene.sign_count;
    memcpy(s->signs[which], scene.signs, (size_t)scene.sign_count * sizeof scene.signs[0]);
    road_scene_paint(&scene, &canvas);
    expose(light, noise + from, scene.night ? 0.1f : 0.05f,
           s->pixels + (size_t)which * SEEN_VALUES);
    return COORDCONV_OK;
}

coordconv_status scenes_make(struct scenes *s, coordconv_context *context, uint64_t seed,
                             const struct rule *rule, int count, int shift_y, int shift_x)
{
    float *light = malloc(SEEN_VALUES * sizeof *light);
    float *noise = malloc((NOISE + SEEN_VALUES) * sizeof *noise);

    *s = (struct scenes){ .rule = *rule, .count = count, .shift_y = shift_y, .shift_x = shift_x };
    s->signs = calloc((size_t)count, sizeof *s->signs);
    s->sign_counts = calloc((size_t)count, sizeof *s->sign_counts);
    s->pixels = malloc((size_t)count * SEEN_VALUES);
    coordconv_status status = light == NULL || noise == NULL || s->signs == NULL ||
                                      s->sign_counts == NULL || s->pixels == NULL
                                  ? COORDCONV_ERR_NOMEM
                                  : COORDCONV_OK;
    if (status == COORDCONV_OK)
        status = draws_uniform(context, seed, UINT32_MAX, NOISE + SEEN_VALUES, noise);
    for (int k = 0; k < count && status == COORDCONV_OK; k++)
        status = make_scene(s, context, seed, k, light, noise);
    free(light);
    free(noise);
    if (status != COORDCONV_OK)
        scenes_free(s);
    return status;
}

void scenes_free(struct scenes *s)
{
    free(s->signs);
    free(s->sign_counts);
    free(s->pixels);
    memset(s, 0, sizeof *s);
}

size_t scene_bytes(void)
{
    return SEEN_VALUES;
}

/* ---- windows ---- */

int seen_extent(int cells, int padded)
{
    return cells * CELL + (padded ? 0 : RIM_BOTH);
}

void fill_image(const struct scenes *s, int which, const struct window *w, int padded, float *image)
{
    const int before = padded ? 0 : RIM_BEFORE;
    const int height = seen_extent(w->rows, padded), width = seen_extent(w->columns, padded);
    const unsigned char *scene = s->pixels + (size_t)which * SEEN_VALUES;

    for (int i = 0; i < height; i++) {
        const int row = ROAD_RIM + w->y - before + i, column = ROAD_RIM + w->x - before;
        const unsigned char *from = scene + 3 * (row * SEEN_WIDTH + column);

        for (int j = 0; j < 3 * width; j++)
            *image++ = (float)from[j] / 127.5f - 1;
    }
}

float cell_middle(int first, int k, int shift)
{
    return (float)(shift + first + CELL * k) + 2.5f;
}

static void mark_sign(const struct scenes *s, const struct road_sign *sign, const struct window *w,
                      float *target)
{
    for (int i = 0; i < w->rows; i++) {
        const float dy = cell_middle(w->y, i, s->shift_y) - sign->y;

        for (int j = 0; j < w->columns; j++) {
            const float dx = cell_middle(w->x, j, s->shift_x) - sign->x;
            if (dx * dx + dy * dy < cell_reach * cell_reach)
                target[(i * w->columns + j) * ROAD_KINDS + sign->kind] = 1;
        }
    }
}

void fill_target(const struct scenes *s, int which, const struct window *w, int every_sign,
                 float *target)
{
    memset(target, 0, (size_t)w->rows * (size_t)w->columns * ROAD_KINDS * sizeof *target);
    for (int k = 0; k < s->sign_counts[which]; k++) {
        const struct road_sign *sign = &s->signs[which][k];
        if (every_sign || is_ahead(&s->rule, sign->x, sign->y))
            mark_sign(s, sign, w, target);
    }
}
