/*
 * fill - drives one fetch and keeps the leader's promise: every lead ends in commit, refresh or
 * abort.
 *
 * Head and data only feed the store, so that what was read at once is passed on at once: the owner
 * is driven from batch, done, or the deferred task.
 */
#include "fill/fill.h"

#include "base/mem.h"
#include "fill/discretion.h"
#include "fill/encode.h"
#include "fill/fill_private.h"
#include "fill/fill_request.h"
#include "fill/rearm.h"
#include "http/date.h"
#include "http/head.h"

static void fill_free(struct fill *fill)
{
    struct fill_env *env = fill->env;
    if (fill->lead != NULL) {
        store_lead_abort(&fill->lead, fill->fail_code);
    }
    if (fill->part_lead != NULL) {
        store_lead_abort(&fill->part_lead, fill->fail_code);
    }
    if (fill->stale != NULL) {
        store_object_unref(&fill->stale);
    }
    if (fill->twin != NULL) {
        store_object_unref(&fill->twin);
    }
    if (fill->refreshed != NULL) {
        store_object_unref(&fill->refreshed);
    }
    if (fill->range.parent != NULL) {
        store_object_unref(&fill->range.parent);
    }
    if (fill->range.prefix != NULL) {
        store_object_unref(&fill->range.prefix);
    }
    fill_variants_drop(fill);
    fill_let_go(fill, NULL);
    if (UNLIKELY(fill->direct != NULL)) {
        fill_direct_end(fill);
    }
    origin_claim_end(&fill->next, NULL, loop_now_us(env->loop));
    if (fill->owner != NULL) {
        fill->owner->fill = NULL;
    }
    loop_task_clear(&fill->task);
    list_remove(&fill->node);
    site_table_unref(&fill->table);
    arena_reset(&fill->arena);
    env->live--;
    fill->magic = 0;
    mem_free(fill);
}

/* Gives the owner what it should know before the fill dies. */
static void fill_hand_over(struct fill *fill)
{
    struct fill_owner *owner = fill->owner;
    if (owner == NULL || fill->background) {
        return;
    }
    owner->had_age = fill->figures.had_age;
    owner->status = fill->figures.origin_status;
    owner->connect_us = fill->figures.connect_us;
    owner->stored = fill->figures.stored;
}

enum fetch_flow fill_fail_later(struct fill *fill, uint32_t code)
{
    fill->failed = true;
    fill->fail_code = code;
    fill->fetch = NULL;
    loop_task_defer(fill->env->loop, &fill->task);
    return FETCH_CANCEL;
}

/* A refresh in the background that brought nothing is not tried again with the next hit. */
static void note_vain_refresh(const struct fill *fill)
{
    if (LIKELY(!fill->background) || fill->stale == NULL || fill->figures.stored ||
        (fill->fail_code == 0 && fill->figures.origin_status < 500)) {
        return;
    }
    const struct rearm_subject subject = {
        .key = fill->key.hash, .facts = stored_facts(fill->stale), .soft_at_ms = fill->soft_at_ms};
    uint64_t now_us = loop_now_us(fill->env->loop);
    if (rearm_find(fill->env->rearm, &subject, now_us) == REARM_NONE) {
        rearm_note(&fill->env->rearm, &subject, REARM_QUIET, now_us);
    }
}

static void fill_end(struct fill *fill)
{
    struct fill_owner *owner = fill->owner;
    note_vain_refresh(fill);
    fill_hand_over(fill);
    /* Abort before driving: the owner's reader must see how it ended. */
    if (fill->lead != NULL) {
        store_lead_abort(&fill->lead, fill->fail_code);
    }
    if (owner != NULL && fill->refreshed != NULL) {
        owner->calls->drive(owner); /* takes the refreshed object */
        owner = fill->owner;
    }
    fill_free(fill);
    if (owner != NULL) {
        owner->calls->drive(owner);
    }
}

/* Whoever it was for has left before an origin was asked. */
static bool fill_waits_for_nobody(const struct fill *fill)
{
    return fill_waits(fill) && fill->owner == NULL && !fill->background &&
           !store_lead_is_read(fill->lead);
}

static void on_task(struct loop_task *task)
{
    struct fill *fill = CONTAINER_OF(task, struct fill, task);
    if (fill->failed) {
        fill_end(fill);
    } else if (fill_waits_for_nobody(fill)) {
        fill_kill(fill);
    } else if (fill->dropped_status != 0) {
        fill_retry_next(fill);
    }
}

/* ---- body and end ---- */

