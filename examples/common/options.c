/* SPDX-License-Identifier: BSD-2-Clause
 *
 * options.c - command line options from a table.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The option that word ("name" or "name=value") means, or NULL. */
static const struct option *find_option(const struct option *options, size_t count,
                                        const char *word)
{
    const size_t length = strcspn(word, "=");

    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, word, length) == 0)
            return &options[i];
    return NULL;
}

static int read_number(const struct option *option, const char *text, double *number)
{
    char *end = NULL;

    errno = 0;
    *number = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *number >= option->low &&
           *number <= option->high;
}

static int read_choice(const struct option *option, const char *text)
{
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *(int *)option->value = i;
            return 1;
        }
    }
    return 0;
}

/* Store the text of a value; 0 if the option does not take it. */
static int store(const struct option *option, const char *text)
{
    double number;

    switch (option->kind) {
    case OPTION_WHOLE:
        if (!read_number(option, text, &number) || number != (double)(long)number)
            return 0;
        *(long *)option->value = (long)number;
        return 1;
    case OPTION_REAL:
        if (!read_number(option, text, &number))
            return 0;
        *(double *)option->value = number;
        return 1;
    case OPTION_CHOICE:
        return read_choice(option, text);
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return 1;
    case OPTION_FLAG:
        break;
    }
    return 0;
}

static void list_choices(FILE *out, const struct option *option)
{
    for (int i = 0; option->choices[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", option->choices[i]);
}

/* Say in message what value the option wants. */
static void describe_refusal(const struct option *option, const char *text, char *message,
                             size_t size)
{
    if (option->kind == OPTION_CHOICE) {
        const int used = snprintf(message, size, "--%s: no \"%s\" among", option->name, text);
        size_t at = used > 0 ? (size_t)used : 0;

        for (int i = 0; option->choices[i] != NULL && at < size; i++) {
            const int more = snprintf(message + at, size - at, " %s", option->choices[i]);
            at += more > 0 ? (size_t)more : 0;
        }
    } else {
        snprintf(message, size, "--%s wants a %s from %g to %g, not \"%s\"", option->name,
                 option->kind == OPTION_WHOLE ? "whole number" : "number", option->low,
                 option->high, text);
    }
}

enum options_result options_parse(const struct option *options, size_t count, int argc,
                                  char *const *argv, char *message, size_t message_size)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return OPTIONS_HELP;
        const struct option *option =
            strncmp(argv[i], "--", 2) == 0 ? find_option(options, count, argv[i] + 2) : NULL;
        if (option == NULL) {
            snprintf(message, message_size, "\"%s\" is no option of this program", argv[i]);
            return OPTIONS_WRONG;
        }
        const char *text = strchr(argv[i], '=');
        if (option->kind == OPTION_FLAG) {
            if (text != NULL) {
                snprintf(message, message_size, "--%s takes no value", option->name);
                return OPTIONS_WRONG;
            }
            *(int *)option->value = 1;
            continue;
        }
        text = text != NULL ? text + 1 : argv[++i];
        if (text == NULL) {
            snprintf(message, message_size, "--%s wants a value", option->name);
            return OPTIONS_WRONG;
        }
        if (!store(option, text)) {
            describe_refusal(option, text, message, message_size);
            return OPTIONS_WRONG;
        }
    }
    return OPTIONS_OK;
}

void options_print(FILE *out, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &options[i];
        char left[64];

        snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
        fprintf(out, "  %-18s %s", left, option->help);
        if (option->kind == OPTION_CHOICE) {
            fputs(": ", out);
            list_choices(out, option);
        }
        fputc('\n', out);
    }
    fprintf(out, "  %-18s %s\n", "--help", "this text");
}
