/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/shared.h"

#include "ops/corr.h"

/* Whole tiles of every panel, few enough for their sums to stay in the first-level cache. */
enum {
    PIXELS = 96
};

/* Pixels first .. first + count - 1 of a call; *affine is room for theirs. */
static struct cconv_panel_forward part_of(const struct cconv_panel_forward *call, size_t first,
                                          size_t count, struct cconv_panel_affine *affine)
{
    struct cconv_panel_forward part = *call;
    const ptrdiff_t at = (ptrdiff_t)first;

    part.pixels = count;
    part.a += at * part.a_stride;
    part.c += at * part.c_stride;
    if (part.init != NULL)
        part.init += at * part.init_stride;
    if (part.add != NULL)
        part.add += at * part.add_stride;
    if (part.affine == NULL)
        return part;
    *affine = *part.affine;
    affine->row += (affine->column + first) / affine->width;
    affine->column = (affine->column + first) % affine->width;
    affine->begin = CCONV_MIN(CCONV_MAX(affine->begin, first) - first, count);
    affine->end = CCONV_MIN(CCONV_MAX(affine->end, first) - first, count);
    part.affine = affine;
    return part;
}

void cconv_shared_forward(const struct cconv_panel *panel, const struct cconv_panel_forward *call,
                          const struct cconv_panel_forward *shared)
{
    _Alignas(CCONV_ALIGN) cconv_real sums[PIXELS * CCONV_CORR_BLOCK];

    for (size_t first = 0; first < call->pixels; first += PIXELS) {
        const size_t count = CCONV_MIN(PIXELS, call->pixels - first);
        struct cconv_panel_affine affine;
        struct cconv_panel_forward part = part_of(call, first, count, &affine), before = part;

        before.segments = shared->segments;
        before.segment_length = shared->segment_length;
        before.offset = shared->offset;
        before.a = shared->a + (ptrdiff_t)first * shared->a_stride;
        before.a_stride = shared->a_stride;
        before.b = shared->b;
        before.add = NULL;
        before.act = CCONV_ACT_NONE;
        before.stream = 0;
        before.c = sums;
        before.c_stride = (ptrdiff_t)panel->nr;
        panel->forward(&before);
        part.init = sums;
        part.init_stride = (ptrdiff_t)panel->nr;
        part.init_far = 0;
        part.affine = NULL;
        panel->forward(&part);
    }
}
