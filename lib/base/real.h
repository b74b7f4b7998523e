/* SPDX-License-Identifier: BSD-2-Clause
 *
 * real.h - the type models compute in.
 *
 * float in the library. The gradient tests build the same sources a second time
 * with CCONV_DOUBLE, so that central differences are taken in double of the
 * very code that ships; that build has the reference kernels only.
 */
#ifndef CCONV_BASE_REAL_H
#define CCONV_BASE_REAL_H

#include <math.h>

#include <coordconv/base.h>

#ifdef CCONV_DOUBLE
typedef double cconv_real;
#define CCONV_REAL_DTYPE COORDCONV_F64
#define cconv_math_exp   exp
#define cconv_math_log1p log1p
#define cconv_math_log   log
#define cconv_math_tanh  tanh
#define cconv_math_sqrt  sqrt
#define cconv_math_abs   fabs
#else
typedef float cconv_real;
#define CCONV_REAL_DTYPE COORDCONV_F32
#define cconv_math_exp   expf
#define cconv_math_log1p log1pf
#define cconv_math_log   logf
#define cconv_math_tanh  tanhf
#define cconv_math_sqrt  sqrtf
#define cconv_math_abs   fabsf
#endif

#endif /* CCONV_BASE_REAL_H */
