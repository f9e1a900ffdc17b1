/* explain - see explain.h. */
#include "explain/explain.h"

#include <poll.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "exchange/exchange_ask.h"
#include "fill/fill_request.h"
#include "fill/stored.h"
#include "http/head.h"
#include "http/key.h"
#include "http/upgrade.h"
#include "site/loop.h"
#include "site/redirect.h"
#include "site/site_key.h"
#include "site/site_path.h"

#define EXPLAIN_ARENA_BYTES ((size_t)4 << 20)
#define EXPLAIN_HEAD_BYTES ((size_t)1 << 20)
#define EXPLAIN_LOADS_MAX 3u

/* ---- the request, read as a client's ---- */

static const char *write_head(struct buf *head, const struct explain_question *question)
{
    struct http_url url;
    const char *fault = http_url_parse(question->url, &url);
    if (fault != NULL) {
        return fault;
    }
    struct span method = question->method.len == 0 ? SPAN("GET") : question->method;
    buf_printf(head, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n", (int)method.len, method.ptr,
               (int)url.path.len, url.path.ptr, (int)url.authority.len, url.authority.ptr);
    for (unsigned i = 0; i < question->field_count; i++) {
        if (!http_is_token(question->names[i]) || !http_is_field_value(question->values[i])) {
            return "a header field must be NAME: VALUE";
        }
        buf_append(head, question->names[i]);
        buf_puts(head, ": ");
        buf_append(head, question->values[i]);
        buf_puts(head, "\r\n");
    }
    buf_puts(head, "\r\n");
    return head->failed ? "the request is too long" : NULL;
}

static const char *read_request(struct explain *out, const struct conf *conf,
                                const struct explain_question *question)
{
    struct buf head;
    buf_init(&head, EXPLAIN_HEAD_BYTES);
    const char *fault = write_head(&head, question);
    struct span text = fault == NULL ? arena_copy(&out->arena, buf_span(&head)) : (struct span){0};
    buf_free(&head);
    struct http_field *items = arena_alloc(&out->arena, (conf->limits.fields + 1) * sizeof(*items));
    if (fault != NULL || text.ptr == NULL || items == NULL) {
        return fault != NULL ? fault : "the request is too long";
    }
    const struct http_limits limits = {
        .head_bytes = conf->limits.head_bytes,
        .target_bytes = conf->limits.target_bytes,
        .fields_count = conf->limits.fields,
    };
    size_t scanned = 0;
    size_t used;
    http_fields_init(&out->request.fields, items, conf->limits.fields);
    enum http_parse parse = http_request_parse(&out->request, span_unconst(text.ptr), text.len,
                                               &scanned, &used, &limits);
    if (parse != HTTP_PARSE_DONE) {
        return out->request.error_reason != NULL ? out->request.error_reason
                                                 : "this is not one request";
    }
    bool is_https = question->url.len > 5 && ascii_lower(question->url.ptr[4]) == 's';
    out->request.scheme = is_https ? SPAN("https") : SPAN("http");
    return used == text.len ? NULL : "this is not one request";
}

/* Who would ask. */
static struct site_client asker(const struct explain *out)
{
    return (struct site_client){
        .text = out->client_text,
        .chain = out->client_text,
        .is_https = out->request.scheme.len == 5,
    };
}

/* What exchange_admit refuses or answers by itself. */
static const char *refuse(const struct explain *out)
{
    switch (out->request.method) {
    case HTTP_CONNECT:
    case HTTP_TRACE:
        return "this method is not allowed here";
    case HTTP_PURGE:
        return "PURGE is answered by larder itself";
    default:
        return loop_is_closed(&out->request.fields, out->site)
                   ? "508: its Via says that it came from here"
                   : NULL;
    }
}

/* ---- the store ---- */

struct explain_load {
    struct store_object *object;
    bool is_done;
};

static void on_loaded(void *ctx, struct store_object *object)
{
    struct explain_load *load = ctx;
    load->object = object;
    load->is_done = true;
}

/* Waits for the read threads; they answer always. */
static struct store_object *load_object(struct store *store, const struct store_lookup *lookup)
{
    struct explain_load load = {0};
    struct mailbox box;
    mailbox_init(&box);
    (void)store_load_start(store, lookup, &box, on_loaded, &load);
    while (!load.is_done) {
        struct pollfd ready = {.fd = box.fd, .events = POLLIN};
        (void)poll(&ready, 1, 1000);
        (void)mailbox_deliver(&box);
    }
    mailbox_fini(&box);
    return load.object;
}

