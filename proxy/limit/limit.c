/*
 * limit - a table of sets: a key's hash names a shard and a set of WAYS entries in it, which are
 * searched one after another (512 bytes, read in a row). No lists, no pointers, nothing to rehash.
 *
 * A bucket is one number (the generic cell rate algorithm): `at_ns`, when it will be full again. Now
 * or earlier means full; each token taken moves it token_ns on; more than room_ns ahead is empty.
 * Bytes are booked rather than refused: each booking moves it on, also beyond empty, and may move
 * when the bucket has been filled that far.
 * Entries never used are all zero, which is a bucket that has been full for ever.
 */
#include "limit/limit.h"

#include <netinet/in.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "limit/quota.h"

#define SHARDS 64u
#define WAYS 16u
#define KEY_BYTES_INLINE 64u
#define NS_PER_S ((uint64_t)1000000000)
#define FLOW_TURNS_S 32u
#define FLOW_TURN_MIN ((uint64_t)512)
#define FLOW_TURN_MAX ((uint64_t)1 << 20)
#define FLOW_BURST_MIN ((uint64_t)4 << 10)
/* In a hold: the number in the shard is a group's. */
#define HOLD_SHARED ((uint64_t)1 << 63)

struct limit_entry {
    struct hash128 hash;
    uint64_t at_ns; /* bucket: full again; count: last seen */
    uint32_t count; /* under way */
    uint32_t unused;
};
_Static_assert(sizeof(struct limit_entry) == LIMIT_ENTRY_BYTES, "what the header says");

struct limit_shard {
    struct lock lock;
    struct limit_entry *entries;             /* [lock] */
    struct limit_entry shared[LIMIT_GROUPS]; /* [lock] of newcomers without room; no hashes */
    uint64_t refused[LIMIT_GROUPS];          /* [lock] */
    uint64_t crowded;                        /* [lock] */
    uint64_t now_ns;                         /* [lock] the latest any caller has told */
};

struct limit_names {
    char *site, *name;
    enum limit_use use;
};

struct limit_table {
    struct hash_seed seed;
    uint32_t set_mask;
    uint32_t shard_entries;
    struct limit_entry *entries;
    struct quota_store *quotas;
    struct lock names_lock;
    struct limit_names names[LIMIT_GROUPS]; /* [names_lock] set once each */
    struct limit_shard shards[SHARDS];
};

struct limit_table *limit_table_new(size_t bytes)
{
    struct limit_table *table = mem_new(sizeof(*table));
    size_t sets = 1;
    while (sets * 2 * WAYS * SHARDS * LIMIT_ENTRY_BYTES <= bytes) {
        sets *= 2;
    }
    CHECK(sets <= UINT32_MAX / WAYS / 2);
    random_bytes(&table->seed, sizeof(table->seed));
    table->set_mask = (uint32_t)(sets - 1);
    table->shard_entries = (uint32_t)(sets * WAYS);
    table->entries = mem_new(sets * WAYS * SHARDS * sizeof(*table->entries));
    table->quotas = quota_store_new(clock_wall_ms() / 1000);
    lock_init(&table->names_lock, LOCK_LIMIT);
    table->names[0] = (struct limit_names){.site = mem_copy("-", 1), .name = mem_copy("-", 1)};
    for (unsigned i = 0; i < SHARDS; i++) {
        lock_init(&table->shards[i].lock, LOCK_LIMIT);
        table->shards[i].entries = table->entries + (size_t)i * table->shard_entries;
    }
    return table;
}

void limit_table_free(struct limit_table **table_at)
{
    struct limit_table *table = *table_at;
    *table_at = NULL;
    if (table == NULL) {
        return;
    }
    for (unsigned i = 0; i < SHARDS; i++) {
        lock_fini(&table->shards[i].lock);
    }
    for (unsigned i = 0; i < LIMIT_GROUPS; i++) {
        mem_free(table->names[i].site);
        mem_free(table->names[i].name);
    }
    lock_fini(&table->names_lock);
    quota_store_free(&table->quotas);
    mem_free(table->entries);
    mem_free(table);
}

struct quota_store *limit_quotas(struct limit_table *table)
{
    return table->quotas;
}

