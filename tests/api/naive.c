/* SPDX-License-Identifier: BSD-2-Clause */
#include "naive.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#ifdef CCONV_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON ((double)FLT_EPSILON)
#endif

enum {
    MOST_IMAGES = 256
};

static double *kept[MOST_IMAGES];
static int kept_count;

static double *keep(size_t count)
{
    assert_in_range(kept_count, 0, MOST_IMAGES - 1);
    kept[kept_count] = calloc(count + 1, sizeof *kept[0]);
    assert_non_null(kept[kept_count]);
    return kept[kept_count++];
}

void naive_free(void)
{
    while (kept_count > 0)
        free(kept[--kept_count]);
}

struct naive_image naive_image(int height, int width, int channels)
{
    const size_t count = (size_t)height * (size_t)width * (size_t)channels;

    return (struct naive_image){ height, width, channels, keep(count), keep(count) };
}

struct naive_image naive_copy(coordconv_tensor *batch, int n)
{
    const struct naive_image x =
        naive_image((int)coordconv_tensor_dim(batch, 1), (int)coordconv_tensor_dim(batch, 2),
                    (int)coordconv_tensor_dim(batch, 3));
    const int count = x.height * x.width * x.channels;

    for (int i = 0; i < count; i++) {
        x.value[i] = (double)test_values(batch)[n * count + i];
        x.magnitude[i] = fabs(x.value[i]);
    }
    return x;
}

coordconv_layer *naive_layer(coordconv_context *context, const struct naive_conv *c)
{
    coordconv_conv_transpose2d_desc up = { .struct_size = sizeof up,
                                           .coords = c->desc.coords,
                                           .in_channels = c->desc.in_channels,
                                           .out_channels = c->desc.out_channels,
                                           .padding = c->desc.padding,
                                           .no_bias = c->desc.no_bias };
    coordconv_conv2d_desc conv = c->desc;
    coordconv_layer *layer = NULL;

    conv.struct_size = sizeof conv;
    conv.grid = c->grid.struct_size != 0 ? &c->grid : NULL;
    for (int i = 0; i < 2; i++) {
        up.kernel[i] = conv.kernel[i];
        up.stride[i] = conv.stride[i];
        up.dilation[i] = conv.dilation[i];
        up.output_padding[i] = c->output_padding[i];
    }
    for (int i = 0; i < 4; i++)
        up.pads[i] = conv.pads[i];
    up.grid = conv.grid;
    if (c->transposed)
        check_ok(coordconv_conv_transpose2d_new(context, &up, &layer));
    else
        check_ok(coordconv_conv2d_new(context, &conv, &layer));
    return layer;
}

/* ---- coordinates ---- */

/* Along one axis: place t of n, the other axis having `other`. */
static double along(const coordconv_grid_desc *g, uint32_t coords, double t, double n, double other)
{
    const int unset = g->low == 0 && g->high == 0;
    const double low = unset ? -1 : g->low, high = unset ? 1 : g->high;
    const double single = g->single == COORDCONV_SINGLE_LOW ? low : (low + high) / 2;

    if ((coords & COORDCONV_COORDS_PIXEL) != 0 || g->sampling == COORDCONV_SAMPLING_PIXEL)
        return t;
    if (g->sampling == COORDCONV_SAMPLING_START)
        return low + (high - low) * t / n;
    if (g->sampling == COORDCONV_SAMPLING_CENTER)
        return low + (high - low) * (2 * t + 1) / (2 * n);
    if (g->sampling == COORDCONV_SAMPLING_SWAPPED)
        n = other;
    return n == 1 ? single : low + (high - low) * t / (n - 1);
}

static double radius(const coordconv_grid_desc *g, double x, double y, double most)
{
    const int unset = g->low == 0 && g->high == 0;
    const double low = unset ? -1 : g->low, high = unset ? 1 : g->high;

    switch (g->radius) {
    case COORDCONV_RADIUS_OFFSET:
        return hypot(x - 0.5, y - 0.5);
    case COORDCONV_RADIUS_NORMALIZED:
        return most > 0 ? hypot(x, y) / most : 0;
    case COORDCONV_RADIUS_CENTERED:
        return hypot((x - low) / (high - low) - 0.5, (y - low) / (high - low) - 0.5);
    default:
        return hypot(x, y);
    }
}

