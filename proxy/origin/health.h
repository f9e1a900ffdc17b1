#ifndef ORIGIN_HEALTH_H
#define ORIGIN_HEALTH_H
/*
 * health - may a server be asked? What active checks, the requests themselves and the operator say
 * of it, each with a reason in words and a since.
 *
 *   up           asked
 *   down         its checks fail: not asked until enough of them pass
 *   ejected      its requests failed: not asked for a while
 *   trial        back from that: one request at a time, whose outcome decides
 *   drain        by the operator: only clients that are to stay with it
 *   maintenance  by the operator: nobody
 *
 * What the operator says goes before the rest, which goes on underneath and shows again after `up`.
 * It holds over reloads, as long as the pool keeps the server, but not over a restart.
 *
 * Threads: any; short locks.
 */
#include <stdbool.h>
#include <stdint.h>

struct origins;

enum origin_status {
    ORIGIN_IS_UP,
    ORIGIN_IS_DOWN,
    ORIGIN_IS_EJECTED,
    ORIGIN_IS_TRIAL,
    ORIGIN_IS_DRAINED,
    ORIGIN_IS_IN_MAINTENANCE,
    ORIGIN_STATUSES,
};

/* "up", "down", "ejected", "trial", "drain", "maintenance": stable. */
const char *origin_status_name(enum origin_status status);

#define ORIGIN_REASON_BYTES 160u
#define ORIGIN_WHO_BYTES 64u
#define ORIGIN_ADDRESS_BYTES 64u
#define ORIGIN_ADDRESSES_MAX 16u

/* A picture of one server's health, for operators. */
struct origin_health_view {
    enum origin_status status;
    char reason[ORIGIN_REASON_BYTES]; /* "3 checks failed: connect timed out"; "": nothing yet */
    char who[ORIGIN_WHO_BYTES];       /* the operator who said so; "": none did */
    int64_t since_ms;                 /* Unix milliseconds; 0: since it is in the pool */
    uint64_t since_us;                /* monotonic */
    uint64_t changes;                 /* of status, ever */
    uint64_t ejections;               /* ever */
    uint64_t ejected_until_us;        /* monotonic; 0: not ejected */
    struct {
        bool is_on;     /* the settings ask for checks */
        bool is_passed; /* the last one; only with at_ms */
        int64_t at_ms;  /* its end, Unix milliseconds; 0: none yet */
        uint64_t took_us;
        char detail[96]; /* "200", "503 is not in 200-299" */
        uint64_t passed, failed;
    } check;
    struct {
        bool is_name;    /* false: a literal address, never looked up */
        bool is_warning; /* the last lookup failed; what is known is older */
        int64_t at_ms;   /* of the last answer; 0: none yet */
        char detail[96]; /* why it failed; "": it did not */
        unsigned count;
        char addresses[ORIGIN_ADDRESSES_MAX][ORIGIN_ADDRESS_BYTES];
    } dns;
};

/* UP (what is known of it is forgotten, it begins anew), DRAINED or IN_MAINTENANCE. who and reason
 * are cut to what fits. False: no such server in a pool of that name. */
bool origins_set_state(struct origins *origins, const char *pool, const char *server,
                       enum origin_status status, const char *who, const char *reason);
/* A check now instead of when its time has come (a TCP connection for a server without `check`); the
 * result is there later. False: no such server. */
bool origins_check_now(struct origins *origins, const char *pool, const char *server);
#endif
