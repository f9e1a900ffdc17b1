/*
 * auth - fixed tables: tokens, sessions, codes, addresses. Small enough that every search goes
 * through all of it, which also keeps its time the same for right and wrong.
 */
#include "admin/auth.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/tokens.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"

#define AUTH_SESSIONS 64u
#define AUTH_CODES 8u
#define AUTH_CODE_LIFE_MS ((uint64_t)5 * 60 * 1000)
#define AUTH_ADDRESSES 256u
#define AUTH_LOGINS 5u
#define AUTH_LOGIN_WINDOW_MS ((uint64_t)60 * 1000)

struct session {
    uint64_t id; /* 0: free */
    struct secret_digest cookie;
    struct secret_digest token; /* the one it was opened with */
    bool by_code;
    uint64_t used_ms;
    struct auth_identity identity;
};

struct login_code {
    bool live;
    struct secret_digest digest;
    uint64_t made_ms;
};

/* The times of the last wrong logins from one address. */
struct login_record {
    char address[48];
    uint64_t failed_ms[AUTH_LOGINS]; /* oldest first; 0: none */
};

struct auth {
    struct lock lock;
    char *path;
    struct timespec changed; /* refresh only */
    off_t size;              /* refresh only */

    struct tokens tokens;                       /* [lock] */
    struct session sessions[AUTH_SESSIONS];     /* [lock] */
    struct login_code codes[AUTH_CODES];        /* [lock] */
    struct login_record logins[AUTH_ADDRESSES]; /* [lock] */
    uint64_t last_session;                      /* [lock] */
    _Atomic uint64_t failures;
};

const char *auth_scope_name(enum auth_scope scope)
{
    switch (scope) {
    case AUTH_NONE:
        return "none";
    case AUTH_READ:
        return "read";
    case AUTH_PURGE:
        return "purge";
    case AUTH_ADMIN:
        return "admin";
    }
    return "none";
}

static void auth_note_file(struct auth *auth)
{
    struct stat facts;

    if (stat(auth->path, &facts) == 0) {
        auth->changed = facts.st_mtim;
        auth->size = facts.st_size;
    }
}

/* A line that is ignored can only keep somebody out: no reason not to serve the others. */
static void warn_of_faults(const char *path, const struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->fault_count && i < TOKENS_FAULTS_MAX; i++) {
        log_warn("token_ignored", "file=\"%s\" line=%zu reason=\"%s\"", path,
                 tokens->faults[i].line, tokens->faults[i].what);
    }
    if (tokens->fault_count > TOKENS_FAULTS_MAX) {
        log_warn("token_ignored", "file=\"%s\" more=%zu", path,
                 tokens->fault_count - TOKENS_FAULTS_MAX);
    }
}

enum err auth_open(const char *path, struct auth **out, char token_out[AUTH_TOKEN_BYTES], char *why,
                   size_t why_size)
{
    struct auth *auth = mem_new(sizeof(*auth));
    enum err err;

    token_out[0] = '\0';
    auth->path = mem_copy(path, strlen(path));
    lock_init(&auth->lock, LOCK_ADMIN);
    err = tokens_load(path, &auth->tokens, why, why_size);
    if (err == ERR_ABSENT) {
        err = tokens_create(path, token_out, why, why_size);
        if (err == ERR_OK) {
            err = tokens_load(path, &auth->tokens, why, why_size);
        }
    }
    if (err != ERR_OK) {
        token_out[0] = '\0';
        auth_close(&auth);
        return err;
    }
    warn_of_faults(path, &auth->tokens);
    auth_note_file(auth);
    *out = auth;
    return ERR_OK;
}

void auth_close(struct auth **auth)
{
    if (*auth != NULL) {
        lock_fini(&(*auth)->lock);
        mem_free((*auth)->path);
        mem_free(*auth);
        *auth = NULL;
    }
}

static const struct token *token_find(const struct tokens *tokens,
                                      const struct secret_digest *digest)
{
    const struct token *found = NULL;

    for (size_t i = 0; i < tokens->count; i++) {
        if (secret_equal(&tokens->list[i].digest, digest)) {
            found = &tokens->list[i];
        }
    }
    return found;
}

