/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_optimizer.c - optimizers on a small net whose gradients the test writes
 * itself, against the rules as the public header states them, in double.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "optimizer_net.h"

#ifdef CCONV_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON FLT_EPSILON
#endif

/* ---- the rules, element by element in double ---- */

struct reference {
    coordconv_optimizer_desc d; /* every default written out */
    double w[ELEMENTS], first[ELEMENTS], second[ELEMENTS];
    double scale; /* of the clipping */
    int64_t t;
};

static int kernel_at(int i)
{
    int p = 0;

    while (i >= parameters[p].first + parameters[p].count)
        p++;
    return parameters[p].kernel;
}

static void reference_begin(struct reference *r, const coordconv_optimizer_desc *d)
{
    test_real w[ELEMENTS];

    memset(r, 0, sizeof *r);
    r->d = *d;
    get_parameters(w);
    for (int i = 0; i < ELEMENTS; i++)
        r->w[i] = (double)w[i];
    r->scale = 1;
}

static void reference_sgd(struct reference *r, int i, double g, double decay)
{
    const coordconv_optimizer_desc *d = &r->d;
    double *v = &r->first[i];

    if (d->decoupled)
        r->w[i] -= d->learning_rate * decay * r->w[i];
    else
        g += decay * r->w[i];
    *v = r->t == 1 ? g : d->momentum * *v + (1 - d->dampening) * g;
    if (d->momentum == 0)
        *v = g;
    r->w[i] -= d->learning_rate * (d->nesterov ? g + d->momentum * *v : *v);
}

static void reference_adam(struct reference *r, int i, double g, double decay)
{
    const coordconv_optimizer_desc *d = &r->d;
    double *m = &r->first[i], *v = &r->second[i];

    if (d->kind == COORDCONV_ADAMW)
        r->w[i] -= d->learning_rate * decay * r->w[i];
    else
        g += decay * r->w[i];
    *m = d->beta1 * *m + (1 - d->beta1) * g;
    *v = d->beta2 * *v + (1 - d->beta2) * g * g;
    r->w[i] -= d->learning_rate * (*m / (1 - pow(d->beta1, (double)r->t))) /
               (sqrt(*v / (1 - pow(d->beta2, (double)r->t))) + d->epsilon);
}

static void reference_step(struct reference *r, const test_real *gradients)
{
    r->t++;
    for (int i = 0; i < ELEMENTS; i++) {
        const double g = r->scale * (double)gradients[i];
        const double decay =
            r->d.decay == COORDCONV_DECAY_ALL || kernel_at(i) ? r->d.weight_decay : 0;

        if (r->d.kind == COORDCONV_SGD)
            reference_sgd(r, i, g, decay);
        else
            reference_adam(r, i, g, decay);
    }
}

/* Each step rounds w and a handful of terms no larger than about 2: a dozen roundings. */
static void check_parameters(const struct reference *r)
{
    test_real got[ELEMENTS];

    get_parameters(got);
    for (int i = 0; i < ELEMENTS; i++) {
        const double bound = (double)EPSILON * (double)r->t * (fabs(r->w[i]) + 2);

        if (!(fabs((double)got[i] - r->w[i]) <= bound))
            fail_msg("element %d after %d steps is %.9g, expected %.9g", i, (int)r->t,
                     (double)got[i], r->w[i]);
    }
}

/* Five steps of random gradients. `given` is what the library gets, `d` the same in full. */
static void check_rule(const coordconv_optimizer_desc *given, const coordconv_optimizer_desc *d)
{
    coordconv_optimizer *o = make_optimizer(given);
    struct reference r;
    test_real g[ELEMENTS];

    reference_begin(&r, d);
    for (uint64_t step = 1; step <= 5; step++) {
        random_gradients(g, step);
        set_gradients(plan, g);
        check_ok(coordconv_optimizer_step(o));
        reference_step(&r, g);
        check_parameters(&r);
        assert_int_equal(coordconv_optimizer_steps(o), step);
    }
    coordconv_optimizer_unref(o);
}

static void sgd_follows_its_rule(void **state)
{
    const coordconv_optimizer_desc variants[] = {
        { .learning_rate = 0.1 },
        { .learning_rate = 0.1, .momentum = 0.9 },
        { .learning_rate = 0.1, .momentum = 0.9, .dampening = 0.25 },
        { .learning_rate = 0.1, .momentum = 0.9, .nesterov = 1 },
        { .learning_rate = 0.1, .weight_decay = 0.5 },
        { .learning_rate = 0.1, .momentum = 0.5, .weight_decay = 0.5, .nesterov = 1 },
        { .learning_rate = 0.1, .weight_decay = 0.5, .decoupled = 1 },
        { .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.5, .decoupled = 1 },
        { .learning_rate = 0.1, .weight_decay = 0.5, .decay = COORDCONV_DECAY_KERNELS },
        { .learning_rate = 0.1,
          .weight_decay = 0.5,
          .decoupled = 1,
          .decay = COORDCONV_DECAY_KERNELS },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(variants); i++) {
        coordconv_optimizer_desc d = variants[i];

        d.struct_size = sizeof d;
        d.kind = COORDCONV_SGD;
        check_rule(&d, &d);
    }
}

