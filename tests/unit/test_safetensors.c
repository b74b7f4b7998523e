/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_safetensors.c - the format by itself: what is read, what is refused and
 * with which words, what is written.
 *
 * Every file judged here lies in a block of exactly its size, so that a
 * sanitizer sees a step past the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#include "io/safetensors.h"

static struct test_heap heap;
static struct cconv_allocator allocator;

static int setup(void **state)
{
    (void)state;
    test_heap_init(&heap);
    cconv_allocator_init(&allocator, test_heap_alloc, test_heap_free, &heap);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_heap_check_empty(&heap);
    return 0;
}

/* Read a file of which the first `bytes` are at hand and that is said to be file_bytes long. */
static coordconv_status judge(const void *file, size_t bytes, uint64_t file_bytes,
                              struct cconv_safetensors *out)
{
    unsigned char *copy = malloc(bytes > 0 ? bytes : 1);
    size_t header = 0;
    coordconv_status status;

    assert_non_null(copy);
    memcpy(copy, file, bytes);
    status = cconv_safetensors_header_bytes(NULL, copy, bytes, file_bytes, &header);
    if (status == COORDCONV_OK) {
        char *text = malloc(header > 0 ? header : 1);
        assert_non_null(text);
        assert_true(header <= bytes - 8);
        memcpy(text, copy + 8, header);
        status = cconv_safetensors_read(&allocator, NULL, text, header, file_bytes, out);
        free(text);
    }
    free(copy);
    return status;
}

/* A file of this header, NULs included, and so many bytes of data. */
static coordconv_status judge_header(const char *header, size_t n, uint64_t data,
                                     struct cconv_safetensors *out)
{
    unsigned char *file = calloc(1, 8 + n);
    coordconv_status status;

    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)n >> 8 * i & 0xff);
    memcpy(file + 8, header, n);
    status = judge(file, 8 + n, 8 + n + data, out);
    free(file);
    return status;
}

static const char nested[] =
    "{\"__metadata__\":{\"who\":\"x\",\"{[\":\"}]\"},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
    "\"c.0\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[12,12]}}";

static void entries_come_sorted_with_shape_and_place(void **state)
{
    struct cconv_safetensors f;
    (void)state;

    check_ok(judge_header(nested, strlen(nested), 12, &f));
    assert_int_equal(f.count, 3);
    assert_string_equal(f.tensors[0].name, "a");
    assert_string_equal(f.tensors[0].dtype, "F32");
    assert_int_equal(f.tensors[0].shape.ndim, 0);
    assert_int_equal(f.tensors[0].begin, 0);
    assert_int_equal(f.tensors[0].end, 4);
    assert_string_equal(f.tensors[1].name, "b");
    assert_int_equal(f.tensors[1].shape.ndim, 1);
    assert_int_equal(f.tensors[1].shape.dim[0], 2);
    assert_int_equal(f.tensors[1].begin, 4);
    assert_int_equal(f.tensors[1].end, 12);
    assert_string_equal(f.tensors[2].name, "c.0");
    assert_string_equal(f.tensors[2].dtype, "F64");
    assert_int_equal(f.tensors[2].shape.dim[0], 0);
    assert_int_equal(f.tensors[2].shape.dim[1], 7);
    assert_string_equal(cconv_safetensors_metadata(&f, "who"), "x");
    assert_string_equal(cconv_safetensors_metadata(&f, "{["), "}]");
    assert_null(cconv_safetensors_metadata(&f, "a"));
    cconv_safetensors_destroy(&f);
}

/* The 84 bytes that the format's own text shows; the header is no multiple of 8. */
static void the_published_example_is_read(void **state)
{
    static const char header[] = "{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],"
                                 "\"data_offsets\":[0,16]}}";
    struct cconv_safetensors f;
    (void)state;

    assert_int_equal(strlen(header), 60);
    check_ok(judge_header(header, 60, 16, &f));
    assert_string_equal(f.tensors[0].dtype, "I32");
    cconv_safetensors_destroy(&f);
}

