/* tally - an open-addressing table that is only ever added to; entry 0 is for all beyond its size. */
#include "record/tally.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define TALLY_SLOTS (2 * TALLY_ENTRIES)

struct tally {
    struct hash_seed seed;
    unsigned used;                /* of entry, the worker's */
    uint16_t slot[TALLY_SLOTS];   /* entry + 1, the worker's; 0: free */
    uint64_t hash[TALLY_ENTRIES]; /* the worker's */
    struct tally_entry entry[TALLY_ENTRIES];
};

static char overflow_names[] = "-\0-"; /* never written to */

struct tally *tally_new(void)
{
    struct tally *tally = mem_new(sizeof(*tally));

    random_bytes(&tally->seed, sizeof(tally->seed));
    tally->used = 1;
    return tally;
}

void tally_free(struct tally **tally)
{
    if (*tally == NULL) {
        return;
    }
    for (unsigned i = 1; i < (*tally)->used; i++) {
        mem_free(atomic_load(&(*tally)->entry[i].names));
    }
    mem_free(*tally);
    *tally = NULL;
}

static bool is_named(const struct tally_entry *entry, struct span forward, struct span rule)
{
    const char *names = atomic_load_explicit(&entry->names, memory_order_relaxed);

    return strncmp(names, forward.ptr, forward.len) == 0 && names[forward.len] == '\0' &&
           span_eq(span_str(names + forward.len + 1), rule);
}

static struct tally_entry *entry_add(struct tally *tally, struct span forward, struct span rule)
{
    char *names = mem_new(forward.len + rule.len + 2);

    memcpy(names, forward.ptr, forward.len);
    memcpy(names + forward.len + 1, rule.ptr, rule.len);
    struct tally_entry *entry = &tally->entry[tally->used++];
    atomic_store_explicit(&entry->names, names, memory_order_release);
    return entry;
}

struct tally_entry *tally_of(struct tally *tally, struct span forward, struct span rule)
{
    struct span of_rule = rule.ptr == NULL ? SPAN("") : rule;
    uint64_t hash = hash64(tally->seed, forward) + 31 * hash64(tally->seed, of_rule);
    unsigned at = (unsigned)hash % TALLY_SLOTS;

    for (; tally->slot[at] != 0; at = (at + 1) % TALLY_SLOTS) {
        unsigned i = tally->slot[at] - 1u;
        if (tally->hash[i] == hash && is_named(&tally->entry[i], forward, of_rule)) {
            return &tally->entry[i];
        }
    }
    if (tally->used == TALLY_ENTRIES) {
        atomic_store_explicit(&tally->entry[0].names, overflow_names, memory_order_release);
        return &tally->entry[0];
    }
    tally->hash[tally->used] = hash;
    tally->slot[at] = (uint16_t)(tally->used + 1);
    return entry_add(tally, forward, of_rule);
}

/* ---- read by others ---- */

struct tally_row *tally_sum_want(struct tally_sum *sum, const char *forward, const char *rule)
{
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->row[i].forward, forward) == 0 && strcmp(sum->row[i].rule, rule) == 0) {
            return &sum->row[i];
        }
    }
    if (sum->count == TALLY_ENTRIES) { /* workers know different ones of very many */
        return &sum->row[TALLY_ENTRIES - 1];
    }
    struct tally_row *row = &sum->row[sum->count++];
    *row = (struct tally_row){.forward = forward, .rule = rule};
    return row;
}

void tally_sum_add(struct tally_sum *sum, const struct tally *tally)
{
    for (unsigned i = 0; i < TALLY_ENTRIES; i++) {
        const char *names = atomic_load_explicit(&tally->entry[i].names, memory_order_acquire);
        if (names == NULL) {
            continue; /* the first is used last */
        }
        struct tally_row *row = tally_sum_want(sum, names, names + strlen(names) + 1);
        for (unsigned k = 0; k < TALLY_FIGURES; k++) {
            row->figure[k] +=
                atomic_load_explicit(&tally->entry[i].figure[k], memory_order_relaxed);
        }
    }
}

const struct tally_row *tally_sum_find(const struct tally_sum *sum, const char *forward,
                                       const char *rule)
{
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->row[i].forward, forward) == 0 && strcmp(sum->row[i].rule, rule) == 0) {
            return &sum->row[i];
        }
    }
    return NULL;
}
