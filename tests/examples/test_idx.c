/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_idx.c - the examples' reader of IDX files: what is read and what is refused, with which
 * words; good files cut at every length and changed at every byte; files, compressed and not.
 *
 * Every file judged in memory lies in a block of exactly its size, so that a
 * sanitizer sees a step past the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../../examples/digits/idx.h"
#include "support.h"

static char message[256];

/* idx_read() on a copy of exactly these bytes; the data are compared before the copy goes. */
static int judge(const unsigned char *bytes, size_t size, int ndim, struct idx *out)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    message[0] = '\0';
    *out = (struct idx){ .count = 77 };
    const int result = idx_read(copy, size, ndim, out, message, sizeof message);

    if (result == 0) {
        assert_true(out->data + out->count == copy + size && out->owned == NULL);
        assert_memory_equal(out->data, bytes + size - out->count, out->count);
    } else {
        assert_int_equal(result, -1);
        assert_int_equal(out->count, 77);
        assert_null(out->data);
        assert_int_equal(strncmp(message, "idx: ", 5), 0);
    }
    free(copy);
    return result;
}

static void refuse(const unsigned char *bytes, size_t size, int ndim, const char *text)
{
    struct idx idx;

    assert_int_equal(judge(bytes, size, ndim, &idx), -1);
    if (strstr(message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, text);
}

/* A header and the elements 0, 1, 2 ... 9, 0 ...; returns the bytes of the file. */
static size_t make(unsigned char *file, int type, int ndim, const uint32_t *shape, size_t data)
{
    unsigned char *at = file;

    *at++ = 0;
    *at++ = 0;
    *at++ = (unsigned char)type;
    *at++ = (unsigned char)ndim;
    for (int i = 0; i < ndim && i < IDX_MAX_NDIM + 1; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (unsigned char)(shape[i] >> shift);
    for (size_t i = 0; i < data; i++)
        *at++ = (unsigned char)(i % 10);
    return (size_t)(at - file);
}

static const uint32_t image_shape[] = { 3, 4, 5 };

static void good_files_are_read(void **state)
{
    static const struct {
        int ndim;
        uint32_t shape[IDX_MAX_NDIM];
        size_t count;
    } rows[] = {
        { 1, { 7 }, 7 },
        { 2, { 4, 300 }, 1200 },
        { 3, { 3, 4, 5 }, 60 },
        { 4, { 2, 3, 4, 3 }, 72 },
        { 1, { 0 }, 0 },
        { 3, { 0, 28, 28 }, 0 },
        { 3, { 0, 0xffffffff, 0xffffffff }, 0 },
        { 4, { 0xffffffff, 0xffffffff, 0xffffffff, 0 }, 0 },
    };
    unsigned char file[2000];
    struct idx idx;
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t size = make(file, 8, rows[i].ndim, rows[i].shape, rows[i].count);

        assert_int_equal(judge(file, size, rows[i].ndim, &idx), 0);
        assert_int_equal(idx.ndim, rows[i].ndim);
        assert_int_equal(idx.count, rows[i].count);
        for (int axis = 0; axis < idx.ndim; axis++)
            assert_int_equal(idx.shape[axis], rows[i].shape[axis]);
    }
}

/* The first bytes of MNIST's files, as they are published. */
static void the_headers_of_mnist_are_understood(void **state)
{
    static const unsigned char images[] = {
        0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0, 28, 0, 0, 0, 28
    };
    static const unsigned char labels[] = { 0, 0, 8, 1, 0, 0, 0xea, 0x60 };
    (void)state;

    refuse(images, sizeof images, 3, "0 bytes after the header, 7840000 elements announced");
    refuse(labels, sizeof labels, 1, "0 bytes after the header, 60000 elements announced");
}

static void bad_headers_are_refused(void **state)
{
    static const struct {
        int type, ndim, wanted;
        uint32_t shape[IDX_MAX_NDIM + 1];
        size_t data;
        const char *text;
    } rows[] = {
        { 0x09, 1, 1, { 3 }, 3, "type 0x09 (int8)" },
        { 0x0b, 1, 1, { 3 }, 6, "type 0x0b (int16)" },
        { 0x0c, 1, 1, { 3 }, 12, "type 0x0c (int32)" },
        { 0x0d, 1, 1, { 3 }, 12, "type 0x0d (float32)" },
        { 0x0e, 1, 1, { 3 }, 24, "type 0x0e (float64)" },
        { 0x00, 1, 1, { 3 }, 3, "type 0x00 (no type" },
        { 0x0a, 1, 1, { 3 }, 3, "type 0x0a (no type" },
        { 0xff, 1, 1, { 3 }, 3, "type 0xff (no type" },
        { 8, 0, 1, { 0 }, 1, "0 axes, 1 wanted" },
        { 8, 3, 1, { 1, 1, 1 }, 1, "3 axes, 1 wanted" },
        { 8, 1, 3, { 4 }, 4, "1 axes, 3 wanted" },
        { 8, 5, 4, { 1, 1, 1, 1, 1 }, 1, "5 axes, 4 wanted" },
        { 8, 255, 4, { 1, 1, 1, 1, 1 }, 1, "255 axes, 4 wanted" },
        { 8, 5, 5, { 1, 1, 1, 1, 1 }, 1, "5 axes wanted, 1 to 4" },
        { 8, 0, 0, { 0 }, 1, "0 axes wanted, 1 to 4" },
        { 8, 1, -1, { 1 }, 1, "-1 axes wanted" },
        /* one more and one less than announced; nothing; the extents in the other order of bytes */
        { 8, 1, 1, { 5 }, 6, "6 bytes after the header, 5 elements" },
        { 8, 1, 1, { 5 }, 4, "4 bytes after the header, 5 elements" },
        { 8, 1, 1, { 0 }, 1, "1 bytes after the header, 0 elements" },
        { 8, 3, 3, { 3, 4, 5 }, 0, "0 bytes after the header, 60 elements" },
        { 8, 1, 1, { 0x02000000 }, 2, "2 bytes after the header, 33554432 elements" },
        /* products that wrap to less in 32 or 64 bits, counts near the ends of their types */
        { 8, 2, 2, { 0x10000, 0x10000 }, 0, "axis 1 of extent 65536 makes 4294967296 elements" },
        { 8, 2, 2, { 0x80000000, 2 }, 0, "axis 0 of extent 2147483648" },
        { 8, 3, 3, { 0x10001, 0xffff, 0x10000 }, 0, "axis 1 of extent 65535" },
        { 8, 4, 4, { 0x10000, 0x10000, 0x10000, 0x10000 }, 4, "axis 1 of extent 65536" },
        { 8, 4, 4, { 1, 1, 1, 0xffffffff }, 4, "axis 3 of extent 4294967295" },
        { 8, 1, 1, { 0x7fffffff }, 4, "makes 2147483647 elements, at most 268435456" },
        { 8, 1, 1, { 0x80000000 }, 4, "makes 2147483648 elements" },
        { 8, 1, 1, { 0xffffffff }, 4, "makes 4294967295 elements" },
        { 8, 1, 1, { 0x10000001 }, 4, "makes 268435457 elements" },
        { 8, 1, 1, { 0x10000000 }, 4, "4 bytes after the header, 268435456 elements" },
    };
    unsigned char file[200];
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t size = make(file, rows[i].type, rows[i].ndim, rows[i].shape, rows[i].data);
        refuse(file, size, rows[i].wanted, rows[i].text);
    }
}

