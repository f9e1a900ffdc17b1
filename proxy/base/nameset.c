/*
 * nameset - open addressing, at most two thirds full. A slot holds where the name stands in the blob
 * and 32 bits of its hash beside those that chose the slot, so that a name that is not there costs
 * one cache line. The hash is made from the last byte to the first: the hashes of all domains of a
 * host are stations on the way to its own.
 *
 * Names come from the operator's lists, only questions from outside: nobody can make chains longer.
 */
#include "base/nameset.h"

#include "base/check.h"
#include "base/mem.h"

#define HASH_START 0x9e3779b97f4a7c15u
#define HASH_STEP 0x100000001b3u
#define HASH_MIX 0xff51afd7ed558ccdu
#define LABELS_MAX 128u /* of a name of 253 bytes: 127 */
#define SLOTS_MIN ((size_t)16)
#define BLOB_MIN ((size_t)1024)
/* In the blob, before the name: its length, its forms. */
#define ENTRY_HEAD ((size_t)2)

struct slot {
    uint32_t tag;
    uint32_t at; /* of the entry in the blob, plus 1; 0: free */
};

struct nameset {
    struct slot *slots; /* NULL: none yet */
    size_t slot_count;  /* a power of two */
    size_t count;
    uint8_t *blob;
    size_t blob_len, blob_size;
    uint64_t depths[2]; /* a bit for each number of labels (from 0) that a name has */
};

static uint64_t hash_step(uint64_t hash, char c)
{
    return (hash ^ (uint8_t)c) * HASH_STEP;
}

static uint64_t hash_end(uint64_t hash)
{
    hash = (hash ^ (hash >> 32)) * HASH_MIX;
    return hash ^ (hash >> 29);
}

static uint64_t hash_of(struct span name)
{
    uint64_t hash = HASH_START;
    for (size_t i = name.len; i > 0; i--) {
        hash = hash_step(hash, name.ptr[i - 1]);
    }
    return hash_end(hash);
}

static struct span entry_name(const struct nameset *set, uint32_t at)
{
    const uint8_t *entry = set->blob + at - 1;
    return span_of((const char *)entry + ENTRY_HEAD, entry[0]);
}

/* The slot of a name, or the free one where it would be. */
static struct slot *slot_find(const struct nameset *set, uint64_t hash, struct span name)
{
    size_t mask = set->slot_count - 1;
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t i = (size_t)hash & mask;

    while (set->slots[i].at != 0) {
        if (set->slots[i].tag == tag && span_eq(entry_name(set, set->slots[i].at), name)) {
            break;
        }
        i = (i + 1) & mask;
    }
    return &set->slots[i];
}

