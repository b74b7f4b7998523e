/* SPDX-License-Identifier: BSD-2-Clause
 *
 * draws.c - random numbers from the generator that fills weights.
 */
#include "draws.h"

/* Glorot's interval of fan 3 in and 3 out is -1 .. 1. */
coordconv_status draws_uniform(coordconv_context *context, uint64_t seed, uint64_t stream,
                               int64_t count, float *out)
{
    const float below_one = 1 - 0x1p-24f;
    coordconv_tensor *tensor = NULL;
    coordconv_status status =
        coordconv_tensor_wrap(context, COORDCONV_F32, 1, &count, NULL, out, NULL, NULL, &tensor);

    if (status == COORDCONV_OK)
        status = coordconv_tensor_init(tensor, COORDCONV_INIT_GLOROT_UNIFORM, 0, 3, 3,
                                       seed << 32 ^ stream);
    coordconv_tensor_unref(tensor);
    for (int64_t i = 0; status == COORDCONV_OK && i < count; i++) {
        const float share = (out[i] + 1) / 2;
        out[i] = share < 0 ? 0 : share > below_one ? below_one : share;
    }
    return status;
}
