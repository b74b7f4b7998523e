/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_file.c - writing a file when the system does not play along.
 *
 * The linker sends the system calls of file.c through the functions below
 * (--wrap), which let the Nth of them fail, write a few bytes only, or be
 * interrupted by a signal. Whatever happens, the place holds the old file or the
 * new one, nothing is left beside it and no descriptor stays open.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#include "io/file.h"

/* ---- system calls that fail on demand ---- */

static struct {
    int on;
    int calls, fail_at, error; /* call number fail_at (from 0) fails with error */
    int interrupt;             /* every call is interrupted once before it works */
    size_t most;               /* bytes one read or write takes, 0: as asked */
    int interrupted;
    const char *failed; /* name of the call that failed */
    mode_t created;     /* mode of the last file created, whether on or not */
} fault;

/* 1 if this call is not to happen, errno set. */
static int refused(const char *name)
{
    if (!fault.on)
        return 0;
    if (fault.interrupt && !fault.interrupted) {
        fault.interrupted = 1;
        errno = EINTR;
        return 1;
    }
    fault.interrupted = 0;
    if (fault.calls++ != fault.fail_at)
        return 0;
    fault.failed = name;
    errno = fault.error;
    return 1;
}

static size_t shortened(size_t bytes)
{
    return fault.on && fault.most != 0 && fault.most < bytes ? fault.most : bytes;
}

/* The same call has two names where files may be larger than 2 GB. */
#define WRAP_OPENAT(name)                                                                          \
    int __real_##name(int folder, const char *path, int flags, mode_t mode);                       \
    int __wrap_##name(int folder, const char *path, int flags, mode_t mode);                       \
    int __wrap_##name(int folder, const char *path, int flags, mode_t mode)                        \
    {                                                                                              \
        if (flags & O_CREAT)                                                                       \
            fault.created = mode;                                                                  \
        return refused("openat") ? -1 : __real_##name(folder, path, flags, mode);                  \
    }
#define WRAP_FSTATAT(name)                                                                         \
    int __real_##name(int folder, const char *path, struct stat *info, int flags);                 \
    int __wrap_##name(int folder, const char *path, struct stat *info, int flags);                 \
    int __wrap_##name(int folder, const char *path, struct stat *info, int flags)                  \
    {                                                                                              \
        fault.interrupted = 1; /* never interrupted */                                             \
        return refused("fstatat") ? -1 : __real_##name(folder, path, info, flags);                 \
    }
#define WRAP_FSTAT(name)                                                                           \
    int __real_##name(int fd, struct stat *info);                                                  \
    int __wrap_##name(int fd, struct stat *info);                                                  \
    int __wrap_##name(int fd, struct stat *info)                                                   \
    {                                                                                              \
        fault.interrupted = 1;                                                                     \
        return refused("fstat") ? -1 : __real_##name(fd, info);                                    \
    }
#define WRAP_PREAD(name)                                                                           \
    ssize_t __real_##name(int fd, void *data, size_t bytes, off_t offset);                         \
    ssize_t __wrap_##name(int fd, void *data, size_t bytes, off_t offset);                         \
    ssize_t __wrap_##name(int fd, void *data, size_t bytes, off_t offset)                          \
    {                                                                                              \
        return refused("pread") ? -1 : __real_##name(fd, data, shortened(bytes), offset);          \
    }

WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)
WRAP_FSTATAT(fstatat)
WRAP_FSTATAT(fstatat64)
WRAP_FSTAT(fstat)
WRAP_FSTAT(fstat64)
WRAP_PREAD(pread)
WRAP_PREAD(pread64)

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    return refused("write") ? -1 : __real_write(fd, data, shortened(bytes));
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return refused("fsync") ? -1 : __real_fsync(fd);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    fault.interrupted = 1;
    return refused("fchmod") ? -1 : __real_fchmod(fd, mode);
}

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    fault.interrupted = 1;
    return refused("renameat") ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

/* A descriptor is gone even where close() reports a failure. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int error = 0;

    fault.interrupted = 1;
    if (refused("close"))
        error = errno;
    if (__real_close(fd) != 0)
        return -1;
    errno = error;
    return error != 0 ? -1 : 0;
}

static void fail_call(int number, int error)
{
    memset(&fault, 0, sizeof fault);
    fault.on = 1;
    fault.fail_at = number;
    fault.error = error;
}

/* ---- a folder to work in ---- */

static char folder[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof fault);
    snprintf(folder, sizeof folder, "/tmp/coordconv-file-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return 0;
}

/* Number of entries besides . and .. */
static int entries(const char *where)
{
    DIR *d = opendir(where);
    int n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static int teardown(void **state)
{
    (void)state;
    fault.on = 0;
    unlink(path);
    return rmdir(folder);
}

static void put(const char *text)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void check_content(const char *want)
{
    char got[256];
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, want);
}

