/* SPDX-License-Identifier: BSD-2-Clause
 *
 * safetensors_read.c - reads the header of a safetensors file nobody vouches for.
 *
 * The checks come in the order of the format's reference reader: the length
 * field, the text, each entry, and then the cover: sorted by place, the tensors
 * must follow each other without hole or overlap from the first byte of the
 * data to the last of the file.
 */
#include "io/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Root object, entry, array: nothing of the format lies deeper. */
#define MAX_DEPTH 3

/* What the parser allocates, in bytes, for an object, an array, and one more value of either
 * (measured with jansson 2.14), and how much of it a byte of text may stand for. The shortest
 * entry there is, of 51 bytes, comes to 13 of these bytes a byte; 5 million empty objects in an
 * array, which would fit into a header, to 90. Of headers of 16 MB that pass, with all that is made
 * of them, good ones take 20 times their length and the worst found 31 times. */
#define OBJECT_COST 240
#define ARRAY_COST  140
#define VALUE_COST  40
#define MOST_COST   16
#define FREE_COST   65536

/* Bits, since the smallest types share a byte. */
static const struct {
    const char *name;
    unsigned bits;
} dtypes[] = {
    { "BOOL", 8 },    { "U8", 8 },          { "I8", 8 },          { "U16", 16 },
    { "I16", 16 },    { "F16", 16 },        { "BF16", 16 },       { "U32", 32 },
    { "I32", 32 },    { "F32", 32 },        { "U64", 64 },        { "I64", 64 },
    { "F64", 64 },    { "C64", 64 },        { "F8_E5M2", 8 },     { "F8_E4M3", 8 },
    { "F8_E8M0", 8 }, { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 }, { "F6_E2M3", 6 },
    { "F6_E3M2", 6 }, { "F4", 4 },
};

/* 0 for an unknown name. */
static unsigned dtype_bits(const char *name)
{
    for (size_t i = 0; i < CCONV_COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) == 0)
            return dtypes[i].bits;
    }
    return 0;
}

const char *cconv_quote(const char *string, struct cconv_quoted *buffer)
{
    const size_t room = sizeof buffer->text - sizeof "...";
    size_t n = 0;

    for (; string[n] != '\0' && n < room; n++) {
        const unsigned char c = (unsigned char)string[n];
        buffer->text[n] = c < 0x20 || c == 0x7f ? '?' : string[n];
    }
    if (string[n] != '\0') {
        while (n > 0 && ((unsigned char)string[n] & 0xc0) == 0x80)
            n--; /* not through the middle of a character */
        memcpy(buffer->text + n, "...", 3);
        n += 3;
    }
    buffer->text[n] = '\0';
    return buffer->text;
}

coordconv_status cconv_safetensors_header_bytes(const struct cconv_log *log,
                                                const unsigned char *prefix, size_t available,
                                                uint64_t file_bytes, size_t *header_bytes)
{
    uint64_t n = 0;

    if (file_bytes < CCONV_SAFETENSORS_PREFIX || available < CCONV_SAFETENSORS_PREFIX)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: %llu bytes are too few for a header length",
                          (unsigned long long)file_bytes);
    for (int i = CCONV_SAFETENSORS_PREFIX - 1; i >= 0; i--)
        n = n << 8 | prefix[i];
    if (n > CCONV_SAFETENSORS_MAX_HEADER)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: header of %llu bytes, at most %u are allowed",
                          (unsigned long long)n, CCONV_SAFETENSORS_MAX_HEADER);
    if (n > file_bytes - CCONV_SAFETENSORS_PREFIX)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: header of %llu bytes in a file of %llu",
                          (unsigned long long)n, (unsigned long long)file_bytes);
    *header_bytes = (size_t)n;
    return COORDCONV_OK;
}

