#ifndef CONF_CONF_HEALTH_H
#define CONF_CONF_HEALTH_H
/* conf_health - the part of a snapshot (conf.h) that says how servers are checked and taken out. */
#include <stdbool.h>
#include <stdint.h>

struct conf_status_range {
    uint16_t low, high;
};

#define CONF_STATUSES_MAX 8u

struct conf_statuses {
    struct conf_status_range list[CONF_STATUSES_MAX];
    uint32_t count;
};

enum conf_probe_kind {
    CONF_PROBE_OFF,
    CONF_PROBE_GET,
    CONF_PROBE_HEAD,
    CONF_PROBE_TCP, /* that a connection stands is enough */
};

/* How each server of a pool is checked. */
struct conf_probe {
    enum conf_probe_kind kind;
    const char *path; /* GET, HEAD; with query */
    const char *host; /* Host to send; NULL: the pool's, or the server's */
    const char *body; /* text that the first 64 KiB must have; NULL: any */
    struct conf_statuses expect;
    uint64_t every_ms, timeout_ms;
    uint32_t rise, fall; /* so many in a row */
    uint32_t jitter;     /* percent of every_ms, either way */
};

/* What counts as a failure of a server. A bit each. */
enum conf_failure {
    CONF_FAILURE_CONNECT = 1, /* no name, no connection, no TLS */
    CONF_FAILURE_TIMEOUT = 2,
    CONF_FAILURE_RESET = 4, /* closed too early */
    CONF_FAILURE_BAD = 8,   /* nonsense */
};

struct conf_failures {
    uint32_t faults; /* enum conf_failure */
    struct conf_statuses statuses;
};

enum conf_eject_kind {
    CONF_EJECT_AUTO, /* where a pool has two servers or more */
    CONF_EJECT_OFF,
    CONF_EJECT_ON,
};

/* Failures in a row take a server out. */
struct conf_eject {
    enum conf_eject_kind kind;
    uint32_t fails;
    uint64_t within_ms;
    uint64_t time_ms; /* doubled each time it happens again, up to: */
    uint64_t max_time_ms;
    struct conf_failures on;
};

/* A share of failures takes a server out. */
struct conf_breaker {
    bool is_on;
    uint32_t errors;   /* percent */
    uint32_t requests; /* at least so many */
    uint64_t within_ms;
};
#endif
