/* SPDX-License-Identifier: BSD-2-Clause
 *
 * downsample_measure.c - how far answers are off, and what the first layer learns from.
 */
#include "downsample_measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "downsample_nets.h"

enum {
    CHUNK = 64, /* images at a time */
    PARITIES = 4,
    MOST_WEIGHTS = CHANNELS * 3 * 9 /* of the first layer: the pixel, x, y, 3x3 taps */
};

/* ---- answers ---- */

/* Deviation of a coordinate in pixels, the mean square of both. */
static double spread_of(const float *xy)
{
    double sum = 0;

    for (int axis = 0; axis < 2; axis++) {
        double mean = 0, squares = 0;
        for (int i = 0; i < POSITIONS; i++)
            mean += to_pixels((double)xy[2 * i + axis]) / POSITIONS;
        for (int i = 0; i < POSITIONS; i++)
            squares += pow(to_pixels((double)xy[2 * i + axis]) - mean, 2);
        sum += squares / POSITIONS;
    }
    return sqrt(sum / 2);
}

static void judge(struct answers *a, const float *xy)
{
    for (int i = 0; i < POSITIONS; i++) {
        const double dx = to_pixels((double)xy[2 * i]) - i % SIDE;
        const double dy = to_pixels((double)xy[2 * i + 1]) - i / SIDE;

        a->distance[i] = (float)hypot(dx, dy);
        a->is_right[i] = fabs(dx) < 0.5 && fabs(dy) < 0.5;
    }
    a->spread = spread_of(xy);
}

static coordconv_status run_chunk(coordconv_plan *plan, coordconv_tensor *image, int64_t first,
                                  double lit, float *xy)
{
    int64_t positions[CHUNK];
    coordconv_tensor *out = NULL;
    coordconv_status st;

    for (int64_t i = 0; i < CHUNK; i++)
        positions[i] = first + i;
    draw_images(image, CHUNK, positions, lit);
    if ((st = coordconv_plan_run(plan)) == COORDCONV_OK &&
        (st = coordconv_plan_output(plan, "xy", &out)) == COORDCONV_OK)
        memcpy(xy + 2 * first, coordconv_tensor_data(out), 2 * CHUNK * sizeof *xy);
    coordconv_tensor_unref(out);
    return st;
}

coordconv_status answers_make(struct answers *a, coordconv_context *context, coordconv_model *model,
                              double lit)
{
    static const char *const outputs[] = { "xy" };
    const int64_t shape[4] = { CHUNK, SIDE, SIDE, 1 };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .batch = CHUNK, .outputs = outputs, .output_count = 1
    };
    float xy[2 * POSITIONS];
    coordconv_plan *plan = NULL;
    coordconv_tensor *image = NULL;
    coordconv_status st;

    if ((st = coordconv_plan_new(model, &desc, &plan)) == COORDCONV_OK &&
        (st = coordconv_tensor_new(context, COORDCONV_F32, 4, shape, &image)) == COORDCONV_OK)
        st = coordconv_plan_bind(plan, "image", image);
    for (int64_t first = 0; first < POSITIONS && st == COORDCONV_OK; first += CHUNK)
        st = run_chunk(plan, image, first, lit, xy);
    if (st == COORDCONV_OK)
        judge(a, xy);
    coordconv_tensor_unref(image);
    coordconv_plan_unref(plan);
    return st;
}

/* ---- gradients ---- */

/* The gradient of the first layer's weight, [channels, 1 or 3, k, k]; its elements an input channel
 * and filter in *taps, its input channels in *inputs. */
static coordconv_status first_gradient(coordconv_plan *plan, const float **values, int64_t *taps,
                                       int64_t *inputs, coordconv_tensor **all)
{
    coordconv_tensor *weight = NULL;
    int64_t offset = 0;
    coordconv_status st = coordconv_plan_gradients(plan, all);

    if (st == COORDCONV_OK)
        st = coordconv_plan_parameter(plan, 0, NULL, &offset, &weight);
    if (st != COORDCONV_OK)
        return st;
    *values = (const float *)coordconv_tensor_data(*all) + offset;
    *inputs = coordconv_tensor_dim(weight, 1);
    *taps = coordconv_tensor_dim(weight, 2) * coordconv_tensor_dim(weight, 3);
    return COORDCONV_OK;
}

/* Sums of gradients over the pixels of each parity. */
struct sums {
    double weights[PARITIES][MOST_WEIGHTS];
    int64_t taps, inputs;
};

static coordconv_status add_batch(struct sums *s, coordconv_plan *plan, int parity)
{
    coordconv_tensor *all = NULL;
    const float *values = NULL;
    coordconv_status st = coordconv_plan_run(plan);

    if (st == COORDCONV_OK)
        st = first_gradient(plan, &values, &s->taps, &s->inputs, &all);
    for (int64_t i = 0; st == COORDCONV_OK && i < CHANNELS * s->inputs * s->taps; i++)
        s->weights[parity][i] += (double)values[i];
    coordconv_tensor_unref(all);
    return st;
}

/* Root mean square of the elements that belong to input channels from..to - 1, of the parities
 * whose bit is set. */
static double root_mean_square(const struct sums *s, int64_t from, int64_t to, unsigned parities,
                               double batches)
{
    double squares = 0;
    int64_t count = 0;

    for (int64_t i = 0; i < CHANNELS * s->inputs * s->taps; i++) {
        const int64_t input = i / s->taps % s->inputs;
        double sum = 0;
        if (input < from || input >= to)
            continue;
        for (int p = 0; p < PARITIES; p++)
            sum += (parities >> p & 1u) != 0 ? s->weights[p][i] / batches : 0;
        squares += sum * sum;
        count++;
    }
    return count > 0 ? sqrt(squares / (double)count) : 0;
}

/* Positions number first .. first + count - 1 of a parity: bit 0 of it of the column, 1 of the
 * row. */
static void positions_of_parity(int parity, int64_t first, int64_t count, int64_t *positions)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t x = 2 * ((first + i) % (SIDE / 2)) + (parity & 1);
        const int64_t y = 2 * ((first + i) / (SIDE / 2)) + (parity >> 1);
        positions[i] = y * SIDE + x;
    }
}

coordconv_status gradients_make(struct gradients *g, coordconv_plan *plan, coordconv_tensor *image,
                                coordconv_tensor *target, double lit)
{
    const int64_t batch = coordconv_tensor_dim(image, 0), each = POSITIONS / PARITIES;
    const double batches = (double)each / (double)batch;
    struct sums *s = calloc(1, sizeof *s);
    coordconv_status st = s != NULL ? COORDCONV_OK : COORDCONV_ERR_NOMEM;
    int64_t positions[POSITIONS];

    for (int parity = 0; parity < PARITIES && st == COORDCONV_OK; parity++) {
        for (int64_t first = 0; first < each && st == COORDCONV_OK; first += batch) {
            positions_of_parity(parity, first, batch, positions);
            draw_images(image, batch, positions, lit);
            write_targets(target, batch, positions);
            st = add_batch(s, plan, parity);
        }
    }
    if (st == COORDCONV_OK) {
        g->data = root_mean_square(s, 0, 1, 0xf, PARITIES * batches);
        g->coords = root_mean_square(s, 1, s->inputs, 0xf, PARITIES * batches);
        g->even = root_mean_square(s, 0, 1, 0x1, batches);
        g->odd = root_mean_square(s, 0, 1, 0x8, batches);
    }
    free(s);
    return st;
}