/* ---- keys ---- */

/* The group of these names, if need be a new one; 0: none is left. */
static unsigned group_locked(struct limit_table *table, enum limit_use use, struct span site,
                             struct span name)
{
    for (unsigned i = 1; i < LIMIT_GROUPS; i++) {
        struct limit_names *names = &table->names[i];
        if (names->site == NULL) {
            names->site = mem_copy(site.ptr, site.len);
            names->name = mem_copy(name.ptr, name.len);
            names->use = use;
            return i;
        }
        if (names->use == use && span_eq(span_str(names->site), site) &&
            span_eq(span_str(names->name), name)) {
            return i;
        }
    }
    return 0;
}

struct limit_ref limit_register(struct limit_table *table, enum limit_use use, struct span site,
                                struct span name)
{
    const char between = (char)use;
    const struct span parts[] = {site, {.ptr = &between, .len = 1}, name};
    struct limit_ref ref = {.id = hash64_parts(table->seed, parts, ARRAY_LEN(parts))};
    lock_acquire(&table->names_lock);
    ref.group = group_locked(table, use, site, name);
    lock_release(&table->names_lock);
    return ref;
}

struct limit_key limit_key(const struct limit_table *table, const struct limit_ref *ref, char kind,
                           struct span who)
{
    uint64_t id = ref->id;
    struct hash128 of_who;
    char bytes[sizeof(id) + 1 + KEY_BYTES_INLINE];
    if (who.len > KEY_BYTES_INLINE) {
        of_who = hash128(table->seed, who);
        who = span_of((const char *)&of_who, sizeof(of_who));
    }
    memcpy(bytes, &id, sizeof(id));
    bytes[sizeof(id)] = kind;
    if (who.len > 0) {
        memcpy(bytes + sizeof(id) + 1, who.ptr, who.len);
    }
    return (struct limit_key){
        .hash = hash128(table->seed, span_of(bytes, sizeof(id) + 1 + who.len)),
        .group = ref->group,
    };
}

struct span limit_client(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        return span_of((const char *)&four->sin_addr, 4);
    }
    if (address->sa_family != AF_INET6) {
        return span_of(NULL, 0);
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    const char *bytes = (const char *)six->s6_addr;
    return IN6_IS_ADDR_V4MAPPED(six) ? span_of(bytes + 12, 4) : span_of(bytes, 8);
}

/* ---- entries ---- */

/* Workers read the clock once a round: what is now to one may be past to another. Here it never goes
 * back, or the last token of a full bucket would be missing by that difference. */
static uint64_t now_locked(struct limit_shard *shard, uint64_t now_us)
{
    if (shard->now_ns < now_us * 1000) {
        shard->now_ns = now_us * 1000;
    }
    return shard->now_ns;
}

static struct limit_shard *shard_of(struct limit_table *table, const struct limit_key *key)
{
    return &table->shards[key->hash.lo % SHARDS];
}

static struct limit_entry *set_of(const struct limit_table *table, const struct limit_shard *shard,
                                  const struct limit_key *key)
{
    size_t set = (size_t)(key->hash.lo / SHARDS) & table->set_mask;
    return shard->entries + set * WAYS;
}

static bool is_idle(const struct limit_entry *entry, uint64_t now_ns)
{
    return entry->count == 0 && entry->at_ns <= now_ns;
}

static bool is_for(const struct limit_entry *entry, const struct limit_key *key)
{
    return entry->hash.lo == key->hash.lo && entry->hash.hi == key->hash.hi;
}

/* The entry of the key, new or in place of the idle one that was used least recently; or the one
 * that newcomers share. */
static struct limit_entry *entry_take_locked(struct limit_table *table, struct limit_shard *shard,
                                             const struct limit_key *key, uint64_t now_ns)
{
    struct limit_entry *set = set_of(table, shard, key);
    struct limit_entry *oldest = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        if (is_for(&set[i], key)) {
            return &set[i];
        }
        if (is_idle(&set[i], now_ns) && (oldest == NULL || set[i].at_ns < oldest->at_ns)) {
            oldest = &set[i];
        }
    }
    if (oldest == NULL) {
        shard->crowded++;
        return &shard->shared[key->group];
    }
    *oldest = (struct limit_entry){.hash = key->hash};
    return oldest;
}

