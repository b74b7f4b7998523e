/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_schedule.c - learning rates over time, at their corners.
 */
#include <math.h>

#include "support.h"

static double rate_at(const coordconv_schedule_desc *desc, double t)
{
    double rate = -1;

    check_ok(coordconv_schedule_rate(desc, t, &rate));
    return rate;
}

static int close_to(double got, double want)
{
    return fabs(got - want) <= 1e-15 * fabs(want);
}

static void constant_is_constant(void **state)
{
    coordconv_schedule_desc d = { .struct_size = sizeof d };
    (void)state;

    assert_true(rate_at(&d, 0) == 0.001);
    assert_true(rate_at(&d, 1e9) == 0.001);
    d.rate = 0.25;
    assert_true(rate_at(&d, 17) == 0.25);
}

/* The policy of the paper's released code: a tenth every 200 epochs, four times at most. */
static void steps_fall_at_multiples(void **state)
{
    coordconv_schedule_desc d = { .struct_size = sizeof d,
                                  .kind = COORDCONV_SCHEDULE_STEP,
                                  .rate = 0.5,
                                  .every = 200,
                                  .max_steps = 4 };
    (void)state;

    assert_true(rate_at(&d, 0) == 0.5);
    assert_true(rate_at(&d, 199.999) == 0.5);
    assert_true(close_to(rate_at(&d, 200), 0.05));
    assert_true(close_to(rate_at(&d, 799), 0.0005));
    assert_true(close_to(rate_at(&d, 800), 0.00005));
    assert_true(close_to(rate_at(&d, 1000), 0.00005));
    d.max_steps = 0;
    assert_true(close_to(rate_at(&d, 1000), 0.000005));
    d.ratio = 0.5;
    assert_true(rate_at(&d, 600) == 0.0625);
}

static void cosine_falls_and_stays(void **state)
{
    coordconv_schedule_desc d = { .struct_size = sizeof d,
                                  .kind = COORDCONV_SCHEDULE_COSINE,
                                  .rate = 0.9,
                                  .final_rate = 0.1,
                                  .total = 60 };
    (void)state;

    assert_true(close_to(rate_at(&d, 0), 0.9));
    assert_true(close_to(rate_at(&d, 20), 0.7)); /* cos 60 degrees = 1/2 */
    assert_true(close_to(rate_at(&d, 30), 0.5));
    assert_true(close_to(rate_at(&d, 40), 0.3));
    assert_true(rate_at(&d, 60) == 0.1);
    assert_true(rate_at(&d, 6000) == 0.1);
    d.final_rate = 0;
    assert_true(rate_at(&d, 60) == 0);
}

static void warmup_rises_to_the_schedule_without_a_jump(void **state)
{
    coordconv_schedule_desc d = { .struct_size = sizeof d, .rate = 0.5, .warmup = 10 };
    (void)state;

    assert_true(rate_at(&d, 0) == 0);
    assert_true(rate_at(&d, 5) == 0.25);
    assert_true(rate_at(&d, 10) == 0.5);
    assert_true(rate_at(&d, 11) == 0.5);
    d.kind = COORDCONV_SCHEDULE_COSINE;
    d.total = 20; /* half way down when the warmup ends: t counts on, it does not begin anew */
    assert_true(close_to(rate_at(&d, 10), 0.25));
    assert_true(fabs(rate_at(&d, 10 - 1e-9) - 0.25) < 1e-9);
    assert_true(close_to(rate_at(&d, 5), 0.125));
}

static void bad_schedules_are_refused(void **state)
{
    const coordconv_schedule_desc good = { .struct_size = sizeof good };
    coordconv_schedule_desc d;
    double rate = 42;
    (void)state;

#define REFUSED(field, value, status, text)                                                        \
    do {                                                                                           \
        d = good;                                                                                  \
        d.field = (value);                                                                         \
        check_fails(coordconv_schedule_rate(&d, 1, &rate), status, text);                          \
        assert_true(rate == 42);                                                                   \
    } while (0)
    REFUSED(struct_size, 4, COORDCONV_ERR_ABI, "struct_size 4");
    REFUSED(kind, 3, COORDCONV_ERR_INVALID, "kind 3");
    REFUSED(kind, -1, COORDCONV_ERR_INVALID, "kind -1");
    REFUSED(kind, COORDCONV_SCHEDULE_STEP, COORDCONV_ERR_INVALID, "every is not set");
    REFUSED(kind, COORDCONV_SCHEDULE_COSINE, COORDCONV_ERR_INVALID, "total is not set");
    REFUSED(rate, -0.5, COORDCONV_ERR_INVALID, "rate is -0.5");
    REFUSED(rate, NAN, COORDCONV_ERR_INVALID, "rate is nan");
    REFUSED(rate, INFINITY, COORDCONV_ERR_INVALID, "rate is inf");
    REFUSED(final_rate, -1, COORDCONV_ERR_INVALID, "final_rate is -1");
    REFUSED(ratio, -1, COORDCONV_ERR_INVALID, "ratio is -1");
    REFUSED(every, -1, COORDCONV_ERR_INVALID, "every is -1");
    REFUSED(total, -1, COORDCONV_ERR_INVALID, "total is -1");
    REFUSED(warmup, -1, COORDCONV_ERR_INVALID, "warmup is -1");
    REFUSED(max_steps, -1, COORDCONV_ERR_INVALID, "max_steps is -1");
    REFUSED(reserved, 1, COORDCONV_ERR_INVALID, "reserved is 1");
#undef REFUSED
    check_fails(coordconv_schedule_rate(&good, -1, &rate), COORDCONV_ERR_INVALID, "t is -1");
    check_fails(coordconv_schedule_rate(&good, NAN, &rate), COORDCONV_ERR_INVALID, "t is nan");
    check_fails(coordconv_schedule_rate(NULL, 1, &rate), COORDCONV_ERR_INVALID, "NULL");
    check_fails(coordconv_schedule_rate(&good, 1, NULL), COORDCONV_ERR_INVALID, "rate is NULL");
    d = good;
    d.kind = COORDCONV_SCHEDULE_STEP;
    d.every = 1;
    d.ratio = 10;
    check_fails(coordconv_schedule_rate(&d, 400, &rate), COORDCONV_ERR_INVALID, "inf");
    assert_true(rate == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_is_constant),
        cmocka_unit_test(steps_fall_at_multiples),
        cmocka_unit_test(cosine_falls_and_stays),
        cmocka_unit_test(warmup_rises_to_the_schedule_without_a_jump),
        cmocka_unit_test(bad_schedules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
