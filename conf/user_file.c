/*
 * user_file - see user_file.h. Hashes are judged by their form alone: what libcrypt makes of them is
 * found out by the first who logs in, so the form has to be exact, and what a line may cost is bounded
 * here (a login of a minute, or of gigabytes, is a mistake).
 */
#include "conf/user_file.h"

#include "base/check.h"
#include "conf/conf_auth.h"
#include "conf/utf8.h"

#define AGAIN "; make it anew: htpasswd -B FILE NAME, or openssl passwd -6"

#define SALT_MAX_BYTES 16u
#define ROUNDS_MIN 1000u
#define ROUNDS_MAX 1000000u
#define BCRYPT_COST_MIN 4u
#define BCRYPT_COST_MAX 15u
/* scrypt and yescrypt: 128 bytes times block size times cost. */
#define MEMORY_MAX_BYTES ((uint64_t)256 << 20)
#define PARALLEL_MAX 16u

static const char malformed[] = "the hash is cut or damaged" AGAIN;
static const char costly[] = "one login would take seconds or hundreds of megabytes" AGAIN;

bool user_line_next(struct span *rest, struct user_line *line)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->ptr, '\n', rest->len);
        size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
        struct span text = span_of(rest->ptr, len);
        size_t used = end == NULL ? len : len + 1;
        *rest = span_of(rest->ptr + used, rest->len - used);
        line->number++;
        if (text.len > 0 && text.ptr[text.len - 1] == '\r') {
            text.len--;
        }
        line->text = span_trim(text);
        if (line->text.len > 0 && line->text.ptr[0] != '#') {
            return true;
        }
    }
    return false;
}

const char *user_name_problem(struct span name)
{
    if (name.len == 0) {
        return "there is no name before the colon";
    }
    if (name.len > CONF_USER_NAME_MAX) {
        return "the name is longer than 255 bytes";
    }
    while (name.len > 0) {
        size_t used = utf8_printable(name);
        if (used == 0 || name.ptr[0] == ':') {
            return "the name is not printable UTF-8 without a colon";
        }
        name = span_of(name.ptr + used, name.len - used);
    }
    return NULL;
}

/* What stands before the first colon, and behind it. False: there is none. */
static bool split(struct span line, struct span *before, struct span *behind)
{
    const char *colon = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);

    *before = span_of(line.ptr, colon == NULL ? 0 : (size_t)(colon - line.ptr));
    *behind = colon == NULL ? span_of(NULL, 0) : span_of(colon + 1, line.len - before->len - 1);
    return colon != NULL;
}

const char *user_line_password(struct span line, struct span *name, struct span *hash)
{
    struct span behind;

    *hash = span_of(NULL, 0);
    if (!split(line, name, &behind)) {
        return "there is no colon: a line is NAME:HASH";
    }
    const char *problem = user_name_problem(*name);
    if (problem != NULL) {
        return problem;
    }
    if (!split(behind, hash, &line)) {
        *hash = behind;
    }
    return user_hash_problem(*hash);
}

const char *user_line_group(struct span line, struct span *name, struct span *members)
{
    if (!split(line, name, members)) {
        return "there is no colon: a line is GROUP: NAME NAME";
    }
    *name = span_trim(*name);
    return NULL;
}

bool user_member_next(struct span *members, struct span *name)
{
    *members = span_trim(*members);
    size_t len = 0;
    while (len < members->len && members->ptr[len] != ' ' && members->ptr[len] != '\t') {
        len++;
    }
    *name = span_of(members->ptr, len);
    *members = span_of(members->ptr + len, members->len - len);
    return len > 0;
}

/* ---- hashes ---- */

/* crypt(3)'s own alphabet: the value of a digit, or 64. */
static unsigned digit_of(char c)
{
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 38;
    }
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A') + 12;
    }
    return c >= '.' && c <= '9' ? (unsigned)(c - '.') : 64;
}

static bool is_digits(struct span text, size_t count)
{
    bool good = text.len == count;

    for (size_t i = 0; good && i < count; i++) {
        good = digit_of(text.ptr[i]) < 64;
    }
    return good;
}

static struct span cut(struct span text, size_t count)
{
    return span_of(text.ptr + count, text.len - count);
}

/* Takes what stands before the next "$". False: there is none. */
static bool part_next(struct span *rest, struct span *part)
{
    const char *dollar = rest->len == 0 ? NULL : memchr(rest->ptr, '$', rest->len);

    if (dollar == NULL) {
        return false;
    }
    *part = span_of(rest->ptr, (size_t)(dollar - rest->ptr));
    *rest = cut(*rest, part->len + 1);
    return true;
}

/* "10$" and 22 digits of salt and 31 of hash. */
static const char *bcrypt_problem(struct span rest)
{
    struct span cost;
    uint64_t value;

    if (!part_next(&rest, &cost) || cost.len != 2 || !span_to_u64(cost, 99, &value) ||
        !is_digits(rest, 53)) {
        return malformed;
    }
    if (value < BCRYPT_COST_MIN) {
        return malformed;
    }
    return value > BCRYPT_COST_MAX ? costly : NULL;
}

