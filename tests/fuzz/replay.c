/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay.c - run a fuzzing target on files, and on the files of folders, without
 * libFuzzer. usage: replay_TARGET FILE-OR-FOLDER...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed;

static int fail(const char *path)
{
    perror(path);
    return 1;
}

/* The bytes in a block of exactly their number, so that a sanitizer sees a step past the end. */
static int replay_file(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data = malloc(bytes > 0 ? bytes : 1);
    int failed = 0;

    if (file == NULL || data == NULL || fread(data, 1, bytes, file) != bytes)
        failed = fail(path);
    else
        LLVMFuzzerTestOneInput(data, bytes);
    free(data);
    if (file != NULL)
        fclose(file);
    replayed += !failed;
    return failed;
}

static int replay(const char *path)
{
    char inner[4096];
    struct stat info;
    struct dirent *entry;
    int failed = 0;

    if (stat(path, &info) != 0)
        return fail(path);
    if (!S_ISDIR(info.st_mode))
        return replay_file(path, (size_t)info.st_size);

    DIR *folder = opendir(path);

    if (folder == NULL)
        return fail(path);
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        failed |= replay(inner);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%d files\n", replayed);
    return failed || replayed == 0;
}
