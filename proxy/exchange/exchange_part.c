/*
 * exchange_part - a body made of several stretches: what is said between them, and the next stretch
 * made ready for exchange_send.
 *
 * The stretches of a multipart body all come from one object. Those of a large representation come
 * from its parts (part.h): each is looked up when it is needed; one that is absent is led, as any
 * object is, so that it is fetched once for all who want it. When a part begins to be sent, the one
 * after it is fetched already, or a long read would be a row of round trips; no more than that, for
 * the client may leave. The head of the response waits for the first part that is absent, so that an
 * origin that has changed, or will not have its answer to this client stored, gets a proper answer;
 * one that is away keeps back what is here no longer than its timeouts.
 */
#include "exchange/exchange_plan.h"
#include "fill/fill.h"
#include "fill/part.h"

#define PART_TRIES_MAX 8u
/* Parts looked at to say beforehand whether all are there. */
#define PART_PROBES_MAX 4096u

/* ---- the plan ---- */

void exchange_plan_drop(struct exchange *x)
{
    struct exchange_plan *plan = x->plan;
    x->plan = NULL;
    if (plan->part != NULL) {
        store_object_unref(&plan->part);
    }
    if (plan->parent != NULL) {
        store_object_unref(&plan->parent);
    }
}

bool exchange_parts_ready(const struct exchange *x)
{
    return x->plan != NULL && x->plan->is_ready;
}

static struct store_lookup part_lookup(struct exchange *x, uint64_t index,
                                       struct http_range_part *wanted)
{
    const struct exchange_plan *plan = x->plan;
    return (struct store_lookup){
        .key = part_key(x->env->store, plan->key_room, plan->parent, index),
        .matches = part_matches,
        .judge = part_judge,
        .ctx = wanted,
    };
}

/* From here to `last`, as far as the same cell has it. */
static struct http_range_part wanted_at(const struct exchange_plan *plan, uint64_t position,
                                        uint64_t last)
{
    struct http_range_part cell = part_cell(position / PART_BYTES, plan->total);
    return (struct http_range_part){position, last < cell.last ? last : cell.last};
}

static void lookup_drop(struct store_lookup *lookup)
{
    if (lookup->object != NULL) {
        store_object_unref(&lookup->object);
    }
    if (lookup->stale != NULL) {
        store_object_unref(&lookup->stale);
    }
}

struct part_presence {
    bool is_missing; /* at least one is, at this byte */
    uint64_t missing;
    bool is_coming; /* at least one is being fetched */
};

/* Are all bytes of the range there? */
static void probe_range(struct exchange *x, const struct http_range_part *range,
                        struct part_presence *out)
{
    uint64_t index = range->first / PART_BYTES;
    for (unsigned i = 0; i < PART_PROBES_MAX && index <= range->last / PART_BYTES; i++, index++) {
        uint64_t first = index * PART_BYTES < range->first ? range->first : index * PART_BYTES;
        struct http_range_part wanted = wanted_at(x->plan, first, range->last);
        struct store_lookup lookup = part_lookup(x, index, &wanted);
        lookup.is_peek = true;
        lookup.may_follow = x->plan->may_follow;
        switch (store_lookup(x->env->store, &lookup)) {
        case STORE_FRESH:
        case STORE_STALE:
        case STORE_DISK:
            break;
        case STORE_FOLLOW:
            out->is_coming = true;
            break;
        case STORE_LEAD:
        case STORE_PASS:
        case STORE_ABSENT:
            out->is_missing = true;
            out->missing = first;
            break;
        }
        lookup_drop(&lookup);
        if (out->is_missing) {
            return;
        }
    }
}

/* What Cache-Status, log and counters say of it (RFC 9211 2.2: "partial"). */
static void note_presence(struct exchange *x, const struct part_presence *presence)
{
    if (x->source != BYTES_CACHE || !(presence->is_missing || presence->is_coming)) {
        return;
    }
    x->forward = HTTP_FORWARD_PARTIAL;
    if (presence->is_missing) {
        x->result = RESULT_MISS;
        x->reason = HTTP_REASON_RANGE_ABSENT;
        x->origin.stored = true;
        x->collapsed = false;
    } else {
        x->reason = HTTP_REASON_COLLAPSED;
        x->collapsed = true;
    }
}

