/* budget - see budget.h. */
#include "origin/budget.h"

#define SECOND_US UINT64_C(1000000)

/* The slot of this second; those that are too old are emptied. */
static unsigned slot_at(struct origin_budget *budget, uint64_t now_us)
{
    uint64_t second = now_us / SECOND_US;

    for (unsigned i = 0; i < BUDGET_SECONDS && budget->second < second; i++) {
        budget->second = second - budget->second > BUDGET_SECONDS ? second - BUDGET_SECONDS + 1
                                                                  : budget->second + 1;
        budget->requests[budget->second % BUDGET_SECONDS] = 0;
        budget->retries[budget->second % BUDGET_SECONDS] = 0;
    }
    /* Loops differ by a moment: who is late counts to the latest second. */
    return (unsigned)(budget->second % BUDGET_SECONDS);
}

void origin_budget_request(struct origin_budget *budget, uint64_t now_us)
{
    budget->requests[slot_at(budget, now_us)]++;
}

bool origin_budget_take(struct origin_budget *budget, uint64_t now_us, unsigned percent)
{
    unsigned slot = slot_at(budget, now_us);
    uint64_t requests = 0;
    uint64_t retries = 0;

    for (unsigned i = 0; i < BUDGET_SECONDS; i++) {
        requests += budget->requests[i];
        retries += budget->retries[i];
    }
    bool is_within = (retries + 1) * 100 <= requests * percent;
    bool is_little = retries < (uint64_t)BUDGET_FLOOR * BUDGET_SECONDS &&
                     budget->retries[slot] < BUDGET_FLOOR && percent > 0;
    if (is_within || is_little) {
        budget->retries[slot]++;
        return true;
    }
    return false;
}
