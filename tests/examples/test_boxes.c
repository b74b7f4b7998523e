/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_boxes.c - boxes of the examples, against cases worked out by hand; and the images of digits
 * whose boxes they are.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../examples/detect/boxes.h"
#include "../../examples/detect/field_of_mnist.h"
#include "fixture.h"

static int near(double got, double want)
{
    return fabs(got - want) < 1e-6;
}

static void overlaps_are_those_worked_out(void **state)
{
    static const struct {
        struct box a, b;
        double iou;
    } rows[] = {
        { { 10, 10, 4, 6 }, { 10, 10, 4, 6 }, 1 },
        { { 10, 10, 4, 6 }, { 12, 10, 4, 6 }, 12.0 / 36 }, /* half of each: a third */
        { { 10, 10, 4, 6 }, { 10, 13, 4, 6 }, 12.0 / 36 },
        { { 10, 10, 4, 4 }, { 12, 12, 4, 4 }, 4.0 / 28 },
        { { 10, 10, 8, 8 }, { 10, 10, 4, 4 }, 16.0 / 64 }, /* one within the other */
        { { 10, 10, 8, 2 }, { 10, 10, 2, 8 }, 4.0 / 28 },  /* a cross */
        { { 10, 10, 4, 4 }, { 14, 10, 4, 4 }, 0 },         /* side by side */
        { { 10, 10, 4, 4 }, { 10, 30, 4, 4 }, 0 },
        { { 10, 10, 0, 4 }, { 10, 10, 4, 4 }, 0 },
        { { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, 0 },
        { { -3, -3, 4, 4 }, { -4, -3, 4, 4 }, 12.0 / 20 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(near(box_iou(rows[i].a, rows[i].b), rows[i].iou));
        assert_true(near(box_iou(rows[i].b, rows[i].a), rows[i].iou));
    }
}

static void the_best_is_the_first_of_those_that_overlap_most(void **state)
{
    const struct box others[] = {
        { 30, 30, 4, 4 }, { 12, 10, 4, 4 }, { 9, 10, 4, 4 }, { 11, 10, 4, 4 }
    };
    double iou;
    (void)state;

    assert_int_equal(box_best((struct box){ 10, 10, 4, 4 }, others, 4, &iou), 2);
    assert_true(near(iou, 12.0 / 20));
    assert_int_equal(box_best((struct box){ 10, 10, 4, 4 }, others, 1, &iou), -1);
    assert_true(iou == 0);
    assert_int_equal(box_best((struct box){ 10, 10, 4, 4 }, others, 0, &iou), -1);
}

static void a_box_may_touch_the_border(void **state)
{
    (void)state;
    assert_true(box_is_inside((struct box){ 8, 8, 16, 16 }, 64));
    assert_true(box_is_inside((struct box){ 56, 56, 16, 16 }, 64));
    assert_false(box_is_inside((struct box){ 7.5f, 8, 16, 16 }, 64));
    assert_false(box_is_inside((struct box){ 8, 7.5f, 16, 16 }, 64));
    assert_false(box_is_inside((struct box){ 56.5f, 56, 16, 16 }, 64));
    assert_false(box_is_inside((struct box){ 56, 56.5f, 16, 16 }, 64));
}

/* Overlaps along a line of boxes of 10 x 10 at 0, 1, 2 ...: d apart, (10 - d) / (10 + d). */
static void suppression_keeps_the_best_of_each_heap(void **state)
{
    const struct box boxes[] = {
        { 0, 0, 10, 10 }, { 1, 0, 10, 10 }, { 2, 0, 10, 10 }, { 40, 0, 10, 10 }, { 41, 0, 10, 10 }
    };
    const float scores[] = { 0.5f, 0.9f, 0.7f, 0.2f, 0.2f };
    int kept[5];
    (void)state;

    /* 9 / 11 = 0.818 one apart, 8 / 12 = 0.667 two apart */
    assert_int_equal(boxes_suppress(boxes, scores, 5, 0.8, 10, kept), 2);
    assert_true(kept[0] == 1 && kept[1] == 3);
    assert_int_equal(boxes_suppress(boxes, scores, 5, 0.82, 10, kept), 5);
    assert_true(kept[0] == 1 && kept[1] == 2 && kept[2] == 0 && kept[3] == 3 && kept[4] == 4);
    assert_int_equal(boxes_suppress(boxes, scores, 5, 0.82, 3, kept), 3);
    assert_int_equal(boxes_suppress(boxes, scores, 0, 0.8, 10, kept), 0);
    /* a box that has been dropped drops no other: 0 is two apart from 2, but only one from 1 */
    const float falling[] = { 0.9f, 0.8f, 0.7f, 0, 0 };
    assert_int_equal(boxes_suppress(boxes, falling, 3, 0.7, 10, kept), 2);
    assert_true(kept[0] == 0 && kept[1] == 2);
}

static void each_true_box_is_found_once(void **state)
{
    const struct box truth[] = { { 10, 10, 10, 10 }, { 40, 40, 10, 10 }, { 10, 40, 10, 10 } };
    const unsigned char wanted[] = { 1, 1, 0 };
    const struct box found[] = {
        { 11, 10, 10, 10 }, /* the first */
        { 10, 10, 10, 10 }, /* better, but it is taken */
        { 10, 40, 10, 10 }, /* the unwanted one */
        { 43, 40, 10, 10 }, /* 7 / 13 of the second */
        { 25, 25, 10, 10 }, /* nothing */
        { 11, 40, 10, 10 }, /* the unwanted one again */
    };
    static const enum match want[] = { MATCH_TRUE, MATCH_FALSE, MATCH_IGNORED,
                                       MATCH_TRUE, MATCH_FALSE, MATCH_IGNORED };
    enum match matches[6];
    unsigned char taken[3];
    (void)state;

    boxes_match(found, 6, truth, wanted, 3, 0.5, taken, matches);
    for (int k = 0; k < 6; k++)
        assert_int_equal(matches[k], want[k]);
    boxes_match(found, 6, truth, wanted, 3, 0.6, taken, matches);
    assert_int_equal(matches[3], MATCH_FALSE);
    boxes_match(found, 2, truth, wanted, 0, 0.5, taken, matches);
    assert_true(matches[0] == MATCH_FALSE && matches[1] == MATCH_FALSE);
}

/* The first found one fits both; it takes the nearer, so that the second has one as well. */
static void the_true_box_that_fits_best_is_taken(void **state)
{
    const struct box truth[] = { { 13, 10, 10, 10 }, { 10, 10, 10, 10 } };
    const struct box found[] = { { 12, 10, 10, 10 }, { 10, 10, 10, 10 } };
    const unsigned char wanted[] = { 1, 1 };
    enum match matches[2];
    unsigned char taken[2];
    (void)state;

    boxes_match(found, 2, truth, wanted, 2, 0.6, taken, matches);
    assert_true(matches[0] == MATCH_TRUE && matches[1] == MATCH_TRUE);
}

static double precision_of(const char *letters, size_t wanted)
{
    struct detection detections[16];
    const size_t count = strlen(letters);

    /* given worst first: the function has to put them in order */
    for (size_t k = 0; k < count; k++)
        detections[k] =
            (struct detection){ (float)k, letters[count - 1 - k] == '+'   ? MATCH_TRUE
                                          : letters[count - 1 - k] == '-' ? MATCH_FALSE
                                                                          : MATCH_IGNORED };
    return average_precision(detections, count, wanted);
}

static void average_precision_is_that_worked_out(void **state)
{
    (void)state;

    assert_true(near(precision_of("++", 2), 1));
    assert_true(near(precision_of("--", 2), 0));
    assert_true(near(precision_of("", 2), 0));
    assert_true(near(precision_of("+", 0), 0));
    assert_true(near(precision_of("+", 4), 0.25));
    assert_true(near(precision_of("+-+", 2), (1 + 2.0 / 3) / 2));
    assert_true(near(precision_of("-++", 3), (2.0 / 3 + 2.0 / 3) / 3)); /* 1/2 is raised to 2/3 */
    assert_true(near(precision_of("+--+", 2), (1 + 0.5) / 2));
    assert_true(near(precision_of("+.-.+", 2), (1 + 2.0 / 3) / 2)); /* ignored ones do not count */
    assert_true(near(precision_of("++----", 2), 1)); /* what comes after the last does no harm */
}

static void equal_scores_keep_their_order(void **state)
{
    struct detection detections[] = { { 1, MATCH_TRUE }, { 1, MATCH_FALSE } };
    (void)state;

    assert_true(near(average_precision(detections, 2, 1), 1));
    detections[0] = (struct detection){ 1, MATCH_FALSE };
    detections[1] = (struct detection){ 1, MATCH_TRUE };
    assert_true(near(average_precision(detections, 2, 1), 0.5));
}

/* ---- Field of MNIST ---- */

enum {
    IMAGES = 200
};

static unsigned char digit_pixels[(IMAGES + 1) * DIGIT_PIXELS], digit_labels[IMAGES + 1];
static const struct digit_set digits = { IMAGES + 1, digit_pixels, digit_labels };

static int start_with_digits(void **state)
{
    if (start(state) != 0)
        return -1;
    return digits_draw(context, 1, 0, IMAGES + 1, digit_pixels, digit_labels) != COORDCONV_OK;
}

/* All ink is in boxes, and boxes that are wholly visible reach to ink on all sides. */
static void boxes_hold_the_ink(void **state)
{
    struct field field = { 0 };
    (void)state;

    check_ok(field_make(context, &digits, 1, IMAGES, 5, 0, &field));
    for (int64_t n = 0; n < IMAGES; n++) {
        for (int p = 0; p < FIELD_PIXELS; p++) {
            int inside = 0;
            for (int k = 0; k < FIELD_DIGITS; k++) {
                const struct box b = field.digits[n * FIELD_DIGITS + k].box;
                inside |= fabsf((float)(p / FIELD_SIDE) + 0.5f - b.i) <= b.height / 2 &&
                          fabsf((float)(p % FIELD_SIDE) + 0.5f - b.j) <= b.width / 2;
            }
            assert_true(inside || field.pixels[n * FIELD_PIXELS + p] == 0);
        }
    }
    field_free(&field);
}

static void extents_and_places_fill_their_ranges(void **state)
{
    struct field field = { 0 };
    float lowest = 1000, highest = -1000, smallest = 1000, largest = 0;
    int objects = 0;
    (void)state;

    check_ok(field_make(context, &digits, 0, IMAGES, 5, 0, &field));
    for (int n = 0; n < IMAGES * FIELD_DIGITS; n++) {
        const struct field_digit d = field.digits[n];
        lowest = fminf(lowest, fminf(d.box.i - d.box.height / 2, d.box.j - d.box.width / 2));
        highest = fmaxf(highest, fmaxf(d.box.i + d.box.height / 2, d.box.j + d.box.width / 2));
        smallest = fminf(smallest, fminf(d.box.height, d.box.width));
        largest = fmaxf(largest, fmaxf(d.box.height, d.box.width));
        objects += d.is_object;
        assert_int_equal(d.is_object, d.box.i >= 0 && d.box.i < 64 && d.box.j >= 0 && d.box.j < 64);
    }
    assert_true(smallest >= 15 && smallest < 15.2f && largest <= 25 && largest > 24.8f);
    assert_true(lowest >= -28.01f && lowest < -27 && highest <= 92.01f && highest > 91);
    /* a centre is in the middle 64 of 95 .. 105 pixels on each axis: 0.41 of all */
    assert_true(objects > IMAGES * FIELD_DIGITS / 3 && objects < IMAGES * FIELD_DIGITS / 2);
    field_free(&field);
}

static void each_digit_is_there_as_often_as_each_other(void **state)
{
    struct field field = { 0 };
    int count[DIGIT_CLASSES] = { 0 };
    (void)state;

    check_ok(field_make(context, &digits, 1, IMAGES, 5, 0, &field));
    for (int n = 0; n < IMAGES * FIELD_DIGITS; n++)
        count[field.digits[n].label]++;
    for (int c = 0; c < DIGIT_CLASSES; c++)
        assert_int_equal(count[c], IMAGES * FIELD_DIGITS / DIGIT_CLASSES);
    field_free(&field);
    check_ok(field_make(context, &digits, 7, 1, 5, 0, &field));
    for (int k = 0; k < FIELD_DIGITS; k++)
        assert_int_equal(field.digits[k].label, digit_labels[7]);
    field_free(&field);
}

static void streams_differ_and_repeat(void **state)
{
    struct field a = { 0 }, b = { 0 }, c = { 0 };
    (void)state;

    check_ok(field_make(context, &digits, 0, IMAGES, 5, 0, &a));
    check_ok(field_make(context, &digits, 0, IMAGES, 5, 0, &b));
    check_ok(field_make(context, &digits, 0, IMAGES, 5, 1, &c));
    assert_memory_equal(a.pixels, b.pixels, IMAGES * FIELD_PIXELS);
    assert_memory_equal(a.digits, b.digits, IMAGES * FIELD_DIGITS * sizeof *a.digits);
    for (int n = 0; n < IMAGES; n++)
        assert_true(a.digits[n * FIELD_DIGITS].box.i != c.digits[n * FIELD_DIGITS].box.i);
    field_free(&a);
    field_free(&b);
    field_free(&c);
    assert_null(c.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlaps_are_those_worked_out),
        cmocka_unit_test(the_best_is_the_first_of_those_that_overlap_most),
        cmocka_unit_test(a_box_may_touch_the_border),
        cmocka_unit_test(suppression_keeps_the_best_of_each_heap),
        cmocka_unit_test(each_true_box_is_found_once),
        cmocka_unit_test(the_true_box_that_fits_best_is_taken),
        cmocka_unit_test(average_precision_is_that_worked_out),
        cmocka_unit_test(equal_scores_keep_their_order),
        cmocka_unit_test(boxes_hold_the_ink),
        cmocka_unit_test(extents_and_places_fill_their_ranges),
        cmocka_unit_test(each_digit_is_there_as_often_as_each_other),
        cmocka_unit_test(streams_differ_and_repeat),
    };

    return cmocka_run_group_tests_name("boxes", tests, start_with_digits, stop);
}