/* The parts will not do. Without a head sent yet, the request finds another way. */
static enum exchange_next part_give_up(struct exchange *x)
{
    bool is_sole = (stored_facts(x->plan->parent)->flags & HTTP_STORED_PARTS_SOLE) != 0;
    if (x->head_sent) {
        return exchange_cut(x);
    }
    exchange_release(x);
    if (http_directives_has(&x->directives, HTTP_CC_ONLY_IF_CACHED)) {
        return exchange_fail_not_cached(x);
    }
    if (is_sole && !x->refuse_sole && !x->led_range) {
        x->refuse_sole = true;
        return exchange_go(x, EXCHANGE_STEP_LOOKUP);
    }
    x->reason = HTTP_REASON_RANGE_ABSENT;
    return exchange_go_alone(x);
}

enum exchange_next exchange_parts_begin(struct exchange *x, const struct http_range_set *set,
                                        uint64_t total)
{
    const struct http_range_set all = {.count = 1, .parts = {{0, total - 1}}};
    bool is_sole = (stored_facts(x->object)->flags & HTTP_STORED_PARTS_SOLE) != 0;
    struct part_presence presence = {0};
    if (x->reader != NULL) {
        store_reader_close(&x->reader); /* waited for the head */
    }
    if (x->plan == NULL) {
        x->plan = total > 0 ? exchange_plan_new(x, set != NULL ? set : &all) : NULL;
    }
    char *room = arena_alloc(&x->arena, store_object_key(x->object).len + DERIVED_KEY_EXTRA);
    if (x->plan == NULL || room == NULL) {
        return exchange_fail(x, 500, "a stored head is damaged");
    }
    struct exchange_plan *plan = x->plan;
    plan->parent = store_object_ref(x->object);
    plan->total = total;
    plan->key_room = room;
    plan->may_follow =
        !http_directives_has(&x->directives, HTTP_CC_NO_STORE | HTTP_CC_ONLY_IF_CACHED);
    plan->may_fetch = plan->may_follow && !is_sole;
    unsigned missing_at = 0;
    for (unsigned i = 0; i < plan->set.count && !presence.is_missing; i++) {
        probe_range(x, &plan->set.parts[i], &presence);
        missing_at = i;
    }
    if (presence.is_missing && !plan->may_fetch) {
        return part_give_up(x);
    }
    if (presence.is_missing && presence.missing != plan->position) {
        plan->is_trial = true;
        plan->at = missing_at;
        plan->position = presence.missing;
    }
    note_presence(x, &presence);
    return exchange_go(x, EXCHANGE_STEP_PART);
}

/* ---- finding a part ---- */

static void on_loaded(void *ctx, struct store_object *object)
{
    struct exchange *x = ctx;
    x->load = NULL;
    x->loaded = object;
    exchange_drive(x);
}

/* Fetches the cell that holds `position`; what is there of it but does not suffice is added to. The
 * fill goes on without us. Returns the object that is being filled, with a reference. */
static struct store_object *part_fetch(struct exchange *x, struct store_lookup *lookup,
                                       uint64_t position)
{
    struct http_range_part cell = part_cell(position / PART_BYTES, x->plan->total);
    struct store_object *found = lookup->object;
    struct fill_range range = {
        .first = cell.first,
        .last = cell.last == x->plan->total - 1 ? UINT64_MAX : cell.last,
        .parent = x->plan->parent,
    };
    if (found != NULL && store_object_is_whole(found) && part_facts(found)->first <= position) {
        range.prefix = found;
        range.first = part_facts(found)->last + 1;
    }
    struct fill *fill = exchange_fill(
        x, &(struct fill_options){.lead = lookup->lead, .range = &range, .background = true});
    struct store_object *object = store_object_ref(fill_object(fill));
    fill_detach(&fill);
    return object;
}

/* The part that was absent will come, or its origin is away: from the beginning. */
static void trial_end(struct exchange *x)
{
    struct exchange_plan *plan = x->plan;
    if (x->reader != NULL) {
        store_reader_close(&x->reader);
    }
    if (plan->part != NULL) {
        store_object_unref(&plan->part);
    }
    plan->is_trial = plan->is_ready = false;
    plan->tries = 0;
    plan->at = 0;
    plan->position = plan->set.parts[0].first;
}

static enum exchange_next part_failed(struct exchange *x, uint32_t code)
{
    if (x->head_sent) {
        return exchange_cut(x);
    }
    if (code == FILL_CODE_CHANGED) {
        exchange_release(x);
        return exchange_go(x, EXCHANGE_STEP_LOOKUP);
    }
    if (x->plan->is_trial && !exchange_must_go_alone(x, code)) {
        trial_end(x);
        return EXCHANGE_GO;
    }
    return exchange_must_go_alone(x, code) ? part_give_up(x) : exchange_fail_fetch(x, code);
}

