/* SPDX-License-Identifier: BSD-2-Clause
 *
 * weights.c - coordconv_load_weights() and its twin.
 *
 * As in load.c the header decides before a byte of the data is read, and the
 * data are in memory before the first parameter changes. Unlike there, all that
 * does not fit is looked for and told.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "graph/model.h"
#include "io/checkpoint.h"
#include "io/names.h"
#include "io/order.h"
#include "io/source.h"
#include "io/widen.h"

#define COUNTER "num_batches_tracked" /* of PyTorch's batch norm; nothing here counts them */

enum {
    KINDS = COORDCONV_WEIGHTS_COORDS + 1
};

/* A tensor of the model and what it is to be filled from. */
struct match {
    const struct cconv_safetensor *tensor; /* NULL: nothing */
    struct cconv_order order;
};

struct weights {
    const struct cconv_allocator *allocator;
    const struct cconv_log *log;
    const coordconv_model *model;
    const struct cconv_source *source;
    coordconv_weights_desc desc;
    uint64_t data; /* where the data begin */
    struct cconv_safetensors file;
    struct cconv_names names;
    struct cconv_checkpoint checkpoint;
    struct match *matches; /* [checkpoint.count] */
    size_t matched;
    size_t found[KINDS]; /* mismatches by kind */
    char first[300];     /* the first of them that is a failure */
    unsigned char *staged;
    size_t staged_bytes;
};

/* ---- telling ---- */

static int is_failure(const struct weights *w, int32_t kind)
{
    return !w->desc.lenient ||
           (kind != COORDCONV_WEIGHTS_MISSING && kind != COORDCONV_WEIGHTS_UNEXPECTED);
}

CCONV_PRINTF(4, 5)
static void tell(struct weights *w, int32_t kind, const char *name, const char *format, ...)
{
    char text[sizeof w->first];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (is_failure(w, kind) && w->first[0] == '\0')
        memcpy(w->first, text, sizeof text);
    w->found[kind]++;
    if (w->desc.report != NULL)
        w->desc.report(w->desc.report_user, kind, name, text);
}

static coordconv_status judge(const struct weights *w)
{
    static const char *const words[KINDS] = { NULL,
                                              "missing",
                                              "unexpected",
                                              "of another shape",
                                              "of another type",
                                              "there twice",
                                              "with other coordinates" };
    char counts[200] = "";
    size_t at = 0;

    if (w->first[0] == '\0' && w->matched == 0 && w->checkpoint.count > 0)
        return cconv_fail(w->log, COORDCONV_ERR_SHAPE,
                          "load_weights: none of %zu tensors of the file is in the model",
                          w->file.count);
    if (w->first[0] == '\0')
        return COORDCONV_OK;
    for (int32_t kind = 1; kind < KINDS; kind++) {
        if (w->found[kind] > 0 && is_failure(w, kind))
            at += (size_t)snprintf(counts + at, sizeof counts - at, "%s%zu %s", at > 0 ? ", " : "",
                                   w->found[kind], words[kind]);
    }
    return cconv_fail(w->log, COORDCONV_ERR_SHAPE, "load_weights: %s; first: %s", counts, w->first);
}

/* ---- conventions ---- */

/* The layer whose weight this is, if it has coordinates. */
static const coordconv_layer *coords_layer(const struct weights *w, const coordconv_tensor *weight,
                                           const char **label, char buffer[16])
{
    for (int32_t i = 0; i < w->model->layer_count; i++) {
        const coordconv_layer *layer = w->model->layers[i];
        if (layer->tensors[0].tensor == weight && coordconv_layer_coords(layer) != 0) {
            *label = cconv_model_layer_label(w->model, i, buffer);
            return layer;
        }
    }
    return NULL;
}

static const char *convention_of(const struct weights *w, const char *label)
{
    for (int32_t i = 0; i < w->desc.convention_count; i++) {
        if (strcmp(w->desc.conventions[i].layer, label) == 0)
            return w->desc.conventions[i].convention;
    }
    return w->desc.convention;
}

