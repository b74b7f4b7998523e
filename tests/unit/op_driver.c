/* SPDX-License-Identifier: BSD-2-Clause */
#include "op_driver.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/layer.h"

#define GUARD_BYTES 64
#define RUBBISH     0x5b

/* ---- buffers that tell when somebody writes past their end ---- */

static void *guarded(size_t bytes)
{
    const size_t padded = (bytes + 63) / 64 * 64;
    char *p = aligned_alloc(64, padded + GUARD_BYTES);

    assert_non_null(p);
    memset(p, RUBBISH, padded + GUARD_BYTES);
    return p;
}

static void check_guard(const void *p, size_t bytes)
{
    const size_t padded = (bytes + 63) / 64 * 64;
    const unsigned char *c = p;

    for (size_t i = bytes; p != NULL && i < padded + GUARD_BYTES; i++)
        assert_int_equal(c[i], RUBBISH);
}

static void *copy_of(const void *from, size_t bytes)
{
    void *p = guarded(bytes);

    memcpy(p, from, bytes);
    return p;
}

/* ---- setting up ---- */

void drive_begin(struct drive *d, const struct cconv_op *op)
{
    memset(d, 0, sizeof *d);
    d->pool.threads = 3;
    d->contexts[0] = test_context(1, NULL, NULL);
    d->contexts[1] = test_context(3, NULL, &d->pool);
    d->app.op = op;
    d->app.attr = &d->attr;
    d->app.in = d->in;
    d->app.in_dtype = d->dtype;
    d->app.training = 1;
}

static void *add_input(struct drive *d, int32_t ndim, const int64_t *shape, int32_t dtype)
{
    const int32_t i = d->app.input_count++;

    assert_true(i < DRIVE_INPUTS);
    d->in[i].ndim = ndim;
    memcpy(d->in[i].dim, shape, (size_t)ndim * sizeof *shape);
    d->dtype[i] = dtype;
    d->x_count[i] = cconv_shape_count(&d->in[i]);
    d->x[i] = guarded(d->x_count[i] * coordconv_dtype_size(dtype));
    return d->x[i];
}

cconv_real *drive_input(struct drive *d, int32_t ndim, const int64_t *shape)
{
    uint64_t seed = (uint64_t)d->app.input_count * 1000 + 17;
    cconv_real *x = add_input(d, ndim, shape, CCONV_REAL_DTYPE);

    for (size_t i = 0; i < d->x_count[d->app.input_count - 1]; i++)
        x[i] = (cconv_real)test_random(&seed);
    return x;
}

cconv_real *drive_image(struct drive *d, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return drive_input(d, 4, (int64_t[]){ n, h, w, c });
}

int32_t *drive_labels(struct drive *d, int64_t count)
{
    int32_t *x = add_input(d, 1, &count, COORDCONV_I32);

    memset(x, 0, (size_t)count * sizeof *x);
    return x;
}

coordconv_status drive_infer(struct drive *d)
{
    d->app.context = d->contexts[0];
    return d->app.op->infer(&d->app);
}

/* ---- one run ---- */

/* What a run produced. */
struct result {
    cconv_real *y, *dx[DRIVE_INPUTS], *dparam[2];
    size_t y_bytes, dx_bytes[DRIVE_INPUTS], dparam_bytes[2];
};

static void drop(struct result *r)
{
    free(r->y);
    for (int i = 0; i < DRIVE_INPUTS; i++)
        free(r->dx[i]);
    free(r->dparam[0]);
    free(r->dparam[1]);
}