static enum store_verdict ask_store(struct explain *out, struct store *store,
                                    struct store_lookup *lookup)
{
    struct store_object *loaded = NULL;
    enum store_verdict verdict = STORE_DISK;
    for (unsigned i = 0; verdict == STORE_DISK && i <= EXPLAIN_LOADS_MAX; i++) {
        lookup->loaded = loaded;
        verdict = store_lookup(store, lookup);
        if (loaded != NULL) {
            store_object_unref(&loaded);
        }
        if (verdict == STORE_DISK) {
            loaded = load_object(store, lookup);
        }
    }
    if (loaded != NULL) {
        store_object_unref(&loaded);
    }
    out->object = lookup->object;
    out->soft_at_ms = lookup->soft_at_ms;
    out->is_solo = lookup->is_solo;
    return verdict;
}

static enum explain_answer answer_of(enum store_verdict verdict, bool has_object, bool only_cached)
{
    switch (verdict) {
    case STORE_FRESH:
        return EXPLAIN_HIT;
    case STORE_STALE:
        return EXPLAIN_STALE;
    case STORE_FOLLOW:
        return EXPLAIN_FOLLOW;
    case STORE_LEAD:
        return has_object ? EXPLAIN_VALIDATE : EXPLAIN_MISS;
    case STORE_DISK: /* cannot be read just now */
    case STORE_PASS:
    case STORE_ABSENT:
        break;
    }
    return only_cached ? EXPLAIN_NOT_CACHED : EXPLAIN_FETCH;
}

static void look_up(struct explain *out, struct store *store)
{
    struct http_directives directives = {0};
    const struct site_client client = asker(out);
    struct exchange_judge judge = {
        .fields = fill_selecting(&out->arena, out->site, &out->asked, &out->request, &client),
        .now_ms = out->now_ms,
    };
    if (judge.fields == NULL) {
        return; /* the arena's overflow tells */
    }
    struct store_lookup lookup = {.key = store_key_of(store, out->key), .is_peek = true};
    enum http_forward forward;
    exchange_directives(&directives, &out->request, &out->asked);
    exchange_ask(&lookup, &judge, &out->request, &directives);
    enum store_verdict verdict = ask_store(out, store, &lookup);
    if (lookup.stale != NULL) {
        store_object_unref(&lookup.stale);
    }
    if (verdict == STORE_FOLLOW) { /* it has no head yet, or not a whole body */
        store_object_unref(&out->object);
    }
    out->answer = answer_of(verdict, out->object != NULL,
                            http_directives_has(&directives, HTTP_CC_ONLY_IF_CACHED));
    out->reason = verdict == STORE_FRESH   ? HTTP_REASON_FRESH
                  : verdict == STORE_STALE ? HTTP_REASON_STALE_WHILE_REVALIDATE
                  : verdict == STORE_PASS  ? HTTP_REASON_HIT_FOR_PASS
                  : out->is_solo           ? HTTP_REASON_HIT_FOR_MISS
                                 : exchange_absence(lookup.absence, &directives, &forward);
    struct store_key key = store_key_of(store, out->key);
    out->variant_count = store_peek(store, &key, out->variants, EXPLAIN_VARIANTS_MAX);
}

/* What is stored, judged by the settings of now. */
static void judge_object(struct explain *out)
{
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response response = {.minor_version = 1};
    struct http_store_request request;
    struct policy policy;
    struct policy room;
    struct span head = store_object_head(out->object);
    out->facts = *stored_facts_soft(stored_facts(out->object), out->soft_at_ms, &out->facts);
    struct rule_facts facts = rule_facts_of(&out->request, out->facts.status,
                                            http_head_find(head, HTTP_FIELD_CONTENT_TYPE));
    out->later = *site_policy(out->site, &facts, &room);
    http_fields_init(&response.fields, items, ARRAY_LEN(items));
    if (!http_head_read(head, &response.status, &response.fields)) {
        out->storable = HTTP_STORE_FRAMING;
        return;
    }
    response.content_length = store_object_length(out->object);
    response.has_content_length = response.content_length != STORE_LENGTH_UNKNOWN;
    policy_for_origin(&policy, &out->later, true);
    http_store_request_of(&request, &out->request);
    request.method = HTTP_GET; /* it was a GET that stored it, whatever is asked now */
    out->storable =
        http_may_store(&request, &response, out->facts.response_time_ms / 1000, &policy.freshness);
}

/* ---- the origin ---- */

