/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy.c - fuzzing target: the input is a .npy file.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    coordconv_tensor *tensor = NULL;
    const coordconv_status status = coordconv_npy_read_memory(fuzz_context(), data, bytes, &tensor);

    REQUIRE((status == COORDCONV_OK) == (tensor != NULL));
    if (status == COORDCONV_OK) {
        const size_t element = coordconv_dtype_size(coordconv_tensor_dtype(tensor));

        REQUIRE((size_t)coordconv_tensor_count(tensor) * element < bytes);
        fuzz_read_elements(tensor);
    } else {
        REQUIRE(coordconv_last_error()[0] != '\0');
    }
    coordconv_tensor_unref(tensor);
    fuzz_require_all_freed();
    return 0;
}