static void adam_follows_its_rule(void **state)
{
    const coordconv_optimizer_desc variants[] = {
        { .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 },
        { .beta1 = 0.9, .beta2 = 0.99, .epsilon = 0.1 },
        { .beta1 = 0.5, .beta2 = 0.9, .epsilon = 1e-8, .weight_decay = 0.5 },
        { .beta1 = 0.9,
          .beta2 = 0.999,
          .epsilon = 1e-8,
          .weight_decay = 0.5,
          .decay = COORDCONV_DECAY_KERNELS },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(variants); i++) {
        for (int32_t kind = COORDCONV_ADAM; kind <= COORDCONV_ADAMW; kind++) {
            coordconv_optimizer_desc d = variants[i];

            d.struct_size = sizeof d;
            d.kind = kind;
            d.learning_rate = 0.1;
            check_rule(&d, &d);
        }
    }
}

static void defaults_are_those_of_the_header(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_ADAM };
    coordconv_optimizer_desc full = d;
    (void)state;

    full.learning_rate = 0.001;
    full.beta1 = 0.9;
    full.beta2 = 0.999;
    full.epsilon = 1e-8;
    check_rule(&d, &full);
    d.kind = full.kind = COORDCONV_SGD;
    check_rule(&d, &full);
}

/* With beta1 = beta2 = epsilon = 0 Adam moves every weight by the rate, in g's direction. */
static void minus_one_is_a_true_zero(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d,
                                   .kind = COORDCONV_ADAM,
                                   .learning_rate = 0.25,
                                   .beta1 = -1,
                                   .beta2 = -1,
                                   .epsilon = -1 };
    coordconv_optimizer *o = make_optimizer(&d);
    test_real before[ELEMENTS], after[ELEMENTS], g[ELEMENTS];
    (void)state;

    random_gradients(g, 3);
    get_parameters(before);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    get_parameters(after);
    for (int i = 0; i < ELEMENTS; i++) {
        const double want = (double)before[i] - (g[i] > 0 ? 0.25 : -0.25);

        assert_true(fabs((double)after[i] - want) <= 2 * (double)EPSILON);
    }
    coordconv_optimizer_unref(o);
}

/* ---- clipping ---- */

static double norm_of(const test_real *g)
{
    double sum = 0;

    for (int i = 0; i < ELEMENTS; i++)
        sum += (double)g[i] * (double)g[i];
    return sqrt(sum);
}

static void clipping_scales_to_the_norm(void **state)
{
    coordconv_optimizer_desc d = {
        .struct_size = sizeof d, .kind = COORDCONV_SGD, .learning_rate = 0.1, .clip_norm = 0.5
    };
    coordconv_optimizer *o = make_optimizer(&d);
    struct reference r;
    test_real g[ELEMENTS];
    (void)state;

    assert_true(coordconv_optimizer_gradient_norm(o) == 0);
    reference_begin(&r, &d);
    random_gradients(g, 9);
    assert_true(norm_of(g) > 1);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    assert_true(fabs(coordconv_optimizer_gradient_norm(o) - norm_of(g)) < 1e-14 * norm_of(g));
    r.scale = 0.5 / norm_of(g);
    reference_step(&r, g);
    check_parameters(&r);
    coordconv_optimizer_unref(o);
}

static void gradients_within_the_norm_keep_their_bits(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_SGD };
    test_real before[ELEMENTS], clipped[ELEMENTS], plain[ELEMENTS], g[ELEMENTS];
    coordconv_tensor *flat;
    coordconv_optimizer *o;
    const int64_t count = ELEMENTS;
    (void)state;

    get_parameters(before);
    random_gradients(g, 9);
    set_gradients(plan, g);
    o = make_optimizer(&d);
    check_ok(coordconv_optimizer_step(o));
    get_parameters(plain);
    coordconv_optimizer_unref(o);

    check_ok(coordconv_tensor_new(context, TEST_REAL, 1, &count, &flat));
    memcpy(test_values(flat), before, sizeof before);
    check_ok(coordconv_plan_set_parameters(plan, flat));
    d.clip_norm = norm_of(g) * 1.0001;
    o = make_optimizer(&d);
    check_ok(coordconv_optimizer_step(o));
    get_parameters(clipped);
    assert_memory_equal(clipped, plain, sizeof plain);
    coordconv_optimizer_unref(o);
    coordconv_tensor_unref(flat);
}

