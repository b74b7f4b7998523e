/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_ops_upsample.c - upsampling against a sum over all input pixels, in double.
 */
#include "op_driver.h"

#include <math.h>
#include <stdlib.h>

/* How much input k counts in output o: a hat of width 1 around the place of o, which is held
 * within the image; nearest, the only one whose part of the axis holds o. */
static double share(const struct cconv_upsample_attr *a, int axis, int64_t in, int64_t o, int64_t k)
{
    const double f = a->factor[axis], last = (double)(in - 1), from = (double)k * f;
    double at = ((double)o + 0.5) / f - 0.5;

    if (a->mode == COORDCONV_UPSAMPLE_NEAREST)
        return from <= (double)o && (double)o < from + f;
    if (a->align_corners)
        at = last == 0 ? 0 : (double)o * last / ((last + 1) * f - 1);
    at = fmin(fmax(at, 0), last);
    return fmax(1 - fabs(at - (double)k), 0);
}

/* A place is made in double by three operations, from numbers up to the extent, on both axes, and
 * moves a value by up to twice the largest: so much if models compute in double as well, nothing
 * beside a float. */
static double place_units(const int64_t *in)
{
    return sizeof(cconv_real) < sizeof(double) ? 0 : 6.0 * (double)(in[1] + in[2]);
}

static void check(const struct drive *d)
{
    const struct cconv_upsample_attr *a = &d->attr.upsample;
    const int64_t *in = d->in[0].dim, *out = d->app.out.dim;
    const cconv_real *x = d->x[0];
    double *y = calloc(d->y_count, sizeof *y), *dx = calloc(d->x_count[0], sizeof *dx);

    assert_true(y != NULL && dx != NULL);
    for (int64_t oy = 0; oy < out[1]; oy++)
        for (int64_t iy = 0; iy < in[1]; iy++)
            for (int64_t ox = 0; ox < out[2]; ox++)
                for (int64_t ix = 0; ix < in[2]; ix++) {
                    const double w = share(a, 0, in[1], oy, iy) * share(a, 1, in[2], ox, ix);

                    for (int64_t k = 0; w != 0 && k < in[0] * in[3]; k++) {
                        const int64_t n = k / in[3], c = k % in[3];
                        const int64_t i = ((n * in[1] + iy) * in[2] + ix) * in[3] + c;
                        const int64_t o = ((n * out[1] + oy) * out[2] + ox) * in[3] + c;

                        y[o] += w * (double)x[i];
                        dx[i] += w * (double)d->dy[o];
                    }
                }
    const double terms = (double)a->factor[0] * a->factor[1], units = 4 + place_units(in);

    drive_check("y", d->y, y, d->y_count, units);
    drive_check("dx", d->dx[0], dx, d->x_count[0], 4 + (2 + units) * terms);
    free(y);
    free(dx);
}

static void every_mode_and_factor(void **state)
{
    static const int64_t shapes[][4] = { { 2, 3, 5, 4 },  { 1, 1, 1, 1 },   { 2, 1, 6, 3 },
                                         { 1, 7, 1, 33 }, { 3, 9, 11, 64 }, { 2, 2, 2, 700 } };
    static const int32_t factors[][2] = { { 2, 2 }, { 1, 1 }, { 3, 2 }, { 1, 4 }, { 5, 1 } };
    (void)state;

    for (size_t s = 0; s < COUNT(shapes); s++)
        for (size_t f = 0; f < COUNT(factors); f++)
            for (int32_t mode = 0; mode < 3; mode++) {
                struct drive d;

                drive_begin(&d, &cconv_op_upsample2d);
                d.attr.upsample = (struct cconv_upsample_attr){ { factors[f][0], factors[f][1] },
                                                                mode > 0,
                                                                mode > 1 };
                drive_image(&d, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
                drive_run(&d);
                check(&d);
                drive_end(&d);
            }
}

/* A column of `in` pixels upsampled by f, and that of them which output o is. */
struct column {
    const char *what;
    int32_t align, in, f, o, pixel;
};

/* An infinity in a pixel, or in the gradient of an output, goes where it counts and makes no NaN in
 * what takes nothing of it. */
static void infinities_stay_where_they_count(void **state)
{
    static const struct column columns[] = {
        { "edges", 0, 3, 3, 4, 1 },
        { "edges, first", 0, 3, 3, 0, 0 },
        { "edges, last", 0, 3, 3, 8, 2 },
        { "corners", 1, 3, 2, 5, 2 },
        { "corners, a place below a whole number if rounded twice", 1, 33, 3, 49, 16 },
        { "the last such", 1, 33, 3, 98, 32 },
        { "one above it", 1, 29, 3, 43, 14 }
    };
    (void)state;

    for (size_t i = 0; i < COUNT(columns); i++) {
        const struct column *c = &columns[i];
        cconv_real dy[99];
        struct drive d;

        drive_begin(&d, &cconv_op_upsample2d);
        d.attr.upsample =
            (struct cconv_upsample_attr){ { c->f, 1 }, COORDCONV_UPSAMPLE_BILINEAR, c->align };
        cconv_real *x = drive_image(&d, 1, c->in, 1, 1);
        for (int32_t k = 0; k < c->in; k++)
            x[k] = k == c->pixel ? 3 : (cconv_real)INFINITY;
        for (int32_t o = 0; o < c->in * c->f; o++)
            dy[o] = o == c->o ? (cconv_real)INFINITY : 1;
        check_ok(drive_try(&d, dy));
        if (d.y[c->o] != 3)
            fail_msg("%s: output %g", c->what, (double)d.y[c->o]);
        for (int32_t k = 0; k < c->in; k++)
            if (!(k == c->pixel ? isinf(d.dx[0][k]) : isfinite(d.dx[0][k])))
                fail_msg("%s: gradient %g of pixel %d", c->what, (double)d.dx[0][k], (int)k);
        drive_end(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_and_factor),
        cmocka_unit_test(infinities_stay_where_they_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