/* Other variants are stored: their validators go along, as in lead(). */
static struct span offer(struct explain *out, struct store *store)
{
    struct store_object *variants[FILL_VARIANTS_MAX];
    struct store_key key = store_key_of(store, out->key);
    if (out->answer != EXPLAIN_MISS || out->reason != HTTP_REASON_VARY || out->is_solo) {
        return span_of("", 0);
    }
    unsigned count = fill_offer_take(store, &key, variants);
    struct span line = fill_offer_line(&out->arena, variants, count);
    for (unsigned i = 0; i < count; i++) {
        store_object_unref(&variants[i]);
    }
    return line;
}

/* Whoever asks has no address, so a hash of it says nothing. */
static void foresee(struct explain *out, const struct site_pool *pool)
{
    struct origin_want want = {0};
    if (pool->pool == NULL) {
        return;
    }
    fill_want(&want, pool->conf, &out->request.fields, out->key, span_of("", 0));
    origin_pool_foresee(pool->pool, &want, clock_mono_us(), &out->server);
    if (pool->conf->balance.by == CONF_BALANCE_HASH_CLIENT && !out->server.is_only) {
        out->server.name[0] = '\0';
    }
}

/* As exchange_tunnel_offer. */
static struct span upgrade_offer(struct explain *out)
{
    const struct rule_names *allowed = &out->asked.upgrade;
    char *room = arena_alloc(&out->arena, http_upgrade_room(&out->request));
    return room == NULL ? span_of(NULL, 0)
                        : http_upgrade_offer(room, &out->request, allowed->list, allowed->count);
}

static void write_origin(struct explain *out, struct store *store)
{
    struct policy policy;
    bool looked_up = out->answer != EXPLAIN_PASS;
    bool is_shared = out->answer == EXPLAIN_MISS || out->answer == EXPLAIN_VALIDATE ||
                     out->answer == EXPLAIN_STALE;
    out->asks_origin = out->answer != EXPLAIN_HIT && out->answer != EXPLAIN_FOLLOW &&
                       out->answer != EXPLAIN_NOT_CACHED && out->answer != EXPLAIN_DENIED;
    if (!out->asks_origin) {
        return;
    }
    policy_for_origin(&policy, &out->asked, looked_up);
    const struct site_client client = asker(out);
    const struct fill_request_options options = {
        .site = out->site,
        .policy = &policy,
        .request = &out->request,
        .client = &client,
        .stale = is_shared ? out->object : NULL,
        .offer = offer(out, store),
        .shared = is_shared,
    };
    out->line_count = fill_request_lines(&out->arena, &options, &out->lines);
    if (out->reason == HTTP_REASON_UPGRADE) {
        out->upgrade = upgrade_offer(out);
    }
    if (!looked_up) {
        out->target = out->request.path;
    }
    onward_settle(&out->onward, &out->arena, &policy, out->target);
    const struct conf_origins *pool = site_pool(out->site, &policy)->conf;
    foresee(out, site_pool(out->site, &policy));
    if (pool->server_count > 0) { /* which one will be asked is not known before it is */
        onward_choose(&out->onward, out->site, &policy, &out->request,
                      span_str(pool->servers[0].url));
    }
    if (out->site->forward != NULL) {
        explain_way(out);
    }
}

static bool asks_for_stored(const struct explain *out)
{
    struct http_directives directives;
    exchange_directives(&directives, &out->request, &out->asked);
    return http_directives_has(&directives, HTTP_CC_ONLY_IF_CACHED);
}

/* ---- all of it ---- */

/* As exchange_answer. */
static bool is_answered(struct explain *out)
{
    struct buf location;
    const struct site_client client = asker(out);
    buf_init(&location, EXPLAIN_HEAD_BYTES);
    if (out->asked.redirect != NULL) {
        out->own_status =
            redirect_to(out->asked.redirect, &out->request, client.is_https, &location);
    }
    if (out->own_status != 0) {
        out->answer = EXPLAIN_REDIRECT;
        out->location = arena_copy(&out->arena, buf_span(&location));
    } else if (out->asked.respond != NULL) {
        out->answer = EXPLAIN_RESPOND;
        out->own_status = out->asked.respond->status;
    }
    buf_free(&location);
    return out->own_status != 0;
}