#define OLD "the old content"
#define NEW "first piece, then the second"

static coordconv_status save(void)
{
    struct cconv_new_file file;
    coordconv_status status = cconv_new_file_create(&file, NULL, path);

    if (status != COORDCONV_OK)
        return status;
    status = cconv_new_file_write(&file, NEW, 13);
    if (status == COORDCONV_OK)
        status = cconv_new_file_write(&file, &NEW[13], strlen(NEW) - 13);
    if (status == COORDCONV_OK)
        return cconv_new_file_commit(&file);
    cconv_new_file_discard(&file);
    return status;
}

/* ---- tests ---- */

static void a_new_file_appears_with_the_usual_mode(void **state)
{
    const mode_t mask = umask(027);
    struct stat info;
    (void)state;

    check_ok(save());
    umask(mask);
    check_content(NEW);
    assert_int_equal(entries(folder), 1);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
}

static void an_old_file_is_replaced_and_keeps_its_mode(void **state)
{
    static const mode_t modes[] = { 0600, 0666, 0444, 0751, 0400 };
    struct stat info;
    (void)state;

    for (size_t i = 0; i < COUNT(modes); i++) {
        put(OLD);
        assert_int_equal(chmod(path, modes[i]), 0);
        check_ok(save());
        assert_int_equal(fault.created, 0600); /* not even for a moment open to others */
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 07777, modes[i]);
        assert_int_equal(chmod(path, 0600), 0);
        check_content(NEW);
    }
    assert_int_equal(entries(folder), 1);
}

/* Each call in turn, with and without an old file. Closing the folder at the
 * very end may fail unnoticed: all is done by then. */
static void each_call_may_fail(void **state)
{
    static const int errors[] = { EIO, ENOSPC, EMFILE };
    (void)state;

    for (int with_old = 0; with_old <= 1; with_old++) {
        for (size_t e = 0; e < COUNT(errors); e++) {
            int failures = 0;
            for (int n = 0;; n++) {
                const int before = entries("/proc/self/fd");
                coordconv_status status;
                int renamed;
                if (with_old)
                    put(OLD);
                else
                    unlink(path);
                fail_call(n, errors[e]);
                status = save();
                fault.on = 0;
                assert_int_equal(entries("/proc/self/fd"), before);
                if (fault.failed == NULL) {
                    check_ok(status);
                    break;
                }
                renamed = access(path, F_OK) == 0 && entries(folder) == 1;
                if (status == COORDCONV_OK) {
                    assert_string_equal(fault.failed, "close");
                    check_content(NEW);
                    continue;
                }
                failures++;
                assert_int_equal(status, COORDCONV_ERR_IO);
                assert_non_null(strstr(coordconv_last_error(), strerror(errors[e])));
                assert_non_null(strstr(coordconv_last_error(), path));
                if (strstr(coordconv_last_error(), "synchronise the folder") != NULL) {
                    check_content(NEW);
                } else if (with_old) {
                    assert_true(renamed);
                    check_content(OLD);
                } else {
                    assert_int_equal(entries(folder), 0);
                }
            }
            /* folder, examine, create, two writes, sync, close, rename, sync, and the mode. */
            assert_int_equal(failures, 9 + with_old);
        }
    }
}

static void interruptions_and_short_writes_do_not_matter(void **state)
{
    (void)state;

    for (size_t most = 1; most < 16; most += 7) {
        put(OLD);
        fail_call(-1, 0);
        fault.interrupt = 1;
        fault.most = most;
        check_ok(save());
        fault.on = 0;
        check_content(NEW);
    }
    assert_int_equal(entries(folder), 1);
}

/* Some file systems cannot synchronise a folder and say so; nothing is wrong then. */
static void a_folder_that_cannot_be_synchronised_is_no_failure(void **state)
{
    int seen = 0;
    (void)state;

    for (int n = 0; n < 10; n++) {
        coordconv_status status;
        put(OLD);
        fail_call(n, EINVAL);
        status = save();
        fault.on = 0;
        if (fault.failed != NULL && strcmp(fault.failed, "fsync") == 0)
            seen += status == COORDCONV_OK ? 1 : 10;
    }
    assert_int_equal(seen, 11); /* the folder: fine; the file itself: not */
}

