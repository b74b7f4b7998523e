/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conv_ref.c - convolution panels in plain C: the fallback, and the oracle of
 * the tests.
 *
 * Sums run over fixed small arrays, which compilers turn into vectors of
 * whatever the target has. Each sum belongs to one lane, so no reassociation
 * is asked for.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "kernels/conv.h"

#define WIDTH 8 /* channels of the wide panel; lanes along the run of the narrow one */

/* The very bits of act_forward in eltwise.h: NaN stays NaN, zeros are positive. */
static cconv_real activate(const struct cconv_panel_forward *p, cconv_real x)
{
    if (p->act == CCONV_ACT_RELU)
        return x <= 0 ? 0 : x;
    if (p->act == CCONV_ACT_LEAKY)
        return x <= 0 ? x * p->slope + 0 : x;
    return x;
}

/* sum[i] += x * y[i] */
static inline void add_multiple(cconv_real *restrict sum, cconv_real x,
                                const cconv_real *restrict y)
{
    CCONV_VECTORISE
    for (size_t i = 0; i < WIDTH; i++)
        sum[i] += x * y[i];
}

/* sum[i] += x[i] * y[i] */
static inline void add_products(cconv_real *sum, const cconv_real *x, const cconv_real *y)
{
    CCONV_VECTORISE
    for (size_t i = 0; i < WIDTH; i++)
        sum[i] += x[i] * y[i];
}

/* What the sums of a pixel start from. */
static void start(const struct cconv_panel_forward *p, size_t pixel, cconv_real *sum)
{
    const struct cconv_panel_affine *affine = p->affine;

    if (affine != NULL && pixel >= affine->begin && pixel < affine->end) {
        const size_t column = affine->column + pixel, row = column / affine->width;
        const cconv_real y = (cconv_real)(ptrdiff_t)(affine->row + row);
        const cconv_real x = (cconv_real)(ptrdiff_t)(column - row * affine->width);

        for (size_t o = 0; o < p->channels; o++)
            sum[o] = (affine->base[o] + y * affine->down[o]) + x * affine->right[o];
    } else if (p->init != NULL) {
        const cconv_real *init = p->init + (ptrdiff_t)pixel * p->init_stride;

        for (size_t o = 0; o < p->channels; o++)
            sum[o] = init[o];
    }
}

static cconv_real finish(const struct cconv_panel_forward *p, size_t pixel, size_t channel,
                         cconv_real sum)
{
    if (p->add != NULL)
        sum += p->add[(ptrdiff_t)pixel * p->add_stride + (ptrdiff_t)channel];
    return activate(p, sum);
}

/* One pixel's or four pixels' sums from what total holds on. count is a constant
 * at each call: loops unroll, and sums live in registers, as nothing indexes
 * them by what is not known here. */
static inline void sum_8_pixels(const struct cconv_panel_forward *p, size_t first,
                                const size_t count, cconv_real total[4][WIDTH])
{
    const ptrdiff_t stride = p->a_stride;
    const cconv_real *b = p->b;
    cconv_real sum[4][WIDTH] = { { 0 } };

    for (size_t s = 0; s < p->segments; s++) {
        const cconv_real *a = p->a + (ptrdiff_t)first * stride + p->offset[s];

        for (size_t k = 0; k < p->segment_length; k++, a++, b += WIDTH)
            for (size_t i = 0; i < count; i++)
                add_multiple(sum[i], a[(ptrdiff_t)i * stride], b);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t o = 0; o < WIDTH; o++)
            total[i][o] += sum[i][o];
}

static inline void forward_8_pixels(const struct cconv_panel_forward *p, size_t first,
                                    const size_t count)
{
    cconv_real total[4][WIDTH] = { { 0 } };

    for (size_t i = 0; i < count; i++)
        start(p, first + i, total[i]);
    sum_8_pixels(p, first, count, total);
    for (size_t i = 0; i < count; i++)
        for (size_t o = 0; o < p->channels; o++)
            p->c[(ptrdiff_t)(first + i) * p->c_stride + (ptrdiff_t)o] =
                finish(p, first + i, o, total[i][o]);
}

