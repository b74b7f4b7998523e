/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_npy.c - .npy files: what is read and what is refused, with which words; good
 * files cut at every length and changed at every byte; mapping; writing.
 *
 * Every file judged in memory lies in a block of exactly its size, so that a
 * sanitizer sees a step past the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bad_input.h"
#include "fixture.h"

static char folder[] = "/tmp/coordconv-npy-XXXXXX";
static char path[64];

static int teardown(void **state)
{
    remove(path);
    return stop(state);
}

/* ---- files in memory ---- */

enum {
    MOST = 1 << 17
};

/* A file under construction. */
struct bytes {
    unsigned char *at;
    size_t count;
};

static struct bytes bytes_new(void)
{
    const struct bytes b = { malloc(MOST), 0 };

    assert_non_null(b.at);
    return b;
}

static void append(struct bytes *b, const void *data, size_t n)
{
    assert_true(b->count + n <= MOST);
    memcpy(b->at + b->count, data, n);
    b->count += n;
}

/* Magic, version, and a length in as many bytes as the version has for it. */
static void append_prefix(struct bytes *b, int major, int minor, uint64_t length)
{
    const unsigned char version[] = { (unsigned char)major, (unsigned char)minor };

    append(b, "\x93NUMPY", 6);
    append(b, version, 2);
    for (int i = 0; i < (major == 1 ? 2 : 4); i++) {
        const unsigned char byte = (unsigned char)(length >> 8 * i & 0xff);
        append(b, &byte, 1);
    }
}

/* A whole file: this header text, and so many bytes 0, 1, 2 ... of data. */
static struct bytes file_of(int major, int minor, const char *header, size_t data)
{
    struct bytes b = bytes_new();

    append_prefix(&b, major, minor, strlen(header));
    append(&b, header, strlen(header));
    for (size_t i = 0; i < data; i++) {
        const unsigned char byte = (unsigned char)i;
        append(&b, &byte, 1);
    }
    return b;
}

/* Read the first n bytes. */
static coordconv_status judge(const unsigned char *file, size_t n, coordconv_tensor **out)
{
    unsigned char *copy = malloc(n > 0 ? n : 1);
    coordconv_status status;

    assert_non_null(copy);
    memcpy(copy, file, n);
    status = coordconv_npy_read_memory(context, copy, n, out);
    free(copy);
    return status;
}

static void store(const struct bytes *b)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(b->at, 1, b->count, f), b->count);
    assert_int_equal(fclose(f), 0);
}

#define DICT(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

/* ---- what is refused ---- */

