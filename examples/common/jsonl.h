/* SPDX-License-Identifier: BSD-2-Clause
 *
 * jsonl.h - JSON lines: one object a line, written field by field.
 */
#ifndef EXAMPLES_JSONL_H
#define EXAMPLES_JSONL_H

#include <stdint.h>
#include <stdio.h>

struct jsonl {
    FILE *out;
    int fields; /* written in this line */
};

void jsonl_begin(struct jsonl *j, FILE *out);
void jsonl_text(struct jsonl *j, const char *name, const char *value);
void jsonl_whole(struct jsonl *j, const char *name, int64_t value);

/* A number that is not finite becomes null: JSON has no other word for it. */
void jsonl_number(struct jsonl *j, const char *name, double value);

/* End the line and hand it to the system; 0, or -1 where writing failed. */
int jsonl_end(struct jsonl *j);

#endif /* EXAMPLES_JSONL_H */