/* What so many bytes take; bytes at most LIMIT_FLOW_MAX_S. */
static uint64_t flow_ns(uint64_t bytes_s, uint64_t bytes)
{
    uint64_t whole_s = bytes / bytes_s;
    return whole_s * NS_PER_S + (uint64_t)((double)(bytes % bytes_s) * 1e9 / (double)bytes_s);
}

/* ---- token buckets ---- */

struct limit_rate limit_rate(uint32_t count, uint32_t period_s, uint32_t burst)
{
    uint64_t token_ns = (uint64_t)period_s * 1000000000 / count;
    return (struct limit_rate){.token_ns = token_ns, .room_ns = token_ns * burst};
}

static uint64_t take(struct limit_table *table, const struct limit_key *key,
                     const struct limit_rate *rate, uint64_t now_us, bool is_counted)
{
    struct limit_shard *shard = shard_of(table, key);
    uint64_t wait_ns = 0;
    lock_acquire(&shard->lock);
    uint64_t now_ns = now_locked(shard, now_us);
    struct limit_entry *entry = entry_take_locked(table, shard, key, now_ns);
    uint64_t at_ns = entry->at_ns < now_ns ? now_ns : entry->at_ns;
    if (at_ns > now_ns + rate->room_ns) {
        at_ns = now_ns + rate->room_ns; /* the rate was another one */
    }
    if (at_ns + rate->token_ns <= now_ns + rate->room_ns) {
        at_ns += rate->token_ns;
    } else {
        wait_ns = at_ns + rate->token_ns - now_ns - rate->room_ns;
        shard->refused[key->group] += is_counted ? 1 : 0;
    }
    entry->at_ns = at_ns;
    lock_release(&shard->lock);
    return wait_ns;
}

uint64_t limit_take(struct limit_table *table, const struct limit_key *key,
                    const struct limit_rate *rate, uint64_t now_us)
{
    return take(table, key, rate, now_us, true);
}

uint64_t limit_try(struct limit_table *table, const struct limit_key *key,
                   const struct limit_rate *rate, uint64_t now_us)
{
    return take(table, key, rate, now_us, false);
}

/* Fills the bucket by so much, if there is one. */
static void refill(struct limit_table *table, const struct limit_key *key, uint64_t by_ns,
                   uint64_t now_us)
{
    struct limit_shard *shard = shard_of(table, key);
    lock_acquire(&shard->lock);
    uint64_t now_ns = now_locked(shard, now_us);
    struct limit_entry *set = set_of(table, shard, key);
    struct limit_entry *entry = &shard->shared[key->group];
    for (unsigned i = 0; i < WAYS; i++) {
        if (is_for(&set[i], key)) {
            entry = &set[i];
        }
    }
    if (entry->at_ns > now_ns) { /* else it is full, or was forgotten */
        uint64_t owed_ns = entry->at_ns - now_ns;
        entry->at_ns -= owed_ns < by_ns ? owed_ns : by_ns;
    }
    lock_release(&shard->lock);
}

void limit_give_back(struct limit_table *table, const struct limit_key *key,
                     const struct limit_rate *rate, uint64_t now_us)
{
    refill(table, key, rate->token_ns, now_us);
}

/* ---- flows of bytes ---- */

struct limit_flow limit_flow(uint64_t bytes_s, uint64_t burst)
{
    CHECK(bytes_s >= LIMIT_FLOW_MIN_S && bytes_s <= LIMIT_FLOW_MAX_S && burst <= LIMIT_FLOW_MAX_S);
    if (burst == 0) {
        burst = bytes_s / 10 > FLOW_BURST_MIN ? bytes_s / 10 : FLOW_BURST_MIN;
    }
    uint64_t turn = bytes_s / FLOW_TURNS_S < burst / 2 ? bytes_s / FLOW_TURNS_S : burst / 2;
    turn = turn < FLOW_TURN_MAX ? turn : FLOW_TURN_MAX;
    return (struct limit_flow){
        .bytes_s = bytes_s,
        .room_ns = flow_ns(bytes_s, burst),
        .turn = (uint32_t)(turn > FLOW_TURN_MIN ? turn : FLOW_TURN_MIN),
    };
}

