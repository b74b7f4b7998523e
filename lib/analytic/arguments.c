/* SPDX-License-Identifier: BSD-2-Clause
 *
 * arguments.c - the one file of this folder that looks inside the library: a
 * failure of our own has to reach the caller's log, which only the context knows.
 */
#include "analytic/arguments.h"

#include <inttypes.h>

#include "core/context.h"

coordconv_status cconv_analytic_check(coordconv_context *context, const void *out,
                                      const char *function, const struct cconv_extent *extents,
                                      size_t count)
{
    const struct cconv_log *log = cconv_context_log(context);

    if (context == NULL || out == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s is NULL", function,
                          context == NULL ? "context" : "out");
    for (size_t i = 0; i < count; i++) {
        const struct cconv_extent *e = &extents[i];
        if (e->value < e->least || e->value > e->most)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "%s: %s %" PRId64 " is not in %" PRId64 " .. %" PRId64, function,
                              e->name, e->value, e->least, e->most);
    }
    return COORDCONV_OK;
}
