/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_anchors.c - the anchors of the examples' region-proposal net: where they are, what they
 * are told to be, which are sampled.
 */
#include <math.h>
#include <stdio.h>

#include "../../examples/detect/detect_anchors.h"
#include "support.h"

enum {
    MIDDLE = 6 * ANCHOR_SIDE + 6 /* the place whose middle is pixel 32, 32 */
};

static struct field_digit far_away(void)
{
    return (struct field_digit){ { -20, -20, 15, 15 }, 0, 0 };
}

/* No digit anywhere near. */
static void clear(struct field_digit digits[FIELD_DIGITS])
{
    for (int k = 0; k < FIELD_DIGITS; k++)
        digits[k] = far_away();
}

static int count(const struct assignment *assignment, int32_t label)
{
    int found = 0;

    for (int a = 0; a < ANCHORS; a++)
        found += assignment->label[a] == label;
    return found;
}

static void anchors_stand_on_a_grid(void **state)
{
    const struct box first = anchor_box(ANCHORS_WHOLE, 0),
                     last = anchor_box(ANCHORS_WHOLE, ANCHORS - 1);
    const struct box next = anchor_box(ANCHORS_WHOLE, ANCHOR_SHAPES),
                     middle = anchor_box(ANCHORS_WHOLE, MIDDLE * 9 + 3);
    int used = 0;
    (void)state;

    assert_true(first.i == 8 && first.j == 8 && first.height == 15 && first.width == 15);
    assert_true(next.i == 8 && next.j == 12 && next.height == 15 && next.width == 15);
    assert_true(last.i == 56 && last.j == 56 && last.height == 25 && last.width == 15);
    assert_true(middle.i == 32 && middle.j == 32 && middle.height == 15 && middle.width == 20);
    assert_true(anchor_is_used(ANCHORS_WHOLE, 0) && !anchor_is_used(ANCHORS_WHOLE, 1) &&
                anchor_is_used(ANCHORS_WHOLE, MIDDLE * 9 + 2));
    /* extents of 15, 20, 25 fit on 13, 11, 9 places an axis; each pair of extents once */
    for (int a = 0; a < ANCHORS; a++)
        used += anchor_is_used(ANCHORS_WHOLE, a);
    assert_int_equal(used, (13 + 11 + 9) * (13 + 11 + 9));
}

/* The nine at i = j = 8 and others, put down by hand from 9 x 8, 9 x 8, the heights, the widths. */
static void misread_anchors_are_those_of_the_released_code(void **state)
{
    static const struct box at_8_12[ANCHOR_SHAPES] = {
        { 8, 8, 8, 8 },     { 8, 8, 8, 8 },     { 8, 12, 12, 12 },
        { 12, 12, 12, 12 }, { 12, 12, 15, 20 }, { 25, 15, 20, 20 },
        { 25, 15, 25, 15 }, { 20, 25, 20, 25 }, { 15, 20, 25, 15 },
    };
    (void)state;

    for (int k = 0; k < ANCHOR_SHAPES; k++) {
        const struct box got = anchor_box(ANCHORS_MISREAD, ANCHOR_SHAPES + k);
        assert_true(got.i == at_8_12[k].i && got.j == at_8_12[k].j);
        assert_true(got.height == at_8_12[k].height && got.width == at_8_12[k].width);
    }
    assert_true(anchor_is_used(ANCHORS_MISREAD, 0) &&
                !anchor_is_used(ANCHORS_MISREAD, ANCHORS - 9));
}

static void moves_lead_to_the_box_and_back(void **state)
{
    const struct box anchor = { 20, 24, 15, 20 }, truth = { 23, 22, 30, 15 };
    const float none[ANCHOR_MOVES] = { 0 };
    float moves[ANCHOR_MOVES];
    (void)state;

    anchor_moves_to(anchor, truth, moves);
    assert_true(fabsf(moves[0] - 0.2f) < 1e-6f && fabsf(moves[1] + 0.1f) < 1e-6f);
    assert_true(fabsf(moves[2] - logf(2)) < 1e-6f && fabsf(moves[3] - logf(0.75f)) < 1e-6f);
    assert_true(box_iou(anchor_move(anchor, moves), truth) > 0.99999);
    assert_true(box_iou(anchor_move(anchor, none), anchor) > 0.99999);
}

