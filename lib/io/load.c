/* SPDX-License-Identifier: BSD-2-Clause
 *
 * load.c - coordconv_load() and its relatives.
 *
 * Header first: a file is matched against the model before a byte of its data
 * is read, so memory goes to the header, whose cost is bounded (safetensors.h), and to as much
 * data as the model holds, whatever the file claims. The data of a file are
 * read whole before the first parameter changes.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "graph/model.h"
#include "io/checkpoint.h"
#include "io/source.h"

/* One load under way. */
struct load {
    const struct cconv_allocator *allocator;
    const struct cconv_log *log;
    const struct cconv_source *source;
    uint64_t data; /* where the data begin */
    struct cconv_safetensors file;
    struct cconv_checkpoint checkpoint;
    const struct cconv_safetensor **matches; /* [checkpoint.count] */
    unsigned char *staged;                   /* data of a file, in the order of the checkpoint */
    size_t staged_bytes;
    int64_t steps;
    double rate;
};

static coordconv_status match_one(const struct cconv_log *log, const struct cconv_named_tensor *own,
                                  const struct cconv_safetensor *theirs)
{
    const coordconv_tensor *t = own->tensor;
    struct cconv_shape_text mine, other;

    if (strcmp(theirs->dtype, cconv_safetensors_dtype(t->dtype)) != 0)
        return cconv_fail(log, COORDCONV_ERR_DTYPE, "load: tensor \"%s\" is %s, expected %s",
                          own->name, theirs->dtype, cconv_safetensors_dtype(t->dtype));
    if (!cconv_shape_equal(&t->shape, &theirs->shape))
        return cconv_fail(log, COORDCONV_ERR_SHAPE, "load: tensor \"%s\" is %s, expected %s",
                          own->name, cconv_shape_print(&theirs->shape, &other),
                          cconv_shape_print(&t->shape, &mine));
    return COORDCONV_OK;
}

static int is_state(const char *name)
{
    return strncmp(name, CCONV_STATE_PREFIX, strlen(CCONV_STATE_PREFIX)) == 0;
}

/* Walk both lists, sorted by name, at once. */
static coordconv_status match(struct load *l, int with_state)
{
    coordconv_status status = COORDCONV_OK;
    struct cconv_quoted name;
    size_t i = 0, k = 0;

    while (status == COORDCONV_OK && (i < l->checkpoint.count || k < l->file.count)) {
        const struct cconv_named_tensor *own = &l->checkpoint.tensors[i];
        const struct cconv_safetensor *theirs = &l->file.tensors[k];
        const int order = i == l->checkpoint.count ? 1
                          : k == l->file.count     ? -1
                                                   : strcmp(own->name, theirs->name);
        if (order < 0)
            return cconv_fail(l->log, COORDCONV_ERR_SHAPE, "load: tensor \"%s\" is not in the file",
                              own->name);
        if (order == 0) {
            status = match_one(l->log, own, theirs);
            l->matches[i++] = theirs;
        } else if (with_state || !is_state(theirs->name)) {
            return cconv_fail(l->log, COORDCONV_ERR_SHAPE,
                              "load: tensor \"%s\" of the file is not in the model",
                              cconv_quote(theirs->name, &name));
        }
        k++;
    }
    return status;
}

