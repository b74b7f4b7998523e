/* SPDX-License-Identifier: BSD-2-Clause
 *
 * op.h - what every operation is to the rest of the library.
 *
 * An operation is one const struct of functions; lib/ops has one file each. The
 * graph and the stand-alone layer calls both drive it the same way: infer, then
 * space, then prepare whenever parameters have changed, then forward and
 * backward as often as wanted. Only infer and space can meet bad values, so all
 * checks are there; forward fails only on data (a class label out of range).
 */
#ifndef CCONV_OPS_OP_H
#define CCONV_OPS_OP_H

#include <coordconv/layer.h>
#include <coordconv/model.h>

#include "core/context.h"
#include "core/coords.h"
#include "core/shape.h"
#include "core/tensor.h"

/* Hyper-parameters of convolution and transposed convolution, defaults filled in. */
struct cconv_conv_attr {
    int32_t transposed;
    int32_t line;    /* conv1d: [N, L, C], worked on as [N, 1, L, C] */
    int32_t volume;  /* conv3d: [N, D, H, W, C]; only then has a window an axis z */
    uint32_t coords; /* COORDCONV_COORDS_* */
    int32_t coord_channels;
    struct cconv_grid grid; /* how places become coordinates */
    int32_t in_channels;    /* data channels */
    int32_t out_channels;
    int32_t groups;
    int32_t same;                              /* padding is COORDCONV_SAME */
    int32_t bias;                              /* 1: has one */
    int32_t kernel[3], stride[3], dilation[3]; /* y, x, z */
    int32_t pads[6];                           /* before y, x, z; behind y, x, z */
    int32_t output_padding[2];
};

struct cconv_pool_attr {
    int32_t kernel[2], stride[2], pads[4];
    int32_t same;
    int32_t count_padding;
};

struct cconv_upsample_attr {
    int32_t factor[2];     /* rows, columns */
    int32_t mode;          /* COORDCONV_UPSAMPLE_* */
    int32_t align_corners; /* of bilinear alone */
};

union cconv_attr {
    struct cconv_conv_attr conv; /* layers conv1d, conv2d, conv3d, conv_transpose2d */
    struct cconv_pool_attr pool; /* max_pool2d, avg_pool2d */
    struct cconv_upsample_attr upsample;
    struct {
        int32_t in_features, out_features, bias;
    } linear;
    struct {
        int32_t channels;
        double epsilon, momentum;
    } batch_norm;
    struct {
        int32_t channels, groups;
        double epsilon;
    } group_norm;
    struct {
        int32_t kind; /* enum cconv_activation */
        double slope;
    } act;
    struct cconv_shape reshape; /* as given: 0 copies, -1 infers */
    int64_t tile[2];            /* height, width */
    uint32_t axes;              /* softmax: bit set */
    struct {
        int32_t kind; /* COORDCONV_LOSS_*; heeded by l1 alone */
        int32_t sum;  /* reduction is COORDCONV_REDUCE_SUM */
        int32_t ignore;
        double beta;
    } loss;
    int32_t axis;  /* concat; flatten: the first */
    double factor; /* scale */
};

struct cconv_op;

/* One application of an operation to inputs of known shapes. */
struct cconv_app {
    const struct cconv_op *op;
    coordconv_context *context;
    const union cconv_attr *attr;
    coordconv_layer *layer; /* parameters; NULL for operations without */
    int32_t input_count;
    const struct cconv_shape *in; /* [input_count] */
    const int32_t *in_dtype;      /* [input_count] CCONV_REAL_DTYPE or COORDCONV_I32 */
    struct cconv_shape out;       /* always CCONV_REAL_DTYPE */
    int32_t training;             /* mode is COORDCONV_TRAINING */
    enum cconv_activation act; /* applied to the output; only where the op says CCONV_FUSES_ACT */
    double act_slope;
    /* Where a batch norm behind the layer is folded in: a factor of the weights of each output
     * channel, heeded while preparing, and the bias; only where the op says CCONV_FUSES_NORM.
     * NULL: the layer's own. */
    const cconv_real *scale, *bias;
};

/* Bytes an application needs besides inputs, output and gradients. */
struct cconv_space {
    size_t packed;   /* written by prepare, kept until parameters change */
    size_t saved;    /* written by forward, read by backward */
    size_t forward;  /* scratch of one forward call */
    size_t backward; /* scratch of one backward call */
};

/* Where the data of one run lies. All real arrays are row-major and 64-byte aligned. */
struct cconv_run {
    const void *const *x;  /* [input_count] */
    const cconv_real *add; /* CCONV_FUSES_ADD: added before app->act; may be y; NULL: nothing */
    cconv_real *y;         /* written by forward; for backward only if the op says CCONV_KEEPS_Y */
    const cconv_real *dy;  /* backward */
    /* Where the images of x[0] lie in larger ones, one for each of the batch; heeded by
     * operations with a `place`. NULL: each is the whole. */
    const struct cconv_place *places;
    cconv_real *const *dx; /* backward: [input_count], written; an entry is NULL where not wanted */
    cconv_real *const *dparam; /* backward: one a trained parameter, written; NULL entries as dx */
    void *packed, *saved, *scratch;
    int32_t leave_out; /* prepare: CCONV_PASS_*, what will not be done with what is packed */
};

enum {
    CCONV_PASS_FORWARD = 1,
    CCONV_PASS_BACKWARD = 2 /* to the input */
};

