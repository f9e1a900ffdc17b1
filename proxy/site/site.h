#ifndef SITE_SITE_H
#define SITE_SITE_H
/*
 * site - what the configuration says of each published host, compiled to the form the request path
 * wants. Every worker compiles its own table, so its reference count needs no atomics.
 *
 * Threads:   the owning worker.
 * Ownership: counted; requests under way keep the table they began with across a reload.
 */
#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/check.h"
#include "base/span.h"
#include "conf/conf.h"
#include "fetch/fetch.h"
#include "http/coding.h"
#include "origin/origin.h"
#include "record/redact.h"
#include "site/guard.h"
#include "site/meters.h"
#include "site/rule.h"

/* What may be sent compressed, and how. */
struct site_compress {
    bool is_used; /* by the site or one of its rules; struct policy says what for a request */
    int level[HTTP_CODING_COUNT];
    uint64_t min_bytes, max_bytes;
    struct http_media_types types; /* also when not used: what is stored now may be
                                      encoded later */
};

enum site_forwarded {
    SITE_X_FORWARDED = 1, /* X-Forwarded-For, -Proto, -Host */
    SITE_RFC7239 = 2,     /* Forwarded */
};

/* What a server is told of the client: by a published site, whose origins are its own, and by a forward
 * proxy as it wants. */
enum site_identity {
    SITE_TELLS,
    SITE_HIDES,
    SITE_TRANSPARENT,
};

/* A pool as one configuration sees it. */
struct site_pool {
    const struct conf_origins *conf;
    struct policy_host host;  /* to send, where no rule says another */
    struct origin_pool *pool; /* a reference of the table's; NULL: the site has none of its own */
};

/* Parents of a forward proxy, as one `upstream` names them. */
struct site_upstream {
    const struct conf_upstream *conf;
    struct site_pool pool;
};

/* Wrong passwords of one client of a forward proxy. */
struct site_login {
    struct limit_ref ref;
    struct limit_rate rate;
};

struct site {
    const struct conf_site *conf;
    struct span name; /* the first configured name, for logs */
    unsigned slot;    /* of its counters, 0..COUNTERS_SITES-1 */
    struct site_pool own;
    const struct site_pool *named;   /* those of the table, as in conf.pools */
    struct site_upstream *upstreams; /* a forward proxy's own, then those of its rules; or NULL */
    struct site_compress compress;
    struct policy policy; /* its own settings, before rules */
    struct rules rules;
    struct rule_edits edits;       /* its own changes of header fields */
    struct span via;               /* our pseudonym */
    struct span via_own;           /* the same in requests, unlike any other\'s (loop.h) */
    enum conf_normalize normalize; /* never CONF_NORMALIZE_AUTO */
    enum site_identity identity;
    unsigned forwarded;             /* enum site_forwarded, or-ed: what the origin is told */
    const struct conf_trust *trust; /* whose forwarding fields are believed; NULL: nobody's */
    struct guards guards;           /* who may ask, and how much */
    struct meters meters;           /* of a forward proxy: how fast, how much; used: guards too */
    struct redaction redaction;     /* of what logs and views get */
    uint64_t tunnel_idle_us;
    const struct conf_forward *forward; /* of a forward proxy; NULL: a published site */
    const struct access *access;        /* its rules; NULL: of a published site */
    struct site_login login;
    struct span key_prefix; /* of its cache keys; empty for a published site */
};

struct site_table;

/* Takes a reference to conf, which origins_apply has seen; origins NULL: nobody will be asked.
 * limits: where those of the sites are kept; NULL: nobody asks through this table. slot_of: the
 * counters slot of a site name (service.h). */
struct site_table *site_table_new(struct conf *conf, struct origins *origins,
                                  struct limit_table *limits,
                                  unsigned (*slot_of)(void *ctx, const char *name), void *ctx);
struct site_table *site_table_ref(struct site_table *table);
void site_table_unref(struct site_table **table); /* nulls *table */
/* Who is believed where no site has the name; NULL: nobody. */
const struct conf_trust *site_table_trust(const struct site_table *table);
/* What it was compiled from; borrowed. */
const struct conf *site_table_conf(const struct site_table *table);
/* Of requests of which no site can be said: the strictest of the published ones. */
struct redaction site_table_redaction(const struct site_table *table);
/* The site of an authority (lower case, with or without port): of its exact name, else of the longest
 * "*.NAME" it is below, else "*"; NULL when there is none. */
const struct site *site_table_find(const struct site_table *table, struct span authority);
/* The one with this first name ("www.example.com", "forward:office"); NULL: there is none. */
const struct site *site_table_named(const struct site_table *table, struct span name);
/* The forward proxy whose clients come in by this listen (an index into conf.listens); NULL: they
 * come to the sites. */
const struct site *site_table_forward(const struct site_table *table, unsigned listen);

/* By whom requests leave under this policy; NULL: by nobody. */
static inline const struct site_upstream *site_upstream(const struct site *site,
                                                        const struct policy *policy)
{
    return LIKELY(policy->upstream == 0) ? NULL : &site->upstreams[policy->upstream - 1];
}

/* Who is asked under this policy: the parents, or the origins. */
static inline const struct site_pool *site_pool(const struct site *site,
                                                const struct policy *policy)
{
    if (UNLIKELY(policy->upstream != 0)) {
        return &site->upstreams[policy->upstream - 1].pool;
    }
    return policy->pool == 0 ? &site->own : &site->named[policy->pool - 1];
}

/* May the origin be sent other fields than the client's? */
static inline bool site_edits_requests(const struct site *site)
{
    return site->edits.count[CONF_HEADER_REQUEST] > 0 || site->rules.edits_requests;
}

/* What is in force for this request or response; room is for when rules have a say. */
static inline const struct policy *site_policy(const struct site *site,
                                               const struct rule_facts *facts, struct policy *room)
{
    return rules_apply(&site->rules, &site->policy, facts, room);
}
#endif
