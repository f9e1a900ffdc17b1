#ifndef CONF_SCHEMA_ROWS_H
#define CONF_SCHEMA_ROWS_H
/* schema_rows - how the rows of schema_*.c are written, and the tables they make; for schema*.c
 * only. */
#include "conf/schema.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(owner, member) .offset = offsetof(struct owner, member)
#define LIST(list, count, element)                                                                 \
    .offset = offsetof(struct conf, list), .count_offset = offsetof(struct conf, count),           \
    .element_bytes = sizeof(struct element)
#define LIST_IN(owner, list, count, element)                                                       \
    .offset = offsetof(struct owner, list), .count_offset = offsetof(struct owner, count),         \
    .element_bytes = sizeof(struct element)
#define ALLOWED(words) .allowed = (words), .allowed_count = ARRAY_LEN(words)
#define ROW(where, word, kind) .name = (word), .context = SCHEMA_##where, .type = SCHEMA_##kind
/* In the type's unit; of a path: bytes (a Unix socket holds 107). */
#define RANGE(lowest, highest) .min = (lowest), .max = (highest)
#define LIVE .reloadable = true
/* Of a site, and of a forward proxy too. */
#define IN_FORWARD .also = SCHEMA_FORWARD
#define IN_DIRECT .also = SCHEMA_DIRECT
#define SETS(name) .set_bit = CONF_RULE_##name

#define REDIRECT_SYNTAX "off | https [host NAME] [port=NUMBER] | host NAME | STATUS \"URL\""
#define RESPOND_SYNTAX "off | STATUS [FILE | \"TEXT\"] [type=TYPE]"
#define TRUST_SYNTAX "[x_forwarded | rfc7239] NETWORK... | off"
#define UPSTREAM_SYNTAX                                                                            \
    "POOL | URL | direct [user=NAME password=TEXT | credentials=FILE] [else=direct|fail]"
#define HEADER_SYNTAX "request | response  add NAME VALUE | set NAME VALUE | remove NAME"

/* Of `upstream`, in a forward proxy and in its rules. */
#define UPSTREAM_OPTIONS_COUNT 4
extern const struct schema_option schema_upstream_options[UPSTREAM_OPTIONS_COUNT];
#define UPSTREAM_OPTIONS .options = schema_upstream_options, .option_count = UPSTREAM_OPTIONS_COUNT

struct schema_group {
    const struct schema_row *rows;
    size_t count;
};

extern const struct schema_group schema_group_server; /* top level, admin, store, log, limits */
extern const struct schema_group schema_group_listen;
extern const struct schema_group schema_group_site;
extern const struct schema_group schema_group_origins;
extern const struct schema_group schema_group_cache; /* cache, rule */
extern const struct schema_group
    schema_group_guard; /* of site, rule and limits: who may ask, how much */
extern const struct schema_group schema_group_forward; /* forward and its blocks */
extern const struct schema_group schema_group_privacy; /* of site, forward and rule */
#endif
