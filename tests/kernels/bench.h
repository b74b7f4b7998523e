/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bench.h - what check_kernels --bench prints.
 */
#ifndef COORDCONV_TESTS_BENCH_H
#define COORDCONV_TESTS_BENCH_H

/* Seconds since some moment. */
double bench_now(void);

/* Print the speed of the convolution panels, of all other kernels with names that begin
 * so. Return 0. */
int bench_conv(void);
int bench_plain(const char *beginning);

#endif /* COORDCONV_TESTS_BENCH_H */