void auth_refresh(struct auth *auth)
{
    struct stat facts;
    char why[512];

    if (stat(auth->path, &facts) != 0 ||
        (facts.st_size == auth->size && facts.st_mtim.tv_sec == auth->changed.tv_sec &&
         facts.st_mtim.tv_nsec == auth->changed.tv_nsec)) {
        return;
    }
    auth_note_file(auth);
    struct tokens *fresh = mem_new(sizeof(*fresh));
    bool is_read = tokens_load(auth->path, fresh, why, sizeof(why)) == ERR_OK;
    if (is_read && fresh->count == 0 &&
        fresh->fault_count > 0) { /* half written, or another file */
        (void)snprintf(why, sizeof(why), "%s:%zu: %s", auth->path, fresh->faults[0].line,
                       fresh->faults[0].what);
        is_read = false;
    }
    if (!is_read) {
        log_error("tokens_not_read", "reason=\"%s\" note=\"the old ones stay\"", why);
        mem_free(fresh);
        return;
    }
    lock_acquire(&auth->lock);
    auth->tokens = *fresh;
    for (unsigned i = 0; i < AUTH_SESSIONS; i++) {
        struct session *session = &auth->sessions[i];
        if (session->id != 0 && !session->by_code &&
            token_find(&auth->tokens, &session->token) == NULL) {
            session->id = 0;
        }
    }
    lock_release(&auth->lock);
    warn_of_faults(auth->path, fresh);
    log_info("tokens_read", "count=%zu", fresh->count);
    mem_free(fresh);
}

static void count_failure(struct auth *auth)
{
    atomic_fetch_add_explicit(&auth->failures, 1, memory_order_relaxed);
}

uint64_t auth_failures(const struct auth *auth)
{
    return atomic_load_explicit(&auth->failures, memory_order_relaxed);
}

bool auth_token_check(struct auth *auth, struct span token, struct auth_identity *out)
{
    struct secret_digest digest = secret_digest(token);

    *out = (struct auth_identity){0};
    lock_acquire(&auth->lock);
    const struct token *found = token_find(&auth->tokens, &digest);
    if (found != NULL) {
        (void)snprintf(out->name, sizeof(out->name), "%s", found->name);
        out->scope = found->scope;
    }
    lock_release(&auth->lock);
    if (found == NULL) {
        count_failure(auth);
    }
    return found != NULL;
}

void auth_code_make(struct auth *auth, uint64_t now_ms, char out[AUTH_CODE_CHARS + 1])
{
    secret_make(out, AUTH_CODE_CHARS);
    struct secret_digest digest = secret_digest(span_str(out));
    lock_acquire(&auth->lock);
    struct login_code *place = &auth->codes[0];
    for (unsigned i = 0; i < AUTH_CODES; i++) {
        struct login_code *code = &auth->codes[i];
        if (!code->live || (place->live && code->made_ms < place->made_ms)) {
            place = code;
        }
    }
    *place = (struct login_code){.live = true, .digest = digest, .made_ms = now_ms};
    lock_release(&auth->lock);
}

bool auth_code_take(struct auth *auth, struct span text, uint64_t now_ms, struct auth_identity *out)
{
    struct secret_digest digest = secret_digest(text);
    bool good = false;

    *out = (struct auth_identity){0};
    lock_acquire(&auth->lock);
    for (unsigned i = 0; i < AUTH_CODES; i++) {
        struct login_code *code = &auth->codes[i];
        bool same = secret_equal(&code->digest, &digest);
        if (same && code->live) {
            good = now_ms - code->made_ms <= AUTH_CODE_LIFE_MS;
            *code = (struct login_code){0};
        }
    }
    lock_release(&auth->lock);
    if (!good) {
        count_failure(auth);
        return false;
    }
    (void)snprintf(out->name, sizeof(out->name), "login-code");
    out->scope = AUTH_ADMIN;
    return true;
}

