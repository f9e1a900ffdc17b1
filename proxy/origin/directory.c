/*
 * directory - see directory.h. A table of chains with as many slots as there may be names, and a
 * list from the name that was asked for longest ago to the latest: the first one nobody looks up
 * makes room for a new one.
 */
#include "origin/directory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "origin/directory_private.h"

#define EVICT_LOOK_MAX 64u /* names looked at for one that may go */

struct directory_wait {
    struct mail mail;
    struct list node; /* name->waits; [lock] */
    struct directory *directory;
    struct mailbox *mailbox;
    bool wants_all;
    bool is_told;            /* [lock] the mail is on its way */
    void (*wake)(void *ctx); /* NULL: cancelled; the loop's */
    void *ctx;
};

/* ---- addresses ---- */

static void address_set(struct sockaddr_storage *out, bool is_v6, const uint8_t *bytes)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

    memset(out, 0, sizeof(*out));
    if (is_v6) {
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, bytes, 16);
    } else {
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, bytes, 4);
    }
}

static bool address_is(const struct directory_address *address, const struct sockaddr *other)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)other;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)other;

    if (address->is_v6) {
        return other->sa_family == AF_INET6 && memcmp(address->bytes, &v6->sin6_addr, 16) == 0;
    }
    return other->sa_family == AF_INET && memcmp(address->bytes, &v4->sin_addr, 4) == 0;
}

/* ---- the table ---- */

static struct directory_name **slot_of(const struct directory *directory, uint64_t hash)
{
    return &directory->slots[hash % DIRECTORY_NAMES_MAX];
}

/* [lock] */
static struct directory_name *name_find(const struct directory *directory, struct span host,
                                        uint64_t hash)
{
    for (struct directory_name *at = *slot_of(directory, hash); at != NULL; at = at->next) {
        if (at->hash == hash && span_eq(span_of(at->text, at->len), host)) {
            return at;
        }
    }
    return NULL;
}

/* [lock] */
static void name_drop(struct directory *directory, struct directory_name *name)
{
    struct directory_name **at = slot_of(directory, name->hash);

    while (*at != name) {
        at = &(*at)->next;
    }
    *at = name->next;
    list_remove(&name->recent);
    directory->figures.names--;
    mem_free(name);
}

/* [lock] Makes room for one more. False: they are all being looked up. */
static bool name_room(struct directory *directory)
{
    struct list *at = directory->recent.next;

    for (unsigned i = 0; directory->figures.names >= DIRECTORY_NAMES_MAX; i++, at = at->next) {
        if (at == &directory->recent || i >= EVICT_LOOK_MAX) {
            return false;
        }
        struct directory_name *name = CONTAINER_OF(at, struct directory_name, recent);
        if (!name->is_sought) {
            name_drop(directory, name);
            return true;
        }
    }
    return true;
}

/* [lock] NULL: there is no room. */
static struct directory_name *name_new(struct directory *directory, struct span host, uint64_t hash)
{
    if (!name_room(directory)) {
        return NULL;
    }
    struct directory_name *name = mem_new(sizeof(*name) + host.len + 1);
    list_init(&name->recent);
    list_init(&name->wanted);
    list_init(&name->waits);
    name->hash = hash;
    name->answer = DIRECTORY_WAIT;
    name->len = host.len;
    memcpy(name->text, host.ptr, host.len);
    name->next = *slot_of(directory, hash);
    *slot_of(directory, hash) = name;
    list_push(&directory->recent, &name->recent);
    directory->figures.names++;
    return name;
}

/* ---- asking ---- */

/* [lock] Those that work first. */
static unsigned addresses_copy(const struct directory_name *name, struct directory_address *out,
                               uint64_t now_us)
{
    unsigned count = 0;

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < name->count; i++) {
            if ((name->list[i].broken_until_us > now_us) == (round == 1)) {
                out[count++] = name->list[i];
            }
        }
    }
    return count;
}

static bool is_failure(const struct directory_name *name)
{
    return name->answer == DIRECTORY_FAILED || name->answer == DIRECTORY_SILENT;
}

/* [lock] Of the last answer; WAIT: it counts no more. */
static enum directory_answer known(const struct directory *directory,
                                   const struct directory_name *name, uint64_t now_us)
{
    bool is_forgotten =
        name->answer != DIRECTORY_FOUND && name->answered_us < directory->forgotten_us;

    return now_us < name->until_us && !is_forgotten ? (enum directory_answer)name->answer
                                                    : DIRECTORY_WAIT;
}

