/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layer.h - layers with parameters: convolution with or without coordinates,
 * its transpose, linear, batch norm, group norm. Usable alone, forward and backward.
 *
 * Activations are [N, H, W, C]. Weights are seen as PyTorch has them, [O, I,
 * KH, KW], coordinate channels after the data channels in the order x, y, z,
 * radius, whatever grid they are made by (coords.h). Parameters are float32 tensors the layer owns;
 * reading and writing them through coordconv_layer_parameter() is how weights get in and out.
 *
 * Thread safety: a layer may be read (forward, backward, copies of parameters)
 * by any number of threads at once; while its parameters change, including the
 * running statistics of a batch norm, no other thread may use it.
 */
#ifndef COORDCONV_LAYER_H
#define COORDCONV_LAYER_H

#include <coordconv/coords.h>
#include <coordconv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An operation with its parameters. */
typedef struct coordconv_layer coordconv_layer;

/** How a window is laid over the border. */
enum {
    COORDCONV_PADDING_EXPLICIT = 0, /* by the field pads */
    COORDCONV_SAME = 1              /* output extent = ceil(input / stride); odd pixel at the end */
};

/**
 * A 2-D convolution (cross-correlation, no kernel flip) of [N, H, W, C] to
 * [N, OH, OW, O], with OH = (H + top + bottom - dilation (kernel - 1) - 1) / stride + 1
 * rounded down. Padding reads as 0, in coordinate channels too.
 *
 * The grid (coords.h) says how places become coordinates; NULL: as this library does, or in pixels
 * with COORDCONV_COORDS_PIXEL, which is refused beside a grid of another sampling than the default
 * and COORDCONV_SAMPLING_PIXEL, and beside COORDCONV_RADIUS_CENTERED. Files keep parameters only,
 * not this.
 */
typedef struct coordconv_conv2d_desc {
    uint32_t struct_size; /* sizeof the struct */
    uint32_t coords;      /* COORDCONV_COORDS_* seen beside the input; default none */
    int32_t in_channels;  /* C, at least 1; coordinates not counted; no default */
    int32_t out_channels; /* O, at least 1; no default */
    int32_t kernel[2];    /* height, width in pixels, 1 .. 1024; no default */
    int32_t stride[2];    /* y, x in pixels, 1 .. 1024; default 1 */
    int32_t dilation[2];  /* y, x in pixels, 1 .. 1024; default 1 */
    int32_t padding;      /* COORDCONV_PADDING_EXPLICIT (default) or COORDCONV_SAME */
    int32_t pads[4];   /* top, left, bottom, right in pixels, 0 .. 65535; default 0; 0 with SAME */
    int32_t groups;    /* divides C and O; default 1. With coordinates only 1 */
    int32_t no_bias;   /* 1: no bias; default 0 */
    int32_t init;      /* COORDCONV_INIT_* of the weight; default he_normal. The bias starts at 0 */
    double init_value; /* for COORDCONV_INIT_CONSTANT */
    const coordconv_grid_desc *grid; /* how places become coordinates, copied; default our own */
} coordconv_conv2d_desc;

/**
 * Make a convolution. Parameters: "weight" [O, C / groups + coordinate
 * channels, KH, KW] and, unless no_bias, "bias" [O]. The weight is drawn with
 * the context's seed and the number of layers the context has made before.
 * Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_ABI, COORDCONV_ERR_INVALID (NULL, a field
 * out of range), COORDCONV_ERR_SHAPE (a weight too large to address),
 * COORDCONV_ERR_UNSUPPORTED (coordinates with groups) or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_conv2d_new(coordconv_context *context,
                                                    const coordconv_conv2d_desc *desc,
                                                    coordconv_layer **out);

/**
 * A convolution of signals: [N, L, C] to [N, OL, O], with OL as one axis of
 * coordconv_conv2d_desc. Its one coordinate is x, along L (COORDCONV_COORDS_X); the radius is that
 * of x alone.
 */
typedef struct coordconv_conv1d_desc {
    uint32_t struct_size;            /* sizeof the struct */
    uint32_t coords;                 /* COORDCONV_COORDS_X, _RADIUS, _PIXEL; default none */
    int32_t in_channels;             /* C, at least 1; coordinates not counted; no default */
    int32_t out_channels;            /* O, at least 1; no default */
    int32_t kernel;                  /* 1 .. 1024 samples; no default */
    int32_t stride;                  /* 1 .. 1024; default 1 */
    int32_t dilation;                /* 1 .. 1024; default 1 */
    int32_t padding;                 /* COORDCONV_PADDING_EXPLICIT (default) or COORDCONV_SAME */
    int32_t pads[2];                 /* before, behind, 0 .. 65535; default 0; 0 with SAME */
    int32_t groups;                  /* divides C and O; default 1. With coordinates only 1 */
    int32_t no_bias;                 /* 1: no bias; default 0 */
    int32_t init;                    /* COORDCONV_INIT_* of the weight; default he_normal */
    uint32_t reserved;               /* 0 */
    double init_value;               /* for COORDCONV_INIT_CONSTANT */
    const coordconv_grid_desc *grid; /* as of coordconv_conv2d_desc; not SAMPLING_SWAPPED */
} coordconv_conv1d_desc;

