/*
 * balance - which server of a pool is asked.
 *
 * Every way of choosing works on the servers that may be asked now: not the backups while another
 * is up, not those with their `max`, not those that failed this request while another is left. It
 * costs one or two walks over the pool, which is small.
 */
#include <math.h>

#include "origin/origin_private.h"

#define WEIGHT_UNIT 1000u
#define SLOW_LEAST 10u /* of WEIGHT_UNIT: where a slow start begins */
/* Bounded load: a server is too busy for its own keys when it has so many percent of its share; but
 * never with fewer requests than the floor, which are no load. */
#define HASH_LOAD_PERCENT 150u
#define HASH_LOAD_FLOOR 8u

uint64_t origin_weight(const struct origin_pool *pool, const struct origin_server *server,
                       uint64_t now_us)
{
    uint64_t weight = (uint64_t)server->settings->weight * WEIGHT_UNIT;
    uint64_t ramp_us = pool->settings->slow_start_ms * 1000;
    uint64_t since_us = server->state->up_since_us;

    if (UNLIKELY(!health_may_ask(&server->state->health, false))) {
        return 0;
    }
    if (LIKELY(ramp_us == 0) || since_us == 0 || now_us >= since_us + ramp_us) {
        return weight;
    }
    uint64_t age_us = now_us > since_us ? now_us - since_us : 0;
    return weight * SLOW_LEAST / WEIGHT_UNIT +
           weight * (WEIGHT_UNIT - SLOW_LEAST) / WEIGHT_UNIT * age_us / ramp_us;
}

static bool is_busy(const struct origin_server *server)
{
    return (server->settings->max > 0 && server->state->active >= server->settings->max) ||
           UNLIKELY(server->state->names.state == NAMES_PENDING);
}

static bool was_tried(const struct origin_want *want, const struct origin_state *state)
{
    for (unsigned i = 0; i < want->tried_count; i++) {
        if (want->tried[i] == state) {
            return true;
        }
    }
    return false;
}

/* Those who may be chosen, as indices into the pool. */
struct field {
    const struct origin_pool *pool;
    unsigned count;
    uint64_t weight; /* of them all */
    uint16_t index[CONF_SERVERS_MAX];
    uint64_t weights[CONF_SERVERS_MAX];
};

enum {
    FIELD_BACKUP = 1, /* backups instead of the others */
    FIELD_TRIED = 2,  /* also those that failed this request */
};

/* Returns how many are up, busy or not. */
static unsigned field_fill(struct field *field, const struct origin_want *want, unsigned flags,
                           uint64_t now_us)
{
    const struct origin_pool *pool = field->pool;
    unsigned up = 0;

    field->count = 0;
    field->weight = 0;
    for (unsigned i = 0; i < pool->server_count; i++) {
        const struct origin_server *server = pool->servers[i];
        if (server->settings->backup != ((flags & FIELD_BACKUP) != 0) ||
            ((flags & FIELD_TRIED) == 0 && was_tried(want, server->state))) {
            continue;
        }
        uint64_t weight = origin_weight(pool, server, now_us);
        if (weight == 0) {
            continue;
        }
        up++;
        if (!is_busy(server)) {
            field->index[field->count] = (uint16_t)i;
            field->weights[field->count++] = weight;
            field->weight += weight;
        }
    }
    return up;
}

/* ---- the ways ---- */

static struct origin_state *field_state(const struct field *field, unsigned at)
{
    return field->pool->servers[field->index[at]]->state;
}

/* Smooth weighted round robin: everybody is owed their weight, the one owed most goes. */
static unsigned choose_turn(const struct field *field)
{
    unsigned best = 0;

    for (unsigned i = 0; i < field->count; i++) {
        struct origin_state *state = field_state(field, i);
        state->turn += (int64_t)field->weights[i];
        if (state->turn > field_state(field, best)->turn) {
            best = i;
        }
    }
    field_state(field, best)->turn -= (int64_t)field->weight;
    return best;
}

/* Which is less loaded, by its weight? As fractions, exactly. */
static int compare_load(const struct field *field, unsigned a, unsigned b)
{
    uint64_t left = (uint64_t)field_state(field, a)->active * field->weights[b];
    uint64_t right = (uint64_t)field_state(field, b)->active * field->weights[a];

    return (left > right) - (left < right);
}

/* Among equals in turn, or the first of the file would get all while there is little to do. */
static unsigned choose_least(struct field *field)
{
    unsigned best = 0;
    struct field equal = {.pool = field->pool};

    for (unsigned i = 1; i < field->count; i++) {
        if (compare_load(field, i, best) < 0) {
            best = i;
        }
    }
    for (unsigned i = 0; i < field->count; i++) {
        if (compare_load(field, i, best) == 0) {
            equal.index[equal.count] = field->index[i];
            equal.weights[equal.count++] = field->weights[i];
            equal.weight += field->weights[i];
        }
    }
    unsigned chosen = equal.index[choose_turn(&equal)];
    for (unsigned i = 0; i < field->count; i++) {
        if (field->index[i] == chosen) {
            return i;
        }
    }
    CHECK(false);
    return 0;
}

