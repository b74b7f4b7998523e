/* SPDX-License-Identifier: BSD-2-Clause
 *
 * draws.h - random numbers for data sets, by the library's own generator: the same on every
 * machine, whatever the number of threads.
 */
#ifndef EXAMPLES_DRAWS_H
#define EXAMPLES_DRAWS_H

#include <coordconv/coordconv.h>

/*
 * count numbers, uniform in 0 .. 1 (1 excluded). stream tells apart what is drawn from one seed; at
 * most 2^32 streams.
 */
coordconv_status draws_uniform(coordconv_context *context, uint64_t seed, uint64_t stream,
                               int64_t count, float *out);

#endif /* EXAMPLES_DRAWS_H */
