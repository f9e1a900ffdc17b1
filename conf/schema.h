#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H
/*
 * schema - the one table of directives (its rows are in schema_*.c). The checker, the reference,
 * the effective dump and the typed snapshot all come from it: a directive exists by having a row
 * there, and its type says how words become a value and back (type.h).
 */
#include "base/span.h"
#include "conf/conf.h"

/* Where a directive stands; each block opens the context of its name. `listen` may have one. */
enum schema_context {
    SCHEMA_NONE, /* no block, or an unknown one */
    SCHEMA_MAIN,
    SCHEMA_ADMIN,
    SCHEMA_STORE,
    SCHEMA_LOG,
    SCHEMA_LIMITS,
    SCHEMA_LISTENER,
    SCHEMA_SITE,
    SCHEMA_ORIGINS,
    SCHEMA_CACHE,
    SCHEMA_RULE,
    SCHEMA_MAINTENANCE,
    SCHEMA_FORWARD,
    SCHEMA_ACL,    /* in forward */
    SCHEMA_DIRECT, /* origins of a forward proxy: no servers, but how any is asked */
    SCHEMA_ANY,    /* include */
};

enum schema_type {
    SCHEMA_BLOCK,
    SCHEMA_INCLUDE,      /* done by the parser */
    SCHEMA_FLAG,         /* bool; no word */
    SCHEMA_SWITCH,       /* bool; on or off */
    SCHEMA_ON,           /* bool; on or off, on when nothing is said */
    SCHEMA_COUNT,        /* uint32_t */
    SCHEMA_MODE,         /* uint32_t; octal permission bits */
    SCHEMA_SIZE,         /* uint64_t bytes */
    SCHEMA_DURATION,     /* uint64_t milliseconds */
    SCHEMA_PERCENT,      /* uint32_t */
    SCHEMA_CHOICE,       /* an enum, as int; the index of the word in allowed */
    SCHEMA_PATH,         /* const char *, absolute */
    SCHEMA_FOLDER,       /* const char *, absolute, exists */
    SCHEMA_USER,         /* const char *, exists */
    SCHEMA_TOKEN,        /* const char *, RFC 9110 token */
    SCHEMA_HOST,         /* const char *, host name with optional port */
    SCHEMA_OPTIONS,      /* only name=value words */
    SCHEMA_NAMES,        /* struct conf_names */
    SCHEMA_PATTERNS,     /* struct conf_names; names with * for any bytes, or off */
    SCHEMA_HEADER,       /* struct conf_header */
    SCHEMA_FIELDS,       /* struct conf_names; field names, or off */
    SCHEMA_NETWORKS,     /* struct conf_networks */
    SCHEMA_FROM,         /* struct conf_networks; "from" NETWORK... or off */
    SCHEMA_TRUST,        /* struct conf_trust */
    SCHEMA_LISTEN,       /* struct conf_listen */
    SCHEMA_ADMIN_LISTEN, /* struct conf_admin */
    SCHEMA_SERVER,       /* struct conf_server */
    SCHEMA_TLS,          /* struct conf_origin_tls */
    SCHEMA_KEEPALIVE,    /* struct conf_keepalive */
    SCHEMA_BALANCE,      /* struct conf_balancing */
    SCHEMA_RETRY,        /* struct conf_retry */
    SCHEMA_STICKY,       /* struct conf_sticky */
    SCHEMA_ACCESS_LOG,   /* struct conf_access_log */
    SCHEMA_ERROR_LOG,    /* struct conf_error_log */
    SCHEMA_CODINGS,      /* struct conf_compress; gzip and brotli of it */
    SCHEMA_MEDIA_TYPES,  /* struct conf_names; patterns of media types */
    SCHEMA_REDIRECT,     /* struct conf_redirect */
    SCHEMA_RESPOND,      /* struct conf_respond */
    SCHEMA_PAGE,         /* struct conf_page */
    SCHEMA_ERROR_PAGE,   /* struct conf_error_page */
    SCHEMA_LIMIT,        /* struct conf_limit */
    SCHEMA_BANDWIDTH,    /* struct conf_bandwidth */
    SCHEMA_QUOTA,        /* struct conf_quota */
    SCHEMA_ACCESS,       /* struct conf_access_entry; allow and deny in one list */
    SCHEMA_PREFIX,       /* const char *; a prefix of paths, or "" for off */
    SCHEMA_UPGRADE,      /* struct conf_names; protocols, or on or off */
    SCHEMA_STATUSES,     /* struct conf_statuses; 200-299,301 */
    SCHEMA_FAILURES,     /* struct conf_failures; connect,503 */
    SCHEMA_TEXT,         /* const char *; NULL for none */
    SCHEMA_AUTHORITY,    /* const char *, as HOST; NULL for none */
    SCHEMA_PROBE,        /* struct conf_probe */
    SCHEMA_EJECT,        /* struct conf_eject */
    SCHEMA_BREAKER,      /* struct conf_breaker */
    SCHEMA_ACL_RULE,     /* struct conf_acl_rule; allow and deny in one list */
    SCHEMA_RESOLVERS,    /* struct conf_names; addresses with port */
    SCHEMA_UPSTREAM,     /* struct conf_upstream */
    SCHEMA_RATE,         /* struct conf_rate; 10/m, or off */
    SCHEMA_AUTH,         /* struct conf_auth */
    SCHEMA_GROUP,        /* struct conf_group */
    SCHEMA_GROUP_FILE,   /* struct conf_group_file */
    SCHEMA_AGENT,        /* struct conf_agent */
    SCHEMA_REFERER,      /* enum conf_referer */
    SCHEMA_HOSTS,        /* struct conf_hosts; patterns, or off */
    SCHEMA_PAC,          /* struct conf_pac; without direct and proxy */
    SCHEMA_PAC_DIRECT,   /* struct conf_pac_direct */
    SCHEMA_PAC_PROXY,    /* const char *, host with port; NULL for auto */
    SCHEMA_OUTGOING,     /* struct conf_outgoing */
    SCHEMA_TYPE_COUNT,
};