static void forward_8(const struct cconv_panel_forward *p)
{
    size_t pixel = 0;

    assert(p->channels >= 1 && p->channels <= WIDTH);
    for (; p->pixels - pixel >= 4; pixel += 4)
        forward_8_pixels(p, pixel, 4);
    for (; pixel < p->pixels; pixel++)
        forward_8_pixels(p, pixel, 1);
}

/* The products of one run: product k goes to lane k mod WIDTH. */
static void add_run(cconv_real lane[WIDTH], const cconv_real *x, const cconv_real *y, size_t n)
{
    size_t k = 0;

    for (; n - k >= WIDTH; k += WIDTH)
        add_products(lane, x + k, y + k);
    for (size_t i = 0; i < n - k; i++)
        lane[i] += x[k + i] * y[k + i];
}

static cconv_real total_of(const cconv_real lane[WIDTH])
{
    cconv_real four[4];

    for (size_t i = 0; i < 4; i++)
        four[i] = lane[i] + lane[i + 4];
    return (four[0] + four[1]) + (four[2] + four[3]);
}

static void forward_1(const struct cconv_panel_forward *p)
{
    assert(p->channels == 1);
    for (size_t pixel = 0; pixel < p->pixels; pixel++) {
        const cconv_real *a = p->a + (ptrdiff_t)pixel * p->a_stride;
        cconv_real sum = 0, lane[WIDTH] = { 0 };

        start(p, pixel, &sum);

        for (size_t s = 0; s < p->segments; s++)
            add_run(lane, a + p->offset[s], p->b + s * p->segment_length, p->segment_length);
        p->c[(ptrdiff_t)pixel * p->c_stride] = finish(p, pixel, 0, sum + total_of(lane));
    }
}

/* Four products' or one product's sums over all rows and pixels; see sum_8_pixels. */
static inline void sum_8_products(const struct cconv_panel_grad *p, ptrdiff_t at,
                                  const size_t count, cconv_real total[4][WIDTH])
{
    cconv_real sum[4][WIDTH] = { { 0 } };

    for (size_t r = 0; r < p->rows; r++) {
        const cconv_real *a = p->a + (ptrdiff_t)r * p->a_row + at;
        const cconv_real *g = p->g + (ptrdiff_t)r * p->g_row;

        for (size_t pixel = 0; pixel < p->pixels; pixel++, a += p->a_stride, g += p->g_stride) {
            const cconv_real *gradient = g;
            cconv_real padded[WIDTH] = { 0 };

            if (p->channels < WIDTH) {
                for (size_t o = 0; o < p->channels; o++)
                    padded[o] = g[o];
                gradient = padded;
            }
            for (size_t i = 0; i < count; i++)
                add_multiple(sum[i], a[i], gradient);
        }
    }
    memcpy(total, sum, sizeof sum);
}

static inline void grad_8_products(const struct cconv_panel_grad *p, ptrdiff_t at, cconv_real *w,
                                   const size_t count)
{
    cconv_real total[4][WIDTH];

    sum_8_products(p, at, count, total);
    for (size_t i = 0; i < count; i++)
        for (size_t o = 0; o < p->channels; o++)
            w[i * WIDTH + o] += total[i][o];
}

static void grad_8(const struct cconv_panel_grad *p)
{
    cconv_real *w = p->w;

    assert(p->channels >= 1 && p->channels <= WIDTH);
    for (size_t s = 0; s < p->segments; s++) {
        size_t k = 0;

        for (; p->segment_length - k >= 4; k += 4, w += 4 * WIDTH)
            grad_8_products(p, p->offset[s] + (ptrdiff_t)k, w, 4);
        for (; k < p->segment_length; k++, w += WIDTH)
            grad_8_products(p, p->offset[s] + (ptrdiff_t)k, w, 1);
    }
}