/* What the metadata say of the optimizer. */
static coordconv_status read_words(struct load *l, const coordconv_optimizer *optimizer)
{
    const char *kind = cconv_safetensors_metadata(&l->file, CCONV_KEY_OPTIMIZER);
    const char *steps = cconv_safetensors_metadata(&l->file, CCONV_KEY_STEPS);
    const char *rate = cconv_safetensors_metadata(&l->file, CCONV_KEY_LEARNING_RATE);
    const char *expected = cconv_optimizer_kind_name(coordconv_optimizer_kind(optimizer));
    struct cconv_quoted quoted;

    if (kind == NULL)
        return cconv_fail(l->log, COORDCONV_ERR_SHAPE, "load: the file holds no optimizer");
    if (strcmp(kind, expected) != 0)
        return cconv_fail(l->log, COORDCONV_ERR_SHAPE,
                          "load: the file holds an optimizer \"%s\", expected \"%s\"",
                          cconv_quote(kind, &quoted), expected);
    if (steps == NULL || !cconv_steps_parse(steps, &l->steps))
        return cconv_fail(l->log, COORDCONV_ERR_FORMAT,
                          "load: metadata \"" CCONV_KEY_STEPS "\" is \"%s\", no number of steps",
                          steps != NULL ? cconv_quote(steps, &quoted) : "");
    if (rate == NULL || !cconv_rate_parse(rate, &l->rate))
        return cconv_fail(l->log, COORDCONV_ERR_FORMAT,
                          "load: metadata \"" CCONV_KEY_LEARNING_RATE "\" is \"%s\", no rate",
                          rate != NULL ? cconv_quote(rate, &quoted) : "");
    return COORDCONV_OK;
}

static size_t matched_bytes(const struct load *l, size_t index)
{
    return (size_t)(l->matches[index]->end - l->matches[index]->begin);
}

/* Read the data of a file, which may fail half way, to where it can be copied from without fail. */
static coordconv_status stage(struct load *l)
{
    coordconv_status status = COORDCONV_OK;
    size_t at = 0;

    if (l->source->memory != NULL)
        return COORDCONV_OK;
    for (size_t i = 0; i < l->checkpoint.count; i++)
        l->staged_bytes = cconv_size_add(l->staged_bytes, matched_bytes(l, i));
    l->staged = cconv_alloc_raw(l->allocator, l->staged_bytes);
    if (l->staged == NULL)
        return cconv_fail(l->log, COORDCONV_ERR_NOMEM, "load: no memory for %zu bytes of data",
                          l->staged_bytes);
    for (size_t i = 0; i < l->checkpoint.count && status == COORDCONV_OK; i++) {
        status = cconv_source_read(l->source, l->data + l->matches[i]->begin, l->staged + at,
                                   matched_bytes(l, i));
        at += matched_bytes(l, i);
    }
    return status;
}

