/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_losses.c - weights and ignored labels of losses where nothing counts, where what does not
 * count is no number, and over arrays that several tasks share.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "support.h"

static struct test_pool pool = { .order = TEST_ORDER_THREADS, .threads = 3 };

/* A training plan over two inputs "x" and "target" like these tensors and perhaps a third,
 * "weight". */
struct run {
    coordconv_context *context;
    coordconv_plan *plan;
    coordconv_tensor *loss, *dx;
    int32_t *arena;
};

static coordconv_value input_like(coordconv_model *m, const char *name, coordconv_tensor *t)
{
    int64_t shape[4];

    for (int32_t i = 0; i < coordconv_tensor_ndim(t); i++)
        shape[i] = coordconv_tensor_dim(t, i);
    return coordconv_model_input(m, name, coordconv_tensor_dtype(t), coordconv_tensor_ndim(t),
                                 shape);
}

/* In memory that may hold what looks like a label: a loss must not read what it has not written. */
static void make_plan(struct run *r, coordconv_model *m)
{
    coordconv_plan_desc desc = { .struct_size = sizeof desc,
                                 .mode = COORDCONV_TRAINING,
                                 .input_gradients = 1 };

    check_ok(coordconv_plan_arena_size(m, &desc, &desc.arena_bytes));
    r->arena = aligned_alloc(64, desc.arena_bytes);
    assert_non_null(r->arena);
    for (size_t i = 0; i < desc.arena_bytes / sizeof *r->arena; i++)
        r->arena[i] = 1;
    desc.arena = r->arena;
    check_ok(coordconv_plan_new(m, &desc, &r->plan));
}

static coordconv_status try_loss(struct run *r, coordconv_loss_desc desc, coordconv_tensor *x,
                                 coordconv_tensor *target, coordconv_tensor *weight)
{
    coordconv_model *m = NULL;

    check_ok(coordconv_model_new(r->context, &m));
    const coordconv_value a = input_like(m, "x", x), t = input_like(m, "target", target);
    desc.struct_size = sizeof desc;
    desc.weighted = weight != NULL;
    desc.weight = weight != NULL ? input_like(m, "weight", weight) : 0;
    coordconv_model_output(m, "loss", coordconv_model_loss(m, a, t, &desc));
    make_plan(r, m);
    coordconv_model_unref(m);
    check_ok(coordconv_plan_bind(r->plan, "x", x));
    check_ok(coordconv_plan_bind(r->plan, "target", target));
    if (weight != NULL)
        check_ok(coordconv_plan_bind(r->plan, "weight", weight));
    return coordconv_plan_run(r->plan);
}

static struct run run_loss(coordconv_context *context, coordconv_loss_desc desc,
                           coordconv_tensor *x, coordconv_tensor *target, coordconv_tensor *weight)
{
    struct run r = { .context = context };

    check_ok(try_loss(&r, desc, x, target, weight));
    check_ok(coordconv_plan_output(r.plan, "loss", &r.loss));
    check_ok(coordconv_plan_input_gradient(r.plan, "x", &r.dx));
    return r;
}

static double loss_of(const struct run *r)
{
    return (double)*test_values(r->loss);
}

static void end(struct run *r)
{
    coordconv_tensor_unref(r->loss);
    coordconv_tensor_unref(r->dx);
    coordconv_plan_unref(r->plan);
    free(r->arena);
}

static void check_zero(struct run *r)
{
    assert_true(loss_of(r) == 0);
    for (int64_t i = 0; i < coordconv_tensor_count(r->dx); i++)
        assert_true(test_values(r->dx)[i] == 0);
    end(r);
}