void auth_session_open(struct auth *auth, uint64_t now_ms, struct auth_identity *identity,
                       char cookie[SECRET_CHARS + 1])
{
    secret_make(cookie, SECRET_CHARS);
    secret_make(identity->csrf, SECRET_CHARS);
    struct secret_digest digest = secret_digest(span_str(cookie));
    lock_acquire(&auth->lock);
    struct session *place = &auth->sessions[0];
    for (unsigned i = 0; i < AUTH_SESSIONS; i++) {
        struct session *session = &auth->sessions[i];
        if (session->id == 0 || (place->id != 0 && session->used_ms < place->used_ms)) {
            place = session;
        }
        if (place->id == 0) {
            break;
        }
    }
    identity->session = ++auth->last_session;
    *place = (struct session){
        .id = identity->session,
        .cookie = digest,
        .by_code = true,
        .used_ms = now_ms,
        .identity = *identity,
    };
    for (size_t i = 0; i < auth->tokens.count; i++) {
        if (strcmp(auth->tokens.list[i].name, identity->name) == 0) {
            place->token = auth->tokens.list[i].digest;
            place->by_code = false;
        }
    }
    lock_release(&auth->lock);
}

bool auth_session_find(struct auth *auth, struct span cookie, uint64_t now_ms, uint64_t idle_ms,
                       struct auth_identity *out)
{
    struct secret_digest digest = secret_digest(cookie);
    bool good = false;

    *out = (struct auth_identity){0};
    lock_acquire(&auth->lock);
    for (unsigned i = 0; i < AUTH_SESSIONS; i++) {
        struct session *session = &auth->sessions[i];
        bool same = secret_equal(&session->cookie, &digest);
        if (!same || session->id == 0) {
            continue;
        }
        if (now_ms > session->used_ms && now_ms - session->used_ms > idle_ms) {
            session->id = 0;
            continue;
        }
        session->used_ms = now_ms;
        *out = session->identity;
        good = true;
    }
    lock_release(&auth->lock);
    return good;
}

bool auth_session_is_open(struct auth *auth, uint64_t id)
{
    bool found = false;

    lock_acquire(&auth->lock);
    for (unsigned i = 0; i < AUTH_SESSIONS; i++) {
        found = found || auth->sessions[i].id == id;
    }
    lock_release(&auth->lock);
    return id != 0 && found;
}

void auth_session_close(struct auth *auth, uint64_t id)
{
    lock_acquire(&auth->lock);
    for (unsigned i = 0; i < AUTH_SESSIONS; i++) {
        if (auth->sessions[i].id == id) {
            auth->sessions[i] = (struct session){0};
        }
    }
    lock_release(&auth->lock);
}

bool auth_csrf_matches(const struct auth_identity *identity, struct span sent)
{
    struct secret_digest a = secret_digest(span_str(identity->csrf));
    struct secret_digest b = secret_digest(sent);

    return identity->csrf[0] != '\0' && secret_equal(&a, &b);
}

static struct login_record *login_find_locked(struct auth *auth, const char *address)
{
    for (unsigned i = 0; i < AUTH_ADDRESSES; i++) {
        if (strcmp(auth->logins[i].address, address) == 0) {
            return &auth->logins[i];
        }
    }
    return NULL;
}

unsigned auth_login_wait_s(struct auth *auth, const char *address, uint64_t now_ms)
{
    unsigned wait_s = 0;

    lock_acquire(&auth->lock);
    const struct login_record *record = login_find_locked(auth, address);
    if (record != NULL && record->failed_ms[0] != 0) {
        uint64_t passed_ms = now_ms - record->failed_ms[0];
        if (passed_ms < AUTH_LOGIN_WINDOW_MS) {
            wait_s = (unsigned)((AUTH_LOGIN_WINDOW_MS - passed_ms + 999) / 1000);
        }
    }
    lock_release(&auth->lock);
    return wait_s;
}

void auth_login_failed(struct auth *auth, const char *address, uint64_t now_ms)
{
    lock_acquire(&auth->lock);
    struct login_record *record = login_find_locked(auth, address);
    if (record == NULL) {
        record = &auth->logins[0];
        for (unsigned i = 1; i < AUTH_ADDRESSES; i++) {
            struct login_record *other = &auth->logins[i];
            if (other->failed_ms[AUTH_LOGINS - 1] < record->failed_ms[AUTH_LOGINS - 1]) {
                record = other;
            }
        }
        *record = (struct login_record){0};
        (void)snprintf(record->address, sizeof(record->address), "%s", address);
    }
    memmove(&record->failed_ms[0], &record->failed_ms[1],
            (AUTH_LOGINS - 1) * sizeof(record->failed_ms[0]));
    record->failed_ms[AUTH_LOGINS - 1] = now_ms == 0 ? 1 : now_ms;
    lock_release(&auth->lock);
}