/* ---- what is trained ---- */

static void only_chosen_layers_move(void **state)
{
    coordconv_layer *const chosen[] = { layer_b, layer_b, layer_norm };
    coordconv_optimizer_desc d = { .struct_size = sizeof d,
                                   .kind = COORDCONV_SGD,
                                   .learning_rate = 0.1,
                                   .momentum = 0.5,
                                   .layer_count = 3,
                                   .layers = chosen };
    coordconv_optimizer *o = make_optimizer(&d);
    test_real before[ELEMENTS], after[ELEMENTS], g[ELEMENTS];
    double sum = 0;
    (void)state;

    get_parameters(before);
    random_gradients(g, 1);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    get_parameters(after);
    for (int i = 0; i < ELEMENTS; i++) {
        assert_true((before[i] != after[i]) == (i >= 20));
        sum += i >= 20 ? (double)g[i] * (double)g[i] : 0; /* the norm is of the chosen ones too */
    }
    assert_true(fabs(coordconv_optimizer_gradient_norm(o) - sqrt(sum)) < 1e-14 * sqrt(sum));
    assert_int_equal(coordconv_optimizer_state_count(o), 4);
    coordconv_optimizer_unref(o);
}

/* Steps on two plans in turn are the steps of one. */
static void state_moves_to_another_plan(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d,
                                   .kind = COORDCONV_ADAM,
                                   .learning_rate = 0.1,
                                   .beta1 = 0.9,
                                   .beta2 = 0.99,
                                   .epsilon = 1e-8 };
    coordconv_optimizer *o = make_optimizer(&d);
    struct reference r;
    test_real g[ELEMENTS];
    (void)state;

    reference_begin(&r, &d);
    for (uint64_t step = 1; step <= 6; step++) {
        coordconv_plan *now = step % 3 == 0 ? other : plan;

        random_gradients(g, step);
        set_gradients(now, g);
        check_ok(coordconv_optimizer_set_plan(o, now));
        check_ok(coordconv_optimizer_step(o));
        reference_step(&r, g);
        check_parameters(&r);
    }
    coordconv_optimizer_unref(o);
}

/* What saving and loading does: steps and state into a new optimizer. */
static void restored_state_continues_with_the_same_bits(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d,
                                   .kind = COORDCONV_SGD,
                                   .learning_rate = 0.1,
                                   .momentum = 0.9,
                                   .dampening = 0.5 };
    coordconv_optimizer *o = make_optimizer(&d), *resumed = make_optimizer(&d);
    test_real g[ELEMENTS], before[ELEMENTS], want[ELEMENTS], got[ELEMENTS];
    const int64_t count = ELEMENTS;
    coordconv_tensor *flat;
    (void)state;

    random_gradients(g, 5);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    check_ok(coordconv_optimizer_step(o));
    get_parameters(before);
    for (int32_t i = 0; i < coordconv_optimizer_state_count(o); i++) {
        coordconv_tensor *from, *to;

        check_ok(coordconv_optimizer_state(o, i, NULL, &from));
        check_ok(coordconv_optimizer_state(resumed, i, NULL, &to));
        check_ok(coordconv_tensor_copy(to, from));
    }
    check_ok(coordconv_optimizer_set_steps(resumed, coordconv_optimizer_steps(o)));
    check_ok(coordconv_optimizer_step(o));
    get_parameters(want);
    check_ok(coordconv_tensor_new(context, TEST_REAL, 1, &count, &flat));
    memcpy(test_values(flat), before, sizeof before);
    check_ok(coordconv_plan_set_parameters(plan, flat));
    check_ok(coordconv_optimizer_step(resumed));
    get_parameters(got);
    assert_memory_equal(got, want, sizeof want);
    coordconv_tensor_unref(flat);
    coordconv_optimizer_unref(o);
    coordconv_optimizer_unref(resumed);
}

