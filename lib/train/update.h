/* SPDX-License-Identifier: BSD-2-Clause
 *
 * update.h - the arithmetic of optimizers: plain loops over one run of elements.
 *
 * Coefficients are worked out in double and rounded once; the elements are
 * computed in cconv_real in the order written at each rule, which is PyTorch's
 * (whose vector loops fuse some of these products and sums, which we do not).
 * Runs do not depend on each other, so they may be split anywhere.
 */
#ifndef CCONV_TRAIN_UPDATE_H
#define CCONV_TRAIN_UPDATE_H

#include <stddef.h>

#include "base/real.h"

/* What every rule begins with:
 *   w = keep * w;  g = scale * gradient + decay * w, with the w from before */
struct cconv_update {
    cconv_real scale; /* of clipping; 1: none */
    cconv_real decay; /* coupled; 0: none */
    cconv_real keep;  /* 1 - rate * decay where the decay is decoupled; 1: none */
};

/* v = g on the first step, else v = momentum * v + undamped * g;
 * d = v, or with Nesterov g + momentum * v; w = w - rate * d. Without momentum d = g. */
struct cconv_sgd {
    cconv_real rate;
    cconv_real momentum;
    cconv_real undamped; /* 1 - dampening */
    int first;
    int nesterov;
};

/* v is NULL without momentum. */
void cconv_update_sgd(const struct cconv_update *u, const struct cconv_sgd *sgd, size_t n,
                      cconv_real *w, const cconv_real *gradient, cconv_real *v);

/* m = beta1 * m + rest1 * g;  v = beta2 * v + rest2 * g * g;
 * w = w - step * m / (sqrt(v) / spread + epsilon) */
struct cconv_adam {
    cconv_real beta1, rest1; /* rest: 1 - beta */
    cconv_real beta2, rest2;
    cconv_real step;   /* rate / (1 - beta1^t) */
    cconv_real spread; /* sqrt(1 - beta2^t) */
    cconv_real epsilon;
};

void cconv_update_adam(const struct cconv_update *u, const struct cconv_adam *adam, size_t n,
                       cconv_real *w, const cconv_real *gradient, cconv_real *m, cconv_real *v);

/* Sum of squares in double, in an order that depends on n alone. */
double cconv_square_sum(size_t n, const cconv_real *values);

#endif /* CCONV_TRAIN_UPDATE_H */
