/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan.h - a model compiled for given input shapes.
 *
 * A plan holds the chosen kernels, one arena for all activations, gradients and
 * scratch, and staging copies of bound tensors. Running it allocates nothing.
 *
 * Thread safety: one thread at a time per plan. Plans of one model may run at
 * once as long as none of them trains (see threading in the documentation).
 */
#ifndef COORDCONV_PLAN_H
#define COORDCONV_PLAN_H

#include <coordconv/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A model compiled for shapes and a mode, with the memory it runs in. */
typedef struct coordconv_plan coordconv_plan;

/** The shape of one input, for extents the model leaves open. */
typedef struct coordconv_input_shape {
    const char *name;                  /* of the input */
    int32_t ndim;                      /* number of its axes */
    uint32_t reserved;                 /* 0 */
    int64_t shape[COORDCONV_MAX_NDIM]; /* the first ndim count; the rest 0 */
} coordconv_input_shape;

/** What to compile. */
typedef struct coordconv_plan_desc {
    uint32_t struct_size;                /* sizeof the struct */
    int32_t mode;                        /* COORDCONV_INFERENCE (default) or COORDCONV_TRAINING */
    int64_t batch;                       /* extent of every open axis 0; default 1 */
    const coordconv_input_shape *inputs; /* for other open extents; default none. The shapes are
                                          * whole: axis 0 is as they say, not batch */
    int32_t input_count;                 /* length of inputs */
    int32_t input_gradients; /* training: 1 also computes gradients of float inputs; default 0 */
    const char *loss;        /* training: the scalar output to differentiate; default "loss" */
    void *arena; /* 64-byte aligned memory to use instead of allocating; must outlive the plan
                  * and every tensor got from it; default none */
    size_t arena_bytes;         /* its size, at least coordconv_plan_arena_size() */
    const char *const *outputs; /* names of the outputs wanted; default all. In training the loss
                                 * is computed whether it is among them or not */
    int32_t output_count;       /* length of outputs */
    uint32_t reserved;          /* 0 */
} coordconv_plan_desc;

/**
 * Compile a model. desc may be NULL: inference, batch 1. Inputs and layers that
 * no wanted output (in training: neither the loss nor a wanted output) depends on
 * are left out: a model with a loss is run without labels by naming its other
 * outputs. Since 0.1.
 *
 * Returns COORDCONV_OK, the first error of the model's building, COORDCONV_ERR_ABI,
 * COORDCONV_ERR_INVALID, COORDCONV_ERR_SHAPE (with the node and both shapes in the
 * message), COORDCONV_ERR_DTYPE, COORDCONV_ERR_NOT_FOUND (an input, output or
 * loss not in the model), COORDCONV_ERR_STATE (a model without outputs) or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_plan_new(coordconv_model *model,
                                                  const coordconv_plan_desc *desc,
                                                  coordconv_plan **out);

/** Bytes of arena that coordconv_plan_new() with this desc needs, a multiple of 64. Since 0.1.
 * Returns as coordconv_plan_new. */
COORDCONV_API coordconv_status coordconv_plan_arena_size(coordconv_model *model,
                                                         const coordconv_plan_desc *desc,
                                                         size_t *bytes);

/** How many of these bytes hold weights as the kernels want them, from run to run; the rest is
 * activations, gradients and scratch, which share memory. Since 0.1. Returns as coordconv_plan_new.
 */
COORDCONV_API coordconv_status coordconv_plan_packed_size(coordconv_model *model,
                                                          const coordconv_plan_desc *desc,
                                                          size_t *bytes);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_plan *coordconv_plan_ref(coordconv_plan *plan);

/** Drop a reference. Since 0.1. */
COORDCONV_API void coordconv_plan_unref(coordconv_plan *plan);