static bool has_stale(const struct directory_name *name, uint64_t now_us)
{
    return name->count > 0 && now_us < name->stale_until_us;
}

/* [lock] False: there are too many. */
static bool seek(struct directory *directory, struct directory_name *name)
{
    if (name->is_sought) {
        return true;
    }
    if (directory->figures.looking_up >= DIRECTORY_LOOKUPS_MAX) {
        return false;
    }
    name->is_sought = true;
    name->is_late = name->failures > 0; /* not waited for again and again */
    list_push(&directory->wanted, &name->wanted);
    directory->figures.looking_up++;
    return true;
}

/* [lock] FOUND: its addresses are to be used. */
static enum directory_answer look(struct directory *directory, struct directory_name *name,
                                  bool wants_all, uint64_t now_us)
{
    enum directory_answer answer = known(directory, name, now_us);

    if (wants_all && name->is_partial) {
        return DIRECTORY_WAIT; /* its lookup is under way */
    }
    if (answer == DIRECTORY_FOUND || answer == DIRECTORY_NONE) {
        directory->figures.answers++;
        return answer;
    }
    if (answer == DIRECTORY_WAIT) {
        answer = !directory->is_open     ? DIRECTORY_FAILED
                 : seek(directory, name) ? DIRECTORY_WAIT
                                         : DIRECTORY_BUSY;
    } else {
        directory->figures.answers++;
    }
    if (has_stale(name, now_us) && (answer != DIRECTORY_WAIT || name->is_late)) {
        directory->figures.stale++;
        return DIRECTORY_FOUND;
    }
    directory->figures.busy += answer == DIRECTORY_BUSY;
    return answer;
}

/* In the loop of who waits. */
static void on_mail(struct mail *mail)
{
    struct directory_wait *wait = CONTAINER_OF(mail, struct directory_wait, mail);
    void (*wake)(void *ctx) = wait->wake;
    void *ctx = wait->ctx;

    mem_free(wait);
    if (wake != NULL) {
        wake(ctx);
    }
}

/* [lock] */
static struct directory_wait *wait_new(struct directory *directory, struct directory_name *name,
                                       const struct directory_asker *asker)
{
    struct directory_wait *wait = mem_new(sizeof(*wait));

    wait->mail.deliver = on_mail;
    wait->directory = directory;
    wait->mailbox = loop_mailbox(asker->loop);
    wait->wake = asker->wake;
    wait->ctx = asker->ctx;
    wait->wants_all = asker->wants_all;
    list_push(&name->waits, &wait->node);
    return wait;
}

/* [lock] Is the watch thread to be told? */
static bool must_stir(struct directory *directory)
{
    bool must = !directory->is_stirred && !list_is_empty(&directory->wanted);

    directory->is_stirred = directory->is_stirred || must;
    return must;
}

/* What is there, with its place among those asked for; NULL: there is no room. [lock] */
static struct directory_name *name_touch(struct directory *directory, struct span host)
{
    uint64_t hash = hash64(directory->seed, host);
    struct directory_name *name = name_find(directory, host, hash);

    if (name == NULL) {
        return name_new(directory, host, hash);
    }
    list_remove(&name->recent);
    list_push(&directory->recent, &name->recent);
    return name;
}

/* Of a name, into list and *count. */
static enum directory_answer find_name(struct directory *directory, struct span host,
                                       const struct directory_asker *asker,
                                       struct directory_wait **wait, struct directory_address *list,
                                       struct directory_addresses *out)
{
    uint64_t now_us = loop_now_us(asker->loop);

    lock_acquire(&directory->lock);
    struct directory_name *name = name_touch(directory, host);
    enum directory_answer answer =
        name == NULL ? DIRECTORY_BUSY : look(directory, name, asker->wants_all, now_us);
    out->count = answer == DIRECTORY_FOUND ? addresses_copy(name, list, now_us) : 0;
    out->is_partial = answer == DIRECTORY_FOUND && name->is_partial;
    *wait = answer == DIRECTORY_WAIT ? wait_new(directory, name, asker) : NULL;
    bool stirs = must_stir(directory);
    lock_release(&directory->lock);
    if (stirs) {
        mailbox_post(directory->mailbox, &directory->stir);
    }
    return answer;
}

/* Without the dot of the root (RFC 1034 3.1). */
static struct span without_root(struct span host)
{
    bool has_root = host.len > 1 && host.ptr[host.len - 1] == '.';

