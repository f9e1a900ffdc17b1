#ifndef SITE_GUARD_H
#define SITE_GUARD_H
/*
 * guard - who may ask and how much, of a site and its rules, in the form the request path wants.
 * What it means for a request: exchange_guard.c.
 *
 * Threads: as the site table it is part of. Ownership: borrows from the configuration and the
 * table's arena.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "conf/conf.h"
#include "limit/limit.h"
#include "site/rule.h"

/* One limit. */
struct guard_limit {
    const struct conf_limit *conf;
    struct span key_name;
    struct limit_ref ref;
    struct limit_rate rate;
};

/* What one block says. */
struct guard {
    const struct conf_access *access;
    const struct guard_limit *limits;
    unsigned count;
    bool clears; /* `limit off`: without the limits before it */
};

struct guards {
    const struct conf_site *conf;
    bool is_used;       /* by the site or one of its rules */
    bool counts_misses; /* some limits do */
    bool has_except;
    struct guard site;
    const struct guard *rules; /* by rule */
};

/* Who decided: an entry of the rule's list, or (rule -1) of the site's; entry NULL: the end of a
 * list that only allows, or of all of them. */
struct guard_verdict {
    int rule;
    const struct conf_access_entry *entry;
};

/* A place among those under way. */
struct guard_hold {
    uint64_t hold;
    struct guard_hold *next;
};

/* limits NULL: of a table that nobody asks through. */
void guards_compile(struct guards *guards, struct arena *arena, const struct conf_site *site,
                    struct limit_table *limits);
/* May this client ask? Lists of rules that hold come first, the last one before the others. */
enum conf_admission guards_admit(const struct guards *guards, const struct policy *policy,
                                 const struct sockaddr *client, struct guard_verdict *verdict);
/* Is this client one that no limit is for? */
bool guards_except(const struct guards *guards, const struct sockaddr *client);
/* Goes over the blocks whose limits are for a request. Start with *at = 0; NULL at the end. */
const struct guard *guards_next(const struct guards *guards, const struct policy *policy,
                                unsigned *at);
#endif
