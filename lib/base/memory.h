/* SPDX-License-Identifier: BSD-2-Clause
 *
 * memory.h - the one way memory is got and given back.
 */
#ifndef CCONV_BASE_MEMORY_H
#define CCONV_BASE_MEMORY_H

#include <coordconv/context.h>

struct cconv_allocator {
    coordconv_alloc_fn alloc;
    coordconv_free_fn free;
    void *user;
};

/* Fill with the defaults where both functions are NULL. */
void cconv_allocator_init(struct cconv_allocator *a, coordconv_alloc_fn alloc,
                          coordconv_free_fn free_fn, void *user);

/* CCONV_ALIGN-aligned, zero filled; NULL when out of memory or bytes is SIZE_MAX
 * (an overflowed size, see checked.h). 0 bytes give a pointer that can be freed. */
void *cconv_alloc(const struct cconv_allocator *a, size_t bytes);

/* The same, not cleared. */
void *cconv_alloc_raw(const struct cconv_allocator *a, size_t bytes);

/* bytes as given to cconv_alloc; memory may be NULL. */
void cconv_free(const struct cconv_allocator *a, void *memory, size_t bytes);

#endif /* CCONV_BASE_MEMORY_H */
