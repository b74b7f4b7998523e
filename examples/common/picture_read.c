/* SPDX-License-Identifier: BSD-2-Clause
 *
 * picture_read.c - pictures from PNG and PPM files.
 */
#include <ctype.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "picture.h"

enum {
    MOST_PIXELS = 1 << 15 /* along an axis */
};

static struct picture *read_png(FILE *file, const char *path, char *message, int message_size)
{
    static const png_color white = { 255, 255, 255 };
    struct picture *p = NULL;
    png_image image;

    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_stdio(&image, file)) {
        image.format = PNG_FORMAT_RGB;
        if (image.width > MOST_PIXELS || image.height > MOST_PIXELS)
            snprintf(image.message, sizeof image.message, "larger than %d pixels", MOST_PIXELS);
        else if ((p = picture_new((int)image.width, (int)image.height, COLOUR_WHITE)) == NULL)
            snprintf(image.message, sizeof image.message, "no memory");
        else if (!png_image_finish_read(&image, &white, p->rgb, 0, NULL)) {
            picture_free(p);
            p = NULL;
        }
    }
    if (p == NULL)
        snprintf(message, (size_t)message_size, "%s: %s", path, image.message);
    png_image_free(&image);
    return p;
}

/* The next number of a PPM's header, where # begins a comment; -1 if there is none up to most. */
static int header_number(FILE *file, int most)
{
    int c = getc(file), number = 0, digits = 0;

    while (isspace(c) || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(file);
        c = getc(file);
    }
    for (; isdigit(c) && number <= most; c = getc(file), digits++)
        number = 10 * number + (c - '0');
    return digits > 0 && number <= most && isspace(c) ? number : -1;
}

/* The file stands behind "P6". */
static struct picture *read_ppm(FILE *file, const char *path, char *message, int message_size)
{
    const int width = header_number(file, MOST_PIXELS), height = header_number(file, MOST_PIXELS);
    struct picture *p = NULL;

    if (width < 1 || height < 1 || header_number(file, 255) != 255) {
        snprintf(message, (size_t)message_size, "%s: no PPM of 1 to %d pixels of 255 levels", path,
                 MOST_PIXELS);
        return NULL;
    }
    p = picture_new(width, height, COLOUR_WHITE);
    const size_t bytes = (size_t)width * (size_t)height * 3;
    if (p != NULL && fread(p->rgb, 1, bytes, file) == bytes)
        return p;
    snprintf(message, (size_t)message_size, "%s: %s", path,
             p == NULL ? "no memory" : "ends before its last pixel");
    picture_free(p);
    return NULL;
}

struct picture *picture_read(const char *path, char *message, int message_size)
{
    FILE *file = fopen(path, "rb");
    struct picture *p;

    if (file == NULL) {
        snprintf(message, (size_t)message_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (getc(file) == 'P' && getc(file) == '6') {
        p = read_ppm(file, path, message, message_size);
    } else {
        rewind(file);
        p = read_png(file, path, message, message_size);
    }
    fclose(file);
    return p;
}
