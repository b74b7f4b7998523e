/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report.h - how a failure is told: a status, a text on this thread, the log.
 */
#ifndef CCONV_BASE_REPORT_H
#define CCONV_BASE_REPORT_H

#include <coordconv/context.h>

#include "base/compiler.h"

struct cconv_log {
    coordconv_log_fn write; /* may be NULL */
    void *user;
};

/* Record the message as this thread's last error, tell the log (which may be
 * NULL), return status: `return cconv_fail(log, COORDCONV_ERR_SHAPE, "...")`. */
coordconv_status cconv_fail(const struct cconv_log *log, coordconv_status status,
                            const char *format, ...) CCONV_PRINTF(3, 4);

/* Bytes of a descriptor up to and with a field. The last field a descriptor had in its first
 * release gives the least size that is accepted for ever. */
#define CCONV_DESC_END(type, field) (offsetof(type, field) + sizeof((type *)NULL)->field)

/* Copy a caller's descriptor over zeros, after checking struct_size: at least
 * `least` bytes, and no set byte past `known`. */
coordconv_status cconv_desc_read(const struct cconv_log *log, const char *what, const void *desc,
                                 size_t least, size_t known, void *copy);

/* COORDCONV_OK if least <= value <= most, else a failure that names all of them. */
coordconv_status cconv_check_range(const struct cconv_log *log, const char *what, const char *field,
                                   int64_t value, int64_t least, int64_t most);

#endif /* CCONV_BASE_REPORT_H */