    return span_of(host.ptr, host.len - has_root);
}

enum directory_answer directory_find(struct directory *directory, struct span host,
                                     struct directory_addresses *out,
                                     const struct directory_asker *asker,
                                     struct directory_wait **wait)
{
    struct directory_address list[DIRECTORY_ADDRESSES_MAX];
    enum directory_answer answer = DIRECTORY_FOUND;

    *wait = NULL;
    out->count = 1;
    out->is_partial = false;
    host = without_root(host);
    if (!directory_is_literal(host, &list[0])) {
        out->count = 0;
        if (!directory_is_name(host)) {
            return DIRECTORY_NONE;
        }
        answer = find_name(directory, host, asker, wait, list, out);
    }
    for (unsigned i = 0; i < out->count; i++) {
        address_set(&out->list[i], list[i].is_v6, list[i].bytes);
    }
    return answer;
}

void directory_cancel(struct directory_wait **wait_at)
{
    struct directory_wait *wait = *wait_at;

    *wait_at = NULL;
    if (wait == NULL) {
        return;
    }
    lock_acquire(&wait->directory->lock);
    bool is_told = wait->is_told;
    if (!is_told) {
        list_remove(&wait->node);
    }
    lock_release(&wait->directory->lock);
    wait->wake = NULL;
    if (!is_told) {
        mem_free(wait);
    } /* else its mail frees it */
}

void directory_note(struct directory *directory, struct span host, const struct sockaddr *address,
                    bool is_broken, uint64_t now_us)
{
    host = without_root(host);
    lock_acquire(&directory->lock);
    struct directory_name *name = name_find(directory, host, hash64(directory->seed, host));
    for (unsigned i = 0; name != NULL && i < name->count; i++) {
        if (address_is(&name->list[i], address)) {
            name->list[i].broken_until_us =
                is_broken ? now_us + DIRECTORY_BROKEN_S * DIRECTORY_SECOND_US : 0;
        }
    }
    lock_release(&directory->lock);
}

void directory_figures(struct directory *directory, struct directory_figures *out)
{
    lock_acquire(&directory->lock);
    *out = directory->figures;
    lock_release(&directory->lock);
}

/* ---- answers ---- */

struct directory_name *directory_next(struct directory *directory)
{
    lock_acquire(&directory->lock);
    directory->is_stirred = directory->is_stirred && !list_is_empty(&directory->wanted);
    struct list *node = list_pop(&directory->wanted);
    directory->figures.lookups += node != NULL;
    lock_release(&directory->lock);
    return node == NULL ? NULL : CONTAINER_OF(node, struct directory_name, wanted);
}

/* [lock] Whoever waits will be told, outside of it. is_over: those who want all as well. */
static void waits_take(struct directory_name *name, bool is_over, struct list *out)
{
    struct list *node = name->waits.next;

    while (node != &name->waits) {
        struct directory_wait *wait = CONTAINER_OF(node, struct directory_wait, node);
        node = node->next;
        if (is_over || !wait->wants_all) {
            wait->is_told = true;
            list_remove(&wait->node);
            list_push(out, &wait->node);
        }
    }
}

static void waits_tell(struct list *waits)
{
    struct list *node;

    while ((node = list_pop(waits)) != NULL) {
        struct directory_wait *wait = CONTAINER_OF(node, struct directory_wait, node);
        mailbox_post(wait->mailbox, &wait->mail);
    }
}

void directory_late(struct directory *directory, struct directory_name *name)
{
    struct list told;

    list_init(&told);
    lock_acquire(&directory->lock);
    name->is_late = true;
    if (name->count > 0) {
        waits_take(name, false, &told);
    }
    lock_release(&directory->lock);
    waits_tell(&told);
}

/* [lock] The addresses it has now; what is known to be broken stays so. */
static void take_found(struct directory_name *name, const struct names_result *result)
{
    struct directory_address old[DIRECTORY_ADDRESSES_MAX];
    unsigned old_count = name->count;

    memcpy(old, name->list, sizeof(old));
    name->count = 0;
    for (unsigned i = 0; i < result->count && name->count < DIRECTORY_ADDRESSES_MAX; i++) {
        struct directory_address *own = &name->list[name->count];
        if (!directory_address_read(own, result->addresses[i])) {
            continue;
        }
        name->count++;
        for (unsigned j = 0; j < old_count; j++) {
            if (old[j].is_v6 == own->is_v6 &&
                memcmp(old[j].bytes, own->bytes, sizeof(own->bytes)) == 0) {
                own->broken_until_us = old[j].broken_until_us;
            }
        }
    }
}