static void what_does_not_begin_as_an_idx_file_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } rows[] = {
        { "", 0, "0 bytes, the header begins with 4" },
        { "\0\0\x08", 3, "3 bytes, the header" },
        { "\x1f\x8b\x08\x01", 4, "begins with 1f 8b instead of 00 00" },
        { "\x93NUMPY\x01", 8, "begins with 93 4e" },
        { "\0\x01\x08\x01\0\0\0\0", 8, "begins with 00 01" },
        { "\x01\0\x08\x01\0\0\0\0", 8, "begins with 01 00" },
        { "\0\0\x08\x01", 4, "4 bytes, a header of 1 axes has 8" },
        { "\0\0\x08\x01\0\0\0", 7, "7 bytes, a header of 1 axes has 8" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++)
        refuse((const unsigned char *)rows[i].bytes, rows[i].size, 1, rows[i].text);
}

static void a_file_cut_anywhere_or_continued_is_refused(void **state)
{
    unsigned char file[100] = { 0 };
    const size_t size = make(file, 8, 3, image_shape, 60);
    struct idx idx;
    (void)state;

    for (size_t cut = 0; cut < sizeof file; cut++)
        assert_int_equal(judge(file, cut, 3, &idx), cut == size ? 0 : -1);
}

/* Every byte to every other value: one of the header makes the file wrong, one of the data is an
 * element, which judge() compares. */
static void a_file_changed_anywhere_is_refused_or_another_image(void **state)
{
    unsigned char file[100];
    const size_t size = make(file, 8, 3, image_shape, 60);
    struct idx idx;
    (void)state;

    for (size_t at = 0; at < size; at++) {
        for (int change = 1; change < 256; change++) {
            file[at] ^= (unsigned char)change;
            assert_int_equal(judge(file, size, 3, &idx), at < 16 ? -1 : 0);
            file[at] ^= (unsigned char)change;
        }
    }
}

