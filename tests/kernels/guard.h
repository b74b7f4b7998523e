/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard.h - memory that ends, and begins, where touching more is a fault.
 */
#ifndef COORDCONV_TESTS_GUARD_H
#define COORDCONV_TESTS_GUARD_H

#include <stddef.h>

/* Pages one can use, with one on either side that one cannot. */
struct guard {
    unsigned char *first, *end;
    size_t page;
};

/* At least `bytes` of room; the test fails where there is no memory. */
void guard_open(struct guard *g, size_t bytes);
void guard_close(struct guard *g);

/* The last `bytes` of the room: reading or writing what follows is a fault.
 * They are as aligned as their size allows. Or the first bytes, page aligned. */
void *guard_last(const struct guard *g, size_t bytes);
void *guard_first(const struct guard *g, size_t bytes);

#endif /* COORDCONV_TESTS_GUARD_H */