/* [lock] Seconds for which a failure counts. */
static uint32_t failure_s(struct directory_name *name)
{
    uint32_t wait_s = 1u << (name->failures < 5 ? name->failures : 5);

    name->failures = (uint8_t)(name->failures < 5 ? name->failures + 1 : 5);
    return wait_s < DIRECTORY_FAILURE_MAX_S ? wait_s : DIRECTORY_FAILURE_MAX_S;
}

/* [lock] Returns for how long it counts. */
static uint32_t take_answer(struct directory *directory, struct directory_name *name,
                            const struct names_result *result, uint32_t ttl_s)
{
    switch (result->answer) {
    case NAMES_FOUND:
        take_found(name, result);
        name->answer = name->count > 0 ? DIRECTORY_FOUND : DIRECTORY_NONE;
        name->failures = 0;
        return ttl_s < 1 ? 1 : ttl_s > DIRECTORY_TTL_MAX_S ? DIRECTORY_TTL_MAX_S : ttl_s;
    case NAMES_NEGATIVE:
        name->answer = DIRECTORY_NONE; /* also over a good one (RFC 8767 section 4) */
        name->count = 0;
        name->failures = 0;
        directory->figures.negatives++;
        return DIRECTORY_NEGATIVE_S;
    case NAMES_FAILED:
        break;
    }
    name->answer = result->is_silent ? DIRECTORY_SILENT : DIRECTORY_FAILED;
    directory->figures.timeouts += result->is_silent;
    directory->figures.failures += !result->is_silent;
    return failure_s(name);
}

/* [lock] From when on and for how long the answer counts. */
static void note_time(struct directory_name *name, uint32_t counts_s, uint64_t now_us)
{
    name->answered_us = now_us;
    name->until_us = now_us + counts_s * DIRECTORY_SECOND_US;
    if (!is_failure(name)) {
        name->stale_until_us = name->until_us + DIRECTORY_STALE_S * DIRECTORY_SECOND_US;
    }
}

void directory_part(struct directory *directory, struct directory_name *name,
                    const struct names_result *result, uint32_t ttl_s, uint64_t now_us)
{
    struct list told;

    list_init(&told);
    lock_acquire(&directory->lock);
    CHECK(name->is_sought && result->answer == NAMES_FOUND);
    uint32_t counts_s = take_answer(directory, name, result, ttl_s);
    note_time(name, counts_s, now_us);
    name->is_partial = true;
    waits_take(name, false, &told);
    lock_release(&directory->lock);
    waits_tell(&told);
}

void directory_answer(struct directory *directory, struct directory_name *name,
                      const struct names_result *result, uint32_t ttl_s, uint64_t now_us)
{
    struct list told;

    list_init(&told);
    lock_acquire(&directory->lock);
    CHECK(name->is_sought && directory->figures.looking_up > 0);
    uint32_t counts_s = take_answer(directory, name, result, ttl_s);
    note_time(name, counts_s, now_us);
    name->is_sought = false;
    name->is_late = false;
    name->is_partial = false;
    directory->figures.looking_up--;
    waits_take(name, true, &told);
    lock_release(&directory->lock);
    waits_tell(&told);
}

/* ---- life ---- */

struct directory *directory_new(void)
{
    struct directory *directory = mem_new(sizeof(*directory));

    lock_init(&directory->lock, LOCK_DIRECTORY);
    random_bytes(&directory->seed, sizeof(directory->seed));
    directory->slots = mem_new(DIRECTORY_NAMES_MAX * sizeof(struct directory_name *));
    list_init(&directory->recent);
    list_init(&directory->wanted);
    list_init(&directory->searches);
    return directory;
}

void directory_free(struct directory **directory_at)
{
    struct directory *directory = *directory_at;

    *directory_at = NULL;
    if (directory == NULL) {
        return;
    }
    CHECK(!directory->is_open);
    while (!list_is_empty(&directory->recent)) {
        struct directory_name *name =
            CONTAINER_OF(directory->recent.next, struct directory_name, recent);
        CHECK(list_is_empty(&name->waits));
        name_drop(directory, name);
    }
    lock_fini(&directory->lock);
    mem_free(directory->slots);
    mem_free(directory);
}
