/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_random.c - the generator against published vectors, the deviates
 * against the C library's logarithm and against what their laws demand.
 */
#include <math.h>
#include <stdlib.h>

#include "support.h"

#include "base/random.h"

/* Known answers published with the generator (kat_vectors of Random123, philox4x32 10). */
static void philox_gives_the_published_words(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } vectors[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint32_t got[4];

        cconv_philox(vectors[i].counter, vectors[i].key, got);
        assert_memory_equal(got, vectors[i].want, sizeof got);
    }
}

static void philox_may_write_over_its_counter(void **state)
{
    static const uint32_t want[4] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
    static const uint32_t key[2] = { 0, 0 };
    uint32_t words[4] = { 0, 0, 0, 0 };
    (void)state;

    cconv_philox(words, key, words);
    assert_memory_equal(words, want, sizeof want);
}

/* The third published vector again, its halves where seed, stream and index put them. */
static void words_place_seed_stream_and_index(void **state)
{
    static const uint32_t want[4] = { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 };
    uint32_t got[4];
    (void)state;

    cconv_random_words(UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e),
                       UINT64_C(0x85a308d3243f6a88), got);
    assert_memory_equal(got, want, sizeof got);
}

static void uniform_stays_inside_and_fills_evenly(void **state)
{
    enum {
        DRAWS = 100000,
        BINS = 10
    };
    int bins[BINS] = { 0 };
    double sum = 0;
    (void)state;

    for (uint64_t i = 0; i < DRAWS; i++) {
        const double u = cconv_random_uniform(7, 3, i);

        assert_true(u > 0 && u < 1);
        assert_true(fmod(ldexp(u, 53), 2) == 1); /* odd multiples of 2^-53 */
        bins[(int)(u * BINS)]++;
        sum += u;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    for (int b = 0; b < BINS; b++)
        assert_true(fabs(bins[b] - DRAWS / 10.0) < 5 * sqrt(DRAWS * 0.1 * 0.9));
}

static double as_fraction(const uint32_t words[2])
{
    return ((double)((words[0] | (uint64_t)words[1] << 32) >> 12) + 0.5) * 0x1p-52;
}

/* Polar method on the same words with the C library's logarithm: equal to a few
 * units of the last place, and nothing here says the library's is the better. */
static double reference_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t words[4];

    cconv_random_words(seed, stream, index, words);
    for (;;) {
        const double u = 2 * as_fraction(words) - 1, v = 2 * as_fraction(words + 2) - 1;
        const double square = u * u + v * v;

        if (square < 1)
            return u * sqrt(-2 * log(square) / square);
        cconv_philox(words, key, words);
    }
}

static void normal_agrees_with_the_library_logarithm(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        const double want = reference_normal(5, 11, i);

        assert_true(fabs(cconv_random_normal(5, 11, i) - want) <= 4 * 0x1p-53 * fabs(want));
    }
}

