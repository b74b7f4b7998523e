/* SPDX-License-Identifier: BSD-2-Clause */
#define _DEFAULT_SOURCE /* madvise */
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

/* Blocks from this size on are asked to lie in pages of 2 MiB: an arena of a
 * hundred megabytes has 25,000 small pages, more than a processor keeps the
 * addresses of. */
enum {
    HUGE_PAGE = 2 * 1024 * 1024,
    LARGE_BLOCK = 2 * HUGE_PAGE
};

/* A system that has no such pages, or is told not to give them, leaves it at that. */
static void ask_for_huge_pages(void *memory, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    const int error = errno;

    (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    errno = error;
#else
    (void)memory;
    (void)bytes;
#endif
}

static void *default_alloc(void *user, size_t bytes, size_t alignment)
{
    void *memory;

    (void)user;
    if (bytes < LARGE_BLOCK)
        return aligned_alloc(alignment, bytes);
    /* Not aligned_alloc, which wants a whole number of alignments. */
    if (posix_memalign(&memory, HUGE_PAGE, bytes) != 0)
        return NULL;
    ask_for_huge_pages(memory, bytes);
    return memory;
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
