/*
 * rule - see rule.h. All strings are measured once, at the compilation; what a request costs is a
 * walk over the rules and, per condition, one look at the fields it asks about.
 */
#include "site/rule.h"

#include "base/check.h"
#include "http/coding.h"
#include "http/glob.h"
#include "http/key.h"
#include "http/path.h"

struct rule_match {
    struct span name;  /* COOKIE, HEADER */
    struct span value; /* pattern */
    bool any_value;
    uint16_t low, high; /* STATUS */
};

struct rule_condition {
    enum conf_condition_kind kind;
    const struct rule_match *list;
    unsigned count;
};

struct rule {
    const struct conf_rule *conf;
    const struct rule_condition *conditions;
    unsigned condition_count;
    bool is_late; /* asks of the response */
    bool asks_path;
    bool asks_more;       /* than host, path and method */
    bool names_status;    /* its ttl is for the statuses it names */
    struct policy policy; /* only what conf->set says counts */
    struct rule_edits edits;
};

/* ---- compilation ---- */

_Static_assert(CONF_FIELDS_MAX <= HTTP_TARGETED_MAX, "a site has room for all it may list");

static uint32_t seconds_of(uint64_t ms)
{
    uint64_t s = (ms + 999) / 1000;
    return s > HTTP_AGE_MAX_S ? HTTP_AGE_MAX_S : (uint32_t)s;
}

static enum http_set_cookie set_cookie_of(enum conf_set_cookie policy)
{
    switch (policy) {
    case CONF_SET_COOKIE_STORE:
        return HTTP_SET_COOKIE_STORE;
    case CONF_SET_COOKIE_STRIP:
        return HTTP_SET_COOKIE_STRIP;
    case CONF_SET_COOKIE_PASS:
        break;
    }
    return HTTP_SET_COOKIE_PASS;
}

/* The configuration is bounded, so is what is made of it: never NULL. */
static void *compile_alloc(struct arena *arena, size_t count, size_t bytes)
{
    void *room = arena_alloc(arena, (count + 1) * bytes);
    CHECK(room != NULL);
    memset(room, 0, (count + 1) * bytes);
    return room;
}

static struct rule_names names_compile(struct arena *arena, const struct conf_names *names)
{
    struct span *list = compile_alloc(arena, names->count, sizeof(*list));
    for (size_t i = 0; i < names->count; i++) {
        list[i] = span_str(names->list[i]);
    }
    return (struct rule_names){.list = list, .count = (unsigned)names->count};
}

static void policy_compile_cache(struct policy *policy, struct arena *arena,
                                 const struct conf_cache *cache, uint64_t store_max_object_bytes)
{
    struct rule_names ignore = names_compile(arena, &cache->ignore_query);
    uint64_t max_object_bytes = cache->max_object_bytes;
    if (max_object_bytes == 0 || max_object_bytes > store_max_object_bytes) {
        max_object_bytes = store_max_object_bytes;
    }
    policy->freshness = (struct http_freshness_options){
        .default_ttl_s = seconds_of(cache->default_ttl_ms),
        .min_ttl_s = seconds_of(cache->min_ttl_ms),
        .max_ttl_s = seconds_of(cache->max_ttl_ms),
        .heuristic_max_s = 24 * 3600,
        .stale_while_revalidate_s = seconds_of(cache->stale_while_revalidate_ms),
        .stale_if_error_s = seconds_of(cache->stale_if_error_ms),
        .max_object_bytes = max_object_bytes,
        .set_cookie = set_cookie_of(cache->set_cookie),
    };
    struct rule_names targeted = names_compile(arena, &cache->targeted);
    policy->freshness.targeted =
        (struct http_targeted){.names = targeted.list, .count = targeted.count};
    policy->query = (struct http_query_options){
        .ignore = ignore.list,
        .ignore_count = ignore.count,
        .sort = cache->sort_query,
    };
    policy->vary_ignore = names_compile(arena, &cache->vary_ignore);
    policy->vary_max = cache->vary_max;
    policy->hit_for_miss_ms = (unsigned)cache->hit_for_miss_ms;
    policy->pass = cache->off;
    policy->ignore_cookies = cache->ignore_cookies;
    policy->client_revalidate = cache->client_revalidate;
    policy->serve_stale = cache->serve_stale;
}