static bool reader_at(struct exchange *x, struct store_object *object, uint64_t offset)
{
    if (x->reader != NULL) {
        store_reader_close(&x->reader);
    }
    x->reader = store_reader_open(x->env->store, object, offset, false, loop_mailbox(x->env->loop),
                                  exchange_wake, x);
    return x->reader != NULL;
}

/* Looks the part up. EXCHANGE_GO: plan->part is there, or coming and x->reader waits for its head.
 * Anything else is the step's result. */
static enum exchange_next part_find(struct exchange *x, bool *found)
{
    struct exchange_plan *plan = x->plan;
    struct http_range_part wanted = wanted_at(plan, plan->position, plan->set.parts[plan->at].last);
    struct store_lookup lookup = part_lookup(x, plan->position / PART_BYTES, &wanted);
    if (x->load != NULL) {
        return EXCHANGE_PARK; /* on_loaded moves on */
    }
    if (++plan->tries > PART_TRIES_MAX) {
        return part_give_up(x);
    }
    enum exchange_next refused;
    lookup.may_lead = plan->may_fetch;
    lookup.may_follow = plan->may_follow;
    lookup.loaded = x->loaded;
    enum store_verdict verdict = store_lookup(x->env->store, &lookup);
    if (x->loaded != NULL) {
        store_object_unref(&x->loaded);
    }
    *found = true;
    switch (verdict) {
    case STORE_FRESH:
    case STORE_STALE:
        plan->part = lookup.object;
        return EXCHANGE_GO;
    case STORE_DISK:
        x->load =
            store_load_start(x->env->store, &lookup, loop_mailbox(x->env->loop), on_loaded, x);
        return EXCHANGE_PARK;
    case STORE_LEAD:
        if (UNLIKELY(x->site->guards.counts_misses) && !x->head_sent &&
            !exchange_guard_origin(x, &refused)) {
            store_lead_abort(&lookup.lead, 0);
            lookup_drop(&lookup);
            return refused;
        }
        plan->part = part_fetch(x, &lookup, plan->position);
        lookup_drop(&lookup);
        break;
    case STORE_FOLLOW:
        plan->part = store_object_ref(lookup.object);
        lookup_drop(&lookup);
        break;
    case STORE_PASS:
    case STORE_ABSENT:
        lookup_drop(&lookup);
        return part_give_up(x);
    }
    return reader_at(x, plan->part, 0) ? EXCHANGE_GO : part_failed(x, FILL_CODE_ALONE);
}

/* Waits for the head of a part that is coming. */
static enum exchange_next part_wait(struct exchange *x, bool *is_there)
{
    uint32_t code = 0;
    switch (store_reader_head(x->reader, &code)) {
    case STORE_HEAD_WAIT:
        return EXCHANGE_PARK;
    case STORE_HEAD_READY:
        *is_there = true;
        return EXCHANGE_GO;
    case STORE_HEAD_ALONE:
        return part_failed(x, FILL_CODE_ALONE);
    case STORE_HEAD_AGAIN:
        store_reader_close(&x->reader);
        store_object_unref(&x->plan->part);
        return EXCHANGE_GO; /* the step runs again */
    case STORE_HEAD_FAILED:
        break;
    }
    return part_failed(x, code);
}

/* The part after this one, so that it is there when it is wanted. */
static void part_prefetch(struct exchange *x)
{
    struct exchange_plan *plan = x->plan;
    uint64_t position = plan->position;
    unsigned at = plan->at;
    if (position > plan->set.parts[at].last) {
        if (++at == plan->set.count) {
            return;
        }
        position = plan->set.parts[at].first;
    }
    struct http_range_part wanted = wanted_at(plan, position, plan->set.parts[at].last);
    struct store_lookup lookup = part_lookup(x, position / PART_BYTES, &wanted);
    lookup.may_lead = plan->may_fetch;
    lookup.may_follow = plan->may_follow;
    if (store_lookup(x->env->store, &lookup) == STORE_LEAD) {
        struct store_object *object = part_fetch(x, &lookup, position);
        store_object_unref(&object);
    }
    lookup_drop(&lookup);
}

/* ---- the step ---- */