/* Elements of `size` bytes whose first byte is the lowest. */
static void copy_elements(void *to, const unsigned char *from, size_t bytes, size_t size)
{
    unsigned char *out = to;

    if (cconv_is_little_endian()) {
        memcpy(out, from, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = from[i / size * size + (size - 1 - i % size)];
}

/* Nothing here can fail. */
static void apply(const struct load *l, coordconv_optimizer *optimizer)
{
    size_t at = 0;

    for (size_t i = 0; i < l->checkpoint.count; i++) {
        coordconv_tensor *t = l->checkpoint.tensors[i].tensor;
        const unsigned char *from =
            l->staged != NULL ? l->staged + at : l->source->memory + l->data + l->matches[i]->begin;
        copy_elements(t->data, from, matched_bytes(l, i), coordconv_dtype_size(t->dtype));
        cconv_tensor_touch(t);
        at += matched_bytes(l, i);
    }
    if (optimizer != NULL) {
        coordconv_status status = coordconv_optimizer_set_steps(optimizer, l->steps);
        assert(status == COORDCONV_OK);
        status = coordconv_optimizer_set_learning_rate(optimizer, l->rate);
        assert(status == COORDCONV_OK);
        (void)status;
    }
}

static coordconv_status load_matched(struct load *l, coordconv_optimizer *optimizer)
{
    const size_t matches_bytes = cconv_size_mul(l->checkpoint.count, sizeof *l->matches);
    coordconv_status status = COORDCONV_OK;

    l->matches = cconv_alloc(l->allocator, matches_bytes);
    if (l->matches == NULL)
        return cconv_fail(l->log, COORDCONV_ERR_NOMEM, "load: no memory for %zu tensors",
                          l->checkpoint.count);
    if (optimizer != NULL)
        status = read_words(l, optimizer);
    if (status == COORDCONV_OK)
        status = match(l, optimizer != NULL);
    if (status == COORDCONV_OK)
        status = stage(l);
    if (status == COORDCONV_OK)
        apply(l, optimizer);
    cconv_free(l->allocator, l->staged, l->staged_bytes);
    cconv_free(l->allocator, l->matches, matches_bytes);
    return status;
}

static coordconv_status load(coordconv_model *model, coordconv_optimizer *optimizer,
                             const struct cconv_source *source)
{
    struct load l = { .allocator = &model->context->allocator,
                      .log = &model->context->log,
                      .source = source };
    coordconv_status status = cconv_source_header(source, l.allocator, l.log, &l.data, &l.file);

    if (status != COORDCONV_OK)
        return status;
    status = cconv_checkpoint_make(model, optimizer, &l.checkpoint);
    if (status == COORDCONV_OK) {
        status = load_matched(&l, optimizer);
        cconv_checkpoint_destroy(&l.checkpoint);
    }
    cconv_safetensors_destroy(&l.file);
    return status;
}

/* A model that was never whole has nothing to load into. */
static coordconv_status check_target(const coordconv_model *model, const void *source,
                                     const char *what)
{
    const struct cconv_log *log = model != NULL ? &model->context->log : NULL;

    if (model == NULL || source == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "load: %s is NULL",
                          model == NULL ? "model" : what);
    return coordconv_model_status(model);
}

coordconv_status coordconv_load(coordconv_model *model, coordconv_optimizer *optimizer,
                                const char *path)
{
    coordconv_status status = check_target(model, path, "path");
    struct cconv_source source;

    if (status == COORDCONV_OK)
        status = cconv_source_open(&source, &model->context->log, path);
    if (status != COORDCONV_OK)
        return status;
    status = load(model, optimizer, &source);
    cconv_source_close(&source);
    return status;
}

coordconv_status coordconv_load_memory(coordconv_model *model, coordconv_optimizer *optimizer,
                                       const void *data, size_t bytes)
{
    const coordconv_status status = check_target(model, data, "data");
    const struct cconv_source source = { .memory = data, .bytes = bytes };

    return status == COORDCONV_OK ? load(model, optimizer, &source) : status;
}

/* Hand a value out as far as there is room for it. */
static coordconv_status copy_value(const struct cconv_log *log, const char *key, const char *found,
                                   char *value, size_t capacity, size_t *length)
{
    const size_t n = strlen(found);

    if (length != NULL)
        *length = n;
    if (n >= capacity)
        return cconv_fail(log, COORDCONV_ERR_SHAPE,
                          "load_metadata: \"%s\" and its NUL need %zu bytes, the buffer has %zu",
                          key, n + 1, capacity);
    memcpy(value, found, n + 1);
    return COORDCONV_OK;
}

coordconv_status coordconv_load_metadata(coordconv_context *context, const char *path,
                                         const char *key, char *value, size_t capacity,
                                         size_t *length)
{
    const struct cconv_log *log = cconv_context_log(context);
    struct cconv_safetensors file;
    struct cconv_source source;
    coordconv_status status;
    const char *found;
    uint64_t data;

    if (context == NULL || path == NULL || key == NULL || (value == NULL && capacity > 0))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "load_metadata: %s is NULL",
                          context == NULL ? "context"
                          : path == NULL  ? "path"
                          : key == NULL   ? "key"
                                          : "value");
    if ((status = cconv_source_open(&source, log, path)) != COORDCONV_OK)
        return status;
    status = cconv_source_header(&source, &context->allocator, log, &data, &file);
    cconv_source_close(&source);
    if (status != COORDCONV_OK)
        return status;
    found = cconv_safetensors_metadata(&file, key);
    status = found != NULL ? copy_value(log, key, found, value, capacity, length)
                           : cconv_fail(log, COORDCONV_ERR_NOT_FOUND,
                                        "load_metadata: no \"%s\" in \"%s\"", key, path);
    cconv_safetensors_destroy(&file);
    return status;
}
