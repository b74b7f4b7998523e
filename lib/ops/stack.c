/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/stack.h"

#include <string.h>

#include "ops/split.h"

enum {
    LANE = 4 /* values copied at once */
};

struct moving {
    const struct cconv_stack *stack;
    size_t first, count;
    cconv_real *volume, *stacks;
    int back;
    struct cconv_split split; /* of the rows of a slice */
};

/* As many channels as a group has, of each of n groups; `step` apart in the stack. */
static void copy(cconv_real *to, size_t step, const cconv_real *from, size_t channels, size_t n)
{
    for (; n > 0; n--, to += step, from += channels) {
        size_t c = 0;

        for (; c + LANE <= channels; c += LANE)
            memcpy(to + c, from + c, LANE * sizeof *to);
        for (; c < channels; c++)
            to[c] = from[c];
    }
}

static void clear(cconv_real *to, size_t step, size_t channels, size_t n)
{
    for (; n > 0; n--, to += step)
        memset(to, 0, channels * sizeof *to);
}

static void add(cconv_real *to, const cconv_real *from, size_t step, size_t channels, size_t n)
{
    for (; n > 0; n--, to += channels, from += step) {
        for (size_t c = 0; c < channels; c++)
            to[c] += from[c];
    }
}

/* Row y of the stack of slice o. */
static void move_row(const struct moving *m, size_t o, size_t y)
{
    const struct cconv_stack *s = m->stack;
    const size_t n = s->width * s->groups, taps = (size_t)s->taps, length = n * s->channels;
    const size_t step = taps * s->channels;
    cconv_real *stack = m->stacks + ((o * s->height + y) * length) * taps;

    for (int64_t k = 0; k < s->taps; k++, stack += s->channels) {
        const int64_t z = (int64_t)(m->first + o) * s->stride - s->pad + k * s->dilation;
        const int outside = z < 0 || z >= (int64_t)s->depth;
        cconv_real *row = m->volume + (outside ? 0 : ((size_t)z * s->height + y) * length);

        if (outside && !m->back)
            clear(stack, step, s->channels, n);
        else if (!m->back)
            copy(stack, step, row, s->channels, n);
        else if (!outside)
            add(row, stack, step, s->channels, n);
    }
}

/* Several slices of the output may add to one row, so that a task takes a row of them all. */
static void move_task(void *arg, size_t task, size_t slot)
{
    const struct moving *m = arg;
    const size_t begin = cconv_split_begin(&m->split, task);
    const size_t end = begin + cconv_split_count(&m->split, task);

    (void)slot;
    for (size_t o = 0; o < m->count; o++) {
        for (size_t y = begin; y < end; y++)
            move_row(m, o, y);
    }
}

void cconv_stack_move(coordconv_context *context, const struct cconv_stack *s, size_t first,
                      size_t count, cconv_real *volume, cconv_real *stacks, int back)
{
    struct moving m = { s, first, count, volume, stacks, back, { 0 } };

    m.split = cconv_split(s->height, count * (cconv_stack_elements(s) / s->height), 1);
    cconv_parallel_run(&context->parallel, move_task, &m, m.split.tasks);
}