/* xorshift64*: lots need no secrecy. */
static uint64_t draw(struct origin_pool *pool)
{
    uint64_t x = pool->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    pool->random = x;
    return x * UINT64_C(2685821657736338717);
}

static unsigned draw_one(struct origin_pool *pool, const struct field *field)
{
    uint64_t lot = draw(pool) % field->weight;

    for (unsigned i = 0; i < field->count; i++) {
        if (lot < field->weights[i]) {
            return i;
        }
        lot -= field->weights[i];
    }
    CHECK(false);
    return 0;
}

static unsigned choose_random(struct origin_pool *pool, const struct field *field)
{
    unsigned one = draw_one(pool, field);
    unsigned two = draw_one(pool, field);

    return compare_load(field, one, two) <= 0 ? one : two;
}

/* What a key scores with a server: with the highest score winning, each gets its share of the keys,
 * and a server that leaves takes only its own along (weighted rendezvous hashing). */
static double score(uint64_t hash, uint32_t id, uint64_t weight)
{
    uint64_t x = hash ^ ((uint64_t)id << 32 | id);

    x ^= x >> 33; /* a finalizer: every bit of the input counts in every bit */
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;
    double unit = ((double)(x >> 11) + 0.5) * 0x1.0p-53;
    return -(double)weight / log(unit);
}

static bool is_overloaded(const struct field *field, unsigned at)
{
    uint64_t active = field_state(field, at)->active;
    uint64_t total = (uint64_t)field->pool->active + 1;

    return active >= HASH_LOAD_FLOOR &&
           active * 100 * field->weight >= total * HASH_LOAD_PERCENT * field->weights[at];
}

static unsigned choose_hash(const struct field *field, uint64_t hash)
{
    unsigned best = field->count;
    unsigned any = 0;
    double best_score = -1;
    double any_score = -1;

    for (unsigned i = 0; i < field->count; i++) {
        double own = score(hash, field_state(field, i)->id, field->weights[i]);
        if (own > any_score) {
            any_score = own;
            any = i;
        }
        if (own > best_score && !is_overloaded(field, i)) {
            best_score = own;
            best = i;
        }
    }
    return best < field->count ? best : any;
}

static unsigned choose_from(struct origin_pool *pool, struct field *field,
                            const struct origin_want *want)
{
    switch (pool->settings->balance.by) {
    case CONF_BALANCE_ROUND_ROBIN:
        return choose_turn(field);
    case CONF_BALANCE_LEAST_CONN:
        return choose_least(field);
    case CONF_BALANCE_RANDOM:
        return choose_random(pool, field);
    case CONF_BALANCE_HASH_URL:
    case CONF_BALANCE_HASH_CLIENT:
    case CONF_BALANCE_HASH_HEADER:
    case CONF_BALANCE_HASH_COOKIE:
        break;
    }
    return choose_hash(field, want->hash);
}

/* The server a client is to stay with, if it may be asked at all. */
static enum origin_choice choose_sticky(const struct origin_pool *pool,
                                        const struct origin_want *want, unsigned *out)
{
    for (unsigned i = 0; want->sticky != 0 && i < pool->server_count; i++) {
        const struct origin_server *server = pool->servers[i];
        if (server->state->id != want->sticky || was_tried(want, server->state) ||
            !health_may_ask(&server->state->health, true)) {
            continue;
        }
        *out = i;
        return is_busy(server) ? ORIGIN_CHOICE_BUSY : ORIGIN_CHOICE_MADE;
    }
    return ORIGIN_CHOICE_NONE;
}

enum origin_choice origin_choose(struct origin_pool *pool, const struct origin_want *want,
                                 uint64_t now_us, unsigned *out)
{
    static const unsigned rounds[] = {0, FIELD_BACKUP, FIELD_TRIED, FIELD_TRIED | FIELD_BACKUP};
    struct field field;
    enum origin_choice sticky = choose_sticky(pool, want, out);

    if (sticky != ORIGIN_CHOICE_NONE) {
        return sticky;
    }
    field.pool = pool;
    for (unsigned i = 0; i < ARRAY_LEN(rounds); i++) {
        if ((rounds[i] & FIELD_TRIED) != 0 && want->tried_count == 0) {
            break;
        }
        unsigned up = field_fill(&field, want, rounds[i], now_us);
        if (field.count > 0) {
            *out = field.index[choose_from(pool, &field, want)];
            return ORIGIN_CHOICE_MADE;
        }
        if (up > 0) {
            return ORIGIN_CHOICE_BUSY;
        }
    }
    return ORIGIN_CHOICE_NONE;
}
