/* SPDX-License-Identifier: BSD-2-Clause
 *
 * periphery_pictures.h - scenes, where nets act, and what becomes of it when the camera turns.
 */
#ifndef EXAMPLES_PERIPHERY_PICTURES_H
#define EXAMPLES_PERIPHERY_PICTURES_H

#include "common/experiment.h"
#include "periphery_eval.h"

/* From the weights of the first seed, trained on so many scenes: scenes.png, acts.png, places.png,
 * turned.png. */
coordconv_status pictures_make(const struct settings *settings, long scenes);

#endif /* EXAMPLES_PERIPHERY_PICTURES_H */