#define ENTRY(dtype, shape, offsets)                                                               \
    "{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define F32(name, offsets)                                                                         \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" offsets "}"

static void well_formed_headers_are_read(void **state)
{
    static const struct {
        const char *header;
        uint64_t data;
        size_t count;
    } good[] = {
        { "{}", 0, 0 },
        { "{ \t\r\n}   ", 0, 0 },
        { "{\"__metadata__\":{}}", 0, 0 },
        { ENTRY("\"F32\"", "[2,3]", "[0,24]"), 24, 1 },
        { ENTRY("\"F32\"", "[1,1,1,1,1,1,1,2]", "[0,8]"), 8, 1 },
        { ENTRY("\"F32\"", "[0,4611686018427387904]", "[0,0]"), 0, 1 },
        { "{" F32("a", "[0,4]") "," F32("b", "[4,8]") "}", 8, 2 },
        { "{" F32("a", "[4,8]") "," F32("b", "[0,4]") "}", 8, 2 },
        { "{" F32("\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t", "[0,4]") "}", 4, 1 },
        { "{" F32("", "[0,4]") "}", 4, 1 },
        { ENTRY("\"BOOL\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"U8\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"I8\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"F8_E5M2\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"F8_E4M3\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"F8_E8M0\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"F8_E4M3FNUZ\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"F8_E5M2FNUZ\"", "[3]", "[0,3]"), 3, 1 },
        { ENTRY("\"U16\"", "[3]", "[0,6]"), 6, 1 },
        { ENTRY("\"I16\"", "[3]", "[0,6]"), 6, 1 },
        { ENTRY("\"F16\"", "[3]", "[0,6]"), 6, 1 },
        { ENTRY("\"BF16\"", "[3]", "[0,6]"), 6, 1 },
        { ENTRY("\"U32\"", "[3]", "[0,12]"), 12, 1 },
        { ENTRY("\"I32\"", "[3]", "[0,12]"), 12, 1 },
        { ENTRY("\"U64\"", "[3]", "[0,24]"), 24, 1 },
        { ENTRY("\"I64\"", "[3]", "[0,24]"), 24, 1 },
        { ENTRY("\"F64\"", "[3]", "[0,24]"), 24, 1 },
        { ENTRY("\"C64\"", "[3]", "[0,24]"), 24, 1 },
        { ENTRY("\"F4\"", "[2]", "[0,1]"), 1, 1 },
        { ENTRY("\"F6_E2M3\"", "[4]", "[0,3]"), 3, 1 },
        { ENTRY("\"F6_E3M2\"", "[4]", "[0,3]"), 3, 1 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct cconv_safetensors f;
        if (judge_header(good[i].header, strlen(good[i].header), good[i].data, &f) !=
            COORDCONV_OK) {
            print_error("%s: %s\n", good[i].header, coordconv_last_error());
            fail();
        }
        assert_int_equal(f.count, good[i].count);
        cconv_safetensors_destroy(&f);
    }
}

struct bad {
    const char *header;
    uint64_t data;
    const char *message;
};

static void check_refused(const char *header, size_t n, uint64_t data, coordconv_status want,
                          const char *message)
{
    struct cconv_safetensors f = { .count = 12345 };
    coordconv_status status;

    test_forget_error();
    status = judge_header(header, n, data, &f);
    if (status != want || strstr(coordconv_last_error(), message) == NULL) {
        print_error("%.200s\n  returned %s \"%s\", expected \"%s\"\n", header,
                    coordconv_status_name(status),
                    status != COORDCONV_OK ? coordconv_last_error() : "", message);
        fail();
    }
    assert_int_equal(f.count, 12345); /* left alone */
}

static void check_table(const struct bad *bad, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_refused(bad[i].header, strlen(bad[i].header), bad[i].data, COORDCONV_ERR_FORMAT,
                      bad[i].message);
}

static void text_that_is_no_header_is_refused(void **state)
{
    static const struct bad bad[] = {
        { "", 0, "begin with {" },
        { " {}", 0, "begin with {" },
        { "[]", 0, "begin with {" },
        { "\"a\"", 0, "begin with {" },
        { "{", 0, "header byte" },
        { "{}}", 0, "header byte" },
        { "{}{}", 0, "header byte" },
        { "{},", 0, "header byte" },
        { "{\"a\"}", 0, "header byte" },
        { "{\"a\":}", 0, "header byte" },
        { "{\"a\":1", 0, "header byte" },
        { "{\"a", 0, "header byte" },
        { "{\"a\\", 0, "header byte" },
        { "{a:1}", 0, "byte 0x61 at 1" },
        { "{'a':1}", 0, "byte 0x27 at 1" },
        { "{}x", 0, "byte 0x78 at 2" },
        { "{}\v", 0, "byte 0x0b at 2" },
        { "{} // no", 0, "byte 0x2f at 3" },
        { "{\"a\":{\"b\":[{", 0, "deeper than 3" },
        { "{\"a\":[[[", 0, "deeper than 3" },
        { "{\"\xff\":1}", 0, "header byte" },         /* no UTF-8 */
        { "{\"\xc0\x80\":1}", 0, "header byte" },     /* NUL spelt long */
        { "{\"\xed\xa0\x80\":1}", 0, "header byte" }, /* a surrogate in UTF-8 */
        { "{\"\xe9\":1}", 0, "header byte" },         /* Latin-1 */
        { "{\"a\nb\":1}", 0, "header byte" },
        { "{\"\\u0000\":1}", 0, "header byte" },
        { "{\"a\\u0000b\":1}", 0, "header byte" },
        { "{\"\\ud800\":1}", 0, "header byte" },
        { "{\"\\udc00\":1}", 0, "header byte" },
        { "{\"\\ud800\\u0041\":1}", 0, "header byte" },
        { "{\"\\x41\":1}", 0, "header byte" },
        { "{\"\\u00zz\":1}", 0, "header byte" },
        { "{" F32("a", "[0,4]") "," F32("a", "[4,8]") "}", 8, "duplicate" },
        { "{" F32("a", "[0,4]") "," F32("\\u0061", "[4,8]") "}", 8, "duplicate" },
        { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate" },
        { "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "duplicate" },
    };
    (void)state;

    check_table(bad, COUNT(bad));
    check_refused("{\0}", 3, 0, COORDCONV_ERR_FORMAT, "byte 0x00 at 1");
    check_refused("{}\0", 3, 0, COORDCONV_ERR_FORMAT, "byte 0x00 at 2");
    check_refused("{\"a\0b\":1}", 9, 0, COORDCONV_ERR_FORMAT, "header byte");
}

static void entries_out_of_form_are_refused(void **state)
{
    static const struct bad bad[] = {
        { "{\"t\":1}", 0, "\"t\" is not dtype, shape and data_offsets" },
        { "{\"t\":\"F32\"}", 0, "is not dtype" },
        { "{\"t\":[]}", 0, "is not dtype" },
        { "{\"t\":{}}", 0, "is not dtype" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, "is not dtype" },
        { "{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "is not dtype" },
        { "{\"t\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, "is not dtype" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"more\":1}}", 4,
          "is not dtype" },
        { "{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
          "duplicate" },
        { ENTRY("32", "[1]", "[0,4]"), 4, "is not dtype" },
        { ENTRY("\"f32\"", "[1]", "[0,4]"), 4, "unknown dtype \"f32\"" },
        { ENTRY("\"F32 \"", "[1]", "[0,4]"), 4, "unknown dtype" },
        { ENTRY("\"\"", "[1]", "[0,4]"), 4, "unknown dtype" },
        { ENTRY("\"F32\"", "1", "[0,4]"), 4, "shape of tensor \"t\"" },
        { ENTRY("\"F32\"", "\"1\"", "[0,4]"), 4, "shape of tensor \"t\"" },
        { ENTRY("\"F32\"", "{}", "[0,4]"), 4, "shape of tensor \"t\"" },
        { ENTRY("\"F32\"", "[\"1\"]", "[0,4]"), 4, "shape of tensor \"t\"" },
        { ENTRY("\"F32\"", "[[1]]", "[0,4]"), 4, "deeper than 3" },
        { ENTRY("\"F32\"", "[-1]", "[0,4]"), 4, "byte 0x2d" },
        { ENTRY("\"F32\"", "[-0]", "[0,0]"), 0, "byte 0x2d" },
        { ENTRY("\"F32\"", "[1.0]", "[0,4]"), 4, "byte 0x2e" },
        { ENTRY("\"F32\"", "[1e0]", "[0,4]"), 4, "byte 0x65" },
        { ENTRY("\"F32\"", "[1e999]", "[0,4]"), 4, "byte 0x65" },
        { ENTRY("\"F32\"", "[true]", "[0,4]"), 4, "byte 0x74" },
        { ENTRY("\"F32\"", "[null]", "[0,4]"), 4, "byte 0x6e" },
        { ENTRY("\"F32\"", "[01]", "[0,4]"), 4, "header byte" },
        { ENTRY("\"F32\"", "[18446744073709551616]", "[0,4]"), 4, "header byte" },
        { ENTRY("\"F32\"", "[1]", "[0,18446744073709551612]"), 4, "header byte" },
        { ENTRY("\"F32\"", "[1]", "4"), 4, "data_offsets of tensor \"t\"" },
        { ENTRY("\"F32\"", "[1]", "[]"), 4, "data_offsets of tensor \"t\"" },
        { ENTRY("\"F32\"", "[1]", "[0]"), 4, "data_offsets of tensor \"t\"" },
        { ENTRY("\"F32\"", "[1]", "[0,4,8]"), 4, "data_offsets of tensor \"t\"" },
        { ENTRY("\"F32\"", "[1]", "[0,\"4\"]"), 4, "data_offsets of tensor \"t\"" },
        { "{\"__metadata__\":1}", 0, "__metadata__ is not an object" },
        { "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
        { "{\"__metadata__\":{\"epoch\":1}}", 0, "metadata \"epoch\" is not a string" },
        { "{\"__metadata__\":{\"a\":{}}}", 0, "is not a string" },
        /* What a message repeats of a file cannot act on a terminal. */
        { "{\"\\u001b[2J\\n\":1}", 0, "tensor \"?[2J?\"" },
    };
    (void)state;

    check_table(bad, COUNT(bad));
    check_refused(ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"),
                  strlen(ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]")), 4,
                  COORDCONV_ERR_UNSUPPORTED, "9 axes, at most 8");
}

static void data_that_are_not_covered_exactly_are_refused(void **state)
{
    static const struct bad bad[] = {
        { "{}", 1, "take 0 bytes, the file has 1" },
        { ENTRY("\"F32\"", "[1]", "[0,4]"), 3, "take 4 bytes, the file has 3" },
        { ENTRY("\"F32\"", "[1]", "[0,4]"), 5, "take 4 bytes, the file has 5" },
        { ENTRY("\"F32\"", "[1]", "[4,8]"), 8, "lies at [4, 8), expected at 0" },
        { ENTRY("\"F32\"", "[1]", "[4,0]"), 4, "lies at [4, 0)" },
        { ENTRY("\"F32\"", "[0]", "[1,1]"), 1, "lies at [1, 1)" },
        { "{" F32("a", "[0,4]") "," F32("b", "[8,12]") "}", 12, "\"b\" lies at [8, 12)" },
        { "{" F32("a", "[0,4]") "," F32("b", "[0,4]") "}", 4, "lies at [0, 4), expected at 4" },
        { "{" F32("a", "[0,4]") "," F32("b", "[2,6]") "}", 6, "\"b\" lies at [2, 6)" },
        { "{" F32("a", "[0,4]") "," F32("b", "[4,3]") "}", 4, "\"b\" lies at [4, 3)" },
        { "{" F32("a", "[0,4]") "," F32("b", "[4,8]") "}", 12, "take 8 bytes, the file has 12" },
        { ENTRY("\"F32\"", "[2]", "[0,4]"), 4, "of F32 [2] has 4 bytes" },
        { ENTRY("\"F32\"", "[1]", "[0,8]"), 8, "of F32 [1] has 8 bytes" },
        { ENTRY("\"F32\"", "[0]", "[0,4]"), 4, "has 4 bytes" },
        { ENTRY("\"F4\"", "[3]", "[0,1]"), 1, "has 1 bytes" },
        { ENTRY("\"F4\"", "[3]", "[0,2]"), 2, "has 2 bytes" },
        /* Products that wrap to what the offsets say. */
        { ENTRY("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"F32\"", "[4611686018427387904,4]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"U8\"", "[65536,65536,65536,65536]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"U8\"", "[2305843009213693952]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"F32\"", "[2147483648,2,1]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"F32\"", "[9223372036854775807]", "[0,4]"), 4, "has 4 bytes" },
        { ENTRY("\"F32\"", "[4611686018427387904,4,0]", "[0,0]"), 0, "has 0 bytes" },
        { ENTRY("\"F32\"", "[1]", "[9223372036854775803,9223372036854775807]"), 4, "lies at" },
        { ENTRY("\"F32\"", "[1]", "[0,9223372036854775807]"), 4, "has 9223372036854775807" },
    };
    (void)state;

    check_table(bad, COUNT(bad));
}

/* Depth that would cost a recursive parser its stack. */
static void deep_nesting_is_refused(void **state)
{
    static const char *const units[] = { "[", "{\"\":", "[\"\"," };
    (void)state;

    for (size_t u = 0; u < COUNT(units); u++) {
        const size_t step = strlen(units[u]), n = 5 + 100000 * step;
        char *text = malloc(n);
        assert_non_null(text);
        memcpy(text, "{\"a\":", 5);
        for (size_t i = 5; i < n; i += step)
            memcpy(text + i, units[u], step);
        check_refused(text, n, 0, COORDCONV_ERR_FORMAT, "deeper than 3");
        free(text);
    }
}

/* Text that is JSON three levels deep and would take the parser 23 to 78 times its length in
 * memory; and entries as short as they can be, which are let through. */
static void memory_out_of_proportion_is_refused(void **state)
{
    static const char *const units[] = { "0,", "{},", "[],", "[0],", "\"\":{},", "{\"\":0}," };
    const size_t n = 1000000;
    char *text = malloc(n + 64);
    size_t at = 1;
    (void)state;

    assert_non_null(text);
    for (size_t u = 0; u < COUNT(units); u++) {
        const size_t step = strlen(units[u]);
        memcpy(text, "{\"a\":[", 6);
        for (at = 6; at + step < n; at += step)
            memcpy(text + at, units[u], step);
        memcpy(text + at, "0]}", 3);
        if (units[u][0] == '"') { /* in an object */
            text[5] = '{';
            memcpy(text + at, "\"\":0}}", 6);
            at += 3;
        }
        check_refused(text, at + 3, 0, COORDCONV_ERR_FORMAT, "more values than tensors");
    }
    text[0] = '{';
    for (at = 1; at < n - 64;)
        at += (size_t)sprintf(
            text + at, "%s\"%zx\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%zu,%zu]}",
            at > 1 ? "," : "", at, at, at);
    text[at++] = '}';
    check_refused(text, at, 0, COORDCONV_ERR_FORMAT, "lies at [1, 1), expected at 0");
    free(text);
}

static void check_prefix(uint64_t header, size_t available, uint64_t file_bytes,
                         const char *message)
{
    unsigned char prefix[8];
    size_t n = 77;

    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(header >> 8 * i & 0xff);
    if (message == NULL) {
        check_ok(cconv_safetensors_header_bytes(NULL, prefix, available, file_bytes, &n));
        assert_int_equal(n, header);
    } else {
        check_fails(cconv_safetensors_header_bytes(NULL, prefix, available, file_bytes, &n),
                    COORDCONV_ERR_FORMAT, message);
        assert_int_equal(n, 77);
    }
}

static void the_header_length_is_checked_against_cap_and_file(void **state)
{
    (void)state;

    for (size_t bytes = 0; bytes < 8; bytes++)
        check_prefix(0, bytes, bytes, "too few");
    check_prefix(0, 8, 8, NULL);
    check_prefix(1, 8, 8, "header of 1 bytes in a file of 8");
    check_prefix(92, 8, 100, NULL);
    check_prefix(93, 8, 100, "header of 93 bytes in a file of 100");
    check_prefix(16000000, 8, UINT64_MAX, NULL);
    check_prefix(16000001, 8, UINT64_MAX, "at most 16000000");
    check_prefix(UINT64_C(1) << 32, 8, UINT64_MAX, "at most");
    check_prefix(UINT64_C(1) << 63, 8, UINT64_MAX, "at most");
    check_prefix(UINT64_MAX - 7, 8, UINT64_MAX, "at most");
    check_prefix(UINT64_MAX, 8, 8, "at most");
}

/* A good file of 12 bytes of data. */
static size_t good_file(unsigned char *file)
{
    const size_t n = strlen(nested);

    memset(file, 0, 8);
    file[0] = (unsigned char)(n & 0xff);
    file[1] = (unsigned char)(n >> 8);
    memcpy(file + 8, nested, n);
    memset(file + 8 + n, 0x5a, 12);
    return 8 + n + 12;
}

static void every_truncation_is_refused(void **state)
{
    unsigned char file[512];
    const size_t bytes = good_file(file);
    struct cconv_safetensors f;
    (void)state;

    check_ok(judge(file, bytes, bytes, &f));
    cconv_safetensors_destroy(&f);
    for (size_t n = 0; n < bytes; n++)
        check_fails(judge(file, n, n, &f), COORDCONV_ERR_FORMAT, "safetensors: ");
}

/* What is still read after a change must hold together; the rest must say why. */
static void every_changed_byte_is_survived(void **state)
{
    unsigned char file[512];
    const size_t bytes = good_file(file);
    size_t refused = 0;
    (void)state;

    for (size_t i = 0; i < bytes; i++) {
        const unsigned char kept = file[i];
        for (unsigned change = 1; change < 256; change++) {
            struct cconv_safetensors f = { .count = 0 };
            uint64_t end = 0;
            file[i] = (unsigned char)(kept ^ change);
            if (judge(file, bytes, bytes, &f) != COORDCONV_OK) {
                refused++;
                continue;
            }
            for (size_t t = 0; t < f.count; t++)
                end = end > f.tensors[t].end ? end : f.tensors[t].end;
            assert_int_equal(end, 12);
            cconv_safetensors_destroy(&f);
        }
        file[i] = kept;
    }
    /* Names and metadata may be other words; all else has to be what it is. */
    assert_true(refused > 200 * 255);
}

static void no_memory_is_told(void **state)
{
    struct cconv_safetensors f;
    const struct cconv_shape shape = { .ndim = 0 };
    const struct cconv_safetensor_item item = { "a", COORDCONV_F32, &shape };
    size_t bytes = 0;
    char *header = NULL;
    (void)state;

    heap.fail_at = atomic_load(&heap.calls);
    check_fails(judge_header(nested, strlen(nested), 12, &f), COORDCONV_ERR_NOMEM, "no memory");
    heap.fail_at = atomic_load(&heap.calls);
    check_fails(cconv_safetensors_write(&allocator, NULL, &item, 1, NULL, 0, &header, &bytes),
                COORDCONV_ERR_NOMEM, "no memory");
    heap.fail_at = SIZE_MAX;
    assert_null(header);
}

static void the_bytes_written_are_these(void **state)
{
    static const char want[] =
        "\x58\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"k\":\"v\"},"
        "\"a.b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}";
    const struct cconv_shape shape = { .ndim = 2, .dim = { 2, 3 } };
    const struct cconv_safetensor_item item = { "a.b", COORDCONV_F32, &shape };
    const coordconv_metadata word = { "k", "v" };
    size_t bytes = 0;
    char *header = NULL;
    (void)state;

    check_ok(cconv_safetensors_write(&allocator, NULL, &item, 1, &word, 1, &header, &bytes));
    assert_int_equal(bytes % 8, 0);
    assert_int_equal(bytes, 8 + 0x58);
    assert_memory_equal(header, want, sizeof want - 1);
    for (size_t i = sizeof want - 1; i < bytes; i++)
        assert_int_equal(header[i], ' ');
    cconv_free(&allocator, header, bytes);
}

static void what_is_written_is_read_again(void **state)
{
    static const coordconv_metadata words[] = {
        { "plain", "" },
        { "quotes \"\\\" / \x01\x1f\x7f\t\r\n\b\f", "\xc3\xa9 \xf0\x9f\x98\x80 \"}{\\" },
    };
    const struct cconv_shape shapes[] = { { .ndim = 0 },
                                          { .ndim = 2, .dim = { 3, 0 } },
                                          { .ndim = 8, .dim = { 1, 2, 1, 2, 1, 2, 1, 3 } } };
    const struct cconv_safetensor_item items[] = { { "\"\\\n", COORDCONV_F64, &shapes[0] },
                                                   { "empty", COORDCONV_F32, &shapes[1] },
                                                   { "\xc3\xa9", COORDCONV_U8, &shapes[2] } };
    struct cconv_safetensors f;
    size_t bytes = 0;
    char *header = NULL;
    (void)state;

    check_ok(cconv_safetensors_write(&allocator, NULL, items, 3, words, 2, &header, &bytes));
    check_ok(judge(header, bytes, bytes + 8 + 24, &f));
    cconv_free(&allocator, header, bytes);
    assert_int_equal(f.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(f.tensors[i].name, items[i].name);
        assert_string_equal(f.tensors[i].dtype, cconv_safetensors_dtype(items[i].dtype));
        assert_true(cconv_shape_equal(&f.tensors[i].shape, items[i].shape));
    }
    assert_int_equal(f.tensors[2].begin, 8);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(cconv_safetensors_metadata(&f, words[i].key), words[i].value);
    cconv_safetensors_destroy(&f);
}

/* 3 million control characters take six times the room in the header. */
static void a_header_over_the_cap_is_not_written(void **state)
{
    const size_t n = 3000000;
    char *value = malloc(n + 1);
    const coordconv_metadata word = { "k", value };
    size_t bytes = 0;
    char *header = NULL;
    (void)state;

    assert_non_null(value);
    memset(value, 1, n);
    value[n] = '\0';
    check_fails(cconv_safetensors_write(&allocator, NULL, NULL, 0, &word, 1, &header, &bytes),
                COORDCONV_ERR_INVALID, "at most 16000000");
    free(value);
}

static void quoted_strings_are_short_and_harmless(void **state)
{
    struct cconv_quoted q;
    char text[200];
    (void)state;

    assert_string_equal(cconv_quote("", &q), "");
    assert_string_equal(cconv_quote("a\x1b\n\x7f\xc3\xa9", &q), "a???\xc3\xa9");
    for (size_t n = 0; n < 4; n++) { /* the cut never leaves half a character */
        const char *shown;
        memset(text, 'a', n);
        for (size_t i = n; i + 1 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        text[sizeof text - 1 - (sizeof text - 1 - n) % 2] = '\0';
        shown = cconv_quote(text, &q);
        assert_true(strlen(shown) < sizeof q.text);
        assert_true(strlen(shown) > sizeof q.text - 8);
        assert_string_equal(shown + strlen(shown) - 3, "...");
        assert_int_equal((strlen(shown) - 3 - n) % 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_sorted_with_shape_and_place),
        cmocka_unit_test(the_published_example_is_read),
        cmocka_unit_test(well_formed_headers_are_read),
        cmocka_unit_test(text_that_is_no_header_is_refused),
        cmocka_unit_test(entries_out_of_form_are_refused),
        cmocka_unit_test(data_that_are_not_covered_exactly_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(memory_out_of_proportion_is_refused),
        cmocka_unit_test(the_header_length_is_checked_against_cap_and_file),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(the_bytes_written_are_these),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_header_over_the_cap_is_not_written),
        cmocka_unit_test(quoted_strings_are_short_and_harmless),
    };

    return cmocka_run_group_tests_name("safetensors", tests, setup, teardown);
}
