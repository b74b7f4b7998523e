/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stack.h - slices of a volume as the channels of images.
 *
 * Slice o of an output reads the slices o stride - pad + k dilation of the input,
 * one for each tap k of the depth. Stacked they are one image, in each pixel of which
 * lie, group by group, the channels of tap 0, of tap 1 and so on; zeros where the
 * slice lies outside the volume.
 */
#ifndef CCONV_OPS_STACK_H
#define CCONV_OPS_STACK_H

#include "base/checked.h"
#include "core/context.h"

struct cconv_stack {
    size_t depth, height, width;    /* of the volume */
    size_t groups, channels;        /* channels of a group */
    int64_t taps, stride, dilation; /* along z */
    int64_t pad;                    /* before the first slice */
};

/* Elements of a stack. */
static inline size_t cconv_stack_elements(const struct cconv_stack *s)
{
    return cconv_size_mul(cconv_size_mul(s->height, s->width),
                          cconv_size_mul(s->groups * s->channels, (size_t)s->taps));
}

/* Stacks of `count` slices of the output, from `first` on; or where `back` is 1, the other way
 * round: volume += stacks. volume is written only then. */
void cconv_stack_move(coordconv_context *context, const struct cconv_stack *s, size_t first,
                      size_t count, cconv_real *volume, cconv_real *stacks, int back);

#endif /* CCONV_OPS_STACK_H */
