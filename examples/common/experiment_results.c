/* SPDX-License-Identifier: BSD-2-Clause
 *
 * experiment_results.c - the JSON document of an experiment.
 */
#include "experiment_results.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

/* Digits that a double is printed with: enough to tell figures apart, few enough to read. */
#define DIGITS JSON_REAL_PRECISION(12)

static int complain(const struct results *r, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", r->experiment->name, r->path, what);
    return -1;
}

/* JSON has no word for what is not finite. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* ---- the document ---- */

/* "AMD Ryzen 5, 2 processors"; the first part where the system tells it. */
static json_t *describe_machine(void)
{
    FILE *in = fopen("/proc/cpuinfo", "r");
    char line[256], name[256] = "unknown processor";

    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (sscanf(line, "model name%*[ \t]: %255[^\n]", name) == 1)
            break;
    }
    if (in != NULL)
        fclose(in);
    return json_sprintf("%s, %ld processors", name, sysconf(_SC_NPROCESSORS_ONLN));
}

static json_t *command_line(int argc, char *const *argv)
{
    json_t *words = json_array();

    for (int i = 0; i < argc; i++)
        json_array_append_new(words, json_string(argv[i]));
    return words;
}

static json_t *option_value(const struct option *option)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return json_integer(*(const int *)option->value);
    case OPTION_WHOLE:
        return json_integer(*(const long *)option->value);
    case OPTION_REAL:
        return number(*(const double *)option->value);
    case OPTION_CHOICE:
        return json_string(option->choices[*(const int *)option->value]);
    case OPTION_TEXT:
        break;
    }
    const char *text = *(const char *const *)option->value;
    return text != NULL ? json_string(text) : json_null();
}

/* What the figures of a run depend on. */
static json_t *describe_settings(const struct results *r)
{
    json_t *settings = json_pack("{s:I, s:f, s:b}", "steps", (json_int_t)r->settings->steps,
                                 "budget", r->settings->budget, "quick", r->settings->quick);

    for (size_t i = 0; i < r->experiment->option_count; i++)
        json_object_set_new(settings, r->experiment->options[i].name,
                            option_value(&r->experiment->options[i]));
    if (r->experiment->uses_mnist)
        json_object_set_new(settings, "mnist", json_boolean(r->settings->mnist != NULL));
    return settings;
}

static void format_time(char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm parts;

    strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
}

static json_t *new_document(const struct results *r, int argc, char *const *argv)
{
    char now[40];
    json_t *document = json_object();

    format_time(now, sizeof now);
    json_object_set_new(document, "program", json_string(r->experiment->name));
    json_object_set_new(document, "id", json_sprintf("%s.%ld", now, (long)getpid()));
    json_object_set_new(document, "date", json_string(now));
    json_object_set_new(document, "machine", describe_machine());
    json_object_set_new(document, "command", command_line(argc, argv));
    json_object_set_new(document, "settings", describe_settings(r));
    json_object_set_new(document, "runs", json_array());
    return document;
}

/* 1: there is a document to go on with; 0: there is none; -1: it is not one of these, or would be
 * lost. */
static int read_document(struct results *r)
{
    json_error_t error;

    if (access(r->path, F_OK) != 0)
        return 0;
    if (!r->settings->resume)
        return complain(r, "results of an earlier call; --resume goes on with them, or choose "
                           "another --out");
    r->document = json_load_file(r->path, JSON_REJECT_DUPLICATES, &error);
    if (r->document == NULL)
        return complain(r, error.text);
    if (!json_is_array(json_object_get(r->document, "runs")) ||
        !json_is_string(json_object_get(r->document, "id")))
        return complain(r, "these are no results to go on with");
    json_t *settings = describe_settings(r);
    const int is_same = json_equal(settings, json_object_get(r->document, "settings"));
    json_decref(settings);
    return is_same
               ? 1
               : complain(r, "made with other options; resume with those, or choose another --out");
}

