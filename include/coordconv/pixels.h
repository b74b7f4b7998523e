/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pixels.h - coordinate channels beside the caller's own pixels, in one pass.
 *
 * A camera, a decoder or an image library owns the pixels: bytes or floats,
 * interleaved or planar, rows with a stride. coordconv_append() reads them where
 * they are and writes what a network takes: floats, each channel with a mean and
 * a scale, and coordinate channels before or after them, planar (NCHW),
 * interleaved (NHWC) or with any other strides, into memory of the caller's.
 *
 * Coordinates do not change from frame to frame. A program may write them once
 * (COORDCONV_PARTS_COORDS) and only the data afterwards (COORDCONV_PARTS_DATA):
 * less to write for planar results. Interleaved ones are written faster as a
 * whole, for data alone leave gaps in every line of the cache.
 *
 * Nothing is allocated. Thread safety: the functions here touch nothing but
 * their arguments; one context may serve several threads.
 */
#ifndef COORDCONV_PIXELS_H
#define COORDCONV_PIXELS_H

#include <coordconv/base.h>
#include <coordconv/context.h>
#include <coordconv/coords.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the channels of a pixel are, in the order they lie in. */
enum {
    COORDCONV_PIXELS_GREY = 1, /* one channel */
    COORDCONV_PIXELS_RGB = 2,
    COORDCONV_PIXELS_BGR = 3,
    COORDCONV_PIXELS_RGBA = 4, /* or RGBX */
    COORDCONV_PIXELS_BGRA = 5  /* or BGRX */
};

/** An image as it lies in memory. Borrowed during the call, read only. */
typedef struct coordconv_pixels_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t format;       /* COORDCONV_PIXELS_* */
    int32_t dtype;        /* COORDCONV_U8 or COORDCONV_F32 */
    int32_t planar;       /* 0: a pixel's channels side by side (HWC); 1: a plane a channel (CHW) */
    const void *data;     /* first channel of the first pixel of the first row; floats on multiples
                           * of 4 bytes */
    size_t bytes;         /* readable from data on; 0: nothing is checked and the caller answers for
                           * it, the only choice where row_stride is negative. A driver's count of
                           * 0 bytes (a frame that failed) is not to get here */
    int64_t height, width; /* 1 .. 2^31 - 1 */
    int64_t row_stride;   /* bytes from row to row, at least those of a row, gaps allowed; negative:
                           * the first row is the last in memory; 0: rows without gaps */
    int64_t plane_stride; /* planar only: bytes from plane to plane; 0: height times row_stride */
} coordconv_pixels_desc;

/**
 * Coordinate channels. x, y and the radius are those of the grid (coordconv_grid_desc); u and v
 * are the column and row in the larger image (coordconv_frame_desc), in samples from 0; a and b are
 * the two parameters of coordconv_channel.
 */
enum {
    COORDCONV_CHANNEL_X = 1,
    COORDCONV_CHANNEL_Y = 2,
    COORDCONV_CHANNEL_RADIUS = 3,
    COORDCONV_CHANNEL_ANGLE = 4,      /* atan2(y, x) in radians, -pi .. pi; 0 where both are 0 */
    COORDCONV_CHANNEL_LOG_RADIUS = 5, /* natural logarithm of the radius, or of a where the radius
                                       * is less; a 0: 1/1024 */
    /* Calibrated cameras, as in CAM-Convs (Facil et al., 2019): */
    COORDCONV_CHANNEL_CENTERED_X = 6, /* u - center_x */
    COORDCONV_CHANNEL_CENTERED_Y = 7, /* v - center_y */
    COORDCONV_CHANNEL_RAY_X = 8,      /* (u - center_x) / focal_x */
    COORDCONV_CHANNEL_RAY_Y = 9,      /* (v - center_y) / focal_y */
    COORDCONV_CHANNEL_FIELD_X = 10,   /* atan((u - center_x) / focal_x), radians */
    COORDCONV_CHANNEL_FIELD_Y = 11,   /* atan((v - center_y) / focal_y) */
    /* Fourier features. With a = 2^k, b = 0 on a grid of -1 .. 1 the positional encoding of NeRF
     * (Mildenhall et al., 2020, equation 4); with (a, b) twice a row of a random matrix B on a grid
     * of 0 .. 1 the Gaussian features of Tancik et al., 2020. */
    COORDCONV_CHANNEL_SINE = 12,  /* sin(pi (a x + b y)) */
    COORDCONV_CHANNEL_COSINE = 13 /* cos(pi (a x + b y)) */
};