uint64_t limit_book(struct limit_table *table, const struct limit_key *key,
                    const struct limit_flow *flow, uint64_t bytes, uint64_t now_us)
{
    struct limit_shard *shard = shard_of(table, key);
    uint64_t cost_ns = flow_ns(flow->bytes_s, bytes);
    lock_acquire(&shard->lock);
    uint64_t now_ns = now_locked(shard, now_us);
    struct limit_entry *entry = entry_take_locked(table, shard, key, now_ns);
    entry->at_ns = (entry->at_ns < now_ns ? now_ns : entry->at_ns) + cost_ns;
    uint64_t from_ns = now_ns + flow->room_ns;
    uint64_t wait_ns = entry->at_ns > from_ns ? entry->at_ns - from_ns : 0;
    shard->refused[key->group] += wait_ns > 0 ? 1 : 0;
    lock_release(&shard->lock);
    return wait_ns;
}

void limit_unbook(struct limit_table *table, const struct limit_key *key,
                  const struct limit_flow *flow, uint64_t bytes, uint64_t now_us)
{
    refill(table, key, flow_ns(flow->bytes_s, bytes), now_us);
}

/* ---- counts ---- */

uint64_t limit_acquire(struct limit_table *table, const struct limit_key *key, uint32_t most,
                       uint64_t now_us)
{
    struct limit_shard *shard = shard_of(table, key);
    uint64_t hold = 0;
    lock_acquire(&shard->lock);
    struct limit_entry *entry = entry_take_locked(table, shard, key, now_locked(shard, now_us));
    if (entry->count < most) {
        bool is_shared = entry == &shard->shared[key->group];
        uint64_t number = is_shared ? key->group : (uint64_t)(entry - shard->entries);
        entry->count++;
        hold = number * SHARDS + (uint64_t)(shard - table->shards) + 1;
        hold |= is_shared ? HOLD_SHARED : 0;
    } else {
        shard->refused[key->group]++;
    }
    lock_release(&shard->lock);
    return hold;
}

void limit_release(struct limit_table *table, uint64_t hold, uint64_t now_us)
{
    uint64_t number = (hold & ~HOLD_SHARED) - 1;
    struct limit_shard *shard = &table->shards[number % SHARDS];
    number /= SHARDS;
    CHECK(hold != 0);
    lock_acquire(&shard->lock);
    struct limit_entry *entry = &shard->shared[number % LIMIT_GROUPS];
    if ((hold & HOLD_SHARED) == 0) {
        entry = &shard->entries[number];
        entry->at_ns = now_locked(shard, now_us);
    }
    CHECK(entry->count > 0);
    entry->count--;
    lock_release(&shard->lock);
}

/* ---- figures ---- */

void limit_table_figures(struct limit_table *table, uint64_t now_us, struct limit_figures *out)
{
    *out = (struct limit_figures){
        .entries = (uint64_t)table->shard_entries * SHARDS,
        .bytes = sizeof(*table) + (uint64_t)table->shard_entries * SHARDS * LIMIT_ENTRY_BYTES,
    };
    for (unsigned i = 0; i < SHARDS; i++) {
        struct limit_shard *shard = &table->shards[i];
        lock_acquire(&shard->lock);
        for (uint32_t j = 0; j < table->shard_entries; j++) {
            out->in_use += is_idle(&shard->entries[j], now_us * 1000) ? 0 : 1;
        }
        out->crowded += shard->crowded;
        lock_release(&shard->lock);
    }
}

uint64_t limit_refused(struct limit_table *table, unsigned group, enum limit_use *use,
                       const char **site, const char **name)
{
    uint64_t sum = 0;
    CHECK(group < LIMIT_GROUPS);
    lock_acquire(&table->names_lock);
    *site = table->names[group].site;
    *name = table->names[group].name;
    *use = table->names[group].use;
    lock_release(&table->names_lock);
    for (unsigned i = 0; i < SHARDS && *site != NULL; i++) {
        lock_acquire(&table->shards[i].lock);
        sum += table->shards[i].refused[group];
        lock_release(&table->shards[i].lock);
    }
    return sum;
}
