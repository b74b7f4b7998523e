/* SPDX-License-Identifier: BSD-2-Clause
 *
 * shared.h - sums with products of a second input, which a batch shares.
 */
#ifndef CCONV_OPS_SHARED_H
#define CCONV_OPS_SHARED_H

#include "kernels/conv.h"

/* As panel->forward(call), but sums go on from those of `shared`, which has the same
 * pixels and channels; of it only the inputs and weights are looked at. */
void cconv_shared_forward(const struct cconv_panel *panel, const struct cconv_panel_forward *call,
                          const struct cconv_panel_forward *shared);

#endif /* CCONV_OPS_SHARED_H */