static void labels_must_suit_the_images(void **state)
{
    static const unsigned char classes[] = { 0, 9, 10, 255 };
    const struct idx images = { .ndim = 3, .shape = { 2, 1, 1 }, .count = 2, .data = classes };
    struct idx labels = { .ndim = 1, .shape = { 2 }, .count = 2, .data = classes };
    struct idx pairs = { .ndim = 2, .shape = { 2, 1 }, .count = 2, .data = classes };
    (void)state;

#define REFUSED(images, labels, classes, text)                                                     \
    do {                                                                                           \
        assert_int_equal(idx_check_labels((images), (labels), (classes), message, sizeof message), \
                         -1);                                                                      \
        assert_non_null(strstr(message, (text)));                                                  \
    } while (0)
    assert_int_equal(idx_check_labels(&images, &labels, 10, message, sizeof message), 0);
    REFUSED(&images, &labels, 9, "label 1 is 9, the last class is 8");
    REFUSED(&images, &pairs, 10, "labels of 2");
    REFUSED(&(struct idx){ 0 }, &labels, 10, "images of 0 axes");
    labels.shape[0] = 1;
    labels.count = 1;
    REFUSED(&images, &labels, 10, "2 images but 1 labels");
    labels = (struct idx){ .ndim = 1, .shape = { 2 }, .count = 2, .data = classes + 1 };
    REFUSED(&images, &labels, 10, "label 1 is 10");
    labels.data = classes + 2;
    REFUSED(&images, &labels, 10, "label 0 is 10");
    REFUSED(&images, &labels, 255, "label 1 is 255");
#undef REFUSED
}

/* ---- files ---- */

static char path[] = "/tmp/coordconv-idx-XXXXXX";

static void store(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The bytes compressed; returns how many there are then. */
static size_t compress_to(unsigned char *out, size_t capacity, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);

    FILE *again = fopen(path, "rb");

    assert_non_null(again);
    const size_t got = fread(out, 1, capacity, again);

    assert_true(got > 0 && got < capacity);
    fclose(again);
    return got;
}

static void refuse_file(const char *name, const char *text)
{
    struct idx idx = { .count = 77 };

    message[0] = '\0';
    assert_int_equal(idx_read_file(name, 3, &idx, message, sizeof message), -1);
    if (strstr(message, text) == NULL || strstr(message, name) == NULL)
        fail_msg("\"%s\" does not say \"%s\" of %s", message, text, name);
    assert_true(idx.count == 77 && idx.data == NULL && idx.owned == NULL);
}

static void accept_file(const unsigned char *file, size_t size)
{
    struct idx idx = { 0 };

    assert_int_equal(idx_read_file(path, 3, &idx, message, sizeof message), 0);
    assert_int_equal(idx.count, size - 16);
    assert_memory_equal(idx.data, file + 16, idx.count);
    idx_free(&idx);
    assert_true(idx.owned == NULL && idx.data == NULL);
}

static void files_are_read_compressed_or_not(void **state)
{
    const uint32_t shape[] = { 30, 100, 100 }; /* of several blocks */
    unsigned char *file = malloc(300016), packed[20000];
    (void)state;

    assert_non_null(file);
    const size_t size = make(file, 8, 3, shape, 300000);

    store(file, size);
    accept_file(file, size);
    compress_to(packed, sizeof packed, file, size);
    accept_file(file, size);
    free(file);
}

static void torn_files_are_refused(void **state)
{
    unsigned char file[100], packed[200];
    const size_t size = make(file, 8, 3, image_shape, 60);
    (void)state;

    for (size_t cut = 0; cut < size; cut++) {
        store(file, cut);
        refuse_file(path, "idx: ");
    }
    const size_t packed_size = compress_to(packed, sizeof packed, file, size);

    for (size_t cut = 0; cut < packed_size; cut++) {
        store(packed, cut);
        refuse_file(path, path);
    }
    packed[packed_size - 8] ^= 1; /* the checksum */
    store(packed, packed_size);
    refuse_file(path, "incorrect data check");
}

static void what_is_no_file_or_too_large_is_refused(void **state)
{
    (void)state;

    refuse_file("/no/such/file", "No such file");
    refuse_file("/tmp", "Is a directory");
    store("", 0);
    assert_int_equal(truncate(path, (off_t)IDX_MAX_BYTES + 1), 0);
    refuse_file(path, "larger than");
}

static int make_path(void **state)
{
    const int file = mkstemp(path);
    (void)state;

    return file < 0 ? -1 : close(file);
}

static int drop_path(void **state)
{
    (void)state;
    return remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(the_headers_of_mnist_are_understood),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(what_does_not_begin_as_an_idx_file_is_refused),
        cmocka_unit_test(a_file_cut_anywhere_or_continued_is_refused),
        cmocka_unit_test(a_file_changed_anywhere_is_refused_or_another_image),
        cmocka_unit_test(labels_must_suit_the_images),
        cmocka_unit_test(files_are_read_compressed_or_not),
        cmocka_unit_test(torn_files_are_refused),
        cmocka_unit_test(what_is_no_file_or_too_large_is_refused),
    };

    return cmocka_run_group_tests_name("idx", tests, make_path, drop_path);
}