static enum fetch_flow on_data(void *ctx, struct span data)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (UNLIKELY(fill->is_tunnel)) {
        return fill->owner->calls->tunnel_data(fill->owner, data);
    }
    if (fill->lead == NULL || fill->restart) {
        return FETCH_GO; /* after a 304 or past the end: whatever this is, nobody wants it */
    }
    if (UNLIKELY(fill->skip > 0)) {
        size_t skip = fill->skip < data.len ? (size_t)fill->skip : data.len;
        fill->skip -= skip;
        data = span_of(data.ptr + skip, data.len - skip);
    }
    if (store_lead_append(fill->lead, data) != ERR_OK) {
        return fill_fail_later(fill, FILL_CODE_INTERNAL);
    }
    fill->received += data.len;
    fill->complete = fill->received == fill->length;
    if (!fill->complete && store_lead_must_pause(fill->lead)) {
        fill->paused = true;
        return FETCH_PAUSE;
    }
    return FETCH_GO;
}

static char *on_place(void *ctx, size_t *room)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->lead == NULL || fill->restart || fill->skip > 0) {
        return NULL;
    }
    return store_lead_place(fill->lead, room);
}

/* For the cache alone a body without a known end is fetched for as long as a silent origin is
 * waited for: it may be a stream that never ends. A refresh has been seen to end before. */
static bool fill_is_alone_for_long(struct fill *fill)
{
    if (fill->length != STORE_LENGTH_UNKNOWN || fill->background ||
        store_lead_is_read(fill->lead)) {
        fill->alone_us = 0;
        return false;
    }
    uint64_t now_us = loop_now_us(fill->env->loop);
    if (fill->alone_us == 0) {
        fill->alone_us = now_us;
    }
    return now_us - fill->alone_us > fill->idle_timeout_us;
}

/* Its client left, and what comes is neither stored nor read by anybody, or has been coming for
 * long: it may be endless. */
static bool fill_is_for_nobody(struct fill *fill)
{
    return fill->owner == NULL && fill->lead != NULL &&
           (fill_waits_for_nobody(fill) || store_lead_is_abandoned(fill->lead) ||
            (fill->head_done && fill_is_alone_for_long(fill)));
}

/* The body of an error that a refresh met is for nobody; of the server its head has told all. */
static void fill_give_up(struct fill *fill)
{
    note_vain_refresh(fill);
    if (fill->background && fill->head_done && fill->figures.origin_status >= 500) {
        fill_let_go_answered(fill);
    }
    fill_kill(fill);
}

static void on_batch(void *ctx)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->failed) {
        return; /* the deferred task ends it */
    }
    if (UNLIKELY(fill->is_tunnel)) {
        fill->owner->calls->drive(fill->owner);
        return;
    }
    if (fill->lead != NULL && fill->complete && !fill->restart) {
        /* Every announced byte is here: whoever asks next finds it ready. */
        store_lead_commit(&fill->lead);
    } else if (fill->lead != NULL) {
        store_lead_flush(fill->lead);
    }
    if (fill_is_for_nobody(fill)) {
        fill_give_up(fill);
    } else if (fill->owner != NULL && !fill->restart) {
        fill->owner->calls->drive(fill->owner); /* may end us */
    }
}

/* Relayed with its end-to-end fields (RFC 9110 15.2), to the client whose request it answers. */
static void on_informational(void *ctx, struct span head)
{
    struct fill *fill = ctx;
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response interim = {.minor_version = 1};
    struct http_head_options options = {.date_s = HTTP_DATE_NONE};
    if (fill->owner == NULL) {
        return;
    }
    http_fields_init(&interim.fields, items, ARRAY_LEN(items));
    if (http_head_read(head, &interim.status, &interim.fields)) {
        struct buf out;
        options.drop_set_cookie = discretion_is_cookieless(&fill->policy, fill->request);
        buf_init(&out, FILL_HEAD_LIMIT);
        http_head_write(&out, &interim, &options);
        buf_puts(&out, "\r\n");
        if (!out.failed) {
            bool is_sent = fill->owner->calls->interim(fill->owner, buf_span(&out));
            fill->interim_sent = fill->interim_sent || is_sent;
        }
        buf_free(&out);
    }
}

static enum fetch_flow on_upload(void *ctx, char *out, size_t size, size_t *count)
{
    struct fill *fill = ctx;
    uint32_t code = FILL_CODE_INTERNAL;
    *count = 0;
    enum fetch_flow flow = fill->owner == NULL
                               ? FETCH_CANCEL
                               : fill->owner->calls->content(fill->owner, out, size, count, &code);
    fill->body_taken = fill->body_taken || *count > 0;
    return flow == FETCH_CANCEL ? fill_fail_later(fill, code) : flow;
}

