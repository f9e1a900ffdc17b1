/* site_state - see site_state.h. */
#include "worker/site_state.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"

void site_state_init(struct site_state *state)
{
    lock_init(&state->lock, LOCK_STATS);
}

void site_state_fini(struct site_state *state)
{
    lock_fini(&state->lock);
}

void site_state_maintain(struct site_state *state, unsigned slot, bool on, const char *reason,
                         const char *by)
{
    CHECK(slot > 0 && slot < COUNTERS_SITES);
    struct site_note *note = &state->notes[slot];
    lock_acquire(&state->lock);
    if (note->on != on || note->since_ms == 0) {
        note->since_ms = clock_wall_ms();
    }
    note->on = on;
    (void)snprintf(note->reason, sizeof(note->reason), "%s", on ? reason : "");
    (void)snprintf(note->by, sizeof(note->by), "%s", by);
    atomic_store_explicit(&state->maintenance.on[slot], on, memory_order_relaxed);
    lock_release(&state->lock);
}

void site_state_get(struct site_state *state, unsigned slot, struct site_note *out)
{
    CHECK(slot < COUNTERS_SITES);
    lock_acquire(&state->lock);
    *out = state->notes[slot];
    lock_release(&state->lock);
}
