/*
 * exchange_login - who asks a forward proxy (RFC 9110 11.7, RFC 7617).
 *
 * A password that was proven before costs a lookup. One that is new has to be hashed: the request parks
 * meanwhile. Guesses are limited by client address: whoever has a password hashed pays a token of the
 * client's bucket, and has it back when the password was right. So a client with none left can guess no
 * more, but those behind the same address who have proven theirs go on. While passwords from this
 * address are being looked at, newcomers wait for how that ends: their tokens may come back (the first
 * minute of a working day, a hundred people behind one address). The same wrong password again within a
 * minute is answered from memory and counts once.
 *
 * Beyond the limit 429 (RFC 6585 4) and no 407: nothing is said of the password, which may be right, and
 * a browser does not ask its user again. A CONNECT that gets 407 ends its connection as every refused
 * one does: a client may have sent its tunnel's bytes already, and they must not be read as requests.
 */
#include <string.h>

#include "base/clock.h"
#include "exchange/exchange_extra.h"
#include "exchange/exchange_forward.h"
#include "users/credentials.h"
#include "users/users.h"

#define NS_PER_S ((uint64_t)1000000000)
/* Of one client at the same time, where its guesses are not limited lower. */
#define CLIENT_CHECKS_MAX 32u
#define FULL_RETRY_S 2u

struct exchange_login {
    struct users_wait *wait;      /* for the answer; NULL: it is there */
    const struct conf_user *user; /* whose password it is; the snapshot's */
    bool has_token;
    uint8_t answer; /* enum users_answer; USERS_NEW: none yet */
};

static const struct sockaddr *client_of(const struct exchange *x)
{
    return (const struct sockaddr *)exchange_client(x)->address;
}

/* ---- ends ---- */

/* It ends here (RFC 9110 11.7.2): it is in no log, no rule, no selector of a stored response, and goes
 * nowhere. */
static enum exchange_next go_on(struct exchange *x)
{
    http_fields_remove(&x->stream->request->fields, HTTP_FIELD_PROXY_AUTHORIZATION);
    x->forwarding->stage = FORWARD_JUDGE;
    return EXCHANGE_GO;
}

static enum exchange_next refuse(struct exchange *x, unsigned status, enum http_reason reason,
                                 const char *text)
{
    x->result = RESULT_DENIED;
    x->reason = (uint8_t)reason;
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    return exchange_fail(x, status, text);
}

static enum exchange_next refuse_wrong(struct exchange *x)
{
    return refuse(x, 407, HTTP_REASON_LOGIN_FAILED, "the name or the password is wrong");
}

void exchange_put_challenge(struct exchange *x, struct extra *extra)
{
    if (x->reason != HTTP_REASON_CHALLENGE && x->reason != HTTP_REASON_LOGIN_FAILED) {
        return; /* an origin's 407 */
    }
    extra_put(extra, SPAN("Proxy-Authenticate: Basic realm=\""));
    extra_put(extra, span_str(x->site->forward->auth.realm));
    extra_put(extra, SPAN("\", charset=\"UTF-8\"\r\n"));
}

/* ---- guesses ---- */

static struct limit_key login_key(const struct exchange *x)
{
    return limit_key(x->env->limits, &x->site->login.ref, 'c', limit_client(client_of(x)));
}

/* limit_take or limit_try. 0: it may be tried. Else after how many nanoseconds it may. */
static uint64_t token_get(struct exchange *x,
                          uint64_t (*get)(struct limit_table *, const struct limit_key *,
                                          const struct limit_rate *, uint64_t))
{
    if (x->site->login.rate.token_ns == 0) {
        return 0;
    }
    struct limit_key key = login_key(x);
    uint64_t wait_ns = get(x->env->limits, &key, &x->site->login.rate, loop_now_us(x->env->loop));
    x->forwarding->login->has_token = wait_ns == 0;
    return wait_ns;
}

static void token_give_back(struct exchange *x)
{
    if (x->forwarding->login->has_token) {
        struct limit_key key = login_key(x);
        limit_give_back(x->env->limits, &key, &x->site->login.rate, loop_now_us(x->env->loop));
        x->forwarding->login->has_token = false;
    }
}

/* The token in the keeping of users; any thread. */
struct token {
    struct limit_table *limits;
    struct limit_key key;
    struct limit_rate rate;
};
_Static_assert(sizeof(struct token) <= sizeof(((struct users_deposit *)NULL)->what), "it fits");

static void deposit_give_back(const struct users_deposit *deposit)
{
    struct token token;

    memcpy(&token, deposit->what, sizeof(token));
    limit_give_back(token.limits, &token.key, &token.rate, clock_mono_us());
}

static struct users_deposit deposit_of(const struct exchange *x)
{
    struct users_deposit deposit = {0};

    if (x->forwarding->login->has_token) {
        struct token token = {x->env->limits, login_key(x), x->site->login.rate};
        memcpy(deposit.what, &token, sizeof(token));
        deposit.give_back = deposit_give_back;
    }
    return deposit;
}

/* ---- answers ---- */

