#ifndef ADMIN_TOKENS_H
#define ADMIN_TOKENS_H
/*
 * tokens - the token file as text: parsing, and making the first one. No locks, no state.
 */
#include "admin/auth.h"

#define TOKENS_MAX 256u
#define TOKENS_FAULTS_MAX 8u

struct token {
    char name[AUTH_NAME_BYTES];
    enum auth_scope scope;
    struct secret_digest digest;
};

/* A line that is no token; what it holds is not kept, for it may be a secret. */
struct token_fault {
    size_t line; /* from 1 */
    const char *what;
};

struct tokens {
    size_t count;
    struct token list[TOKENS_MAX];
    size_t fault_count; /* all, also those not kept */
    struct token_fault faults[TOKENS_FAULTS_MAX];
};

/* Takes the good lines and notes the others. */
void tokens_parse(struct span text, struct tokens *out);
/* Reads path; ERR_ABSENT: there is none. why: in words. */
MUST_USE enum err tokens_load(const char *path, struct tokens *out, char *why, size_t why_size);
/* Makes path (0600, never over an existing one) with one admin token. */
MUST_USE enum err tokens_create(const char *path, char token[AUTH_TOKEN_BYTES], char *why,
                                size_t why_size);
#endif
