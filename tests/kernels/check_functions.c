/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_functions.c - exp, tanh, sigmoid and log(1 + u) against the C library's
 * functions for double, over all of the floats: one in every few hundred, and
 * every one near the limits of the polynomials.
 */
#include "check_conv.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "kernels/ref/functions.h"

#ifndef CCONV_DOUBLE

struct function {
    const char *name;
    float (*ours)(float);
    double (*theirs)(double);
    double most; /* units in the last place */
};

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static const struct function functions[] = {
    { "exp", cconv_exp, exp, 1.0 },
    { "tanh", cconv_tanh, tanh, 1.5 },
    { "sigmoid", cconv_sigmoid, sigmoid, 2.5 },
    { "log(1 + u)", cconv_log_1p, log1p, 2.0 },
};

static float float_of(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Of the float nearest to y. */
static double unit(double y)
{
    const double least = ldexp(1, FLT_MIN_EXP - FLT_MANT_DIG);
    int exponent;

    frexp(y, &exponent);
    return fmax(ldexp(1, exponent - FLT_MANT_DIG), least);
}

/* 1 where exp(-x) is too large for a float and sigmoid becomes 0 early; see functions.h. */
static int flushed(const struct function *f, float x, float y)
{
    return f->ours == cconv_sigmoid && x < -88.7F && y == 0;
}

static double error_at(const struct function *f, float x)
{
    const float y = f->ours(x);
    const double want = f->theirs((double)x);

    if (want != want)
        return y != y ? 0 : INFINITY;
    if ((double)y == want || flushed(f, x, y))
        return 0;
    if (fabs(want) > (double)FLT_MAX + 0.5 * unit((double)FLT_MAX))
        return isinf(y) && (y > 0) == (want > 0) ? 0 : INFINITY;
    return fabs((double)y - want) / unit(want);
}

static double sweep(const struct function *f, uint64_t first, uint64_t last, uint32_t step,
                    float *at)
{
    double most = 0;

    for (uint64_t bits = first; bits <= last; bits += step) {
        const float x = float_of((uint32_t)bits);
        const double error = f->ours == cconv_log_1p && !(x >= 0 && x <= 1) ? 0 : error_at(f, x);

        if (error > most) {
            most = error;
            *at = x;
        }
    }
    return most;
}

void functions_are_near(void **state)
{
    /* Where branches of the functions meet: all floats around these. */
    static const float seams[] = { 0.625F,   0.34657359F, 88.72284F, 89.0F, -87.33654F, -104.0F,
                                   -103.27F, -103.98F,    1.0F,      0.0F,  44.36F,     FLT_MIN };
    (void)state;

    for (size_t i = 0; i < CCONV_COUNT(functions); i++) {
        const struct function *f = &functions[i];
        float at = 0;
        double most = sweep(f, 0, UINT32_MAX, 397, &at);

        for (size_t j = 0; j < CCONV_COUNT(seams); j++) {
            float more_at = at;
            uint32_t bits;

            memcpy(&bits, &seams[j], sizeof bits);
            const double more = sweep(f, bits < 5000 ? 0 : bits - 5000, bits + 5000, 1, &more_at);

            at = more > most ? more_at : at;
            most = fmax(most, more);
        }
        print_message("# %s: %.3f units at %.9g\n", f->name, most, (double)at);
        if (most > f->most)
            fail_msg("%s: %.3f units in the last place at %.9g", f->name, most, (double)at);
    }
}

void functions_of_what_is_no_number(void **state)
{
    (void)state;

    assert_true(isnan(cconv_exp(NAN)) && isnan(cconv_exp(-NAN)));
    assert_true(isnan(cconv_tanh(NAN)) && isnan(cconv_sigmoid(NAN)) && isnan(cconv_log_1p(NAN)));
    assert_true(isinf(cconv_exp(INFINITY)) && cconv_exp(-INFINITY) == 0);
    assert_true(cconv_tanh(INFINITY) == 1 && cconv_tanh(-INFINITY) == -1);
    assert_true(cconv_sigmoid(INFINITY) == 1 && cconv_sigmoid(-INFINITY) == 0);
    assert_true(cconv_exp(0) == 1 && cconv_exp(-0.0F) == 1 && cconv_sigmoid(0) == 0.5F);
    assert_true(cconv_tanh(0) == 0 && signbit(cconv_tanh(-0.0F)) && !signbit(cconv_tanh(0)));
    assert_true(cconv_log_1p(0) == 0);
}

#else

void functions_are_near(void **state)
{
    (void)state;
    skip();
}

void functions_of_what_is_no_number(void **state)
{
    (void)state;
    skip();
}

#endif
