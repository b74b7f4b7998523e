/* SPDX-License-Identifier: BSD-2-Clause
 *
 * names.c - prefix and name map of coordconv_load_weights().
 */
#include "io/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Length of some parts of a name, a final dot not counted. */
static size_t parts_length(const char *parts)
{
    const size_t n = strlen(parts);

    return n > 0 && parts[n - 1] == '.' ? n - 1 : n;
}

/* What is left of a name after these leading parts, NULL if it does not begin with them. */
static const char *after(const char *name, const char *parts)
{
    const size_t n = parts_length(parts);

    if (n == 0)
        return name;
    if (strncmp(name, parts, n) != 0 || (name[n] != '\0' && name[n] != '.'))
        return NULL;
    return name[n] == '.' ? name + n + 1 : name + n;
}

/* A name of ours: head, a dot where both have parts, tail. */
struct joined {
    const char *head, *tail;
    size_t head_length;
};

/* 0: the tensor is left out. */
static int translate(const coordconv_weights_desc *desc, const char *name, struct joined *out)
{
    const coordconv_name_pair *best = NULL;
    size_t best_length = 0;

    if (desc->prefix != NULL && (name = after(name, desc->prefix)) == NULL)
        return 0;
    *out = (struct joined){ .head = "", .tail = name };
    for (int32_t i = 0; i < desc->name_count; i++) {
        const char *tail = after(name, desc->names[i].theirs);
        const size_t length = parts_length(desc->names[i].theirs);
        if (tail != NULL && (best == NULL || length > best_length)) {
            best = &desc->names[i];
            best_length = length;
            out->tail = tail;
        }
    }
    if (best == NULL)
        return 1;
    if (best->ours == NULL)
        return 0;
    out->head = best->ours;
    out->head_length = parts_length(best->ours);
    return 1;
}

static int has_dot(const struct joined *j)
{
    return j->head_length > 0 && j->tail[0] != '\0';
}

/* Called twice: first to count, items being NULL, then to fill. */
static void add_all(struct cconv_names *names, const struct cconv_safetensors *file,
                    const coordconv_weights_desc *desc)
{
    names->count = 0;
    names->text_bytes = 0;
    for (size_t i = 0; i < file->count; i++) {
        struct joined j;
        if (!translate(desc, file->tensors[i].name, &j))
            continue;
        const size_t tail = strlen(j.tail) + 1; /* and its NUL */
        if (names->items != NULL) {
            char *to = names->text + names->text_bytes;
            names->items[names->count] = (struct cconv_renamed){ to, &file->tensors[i] };
            memcpy(to, j.head, j.head_length);
            if (has_dot(&j))
                to[j.head_length] = '.';
            memcpy(to + j.head_length + (size_t)has_dot(&j), j.tail, tail);
        }
        names->count++;
        names->text_bytes =
            cconv_size_add(names->text_bytes, j.head_length + (size_t)has_dot(&j) + tail);
    }
}

static int compare(const void *a, const void *b)
{
    const struct cconv_renamed *x = a, *y = b;
    const int order = strcmp(x->name, y->name);

    return order != 0 ? order : strcmp(x->tensor->name, y->tensor->name);
}

coordconv_status cconv_names_make(const struct cconv_allocator *allocator,
                                  const struct cconv_log *log, const struct cconv_safetensors *file,
                                  const coordconv_weights_desc *desc, struct cconv_names *out)
{
    struct cconv_names names = { .allocator = allocator };

    add_all(&names, file, desc);
    names.text = cconv_alloc_raw(allocator, names.text_bytes);
    names.items = cconv_alloc(allocator, cconv_size_mul(names.count, sizeof *names.items));
    if (names.text == NULL || names.items == NULL) {
        const coordconv_status status = cconv_fail(log, COORDCONV_ERR_NOMEM,
                                                   "load_weights: no memory for the names of %zu "
                                                   "tensors",
                                                   names.count);
        cconv_names_destroy(&names);
        return status;
    }
    add_all(&names, file, desc);
    qsort(names.items, names.count, sizeof *names.items, compare);
    *out = names;
    return COORDCONV_OK;
}

void cconv_names_destroy(struct cconv_names *names)
{
    cconv_free(names->allocator, names->items, cconv_size_mul(names->count, sizeof *names->items));
    cconv_free(names->allocator, names->text, names->text_bytes);
    *names = (struct cconv_names){ .allocator = NULL };
}