static void policy_compile_rewrite(struct policy *policy, const struct conf_rewrite *conf)
{
    policy->rewrite = (struct http_rewrite){.strip = span_str(conf->strip_prefix),
                                            .add = span_str(conf->add_prefix)};
    policy->redirect_rewrite = conf->redirect_rewrite;
}

static void policy_compile_answer(struct policy *policy, const struct conf_redirect *redirect,
                                  const struct conf_respond *respond)
{
    policy->redirect = redirect->kind == CONF_REDIRECT_OFF ? NULL : redirect;
    policy->respond = respond->status == 0 ? NULL : respond;
}

struct policy_host policy_host_compile(const char *host)
{
    struct span name = span_str(host);
    if (name.len == 0 || span_eq(name, SPAN("client"))) {
        return (struct policy_host){.from = POLICY_HOST_CLIENT};
    }
    if (span_eq(name, SPAN("server"))) {
        return (struct policy_host){.from = POLICY_HOST_SERVER};
    }
    return (struct policy_host){.from = POLICY_HOST_NAME, .name = name};
}

static struct policy_timeout timeout_of(const struct conf_origin_timeout *conf)
{
    return (struct policy_timeout){
        .first_byte_us = conf->first_byte_ms * 1000,
        .idle_us = conf->idle_ms * 1000,
        .total_us = conf->total_ms * 1000,
    };
}

static unsigned codings_of(const struct conf_compress *compress)
{
    return (compress->gzip ? http_coding_bit(HTTP_CODING_GZIP) : 0) |
           (compress->brotli ? http_coding_bit(HTTP_CODING_BR) : 0);
}

static enum http_edit_action action_of(enum conf_header_action action)
{
    switch (action) {
    case CONF_HEADER_ADD:
        return HTTP_EDIT_ADD;
    case CONF_HEADER_SET:
        return HTTP_EDIT_SET;
    case CONF_HEADER_REMOVE:
        break;
    }
    return HTTP_EDIT_REMOVE;
}

void rule_edits_compile(struct rule_edits *edits, struct arena *arena,
                        const struct conf_header *headers, size_t count)
{
    *edits = (struct rule_edits){0};
    for (unsigned side = 0; side < 2; side++) {
        struct http_edit *list = compile_alloc(arena, count, sizeof(*list));
        edits->list[side] = list;
        for (size_t i = 0; i < count; i++) {
            if ((unsigned)headers[i].side == side) {
                list[edits->count[side]++] = (struct http_edit){
                    .action = action_of(headers[i].action),
                    .name = span_str(headers[i].name),
                    .value = span_str(headers[i].value),
                };
            }
        }
    }
}

/* place: in site->upstreams, the site's own first, then those of its rules. */
static unsigned upstream_index(const struct conf_upstream *upstream, unsigned place)
{
    return upstream->is_set && !upstream->is_direct ? place + 1 : 0;
}

static void policy_compile_privacy(struct policy_privacy *out, struct arena *arena,
                                   const struct conf_agent *agent, enum conf_referer referer,
                                   const struct conf_hosts *cookieless)
{
    out->referer = referer;
    out->has_agent = agent->kind == CONF_AGENT_REMOVE || agent->kind == CONF_AGENT_TEXT;
    if (agent->kind == CONF_AGENT_TEXT) {
        out->agent = arena_printf(arena, "User-Agent: %s", agent->text);
    }
    out->cookieless = cookieless->count > 0 ? cookieless : NULL;
}

void policy_compile(struct policy *policy, struct arena *arena, const struct conf_site *site,
                    uint64_t store_max_object_bytes)
{
    struct rule_edits edits;
    *policy = (struct policy){0};
    policy_compile_cache(policy, arena, &site->cache, store_max_object_bytes);
    policy_compile_rewrite(policy, &site->rewrite);
    policy_compile_answer(policy, &site->redirect, &site->respond);
    policy->cache_status = site->cache_status;
    policy->codings = codings_of(&site->compress);
    policy->upgrade = names_compile(arena, &site->upgrade);
    policy->upstream = upstream_index(&site->forward.upstream, 0);
    policy_compile_privacy(&policy->privacy, arena, &site->privacy.user_agent,
                           site->privacy.referer, &site->privacy.drop_cookies);
    rule_edits_compile(&edits, arena, site->headers, site->header_count);
    memcpy(policy->edit_count, edits.count, sizeof(policy->edit_count));
}