/**
 * Make a convolution of signals. Parameters: "weight" [O, C / groups + coordinate channels,
 * kernel] and, unless no_bias, "bias" [O]. Since 0.1.
 *
 * Returns as coordconv_conv2d_new; COORDCONV_ERR_INVALID for coordinates with a y or a grid of
 * COORDCONV_SAMPLING_SWAPPED, too.
 */
COORDCONV_API coordconv_status coordconv_conv1d_new(coordconv_context *context,
                                                    const coordconv_conv1d_desc *desc,
                                                    coordconv_layer **out);

/**
 * A convolution of volumes: [N, D, H, W, C] to [N, OD, OH, OW, O], each extent as of
 * coordconv_conv2d_desc. The coordinates are x along W, y along H and z along D, channels in the
 * order data, x, y, z, radius; the radius is sqrt(x^2 + y^2 + z^2), of all three whichever of them
 * are channels, and likewise in its other ways of a grid.
 */
typedef struct coordconv_conv3d_desc {
    uint32_t struct_size; /* sizeof the struct */
    uint32_t coords;      /* COORDCONV_COORDS_*, with _Z for z: all are XY | Z; default none */
    int32_t in_channels;  /* C, at least 1; coordinates not counted; no default */
    int32_t out_channels; /* O, at least 1; no default */
    int32_t kernel[3];    /* depth, height, width in voxels, 1 .. 1024; no default */
    int32_t stride[3];    /* z, y, x in voxels, 1 .. 1024; default 1 */
    int32_t dilation[3];  /* z, y, x in voxels, 1 .. 1024; default 1 */
    int32_t padding;      /* COORDCONV_PADDING_EXPLICIT (default) or COORDCONV_SAME */
    int32_t pads[6]; /* front, top, left, back, bottom, right, 0 .. 65535; default 0; 0 with SAME */
    int32_t groups;  /* divides C and O; default 1. With coordinates only 1 */
    int32_t no_bias; /* 1: no bias; default 0 */
    int32_t init;    /* COORDCONV_INIT_* of the weight; default he_normal */
    double init_value;               /* for COORDCONV_INIT_CONSTANT */
    const coordconv_grid_desc *grid; /* as of coordconv_conv2d_desc; not SAMPLING_SWAPPED */
} coordconv_conv3d_desc;

/**
 * Make a convolution of volumes. Parameters: "weight" [O, C / groups + coordinate channels, KD,
 * KH, KW] (as PyTorch) and, unless no_bias, "bias" [O]. Since 0.1.
 *
 * Returns as coordconv_conv2d_new; COORDCONV_ERR_INVALID for a grid of COORDCONV_SAMPLING_SWAPPED,
 * too: of three axes none is the other.
 */
COORDCONV_API coordconv_status coordconv_conv3d_new(coordconv_context *context,
                                                    const coordconv_conv3d_desc *desc,
                                                    coordconv_layer **out);

/**
 * A 2-D transposed convolution, the gradient of a convolution with respect to
 * its input: [N, H, W, C] to [N, OH, OW, O], with OH = (H - 1) stride - top -
 * bottom + dilation (kernel - 1) + 1 + output_padding. With COORDCONV_SAME,
 * OH = H stride and the pads are those of the convolution from OH to H.
 */
typedef struct coordconv_conv_transpose2d_desc {
    uint32_t struct_size;      /* sizeof the struct */
    uint32_t coords;           /* COORDCONV_COORDS_* seen beside the input, H x W; default none */
    int32_t in_channels;       /* C, at least 1; coordinates not counted; no default */
    int32_t out_channels;      /* O, at least 1; no default */
    int32_t kernel[2];         /* height, width in pixels, 1 .. 1024; no default */
    int32_t stride[2];         /* y, x in pixels, 1 .. 1024; default 1 */
    int32_t dilation[2];       /* y, x in pixels, 1 .. 1024; default 1 */
    int32_t padding;           /* COORDCONV_PADDING_EXPLICIT (default) or COORDCONV_SAME */
    int32_t pads[4];           /* top, left, bottom, right, 0 .. 65535; default 0; 0 with SAME */
    int32_t output_padding[2]; /* rows below, columns right, below the stride; default 0, SAME: 0 */
    int32_t groups;            /* divides C and O; default 1. With coordinates only 1 */
    int32_t no_bias;           /* 1: no bias; default 0 */
    int32_t init;              /* COORDCONV_INIT_* of the weight; default he_normal */
    double init_value;         /* for COORDCONV_INIT_CONSTANT */
    const coordconv_grid_desc *grid; /* as of coordconv_conv2d_desc */
} coordconv_conv_transpose2d_desc;

