/* SPDX-License-Identifier: BSD-2-Clause
 *
 * safetensors_write.c - writes the header of a safetensors file.
 */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* The header is emitted twice: once to measure it, data being NULL, once into memory. */
struct text {
    char *data;
    size_t bytes;
};

static void put(struct text *t, const char *string, size_t bytes)
{
    if (t->data != NULL)
        memcpy(t->data + t->bytes, string, bytes);
    t->bytes = cconv_size_add(t->bytes, bytes);
}

static void put_plain(struct text *t, const char *string)
{
    put(t, string, strlen(string));
}

static void put_number(struct text *t, uint64_t number)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64, number);

    put(t, digits, (size_t)n);
}

/* A JSON string: quotes, backslashes and control characters escaped, UTF-8 as it is. */
static void put_string(struct text *t, const char *string)
{
    char escape[8];

    put_plain(t, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            put_plain(t, "\\");
            put(t, c, 1);
        } else if ((unsigned char)*c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*c);
            put_plain(t, escape);
        } else {
            put(t, c, 1);
        }
    }
    put_plain(t, "\"");
}

static void put_metadata(struct text *t, const coordconv_metadata *metadata, size_t count)
{
    put_plain(t, "\"__metadata__\":{");
    for (size_t i = 0; i < count; i++) {
        put_plain(t, i > 0 ? "," : "");
        put_string(t, metadata[i].key);
        put_plain(t, ":");
        put_string(t, metadata[i].value);
    }
    put_plain(t, "}");
}

/* Returns where the item ends. */
static uint64_t put_item(struct text *t, const struct cconv_safetensor_item *item, uint64_t begin)
{
    const uint64_t end = begin + cconv_shape_count(item->shape) * coordconv_dtype_size(item->dtype);

    put_string(t, item->name);
    put_plain(t, ":{\"dtype\":");
    put_string(t, cconv_safetensors_dtype(item->dtype));
    put_plain(t, ",\"shape\":[");
    for (int32_t i = 0; i < item->shape->ndim; i++) {
        put_plain(t, i > 0 ? "," : "");
        put_number(t, (uint64_t)item->shape->dim[i]);
    }
    put_plain(t, "],\"data_offsets\":[");
    put_number(t, begin);
    put_plain(t, ",");
    put_number(t, end);
    put_plain(t, "]}");
    return end;
}

static void put_header(struct text *t, const struct cconv_safetensor_item *items, size_t count,
                       const coordconv_metadata *metadata, size_t metadata_count)
{
    uint64_t end = 0;

    put_plain(t, "{");
    if (metadata_count > 0)
        put_metadata(t, metadata, metadata_count);
    for (size_t i = 0; i < count; i++) {
        put_plain(t, i > 0 || metadata_count > 0 ? "," : "");
        end = put_item(t, &items[i], end);
    }
    put_plain(t, "}");
    while (t->bytes % 8 != 0) /* the data then begins at a multiple of 8 */
        put_plain(t, " ");
}

const char *cconv_safetensors_dtype(int32_t dtype)
{
    switch (dtype) {
    case COORDCONV_F32:
        return "F32";
    case COORDCONV_F64:
        return "F64";
    case COORDCONV_I32:
        return "I32";
    case COORDCONV_I64:
        return "I64";
    case COORDCONV_U8:
        return "U8";
    default:
        return NULL;
    }
}

coordconv_status cconv_safetensors_write(const struct cconv_allocator *allocator,
                                         const struct cconv_log *log,
                                         const struct cconv_safetensor_item *items, size_t count,
                                         const coordconv_metadata *metadata, size_t metadata_count,
                                         char **out, size_t *bytes)
{
    struct text text = { NULL, 0 };
    char *memory;
    size_t n;

    put_header(&text, items, count, metadata, metadata_count);
    n = text.bytes;
    if (n > CCONV_SAFETENSORS_MAX_HEADER)
        return cconv_fail(log, COORDCONV_ERR_INVALID,
                          "safetensors: names and metadata take %zu bytes, at most %u are allowed",
                          n, CCONV_SAFETENSORS_MAX_HEADER);
    memory = cconv_alloc(allocator, CCONV_SAFETENSORS_PREFIX + n);
    if (memory == NULL)
        return cconv_fail(log, COORDCONV_ERR_NOMEM, "safetensors: no memory for a header of %zu",
                          n);
    for (int i = 0; i < CCONV_SAFETENSORS_PREFIX; i++)
        memory[i] = (char)(unsigned char)((uint64_t)n >> 8 * i & 0xff);
    text.data = memory + CCONV_SAFETENSORS_PREFIX;
    text.bytes = 0;
    put_header(&text, items, count, metadata, metadata_count);
    assert(text.bytes == n);
    *out = memory;
    *bytes = CCONV_SAFETENSORS_PREFIX + n;
    return COORDCONV_OK;
}
