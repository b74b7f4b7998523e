/* SPDX-License-Identifier: BSD-2-Clause
 *
 * set.h - the plain C kernels, once an instruction set.
 *
 * The loops of ref/ but for convolution are bound by memory or by chains of
 * simple operations, and compilers make good vectors of them. So the same files
 * are compiled for every instruction set, with CCONV_SET_NAME saying which. No
 * product and sum are fused (-ffp-contract=off) and the order of a sum is
 * written down lane by lane: all sets give the same bits.
 */
#ifndef CCONV_KERNELS_REF_SET_H
#define CCONV_KERNELS_REF_SET_H

#ifndef CCONV_SET_NAME
#define CCONV_SET_NAME ref
#endif

#define CCONV_SET_PASTE(name, set) name##_##set
#define CCONV_SET_JOIN(name, set)  CCONV_SET_PASTE(name, set)

/* cconv_pool_init becomes cconv_pool_init_ref, or _avx2 and so on. */
#define CCONV_SET(name) CCONV_SET_JOIN(name, CCONV_SET_NAME)

/* Before a loop whose steps do not depend on each other: outputs are inputs or
 * do not overlap them. Compilers then need not ask, and in place is as fast. */
#if defined(__clang__)
#define CCONV_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define CCONV_INDEPENDENT _Pragma("GCC ivdep")
#else
#define CCONV_INDEPENDENT
#endif

#endif /* CCONV_KERNELS_REF_SET_H */
