/* SPDX-License-Identifier: BSD-2-Clause
 *
 * worker.h - what the benchmark's workers share: the line protocol and the clock.
 *
 * A worker is one long-lived process for one library. It reads a command a line
 * from standard input and answers each with one line, "ok ..." or "no REASON":
 *
 *     make NAME key=value...        set up a job; the answer says what was chosen
 *     time MS LEAST MOST NAME...    run the jobs in turns for about MS milliseconds
 *     output NAME WHAT FILE         write y, dx, dw or db of the last run as float32
 *     drop NAME                     tear a job down
 *     quit
 *
 * The answer to `time` is "ok cpu=C NAME t t t ... NAME t t ...": times in
 * milliseconds, C the processor time of the process by the time that went by. A
 * time with a * behind it is of a run in which the system took a processor away
 * for somebody else; turns go on, up to a limit, until enough had none of that.
 */
#ifndef TESTS_BENCH_WORKER_H
#define TESTS_BENCH_WORKER_H

#include <stddef.h>

/* The keys of `make`. Files in `folder` hold the data, see data.py. */
struct job_desc {
    char kind[16];    /* conv, xy or xyr */
    char what[16];    /* fwd, bwd (forward and backward), step, ... */
    char variant[48]; /* of several ways to do the same; the worker's own names */
    char isa[16];     /* best, avx2 or reference */
    char folder[256];
    int n, c, h, w, o, k, s, p; /* p: pixels of padding on each side */
    int oh, ow;                 /* derived */
    int coords;                 /* channels of coordinates, derived from kind */
    int threads;
};

/* One library. A failing make() returns NULL and says why in note. */
struct worker {
    void *(*make)(const struct job_desc *desc, char *note, size_t note_size);
    int (*run)(void *job); /* 0, or nonzero on failure */
    /* Write `what` to the file; returns "nhwc", "nchw", ... or NULL if there is no such. */
    const char *(*output)(void *job, const char *what, const char *file);
    void (*drop)(void *job);
};

/* Serve commands until the end of standard input. Returns an exit status. */
int worker_serve(const struct worker *worker);

/* Milliseconds of a clock that only runs forward. */
double worker_now(void);

/* 64-byte aligned memory, zeroed; exits if there is none. */
float *worker_floats(size_t count);

/* Read `count` floats from desc->folder/name; exits if the file is not as expected. */
float *worker_read(const struct job_desc *desc, const char *name, size_t count);

/* 0, or -1 if the file cannot be written. */
int worker_write(const char *file, const float *data, size_t count);

/*
 * The weight [O, C + coordinates, K, K] of a job, from the file "w" of
 * [O, C + 3, K, K].
 */
float *worker_weight(const struct job_desc *desc);

/* Coordinate channels over the input, [h, w, coords], each -1 to 1 from corner to corner. */
float *worker_coords(const struct job_desc *desc);

#endif /* TESTS_BENCH_WORKER_H */
