/*
 * quota - a hash table of accounts in shards. An account is two counters that workers add to without
 * a lock, and the period they are of: who finds that this is not the period under way takes the lock
 * and sets them to 0. Which periods are under way is worked out by a service thread alone.
 *
 * Accounts in use are referenced; those that are not leave with the period they are of.
 */
#include "limit/quota.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define SHARDS 64u
#define SLOTS 512u /* of a shard: two accounts each when all are there */

struct quota_account {
    struct quota_account *next; /* [lock] in its slot */
    struct quota_store *store;
    struct quota *quota;
    _Atomic int references;
    _Atomic int64_t begin_s; /* of the period that the counters are of */
    _Atomic uint64_t down, up;
    uint64_t hash;
    uint8_t whose; /* enum quota_whose */
    uint8_t who_len;
    char who[];
};

struct quota_shard {
    struct lock lock;
    struct quota_account *slots[SLOTS]; /* [lock] */
};

struct quota_store {
    struct hash_seed seed;
    _Atomic int64_t begin_s[CALENDAR_PERS], end_s[CALENDAR_PERS];
    _Atomic unsigned count; /* of accounts */
    _Atomic uint64_t crowded;
    struct lock names_lock;
    struct quota **quotas; /* [names_lock] */
    size_t quota_count, quota_room;
    struct quota_shard shards[SHARDS];
};

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static int64_t get_time(const _Atomic int64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

const char *quota_whose_name(enum quota_whose whose)
{
    switch (whose) {
    case QUOTA_CLIENT:
        return "client";
    case QUOTA_USER:
        return "user";
    case QUOTA_ALL:
        return "all";
    case QUOTA_OTHERS:
        break;
    }
    return "others";
}

/* ---- the store and its quotas ---- */

struct quota_store *quota_store_new(int64_t now_s)
{
    struct quota_store *store = mem_new(sizeof(*store));

    random_bytes(&store->seed, sizeof(store->seed));
    lock_init(&store->names_lock, LOCK_LIMIT);
    for (unsigned i = 0; i < SHARDS; i++) {
        lock_init(&store->shards[i].lock, LOCK_LIMIT);
    }
    quota_tick(store, now_s);
    return store;
}

static void account_free(struct quota_account *account)
{
    CHECK(atomic_load(&account->references) == 0);
    mem_free(account);
}

static void shard_fini(struct quota_shard *shard)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        while (shard->slots[i] != NULL) {
            struct quota_account *account = shard->slots[i];
            shard->slots[i] = account->next;
            account_free(account);
        }
    }
    lock_fini(&shard->lock);
}

void quota_store_free(struct quota_store **store_at)
{
    struct quota_store *store = *store_at;

    *store_at = NULL;
    if (store == NULL) {
        return;
    }
    for (unsigned i = 0; i < SHARDS; i++) {
        shard_fini(&store->shards[i]);
    }
    for (size_t i = 0; i < store->quota_count; i++) {
        mem_free(span_unconst(store->quotas[i]->site));
        mem_free(span_unconst(store->quotas[i]->name));
        mem_free(store->quotas[i]);
    }
    lock_fini(&store->names_lock);
    mem_free(store->quotas);
    mem_free(store);
}

static struct quota *quota_find_locked(const struct quota_store *store, struct span site,
                                       struct span name, enum calendar_per per)
{
    for (size_t i = 0; i < store->quota_count; i++) {
        struct quota *quota = store->quotas[i];
        if (quota->per == per && span_eq(span_str(quota->site), site) &&
            span_eq(span_str(quota->name), name)) {
            return quota;
        }
    }
    return NULL;
}

/* The quota of these names, new if need be. */
static struct quota *quota_have(struct quota_store *store, struct span site, struct span name,
                                enum calendar_per per)
{
    lock_acquire(&store->names_lock);
    struct quota *quota = quota_find_locked(store, site, name, per);
    if (quota == NULL) {
        if (store->quota_count == store->quota_room) {
            size_t room = store->quota_room == 0 ? 16 : store->quota_room * 2;
            struct quota **list = mem_new(room * sizeof(struct quota *));
            if (store->quota_count > 0) {
                memcpy(list, store->quotas, store->quota_count * sizeof(struct quota *));
            }
            mem_free(store->quotas);
            store->quotas = list;
            store->quota_room = room;
        }
        quota = mem_new(sizeof(*quota));
        quota->site = mem_copy(site.ptr, site.len);
        quota->name = mem_copy(name.ptr, name.len);
        quota->per = per;
        quota->sides = QUOTA_DOWN | QUOTA_UP;
        store->quotas[store->quota_count++] = quota;
    }
    lock_release(&store->names_lock);
    return quota;
}

