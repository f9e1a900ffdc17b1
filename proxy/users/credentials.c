/* credentials - see credentials.h. */
#include "users/credentials.h"

/* The value of a digit of base64, or 64. */
static unsigned digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Groups of four digits, the last one padded. False: not in the grammar, or longer than room. */
static bool decode(struct span text, char *room, size_t size, size_t *len)
{
    *len = 0;
    if (text.len == 0 || text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        const char *at = text.ptr + i;
        bool is_last = i + 4 == text.len;
        unsigned padding = is_last && at[3] == '=' ? at[2] == '=' ? 2 : 1 : 0;
        unsigned word = 0;
        for (unsigned j = 0; j < 4 - padding; j++) {
            unsigned digit = digit_of(at[j]);
            if (digit == 64) {
                return false;
            }
            word |= digit << (18 - 6 * j);
        }
        if ((word & (padding == 2   ? 0xffffu
                     : padding == 1 ? 0xffu
                                    : 0)) != 0 ||
            size - *len < 3 - padding) {
            return false;
        }
        for (unsigned j = 0; j < 3 - padding; j++) {
            room[(*len)++] = (char)(word >> (16 - 8 * j) & 0xff);
        }
    }
    return true;
}

/* Takes "Basic" and the spaces behind it off. */
static bool is_basic(struct span *value)
{
    static const char scheme[] = "Basic";
    size_t at = sizeof(scheme) - 1;

    if (value->len < at || !span_eq_nocase(span_of(value->ptr, at), span_str(scheme)) ||
        (value->len > at && value->ptr[at] != ' ')) {
        return false;
    }
    while (at < value->len && value->ptr[at] == ' ') {
        at++;
    }
    *value = span_of(value->ptr + at, value->len - at);
    return true;
}

enum users_form users_credentials_read(struct span value, struct users_credentials *out)
{
    size_t len;

    out->name = out->password = span_of(NULL, 0);
    if (!is_basic(&value)) {
        return USERS_FORM_OTHER;
    }
    if (!decode(value, out->room, sizeof(out->room), &len)) {
        return USERS_FORM_BAD;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)out->room[i] < ' ' || out->room[i] == 0x7f) {
            return USERS_FORM_BAD;
        }
    }
    const char *colon = memchr(out->room, ':', len);
    if (colon == NULL) {
        return USERS_FORM_BAD;
    }
    out->name = span_of(out->room, (size_t)(colon - out->room));
    out->password = span_of(colon + 1, len - out->name.len - 1);
    return out->name.len <= USERS_NAME_MAX && out->password.len <= USERS_PASSWORD_MAX
               ? USERS_FORM_GOOD
               : USERS_FORM_BAD;
}

void users_credentials_wipe(struct users_credentials *credentials)
{
    explicit_bzero(credentials, sizeof(*credentials));
}
