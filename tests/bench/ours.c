/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ours.c - the benchmark's worker for this library.
 */
#include "ours.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CONTEXTS = 16
};

static struct {
    int threads;
    uint32_t isa;
    coordconv_context *context;
} contexts[MAX_CONTEXTS];

/* How often any context asked for memory. */
static atomic_long allocations;

static void *counted_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    atomic_fetch_add(&allocations, 1);
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void counted_free(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

static uint32_t isa_of(const char *name)
{
    if (strcmp(name, "avx2") == 0)
        return COORDCONV_ISA_AVX2;
    return strcmp(name, "reference") == 0 ? COORDCONV_ISA_REFERENCE : COORDCONV_ISA_BEST;
}

coordconv_context *ours_context(const struct job_desc *desc)
{
    const coordconv_context_desc d = { .struct_size = sizeof d,
                                       .max_isa = isa_of(desc->isa),
                                       .threads = desc->threads,
                                       .alloc = counted_alloc,
                                       .free = counted_free };

    for (int i = 0; i < MAX_CONTEXTS; i++) {
        if (contexts[i].context == NULL) {
            contexts[i].threads = d.threads;
            contexts[i].isa = d.max_isa;
            (void)coordconv_context_new(&d, &contexts[i].context);
        }
        if (contexts[i].threads == d.threads && contexts[i].isa == d.max_isa)
            return contexts[i].context;
    }
    return NULL;
}

static void release(void *user, void *data)
{
    (void)user;
    free(data);
}

coordconv_status ours_read(coordconv_context *context, const struct job_desc *desc,
                           const char *name, int32_t ndim, const int64_t *shape,
                           coordconv_tensor **out)
{
    size_t count = 1;

    for (int32_t i = 0; i < ndim; i++)
        count *= (size_t)shape[i];
    float *data = worker_read(desc, name, count);
    const coordconv_status status =
        coordconv_tensor_wrap(context, COORDCONV_F32, ndim, shape, NULL, data, release, NULL, out);
    if (status != COORDCONV_OK)
        free(data);
    return status;
}

/* No job, only an answer: it is in the note. */
static void *make_arena(const struct job_desc *desc, char *note, size_t note_size)
{
    struct ours_arena a = { 0 };

    if (ours_resnet_arena(ours_context(desc), &a) == COORDCONV_OK)
        snprintf(note, note_size, "job: arena %.0f %.0f %.0f", a.bytes, a.weights, a.least);
    return NULL;
}

static void *make(const struct job_desc *desc, char *note, size_t note_size)
{
    coordconv_context *context = ours_context(desc);
    struct ours *job = NULL;

    if (context == NULL) {
        snprintf(note, note_size, "context");
        return NULL;
    }
    if (strcmp(desc->what, "arena") == 0)
        return make_arena(desc, note, note_size);
    if (strcmp(desc->what, "step") == 0)
        job = ours_step_new(desc, note, note_size);
    else
        job = ours_layer_new(desc, note, note_size);
    const size_t used = strlen(note);
    if (job != NULL)
        snprintf(note + used, note_size - used, " isa=%s", coordconv_context_isa(context));
    return job;
}

static int run(void *work)
{
    struct ours *job = work;

    return job->run(job);
}

static const char *output(void *work, const char *what, const char *file)
{
    struct ours *job = work;
    coordconv_tensor *tensor = NULL;

    if (strcmp(what, "allocations") == 0) {
        const float count = (float)atomic_load(&allocations);
        return worker_write(file, &count, 1) == 0 ? "plain" : NULL;
    }
    if (job->output(job, what, &tensor) != COORDCONV_OK)
        return NULL;
    const size_t count = (size_t)coordconv_tensor_count(tensor);
    const int failed = worker_write(file, coordconv_tensor_data(tensor), count);
    coordconv_tensor_unref(tensor);
    return failed ? NULL : "nhwc";
}

static void drop(void *work)
{
    struct ours *job = work;

    job->drop(job);
}

int main(void)
{
    static const struct worker worker = {
        .make = make, .run = run, .output = output, .drop = drop
    };
    const int status = worker_serve(&worker);

    for (int i = 0; i < MAX_CONTEXTS; i++)
        coordconv_context_unref(contexts[i].context);
    return status;
}
