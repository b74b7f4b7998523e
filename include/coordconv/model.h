/* SPDX-License-Identifier: BSD-2-Clause
 *
 * model.h - a directed acyclic graph of layer applications.
 *
 * Building reads as a list of calls: each takes values and returns a value.
 * Nothing is checked by the caller on the way. The first error poisons the
 * model: every later call does nothing and returns COORDCONV_NO_VALUE, and
 * coordconv_plan_new() (or coordconv_model_status()) reports that first error.
 * Shapes are checked when a plan is made, when all extents are known.
 *
 * Images are [N, H, W, C]; axis 0 is the batch.
 *
 * Thread safety: one thread at a time while a model is built; afterwards any
 * number of threads may use it.
 */
#ifndef COORDCONV_MODEL_H
#define COORDCONV_MODEL_H

#include <coordconv/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A graph of layers and operations, from inputs to outputs. */
typedef struct coordconv_model coordconv_model;

/** A node's output inside one model: 0 or more, or COORDCONV_NO_VALUE. */
typedef int32_t coordconv_value;

enum {
    COORDCONV_NO_VALUE = -1
};

/** Make an empty model. Since 0.1. Returns OK, COORDCONV_ERR_INVALID or COORDCONV_ERR_NOMEM. */
COORDCONV_API coordconv_status coordconv_model_new(coordconv_context *context,
                                                   coordconv_model **out);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_model *coordconv_model_ref(coordconv_model *model);

/** Drop a reference. Since 0.1. */
COORDCONV_API void coordconv_model_unref(coordconv_model *model);

/** COORDCONV_OK, or the first error of the building (its text in coordconv_last_error()). Since
 * 0.1. */
COORDCONV_API coordconv_status coordconv_model_status(const coordconv_model *model);

/**
 * An input. name: 1 .. 255 bytes, unique among inputs. dtype COORDCONV_F32, or
 * COORDCONV_I32 for class labels. An extent of -1 is fixed when a plan is made.
 * Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_input(coordconv_model *model, const char *name,
                                                    int32_t dtype, int32_t ndim,
                                                    const int64_t *shape);

/** Name a value as an output; unique among outputs. A value may have several names. Since 0.1. */
COORDCONV_API void coordconv_model_output(coordconv_model *model, const char *name,
                                          coordconv_value value);

/** Apply a layer. Applying one layer twice shares its parameters. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_apply(coordconv_model *model, coordconv_layer *layer,
                                                    coordconv_value x);

/** max(x, 0); the gradient at 0 is 0. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_relu(coordconv_model *model, coordconv_value x);

/** x above 0, else slope * x; 0 <= slope < 1; the gradient at 0 is slope. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_leaky_relu(coordconv_model *model, coordconv_value x,
                                                         double slope);

/** 1 / (1 + exp(-x)). Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_sigmoid(coordconv_model *model, coordconv_value x);

/** Hyperbolic tangent. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_tanh(coordconv_model *model, coordconv_value x);

/** e^x; infinite above 88.7. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_exp(coordconv_model *model, coordconv_value x);

/** factor * x. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_scale(coordconv_model *model, coordconv_value x,
                                                    double factor);

/**
 * exp(x) / sum exp(x), the sum over all axes whose bit is set in axes (bit 0 is
 * axis 0); over rows and columns of an image: 1 << 1 | 1 << 2. Computed with
 * the maximum subtracted. Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_softmax(coordconv_model *model, coordconv_value x,
                                                      uint32_t axes);

/** Join the axes first_axis .. last into one. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_flatten(coordconv_model *model, coordconv_value x,
                                                      int32_t first_axis);

/** The same elements in row-major order under another shape; 0 copies an extent, one -1 is
 * inferred. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_reshape(coordconv_model *model, coordconv_value x,
                                                      int32_t ndim, const int64_t *shape);

/** Repeat a vector [N, C] over a canvas: [N, height, width, C]. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_tile(coordconv_model *model, coordconv_value x,
                                                   int64_t height, int64_t width);

/** Join count values along an axis; all other extents equal. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_concat(coordconv_model *model, int32_t count,
                                                     const coordconv_value *values, int32_t axis);

/** a + b, same shapes. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_add(coordconv_model *model, coordconv_value a,
                                                  coordconv_value b);

/** a * b element by element, same shapes. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_multiply(coordconv_model *model, coordconv_value a,
                                                       coordconv_value b);

/** A pooling window over rows and columns. */
typedef struct coordconv_pool2d_desc {
    uint32_t struct_size;  /* sizeof the struct */
    int32_t kernel[2];     /* height, width, 1 .. 1024; no default */
    int32_t stride[2];     /* y, x, 1 .. 1024; default the kernel */
    int32_t padding;       /* COORDCONV_PADDING_EXPLICIT (default) or COORDCONV_SAME */
    int32_t pads[4];       /* top, left, bottom, right, each less than the kernel; default 0 */
    int32_t count_padding; /* average: 1 divides by the whole kernel; default: pixels inside */
    uint32_t reserved;     /* 0 */
} coordconv_pool2d_desc;