struct quota *quota_register(struct quota_store *store, struct span site, struct span name,
                             enum calendar_per per, uint64_t limit, unsigned sides)
{
    CHECK(limit > 0 && sides > 0 && sides <= (QUOTA_DOWN | QUOTA_UP));
    struct quota *quota = quota_have(store, site, name, per);
    atomic_store_explicit(&quota->limit, limit, memory_order_relaxed);
    atomic_store_explicit(&quota->sides, sides, memory_order_relaxed);
    return quota;
}

struct quota *quota_at(struct quota_store *store, size_t index)
{
    lock_acquire(&store->names_lock);
    struct quota *quota = index < store->quota_count ? store->quotas[index] : NULL;
    lock_release(&store->names_lock);
    return quota;
}

/* ---- periods ---- */

/* Is an account of this period of one that is over? A clock that was put back a little does not
 * begin the period before once more; one that was wrong by more than a period does. */
static bool is_over(const struct quota_store *store, enum calendar_per per, int64_t begin_s)
{
    int64_t now_s = get_time(&store->begin_s[per]);
    return begin_s < now_s || begin_s - now_s > get_time(&store->end_s[per]) - now_s;
}

/* Does it say nothing, and nobody uses it? */
static bool may_leave(const struct quota_store *store, const struct quota_account *account)
{
    bool is_spent = is_over(store, account->quota->per, get_time(&account->begin_s)) ||
                    (get(&account->down) | get(&account->up)) == 0;
    /* acquire: what its last user wrote, see quota_account_give */
    return is_spent && atomic_load_explicit(&account->references, memory_order_acquire) == 0;
}

static void slot_sweep_locked(struct quota_store *store, struct quota_account **at)
{
    while (*at != NULL) {
        struct quota_account *account = *at;
        if (!may_leave(store, account)) {
            at = &account->next;
            continue;
        }
        *at = account->next;
        if (account->whose != QUOTA_OTHERS) {
            atomic_fetch_sub_explicit(&store->count, 1, memory_order_relaxed);
        }
        mem_free(account);
    }
}

static void sweep(struct quota_store *store)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct quota_shard *shard = &store->shards[i];
        lock_acquire(&shard->lock);
        for (unsigned j = 0; j < SLOTS; j++) {
            slot_sweep_locked(store, &shard->slots[j]);
        }
        lock_release(&shard->lock);
    }
}

void quota_tick(struct quota_store *store, int64_t now_s)
{
    bool has_changed = false;

    for (unsigned i = 0; i < CALENDAR_PERS; i++) {
        if (now_s < get_time(&store->begin_s[i]) || now_s >= get_time(&store->end_s[i])) {
            struct calendar_period period = calendar_period((enum calendar_per)i, now_s);
            atomic_store_explicit(&store->end_s[i], period.end_s, memory_order_relaxed);
            atomic_store_explicit(&store->begin_s[i], period.begin_s, memory_order_relaxed);
            has_changed = true;
        }
    }
    if (has_changed || atomic_load(&store->count) >= QUOTA_ACCOUNTS_MAX) {
        sweep(store);
    }
}

int64_t quota_ends_s(const struct quota_store *store, const struct quota *quota)
{
    return get_time(&store->end_s[quota->per]);
}

/* ---- accounts ---- */

static uint64_t account_hash(const struct quota_store *store, const struct quota *quota,
                             enum quota_whose whose, struct span who)
{
    const char kind = (char)whose;
    const uintptr_t id = (uintptr_t)quota;
    const struct span parts[] = {
        {.ptr = (const char *)&id, .len = sizeof(id)}, {.ptr = &kind, .len = 1}, who};
    return hash64_parts(store->seed, parts, ARRAY_LEN(parts));
}

static struct quota_account **slot_of(struct quota_store *store, uint64_t hash,
                                      struct quota_shard **shard)
{
    *shard = &store->shards[hash % SHARDS];
    return &(*shard)->slots[hash / SHARDS % SLOTS];
}

