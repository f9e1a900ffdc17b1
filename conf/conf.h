#ifndef CONF_CONF_H
#define CONF_CONF_H
/*
 * conf - the configuration file as one typed, immutable snapshot, and everything to say about a bad
 * one. A file is read, checked against the schema table (schema.c) and the rules between settings;
 * either all of it is right and a snapshot comes out, or the report holds every problem found.
 *
 * Threads:   loading is for one thread at a time per report; a loaded snapshot may be read by all.
 * Ownership: every string and array in a snapshot belongs to it. conf_load hands out one reference;
 *            conf_ref takes another, conf_unref gives one back, the last frees it.
 * Errors:    a bad file is a normal result (ERR_SYNTAX and a filled report), never an abort.
 * Units:     sizes are bytes (K M G T are powers of 1024), durations milliseconds.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/netset.h"
#include "base/span.h"
#include "conf/conf_answer.h"
#include "conf/conf_forward.h"
#include "conf/conf_health.h"
#include "conf/conf_networks.h"
#include "conf/conf_privacy.h"
#include "conf/conf_problem.h"
#include "conf/conf_tls.h"

struct conf_places; /* where each value was set, for conf_print_effective */

/* Where to listen. `:PORT` has any set: every IPv4 and IPv6 address; address is then [::]:PORT and
 * IPV6_V6ONLY must be 0 (on a machine without IPv6, bind 0.0.0.0 instead). */
