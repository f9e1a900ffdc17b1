#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H
/*
 * auth - who may do what: tokens from a file, browser sessions, one-time login codes, and a limit
 * on wrong logins. Only digests of secrets are kept, in memory and on disk; every comparison takes
 * the same time.
 *
 * The file: one token a line, `name scopes sha256 created`, where sha256 is of the whole token
 * `name_<scope>_<43 of base 62>`. Lines beginning with # are ignored; so are broken ones, with a
 * warning. Taking a line out ends the token and its sessions within a second or so (auth_refresh).
 *
 * Threads: any (rank LOCK_ADMIN). Times are monotonic milliseconds of the caller's clock.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/secret.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

/* Each scope holds the ones before it. */
enum auth_scope {
    AUTH_NONE = 0,
    AUTH_READ = 1,
    AUTH_PURGE = 3,
    AUTH_ADMIN = 7,
};

#define AUTH_NAME_BYTES 48
#define AUTH_TOKEN_BYTES 128 /* name_scope_secret and NUL */
#define AUTH_CODE_CHARS 22u

struct auth_identity {
    char name[AUTH_NAME_BYTES]; /* of the token, or "login-code" */
    enum auth_scope scope;
    char csrf[SECRET_CHARS + 1]; /* "" without a session */
    uint64_t session;            /* 0: none */
};

struct auth;

/* Reads the file; when it is absent, makes one with a single admin token, which is written to
 * token_out (else ""). Errors: ERR_IO, why says it in words. */
MUST_USE enum err auth_open(const char *path, struct auth **out, char token_out[AUTH_TOKEN_BYTES],
                            char *why, size_t why_size);
void auth_close(struct auth **auth);
/* Reads the file again if it changed. Not from a handler: it may block on the disk. */
void auth_refresh(struct auth *auth);

/* False: not one of ours. Counted. */
bool auth_token_check(struct auth *auth, struct span token, struct auth_identity *out);

/* A code for one login as admin within five minutes. */
void auth_code_make(struct auth *auth, uint64_t now_ms, char out[AUTH_CODE_CHARS + 1]);
/* Uses it up. */
bool auth_code_take(struct auth *auth, struct span code, uint64_t now_ms,
                    struct auth_identity *out);

/* Opens a session; cookie gets its secret, identity its csrf. The least used one makes room. */
void auth_session_open(struct auth *auth, uint64_t now_ms, struct auth_identity *identity,
                       char cookie[SECRET_CHARS + 1]);
/* Finds and prolongs. idle_ms: unused for longer, it is over. */
bool auth_session_find(struct auth *auth, struct span cookie, uint64_t now_ms, uint64_t idle_ms,
                       struct auth_identity *out);
bool auth_session_is_open(struct auth *auth, uint64_t session);
void auth_session_close(struct auth *auth, uint64_t id);
bool auth_csrf_matches(const struct auth_identity *identity, struct span sent);

/* Wrong logins by address: at most five in any minute. Seconds to wait, 0: may try. */
unsigned auth_login_wait_s(struct auth *auth, const char *address, uint64_t now_ms);
void auth_login_failed(struct auth *auth, const char *address, uint64_t now_ms);
/* Wrong tokens, codes and logins since start. */
uint64_t auth_failures(const struct auth *auth);

const char *auth_scope_name(enum auth_scope scope);
#endif
