/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moments_neon.c - sums and moments of rows for NEON.
 */
#include "kernels/moments.h"

#include "kernels/arm/neon.h"

#define VEC     float32x4_t
#define LANES   4
#define MM      neon_
#define PART    unsigned
#define BLOCK   4
#define MOMENTS cconv_moments_neon
#include "kernels/x86/moments_template.h"
