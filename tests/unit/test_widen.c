/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_widen.c - every F16 and BF16 there is, against its value by definition.
 */
#include <math.h>
#include <string.h>

#include "support.h"

#include "io/widen.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Sign, exponent and fraction by arithmetic; infinities and NaN by their bits. */
static uint32_t half_by_definition(unsigned half)
{
    const unsigned exponent = half >> 10 & 31, fraction = half & 1023;
    const uint32_t sign = half >> 15 ? UINT32_C(1) << 31 : 0;

    if (exponent == 31)
        return sign | 0xffu << 23 | fraction << 13;
    if (exponent == 0)
        return sign | bits_of(ldexpf((float)fraction, -24));
    return sign | bits_of(ldexpf((float)(1024 + fraction), (int)exponent - 25));
}

static void every_half_is_widened(void **state)
{
    (void)state;

    for (unsigned half = 0; half < 65536; half++) {
        const unsigned char bytes[2] = { (unsigned char)(half & 0xff), (unsigned char)(half >> 8) };
        const uint32_t want = half_by_definition(half);
        cconv_real got;
        float value;

        assert_int_equal(cconv_widen_f16((uint16_t)half), want);
        cconv_widen(CCONV_STORED_F16, bytes, 1, &got);
        memcpy(&value, &want, sizeof value);
        assert_true(isnan(value) ? isnan(got) : got == value && !signbit(got) == !signbit(value));
        cconv_widen(CCONV_STORED_BF16, bytes, 1, &got);
        const uint32_t brain = half << 16;
        memcpy(&value, &brain, sizeof value);
        assert_true(isnan(value) ? isnan(got) : got == value && !signbit(got) == !signbit(value));
    }
}

/* At any address, first byte lowest, and not a byte more than there are. */
static void numbers_may_lie_anywhere(void **state)
{
    static const unsigned char f64[] = { 0xee, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f,
                                         0,    0, 0, 0, 0, 0, 0, 0xc0 };
    static const unsigned char f32[] = { 0xee, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0 };
    cconv_real got[3] = { 9, 9, 9 };
    (void)state;

    cconv_widen(CCONV_STORED_F64, f64 + 1, 2, got);
    assert_true(got[0] == 1.5f && got[1] == -2 && got[2] == 9);
    got[0] = got[1] = 9;
    cconv_widen(CCONV_STORED_F32, f32 + 1, 2, got);
    assert_true(got[0] == 1.5f && got[1] == -2 && got[2] == 9);
    cconv_widen(CCONV_STORED_F16, f64, 0, got);
    assert_true(got[0] == 1.5f);
}

static void types_have_names(void **state)
{
    static const char *const names[] = { "F16", "BF16", "F32", "F64" };
    static const size_t bytes[] = { 2, 2, 4, 8 };
    (void)state;

    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(cconv_stored_size(cconv_stored_type(names[i])), bytes[i]);
    assert_int_equal(cconv_stored_type(""), CCONV_STORED_NONE);
    assert_int_equal(cconv_stored_type("F8_E4M3"), CCONV_STORED_NONE);
    assert_int_equal(cconv_stored_type("f32"), CCONV_STORED_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_widened),
        cmocka_unit_test(numbers_may_lie_anywhere),
        cmocka_unit_test(types_have_names),
    };

    return cmocka_run_group_tests_name("widen", tests, NULL, NULL);
}
