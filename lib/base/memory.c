/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static void *default_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    return aligned_alloc(alignment, bytes);
}

static void default_free(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

void cconv_allocator_init(struct cconv_allocator *a, coordconv_alloc_fn alloc,
                          coordconv_free_fn free_fn, void *user)
{
    a->alloc = alloc != NULL ? alloc : default_alloc;
    a->free = free_fn != NULL ? free_fn : default_free;
    a->user = user;
}

/* aligned_alloc wants a multiple of the alignment; and never ask for nothing. */
static size_t request(size_t bytes)
{
    return cconv_size_align(CCONV_MAX(bytes, 1));
}

void *cconv_alloc_raw(const struct cconv_allocator *a, size_t bytes)
{
    const size_t padded = request(bytes);

    if (padded > PTRDIFF_MAX)
        return NULL;
    return a->alloc(a->user, padded, CCONV_ALIGN);
}

void *cconv_alloc(const struct cconv_allocator *a, size_t bytes)
{
    void *memory = cconv_alloc_raw(a, bytes);

    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void cconv_free(const struct cconv_allocator *a, void *memory, size_t bytes)
{
    if (memory != NULL)
        a->free(a->user, memory, request(bytes));
}