static void make_result(const struct drive *d, struct result *r)
{
    memset(r, 0, sizeof *r);
    r->y_bytes = d->y_count * sizeof(cconv_real);
    r->y = guarded(r->y_bytes);
    for (int32_t i = 0; i < d->app.input_count; i++) {
        const int target = (d->app.op->flags & CCONV_SCALAR_LOSS) != 0 && i == 1;
        if (d->skip_dx[i] || d->dtype[i] != CCONV_REAL_DTYPE || target)
            continue;
        r->dx_bytes[i] = d->x_count[i] * sizeof(cconv_real);
        r->dx[i] = guarded(r->dx_bytes[i]);
    }
    for (int32_t i = 0; d->app.layer != NULL && i < d->app.layer->trained; i++) {
        r->dparam_bytes[i] =
            cconv_shape_count(&d->app.layer->tensors[i].tensor->shape) * sizeof(cconv_real);
        r->dparam[i] = guarded(r->dparam_bytes[i]);
    }
}

/* Backward must not touch what the flags say it has no need of. */
static void spoil(const struct drive *d, cconv_real *y, void *x0, size_t x0_bytes)
{
    if ((d->app.op->flags & CCONV_KEEPS_Y) == 0)
        memset(y, RUBBISH, d->y_count * sizeof *y);
    if ((d->app.op->flags & CCONV_KEEPS_X) == 0)
        memset(x0, RUBBISH, x0_bytes);
}

static void backward(const struct drive *d, struct cconv_run *run, struct result *r, int in_place)
{
    cconv_real *dy = copy_of(d->dy, d->y_count * sizeof *dy);
    cconv_real *dx[DRIVE_INPUTS];

    memcpy(dx, r->dx, sizeof dx);
    in_place = in_place && dx[0] != NULL;
    if (in_place)
        dx[0] = dy;
    run->dy = dy;
    run->dx = dx;
    run->dparam = r->dparam;
    d->app.op->backward(&d->app, run);
    if (in_place)
        memcpy(r->dx[0], dy, r->dx_bytes[0]);
    else
        assert_memory_equal(dy, d->dy, d->y_count * sizeof *dy);
    check_guard(dy, d->y_count * sizeof *dy);
    free(dy);
}

static void check_guards(const struct result *r)
{
    check_guard(r->y, r->y_bytes);
    for (int i = 0; i < DRIVE_INPUTS; i++)
        check_guard(r->dx[i], r->dx_bytes[i]);
    for (int i = 0; i < 2; i++)
        check_guard(r->dparam[i], r->dparam_bytes[i]);
}

static coordconv_status run_once(struct drive *d, int which, int in_place, struct result *r)
{
    struct cconv_space space = { 0 };
    struct cconv_run run = { 0 };
    const size_t x0_bytes = d->x_count[0] * sizeof(cconv_real);
    const void *x[DRIVE_INPUTS];

    d->app.context = d->contexts[which];
    make_result(d, r);
    if (d->app.op->space != NULL)
        d->app.op->space(&d->app, &space);
    memcpy(x, d->x, sizeof x);
    void *x0 = copy_of(d->x[0], x0_bytes);
    cconv_real *y = in_place ? x0 : r->y;

    x[0] = x0;
    run.x = x;
    run.y = y;
    run.packed = guarded(space.packed);
    run.saved = guarded(space.saved);
    run.scratch = guarded(space.forward);
    if (d->app.op->prepare != NULL)
        d->app.op->prepare(&d->app, &run);
    const coordconv_status st = d->app.op->forward(&d->app, &run);
    if (st == COORDCONV_OK && d->app.training && d->app.op->finish != NULL && !d->keeps_buffers)
        d->app.op->finish(&d->app, &run);

    check_guard(run.scratch, space.forward);
    free(run.scratch);
    if (in_place)
        memcpy(r->y, y, r->y_bytes);
    else
        assert_memory_equal(x0, d->x[0], x0_bytes);
    if (st == COORDCONV_OK && d->app.training) {
        cconv_real *kept = copy_of(r->y, r->y_bytes);
        memcpy(x0, d->x[0], x0_bytes); /* a graph keeps x elsewhere when it is needed */
        spoil(d, kept, x0, x0_bytes);
        run.y = kept;
        run.scratch = guarded(space.backward);
        backward(d, &run, r, in_place);
        check_guard(run.scratch, space.backward);
        free(run.scratch);
        free(kept);
    }
    check_guard(run.packed, space.packed);
    check_guard(run.saved, space.saved);
    check_guards(r);
    check_guard(x0, x0_bytes);
    free(run.packed);
    free(run.saved);
    free(x0);
    return st;
}

