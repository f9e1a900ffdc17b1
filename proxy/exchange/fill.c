/*
 * fill - drives one fetch and keeps the leader's promise: every lead ends in commit, refresh or
 * abort.
 *
 * libcurl must not be re-entered from its own callbacks, and an owner that is driven may start
 * another fetch. So head and data only feed the store; the owner is driven from batch, done, or the
 * deferred task.
 */
#include "exchange/fill.h"

#include "base/buf.h"
#include "base/mem.h"
#include "exchange/fill_request.h"
#include "http/condition.h"
#include "http/head.h"
#include "http/key.h"
#include "http/status.h"
#include "http/vary.h"

#define FILL_MAGIC 0x46494c4cu
#define FILL_HEAD_LIMIT (256u * 1024u)

struct fill {
    uint32_t magic;
    bool shared; /* in the store's table */
    bool background;
    bool head_done;
    bool paused;
    bool failed;   /* the deferred task ends it with fail_code */
    bool restart;  /* a 304 that fits nothing: again, without condition */
    bool complete; /* every byte of a known length was appended */
    uint32_t fail_code;
    struct exchange_env *env;
    struct exchange *owner;
    struct site_table *table;
    const struct site *site;
    const struct http_request *request; /* the owner's, or a copy in the arena */
    struct span peer_text;
    struct fetch *fetch;
    struct store_lead *lead;
    struct store_object *stale;
    struct store_object *refreshed;
    struct store_key key;
    int64_t request_time_ms;
    uint64_t length, received; /* of the body; length STORE_LENGTH_UNKNOWN */
    struct fill_figures figures;
    struct loop_task task;
    struct list node;
    struct arena arena;
};

static void fill_free(struct fill *fill)
{
    struct exchange_env *env = fill->env;
    if (fill->lead != NULL) {
        store_lead_abort(&fill->lead, fill->fail_code);
    }
    if (fill->stale != NULL) {
        store_object_unref(&fill->stale);
    }
    if (fill->refreshed != NULL) {
        store_object_unref(&fill->refreshed);
    }
    if (fill->owner != NULL) {
        fill->owner->fill = NULL;
    }
    loop_task_clear(&fill->task);
    list_remove(&fill->node);
    site_table_unref(&fill->table);
    arena_reset(&fill->arena);
    env->live_fills--;
    fill->magic = 0;
    mem_free(fill);
}

/* Gives the owner what it should know before the fill dies. */
static void fill_hand_over(struct fill *fill)
{
    struct exchange *x = fill->owner;
    if (x == NULL) {
        return;
    }
    x->origin_status = fill->figures.origin_status;
    x->connect_us = fill->figures.connect_us;
    x->origin_first_byte_us = fill->figures.first_byte_us;
    x->stored = fill->figures.stored;
}

/* From head or data: ends the fill once libcurl has returned. */
static enum fetch_flow fill_fail_later(struct fill *fill, uint32_t code)
{
    fill->failed = true;
    fill->fail_code = code;
    fill->fetch = NULL;
    loop_task_defer(fill->env->loop, &fill->task);
    return FETCH_CANCEL;
}

static void fill_end(struct fill *fill)
{
    struct exchange *owner = fill->owner;
    fill_hand_over(fill);
    /* Abort before driving: the owner's reader must see how it ended. */
    if (fill->lead != NULL) {
        store_lead_abort(&fill->lead, fill->fail_code);
    }
    if (owner != NULL && fill->refreshed != NULL) {
        exchange_drive(owner); /* takes the refreshed object */
        owner = fill->owner;
    }
    fill_free(fill);
    if (owner != NULL) {
        exchange_drive(owner);
    }
}

static void on_task(struct loop_task *task)
{
    fill_end(CONTAINER_OF(task, struct fill, task));
}

/* ---- the origin's head ---- */

