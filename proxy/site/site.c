/*
 * site - the compiled site table. Names are looked up by hash in an open-addressing table sized to
 * stay half empty; a table with nothing but the "*" site skips even that. Wildcards stand in it by
 * the part below their star, with its dot; they are asked for after the exact names only, from the
 * longest part on, so a Host costs them as many probes as it has labels.
 */
#include "site/site.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/key.h"
#include "record/counters.h"
#include "site/loop.h"

/* Several times what a configuration may hold: 64 MiB. */
#define SITE_TABLE_MAX_BYTES ((size_t)1 << 30)

struct site_slot {
    struct span name; /* NULL ptr: free */
    const struct site *site;
};

struct site_table {
    int references;
    struct conf *conf;
    struct hash_seed seed;
    struct site *sites;
    struct site_pool *pools;      /* as in conf.pools */
    struct arena arena;           /* what the sites point to */
    const struct site *fallback;  /* the "*" site, or NULL */
    const struct site **forwards; /* by listen; NULL where sites are; NULL: there are none */
    struct site_slot *slots;
    size_t slot_mask;
    size_t names;
    size_t wildcard_bytes; /* of the longest ".example.com"; 0: there are none */
};

static void compress_compile(struct site_compress *compress, const struct conf_compress *conf)
{
    *compress = (struct site_compress){
        .level = {[HTTP_CODING_GZIP] = (int)conf->gzip_level,
                  [HTTP_CODING_BR] = (int)conf->brotli_level},
        .min_bytes = conf->min_bytes,
        .max_bytes = conf->max_bytes,
        .types = {.list = conf->types.list, .count = conf->types.count},
    };
}

static unsigned forwarded_compile(enum conf_forwarded conf)
{
    switch (conf) {
    case CONF_FORWARDED_OFF:
        break;
    case CONF_FORWARDED_ON:
    case CONF_FORWARDED_X:
        return SITE_X_FORWARDED;
    case CONF_FORWARDED_RFC7239:
        return SITE_RFC7239;
    case CONF_FORWARDED_BOTH:
        return SITE_X_FORWARDED | SITE_RFC7239;
    }
    return 0;
}

static enum site_identity identity_compile(enum conf_identity conf)
{
    switch (conf) {
    case CONF_IDENTITY_HIDE:
        return SITE_HIDES;
    case CONF_IDENTITY_FORWARD:
        break;
    case CONF_IDENTITY_TRANSPARENT:
        return SITE_TRANSPARENT;
    }
    return SITE_TELLS;
}

/* NULL: nobody. */
static const struct conf_trust *trust_compile(const struct conf_trust *conf)
{
    return conf->networks.count > 0 ? conf : NULL;
}

/* Settings that mean parts of a path mean it in every spelling. */
static enum conf_normalize normalize_of(const struct site *site)
{
    if (site->conf->normalize != CONF_NORMALIZE_AUTO) {
        return site->conf->normalize;
    }
    const struct http_rewrite *rewrite = &site->policy.rewrite;
    bool looks = site->rules.asks_path || site->rules.rewrites || rewrite->strip.len > 0 ||
                 rewrite->add.len > 0 || (site->access != NULL && access_asks_path(site->access));
    return looks ? CONF_NORMALIZE_FOLD : CONF_NORMALIZE_OFF;
}

static void site_compile(struct site_table *table, struct site *site, const struct conf_site *conf)
{
    struct arena *arena = &table->arena;

    site->conf = conf;
    site->name = span_str(conf->names.list[0]);
    site->named = table->pools;
    policy_compile(&site->policy, arena, conf, table->conf->store.max_object_bytes);
    rules_compile(&site->rules, arena, table->conf, conf);
    compress_compile(&site->compress, &conf->compress);
    site->compress.is_used = site->policy.codings != 0 || site->rules.compresses;
    rule_edits_compile(&site->edits, arena, conf->headers, conf->header_count);
    site->via = span_str(conf->via);
    site->via_own = loop_name(arena, conf);
    site->forwarded = forwarded_compile(conf->forwarded);
    site->trust = trust_compile(conf->trust.is_set ? &conf->trust : &table->conf->trust);
    site->redaction = redaction_compile(&conf->privacy);
    site->tunnel_idle_us = conf->tunnel_idle_ms * 1000;
    if (UNLIKELY(conf->forward.name != NULL)) {
        site->forward = &conf->forward;
        site->identity = identity_compile(conf->privacy.identity);
        site->forwarded = site->identity == SITE_TELLS ? site->forwarded : 0;
        site->access = access_compile(arena, table->conf, conf);
        CHECK(site->access != NULL);
        site->key_prefix = arena_printf(arena, "%s ", conf->names.list[0]);
    }
    site->normalize = normalize_of(site);
}