/**
 * Make a transposed convolution. Parameters: "weight" [C + coordinate channels,
 * O / groups, KH, KW] (as PyTorch) and, unless no_bias, "bias" [O]. fan_in of
 * he_normal is (C + coordinates) / groups * KH * KW. Since 0.1.
 *
 * Returns as coordconv_conv2d_new.
 */
COORDCONV_API coordconv_status coordconv_conv_transpose2d_new(
    coordconv_context *context, const coordconv_conv_transpose2d_desc *desc, coordconv_layer **out);

/** y = x weight^T + bias over the last axis: [..., in_features] to [..., out_features]. */
typedef struct coordconv_linear_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t in_features;  /* at least 1; no default */
    int32_t out_features; /* at least 1; no default */
    int32_t no_bias;      /* 1: no bias; default 0 */
    int32_t init;         /* COORDCONV_INIT_* of the weight; default he_normal */
    uint32_t reserved;    /* 0 */
    double init_value;    /* for COORDCONV_INIT_CONSTANT */
} coordconv_linear_desc;

/**
 * Make a linear layer. Parameters: "weight" [out_features, in_features] and,
 * unless no_bias, "bias" [out_features]. Since 0.1. Returns as coordconv_conv2d_new.
 */
COORDCONV_API coordconv_status coordconv_linear_new(coordconv_context *context,
                                                    const coordconv_linear_desc *desc,
                                                    coordconv_layer **out);

/**
 * Batch norm over every axis but the last (Ioffe, Szegedy 2015): y = weight
 * (x - mean) / sqrt(var + epsilon) + bias. Training uses the batch's mean and
 * biased variance and moves the running ones: running = (1 - momentum) running
 * + momentum batch, with the unbiased variance (as PyTorch), unless the forward
 * pass fails or the batch is not finite. Inference uses the
 * running ones.
 */
typedef struct coordconv_batch_norm_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t channels;     /* at least 1; no default */
    double epsilon;       /* above 0; default 1e-5 */
    double momentum; /* of the new batch, 0 to 1; default 0.1; -1 for 0: statistics that stay */
} coordconv_batch_norm_desc;

/**
 * Make a batch norm. Parameters: "weight" (ones), "bias" (zeros); buffers,
 * which are saved but not trained: "running_mean" (zeros), "running_var"
 * (ones); all [channels]. Since 0.1. Returns as coordconv_conv2d_new.
 */
COORDCONV_API coordconv_status coordconv_batch_norm_new(coordconv_context *context,
                                                        const coordconv_batch_norm_desc *desc,
                                                        coordconv_layer **out);

/**
 * Group norm (Wu, He 2018): channels in groups of channels / groups neighbours, and within a sample
 * y = weight (x - mean) / sqrt(var + epsilon) + bias, with the mean and the biased variance of all
 * places and channels of the group. Training and inference are the same. One group is layer norm
 * over all axes but the first, with a weight for each channel; as many groups as channels are
 * instance norm.
 */
typedef struct coordconv_group_norm_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t channels;     /* at least 1; no default */
    int32_t groups;       /* divides channels; default 1 */
    uint32_t reserved;    /* 0 */
    double epsilon;       /* above 0; default 1e-5 */
} coordconv_group_norm_desc;

/**
 * Make a group norm of [N, ..., channels]. Parameters: "weight" (ones), "bias" (zeros), both
 * [channels]. Since 0.1. Returns as coordconv_conv2d_new.
 */
COORDCONV_API coordconv_status coordconv_group_norm_new(coordconv_context *context,
                                                        const coordconv_group_norm_desc *desc,
                                                        coordconv_layer **out);

/** Add a reference; returns its argument. Since 0.1. */
COORDCONV_API coordconv_layer *coordconv_layer_ref(coordconv_layer *layer);

/** Drop a reference. Since 0.1. */
COORDCONV_API void coordconv_layer_unref(coordconv_layer *layer);

/**
 * Name a layer: 1 .. 255 bytes, of UTF-8 where it is to be saved; the prefix of its parameters in
 * files ("conv1" gives "conv1.weight"). A layer without a name is called by
 * the number of its first use in the model. "optimizer" and names that begin
 * with "optimizer." are taken. A plan reads names when it is made: name layers
 * before. Since 0.1.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID.
 */