static bool is_stale_status(unsigned status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

static uint8_t reason_of(enum http_store_verdict verdict)
{
    static const uint8_t map[] = {
        [HTTP_STORE_OK] = HTTP_REASON_NONE,
        [HTTP_STORE_NO_STORE] = HTTP_REASON_NO_STORE,
        [HTTP_STORE_PRIVATE] = HTTP_REASON_PRIVATE,
        [HTTP_STORE_SET_COOKIE] = HTTP_REASON_SET_COOKIE,
        [HTTP_STORE_VARY_STAR] = HTTP_REASON_VARY_STAR,
        [HTTP_STORE_STATUS] = HTTP_REASON_STATUS,
        [HTTP_STORE_NO_LIFETIME] = HTTP_REASON_NO_LIFETIME,
        [HTTP_STORE_TOO_LARGE] = HTTP_REASON_TOO_LARGE,
        [HTTP_STORE_METHOD] = HTTP_REASON_METHOD,
        [HTTP_STORE_AUTHORIZATION] = HTTP_REASON_AUTHORIZATION,
        [HTTP_STORE_REQUEST_NO_STORE] = HTTP_REASON_REQUEST_NO_STORE,
        [HTTP_STORE_FRAMING] = HTTP_REASON_FRAMING,
    };
    return map[verdict];
}

static int64_t useless_after_s(const struct http_stored *stored)
{
    if ((stored->flags & (HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED)) != 0) {
        return 0;
    }
    uint32_t grace = stored->stale_if_error_s > stored->stale_while_revalidate_s
                         ? stored->stale_if_error_s
                         : stored->stale_while_revalidate_s;
    return stored->response_time_ms / 1000 + stored->lifetime_s + grace;
}

static void put_facts(struct store_head *out, const struct http_stored *stored)
{
    memcpy(out->facts, stored, sizeof(*stored));
    out->useless_after_s = useless_after_s(stored);
}

/* RFC 9111 4.3.4. */
static enum fetch_flow on_not_modified(struct fill *fill, const struct http_response *response)
{
    struct buf head;
    buf_init(&head, FILL_HEAD_LIMIT);
    enum http_merge merged = http_condition_merge_dated(
        &head, store_object_head(fill->stale), response, loop_wall_ms(fill->env->loop) / 1000);
    struct http_field items[256];
    struct http_response renewed = {.minor_version = 1};
    http_fields_init(&renewed.fields, items, ARRAY_LEN(items));
    if (merged != HTTP_MERGE_DONE ||
        !http_head_read(buf_span(&head), &renewed.status, &renewed.fields)) {
        buf_free(&head);
        fill->restart = true;
        return FETCH_GO;
    }
    struct http_stored stored;
    const int64_t times_ms[2] = {fill->request_time_ms, loop_wall_ms(fill->env->loop)};
    http_stored_refresh(&stored, &renewed, response, times_ms, &fill->site->freshness);
    struct store_head out = {
        .head = buf_span(&head),
        .selector = store_object_selector(fill->stale),
        .length = store_object_length(fill->stale),
    };
    put_facts(&out, &stored);
    fill->refreshed = store_lead_refresh(&fill->lead, &out);
    fill->figures.stored = true;
    buf_free(&head);
    return FETCH_GO;
}

/* Settles whether this response may be shared; a lead that may not goes on as a private one. */
static void settle_sharing(struct fill *fill, const struct http_response *response,
                           struct buf *selector)
{
    enum http_store_verdict verdict;
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    verdict = http_may_store(&facts, response, loop_wall_ms(fill->env->loop) / 1000,
                             &fill->site->freshness);
    /* Only closing the connection ends this body: a cut one could not be told from a whole one. */
    if (verdict == HTTP_STORE_OK && fill->length == STORE_LENGTH_UNKNOWN && !response->chunked) {
        verdict = HTTP_STORE_FRAMING;
    }
    if (verdict == HTTP_STORE_OK && http_selector_build(selector, &response->fields,
                                                        &fill->request->fields) == HTTP_VARY_STAR) {
        verdict = HTTP_STORE_VARY_STAR;
    }
    if (verdict == HTTP_STORE_OK && selector->failed) {
        verdict = HTTP_STORE_TOO_LARGE;
    }
    if (verdict == HTTP_STORE_OK) {
        fill->figures.stored = true;
        return;
    }
    fill->figures.reason = reason_of(verdict);
    fill->shared = false;
    selector->len = 0;
    store_lead_detach(fill->lead, fill->site->hit_for_miss_ms);
}

static enum fetch_flow publish(struct fill *fill, const struct http_response *response)
{
    struct buf head;
    struct buf selector;
    buf_init(&head, FILL_HEAD_LIMIT);
    buf_init(&selector, 16384);
    if (fill->shared) {
        settle_sharing(fill, response, &selector);
    }
    struct http_stored stored;
    http_stored_init(&stored, response, fill->request_time_ms, loop_wall_ms(fill->env->loop),
                     &fill->site->freshness);
    struct http_head_options options = {
        .via = fill->site->via,
        .has_content_length = response->has_content_length,
        .content_length = response->content_length,
        .drop_set_cookie =
            fill->shared && fill->site->freshness.set_cookie == HTTP_SET_COOKIE_STRIP,
        .date_s = stored.date_s,
    };
    http_head_write(&head, response, &options);
    struct store_head out = {
        .head = buf_span(&head), .selector = buf_span(&selector), .length = fill->length};
    put_facts(&out, &stored);
    enum err err = head.failed ? ERR_NOMEM : store_lead_head(fill->lead, &out);
    if (err == ERR_LIMIT && fill->shared) {
        fill->shared = false;
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_TOO_LARGE;
        store_lead_detach(fill->lead, fill->site->hit_for_miss_ms);
        err = store_lead_head(fill->lead, &out);
    }
    buf_free(&head);
    buf_free(&selector);
    return err == ERR_OK ? FETCH_GO : fill_fail_later(fill, FILL_CODE_INTERNAL);
}

/* A same-origin URI in Location or Content-Location changes too (RFC 9111 4.4). */
static void invalidate_named(struct fill *fill, struct span value)
{
    const struct http_request *request = fill->request;
    struct http_url url = {.scheme = SPAN("http"), .authority = request->authority, .path = value};
    if (value.len == 0) {
        return;
    }
    if (value.ptr[0] != '/' || (value.len > 1 && value.ptr[1] == '/')) {
        if (http_url_parse(value, &url) != NULL || !span_eq_nocase(url.scheme, SPAN("http")) ||
            !span_eq_nocase(http_authority_normal(SPAN("http"), url.authority),
                            http_authority_normal(SPAN("http"), request->authority))) {
            return;
        }
    }
    char *room =
        arena_alloc(&fill->arena, http_key_bytes(SPAN("http"), request->authority, url.path));
    if (room != NULL) {
        struct store_purge_result result;
        store_purge_key(fill->env->store,
                        http_key_write(room, SPAN("http"), request->authority, url.path),
                        STORE_PURGE_HARD, false, false, &result);
    }
}

static void invalidate(struct fill *fill, const struct http_response *response)
{
    struct store_purge_result result;
    store_purge_key(fill->env->store, fill->key.bytes, STORE_PURGE_HARD, false, false, &result);
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_LOCATION));
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_CONTENT_LOCATION));
}