static void login_compile(struct site *site, struct limit_table *limits)
{
    const struct conf_rate *rate = &site->conf->forward.auth.failures;

    if (UNLIKELY(site->forward != NULL) && rate->count > 0 && limits != NULL) {
        site->login = (struct site_login){
            .ref = limit_register(limits, LIMIT_REFUSES, site->name, SPAN("login")),
            .rate = limit_rate(rate->count, rate->period_s, rate->count),
        };
    }
}

static struct site_slot *slot_for(const struct site_table *table, struct span name)
{
    size_t at = (size_t)hash64(table->seed, name) & table->slot_mask;
    while (table->slots[at].name.ptr != NULL && !span_eq(table->slots[at].name, name)) {
        at = (at + 1) & table->slot_mask;
    }
    return &table->slots[at];
}

static void site_table_index(struct site_table *table)
{
    size_t names = 0;
    for (size_t i = 0; i < table->conf->site_count; i++) {
        names += table->conf->sites[i].names.count;
    }
    size_t slots = 4;
    while (slots < names * 2) {
        slots *= 2;
    }
    table->slots = mem_new(slots * sizeof(*table->slots));
    table->slot_mask = slots - 1;
    for (size_t i = 0; i < table->conf->site_count; i++) {
        const struct conf_names *list = &table->conf->sites[i].names;
        for (size_t j = 0; j < list->count && table->sites[i].forward == NULL; j++) {
            struct span name = span_str(list->list[j]);
            if (span_eq(name, SPAN("*"))) {
                table->fallback = &table->sites[i];
                continue;
            }
            if (name.ptr[0] == '*') {
                name = span_of(name.ptr + 1, name.len - 1);
                table->wildcard_bytes =
                    name.len > table->wildcard_bytes ? name.len : table->wildcard_bytes;
            }
            *slot_for(table, name) = (struct site_slot){.name = name, .site = &table->sites[i]};
            table->names++;
        }
    }
}

static void site_table_listens(struct site_table *table)
{
    const struct conf *conf = table->conf;
    for (size_t i = 0; i < conf->listen_count; i++) {
        const char *name = conf->listens[i].forward;
        const struct conf_site *forward = name == NULL ? NULL : conf_find_forward(conf, name);
        if (forward == NULL) {
            continue;
        }
        if (table->forwards == NULL) {
            table->forwards = mem_new(conf->listen_count * sizeof(const struct site *));
        }
        table->forwards[i] = &table->sites[forward - conf->sites];
    }
}

static struct site_pool pool_find(struct origins *origins, const struct conf_origins *conf,
                                  const char *name)
{
    bool is_there = origins != NULL && conf->server_count > 0;
    return (struct site_pool){.conf = conf,
                              .host = policy_host_compile(conf->host),
                              .pool = is_there ? origins_find(origins, name) : NULL};
}

static void upstream_compile(struct site_upstream *upstream, struct origins *origins,
                             const struct conf *conf, const struct conf_upstream *from)
{
    upstream->conf = from;
    if (from->is_set && !from->is_direct) {
        const struct conf_origins *pool = conf_find_parents(conf, from);
        CHECK(pool != NULL);
        upstream->pool = pool_find(origins, pool, pool->name);
    }
}

static void upstreams_compile(struct site_table *table, struct origins *origins, size_t index)
{
    const struct conf_site *conf = &table->conf->sites[index];
    struct site_upstream *list = mem_new((conf->rule_count + 1) * sizeof(*list));

    table->sites[index].upstreams = list;
    upstream_compile(&list[0], origins, table->conf, &conf->forward.upstream);
    for (size_t i = 0; i < conf->rule_count; i++) {
        upstream_compile(&list[i + 1], origins, table->conf, &conf->rules[i].upstream);
    }
}

static void upstreams_free(struct site *site)
{
    for (size_t i = 0; site->upstreams != NULL && i <= site->conf->rule_count; i++) {
        origin_pool_unref(&site->upstreams[i].pool.pool);
    }
    mem_free(site->upstreams);
}

static void pools_compile(struct site_table *table, struct origins *origins)
{
    const struct conf *conf = table->conf;

    table->pools = mem_new((conf->pool_count + 1) * sizeof(*table->pools));
    for (size_t i = 0; i < conf->pool_count; i++) {
        table->pools[i] = pool_find(origins, &conf->pools[i], conf->pools[i].name);
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        const struct conf_origins *named =
            site->origins.name == NULL ? NULL : conf_find_pool(conf, site->origins.name);
        table->sites[i].own = named != NULL
                                  ? pool_find(origins, named, named->name)
                                  : pool_find(origins, &site->origins, site->names.list[0]);
        if (site->forward.name != NULL) {
            upstreams_compile(table, origins, i);
        }
    }
}

