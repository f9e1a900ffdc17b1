/* meter - see meter.h. */
#include "limit/meter.h"

#include "base/check.h"

#define NS_PER_US 1000u
/* Between two looks at a quota that others use up too. */
#define METER_QUOTA_TURN ((uint64_t)64 << 10)

/* Calls go on with the buckets a byte of this side must be in. */
struct walk {
    struct meter *meter;
    enum meter_side side;
    unsigned at;
};

static bool is_spent(const struct meter *meter, const struct meter_quota *quota)
{
    return quota_left(limit_quotas(meter->limits), quota->account) == 0;
}

static const struct meter_flow *walk_next(struct walk *walk)
{
    struct meter *meter = walk->meter;
    while (walk->at < meter->flow_count) {
        const struct meter_flow *flow = &meter->flows[walk->at++];
        if (flow->is_for[walk->side]) {
            return flow;
        }
    }
    while (walk->at < meter->flow_count + meter->quota_count) {
        const struct meter_quota *quota = &meter->quotas[walk->at++ - meter->flow_count];
        if (quota->slow.rate.bytes_s != 0 && quota->counts[walk->side] && is_spent(meter, quota)) {
            return &quota->slow;
        }
    }
    return NULL;
}

/* What the quotas leave of want; 0: one of them ends it. */
static uint64_t quotas_allow(struct meter *meter, enum meter_side side, uint64_t want)
{
    for (unsigned i = 0; i < meter->quota_count; i++) {
        const struct meter_quota *quota = &meter->quotas[i];
        if (!quota->counts[side]) {
            continue;
        }
        uint64_t left = quota_left(limit_quotas(meter->limits), quota->account);
        if (left == 0 && quota->slow.rate.bytes_s == 0) {
            meter->spent = quota_of(quota->account);
            return 0;
        }
        want = left > 0 && left < want ? left : want;
        want = want < METER_QUOTA_TURN ? want : METER_QUOTA_TURN;
    }
    return want;
}

/* Books a turn of at most want bytes, and what is owed, if there is any bucket for it. */
static void book(struct meter *meter, enum meter_side side, uint64_t want, uint64_t now_us)
{
    struct walk walk = {.meter = meter, .side = side};
    const struct meter_flow *flow;
    uint64_t bytes = want;
    uint64_t wait_ns = 0;
    bool is_paced = false;

    while ((flow = walk_next(&walk)) != NULL) {
        bytes = bytes < flow->rate.turn ? bytes : flow->rate.turn;
        is_paced = true;
    }
    meter->is_paced[side] = is_paced;
    if (!is_paced) {
        return;
    }
    bytes += (uint64_t)(-meter->booked[side]);
    walk.at = 0;
    while ((flow = walk_next(&walk)) != NULL) {
        uint64_t wait = limit_book(meter->limits, &flow->key, &flow->rate, bytes, now_us);
        wait_ns = wait > wait_ns ? wait : wait_ns;
    }
    meter->booked[side] += (int64_t)bytes;
    meter->ready_us[side] = now_us + (wait_ns + NS_PER_US - 1) / NS_PER_US;
}

void meter_begin(struct meter *meter)
{
    for (unsigned i = 0; i < meter->flow_count; i++) {
        for (unsigned side = 0; side < METER_SIDES; side++) {
            meter->is_paced[side] = meter->is_paced[side] || meter->flows[i].is_for[side];
        }
    }
}

uint64_t meter_may(struct meter *meter, enum meter_side side, uint64_t want, uint64_t now_us,
                   uint64_t *wait_us)
{
    CHECK(want > 0);
    *wait_us = 0;
    want = quotas_allow(meter, side, want);
    if (want == 0) {
        return 0;
    }
    if (meter->booked[side] <= 0) {
        book(meter, side, want, now_us);
    }
    if (!meter->is_paced[side]) {
        return want;
    }
    if (now_us < meter->ready_us[side]) {
        *wait_us = meter->ready_us[side] - now_us;
        return 0;
    }
    uint64_t booked = (uint64_t)meter->booked[side];
    return want < booked ? want : booked;
}

void meter_moved(struct meter *meter, enum meter_side side, uint64_t bytes)
{
    if (meter->is_paced[side]) {
        meter->booked[side] -= (int64_t)bytes;
    }
    for (unsigned i = 0; i < meter->quota_count; i++) {
        quota_add(meter->quotas[i].account, side == METER_DOWN ? bytes : 0,
                  side == METER_UP ? bytes : 0);
    }
}

void meter_unmoved(struct meter *meter, enum meter_side side, uint64_t bytes)
{
    if (meter->is_paced[side]) {
        meter->booked[side] += (int64_t)bytes;
    }
    for (unsigned i = 0; i < meter->quota_count; i++) {
        quota_take_back(meter->quotas[i].account, side == METER_DOWN ? bytes : 0,
                        side == METER_UP ? bytes : 0);
    }
}

void meter_end(struct meter *meter, uint64_t now_us)
{
    for (unsigned side = 0; side < METER_SIDES; side++) {
        struct walk walk = {.meter = meter, .side = (enum meter_side)side};
        const struct meter_flow *flow;
        int64_t booked = meter->booked[side];
        while (booked != 0 && (flow = walk_next(&walk)) != NULL) {
            if (booked > 0) {
                limit_unbook(meter->limits, &flow->key, &flow->rate, (uint64_t)booked, now_us);
            } else {
                (void)limit_book(meter->limits, &flow->key, &flow->rate, (uint64_t)-booked, now_us);
            }
        }
        meter->booked[side] = 0;
    }
    for (unsigned i = 0; i < meter->quota_count; i++) {
        quota_account_give(&meter->quotas[i].account);
    }
    meter->quota_count = 0;
}
