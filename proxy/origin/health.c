/*
 * health - the state machine. What has changed of a status is told in words to whoever holds the
 * lock; who is told logs it later.
 *
 * A new server is up until its first check is over, which decides alone; from then on `rise` and
 * `fall` count. Failures of requests count only while it is up: those that were under way when it
 * was taken out say nothing new.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "origin/health_private.h"

const char *origin_status_name(enum origin_status status)
{
    static const char *const names[ORIGIN_STATUSES] = {
        [ORIGIN_IS_UP] = "up",           [ORIGIN_IS_DOWN] = "down",
        [ORIGIN_IS_EJECTED] = "ejected", [ORIGIN_IS_TRIAL] = "trial",
        [ORIGIN_IS_DRAINED] = "drain",   [ORIGIN_IS_IN_MAINTENANCE] = "maintenance",
    };
    return (unsigned)status < ORIGIN_STATUSES ? names[status] : "unknown";
}

enum origin_status health_status(const struct origin_health *health)
{
    if (health->order != ORIGIN_IS_UP) {
        return health->order;
    }
    return health->is_nameless ? ORIGIN_IS_DOWN : health->phase;
}

static const char *reason_of(const struct origin_health *health)
{
    return health->order != ORIGIN_IS_UP ? health->order_reason : health->reason;
}

/* After something was done: has what is seen of it changed? */
static void finish(struct origin_health *health, enum origin_status before, uint64_t now_us,
                   struct health_change *change)
{
    enum origin_status after = health_status(health);

    *change = (struct health_change){.from = before, .to = after};
    if (after == before) {
        return;
    }
    change->is_any = true;
    if (health->order == ORIGIN_IS_UP) {
        health->who[0] = '\0'; /* nobody's doing; an order says whose it is */
    }
    memcpy(change->reason, reason_of(health), sizeof(change->reason));
    health->changes++;
    health->since_us = now_us;
    health->since_ms = clock_wall_ms();
}

static void go_up(struct origin_health *health, uint64_t now_us)
{
    if (health->phase == ORIGIN_IS_TRIAL || health->phase == ORIGIN_IS_EJECTED) {
        health->back_us = now_us;
    }
    health->phase = ORIGIN_IS_UP;
    health->streak = 0;
    health->until_us = 0;
    memset(health->slots, 0, sizeof(health->slots));
}

/* ---- asking ---- */

bool health_may_ask(const struct origin_health *health, bool is_own)
{
    if (health->order == ORIGIN_IS_IN_MAINTENANCE ||
        (health->order == ORIGIN_IS_DRAINED && !is_own) || health->is_nameless) {
        return false;
    }
    return health->phase == ORIGIN_IS_UP ||
           (health->phase == ORIGIN_IS_TRIAL && health->trials == 0);
}

bool health_take(struct origin_health *health)
{
    if (LIKELY(health->phase != ORIGIN_IS_TRIAL)) {
        return false;
    }
    health->trials++;
    return true;
}

void health_cancel(struct origin_health *health, bool is_trial)
{
    if (is_trial) {
        CHECK(health->trials > 0);
        health->trials--;
    }
}

/* ---- requests ---- */

static uint32_t failure_of(enum fetch_fault fault)
{
    switch (fault) {
    case FETCH_DNS:
    case FETCH_CONNECT_REFUSED:
    case FETCH_CONNECT_TIMEOUT:
    case FETCH_TLS_CERTIFICATE:
    case FETCH_TLS:
        return CONF_FAILURE_CONNECT;
    case FETCH_FIRST_BYTE_TIMEOUT:
    case FETCH_IDLE_TIMEOUT:
    case FETCH_TOTAL_TIMEOUT:
        return CONF_FAILURE_TIMEOUT;
    case FETCH_CLOSED:
    case FETCH_INCOMPLETE:
        return CONF_FAILURE_RESET;
    case FETCH_BAD_RESPONSE:
        return CONF_FAILURE_BAD;
    case FETCH_OK:
    case FETCH_BODY_BAD:
    case FETCH_OUTGOING:
    case FETCH_INTERNAL:
        break;
    }
    return 0;
}

