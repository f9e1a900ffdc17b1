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
