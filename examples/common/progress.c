/* SPDX-License-Identifier: BSD-2-Clause
 *
 * progress.c - a progress bar, or plain lines where there is no terminal.
 */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BAR_WIDTH = 24
};

double progress_seconds(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_start(struct progress *p, FILE *out, int quiet, const char *label)
{
    const char *term = getenv("TERM");

    memset(p, 0, sizeof *p);
    p->out = out;
    p->quiet = quiet;
    p->terminal = isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
    p->interval = p->terminal ? 0.1 : 10.0;
    p->started = progress_seconds();
    p->last = p->terminal ? 0 : p->started;
    snprintf(p->label, sizeof p->label, "%s", label);
}

/* "1:05 left", or nothing while there is too little to judge by. */
static void format_left(char *text, size_t size, double done, double elapsed)
{
    text[0] = '\0';
    if (done > 0 && elapsed > 0.5) {
        const long left = (long)(elapsed * (1 - done) / done + 0.5);

        snprintf(text, size, "%ld:%02ld left", left / 60, left % 60);
    }
}

/* Blank the bar, so that what follows starts on a clean line. */
static void wipe(struct progress *p)
{
    if (p->drawn > 0)
        fprintf(p->out, "\r%*s\r", p->drawn, "");
    p->drawn = 0;
}

void progress_show(struct progress *p, double done, const char *note)
{
    const double now = progress_seconds();
    char left[32];
    char bar[BAR_WIDTH + 1];

    if (p->quiet || now - p->last < p->interval)
        return;
    p->last = now;
    done = done < 0 ? 0 : done > 1 ? 1 : done;
    format_left(left, sizeof left, done, now - p->started);
    if (!p->terminal) {
        fprintf(p->out, "%s: %3.0f %%  %s  %s\n", p->label, 100 * done, note, left);
        fflush(p->out);
        return;
    }
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < (int)(done * BAR_WIDTH + 0.5) ? '#' : '.';
    bar[BAR_WIDTH] = '\0';

    char line[200];
    const int length = snprintf(line, sizeof line, "%s [%s] %3.0f %%  %s  %s", p->label, bar,
                                100 * done, note, left);
    const int shown = length < (int)sizeof line ? length : (int)sizeof line - 1;
    fprintf(p->out, "\r%s%*s", line, p->drawn > shown ? p->drawn - shown : 0, "");
    p->drawn = shown;
    fflush(p->out);
}

void progress_line(struct progress *p, const char *line)
{
    if (p->quiet)
        return;
    wipe(p);
    fprintf(p->out, "%s\n", line);
    fflush(p->out);
}

void progress_stop(struct progress *p)
{
    if (!p->quiet) {
        wipe(p);
        fflush(p->out);
    }
}