/* Up to WIDTH products of one run. */
static void grad_1_products(const struct cconv_panel_grad *p, ptrdiff_t at, cconv_real *w,
                            size_t count)
{
    cconv_real sum[WIDTH] = { 0 };

    for (size_t r = 0; r < p->rows; r++) {
        const cconv_real *a = p->a + (ptrdiff_t)r * p->a_row + at;
        const cconv_real *g = p->g + (ptrdiff_t)r * p->g_row;

        for (size_t pixel = 0; pixel < p->pixels; pixel++, a += p->a_stride, g += p->g_stride) {
            if (count == WIDTH)
                add_multiple(sum, *g, a);
            else
                for (size_t i = 0; i < count; i++)
                    sum[i] += a[i] * *g;
        }
    }
    for (size_t i = 0; i < count; i++)
        w[i] += sum[i];
}

static void grad_1(const struct cconv_panel_grad *p)
{
    assert(p->channels == 1);
    for (size_t s = 0; s < p->segments; s++)
        for (size_t k = 0; k < p->segment_length; k += WIDTH) {
            const size_t left = p->segment_length - k;

            grad_1_products(p, p->offset[s] + (ptrdiff_t)k, p->w + s * p->segment_length + k,
                            left < WIDTH ? left : WIDTH);
        }
}

/* The call with channels from `first` on alone, at most WIDTH. */
static struct cconv_panel_forward depth_block(const struct cconv_panel_forward *p, size_t first)
{
    struct cconv_panel_forward block = *p;

    block.channels = CCONV_MIN(p->channels - first, WIDTH);
    block.a += first;
    block.b += (ptrdiff_t)(first / WIDTH) * p->b_block;
    block.c += first;
    block.init = p->init == NULL ? NULL : p->init + first;
    block.add = p->add == NULL ? NULL : p->add + first;
    block.affine = NULL;
    return block;
}

static void depth_pixel(const struct cconv_panel_forward *p, size_t pixel)
{
    cconv_real sum[WIDTH] = { 0 };

    start(p, pixel, sum);
    for (size_t s = 0; s < p->segments; s++) {
        const cconv_real *a = p->a + (ptrdiff_t)pixel * p->a_stride + p->offset[s];

        if (p->channels == WIDTH)
            add_products(sum, a, p->b + s * WIDTH);
        else
            for (size_t o = 0; o < p->channels; o++)
                sum[o] += a[o] * p->b[s * WIDTH + o];
    }
    for (size_t o = 0; o < p->channels; o++)
        p->c[(ptrdiff_t)pixel * p->c_stride + (ptrdiff_t)o] = finish(p, pixel, o, sum[o]);
}

static void depth_forward(const struct cconv_panel_forward *p)
{
    for (size_t first = 0; first < p->channels; first += WIDTH) {
        const struct cconv_panel_forward block = depth_block(p, first);

        for (size_t pixel = 0; pixel < p->pixels; pixel++)
            depth_pixel(&block, pixel);
    }
}

/* One tap. */
static void depth_tap(const struct cconv_panel_grad *p, ptrdiff_t at, cconv_real *w)
{
    cconv_real sum[WIDTH] = { 0 };

    for (size_t r = 0; r < p->rows; r++) {
        const cconv_real *a = p->a + (ptrdiff_t)r * p->a_row + at;
        const cconv_real *g = p->g + (ptrdiff_t)r * p->g_row;

        for (size_t pixel = 0; pixel < p->pixels; pixel++, a += p->a_stride, g += p->g_stride) {
            if (p->channels == WIDTH)
                add_products(sum, a, g);
            else
                for (size_t o = 0; o < p->channels; o++)
                    sum[o] += a[o] * g[o];
        }
    }
    for (size_t o = 0; o < p->channels; o++)
        w[o] += sum[o];
}

static void depth_grad(const struct cconv_panel_grad *p)
{
    assert(p->channels >= 1 && p->channels <= WIDTH);
    for (size_t s = 0; s < p->segments; s++)
        depth_tap(p, p->offset[s], p->w + s * WIDTH);
}

void cconv_conv_init_ref(struct cconv_conv_kernels *k)
{
    static const struct cconv_conv_kernels panels = {
        .count = 2,
        .panel = { { 1, 1, forward_1, grad_1, 4.00F, 0.075F },
                   { WIDTH, 1, forward_8, grad_8, 6.50F, 0.390F } },
        .depth = { WIDTH, 1, depth_forward, depth_grad, 0, 0 },
    };

    *k = panels;
}