/* Text before the range, or at the end. False: x is parked or done, *next says. */
static bool send_text(struct exchange *x, struct exchange_plan *plan, enum exchange_next *next)
{
    struct span text = plan->text[plan->at];
    bool is_end = plan->at == plan->set.count;
    if (plan->text_sent == text.len && !is_end) {
        return true;
    }
    struct iovec part = {.iov_base = span_unconst(text.ptr + plan->text_sent),
                         .iov_len = text.len - plan->text_sent};
    ptrdiff_t sent = exchange_offer(x, &part, part.iov_len > 0 ? 1 : 0, is_end);
    if (sent < 0) {
        *next = exchange_cut(x);
        return false;
    }
    plan->text_sent += (size_t)sent;
    if (plan->text_sent < text.len) {
        *next = EXCHANGE_PARK;
        return false;
    }
    if (is_end) {
        *next = exchange_go(x, EXCHANGE_STEP_DONE);
    }
    return !is_end;
}

/* [offset, end) of the object is what comes next. */
static enum exchange_next send_stretch(struct exchange *x, uint64_t offset, uint64_t end)
{
    x->offset = offset;
    x->end = end;
    x->whole = store_object_is_whole(x->object);
    if (x->whole) {
        if (x->reader != NULL) {
            store_reader_close(&x->reader);
        }
    } else if (!exchange_seek(x)) {
        return exchange_cut(x);
    }
    return exchange_go(x, EXCHANGE_STEP_SEND);
}

/* The part is at hand: what is wanted of it goes out. */
static enum exchange_next send_part(struct exchange *x, struct exchange_plan *plan)
{
    const struct part_facts *facts = part_facts(plan->part);
    uint64_t wanted = plan->set.parts[plan->at].last;
    uint64_t first = plan->position;
    uint64_t last = wanted < facts->last ? wanted : facts->last;
    if (x->object != NULL) {
        store_object_unref(&x->object);
    }
    x->object = plan->part;
    plan->part = NULL;
    plan->is_ready = false;
    plan->tries = 0;
    plan->position = last + 1;
    part_prefetch(x);
    return send_stretch(x, first - facts->first, last + 1 - facts->first);
}

/* Finds the part that holds plan->position. GO with is_ready: it is at hand. */
static enum exchange_next part_make_ready(struct exchange *x, struct exchange_plan *plan)
{
    bool is_there = true;
    enum exchange_next next = EXCHANGE_GO;
    if (plan->part == NULL) {
        bool found = false;
        next = part_find(x, &found);
        if (!found || plan->part == NULL) {
            return next;
        }
    }
    if (x->reader != NULL) {
        is_there = false;
        next = part_wait(x, &is_there);
    }
    if (!is_there) {
        return next;
    }
    const struct part_facts *facts = part_facts(plan->part);
    plan->is_ready = plan->position >= facts->first && plan->position <= facts->last;
    return plan->is_ready ? EXCHANGE_GO : part_failed(x, FILL_CODE_ALONE);
}

/* The part before was sent. */
static void part_let_go(struct exchange *x)
{
    if (x->reader != NULL) {
        store_reader_close(&x->reader);
    }
    if (x->object != NULL) {
        store_object_unref(&x->object);
    }
}

enum exchange_next exchange_part(struct exchange *x)
{
    struct exchange_plan *plan = x->plan;
    enum exchange_next next = EXCHANGE_PARK;
    if (x->head_sent) {
        exchange_note_first_byte(x);
        if (plan->parent != NULL && plan->part == NULL && x->load == NULL) {
            part_let_go(x);
        }
        if (plan->at < plan->set.count && plan->position > plan->set.parts[plan->at].last) {
            plan->at++;
            plan->text_sent = 0;
            plan->position = plan->at < plan->set.count ? plan->set.parts[plan->at].first : 0;
        }
        if (!send_text(x, plan, &next)) {
            return next;
        }
    }
    if (plan->parent == NULL) {
        const struct http_range_part *part = &plan->set.parts[plan->at];
        plan->position = part->last + 1;
        return send_stretch(x, part->first, part->last + 1);
    }
    if (!plan->is_ready) {
        next = part_make_ready(x, plan);
        if (x->plan != plan || !plan->is_ready) {
            return next;
        }
    }
    if (UNLIKELY(plan->is_trial)) {
        trial_end(x);
        return EXCHANGE_GO; /* the step runs again */
    }
    return x->head_sent ? send_part(x, plan) : exchange_go(x, EXCHANGE_STEP_REPLY);
}
