/* SPDX-License-Identifier: BSD-2-Clause
 *
 * worker.c - the protocol of the benchmark's workers, see worker.h.
 */
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    MAX_JOBS = 64,
    MAX_WORDS = 80,
    MAX_LINE = 4096,
    MAX_TIMES = 100000
};

/* A run shorter than this is run once more before it is timed: the jobs that took
 * their turns in between have had the caches. */
static const double short_run = 3.0;

/* A turn that is short of undisturbed runs goes on for this many times its milliseconds. */
static const double patience = 5.0;

struct job {
    char name[32];
    void *work;
    int threads;
    double last;   /* milliseconds of its last run */
    double *times; /* below 0: of a run that was disturbed */
    int count, clean;
};

static struct job jobs[MAX_JOBS];

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double worker_now(void)
{
    return seconds_of(CLOCK_MONOTONIC) * 1e3;
}

float *worker_floats(size_t count)
{
    const size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
    float *memory = aligned_alloc(64, bytes);

    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(EXIT_FAILURE);
    }
    memset(memory, 0, bytes);
    return memory;
}

float *worker_read(const struct job_desc *desc, const char *name, size_t count)
{
    char path[320];
    float *data = worker_floats(count);

    snprintf(path, sizeof path, "%s/%s", desc->folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(data, sizeof *data, count, file) != count) {
        fprintf(stderr, "%s: not %zu floats\n", path, count);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return data;
}

int worker_write(const char *path, const float *data, size_t count)
{
    FILE *file = fopen(path, "wb");
    const int written = file != NULL && fwrite(data, sizeof *data, count, file) == count;

    return file != NULL && fclose(file) == 0 && written ? 0 : -1;
}

float *worker_weight(const struct job_desc *d)
{
    const size_t taps = (size_t)d->k * (size_t)d->k;
    const size_t from = ((size_t)d->c + 3) * taps, to = (size_t)(d->c + d->coords) * taps;
    float *all = worker_read(d, "w", (size_t)d->o * from);
    float *weight = worker_floats((size_t)d->o * to);

    for (size_t o = 0; o < (size_t)d->o; o++)
        memcpy(weight + o * to, all + o * from, to * sizeof *weight);
    free(all);
    return weight;
}

static float axis(int k, int n)
{
    return n > 1 ? 2 * (float)k / (float)(n - 1) - 1 : 0;
}

float *worker_coords(const struct job_desc *d)
{
    float *coords = worker_floats((size_t)(d->h * d->w * d->coords));
    float *to = coords;

    for (int i = 0; i < d->h && d->coords > 0; i++)
        for (int j = 0; j < d->w; j++) {
            const float x = axis(j, d->w), y = axis(i, d->h);

            *to++ = x;
            *to++ = y;
            if (d->coords > 2)
                *to++ = sqrtf(x * x + y * y);
        }
    return coords;
}

/* ---- commands ---- */

static struct job *find(const char *name)
{
    for (int i = 0; i < MAX_JOBS; i++)
        if (strcmp(jobs[i].name, name) == 0)
            return &jobs[i];
    return NULL;
}

static void set_word(char *field, size_t size, const char *value)
{
    snprintf(field, size, "%s", value);
}

static int set_number(struct job_desc *d, const char *key, int value)
{
    const struct {
        const char *key;
        int *field;
    } fields[] = { { "n", &d->n }, { "c", &d->c }, { "h", &d->h },
                   { "w", &d->w }, { "o", &d->o }, { "k", &d->k },
                   { "s", &d->s }, { "p", &d->p }, { "threads", &d->threads } };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].key, key) == 0) {
            *fields[i].field = value;
            return 1;
        }
    return 0;
}

/* One "key=value"; returns 0 if it is none of ours. */
static int set_key(struct job_desc *d, char *word)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return 0;
    *value++ = '\0';
    if (strcmp(word, "kind") == 0)
        set_word(d->kind, sizeof d->kind, value);
    else if (strcmp(word, "what") == 0)
        set_word(d->what, sizeof d->what, value);
    else if (strcmp(word, "variant") == 0)
        set_word(d->variant, sizeof d->variant, value);
    else if (strcmp(word, "isa") == 0)
        set_word(d->isa, sizeof d->isa, value);
    else if (strcmp(word, "folder") == 0)
        set_word(d->folder, sizeof d->folder, value);
    else
        return set_number(d, word, atoi(value));
    return 1;
}

static void command_make(const struct worker *worker, char **words, int count)
{
    struct job_desc d = { .kind = "xy", .what = "fwd", .isa = "best", .threads = 1, .s = 1 };
    struct job *job = find("");
    char note[512] = "";

    for (int i = 2; i < count; i++)
        if (!set_key(&d, words[i])) {
            printf("no such key: %s\n", words[i]);
            return;
        }
    d.coords = strcmp(d.kind, "xy") == 0 ? 2 : strcmp(d.kind, "xyr") == 0 ? 3 : 0;
    d.oh = (d.h + 2 * d.p - d.k) / d.s + 1;
    d.ow = (d.w + 2 * d.p - d.k) / d.s + 1;
    if (count < 2 || job == NULL || find(words[1]) != NULL) {
        printf("no room for a job, or the name is in use\n");
        return;
    }
    job->work = worker->make(&d, note, sizeof note);
    if (job->work == NULL) {
        printf("no %s\n", note);
        return;
    }
    set_word(job->name, sizeof job->name, words[1]);
    job->threads = d.threads;
    job->last = 0;
    printf("ok %s\n", note);
}

