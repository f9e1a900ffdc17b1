#ifndef CONF_CONF_AUTH_H
#define CONF_CONF_AUTH_H
/*
 * conf_auth - who may use a forward proxy by a password (RFC 7617), and which groups he is in; the
 * files are read with the configuration.
 *
 * Part of the snapshot (conf.h): immutable, owned by it. What is proven of a user outlives a reload
 * only by `mark`, which changes with his line.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"

#define CONF_USER_MARK_BYTES 16u
#define CONF_USER_NAME_MAX 255u
#define CONF_USER_HASH_MAX 255u

/* So many in a period. */
struct conf_rate {
    uint32_t count;    /* 0: off */
    uint32_t period_s; /* 1, 60 or 3600 */
};

/* One line of the password file. */
struct conf_user {
    struct span name;                   /* UTF-8 without control bytes and colon */
    const char *hash;                   /* bcrypt, $5$, $6$, $7$ or $y$, as crypt(3) takes it */
    uint8_t mark[CONF_USER_MARK_BYTES]; /* of hash: SHA-256, cut */
    const char *const *groups;          /* sorted by name, each once */
    uint32_t group_count;
    uint32_t line; /* in the file */
};

struct conf_auth {
    const char *path; /* NULL: nobody is asked for a password */
    const char *realm;
    uint64_t cache_ms; /* a proven password is remembered while it is used at least so often */
    struct conf_rate failures; /* wrong passwords of one client address */
    const struct conf_user *users;
    size_t user_count;
    struct hash_seed seed; /* of index */
    const uint32_t *index; /* 1 + the place in users; 0: free. NULL: no users */
    size_t index_mask;
};

/* Members of one line, by the file or by `group`. Names need not be users. */
struct conf_group {
    const char *name; /* a token */
    const struct span *users;
    size_t count;
};

struct conf_group_file {
    const char *path; /* NULL: none */
    const struct conf_group *list;
    size_t count;
};

/* The user of that name, or NULL. */
const struct conf_user *conf_auth_find(const struct conf_auth *auth, struct span name);
#endif