/* Index after the string whose opening quote is before i. */
static size_t skip_string(const char *text, size_t bytes, size_t i)
{
    while (i < bytes && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i < bytes ? i + 1 : bytes;
}

static size_t text_cost(char c)
{
    return c == '{' ? OBJECT_COST : c == '[' ? ARRAY_COST : c == ',' ? VALUE_COST : 0;
}

/* Let through only what a header is made of: strings, objects, arrays and plain
 * digits, three levels deep. Fractions, signs and exponents never get to the
 * parser, whose reading of them depends on the locale, and neither does a
 * nesting that would cost it stack, nor one that would cost it memory out of all proportion.
 * Whether it is JSON is for the parser to say. */
static coordconv_status check_text(const struct cconv_log *log, const char *text, size_t bytes)
{
    size_t cost = 0; /* a header is too short for it to overflow */
    int depth = 0;

    if (bytes == 0 || text[0] != '{')
        return cconv_fail(log, COORDCONV_ERR_FORMAT, "safetensors: header does not begin with {");
    for (size_t i = 0; i < bytes;) {
        const char c = text[i++];
        if (c == '"')
            i = skip_string(text, bytes, i);
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        else if (c == '\0' || strchr(":,0123456789 \t\n\r", c) == NULL)
            return cconv_fail(log, COORDCONV_ERR_FORMAT,
                              "safetensors: byte 0x%02x at %zu does not belong in a header",
                              (unsigned)(unsigned char)c, i - 1);
        cost += text_cost(c);
        if (depth > MAX_DEPTH)
            return cconv_fail(log, COORDCONV_ERR_FORMAT,
                              "safetensors: header nested deeper than %d", MAX_DEPTH);
    }
    if (cost > FREE_COST && (cost - FREE_COST) / MOST_COST > bytes)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: header of %zu bytes is made of more values than tensors "
                          "would need",
                          bytes);
    return COORDCONV_OK;
}

static coordconv_status parse(const struct cconv_log *log, const char *text, size_t bytes,
                              json_t **root)
{
    struct cconv_quoted reason;
    json_error_t error;

    *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (*root != NULL)
        return COORDCONV_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return cconv_fail(log, COORDCONV_ERR_NOMEM, "safetensors: no memory for a header of %zu",
                          bytes);
    return cconv_fail(log, COORDCONV_ERR_FORMAT, "safetensors: header byte %d: %s", error.position,
                      cconv_quote(error.text, &reason));
}

static coordconv_status check_metadata(const struct cconv_log *log, json_t *metadata)
{
    struct cconv_quoted quoted;
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return cconv_fail(log, COORDCONV_ERR_FORMAT, "safetensors: __metadata__ is not an object");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return cconv_fail(log, COORDCONV_ERR_FORMAT,
                              "safetensors: metadata \"%s\" is not a string",
                              cconv_quote(key, &quoted));
    }
    return COORDCONV_OK;
}

/* An array of count plain integers into out. */
static int read_integers(const json_t *array, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return 0;
        out[i] = json_integer_value(value);
    }
    return 1;
}

static coordconv_status read_shape(const struct cconv_log *log, const json_t *shape,
                                   struct cconv_safetensor *t)
{
    const size_t ndim = json_array_size(shape);
    struct cconv_quoted quoted;

    if (ndim > COORDCONV_MAX_NDIM)
        return cconv_fail(log, COORDCONV_ERR_UNSUPPORTED,
                          "safetensors: tensor \"%s\" has %zu axes, at most %d are read",
                          cconv_quote(t->name, &quoted), ndim, COORDCONV_MAX_NDIM);
    if (!json_is_array(shape) || !read_integers(shape, ndim, t->shape.dim))
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: shape of tensor \"%s\" is not an array of integers",
                          cconv_quote(t->name, &quoted));
    t->shape.ndim = (int32_t)ndim;
    return COORDCONV_OK;
}

static coordconv_status read_entry(const struct cconv_log *log, const json_t *entry,
                                   struct cconv_safetensor *t)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *shape = json_object_get(entry, "shape");
    struct cconv_quoted name, dtype;
    int64_t place[2];

    t->dtype = json_string_value(json_object_get(entry, "dtype"));
    if (t->dtype == NULL || shape == NULL || offsets == NULL || json_object_size(entry) != 3)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: tensor \"%s\" is not dtype, shape and data_offsets",
                          cconv_quote(t->name, &name));
    if (dtype_bits(t->dtype) == 0)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: tensor \"%s\" has the unknown dtype \"%s\"",
                          cconv_quote(t->name, &name), cconv_quote(t->dtype, &dtype));
    if (json_array_size(offsets) != 2 || !read_integers(offsets, 2, place))
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: data_offsets of tensor \"%s\" are not two integers",
                          cconv_quote(t->name, &name));
    t->begin = (uint64_t)place[0];
    t->end = (uint64_t)place[1];
    return read_shape(log, shape, t);
}