static void overlap_decides_what_an_anchor_is(void **state)
{
    struct field_digit digits[FIELD_DIGITS];
    struct assignment is;
    (void)state;

    clear(digits);
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    assert_int_equal(count(&is, ANCHOR_OBJECT), 0);
    assert_int_equal(count(&is, ANCHOR_BACKGROUND), (13 + 11 + 9) * (13 + 11 + 9));

    digits[3] = (struct field_digit){ { 32, 32, 20, 20 }, 0, 1 };
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    for (int a = 0; a < ANCHORS; a++) {
        const double iou = box_iou(anchor_box(ANCHORS_WHOLE, a), digits[3].box);
        const int32_t want = !anchor_is_used(ANCHORS_WHOLE, a) ? ANCHOR_IGNORED
                             : iou > 0.5                       ? ANCHOR_OBJECT
                             : iou < 0.1                       ? ANCHOR_BACKGROUND
                                                               : ANCHOR_IGNORED;
        assert_int_equal(is.label[a], want);
        assert_true(want != ANCHOR_OBJECT || is.digit[a] == 3);
    }
    assert_int_equal(is.label[MIDDLE * 9 + 1], ANCHOR_OBJECT);

    /* the same digit, not to be found: no object, but no background either */
    digits[3].is_object = 0;
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    assert_int_equal(count(&is, ANCHOR_OBJECT), 0);
    assert_int_equal(is.label[MIDDLE * 9 + 1], ANCHOR_IGNORED);
}

static void each_object_has_an_anchor(void **state)
{
    struct field_digit digits[FIELD_DIGITS];
    struct assignment is;
    (void)state;

    clear(digits);
    digits[0] = (struct field_digit){ { 0.5f, 0.5f, 25, 15 }, 0, 1 }; /* cut by the corner */
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    assert_int_equal(count(&is, ANCHOR_OBJECT), 1);
    for (int a = 0; a < ANCHORS; a++)
        assert_true(is.label[a] != ANCHOR_OBJECT || is.digit[a] == 0);
    /* between two objects, the one it overlaps more */
    digits[1] = (struct field_digit){ { 32, 32, 20, 20 }, 0, 1 };
    digits[2] = (struct field_digit){ { 32, 35, 20, 20 }, 0, 1 };
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    assert_int_equal(is.digit[MIDDLE * 9 + 1], 1);
    assert_int_equal(is.digit[(MIDDLE + 1) * 9 + 1], 2);
}

/* The only anchor in reach of a digit in the corner is its own, though on another digit too. */
static void the_nearest_anchor_is_of_the_object_it_is_nearest_to(void **state)
{
    struct field_digit digits[FIELD_DIGITS];
    struct assignment is;
    int of_first = 0;
    (void)state;

    clear(digits);
    digits[0] = (struct field_digit){ { 8, 8, 16, 16 }, 0, 1 };
    digits[1] = (struct field_digit){ { 1, 1, 25, 25 }, 0, 1 };
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    assert_int_equal(is.label[0], ANCHOR_OBJECT);
    assert_int_equal(is.digit[0], 1);
    for (int a = 0; a < ANCHORS; a++)
        of_first += is.label[a] == ANCHOR_OBJECT && is.digit[a] == 0;
    assert_true(of_first > 0);
}

static void the_lowest_keys_are_sampled(void **state)
{
    static float keys[ANCHORS];
    struct field_digit digits[FIELD_DIGITS];
    struct assignment all, is;
    uint64_t random = 5;
    (void)state;

    clear(digits);
    digits[0] = (struct field_digit){ { 32, 32, 20, 20 }, 0, 1 };
    anchors_assign(ANCHORS_WHOLE, digits, &all);
    assert_true(count(&all, ANCHOR_OBJECT) > ANCHOR_MOST_OBJECTS);
    for (int round = 0; round < 50; round++) {
        for (int a = 0; a < ANCHORS; a++)
            keys[a] = (float)test_random(&random);
        is = all;
        anchors_sample(&is, keys);
        assert_int_equal(count(&is, ANCHOR_OBJECT), ANCHOR_MOST_OBJECTS);
        assert_int_equal(count(&is, ANCHOR_BACKGROUND), ANCHOR_SAMPLED - ANCHOR_MOST_OBJECTS);
        /* what is left out has higher keys than all that is in, of the same kind */
        for (int a = 0; a < ANCHORS; a++)
            for (int b = 0; b < ANCHORS && is.label[a] != ANCHOR_IGNORED; b++)
                if (all.label[b] == is.label[a] && is.label[b] == ANCHOR_IGNORED)
                    assert_true(keys[b] >= keys[a]);
    }
    clear(digits);
    anchors_assign(ANCHORS_WHOLE, digits, &is);
    anchors_sample(&is, keys);
    assert_int_equal(count(&is, ANCHOR_OBJECT), 0);
    assert_int_equal(count(&is, ANCHOR_BACKGROUND), ANCHOR_SAMPLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchors_stand_on_a_grid),
        cmocka_unit_test(misread_anchors_are_those_of_the_released_code),
        cmocka_unit_test(moves_lead_to_the_box_and_back),
        cmocka_unit_test(overlap_decides_what_an_anchor_is),
        cmocka_unit_test(each_object_has_an_anchor),
        cmocka_unit_test(the_nearest_anchor_is_of_the_object_it_is_nearest_to),
        cmocka_unit_test(the_lowest_keys_are_sampled),
    };

    return cmocka_run_group_tests_name("anchors", tests, NULL, NULL);
}
