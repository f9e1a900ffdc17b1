/* secret - SHA-256 comes from libcrypto; this file alone includes it. */
#include "admin/secret.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/hash.h"

static const char secret_alphabet[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void secret_make(char *out, size_t count)
{
    size_t at = 0;

    while (at < count) {
        uint8_t random[64];
        random_bytes(random, sizeof(random));
        for (size_t i = 0; i < sizeof(random) && at < count; i++) {
            unsigned value = random[i] & 63u;
            if (value < 62) { /* a remainder would prefer some characters */
                out[at++] = secret_alphabet[value];
            }
        }
    }
    out[count] = '\0';
}

struct secret_digest secret_digest(struct span text)
{
    struct secret_digest digest;
    unsigned len = 0;

    CHECK(EVP_Digest(text.len == 0 ? "" : text.ptr, text.len, digest.bytes, &len, EVP_sha256(),
                     NULL) == 1);
    CHECK(len == SECRET_DIGEST_BYTES);
    return digest;
}

bool secret_equal(const struct secret_digest *a, const struct secret_digest *b)
{
    uint8_t differ = 0;

    for (size_t i = 0; i < SECRET_DIGEST_BYTES; i++) {
        differ = (uint8_t)(differ | (a->bytes[i] ^ b->bytes[i]));
    }
    return differ == 0;
}

void secret_digest_print(const struct secret_digest *digest, char out[2 * SECRET_DIGEST_BYTES + 1])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < SECRET_DIGEST_BYTES; i++) {
        out[2 * i] = hex[digest->bytes[i] >> 4];
        out[2 * i + 1] = hex[digest->bytes[i] & 15];
    }
    out[2 * SECRET_DIGEST_BYTES] = '\0';
}

static int secret_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool secret_digest_parse(struct span hex, struct secret_digest *out)
{
    if (hex.len != 2 * (size_t)SECRET_DIGEST_BYTES) {
        return false;
    }
    for (size_t i = 0; i < SECRET_DIGEST_BYTES; i++) {
        int high = secret_hex(hex.ptr[2 * i]);
        int low = secret_hex(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