/**
 * Bind a tensor to an input or output by name, replacing an earlier one (NULL
 * unbinds). An input that was left out of the plan takes any tensor and reads
 * none. An input is read at each run, an output written by each that succeeds.
 * Shapes must be equal; strides and dtype may be any. What is row-major in the
 * plan's dtype is read where it is; an output of an inference plan is computed
 * there too if it is aligned to 64 bytes and overlaps nothing else the plan reads
 * or writes. All else is converted or copied on the way. The plan keeps a
 * reference, to a replaced output until the next run. What is bound must not
 * be written between a forward pass and its backward pass; binding another
 * input in between makes the backward pass fail. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL; memory of the plan's own
 * arena; an output whose elements share places, as with a stride of 0; of a
 * training plan an input and an output that overlap), COORDCONV_ERR_NOT_FOUND,
 * COORDCONV_ERR_SHAPE or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_plan_bind(coordconv_plan *plan, const char *name,
                                                   coordconv_tensor *tensor);

/**
 * Say where the images of an input lie in larger ones (coordconv_frame_desc): crops, tiles,
 * letterboxed or mirrored images, of which CoordConvs see the true places. The frames are copied
 * and hold for all runs until they are set again. input: the name of an input of images, of
 * signals [N, L, C], which are images of one row, or of volumes [N, D, H, W, C], whose frames have
 * a z, too. frames: one for each image of its batch, or one (count 1) for all; each has its
 * struct_size, all the same. NULL (count 0): each image is the whole, as at first. Since 0.1.
 *
 * A frame goes through the graph. Let a layer or pooling have, along an axis, kernel k, stride s
 * and dilation d, pads p before this image and P before the larger one (they differ with
 * COORDCONV_SAME alone); then, with c = (k - 1) d / 2, the output has a frame with the same step,
 *
 *     y' = (y + step (c - p) - (c - P)) / s            of a convolution or pooling
 *     y' = y s - step (c - p) + (c - P)                of a transposed convolution
 *
 * and as its extents those of the larger image's own output: the middle of an output's window lies
 * where it would in that. So with stride 1 and no padding a tile's y stays what it is, and the
 * larger image loses d (k - 1). Upsampling gives the frame of the larger image upsampled. Batch and
 * group norms, linear layers, activations, softmax, sums, products and concatenations along
 * channels leave frames as they are; what has been tiled from a vector fits any frame. Nothing else
 * hands them on: a convolution with coordinates behind a reshape, a global pool, a concatenation of
 * rows, a sum of values with different frames, or a window larger than the larger image makes the
 * next run fail if a frame is set.
 *
 * Whether a 3x3 layer goes by Winograd's transforms depends on the image's own size, so the same
 * samples in a tile and in the larger image may be rounded otherwise; direct_sums of the context's
 * descriptor forbids the transforms.
 *
 * With frames a layer's coordinate part is made anew for each image that lies in another way than
 * the one before. Results for an image are, bit for bit, what a plan of its batch of one computes
 * at inference.
 *
 * The first call allocates; runs do not. Between a forward and its backward pass, frames that are
 * set make the latter fail.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, a count that is neither the batch nor 1, a
 * field out of range or of an axis the input has not), COORDCONV_ERR_NOT_FOUND (no such input),
 * COORDCONV_ERR_SHAPE (no image), COORDCONV_ERR_ABI or COORDCONV_ERR_NOMEM. The next run returns
 * COORDCONV_ERR_UNSUPPORTED where a frame has no meaning for a convolution's coordinates.
 */
COORDCONV_API coordconv_status coordconv_plan_set_frames(coordconv_plan *plan, const char *input,
                                                         int64_t count,
                                                         const coordconv_frame_desc *frames);

/**
 * Forward pass; of a training plan, forward and backward pass: what coordconv_plan_forward() and
 * coordconv_plan_backward() do, in less time where both can be done image by image. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, a class label out of
 * range), COORDCONV_ERR_STATE (an input not bound), or what coordconv_plan_set_frames says.
 */
COORDCONV_API coordconv_status coordconv_plan_run(coordconv_plan *plan);

/** Forward pass only. Since 0.1. Returns as coordconv_plan_run. */
COORDCONV_API coordconv_status coordconv_plan_forward(coordconv_plan *plan);

/**
 * Backward pass after a forward pass: fills the gradient buffer. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL) or COORDCONV_ERR_STATE (no
 * training plan, or no forward pass since the last backward pass).
 */
COORDCONV_API coordconv_status coordconv_plan_backward(coordconv_plan *plan);

/**
 * The value of an output after a forward pass, as a row-major tensor, a reference
 * added: valid until the next run. It lies inside the arena, or, where that run
 * computed it in the tensor bound to an output, in that. An output that is an input
 * under another name or shape is a view of what is bound to that input. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_NOT_FOUND,
 * COORDCONV_ERR_STATE (such an input is not bound) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_plan_output(coordconv_plan *plan, const char *name,
                                                     coordconv_tensor **out);

/**
 * The gradient of an input of a training plan made with input_gradients, as
 * coordconv_plan_output. Since 0.1.
 *
 * Returns as coordconv_plan_output, and COORDCONV_ERR_STATE for other plans.
 */
COORDCONV_API coordconv_status coordconv_plan_input_gradient(coordconv_plan *plan, const char *name,
                                                             coordconv_tensor **out);

/** Number of trained parameter tensors of a training plan; 0 otherwise. Since 0.1. */
COORDCONV_API int32_t coordconv_plan_parameter_count(const coordconv_plan *plan);

/**
 * Parameter tensor `index` of a training plan: layers in the order of their
 * first application, in each weight before bias. Any of the outputs may be
 * NULL. name ("conv1.weight") and tensor are borrowed from the plan. offset is where the
 * parameter's gradient begins in the flat buffers, in elements; parameters
 * follow each other there without gaps, each row-major. Since 0.1.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID (NULL, index).
 */
COORDCONV_API coordconv_status coordconv_plan_parameter(const coordconv_plan *plan, int32_t index,
                                                        const char **name, int64_t *offset,
                                                        coordconv_tensor **tensor);

/**
 * All gradients of a training plan as one float32 vector, a reference added:
 * what an all-reduce or a gradient clip works on. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL) or COORDCONV_ERR_STATE (no
 * training plan).
 */
COORDCONV_API coordconv_status coordconv_plan_gradients(coordconv_plan *plan,
                                                        coordconv_tensor **out);

/** Copy all parameters of a training plan into a vector laid out like the gradients. Since 0.1. */
COORDCONV_API coordconv_status coordconv_plan_get_parameters(const coordconv_plan *plan,
                                                             coordconv_tensor *flat);

/** Copy such a vector into the parameters. Since 0.1. Both return OK, INVALID, SHAPE or STATE. */
COORDCONV_API coordconv_status coordconv_plan_set_parameters(coordconv_plan *plan,
                                                             const coordconv_tensor *flat);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_PLAN_H */