/* How often a thread of this process had to make room for another process. */
static long disturbances(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

/* A disturbed run of a single thread counts with its processor time, which only misses that
 * the caches have been somebody else's. */
static int run_timed(const struct worker *worker, struct job *job, int keep)
{
    const long before = disturbances();
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), start = worker_now();
    const int failed = worker->run(job->work);

    job->last = worker_now() - start;
    if (keep) {
        const double spent = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3;
        const int clean = disturbances() == before;

        job->times[job->count++] = clean ? job->last : job->threads == 1 ? -spent : -job->last;
        job->clean += clean;
    }
    return failed;
}

/* One turn of one job. */
static int take_turn(const struct worker *worker, struct job *job)
{
    if (job->last < short_run && run_timed(worker, job, 0) != 0)
        return -1;
    return run_timed(worker, job, 1);
}

/* Whether every job had as many undisturbed runs as are wanted, or there is no more time. */
static int enough(struct job *const *in_turn, int count, double spent, double budget, int least)
{
    int clean = in_turn[0]->clean;

    for (int i = 1; i < count; i++)
        clean = in_turn[i]->clean < clean ? in_turn[i]->clean : clean;
    return spent > budget && in_turn[0]->count >= least &&
           (clean >= least || spent > patience * budget);
}

static int run_turns(const struct worker *worker, struct job **in_turn, int count, double budget,
                     int least, int most)
{
    for (int i = 0; i < count; i++) {
        in_turn[i]->count = in_turn[i]->clean = 0;
        in_turn[i]->times = malloc((size_t)(most + 1) * sizeof(double));
        if (in_turn[i]->times == NULL || run_timed(worker, in_turn[i], 0) != 0)
            return -1;
    }
    const double start = worker_now();
    for (int round = 0; round < most; round++) {
        if (round > 0 && enough(in_turn, count, worker_now() - start, budget, least))
            break;
        for (int i = 0; i < count; i++) /* there and back, so that nobody always follows another */
            if (take_turn(worker, in_turn[round % 2 == 0 ? i : count - 1 - i]) != 0)
                return -1;
    }
    return 0;
}

static void command_time(const struct worker *worker, char **words, int count)
{
    struct job *in_turn[MAX_JOBS];
    const int jobs_wanted = count - 4;
    const double start = worker_now(), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);

    if (jobs_wanted < 1 || jobs_wanted > MAX_JOBS) {
        printf("no jobs to time\n");
        return;
    }
    for (int i = 0; i < jobs_wanted; i++)
        if ((in_turn[i] = find(words[i + 4])) == NULL) {
            printf("no job %s\n", words[i + 4]);
            return;
        }
    const int most = atoi(words[3]) < MAX_TIMES ? atoi(words[3]) : MAX_TIMES;
    if (run_turns(worker, in_turn, jobs_wanted, atof(words[1]), atoi(words[2]), most) != 0) {
        printf("no run succeeded\n");
        return;
    }
    printf("ok cpu=%.2f",
           (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3 / (worker_now() - start));
    for (int i = 0; i < jobs_wanted; i++) {
        printf(" %s", in_turn[i]->name);
        for (int t = 0; t < in_turn[i]->count; t++)
            printf(" %.6g%s", fabs(in_turn[i]->times[t]), in_turn[i]->times[t] < 0 ? "*" : "");
        free(in_turn[i]->times);
    }
    printf("\n");
}

static void command_output(const struct worker *worker, char **words, int count)
{
    const struct job *job = count == 4 ? find(words[1]) : NULL;
    const char *layout = job != NULL && worker->output != NULL
                             ? worker->output(job->work, words[2], words[3])
                             : NULL;

    if (layout == NULL)
        printf("no such output\n");
    else
        printf("ok %s\n", layout);
}

static void command_drop(const struct worker *worker, char **words, int count)
{
    struct job *job = count == 2 ? find(words[1]) : NULL;

    if (job == NULL) {
        printf("no such job\n");
        return;
    }
    worker->drop(job->work);
    memset(job, 0, sizeof *job);
    printf("ok\n");
}

int worker_serve(const struct worker *worker)
{
    char line[MAX_LINE], *words[MAX_WORDS];

    while (fgets(line, sizeof line, stdin) != NULL) {
        int count = 0;

        for (char *word = strtok(line, " \n"); word != NULL && count < MAX_WORDS;
             word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count == 0)
            continue;
        if (strcmp(words[0], "make") == 0)
            command_make(worker, words, count);
        else if (strcmp(words[0], "time") == 0)
            command_time(worker, words, count);
        else if (strcmp(words[0], "output") == 0)
            command_output(worker, words, count);
        else if (strcmp(words[0], "drop") == 0)
            command_drop(worker, words, count);
        else if (strcmp(words[0], "quit") == 0)
            break;
        else
            printf("no such command: %s\n", words[0]);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
