/* SPDX-License-Identifier: BSD-2-Clause
 *
 * save.c - coordconv_save().
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "graph/model.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "io/safetensors.h"

/* Words of our own: version, and of an optimizer its kind, steps and learning rate. */
#define MAX_OWN_WORDS 4

/* Length of a UTF-8 sequence by its first byte, with the least code point that
 * may be spelt so; 0 where no sequence begins so. */
static int sequence_length(unsigned char first, uint32_t *least, uint32_t *code)
{
    static const uint32_t leasts[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const int n = first < 0x80             ? 1
                  : (first & 0xe0) == 0xc0 ? 2
                  : (first & 0xf0) == 0xe0 ? 3
                  : (first & 0xf8) == 0xf0 ? 4
                                           : 0;

    *least = leasts[n];
    *code = n == 1 ? first : first & (0x7fu >> n);
    return n;
}

static int is_utf8(const char *string)
{
    const unsigned char *s = (const unsigned char *)string;

    while (*s != '\0') {
        uint32_t least, code;
        const int n = sequence_length(*s, &least, &code);
        for (int i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0; /* the final NUL stops here too */
            code = code << 6 | (s[i] & 0x3f);
        }
        if (n == 0 || code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        s += n;
    }
    return 1;
}

static coordconv_status check_word(const struct cconv_log *log, const coordconv_metadata *words,
                                   int32_t index)
{
    const coordconv_metadata *word = &words[index];
    const char *what = NULL;

    if (word->key == NULL || word->value == NULL)
        what = "key or value is NULL";
    else if (strnlen(word->key, 256) == 0 || strnlen(word->key, 256) > 255)
        what = "the key is not 1 to 255 bytes long";
    else if (!is_utf8(word->key) || !is_utf8(word->value))
        what = "key or value is not UTF-8";
    else if (strncmp(word->key, CCONV_KEY_PREFIX, strlen(CCONV_KEY_PREFIX)) == 0)
        what = "keys beginning with \"" CCONV_KEY_PREFIX "\" are the library's";
    if (what != NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "save: metadata %" PRId32 ": %s", index,
                          what);
    for (int32_t i = 0; i < index; i++) {
        if (strcmp(words[i].key, word->key) == 0)
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "save: metadata key \"%s\" is there twice", word->key);
    }
    return COORDCONV_OK;
}

static coordconv_status check_arguments(const coordconv_model *model, const char *path,
                                        int32_t metadata_count, const coordconv_metadata *metadata)
{
    const struct cconv_log *log = model != NULL ? &model->context->log : NULL;
    coordconv_status status;

    if (model == NULL || path == NULL)
        return cconv_fail(log, COORDCONV_ERR_INVALID, "save: %s is NULL",
                          model == NULL ? "model" : "path");
    if ((status = coordconv_model_status(model)) != COORDCONV_OK)
        return status;
    if (metadata_count < 0 || (metadata_count > 0 && metadata == NULL))
        return cconv_fail(log, COORDCONV_ERR_INVALID, "save: %" PRId32 " words of metadata at %s",
                          metadata_count, metadata != NULL ? "an address" : "NULL");
    for (int32_t i = 0; i < metadata_count; i++) {
        if ((status = check_word(log, metadata, i)) != COORDCONV_OK)
            return status;
    }
    for (int32_t i = 0; i < model->layer_count; i++) {
        if (!is_utf8(model->layers[i]->name))
            return cconv_fail(log, COORDCONV_ERR_INVALID,
                              "save: the name of layer %" PRId32 " is not UTF-8", i);
    }
    return COORDCONV_OK;
}

/* Text behind the words of our own. */
struct own_words {
    char version[16], steps[24], rate[17];
};

static size_t own_words(const coordconv_optimizer *optimizer, struct own_words *text,
                        coordconv_metadata *words)
{
    const uint32_t version = coordconv_version();
    size_t n = 0;

    snprintf(text->version, sizeof text->version, "%u.%u.%u", version >> 16 & 0xff,
             version >> 8 & 0xff, version & 0xff);
    words[n++] = (coordconv_metadata){ CCONV_KEY_VERSION, text->version };
    if (optimizer == NULL)
        return n;
    snprintf(text->steps, sizeof text->steps, "%" PRId64, coordconv_optimizer_steps(optimizer));
    cconv_rate_print(coordconv_optimizer_learning_rate(optimizer), text->rate);
    words[n++] =
        (coordconv_metadata){ CCONV_KEY_OPTIMIZER,
                              cconv_optimizer_kind_name(coordconv_optimizer_kind(optimizer)) };
    words[n++] = (coordconv_metadata){ CCONV_KEY_STEPS, text->steps };
    words[n++] = (coordconv_metadata){ CCONV_KEY_LEARNING_RATE, text->rate };
    return n;
}

/* Prefix and header as bytes. */
static coordconv_status make_header(const struct cconv_log *log, const struct cconv_checkpoint *c,
                                    const coordconv_optimizer *optimizer, size_t metadata_count,
                                    const coordconv_metadata *metadata, char **header,
                                    size_t *bytes)
{
    const size_t words_bytes =
        cconv_size_mul(cconv_size_add(metadata_count, MAX_OWN_WORDS), sizeof(coordconv_metadata));
    coordconv_metadata *words = cconv_alloc(c->allocator, words_bytes);
    const size_t items_bytes = cconv_size_mul(c->count, sizeof(struct cconv_safetensor_item));
    struct cconv_safetensor_item *items = cconv_alloc(c->allocator, items_bytes);
    coordconv_status status;
    struct own_words text;

    if (words != NULL && items != NULL) {
        const size_t own = own_words(optimizer, &text, words);
        if (metadata_count > 0)
            memcpy(words + own, metadata, metadata_count * sizeof *metadata);
        for (size_t i = 0; i < c->count; i++) {
            const struct cconv_named_tensor *t = &c->tensors[i];
            items[i] =
                (struct cconv_safetensor_item){ t->name, t->tensor->dtype, &t->tensor->shape };
        }
        status = cconv_safetensors_write(c->allocator, log, items, c->count, words,
                                         own + metadata_count, header, bytes);
    } else {
        status = cconv_fail(log, COORDCONV_ERR_NOMEM, "save: no memory for the header");
    }
    cconv_free(c->allocator, items, items_bytes);
    cconv_free(c->allocator, words, words_bytes);
    return status;
}

/* Elements of `size` bytes, whose first byte in the file is the lowest. */
static coordconv_status write_elements(struct cconv_new_file *file, const void *data, size_t count,
                                       size_t size)
{
    const unsigned char *from = data;
    unsigned char swapped[4096];
    coordconv_status status = COORDCONV_OK;

    if (cconv_is_little_endian())
        return cconv_new_file_write(file, data, count * size);
    while (count > 0 && status == COORDCONV_OK) {
        const size_t n = CCONV_MIN(count, sizeof swapped / size);
        for (size_t i = 0; i < n * size; i++)
            swapped[i] = from[i / size * size + (size - 1 - i % size)];
        status = cconv_new_file_write(file, swapped, n * size);
        from += n * size;
        count -= n;
    }
    return status;
}

static coordconv_status write_file(const struct cconv_log *log, const struct cconv_checkpoint *c,
                                   const char *header, size_t header_bytes, const char *path)
{
    struct cconv_new_file file;
    coordconv_status status = cconv_new_file_create(&file, log, path);

    if (status != COORDCONV_OK)
        return status;
    status = cconv_new_file_write(&file, header, header_bytes);
    for (size_t i = 0; i < c->count && status == COORDCONV_OK; i++) {
        const coordconv_tensor *t = c->tensors[i].tensor;
        status = write_elements(&file, t->data, cconv_shape_count(&t->shape),
                                coordconv_dtype_size(t->dtype));
    }
    if (status == COORDCONV_OK)
        return cconv_new_file_commit(&file);
    cconv_new_file_discard(&file);
    return status;
}

coordconv_status coordconv_save(const coordconv_model *model, const coordconv_optimizer *optimizer,
                                const char *path, int32_t metadata_count,
                                const coordconv_metadata *metadata)
{
    coordconv_status status = check_arguments(model, path, metadata_count, metadata);
    const struct cconv_log *log;
    struct cconv_checkpoint checkpoint;
    size_t header_bytes = 0;
    char *header = NULL;

    if (status != COORDCONV_OK)
        return status;
    log = &model->context->log;
    if ((status = cconv_checkpoint_make(model, optimizer, &checkpoint)) != COORDCONV_OK)
        return status;
    status = make_header(log, &checkpoint, optimizer, (size_t)metadata_count, metadata, &header,
                         &header_bytes);
    if (status == COORDCONV_OK)
        status = write_file(log, &checkpoint, header, header_bytes, path);
    cconv_free(checkpoint.allocator, header, header_bytes);
    cconv_checkpoint_destroy(&checkpoint);
    return status;
}