/* 1 if the model has a layer with coordinates of this name. */
static int has_coords_layer(const coordconv_model *model, const char *name)
{
    for (int32_t i = 0; i < model->layer_count; i++) {
        char buffer[16];
        if (coordconv_layer_coords(model->layers[i]) != 0 &&
            strcmp(cconv_model_layer_label(model, i, buffer), name) == 0)
            return 1;
    }
    return 0;
}

static coordconv_status check_convention(const struct weights *w, const char *name)
{
    coordconv_convention_desc convention = { .struct_size = sizeof convention };

    if (name == NULL || coordconv_convention(name, &convention) == COORDCONV_OK)
        return COORDCONV_OK;
    return cconv_fail(w->log, COORDCONV_ERR_NOT_FOUND,
                      "load_weights: there is no convention \"%.100s\"", name);
}

/* Set how the channels stand in the file; tell if the layer sees other coordinates than it should.
 */
static void match_order(struct weights *w, const struct cconv_named_tensor *own,
                        struct cconv_order *out)
{
    coordconv_convention_desc convention = { .struct_size = sizeof convention };
    struct cconv_order_text text;
    const char *label, *name, *wrong;
    char buffer[16];
    const coordconv_layer *layer = coords_layer(w, own->tensor, &label, buffer);

    cconv_order_plain(own->tensor, out);
    if (layer == NULL || (name = convention_of(w, label)) == NULL)
        return;
    coordconv_convention(name, &convention); /* which has been looked up before */
    cconv_order_coords(layer, &convention, out);
    wrong = cconv_order_check(layer, name, &convention, &text);
    if (wrong != NULL)
        tell(w, COORDCONV_WEIGHTS_COORDS, own->name, "\"%.80s\": %s", own->name, wrong);
}

/* ---- matching ---- */

static void match_one(struct weights *w, size_t index, const struct cconv_safetensor *theirs)
{
    const struct cconv_named_tensor *own = &w->checkpoint.tensors[index];
    struct match *match = &w->matches[index];
    struct cconv_shape_text mine, other;
    struct cconv_quoted name;

    if (!cconv_shape_equal(&own->tensor->shape, &theirs->shape))
        tell(w, COORDCONV_WEIGHTS_SHAPE, own->name,
             "\"%.80s\" is %s in the model, \"%s\" is %s in the file", own->name,
             cconv_shape_print(&own->tensor->shape, &mine), cconv_quote(theirs->name, &name),
             cconv_shape_print(&theirs->shape, &other));
    if (cconv_stored_type(theirs->dtype) == CCONV_STORED_NONE)
        tell(w, COORDCONV_WEIGHTS_DTYPE, own->name,
             "\"%.80s\" is %s in the file, of which no weights are made", own->name, theirs->dtype);
    match_order(w, own, &match->order);
    match->tensor = theirs;
    w->matched++;
}

static int is_counter(const struct cconv_safetensor *tensor)
{
    const char *dot = strrchr(tensor->name, '.');

    return strcmp(dot != NULL ? dot + 1 : tensor->name, COUNTER) == 0 &&
           strcmp(tensor->dtype, "I64") == 0;
}

static void tell_unexpected(struct weights *w, const struct cconv_renamed *theirs)
{
    struct cconv_shape_text shape;
    struct cconv_quoted name, renamed;

    if (is_counter(theirs->tensor))
        return;
    tell(w, COORDCONV_WEIGHTS_UNEXPECTED, theirs->tensor->name,
         "\"%s\" %s of the file is not in the model, where it would be \"%s\"",
         cconv_quote(theirs->tensor->name, &name),
         cconv_shape_print(&theirs->tensor->shape, &shape), cconv_quote(theirs->name, &renamed));
}

/* The tensor of the file at `index` has the name of the one before it. */
static int is_twice(struct weights *w, size_t index)
{
    const struct cconv_renamed *theirs = &w->names.items[index];
    struct cconv_quoted first, second, name;

    if (index == 0 || strcmp(theirs[-1].name, theirs->name) != 0)
        return 0;
    tell(w, COORDCONV_WEIGHTS_TWICE, theirs->tensor->name,
         "\"%s\" and \"%s\" of the file both come to \"%s\"",
         cconv_quote(theirs[-1].tensor->name, &first), cconv_quote(theirs->tensor->name, &second),
         cconv_quote(theirs->name, &name));
    return 1;
}

