#ifndef ORIGIN_DIRECTORY_PRIVATE_H
#define ORIGIN_DIRECTORY_PRIVATE_H
/*
 * directory_private - the inside of the directory.
 *
 *   directory.c         the table of names: asking, waiting, what an answer changes
 *   directory_host.c    what a host is
 *   directory_lookup.c  the watch thread's side: lookups begun, late, over
 *
 * A name that is being looked up (is_sought) is not dropped; the watch thread may hold it then.
 */
#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "conf/conf.h"
#include "origin/directory.h"
#include "origin/names.h"

#define DIRECTORY_NAMES_MAX 65536u
#define DIRECTORY_LOOKUPS_MAX 1000u
#define DIRECTORY_SECOND_US UINT64_C(1000000)
#define DIRECTORY_TTL_MAX_S 300u
#define DIRECTORY_NEGATIVE_S 10u
#define DIRECTORY_FAILURE_MAX_S 30u
#define DIRECTORY_STALE_S 86400u
#define DIRECTORY_BROKEN_S 30u
#define DIRECTORY_LATE_US DIRECTORY_SECOND_US          /* an old answer will do from then on */
#define DIRECTORY_LOOKUP_US (10 * DIRECTORY_SECOND_US) /* a lookup takes no longer */

struct resolver;
struct directory_search; /* directory_lookup.c: a lookup under way */

struct directory_address {
    uint64_t broken_until_us; /* 0: never */
    bool is_v6;
    uint8_t bytes[16]; /* network order; IPv4 in the first 4 */
};

/* [directory->lock] but for what never changes. */
struct directory_name {
    struct directory_name *next; /* in its slot */
    struct list recent;          /* directory->recent */
    struct list wanted;          /* directory->wanted */
    struct list waits;
    uint64_t hash;
    uint64_t answered_us;    /* when the answer came */
    uint64_t until_us;       /* it counts until then */
    uint64_t stale_until_us; /* and its addresses, while DNS fails */
    uint8_t answer;          /* enum directory_answer; WAIT: none yet */
    bool is_sought;          /* a lookup is wanted or under way */
    bool is_late;            /* and takes too long to be waited for where there are addresses */
    bool is_partial;         /* the addresses are of one family, the lookup for the other goes on */
    uint8_t failures;        /* of lookups in a row */
    uint8_t count;           /* of addresses: of the last good answer */
    struct directory_address list[DIRECTORY_ADDRESSES_MAX];
    size_t len;
    char text[]; /* terminated */
};

struct directory {
    struct lock lock;
    struct hash_seed seed;
    /* ---- [lock] ---- */
    struct directory_name **slots; /* DIRECTORY_NAMES_MAX of them */
    struct list recent;            /* every name, the one asked for last at the end */
    struct list wanted;            /* names whose lookup is to begin */
    struct directory_figures figures;
    bool is_open;            /* somebody looks names up */
    bool is_stirred;         /* the mail is on its way */
    uint64_t forgotten_us;   /* failures before that do not count: other name servers are asked */
    struct mailbox *mailbox; /* of the watch thread */
    struct mail stir;
    /* ---- the watch thread's ---- */
    struct loop *loop;
    struct resolver *resolver; /* NULL: not needed yet, or not to be had */
    struct conf *conf;         /* a reference; whose name servers are asked */
    int64_t system_mtime_ns;   /* of /etc/resolv.conf when the resolver was made */
    struct list searches;
};

struct directory *directory_new(void);
/* After directory_close, with nobody waiting. Nulls *directory; NULL inside is fine. */
void directory_free(struct directory **directory);

/* ---- directory_host.c ---- */

/* In text, as inet_pton has it. */
bool directory_address_read(struct directory_address *out, const char *text);
/* An address in whatever spelling? */
bool directory_is_literal(struct span host, struct directory_address *out);
/* What may be a name. */
bool directory_is_name(struct span host);

/* ---- directory.c, for the watch thread ---- */

/* The next name to look up, which stays where it is until directory_answer; NULL: none. */
struct directory_name *directory_next(struct directory *directory);
/* It takes long. */
void directory_late(struct directory *directory, struct directory_name *name);
/* FOUND, of one family; the lookup goes on. Who waits is told, but for those who want all. */
void directory_part(struct directory *directory, struct directory_name *name,
                    const struct names_result *result, uint32_t ttl_s, uint64_t now_us);
/* The lookup is over: whoever waits is told. */
void directory_answer(struct directory *directory, struct directory_name *name,
                      const struct names_result *result, uint32_t ttl_s, uint64_t now_us);

/* ---- directory_lookup.c ---- */

/* Lookups will run in this loop, whose thread does not run yet. */
void directory_open(struct directory *directory, struct loop *loop);
/* The configuration in force: its name servers are asked from now on. The loop's thread. */
void directory_configure(struct directory *directory, struct conf *conf);
/* No more lookups; who waits is told that it failed. The loop's thread, before its end. */
void directory_close(struct directory *directory);
#endif