struct conf_listen {
    const char *text; /* as written */
    struct sockaddr_storage address;
    socklen_t address_len;
    uint16_t port;
    bool any;
    struct conf_networks proxy_from; /* whose connections begin with a PROXY protocol header */
    const char *forward;             /* the forward proxy whose clients come in here; NULL: sites */
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

struct conf_limits {
    uint32_t connections;
    uint64_t head_bytes;
    uint64_t target_bytes;
    uint32_t fields;
    uint64_t request_body_bytes;     /* 0: a request with a body is refused */
    uint64_t head_timeout_ms;        /* whole request head */
    uint64_t body_timeout_ms;        /* between two bytes of a request body */
    uint64_t client_idle_ms;         /* between requests */
    uint64_t send_timeout_ms;        /* without progress */
    uint64_t min_rate_bytes;         /* per second, of request bodies and responses; 0: none */
    uint64_t min_rate_over_ms;       /* so long it is measured */
    uint32_t keepalive_requests;     /* on one connection; 0: any number */
    uint32_t waiters;                /* followers of one object in flight */
    uint32_t connections_per_client; /* 0: no bound */
    struct conf_networks connections_except;
    uint64_t limit_memory_bytes;
    uint64_t drain_ms;
};

struct conf_server {
    const char *name;
    const char *url;  /* http[s]://host[:port], lower case, no slash at the end */
    const char *host; /* name or address; IPv6 without brackets */
    uint16_t port;
    bool has_tls;
    uint32_t weight; /* 1..CONF_WEIGHT_MAX */
    uint32_t max;    /* requests at the same time, all workers; 0: no bound */
    bool backup;     /* asked only when no other may be */
};

#define CONF_WEIGHT_MAX 1000u
#define CONF_SERVERS_MAX 256u /* of one pool */

enum conf_balance {
    CONF_BALANCE_ROUND_ROBIN,
    CONF_BALANCE_LEAST_CONN,
    CONF_BALANCE_RANDOM, /* the better of two drawn by lot */
    CONF_BALANCE_HASH_URL,
    CONF_BALANCE_HASH_CLIENT,
    CONF_BALANCE_HASH_HEADER,
    CONF_BALANCE_HASH_COOKIE,
};

struct conf_balancing {
    enum conf_balance by;
    const char *name; /* HASH_HEADER: field, HASH_COOKIE: cookie; else NULL */
};

/* Requests that wait because every server has its `max`. */
struct conf_queue {
    uint32_t size; /* 0: nobody waits */
    uint64_t timeout_ms;
};

struct conf_origin_timeout {
    uint64_t connect_ms;
    uint64_t first_byte_ms;
    uint64_t idle_ms;  /* between two reads of a response body */
    uint64_t total_ms; /* for all of it; 0: no bound */
};

/* After which failures a request is sent again, and how often. A bit each. */
enum conf_retry_on {
    CONF_RETRY_CONNECT = 1, /* before any of it was sent */
    CONF_RETRY_TIMEOUT = 2, /* no answer within first_byte */
    CONF_RETRY_RESET = 4,   /* closed, or nonsense, before a complete head */
};

/* Methods that may be sent again although they may have arrived: the idempotent ones (RFC 9110
 * 9.2.2). A bit each, in the order in which they are printed. */
enum conf_retry_method {
    CONF_RETRY_GET = 1,
    CONF_RETRY_HEAD = 2,
    CONF_RETRY_OPTIONS = 4,
    CONF_RETRY_TRACE = 8,
    CONF_RETRY_PUT = 16,
    CONF_RETRY_DELETE = 32,
};

#define CONF_RETRIES_MAX 7u
#define CONF_RETRY_STATUSES_MAX 16u

struct conf_retry {
    bool is_auto;     /* count and on follow from how many servers there are (conf_retry_of) */
    uint32_t count;   /* tries beyond the first, 0..CONF_RETRIES_MAX */
    uint32_t on;      /* enum conf_retry_on */
    uint32_t methods; /* enum conf_retry_method */
    uint32_t budget;  /* percent of the requests of the last 10 s */
    uint32_t status_count;
    uint16_t statuses[CONF_RETRY_STATUSES_MAX]; /* 400..599 */
};

/* A cookie of ours that names the server a client is to stay with. */
struct conf_sticky {
    const char *cookie;  /* NULL: none */
    uint64_t max_age_ms; /* 0: as long as the browser runs */
};

/* A pool of servers: of one site, or by its name of several. */
struct conf_origins {
    const char *name; /* NULL: the site's own. In a site: of the pool it uses, all else is unset */
    const struct conf_server *servers;
    size_t server_count; /* 0 (site without a pool of its own)..CONF_SERVERS_MAX */
    struct conf_balancing balance;
    struct conf_queue queue;
    struct conf_retry retry;
    struct conf_probe probe;
    struct conf_eject eject;
    struct conf_breaker breaker;
    uint64_t resolve_every_ms; /* 0: as the answers' time to live says */
    struct conf_sticky sticky;
    uint64_t slow_start_ms; /* 0: none */
    uint32_t owner;         /* private: of its settings, when it has a name */
    struct conf_origin_timeout timeout;
    struct conf_origin_tls tls;
    enum conf_proxy_protocol proxy_protocol; /* only with servers without TLS */
    bool http2;                              /* to servers with https:// that choose it */
    struct conf_keepalive keepalive;
    const char *host; /* Host to send; "client": as the client sent it; "server": its URL's */
};

enum conf_set_cookie {
    CONF_SET_COOKIE_PASS,  /* a response with Set-Cookie is stored only when explicitly shared */
    CONF_SET_COOKIE_STORE, /* stored and served with it */
    CONF_SET_COOKIE_STRIP, /* stored without it */
};

struct conf_cache {
    bool off;
    uint64_t default_ttl_ms;
    uint64_t min_ttl_ms;
    uint64_t max_ttl_ms;
    uint64_t stale_while_revalidate_ms;
    uint64_t stale_if_error_ms;
    uint64_t hit_for_miss_ms;
    enum conf_set_cookie set_cookie;
    struct conf_names targeted;      /* field names, at most CONF_FIELDS_MAX; none: off */
    struct conf_networks purge_from; /* who may send PURGE */
    bool client_revalidate;          /* obey no-cache and max-age of requests */
    bool serve_stale;                /* when the origin cannot be reached (RFC 9111 4.2.4) */
    uint64_t max_object_bytes;       /* 0: as the store's */
    bool ignore_cookies;
    struct conf_names ignore_query; /* patterns of parameter names */
    bool sort_query;
    struct conf_names vary_ignore;
    uint32_t vary_max; /* variants of one URL */
};

struct conf_compress {
    bool gzip, brotli;       /* neither: off */
    struct conf_names types; /* patterns like text/<star> */
    uint64_t min_bytes, max_bytes;
    uint32_t gzip_level;   /* 1..9 */
    uint32_t brotli_level; /* 0..11 */
};

enum conf_limit_kind {
    CONF_LIMIT_REQUESTS,    /* a token bucket */
    CONF_LIMIT_CONCURRENT,  /* requests under way */
    CONF_LIMIT_CONNECTIONS, /* of a forward proxy: connections, tunnels among them */
    CONF_LIMIT_EXCEPT,      /* clients that no limit is for */
    CONF_LIMIT_OFF,         /* in a rule: none of those of the site and of rules above */
};

enum conf_limit_key {
    CONF_LIMIT_CLIENT,  /* the address; IPv6 by /64 */
    CONF_LIMIT_HEADER,  /* a field's value; by client where there is none */
    CONF_LIMIT_COOKIE,  /* the same of a cookie */
    CONF_LIMIT_SITE,    /* all together */
    CONF_LIMIT_USER,    /* of a forward proxy: who is logged in; by client where nobody is */
    CONF_LIMIT_FORWARD, /* of a forward proxy: all together; there never CONF_LIMIT_SITE */
};

#define CONF_LIMITS_MAX 16u /* in one block */

struct conf_limit {
    enum conf_limit_kind kind;
    enum conf_limit_key key;
    const char *key_name; /* of header field or cookie, else NULL */
    const char *name; /* unlike any other in its site; the file's, or made from what it limits */
    bool has_own_name;
    bool misses_only;  /* only requests that the origin is asked for */
    uint32_t most;     /* REQUESTS: in a period; CONCURRENT, CONNECTIONS: at a time */
    uint32_t period_s; /* 1 or 60 */
    uint32_t burst;
    uint32_t status;
    struct conf_networks except;
};

/* One `allow` or `deny`. */
struct conf_access_entry {
    bool allow;
    bool all;
    struct conf_networks written; /* in the directive */
    const char *file;             /* or NULL */
    struct conf_networks listed;  /* in the file */
    uint32_t number;              /* of its first network in the set */
};

/* In the order of the file; the first that holds the address decides. */
struct conf_access {
    const struct conf_access_entry *list;
    size_t count;
    struct netset set;
    bool only_allows; /* then it refuses all others; else it says nothing of them */
};

enum conf_header_side {
    CONF_HEADER_REQUEST,  /* towards the origin */
    CONF_HEADER_RESPONSE, /* towards the client */
};

enum conf_header_action {
    CONF_HEADER_ADD,
    CONF_HEADER_SET,
    CONF_HEADER_REMOVE,
};

struct conf_header {
    enum conf_header_side side;
    enum conf_header_action action;
    const char *name;  /* as written */
    const char *value; /* "" for CONF_HEADER_REMOVE */
};

enum conf_condition_kind {
    CONF_IF_PATH,
    CONF_IF_PREFIX, /* of the path, in whole segments */
    CONF_IF_HOST,   /* asked for, without port */
    CONF_IF_METHOD,
    CONF_IF_COOKIE,
    CONF_IF_HEADER,
    CONF_IF_TYPE,   /* of the response */
    CONF_IF_STATUS, /* of the response */
    CONF_IF_COUNT,
};

/* One of the values of a condition. */
struct conf_match {
    const char *text;  /* as written */
    const char *name;  /* COOKIE: pattern of names; HEADER: field name; else NULL */
    const char *value; /* pattern; NULL: any value will do. HOST: in lower case */
    uint16_t low;      /* STATUS: from low to high */
    uint16_t high;
};

/* Holds when one of its values does. */
struct conf_condition {
    enum conf_condition_kind kind;
    const struct conf_match *list;
    size_t count; /* at least 1 */
};

/* Which settings a rule has. */
enum conf_rule_setting {
    CONF_RULE_PASS = 1u << 0,
    CONF_RULE_TTL = 1u << 1,
    CONF_RULE_DEFAULT_TTL = 1u << 2,
    CONF_RULE_MIN_TTL = 1u << 3,
    CONF_RULE_MAX_TTL = 1u << 4,
    CONF_RULE_STALE_WHILE_REVALIDATE = 1u << 5,
    CONF_RULE_STALE_IF_ERROR = 1u << 6,
    CONF_RULE_HIT_FOR_MISS = 1u << 7,
    CONF_RULE_SET_COOKIE = 1u << 8,
    CONF_RULE_CLIENT_REVALIDATE = 1u << 9,
    CONF_RULE_MAX_OBJECT = 1u << 10,
    CONF_RULE_IGNORE_COOKIES = 1u << 11,
    CONF_RULE_IGNORE_QUERY = 1u << 12,
    CONF_RULE_SORT_QUERY = 1u << 13,
    CONF_RULE_VARY_IGNORE = 1u << 14,
    CONF_RULE_VARY_MAX = 1u << 15,
    CONF_RULE_CACHE_STATUS = 1u << 16,
    CONF_RULE_COMPRESS = 1u << 17,
    CONF_RULE_SERVE_STALE = 1u << 18,
    CONF_RULE_ORIGINS = 1u << 19,
    CONF_RULE_HOST = 1u << 20,
    CONF_RULE_STRIP_PREFIX = 1u << 21,
    CONF_RULE_ADD_PREFIX = 1u << 22,
    CONF_RULE_REDIRECT_REWRITE = 1u << 23,
    CONF_RULE_REDIRECT = 1u << 24,
    CONF_RULE_RESPOND = 1u << 25,
    CONF_RULE_PRIVACY = 1u << 26, /* those of user_agent, referer, drop_cookies that are set */
    CONF_RULE_UPGRADE = 1u << 27,
    CONF_RULE_TIMEOUT = 1u << 29,
    CONF_RULE_LIMIT = 1u << 28, /* limit, allow, deny */
    CONF_RULE_UPSTREAM = 1u << 30,
};

#define CONF_RULES_MAX 256u /* of one site */

/* Settings for the requests and responses for which all its conditions hold. */
struct conf_rule {
    const struct conf_condition *conditions;
    size_t condition_count; /* at least 1 */
    uint32_t set;           /* enum conf_rule_setting, or-ed: only those below count */
    bool pass;
    bool cache_status;
    uint64_t ttl_ms;
    const char *origins; /* name of a pool */
    struct conf_cache cache;
    struct conf_compress compress; /* gzip and brotli of it */
    const char *host;              /* as in conf_origins */
    struct conf_redirect redirect;
    struct conf_respond respond;
    struct conf_rewrite rewrite;
    struct conf_names upgrade;
    struct conf_upstream upstream;
    struct conf_origin_timeout timeout; /* without connect; 0: as the origins' */
    const struct conf_header *headers;
    size_t header_count;
    const struct conf_limit *limits;
    size_t limit_count;
    struct conf_access access;
    struct conf_agent user_agent;
    enum conf_referer referer;
    struct conf_hosts drop_cookies;
    uint32_t owner; /* private: of its settings */
};

/* Which fields a proxy before us writes; the others are dropped. */
enum conf_trust_by {
    CONF_TRUST_X_FORWARDED, /* X-Forwarded-For, -Proto, -Host */
    CONF_TRUST_RFC7239,     /* Forwarded */
};

struct conf_trust {
    struct conf_networks networks; /* of our own proxies; none: nobody is believed */
    enum conf_trust_by by;
    bool is_set; /* of a site: false, what is said at the top level counts */
};

/* What the origin is told of the client. */
enum conf_forwarded {
    CONF_FORWARDED_OFF,
    CONF_FORWARDED_ON, /* the same as X */
    CONF_FORWARDED_X,  /* X-Forwarded-For, -Proto, -Host */
    CONF_FORWARDED_RFC7239,
    CONF_FORWARDED_BOTH,
};

/* What a site that is switched to maintenance at run time says, and to whom not. */
struct conf_maintenance {
    struct conf_networks allow; /* served as ever */
    struct conf_page page;      /* text NULL: as for any 503 */
    uint64_t retry_after_ms;    /* 0: not said */
    bool cached;                /* what is in the cache is still served */
};

/* A published site, or (forward.name) a forward proxy. */
struct conf_site {
    struct conf_names names; /* host names without port, "*.NAME", or "*"; of a forward proxy one,
                                which is no host name: "forward:NAME" */
    struct conf_forward forward;
    struct conf_origins origins;
    struct conf_cache cache;
    struct conf_compress compress;
    struct conf_rewrite rewrite;
    enum conf_normalize normalize;
    struct conf_redirect redirect;
    struct conf_respond respond;
    const struct conf_error_page *error_pages; /* a later one overrides an earlier one */
    size_t error_page_count;
    struct conf_maintenance maintenance;
    bool cache_status;
    const char *via;
    struct conf_trust trust;
    enum conf_forwarded forwarded;
    struct conf_privacy privacy;
    struct conf_pac pac;       /* of a forward proxy */
    struct conf_names upgrade; /* protocols; none: off */
    uint64_t tunnel_idle_ms;
    const struct conf_header *headers;
    size_t header_count;
    const struct conf_limit *limits;
    size_t limit_count; /* at most CONF_LIMITS_MAX, as in a rule */
    struct conf_access access;
    const struct conf_rule *rules; /* in the order of the file */
    size_t rule_count;             /* at most CONF_RULES_MAX */
};

struct conf {
    uint32_t workers; /* 0: auto, one per processor this process may use */
    const char *user; /* NULL: stay who we are */
    const char *state_dir;
    struct conf_trust trust;
    const struct conf_listen *listens;
    size_t listen_count; /* at least 1 */
    struct conf_admin admin;
    struct conf_store store;
    struct conf_log log;
    struct conf_limits limits;
    struct conf_names resolvers;      /* ADDRESS:PORT each; none: the system's */
    const struct conf_origins *pools; /* those with a name */
    size_t pool_count;
    const struct conf_origins *const *parents; /* pools made of `upstream URL`, each name once */
    size_t parent_count;
    const struct conf_site *sites;
    size_t site_count;                           /* at least 1, forward proxies among them */
    const char *file;                            /* the main file's name */
    const struct conf_certificate *system_trust; /* NULL: no server needs it */
    struct conf_places *places;                  /* private */
};

enum conf_flags {
    CONF_SEALED = 1,   /* no include, no environment: arbitrary bytes touch nothing */
    CONF_PORTABLE = 2, /* do not ask this machine whether folders and users exist */
};

/*
 * Reads, checks, and on success sets *out (else NULL). report may hold problems of nothing else.
 * Errors: ERR_SYNTAX (see report), ERR_ABSENT or ERR_IO: the file cannot be read (the report says
 * why).
 */
MUST_USE enum err conf_load(const char *path, struct conf **out, struct conf_report *report);
/* The same for text in memory; name stands in messages and is where includes are relative to. */
MUST_USE enum err conf_load_text(const char *name, struct span text, unsigned flags,
                                 struct conf **out, struct conf_report *report);

enum conf_socket {
    CONF_SOCKET_NAMED,
    CONF_SOCKET_OFF,     /* `socket off`: there is none */
    CONF_SOCKET_UNKNOWN, /* the file cannot be read, or not where it might name one */
};

/* Appends the path of the admin socket to out, for those who only want to talk to the daemon of a
 * file: what is wrong elsewhere in it (see report) does not matter. */
enum conf_socket conf_find_socket(const char *path, struct conf_report *report, struct buf *out);

/* One more reference; returns conf. Any thread. */
struct conf *conf_ref(struct conf *conf);
/* One reference less; NULL is fine. Any thread. */
void conf_unref(struct conf *conf);

enum conf_admission {
    CONF_ADMIT_OPEN, /* the list says nothing */
    CONF_ADMIT_ALLOW,
    CONF_ADMIT_DENY,
};

/* May this client ask? *entry: the one that decides; NULL: none, it is what the list ends in. `all`
 * holds clients without an address too. */
enum conf_admission conf_access_judge(const struct conf_access *access,
                                      const struct sockaddr *address,
                                      const struct conf_access_entry **entry);

/* Memory of lists of names, outside the snapshot's own. */
size_t conf_list_bytes(const struct conf *conf);
/* The keyword of a condition: "client". Static. */
const char *conf_acl_kind_name(enum conf_acl_kind kind);

/* What counts for a pool: `auto` spelled out. */
struct conf_retry conf_retry_of(const struct conf_origins *pool);
/* The pool of that name, or NULL. */
const struct conf_origins *conf_find_pool(const struct conf *conf, const char *name);
/* The pool of parents that is named here, or made of the URL; not of `direct`. */
const struct conf_origins *conf_find_parents(const struct conf *conf,
                                             const struct conf_upstream *upstream);
/* The forward proxy of that name, or NULL. */
const struct conf_site *conf_find_forward(const struct conf *conf, const char *name);
/* Is this peer in one of the networks? IPv4 mapped into IPv6 counts as IPv4. */
bool conf_networks_match(const struct conf_networks *networks, const struct sockaddr *peer);

/* Where a setting was written. */
struct conf_where {
    const char *file; /* the snapshot's; NULL: nobody set it, it is the default */
    uint32_t line;
};
/* directive: in `cache`, the site itself or `origins`; NULL: of the site or forward proxy itself. */
struct conf_where conf_where_site(const struct conf *conf, const struct conf_site *site,
                                  const char *directive);
/* directive NULL: of the rule itself. */
struct conf_where conf_where_rule(const struct conf *conf, const struct conf_site *site,
                                  const struct conf_rule *rule, const char *directive);
/* As in the file, without the directive's name. */
void conf_print_redirect(const struct conf_redirect *redirect, struct buf *out);
void conf_print_respond(const struct conf_respond *respond, struct buf *out);
/* Of an element of what may be repeated ("limit"; "allow": the list of deny too), in the site or
 * (rule) in one of its rules. */
struct conf_where conf_where_element(const struct conf *conf, const struct conf_site *site,
                                     const struct conf_rule *rule, const char *directive,
                                     size_t ordinal);
/* Of an access rule of a forward proxy; file NULL: it is the one built in. */
struct conf_where conf_where_acl(const struct conf *conf, const struct conf_site *site,
                                 size_t ordinal);
/* The conditions of an access rule as in the file, or "all". */
void conf_print_acl_conditions(const struct conf_acl_rule *rule, struct buf *out);
/* The words behind `limit`. */
void conf_print_limit(const struct conf_limit *limit, struct buf *out);
/* The same of `bandwidth` and `quota`. */
void conf_print_bandwidth(const struct conf_bandwidth *bandwidth, struct buf *out);
void conf_print_quota(const struct conf_quota *quota, struct buf *out);
/* The rule's conditions as in the file: "path /a /b method GET". */
void conf_print_conditions(const struct conf_rule *rule, struct buf *out);

/* The configuration in force as a file that loads to the same; each value says where it was set.
 * with_defaults adds those nobody set, marked "default". */
void conf_print_effective(const struct conf *conf, bool with_defaults, struct buf *out);
/* The reference entry of a directive ("size", "store.size"), or of all (NULL). False: unknown; out
 * then says so and what was likely meant. */
bool conf_print_reference(const char *directive, struct buf *out);
/* Which settings differ that only a restart can change, one line each. Returns how many. */
size_t conf_diff_restart(const struct conf *old, const struct conf *new, struct buf *out);
/* Gives new, just loaded and not yet shared, old's values of those settings; old is what is in
 * force. So a snapshot always says what is in force, and the next conf_diff_restart compares with
 * that. */
void conf_keep_restart(struct conf *new, struct conf *old);
#endif
