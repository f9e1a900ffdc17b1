#ifndef CONF_CONF_SERVER_H
#define CONF_CONF_SERVER_H
/* conf_server - the part of a snapshot (conf.h) that is about the daemon itself: where it listens,
 * its admin interface, its store, its logs. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/log.h"

struct conf_network {
    uint8_t address[16]; /* network order; IPv4 in the first 4, host bits zero */
    uint8_t bits;        /* prefix length */
    bool v6;
};

struct conf_networks {
    const struct conf_network *list;
    size_t count; /* 0: nobody */
};

/* Where to listen. `:PORT` has any set: every IPv4 and IPv6 address; address is then [::]:PORT and
 * IPV6_V6ONLY must be 0 (on a machine without IPv6, bind 0.0.0.0 instead). */
struct conf_listen {
    const char *text; /* as written */
    struct sockaddr_storage address;
    socklen_t address_len;
    uint16_t port;
    bool any;
    struct conf_networks proxy_from; /* whose connections begin with a PROXY protocol header */
    uint32_t owner;                  /* private: of its settings */
};

struct conf_names {
    const char *const *list; /* host names: lower case; the others as written */
    size_t count;
};

#define CONF_FIELDS_MAX 8 /* field names in one directive */

enum conf_metrics {
    CONF_METRICS_OFF,
    CONF_METRICS_ON,   /* needs a token with scope read */
    CONF_METRICS_OPEN, /* no token */
};

struct conf_admin {
    bool enabled;              /* false: no TCP listener (`listen off`) */
    struct conf_listen listen; /* loopback unless plain_http_from is set */
    const char *socket_path;   /* NULL: no Unix socket */
    uint32_t socket_mode;      /* permission bits, for example 0660 */
    const char *tokens_path;
    uint64_t session_ms;
    enum conf_metrics metrics;
    const char *www_dir;                  /* NULL: the dashboard built into the program */
    struct conf_networks plain_http_from; /* peers that may speak plain HTTP beside loopback */
    struct conf_names server_names;       /* Host names accepted beside loopback and listen */
};

struct conf_store {
    const char *path; /* NULL: RAM only */
    uint64_t size_bytes;
    uint64_t memory_bytes;
    uint64_t max_object_bytes;
    uint64_t flush_ms;
    uint32_t read_threads;
};

enum conf_log_kind {
    CONF_LOG_OFF,
    CONF_LOG_STDERR,
    CONF_LOG_FILE,
};

enum conf_log_format {
    CONF_LOG_COMBINED,
    CONF_LOG_JSON,
};

struct conf_access_log {
    enum conf_log_kind kind;
    enum conf_log_format format;
    const char *path; /* only with CONF_LOG_FILE, else NULL */
};

struct conf_error_log {
    enum conf_log_kind kind; /* never CONF_LOG_OFF */
    enum log_level level;
    const char *path; /* only with CONF_LOG_FILE, else NULL */
};

struct conf_log {
    struct conf_access_log access;
    struct conf_error_log error;
};
#endif