static enum exchange_next settle(struct exchange *x, const struct conf_user *user,
                                 enum users_answer answer)
{
    if (answer == USERS_FULL) {
        x->retry_after_s = FULL_RETRY_S;
        return refuse(x, 503, HTTP_REASON_LOGIN_BUSY,
                      "too many passwords are being looked at; come back later");
    }
    if (answer != USERS_RIGHT || user == NULL) {
        return refuse_wrong(x);
    }
    x->forwarding->user = user->name;
    x->forwarding->groups = user->groups;
    x->forwarding->group_count = user->group_count;
    return go_on(x);
}

static void on_answer(void *ctx, enum users_answer answer)
{
    struct exchange *x = ctx;
    struct exchange_login *login = x->forwarding->login;

    login->wait = NULL;
    login->answer = answer == USERS_AGAIN ? USERS_NEW : (uint8_t)answer;
    if (answer == USERS_FULL) { /* nobody has looked */
        token_give_back(x);
    }
    exchange_wake(x);
}

static unsigned checks_most(const struct exchange *x)
{
    uint32_t failures = x->site->forward->auth.failures.count;
    return failures == 0 || failures > CLIENT_CHECKS_MAX ? CLIENT_CHECKS_MAX : failures;
}

/* Nobody knows yet. */
static enum exchange_next find_out(struct exchange *x, const struct users_question *question)
{
    struct users_desk *desk = x->env->users;
    struct exchange_login *login = x->forwarding->login;
    const struct users_waiter waiter = {.done = on_answer, .ctx = x};

    if (users_join(desk, question, checks_most(x), &waiter, &login->wait) == USERS_WAIT) {
        return EXCHANGE_PARK;
    }
    uint64_t wait_ns = token_get(x, limit_try);
    if (wait_ns > 0) {
        if (users_join(desk, question, 1, &waiter, &login->wait) == USERS_WAIT) {
            return EXCHANGE_PARK;
        }
        /* Whoever held the last one may have given it back in between. */
        wait_ns = token_get(x, limit_take);
    }
    if (wait_ns > 0) {
        x->retry_after_s = (uint32_t)((wait_ns + NS_PER_S - 1) / NS_PER_S);
        return refuse(x, 429, HTTP_REASON_LOGIN_LIMIT,
                      "too many wrong passwords from this address; come back later");
    }
    struct users_deposit deposit = deposit_of(x);
    enum users_answer answer = users_begin(desk, question, &deposit, &waiter, &login->wait);
    if (answer == USERS_WAIT) {
        return EXCHANGE_PARK;
    }
    token_give_back(x);
    if (answer == USERS_JOINED) {
        return EXCHANGE_PARK;
    }
    return settle(x, login->user, answer);
}

static enum exchange_next look_at(struct exchange *x, const struct users_credentials *credentials)
{
    struct exchange_forward *forward = x->forwarding;
    struct users_question question = {
        .auth = &x->site->forward->auth,
        .name = credentials->name,
        .password = credentials->password,
        .who = limit_client(client_of(x)),
    };
    enum users_answer answer = users_ask(x->env->users, &question);

    if (LIKELY(answer != USERS_NEW)) {
        return settle(x, question.user, answer);
    }
    if (forward->login == NULL) {
        forward->login = arena_alloc(&x->arena, sizeof(*forward->login));
        if (forward->login == NULL) {
            return exchange_fail(x, 500, "no memory");
        }
    }
    *forward->login = (struct exchange_login){.user = question.user, .answer = USERS_NEW};
    return find_out(x, &question);
}

/* Without a name and a password. */
static enum exchange_next unnamed(struct exchange *x)
{
    if (conf_networks_match(&x->site->forward->auth_except, client_of(x))) {
        return go_on(x);
    }
    /* How everybody begins: nobody has been denied anything. */
    x->reason = HTTP_REASON_CHALLENGE;
    x->forward = HTTP_FORWARD_NONE;
    enum exchange_next next = exchange_fail(x, 407, "this proxy asks for a name and a password");
    x->result = RESULT_SYNTHETIC;
    return next;
}

enum exchange_next exchange_login(struct exchange *x)
{
    const struct exchange_login *login = x->forwarding->login;
    const struct http_fields *fields = &x->stream->request->fields;
    struct users_credentials credentials;
    enum exchange_next next = EXCHANGE_PARK;

    if (x->site->forward->auth.path == NULL) {
        return go_on(x);
    }
    if (login != NULL && login->wait != NULL) {
        return EXCHANGE_PARK; /* woken by something else */
    }
    if (login != NULL && login->answer != USERS_NEW) {
        return settle(x, login->user, (enum users_answer)login->answer);
    }
    if (!http_fields_has(fields, HTTP_FIELD_PROXY_AUTHORIZATION)) {
        return unnamed(x);
    }
    if (http_fields_count(fields, HTTP_FIELD_PROXY_AUTHORIZATION) > 1) {
        return refuse_wrong(x);
    }
    switch (users_credentials_read(http_fields_find(fields, HTTP_FIELD_PROXY_AUTHORIZATION),
                                   &credentials)) {
    case USERS_FORM_GOOD:
        next = look_at(x, &credentials);
        break;
    case USERS_FORM_OTHER:
        next = unnamed(x);
        break;
    case USERS_FORM_BAD:
        next = refuse_wrong(x);
        break;
    }
    users_credentials_wipe(&credentials);
    return next;
}

void exchange_login_end(struct exchange *x)
{
    if (x->forwarding->login != NULL) {
        users_cancel(&x->forwarding->login->wait);
    }
}
