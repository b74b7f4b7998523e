/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bad_input.h - what the tests of bad input share.
 *
 * Each call must return its status, say what was wrong with the value in the
 * text, and leave its output as it was.
 */
#ifndef COORDCONV_TESTS_BAD_INPUT_H
#define COORDCONV_TESTS_BAD_INPUT_H

#include <string.h>

#include "support.h"

/* No object is ever here: an output pointer that still shows it has not been written. */
extern char bad_untouched[64];
#define UNTOUCHED ((void *)bad_untouched)

/* A call that would write `out`, a handle of this type, fails and does not. */
#define check_refused(type, call, status, text)                                                    \
    do {                                                                                           \
        type *out = UNTOUCHED;                                                                     \
        check_fails(call, status, text);                                                           \
        assert_ptr_equal(out, UNTOUCHED);                                                          \
    } while (0)

/* A setter of one field to one bad value, for tables of descriptors. */
struct bad_field {
    size_t offset;
    int32_t value;
    coordconv_status status;
    const char *text;
};

#define BAD(type, field, value, status, text)                                                      \
    {                                                                                              \
        offsetof(type, field), (int32_t)(value), COORDCONV_ERR_##status, text                      \
    }

/* Call make(desc) with each field in turn set to its bad value in a copy of good. */
typedef coordconv_status bad_make_fn(const void *desc, void **out);
void bad_fields(bad_make_fn *make, const void *good, size_t size, const struct bad_field *fields,
                size_t count);

/* The rules of struct_size: 0 and too small are refused, larger with a zero tail
 * is taken, larger with a set tail is refused. unmake drops what a good call made. */
void bad_struct_size(bad_make_fn *make, const void *good, size_t size, void (*unmake)(void *made));

/* The same for a descriptor that once had `least` bytes. */
void bad_grown_size(bad_make_fn *make, const void *good, size_t least, size_t size,
                    void (*unmake)(void *made));

#endif /* COORDCONV_TESTS_BAD_INPUT_H */