static struct quota_account *find_locked(struct quota_account *account, const struct quota *quota,
                                         enum quota_whose whose, struct span who, uint64_t hash)
{
    while (account != NULL &&
           (account->hash != hash || account->quota != quota || account->whose != whose ||
            !span_eq(span_of(account->who, account->who_len), who))) {
        account = account->next;
    }
    return account;
}

static bool has_room(struct quota_store *store)
{
    if (atomic_fetch_add_explicit(&store->count, 1, memory_order_relaxed) < QUOTA_ACCOUNTS_MAX) {
        return true;
    }
    atomic_fetch_sub_explicit(&store->count, 1, memory_order_relaxed);
    return false;
}

/* With a reference. make: also a new one; NULL: there is none, or no room. */
static struct quota_account *account_find(struct quota_store *store, struct quota *quota,
                                          enum quota_whose whose, struct span who, bool make)
{
    struct quota_shard *shard;
    who.len = who.len < QUOTA_WHO_BYTES ? who.len : QUOTA_WHO_BYTES - 1;
    uint64_t hash = account_hash(store, quota, whose, who);
    struct quota_account **slot = slot_of(store, hash, &shard);

    lock_acquire(&shard->lock);
    struct quota_account *account = find_locked(*slot, quota, whose, who, hash);
    if (account == NULL && make && (whose == QUOTA_OTHERS || has_room(store))) {
        account = mem_new(sizeof(*account) + who.len);
        account->store = store;
        account->quota = quota;
        account->begin_s = get_time(&store->begin_s[quota->per]);
        account->hash = hash;
        account->whose = (uint8_t)whose;
        account->who_len = (uint8_t)who.len;
        if (who.len > 0) {
            memcpy(account->who, who.ptr, who.len);
        }
        account->next = *slot;
        *slot = account;
    }
    if (account != NULL) {
        atomic_fetch_add_explicit(&account->references, 1, memory_order_relaxed);
    }
    lock_release(&shard->lock);
    return account;
}

struct quota_account *quota_account_take(struct quota_store *store, struct quota *quota,
                                         enum quota_whose whose, struct span who)
{
    struct quota_account *account = account_find(store, quota, whose, who, true);
    if (account == NULL) {
        atomic_fetch_add_explicit(&store->crowded, 1, memory_order_relaxed);
        account = account_find(store, quota, QUOTA_OTHERS, SPAN("-"), true);
    }
    return account;
}

void quota_account_give(struct quota_account **account_at)
{
    struct quota_account *account = *account_at;
    *account_at = NULL;
    /* release: pairs with the acquire in may_leave */
    int before = atomic_fetch_sub_explicit(&account->references, 1, memory_order_release);
    CHECK(before > 0);
}

struct quota *quota_of(const struct quota_account *account)
{
    return account->quota;
}

/* Its counters are those of the period under way. */
static void settle(struct quota_store *store, struct quota_account *account)
{
    enum calendar_per per = account->quota->per;
    if (LIKELY(get_time(&account->begin_s) == get_time(&store->begin_s[per]))) {
        return;
    }
    struct quota_shard *shard = &store->shards[account->hash % SHARDS];
    lock_acquire(&shard->lock);
    if (is_over(store, per, get_time(&account->begin_s))) {
        atomic_store_explicit(&account->down, 0, memory_order_relaxed);
        atomic_store_explicit(&account->up, 0, memory_order_relaxed);
        atomic_store_explicit(&account->begin_s, get_time(&store->begin_s[per]),
                              memory_order_relaxed);
    }
    lock_release(&shard->lock);
}

static uint64_t counted(const struct quota *quota, uint64_t down, uint64_t up)
{
    unsigned sides = atomic_load_explicit(&quota->sides, memory_order_relaxed);
    return ((sides & QUOTA_DOWN) != 0 ? down : 0) + ((sides & QUOTA_UP) != 0 ? up : 0);
}

uint64_t quota_used(struct quota_store *store, struct quota_account *account)
{
    settle(store, account);
    return counted(account->quota, get(&account->down), get(&account->up));
}

uint64_t quota_left(struct quota_store *store, struct quota_account *account)
{
    uint64_t limit = get(&account->quota->limit);
    uint64_t used = quota_used(store, account);
    return used < limit ? limit - used : 0;
}

void quota_add(struct quota_account *account, uint64_t down, uint64_t up)
{
    if (down > 0) {
        atomic_fetch_add_explicit(&account->down, down, memory_order_relaxed);
    }
    if (up > 0) {
        atomic_fetch_add_explicit(&account->up, up, memory_order_relaxed);
    }
}

