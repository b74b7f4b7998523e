/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_digits.c - the examples' digits: MNIST's files under each of their names, what is wrong in
 * them, and the digits drawn in their place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../../examples/digits/digits.h"
#include "fixture.h"

static char folder[] = "/tmp/coordconv-digits-XXXXXX";
static char written[4][200]; /* what is in the folder */
static char message[512];

enum {
    IMAGES = 12
};

/* An IDX file in the folder: image number i is all i, label number i is i % 10. */
static void write_file(int place, const char *name, int images, int count, int side)
{
    unsigned char header[16] = { 0, 0, 8, images ? 3 : 1, 0, 0, 0, (unsigned char)count };
    const unsigned char pixel_rows[] = { 0, 0, 0, DIGIT_SIDE, 0, 0, 0, (unsigned char)side };

    memcpy(header + 8, pixel_rows, 8);
    snprintf(written[place], sizeof written[place], "%s/%s", folder, name);
    /* "T" writes as it is, without compressing. */
    gzFile file = gzopen(written[place], strstr(name, ".gz") != NULL ? "wb" : "wbT");

    assert_non_null(file);
    gzwrite(file, header, images ? 16 : 8);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < (images ? DIGIT_SIDE * side : 1); k++)
            gzputc(file, images ? i : i % 10);
    assert_int_equal(gzclose(file), Z_OK);
}

static void write_four(const char *mark, const char *end)
{
    for (int i = 0; i < 4; i++) {
        char name[64];
        const char *kind = i % 2 == 0 ? "idx3-" : "idx1-";
        snprintf(name, sizeof name, "%s-%s%s%subyte%s", i < 2 ? "train" : "t10k",
                 i % 2 == 0 ? "images" : "labels", mark, kind, end);
        write_file(i, name, i % 2 == 0, i < 2 ? IMAGES : IMAGES / 2, DIGIT_SIDE);
    }
}

static void remove_four(void)
{
    for (int i = 0; i < 4; i++)
        remove(written[i]);
}

static void files_are_found_under_each_name(void **state)
{
    static const char *const marks[] = { "-", "." }, *const ends[] = { "", ".gz" };
    struct digits digits;
    (void)state;

    for (int i = 0; i < 4; i++) {
        write_four(marks[i / 2], ends[i % 2]);
        assert_int_equal(digits_load(context, folder, &digits, message, sizeof message), 0);
        assert_true(!digits.drawn && digits.train.count == IMAGES);
        assert_int_equal(digits.test.count, IMAGES / 2);
        for (int n = 0; n < IMAGES; n++) {
            assert_int_equal(digits.train.pixels[n * DIGIT_PIXELS + 500], n);
            assert_int_equal(digits.train.labels[n], n % 10);
        }
        assert_non_null(strstr(digits.note, "MNIST: 12 and 6 digits"));
        digits_free(&digits);
        remove_four();
    }
}

