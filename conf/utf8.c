/* utf8 - see utf8.h. */
#include "conf/utf8.h"

static const struct {
    size_t len;
    uint32_t min; /* smaller values are overlong spellings */
    unsigned char mask;
    unsigned char lead;
} utf8_forms[] = {
    {1, 0x00, 0x80, 0x00},
    {2, 0x80, 0xe0, 0xc0},
    {3, 0x800, 0xf0, 0xe0},
    {4, 0x10000, 0xf8, 0xf0},
};

static bool code_is_printable(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        return false;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return false;
    }
    return !((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
             (code >= 0x2060 && code <= 0x2069) || code == 0xfeff);
}

size_t utf8_printable(struct span text)
{
    for (size_t i = 0; text.len > 0 && i < sizeof(utf8_forms) / sizeof(utf8_forms[0]); i++) {
        unsigned char first = (unsigned char)text.ptr[0];
        if ((first & utf8_forms[i].mask) != utf8_forms[i].lead) {
            continue;
        }
        uint32_t code = first & (unsigned char)~utf8_forms[i].mask;
        if (text.len < utf8_forms[i].len) {
            return 0;
        }
        for (size_t j = 1; j < utf8_forms[i].len; j++) {
            if (utf8_is_start(text.ptr[j])) {
                return 0;
            }
            code = code << 6 | ((unsigned char)text.ptr[j] & 0x3f);
        }
        return code >= utf8_forms[i].min && code_is_printable(code) ? utf8_forms[i].len : 0;
    }
    return 0;
}

size_t utf8_show(struct span text, struct buf *out)
{
    size_t len = utf8_printable(text);

    if (len > 0) {
        buf_append(out, span_of(text.ptr, len));
        return len;
    }
    buf_putc(out, text.ptr[0] == '\t' ? ' ' : '?');
    /* One sign for one broken or unwanted character: skip what continues it. */
    len = 1;
    while (len < text.len && len < 4 && !utf8_is_start(text.ptr[len])) {
        len++;
    }
    return len;
}