int results_open(struct results *r, const struct experiment *experiment,
                 const struct settings *settings, int argc, char *const *argv)
{
    *r = (struct results){ .experiment = experiment, .settings = settings };
    if (settings->json != NULL)
        snprintf(r->path, sizeof r->path, "%s", settings->json);
    else
        settings_path(settings, "results.json", r->path);
    const int found = read_document(r);
    if (found != 0)
        return found > 0 ? 0 : -1;
    r->document = new_document(r, argc, argv);
    return results_write(r);
}

void results_close(struct results *r)
{
    json_decref(r->document);
    r->document = NULL;
}

const char *results_id(const struct results *r)
{
    return json_string_value(json_object_get(r->document, "id"));
}

int results_write(const struct results *r)
{
    char beside[PATH_SIZE + 8];

    snprintf(beside, sizeof beside, "%s.part", r->path);
    if (json_dump_file(r->document, beside, JSON_INDENT(1) | DIGITS) != 0 ||
        rename(beside, r->path) != 0)
        return complain(r, strerror(errno));
    return 0;
}

/* ---- runs ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int is_case(const json_t *run, const char *condition, const char *variant)
{
    return strcmp(text_of(run, "condition"), condition) == 0 &&
           strcmp(text_of(run, "variant"), variant) == 0;
}

static const json_t *find_run(const struct results *r, const char *condition, const char *variant,
                              json_int_t seed)
{
    const json_t *runs = json_object_get(r->document, "runs");

    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);

        if (is_case(run, condition, variant) &&
            json_integer_value(json_object_get(run, "seed")) == seed)
            return run;
    }
    return NULL;
}

int results_has(const struct results *r, const struct experiment_case *which, uint64_t seed)
{
    return find_run(r, which->condition, which->variant, (json_int_t)seed) != NULL;
}

/* Takes the run; what a later call would read of it, with the digits that are written. */
static json_t *as_written(json_t *run)
{
    char *text = json_dumps(run, DIGITS);
    json_t *written = text != NULL ? json_loads(text, 0, NULL) : NULL;

    free(text);
    json_decref(run);
    return written;
}

int results_add(struct results *r, json_t *run)
{
    if (json_array_append_new(json_object_get(r->document, "runs"), as_written(run)) != 0)
        return complain(r, "no memory");
    return results_write(r);
}

/* A figure of a run, one of its own such as "seconds" or what it called so; 0 where it has none. */
static int figure_of(const json_t *run, const char *metric, double *value)
{
    const json_t *figure = json_object_get(run, metric);

    if (!json_is_number(figure))
        figure = json_object_get(json_object_get(run, "figures"), metric);
    *value = json_number_value(figure);
    return json_is_number(figure);
}

static const json_t *finished_run(const struct settings *settings,
                                  const struct experiment_case *which, uint64_t seed)
{
    return find_run(settings->results, which->condition, which->variant, (json_int_t)seed);
}

double finished_figure(const struct settings *settings, const struct experiment_case *which,
                       uint64_t seed, const char *metric)
{
    double value;

    return figure_of(finished_run(settings, which, seed), metric, &value) ? value : NAN;
}

