/* SPDX-License-Identifier: BSD-2-Clause */
#include "bad_input.h"

char bad_untouched[64];

static void refuse(bad_make_fn *make, const void *desc, coordconv_status status, const char *text)
{
    check_refused(void, make(desc, &out), status, text);
}

void bad_fields(bad_make_fn *make, const void *good, size_t size, const struct bad_field *fields,
                size_t count)
{
    unsigned char desc[512];

    assert_true(size <= sizeof desc);
    for (size_t i = 0; i < count; i++) {
        memcpy(desc, good, size);
        memcpy(desc + fields[i].offset, &fields[i].value, sizeof fields[i].value);
        refuse(make, desc, fields[i].status, fields[i].text);
    }
}

void bad_struct_size(bad_make_fn *make, const void *good, size_t size, void (*unmake)(void *made))
{
    bad_grown_size(make, good, size, size, unmake);
}

void bad_grown_size(bad_make_fn *make, const void *good, size_t least, size_t size,
                    void (*unmake)(void *made))
{
    static const uint32_t wrong[] = { 0, 1, 4 };
    union {
        uint32_t struct_size;
        double align;
        void *pointer;
        unsigned char bytes[512];
    } desc = { .bytes = { 0 } };
    void *made = NULL;

    assert_true(size + 16 <= sizeof desc);
    memcpy(&desc, good, size);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        desc.struct_size = wrong[i];
        refuse(make, &desc, COORDCONV_ERR_ABI, "struct_size");
    }
    desc.struct_size = (uint32_t)least - 4;
    refuse(make, &desc, COORDCONV_ERR_ABI, "struct_size");
    desc.struct_size = UINT32_MAX; /* must be refused before the bytes are looked at */
    refuse(make, &desc, COORDCONV_ERR_ABI, "struct_size");
    desc.struct_size = (uint32_t)size + 16;
    for (size_t i = 0; i < 16; i += 15) {
        desc.bytes[size + i] = 1;
        refuse(make, &desc, COORDCONV_ERR_ABI, "");
        desc.bytes[size + i] = 0;
    }
    check_ok(make(&desc, &made));
    unmake(made);
}
