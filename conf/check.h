#ifndef CONF_CHECK_H
#define CONF_CHECK_H
/*
 * check - the tree against the schema table, into the typed snapshot; then the rules between
 * settings (rules.c). Finds all it can: one bad directive does not hide another.
 */
#include "conf/type.h"

/* A value somebody set. owner: 0 for the whole server, 1 + the index of the site,
 * or that of a rule, a listen or a named pool. */
struct conf_setting {
    uint32_t owner;
    uint32_t row;
    uint32_t ordinal; /* of a repeated row, else 0 */
    uint32_t line;
    const char *file;             /* the snapshot's */
    const struct conf_node *node; /* only while checking */
    bool good;
};

#define CONF_OWNER_GONE UINT32_MAX /* a block that only the snapshot before had */

struct conf_settings {
    struct conf_setting *list; /* sorted by owner, row, ordinal once checking is over */
    size_t count;
    size_t cap;
};

struct conf_checker {
    struct conf_check base;
    struct conf_settings settings;
    struct conf *conf;
    const struct conf_tree *tree;
    uint32_t block_count; /* repeated ones but sites, so far */
};

/* Fills conf (zeroed) from the tree; problems go to the report. */
void conf_check_tree(struct conf_checker *checker);
/* What no single directive shows: clashes of addresses and names, values that contradict. */
void conf_check_rules(struct conf_checker *checker);
/* The same for `rule` and `header`: what is settled too late, or may not be changed. */
void conf_check_site_rules(struct conf_checker *checker);
/* Names the limits, compiles the lists of allow and deny, and warns of what never decides. */
void conf_check_guards(struct conf_checker *checker);

/* Pools, their servers, and those who name them. */
void conf_check_origins(struct conf_checker *checker);

/* Says that there is no such pool, where a setting names it as its first word. */
void conf_check_pool_name(struct conf_checker *checker, const struct conf_setting *at,
                          const char *name);
/* Parents of forward proxies, and the pools made of their URLs. */
void conf_check_upstreams(struct conf_checker *checker);
/* Gives a block nobody wrote what nobody sets. */
void conf_check_defaults(struct conf_checker *checker, enum schema_context context, void *owner);
/* Names the bandwidths and quotas of forward proxies. */
void conf_check_quotas(struct conf_checker *checker);

/* Forward proxies, those who name them, and what has no meaning in one. */
void conf_check_forwards(struct conf_checker *checker);

/* The access rules of a forward proxy; owner: of its settings. */
void conf_check_acl(struct conf_checker *checker, struct conf_site *site, uint32_t owner);

/* Users of forward proxies: makes them ready to be found, gives them their groups. */
void conf_check_users(struct conf_checker *checker);
/* What of a forward proxy's settings has no effect beside another. */
void conf_check_privacy(struct conf_checker *checker);

/* Of a pool; owner: of its settings. */
void conf_check_origin_tls(struct conf_checker *checker, const struct conf_origins *pool,
                           uint32_t owner);

/* The same of a forward proxy, whose servers its clients name. */
void conf_check_direct_tls(struct conf_checker *checker, const struct conf_site *site,
                           uint32_t owner);

/* Where a value was set, or NULL: it is a default. The list must be sorted. */
const struct conf_setting *conf_setting_find(const struct conf_settings *settings, uint32_t owner,
                                             const struct schema_row *row, uint32_t ordinal);
/* "larder.conf:7:5" of a place, cut to fit. */
const char *conf_show_place(struct conf_shown *out, struct conf_place place);
#endif
