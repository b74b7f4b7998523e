/* SPDX-License-Identifier: BSD-2-Clause
 *
 * depth_forward.h - the depthwise forward pass of a set, made of two panels.
 *
 * The file that includes it has instances of depth_template.h of two widths, and
 * defines DEPTH_WIDE and DEPTH_NARROW as these.
 */

/* Some pixels at a time; the wide panel as often as it fits, then the narrow one. */
static void depth_forward(const struct cconv_panel_forward *p)
{
    size_t first = 0;

    while (first < p->pixels) {
        const size_t count = next_tile(p->pixels - first, 24);
        size_t channel = 0;

        for (; p->channels - channel >= DEPTH_WIDE; channel += DEPTH_WIDE)
            PASTE(depth_channels_, DEPTH_WIDE)(p, channel, first, count);
        for (; channel < p->channels; channel += DEPTH_NARROW)
            PASTE(depth_channels_, DEPTH_NARROW)(p, channel, first, count);
        first += count;
    }
}
