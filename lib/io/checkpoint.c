/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checkpoint.c - names for everything that is saved, and text for the numbers beside it.
 */
#include "io/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "graph/model.h"

/* Called twice, like the header's writer: first to count, tensors being NULL, then to fill. */
static void add(struct cconv_checkpoint *c, const char *prefix, const char *owner, const char *name,
                coordconv_tensor *tensor)
{
    const int dot = owner[0] != '\0';
    const size_t bytes = strlen(prefix) + strlen(owner) + (size_t)dot + strlen(name) + 1;

    if (c->tensors != NULL) {
        char *text = c->names + c->names_bytes;
        snprintf(text, bytes, "%s%s%s%s", prefix, owner, dot ? "." : "", name);
        c->tensors[c->count] = (struct cconv_named_tensor){ text, tensor };
    }
    c->count++;
    c->names_bytes = cconv_size_add(c->names_bytes, bytes);
}

static void add_all(struct cconv_checkpoint *c, const coordconv_model *model,
                    const coordconv_optimizer *optimizer)
{
    const int32_t states = coordconv_optimizer_state_count(optimizer);

    c->count = 0;
    c->names_bytes = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        const coordconv_layer *layer = model->layers[i];
        char buffer[16];
        const char *label = cconv_model_layer_label(model, i, buffer);
        for (int32_t k = 0; k < layer->tensor_count; k++)
            add(c, "", label, layer->tensors[k].name, layer->tensors[k].tensor);
    }
    for (int32_t i = 0; i < states; i++) {
        coordconv_tensor *tensor = NULL;
        const char *name = NULL;
        const coordconv_status status = coordconv_optimizer_state(optimizer, i, &name, &tensor);
        assert(status == COORDCONV_OK);
        (void)status;
        add(c, CCONV_STATE_PREFIX, "", name, tensor);
    }
}

static int compare(const void *a, const void *b)
{
    const struct cconv_named_tensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Length of a tensor's name without its last part: "conv1" of "conv1.weight". */
static size_t owner_length(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

/* All layers have a weight, so two of one name meet there. */
static coordconv_status check_names(const struct cconv_log *log, const struct cconv_checkpoint *c)
{
    for (size_t i = 1; i < c->count; i++) {
        const char *name = c->tensors[i].name;
        if (strcmp(name, c->tensors[i - 1].name) == 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID, "two layers are called \"%.*s\"",
                              (int)owner_length(name), name);
    }
    return COORDCONV_OK;
}

/* The parameter that a state tensor ("optimizer.conv1.weight.m") belongs to, or NULL. */
static const struct cconv_named_tensor *parameter_of(const struct cconv_checkpoint *c,
                                                     const char *state)
{
    const char *name = state + strlen(CCONV_STATE_PREFIX);
    const size_t length = owner_length(name);
    size_t first = 0, last = c->count;

    while (first < last) {
        const size_t middle = first + (last - first) / 2;
        const char *candidate = c->tensors[middle].name;
        int order = strncmp(candidate, name, length);
        if (order == 0 && candidate[length] == '\0')
            return &c->tensors[middle];
        if (order == 0)
            order = 1; /* the longer of two that begin alike comes after */
        if (order < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return NULL;
}

/* An optimizer of another model would be saved beside weights it never saw. */
static coordconv_status check_states(const struct cconv_log *log, const struct cconv_checkpoint *c,
                                     const coordconv_optimizer *optimizer)
{
    const int32_t states = coordconv_optimizer_state_count(optimizer);

    for (int32_t i = 0; i < states; i++) {
        char name[sizeof(CCONV_STATE_PREFIX) + 512];
        const struct cconv_named_tensor *parameter;
        coordconv_tensor *tensor;
        const char *state;
        coordconv_optimizer_state(optimizer, i, &state, &tensor);
        snprintf(name, sizeof name, CCONV_STATE_PREFIX "%s", state);
        parameter = parameter_of(c, name);
        if (parameter == NULL || !cconv_shape_equal(&parameter->tensor->shape, &tensor->shape))
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "optimizer state \"%s\" belongs to no parameter of the model", state);
    }
    return COORDCONV_OK;
}

coordconv_status cconv_checkpoint_make(const coordconv_model *model,
                                       const coordconv_optimizer *optimizer,
                                       struct cconv_checkpoint *out)
{
    const struct cconv_log *log = &model->context->log;
    struct cconv_checkpoint c = { .allocator = &model->context->allocator };
    coordconv_status status;

    add_all(&c, model, optimizer);
    c.tensors = cconv_alloc(c.allocator, cconv_size_mul(c.count, sizeof *c.tensors));
    c.names = cconv_alloc(c.allocator, c.names_bytes);
    if (c.tensors == NULL || c.names == NULL) {
        status =
            cconv_fail(log, COORDCONV_ERR_NOMEM, "no memory for the names of %zu tensors", c.count);
        goto fail;
    }
    add_all(&c, model, optimizer);
    qsort(c.tensors, c.count, sizeof *c.tensors, compare);
    if ((status = check_names(log, &c)) != COORDCONV_OK ||
        (status = check_states(log, &c, optimizer)) != COORDCONV_OK)
        goto fail;
    *out = c;
    return COORDCONV_OK;
fail:
    cconv_checkpoint_destroy(&c);
    return status;
}

void cconv_checkpoint_destroy(struct cconv_checkpoint *c)
{
    if (c->allocator != NULL) {
        cconv_free(c->allocator, c->names, c->names_bytes);
        cconv_free(c->allocator, c->tensors, cconv_size_mul(c->count, sizeof *c->tensors));
    }
    *c = (struct cconv_checkpoint){ .allocator = NULL };
}

const char *cconv_optimizer_kind_name(int32_t kind)
{
    switch (kind) {
    case COORDCONV_SGD:
        return "sgd";
    case COORDCONV_ADAM:
        return "adam";
    case COORDCONV_ADAMW:
        return "adamw";
    default:
        return NULL;
    }
}

void cconv_rate_print(double rate, char text[17])
{
    uint64_t bits;

    memcpy(&bits, &rate, sizeof bits);
    snprintf(text, 17, "%016llx", (unsigned long long)bits);
}

int cconv_rate_parse(const char *text, double *rate)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = 0;
    double value;

    for (int i = 0; i < 16; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return 0;
        bits = bits << 4 | (uint64_t)(digit - digits);
    }
    memcpy(&value, &bits, sizeof value);
    if (text[16] != '\0' || !(value > 0) || !isfinite(value))
        return 0;
    *rate = value;
    return 1;
}

int cconv_steps_parse(const char *text, int64_t *steps)
{
    int64_t value = 0;

    if (text[0] == '\0')
        return 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - (*text - '0')) / 10)
            return 0;
        value = 10 * value + (*text - '0');
    }
    *steps = value;
    return 1;
}
