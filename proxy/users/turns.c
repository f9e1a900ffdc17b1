/* turns - two rings of clients with something waiting, and a table of who failed. */
#include "users/turns.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define SETS 256u
#define WAYS 4u

struct turns_client {
    struct list node; /* in its ring; the first one is next */
    struct list items;
    unsigned count; /* of items, > 0 */
    bool has_failed;
    uint8_t who[TURNS_WHO_MAX];
    size_t who_len;
};

struct failed {
    uint64_t hash;
    uint64_t at_us; /* 0: free */
};

struct turns {
    struct list rings[2];   /* by has_failed */
    unsigned served_in_row; /* of the first ring while the second one waits */
    struct hash_seed seed;  /* so that nobody chooses whom he pushes out of the table */
    struct failed failed[SETS][WAYS];
};

struct turns *turns_new(void)
{
    struct turns *turns = mem_new(sizeof(*turns));

    list_init(&turns->rings[0]);
    list_init(&turns->rings[1]);
    random_bytes(&turns->seed, sizeof(turns->seed));
    return turns;
}

void turns_free(struct turns **turns_at)
{
    struct turns *turns = *turns_at;

    *turns_at = NULL;
    if (turns != NULL) {
        CHECK(list_is_empty(&turns->rings[0]) && list_is_empty(&turns->rings[1]));
        mem_free(turns);
    }
}

/* ---- who failed ---- */

static struct failed *failed_find(struct turns *turns, uint64_t hash)
{
    struct failed *set = turns->failed[hash % SETS];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].at_us != 0 && set[i].hash == hash) {
            return &set[i];
        }
    }
    return NULL;
}

static bool has_failed(struct turns *turns, struct span who, uint64_t now_us)
{
    const struct failed *entry = failed_find(turns, hash64(turns->seed, who));

    return entry != NULL && (now_us <= entry->at_us || now_us - entry->at_us <= TURNS_FAILED_US);
}

static void failed_put(struct turns *turns, uint64_t hash, uint64_t now_us)
{
    struct failed *entry = failed_find(turns, hash);

    if (entry == NULL) {
        struct failed *set = turns->failed[hash % SETS];
        entry = set;
        for (unsigned i = 1; i < WAYS; i++) {
            entry = set[i].at_us < entry->at_us ? &set[i] : entry;
        }
        entry->hash = hash;
    }
    entry->at_us = now_us == 0 ? 1 : now_us;
}

/* ---- clients ---- */

static struct turns_client *client_find(struct turns *turns, struct span who)
{
    for (unsigned ring = 0; ring < 2; ring++) {
        struct list *head = &turns->rings[ring];
        for (struct list *at = head->next; at != head; at = at->next) {
            struct turns_client *client = CONTAINER_OF(at, struct turns_client, node);
            if (span_eq(span_of((const char *)client->who, client->who_len), who)) {
                return client;
            }
        }
    }
    return NULL;
}

/* At the end of the ring it belongs to. */
static void client_line_up(struct turns *turns, struct turns_client *client)
{
    list_remove(&client->node);
    list_push(&turns->rings[client->has_failed], &client->node);
}

static struct turns_client *client_new(struct turns *turns, struct span who, uint64_t now_us)
{
    struct turns_client *client = mem_new(sizeof(*client));

    CHECK(who.len <= TURNS_WHO_MAX);
    list_init(&client->node);
    list_init(&client->items);
    client->who_len = who.len;
    if (who.len > 0) {
        memcpy(client->who, who.ptr, who.len);
    }
    client->has_failed = has_failed(turns, who, now_us);
    client_line_up(turns, client);
    return client;
}

void turns_note(struct turns *turns, struct span who, bool is_right, uint64_t now_us)
{
    uint64_t hash = hash64(turns->seed, who);
    struct failed *entry = failed_find(turns, hash);
    struct turns_client *client = client_find(turns, who);

    if (!is_right) {
        failed_put(turns, hash, now_us);
    } else if (entry != NULL) {
        entry->at_us = 0;
    }
    if (client != NULL && client->has_failed == is_right) {
        client->has_failed = !is_right;
        client_line_up(turns, client);
    }
}

/* ---- items ---- */

void turns_add(struct turns *turns, struct turns_item *item, struct span who, uint64_t now_us)
{
    struct turns_client *client = client_find(turns, who);

    CHECK(item->client == NULL);
    if (client == NULL) {
        client = client_new(turns, who, now_us);
    }
    list_push(&client->items, &item->node);
    client->count++;
    item->client = client;
}

void turns_remove(struct turns_item *item)
{
    struct turns_client *client = item->client;

    if (client == NULL) {
        return;
    }
    list_remove(&item->node);
    item->client = NULL;
    if (--client->count == 0) {
        list_remove(&client->node);
        mem_free(client);
    }
}

/* Whose turn it is; NULL: nobody waits. */
static struct turns_client *client_next(struct turns *turns)
{
    bool waits[2] = {!list_is_empty(&turns->rings[0]), !list_is_empty(&turns->rings[1])};
    bool is_behind = waits[1] && (!waits[0] || turns->served_in_row >= TURNS_BEHIND - 1);

    if (!waits[0] && !waits[1]) {
        return NULL;
    }
    turns->served_in_row = is_behind || !waits[1] ? 0 : turns->served_in_row + 1;
    return CONTAINER_OF(turns->rings[is_behind].next, struct turns_client, node);
}

struct turns_item *turns_next(struct turns *turns)
{
    struct turns_client *client = client_next(turns);

    if (client == NULL) {
        return NULL;
    }
    struct turns_item *item = CONTAINER_OF(client->items.next, struct turns_item, node);
    client_line_up(turns, client);
    turns_remove(item);
    return item;
}

static unsigned weight(unsigned count, bool has_failed)
{
    return count * 2 + has_failed;
}

/* The heaviest one of a ring that is heavier than *most, which it is then; else NULL. */
static struct turns_client *ring_heaviest(const struct list *ring, unsigned *most)
{
    struct turns_client *found = NULL;

    for (struct list *at = ring->next; at != ring; at = at->next) {
        struct turns_client *client = CONTAINER_OF(at, struct turns_client, node);
        if (weight(client->count, client->has_failed) > *most) {
            *most = weight(client->count, client->has_failed);
            found = client;
        }
    }
    return found;
}

struct turns_item *turns_least(struct turns *turns, struct span who, uint64_t now_us)
{
    const struct turns_client *own = client_find(turns, who);
    unsigned most = own == NULL ? weight(1, has_failed(turns, who, now_us))
                                : weight(own->count + 1, own->has_failed);
    const struct turns_client *first = ring_heaviest(&turns->rings[0], &most);
    const struct turns_client *behind = ring_heaviest(&turns->rings[1], &most);
    const struct turns_client *found = behind != NULL ? behind : first;

    return found == NULL ? NULL : CONTAINER_OF(found->items.prev, struct turns_item, node);
}