static bool slots_resize(struct nameset *set, size_t count)
{
    struct slot *slots = mem_try(count * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    memset(slots, 0, count * sizeof(*slots));
    mem_free(set->slots);
    set->slots = slots;
    set->slot_count = count;
    for (size_t at = 0; at < set->blob_len; at += ENTRY_HEAD + set->blob[at]) {
        uint64_t hash = hash_of(entry_name(set, (uint32_t)at + 1));
        size_t i = (size_t)hash & (count - 1);
        while (slots[i].at != 0) {
            i = (i + 1) & (count - 1);
        }
        slots[i] = (struct slot){.tag = (uint32_t)(hash >> 32), .at = (uint32_t)at + 1};
    }
    return true;
}

static size_t slots_for(size_t names)
{
    size_t count = SLOTS_MIN;
    while (count < names + names / 2) {
        count *= 2;
    }
    return count;
}

struct nameset *nameset_new(size_t room)
{
    struct nameset *set = mem_new(sizeof(*set));
    if (room > 0) {
        (void)slots_resize(set, slots_for(room)); /* refused: later, by and by */
    }
    return set;
}

static bool blob_reserve(struct nameset *set, size_t more)
{
    size_t wanted = set->blob_len + more;
    if (wanted <= set->blob_size) {
        return true;
    }
    size_t size = set->blob_size == 0 ? BLOB_MIN : set->blob_size * 2;
    size = size > UINT32_MAX ? UINT32_MAX : size;
    uint8_t *blob = size < wanted ? NULL : mem_try_resize(set->blob, size);
    if (blob == NULL) {
        return false;
    }
    set->blob = blob;
    set->blob_size = size;
    return true;
}

static unsigned labels_of(struct span name)
{
    unsigned dots = 0;
    for (size_t i = 0; i < name.len; i++) {
        dots += name.ptr[i] == '.' ? 1 : 0;
    }
    return dots;
}

bool nameset_add(struct nameset *set, struct span name, unsigned forms)
{
    CHECK(name.len > 0 && name.len <= NAMESET_NAME_MAX_BYTES);
    if (set->count + set->count / 2 >= set->slot_count &&
        !slots_resize(set, slots_for(set->count * 2))) {
        return false;
    }
    uint64_t hash = hash_of(name);
    struct slot *slot = slot_find(set, hash, name);
    if (slot->at != 0) {
        set->blob[slot->at] |= (uint8_t)forms;
        return true;
    }
    if (!blob_reserve(set, ENTRY_HEAD + name.len)) {
        return false;
    }
    uint8_t *entry = set->blob + set->blob_len;
    entry[0] = (uint8_t)name.len;
    entry[1] = (uint8_t)forms;
    memcpy(entry + ENTRY_HEAD, name.ptr, name.len);
    *slot = (struct slot){.tag = (uint32_t)(hash >> 32), .at = (uint32_t)set->blob_len + 1};
    set->blob_len += ENTRY_HEAD + name.len;
    set->count++;
    unsigned labels = labels_of(name);
    labels = labels < LABELS_MAX ? labels : LABELS_MAX - 1;
    set->depths[labels / 64] |= (uint64_t)1 << (labels % 64);
    return true;
}

void nameset_settle(struct nameset *set)
{
    size_t wanted = slots_for(set->count);
    if (wanted < set->slot_count) {
        (void)slots_resize(set, wanted);
    }
    if (set->blob_len > 0) {
        uint8_t *blob = mem_try_resize(set->blob, set->blob_len);
        set->blob = blob == NULL ? set->blob : blob;
        set->blob_size = set->blob_len;
    }
}

/* Is this domain of a host there, in a form that holds the host? */
static bool has_domain(const struct nameset *set, uint64_t hash, struct span domain,
                       unsigned labels, unsigned form)
{
    if ((set->depths[labels / 64] >> (labels % 64) & 1) == 0) {
        return false;
    }
    const struct slot *slot = slot_find(set, hash_end(hash), domain);
    return slot->at != 0 && (set->blob[slot->at] & form) != 0;
}

bool nameset_has(const struct nameset *set, struct span host)
{
    uint64_t hash = HASH_START;
    unsigned labels = 0;

    if (set->count == 0 || host.len == 0 || host.len > NAMESET_NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = host.len; i > 0; i--) {
        char c = host.ptr[i - 1];
        if (c == '.') {
            if (has_domain(set, hash, span_of(host.ptr + i, host.len - i), labels, NAMESET_BELOW)) {
                return true;
            }
            labels = labels + 1 < LABELS_MAX ? labels + 1 : labels;
        }
        hash = hash_step(hash, c);
    }
    return has_domain(set, hash, host, labels, NAMESET_EXACT);
}

size_t nameset_count(const struct nameset *set)
{
    return set->count;
}

size_t nameset_bytes(const struct nameset *set)
{
    return sizeof(*set) + set->slot_count * sizeof(*set->slots) + set->blob_size;
}

void nameset_free(struct nameset **set_at)
{
    struct nameset *set = *set_at;
    *set_at = NULL;
    if (set != NULL) {
        mem_free(set->slots);
        mem_free(set->blob);
        mem_free(set);
    }
}
