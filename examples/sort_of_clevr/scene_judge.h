/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scene_judge.h - how well a trained net draws Sort-of-Clevr images, as figures of a run.
 *
 * A studio is a net's painter ready to be used: a model with the input "code"
 * [N, code] and the output "image" in [-1, 1].
 */
#ifndef EXAMPLES_SCENE_JUDGE_H
#define EXAMPLES_SCENE_JUDGE_H

#include "common/experiment.h"
#include "objects.h"

enum {
    TRAIN_IMAGES = 50000, /* numbers 0 .. TRAIN_IMAGES - 1 of a seed; those above are for tests */
    JUDGED_IMAGES = 2000, /* unless --images says otherwise */
    STUDIO_BATCH = 50,
    STUDIO_BETWEEN = 7 /* images strictly between two codes */
};

/* Options of both programs: --images, how many to judge a net by. */
extern long judged_images;
extern const struct option judge_options[1];

struct studio {
    coordconv_plan *plan;
    coordconv_tensor *code, *image;
};

coordconv_status studio_open(struct studio *studio, coordconv_context *context,
                             coordconv_model *painter, int64_t code);
void studio_close(struct studio *studio);

/* Fills [STUDIO_BATCH, code] with the codes of batch `number`, always the same. */
typedef coordconv_status codes_fn(void *user, coordconv_tensor *code, uint64_t number);

/* Streams of random codes, that no training step draws from. */
enum {
    STUDIO_STREAM = 1 << 30
};

/* Figures of as many images of codes, but in whole batches, compared with as many real ones. */
coordconv_status judge_samples(struct run *run, const struct studio *studio, codes_fn *codes,
                               void *user, int64_t images);

/* Figures of the images between the codes of batches 0 and 1, 2 and 3 and so on. */
coordconv_status judge_between(struct run *run, const struct studio *studio, codes_fn *codes,
                               void *user, int64_t pairs);

/* Of real images, by the same measure: what a perfect painter would get. */
coordconv_status judge_data(struct run *run, int64_t images);

/* So many images in whole batches. */
int64_t studio_round(int64_t images);

#endif /* EXAMPLES_SCENE_JUDGE_H */
