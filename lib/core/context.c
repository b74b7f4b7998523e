/* SPDX-License-Identifier: BSD-2-Clause
 *
 * context.c - making and dropping contexts.
 */
#include "core/context.h"

#include <inttypes.h>

#define MAX_THREADS 1024

static coordconv_status check(const coordconv_context_desc *d, const struct cconv_log *log)
{
    if (d->max_isa > COORDCONV_ISA_NEON)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "context: max_isa %" PRIu32 " is unknown",
                          d->max_isa);
    if (d->threads < 0 || d->threads > MAX_THREADS)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "context: %" PRId32 " threads, 1 to %d are possible, 0 is the default",
                          d->threads, MAX_THREADS);
    if (d->direct_sums > 1)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "context: direct_sums is %" PRIu32 ", not 0 or 1", d->direct_sums);
    if ((d->alloc == NULL) != (d->free == NULL))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "context: %s is set without %s",
                          d->alloc != NULL ? "alloc" : "free", d->alloc != NULL ? "free" : "alloc");
    return COORDCONV_OK;
}

static coordconv_status make(const coordconv_context_desc *d, const struct cconv_log *log,
                             coordconv_context **out)
{
    struct cconv_allocator allocator;
    coordconv_context *context;

    cconv_allocator_init(&allocator, d->alloc, d->free, d->alloc_user);
    context = cconv_alloc(&allocator, sizeof *context);
    if (context == NULL)
        return cconv_fail(log, COORDCONV_ERR_NOMEM, "context: no memory for %zu bytes",
                          sizeof *context);
    if (cconv_parallel_init(&context->parallel, d->threads, d->parallel_for, d->parallel_user) !=
        COORDCONV_OK) {
        cconv_free(&allocator, context, sizeof *context);
        return cconv_fail(log, COORDCONV_ERR_NOMEM, "context: the system gave no mutex");
    }
    context->allocator = allocator;
    context->log = *log;
    context->winograd = d->direct_sums ? 0 : CCONV_WINOGRAD_BY_COST;
    context->small_map = CCONV_SMALL_MAP;
    context->seed = d->seed;
    cconv_kernels_init(&context->kernels, (int32_t)d->max_isa);
    atomic_init(&context->layers_made, 0);
    atomic_init(&context->references, 1);
    *out = context;
    return COORDCONV_OK;
}

coordconv_status coordconv_context_new(const coordconv_context_desc *desc, coordconv_context **out)
{
    coordconv_context_desc d = { .struct_size = sizeof d };
    coordconv_status status = COORDCONV_OK;

    if (out == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "context: out is NULL");
    if (desc != NULL)
        status = cconv_desc_read(NULL, "context", desc,
                                 CCONV_DESC_END(coordconv_context_desc, log_user), sizeof d, &d);
    if (status != COORDCONV_OK)
        return status;

    const struct cconv_log log = { .write = d.log, .user = d.log_user };

    status = check(&d, &log);
    return status == COORDCONV_OK ? make(&d, &log, out) : status;
}

coordconv_context *coordconv_context_ref(coordconv_context *context)
{
    if (context != NULL)
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void coordconv_context_unref(coordconv_context *context)
{
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;

    const struct cconv_allocator allocator = context->allocator; /* it lives in what it frees */

    cconv_parallel_destroy(&context->parallel);
    cconv_free(&allocator, context, sizeof *context);
}

const char *coordconv_context_isa(const coordconv_context *context)
{
    return context != NULL ? context->kernels.isa : "";
}

int32_t coordconv_context_threads(const coordconv_context *context)
{
    return context != NULL ? (int32_t)context->parallel.slots : 0;
}
