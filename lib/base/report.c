/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[512];

const char *coordconv_last_error(void)
{
    return last_error;
}

const char *coordconv_status_name(coordconv_status status)
{
    static const char *const names[] = {
        "COORDCONV_OK",         "COORDCONV_ERR_NOMEM",       "COORDCONV_ERR_INVALID",
        "COORDCONV_ERR_SHAPE",  "COORDCONV_ERR_DTYPE",       "COORDCONV_ERR_ABI",
        "COORDCONV_ERR_STATE",  "COORDCONV_ERR_NOT_FOUND",   "COORDCONV_ERR_IO",
        "COORDCONV_ERR_FORMAT", "COORDCONV_ERR_UNSUPPORTED", "COORDCONV_ERR_NUMERIC",
    };
    if (status > 0 || status <= -(coordconv_status)CCONV_COUNT(names))
        return "unknown status";
    return names[-status];
}

uint32_t coordconv_version(void)
{
    return CCONV_VERSION_MAJOR << 16 | CCONV_VERSION_MINOR << 8 | CCONV_VERSION_PATCH;
}

size_t coordconv_dtype_size(int32_t dtype)
{
    switch (dtype) {
    case COORDCONV_F32:
    case COORDCONV_I32:
        return 4;
    case COORDCONV_F64:
    case COORDCONV_I64:
        return 8;
    case COORDCONV_U8:
        return 1;
    default:
        return 0;
    }
}

coordconv_status cconv_fail(const struct cconv_log *log, coordconv_status status,
                            const char *format, ...)
{
    char text[sizeof last_error]; /* an argument may point into last_error */
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (log != NULL && log->write != NULL)
        log->write(log->user, status, text);
    memcpy(last_error, text,
           sizeof text); /* after the callback, which may fail in calls of its own */
    return status;
}

coordconv_status cconv_desc_read(const struct cconv_log *log, const char *what, const void *desc,
                                 size_t least, size_t known, void *copy)
{
    uint32_t size;

    if (desc == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: desc is NULL", what);
    memcpy(&size, desc, sizeof size);
    if (size < least)
        return cconv_fail(log, COORDCONV_ERR_ABI, "%s: struct_size %u, expected at least %zu", what,
                          (unsigned)size, least);
    if (size > 1 << 16)
        return cconv_fail(log, COORDCONV_ERR_ABI, "%s: struct_size %u is absurd", what,
                          (unsigned)size);
    for (size_t i = known; i < size; i++) {
        if (((const unsigned char *)desc)[i] != 0)
            return cconv_fail(log, COORDCONV_ERR_ABI,
                              "%s: byte %zu is set, this library knows %zu; it is too old", what, i,
                              known);
    }
    memset(copy, 0, known);
    memcpy(copy, desc, CCONV_MIN(size, known));
    return COORDCONV_OK;
}

coordconv_status cconv_check_range(const struct cconv_log *log, const char *what, const char *field,
                                   int64_t value, int64_t least, int64_t most)
{
    if (value >= least && value <= most)
        return COORDCONV_OK;
    return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: %s is %lld, expected %lld to %lld", what,
                      field, (long long)value, (long long)least, (long long)most);
}
