#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H
/*
 * ledger - which objects begin where in the log, in order of position: what leaves when the oldest
 * file goes. Items of objects long replaced stay until their position goes; they cost 16 bytes.
 *
 * Threads: one owner at a time. Ownership: ledger_free.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct ledger_block;

struct ledger {
    struct ledger_block *first, *last;
    uint64_t count;
};

struct ledger_item {
    uint64_t position;
    struct hash128 hash; /* hi: only the top byte */
};

/* Positions must not fall. */
void ledger_push(struct ledger *ledger, uint64_t position, struct hash128 hash);
bool ledger_front(const struct ledger *ledger, struct ledger_item *out);
void ledger_pop(struct ledger *ledger);
bool ledger_back(const struct ledger *ledger, struct ledger_item *out);
void ledger_pop_back(struct ledger *ledger);
void ledger_free(struct ledger *ledger);
uint64_t ledger_bytes(const struct ledger *ledger);
#endif
