/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coords.h - coordinate channels by themselves: no context, no model.
 *
 * Convention: channel order x, y, radius. x runs with the column, y with the
 * row. Both are aligned at the corners: -1 at the first sample of the axis, +1
 * at the last, k -> 2 k / (n - 1) - 1; an axis of length 1 gives 0. The radius
 * is sqrt(x^2 + y^2). With COORDCONV_COORDS_PIXEL x and y are the column and
 * row themselves, 0 .. n - 1, and the radius their distance from pixel (0, 0).
 *
 * Other implementations have other ways: coordconv_grid_desc says which, and
 * coordconv_convention() knows them by name. coordconv_frame_desc says where in
 * a larger image an image lies.
 *
 * Thread safety: the functions here touch nothing but their arguments.
 */
#ifndef COORDCONV_COORDS_H
#define COORDCONV_COORDS_H

#include <coordconv/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which coordinate channels; combine with |. */
enum {
    COORDCONV_COORDS_NONE = 0,
    COORDCONV_COORDS_XY = 1,     /* two channels, x then y */
    COORDCONV_COORDS_RADIUS = 2, /* one channel, after x and y where they are there */
    COORDCONV_COORDS_PIXEL = 4,  /* unit pixels instead of [-1, 1]; exact for integers */
    COORDCONV_COORDS_X = 8,      /* one channel, x alone; with Y as XY */
    COORDCONV_COORDS_Y = 16,     /* one channel, y alone */
    COORDCONV_COORDS_Z = 32      /* one channel, z, after x and y; only of volumes (conv3d) */
};

/**
 * Number of channels that flags stand for: 0 .. 3; -1 for unknown flags, of which
 * COORDCONV_COORDS_Z is one here: a canvas has no z. Since 0.1.
 */
COORDCONV_API int32_t coordconv_coords_channels(uint32_t flags);

/**
 * Write coordinate channels over a height x width canvas into float memory the
 * caller owns. Element (channel c, row i, column j) goes to
 * dst[c * channel_stride + i * row_stride + j * column_stride], so planar
 * (NCHW) and interleaved (NHWC) images are both reached. This library's own way only: for a
 * grid, a frame, signals or volumes see coordconv_coords_write(). Since 0.1.
 *
 * height, width: 1 .. 2^31 - 1. Strides in elements; the caller answers for
 * the room behind dst.
 *
 * Returns COORDCONV_OK or COORDCONV_ERR_INVALID (dst NULL, unknown or no
 * flags, an extent below 1).
 */
COORDCONV_API coordconv_status coordconv_coords_fill(uint32_t flags, int64_t height, int64_t width,
                                                     float *dst, int64_t channel_stride,
                                                     int64_t row_stride, int64_t column_stride);

/** Where on an axis of n samples coordinate values lie. t is the sample's place, k without a frame.
 */
enum {
    COORDCONV_SAMPLING_ALIGNED = 0, /* low at the first sample, high at the last: divisor n - 1 */
    COORDCONV_SAMPLING_START = 1,   /* low + (high - low) t / n */
    COORDCONV_SAMPLING_CENTER = 2,  /* low + (high - low) (2 t + 1) / (2 n): middles of cells */
    COORDCONV_SAMPLING_PIXEL = 3,   /* t itself; low and high are not looked at */
    COORDCONV_SAMPLING_SWAPPED = 4  /* as ALIGNED, but divided by the other axis's n - 1: a slip
                                     * that weights were trained with; of images alone */
};

/** How the radius is made of x and y. */
enum {
    COORDCONV_RADIUS_PLAIN = 0,  /* sqrt(x^2 + y^2) */
    COORDCONV_RADIUS_OFFSET = 1, /* sqrt((x - 0.5)^2 + (y - 0.5)^2), of the values as they are */
    COORDCONV_RADIUS_NORMALIZED = 2, /* the plain one divided by its largest value in the whole
                                      * image; 0 where that is 0 */
    COORDCONV_RADIUS_CENTERED = 3    /* of x and y brought from low .. high to 0 .. 1, minus 0.5;
                                      * not with COORDCONV_SAMPLING_PIXEL */
};

/** What an axis of length 1 (a divisor of 0) gives; never NaN. */
enum {
    COORDCONV_SINGLE_MIDDLE = 0, /* (low + high) / 2 */
    COORDCONV_SINGLE_LOW = 1     /* low, as linspace of one sample does */
};

/** How places become coordinates: where implementations differ. All zero: this library's own way.
 */
typedef struct coordconv_grid_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t sampling;     /* COORDCONV_SAMPLING_*; default aligned */
    double low, high; /* not equal, within -2^31 .. 2^31, low may be the larger; both 0: -1 and 1 */
    int32_t radius;   /* COORDCONV_RADIUS_*; default plain */
    int32_t single;   /* COORDCONV_SINGLE_*; default the middle */
} coordconv_grid_desc;

/**
 * Where an image lies in a larger one: a crop, a tile, a resized, letterboxed or
 * mirrored image keeps its true place. Sample (i, j) of the image stands at row
 * y + i step_y, column x + j step_x of the larger one, whose extents are the n
 * of the formulas above; numbers are those of samples, so 0 is the first. All
 * zero: the image is the whole. Places outside the larger image are possible
 * and go on beyond low and high.
 *
 * Of a volume, slice k stands at z + k step_z of `depth`; a signal has x, step_x and width alone.
 *
 * A tile of 100 rows from row 300 on of an image of 1080: y = 300, height = 1080.
 * The image mirrored left to right: x = width - 1, step_x = -1.
 * A picture of 640 x 360 in the middle of a letterbox of 640 x 640, for
 * coordinates of the picture: y = -140, height = 360.
 */