static void nothing_counts(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 2, (const int64_t[]){ 3, 5 }, 1);
    coordconv_tensor *t = test_tensor(context, 2, (const int64_t[]){ 3, 5 }, 2);
    coordconv_tensor *labels = test_labels(context, 3, 5, 3), *zeros = test_like(context, x), *few;
    (void)state;

    check_ok(coordconv_tensor_new(context, TEST_REAL, 1, (const int64_t[]){ 3 }, &few));
    for (int32_t kind = COORDCONV_LOSS_MSE; kind <= COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY; kind++)
        for (int32_t reduction = 0; reduction < 2; reduction++) {
            const coordconv_loss_desc desc = { .kind = kind, .reduction = reduction };
            const int softmax = kind == COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY;
            struct run r = run_loss(context, desc, x, t, softmax ? few : zeros);

            check_zero(&r);
        }
    const coordconv_loss_desc ignoring = { .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY,
                                           .ignore = 1 };
    check_ok(coordconv_tensor_fill(labels, -7));
    struct run r = run_loss(context, ignoring, x, labels, NULL);
    check_zero(&r);
    coordconv_tensor *all[] = { x, t, labels, zeros, few };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_context_unref(context);
}

/* Logits of samples that do not count may be anything; a label too large is still refused. */
static void ignored_samples_are_not_looked_at(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 2, (const int64_t[]){ 2, 3 }, 1);
    coordconv_tensor *one = test_tensor(context, 2, (const int64_t[]){ 1, 3 }, 1);
    coordconv_tensor *labels = test_labels(context, 2, 3, 3),
                     *label = test_labels(context, 1, 3, 3);
    const coordconv_loss_desc desc = { .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY, .ignore = 1 };
    const coordconv_loss_desc plain = { .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY };
    (void)state;

    ((int32_t *)coordconv_tensor_data(labels))[1] = -1;
    for (int i = 3; i < 6; i++)
        test_values(x)[i] = (test_real)NAN;
    struct run got = run_loss(context, desc, x, labels, NULL);
    struct run want = run_loss(context, plain, one, label, NULL);
    test_check_same(got.loss, want.loss, "loss");
    for (int i = 0; i < 3; i++) {
        assert_true(test_values(got.dx)[i] == test_values(want.dx)[i]);
        assert_true(test_values(got.dx)[3 + i] == 0);
    }
    end(&got);
    end(&want);
    struct run r = { .context = context };
    check_fails(try_loss(&r, plain, x, labels, NULL), COORDCONV_ERR_INVALID, "-1");
    end(&r);
    r = (struct run){ .context = context };
    ((int32_t *)coordconv_tensor_data(labels))[0] = 3;
    check_fails(try_loss(&r, desc, x, labels, NULL), COORDCONV_ERR_INVALID, "class 3");
    end(&r);
    coordconv_tensor *all[] = { x, one, labels, label };
    for (size_t i = 0; i < COUNT(all); i++)
        coordconv_tensor_unref(all[i]);
    coordconv_context_unref(context);
}

/* Nor where the sum of the weights is no number. */
static void samples_of_weight_0_beside_no_number(void **state)
{
    enum {
        SAMPLES = 6,
        CLASSES = 3
    };
    static const float weights[][SAMPLES] = { { 0, NAN, 0, 1, 2, 0 },
                                              { INFINITY, 0, 1, 0, -INFINITY, 0 } };
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 2, (const int64_t[]){ SAMPLES, CLASSES }, 1);
    coordconv_tensor *labels = test_labels(context, SAMPLES, CLASSES, 3), *weight = NULL;
    (void)state;

    check_ok(coordconv_tensor_new(context, TEST_REAL, 1, (const int64_t[]){ SAMPLES }, &weight));
    for (int32_t ignore = 0; ignore < 2; ignore++)
        for (size_t i = 0; i < COUNT(weights); i++) {
            const coordconv_loss_desc desc = { .kind = COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY,
                                               .ignore = ignore };

            if (ignore)
                ((int32_t *)coordconv_tensor_data(labels))[2] = -1;
            for (int n = 0; n < SAMPLES; n++)
                test_values(weight)[n] = weights[i][n];
            struct run r = run_loss(context, desc, x, labels, weight);
            assert_true(isnan(loss_of(&r)));
            for (int k = 0; k < SAMPLES * CLASSES; k++)
                if (weights[i][k / CLASSES] == 0 || (ignore && k / CLASSES == 2))
                    assert_true(test_values(r.dx)[k] == 0);
            end(&r);
        }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(labels);
    coordconv_tensor_unref(weight);
    coordconv_context_unref(context);
}

