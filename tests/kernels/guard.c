/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard.c - pages between pages without access.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

void guard_open(struct guard *g, size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = (bytes + page - 1) / page * page;
    unsigned char *const map =
        mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(map != MAP_FAILED);
    g->page = page;
    g->first = map + page;
    g->end = g->first + room;
    assert_int_equal(mprotect(g->first, room, PROT_READ | PROT_WRITE), 0);
}

void guard_close(struct guard *g)
{
    munmap(g->first - g->page, (size_t)(g->end - g->first) + 2 * g->page);
}

void *guard_last(const struct guard *g, size_t bytes)
{
    assert_true(bytes <= (size_t)(g->end - g->first));
    return g->end - bytes;
}

void *guard_first(const struct guard *g, size_t bytes)
{
    assert_true(bytes <= (size_t)(g->end - g->first));
    return g->first;
}