static bool has_status(const struct conf_statuses *statuses, unsigned status)
{
    for (uint32_t i = 0; i < statuses->count; i++) {
        if (status >= statuses->list[i].low && status <= statuses->list[i].high) {
            return true;
        }
    }
    return false;
}

bool health_is_failure(const struct health_rules *rules, const struct origin_outcome *outcome)
{
    const struct conf_failures *on = &rules->eject->on;

    return (failure_of(outcome->fault) & on->faults) != 0 ||
           (outcome->fault == FETCH_OK && !outcome->is_relayed &&
            has_status(&on->statuses, outcome->status));
}

/* Nothing but the network was to blame, and nobody else could be. */
static bool is_broken_connection(const struct origin_outcome *outcome)
{
    return failure_of(outcome->fault) == CONF_FAILURE_CONNECT ||
           (outcome->fault == FETCH_CLOSED && !outcome->head_seen);
}

const char *health_fault_words(enum fetch_fault fault)
{
    static const char *const words[] = {
        [FETCH_DNS] = "no address",
        [FETCH_CONNECT_REFUSED] = "connection refused",
        [FETCH_CONNECT_TIMEOUT] = "connect timed out",
        [FETCH_TLS_CERTIFICATE] = "certificate not valid",
        [FETCH_TLS] = "no TLS",
        [FETCH_FIRST_BYTE_TIMEOUT] = "no answer in time",
        [FETCH_IDLE_TIMEOUT] = "answer stopped",
        [FETCH_TOTAL_TIMEOUT] = "answer took too long",
        [FETCH_CLOSED] = "closed before an answer",
        [FETCH_BAD_RESPONSE] = "malformed answer",
        [FETCH_INCOMPLETE] = "answer cut short",
    };
    const char *found = (unsigned)fault < ARRAY_LEN(words) ? words[fault] : NULL;
    return found == NULL ? "failed" : found;
}

static const char *words_of(const struct origin_outcome *outcome, char room[16])
{
    if (outcome->fault != FETCH_OK) {
        return health_fault_words(outcome->fault);
    }
    (void)snprintf(room, 16, "%u", outcome->status);
    return room;
}

static void take_out(struct origin_health *health, const struct conf_eject *eject, uint64_t now_us)
{
    uint64_t time_us = eject->time_ms * 1000;
    uint64_t max_us = eject->max_time_ms * 1000;

    if (health->back_us == 0 || now_us >= health->back_us + max_us) {
        health->level = 0;
    }
    for (unsigned i = 0; i < health->level && time_us < max_us; i++) {
        time_us *= 2;
    }
    health->until_us = now_us + (time_us < max_us ? time_us : max_us);
    health->level++;
    health->ejections++;
    health->phase = ORIGIN_IS_EJECTED;
    health->streak = 0;
}

/* Does the breaker go? Counts the outcome. */
static bool breaker_goes(struct origin_health *health, const struct conf_breaker *breaker,
                         bool is_failure, uint64_t now_us, struct health_slot *sum)
{
    uint64_t step_us = breaker->within_ms * 1000 / HEALTH_SLOTS;
    uint64_t number = now_us / step_us;
    struct health_slot *own = &health->slots[number % HEALTH_SLOTS];

    if (own->number != number) {
        *own = (struct health_slot){.number = number};
    }
    own->requests++;
    own->failures += is_failure;
    *sum = (struct health_slot){0};
    for (unsigned i = 0; is_failure && i < HEALTH_SLOTS; i++) {
        const struct health_slot *slot = &health->slots[i];
        if (slot->number + HEALTH_SLOTS > number) {
            sum->requests += slot->requests;
            sum->failures += slot->failures;
        }
    }
    return is_failure && sum->requests >= breaker->requests &&
           (uint64_t)sum->failures * 100 >= (uint64_t)breaker->errors * sum->requests;
}