double naive_coordinate(const struct naive_conv *c, const coordconv_frame_desc *frame, int height,
                        int width, int q, int i, int j)
{
    const coordconv_frame_desc f = frame != NULL ? *frame : (coordconv_frame_desc){ 0 };
    const double h = f.height != 0 ? (double)f.height : height;
    const double w = f.width != 0 ? (double)f.width : width;
    const double ty = f.y + (f.step_y != 0 ? f.step_y : 1) * i;
    const double tx = f.x + (f.step_x != 0 ? f.step_x : 1) * j;
    const uint32_t coords = c->desc.coords;
    const double x = along(&c->grid, coords, tx, w, h), y = along(&c->grid, coords, ty, h, w);
    double most = 0;

    if ((coords & (COORDCONV_COORDS_XY | COORDCONV_COORDS_X)) != 0 && q-- == 0)
        return x;
    if ((coords & (COORDCONV_COORDS_XY | COORDCONV_COORDS_Y)) != 0 && q-- == 0)
        return y;
    for (int k = 0; k < 4; k++)
        most = fmax(most, hypot(along(&c->grid, coords, k & 1 ? w - 1 : 0, w, h),
                                along(&c->grid, coords, k & 2 ? h - 1 : 0, h, w)));
    return radius(&c->grid, x, y, most);
}

/* ---- convolution ---- */

/* The largest number that goes into a coordinate: of the image, or as far beyond it as taps
 * reach, for a formula that goes on there. */
static double largest(const struct naive_conv *c, const coordconv_frame_desc *frame,
                      const struct naive_image *x, int q)
{
    double most = 0;

    for (int k = 0; k < 4; k++) {
        int reach[2];

        for (int axis = 0; axis < 2; axis++) {
            const int dilation = c->desc.dilation[axis] != 0 ? c->desc.dilation[axis] : 1;

            reach[axis] = (c->desc.kernel[axis] - 1) * dilation + c->desc.pads[axis];
        }
        most = fmax(most, fabs(naive_coordinate(c, frame, x->height, x->width, q,
                                                k & 1 ? -reach[0] : x->height - 1 + reach[0],
                                                k & 2 ? -reach[1] : x->width - 1 + reach[1])));
    }
    return most;
}

/* The input with its coordinates behind it. */
static struct naive_image join(const struct naive_conv *c, const coordconv_frame_desc *frame,
                               const struct naive_image *x)
{
    const int more = coordconv_coords_channels(c->desc.coords), all = x->channels + more;
    const struct naive_image y = naive_image(x->height, x->width, all);
    double most[3] = { 0 };

    for (int q = 0; q < more; q++)
        most[q] = largest(c, frame, x, q);
    for (int p = 0; p < x->height * x->width; p++) {
        for (int k = 0; k < all; k++) {
            double *v = &y.value[p * all + k], *m = &y.magnitude[p * all + k];

            if (k < x->channels) {
                *v = x->value[p * x->channels + k];
                *m = x->magnitude[p * x->channels + k];
            } else {
                *v = naive_coordinate(c, frame, x->height, x->width, k - x->channels, p / x->width,
                                      p % x->width);
                *m = most[k - x->channels];
            }
        }
    }
    return y;
}

/* Everything that tap (ky, kx) of output (i, j) reads. */
static void add_tap(const struct naive_image *x, int at_y, int at_x, const test_real *w,
                    size_t in_step, size_t out_step, const struct naive_image *y, int i, int j)
{
    if (at_y < 0 || at_y >= x->height || at_x < 0 || at_x >= x->width)
        return;
    for (int o = 0; o < y->channels; o++) {
        for (int k = 0; k < x->channels; k++) {
            const double v = (double)w[(size_t)k * in_step + (size_t)o * out_step];
            const int from = (at_y * x->width + at_x) * x->channels + k;
            const int to = (i * y->width + j) * y->channels + o;

            y->value[to] += v * x->value[from];
            y->magnitude[to] += fabs(v) * x->magnitude[from];
        }
    }
}

