/* SPDX-License-Identifier: BSD-2-Clause
 *
 * unsupported.c - the functions of io.h in a build without jansson.
 */
#include <coordconv/io.h>

#include "core/context.h"
#include "graph/model.h"

static coordconv_status refuse(const struct cconv_log *log, int complete, const char *what)
{
    if (!complete)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "%s: an argument is NULL", what);
    return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED, "%s: this library was built without jansson",
                      what);
}

static const struct cconv_log *model_log(const coordconv_model *model)
{
    return model != NULL ? &model->context->log : NULL;
}

coordconv_status coordconv_save(const coordconv_model *model, const coordconv_optimizer *optimizer,
                                const char *path, int32_t metadata_count,
                                const coordconv_metadata *metadata)
{
    (void)optimizer;
    return refuse(model_log(model),
                  model != NULL && path != NULL && (metadata_count == 0 || metadata != NULL),
                  "save");
}

coordconv_status coordconv_load(coordconv_model *model, coordconv_optimizer *optimizer,
                                const char *path)
{
    (void)optimizer;
    return refuse(model_log(model), model != NULL && path != NULL, "load");
}

coordconv_status coordconv_load_memory(coordconv_model *model, coordconv_optimizer *optimizer,
                                       const void *data, size_t bytes)
{
    (void)optimizer;
    (void)bytes;
    return refuse(model_log(model), model != NULL && data != NULL, "load_memory");
}

coordconv_status coordconv_load_weights(coordconv_model *model, const char *path,
                                        const coordconv_weights_desc *desc)
{
    (void)desc;
    return refuse(model_log(model), model != NULL && path != NULL, "load_weights");
}

coordconv_status coordconv_load_weights_memory(coordconv_model *model, const void *data,
                                               size_t bytes, const coordconv_weights_desc *desc)
{
    (void)bytes;
    (void)desc;
    return refuse(model_log(model), model != NULL && data != NULL, "load_weights_memory");
}

coordconv_status coordconv_load_metadata(coordconv_context *context, const char *path,
                                         const char *key, char *value, size_t capacity,
                                         size_t *length)
{
    (void)length;
    return refuse(cconv_context_log(context),
                  context != NULL && path != NULL && key != NULL &&
                      (value != NULL || capacity == 0),
                  "load_metadata");
}
