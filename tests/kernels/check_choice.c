/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check_choice.c - which panel is chosen for how many channels.
 */
#include "check_conv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/compiler.h"

/* A panel that fits exactly is chosen for long sums, and where none fits the
 * padding stays within the channels there are, or within the panel of eight. */
void choice_wastes_least(void **state)
{
    static const size_t products[] = { 1, 3, 8, 27, 64, 576 };
    struct cconv_kernels k;
    (void)state;

    cconv_kernels_init(&k, checked_isa);
    for (size_t i = 0; i < k.conv.count; i++)
        assert_ptr_equal(cconv_panel_choose(&k.conv, k.conv.panel[i].nr, 576), &k.conv.panel[i]);
    for (size_t channels = 1; channels <= 200; channels++)
        for (size_t i = 0; i < CCONV_COUNT(products); i++) {
            const size_t nr = cconv_panel_choose(&k.conv, channels, products[i])->nr;
            const size_t padded = (channels + nr - 1) / nr * nr;

            assert_in_range(padded, channels, CCONV_MAX(8, 2 * channels));
        }
}
