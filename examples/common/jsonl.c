/* SPDX-License-Identifier: BSD-2-Clause
 *
 * jsonl.c - JSON lines: one object a line, written field by field.
 */
#include "jsonl.h"

#include <inttypes.h>
#include <math.h>

static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void write_name(struct jsonl *j, const char *name)
{
    fputs(j->fields++ > 0 ? ", " : "", j->out);
    write_string(j->out, name);
    fputs(": ", j->out);
}

void jsonl_begin(struct jsonl *j, FILE *out)
{
    j->out = out;
    j->fields = 0;
    fputc('{', out);
}

void jsonl_text(struct jsonl *j, const char *name, const char *value)
{
    write_name(j, name);
    write_string(j->out, value);
}

void jsonl_whole(struct jsonl *j, const char *name, int64_t value)
{
    write_name(j, name);
    fprintf(j->out, "%" PRId64, value);
}

void jsonl_number(struct jsonl *j, const char *name, double value)
{
    write_name(j, name);
    if (isfinite(value))
        fprintf(j->out, "%.9g", value);
    else
        fputs("null", j->out);
}

int jsonl_end(struct jsonl *j)
{
    fputs("}\n", j->out);
    return fflush(j->out) == 0 && !ferror(j->out) ? 0 : -1;
}
