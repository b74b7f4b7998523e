/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stream.h - copies that go past the caches.
 */
#ifndef CCONV_KERNELS_STREAM_H
#define CCONV_KERNELS_STREAM_H

#include <stddef.h>

#include "base/real.h"

/* Copy what nobody reads soon: whole cache lines are written without being read first. Other
 * threads see it after a locked instruction of this one, as by taking its next task. */
void cconv_stream_copy(size_t count, const cconv_real *from, cconv_real *to);

#endif /* CCONV_KERNELS_STREAM_H */
