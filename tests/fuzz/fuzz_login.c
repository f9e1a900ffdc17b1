// layer: users
/* Field values with credentials: what is taken is within bounds, and is the only spelling of what it says. */
#include <stdint.h>

#include "base/check.h"
#include "users/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t encode(const struct users_credentials *credentials, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = credentials->name.len + 1 + credentials->password.len;
    size_t at = 0;

    for (size_t i = 0; i < len; i += 3) {
        unsigned word = 0;
        for (size_t j = 0; j < 3; j++) {
            word = word << 8 | (i + j < len ? (unsigned char)credentials->room[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            out[at++] = i + j > len ? '=' : digits[word >> (18 - 6 * j) & 63];
        }
    }
    return at;
}

static void check_part(struct span part, size_t most)
{
    CHECK(part.len <= most);
    for (size_t i = 0; i < part.len; i++) {
        CHECK((unsigned char)part.ptr[i] >= ' ' && part.ptr[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct users_credentials credentials;
    char again[(sizeof(credentials.room) + 2) / 3 * 4];
    struct span value = span_of((const char *)data, size);

    if (users_credentials_read(value, &credentials) == USERS_FORM_GOOD) {
        check_part(credentials.name, USERS_NAME_MAX);
        check_part(credentials.password, USERS_PASSWORD_MAX);
        CHECK(credentials.name.len == 0 ||
              memchr(credentials.name.ptr, ':', credentials.name.len) == NULL);
        size_t len = encode(&credentials, again);
        CHECK(len < size && memcmp(data + size - len, again, len) == 0);
    }
    users_credentials_wipe(&credentials);
    return 0;
}