static uint64_t body_length(const struct fill *fill, const struct http_response *response)
{
    if (fill->request->method == HTTP_HEAD || !http_status_has_body(response->status)) {
        return 0;
    }
    return response->has_content_length ? response->content_length : STORE_LENGTH_UNKNOWN;
}

static enum fetch_flow on_head(void *ctx, const struct http_response *response)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    fill->head_done = true;
    fill->figures.origin_status = (uint16_t)response->status;
    fill->figures.had_age = http_fields_has(&response->fields, HTTP_FIELD_AGE);
    fill->length = body_length(fill, response);
    fill->complete = fill->length == 0;
    if (http_invalidates(fill->request->method, response->status)) {
        invalidate(fill, response);
    }
    if (fill->shared && fill->stale != NULL) {
        if (response->status == 304) {
            return on_not_modified(fill, response);
        }
        if (is_stale_status(response->status) &&
            http_may_serve_stale_on_error(exchange_facts(fill->stale), NULL,
                                          loop_wall_ms(fill->env->loop))) {
            return fill_fail_later(fill, FILL_CODE_STALE);
        }
    }
    return publish(fill, response);
}

/* ---- body and end ---- */

static enum fetch_flow on_data(void *ctx, struct span data)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->refreshed != NULL || fill->restart) {
        return FETCH_GO; /* a 304 has no body; whatever this is, nobody wants it */
    }
    if (store_lead_append(fill->lead, data) != ERR_OK) {
        return fill_fail_later(fill, FILL_CODE_INTERNAL);
    }
    fill->received += data.len;
    fill->complete = fill->received == fill->length;
    counter_add(&fill->env->counters->origin_bytes, data.len);
    if (!fill->complete && store_lead_must_pause(fill->lead)) {
        fill->paused = true;
        return FETCH_PAUSE;
    }
    return FETCH_GO;
}

