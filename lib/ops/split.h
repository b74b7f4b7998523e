/* SPDX-License-Identifier: BSD-2-Clause
 *
 * split.h - how many items of work go into one task.
 *
 * The split depends on shapes alone, never on the number of threads, so that
 * sums made task by task have the same bits everywhere.
 */
#ifndef CCONV_OPS_SPLIT_H
#define CCONV_OPS_SPLIT_H

#include "base/compiler.h"

/* Elements one task works on: 64 KiB of float, some ten microseconds at the
 * speed of memory. Far more than handing out a task costs, and two or three
 * such arrays stay in a second-level cache. */
#define CCONV_CHUNK 16384

struct cconv_split {
    size_t items;
    size_t per_task; /* the last task may have fewer */
    size_t tasks;
};

/* Items of `elements` elements each, at least `least` of them to a task. */
static inline struct cconv_split cconv_split(size_t items, size_t elements, size_t least)
{
    const size_t fit = CCONV_CHUNK / CCONV_MAX(elements, 1);
    struct cconv_split s = { .items = items };

    s.per_task = CCONV_MAX(CCONV_MAX(fit, least), 1);
    s.tasks = items / s.per_task + (items % s.per_task != 0);
    return s;
}

static inline size_t cconv_split_begin(const struct cconv_split *s, size_t task)
{
    return task * s->per_task;
}

static inline size_t cconv_split_count(const struct cconv_split *s, size_t task)
{
    const size_t rest = s->items - task * s->per_task;

    return CCONV_MIN(rest, s->per_task);
}

#endif /* CCONV_OPS_SPLIT_H */