/* A period that began between the two leaves less to take back. */
static void take_back(_Atomic uint64_t *from, uint64_t bytes)
{
    uint64_t now = atomic_load_explicit(from, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(from, &now, now > bytes ? now - bytes : 0,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void quota_take_back(struct quota_account *account, uint64_t down, uint64_t up)
{
    if (down > 0) {
        take_back(&account->down, down);
    }
    if (up > 0) {
        take_back(&account->up, up);
    }
}

/* ---- for operators and the file ---- */

static void view_make(const struct quota_store *store, const struct quota_account *account,
                      struct quota_view *out)
{
    const struct quota *quota = account->quota;

    *out = (struct quota_view){
        .site = quota->site,
        .name = quota->name,
        .per = quota->per,
        .whose = (enum quota_whose)account->whose,
        .period = {.begin_s = get_time(&account->begin_s),
                   .end_s = get_time(&store->end_s[quota->per])},
        .down = get(&account->down),
        .up = get(&account->up),
        .limit = get(&quota->limit),
    };
    out->used = counted(quota, out->down, out->up);
    memcpy(out->who, account->who, account->who_len);
    out->who[account->who_len] = '\0';
}

static double view_share(const struct quota_view *view)
{
    return view->limit == 0 ? 0 : (double)view->used / (double)view->limit;
}

static int view_compare(const void *left, const void *right)
{
    const struct quota_view *a = left;
    const struct quota_view *b = right;
    double more = view_share(b) - view_share(a);

    if (more < 0 || more > 0) {
        return more < 0 ? -1 : 1;
    }
    if (a->used != b->used) {
        return a->used > b->used ? -1 : 1;
    }
    int order = strcmp(a->site, b->site);
    order = order != 0 ? order : strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->who, b->who);
}

static size_t slot_view_locked(const struct quota_store *store, const struct quota_account *at,
                               struct quota_view *out, size_t room)
{
    size_t count = 0;

    for (; at != NULL && count < room; at = at->next) {
        if (!is_over(store, at->quota->per, get_time(&at->begin_s)) &&
            (get(&at->down) | get(&at->up)) != 0) {
            view_make(store, at, &out[count++]);
        }
    }
    return count;
}

size_t quota_list(struct quota_store *store, struct quota_view **list)
{
    size_t room = (size_t)atomic_load(&store->count) + 1024;
    size_t count = 0;
    struct quota_view *views = mem_new(room * sizeof(*views));

    for (unsigned i = 0; i < SHARDS; i++) {
        struct quota_shard *shard = &store->shards[i];
        lock_acquire(&shard->lock);
        for (unsigned j = 0; j < SLOTS; j++) {
            count += slot_view_locked(store, shard->slots[j], views + count, room - count);
        }
        lock_release(&shard->lock);
    }
    qsort(views, count, sizeof(*views), view_compare);
    *list = views;
    return count;
}

bool quota_reset(struct quota_store *store, struct span site, struct span name,
                 enum quota_whose whose, struct span who)
{
    bool was_there = false;

    for (unsigned i = 0; i < CALENDAR_PERS; i++) {
        lock_acquire(&store->names_lock);
        struct quota *quota = quota_find_locked(store, site, name, (enum calendar_per)i);
        lock_release(&store->names_lock);
        struct quota_account *account =
            quota == NULL ? NULL : account_find(store, quota, whose, who, false);
        if (account != NULL) {
            atomic_store_explicit(&account->down, 0, memory_order_relaxed);
            atomic_store_explicit(&account->up, 0, memory_order_relaxed);
            quota_account_give(&account);
            was_there = true;
        }
    }
    return was_there;
}

bool quota_restore(struct quota_store *store, const struct quota_view *view)
{
    if (is_over(store, view->per, view->period.begin_s)) {
        return false;
    }
    struct quota *quota = quota_have(store, span_str(view->site), span_str(view->name), view->per);
    struct quota_account *account =
        account_find(store, quota, view->whose, span_str(view->who), true);
    if (account == NULL) {
        return false;
    }
    quota_add(account, view->down, view->up);
    quota_account_give(&account);
    return true;
}

void quota_figures(struct quota_store *store, struct quota_figures *out)
{
    *out = (struct quota_figures){
        .accounts = atomic_load_explicit(&store->count, memory_order_relaxed),
        .crowded = get(&store->crowded),
    };
}
