/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fixture.h - for programs whose tests want one context: setup and teardown for
 * cmocka, of a group or of each test.
 */
#ifndef COORDCONV_TESTS_FIXTURE_H
#define COORDCONV_TESTS_FIXTURE_H

#include "support.h"

/* Made by start: a context of one thread, and the heap behind it. */
extern struct test_heap heap;
extern coordconv_context *context;

int start(void **state);

/* What the tests made they must have dropped, once each: the heap knows. */
int stop(void **state);

#endif /* COORDCONV_TESTS_FIXTURE_H */
