/* SPDX-License-Identifier: BSD-2-Clause
 *
 * coordconv.h - everything: convolution networks that know where they are.
 */
#ifndef COORDCONV_COORDCONV_H
#define COORDCONV_COORDCONV_H

#include <coordconv/analytic.h>
#include <coordconv/base.h>
#include <coordconv/context.h>
#include <coordconv/coords.h>
#include <coordconv/dlpack.h>
#include <coordconv/io.h>
#include <coordconv/layer.h>
#include <coordconv/model.h>
#include <coordconv/npy.h>
#include <coordconv/pixels.h>
#include <coordconv/plan.h>
#include <coordconv/tensor.h>
#include <coordconv/train.h>

#endif /* COORDCONV_COORDCONV_H */