struct site_table *site_table_new(struct conf *conf, struct origins *origins,
                                  struct limit_table *limits,
                                  unsigned (*slot_of)(void *ctx, const char *name), void *ctx)
{
    struct site_table *table = mem_new(sizeof(*table));
    table->references = 1;
    table->conf = conf_ref(conf);
    arena_init(&table->arena, SITE_TABLE_MAX_BYTES);
    random_bytes(&table->seed, sizeof(table->seed));
    table->sites = mem_new(conf->site_count * sizeof(*table->sites));
    pools_compile(table, origins);
    for (size_t i = 0; i < conf->site_count; i++) {
        site_compile(table, &table->sites[i], &conf->sites[i]);
        guards_compile(&table->sites[i].guards, &table->arena, &conf->sites[i], limits);
        meters_compile(&table->sites[i].meters, &table->arena, &conf->sites[i], limits);
        table->sites[i].guards.is_used =
            table->sites[i].guards.is_used || meters_are_used(&table->sites[i].meters);
        login_compile(&table->sites[i], limits);
        table->sites[i].slot = slot_of(ctx, conf->sites[i].names.list[0]);
        CHECK(table->sites[i].slot < COUNTERS_SITES);
    }
    site_table_index(table);
    site_table_listens(table);
    return table;
}

struct site_table *site_table_ref(struct site_table *table)
{
    CHECK(table->references > 0);
    table->references++;
    return table;
}

void site_table_unref(struct site_table **table_at)
{
    struct site_table *table = *table_at;
    *table_at = NULL;
    if (table == NULL) {
        return;
    }
    CHECK(table->references > 0);
    if (--table->references > 0) {
        return;
    }
    for (size_t i = 0; i < table->conf->site_count; i++) {
        origin_pool_unref(&table->sites[i].own.pool);
        access_end(table->sites[i].access);
        upstreams_free(&table->sites[i]);
    }
    for (size_t i = 0; i < table->conf->pool_count; i++) {
        origin_pool_unref(&table->pools[i].pool);
    }
    mem_free(table->pools);
    mem_free(table->slots);
    mem_free(table->forwards);
    mem_free(table->sites);
    arena_reset(&table->arena);
    conf_unref(table->conf);
    mem_free(table);
}

const struct conf_trust *site_table_trust(const struct site_table *table)
{
    return trust_compile(&table->conf->trust);
}

struct redaction site_table_redaction(const struct site_table *table)
{
    struct redaction all = {0};
    for (size_t i = 0; i < table->conf->site_count; i++) {
        if (table->sites[i].forward == NULL) {
            all = redaction_stricter(all, table->sites[i].redaction);
        }
    }
    return all;
}

const struct conf *site_table_conf(const struct site_table *table)
{
    return table->conf;
}

/* The longest "*.NAME" that this host is below. */
static const struct site *find_wildcard(const struct site_table *table, struct span host)
{
    size_t from = host.len > table->wildcard_bytes ? host.len - table->wildcard_bytes : 0;
    for (size_t at = from == 0 ? 1 : from; at < host.len; at++) {
        if (host.ptr[at] != '.') {
            continue;
        }
        const struct site_slot *slot = slot_for(table, span_of(host.ptr + at, host.len - at));
        if (slot->site != NULL) {
            return slot->site;
        }
    }
    return table->fallback;
}

const struct site *site_table_find(const struct site_table *table, struct span authority)
{
    if (table->names == 0) {
        return table->fallback;
    }
    struct span host = http_authority_host(authority);
    if (UNLIKELY(host.len > 1 && host.ptr[host.len - 1] == '.')) {
        host.len--; /* the same name, of the DNS's root (RFC 1034 3.1) */
    }
    const struct site_slot *slot = slot_for(table, host);
    if (slot->site != NULL && (host.len == 0 || host.ptr[0] != '.')) {
        return slot->site;
    }
    return find_wildcard(table, host);
}

const struct site *site_table_named(const struct site_table *table, struct span name)
{
    for (size_t i = 0; i < table->conf->site_count; i++) {
        if (span_eq(table->sites[i].name, name)) {
            return &table->sites[i];
        }
    }
    return NULL;
}

const struct site *site_table_forward(const struct site_table *table, unsigned listen)
{
    return LIKELY(table->forwards == NULL) ? NULL : table->forwards[listen];
}
