/* rearm - each key has one place, the last one to need it has it. */
#include "fill/rearm.h"

#include "base/mem.h"

#define REARM_PLACES 4096u

struct rearm_table {
    struct rearm_place {
        struct hash128 key;
        uint64_t generation;
        int64_t response_time_ms;
        int64_t soft_at_ms;
        uint64_t until_us; /* 0: free */
        enum rearm_grant grant;
    } places[REARM_PLACES];
};

void rearm_note(struct rearm_table **table, const struct rearm_subject *subject,
                enum rearm_grant grant, uint64_t now_us)
{
    if (*table == NULL) {
        *table = mem_new(sizeof(**table));
    }
    (*table)->places[subject->key.lo % REARM_PLACES] = (struct rearm_place){
        .key = subject->key,
        .generation = subject->facts->generation,
        .response_time_ms = subject->facts->response_time_ms,
        .soft_at_ms = subject->soft_at_ms,
        .until_us = now_us + REARM_US,
        .grant = grant,
    };
}

enum rearm_grant rearm_find(const struct rearm_table *table, const struct rearm_subject *subject,
                            uint64_t now_us)
{
    if (table == NULL) {
        return REARM_NONE;
    }
    const struct rearm_place *place = &table->places[subject->key.lo % REARM_PLACES];

    bool is_it = place->until_us > now_us && place->key.lo == subject->key.lo &&
                 place->key.hi == subject->key.hi &&
                 place->generation == subject->facts->generation &&
                 place->response_time_ms == subject->facts->response_time_ms &&
                 place->soft_at_ms == subject->soft_at_ms;

    return is_it ? place->grant : REARM_NONE;
}

void rearm_free(struct rearm_table **table)
{
    mem_free(*table);
    *table = NULL;
}
