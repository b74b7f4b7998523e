/* SPDX-License-Identifier: BSD-2-Clause
 *
 * digits.c - digits from MNIST's files or, without them, from strokes.
 */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DRAWN_SEED = 28,
    PATH = 1024
};

static const char *const parts[2] = { "train", "t10k" };

static const char how_to_get[] =
    "MNIST (LeCun, Cortes, Burges) is described at http://yann.lecun.com/exdb/mnist/ and kept at "
    "https://ossci-datasets.s3.amazonaws.com/mnist/: put train-images-idx3-ubyte.gz, "
    "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz, unpacked "
    "or not, into a folder and name it with --mnist.";

struct part_files {
    char images[PATH], labels[PATH];
};

/* The first name under which a file is there; 0 where there is none. */
static int find_file(const char *folder, const char *part, const char *content, char path[PATH])
{
    static const char *const marks[] = { "-", "." }, *const ends[] = { "", ".gz" };

    for (int i = 0; i < 4; i++) {
        const int length = snprintf(path, PATH, "%s/%s-%.6s%s%s%s", folder, part, content,
                                    marks[i / 2], content + 7, ends[i % 2]);
        if (length < PATH && access(path, F_OK) == 0)
            return 1;
    }
    return 0;
}

/* All four files, or the note says which one is not there. */
static int find_files(const char *folder, struct part_files files[2], char *note, size_t note_size)
{
    if (folder == NULL) {
        snprintf(note, note_size, "no folder of MNIST is given");
        return 0;
    }
    for (int p = 0; p < 2; p++) {
        const char *missing =
            !find_file(folder, parts[p], "images-idx3-ubyte", files[p].images)   ? "images"
            : !find_file(folder, parts[p], "labels-idx1-ubyte", files[p].labels) ? "labels"
                                                                                 : NULL;
        if (missing != NULL) {
            snprintf(note, note_size, "%.200s has no %s-%s file", folder, parts[p], missing);
            return 0;
        }
    }
    return 1;
}

static int read_part(const struct part_files *files, struct idx *images, struct idx *labels,
                     struct digit_set *set, char *message, size_t message_size)
{
    char inner[160];

    if (idx_read_file(files->images, 3, images, message, message_size) != 0 ||
        idx_read_file(files->labels, 1, labels, message, message_size) != 0)
        return -1;
    if (images->shape[1] != DIGIT_SIDE || images->shape[2] != DIGIT_SIDE) {
        snprintf(message, message_size, "%s: images of %u x %u, %d x %d wanted", files->images,
                 (unsigned)images->shape[1], (unsigned)images->shape[2], DIGIT_SIDE, DIGIT_SIDE);
        return -1;
    }
    if (images->count == 0) {
        snprintf(message, message_size, "%s: no images", files->images);
        return -1;
    }
    if (idx_check_labels(images, labels, DIGIT_CLASSES, inner, sizeof inner) != 0) {
        snprintf(message, message_size, "%s: %s", files->labels, inner);
        return -1;
    }
    *set = (struct digit_set){ images->shape[0], images->data, labels->data };
    return 0;
}

/* Pixels and, after them, labels in one block. */
static int draw_part(coordconv_context *context, uint64_t stream, int64_t count,
                     unsigned char **drawing, struct digit_set *set, char *message,
                     size_t message_size)
{
    unsigned char *pixels = malloc((size_t)count * (DIGIT_PIXELS + 1));

    *drawing = pixels;
    if (pixels == NULL) {
        snprintf(message, message_size, "no memory for %d digits", (int)count);
        return -1;
    }

    unsigned char *labels = pixels + count * DIGIT_PIXELS;

    if (digits_draw(context, DRAWN_SEED, stream, count, pixels, labels) != COORDCONV_OK) {
        snprintf(message, message_size, "%s", coordconv_last_error());
        return -1;
    }
    *set = (struct digit_set){ count, pixels, labels };
    return 0;
}

int digits_load(coordconv_context *context, const char *folder, struct digits *digits,
                char *message, size_t message_size)
{
    struct digit_set *const sets[2] = { &digits->train, &digits->test };
    struct part_files *files = malloc(2 * sizeof *files);
    char reason[256];
    int failed = 0;

    memset(digits, 0, sizeof *digits);
    if (files == NULL) {
        snprintf(message, message_size, "no memory for names of files");
        return -1;
    }
    digits->drawn = !find_files(folder, files, reason, sizeof reason);
    for (int p = 0; p < 2 && !failed; p++)
        failed = digits->drawn ? draw_part(context, (uint64_t)p, p == 0 ? DRAWN_TRAIN : DRAWN_TEST,
                                           &digits->drawing[p], sets[p], message, message_size)
                               : read_part(&files[p], &digits->images[p], &digits->classes[p],
                                           sets[p], message, message_size);
    if (digits->drawn)
        snprintf(digits->note, sizeof digits->note, "These digits are drawn from strokes: %s. %s",
                 reason, how_to_get);
    else
        snprintf(digits->note, sizeof digits->note, "MNIST: %d and %d digits.",
                 (int)digits->train.count, (int)digits->test.count);
    free(files);
    if (failed)
        digits_free(digits);
    return failed;
}

void digits_free(struct digits *digits)
{
    for (int p = 0; p < 2; p++) {
        idx_free(&digits->images[p]);
        idx_free(&digits->classes[p]);
        free(digits->drawing[p]);
    }
    memset(digits, 0, sizeof *digits);
}