static void same_result(const struct drive *d, const struct result *a, const struct result *b)
{
    assert_memory_equal(a->y, b->y, a->y_bytes);
    for (int i = 0; d->app.training && i < DRIVE_INPUTS; i++)
        if (a->dx[i] != NULL)
            assert_memory_equal(a->dx[i], b->dx[i], a->dx_bytes[i]);
    for (int i = 0; d->app.training && i < 2; i++)
        if (a->dparam[i] != NULL)
            assert_memory_equal(a->dparam[i], b->dparam[i], a->dparam_bytes[i]);
}

/* Results of an earlier run of the same driver. */
static void drop_results(struct drive *d)
{
    free(d->y);
    d->y = NULL;
    for (int i = 0; i < DRIVE_INPUTS; i++) {
        free(d->dx[i]);
        d->dx[i] = NULL;
    }
    for (int i = 0; i < 2; i++) {
        free(d->dparam[i]);
        d->dparam[i] = NULL;
    }
}

static void make_dy(struct drive *d, const cconv_real *given)
{
    uint64_t seed = 4711;

    free(d->dy);
    d->dy = guarded(d->y_count * sizeof *d->dy);
    for (size_t i = 0; i < d->y_count; i++)
        d->dy[i] = given != NULL ? given[i] : (cconv_real)test_random(&seed);
}

static void run_again(struct drive *d, int in_place, const struct result *first)
{
    struct result other;

    assert_int_equal(run_once(d, 1, in_place, &other), COORDCONV_OK);
    same_result(d, first, &other);
    drop(&other);
}

coordconv_status drive_try(struct drive *d, const cconv_real *dy_or_null)
{
    struct result first;
    coordconv_status st = drive_infer(d);

    if (st != COORDCONV_OK)
        return st;
    drop_results(d);
    d->y_count = cconv_shape_count(&d->app.out);
    make_dy(d, dy_or_null);
    st = run_once(d, 0, 0, &first);
    if (st == COORDCONV_OK) {
        /* A layer's running statistics move once a test, not once a run. */
        const int32_t keeps = d->keeps_buffers;
        d->keeps_buffers = 1;
        d->pool.order = TEST_ORDER_BACKWARD;
        run_again(d, 0, &first);
        d->pool.order = TEST_ORDER_THREADS;
        run_again(d, 0, &first);
        if ((d->app.op->flags & CCONV_IN_PLACE) != 0)
            run_again(d, 1, &first);
        d->keeps_buffers = keeps;
    }
    d->y = first.y;
    memcpy(d->dx, first.dx, sizeof d->dx);
    memcpy(d->dparam, first.dparam, sizeof d->dparam);
    return st;
}

void drive_run(struct drive *d)
{
    check_ok(drive_try(d, NULL));
}

void drive_end(struct drive *d)
{
    drop_results(d);
    free(d->dy);
    for (int i = 0; i < DRIVE_INPUTS; i++)
        free(d->x[i]);
    coordconv_context_unref(d->contexts[0]);
    coordconv_context_unref(d->contexts[1]);
}

void drive_check(const char *what, const cconv_real *got, const double *want, size_t count,
                 double units)
{
    const double epsilon = sizeof(cconv_real) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
    double largest = 0;

    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)got[i] - want[i]) <= units * epsilon * largest)) {
            print_error("%s: element %zu of %zu is %.9g, expected %.9g (largest %g)\n", what, i,
                        count, (double)got[i], want[i], largest);
            fail();
        }
    }
}

double drive_sum_units(size_t count)
{
    return sizeof(cconv_real) == sizeof(float) ? 0 : (double)count;
}