static void places_that_are_no_files_are_refused(void **state)
{
    struct cconv_new_file file;
    char where[160];
    (void)state;

    check_fails(cconv_new_file_create(&file, NULL, folder), COORDCONV_ERR_IO, "not a regular file");
    check_fails(cconv_new_file_create(&file, NULL, "/dev/null"), COORDCONV_ERR_IO,
                "\"/dev/null\" is not a regular file");
    check_fails(cconv_new_file_create(&file, NULL, ""), COORDCONV_ERR_IO, "not the name of a file");
    check_fails(cconv_new_file_create(&file, NULL, "/tmp/"), COORDCONV_ERR_IO, "not the name");
    snprintf(where, sizeof where, "%s/none/model", folder);
    check_fails(cconv_new_file_create(&file, NULL, where), COORDCONV_ERR_IO, strerror(ENOENT));
    put(OLD);
    snprintf(where, sizeof where, "%s/model", path);
    check_fails(cconv_new_file_create(&file, NULL, where), COORDCONV_ERR_IO, strerror(ENOTDIR));
    check_content(OLD);
}

static void a_long_path_is_refused_and_a_long_name_is_not(void **state)
{
    char where[6000];
    struct cconv_new_file file;
    (void)state;

    memset(where, 'a', sizeof where);
    for (size_t i = 0; i < sizeof where; i += 100)
        where[i] = '/';
    where[sizeof where - 1] = '\0';
    check_fails(cconv_new_file_create(&file, NULL, where), COORDCONV_ERR_IO,
                strerror(ENAMETOOLONG));
    snprintf(where, sizeof where, "%s/%0255d", folder, 0);
    check_ok(cconv_new_file_create(&file, NULL, where));
    check_ok(cconv_new_file_commit(&file));
    assert_int_equal(access(where, F_OK), 0);
    unlink(where);
}

static void reading_gives_what_is_there_or_a_status(void **state)
{
    struct cconv_file file = { .fd = -7 };
    char got[32] = { 0 };
    (void)state;

    check_fails(cconv_file_open(&file, NULL, path), COORDCONV_ERR_NOT_FOUND, path);
    check_fails(cconv_file_open(&file, NULL, folder), COORDCONV_ERR_IO, "not a regular file");
    check_fails(cconv_file_open(&file, NULL, "/dev/zero"), COORDCONV_ERR_IO, "not a regular file");
    assert_int_equal(file.fd, -7);
    put(OLD);
    check_ok(cconv_file_open(&file, NULL, path));
    assert_int_equal(file.bytes, strlen(OLD));
    check_ok(cconv_file_read(&file, 4, got, 3));
    assert_string_equal(got, "old");
    fail_call(-1, 0);
    fault.interrupt = 1;
    fault.most = 2;
    check_ok(cconv_file_read(&file, 0, got, strlen(OLD)));
    fault.on = 0;
    assert_string_equal(got, OLD);
    fail_call(0, EIO);
    check_fails(cconv_file_read(&file, 0, got, 3), COORDCONV_ERR_IO, strerror(EIO));
    fault.on = 0;
    check_fails(cconv_file_read(&file, 10, got, 10), COORDCONV_ERR_IO, "shorter");
    cconv_file_close(&file);
    for (int n = 0; n < 2; n++) { /* open, examine */
        const int before = entries("/proc/self/fd");
        fail_call(n, EIO);
        check_fails(cconv_file_open(&file, NULL, path), COORDCONV_ERR_IO, strerror(EIO));
        fault.on = 0;
        assert_int_equal(entries("/proc/self/fd"), before);
    }
}

/* Opening a pipe that nobody writes to must not wait. */
static void a_pipe_is_refused_at_once(void **state)
{
    struct cconv_file file;
    (void)state;

    assert_int_equal(mkfifo(path, 0600), 0);
    check_fails(cconv_file_open(&file, NULL, path), COORDCONV_ERR_IO, "not a regular file");
}

static void a_program_started_meanwhile_inherits_nothing(void **state)
{
    struct cconv_new_file file;
    struct cconv_file old;
    (void)state;

    check_ok(cconv_new_file_create(&file, NULL, path));
    assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(file.folder, F_GETFD) & FD_CLOEXEC);
    check_ok(cconv_new_file_commit(&file));
    check_ok(cconv_file_open(&old, NULL, path));
    assert_true(fcntl(old.fd, F_GETFD) & FD_CLOEXEC);
    cconv_file_close(&old);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_appears_with_the_usual_mode),
        TEST(an_old_file_is_replaced_and_keeps_its_mode),
        TEST(each_call_may_fail),
        TEST(interruptions_and_short_writes_do_not_matter),
        TEST(a_folder_that_cannot_be_synchronised_is_no_failure),
        TEST(places_that_are_no_files_are_refused),
        TEST(a_long_path_is_refused_and_a_long_name_is_not),
        TEST(reading_gives_what_is_there_or_a_status),
        TEST(a_pipe_is_refused_at_once),
        TEST(a_program_started_meanwhile_inherits_nothing),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
