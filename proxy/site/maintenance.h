#ifndef SITE_MAINTENANCE_H
#define SITE_MAINTENANCE_H
/*
 * maintenance - which sites are switched to maintenance at run time: a flag per counters slot, set by
 * the operators' side, read by every worker with each request.
 *
 * Threads: any; a flag says nothing about other memory.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "record/counters.h"

struct maintenance {
    _Atomic bool on[COUNTERS_SITES];
};

static inline bool maintenance_is_on(const struct maintenance *maintenance, unsigned slot)
{
    return atomic_load_explicit(&maintenance->on[slot], memory_order_relaxed);
}
#endif