static void on_batch(void *ctx)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->failed) {
        return; /* the deferred task ends it */
    }
    if (fill->lead != NULL && fill->complete && !fill->restart) {
        /* Every announced byte is here: whoever asks next finds it ready. */
        store_lead_commit(&fill->lead);
    } else if (fill->lead != NULL) {
        store_lead_flush(fill->lead);
    }
    if (fill->owner != NULL && !fill->restart) {
        exchange_drive(fill->owner); /* may end us */
    }
}

static void on_informational(void *ctx, struct span head)
{
    struct fill *fill = ctx;
    if (fill->owner != NULL && !fill->owner->head_sent) {
        stream_informational(fill->owner->stream, head);
    }
}

static enum fetch_flow on_upload(void *ctx, char *out, size_t size, size_t *count)
{
    struct fill *fill = ctx;
    struct span bytes;
    *count = 0;
    if (fill->owner == NULL) {
        return FETCH_CANCEL;
    }
    switch (stream_body_next(fill->owner->stream, &bytes)) {
    case STREAM_BODY_BYTES:
        *count = bytes.len < size ? bytes.len : size;
        memcpy(out, bytes.ptr, *count);
        stream_body_consume(fill->owner->stream, *count);
        return FETCH_GO;
    case STREAM_BODY_WAIT:
        return FETCH_PAUSE;
    case STREAM_BODY_END:
        return FETCH_GO;
    case STREAM_BODY_BAD:
        break;
    }
    return fill_fail_later(fill, fill->owner->stream->body_too_large
                                     ? FILL_CODE_TOO_LARGE
                                     : FILL_CODE_FAULT(FETCH_BODY_BAD));
}

static void fill_fetch(struct fill *fill);

static void fill_log_fault(const struct fill *fill, const struct fetch_result *result)
{
    char path[160] = "-";
    if (fill->request != NULL) {
        log_escape(path, sizeof(path), fill->request->path);
    }
    log_warn("origin_fault", "site=%s origin=%s:%u path=\"%s\" detail=\"%s\"", fill->site->name.ptr,
             fill->site->origin.host, fill->site->origin.port, path, result->detail);
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    struct counters *counters = fill->env->counters;
    fill->fetch = NULL;
    fill->figures.connect_us = (uint32_t)result->connect_us;
    fill->figures.first_byte_us = (uint32_t)result->first_byte_us;
    counter_add(&counters->origin_faults[result->fault], 1);
    if (result->head_seen) {
        histogram_add(&counters->origin_first_byte, result->first_byte_us);
    }
    if (result->fault == FETCH_OK && fill->restart) {
        fill->restart = false;
        store_object_unref(&fill->stale);
        fill_fetch(fill);
        return;
    }
    if (result->fault == FETCH_OK && fill->lead != NULL) {
        store_lead_commit(&fill->lead);
    } else if (result->fault != FETCH_OK) {
        fill->fail_code = FILL_CODE_FAULT(result->fault);
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_INCOMPLETE;
        fill_log_fault(fill, result);
    }
    fill_end(fill);
}

static void on_resume(void *ctx)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->paused && fill->fetch != NULL && fill->lead != NULL &&
        !store_lead_must_pause(fill->lead)) {
        fill->paused = false;
        fetch_resume(fill->fetch);
    }
}

/* ---- life ---- */

