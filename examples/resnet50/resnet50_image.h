/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resnet50_image.h - what a net trained on ImageNet wants to see.
 */
#ifndef EXAMPLES_RESNET50_IMAGE_H
#define EXAMPLES_RESNET50_IMAGE_H

#include "common/picture.h"

/* A picture to look at where none is given: a house, the sun, a road. NULL: no memory. */
struct picture *image_draw(int side);

/*
 * The middle of a picture as side x side x 3 floats: the shorter side is brought
 * to 256/224 of side, the middle cut out, colours are less ImageNet's mean and divided
 * by its deviation, as torchvision does it for evaluation. 0, or -1: no memory.
 */
int image_prepare(const struct picture *picture, int side, float *values);

#endif /* EXAMPLES_RESNET50_IMAGE_H */
