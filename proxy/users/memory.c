/*
 * memory - what was found out, by keyed hash: a table of sets, searched one after another. Right and
 * wrong ones have room of their own, so that guesses push out nobody who has proven himself.
 */
#include <string.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"
#include "users/users_private.h"

#define SHARDS 16u
#define WAYS 8u
#define WRONG_PART 4u
/* A client that goes on sending the same wrong password is told from here meanwhile. */
#define WRONG_US ((uint64_t)60 * 1000000)

struct entry {
    uint8_t mac[USERS_MAC_BYTES];
    uint64_t at_us; /* right: last used; wrong: found out. 0: free */
};

struct table {
    struct entry *entries; /* of all shards, those of a shard in a row */
    size_t sets;           /* of one shard; a power of two */
};

struct users_memory {
    struct table right, wrong; /* their entries: [the shard's lock] */
    struct lock locks[SHARDS];
};

static void table_init(struct table *table, size_t entries)
{
    table->sets = entries / (SHARDS * WAYS);
    table->sets = table->sets == 0 ? 1 : table->sets;
    CHECK((table->sets & (table->sets - 1)) == 0);
    table->entries = mem_new(table->sets * SHARDS * WAYS * sizeof(*table->entries));
}

struct users_memory *users_memory_new(size_t entries)
{
    struct users_memory *memory = mem_new(sizeof(*memory));

    table_init(&memory->right, entries);
    table_init(&memory->wrong, entries / WRONG_PART);
    for (unsigned i = 0; i < SHARDS; i++) {
        lock_init(&memory->locks[i], LOCK_USERS);
    }
    return memory;
}

void users_memory_free(struct users_memory **memory_at)
{
    struct users_memory *memory = *memory_at;

    *memory_at = NULL;
    if (memory == NULL) {
        return;
    }
    for (unsigned i = 0; i < SHARDS; i++) {
        lock_fini(&memory->locks[i]);
    }
    mem_free(memory->right.entries);
    mem_free(memory->wrong.entries);
    mem_free(memory);
}

static unsigned shard_of(const uint8_t *mac)
{
    return mac[0] % SHARDS;
}

static struct entry *set_of(const struct table *table, const uint8_t *mac)
{
    uint32_t number;

    memcpy(&number, mac + 1, sizeof(number));
    size_t set = shard_of(mac) * table->sets + (number & (table->sets - 1));
    return table->entries + set * WAYS;
}

/* [lock] NULL: it is not there. */
static struct entry *find_locked(const struct table *table, const uint8_t *mac)
{
    struct entry *set = set_of(table, mac);

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].at_us != 0 && memcmp(set[i].mac, mac, USERS_MAC_BYTES) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

/* Clocks of two threads may differ by a round of a loop. */
static bool is_within(const struct entry *entry, uint64_t keep_us, uint64_t now_us)
{
    return entry != NULL && (now_us <= entry->at_us || now_us - entry->at_us <= keep_us);
}

enum users_answer users_memory_find(struct users_memory *memory, const uint8_t *mac,
                                    uint64_t keep_us, uint64_t now_us)
{
    struct lock *lock = &memory->locks[shard_of(mac)];
    enum users_answer answer = USERS_NEW;

    lock_acquire(lock);
    struct entry *entry = find_locked(&memory->right, mac);
    if (is_within(entry, keep_us, now_us)) {
        entry->at_us = now_us > entry->at_us ? now_us : entry->at_us;
        answer = USERS_RIGHT;
    } else if (is_within(find_locked(&memory->wrong, mac), WRONG_US, now_us)) {
        answer = USERS_WRONG;
    }
    lock_release(lock);
    return answer;
}

void users_memory_put(struct users_memory *memory, const uint8_t *mac, bool is_right,
                      uint64_t now_us)
{
    const struct table *table = is_right ? &memory->right : &memory->wrong;
    struct lock *lock = &memory->locks[shard_of(mac)];

    lock_acquire(lock);
    struct entry *entry = find_locked(table, mac);
    if (entry == NULL) {
        struct entry *set = set_of(table, mac);
        entry = set;
        for (unsigned i = 1; i < WAYS; i++) {
            entry = set[i].at_us < entry->at_us ? &set[i] : entry;
        }
        memcpy(entry->mac, mac, USERS_MAC_BYTES);
    }
    entry->at_us = now_us == 0 ? 1 : now_us;
    lock_release(lock);
}
