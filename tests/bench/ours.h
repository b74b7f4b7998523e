/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ours.h - jobs of the worker for this library. Public calls alone.
 */
#ifndef TESTS_BENCH_OURS_H
#define TESTS_BENCH_OURS_H

#include <coordconv/coordconv.h>

#include "worker.h"

/* One kind of job; embeds as first member of what it needs. */
struct ours {
    coordconv_status (*run)(struct ours *job);
    coordconv_status (*output)(struct ours *job, const char *what, coordconv_tensor **tensor);
    void (*drop)(struct ours *job);
};

/* A context of these threads and instruction set, kept until the worker ends, and counting. */
coordconv_context *ours_context(const struct job_desc *desc);

/* A tensor over the file's content, which it owns. */
coordconv_status ours_read(coordconv_context *context, const struct job_desc *desc,
                           const char *name, int32_t ndim, const int64_t *shape,
                           coordconv_tensor **out);

/* One layer, or a training step of a net of the paper. NULL with the reason in note. */
struct ours *ours_layer_new(const struct job_desc *desc, char *note, size_t note_size);
struct ours *ours_step_new(const struct job_desc *desc, char *note, size_t note_size);

struct ours_arena {
    double bytes;   /* of the arena of an inference plan for ResNet-50 at 224, batch 1 */
    double weights; /* of these, packed weights */
    double least;   /* of the input, output and shortcut of one convolution, at their most */
};

coordconv_status ours_resnet_arena(coordconv_context *context, struct ours_arena *arena);

#endif /* TESTS_BENCH_OURS_H */
