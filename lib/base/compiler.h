/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compiler.h - the only place outside kernel files that knows compilers and processors.
 */
#ifndef CCONV_BASE_COMPILER_H
#define CCONV_BASE_COMPILER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define CCONV_ARCH_X86_64 1
#else
#define CCONV_ARCH_X86_64 0
#endif

#if defined(__GNUC__)
#define CCONV_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define CCONV_PRINTF(string, first)
#endif

/* Before a short inner loop that is to become vectors: gcc would unroll it
 * first, and then see single values only. */
#if defined(__GNUC__) && !defined(__clang__)
#define CCONV_VECTORISE _Pragma("GCC unroll 1")
#else
#define CCONV_VECTORISE
#endif

/* Before a short inner loop that is to vanish, whatever the optimisation. */
#if defined(__GNUC__) && !defined(__clang__)
#define CCONV_UNROLL _Pragma("GCC unroll 16")
#else
#define CCONV_UNROLL
#endif

/* Ask for a cache line, into the second level. */
#if defined(__GNUC__)
#define CCONV_PREFETCH(p) __builtin_prefetch(p, 0, 2)
#else
#define CCONV_PREFETCH(p) ((void)(p))
#endif

/* Alignment of every buffer the library makes: one cache line, one AVX-512 vector. */
#define CCONV_ALIGN        64

#define CCONV_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define CCONV_MAX(a, b)    ((a) > (b) ? (a) : (b))
#define CCONV_COUNT(array) (sizeof(array) / sizeof(array)[0])

#endif /* CCONV_BASE_COMPILER_H */
