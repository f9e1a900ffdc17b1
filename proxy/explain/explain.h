#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H
/*
 * explain - what would become of a request now, and why: the walk of exchange.c up to the point
 * where it would answer or ask the origin, by the same functions, with a look at the store that
 * changes nothing there, but that what had to be read from disk is in memory after it.
 *
 * Threads:   one that may wait for a disk; no worker's.
 * Ownership: explain_end gives back what explain_run took; sites must outlive it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "http/cache_status.h"
#include "http/freshness.h"
#include "http/request.h"
#include "origin/view.h"
#include "site/onward.h"
#include "site/site.h"
#include "store/store.h"

#define EXPLAIN_FIELDS_MAX 64u
#define EXPLAIN_VARIANTS_MAX 16u
#define EXPLAIN_FORWARD_SETTINGS 6u
#define EXPLAIN_SETTINGS_MAX 40u

struct explain_question {
    struct span url;
    struct span method;                                                /* empty: GET */
    struct span names[EXPLAIN_FIELDS_MAX], values[EXPLAIN_FIELDS_MAX]; /* fields beside Host */
    unsigned field_count;
    struct span client; /* its address; empty: not said */
    struct span
        forward; /* the forward proxy that is asked; empty: the site of that name, or the only
                            forward proxy */
};

enum explain_answer {
    EXPLAIN_HIT,
    EXPLAIN_STALE,      /* sent, and renewed in the background */
    EXPLAIN_FOLLOW,     /* somebody fetches it: the answer comes along */
    EXPLAIN_VALIDATE,   /* the origin is asked whether it is still good */
    EXPLAIN_MISS,       /* fetched, and stored when it may be */
    EXPLAIN_FETCH,      /* fetched for this client alone */
    EXPLAIN_PASS,       /* the cache is not asked */
    EXPLAIN_NOT_CACHED, /* only-if-cached: 504 */
    EXPLAIN_REDIRECT,   /* answered by a setting alone: own_status, location */
    EXPLAIN_RESPOND,    /* the same: own_status */
    EXPLAIN_DENIED,     /* by allow or deny: 403 */
    EXPLAIN_TUNNEL,     /* a forward proxy's: nothing of what goes through it is seen or changed */
};

struct explain_setting {
    const char *name;
    struct span value;
    int rule; /* index of the rule that decided; -1: the site itself, or the default */
    struct conf_where where;
};

/* What allow and deny say. */
enum explain_access {
    EXPLAIN_ACCESS_FREE,    /* nothing: there is no list for this request */
    EXPLAIN_ACCESS_DEPENDS, /* on the client, which was not said */
    EXPLAIN_ACCESS_ALLOWED,
    EXPLAIN_ACCESS_DENIED,
};

struct explain {
    struct http_request request;
    const struct site *site;
    struct policy asked; /* in force for the request */
    struct policy later; /* and with the stored response's status and type; when there is one */
    struct span key, target;
    struct onward onward;           /* only when the origin is asked */
    struct span upgrade;            /* the protocols it is offered; empty: none */
    struct sockaddr_storage client; /* AF_UNSPEC: not said */
    struct span client_text;        /* for the origin; "(client)": not said */
    enum explain_access access;
    struct conf_where access_where; /* the directive that decides, if one does */
    bool is_unlimited;              /* a client that no limit is for */
    enum explain_answer answer;
    enum http_reason reason;
    unsigned own_status;
    struct span location;
    bool is_solo; /* a mark says that it could not be stored: nobody waits for this fetch */
    /* What the answer is about; NULL: nothing. A reference. */
    struct store_object *object;
    int64_t soft_at_ms; /* its soft purge; 0: none */
    struct http_stored facts;
    enum http_store_verdict storable; /* would it be stored under the settings of now? */
    struct store_variant variants[EXPLAIN_VARIANTS_MAX];
    unsigned variant_count; /* all of them */
    int64_t now_ms;
    /* What the origin would be sent behind Host; count 0: it is not asked. */
    const struct span *lines;
    unsigned line_count;
    bool asks_origin;
    struct origin_foreseen server; /* who would be asked, where that is certain */
    struct explain_setting settings[EXPLAIN_SETTINGS_MAX];
    unsigned setting_count;
    struct arena arena;
};

/* Returns NULL, or what is wrong with the question, or why the request would be refused: text in
 * out's arena. explain_end in either case. */
const char *explain_run(struct explain *out, const struct site_table *sites, struct store *store,
                        const struct explain_question *question);
void explain_end(struct explain *explain);

/* "hit", "validate" ...; "s_maxage", "heuristic" ... Static. */
const char *explain_answer_name(enum explain_answer answer);
const char *explain_source_name(enum http_lifetime_source source);

/* explain_guard.c: who asks, and what lists and limits say of it. Returns NULL, or what is wrong. */
const char *explain_client(struct explain *out, struct span client);
void explain_guard(struct explain *out, const struct conf *conf);

/* explain_forward.c: which site is asked. Returns NULL, or why none is. */
const char *explain_find(struct explain *out, const struct site_table *sites,
                         const struct explain_question *question);
/* explain_forward.c: does a client of this forward proxy ask for a tunnel? */
bool explain_is_tunnel(const struct explain *out);
/* explain_forward.c: may the server be asked? A parent proxy is asked for no https:// URLs. */
bool explain_has_way(const struct explain *out);
/* explain_forward.c: how a forward proxy's request leaves, once out->onward is settled. */
void explain_way(struct explain *out);
/* explain_forward.c: adds what a forward proxy tells servers of its clients, and how it gets there. */
void explain_forward_settings(struct explain *out, const struct conf *conf);
/* explain_settings.c: fills out->settings. */
void explain_settings(struct explain *out, const struct conf *conf);
#endif