/* Long enough for several tasks: one thread and three give the same bits, and weights of 1 nearly
 * what no weights do. */
static void threads_and_weights_of_one(void **state)
{
    coordconv_context *contexts[2] = { test_context(1, NULL, NULL), test_context(3, NULL, &pool) };
    const int64_t shape[2] = { 101, 997 }, batch[1] = { 101 };
    coordconv_tensor *x = test_tensor(contexts[0], 2, shape, 1);
    coordconv_tensor *t = test_tensor(contexts[0], 2, shape, 2);
    coordconv_tensor *labels = test_labels(contexts[0], 101, 997, 3);
    (void)state;

    for (int32_t kind = COORDCONV_LOSS_MSE; kind <= COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY; kind++) {
        const coordconv_loss_desc desc = { .kind = kind };
        const int softmax = kind == COORDCONV_LOSS_SOFTMAX_CROSS_ENTROPY;
        coordconv_tensor *const target = softmax ? labels : t;
        coordconv_tensor *weight =
            test_tensor(contexts[0], softmax ? 1 : 2, softmax ? batch : shape, 4);

        struct run one = run_loss(contexts[0], desc, x, target, weight);
        struct run three = run_loss(contexts[1], desc, x, target, weight);
        test_check_same(three.loss, one.loss, "loss");
        test_check_same(three.dx, one.dx, "dx");
        end(&one);
        end(&three);
        check_ok(coordconv_tensor_fill(weight, 1));
        one = run_loss(contexts[0], desc, x, target, weight);
        three = run_loss(contexts[1], desc, x, target, NULL);
        /* Terms are rounded to float before they are weighed, not if there are no weights. */
        assert_true(fabs(loss_of(&one) - loss_of(&three)) <= 1e-6 * fabs(loss_of(&three)));
        test_check_same(three.dx, one.dx, "dx");
        end(&one);
        end(&three);
        coordconv_tensor_unref(weight);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(labels);
    coordconv_context_unref(contexts[0]);
    coordconv_context_unref(contexts[1]);
}

/* Weights so small that one over their sum is no float. */
static void denormal_weights(void **state)
{
    static const float weights[][4] = { { 1e-40F, 0, 0, 0 }, { 1e-45F, 0, 0, 1e-45F } };
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 1, (const int64_t[]){ 4 }, 1);
    coordconv_tensor *t = test_like(context, x), *weight = test_like(context, x);
    (void)state;

    for (int32_t kind = COORDCONV_LOSS_MSE; kind <= COORDCONV_LOSS_SIGMOID_CROSS_ENTROPY; kind++)
        for (size_t i = 0; i < COUNT(weights); i++) {
            const coordconv_loss_desc desc = { .kind = kind };
            double sum = 0;

            for (int k = 0; k < 4; k++) {
                test_values(weight)[k] = weights[i][k];
                sum += (double)weights[i][k];
            }
            struct run small = run_loss(context, desc, x, t, weight);
            for (int k = 0; k < 4; k++) /* the same shares: powers of 2, or 0 */
                test_values(weight)[k] = (float)((double)weights[i][k] / sum);
            struct run plain = run_loss(context, desc, x, t, weight);
            assert_true(fabs(loss_of(&small) - loss_of(&plain)) <= FLT_EPSILON * loss_of(&plain));
            test_check_same(small.dx, plain.dx, "dx");
            end(&small);
            end(&plain);
        }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(t);
    coordconv_tensor_unref(weight);
    coordconv_context_unref(context);
}

/* Of the smallest and the largest beta nothing is infinite: neither the losses of differences of 0,
 * of beta / 2 and of much more, nor their gradients. */
