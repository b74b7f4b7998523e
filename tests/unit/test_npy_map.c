/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_npy_map.c - when .npy files are mapped and when they are read, and that every
 * mapping is given back.
 *
 * The linker sends mmap and munmap of the library through the functions below.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

static struct {
    int refuse;           /* every mmap fails */
    int mapped, unmapped; /* calls that succeeded */
    size_t bytes;         /* mapped minus unmapped */
} system_calls;

static char path[] = "/tmp/coordconv-map-XXXXXX";

/* The same call has two names where files may be larger than 2 GB. */
#define WRAP_MMAP(name)                                                                            \
    void *__real_##name(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);  \
    void *__wrap_##name(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);  \
    void *__wrap_##name(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)   \
    {                                                                                              \
        if (system_calls.refuse) {                                                                 \
            errno = ENODEV;                                                                        \
            return MAP_FAILED;                                                                     \
        }                                                                                          \
        system_calls.mapped++;                                                                     \
        system_calls.bytes += bytes;                                                               \
        return __real_##name(at, bytes, protection, flags, fd, offset);                            \
    }

WRAP_MMAP(mmap)
WRAP_MMAP(mmap64)

int __real_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes)
{
    system_calls.unmapped++;
    system_calls.bytes -= bytes;
    return __real_munmap(memory, bytes);
}

/* A file of these elements, its header filled up to a length of 10 + `pad`. In descr, '<' stands
 * for this machine's order of bytes and '>' for the other. */
static void store(const char *descr, const char *order, const char *shape, int pad, size_t data)
{
    const int turn = test_is_big_endian() && descr[0] != '|';
    const char mark = turn ? (char)(descr[0] == '<' ? '>' : '<') : descr[0];
    FILE *f = fopen(path, "wb");
    char header[256];

    assert_non_null(f);
    snprintf(header, sizeof header, "{'descr': '%c%s', 'fortran_order': %s, 'shape': %s}", mark,
             descr + 1, order, shape);
    assert_true(pad >= (int)strlen(header));
    fprintf(f, "%s%c%c%c%c%-*s", "\x93NUMPY", 1, 0, pad, 0, pad, header);
    for (size_t i = 0; i < data; i++)
        fputc((int)i, f);
    assert_int_equal(fclose(f), 0);
}

/* Map it and drop it; what it took. */
static void map_and_drop(int mapped)
{
    coordconv_tensor *t = NULL;

    memset(&system_calls, 0, sizeof system_calls);
    check_ok(coordconv_npy_map(context, path, &t));
    assert_int_equal(system_calls.mapped, mapped);
    assert_int_equal(system_calls.unmapped, 0);
    if (coordconv_tensor_count(t) > 0)
        assert_int_equal(*(unsigned char *)coordconv_tensor_data(t), 0);
    coordconv_tensor_unref(t);
    assert_int_equal(system_calls.unmapped, mapped);
    assert_int_equal(system_calls.bytes, 0);
}

static void what_lies_as_it_should_is_mapped(void **state)
{
    (void)state;

    store("<f4", "False", "(2, 3)", 118, 24);
    map_and_drop(1);
    store("<f8", "True", "(2, 3)", 118, 48);
    map_and_drop(1);
    store("|u1", "False", "(6,)", 71, 6);
    map_and_drop(1);
}

static void what_does_not_is_read(void **state)
{
    (void)state;

    store("<f4", "False", "(2, 3)", 120, 24); /* out of alignment by 2 bytes */
    map_and_drop(0);
    store("<i8", "False", "(2, 3)", 114, 48); /* by 4 */
    map_and_drop(0);
    store("<f4", "False", "(2, 0)", 118, 0);
    map_and_drop(0);

    store(">f4", "False", "(1,)", 118, 4);
    coordconv_tensor *t = NULL;
    memset(&system_calls, 0, sizeof system_calls);
    check_ok(coordconv_npy_map(context, path, &t));
    assert_int_equal(system_calls.mapped, 0);
    assert_int_equal(*(unsigned char *)coordconv_tensor_data(t), 3);
    coordconv_tensor_unref(t);
}

static void a_system_that_cannot_map_has_it_read(void **state)
{
    coordconv_tensor *t = NULL;
    (void)state;

    store("<i4", "True", "(2, 3)", 118, 24);
    memset(&system_calls, 0, sizeof system_calls);
    system_calls.refuse = 1;
    check_ok(coordconv_npy_map(context, path, &t));
    assert_int_equal(coordconv_tensor_stride(t, 1), 2);
    assert_memory_equal(coordconv_tensor_data(t), "\0\1\2\3", 4);
    coordconv_tensor_unref(t);
    assert_int_equal(system_calls.unmapped, 0);
}

static void no_memory_leaves_no_mapping(void **state)
{
    size_t at = 0, refused;
    (void)state;

    store("<i4", "True", "(2, 3)", 118, 24);
    do {
        coordconv_tensor *t = NULL;
        struct test_heap own;
        test_heap_init(&own);
        coordconv_context *other = test_context(1, &own, NULL);

        memset(&system_calls, 0, sizeof system_calls);
        own.fail_at = atomic_load(&own.calls) + at++;
        const coordconv_status status = coordconv_npy_map(other, path, &t);
        refused = atomic_load(&own.refused);
        assert_int_equal(status, refused ? COORDCONV_ERR_NOMEM : COORDCONV_OK);
        coordconv_tensor_unref(t);
        assert_int_equal(system_calls.mapped, system_calls.unmapped);
        assert_int_equal(system_calls.bytes, 0);
        coordconv_context_unref(other);
        test_heap_check_empty(&own);
    } while (refused > 0);
    assert_true(at >= 5); /* header, mapping, storage, tensor, view; then none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_as_it_should_is_mapped),
        cmocka_unit_test(what_does_not_is_read),
        cmocka_unit_test(a_system_that_cannot_map_has_it_read),
        cmocka_unit_test(no_memory_leaves_no_mapping),
    };
    const int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    close(fd);
    const int failed = cmocka_run_group_tests(tests, start, stop);
    remove(path);
    return failed;
}
