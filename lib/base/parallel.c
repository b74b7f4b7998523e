/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* sched_getaffinity, CPU_COUNT */
#include "base/parallel.h"

#include <pthreadpool.h>
#include <sched.h>

#include "base/compiler.h"

/* Processors this process may run on, which in a container is fewer than there are. */
static size_t usable_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (size_t)CCONV_MAX(CPU_COUNT(&set), 1);
}

coordconv_status cconv_parallel_init(struct cconv_parallel *p, int32_t threads,
                                     coordconv_parallel_for_fn run, void *user)
{
    p->slots = threads > 0 ? (size_t)threads : usable_processors();
    p->run = run;
    p->user = user;
    atomic_init(&p->pool, NULL);
    return pthread_mutex_init(&p->pool_lock, NULL) == 0 ? COORDCONV_OK : COORDCONV_ERR_NOMEM;
}

void cconv_parallel_destroy(struct cconv_parallel *p)
{
    pthreadpool_destroy(atomic_load(&p->pool));
    pthread_mutex_destroy(&p->pool_lock);
}

/* NULL where no thread can be had: the caller then works alone. */
static pthreadpool_t pool(struct cconv_parallel *p)
{
    void *made = atomic_load_explicit(&p->pool, memory_order_acquire);

    if (made == NULL) {
        pthread_mutex_lock(&p->pool_lock);
        made = atomic_load(&p->pool);
        if (made == NULL) {
            made = pthreadpool_create(p->slots);
            atomic_store_explicit(&p->pool, made, memory_order_release);
        }
        pthread_mutex_unlock(&p->pool_lock);
    }
    return made;
}

struct run {
    cconv_task_fn *fn;
    void *arg;
    size_t tasks;
    atomic_size_t next;
};

/* A slot takes the next task nobody has begun until none is left, so a slow
 * thread delays the end by one task at most. */
static void drain(void *run, size_t slot)
{
    struct run *r = run;
    size_t task;

    while ((task = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < r->tasks)
        r->fn(r->arg, task, slot);
}

void cconv_parallel_run(struct cconv_parallel *p, cconv_task_fn *fn, void *arg, size_t tasks)
{
    struct run r = { .fn = fn, .arg = arg, .tasks = tasks };
    const size_t slots = CCONV_MIN(p->slots, tasks);
    pthreadpool_t threads;

    atomic_init(&r.next, 0);
    if (slots <= 1)
        drain(&r, 0);
    else if (p->run != NULL)
        p->run(p->user, drain, &r, slots);
    else if ((threads = pool(p)) != NULL)
        /* Workers sleep between calls: spinning, pthreadpool's default, takes the processor from
         * whoever else wants it for tens of milliseconds after each call. */
        pthreadpool_parallelize_1d(threads, drain, &r, slots, PTHREADPOOL_FLAG_YIELD_WORKERS);
    else
        drain(&r, 0);
}
