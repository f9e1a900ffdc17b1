#ifndef BASE_NETSET_H
#define BASE_NETSET_H
/*
 * netset - networks in an order of precedence, for "which of them decides about this address": of
 * those that hold it, the one with the lowest number. Compiled to disjoint ranges, so that a lookup
 * is one binary search however long the list is and however its networks overlap: 17 steps for
 * 100,000 of them.
 *
 * Memory: two ranges a network at most, of 8 bytes (IPv4) or 20 bytes (IPv6).
 * Threads: any may look things up. Ownership: what a set points to lies in the arena it was built in.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"

#define NETSET_NONE UINT32_MAX

struct netset_network {
    uint8_t address[16]; /* network order; IPv4 in the first 4; bits behind the prefix are zero */
    uint8_t bits;        /* prefix length, at most 32 or 128 */
    bool v6;
    uint32_t number; /* below NETSET_NONE; several networks may share one */
};

struct netset_v6 {
    uint64_t high, low;
};

/* Ranges: each from its start to the next one's. */
struct netset {
    const uint32_t *v4_starts;
    const uint32_t *v4_numbers;
    size_t v4_count;
    const struct netset_v6 *v6_starts;
    const uint32_t *v6_numbers;
    size_t v6_count;
};

/* Sorts the networks where they lie. False: no memory; *out is then empty. */
bool netset_build(struct netset *out, struct arena *arena, struct netset_network *networks,
                  size_t count);
/* The number that decides, or NETSET_NONE. IPv4 mapped into IPv6 counts as IPv4. */
uint32_t netset_find(const struct netset *set, const struct sockaddr *address);
/* The same for the first address of a network. */
uint32_t netset_find_first(const struct netset *set, const struct netset_network *network);
/* Marks in seen (room for every number used) the numbers that decide about some address. */
void netset_reach(const struct netset *set, bool *seen);

/* The 4 or 16 address bytes of a socket address, mapped IPv4 as IPv4; NULL: neither family. */
const uint8_t *netset_bytes(const struct sockaddr *address, bool *v6);
#endif