/* The sample that tap k of output i reads, before the image or behind it if none. */
static int sample(const struct naive_conv *c, int axis, int pad, int i, int k)
{
    const int stride = c->desc.stride[axis] != 0 ? c->desc.stride[axis] : 1;
    const int dilation = c->desc.dilation[axis] != 0 ? c->desc.dilation[axis] : 1;
    const int at = i + pad - k * dilation;

    if (!c->transposed)
        return i * stride - pad + k * dilation;
    return at % stride == 0 ? at / stride : -1;
}

int naive_pad(const struct naive_conv *c, int axis, int in, int out)
{
    const coordconv_conv2d_desc *d = &c->desc;
    const int stride = d->stride[axis] != 0 ? d->stride[axis] : 1;
    const int dilation = d->dilation[axis] != 0 ? d->dilation[axis] : 1;
    const int total = (out - 1) * stride + (d->kernel[axis] - 1) * dilation + 1 - in;

    return d->padding == COORDCONV_SAME ? (total > 0 ? total / 2 : 0) : d->pads[axis];
}

static void start(const struct naive_image *y, coordconv_layer *layer, int no_bias)
{
    for (int i = 0; i < y->height * y->width * y->channels && !no_bias; i++) {
        y->value[i] = (double)test_values(test_parameter(layer, "bias"))[i % y->channels];
        y->magnitude[i] = fabs(y->value[i]);
    }
}

struct naive_image naive_run(const struct naive_conv *c, coordconv_layer *layer,
                             const coordconv_frame_desc *frame, const struct naive_image *x)
{
    const int64_t shape[4] = { 1, x->height, x->width, x->channels };
    const struct naive_image in = join(c, frame, x);
    const int kh = c->desc.kernel[0], kw = c->desc.kernel[1];
    const test_real *w = test_values(test_parameter(layer, "weight"));
    int64_t out[4];

    check_ok(coordconv_layer_output_shape(layer, 4, shape, out));
    const struct naive_image y = naive_image((int)out[1], (int)out[2], (int)out[3]);
    const int pads[2] = { naive_pad(c, 0, x->height, y.height),
                          naive_pad(c, 1, x->width, y.width) };
    const size_t plane = (size_t)(kh * kw);
    const size_t in_step = c->transposed ? (size_t)y.channels * plane : plane;
    const size_t out_step = c->transposed ? plane : (size_t)in.channels * plane;

    start(&y, layer, c->desc.no_bias);
    for (int i = 0; i < y.height; i++)
        for (int j = 0; j < y.width; j++)
            for (int k = 0; k < kh * kw; k++)
                add_tap(&in, sample(c, 0, pads[0], i, k / kw), sample(c, 1, pads[1], j, k % kw),
                        w + k, in_step, out_step, &y, i, j);
    return y;
}

void naive_check(const char *what, coordconv_tensor *batch, int n, const struct naive_image *want,
                 int y, int x, double units)
{
    const int height = (int)coordconv_tensor_dim(batch, 1);
    const int width = (int)coordconv_tensor_dim(batch, 2);
    const int channels = (int)coordconv_tensor_dim(batch, 3);
    const test_real *got = test_values(batch) + (int64_t)n * height * width * channels;

    assert_int_equal(channels, want->channels);
    assert_true(y >= 0 && x >= 0 && y + height <= want->height && x + width <= want->width);
    for (int i = 0; i < height * width * channels; i++) {
        const int pixel = (y + i / channels / width) * want->width + x + i / channels % width;
        const int at = pixel * channels + i % channels;
        const double off = fabs((double)got[i] - want->value[at]);

        if (!(off <= units * EPSILON * want->magnitude[at]))
            fail_msg("%s: image %d, element %d is %.9g, expected %.9g (magnitude %g)", what, n, i,
                     (double)got[i], want->value[at], want->magnitude[at]);
    }
}
