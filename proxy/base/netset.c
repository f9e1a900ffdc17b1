/*
 * netset - prefixes either hold one another or are apart. Sorted by where they begin, the outer one
 * first, a stack of those that are open says at every boundary who decides from there on.
 */
#include "base/netset.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* The prefix lengths of one family, each open once at most. */
#define OPEN_MAX 129

static uint64_t read_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* IPv4 stands in the upper half of high. */
static struct netset_v6 first_of(const struct netset_network *network)
{
    return (struct netset_v6){.high = read_u64(network->address),
                              .low = network->v6 ? read_u64(network->address + 8) : 0};
}

static struct netset_v6 last_of(const struct netset_network *network)
{
    struct netset_v6 at = first_of(network);
    unsigned bits = network->bits;
    if (bits < 64) {
        at.high |= UINT64_MAX >> bits;
        at.low = UINT64_MAX;
    } else if (bits < 128) {
        at.low |= UINT64_MAX >> (bits - 64);
    }
    return at;
}

static int order_of(struct netset_v6 a, struct netset_v6 b)
{
    if (a.high != b.high) {
        return a.high < b.high ? -1 : 1;
    }
    return a.low < b.low ? -1 : a.low > b.low;
}

static int compare(const void *left, const void *right)
{
    const struct netset_network *a = left;
    const struct netset_network *b = right;
    int order = order_of(first_of(a), first_of(b));
    if (a->v6 != b->v6) {
        return a->v6 ? 1 : -1;
    }
    if (order != 0) {
        return order;
    }
    if (a->bits != b->bits) {
        return a->bits < b->bits ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

struct sweep {
    struct {
        struct netset_v6 last;
        uint32_t number; /* decides inside, as far as nothing narrower says otherwise */
    } open[OPEN_MAX];
    unsigned depth;
    struct netset_v6 *starts;
    uint32_t *numbers;
    size_t count;
};

static void sweep_emit(struct sweep *sweep, struct netset_v6 start, uint32_t number)
{
    if (sweep->count > 0 && order_of(sweep->starts[sweep->count - 1], start) == 0) {
        sweep->count--; /* nothing lies between the two boundaries */
    }
    if (sweep->count > 0 ? sweep->numbers[sweep->count - 1] == number : number == NETSET_NONE) {
        return;
    }
    sweep->starts[sweep->count] = start;
    sweep->numbers[sweep->count] = number;
    sweep->count++;
}

/* Closes the innermost network. */
static void sweep_close(struct sweep *sweep)
{
    struct netset_v6 next = sweep->open[--sweep->depth].last;
    if (++next.low == 0 && ++next.high == 0) {
        return; /* it reached to the last address there is */
    }
    sweep_emit(sweep, next, sweep->depth == 0 ? NETSET_NONE : sweep->open[sweep->depth - 1].number);
}

static void sweep_open(struct sweep *sweep, const struct netset_network *network)
{
    struct netset_v6 first = first_of(network);
    struct netset_v6 last = last_of(network);
    uint32_t number = network->number;
    while (sweep->depth > 0 && order_of(sweep->open[sweep->depth - 1].last, first) < 0) {
        sweep_close(sweep);
    }
    if (sweep->depth > 0) {
        uint32_t outer = sweep->open[sweep->depth - 1].number;
        number = outer < number ? outer : number;
        /* The same network again: the lower number stood first. */
        if (order_of(sweep->open[sweep->depth - 1].last, last) == 0 && number == outer) {
            return;
        }
    }
    CHECK(sweep->depth < OPEN_MAX);
    sweep->open[sweep->depth].last = last;
    sweep->open[sweep->depth].number = number;
    sweep->depth++;
    sweep_emit(sweep, first, number);
}

static void sweep_run(struct sweep *sweep, const struct netset_network *networks, size_t count)
{
    sweep->depth = 0;
    sweep->count = 0;
    for (size_t i = 0; i < count; i++) {
        sweep_open(sweep, &networks[i]);
    }
    while (sweep->depth > 0) {
        sweep_close(sweep);
    }
}

/* Into exactly as much room of the arena as is needed. */
static bool keep_v4(struct netset *out, struct arena *arena, const struct sweep *sweep)
{
    uint32_t *starts = arena_alloc(arena, sweep->count * sizeof(*starts) + 1);
    uint32_t *numbers = arena_alloc(arena, sweep->count * sizeof(*numbers) + 1);
    if (starts == NULL || numbers == NULL) {
        return false;
    }
    for (size_t i = 0; i < sweep->count; i++) {
        starts[i] = (uint32_t)(sweep->starts[i].high >> 32);
        numbers[i] = sweep->numbers[i];
    }
    out->v4_starts = starts;
    out->v4_numbers = numbers;
    out->v4_count = sweep->count;
    return true;
}

static bool keep_v6(struct netset *out, struct arena *arena, const struct sweep *sweep)
{
    struct netset_v6 *starts = arena_alloc(arena, sweep->count * sizeof(*starts) + 1);
    uint32_t *numbers = arena_alloc(arena, sweep->count * sizeof(*numbers) + 1);
    if (starts == NULL || numbers == NULL) {
        return false;
    }
    memcpy(starts, sweep->starts, sweep->count * sizeof(*starts));
    memcpy(numbers, sweep->numbers, sweep->count * sizeof(*numbers));
    out->v6_starts = starts;
    out->v6_numbers = numbers;
    out->v6_count = sweep->count;
    return true;
}

bool netset_build(struct netset *out, struct arena *arena, struct netset_network *networks,
                  size_t count)
{
    size_t v4 = 0;
    struct sweep sweep = {0};
    *out = (struct netset){0};
    if (count == 0) {
        return true;
    }
    qsort(networks, count, sizeof(*networks), compare);
    while (v4 < count && !networks[v4].v6) {
        v4++;
    }
    sweep.starts = mem_try((count * 2 + 1) * sizeof(*sweep.starts));
    sweep.numbers = mem_try((count * 2 + 1) * sizeof(*sweep.numbers));
    bool good = sweep.starts != NULL && sweep.numbers != NULL;
    if (good) {
        sweep_run(&sweep, networks, v4);
        good = keep_v4(out, arena, &sweep);
    }
    if (good) {
        sweep_run(&sweep, networks + v4, count - v4);
        good = keep_v6(out, arena, &sweep);
    }
    mem_free(sweep.starts);
    mem_free(sweep.numbers);
    if (!good) {
        *out = (struct netset){0};
    }
    return good;
}

const uint8_t *netset_bytes(const struct sockaddr *address, bool *v6)
{
    *v6 = false;
    if (address->sa_family == AF_INET) {
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    }
    if (address->sa_family != AF_INET6) {
        return NULL;
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    *v6 = !IN6_IS_ADDR_V4MAPPED(six);
    return six->s6_addr + (*v6 ? 0 : 12);
}

static uint32_t find_v4(const struct netset *set, uint32_t address)
{
    size_t low = 0;
    size_t high = set->v4_count;
    while (low < high) { /* the last start that is not beyond the address */
        size_t middle = low + (high - low) / 2;
        if (set->v4_starts[middle] <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NETSET_NONE : set->v4_numbers[low - 1];
}

static uint32_t find_v6(const struct netset *set, struct netset_v6 address)
{
    size_t low = 0;
    size_t high = set->v6_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_of(set->v6_starts[middle], address) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NETSET_NONE : set->v6_numbers[low - 1];
}

static uint32_t find_bytes(const struct netset *set, const uint8_t *bytes, bool v6)
{
    if (v6) {
        return find_v6(set,
                       (struct netset_v6){.high = read_u64(bytes), .low = read_u64(bytes + 8)});
    }
    return find_v4(set, (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                            (uint32_t)bytes[2] << 8 | bytes[3]);
}

uint32_t netset_find(const struct netset *set, const struct sockaddr *address)
{
    bool v6;
    const uint8_t *bytes = netset_bytes(address, &v6);
    return bytes == NULL ? NETSET_NONE : find_bytes(set, bytes, v6);
}

uint32_t netset_find_first(const struct netset *set, const struct netset_network *network)
{
    return find_bytes(set, network->address, network->v6);
}

void netset_reach(const struct netset *set, bool *seen)
{
    for (size_t i = 0; i < set->v4_count + set->v6_count; i++) {
        uint32_t number =
            i < set->v4_count ? set->v4_numbers[i] : set->v6_numbers[i - set->v4_count];
        if (number != NETSET_NONE) {
            seen[number] = true;
        }
    }
}