/* Of a tunnel, whose client is there as long as it is. */
static void on_ended(void *ctx)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    fill->owner->calls->tunnel_over(fill->owner, NULL);
}

void fill_tunnel_begin(struct fill *fill)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    store_lead_abort(&fill->lead, 0); /* there is no response to hold */
    fetch_resume(fill->fetch);
    fetch_resume_body(fill->fetch);
}

void fill_tunnel_resume(struct fill *fill)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->fetch != NULL) {
        fetch_resume(fill->fetch);
    }
}

/* The framing was whole, but a Content-Range had promised more. */
static bool fill_is_short(const struct fill *fill)
{
    return fill->length != STORE_LENGTH_UNKNOWN && !fill->complete;
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    fill->fetch = NULL;
    fill->figures.connect_us = (uint32_t)result->connect_us;
    if (result->head_seen) {
        histogram_add(&fill->env->counters->origin_first_byte, result->first_byte_us);
    }
    if (UNLIKELY(fill->is_tunnel)) {
        fill->owner->calls->tunnel_over(fill->owner, result);
        fill_end(fill);
        return;
    }
    if (UNLIKELY(result->fault != FETCH_OK) && fill_retry(fill, result)) {
        return;
    }
    if (result->fault == FETCH_OK && fill->restart) {
        /* Nothing is known of the second answer yet. */
        fill->restart = fill->head_done = fill->complete = false;
        fill->length = STORE_LENGTH_UNKNOWN;
        store_object_unref(&fill->stale);
        fill_variants_drop(fill);
        fill_fetch(fill);
        return;
    }
    if (result->fault == FETCH_OK && fill->lead != NULL && fill_is_short(fill)) {
        fill->fail_code = FILL_CODE_FAULT(FETCH_INCOMPLETE);
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_INCOMPLETE;
    } else if (result->fault == FETCH_OK && fill->lead != NULL) {
        store_lead_commit(&fill->lead);
    } else if (result->fault != FETCH_OK) {
        fill->fail_code = FILL_CODE_FAULT(result->fault);
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_INCOMPLETE;
        fill_log_fault(fill, result);
    }
    fill_let_go(fill, result);
    fill_end(fill);
}

static void on_resume(void *ctx)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill_is_for_nobody(fill) && !fill->failed) {
        fill_give_up(fill);
        return;
    }
    if (fill->paused && fill->fetch != NULL && fill->lead != NULL &&
        !store_lead_must_pause(fill->lead)) {
        fill->paused = false;
        fetch_resume(fill->fetch);
    }
}

/* ---- life ---- */

void fill_fetch(struct fill *fill)
{
    static const struct fetch_handler handler = {
        .informational = on_informational,
        .head = fill_on_head,
        .data = on_data,
        .place = on_place,
        .batch = on_batch,
        .done = on_done,
        .ended = on_ended,
        .body = on_upload,
    };
    const struct http_request *request = fill->request;
    struct fill_request_options options = {
        .site = fill->site,
        .policy = &fill->policy,
        .request = request,
        .client = &fill->client,
        .stale = fill->stale,
        .offer = fill_variants_line(fill),
        .shared = fill->shared,
        .range = fill->has_range ? &fill->range : NULL,
        .to_parent = fill->policy.upstream != 0,
    };
    fill->asked_us = loop_now_us(fill->env->loop);
    struct fetch_request out = {
        .patience = fill_patience(fill),
        .origin = fill->origin,
        .address = fill->address,
        .client = LIKELY(fill->site->identity == SITE_TELLS) ? fill->client.address : NULL,
        .method = request->method_text,
        .host = fill->onward.host,
        .target = fill->onward.target,
        .to_proxy = fill->policy.upstream != 0,
        .has_body = request->body != HTTP_BODY_NONE,
        .body_length = request->body == HTTP_BODY_LENGTH ? request->content_length : UINT64_MAX,
        .may_retry = http_method_is_idempotent(request->method) && request->body == HTTP_BODY_NONE,
    };
    if (UNLIKELY(fill->upgrade.ptr != NULL) && fill->owner != NULL) {
        out.upgrade = fill->upgrade;
        out.tunnel_idle_us = fill->site->tunnel_idle_us;
    }
    out.line_count = fill_request_lines(&fill->arena, &options, &out.lines);
    fill->request_time_ms = loop_wall_ms(fill->env->loop);
    if (out.lines == NULL) {
        fill_fail_later(fill, FILL_CODE_INTERNAL);
        return;
    }
    fill->fetch = fetch_start(fill->env->fetches, &out, &handler, fill);
}

