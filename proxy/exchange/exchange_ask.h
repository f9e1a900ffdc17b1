#ifndef EXCHANGE_EXCHANGE_ASK_H
#define EXCHANGE_EXCHANGE_ASK_H
/*
 * exchange_ask - the question that a request puts to the store, and what it may ask of the cache at
 * all: what can be said without an exchange, so that who only explains says the same.
 *
 * Threads: any, when env is NULL; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "http/cache_status.h"
#include "http/directives.h"
#include "http/request.h"
#include "site/rule.h"
#include "store/store.h"

struct exchange_env;

/* Why the cache is not asked; HTTP_REASON_NONE: it is. */
enum http_reason exchange_pass_reason(const struct http_request *request,
                                      const struct policy *policy);
/* What the client's Cache-Control may ask for; a site may refuse forced validation. */
void exchange_directives(struct http_directives *directives, const struct http_request *request,
                         const struct policy *policy);

/* What store_lookup asks to have stored responses judged. */
struct exchange_judge {
    const struct http_fields *fields;         /* in: fill_selecting */
    const struct http_directives *directives; /* NULL: none */
    int64_t now_ms;
    const struct exchange_env *env; /* the worker's, or NULL: nothing is re-armed */
    struct hash128 key;
    bool refuse_sole; /* a part that cannot be added to is not enough */
    bool serve_stale; /* the setting for this request */
    bool rearmed;     /* out: stale, and to be sent nevertheless */
    bool quiet;       /* out: within stale-while-revalidate, and not to be refreshed now */
};
/* The question to the store for this request; what it is not given is the
 * caller's to set. ctx, request and directives must outlive it. */
void exchange_ask(struct store_lookup *lookup, struct exchange_judge *ctx,
                  const struct http_request *request, const struct http_directives *directives);
/* Why it is not a hit, in the words of logs and Cache-Status. */
enum http_reason exchange_absence(enum store_absence absence,
                                  const struct http_directives *directives,
                                  enum http_forward *forward);
#endif