typedef struct coordconv_frame_desc {
    uint32_t struct_size;  /* sizeof the struct */
    double y, x;           /* of the first sample; within -2^31 .. 2^31 */
    double step_y, step_x; /* within -2^31 .. 2^31; 0: 1; negative: mirrored */
    int64_t height, width; /* of the larger image, up to 2^31 - 1; 0: of this one */
    double z, step_z;      /* likewise, of volumes; else 0 */
    int64_t depth;         /* likewise */
} coordconv_frame_desc;

/** Coordinate channels of a signal, an image or a volume, and where to write them. */
typedef struct coordconv_coords_desc {
    uint32_t struct_size; /* sizeof the struct */
    uint32_t coords;      /* COORDCONV_COORDS_*, written in the order x, y, z, radius; of signals x
                           * and the radius, which is that of x; with _Z of volumes, whose radius is
                           * that of all three axes; no default */
    int64_t depth, height, width; /* 1 .. 2^31 - 1; depth 0: an image; height 0, too: a signal */
    int64_t channel_stride, slice_stride, row_stride, column_stride; /* in elements; all four 0:
                                                                      * planes without gaps; else
                                                                      * each is as it says */
    const coordconv_grid_desc *grid;   /* default NULL: this library's own; of images alone
                                        * COORDCONV_SAMPLING_SWAPPED */
    const coordconv_frame_desc *frame; /* default NULL: the canvas is the whole */
} coordconv_coords_desc;

/**
 * Write the coordinate channels that a convolution of signals, images or volumes sees
 * (coordconv_conv1d_desc, coordconv_conv2d_desc, coordconv_conv3d_desc), by any grid and frame,
 * into float memory the caller owns. Element (channel c, slice k, row i, column j) goes to
 * dst[c * channel_stride + k * slice_stride + i * row_stride + j * column_stride]. Since 0.1.
 *
 * COORDCONV_COORDS_PIXEL is refused beside a grid of another sampling than the default and
 * COORDCONV_SAMPLING_PIXEL, and beside COORDCONV_RADIUS_CENTERED.
 *
 * For channels in another order write them one by one. Strides may be negative; no two values may
 * share a place: ordered by their size, each stride reaches past all that lies within it, but for
 * those of axes of one sample and of a single channel, which do not count. The caller answers for
 * the room around dst. Each value is computed in double and rounded once.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID (dst NULL, a field out of range, strides that let
 * values share a place, a frame that says something of an axis the canvas has not) or
 * COORDCONV_ERR_ABI; then dst is untouched.
 */
COORDCONV_API coordconv_status coordconv_coords_write(const coordconv_coords_desc *desc,
                                                      float *dst);

/** A published way of making coordinate channels. */
typedef struct coordconv_convention_desc {
    uint32_t struct_size;     /* sizeof the struct */
    uint32_t coords;          /* COORDCONV_COORDS_* that the implementation offers at most: XY or
                               * Y, and RADIUS where it has one */
    int32_t row_first;        /* 1: the channel of the row, y, stands before that of the column */
    int32_t before;           /* 1: coordinates stand before the data channels, not after */
    coordconv_grid_desc grid; /* its values. Stays the last field, for it may grow, and this struct
                               * with it and in no other way */
} coordconv_convention_desc;

/**
 * How a published implementation makes its coordinate channels. Since 0.1.
 *
 * name, in lower case:
 *   "coordconv"        this library's own way: x, y, radius after the data channels
 *   "paper"            listing of the paper: x first, radius less 0.5; also "glastonburyc",
 *                      "mkocabas-np"
 *   "uber"             the authors' released code: x first, each axis divided by the other's
 *                      length; also "ashwindcruz"
 *   "mkocabas"         y first, radius less 0.5; also "mkocabas-th", "walsvid",
 *                      "keras-coordconv", "mvoelk"
 *   "wizaron"          y first, before the data channels, radius up to 1
 *   "adaptive-wing-loss"  y first, radius up to 1
 *   "solo"             x first, single samples at -1; also "solov2", "mmdetection",
 *                      "optimize-coordconv"
 *   "pfrendl"          y first, single samples at -1; also "batdetect2", which has y alone
 *   "dominikandreas"   x first, plain radius
 *   "paddle"           x first, PP-YOLO as first published
 *   "paddle-slip"      x first, -1 .. -0.5: PP-YOLO afterwards; also "ppyolo"
 *   "monai"            y first, -0.5 .. 0.5, single samples at -0.5
 *   "dref360"          y first, 2 k / n - 1
 *   "n-mca"            y first, 0 .. 1
 *   "cell-center"      x first, (2 k + 1) / n - 1
 *
 * out: zeroed but for struct_size, which says how much of it the caller knows; written on success.
 * out->grid.struct_size is set to what the caller has of the grid, and no more than this library
 * knows, so that the grid can be handed on as it is.
 *
 * Where an implementation divides by 0 for an axis of one sample, the grid says the
 * middle. Returns COORDCONV_OK, COORDCONV_ERR_INVALID (NULL), COORDCONV_ERR_NOT_FOUND
 * (no such name) or COORDCONV_ERR_ABI.
 */
COORDCONV_API coordconv_status coordconv_convention(const char *name,
                                                    coordconv_convention_desc *out);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_COORDS_H */