static void the_learning_rate_can_be_changed(void **state)
{
    coordconv_optimizer_desc d = { .struct_size = sizeof d, .kind = COORDCONV_SGD };
    coordconv_optimizer *o = make_optimizer(&d);
    struct reference r;
    test_real g[ELEMENTS];
    (void)state;

    assert_true(coordconv_optimizer_learning_rate(o) == 0.001);
    check_fails(coordconv_optimizer_set_learning_rate(o, 0), COORDCONV_ERR_INVALID, "rate 0");
    check_fails(coordconv_optimizer_set_learning_rate(o, -1), COORDCONV_ERR_INVALID, "rate -1");
    check_fails(coordconv_optimizer_set_learning_rate(o, NAN), COORDCONV_ERR_INVALID, "nan");
    check_fails(coordconv_optimizer_set_learning_rate(o, INFINITY), COORDCONV_ERR_INVALID, "inf");
    assert_true(coordconv_optimizer_learning_rate(o) == 0.001);
    check_ok(coordconv_optimizer_set_learning_rate(o, 0.5));
    assert_true(coordconv_optimizer_learning_rate(o) == 0.5);
    reference_begin(&r, &d);
    r.d.learning_rate = 0.5;
    random_gradients(g, 8);
    set_gradients(plan, g);
    check_ok(coordconv_optimizer_step(o));
    reference_step(&r, g);
    check_parameters(&r);
    coordconv_optimizer_unref(o);
}

/* ---- threads ---- */

enum {
    WIDE = 300
}; /* 300 x 300 weights: enough to be split */

/* The parameters of a wide net after three steps, one run of a chosen context. */
static void train_wide(int32_t threads, struct test_pool *pool, test_real *out, double *norm)
{
    coordconv_optimizer_desc d = {
        .struct_size = sizeof d, .kind = COORDCONV_ADAMW, .weight_decay = 0.5, .clip_norm = 1
    };
    const int64_t shape[] = { -1, WIDE }, count = WIDE * WIDE + WIDE;
    coordconv_context *mine = test_context(threads, NULL, pool), *const before = context;
    coordconv_tensor *flat, *x, *gradients;
    coordconv_optimizer *o;
    coordconv_layer *wide;
    coordconv_model *m;
    coordconv_plan *p;
    coordconv_value v;
    uint64_t seed = 77;

    context = mine;
    wide = linear(WIDE, WIDE, "wide");
    check_ok(coordconv_model_new(mine, &m));
    v = coordconv_model_input(m, "x", TEST_REAL, 2, shape);
    coordconv_model_output(m, "loss", coordconv_model_mse(m, coordconv_model_apply(m, wide, v), v));
    p = make_plan(m, COORDCONV_TRAINING, 1);
    x = test_tensor(mine, 2, (const int64_t[]){ 1, WIDE }, 5);
    check_ok(coordconv_plan_bind(p, "x", x));
    check_ok(coordconv_plan_run(p));
    check_ok(coordconv_optimizer_new(p, &d, &o));
    check_ok(coordconv_plan_gradients(p, &gradients));
    for (int step = 0; step < 3; step++) {
        for (int64_t i = 0; i < count; i++)
            test_values(gradients)[i] = (test_real)test_random(&seed);
        check_ok(coordconv_optimizer_step(o));
    }
    *norm = coordconv_optimizer_gradient_norm(o);
    check_ok(coordconv_tensor_new(mine, TEST_REAL, 1, &count, &flat));
    check_ok(coordconv_plan_get_parameters(p, flat));
    memcpy(out, test_values(flat), (size_t)count * sizeof *out);
    coordconv_tensor_unref(flat);
    coordconv_tensor_unref(gradients);
    coordconv_tensor_unref(x);
    coordconv_optimizer_unref(o);
    coordconv_plan_unref(p);
    coordconv_model_unref(m);
    coordconv_layer_unref(wide);
    coordconv_context_unref(mine);
    context = before;
}

static void threads_do_not_change_the_bits(void **state)
{
    static test_real want[WIDE * WIDE + WIDE], got[WIDE * WIDE + WIDE];
    static const int32_t threads[] = { 2, 3, 5 };
    double want_norm, got_norm;
    (void)state;

    train_wide(1, NULL, want, &want_norm);
    for (size_t i = 0; i < COUNT(threads); i++) {
        for (int order = TEST_ORDER_THREADS; order <= TEST_ORDER_BACKWARD; order++) {
            struct test_pool pool = { .order = (enum test_order)order,
                                      .threads = (size_t)threads[i] };

            train_wide(threads[i], &pool, got, &got_norm);
            assert_true(pool.calls >= 6); /* two passes a step */
            assert_memory_equal(got, want, sizeof want);
            assert_true(got_norm == want_norm);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sgd_follows_its_rule),
        TEST(adam_follows_its_rule),
        TEST(defaults_are_those_of_the_header),
        TEST(minus_one_is_a_true_zero),
        TEST(clipping_scales_to_the_norm),
        TEST(gradients_within_the_norm_keep_their_bits),
        TEST(only_chosen_layers_move),
        TEST(state_moves_to_another_plan),
        TEST(restored_state_continues_with_the_same_bits),
        TEST(the_learning_rate_can_be_changed),
        TEST(threads_do_not_change_the_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