static void settle_answer(struct explain *out, struct store *store)
{
    if (out->access == EXPLAIN_ACCESS_DENIED) {
        out->answer = EXPLAIN_DENIED;
        out->reason = HTTP_REASON_ADDRESS;
        return;
    }
    if (explain_is_tunnel(out)) {
        out->answer = EXPLAIN_TUNNEL;
        out->reason = HTTP_REASON_TUNNEL;
        out->asks_origin = true;
        out->request.method_text = SPAN("CONNECT");
        explain_way(out);
        return;
    }
    if (is_answered(out)) {
        bool is_of_site = out->answer == EXPLAIN_REDIRECT
                              ? out->asked.redirect == out->site->policy.redirect
                              : out->asked.respond == out->site->policy.respond;
        out->reason = is_of_site ? HTTP_REASON_NONE : HTTP_REASON_RULE;
        return;
    }
    out->answer = EXPLAIN_PASS;
    out->reason = exchange_pass_reason(&out->request, &out->asked);
    if (out->reason == HTTP_REASON_NONE) {
        look_up(out, store);
    } else if (out->reason == HTTP_REASON_PRECONDITION && asks_for_stored(out)) {
        out->answer = EXPLAIN_NOT_CACHED;
    }
    if (out->object != NULL) {
        judge_object(out);
    }
    write_origin(out, store);
}

const char *explain_run(struct explain *out, const struct site_table *sites, struct store *store,
                        const struct explain_question *question)
{
    const struct conf *conf = site_table_conf(sites);
    struct policy room;
    *out = (struct explain){.now_ms = clock_wall_ms()};
    arena_init(&out->arena, EXPLAIN_ARENA_BYTES);
    const char *fault = read_request(out, conf, question);
    fault = fault != NULL ? fault : explain_client(out, question->client);
    if (fault != NULL) {
        return fault;
    }
    fault = explain_find(out, sites, question);
    fault = fault != NULL ? fault : refuse(out);
    if (fault != NULL) {
        return fault;
    }
    fault = site_path_settle(&out->arena, out->site, &out->request);
    if (fault != NULL) {
        return fault;
    }
    struct rule_facts facts = rule_facts_of(&out->request, 0, span_of(NULL, 0));
    out->asked = *site_policy(out->site, &facts, &room);
    out->target = site_target(&out->arena, &out->asked, out->request.path);
    out->key = site_key_of(&out->arena, out->site, &out->request, out->request.path);
    if (out->target.ptr == NULL || out->key.ptr == NULL) {
        return "the target is too long";
    }
    explain_guard(out, conf);
    settle_answer(out, store);
    if (out->asks_origin && !explain_has_way(out)) {
        return "501: https:// URLs are not fetched through parent proxies";
    }
    explain_settings(out, conf);
    return out->arena.overflow ? "the request is too long" : NULL;
}

void explain_end(struct explain *explain)
{
    for (unsigned i = 0; i < explain->variant_count && i < EXPLAIN_VARIANTS_MAX; i++) {
        if (explain->variants[i].object != NULL) {
            store_object_unref(&explain->variants[i].object);
        }
    }
    if (explain->object != NULL) {
        store_object_unref(&explain->object);
    }
    arena_reset(&explain->arena);
}

const char *explain_answer_name(enum explain_answer answer)
{
    static const char *const names[] = {
        [EXPLAIN_HIT] = "hit",           [EXPLAIN_STALE] = "stale",
        [EXPLAIN_FOLLOW] = "follow",     [EXPLAIN_VALIDATE] = "validate",
        [EXPLAIN_MISS] = "miss",         [EXPLAIN_FETCH] = "fetch",
        [EXPLAIN_PASS] = "pass",         [EXPLAIN_NOT_CACHED] = "not_cached",
        [EXPLAIN_REDIRECT] = "redirect", [EXPLAIN_RESPOND] = "respond",
        [EXPLAIN_DENIED] = "denied",     [EXPLAIN_TUNNEL] = "tunnel",
    };
    return names[answer];
}

const char *explain_source_name(enum http_lifetime_source source)
{
    static const char *const names[] = {
        [HTTP_LIFETIME_NONE] = "none",           [HTTP_LIFETIME_TARGETED] = "targeted",
        [HTTP_LIFETIME_S_MAXAGE] = "s_maxage",   [HTTP_LIFETIME_MAX_AGE] = "max_age",
        [HTTP_LIFETIME_EXPIRES] = "expires",     [HTTP_LIFETIME_DEFAULT] = "default_ttl",
        [HTTP_LIFETIME_HEURISTIC] = "heuristic", [HTTP_LIFETIME_RULE] = "ttl",
    };
    return (unsigned)source < ARRAY_LEN(names) ? names[source] : "unknown";
}
