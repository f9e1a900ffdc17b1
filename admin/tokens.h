#ifndef ADMIN_TOKENS_H
#define ADMIN_TOKENS_H
/*
 * tokens - the token file as text: parsing, and making the first one. No locks, no state.
 */
#include "admin/auth.h"

#define TOKENS_MAX 256u

struct token {
    char name[AUTH_NAME_BYTES];
    enum auth_scope scope;
    struct secret_digest digest;
};

struct tokens {
    size_t count;
    struct token list[TOKENS_MAX];
};

/* Errors: ERR_SYNTAX, *line is the first bad one (from 1). ERR_LIMIT: too many. */
MUST_USE enum err tokens_parse(struct span text, struct tokens *out, size_t *line);
/* Reads path; ERR_ABSENT: there is none. why: in words. */
MUST_USE enum err tokens_load(const char *path, struct tokens *out, char *why, size_t why_size);
/* Makes path (0600, never over an existing one) with one admin token. */
MUST_USE enum err tokens_create(const char *path, char token[AUTH_TOKEN_BYTES], char *why,
                                size_t why_size);
#endif