/** One channel of a list. This struct never grows. */
typedef struct coordconv_channel {
    int32_t kind;     /* COORDCONV_CHANNEL_* */
    int32_t reserved; /* 0 */
    double a, b;      /* as the kind says, within -2^31 .. 2^31; 0 where it says nothing */
} coordconv_channel;

/** Which channels to write; the others keep their place and are not touched. */
enum {
    COORDCONV_PARTS_ALL = 0,
    COORDCONV_PARTS_DATA = 1,  /* the coordinates are there already */
    COORDCONV_PARTS_COORDS = 2 /* data of coordconv_pixels_desc may be NULL */
};

/** What to make of an image. */
typedef struct coordconv_append_desc {
    uint32_t struct_size; /* sizeof the struct */
    int32_t parts;        /* COORDCONV_PARTS_*; default all */
    int32_t format; /* order of the data channels to write, COORDCONV_PIXELS_*: colours may change
                     * places and alpha may be dropped; default as they lie */
    int32_t before; /* 1: coordinates before the data channels; default after, or as convention
                     * says */
    const char *convention;            /* see coordconv_convention(); default NULL: our own */
    const coordconv_channel *channels; /* coordinate channels in the order to write; default NULL:
                                        * what coords says */
    int32_t channel_count;             /* of channels, 0 .. 1024; 0 where channels is not NULL: no
                                        * coordinates, for networks whose layers see them anyway */
    uint32_t coords;                   /* without channels: COORDCONV_COORDS_XY, _X, _Y, _RADIUS,
                                        * ordered as convention says and no more than it has;
                                        * default x and y, as far as it has them */
    const coordconv_grid_desc *grid;   /* default that of convention; not both */
    const coordconv_frame_desc *frame; /* where the image lies in a larger one; default NULL: it is
                                        * the whole */
    double center_x, center_y;         /* of the camera, in samples of the larger image */
    double focal_x, focal_y;           /* likewise; not 0 where a channel needs them */
    float mean[4], scale[4]; /* of each data channel written: (value - mean) * scale; a scale of 0
                              * is 1. For bytes to be v / 255 - 0.5: mean 127.5, scale 1 / 255 */
    int64_t channel_stride, row_stride, column_stride; /* of what is written, in floats, not
                                                        * negative; no two values share a place:
                                                        * the larger reaches past all that lies
                                                        * within it; all three 0: planar without
                                                        * gaps */
} coordconv_append_desc;

/**
 * Write an image's channels as floats, with coordinate channels beside them. Since 0.1.
 *
 * The value of channel c, row i, column j goes to dst[c * channel_stride +
 * i * row_stride + j * column_stride]; in a batch, dst is that of the image. A value
 * is made of v as (v - mean) * scale in float, each coordinate in double and rounded once.
 *
 * context: its threads share the rows, and its max_isa counts; NULL: the calling thread alone.
 * The bits do not depend on it.
 * dst: the caller's, `count` floats, apart from the pixels.
 *
 * An axis of one sample never gives NaN, see coordconv_grid_desc. Same place, same bits:
 * coordinates of a part with a frame in whole samples are those of the whole image there.
 *
 * Returns COORDCONV_OK, COORDCONV_ERR_INVALID, COORDCONV_ERR_SHAPE (strides or sizes that do not
 * fit memory or each other), COORDCONV_ERR_DTYPE, COORDCONV_ERR_NOT_FOUND (convention) or
 * COORDCONV_ERR_ABI; then dst is untouched.
 */
COORDCONV_API coordconv_status coordconv_append(coordconv_context *context,
                                                const coordconv_pixels_desc *pixels,
                                                const coordconv_append_desc *desc, float *dst,
                                                size_t count);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_PIXELS_H */
