/* SPDX-License-Identifier: BSD-2-Clause
 *
 * random.h - counter-based random numbers, the same on every platform.
 */
#ifndef CCONV_BASE_RANDOM_H
#define CCONV_BASE_RANDOM_H

#include <stdint.h>

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, 2011):
 * 128 bits out of a 128-bit counter and a 64-bit key. */
void cconv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Four words for (seed, stream, index): the seed is the key, index and stream the counter. */
void cconv_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

/* Uniform in (0, 1), never an end: an odd multiple of 2^-53. */
double cconv_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in 0 .. bound - 1, without bias; bound at least 1. */
uint64_t cconv_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);

/* Standard normal. Uses no function of the C library whose last bit differs between platforms. */
double cconv_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

#endif /* CCONV_BASE_RANDOM_H */
