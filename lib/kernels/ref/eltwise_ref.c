/* SPDX-License-Identifier: BSD-2-Clause
 *
 * eltwise_ref.c - elementwise kernels in plain C.
 */
#include "kernels/eltwise.h"

#include <string.h>

#include "kernels/ref/functions.h"
#include "kernels/ref/set.h"

static void relu(size_t n, const cconv_real *x, cconv_real *y)
{
    /* Asked this way round, a NaN is not turned into a 0. */
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

/* One of the two terms is 0; adding them leaves no branch in the loop. */
static void leaky(cconv_real slope, size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real high = x[i] <= 0 ? 0 : x[i], low = x[i] > 0 ? 0 : x[i];
        y[i] = high + slope * low;
    }
}

static void sigmoid(size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = cconv_sigmoid(x[i]);
}

static void hyperbolic_tangent(size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = cconv_tanh(x[i]);
}

static void exponential(size_t n, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = cconv_exp(x[i]);
}

static void act_forward(enum cconv_activation act, cconv_real slope, size_t n, const cconv_real *x,
                        cconv_real *y)
{
    switch (act) {
    case CCONV_ACT_NONE:
        memmove(y, x, n * sizeof *y);
        break;
    case CCONV_ACT_RELU:
        relu(n, x, y);
        break;
    case CCONV_ACT_LEAKY:
        leaky(slope, n, x, y);
        break;
    case CCONV_ACT_SIGMOID:
        sigmoid(n, x, y);
        break;
    case CCONV_ACT_TANH:
        hyperbolic_tangent(n, x, y);
        break;
    case CCONV_ACT_EXP:
        exponential(n, x, y);
        break;
    }
}

/* The slope is never negative, so y > 0 says x > 0. */
static void leaky_backward(cconv_real slope, size_t n, const cconv_real *y, const cconv_real *dy,
                           cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real step = y[i] > 0 ? 1 : slope;
        dx[i] = dy[i] * step;
    }
}

static void relu_backward(size_t n, const cconv_real *y, const cconv_real *dy, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const cconv_real d = dy[i];
        dx[i] = y[i] > 0 ? d : 0;
    }
}

static void sigmoid_backward(size_t n, const cconv_real *y, const cconv_real *dy, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (y[i] * (1 - y[i]));
}

static void tanh_backward(size_t n, const cconv_real *y, const cconv_real *dy, cconv_real *dx)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1 - y[i] * y[i]);
}

static void multiply(size_t n, const cconv_real *x, const cconv_real *y, cconv_real *z)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] * y[i];
}

static void act_backward(enum cconv_activation act, cconv_real slope, size_t n, const cconv_real *y,
                         const cconv_real *dy, cconv_real *dx)
{
    switch (act) {
    case CCONV_ACT_NONE:
        memmove(dx, dy, n * sizeof *dx);
        break;
    case CCONV_ACT_RELU:
        relu_backward(n, y, dy, dx);
        break;
    case CCONV_ACT_LEAKY:
        leaky_backward(slope, n, y, dy, dx);
        break;
    case CCONV_ACT_SIGMOID:
        sigmoid_backward(n, y, dy, dx);
        break;
    case CCONV_ACT_TANH:
        tanh_backward(n, y, dy, dx);
        break;
    case CCONV_ACT_EXP:
        multiply(n, y, dy, dx);
        break;
    }
}

static void add(size_t n, const cconv_real *x, const cconv_real *y, cconv_real *z)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] + y[i];
}

static void scale(size_t n, cconv_real factor, const cconv_real *x, cconv_real *y)
{
    CCONV_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

void CCONV_SET(cconv_eltwise_init)(struct cconv_eltwise_kernels *k)
{
    k->act_forward = act_forward;
    k->act_backward = act_backward;
    k->add = add;
    k->multiply = multiply;
    k->scale = scale;
}
