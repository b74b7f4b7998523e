/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_report.c - results as JSON lines, as a table for people, as Markdown.
 */
#include "notsoclevr_report.h"

#include <string.h>

#include "common/jsonl.h"

enum {
    COLUMNS = 9,
    CELL = 64
};

static const char *const headings[COLUMNS] = { "task",       "split",   "net",
                                               "parameters", "train",   "test",
                                               "epochs",     "seconds", "test positions" };

int report_json(FILE *out, const struct run *run, const struct result *result)
{
    const struct evaluation *e = &result->evaluation;
    struct jsonl j;

    jsonl_begin(&j, out);
    jsonl_text(&j, "task", task_name(run->task));
    jsonl_text(&j, "split", split_name(run->split));
    jsonl_text(&j, "net", net_name(run->net));
    jsonl_whole(&j, "seed", (int64_t)run->seed);
    jsonl_whole(&j, "parameters", result->parameters);
    jsonl_number(&j, "train", e->train);
    jsonl_number(&j, "test", e->test);
    jsonl_text(&j, "metric", metric_name(run->task));
    jsonl_number(&j, "epochs", result->epochs);
    jsonl_number(&j, "seconds", result->seconds);
    jsonl_whole(&j, "threads", result->threads);
    jsonl_number(&j, "budget", result->budget);
    jsonl_number(&j, "train_right", e->train_right);
    jsonl_number(&j, "test_right", e->test_right);
    jsonl_number(&j, "test_worst", e->test_worst);
    jsonl_text(&j, "stopped", result->stopped);
    return jsonl_end(&j);
}

void report_sentence(const struct run *run, const struct result *result, char *text, size_t size)
{
    const struct evaluation *e = &result->evaluation;

    if (run->task == CLASSIFICATION)
        snprintf(text, size, "%.2f %% of the test positions right", 100 * e->test);
    else if (run->task == REGRESSION)
        snprintf(text, size, "test positions off by %.3f pixel on average, %.3f at most", e->test,
                 e->test_worst);
    else
        snprintf(text, size, "test IOU %.4f on average, %.3f at least", e->test, e->test_worst);
}

/* ---- over the seeds ---- */

void summary_start(struct summary *summary, const struct run *run)
{
    memset(summary, 0, sizeof *summary);
    summary->task = run->task;
    summary->split = run->split;
    summary->net = run->net;
}

/* All pixels found on both parts; every coordinate rounds right; nearly every pixel drawn right. */
static int is_reached(enum task task, const struct evaluation *e)
{
    if (task == CLASSIFICATION)
        return e->train_right == 1 && e->test_right == 1;
    return task == REGRESSION ? e->test_worst < 0.5 : e->test >= 0.99;
}

void summary_add(struct summary *summary, const struct result *result)
{
    const struct evaluation *e = &result->evaluation;

    summary->parameters = result->parameters;
    stats_add(&summary->train, e->train);
    stats_add(&summary->test, e->test);
    stats_add(&summary->test_right, e->test_right);
    stats_add(&summary->test_worst, e->test_worst);
    stats_add(&summary->epochs, result->epochs);
    stats_add(&summary->seconds, result->seconds);
    summary->reached += is_reached(summary->task, e) != 0;
}

/* ---- the table ---- */

/* "99.2 +- 0.3 %"; the spread only where there are several seeds. */
static void format_metric(char *cell, enum task task, const struct stats *s)
{
    const double factor = task == CLASSIFICATION ? 100 : 1;
    const int digits = task == CLASSIFICATION ? 2 : task == REGRESSION ? 3 : 4;
    const char *unit = task == CLASSIFICATION ? " %" : task == REGRESSION ? " px" : " IOU";

    if (s->count > 1)
        snprintf(cell, CELL, "%.*f +- %.*f%s", digits, factor * s->mean, digits,
                 factor * stats_spread(s), unit);
    else
        snprintf(cell, CELL, "%.*f%s", digits, factor * s->mean, unit);
}

static void format_number(char *cell, const struct stats *s)
{
    if (s->count > 1)
        snprintf(cell, CELL, "%.1f +- %.1f", s->mean, stats_spread(s));
    else
        snprintf(cell, CELL, "%.1f", s->mean);
}

