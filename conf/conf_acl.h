#ifndef CONF_CONF_ACL_H
#define CONF_CONF_ACL_H
/*
 * conf_acl - the access rules of a forward proxy: part of a snapshot (conf.h, which includes this).
 *
 * Rules stand in the order of the file; the first whose conditions all hold decides, and where none
 * does the request is denied. Of one condition one value is enough. What is large (lists of names,
 * compiled patterns) has memory of its own, shared by all who hold the snapshot.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_network;
struct nameset;
struct pattern;

enum conf_acl_kind {
    CONF_ACL_CLIENT, /* networks */
    CONF_ACL_USER,   /* texts; "*": anybody who has proven who he is */
    CONF_ACL_GROUP,  /* texts */
    CONF_ACL_HOST,   /* sets */
    CONF_ACL_TO,     /* networks, bits (enum conf_acl_to): of the address connected to */
    CONF_ACL_PORT,   /* ranges */
    CONF_ACL_SCHEME, /* bits (enum conf_acl_scheme) */
    CONF_ACL_METHOD, /* texts */
    CONF_ACL_PATH,   /* texts: patterns with *, of the path without its query */
    CONF_ACL_REGEX,  /* patterns, of scheme://host[:port]/path?query */
    CONF_ACL_TIME,   /* times */
    CONF_ACL_TYPE,   /* texts: patterns with *, in lower case, of the response's media type */
    CONF_ACL_SIZE,   /* sizes, of the response's content */
    CONF_ACL_KINDS,
};

/* Kinds of addresses. Each has one of the first five; `self` beside it. */
enum conf_acl_to {
    CONF_ACL_PUBLIC = 1,
    CONF_ACL_PRIVATE = 2, /* and all else that is not reachable from everywhere (RFC 6890) */
    CONF_ACL_LOOPBACK = 4,
    CONF_ACL_LINKLOCAL = 8,
    CONF_ACL_MULTICAST = 16,
    CONF_ACL_SELF = 32, /* an address and port that this program listens on */
};

enum conf_acl_scheme {
    CONF_ACL_HTTP = 1,
    CONF_ACL_HTTPS = 2,
    CONF_ACL_CONNECT = 4,
};

struct conf_acl_range {
    uint16_t low, high;
};

#define CONF_DAY_MINUTES 1440u

/* Local time. from and to: minutes of the day; to <= from: the end is on the next day. */
struct conf_acl_time {
    uint8_t days; /* on which it begins: bit 0 Sunday .. bit 6 Saturday */
    uint16_t from, to;
};

struct conf_acl_size {
    bool above; /* larger than bytes; else smaller */
    uint64_t bytes;
};

struct conf_acl_condition {
    enum conf_acl_kind kind;
    size_t count;             /* values: of texts, and of the list that kind names */
    const char *const *texts; /* as written; methods in upper, media types in lower case */
    const struct conf_network *networks; /* as many as values that are none of bits */
    size_t network_count;
    uint32_t bits;
    const struct nameset *const *sets; /* each file, and one of all names written here */
    size_t set_count;
    const struct conf_acl_range *ranges;
    const struct conf_acl_time *times;
    const struct conf_acl_size *sizes;
    const struct pattern *const *patterns;
};

struct conf_acl_rule {
    bool allow;
    bool has_own_name;
    const char *name;   /* unlike any other in its list; the file's, or "deny_3" by its place */
    const char *reason; /* NULL: none was given */
    const struct conf_acl_condition *conditions;
    size_t condition_count; /* 0: it holds always */
    uint32_t has;           /* which kinds there are: 1 << enum conf_acl_kind, or-ed */
};

struct conf_acl {
    const struct conf_acl_rule *list; /* without an `acl` block: the one built in */
    size_t count;
};
#endif