static const struct {
    int major, minor;
    const char *header;
    size_t data;
    coordconv_status status;
    const char *text;
} refused[] = {
    /* versions */
    { 1, 1, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_UNSUPPORTED, "version 1.1" },
    { 0, 0, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_UNSUPPORTED, "version 0.0" },
    { 4, 0, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_UNSUPPORTED, "version 4.0" },
    { 255, 0, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_UNSUPPORTED, "version 255.0" },
    /* more or less data than the shape says */
    { 1, 0, DICT("'<f4'", "False", "(2, 3)"), 23, COORDCONV_ERR_FORMAT, "[2, 3] takes 24 bytes" },
    { 1, 0, DICT("'<f4'", "False", "(2, 3)"), 25, COORDCONV_ERR_FORMAT, "there are 25" },
    { 1, 0, DICT("'<f4'", "False", "()"), 0, COORDCONV_ERR_FORMAT, "takes 4 bytes" },
    { 1, 0, DICT("'|u1'", "False", "(0,)"), 1, COORDCONV_ERR_FORMAT, "takes 0 bytes" },
    { 1, 0, DICT("'<f4'", "False", "(2147483647,)"), 0, COORDCONV_ERR_FORMAT, "8589934588 bytes" },
    /* shapes */
    { 1, 0, DICT("'<f4'", "False", "(-1, 3)"), 24, COORDCONV_ERR_SHAPE, "extent -1 of axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(-2, -3)"), 24, COORDCONV_ERR_SHAPE, "extent -2 of axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(2.0, 3)"), 24, COORDCONV_ERR_FORMAT, "comma is missing" },
    { 1, 0, DICT("'<f4'", "False", "6"), 24, COORDCONV_ERR_FORMAT, "shape is no tuple" },
    { 1, 0, DICT("'<f4'", "False", "(6)"), 24, COORDCONV_ERR_FORMAT, "shape is no tuple" },
    { 1, 0, DICT("'<f4'", "False", "[2, 3]"), 24, COORDCONV_ERR_FORMAT, "shape is no tuple" },
    { 1, 0, DICT("'<f4'", "False", "(True, 6)"), 24, COORDCONV_ERR_FORMAT, "other than integers" },
    { 1, 0, DICT("'<f4'", "False", "(4611686018427387904, 4)"), 0, COORDCONV_ERR_SHAPE,
      "extent 4611686018427387904" },
    { 1, 0, DICT("'<f4'", "False", "(18446744073709551616,)"), 0, COORDCONV_ERR_SHAPE, "axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(18446744073709551618, 3)"), 24, COORDCONV_ERR_SHAPE,
      "axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(-18446744073709551614, 3)"), 24, COORDCONV_ERR_SHAPE,
      "axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(1099511627776,)"), 0, COORDCONV_ERR_SHAPE,
      "extent 1099511627776" },
    { 1, 0, DICT("'<f4'", "False", "(0, 4611686018427387904)"), 0, COORDCONV_ERR_SHAPE, "axis 1" },
    { 1, 0, DICT("'<f4'", "False", "(4294967296, 4294967296)"), 0, COORDCONV_ERR_SHAPE, "axis 0" },
    { 1, 0, DICT("'<f4'", "False", "(2, 1, 2147483648)"), 0, COORDCONV_ERR_SHAPE, "axis 2" },
    { 1, 0, DICT("'<f4'", "False", "(65536, 65536, 65536, 65536)"), 0, COORDCONV_ERR_SHAPE,
      "too large" },
    { 1, 0, DICT("'<f4'", "False", "(2147483647, 2147483647, 2147483647)"), 0, COORDCONV_ERR_SHAPE,
      "too large" },
    { 1, 0, DICT("'<f4'", "False", "(0, 2147483647, 2147483647, 2147483647)"), 0,
      COORDCONV_ERR_SHAPE, "too large" },
    { 1, 0, DICT("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, COORDCONV_ERR_SHAPE, "than 8 axes" },
    { 1, 0, DICT("'<f4'", "False", "(2L, 3L)"), 24, COORDCONV_ERR_FORMAT, "comma is missing" },
    { 1, 0, DICT("'<f4'", "False", "(0x2, 3)"), 24, COORDCONV_ERR_FORMAT, "comma is missing" },
    { 1, 0, DICT("'<f4'", "False", "(02, 3)"), 24, COORDCONV_ERR_FORMAT, "other than integers" },
    { 1, 0, DICT("'<f4'", "False", "(2 3)"), 24, COORDCONV_ERR_FORMAT, "comma is missing" },
    { 1, 0, DICT("'<f4'", "False", "(2,, 3)"), 24, COORDCONV_ERR_FORMAT, "other than integers" },
    { 1, 0, DICT("'<f4'", "False", "(,)"), 4, COORDCONV_ERR_FORMAT, "other than integers" },
    { 1, 0, DICT("'<f4'", "False", "(+2, 3)"), 24, COORDCONV_ERR_FORMAT, "other than integers" },
    { 1, 0, DICT("'<f4'", "False", "(-, 3)"), 24, COORDCONV_ERR_FORMAT, "other than integers" },
    /* keys */
    { 1, 0, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", 24,
      COORDCONV_ERR_FORMAT, "\"more\" is not known" },
    { 1, 0, "{'descr': '<f4', 'shape': (2, 3)}", 24, COORDCONV_ERR_FORMAT,
      "\"fortran_order\" is missing" },
    { 1, 0, "{'fortran_order': False, 'shape': (2, 3)}", 24, COORDCONV_ERR_FORMAT,
      "\"descr\" is missing" },
    { 1, 0, "{'descr': '<f4', 'fortran_order': False}", 24, COORDCONV_ERR_FORMAT,
      "\"shape\" is missing" },
    { 1, 0, "{}", 24, COORDCONV_ERR_FORMAT, "\"descr\" is missing" },
    { 1, 0, "{'shape': (1, 6), 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24,
      COORDCONV_ERR_FORMAT, "\"shape\" is there twice" },
    { 1, 0, "{'fortran_order_and_more': False}", 0, COORDCONV_ERR_FORMAT, "is not known" },
    { 1, 0, "{1: 2}", 0, COORDCONV_ERR_FORMAT, "key is expected" },
    { 1, 0, "{descr: '<f4'}", 0, COORDCONV_ERR_FORMAT, "key is expected" },
    { 1, 0, "{'descr' '<f4'}", 0, COORDCONV_ERR_FORMAT, "colon is missing" },
    { 1, 0, "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}", 24, COORDCONV_ERR_FORMAT,
      "comma is missing" },
    { 1, 0, "{,}", 0, COORDCONV_ERR_FORMAT, "key is expected" },
    { 1, 0, "{'descr", 0, COORDCONV_ERR_FORMAT, "key is expected" },
    { 1, 0, "{'d\\x65scr': '<f4'}", 0, COORDCONV_ERR_FORMAT, "key is expected" },
    /* order */
    { 1, 0, DICT("'<f4'", "0", "(2, 3)"), 24, COORDCONV_ERR_FORMAT, "neither True nor False" },
    { 1, 0, DICT("'<f4'", "None", "(2, 3)"), 24, COORDCONV_ERR_FORMAT, "neither True nor False" },
    { 1, 0, DICT("'<f4'", "Falsehood", "(2, 3)"), 24, COORDCONV_ERR_FORMAT, "comma is missing" },
    /* element types */
    { 1, 0, DICT("'|O'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"|O\"" },
    { 1, 0, DICT("'O'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"O\"" },
    { 1, 0, DICT("'<f2'", "False", "(2, 3)"), 12, COORDCONV_ERR_DTYPE, "\"<f2\"" },
    { 1, 0, DICT("'<f16'", "False", "(2, 3)"), 96, COORDCONV_ERR_DTYPE, "\"<f16\"" },
    { 1, 0, DICT("'<c8'", "False", "(2, 3)"), 48, COORDCONV_ERR_DTYPE, "\"<c8\"" },
    { 1, 0, DICT("'|b1'", "False", "(2, 3)"), 6, COORDCONV_ERR_DTYPE, "\"|b1\"" },
    { 1, 0, DICT("'|i1'", "False", "(2, 3)"), 6, COORDCONV_ERR_DTYPE, "\"|i1\"" },
    { 1, 0, DICT("'<u4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"<u4\"" },
    { 1, 0, DICT("'<U4'", "False", "(2, 3)"), 96, COORDCONV_ERR_DTYPE, "\"<U4\"" },
    { 1, 0, DICT("'|S4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"|S4\"" },
    { 1, 0, DICT("'|V4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"|V4\"" },
    { 1, 0, DICT("'f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"f4\"" },
    { 1, 0, DICT("'=f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"=f4\"" },
    { 1, 0, DICT("'|f4'", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"|f4\"" },
    { 1, 0, DICT("''", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"\"" },
    { 1, 0, DICT("'f4f4f4f4f4f4f4f4f4f4f4f4f4'", "False", "()"), 4, COORDCONV_ERR_DTYPE, "f4f4" },
    { 1, 0, DICT("[('a', '<f4')]", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "several fields" },
    { 1, 0, DICT("('<f4', (2,))", "False", "(3,)"), 24, COORDCONV_ERR_DTYPE, "several fields" },
    { 1, 0, DICT("4", "False", "(2, 3)"), 24, COORDCONV_ERR_FORMAT, "descr is no string" },
    { 1, 0, DICT("'<f4", "False", "(2, 3)"), 24, COORDCONV_ERR_DTYPE, "\"<f4, \"" },
    /* what is not a dictionary, or not only one */
    { 1, 0, "", 24, COORDCONV_ERR_FORMAT, "no dictionary" },
    { 1, 0, "   \n", 24, COORDCONV_ERR_FORMAT, "no dictionary" },
    { 1, 0, "[]", 24, COORDCONV_ERR_FORMAT, "no dictionary" },
    { 1, 0, DICT("'<f4'", "False", "(2, 3)") " #", 24, COORDCONV_ERR_FORMAT, "something follows" },
    { 1, 0, DICT("'<f4'", "False", "(2, 3)") "}", 24, COORDCONV_ERR_FORMAT, "something follows" },
    { 1, 0, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", 24, COORDCONV_ERR_FORMAT,
      "comma is missing" },
    { 1, 0, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", 24, COORDCONV_ERR_FORMAT,
      "comma is missing" },
    { 1, 0, "{'descr': '<f4', 'fortran_order': Fals", 24, COORDCONV_ERR_FORMAT, "neither True" },
    { 3, 0, "{'d\xc3\xa9scr': '<f4'}", 24, COORDCONV_ERR_FORMAT, "key is expected" },
};

static void bad_headers_are_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(refused); i++) {
        struct bytes b =
            file_of(refused[i].major, refused[i].minor, refused[i].header, refused[i].data);

        check_refused(coordconv_tensor, judge(b.at, b.count, &out), refused[i].status,
                      refused[i].text);
        store(&b);
        check_refused(coordconv_tensor, coordconv_npy_read(context, path, &out), refused[i].status,
                      refused[i].text);
        check_refused(coordconv_tensor, coordconv_npy_map(context, path, &out), refused[i].status,
                      refused[i].text);
        free(b.at);
    }
}

static void a_nul_in_the_header_is_refused(void **state)
{
    static const char good[] = DICT("'<f4'", "False", "(2, 3)");
    (void)state;

    for (size_t i = 0; i < strlen(good); i++) {
        struct bytes b = file_of(1, 0, good, 24);
        b.at[10 + i] = '\0';
        check_refused(coordconv_tensor, judge(b.at, b.count, &out), COORDCONV_ERR_FORMAT, "npy: ");
        free(b.at);
    }
}

static void what_does_not_begin_as_an_npy_file_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *text;
    } rows[] = {
        { "", 0, "0 bytes that do not begin" },
        { "\x93NUMP", 5, "5 bytes that do not begin" },
        { "\x93NUMPX\x01\x00\x00\x00", 10, "10 bytes that do not begin" },
        { "PK\x03\x04 and so on", 13, "13 bytes that do not begin" },
        { "\x93NUMPY", 6, "6 bytes are too few" },
        { "\x93NUMPY\x01\x00\x76", 9, "9 bytes are too few" },
        { "\x93NUMPY\x02\x00\x76\x00\x00", 11, "11 bytes are too few" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct bytes b = { (unsigned char *)rows[i].bytes, rows[i].count };

        check_refused(coordconv_tensor, judge(b.at, b.count, &out), COORDCONV_ERR_FORMAT,
                      rows[i].text);
        store(&b);
        check_refused(coordconv_tensor, coordconv_npy_read(context, path, &out),
                      COORDCONV_ERR_FORMAT, rows[i].text);
    }
}

/* The length is believed neither where the file ends before, nor above the limit. */
static void wrong_header_lengths_are_refused(void **state)
{
    static const struct {
        int major;
        uint64_t length;
        const char *text;
    } rows[] = {
        { 1, 200, "a header of 200 bytes in a file of 110" },
        { 1, 101, "a header of 101 bytes" },
        { 1, 60000, "a header of 60000 bytes, at most 10000" },
        { 1, 65535, "a header of 65535 bytes, at most 10000" },
        { 2, 0xffffffff, "a header of 4294967295 bytes" },
        { 3, 0x80000000, "a header of 2147483648 bytes" },
        { 2, 10001, "a header of 10001 bytes" },
        { 2, 10000, "a header of 10000 bytes in a file" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes b = bytes_new();
        char blanks[100];

        memset(blanks, ' ', sizeof blanks);
        append_prefix(&b, rows[i].major, 0, rows[i].length);
        append(&b, blanks, sizeof blanks);
        check_refused(coordconv_tensor, judge(b.at, b.count, &out), COORDCONV_ERR_FORMAT,
                      rows[i].text);
        free(b.at);
    }
}

static void null_and_no_file_are_refused(void **state)
{
    coordconv_tensor *t = NULL;
    (void)state;

    check_refused(coordconv_tensor, coordconv_npy_read(NULL, path, &out), COORDCONV_ERR_INVALID,
                  "context is NULL");
    check_refused(coordconv_tensor, coordconv_npy_read(context, NULL, &out), COORDCONV_ERR_INVALID,
                  "path is NULL");
    check_fails(coordconv_npy_read(context, path, NULL), COORDCONV_ERR_INVALID, "out is NULL");
    check_refused(coordconv_tensor, coordconv_npy_map(NULL, path, &out), COORDCONV_ERR_INVALID,
                  "context is NULL");
    check_refused(coordconv_tensor, coordconv_npy_read_memory(NULL, path, 1, &out),
                  COORDCONV_ERR_INVALID, "context is NULL");
    check_refused(coordconv_tensor, coordconv_npy_read_memory(context, NULL, 1, &out),
                  COORDCONV_ERR_INVALID, "data is NULL");
    check_fails(coordconv_npy_read_memory(context, path, 1, NULL), COORDCONV_ERR_INVALID,
                "out is NULL");
    check_refused(coordconv_tensor, coordconv_npy_read(context, path, &out),
                  COORDCONV_ERR_NOT_FOUND, path);
    check_refused(coordconv_tensor, coordconv_npy_map(context, folder, &out), COORDCONV_ERR_IO,
                  "not a regular file");
    check_ok(coordconv_tensor_new(context, COORDCONV_U8, 0, NULL, &t));
    check_fails(coordconv_npy_write(NULL, path), COORDCONV_ERR_INVALID, "tensor is NULL");
    check_fails(coordconv_npy_write(t, NULL), COORDCONV_ERR_INVALID, "path is NULL");
    check_fails(coordconv_npy_write(t, "/no/such/folder/x.npy"), COORDCONV_ERR_IO, "/no/such");
    check_fails(coordconv_npy_write(t, folder), COORDCONV_ERR_IO, "not a regular file");
    coordconv_tensor_unref(t);
}

/* ---- what is read ---- */

/* Six elements of each type in either byte order, 0 1 2 ... as they are stored. */
static const struct {
    int major;
    const char *header;
    size_t data;
    int32_t dtype, ndim;
    int64_t shape[3], strides[3];
} good[] = {
    { 1, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_F32, 2, { 2, 3 }, { 3, 1 } },
    { 2, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_F32, 2, { 2, 3 }, { 3, 1 } },
    { 3, DICT("'<f4'", "False", "(2, 3)"), 24, COORDCONV_F32, 2, { 2, 3 }, { 3, 1 } },
    { 1, DICT("'<f8'", "False", "(6,)"), 48, COORDCONV_F64, 1, { 6 }, { 1 } },
    { 1, DICT("'<i4'", "False", "(6, 1)"), 24, COORDCONV_I32, 2, { 6, 1 }, { 1, 1 } },
    { 1, DICT("'<i8'", "False", "(1, 6)"), 48, COORDCONV_I64, 2, { 1, 6 }, { 6, 1 } },
    { 1, DICT("'|u1'", "False", "(3, 2)"), 6, COORDCONV_U8, 2, { 3, 2 }, { 2, 1 } },
    { 1, DICT("'<u1'", "False", "(3, 2)"), 6, COORDCONV_U8, 2, { 3, 2 }, { 2, 1 } },
    { 1, DICT("'>u1'", "False", "(3, 2)"), 6, COORDCONV_U8, 2, { 3, 2 }, { 2, 1 } },
    { 1, DICT("'>f4'", "False", "(2, 3)"), 24, COORDCONV_F32, 2, { 2, 3 }, { 3, 1 } },
    { 1, DICT("'>f8'", "False", "(2, 3)"), 48, COORDCONV_F64, 2, { 2, 3 }, { 3, 1 } },
    { 1, DICT("'>i4'", "False", "(2, 3)"), 24, COORDCONV_I32, 2, { 2, 3 }, { 3, 1 } },
    { 1, DICT("'>i8'", "False", "(2, 3)"), 48, COORDCONV_I64, 2, { 2, 3 }, { 3, 1 } },
    { 1, DICT("'<i4'", "True", "(2, 3)"), 24, COORDCONV_I32, 2, { 2, 3 }, { 1, 2 } },
    { 1, DICT("'>i4'", "True", "(2, 3, 1)"), 24, COORDCONV_I32, 3, { 2, 3, 1 }, { 1, 2, 6 } },
    { 1, DICT("'<f4'", "True", "(6,)"), 24, COORDCONV_F32, 1, { 6 }, { 1 } },
    { 1, DICT("'<f4'", "True", "()"), 4, COORDCONV_F32, 0, { 0 }, { 0 } },
    { 1, DICT("'<f4'", "False", "()"), 4, COORDCONV_F32, 0, { 0 }, { 0 } },
    { 1, DICT("'<f4'", "False", "(2, 0, 3)"), 0, COORDCONV_F32, 3, { 2, 0, 3 }, { 3, 3, 1 } },
    { 1, DICT("'<f4'", "True", "(2, 0, 3)"), 0, COORDCONV_F32, 3, { 2, 0, 3 }, { 1, 2, 2 } },
    { 1,
      DICT("'<f4'", "False", "(0, 2147483647)"),
      0,
      COORDCONV_F32,
      2,
      { 0, 2147483647 },
      { 2147483647, 1 } },
    /* other ways to write the same */
    { 1,
      "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 3)}",
      24,
      COORDCONV_F32,
      2,
      { 2, 3 },
      { 3, 1 } },
    { 1,
      "{'shape':(2,3,),'fortran_order':False,'descr':'<f4'}\n",
      24,
      COORDCONV_F32,
      2,
      { 2, 3 },
      { 3, 1 } },
    { 1,
      "  {\t'shape' : ( 2 ,\n3 ) , 'descr' : '<f4' , 'fortran_order' : False , }   \r\n",
      24,
      COORDCONV_F32,
      2,
      { 2, 3 },
      { 3, 1 } },
};

/* Element number `index` of the tensor as an integer, whatever its type: its bits. */
static uint64_t bits_of(coordconv_tensor *t, int64_t offset)
{
    const size_t size = coordconv_dtype_size(coordconv_tensor_dtype(t));
    uint64_t bits = 0;
    uint32_t half = 0;
    const char *at = (const char *)coordconv_tensor_data(t) + offset * (int64_t)size;

    if (size == 8)
        memcpy(&bits, at, 8);
    else if (size == 4)
        memcpy(&half, at, 4);
    else
        half = *(const unsigned char *)at;
    return size == 8 ? bits : half;
}

/* What element number `index` of the bytes 0, 1, 2 ... is as an integer in this byte order. */
static uint64_t bits_stored(int64_t index, size_t size, int big)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++) {
        const uint64_t byte = ((uint64_t)index * size + i) & 0xff;
        bits |= byte << 8 * (big ? size - 1 - i : i);
    }
    return bits;
}

static void check_good(coordconv_tensor *t, size_t row)
{
    const size_t size = coordconv_dtype_size(good[row].dtype);
    const int big = strchr(good[row].header, '>') != NULL;

    assert_int_equal(coordconv_tensor_dtype(t), good[row].dtype);
    assert_int_equal(coordconv_tensor_ndim(t), good[row].ndim);
    for (int32_t i = 0; i < good[row].ndim; i++) {
        assert_int_equal(coordconv_tensor_dim(t, i), good[row].shape[i]);
        assert_int_equal(coordconv_tensor_stride(t, i), good[row].strides[i]);
    }
    assert_int_equal((size_t)coordconv_tensor_count(t) * size, good[row].data);
    for (int64_t i = 0; i < coordconv_tensor_count(t); i++) /* no gaps in any of these */
        assert_true(bits_of(t, i) == bits_stored(i, size, big));
}

static void good_files_are_read(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes b = file_of(good[i].major, 0, good[i].header, good[i].data);
        coordconv_tensor *memory = NULL, *file = NULL, *mapped = NULL;

        store(&b);
        check_ok(judge(b.at, b.count, &memory));
        check_ok(coordconv_npy_read(context, path, &file));
        check_ok(coordconv_npy_map(context, path, &mapped));
        check_good(memory, i);
        check_good(file, i);
        check_good(mapped, i);
        coordconv_tensor_unref(memory);
        coordconv_tensor_unref(file);
        coordconv_tensor_unref(mapped);
        free(b.at);
    }
}

static void eight_axes_and_the_longest_header_are_read(void **state)
{
    char header[10001];
    coordconv_tensor *t = NULL;
    (void)state;

    memset(header, ' ', 10000);
    memcpy(header, DICT("'<i4'", "False", "(1, 1, 2, 1, 1, 3, 1, 1)"),
           strlen(DICT("'<i4'", "False", "(1, 1, 2, 1, 1, 3, 1, 1)")));
    header[9999] = '\n';
    header[10000] = '\0';
    struct bytes b = file_of(2, 0, header, 24);
    check_ok(judge(b.at, b.count, &t));
    assert_int_equal(coordconv_tensor_ndim(t), 8);
    assert_int_equal(coordconv_tensor_dim(t, 5), 3);
    coordconv_tensor_unref(t);
    free(b.at);
}

/* ---- damaged files ---- */

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes b = file_of(good[i].major, 0, good[i].header, good[i].data);

        for (size_t n = 0; n < b.count; n++)
            check_refused(coordconv_tensor, judge(b.at, n, &out), COORDCONV_ERR_FORMAT, "npy: ");
        free(b.at);
    }
}

static void touch_all(coordconv_tensor *t)
{
    coordconv_tensor *copy = NULL;
    int64_t shape[COORDCONV_MAX_NDIM];

    for (int32_t i = 0; i < coordconv_tensor_ndim(t); i++)
        shape[i] = coordconv_tensor_dim(t, i);
    check_ok(coordconv_tensor_new(context, COORDCONV_F64, coordconv_tensor_ndim(t), shape, &copy));
    check_ok(coordconv_tensor_copy(copy, t));
    coordconv_tensor_unref(copy);
}

/* Whatever a byte becomes, there is a tensor of the elements there are, or a refusal. */
static size_t change(struct bytes *b, size_t at)
{
    const unsigned char was = b->at[at];
    size_t read = 0;

    for (unsigned byte = 0; byte < 256; byte++) {
        coordconv_tensor *t = UNTOUCHED;

        b->at[at] = (unsigned char)byte;
        if (judge(b->at, b->count, &t) == COORDCONV_OK) {
            touch_all(t);
            coordconv_tensor_unref(t);
            read++;
        } else {
            assert_ptr_equal(t, UNTOUCHED);
        }
    }
    b->at[at] = was;
    return read;
}

static void a_file_changed_at_any_byte_is_read_or_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes b = file_of(good[i].major, 0, good[i].header, good[i].data);
        const size_t data = b.count - good[i].data;

        for (size_t at = 0; at < b.count; at++) {
            const size_t read = change(&b, at);
            if (at < 6)
                assert_int_equal(read, 1);
            else if (at >= data)
                assert_int_equal(read, 256);
            else
                assert_true(read >= 1 && read < 256);
        }
        free(b.at);
    }
}

/* ---- mapping ---- */

/* A file of 24 bytes of data, of elements in the order of this machine: others are not mapped. */
static struct bytes mappable(const char *header)
{
    struct bytes b = file_of(1, 0, header, 24);

    assert_int_equal((b.count - 24) % 4, 0);
    if (test_is_big_endian())
        *(char *)memchr(b.at, '<', b.count) = '>';
    return b;
}

static void a_mapped_tensor_may_be_written_and_the_file_stays(void **state)
{
    struct bytes b = mappable(DICT("'<f4'", "False", "(2, 3)") "   ");
    coordconv_tensor *t = NULL, *again = NULL;
    (void)state;

    store(&b);
    check_ok(coordconv_npy_map(context, path, &t));
    check_ok(coordconv_tensor_fill(t, 5));
    check_ok(coordconv_npy_read(context, path, &again));
    assert_true(*(float *)coordconv_tensor_data(t) == 5);
    assert_memory_equal(coordconv_tensor_data(again), b.at + b.count - 24, 24);
    coordconv_tensor_unref(again);
    assert_int_equal(remove(path), 0); /* the mapping holds the file */
    assert_true(*(float *)coordconv_tensor_data(t) == 5);
    coordconv_tensor_unref(t);
    free(b.at);
}

/* A view holds the mapping, and lets it go from whatever thread drops it. */
static void a_view_holds_the_mapping(void **state)
{
    struct bytes b = mappable(DICT("'<i4'", "True", "(2, 3)"));
    coordconv_tensor *t = NULL, *part = NULL;
    (void)state;

    store(&b);
    check_ok(coordconv_npy_map(context, path, &t));
    check_ok(coordconv_tensor_slice(t, 1, 2, 1, &part));
    coordconv_tensor_unref(t);
    assert_true(bits_of(part, 0) == bits_stored(4, 4, test_is_big_endian()));
    coordconv_tensor_unref(part);
    free(b.at);
}

/* ---- writing ---- */

/* Through the file and back, for a tensor whose elements are 0, 1, 2 ... */
static void round_trip(coordconv_tensor *t)
{
    coordconv_tensor *back = NULL, *want = NULL;
    int64_t shape[COORDCONV_MAX_NDIM];
    const int32_t ndim = coordconv_tensor_ndim(t);
    struct stat info;

    check_ok(coordconv_npy_write(t, path));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal((size_t)info.st_size % 64,
                     (size_t)coordconv_tensor_count(t) *
                         coordconv_dtype_size(coordconv_tensor_dtype(t)) % 64);
    check_ok(coordconv_npy_read(context, path, &back));
    assert_int_equal(coordconv_tensor_ndim(back), ndim);
    for (int32_t i = 0; i < ndim; i++) {
        shape[i] = coordconv_tensor_dim(t, i);
        assert_int_equal(coordconv_tensor_dim(back, i), shape[i]);
    }
    assert_int_equal(coordconv_tensor_is_contiguous(back), 1);
    check_ok(coordconv_tensor_new(context, coordconv_tensor_dtype(t), ndim, shape, &want));
    check_ok(coordconv_tensor_copy(want, t));
    test_check_same(back, want, "round trip");
    coordconv_tensor_unref(want);
    coordconv_tensor_unref(back);
}

static void what_is_written_is_read_again(void **state)
{
    static const int32_t dtypes[] = { COORDCONV_F32, COORDCONV_F64, COORDCONV_I32, COORDCONV_I64,
                                      COORDCONV_U8 };
    static const int64_t shape[] = { 3, 5, 2, 1, 2, 1, 1, 2 };
    static const int32_t turn[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
    (void)state;

    for (size_t i = 0; i < COUNT(dtypes); i++) {
        for (int32_t ndim = 0; ndim <= 8; ndim++) {
            coordconv_tensor *t = NULL, *turned = NULL, *part = NULL;

            check_ok(coordconv_tensor_new(context, dtypes[i], ndim, shape, &t));
            unsigned char *data = coordconv_tensor_data(t);
            for (int64_t k = 0; k < coordconv_tensor_count(t); k++)
                data[k * (int64_t)coordconv_dtype_size(dtypes[i])] = (unsigned char)(k + 1);
            round_trip(t);
            check_ok(coordconv_tensor_permute(t, turn + 8 - ndim, &turned));
            round_trip(turned);
            if (ndim > 0) {
                check_ok(coordconv_tensor_slice(turned, ndim - 1, 1, 2, &part));
                round_trip(part);
                coordconv_tensor_unref(part);
                check_ok(coordconv_tensor_slice(turned, ndim - 1, 1, 0, &part));
                round_trip(part);
            }
            coordconv_tensor_unref(part);
            coordconv_tensor_unref(turned);
            coordconv_tensor_unref(t);
        }
    }
}

/* The 152 bytes that NumPy makes of this array, up to the data; on a machine of the other order
 * it makes '>f4' of it. */
static void the_published_example_is_written(void **state)
{
    static const unsigned char begin[] = { 0x93, 0x4e, 0x55, 0x4d, 0x50,
                                           0x59, 0x01, 0x00, 0x76, 0x00 };
    char text[] = DICT("'<f4'", "False", "(2, 3)");
    static const int64_t shape[] = { 2, 3 };
    unsigned char file[153];
    coordconv_tensor *t = NULL;
    (void)state;

    check_ok(coordconv_tensor_new(context, COORDCONV_F32, 2, shape, &t));
    check_ok(coordconv_npy_write(t, path));
    coordconv_tensor_unref(t);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(file, 1, sizeof file, f), 152);
    fclose(f);
    assert_memory_equal(file, begin, sizeof begin);
    if (test_is_big_endian())
        *strchr(text, '<') = '>';
    assert_memory_equal(file + 10, text, sizeof text - 1);
    for (size_t i = 10 + sizeof text - 1; i < 127; i++)
        assert_int_equal(file[i], ' ');
    assert_int_equal(file[127], '\n');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_headers_are_refused),
        TEST(a_nul_in_the_header_is_refused),
        TEST(what_does_not_begin_as_an_npy_file_is_refused),
        TEST(wrong_header_lengths_are_refused),
        TEST(null_and_no_file_are_refused),
        TEST(good_files_are_read),
        TEST(eight_axes_and_the_longest_header_are_read),
        TEST(a_file_cut_anywhere_is_refused),
        TEST(a_file_changed_at_any_byte_is_read_or_refused),
        TEST(a_mapped_tensor_may_be_written_and_the_file_stays),
        TEST(a_view_holds_the_mapping),
        TEST(what_is_written_is_read_again),
        TEST(the_published_example_is_written),
    };

    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/file.npy", folder);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