static void fill_fetch(struct fill *fill)
{
    static const struct fetch_handler handler = {
        .informational = on_informational,
        .head = on_head,
        .data = on_data,
        .batch = on_batch,
        .done = on_done,
        .body = on_upload,
    };
    const struct http_request *request = fill->request;
    struct fill_request_options options = {
        .site = fill->site,
        .request = request,
        .peer_text = fill->peer_text,
        .stale = fill->stale,
        .shared = fill->shared,
    };
    struct fetch_request out = {
        .origin = &fill->site->origin,
        .method = request->method_text,
        .host = fill->site->origin_host.len > 0 ? fill->site->origin_host : request->authority,
        .target = request->path,
        .has_body = request->body != HTTP_BODY_NONE,
        .body_length = request->body == HTTP_BODY_LENGTH ? request->content_length : UINT64_MAX,
        .may_retry = http_method_is_idempotent(request->method) && request->body == HTTP_BODY_NONE,
    };
    out.line_count = fill_request_lines(&fill->arena, &options, &out.lines);
    fill->request_time_ms = loop_wall_ms(fill->env->loop);
    if (out.lines == NULL) {
        fill_fail_later(fill, FILL_CODE_INTERNAL);
        return;
    }
    counter_add(&fill->env->counters->origin_requests, 1);
    fill->fetch = fetch_start(fill->env->fetches, &out, &handler, fill);
}

/* The client's bytes are about to vanish: keep what the origin's head will be judged by. */
static bool fill_keep_request(struct fill *fill)
{
    const struct http_request *copy = fill_request_clone(&fill->arena, fill->request);
    struct span key = arena_copy(&fill->arena, fill->key.bytes);
    fill->peer_text = arena_copy(&fill->arena, fill->peer_text);
    if (copy == NULL || key.ptr == NULL) {
        return false;
    }
    fill->request = copy;
    fill->key.bytes = key;
    return true;
}

struct fill *fill_start(const struct fill_options *options)
{
    struct exchange *x = options->owner;
    struct fill *fill = mem_new(sizeof(*fill));
    *fill = (struct fill){
        .magic = FILL_MAGIC,
        .env = x->env,
        .owner = x,
        .site = x->site,
        .request = x->stream->request,
        .peer_text = x->stream->peer_text,
        .key = x->key,
        .shared = options->lead != NULL,
        .background = options->background,
        .length = STORE_LENGTH_UNKNOWN,
        .lead = options->lead != NULL ? options->lead : store_lead_private(x->env->store),
    };
    fill->table = site_table_ref(x->table);
    arena_init(&fill->arena, EXCHANGE_ARENA_LIMIT);
    loop_task_init(&fill->task, on_task);
    list_init(&fill->node);
    list_push(&x->env->fills, &fill->node);
    x->env->live_fills++;
    if (options->stale != NULL) {
        fill->stale = store_object_ref(options->stale);
    }
    store_lead_bind(fill->lead, loop_mailbox(x->env->loop), on_resume, fill);
    fill_fetch(fill);
    return fill;
}

struct store_object *fill_object(struct fill *fill)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    return store_lead_object(fill->lead);
}

void fill_detach(struct fill **fill_at)
{
    struct fill *fill = *fill_at;
    *fill_at = NULL;
    CHECK_OBJ(fill, FILL_MAGIC);
    fill_hand_over(fill);
    if (fill->owner != NULL && fill->owner->fill == fill) {
        fill->owner->fill = NULL;
    }
    fill->owner = NULL;
    if (fill->failed) {
        fill->request = NULL;
        return; /* the deferred task frees it */
    }
    bool goes_on = fill->shared || fill->complete;
    if (fill->head_done && !fill->restart) {
        fill->request = NULL; /* judged already */
    } else if (goes_on) {
        goes_on = fill_keep_request(fill);
    }
    if (!goes_on) {
        fill_kill(fill);
    }
}

void fill_kill(struct fill *fill)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->fetch != NULL) {
        fetch_cancel(&fill->fetch);
    }
    fill_free(fill);
}

void fill_body_ready(struct fill *fill)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->fetch != NULL) {
        fetch_resume_body(fill->fetch);
    }
}

struct store_object *fill_take_refreshed(struct fill *fill)
{
    struct store_object *object = fill->refreshed;
    fill->refreshed = NULL;
    return object;
}

void fill_figures(const struct fill *fill, struct fill_figures *out)
{
    *out = fill->figures;
}

struct list *fill_node(struct fill *fill)
{
    return &fill->node;
}

struct fill *fill_of_node(struct list *node)
{
    return CONTAINER_OF(node, struct fill, node);
}
