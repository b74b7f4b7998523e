/* SPDX-License-Identifier: BSD-2-Clause
 *
 * cpu_x86.c - the processor is asked directly.
 *
 * __builtin_cpu_supports would bring a constructor and writable data into every
 * program that loads the library. CPUID says what the processor knows, XGETBV
 * which registers the system keeps for each thread; a set is usable with both.
 */
#include "kernels/x86/cpu_x86.h"

#include <cpuid.h>
#include <stdint.h>

/* State components in XCR0: SSE and AVX registers; for AVX-512 also the masks,
 * the upper halves of 16 registers, and 16 registers more. */
#define STATE_AVX    0x06U
#define STATE_AVX512 0xe6U

struct features {
    uint32_t leaf_1_ecx, leaf_7_ebx;
    uint32_t state; /* low half of XCR0; 0 where the system does not use it */
};

static uint32_t xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static struct features ask(void)
{
    struct features f = { 0, 0, 0 };
    unsigned a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d) != 0)
        f.leaf_1_ecx = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0)
        f.leaf_7_ebx = b;
    if ((f.leaf_1_ecx & bit_OSXSAVE) != 0)
        f.state = xcr0();
    return f;
}

static int all(uint32_t have, uint32_t want)
{
    return (have & want) == want;
}

static int avx2(const struct features *f)
{
    return all(f->state, STATE_AVX) && all(f->leaf_1_ecx, bit_AVX | bit_FMA) &&
           all(f->leaf_7_ebx, bit_AVX2);
}

int cconv_cpu_has_avx2(void)
{
    const struct features f = ask();

    return avx2(&f);
}

int cconv_cpu_has_avx512(void)
{
    const struct features f = ask();

    return avx2(&f) && all(f.state, STATE_AVX512) &&
           all(f.leaf_7_ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL);
}
