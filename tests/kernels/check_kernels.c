/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_kernels.c - every kernel of every instruction set this machine has.
 *
 * check_kernels --bench prints how fast they are instead; --bench-plain [NAME]
 * those that are no convolution, or of these the ones with names that begin so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <coordconv/context.h>

#include "bench.h"
#include "check_conv.h"

int32_t checked_isa;

static void table_is_of_the_isa(void **state)
{
    static const char *const names[] = { "", "reference", "avx2", "avx512", "neon" };
    struct cconv_kernels k;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    assert_string_equal(k.isa, names[checked_isa]);
    assert_in_range(k.conv.count, 1, CCONV_MAX_PANELS);
    for (size_t i = 1; i < k.conv.count; i++)
        assert_true(k.conv.panel[i].nr > k.conv.panel[i - 1].nr);
}

#if defined(CCONV_HAVE_AVX2)
#define HAVE_AVX2 1
#else
#define HAVE_AVX2 0
#endif
#if defined(CCONV_HAVE_AVX512)
#define HAVE_AVX512 1
#else
#define HAVE_AVX512 0
#endif

#if defined(CCONV_HAVE_NEON)
#define HAVE_NEON 1
#else
#define HAVE_NEON 0
#endif

#if defined(__aarch64__)

static void best_isa_is_what_linux_says(void **state)
{
    (void)state;

    assert_int_equal(cconv_cpu_isa(), HAVE_NEON ? COORDCONV_ISA_NEON : COORDCONV_ISA_REFERENCE);
}

#else

/* Does Linux say the processor has this feature, and that it may be used? -1: it says nothing. */
static int linux_has(const char *feature)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[8192], word[32];
    int found = -1;

    snprintf(word, sizeof word, " %s ", feature);
    while (file != NULL && found < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "flags", 5) == 0) {
            line[strcspn(line, "\n")] = ' ';
            found = strstr(line, word) != NULL;
        }
    if (file != NULL)
        fclose(file);
    return found;
}

static void best_isa_is_what_linux_says(void **state)
{
    const int avx2 = linux_has("avx2") && linux_has("fma");
    const int avx512 = avx2 && linux_has("avx512f") && linux_has("avx512bw") &&
                       linux_has("avx512dq") && linux_has("avx512vl");
    (void)state;

    if (linux_has("avx2") < 0)
        skip();
    assert_int_equal(cconv_cpu_isa(), avx512 && HAVE_AVX512 ? COORDCONV_ISA_AVX512
                                      : avx2 && HAVE_AVX2   ? COORDCONV_ISA_AVX2
                                                            : COORDCONV_ISA_REFERENCE);
}

#endif

/* A context may name a set of another architecture, and is not held back by it. */
static void max_isa_is_a_name(void **state)
{
    const int32_t other = HAVE_NEON ? COORDCONV_ISA_AVX2 : COORDCONV_ISA_NEON;
    struct cconv_kernels best, k;
    (void)state;

    cconv_kernels_init(&best, COORDCONV_ISA_BEST);
    cconv_kernels_init(&k, other);
    assert_string_equal(k.isa, best.isa);
    cconv_kernels_init(&k, COORDCONV_ISA_REFERENCE);
    assert_string_equal(k.isa, "reference");
    cconv_kernels_init(&k, COORDCONV_ISA_AVX512);
    assert_string_equal(k.isa, best.isa);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest once[] = {
        cmocka_unit_test(best_isa_is_what_linux_says),
        cmocka_unit_test(max_isa_is_a_name),
        cmocka_unit_test(functions_are_near),
        cmocka_unit_test(functions_of_what_is_no_number),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_of_the_isa),
        cmocka_unit_test(forward_matches_sums),
        cmocka_unit_test(forward_same_bits_however_split),
        cmocka_unit_test(forward_keeps_nan),
        cmocka_unit_test(grad_matches_sums),
        cmocka_unit_test(grad_every_count),
        cmocka_unit_test(depth_forward_matches_sums),
        cmocka_unit_test(depth_grad_matches_sums),
        cmocka_unit_test(choice_wastes_least),
        cmocka_unit_test(transpose_moves_every_value),
        cmocka_unit_test(pixels_unpack_every_count),
        cmocka_unit_test(pixels_store_every_count),
        cmocka_unit_test(pixels_weave_every_count),
        cmocka_unit_test(pixels_distance_every_count),
        cmocka_unit_test(plain_same_bits),
        cmocka_unit_test(plain_same_bits_long),
        cmocka_unit_test(column_max_is_the_first),
        cmocka_unit_test(add_rows_matches_sums),
        cmocka_unit_test(moments_match_sums),
    };
    int failed;

    if (argc > 1 && strcmp(argv[1], "--bench") == 0)
        return bench_conv() + bench_plain("");
    if (argc > 1 && strcmp(argv[1], "--bench-plain") == 0)
        return bench_plain(argc > 2 ? argv[2] : "");
    failed = cmocka_run_group_tests(once, NULL, NULL);
    for (checked_isa = COORDCONV_ISA_REFERENCE; checked_isa <= COORDCONV_ISA_NEON; checked_isa++)
        if (cconv_cpu_has(checked_isa))
            failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
