#ifndef LIMIT_QUOTA_H
#define LIMIT_QUOTA_H
/*
 * quota - how many bytes somebody may move in an hour, a day, a week or a month, and how many have
 * moved. The accounts of all forward proxies, shared by all workers.
 *
 * A quota is known by its site, name and period, and stays known for the life of the process: what a
 * reload makes of its limit is in force at once, also for connections under way, and the accounts
 * stay. An account begins at 0 with each period.
 *
 * At most QUOTA_ACCOUNTS_MAX accounts are kept. Those whose period is over leave by themselves; where
 * there is no room nevertheless, newcomers of a quota share one account, whose name is "-": so
 * nobody's usage is forgotten to make room, and an attacker with many addresses gains nothing.
 *
 * Memory: about 120 bytes and the name an account.
 * Threads: any, but quota_store_new and _free. A lock per lookup (rank LOCK_LIMIT); counting bytes and
 * asking what is left take none. So bytes in flight on several connections may pass a limit by one
 * turn (limit.h) of each.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/span.h"
#include "limit/calendar.h"

#define QUOTA_ACCOUNTS_MAX 65536u
#define QUOTA_WHO_BYTES 256u /* with the NUL; of longer names the beginning counts */

/* Whose an account is. */
enum quota_whose {
    QUOTA_CLIENT = 'c', /* an address; IPv6: "2001:db8:1:2::/64" */
    QUOTA_USER = 'u',
    QUOTA_ALL = 'a',    /* of all together; no name */
    QUOTA_OTHERS = '-', /* those without room */
};

/* Bytes that count. */
enum quota_sides {
    QUOTA_DOWN = 1, /* to the client */
    QUOTA_UP = 2,   /* from it */
};

struct quota_store;

struct quota {
    const char *site, *name; /* the store's */
    enum calendar_per per;
    _Atomic uint64_t limit; /* bytes in a period; 0: only accounts of before are known */
    _Atomic unsigned sides; /* enum quota_sides, or-ed */
    _Atomic uint64_t refused;
};

struct quota_account; /* counted references */

/* now_s: Unix time, as everywhere here. */
struct quota_store *quota_store_new(int64_t now_s);
void quota_store_free(struct quota_store **store); /* nulls *store; no reference may be held */
/* The quota of these names, with this limit (at least 1) and sides from now on. */
struct quota *quota_register(struct quota_store *store, struct span site, struct span name,
                             enum calendar_per per, uint64_t limit, unsigned sides);
/* From a service thread, each second or oftener: which periods it is now. Workers ask no calendar. */
void quota_tick(struct quota_store *store, int64_t now_s);
/* When the period under way ends. */
int64_t quota_ends_s(const struct quota_store *store, const struct quota *quota);

/* ---- accounts ---- */

struct quota_account *quota_account_take(struct quota_store *store, struct quota *quota,
                                         enum quota_whose whose, struct span who);
void quota_account_give(struct quota_account **account); /* nulls *account */
/* What has moved in the period under way, as far as it counts. */
uint64_t quota_used(struct quota_store *store, struct quota_account *account);
/* What is left of the limit; 0: it is used up. */
uint64_t quota_left(struct quota_store *store, struct quota_account *account);
void quota_add(struct quota_account *account, uint64_t down, uint64_t up);
/* So many of those just added have not moved after all. */
void quota_take_back(struct quota_account *account, uint64_t down, uint64_t up);
struct quota *quota_of(const struct quota_account *account);

/* ---- for operators and the file ---- */

struct quota_view {
    const char *site, *name; /* the store's */
    enum calendar_per per;
    enum quota_whose whose;
    char who[QUOTA_WHO_BYTES];
    struct calendar_period period;
    uint64_t down, up;
    uint64_t used;  /* of these, what counts */
    uint64_t limit; /* 0: the configuration has no such quota (any more) */
};
/* Accounts of periods under way in which something has moved, as a list that the caller frees
 * (mem_free), those first that have used most of their limit. Returns how many. */
size_t quota_list(struct quota_store *store, struct quota_view **list);
/* The account begins anew. False: there is none. */
bool quota_reset(struct quota_store *store, struct span site, struct span name,
                 enum quota_whose whose, struct span who);
/* Puts back what was kept: an account of this period has moved these bytes before. False: there is
 * no room, or its period is over. */
bool quota_restore(struct quota_store *store, const struct quota_view *view);

struct quota_figures {
    uint64_t accounts;
    uint64_t crowded; /* times an account was shared for want of room */
};
void quota_figures(struct quota_store *store, struct quota_figures *out);
/* The quotas of the configuration and those known from before, the index from 0; NULL: no more. */
struct quota *quota_at(struct quota_store *store, size_t index);
/* "client", "user", "all", "others". Static. */
const char *quota_whose_name(enum quota_whose whose);
#endif
