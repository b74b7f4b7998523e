/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan_parameters.c - parameters and gradients of a training plan, one by one and flat.
 */
#include <string.h>

#include "graph/compile.h"

const struct cconv_plan_parameter *cconv_plan_parameters(const coordconv_plan *plan, int32_t *count)
{
    *count = plan->parameter_count;
    return plan->parameters;
}

cconv_real *cconv_plan_gradient_values(const coordconv_plan *plan)
{
    return plan->backward_done ? plan->gradients : NULL;
}

coordconv_model *cconv_plan_model(const coordconv_plan *plan)
{
    return plan->model;
}

int cconv_plan_is_training(const coordconv_plan *plan)
{
    return plan->training;
}

int32_t coordconv_plan_parameter_count(const coordconv_plan *plan)
{
    return plan != NULL ? plan->parameter_count : 0;
}

coordconv_status coordconv_plan_parameter(const coordconv_plan *plan, int32_t index,
                                          const char **name, int64_t *offset,
                                          coordconv_tensor **tensor)
{
    if (plan == NULL)
        return cconv_fail(NULL, COORDCONV_ERR_INVALID, "plan_parameter: plan is NULL");
    if (index < 0 || index >= plan->parameter_count)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_INVALID,
                          "plan_parameter: index %d, the plan has %d parameters", index,
                          plan->parameter_count);
    if (name != NULL)
        *name = plan->parameters[index].name;
    if (offset != NULL)
        *offset = (int64_t)plan->parameters[index].offset;
    if (tensor != NULL)
        *tensor = plan->parameters[index].values;
    return COORDCONV_OK;
}

static coordconv_status check_training(const coordconv_plan *plan, const char *call,
                                       const void *argument, const char *what)
{
    if (plan == NULL || argument == NULL)
        return cconv_fail(plan != NULL ? &cconv_plan_context(plan)->log : NULL,
                          COORDCONV_ERR_INVALID, "%s: %s is NULL", call,
                          plan == NULL ? "plan" : what);
    if (!plan->training)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_STATE,
                          "%s: an inference plan", call);
    return COORDCONV_OK;
}

coordconv_status coordconv_plan_gradients(coordconv_plan *plan, coordconv_tensor **out)
{
    coordconv_status st = check_training(plan, "plan_gradients", out, "out");
    const struct cconv_shape shape = { 1, { plan != NULL ? (int64_t)plan->gradient_count : 0 } };

    if (st != COORDCONV_OK)
        return st;
    return cconv_plan_view(plan, CCONV_REAL_DTYPE, &shape, plan->arena, plan->gradients, out);
}

static coordconv_status check_flat(const coordconv_plan *plan, const char *call,
                                   const coordconv_tensor *flat)
{
    coordconv_status st = check_training(plan, call, flat, "flat");
    struct cconv_shape_text text;

    if (st != COORDCONV_OK)
        return st;
    if (flat->shape.ndim != 1 || (size_t)flat->shape.dim[0] != plan->gradient_count)
        return cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_SHAPE,
                          "%s: shape %s, expected [%zu]", call,
                          cconv_shape_print(&flat->shape, &text), plan->gradient_count);
    return COORDCONV_OK;
}

/* The slice of a flat vector that belongs to a parameter, as a tensor on the
 * stack: only copied from or to, never handed out. */
static coordconv_tensor flat_part(const coordconv_tensor *flat,
                                  const struct cconv_plan_parameter *p)
{
    coordconv_tensor part = { .dtype = flat->dtype, .shape = p->values->shape };
    const int64_t step = flat->stride[0];

    cconv_shape_strides(&part.shape, part.stride);
    for (int32_t i = 0; i < part.shape.ndim; i++)
        part.stride[i] *= step;
    part.data = flat->data + (int64_t)p->offset * step * (int64_t)coordconv_dtype_size(flat->dtype);
    return part;
}

coordconv_status coordconv_plan_get_parameters(const coordconv_plan *plan, coordconv_tensor *flat)
{
    coordconv_status st = check_flat(plan, "plan_get_parameters", flat);

    if (st == COORDCONV_OK && cconv_tensor_overlaps_itself(flat))
        st = cconv_fail(&cconv_plan_context(plan)->log, COORDCONV_ERR_INVALID,
                        "plan_get_parameters: elements of the vector share their places");
    for (int32_t i = 0; st == COORDCONV_OK && i < plan->parameter_count; i++) {
        coordconv_tensor part = flat_part(flat, &plan->parameters[i]);

        cconv_tensor_copy_elements(&part, plan->parameters[i].values);
    }
    if (st == COORDCONV_OK)
        cconv_tensor_touch(flat);
    return st;
}

coordconv_status coordconv_plan_set_parameters(coordconv_plan *plan, const coordconv_tensor *flat)
{
    coordconv_status st = check_flat(plan, "plan_set_parameters", flat);

    for (int32_t i = 0; st == COORDCONV_OK && i < plan->parameter_count; i++) {
        const coordconv_tensor part = flat_part(flat, &plan->parameters[i]);

        cconv_tensor_copy_elements(plan->parameters[i].values, &part);
        cconv_tensor_touch(plan->parameters[i].values);
    }
    return st;
}
