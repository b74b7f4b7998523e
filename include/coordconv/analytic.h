/* SPDX-License-Identifier: BSD-2-Clause
 *
 * analytic.h - networks wired by hand that need no training.
 *
 * Each is an ordinary model: run it, save it, fine-tune it. Coordinates are in
 * pixels, x = column, y = row, (0, 0) the centre of the top left pixel. All are
 * exact for integer coordinates on canvases of up to 2^24 pixels a side, any batch.
 */
#ifndef COORDCONV_ANALYTIC_H
#define COORDCONV_ANALYTIC_H

#include <coordconv/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One-hot image to coordinates: input "image" [N, height, width, 1], output
 * "xy" [N, 2]. As the critique wires it: x = W - sum over pixels of
 * ReLU(W A - X), y = H - sum of ReLU(H A - Y), with A the image.
 *
 * An empty image gives (width, height), a point just off the canvas. With k
 * lit pixels of value 1, x = W - sum (W - x_i): below the canvas as soon as
 * their distances from the right edge add up to more than W. A pixel of value
 * a in (0, 1) gives x = W - max(a W - x, 0). Since 0.1.
 *
 * height, width: 1 .. 2^24. Returns COORDCONV_OK, COORDCONV_ERR_INVALID or
 * COORDCONV_ERR_NOMEM.
 */
COORDCONV_API coordconv_status coordconv_analytic_onehot_to_xy(coordconv_context *context,
                                                               int64_t height, int64_t width,
                                                               coordconv_model **out);

/**
 * Coordinates to one-hot image: input "xy" [N, 2], output "image"
 * [N, height, width, 1], with A = ReLU(1 - |X - x| - |Y - y|) and |u| =
 * ReLU(u) + ReLU(-u).
 *
 * A point off the canvas by a pixel or more gives an empty image. A fractional
 * point gives a tent: each pixel nearer than 1 in the sum of the two distances
 * gets 1 minus that sum, so (2.25, 3) lights (2, 3) with 0.75 and (3, 3) with
 * 0.25. Since 0.1. Returns as coordconv_analytic_onehot_to_xy.
 */
COORDCONV_API coordconv_status coordconv_analytic_xy_to_onehot(coordconv_context *context,
                                                               int64_t height, int64_t width,
                                                               coordconv_model **out);

/**
 * Coordinates to a filled rectangle of 2 half_height + 1 by 2 half_width + 1
 * pixels: input "xy" [N, 2], output "image" [N, height, width, 1], with A =
 * ReLU(1 - ReLU(|X - x| - half_width) - ReLU(|Y - y| - half_height)). The
 * paper's rendering task is half sizes of 4.
 *
 * A rectangle partly off the canvas is cut at the border, one wholly off it
 * gives an empty image. At a fractional point the pixels whose centre lies
 * inside are 1 and the border fades linearly to 0 over one pixel. Since 0.1.
 *
 * half_height, half_width: 0 .. 2^22. Returns as coordconv_analytic_onehot_to_xy.
 */
COORDCONV_API coordconv_status coordconv_analytic_xy_to_rectangle(coordconv_context *context,
                                                                  int64_t height, int64_t width,
                                                                  int64_t half_height,
                                                                  int64_t half_width,
                                                                  coordconv_model **out);

#ifdef __cplusplus
}
#endif

#endif /* COORDCONV_ANALYTIC_H */