static void note_streak(struct origin_health *health, const struct conf_eject *eject,
                        bool is_failure, uint64_t now_us)
{
    if (!is_failure) {
        health->streak = 0;
        return;
    }
    if (health->streak == 0 || now_us > health->streak_since_us + eject->within_ms * 1000) {
        health->streak = 0;
        health->streak_since_us = now_us;
    }
    health->streak++;
}

/* While it is up. */
static void count(struct origin_health *health, const struct health_rules *rules,
                  const struct origin_outcome *outcome, bool may_go, uint64_t now_us)
{
    bool is_failure = health_is_failure(rules, outcome);
    struct health_slot sum = {0};
    char room[16];

    note_streak(health, rules->eject, is_failure, now_us);
    bool goes =
        rules->breaker->is_on && breaker_goes(health, rules->breaker, is_failure, now_us, &sum);
    if (!is_failure || !may_go) {
        return;
    }
    if (rules->is_ejecting && health->streak >= rules->eject->fails) {
        (void)snprintf(health->reason, sizeof(health->reason), "%u errors in a row, last: %s",
                       health->streak, words_of(outcome, room));
        take_out(health, rules->eject, now_us);
    } else if (goes) {
        (void)snprintf(health->reason, sizeof(health->reason), "%u of %u requests failed, last: %s",
                       sum.failures, sum.requests, words_of(outcome, room));
        take_out(health, rules->eject, now_us);
    }
}

void health_outcome(struct origin_health *health, const struct health_rules *rules,
                    const struct health_ended *ended, uint64_t now_us, struct health_change *change)
{
    const struct origin_outcome *outcome = ended->outcome;
    enum origin_status before = health_status(health);
    bool may_go = !ended->is_last || is_broken_connection(outcome);
    char room[16];

    health_cancel(health, ended->is_trial);
    if (health->phase == ORIGIN_IS_UP) {
        count(health, rules, outcome, may_go, now_us);
    } else if (health->phase == ORIGIN_IS_TRIAL && ended->is_trial) {
        bool failed = may_go && health_is_failure(rules, outcome);
        (void)snprintf(health->reason, sizeof(health->reason),
                       failed ? "the trial request failed: %s" : "the trial request went well: %s",
                       words_of(outcome, room));
        if (failed) {
            health->back_us = now_us; /* no quiet time */
            take_out(health, rules->eject, now_us);
        } else {
            go_up(health, now_us);
        }
    }
    finish(health, before, now_us, change);
}

/* ---- checks ---- */

static void begin_trial(struct origin_health *health, const char *why)
{
    health->phase = ORIGIN_IS_TRIAL;
    (void)snprintf(health->reason, sizeof(health->reason), "%s; the next request decides", why);
}

static void note_check(struct origin_health *health, const struct health_result *result)
{
    health->is_passed = result->is_passed;
    health->checked_ms = clock_wall_ms();
    health->check_took_us = result->took_us;
    (void)snprintf(health->check_detail, sizeof(health->check_detail), "%s", result->detail);
    if (result->is_passed) {
        health->check_passed++;
    } else {
        health->check_failed++;
    }
}

void health_checked(struct origin_health *health, const struct conf_probe *probe,
                    const struct health_result *result, uint64_t now_us,
                    struct health_change *change)
{
    enum origin_status before = health_status(health);
    bool is_first = !health->was_checked;

    note_check(health, result);
    health->was_checked = true;
    health->passes = result->is_passed ? health->passes + 1 : 0;
    health->fails = result->is_passed ? 0 : health->fails + 1;
    if (result->is_passed) {
        if (health->phase == ORIGIN_IS_DOWN && health->passes >= probe->rise) {
            (void)snprintf(health->reason, sizeof(health->reason), "%u check%s passed: %s",
                           health->passes, health->passes == 1 ? "" : "s", result->detail);
            go_up(health, now_us);
        } else if (health->phase == ORIGIN_IS_EJECTED && now_us >= health->until_us) {
            begin_trial(health, "a check passed");
        }
    } else if (health->phase != ORIGIN_IS_DOWN && (is_first || health->fails >= probe->fall)) {
        (void)snprintf(health->reason, sizeof(health->reason), "%u check%s failed: %s",
                       health->fails, health->fails == 1 ? "" : "s", result->detail);
        health->phase = ORIGIN_IS_DOWN;
        health->until_us = 0;
    }
    finish(health, before, now_us, change);
}