/* What the mean does not say: the worst of all seeds, and how many seeds did it. */
static void format_remark(char *cell, const struct summary *s)
{
    size_t used = 0;

    if (s->task == CLASSIFICATION)
        used = (size_t)snprintf(cell, CELL, "%.2f %% right at least", 100 * s->test.least);
    else if (s->task == REGRESSION)
        used = (size_t)snprintf(cell, CELL, "%.1f %% round right, off by %.3f px at most",
                                100 * s->test_right.least, s->test_worst.most);
    else
        used = (size_t)snprintf(cell, CELL, "%.1f %% perfect, the worst %.3f",
                                100 * s->test_right.mean, s->test_worst.least);
    if (s->net != ANALYTIC && s->test.count > 1 && used < CELL)
        snprintf(cell + used, CELL - used, "; %zu of %zu seeds", s->reached, s->test.count);
}

static void format_row(char cells[COLUMNS][CELL], const struct summary *s)
{
    snprintf(cells[0], CELL, "%s", task_name(s->task));
    snprintf(cells[1], CELL, "%s", split_name(s->split));
    snprintf(cells[2], CELL, "%s", net_name(s->net));
    snprintf(cells[3], CELL, "%lld", (long long)s->parameters);
    format_metric(cells[4], s->task, &s->train);
    format_metric(cells[5], s->task, &s->test);
    format_number(cells[6], &s->epochs);
    format_number(cells[7], &s->seconds);
    format_remark(cells[8], s);
}

static int is_number_column(int column)
{
    return column >= 3 && column <= 7;
}

static void measure(const struct summary *summaries, size_t count, int widths[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++)
        widths[c] = (int)strlen(headings[c]);
    for (size_t i = 0; i < count; i++) {
        char cells[COLUMNS][CELL];

        format_row(cells, &summaries[i]);
        for (int c = 0; c < COLUMNS; c++)
            widths[c] = (int)strlen(cells[c]) > widths[c] ? (int)strlen(cells[c]) : widths[c];
    }
}

static void print_row(FILE *out, const char *const cells[COLUMNS], const int widths[COLUMNS],
                      int markdown)
{
    for (int c = 0; c < COLUMNS; c++) {
        const int width = is_number_column(c) ? widths[c] : -widths[c];

        fputs(markdown ? (c > 0 ? " | " : "| ") : (c > 0 ? "  " : ""), out);
        fprintf(out, "%*s", markdown || c < COLUMNS - 1 ? width : 0, cells[c]);
    }
    fputs(markdown ? " |\n" : "\n", out);
}

static void print_rule(FILE *out, const int widths[COLUMNS], int markdown)
{
    for (int c = 0; c < COLUMNS; c++) {
        fputs(markdown ? (c > 0 ? " | " : "| ") : (c > 0 ? "  " : ""), out);
        for (int i = 0; i < widths[c]; i++)
            fputc(markdown && is_number_column(c) && i == widths[c] - 1 ? ':' : '-', out);
    }
    fputs(markdown ? " |\n" : "\n", out);
}

void report_table(FILE *out, const struct summary *summaries, size_t count, int markdown)
{
    int widths[COLUMNS];

    measure(summaries, count, widths);
    print_row(out, headings, widths, markdown);
    print_rule(out, widths, markdown);
    for (size_t i = 0; i < count; i++) {
        char cells[COLUMNS][CELL];
        const char *row[COLUMNS];

        format_row(cells, &summaries[i]);
        for (int c = 0; c < COLUMNS; c++)
            row[c] = cells[c];
        print_row(out, row, widths, markdown);
    }
}

/* ---- every run ---- */

struct record record_of(const struct run *run, const struct result *result)
{
    return (struct record){ .task = run->task,
                            .split = run->split,
                            .net = run->net,
                            .seed = run->seed,
                            .train = result->evaluation.train,
                            .test = result->evaluation.test,
                            .test_worst = result->evaluation.test_worst,
                            .epochs = result->epochs,
                            .seconds = result->seconds,
                            .stopped = result->stopped };
}

void report_records(FILE *out, const struct record *records, size_t count)
{
    fputs("\n| task | split | net | seed | train | test | worst test position | epochs | seconds | "
          "ended by |\n| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
          out);
    for (size_t i = 0; i < count; i++) {
        const struct record *r = &records[i];

        fprintf(out, "| %s | %s | %s | %llu | %.4f | %.4f | %.4f | %.1f | %.1f | %s |\n",
                task_name(r->task), split_name(r->split), net_name(r->net),
                (unsigned long long)r->seed, r->train, r->test, r->test_worst, r->epochs,
                r->seconds, r->stopped);
    }
    fputs(
        "\nTrain and test are the share of positions right (classification), the mean distance in "
        "pixels\n(regression) or the mean IOU (rendering); the worst position by the larger error "
        "of its\ncoordinates, or its IOU.\n",
        out);
}