/* The client's bytes are about to vanish: keep what the origin's head will be judged by. */
static bool fill_keep_request(struct fill *fill)
{
    const struct http_request *copy = fill_request_clone(&fill->arena, fill->request);
    struct span key = arena_copy(&fill->arena, fill->key.bytes);
    fill->client.address = NULL;
    fill->client.text = arena_copy(&fill->arena, fill->client.text);
    fill->client.chain = arena_copy(&fill->arena, fill->client.chain);
    fill->onward.authority = arena_copy(&fill->arena, fill->onward.authority);
    fill->onward.host = arena_copy(&fill->arena, fill->onward.host);
    fill->onward.target = arena_copy(&fill->arena, fill->onward.target);
    if (copy == NULL || key.ptr == NULL) {
        return false;
    }
    fill->request = copy;
    fill->key.bytes = key;
    return true;
}

void fill_bind(struct fill *fill)
{
    store_lead_bind(fill->lead, loop_mailbox(fill->env->loop), on_resume, fill);
}

static void fill_set_range(struct fill *fill, const struct fill_range *range)
{
    fill->has_range = true;
    fill->range = *range;
    if (range->parent != NULL) {
        store_object_ref(range->parent);
    }
    if (range->prefix != NULL) {
        store_object_ref(range->prefix);
    }
}

/* Without memory for it nothing is sent either: the arena's overflow is seen there. */
static void fill_set_selecting(struct fill *fill, const struct policy *policy)
{
    const struct http_fields *own = &fill->request->fields;
    const struct http_fields *fields =
        fill_selecting(&fill->arena, fill->site, policy, fill->request, &fill->client);
    fill->selecting = fields == own ? NULL : fields;
}

struct fill *fill_start(const struct fill_options *options)
{
    struct fill_env *env = options->env;
    struct fill *fill = mem_new(sizeof(*fill));
    *fill = (struct fill){
        .magic = FILL_MAGIC,
        .env = env,
        .owner = options->owner,
        .site = options->site,
        .request = options->request,
        .client = *options->client,
        .key = *options->key,
        .upgrade = options->background ? span_of(NULL, 0) : options->upgrade,
        .shared = options->lead != NULL,
        .solo = options->solo,
        .apart = options->apart && options->lead == NULL,
        .directives = *options->directives,
        .soft_at_ms = options->soft_at_ms,
        .background = options->background,
        .has_lookup = options->looked_up,
        .length = STORE_LENGTH_UNKNOWN,
        .begun_us = loop_now_us(env->loop),
        .lead = options->lead,
    };
    if (fill->lead == NULL) {
        fill->lead = fill->apart ? store_lead_apart(env->store, options->key)
                                 : store_lead_private(env->store);
    }
    policy_for_origin(&fill->policy, options->policy, options->looked_up);
    fill->table = site_table_ref(options->table);
    arena_init(&fill->arena, FILL_ARENA_LIMIT);
    onward_settle(&fill->onward, &fill->arena, options->policy,
                  options->looked_up ? options->target : fill->request->path);
    loop_task_init(&fill->task, on_task);
    list_init(&fill->node);
    list_push(&env->fills, &fill->node);
    env->live++;
    fill_set_selecting(fill, options->policy);
    if (options->stale != NULL) {
        fill->stale = store_object_ref(options->stale);
    }
    if (options->twin != NULL) {
        fill->twin = store_object_ref(options->twin);
    }
    if (UNLIKELY(options->offer_variants)) {
        fill_variants_take(fill);
    }
    if (options->range != NULL) {
        fill_set_range(fill, options->range);
    }
    fill_bind(fill);
    fill_ask(fill);
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
    bool goes_on = (fill->shared && !fill->solo) || fill->complete;
    if (fill->head_done && !fill->restart) {
        fill->request = NULL; /* judged already */
    } else if (goes_on) {
        goes_on = fill_keep_request(fill);
    }
    if (!goes_on) {
        fill_kill(fill);
    } else if (fill_waits(fill)) {
        /* Is there anybody else? The client's own reader is gone by then. */
        loop_task_defer(fill->env->loop, &fill->task);
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

void fill_hold(struct fill *fill, bool is_held)
{
    CHECK_OBJ(fill, FILL_MAGIC);
    if (fill->fetch != NULL) {
        fetch_hold_back(fill->fetch, is_held);
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

void fill_env_init(struct fill_env *env)
{
    list_init(&env->fills);
    list_init(&env->encodes);
    random_bytes(&env->generation, sizeof(env->generation));
}

void fill_env_fini(struct fill_env *env)
{
    while (!list_is_empty(&env->fills)) {
        struct fill *fill = CONTAINER_OF(env->fills.next, struct fill, node);
        fill_kill(fill);
    }
    CHECK(env->live == 0);
    encode_env_end(env);
    rearm_free(&env->rearm);
}