/* A name=value word behind a directive. */
struct schema_option {
    const char *name;
    enum schema_type type; /* COUNT, MODE, SIZE, DURATION, PERCENT, or one of a single word */
    const char *fallback;
    const char *doc;
    uint64_t min;
    uint64_t max;
    size_t offset; /* in the context's struct, as the row's */
};

struct schema_row {
    const char *name;
    enum schema_context context;
    enum schema_context also; /* where it may stand too, with the same struct; or SCHEMA_NONE */
    /* The context it opens, or SCHEMA_NONE. With another type than BLOCK, the words are a value of
     * that type, and ";" may stand instead of the block. */
    enum schema_context block;
    enum schema_type type;
    bool reloadable;
    bool required;
    const char *syntax;         /* what follows the name */
    const char *fallback;       /* default, in the language itself; NULL: unset */
    const char *const *allowed; /* CHOICE: the words; PATH, COUNT: one word that means NULL or 0 */
    size_t allowed_count;
    uint64_t min; /* in the type's unit; both 0: not checked */
    uint64_t max;
    size_t offset;        /* of the value in the context's struct */
    size_t count_offset;  /* of the element count, when element_bytes > 0 */
    size_t element_bytes; /* >0: may be repeated; offset holds a pointer to the array */
    const char *joins;    /* the directive of the same context whose list its values go to */
    /* Of a repeated one that opens a block: where its element has the uint32_t by which the
     * settings in it are known (conf_setting.owner). Sites are known by their order. */
    size_t owner_offset;
    const struct schema_option *options;
    size_t option_count;
    uint32_t set_bit; /* RULE: enum conf_rule_setting that says it is set */
    const char *doc;
    const char *example;
};

#define SCHEMA_ROWS_MAX ((size_t)320)

size_t schema_row_count(void);
/* index below schema_row_count(). */
const struct schema_row *schema_row_at(size_t index);

/* "site", "origins"; "the top level" for SCHEMA_MAIN. */
const char *schema_context_name(enum schema_context context);
/* May this row's directive stand there? */
bool schema_belongs(const struct schema_row *row, enum schema_context context);
/* The row of name in context, or NULL. */
const struct schema_row *schema_find(enum schema_context context, struct span name);
/* The first row of that name in another context than this, or NULL. */
const struct schema_row *schema_find_elsewhere(enum schema_context context, struct span name);
/* The row whose list the values of this one go to: itself, unless it joins another. */
const struct schema_row *schema_list_row(const struct schema_row *row);
/* The directives of a context. Returns how many; out holds SCHEMA_ROWS_MAX. */
size_t schema_names(enum schema_context context, const char **out);
/* The index of a row, from 0. */
uint32_t schema_index(const struct schema_row *row);
#endif
