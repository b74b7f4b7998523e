/* SPDX-License-Identifier: BSD-2-Clause
 *
 * file.h - files: reading at a place, and writing that is seen whole or not at all.
 */
#ifndef CCONV_IO_FILE_H
#define CCONV_IO_FILE_H

#include <coordconv/base.h>

#include "base/report.h"

/* A regular file open for reading. */
struct cconv_file {
    const struct cconv_log *log;
    const char *path; /* borrowed */
    int fd;
    uint64_t bytes; /* when it was opened */
};

/* COORDCONV_ERR_NOT_FOUND where there is none, COORDCONV_ERR_IO for all else. */
coordconv_status cconv_file_open(struct cconv_file *file, const struct cconv_log *log,
                                 const char *path);

/* Read exactly `bytes` at offset; a file that ends before is COORDCONV_ERR_IO. */
coordconv_status cconv_file_read(const struct cconv_file *file, uint64_t offset, void *data,
                                 size_t bytes);

/* The first `bytes`, at least 1 and not past the end, mapped until cconv_file_unmap(), which may
 * come after the file is closed; what is written there does not reach the file. NULL where that
 * cannot be had. */
void *cconv_file_map(const struct cconv_file *file, size_t bytes);

void cconv_file_unmap(void *memory, size_t bytes);

void cconv_file_close(struct cconv_file *file);

/* A file being written under a name of its own, in the folder where it is to stand. */
struct cconv_new_file {
    const struct cconv_log *log;
    const char *path; /* borrowed: where it is to stand */
    const char *name; /* last part of path */
    int folder, fd;   /* -1: not open */
    char temporary[48];
};

/* Begin. After success exactly one of commit and discard is to be called. */
coordconv_status cconv_new_file_create(struct cconv_new_file *file, const struct cconv_log *log,
                                       const char *path);

coordconv_status cconv_new_file_write(struct cconv_new_file *file, const void *data, size_t bytes);

/* Put it in its place, replacing what stood there. On failure it is discarded;
 * only a failure to synchronise the folder, the last step, leaves it standing. */
coordconv_status cconv_new_file_commit(struct cconv_new_file *file);

void cconv_new_file_discard(struct cconv_new_file *file);

#endif /* CCONV_IO_FILE_H */