size_t finished_curve(const struct settings *settings, const struct experiment_case *which,
                      uint64_t seed, const char *curve, size_t most, double *x, double *y)
{
    const json_t *curves = json_object_get(finished_run(settings, which, seed), "curves");
    const json_t *points = json_object_get(curves, curve);
    const size_t all = json_array_size(points), count = all < most ? all : most;

    for (size_t i = 0; i < count; i++) {
        const json_t *point = json_array_get(points, i);
        const json_t *at = json_array_get(point, 0), *value = json_array_get(point, 1);

        x[i] = json_is_number(at) ? json_number_value(at) : NAN;
        y[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return count;
}

/* ---- statistics ---- */

static void describe(json_t *line, const struct stats *s)
{
    json_object_set_new(line, "seeds", json_integer((json_int_t)s->count));
    json_object_set_new(line, "mean", number(s->mean));
    json_object_set_new(line, "deviation", number(stats_spread(s)));
    json_object_set_new(line, "low", number(s->mean - stats_margin(s)));
    json_object_set_new(line, "high", number(s->mean + stats_margin(s)));
}

static void print_interval(FILE *out, const struct stats *s)
{
    fprintf(out, " %10.5g", s->mean);
    if (s->count > 1)
        fprintf(out, " %10.4g   %10.5g .. %-10.5g", stats_spread(s), s->mean - stats_margin(s),
                s->mean + stats_margin(s));
    else
        fprintf(out, " %10s   %24s", "", "");
    fprintf(out, " %5zu", s->count);
}

static json_t *summarise_case(const struct results *r, const struct experiment_case *which,
                              const char *metric, FILE *out)
{
    const json_t *runs = json_object_get(r->document, "runs");
    struct stats s = { 0 };

    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        double value;

        if (is_case(run, which->condition, which->variant) && figure_of(run, metric, &value))
            stats_add(&s, value);
    }
    if (s.count == 0)
        return NULL;
    json_t *line = json_pack("{s:s, s:s, s:s}", "condition", which->condition, "variant",
                             which->variant, "metric", metric);
    describe(line, &s);
    fprintf(out, "%-24s %-24s %-20s", which->condition, which->variant, metric);
    print_interval(out, &s);
    fputc('\n', out);
    return line;
}

/* The differences of the seeds that both variants have under a condition. */
static json_t *compare(const struct results *r, const char *condition, const struct comparison *c,
                       FILE *out)
{
    const json_t *runs = json_object_get(r->document, "runs");
    struct stats s = { 0 };

    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        double value, other;

        if (!is_case(run, condition, c->variant) || !figure_of(run, c->metric, &value))
            continue;
        const json_t *partner =
            find_run(r, condition, c->against, json_integer_value(json_object_get(run, "seed")));
        if (partner != NULL && figure_of(partner, c->metric, &other))
            stats_add(&s, value - other);
    }
    if (s.count == 0)
        return NULL;
    json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "condition", condition, "metric", c->metric,
                             "variant", c->variant, "against", c->against);
    describe(line, &s);
    json_object_set_new(line, "p", number(stats_p(&s)));
    fprintf(out, "%-24s %s - %s: %s\n%70s", condition, c->variant, c->against, c->metric, "");
    print_interval(out, &s);
    fprintf(out, "  p %.2g\n", stats_p(&s));
    return line;
}

/* The first case of each condition stands for it. */
static int is_new_condition(const struct experiment *e, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(e->cases[i].condition, e->cases[index].condition) == 0)
            return 0;
    return 1;
}

static json_t *summarise_all(const struct results *r, FILE *out)
{
    const struct experiment *e = r->experiment;
    json_t *lines = json_array();

    fprintf(out, "%-24s %-24s %-20s %10s %10s   %24s %5s\n", "condition", "variant", "metric",
            "mean", "deviation", "95 % interval       ", "seeds");
    for (size_t m = 0; e->metrics[m] != NULL; m++) {
        for (size_t i = 0; i < e->case_count; i++) {
            json_t *line = summarise_case(r, &e->cases[i], e->metrics[m], out);

            if (line != NULL)
                json_array_append_new(lines, line);
        }
    }
    return lines;
}

static json_t *compare_all(const struct results *r, FILE *out)
{
    const struct experiment *e = r->experiment;
    json_t *lines = json_array();

    for (size_t c = 0; c < e->comparison_count; c++) {
        for (size_t i = 0; i < e->case_count; i++) {
            json_t *line = NULL;

            if (is_new_condition(e, i))
                line = compare(r, e->cases[i].condition, &e->comparisons[c], out);
            if (line != NULL)
                json_array_append_new(lines, line);
        }
    }
    return lines;
}

int results_summarise(struct results *r, FILE *out)
{
    json_object_set_new(r->document, "summary", summarise_all(r, out));
    json_object_set_new(r->document, "comparisons", compare_all(r, out));
    return results_write(r);
}
