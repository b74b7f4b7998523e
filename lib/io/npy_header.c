/* SPDX-License-Identifier: BSD-2-Clause
 *
 * npy_header.c - the header of a .npy file: a prefix, then a Python dictionary of
 * exactly three keys. Of Python's syntax only what NumPy writes is read, give or
 * take quotes, blanks, the order of the keys and the last comma.
 */
#include "io/npy.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "io/safetensors.h"

static const char magic[] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };

/* ---- text ---- */

struct text {
    const struct cconv_log *log;
    const char *begin, *at, *end;
};

static coordconv_status fail_at(const struct text *t, const char *what)
{
    return cconv_fail(t->log, COORDCONV_ERR_FORMAT, "npy: byte %zu of the header: %s",
                      (size_t)(t->at - t->begin), what);
}

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\n' || *t->at == '\r'))
        t->at++;
}

/* What comes next after blanks; 0 at the end. */
static char peek(struct text *t)
{
    skip_blanks(t);
    return *(t->at < t->end ? t->at : "");
}

static int take(struct text *t, char c)
{
    if (peek(t) != c)
        return 0;
    t->at++;
    return 1;
}

/* Letters or digits that end where something else begins. */
static int take_word(struct text *t, const char *word)
{
    const size_t n = strlen(word);

    skip_blanks(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return 0;
    t->at += n;
    return 1;
}

/* A quoted string of printable ASCII without escapes; cut off where it exceeds the room. */
static int take_string(struct text *t, char *out, size_t room)
{
    const char quote = peek(t);
    size_t n = 0;

    if (quote != '\'' && quote != '"')
        return 0;
    for (t->at++; t->at < t->end && *t->at != quote; t->at++) {
        if (*t->at < ' ' || *t->at > '~' || *t->at == '\\')
            return 0;
        if (n + 1 < room)
            out[n++] = *t->at;
    }
    out[n] = '\0';
    return take(t, quote);
}

/* A decimal integer; one that is too large becomes the largest. */
static int take_integer(struct text *t, int64_t *out)
{
    const int negative = take(t, '-');
    const char *first = t->at;
    int64_t value = 0;

    while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
        const int64_t digit = *t->at++ - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    *out = negative ? -value : value;
    return t->at == first + 1 || (t->at > first && *first != '0');
}

/* ---- values ---- */

static coordconv_status read_descr(struct text *t, struct cconv_npy *npy)
{
    static const struct {
        const char *name;
        int32_t dtype;
    } types[] = { { "f4", COORDCONV_F32 },
                  { "f8", COORDCONV_F64 },
                  { "i4", COORDCONV_I32 },
                  { "i8", COORDCONV_I64 },
                  { "u1", COORDCONV_U8 } };
    char descr[24] = "";

    if (peek(t) == '[' || peek(t) == '(')
        return cconv_fail(t->log, COORDCONV_ERR_DTYPE, "npy: elements of several fields");
    if (!take_string(t, descr, sizeof descr))
        return fail_at(t, "descr is no string");
    npy->dtype = 0;
    for (size_t i = 0; i < CCONV_COUNT(types); i++) {
        if (descr[0] != '\0' && strcmp(descr + 1, types[i].name) == 0)
            npy->dtype = types[i].dtype;
    }
    if (npy->dtype == 0 || strchr(npy->dtype == COORDCONV_U8 ? "<>|" : "<>", descr[0]) == NULL)
        return cconv_fail(t->log, COORDCONV_ERR_DTYPE,
                          "npy: descr \"%s\", of f4, f8, i4, i8 with < or > before and |u1", descr);
    npy->swapped = npy->dtype != COORDCONV_U8 && (descr[0] == '<') != cconv_is_little_endian();
    return COORDCONV_OK;
}

static coordconv_status read_order(struct text *t, struct cconv_npy *npy)
{
    npy->fortran = take_word(t, "True");
    if (!npy->fortran && !take_word(t, "False"))
        return fail_at(t, "fortran_order is neither True nor False");
    return COORDCONV_OK;
}

static coordconv_status read_shape(struct text *t, struct cconv_npy *npy)
{
    int64_t dims[COORDCONV_MAX_NDIM];
    int32_t ndim = 0;
    int comma = 1;

    if (!take(t, '('))
        return fail_at(t, "shape is no tuple");
    while (!take(t, ')')) {
        if (!comma)
            return fail_at(t, "a comma is missing in shape");
        if (ndim == COORDCONV_MAX_NDIM)
            return cconv_fail(t->log, COORDCONV_ERR_SHAPE,
                              "npy: more than %d axes, which are possible", COORDCONV_MAX_NDIM);
        if (!take_integer(t, &dims[ndim]))
            return fail_at(t, "shape has something other than integers");
        ndim++;
        comma = take(t, ',');
    }
    if (ndim == 1 && !comma)
        return fail_at(t, "shape is no tuple, which of one extent ends with a comma");
    return cconv_shape_read(t->log, "npy", ndim, dims, 0, &npy->shape);
}

/* ---- the dictionary ---- */

static const struct {
    const char *name;
    coordconv_status (*read)(struct text *t, struct cconv_npy *npy);
} keys[] = { { "descr", read_descr }, { "fortran_order", read_order }, { "shape", read_shape } };

/* One key and its value; the bit of the key is set in *seen. */
static coordconv_status read_entry(struct text *t, unsigned *seen, struct cconv_npy *npy)
{
    char name[16];

    if (!take_string(t, name, sizeof name))
        return fail_at(t, "a key is expected, in quotes");
    for (size_t i = 0; i < CCONV_COUNT(keys); i++) {
        if (strcmp(name, keys[i].name) != 0)
            continue;
        if (*seen & 1u << i)
            return cconv_fail(t->log, COORDCONV_ERR_FORMAT, "npy: key \"%s\" is there twice", name);
        *seen |= 1u << i;
        return take(t, ':') ? keys[i].read(t, npy) : fail_at(t, "a colon is missing");
    }
    return cconv_fail(t->log, COORDCONV_ERR_FORMAT, "npy: key \"%s\" is not known", name);
}

static coordconv_status read_dictionary(struct text *t, struct cconv_npy *npy)
{
    unsigned seen = 0;
    int comma = 1;

    if (!take(t, '{'))
        return fail_at(t, "no dictionary");
    while (!take(t, '}')) {
        const coordconv_status status =
            comma ? read_entry(t, &seen, npy) : fail_at(t, "a comma is missing");
        if (status != COORDCONV_OK)
            return status;
        comma = take(t, ',');
    }
    skip_blanks(t);
    if (t->at < t->end)
        return fail_at(t, "something follows the dictionary");
    for (size_t i = 0; i < CCONV_COUNT(keys); i++) {
        if (!(seen & 1u << i))
            return cconv_fail(t->log, COORDCONV_ERR_FORMAT, "npy: key \"%s\" is missing",
                              keys[i].name);
    }
    return COORDCONV_OK;
}

/* ---- the file ---- */

/* Where the text begins and how long it is. */
static coordconv_status read_prefix(const struct cconv_log *log, const unsigned char *file,
                                    uint64_t file_bytes, size_t *begin, size_t *length)
{
    if (file_bytes < sizeof magic || memcmp(file, magic, sizeof magic) != 0)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "npy: %" PRIu64 " bytes that do not begin with \\x93NUMPY", file_bytes);
    if (file_bytes < 10 || (file[6] != 1 && file_bytes < 12))
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "npy: %" PRIu64 " bytes are too few for a header", file_bytes);
    if (file[6] < 1 || file[6] > 3 || file[7] != 0)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "npy: version %d.%d, only 1.0, 2.0 and 3.0 are read", file[6], file[7]);
    *begin = file[6] == 1 ? 10 : 12;
    *length = 0;
    for (size_t i = *begin; i-- > 8;)
        *length = *length << 8 | file[i];
    if (*length > CCONV_NPY_MAX_HEADER)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "npy: a header of %zu bytes, at most %d are read", *length,
                          CCONV_NPY_MAX_HEADER);
    if (*length > file_bytes - *begin)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "npy: a header of %zu bytes in a file of %" PRIu64, *length, file_bytes);
    return COORDCONV_OK;
}

coordconv_status cconv_npy_header_read(const struct cconv_log *log, const unsigned char *file,
                                       size_t available, uint64_t file_bytes, struct cconv_npy *out)
{
    struct cconv_npy npy = { .dtype = 0 };
    struct cconv_shape_text shape;
    size_t begin, length;
    coordconv_status status = read_prefix(log, file, file_bytes, &begin, &length);

    if (status != COORDCONV_OK)
        return status;
    assert(begin + length <= available);
    (void)available;

    struct text t = { .log = log, .begin = (const char *)file + begin };

    t.at = t.begin;
    t.end = t.begin + length;
    if ((status = read_dictionary(&t, &npy)) != COORDCONV_OK)
        return status;
    npy.data = begin + length;
    npy.bytes = cconv_size_mul(cconv_shape_count(&npy.shape), coordconv_dtype_size(npy.dtype));
    if (npy.bytes != file_bytes - npy.data)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "npy: shape %s takes %zu bytes, behind the header there are %" PRIu64,
                          cconv_shape_print(&npy.shape, &shape), npy.bytes, file_bytes - npy.data);
    *out = npy;
    return COORDCONV_OK;
}