void health_knocked(struct origin_health *health, const struct health_rules *rules,
                    const struct health_result *result, uint64_t now_us,
                    struct health_change *change)
{
    enum origin_status before = health_status(health);

    note_check(health, result);
    if (health->phase == ORIGIN_IS_EJECTED && now_us >= health->until_us) {
        if (result->is_passed) {
            begin_trial(health, "it takes connections");
        } else {
            health->until_us = now_us + rules->eject->time_ms * 1000;
        }
    }
    finish(health, before, now_us, change);
}

/* ---- from outside ---- */

void health_order(struct origin_health *health, enum origin_status status, const char *who,
                  const char *reason, uint64_t now_us, struct health_change *change)
{
    enum origin_status before = health_status(health);

    health->order = status;
    (void)snprintf(health->order_reason, sizeof(health->order_reason), "%s", reason);
    if (status == ORIGIN_IS_UP) {
        (void)snprintf(health->reason, sizeof(health->reason), "%s", reason);
        go_up(health, now_us);
        health->passes = health->fails = health->level = 0;
    }
    finish(health, before, now_us, change);
    (void)snprintf(health->who, sizeof(health->who), "%s", who);
}

void health_name(struct origin_health *health, bool is_nameless, const char *reason,
                 uint64_t now_us, struct health_change *change)
{
    enum origin_status before = health_status(health);

    if (health->is_nameless != is_nameless) {
        health->is_nameless = is_nameless;
        (void)snprintf(health->reason, sizeof(health->reason), "%s", reason);
    }
    finish(health, before, now_us, change);
}

void health_settle(struct origin_health *health, const struct conf_probe *probe,
                   const struct health_rules *rules, uint64_t now_us, struct health_change *change)
{
    enum origin_status before = health_status(health);
    bool is_out = health->phase == ORIGIN_IS_EJECTED || health->phase == ORIGIN_IS_TRIAL;

    if (health->phase == ORIGIN_IS_DOWN && probe->kind == CONF_PROBE_OFF) {
        (void)snprintf(health->reason, sizeof(health->reason), "no longer checked");
        go_up(health, now_us);
    } else if (is_out && !rules->is_ejecting && !rules->breaker->is_on) {
        (void)snprintf(health->reason, sizeof(health->reason), "no longer ejected");
        go_up(health, now_us);
    }
    if (probe->kind == CONF_PROBE_OFF) {
        health->was_checked = false;
        health->passes = health->fails = 0;
        health->checked_ms = 0;
    }
    finish(health, before, now_us, change);
}

void health_show(const struct origin_health *health, const struct conf_probe *probe,
                 struct origin_health_view *out)
{
    *out = (struct origin_health_view){
        .status = health_status(health),
        .since_ms = health->since_ms,
        .since_us = health->since_us,
        .changes = health->changes,
        .ejections = health->ejections,
        .ejected_until_us = health->phase == ORIGIN_IS_EJECTED ? health->until_us : 0,
        .check = {.is_on = probe != NULL && probe->kind != CONF_PROBE_OFF,
                  .is_passed = health->is_passed,
                  .at_ms = health->checked_ms,
                  .took_us = health->check_took_us,
                  .passed = health->check_passed,
                  .failed = health->check_failed},
    };
    memcpy(out->reason, reason_of(health), sizeof(out->reason));
    memcpy(out->who, health->who, sizeof(out->who));
    memcpy(out->check.detail, health->check_detail, sizeof(out->check.detail));
}
