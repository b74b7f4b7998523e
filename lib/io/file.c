/* SPDX-License-Identifier: BSD-2-Clause
 *
 * file.c - files, with every answer of the system looked at.
 *
 * A new file is written beside its place, synchronised, renamed over it, and
 * the folder synchronised: whatever interrupts this, the place holds the old
 * file or the new one. Without the first fsync a crash could leave the new name
 * on an empty file, without the second the rename could be undone.
 */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Names tried for a temporary file before giving up: others may have made the same. */
#define MAX_ATTEMPTS 100

#define NO_MODE      ((mode_t)-1)

/* What there is to tell of a failed call; the reason must not fall victim to a long path. */
static coordconv_status fail_status(const struct cconv_log *log, coordconv_status status,
                                    const char *what, const char *path, int error)
{
    char reason[128];

    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    return cconv_fail(log, status, "cannot %s \"%.300s\": %s", what, path, reason);
}

static coordconv_status fail_system(const struct cconv_log *log, const char *what, const char *path,
                                    int error)
{
    return fail_status(log, COORDCONV_ERR_IO, what, path, error);
}

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    int fd;

    do {
        fd = openat(folder, path, flags | O_CLOEXEC | O_NOCTTY, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

coordconv_status cconv_file_open(struct cconv_file *file, const struct cconv_log *log,
                                 const char *path)
{
    /* Not to wait for the other end, should it be a pipe. */
    const int fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    struct stat info;

    if (fd < 0)
        return fail_status(log, errno == ENOENT ? COORDCONV_ERR_NOT_FOUND : COORDCONV_ERR_IO,
                           "open", path, errno);
    if (fstat(fd, &info) != 0) {
        const int error = errno;
        close(fd);
        return fail_system(log, "examine", path, error);
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return cconv_fail(log, COORDCONV_ERR_IO, "\"%s\" is not a regular file", path);
    }
    *file = (struct cconv_file){ .log = log, .path = path, .fd = fd };
    file->bytes = (uint64_t)info.st_size;
    return COORDCONV_OK;
}

coordconv_status cconv_file_read(const struct cconv_file *file, uint64_t offset, void *data,
                                 size_t bytes)
{
    char *to = data;

    while (bytes > 0) {
        const ssize_t n = pread(file->fd, to, CCONV_MIN(bytes, (size_t)1 << 30), (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_system(file->log, "read", file->path, errno);
        if (n == 0)
            return cconv_fail(file->log, COORDCONV_ERR_IO,
                              "\"%s\" has become shorter while it was read", file->path);
        to += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return COORDCONV_OK;
}

void *cconv_file_map(const struct cconv_file *file, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->fd, 0);

    return memory != MAP_FAILED ? memory : NULL;
}

void cconv_file_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

void cconv_file_close(struct cconv_file *file)
{
    close(file->fd);
    file->fd = -1;
}

/* The folder of path, which stays open so that all that follows happens in this very folder. */
static int open_folder(const char *path, const char *name)
{
    const size_t length = (size_t)(name - path);
    char folder[4096]; /* PATH_MAX of Linux: open would refuse a longer one as well */

    if (length >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    return open_at(AT_FDCWD, length > 0 ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
}

/* The name need not be a secret, O_EXCL sees to it that it is ours; clock and
 * process only make a second attempt unlikely. */
static int create_temporary(struct cconv_new_file *file, mode_t mode)
{
    struct timespec now = { 0, 0 };
    int fd = -1;

    clock_gettime(CLOCK_REALTIME, &now);
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        snprintf(file->temporary, sizeof file->temporary, ".coordconv-%lx-%lx-%x.tmp",
                 (unsigned long)getpid(), (unsigned long)now.tv_nsec, (unsigned)attempt);
        fd = open_at(file->folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

/* What stands at the place now: its mode is kept; a device or folder is no
 * place for a file. */
static coordconv_status check_place(const struct cconv_new_file *file, mode_t *mode)
{
    struct stat info;

    if (fstatat(file->folder, file->name, &info, 0) != 0)
        return errno == ENOENT ? COORDCONV_OK
                               : fail_system(file->log, "examine", file->path, errno);
    if (!S_ISREG(info.st_mode))
        return cconv_fail(file->log, COORDCONV_ERR_IO, "\"%s\" is not a regular file", file->path);
    *mode = info.st_mode & 07777;
    return COORDCONV_OK;
}

static void close_both(struct cconv_new_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder >= 0)
        close(file->folder);
    file->fd = file->folder = -1;
}

coordconv_status cconv_new_file_create(struct cconv_new_file *out, const struct cconv_log *log,
                                       const char *path)
{
    const char *slash = strrchr(path, '/');
    struct cconv_new_file file = { .log = log, .path = path, .folder = -1, .fd = -1 };
    coordconv_status status;
    mode_t mode = NO_MODE;

    file.name = slash != NULL ? slash + 1 : path;
    if (file.name[0] == '\0')
        return cconv_fail(log, COORDCONV_ERR_IO, "\"%s\" is not the name of a file", path);
    if ((file.folder = open_folder(path, file.name)) < 0)
        return fail_system(log, "open the folder of", path, errno);
    if ((status = check_place(&file, &mode)) != COORDCONV_OK)
        goto fail;
    /* Where a mode is to be kept, nobody else may open the file before it is set. */
    if ((file.fd = create_temporary(&file, mode == NO_MODE ? 0666 : 0600)) < 0) {
        status = fail_system(log, "create a file beside", path, errno);
        goto fail;
    }
    if (mode != NO_MODE && fchmod(file.fd, mode) != 0) {
        status = fail_system(log, "set the mode of", path, errno);
        unlinkat(file.folder, file.temporary, 0);
        goto fail;
    }
    *out = file;
    return COORDCONV_OK;
fail:
    close_both(&file);
    return status;
}

coordconv_status cconv_new_file_write(struct cconv_new_file *file, const void *data, size_t bytes)
{
    const char *from = data;

    while (bytes > 0) {
        const ssize_t n = write(file->fd, from, CCONV_MIN(bytes, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_system(file->log, "write", file->path, n < 0 ? errno : EIO);
        from += n;
        bytes -= (size_t)n;
    }
    return COORDCONV_OK;
}

/* 0 or an error number. A file system that cannot synchronise folders says EINVAL
 * or ENOTSUP; there is nothing more to be done then. */
static int synchronise(int fd, int is_folder)
{
    int result;

    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    if (result == 0 || (is_folder && (errno == EINVAL || errno == ENOTSUP)))
        return 0;
    return errno;
}

/* close() may report what write() could not know yet; whatever it says, fd is gone. */
static int close_new(struct cconv_new_file *file)
{
    const int result = close(file->fd);

    file->fd = -1;
    return result == 0 || errno == EINTR ? 0 : errno;
}

coordconv_status cconv_new_file_commit(struct cconv_new_file *file)
{
    coordconv_status status = COORDCONV_OK;
    int error;

    if ((error = synchronise(file->fd, 0)) != 0 || (error = close_new(file)) != 0)
        status = fail_system(file->log, "write", file->path, error);
    else if (renameat(file->folder, file->temporary, file->folder, file->name) != 0)
        status = fail_system(file->log, "replace", file->path, errno);
    if (status != COORDCONV_OK) {
        cconv_new_file_discard(file);
        return status;
    }
    if ((error = synchronise(file->folder, 1)) != 0)
        status = fail_system(file->log, "synchronise the folder of", file->path, error);
    close_both(file);
    return status;
}

void cconv_new_file_discard(struct cconv_new_file *file)
{
    unlinkat(file->folder, file->temporary, 0);
    close_both(file);
}