static void condition_compile(struct rule_condition *out, struct arena *arena,
                              const struct conf_condition *conf)
{
    struct rule_match *list = compile_alloc(arena, conf->count, sizeof(*list));
    for (size_t i = 0; i < conf->count; i++) {
        list[i] = (struct rule_match){
            .name = span_str(conf->list[i].name),
            .value = span_str(conf->list[i].value),
            .any_value = conf->list[i].value == NULL,
            .low = conf->list[i].low,
            .high = conf->list[i].high,
        };
    }
    *out =
        (struct rule_condition){.kind = conf->kind, .list = list, .count = (unsigned)conf->count};
}

static void rule_compile(struct rule *rule, struct arena *arena, const struct conf_rule *conf,
                         uint64_t store_max_object_bytes)
{
    struct rule_condition *conditions =
        compile_alloc(arena, conf->condition_count, sizeof(*conditions));
    rule->conf = conf;
    rule->conditions = conditions;
    rule->condition_count = (unsigned)conf->condition_count;
    for (size_t i = 0; i < conf->condition_count; i++) {
        condition_compile(&conditions[i], arena, &conf->conditions[i]);
        rule->names_status = rule->names_status || conditions[i].kind == CONF_IF_STATUS;
        rule->asks_path = rule->asks_path || conditions[i].kind == CONF_IF_PATH ||
                          conditions[i].kind == CONF_IF_PREFIX;
        rule->asks_more =
            rule->asks_more ||
            (conditions[i].kind != CONF_IF_HOST && conditions[i].kind != CONF_IF_PATH &&
             conditions[i].kind != CONF_IF_PREFIX && conditions[i].kind != CONF_IF_METHOD);
        rule->is_late = rule->is_late || conditions[i].kind == CONF_IF_STATUS ||
                        conditions[i].kind == CONF_IF_TYPE;
    }
    policy_compile_cache(&rule->policy, arena, &conf->cache, store_max_object_bytes);
    rule->policy.freshness.ttl_s = seconds_of(conf->ttl_ms);
    policy_compile_rewrite(&rule->policy, &conf->rewrite);
    policy_compile_answer(&rule->policy, &conf->redirect, &conf->respond);
    rule->policy.host = policy_host_compile(conf->host);
    rule->policy.pass = conf->pass;
    rule->policy.cache_status = conf->cache_status;
    rule->policy.codings = codings_of(&conf->compress);
    rule->policy.upgrade = names_compile(arena, &conf->upgrade);
    policy_compile_privacy(&rule->policy.privacy, arena, &conf->user_agent, conf->referer,
                           &conf->drop_cookies);
    rule->policy.timeout = timeout_of(&conf->timeout);
    rule_edits_compile(&rule->edits, arena, conf->headers, conf->header_count);
}

static unsigned pool_index(const struct conf *conf, const char *name)
{
    const struct conf_origins *pool = name == NULL ? NULL : conf_find_pool(conf, name);
    return pool == NULL ? 0 : (unsigned)(pool - conf->pools) + 1;
}

