/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_choice.c - which panel is chosen for how many channels.
 */
#include "check_conv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/compiler.h"

/* Long sums get no padding where a panel fits exactly, and where none fits the
 * padding stays within the channels there are, or within one vector. */
void choice_wastes_least(void **state)
{
    static const size_t products[][2] = { { 1, 1 }, { 1, 3 },  { 1, 8 },
                                          { 3, 9 }, { 1, 64 }, { 3, 192 } };
    struct cconv_kernels k;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    for (size_t i = 0; i < k.conv.count; i++)
        assert_int_equal(
            k.conv.panel[i].nr % cconv_panel_choose(&k.conv, k.conv.panel[i].nr, 3, 192)->nr, 0);
    for (size_t channels = 1; channels <= 200; channels++)
        for (size_t i = 0; i < CCONV_COUNT(products); i++) {
            const size_t nr =
                cconv_panel_choose(&k.conv, channels, products[i][0], products[i][1])->nr;
            const size_t padded = (channels + nr - 1) / nr * nr;

            assert_in_range(padded, channels, CCONV_MAX(16, 2 * channels));
        }
}
