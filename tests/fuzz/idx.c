/* SPDX-License-Identifier: BSD-2-Clause
 *
 * idx.c - fuzzing target: the input is an IDX file, of any number of axes.
 */
#include "../../examples/digits/idx.h"
#include "fuzz.h"

static volatile unsigned char last;

static void read_elements(const struct idx *idx)
{
    for (size_t i = 0; i < idx->count; i++)
        last = idx->data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct idx images = { 0 }, labels = { 0 };
    char message[160];

    for (int ndim = 1; ndim <= IDX_MAX_NDIM; ndim++) {
        struct idx idx = { 0 };
        uint64_t product = 1;

        message[0] = '\0';
        if (idx_read(data, bytes, ndim, &idx, message, sizeof message) != 0) {
            REQUIRE(message[0] != '\0' && idx.data == NULL);
            continue;
        }
        for (int i = 0; i < ndim; i++)
            product *= idx.shape[i];
        REQUIRE(idx.ndim == ndim && product == idx.count && idx.owned == NULL);
        REQUIRE(idx.data + idx.count == data + bytes);
        read_elements(&idx);
        *(ndim == 1 ? &labels : &images) = idx;
    }
    /* The input has one number of axes, so it is its own images. */
    if (labels.ndim == 1)
        idx_check_labels(&labels, &labels, 10, message, sizeof message);
    else
        REQUIRE(idx_check_labels(&images, &labels, 10, message, sizeof message) != 0);
    return 0;
}