void rules_compile(struct rules *rules, struct arena *arena, const struct conf *conf,
                   const struct conf_site *site)
{
    struct rule *list = compile_alloc(arena, site->rule_count, sizeof(*list));
    CHECK(site->rule_count <= CONF_RULES_MAX);
    *rules = (struct rules){.list = list, .count = (unsigned)site->rule_count};
    for (unsigned i = 0; i < rules->count; i++) {
        struct rule *rule = &list[i];
        rule_compile(rule, arena, &site->rules[i], conf->store.max_object_bytes);
        rule->policy.pool = pool_index(conf, site->rules[i].origins);
        rule->policy.upstream = upstream_index(&site->rules[i].upstream, i + 1);
        bool shows = (rule->conf->set & CONF_RULE_CACHE_STATUS) != 0 ||
                     rule->edits.count[CONF_HEADER_RESPONSE] > 0;
        bool compresses = (rule->conf->set & CONF_RULE_COMPRESS) != 0;
        rules->compresses = rules->compresses || compresses;
        rules->late_compresses = rules->late_compresses || (rule->is_late && compresses);
        rules->rewrites = rules->rewrites || rule->policy.rewrite.strip.len > 0 ||
                          rule->policy.rewrite.add.len > 0;
        rules->answers_vary =
            rules->answers_vary ||
            (rule->asks_more && (rule->conf->set & (CONF_RULE_REDIRECT | CONF_RULE_RESPOND)) != 0);
        rules->asks_path = rules->asks_path || rule->asks_path;
        rules->has_late = rules->has_late || rule->is_late;
        rules->edits_requests = rules->edits_requests ||
                                rule->edits.count[CONF_HEADER_REQUEST] > 0 ||
                                (rule->conf->set & CONF_RULE_PRIVACY) != 0;
        rules->late_shows = rules->late_shows || (rule->is_late && shows);
    }
}

static void edits_make(const struct rule_edits *edits, enum conf_header_side side,
                       struct http_lines *lines)
{
    for (unsigned i = 0; i < edits->count[side]; i++) {
        http_lines_edit(lines, &edits->list[side][i]);
    }
}

void rules_edit(const struct rules *rules, const struct rule_edits *site,
                const struct policy *policy, enum conf_header_side side, struct http_lines *lines)
{
    edits_make(site, side, lines);
    for (unsigned i = 0; i < rules->count; i++) {
        if (policy_holds(policy, i)) {
            edits_make(&rules->list[i].edits, side, lines);
        }
    }
}

/* ---- matching ---- */

static struct span path_of(struct span target)
{
    return span_of(target.ptr, http_path_end(target));
}

/* Pairs of Cookie lines (RFC 6265 4.2.1), read leniently: split at ";". */
static bool cookie_holds(const struct rule_match *match, const struct http_fields *request)
{
    unsigned at = 0;
    const struct http_field *field;
    while ((field = http_fields_next(request, HTTP_FIELD_COOKIE, &at)) != NULL) {
        struct span rest = field->value;
        struct span pair;
        while (http_part_next(&rest, &pair)) {
            struct span name;
            struct span value;
            http_part_split(pair, &name, &value);
            if (pair.len > 0 && http_glob_match(match->name, span_trim(name), 0) &&
                (match->any_value || http_glob_match(match->value, span_trim(value), 0))) {
                return true;
            }
        }
    }
    return false;
}

static bool header_holds(const struct rule_match *match, const struct http_fields *request)
{
    for (unsigned i = 0; i < request->count; i++) {
        const struct http_field *field = &request->items[i];
        if (span_eq_nocase(field->name, match->name) &&
            (match->any_value || http_glob_match(match->value, field->value, 0))) {
            return true;
        }
    }
    return false;
}

static bool type_holds(const struct rule_match *match, struct span type)
{
    type = http_without_parameters(type);
    return type.len > 0 && http_glob_match(match->value, type, HTTP_GLOB_NOCASE);
}

/* NAME, *.NAME for any below it, or *. */
static bool host_holds(const struct rule_match *match, struct span authority)
{
    struct span host = http_authority_host(authority);
    struct span name = match->value;
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--; /* the same name, of the DNS's root (RFC 1034 3.1) */
    }
    if (name.ptr[0] != '*') {
        return span_eq(name, host);
    }
    size_t below = name.len - 1;
    return below == 0 ||
           (host.len > below && memcmp(host.ptr + host.len - below, name.ptr + 1, below) == 0 &&
            host.ptr[0] != '.');
}