/* Walk both lists, sorted by our names, at once. */
static void match_all(struct weights *w)
{
    size_t i = 0, k = 0;

    while (i < w->checkpoint.count || k < w->names.count) {
        const struct cconv_named_tensor *own = &w->checkpoint.tensors[i];
        const struct cconv_renamed *theirs = &w->names.items[k];
        struct cconv_shape_text shape;
        if (k < w->names.count && is_twice(w, k)) {
            k++;
            continue;
        }
        const int order = i == w->checkpoint.count ? 1
                          : k == w->names.count    ? -1
                                                   : strcmp(own->name, theirs->name);
        if (order < 0)
            tell(w, COORDCONV_WEIGHTS_MISSING, own->name, "\"%.80s\" %s is not in the file",
                 own->name, cconv_shape_print(&own->tensor->shape, &shape));
        else if (order > 0)
            tell_unexpected(w, theirs);
        else
            match_one(w, i, theirs->tensor);
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- filling ---- */

static size_t tensor_bytes(const struct match *match)
{
    return match->tensor != NULL ? (size_t)(match->tensor->end - match->tensor->begin) : 0;
}

/* Read the data of a file, which may fail half way, to where it can be taken from without fail. */
static coordconv_status stage(struct weights *w)
{
    coordconv_status status = COORDCONV_OK;
    size_t at = 0;

    if (w->source->memory != NULL)
        return COORDCONV_OK;
    for (size_t i = 0; i < w->checkpoint.count; i++)
        w->staged_bytes = cconv_size_add(w->staged_bytes, tensor_bytes(&w->matches[i]));
    w->staged = cconv_alloc_raw(w->allocator, w->staged_bytes);
    if (w->staged == NULL)
        return cconv_fail(w->log, COORDCONV_ERR_NOMEM, "load_weights: no memory for %zu bytes",
                          w->staged_bytes);
    for (size_t i = 0; i < w->checkpoint.count && status == COORDCONV_OK; i++) {
        const size_t bytes = tensor_bytes(&w->matches[i]);
        if (bytes > 0)
            status = cconv_source_read(w->source, w->data + w->matches[i].tensor->begin,
                                       w->staged + at, bytes);
        at += bytes;
    }
    return status;
}

static void fill(coordconv_tensor *tensor, const struct match *match, const unsigned char *from)
{
    const struct cconv_order *o = &match->order;
    const enum cconv_stored type = cconv_stored_type(match->tensor->dtype);
    const size_t step = o->inner * cconv_stored_size(type);
    cconv_real *to = cconv_tensor_reals(tensor);

    for (size_t i = 0; i < o->outer; i++) {
        for (size_t c = 0; c < o->channels; c++) {
            const size_t theirs = i * o->channels + cconv_order_channel(o, c);
            cconv_widen(type, from + theirs * step, o->inner, to);
            to += o->inner;
        }
    }
    cconv_tensor_touch(tensor);
}

/* Nothing here can fail. */
static void apply(const struct weights *w)
{
    size_t at = 0;

    for (size_t i = 0; i < w->checkpoint.count; i++) {
        const struct match *match = &w->matches[i];
        if (match->tensor == NULL)
            continue;
        fill(w->checkpoint.tensors[i].tensor, match,
             w->staged != NULL ? w->staged + at
                               : w->source->memory + w->data + match->tensor->begin);
        at += tensor_bytes(match);
    }
}

/* ---- the calls ---- */

static coordconv_status load_named(struct weights *w)
{
    const size_t bytes = cconv_size_mul(w->checkpoint.count, sizeof *w->matches);
    coordconv_status status;

    w->matches = cconv_alloc(w->allocator, bytes);
    if (w->matches == NULL)
        return cconv_fail(w->log, COORDCONV_ERR_NOMEM, "load_weights: no memory for %zu tensors",
                          w->checkpoint.count);
    match_all(w);
    status = judge(w);
    if (status == COORDCONV_OK)
        status = stage(w);
    if (status == COORDCONV_OK)
        apply(w);
    cconv_free(w->allocator, w->staged, w->staged_bytes);
    cconv_free(w->allocator, w->matches, bytes);
    return status;
}

static coordconv_status load(struct weights *w, const struct cconv_source *source)
{
    coordconv_status status;

    w->source = source;
    status = cconv_source_header(source, w->allocator, w->log, &w->data, &w->file);
    if (status != COORDCONV_OK)
        return status;
    status = cconv_checkpoint_make(w->model, NULL, &w->checkpoint);
    if (status == COORDCONV_OK) {
        status = cconv_names_make(w->allocator, w->log, &w->file, &w->desc, &w->names);
        if (status == COORDCONV_OK) {
            status = load_named(w);
            cconv_names_destroy(&w->names);
        }
        cconv_checkpoint_destroy(&w->checkpoint);
    }
    cconv_safetensors_destroy(&w->file);
    return status;
}

/* The lists of a descriptor. */
static coordconv_status check_lists(const struct weights *w)
{
    const coordconv_weights_desc *d = &w->desc;
    coordconv_status status = check_convention(w, d->convention);

    for (int32_t i = 0; i < d->name_count && status == COORDCONV_OK; i++) {
        if (d->names[i].theirs == NULL)
            status = cconv_fail(w->log, COORDCONV_ERR_INVALID,
                                "load_weights: names[%d].theirs is NULL", i);
    }
    for (int32_t i = 0; i < d->convention_count && status == COORDCONV_OK; i++) {
        const char *layer = d->conventions[i].layer;
        if (layer == NULL || !has_coords_layer(w->model, layer))
            return cconv_fail(w->log, COORDCONV_ERR_INVALID,
                              "load_weights: conventions[%d].layer is \"%.100s\", no layer with "
                              "coordinates",
                              i, layer != NULL ? layer : "(NULL)");
        status = check_convention(w, d->conventions[i].convention);
    }
    return status;
}

static coordconv_status check_desc(struct weights *w, const coordconv_weights_desc *desc)
{
    coordconv_status status = COORDCONV_OK;

    if (desc != NULL)
        status = cconv_desc_read(w->log, "load_weights", desc,
                                 CCONV_DESC_END(coordconv_weights_desc, report_user),
                                 sizeof w->desc, &w->desc);
    if (status == COORDCONV_OK)
        status = cconv_check_range(w->log, "load_weights", "lenient", w->desc.lenient, 0, 1);
    if (status == COORDCONV_OK)
        status = cconv_check_range(w->log, "load_weights", "name_count", w->desc.name_count, 0,
                                   w->desc.names != NULL ? INT32_MAX : 0);
    if (status == COORDCONV_OK)
        status =
            cconv_check_range(w->log, "load_weights", "convention_count", w->desc.convention_count,
                              0, w->desc.conventions != NULL ? INT32_MAX : 0);
    return status == COORDCONV_OK ? check_lists(w) : status;
}

/* A model that was never whole has nothing to load into. */
static coordconv_status begin(struct weights *w, const coordconv_model *model, const void *source,
                              const char *what, const coordconv_weights_desc *desc)
{
    const struct cconv_log *log = model != NULL ? &model->context->log : NULL;
    coordconv_status status;

    if (model == NULL || source == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "load_weights: %s is NULL",
                          model == NULL ? "model" : what);
    *w = (struct weights){ .allocator = &model->context->allocator, .log = log, .model = model };
    status = coordconv_model_status(model);
    return status == COORDCONV_OK ? check_desc(w, desc) : status;
}

coordconv_status coordconv_load_weights(coordconv_model *model, const char *path,
                                        const coordconv_weights_desc *desc)
{
    struct cconv_source source;
    struct weights w;
    coordconv_status status = begin(&w, model, path, "path", desc);

    if (status == COORDCONV_OK)
        status = cconv_source_open(&source, w.log, path);
    if (status != COORDCONV_OK)
        return status;
    status = load(&w, &source);
    cconv_source_close(&source);
    return status;
}

coordconv_status coordconv_load_weights_memory(coordconv_model *model, const void *data,
                                               size_t bytes, const coordconv_weights_desc *desc)
{
    const struct cconv_source source = { .memory = data, .bytes = bytes };
    struct weights w;
    const coordconv_status status = begin(&w, model, data, "data", desc);

    return status == COORDCONV_OK ? load(&w, &source) : status;
}
