/* SPDX-License-Identifier: BSD-2-Clause
 *
 * op_driver.h - one operation run by hand through its contract (ops/op.h).
 *
 * drive_run() runs forward and backward several ways and lets the test fail
 * unless all give the same bits: on one thread, on three slots one after the
 * other from the last, on three threads, and in place where the operation says it
 * can be. Every buffer is filled with rubbish first and has a guard behind it.
 */
#ifndef COORDCONV_TESTS_OP_DRIVER_H
#define COORDCONV_TESTS_OP_DRIVER_H

#include "support.h"

#include "ops/op.h"

#define DRIVE_INPUTS 4

struct drive {
    coordconv_context *contexts[2]; /* one thread; three slots, run by pool */
    struct test_pool pool;
    union cconv_attr attr;
    struct cconv_app app;
    struct cconv_shape in[DRIVE_INPUTS];
    int32_t dtype[DRIVE_INPUTS];
    void *x[DRIVE_INPUTS];
    cconv_real *y, *dy;
    cconv_real *dx[DRIVE_INPUTS]; /* of real inputs, unless skip_dx */
    cconv_real *dparam[2];        /* of the layer, if any */
    int skip_dx[DRIVE_INPUTS];
    int keeps_buffers; /* do not let a layer's running statistics move */
    size_t y_count, x_count[DRIVE_INPUTS];
};

/* An operation in training mode, attributes zero, without inputs or layer. */
void drive_begin(struct drive *d, const struct cconv_op *op);

/* Next input: random numbers in [-1, 1), or int32 zeros. */
cconv_real *drive_input(struct drive *d, int32_t ndim, const int64_t *shape);
int32_t *drive_labels(struct drive *d, int64_t count);

/* Shape of a batch of images. */
cconv_real *drive_image(struct drive *d, int64_t n, int64_t h, int64_t w, int64_t c);

coordconv_status drive_infer(struct drive *d);

/* infer, space, prepare, forward; in training mode then backward with a random
 * dy. Where dy_or_null is given, with that. The status is that of infer or forward. */
coordconv_status drive_try(struct drive *d, const cconv_real *dy_or_null);
void drive_run(struct drive *d);

void drive_end(struct drive *d);

/* got[i] within `units` rounding errors of the largest of want. */
void drive_check(const char *what, const cconv_real *got, const double *want, size_t count,
                 double units);

/* Units to allow for a sum of count values: sums are made in double, here and in
 * the library, so this is 0 unless models compute in double as well. */
double drive_sum_units(size_t count);

#endif /* COORDCONV_TESTS_OP_DRIVER_H */
