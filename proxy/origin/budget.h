#ifndef ORIGIN_BUDGET_H
#define ORIGIN_BUDGET_H
/*
 * budget - how many requests of a pool may be sent again: a share of those of the last ten seconds,
 * so that retries do not multiply what an ailing pool is asked.
 *
 * Pure: times are handed in, and never go back. Threads: the caller's lock.
 */
#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SECONDS 10u
/* With so few requests that the share is less, so many may be sent again in a second. */
#define BUDGET_FLOOR 3u

struct origin_budget {
    uint64_t second; /* the last one that was counted in */
    uint32_t requests[BUDGET_SECONDS], retries[BUDGET_SECONDS];
};

/* A request is sent for the first time. */
void origin_budget_request(struct origin_budget *budget, uint64_t now_us);
/* May one be sent again? Then it is counted. */
bool origin_budget_take(struct origin_budget *budget, uint64_t now_us, unsigned percent);
#endif
