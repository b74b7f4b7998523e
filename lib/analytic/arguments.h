/* SPDX-License-Identifier: BSD-2-Clause
 *
 * arguments.h - checks of what the constructors are given.
 */
#ifndef CCONV_ANALYTIC_ARGUMENTS_H
#define CCONV_ANALYTIC_ARGUMENTS_H

#include <coordconv/context.h>

struct cconv_extent {
    const char *name; /* "height" */
    int64_t value, least, most;
};

/* COORDCONV_ERR_INVALID with the name and value of the first that is out of
 * range, or of context or out where they are NULL. */
coordconv_status cconv_analytic_check(coordconv_context *context, const void *out,
                                      const char *function, const struct cconv_extent *extents,
                                      size_t count);

#endif /* CCONV_ANALYTIC_ARGUMENTS_H */
