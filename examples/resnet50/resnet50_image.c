/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet50_image.c - from a picture of any size to what the net sees.
 */
#include "resnet50_image.h"

#include <math.h>
#include <stdlib.h>

struct picture *image_draw(int side)
{
    const int size = side * 256 / 224;
    const double u = size / 16.0; /* the picture is 16 units wide and high */
    struct picture *p = picture_new(size, size, 0xa9cce8);

    if (p == NULL)
        return NULL;
    picture_ring(p, 12.5 * u, 3 * u, u, 2 * u, 0xf7d354);
    picture_fill(p, 0, (int)(10 * u), size, size, 0x6a9a4f);
    picture_fill(p, (int)(2 * u), (int)(6.5 * u), (int)(6 * u), (int)(5.5 * u), 0xc9b08f);
    for (double y = 3.5; y < 6.5; y += 0.1) /* the roof, line by line */
        picture_line(p, (5 - (y - 3.2)) * u, y * u, (5 + (y - 3.2)) * u, y * u, 0.15 * u, 0x8c3b2e);
    picture_fill(p, (int)(3 * u), (int)(7.5 * u), (int)(1.5 * u), (int)(1.5 * u), 0x35506b);
    picture_fill(p, (int)(5.5 * u), (int)(8.5 * u), (int)(1.5 * u), (int)(3.5 * u), 0x5a3d28);
    for (double y = 12; y < 16; y += 0.1) /* a road that comes nearer */
        picture_line(p, (11 - 0.9 * (y - 11)) * u, y * u, (12 + 0.5 * (y - 11)) * u, y * u,
                     0.15 * u, 0x70737a);
    return p;
}

/* How one axis of the source becomes one of the result. */
struct axis {
    int extent;   /* of the source */
    double scale; /* pixels of the source for one of the result */
    double first; /* place of the result's first pixel in the whole scaled picture */
};

/*
 * Weights of the source's pixels for pixel k of the result: a triangle as wide as
 * two pixels of the coarser of the two. They begin at pixel *from; their number.
 */
static int axis_weights(const struct axis *axis, int k, int *from, double *weights)
{
    const double reach = axis->scale > 1 ? axis->scale : 1;
    const double middle = (axis->first + k + 0.5) * axis->scale;
    const int low = (int)fmax(floor(middle - reach + 0.5), 0);
    const int high = (int)fmin(floor(middle + reach + 0.5), axis->extent);
    double sum = 0;

    for (int i = low; i < high; i++) {
        weights[i - low] = fmax(1 - fabs(i + 0.5 - middle) / reach, 0);
        sum += weights[i - low];
    }
    for (int i = low; i < high; i++)
        weights[i - low] /= sum;
    *from = low;
    return high - low;
}

/* Along rows: height x extent x 3 bytes to height x side x 3 numbers. */
static void scale_rows(const struct picture *p, const struct axis *axis, int side, double *weights,
                       float *rows)
{
    for (int j = 0; j < side; j++) {
        int from;
        const int count = axis_weights(axis, j, &from, weights);
        for (int i = 0; i < p->height; i++) {
            for (int c = 0; c < 3; c++) {
                const unsigned char *pixel = p->rgb + 3 * ((size_t)i * (size_t)p->width) + c;
                double sum = 0;
                for (int t = 0; t < count; t++)
                    sum += weights[t] * pixel[3 * (from + t)];
                rows[((size_t)i * (size_t)side + (size_t)j) * 3 + (size_t)c] = (float)sum;
            }
        }
    }
}

/* Along columns, and colours to what the net expects. */
static void scale_columns(const float *rows, const struct axis *axis, int side, double *weights,
                          float *values)
{
    static const double mean[3] = { 0.485, 0.456, 0.406 }, deviation[3] = { 0.229, 0.224, 0.225 };
    const size_t width = 3 * (size_t)side;

    for (int i = 0; i < side; i++) {
        int from;
        const int count = axis_weights(axis, i, &from, weights);
        for (size_t j = 0; j < width; j++) {
            double sum = 0;
            for (int t = 0; t < count; t++)
                sum += weights[t] * (double)rows[(size_t)(from + t) * width + j];
            values[(size_t)i * width + j] = (float)((sum / 255 - mean[j % 3]) / deviation[j % 3]);
        }
    }
}

int image_prepare(const struct picture *p, int side, float *values)
{
    const int shorter = p->width < p->height ? p->width : p->height;
    const int target = side * 256 / 224; /* of the shorter side */
    const int width = (int)((double)target * p->width / shorter);
    const int height = (int)((double)target * p->height / shorter);
    const struct axis x = { p->width, (double)p->width / width, rint((width - side) / 2.0) };
    const struct axis y = { p->height, (double)p->height / height, rint((height - side) / 2.0) };
    double *weights = malloc(((size_t)p->width + (size_t)p->height) * sizeof *weights);
    float *rows = malloc((size_t)p->height * (size_t)side * 3 * sizeof *rows);
    const int failed = weights == NULL || rows == NULL;

    if (!failed) {
        scale_rows(p, &x, side, weights, rows);
        scale_columns(rows, &y, side, weights, values);
    }
    free(weights);
    free(rows);
    return failed ? -1 : 0;
}