/** Largest value of each window, padding left out; the gradient goes to the first of equals. Since
 * 0.1. */
COORDCONV_API coordconv_value coordconv_model_max_pool2d(coordconv_model *model, coordconv_value x,
                                                         const coordconv_pool2d_desc *desc);

/** Mean of each window. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_avg_pool2d(coordconv_model *model, coordconv_value x,
                                                         const coordconv_pool2d_desc *desc);

/** [N, H, W, C] to [N, C]: largest value of each channel; the gradient goes to the first of equals.
 * Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_global_max_pool(coordconv_model *model,
                                                              coordconv_value x);

/** [N, H, W, C] to [N, C]: mean of each channel. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_global_avg_pool(coordconv_model *model,
                                                              coordconv_value x);

/** [N, H, W, C] to [N, C]: sum of each channel. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_global_sum_pool(coordconv_model *model,
                                                              coordconv_value x);

/** Where the values of a larger image come from. */
enum {
    COORDCONV_UPSAMPLE_NEAREST = 0, /* pixel (i, j) becomes factor[0] x factor[1] pixels */
    COORDCONV_UPSAMPLE_BILINEAR = 1 /* four pixels, by how near they are; past the edge, the edge */
};

/** How an image is made larger. */
typedef struct coordconv_upsample2d_desc {
    uint32_t struct_size;  /* sizeof the struct */
    int32_t factor[2];     /* of rows, of columns, 1 .. 1024; no default */
    int32_t mode;          /* COORDCONV_UPSAMPLE_*; default nearest */
    int32_t align_corners; /* bilinear; 1: corner pixels lie on each other; default 0: edges do */
    uint32_t reserved;     /* 0 */
} coordconv_upsample2d_desc;

/**
 * [N, H, W, C] to [N, H factor[0], W factor[1], C]. Output row o is at row (o + 1/2) / factor - 1/2
 * of the input, or, corners aligned, at o (H - 1) / (H factor - 1); columns likewise: as PyTorch's
 * interpolate with and without align_corners. A frame (plan.h) goes with it. Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_upsample2d(coordconv_model *model, coordconv_value x,
                                                         const coordconv_upsample2d_desc *desc);

/** Mean over all elements of (x - target)^2: a scalar. The target gets no gradient. Since 0.1. */
COORDCONV_API coordconv_value coordconv_model_mse(coordconv_model *model, coordconv_value x,
                                                  coordconv_value target);