static bool match_holds(enum conf_condition_kind kind, const struct rule_match *match,
                        const struct rule_facts *facts)
{
    switch (kind) {
    case CONF_IF_PATH:
        return http_glob_match(match->value, path_of(facts->target), HTTP_GLOB_ENCODED);
    case CONF_IF_PREFIX:
        return http_path_prefix(facts->target, match->value) > 0;
    case CONF_IF_HOST:
        return host_holds(match, facts->authority);
    case CONF_IF_METHOD:
        return span_eq(match->value, facts->method);
    case CONF_IF_COOKIE:
        return cookie_holds(match, facts->request);
    case CONF_IF_HEADER:
        return header_holds(match, facts->request);
    case CONF_IF_TYPE:
        return facts->status != 0 && type_holds(match, facts->type);
    case CONF_IF_STATUS:
        return facts->status >= match->low && facts->status <= match->high;
    case CONF_IF_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

static bool condition_holds(const struct rule_condition *condition, const struct rule_facts *facts)
{
    for (unsigned i = 0; i < condition->count; i++) {
        if (match_holds(condition->kind, &condition->list[i], facts)) {
            return true;
        }
    }
    return false;
}

static bool rule_holds(const struct rule *rule, const struct rule_facts *facts)
{
    if (rule->is_late && facts->status == 0) {
        return false;
    }
    for (unsigned i = 0; i < rule->condition_count; i++) {
        if (!condition_holds(&rule->conditions[i], facts)) {
            return false;
        }
    }
    return true;
}

bool rules_see_alike(const struct rules *rules, struct span target, struct span other)
{
    const struct rule_facts one = {.target = target};
    const struct rule_facts two = {.target = other};
    for (unsigned i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->list[i];
        for (unsigned j = 0; rule->asks_path && j < rule->condition_count; j++) {
            const struct rule_condition *condition = &rule->conditions[j];
            if ((condition->kind == CONF_IF_PATH || condition->kind == CONF_IF_PREFIX) &&
                condition_holds(condition, &one) != condition_holds(condition, &two)) {
                return false;
            }
        }
    }
    return true;
}

bool rule_ttl_applies(const struct rules *rules, unsigned rule, unsigned status)
{
    CHECK(rule < rules->count);
    switch (status) {
    case 0: /* not known yet */
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
        return true;
    default:
        return rules->list[rule].names_status;
    }
}

/* ---- overriding ---- */

static void override_lifetime(struct http_freshness_options *to,
                              const struct http_freshness_options *from, uint32_t set)
{
    if ((set & CONF_RULE_DEFAULT_TTL) != 0) {
        to->default_ttl_s = from->default_ttl_s;
    }
    if ((set & CONF_RULE_MIN_TTL) != 0) {
        to->min_ttl_s = from->min_ttl_s;
    }
    if ((set & CONF_RULE_MAX_TTL) != 0) {
        to->max_ttl_s = from->max_ttl_s;
    }
    if ((set & CONF_RULE_STALE_WHILE_REVALIDATE) != 0) {
        to->stale_while_revalidate_s = from->stale_while_revalidate_s;
    }
    if ((set & CONF_RULE_STALE_IF_ERROR) != 0) {
        to->stale_if_error_s = from->stale_if_error_s;
    }
    if ((set & CONF_RULE_MAX_OBJECT) != 0) {
        to->max_object_bytes = from->max_object_bytes;
    }
    if ((set & CONF_RULE_SET_COOKIE) != 0) {
        to->set_cookie = from->set_cookie;
    }
}

#define RULE_ONWARD                                                                                \
    (CONF_RULE_REDIRECT | CONF_RULE_RESPOND | CONF_RULE_HOST | CONF_RULE_STRIP_PREFIX |            \
     CONF_RULE_ADD_PREFIX | CONF_RULE_REDIRECT_REWRITE)

static void override_onward(struct policy *to, const struct policy *from, uint32_t set)
{
    if ((set & CONF_RULE_HOST) != 0) {
        to->host = from->host;
    }
    if ((set & CONF_RULE_REDIRECT) != 0) {
        to->redirect = from->redirect;
    }
    if ((set & CONF_RULE_RESPOND) != 0) {
        to->respond = from->respond;
    }
    if ((set & CONF_RULE_STRIP_PREFIX) != 0) {
        to->rewrite.strip = from->rewrite.strip;
    }
    if ((set & CONF_RULE_ADD_PREFIX) != 0) {
        to->rewrite.add = from->rewrite.add;
    }
    if ((set & CONF_RULE_REDIRECT_REWRITE) != 0) {
        to->redirect_rewrite = from->redirect_rewrite;
    }
}

static void override_use(struct policy *to, const struct policy *from, uint32_t set)
{
    if ((set & CONF_RULE_PASS) != 0) {
        to->pass = from->pass;
    }
    if ((set & CONF_RULE_ORIGINS) != 0) {
        to->pool = from->pool;
    }
    if ((set & CONF_RULE_IGNORE_COOKIES) != 0) {
        to->ignore_cookies = from->ignore_cookies;
    }
    if ((set & CONF_RULE_CLIENT_REVALIDATE) != 0) {
        to->client_revalidate = from->client_revalidate;
    }
    if ((set & CONF_RULE_CACHE_STATUS) != 0) {
        to->cache_status = from->cache_status;
    }
    if ((set & CONF_RULE_COMPRESS) != 0) {
        to->codings = from->codings;
    }
    if ((set & CONF_RULE_SERVE_STALE) != 0) {
        to->serve_stale = from->serve_stale;
    }
    if ((set & CONF_RULE_HIT_FOR_MISS) != 0) {
        to->hit_for_miss_ms = from->hit_for_miss_ms;
    }
    if ((set & CONF_RULE_IGNORE_QUERY) != 0) {
        to->query.ignore = from->query.ignore;
        to->query.ignore_count = from->query.ignore_count;
    }
    if ((set & CONF_RULE_SORT_QUERY) != 0) {
        to->query.sort = from->query.sort;
    }
    if ((set & CONF_RULE_VARY_IGNORE) != 0) {
        to->vary_ignore = from->vary_ignore;
    }
    if ((set & CONF_RULE_VARY_MAX) != 0) {
        to->vary_max = from->vary_max;
    }
}

static void override_privacy(struct policy_privacy *to, const struct policy_privacy *from,
                             const struct conf_rule *rule)
{
    if (rule->user_agent.kind != CONF_AGENT_UNSET) {
        to->has_agent = from->has_agent;
        to->agent = from->agent;
    }
    if (rule->referer != CONF_REFERER_UNSET) {
        to->referer = from->referer;
    }
    if (rule->drop_cookies.is_set) {
        to->cookieless = from->cookieless;
    }
}

static void override_origin(struct policy *to, const struct policy *from, uint32_t set)
{
    if ((set & CONF_RULE_UPGRADE) != 0) {
        to->upgrade = from->upgrade;
    }
    if ((set & CONF_RULE_TIMEOUT) != 0) {
        to->timeout = from->timeout;
    }
    if ((set & CONF_RULE_UPSTREAM) != 0) {
        to->upstream = from->upstream;
    }
}

const struct policy *rules_apply(const struct rules *rules, const struct policy *base,
                                 const struct rule_facts *facts, struct policy *room)
{
    if (rules->count == 0) {
        return base;
    }
    *room = *base;
    for (unsigned i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->list[i];
        uint32_t set = rule->conf->set;
        if (!rule_holds(rule, facts)) {
            continue;
        }
        room->held[i / 64] |= (uint64_t)1 << (i % 64);
        override_lifetime(&room->freshness, &rule->policy.freshness, set);
        override_use(room, &rule->policy, set);
        if (UNLIKELY((set & RULE_ONWARD) != 0)) {
            override_onward(room, &rule->policy, set);
        }
        override_origin(room, &rule->policy, set);
        if (UNLIKELY((set & CONF_RULE_PRIVACY) != 0)) {
            override_privacy(&room->privacy, &rule->policy.privacy, rule->conf);
        }
        if ((set & CONF_RULE_TTL) != 0 && rule_ttl_applies(rules, i, facts->status)) {
            room->freshness.has_ttl = true;
            room->freshness.ttl_s = rule->policy.freshness.ttl_s;
        }
        room->edit_count[CONF_HEADER_REQUEST] += rule->edits.count[CONF_HEADER_REQUEST];
        room->edit_count[CONF_HEADER_RESPONSE] += rule->edits.count[CONF_HEADER_RESPONSE];
    }
    return room;
}