static int by_place(const void *a, const void *b)
{
    const struct cconv_safetensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    const struct cconv_safetensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Bytes that shape and dtype stand for; SIZE_MAX where they overflow or end inside a byte. */
static size_t byte_count(const struct cconv_safetensor *t)
{
    size_t bits = dtype_bits(t->dtype);

    for (int32_t i = 0; i < t->shape.ndim; i++) {
        bits = cconv_size_mul(bits, cconv_size_from(t->shape.dim[i]));
        if (bits == SIZE_MAX)
            return SIZE_MAX;
    }
    return bits % 8 == 0 ? bits / 8 : SIZE_MAX;
}

/* Tensors sorted by place must tile the data: neither hole, overlap nor rest. */
static coordconv_status check_cover(const struct cconv_log *log,
                                    const struct cconv_safetensors *file, uint64_t data_bytes)
{
    struct cconv_shape_text shape;
    struct cconv_quoted name;
    uint64_t end = 0;

    for (size_t i = 0; i < file->count; i++) {
        const struct cconv_safetensor *t = &file->tensors[i];
        if (t->begin != end || t->end < t->begin)
            return cconv_fail(log, COORDCONV_ERR_FORMAT,
                              "safetensors: tensor \"%s\" lies at [%llu, %llu), expected at %llu",
                              cconv_quote(t->name, &name), (unsigned long long)t->begin,
                              (unsigned long long)t->end, (unsigned long long)end);
        if (byte_count(t) == SIZE_MAX || t->end - t->begin != byte_count(t))
            return cconv_fail(
                log, COORDCONV_ERR_FORMAT, "safetensors: tensor \"%s\" of %s %s has %llu bytes",
                cconv_quote(t->name, &name), t->dtype, cconv_shape_print(&t->shape, &shape),
                (unsigned long long)(t->end - t->begin));
        end = t->end;
    }
    if (end != data_bytes)
        return cconv_fail(log, COORDCONV_ERR_FORMAT,
                          "safetensors: tensors take %llu bytes, the file has %llu for them",
                          (unsigned long long)end, (unsigned long long)data_bytes);
    return COORDCONV_OK;
}

static coordconv_status read_entries(const struct cconv_log *log, struct cconv_safetensors *file)
{
    coordconv_status status = COORDCONV_OK;
    const char *key;
    json_t *entry;

    json_object_foreach((json_t *)file->json, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0) {
            status = check_metadata(log, entry);
        } else {
            struct cconv_safetensor *t = &file->tensors[file->count++];
            t->name = key;
            status = read_entry(log, entry, t);
        }
        if (status != COORDCONV_OK)
            break;
    }
    return status;
}

/* Room for every key, metadata included: one more than needed does no harm. */
static size_t tensors_bytes(const struct cconv_safetensors *file)
{
    return cconv_size_mul(json_object_size(file->json), sizeof *file->tensors);
}

coordconv_status cconv_safetensors_read(const struct cconv_allocator *allocator,
                                        const struct cconv_log *log, const char *header,
                                        size_t header_bytes, uint64_t file_bytes,
                                        struct cconv_safetensors *out)
{
    struct cconv_safetensors file = { .allocator = allocator };
    coordconv_status status = check_text(log, header, header_bytes);
    json_t *root = NULL;

    if (status != COORDCONV_OK ||
        (status = parse(log, header, header_bytes, &root)) != COORDCONV_OK)
        return status;
    file.json = root;
    file.tensors = cconv_alloc(allocator, tensors_bytes(&file));
    if (file.tensors == NULL) {
        status = cconv_fail(log, COORDCONV_ERR_NOMEM, "safetensors: no memory for %zu tensors",
                            json_object_size(root));
        goto fail;
    }
    if ((status = read_entries(log, &file)) != COORDCONV_OK)
        goto fail;
    qsort(file.tensors, file.count, sizeof *file.tensors, by_place);
    status = check_cover(log, &file, file_bytes - CCONV_SAFETENSORS_PREFIX - header_bytes);
    if (status != COORDCONV_OK)
        goto fail;
    qsort(file.tensors, file.count, sizeof *file.tensors, by_name);
    *out = file;
    return COORDCONV_OK;
fail:
    cconv_safetensors_destroy(&file);
    return status;
}

void cconv_safetensors_destroy(struct cconv_safetensors *file)
{
    if (file->json != NULL)
        cconv_free(file->allocator, file->tensors, tensors_bytes(file));
    json_decref(file->json);
    file->json = NULL;
    file->tensors = NULL;
}

const char *cconv_safetensors_metadata(const struct cconv_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->json, "__metadata__"), key));
}