static void refuse(const char *text)
{
    struct digits digits;

    assert_int_equal(digits_load(context, folder, &digits, message, sizeof message), -1);
    if (strstr(message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, text);
}

/* A folder of MNIST that is broken is not passed over in silence. */
static void broken_files_are_refused(void **state)
{
    (void)state;

    write_four("-", "");
    write_file(0, "train-images-idx3-ubyte", 1, IMAGES, DIGIT_SIDE - 1);
    refuse("images of 28 x 27, 28 x 28 wanted");
    write_file(0, "train-images-idx3-ubyte", 1, IMAGES + 1, DIGIT_SIDE);
    refuse("13 images but 12 labels");
    write_file(0, "train-images-idx3-ubyte", 1, IMAGES, DIGIT_SIDE);
    write_file(2, "t10k-images-idx3-ubyte", 0, IMAGES, 1);
    refuse("t10k-images-idx3-ubyte: idx: 1 axes, 3 wanted");
    write_file(2, "t10k-images-idx3-ubyte", 1, 0, DIGIT_SIDE);
    write_file(3, "t10k-labels-idx1-ubyte", 0, 0, 1);
    refuse("no images");
    remove_four();
}

static void without_the_files_the_note_says_how_to_get_them(void **state)
{
    static const char *const names[] = { "train-images-idx3-ubyte.gz",
                                         "train-labels-idx1-ubyte.gz",
                                         "t10k-images-idx3-ubyte.gz",
                                         "t10k-labels-idx1-ubyte.gz",
                                         "https://",
                                         "--mnist",
                                         "drawn from strokes" };
    struct digits digits;
    (void)state;

    write_four("-", "");
    remove(written[2]);
    assert_int_equal(digits_load(context, folder, &digits, message, sizeof message), 0);
    assert_true(digits.drawn && digits.train.count == DRAWN_TRAIN);
    assert_non_null(strstr(digits.note, folder));
    assert_non_null(strstr(digits.note, "has no t10k-images file"));
    digits_free(&digits);
    remove_four();
    assert_int_equal(digits_load(context, NULL, &digits, message, sizeof message), 0);
    assert_true(digits.drawn && digits.test.count == DRAWN_TEST);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_non_null(strstr(digits.note, names[i]));
    digits_free(&digits);
}

enum {
    DRAWN = 600
};

static unsigned char pixels[2][DRAWN * DIGIT_PIXELS], labels[2][DRAWN];

static void a_seed_draws_the_same_digits_again(void **state)
{
    (void)state;

    check_ok(digits_draw(context, 7, 1, DRAWN, pixels[0], labels[0]));
    check_ok(digits_draw(context, 7, 1, DRAWN / 2, pixels[1], labels[1]));
    assert_memory_equal(pixels[0], pixels[1], DRAWN / 2 * DIGIT_PIXELS);
    assert_memory_equal(labels[0], labels[1], DRAWN / 2);
    for (int i = 0; i < DRAWN; i++)
        assert_int_equal(labels[0][i], i % DIGIT_CLASSES);
}

/* No image of one is in the other, nor twice in one. */
static void streams_and_seeds_have_nothing_in_common(void **state)
{
    (void)state;

    for (uint64_t way = 0; way < 2; way++) {
        check_ok(digits_draw(context, 7, 0, DRAWN, pixels[0], labels[0]));
        check_ok(digits_draw(context, 7 + way, 1 - way, DRAWN, pixels[1], labels[1]));
        for (int i = 0; i < DRAWN; i++) {
            for (int j = 0; j < DRAWN; j++) {
                const unsigned char *a = pixels[0] + i * DIGIT_PIXELS;
                assert_true(memcmp(a, pixels[1] + j * DIGIT_PIXELS, DIGIT_PIXELS) != 0);
                assert_true(i == j || memcmp(a, pixels[0] + j * DIGIT_PIXELS, DIGIT_PIXELS) != 0);
            }
        }
    }
}

/* Ink that is neither nearly nothing nor a blot, and stays off the border as a rule. */
static void drawn_digits_have_ink_in_the_middle(void **state)
{
    int touching = 0;
    (void)state;

    check_ok(digits_draw(context, 3, 0, DRAWN, pixels[0], labels[0]));
    for (int i = 0; i < DRAWN; i++) {
        const unsigned char *image = pixels[0] + i * DIGIT_PIXELS;
        int ink = 0, most = 0, border = 0;

        for (int k = 0; k < DIGIT_PIXELS; k++) {
            const int x = k % DIGIT_SIDE, y = k / DIGIT_SIDE;
            ink += image[k];
            most = image[k] > most ? image[k] : most;
            if (x == 0 || y == 0 || x == DIGIT_SIDE - 1 || y == DIGIT_SIDE - 1)
                border = image[k] > border ? image[k] : border;
        }
        assert_true(ink > 255 * 15 && ink < 255 * 300 && most > 200);
        touching += border > 0;
    }
    assert_true(touching < DRAWN / 20);
}

static int make_folder(void **state)
{
    return start(state) != 0 || mkdtemp(folder) == NULL;
}

static int drop_folder(void **state)
{
    remove_four();
    return rmdir(folder) != 0 || stop(state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found_under_each_name),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(without_the_files_the_note_says_how_to_get_them),
        cmocka_unit_test(a_seed_draws_the_same_digits_again),
        cmocka_unit_test(streams_and_seeds_have_nothing_in_common),
        cmocka_unit_test(drawn_digits_have_ink_in_the_middle),
    };

    return cmocka_run_group_tests_name("digits", tests, make_folder, drop_folder);
}