COORDCONV_API coordconv_status coordconv_layer_set_name(coordconv_layer *layer, const char *name);

/** The name set, "" if none; valid until it is set again or the layer dies. Since 0.1. */
COORDCONV_API const char *coordconv_layer_name(const coordconv_layer *layer);

/** Number of parameter tensors that are trained; 0 for NULL. Since 0.1. */
COORDCONV_API int32_t coordconv_layer_parameter_count(const coordconv_layer *layer);

/**
 * A parameter or buffer by name ("weight", "bias", "running_mean",
 * "running_var"). *out is the layer's own tensor with a reference added:
 * writing to it changes the layer. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL) or COORDCONV_ERR_NOT_FOUND.
 */
COORDCONV_API coordconv_status coordconv_layer_parameter(const coordconv_layer *layer,
                                                         const char *name, coordconv_tensor **out);

/** Coordinate flags of a convolution or transposed convolution; 0 otherwise. Since 0.1. */
COORDCONV_API uint32_t coordconv_layer_coords(const coordconv_layer *layer);

/**
 * The grid that the coordinates of a convolution or transposed convolution are made by, defaults
 * filled in. out: zeroed but for struct_size, which says how much of it is written. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_STATE (a layer without
 * coordinates) or COORDCONV_ERR_ABI.
 */
COORDCONV_API coordconv_status coordconv_layer_grid(const coordconv_layer *layer,
                                                    coordconv_grid_desc *out);

/**
 * Make a copy of a convolution or transposed convolution that sees other
 * coordinates: the weights of channels both have are copied, new coordinate
 * channels start at zero, so the output is the same bit for bit until the copy
 * learns.
 *
 * Dropping a channel is possible only while its weights are all zero: otherwise
 * the function of the layer would change, and the call fails and names the
 * channel and its largest weight. PIXEL and other coordinates count as
 * different channels; but for the flag PIXEL the copy has the grid of the layer. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, no convolution, unknown
 * flags, a channel that is in use), COORDCONV_ERR_UNSUPPORTED (groups) or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_layer_with_coords(const coordconv_layer *layer,
                                                           uint32_t coords, coordconv_layer **out);

/** What a plan, or a layer run by itself, is to do. */
enum {
    COORDCONV_INFERENCE = 0,
    COORDCONV_TRAINING = 1 /* batch statistics in batch norm; gradients */
};

/**
 * Output shape for an input shape; out_shape has room for ndim extents. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL) or COORDCONV_ERR_SHAPE.
 */
COORDCONV_API coordconv_status coordconv_layer_output_shape(const coordconv_layer *layer,
                                                            int32_t ndim, const int64_t *shape,
                                                            int64_t *out_shape);

/**
 * Bytes of workspace that forward (mode inference) or forward and backward
 * (mode training) of an input of this shape need. Since 0.1.
 *
 * Returns as coordconv_layer_output_shape.
 */
COORDCONV_API coordconv_status coordconv_layer_workspace(const coordconv_layer *layer, int32_t mode,
                                                         int32_t ndim, const int64_t *shape,
                                                         size_t *bytes);

/**
 * Run a layer on x into y, both float32 and row-major, y of the shape
 * coordconv_layer_output_shape() gives. With mode training a batch norm uses and
 * records batch statistics.
 *
 * workspace: 64-byte aligned memory of at least the bytes asked by
 * coordconv_layer_workspace(); NULL (workspace_bytes then 0) allocates for the
 * call. A plan is faster for many runs: it packs the weights once. Since 0.1.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL, not row-major, x and y
 * overlap, workspace too small), COORDCONV_ERR_DTYPE, COORDCONV_ERR_SHAPE or COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_layer_forward(const coordconv_layer *layer, int32_t mode,
                                                       const coordconv_tensor *x,
                                                       coordconv_tensor *y, void *workspace,
                                                       size_t workspace_bytes);

/**
 * Gradients of a layer. From x and dy = dL/dy compute dx = dL/dx (NULL: not
 * wanted) and gradients[i] = dL/d(parameter i), i in the order weight, bias
 * (gradients NULL, or an entry NULL: not wanted). All are written, not added
 * to. A batch norm is differentiated in training mode. Since 0.1.
 *
 * workspace as in coordconv_layer_forward, of mode training.
 * Returns as coordconv_layer_forward.
 */
COORDCONV_API coordconv_status coordconv_layer_backward(const coordconv_layer *layer,
                                                        const coordconv_tensor *x,
                                                        const coordconv_tensor *dy,
                                                        coordconv_tensor *dx,
                                                        coordconv_tensor *const *gradients,
                                                        void *workspace, size_t workspace_bytes);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_LAYER_H */
