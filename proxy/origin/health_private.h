#ifndef ORIGIN_HEALTH_PRIVATE_H
#define ORIGIN_HEALTH_PRIVATE_H
/*
 * health_private - the state machine of one server: no locks, no clock but the wall's for a since,
 * no other servers. Under the lock of the server's pool.
 */
#include "conf/conf.h"
#include "origin/health.h"
#include "origin/origin.h"

#define HEALTH_SLOTS 10u

/* The breaker's window is made of steps. */
struct health_slot {
    uint64_t number; /* of the step, from the clock */
    uint32_t requests, failures;
};

/* All zero: up, nothing known. */
struct origin_health {
    enum origin_status phase;               /* UP, DOWN, EJECTED or TRIAL */
    enum origin_status order;               /* the operator's DRAINED or IN_MAINTENANCE; UP: none */
    bool is_nameless;                       /* its name has no address */
    char reason[ORIGIN_REASON_BYTES];       /* of the phase */
    char order_reason[ORIGIN_REASON_BYTES]; /* of the order */
    char who[ORIGIN_WHO_BYTES];             /* of the last order */
    int64_t since_ms;
    uint64_t since_us;
    uint64_t changes;
    /* ---- checks ---- */
    bool was_checked;
    bool is_passed;         /* the last one */
    unsigned passes, fails; /* in a row; one of them is 0 */
    int64_t checked_ms;
    uint64_t check_took_us;
    char check_detail[96];
    uint64_t check_passed, check_failed;
    /* ---- requests ---- */
    unsigned streak;          /* failures in a row */
    uint64_t streak_since_us; /* of the first of them */
    struct health_slot slots[HEALTH_SLOTS];
    unsigned trials; /* under way */
    unsigned level;  /* ejections without a quiet time between */
    uint64_t until_us;
    uint64_t back_us; /* from the last one */
    uint64_t ejections;
};

/* What is said of a status that has changed; logged outside of the lock. */
struct health_change {
    bool is_any;
    enum origin_status from, to;
    char reason[ORIGIN_REASON_BYTES];
};

/* What takes this server out. */
struct health_rules {
    const struct conf_eject *eject;     /* never NULL */
    bool is_ejecting;                   /* by failures in a row */
    const struct conf_breaker *breaker; /* never NULL */
};

/* "connect timed out" */
const char *health_fault_words(enum fetch_fault fault);
enum origin_status health_status(const struct origin_health *health);
/* is_own: by a client that is to stay with this server. */
bool health_may_ask(const struct origin_health *health, bool is_own);
/* One more request. Is it a trial? */
bool health_take(struct origin_health *health);
bool health_is_failure(const struct health_rules *rules, const struct origin_outcome *outcome);

/* A request that is over. */
struct health_ended {
    const struct origin_outcome *outcome;
    bool is_trial;
    bool is_last; /* there is no other that may be asked, and a bad one is better than none: only
                     broken connections count */
};

void health_outcome(struct origin_health *health, const struct health_rules *rules,
                    const struct health_ended *ended, uint64_t now_us,
                    struct health_change *change);
/* A trial that says nothing. */
void health_cancel(struct origin_health *health, bool is_trial);

struct health_result {
    bool is_passed;
    bool is_unasked; /* we had no descriptor or memory: nothing is known of the server */
    uint64_t took_us;
    const char *detail;
};

/* A check is over. */
void health_checked(struct origin_health *health, const struct conf_probe *probe,
                    const struct health_result *result, uint64_t now_us,
                    struct health_change *change);
/* The watch has connected to an ejected server without `check`, or could not. */
void health_knocked(struct origin_health *health, const struct health_rules *rules,
                    const struct health_result *result, uint64_t now_us,
                    struct health_change *change);
void health_order(struct origin_health *health, enum origin_status status, const char *who,
                  const char *reason, uint64_t now_us, struct health_change *change);
void health_name(struct origin_health *health, bool is_nameless, const char *reason,
                 uint64_t now_us, struct health_change *change);
/* Other settings: what nobody asks for any more is forgotten. */
void health_settle(struct origin_health *health, const struct conf_probe *probe,
                   const struct health_rules *rules, uint64_t now_us, struct health_change *change);
void health_show(const struct origin_health *health, const struct conf_probe *probe,
                 struct origin_health_view *out);
#endif
