/* SPDX-License-Identifier: BSD-2-Clause
 *
 * parallel.h - run independent tasks on the context's threads.
 *
 * Which thread runs which task is left to chance; nothing else may be. A task's
 * result must depend on its index alone, never on the slot, and sums across
 * tasks are made afterwards in the order of the tasks: then the bits are the
 * same for any number of threads.
 */
#ifndef CCONV_BASE_PARALLEL_H
#define CCONV_BASE_PARALLEL_H

#include <pthread.h>
#include <stdatomic.h>

#include <coordconv/context.h>

struct cconv_parallel {
    size_t slots;                  /* most tasks under way at once; scratch is kept per slot */
    coordconv_parallel_for_fn run; /* the caller's; NULL: our own pool */
    void *user;
    pthread_mutex_t pool_lock; /* guards the making of the pool */
    _Atomic(void *) pool;      /* pthreadpool_t, made at the first parallel call */
};

/* One task; slot is less than cconv_parallel.slots and belongs to this task alone while it runs. */
typedef void cconv_task_fn(void *arg, size_t task, size_t slot);

coordconv_status cconv_parallel_init(struct cconv_parallel *p, int32_t threads,
                                     coordconv_parallel_for_fn run, void *user);
void cconv_parallel_destroy(struct cconv_parallel *p);

/* Run tasks 0 .. tasks - 1 and wait for all. Not to be called from a task. */
void cconv_parallel_run(struct cconv_parallel *p, cconv_task_fn *fn, void *arg, size_t tasks);

#endif /* CCONV_BASE_PARALLEL_H */
