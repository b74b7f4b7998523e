/* SPDX-License-Identifier: BSD-2-Clause
 *
 * options.h - command line options from a table.
 *
 * Both "--name value" and "--name=value" are taken; flags take no value.
 */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,  /* int *: becomes 1 */
    OPTION_WHOLE, /* long *: a whole number in low .. high */
    OPTION_REAL,  /* double *: a number in low .. high */
    OPTION_TEXT,  /* const char **: any text, not copied */
    OPTION_CHOICE /* int *: the place of the word in choices */
};

struct option {
    const char *name; /* without the two dashes */
    enum option_kind kind;
    void *value;
    const char *const *choices; /* OPTION_CHOICE: words, NULL at the end */
    double low, high;           /* OPTION_WHOLE and OPTION_REAL: the range, ends included */
    const char *argument;       /* what help calls the value */
    const char *help;
};

enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP, /* --help was among the arguments */
    OPTIONS_WRONG /* the reason is in message */
};

/* Read argv[1] on. Values keep what they hold when their option is not given. */
enum options_result options_parse(const struct option *options, size_t count, int argc,
                                  char *const *argv, char *message, size_t message_size);

/* One line an option, the choices listed. */
void options_print(FILE *out, const struct option *options, size_t count);

#endif /* EXAMPLES_OPTIONS_H */
