#ifndef CONF_TYPE_H
#define CONF_TYPE_H
/*
 * type - how the words of a directive become a typed value, and the value words again. One pair of
 * functions per schema_type; both directions stand side by side so that a dump loads back to the
 * same.
 */
#include "conf/net.h"
#include "conf/parse.h"

/* What checking needs everywhere. */
struct conf_check {
    struct conf_report *report;
    struct arena *arena; /* the snapshot's; everything that outlives the load */
    unsigned flags;      /* enum conf_flags */
    struct conf_certificates *certificates;
    struct conf_lists *lists;
};

/* One directive being turned into its value. */
struct conf_item {
    struct conf_check *check;
    const struct schema_row *row;
    const struct conf_word *name;  /* for places in messages */
    const struct conf_word *words; /* behind the name */
    size_t count;
    void *owner;  /* the context's struct */
    void *target; /* the value in it */
};

struct conf_type {
    bool (*set)(const struct conf_item *item);
    /* Appends the words; false: there is no value. */
    bool (*print)(const struct schema_row *row, const void *owner, const void *value,
                  struct buf *out);
};

/* Sets the value; false: the report says why. */
bool conf_item_set(const struct conf_item *item);
/* Prints the words of the value of row in owner (element: of a repeated row, else NULL). */
bool conf_item_print(const struct schema_row *row, const void *owner, const void *element,
                     struct buf *out);

/* The directive of an element: of `allow` and `deny`, which share a list, the one it came from. */
const char *conf_item_name(const struct schema_row *row, const void *element);

/* Bytes of the value in its struct; only of types that a reload cannot change. */
size_t conf_type_bytes(enum schema_type type);

/* For the type files: */

/* At least and at most so many words, or a message. */
bool conf_item_expect(const struct conf_item *item, size_t min, size_t max);
/* name=value words from index first on, and the defaults of those not given. */
bool conf_item_options(const struct conf_item *item, size_t first);
/* A terminated copy in the snapshot, "" when memory is out (the load then fails). */
const char *conf_check_copy(struct conf_check *check, struct span text);
const char *conf_check_copy_lower(struct conf_check *check, struct span text);
/* An absolute path, or a message. */
bool conf_item_path(const struct conf_item *item, const struct conf_word *word, size_t max_bytes);
/* The folder of a file to be made exists, or a message; never asked when portable. */
bool conf_item_folder_of(const struct conf_item *item, const struct conf_word *word);
/* Which of count words is it? count: none, and a message went out. */
size_t conf_item_choose(const struct conf_item *item, const struct conf_word *word,
                        const char *const *allowed, size_t count);

extern const struct conf_type conf_type_names;
extern const struct conf_type conf_type_fields;
extern const struct conf_type conf_type_networks;
extern const struct conf_type conf_type_from;
extern const struct conf_type conf_type_trust;
extern const struct conf_type conf_type_patterns;
extern const struct conf_type conf_type_header;
extern const struct conf_type conf_type_listen;
extern const struct conf_type conf_type_admin_listen;
extern const struct conf_type conf_type_server;
extern const struct conf_type conf_type_balance;
extern const struct conf_type conf_type_retry;
extern const struct conf_type conf_type_sticky;
extern const struct conf_type conf_type_host;
extern const struct conf_type conf_type_tls;
extern const struct conf_type conf_type_keepalive;
extern const struct conf_type conf_type_access_log;
extern const struct conf_type conf_type_error_log;
extern const struct conf_type conf_type_codings;
extern const struct conf_type conf_type_media_types;
extern const struct conf_type conf_type_limit;
extern const struct conf_type conf_type_bandwidth;
extern const struct conf_type conf_type_quota;
extern const struct conf_type conf_type_access;
/* The networks that these words are; false: a message for each that is none. */
bool conf_item_network_words(const struct conf_item *item, const struct conf_word *words,
                             size_t count, struct conf_networks *out);
/* What is wrong with a network, as the end of a sentence. */
const char *conf_net_problem(enum conf_net why);
extern const struct conf_type conf_type_prefix;
extern const struct conf_type conf_type_redirect;
extern const struct conf_type conf_type_respond;
extern const struct conf_type conf_type_error_page;
extern const struct conf_type conf_type_page;
/* Whole segments of a path, "/api", or a message. */
bool conf_item_prefix(const struct conf_item *item, const struct conf_word *word);
extern const struct conf_type conf_type_upgrade;
extern const struct conf_type conf_type_statuses;
extern const struct conf_type conf_type_failures;
extern const struct conf_type conf_type_text;
extern const struct conf_type conf_type_authority;
extern const struct conf_type conf_type_probe;
extern const struct conf_type conf_type_eject;
extern const struct conf_type conf_type_breaker;
extern const struct conf_type conf_type_acl;
extern const struct conf_type conf_type_resolvers;
extern const struct conf_type conf_type_upstream;
extern const struct conf_type conf_type_rate;
extern const struct conf_type conf_type_auth;
extern const struct conf_type conf_type_group;
extern const struct conf_type conf_type_group_file;
extern const struct conf_type conf_type_agent;
extern const struct conf_type conf_type_referer;
extern const struct conf_type conf_type_hosts;
extern const struct conf_type conf_type_pac;
extern const struct conf_type conf_type_pac_direct;
extern const struct conf_type conf_type_pac_proxy;
extern const struct conf_type conf_type_outgoing;
/* " name=value" for each option. Returns true. */
bool conf_print_options(const struct schema_row *row, const void *owner, const char *before,
                        struct buf *out);
/* 404, 400-499 or 5xx, or a message. */
bool conf_item_status(const struct conf_item *item, const struct conf_word *word,
                      struct conf_match *out);
/* The conditions behind `rule`. */
bool conf_item_conditions(const struct conf_item *item, struct conf_rule *out);
/* Networks from word `first` on. */
bool conf_item_networks(const struct conf_item *item, size_t first, struct conf_networks *out);
/* Appends them; false: there are none. */
bool conf_print_networks(const struct conf_networks *networks, struct buf *out);
/* RFC 9110 5.6.2, of any length. */
bool conf_is_token(struct span word);
/* A name of our own, of what kind says `what` ("server"): copied to *out, or a message. */
bool conf_item_label(const struct conf_item *item, const struct conf_word *word, const char *what,
                     const char **out);
/* A host name or address, "*.NAME" (any name below, not itself), or "*". */
bool conf_is_site_name(struct span word);
/* The names behind `site`; "*" is one. */
bool conf_item_site_names(const struct conf_item *item, struct conf_names *out);
#endif
