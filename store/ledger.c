/* ledger - a list of blocks; 16 bytes per item: position and the top byte of the hash, low half. */
#include "store/ledger.h"

#include "base/check.h"
#include "base/mem.h"

#define LEDGER_BLOCK 2000u

struct ledger_block {
    struct ledger_block *next, *prev;
    uint32_t begin, end;
    struct {
        uint64_t position_top; /* position << 8 | top byte of hash.hi */
        uint64_t hash_lo;
    } items[LEDGER_BLOCK];
};

void ledger_push(struct ledger *ledger, uint64_t position, struct hash128 hash)
{
    struct ledger_block *block = ledger->last;

    if (block == NULL || block->end == LEDGER_BLOCK) {
        block = mem_new(sizeof(*block));
        block->prev = ledger->last;
        if (ledger->last == NULL) {
            ledger->first = block;
        } else {
            ledger->last->next = block;
        }
        ledger->last = block;
    }
    block->items[block->end].position_top = position << 8 | hash.hi >> 56;
    block->items[block->end].hash_lo = hash.lo;
    block->end++;
    ledger->count++;
}

static struct ledger_item ledger_item_at(const struct ledger_block *block, uint32_t i)
{
    return (struct ledger_item){
        .position = block->items[i].position_top >> 8,
        .hash = {.hi = block->items[i].position_top << 56, .lo = block->items[i].hash_lo},
    };
}

static void ledger_unlink(struct ledger *ledger, struct ledger_block *block)
{
    *(block->prev == NULL ? &ledger->first : &block->prev->next) = block->next;
    *(block->next == NULL ? &ledger->last : &block->next->prev) = block->prev;
    mem_free(block);
}

bool ledger_front(const struct ledger *ledger, struct ledger_item *out)
{
    if (ledger->count == 0) {
        return false;
    }
    *out = ledger_item_at(ledger->first, ledger->first->begin);
    return true;
}

void ledger_pop(struct ledger *ledger)
{
    struct ledger_block *block = ledger->first;

    CHECK(ledger->count > 0);
    ledger->count--;
    if (++block->begin == block->end) {
        ledger_unlink(ledger, block);
    }
}

bool ledger_back(const struct ledger *ledger, struct ledger_item *out)
{
    if (ledger->count == 0) {
        return false;
    }
    *out = ledger_item_at(ledger->last, ledger->last->end - 1);
    return true;
}

void ledger_pop_back(struct ledger *ledger)
{
    struct ledger_block *block = ledger->last;

    CHECK(ledger->count > 0);
    ledger->count--;
    if (--block->end == block->begin) {
        ledger_unlink(ledger, block);
    }
}

void ledger_free(struct ledger *ledger)
{
    while (ledger->first != NULL) {
        ledger_unlink(ledger, ledger->first);
    }
    ledger->count = 0;
}

uint64_t ledger_bytes(const struct ledger *ledger)
{
    return ledger->count * 16;
}
