/* SPDX-License-Identifier: BSD-2-Clause
 *
 * field_of_mnist.c - images of several stretched digits.
 */
#include "field_of_mnist.h"

#include <stdlib.h>

#include "common/draws.h"

enum {
    NUMBERS = 4 * FIELD_DIGITS, /* drawn for an image */
    OFFSET = (FIELD_CANVAS - FIELD_SIDE) / 2
};

static const float least = 15, most = 25; /* extent of a digit */

/* Rows and columns that have ink, the ends included. */
struct ink {
    int top, bottom, left, right;
};

static struct ink find_ink(const unsigned char *digit)
{
    struct ink ink = { DIGIT_SIDE, -1, DIGIT_SIDE, -1 };

    for (int k = 0; k < DIGIT_PIXELS; k++) {
        const int i = k / DIGIT_SIDE, j = k % DIGIT_SIDE;
        if (digit[k] == 0)
            continue;
        ink.top = i < ink.top ? i : ink.top;
        ink.bottom = i;
        ink.left = j < ink.left ? j : ink.left;
        ink.right = j > ink.right ? j : ink.right;
    }
    if (ink.bottom < 0) /* a blank one */
        return (struct ink){ 0, DIGIT_SIDE - 1, 0, DIGIT_SIDE - 1 };
    return ink;
}

/* Where on a row or column of samples low .. high the share t of its length falls: between sample
 * *at and the next, *part of the way. */
static void locate(float t, int low, int high, int *at, float *part)
{
    const float x = (float)low + t * (float)(high - low + 1) - 0.5f;
    const float inside = x < (float)low ? (float)low : x > (float)high ? (float)high : x;

    *at = (int)inside < high ? (int)inside : high - (high > low);
    *part = inside - (float)*at;
}

/* Bilinear sample of the inked part, at shares of its height and width. */
static float sample(const unsigned char *digit, const struct ink *ink, float ti, float tj)
{
    int i, j;
    float pi, pj;

    locate(ti, ink->top, ink->bottom, &i, &pi);
    locate(tj, ink->left, ink->right, &j, &pj);
    const int down = i < ink->bottom ? DIGIT_SIDE : 0, over = j < ink->right;
    const unsigned char *at = digit + i * DIGIT_SIDE + j;
    const float upper = (float)at[0] + pj * ((float)at[over] - (float)at[0]);
    const float lower = (float)at[down] + pj * ((float)at[down + over] - (float)at[down]);

    return upper + pi * (lower - upper);
}

/* Add the digit to the pixels whose middle is in the box. */
static void add_digit(unsigned char *image, const unsigned char *digit, struct box box)
{
    const struct ink ink = find_ink(digit);
    const float top = box.i - box.height / 2, left = box.j - box.width / 2;

    for (int i = 0; i < FIELD_SIDE; i++) {
        const float ti = ((float)i + 0.5f - top) / box.height;

        for (int j = 0; j < FIELD_SIDE && ti >= 0 && ti < 1; j++) {
            const float tj = ((float)j + 0.5f - left) / box.width;
            unsigned char *pixel = image + i * FIELD_SIDE + j;

            if (tj >= 0 && tj < 1) {
                const float sum = (float)*pixel + sample(digit, &ink, ti, tj) + 0.5f;
                *pixel = sum < 255 ? (unsigned char)sum : 255;
            }
        }
    }
}

/* From four numbers in 0 .. 1: extents, then a centre for which the box is on the canvas. */
static struct box draw_box(const float numbers[4])
{
    const float height = least + numbers[0] * (most - least);
    const float width = least + numbers[1] * (most - least);

    return (struct box){ .i = height / 2 + numbers[2] * (FIELD_CANVAS - height) - OFFSET,
                         .j = width / 2 + numbers[3] * (FIELD_CANVAS - width) - OFFSET,
                         .height = height,
                         .width = width };
}

static int is_centre_inside(struct box box)
{
    return box.i >= 0 && box.i < FIELD_SIDE && box.j >= 0 && box.j < FIELD_SIDE;
}

static void add_everywhere(struct field *field, const struct digit_set *digits, int64_t first,
                           const int64_t *order, int place, const float *numbers)
{
    for (int64_t n = 0; n < field->count; n++) {
        const int64_t chosen = first + order[n];
        const struct box box = draw_box(numbers + n * NUMBERS + (int64_t)4 * place);

        field->digits[n * FIELD_DIGITS + place] =
            (struct field_digit){ box, digits->labels[chosen],
                                  (unsigned char)is_centre_inside(box) };
        add_digit(field->pixels + n * FIELD_PIXELS, digits->pixels + chosen * DIGIT_PIXELS, box);
    }
}

coordconv_status field_make(coordconv_context *context, const struct digit_set *digits,
                            int64_t first, int64_t count, uint64_t seed, uint64_t stream,
                            struct field *out)
{
    float *numbers = malloc((size_t)count * NUMBERS * sizeof *numbers);
    int64_t *order = malloc((size_t)count * sizeof *order);
    struct field field = { .count = count,
                           .pixels = calloc((size_t)count, FIELD_PIXELS),
                           .digits = calloc((size_t)count * FIELD_DIGITS, sizeof *field.digits) };
    const int has_memory =
        numbers != NULL && order != NULL && field.pixels != NULL && field.digits != NULL;
    coordconv_status status = has_memory ? COORDCONV_OK : COORDCONV_ERR_NOMEM;

    if (has_memory)
        status = draws_uniform(context, seed, stream, count * NUMBERS, numbers);
    for (int place = 0; place < FIELD_DIGITS && status == COORDCONV_OK; place++) {
        status = coordconv_permutation(seed, stream * FIELD_DIGITS + (uint64_t)place, count, order);
        if (status == COORDCONV_OK)
            add_everywhere(&field, digits, first, order, place, numbers);
    }
    free(numbers);
    free(order);
    if (status == COORDCONV_OK)
        *out = field;
    else
        field_free(&field);
    return status;
}

void field_free(struct field *field)
{
    free(field->pixels);
    free(field->digits);
    *field = (struct field){ 0 };
}
