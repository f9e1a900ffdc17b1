/* hasher - libcrypt's crypt_r, and a comparison that takes the same time for all results. */
#include <crypt.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "users/users_private.h"

struct users_hasher {
    struct crypt_data data; /* 32 KiB */
};

struct users_hasher *users_hasher_new(void)
{
    return mem_new(sizeof(struct users_hasher));
}

void users_hasher_free(struct users_hasher **hasher)
{
    mem_free(*hasher);
    *hasher = NULL;
}

static bool is_same(const char *got, const char *wanted)
{
    size_t len = strlen(wanted);
    unsigned differs = 0;

    if (strlen(got) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        differs |= (unsigned)(unsigned char)got[i] ^ (unsigned char)wanted[i];
    }
    return differs == 0;
}

bool users_hasher_check(struct users_hasher *hasher, const char *password, const char *hash)
{
    const char *got = crypt_r(password, hash, &hasher->data);
    bool is_right = false;

    if (got == NULL || got[0] == '*') {
        /* Its form is right, or the configuration had not been loaded. */
        log_warn("password_unusable", "libcrypt cannot compute a hash of the kind %.3s", hash);
    } else {
        is_right = is_same(got, hash);
    }
    explicit_bzero(&hasher->data, sizeof(hasher->data));
    return is_right;
}
