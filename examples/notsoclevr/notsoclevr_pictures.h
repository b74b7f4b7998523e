/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_pictures.h - what a net does, as PNG pictures.
 */
#ifndef EXAMPLES_NOTSOCLEVR_PICTURES_H
#define EXAMPLES_NOTSOCLEVR_PICTURES_H

#include "notsoclevr_train.h"

/*
 * One page for a run: the map of right and wrong positions, the sums of the
 * targets and of the answers over the test positions, some answers beside their
 * targets, the training curves. 0, or -1 with the reason in message.
 */
int picture_run(const char *path, const struct run *run, const struct result *result, char *message,
                int message_size);

/* A map for the overview. */
struct map {
    enum task task;
    enum split split;
    enum net_kind net;
    char result[24];                    /* test metric */
    unsigned char positions[POSITIONS]; /* bit 0: right, bit 1: of the test part */
};

void map_make(struct map *map, const struct run *run, const struct result *result);

/* All maps on one page, a row for each net. 0, or -1 with the reason in message. */
int picture_overview(const char *path, const struct map *maps, size_t count, char *message,
                     int message_size);

#endif /* EXAMPLES_NOTSOCLEVR_PICTURES_H */
