/* hash - XXH3 inlined here and nowhere else. */
#include <errno.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/hash.h"

struct hash128 hash128(struct hash_seed seed, struct span data)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(data.ptr, data.len, seed.value);

    return (struct hash128){.lo = hash.low64, .hi = hash.high64};
}

uint64_t hash64(struct hash_seed seed, struct span data)
{
    return XXH3_64bits_withSeed(data.ptr, data.len, seed.value);
}

uint64_t hash64_parts(struct hash_seed seed, const struct span *parts, size_t count)
{
    XXH3_state_t state;

    if (count == 1) {
        return hash64(seed, parts[0]);
    }
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset_withSeed(&state, seed.value);
    for (size_t i = 0; i < count; i++) {
        (void)XXH3_64bits_update(&state, parts[i].ptr, parts[i].len);
    }
    return XXH3_64bits_digest(&state);
}

void random_bytes(void *out, size_t len)
{
    unsigned char *at = out;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        CHECK(got >= 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}