static void limits_of_beta(void **state)
{
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 1, (const int64_t[]){ 3 }, 1);
    coordconv_tensor *t = test_like(context, x);
    (void)state;

    for (int32_t kind = COORDCONV_LOSS_SMOOTH_L1; kind <= COORDCONV_LOSS_ROBUST_L1; kind++)
        for (int i = 0; i < 2; i++) {
            const coordconv_loss_desc desc = { .kind = kind, .beta = i == 0 ? 1e-37 : 1e37 };
            const double slope = kind == COORDCONV_LOSS_SMOOTH_L1 ? 0.5 : 1;

            test_values(x)[0] = 0;
            test_values(x)[1] = (test_real)(desc.beta / 2);
            test_values(x)[2] = 7;
            struct run r = run_loss(context, desc, x, t, NULL);
            const double want[3] = { 0, slope, i == 0 ? 1 : 14 * slope / desc.beta };

            assert_true(isfinite(loss_of(&r)));
            for (int k = 0; k < 3; k++)
                assert_true(fabs(3 * (double)test_values(r.dx)[k] - want[k]) <= 1e-6 * want[k]);
            end(&r);
        }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(t);
    coordconv_context_unref(context);
}

/* e^v - 1 - v, from its series where it would cancel. */
static double excess(double v)
{
    double term = v * v / 2, sum = 0;

    if (fabs(v) >= 1)
        return expm1(v) - v;
    for (int k = 3; sum + term != sum; k++) {
        sum += term;
        term *= v / k;
    }
    return sum;
}

/* Of means 0 and log-variances near 0, as a variational autoencoder has in axes it does not use:
 * the divergence is a square there, of numbers whose exponentials are 1 but for a few bits. */
static void divergence_near_the_standard_normal(void **state)
{
    enum {
        COUNT_OF_ALL = 4096
    };
    static const double sizes[] = { 1e-18, 1e-9, 1e-5, 1.88e-5, 1e-3, 0.0078, 0.0079, 0.4, 4 };
    const int64_t shape[2] = { 2, COUNT_OF_ALL / 2 };
    coordconv_context *context = test_context(1, NULL, NULL);
    coordconv_tensor *x = test_tensor(context, 2, shape, 1), *mean = test_like(context, x);
    (void)state;

    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
        struct run r = { .context = context };
        coordconv_model *m = NULL;

        check_ok(coordconv_tensor_fill(x, i % 2 ? -sizes[i / 2] : sizes[i / 2]));
        const double v = (double)test_values(x)[0], want = COUNT_OF_ALL / 4.0 * excess(v);
        check_ok(coordconv_model_new(context, &m));
        const coordconv_value a = input_like(m, "x", x), t = input_like(m, "mean", mean);
        coordconv_model_output(m, "loss", coordconv_model_gaussian_kl(m, t, a));
        make_plan(&r, m);
        coordconv_model_unref(m);
        check_ok(coordconv_plan_bind(r.plan, "x", x));
        check_ok(coordconv_plan_bind(r.plan, "mean", mean));
        check_ok(coordconv_plan_run(r.plan));
        check_ok(coordconv_plan_output(r.plan, "loss", &r.loss));
        check_ok(coordconv_plan_input_gradient(r.plan, "x", &r.dx));
        assert_true(loss_of(&r) >= 0);
        assert_true(fabs(loss_of(&r) - want) <= FLT_EPSILON * want);
        for (int k = 0; k < COUNT_OF_ALL; k++)
            assert_true(fabs((double)test_values(r.dx)[k] - expm1(v) / 4) <=
                        FLT_EPSILON * fabs(expm1(v) / 4));
        end(&r);
    }
    coordconv_tensor_unref(x);
    coordconv_tensor_unref(mean);
    coordconv_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_counts),
        cmocka_unit_test(ignored_samples_are_not_looked_at),
        cmocka_unit_test(samples_of_weight_0_beside_no_number),
        cmocka_unit_test(threads_and_weights_of_one),
        cmocka_unit_test(denormal_weights),
        cmocka_unit_test(limits_of_beta),
        cmocka_unit_test(divergence_near_the_standard_normal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
