/* SPDX-License-Identifier: BSD-2-Clause
 *
 * cpu_x86.h - which instruction sets an x86-64 processor and its system offer.
 */
#ifndef CCONV_KERNELS_X86_CPU_X86_H
#define CCONV_KERNELS_X86_CPU_X86_H

int cconv_cpu_has_avx2(void);   /* and FMA */
int cconv_cpu_has_avx512(void); /* F, BW, DQ and VL, and what AVX2 asks for */

#endif /* CCONV_KERNELS_X86_CPU_X86_H */
