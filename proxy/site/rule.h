#ifndef SITE_RULE_H
#define SITE_RULE_H
/*
 * rule - what is in force for one request: the site's settings, overridden by those of every rule
 * whose conditions hold, from top to bottom.
 *
 * Rules that ask of the request alone are settled when it enters, those that ask of the response
 * (type, status) when the origin's head is there: the same function again, which then knows more.
 *
 * Threads:   any; pure. Ownership: a policy borrows from the site and its rules.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "conf/conf.h"
#include "http/edit.h"
#include "http/fields.h"
#include "http/freshness.h"
#include "http/query.h"
#include "http/request.h"
#include "http/rewrite.h"

struct rule;

/* The rules of a site in the form the request path wants. */
struct rules {
    const struct rule *list;
    unsigned count;
    bool has_late;        /* some ask of the response */
    bool compresses;      /* some say what may be sent compressed */
    bool late_compresses; /* of those that ask of the response */
    bool late_shows;      /* and change what the client gets: to be settled for hits too */
    bool edits_requests;  /* some change what the origin is sent */
    bool asks_path;       /* some ask for the path */
    bool answers_vary;    /* some that redirect or respond ask for more than the address */
    bool rewrites;        /* some change it towards the origin */
};

struct rule_names {
    const struct span *list;
    unsigned count;
};

/* Changes of header fields. */
struct rule_edits {
    const struct http_edit *list[2]; /* by enum conf_header_side */
    unsigned count[2];
};

/* Host to send. */
struct policy_host {
    enum {
        POLICY_HOST_ORIGINS, /* as the origins say */
        POLICY_HOST_CLIENT,
        POLICY_HOST_SERVER,
        POLICY_HOST_NAME,
    } from;
    struct span name; /* only with POLICY_HOST_NAME */
};

/* Microseconds; 0: as the origin's own. */
struct policy_timeout {
    uint64_t first_byte_us, idle_us, total_us;
};

/* What of a request's and a response's fields goes on. */
struct policy_privacy {
    enum conf_referer referer;
    bool has_agent;                      /* the client's User-Agent does not go on */
    struct span agent;                   /* "User-Agent: ..." to send; empty: none */
    const struct conf_hosts *cookieless; /* hosts without cookies; NULL: none */
};

struct policy {
    struct http_freshness_options freshness;
    struct http_query_options query;
    struct rule_names vary_ignore;
    struct policy_host host;
    const struct conf_redirect *redirect; /* NULL: off */
    const struct conf_respond *respond;   /* NULL: off */
    struct http_rewrite rewrite;          /* of the path towards the origin */
    struct rule_names upgrade;            /* protocols a connection may be switched to */
    struct policy_timeout timeout;
    struct policy_privacy privacy;
    unsigned vary_max;
    unsigned hit_for_miss_ms;
    unsigned pool;     /* 0: the site's own, else 1 + index in conf.pools */
    unsigned upstream; /* of a forward proxy: 0: by nobody, else 1 + index in site->upstreams */
    unsigned codings;  /* http_coding_bit of each that responses may be sent in; 0: none */
    bool pass;
    bool ignore_cookies;
    bool client_revalidate;
    bool serve_stale; /* when the origin cannot be reached */
    bool cache_status;
    bool redirect_rewrite;
    unsigned edit_count[2]; /* changes of header fields, by enum conf_header_side */
    /* Which rules hold, a bit each; only when the site has rules. */
    uint64_t held[CONF_RULES_MAX / 64];
};

/* What a rule may ask about. */
struct rule_facts {
    struct span method;
    struct span target;    /* path and query as received */
    struct span authority; /* lower case, with or without port */
    const struct http_fields *request;
    unsigned status;  /* of the response; 0: not known yet, rules that ask of it do not hold */
    struct span type; /* its Content-Type */
};

/* policy.c: what rules ask about, of this request and (status > 0) of this response. */
struct rule_facts rule_facts_of(const struct http_request *request, unsigned status,
                                struct span type);

/* Compiles the site's own settings. */
void policy_compile(struct policy *policy, struct arena *arena, const struct conf_site *site,
                    uint64_t store_max_object_bytes);
struct policy_host policy_host_compile(const char *host);
void rules_compile(struct rules *rules, struct arena *arena, const struct conf *conf,
                   const struct conf_site *site);
/* The changes of the site itself. */
void rule_edits_compile(struct rule_edits *edits, struct arena *arena,
                        const struct conf_header *headers, size_t count);

/* Fills room from base and the rules that hold; returns it, or base when there are no rules. */
const struct policy *rules_apply(const struct rules *rules, const struct policy *base,
                                 const struct rule_facts *facts, struct policy *room);

/* policy.c: the settings as they count for what the origin is asked and what is made of its answer.
 * looked_up: the cache was asked. */
void policy_for_origin(struct policy *out, const struct policy *policy, bool looked_up);

static inline bool policy_holds(const struct policy *policy, unsigned rule)
{
    return (policy->held[rule / 64] >> (rule % 64) & 1) != 0;
}
/* Makes the changes of the site and then of the rules that hold; lines has room for
 * policy->edit_count[side] more. */
void rules_edit(const struct rules *rules, const struct rule_edits *site,
                const struct policy *policy, enum conf_header_side side, struct http_lines *lines);
/* Does every condition that asks for the path say the same of both targets? */
bool rules_see_alike(const struct rules *rules, struct span target, struct span other);
/* Does its ttl count for this status (200, 203, 204, 300, 301, 308, or the rule names it)? */
bool rule_ttl_applies(const struct rules *rules, unsigned rule, unsigned status);
#endif
