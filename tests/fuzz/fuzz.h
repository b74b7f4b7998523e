/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz.h - what the fuzzing targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput(). It is built twice: with
 * libFuzzer (-Dfuzz=enabled, clang), and with replay.c, whose main runs the files
 * of corpus/TARGET as an ordinary test. A new one needs its file, its corpus, made by
 * make_corpus.py, and its name in meson.build.
 */
#ifndef COORDCONV_TESTS_FUZZ_H
#define COORDCONV_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <coordconv/coordconv.h>

/* Never fails; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* End the process unless the condition holds, in builds without assertions too. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
void fuzz_fail(const char *condition, const char *file, int line);

/* One context for all inputs; its allocator gives 64 MB at most, and counts. */
coordconv_context *fuzz_context(void);

/* All that came from the context since it was made has been given back. */
void fuzz_require_all_freed(void);

/* Read every element, through a copy; nothing where that would be too large. */
void fuzz_read_elements(const coordconv_tensor *tensor);

#endif /* COORDCONV_TESTS_FUZZ_H */