/**
 * Softmax cross-entropy over all axes but the first, averaged over the batch: a
 * scalar. target is either int32 [N], the row-major index of the right class
 * within a sample (over a [H, W, 1] map: row * W + column), or float32 of the
 * shape of logits, a distribution per sample. The target gets no gradient. A
 * class out of range makes the run fail with COORDCONV_ERR_INVALID. Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_softmax_cross_entropy(coordconv_model *model,
                                                                    coordconv_value logits,
                                                                    coordconv_value target);

/**
 * Mean over all elements of the cross-entropy between sigmoid(logits) and a
 * target in [0, 1] of the same shape: a scalar. Computed as max(z, 0) - z t +
 * log(1 + exp(-|z|)). The target gets no gradient. Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_sigmoid_cross_entropy(coordconv_model *model,
                                                                    coordconv_value logits,
                                                                    coordconv_value target);

/** What a loss makes of a value x and its target t. */
enum {
    COORDCONV_LOSS_MSE = 1,       /* (x - t)^2 */
    COORDCONV_LOSS_L1 = 2,        /* |x - t|; the gradient at 0 is 0 */
    COORDCONV_LOSS_SMOOTH_L1 = 3, /* d = |x - t|: d^2 / (2 beta) below beta, else d - beta / 2 */
    COORDCONV_LOSS_ROBUST_L1 = 4, /* d^2 / beta below beta, else d: its slope jumps there, 2 to 1 */
    COORDCONV_LOSS_SIGMOID_CROSS_ENTROPY = 5, /* as the function of that name */
    COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY = 6  /* as the function of that name, of samples */
};

/** What becomes of the losses of elements, or of samples. */
enum {
    COORDCONV_REDUCE_MEAN = 0, /* their sum, each times its weight, over the sum of the weights */
    COORDCONV_REDUCE_SUM = 1   /* their sum, each times its weight */
};

/** A loss with everything that can be said of it. */
typedef struct coordconv_loss_desc {
    uint32_t struct_size;   /* sizeof the struct */
    int32_t kind;           /* COORDCONV_LOSS_*; no default */
    int32_t reduction;      /* COORDCONV_REDUCE_*; default the mean */
    int32_t weighted;       /* 1: weight is heeded; default 0: all weigh 1 */
    coordconv_value weight; /* float32, of the shape of x, for softmax [N]; 0 unless weighted */
    int32_t ignore; /* softmax, labels: 1: a sample of a label below 0 weighs 0; default 0 */
    double beta;    /* smooth and robust L1: 1e-37 .. 1e37; default 1 */
} coordconv_loss_desc;

/**
 * A loss: a scalar. x and target as in coordconv_model_mse() and those beside it, which are this
 * with the mean and without weights. Target and weight get no gradient. Where the weights add up
 * to 0 the mean and its gradients are 0. Of a softmax, a sample that weighs 0 is not looked at;
 * the other kinds multiply by the weight, so values there have to be finite. Since 0.1.
 *
 * The backward pass reads x, target and weight again, of a softmax a target that is a distribution:
 * what is bound to them must stay as it was in the forward pass until coordconv_plan_backward() is
 * done, as coordconv_plan_bind() says of all that is bound.
 *
 * With beta 1 the smooth form is PyTorch's smooth_l1_loss, times beta its huber_loss; the robust
 * form is |d| where |d| > 1, else d^2.
 */
COORDCONV_API coordconv_value coordconv_model_loss(coordconv_model *model, coordconv_value x,
                                                   coordconv_value target,
                                                   const coordconv_loss_desc *desc);

/**
 * Kullback-Leibler divergence of normal distributions from the standard normal one, summed over
 * all axes but the first and averaged over the batch: the scalar
 *   sum over all elements of (mean^2 + exp(log_variance) - 1 - log_variance) / 2, over N.
 * The two have the same shape, and both get gradients (Kingma, Welling 2014). A sample of the
 * distribution is mean + exp(log_variance / 2) * noise, noise an input filled by
 * coordconv_tensor_normal(). Since 0.1.
 */
COORDCONV_API coordconv_value coordconv_model_gaussian_kl(coordconv_model *model,
                                                          coordconv_value mean,
                                                          coordconv_value log_variance);

/** Number of different layers applied; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_model_layer_count(const coordconv_model *model);

/** Layer by order of first application, borrowed; NULL if there is none. Since 0.1. */
COORDCONV_API coordconv_layer *coordconv_model_layer(const coordconv_model *model, int32_t index);

/** Number of trained values in all layers, shared ones counted once; 0 for NULL. Since 0.1. */
COORDCONV_API int64_t coordconv_model_parameter_count(const coordconv_model *model);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_MODEL_H */