/* Of these two schemes any visible character. */
static bool is_salt(struct span salt)
{
    for (size_t i = 0; i < salt.len; i++) {
        if (salt.ptr[i] <= ' ' || salt.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return salt.len <= SALT_MAX_BYTES;
}

/* [ "rounds=" number "$" ] salt "$" hash */
static const char *sha_problem(struct span rest, size_t digits)
{
    static const char rounds[] = "rounds=";
    struct span part;
    uint64_t value;

    if (!part_next(&rest, &part)) {
        return malformed;
    }
    if (span_starts(part, span_str(rounds))) {
        if (!span_to_u64(cut(part, sizeof(rounds) - 1), UINT32_MAX, &value) || value < ROUNDS_MIN ||
            !part_next(&rest, &part)) {
            return malformed;
        }
        if (value > ROUNDS_MAX) {
            return costly;
        }
    }
    return !is_salt(part) || !is_digits(rest, digits) ? malformed : NULL;
}

static const char *memory_problem(unsigned cost_log2, uint64_t blocks)
{
    if (cost_log2 < 1 || cost_log2 > 30 || blocks < 1) {
        return malformed;
    }
    return blocks > UINT16_MAX || blocks * 128 << cost_log2 > MEMORY_MAX_BYTES ? costly : NULL;
}

/* flavour, cost and block size of a digit each (so far as they are affordable), salt "$" hash. */
static const char *yescrypt_problem(struct span rest)
{
    struct span parameters;
    struct span salt;

    if (!part_next(&rest, &parameters) || !part_next(&rest, &salt) || !is_digits(rest, 43) ||
        !is_digits(salt, salt.len) || !is_digits(parameters, parameters.len) ||
        parameters.len < 3) {
        return malformed;
    }
    unsigned cost_log2 = digit_of(parameters.ptr[1]) + 1;
    unsigned blocks = digit_of(parameters.ptr[2]) + 1;
    /* Longer numbers, and more of them (parallel, time, upgrades), are for other machines. */
    if (parameters.len > 3 || cost_log2 > 30 || blocks > 48) {
        return costly;
    }
    return memory_problem(cost_log2, blocks);
}

static uint32_t number_of(struct span digits)
{
    uint32_t value = 0;

    for (size_t i = digits.len; i > 0; i--) {
        value = value << 6 | digit_of(digits.ptr[i - 1]);
    }
    return value;
}

/* A digit of cost, five of block size and five of parallelism; salt "$" hash. */
static const char *scrypt_problem(struct span rest)
{
    struct span salt;

    if (!part_next(&rest, &salt) || !is_digits(rest, 43) || salt.len < 11 ||
        !is_digits(salt, salt.len)) {
        return malformed;
    }
    uint32_t blocks = number_of(span_of(salt.ptr + 1, 5));
    uint32_t parallel = number_of(span_of(salt.ptr + 6, 5));
    if (parallel == 0) {
        return malformed;
    }
    return parallel > PARALLEL_MAX ? costly : memory_problem(digit_of(salt.ptr[0]), blocks);
}

/* What is refused, and why. */
static const char *weak_problem(struct span hash)
{
    static const struct {
        const char *begin;
        const char *problem;
    } kinds[] = {
        {"$apr1$", "apr1 (MD5) is too weak" AGAIN},
        {"$1$", "MD5 crypt is too weak" AGAIN},
        {"$md5", "MD5 crypt is too weak" AGAIN},
        {"$sha1$", "SHA-1 crypt is too weak" AGAIN},
        {"$3$", "NT hashes are too weak" AGAIN},
        {"$2x$", "$2x$ marks hashes of a faulty bcrypt" AGAIN},
        {"$2$", "$2$ marks hashes of a faulty bcrypt" AGAIN},
        {"{SHA}", "{SHA} (SHA-1 without salt) is too weak" AGAIN},
        {"{SSHA", "{SSHA} is too weak" AGAIN},
        {"{", "this scheme is not known here" AGAIN},
        {"$", "this scheme is not known here" AGAIN},
        {"_", "DES crypt is too weak" AGAIN},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (span_starts(hash, span_str(kinds[i].begin))) {
            return kinds[i].problem;
        }
    }
    if (is_digits(hash, 13)) {
        return "this is DES crypt, which is too weak, or no hash at all" AGAIN;
    }
    return hash.len == 0
               ? "there is no hash" AGAIN
               : "the password stands here as it is, or in a scheme that is not known" AGAIN;
}

const char *user_hash_problem(struct span hash)
{
    if (hash.len > CONF_USER_HASH_MAX) {
        return malformed;
    }
    if (span_starts(hash, SPAN("$2a$")) || span_starts(hash, SPAN("$2b$")) ||
        span_starts(hash, SPAN("$2y$"))) {
        return bcrypt_problem(cut(hash, 4));
    }
    if (span_starts(hash, SPAN("$5$"))) {
        return sha_problem(cut(hash, 3), 43);
    }
    if (span_starts(hash, SPAN("$6$"))) {
        return sha_problem(cut(hash, 3), 86);
    }
    if (span_starts(hash, SPAN("$7$"))) {
        return scrypt_problem(cut(hash, 3));
    }
    if (span_starts(hash, SPAN("$y$"))) {
        return yescrypt_problem(cut(hash, 3));
    }
    return weak_problem(hash);
}