/* Mean, variance, skewness, kurtosis, and a tail, each within five deviations. */
static void normal_has_the_moments_of_its_law(void **state)
{
    enum {
        DRAWS = 200000
    };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    int beyond = 0;
    (void)state;

    for (uint64_t i = 0; i < DRAWS; i++) {
        const double x = cconv_random_normal(1, 0, i);

        m1 += x;
        m2 += x * x;
        m3 += x * x * x;
        m4 += x * x * x * x;
        beyond += fabs(x) > 3;
    }
    assert_true(fabs(m1 / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(m2 / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(m3 / DRAWS) < 5 * sqrt(15.0 / DRAWS));
    assert_true(fabs(m4 / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
    assert_true(fabs(beyond - DRAWS * 0.0026998) < 5 * sqrt(DRAWS * 0.0026998));
}

/* Numbers that trained networks depend on: they are never to change. */
static void normal_keeps_its_bits(void **state)
{
    static const struct {
        uint64_t seed, stream, index;
        double want;
    } kept[] = {
        { 0, 0, 0, 0x1.df6ee648b451fp-1 },
        { 0, 0, 1, -0x1.b2dc6189cd495p-4 },
        { 1, 2, 3, -0x1.3cd238d251c05p-1 },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, -0x1.93e0b0d275302p+0 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(kept); i++) {
        const double got = cconv_random_normal(kept[i].seed, kept[i].stream, kept[i].index);

        assert_memory_equal(&got, &kept[i].want, sizeof got);
    }
}

static void streams_and_seeds_differ(void **state)
{
    (void)state;
    assert_true(cconv_random_uniform(1, 0, 0) != cconv_random_uniform(0, 0, 0));
    assert_true(cconv_random_uniform(0, 1, 0) != cconv_random_uniform(0, 0, 0));
    assert_true(cconv_random_uniform(0, 0, 1) != cconv_random_uniform(0, 0, 0));
    assert_true(cconv_random_uniform(UINT64_C(1) << 32, 0, 0) != cconv_random_uniform(0, 0, 0));
}

static void below_is_even_and_stays_below(void **state)
{
    enum {
        DRAWS = 70000,
        BOUND = 7
    };
    int bins[BOUND] = { 0 };
    (void)state;

    for (uint64_t i = 0; i < DRAWS; i++) {
        const uint64_t r = cconv_random_below(9, 0, i, BOUND);

        assert_true(r < BOUND);
        bins[r]++;
    }
    for (int b = 0; b < BOUND; b++)
        assert_true(fabs(bins[b] - DRAWS / 7.0) < 5 * sqrt(DRAWS / 7.0 * 6 / 7));
    assert_int_equal(cconv_random_below(9, 0, 0, 1), 0);
}

/* With a bound of 3 * 2^62 one draw in four is rejected. Without that, the lowest
 * third of the range would come half the time instead of a third. */
static void below_rejects_what_would_be_biased(void **state)
{
    enum {
        DRAWS = 30000
    };
    const uint64_t third = UINT64_C(1) << 62;
    int low = 0;
    (void)state;

    for (uint64_t i = 0; i < DRAWS; i++)
        low += cconv_random_below(2, 0, i, 3 * third) < third;
    assert_true(fabs(low - DRAWS / 3.0) < 5 * sqrt(DRAWS * 2.0 / 9));
}

/* ---- permutations, the public face of below ---- */

static void permutation_holds_every_number_once(void **state)
{
    enum {
        COUNT = 1000
    };
    int64_t order[COUNT];
    int seen[COUNT] = { 0 }, moved = 0;
    (void)state;

    check_ok(coordconv_permutation(1, 0, COUNT, order));
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(order[i], 0, COUNT - 1);
        seen[order[i]]++;
        moved += order[i] != i;
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > COUNT - 20);
}

static void permutation_depends_on_seed_and_stream_alone(void **state)
{
    int64_t a[100], b[100];
    (void)state;

    check_ok(coordconv_permutation(4, 7, 100, a));
    check_ok(coordconv_permutation(4, 7, 100, b));
    assert_memory_equal(a, b, sizeof a);
    check_ok(coordconv_permutation(4, 8, 100, b));
    assert_memory_not_equal(a, b, sizeof a);
    check_ok(coordconv_permutation(5, 7, 100, b));
    assert_memory_not_equal(a, b, sizeof a);
}

/* All 24 orders of four, each about as often. */
static void permutation_is_even(void **state)
{
    enum {
        DRAWS = 24000
    };
    int bins[256] = { 0 }, orders = 0;
    (void)state;

    for (uint64_t stream = 0; stream < DRAWS; stream++) {
        int64_t p[4];

        check_ok(coordconv_permutation(0, stream, 4, p));
        bins[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int b = 0; b < 256; b++) {
        orders += bins[b] > 0;
        if (bins[b] > 0)
            assert_true(abs(bins[b] - DRAWS / 24) < 160); /* five deviations */
    }
    assert_int_equal(orders, 24);
}

static void permutation_refuses_bad_arguments(void **state)
{
    int64_t one = 42;
    (void)state;

    check_fails(coordconv_permutation(0, 0, 1, NULL), COORDCONV_ERR_INVALID, "out is NULL");
    check_fails(coordconv_permutation(0, 0, -5, &one), COORDCONV_ERR_INVALID, "-5");
    check_ok(coordconv_permutation(0, 0, 0, &one));
    assert_int_equal(one, 42);
    check_ok(coordconv_permutation(0, 0, 1, &one));
    assert_int_equal(one, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_words),
        cmocka_unit_test(philox_may_write_over_its_counter),
        cmocka_unit_test(words_place_seed_stream_and_index),
        cmocka_unit_test(uniform_stays_inside_and_fills_evenly),
        cmocka_unit_test(normal_agrees_with_the_library_logarithm),
        cmocka_unit_test(normal_has_the_moments_of_its_law),
        cmocka_unit_test(normal_keeps_its_bits),
        cmocka_unit_test(streams_and_seeds_differ),
        cmocka_unit_test(below_is_even_and_stays_below),
        cmocka_unit_test(below_rejects_what_would_be_biased),
        cmocka_unit_test(permutation_holds_every_number_once),
        cmocka_unit_test(permutation_depends_on_seed_and_stream_alone),
        cmocka_unit_test(permutation_is_even),
        cmocka_unit_test(permutation_refuses_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