enum {
    CCONV_KEEPS_X = 1,        /* backward reads the inputs */
    CCONV_KEEPS_Y = 2,        /* backward reads the output */
    CCONV_IN_PLACE = 4,       /* forward: y may be x[0]; backward: dx[0] may be dy */
    CCONV_IN_PLACE_1 = 64,    /* forward: y may be x[1] as well */
    CCONV_FUSES_NORM = 128,   /* app->scale and bias are heeded: y may be scaled per channel */
    CCONV_ALIAS = 8,          /* y is x[0] under another shape: nothing to compute at all */
    CCONV_FUSES_ACT = 16,     /* forward applies app->act (RELU, LEAKY) */
    CCONV_MAY_FAIL = 512,     /* forward may fail, on its data */
    CCONV_FUSES_ADD = 256,    /* forward adds run->add */
    CCONV_KEEPS_PLACE = 1024, /* pixel (i, j) of y is made of pixels (i, j) of the inputs */
    CCONV_SCALAR_LOSS =
        32 /* output is a scalar loss; dy is one value. Input 1, the target, has no gradient */
};

struct cconv_pointwise; /* ops/pointwise.h */
struct cconv_by_sample; /* ops/loss.h */

struct cconv_op {
    const char *name;
    uint32_t flags;
    /* Check attr against the input shapes and dtypes; fill app->out. */
    coordconv_status (*infer)(struct cconv_app *app);
    /* Fill *space (it comes zeroed); sizes that overflow are SIZE_MAX. NULL: needs none. */
    void (*space)(const struct cconv_app *app, struct cconv_space *space);
    /* Pack parameters into run->packed; may use scratch of the forward size. NULL: nothing to pack.
     */
    void (*prepare)(const struct cconv_app *app, const struct cconv_run *run);
    coordconv_status (*forward)(const struct cconv_app *app, const struct cconv_run *run);
    /* Training: move the layer's buffers by what forward saved. Called once the whole forward pass
     * has succeeded, so that a failed one changes nothing. NULL: there are none. */
    void (*finish)(const struct cconv_app *app, const struct cconv_run *run);
    void (*backward)(const struct cconv_app *app, const struct cconv_run *run);
    /* Make what coordinates go into, in run->packed, for images that lie so (NULL: each is
     * the whole), unless they are made already; may use scratch of the forward size. For a
     * backward pass only what that reads, and without scratch. prepare makes them for the
     * whole. NULL: no coordinates. */
    void (*place)(const struct cconv_app *app, const struct cconv_run *run,
                  const struct cconv_place *place, int backward);
    /* Where y lies, if x[0] lies so; 0 if the larger image is too small for its window, or the
     * output would be too large. NULL: as the flags say, nowhere else. */
    int (*carry)(const struct cconv_app *app, const struct cconv_place *in,
                 struct cconv_place *out);
    /* How to do some pixels at a time, of applications that can. NULL: none can. */
    const struct cconv_pointwise *pointwise;
    /* How to do some samples at a time, of a loss that can. NULL: it cannot. */
    const struct cconv_by_sample *by_sample;
};

extern const struct cconv_op cconv_op_conv1d, cconv_op_conv2d, cconv_op_conv3d,
    cconv_op_conv_transpose2d, cconv_op_linear, cconv_op_batch_norm, cconv_op_act, cconv_op_scale,
    cconv_op_softmax, cconv_op_reshape, cconv_op_flatten, cconv_op_tile, cconv_op_concat,
    cconv_op_add, cconv_op_multiply, cconv_op_max_pool2d, cconv_op_avg_pool2d,
    cconv_op_global_max_pool, cconv_op_global_avg_pool, cconv_op_global_sum_pool, cconv_op_mse,
    cconv_op_softmax_cross_entropy, cconv_op_sigmoid_cross_entropy, cconv_op_gaussian_kl,
    cconv_op_l1, cconv_op_upsample2d, cconv_op_group_norm;

/* Messages of infer begin with the op's name and show the shapes. */
#define CCONV_APP_LOG(app) (&(app)->context->log)

/* 1 if it matters where the images of input 0 lie. */
static inline int cconv_app_sees_places(const struct cconv_app *app)
{
    return app->op->place != NULL && app->attr->conv.coord_channels > 0;
}

/* Check that inputs first .. last - 1 are real (CCONV_REAL_DTYPE). */
coordconv_status cconv_app_check_real(const struct cconv_app *app, int32_t first, int32_t last);

/* Check that input 0 is a real [N, H, W, C], [N, L, C] or [N, D, H, W, C], with no empty axis. */
coordconv_status cconv_app_check_image(const struct cconv_app *app);
coordconv_status cconv_app_check_line(const struct cconv_app *app);
coordconv_status cconv_app_check_volume(const struct cconv_app *app);

/* Extents of an output window and the padding that goes with it, along one axis. */
struct cconv_window {
    int64_t in, out;
    int32_t kernel, stride, dilation, before, after;
};

/* Output extent of a window sliding over `in` pixels: explicit pads, or SAME,
 * which sets before and after. out is 0 or less where the kernel does not fit. */
void cconv_window_slide(struct cconv_window *w, int same);

/* How many images from the first of `count` on lie alike; places NULL: all do. */
size_t cconv_places_alike(const struct cconv_place *places, size_t count);

/* The place of an image [N, H, W, C], a signal [N, L, C] or a volume [N, D, H, W, C] that is the
 * whole: its extents, 1 on axes it does not have. */
struct cconv_place cconv_image_whole(const struct cconv_shape *s);

/* One axis of the place of the outputs of a window (back: of a transposed one) over an image that
 * lies in *in: output 0 is where the middle of its window lies. larger: the same window over the
 * larger image. 0 if there is no output in that, or too many. */
int cconv_place_carry(const struct cconv_window *image, const struct cconv_window *larger, int axis,
                      int back, const struct cconv_place *in, struct cconv_place *out);

#endif /* CCONV_OPS_OP_H */
