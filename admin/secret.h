#ifndef ADMIN_SECRET_H
#define ADMIN_SECRET_H
/*
 * secret - random names nobody can guess, their digests, and comparing without a clock to read.
 * Threads: any.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SECRET_DIGEST_BYTES 32u
#define SECRET_CHARS 43u /* of base 62: 256 bits */

struct secret_digest {
    uint8_t bytes[SECRET_DIGEST_BYTES]; /* SHA-256 */
};

/* count random characters of 0-9A-Za-z and a NUL. */
void secret_make(char *out, size_t count);
struct secret_digest secret_digest(struct span text);
/* Time depends on nothing but the fixed length. */
bool secret_equal(const struct secret_digest *a, const struct secret_digest *b);
/* 64 lower-case hex digits and a NUL. */
void secret_digest_print(const struct secret_digest *digest, char out[2 * SECRET_DIGEST_BYTES + 1]);
bool secret_digest_parse(struct span hex, struct secret_digest *out);
#endif
