#ifndef EXCHANGE_EXCHANGE_FORWARD_H
#define EXCHANGE_EXCHANGE_FORWARD_H
/*
 * exchange_forward - a request that came to a forward proxy: where it wants to go, who asks, and
 * whether he may. Then it goes the way of every other one.
 *
 * Threads: the worker's loop. Ownership: in the exchange's arena.
 */
#include <stdbool.h>

#include "access/access.h"
#include "base/hostname.h"
#include "exchange/exchange_private.h"
#include "origin/directory.h"

enum forward_stage {
    FORWARD_TARGET, /* which server it is for */
    FORWARD_LOGIN,  /* who asks: exchange_login */
    FORWARD_JUDGE,  /* may he: exchange_judge */
    FORWARD_GO,
};

struct exchange_login; /* exchange_login.c's own */

struct exchange_forward {
    uint8_t stage;      /* enum forward_stage: what comes next */
    bool is_connect;    /* a tunnel is asked for */
    bool is_https;      /* TLS is ours to speak: an absolute https:// target */
    uint16_t port;      /* of the target */
    bool is_understood; /* what trusted peers say of the client was */
    struct span user;   /* proven; empty: nobody */
    const char *const *groups;
    unsigned group_count;
    struct exchange_login *login;  /* in the arena; NULL: no password was looked at */
    struct access_verdict verdict; /* once judged */
    bool is_address_denied;        /* verdict denies every address the server has */
    bool has_denied;               /* some address was, by: */
    struct access_verdict denied;
    struct span host;            /* of the target, as hostname_read has it */
    uint64_t late_at_us;         /* monotonic: it waits for addresses no longer; 0: it never did */
    bool is_late;                /* the request's time was over before they came */
    struct directory_wait *wait; /* for the name's addresses, which rules ask for */
    struct loop_timer timer;     /* of it; waiting for none: not in use */
    struct exchange *exchange;
    struct sockaddr_storage address; /* of a host that is one, else one that was judged; port 0;
                                        AF_UNSPEC: not known */
};

/* exchange_login.c: who asks (RFC 9110 11.7). GO: go on with the next stage; else how it ends, or
 * that it waits. */
enum exchange_next exchange_login(struct exchange *x);
/* exchange_login.c: nobody waits for the answer any more. */
void exchange_login_end(struct exchange *x);
/* exchange_pac.c: is it for the file by which clients configure themselves? Then *next says how. */
bool exchange_pac(struct exchange *x, enum exchange_next *next);
/* exchange_judge.c: may this request go where it wants to? The same. */
enum exchange_next exchange_judge(struct exchange *x);
/* exchange_judge.c: it is to go by a parent, which may choose any of the addresses that were judged.
 * False: one is denied, *next says how it ends. */
bool exchange_judge_parent(struct exchange *x, enum exchange_next *next);
/* exchange_judge.c: the request is over. */
void exchange_judge_end(struct exchange *x);
/* exchange_judge.c: what access_judge is told of it; borrows from the request. */
struct access_facts exchange_judge_facts(const struct exchange *x);
/* exchange_judge.c: the same for the fill of this request, and what it says of the addresses (struct
 * fill_owner_calls). */
struct access_facts exchange_judge_owner_facts(const struct fill_owner *owner);
void exchange_judge_owner(struct fill_owner *owner, const struct sockaddr_storage *address,
                          const struct access_verdict *verdict);
/* exchange_judge.c: the response x->object, of content this long (STORE_LENGTH_UNKNOWN), is about to
 * be sent. False: it may not, *next says how it ends. */
bool exchange_judge_response(struct exchange *x, uint64_t length, enum exchange_next *next);
/* exchange_judge.c: the same before the protocol is switched: there is no content. */
bool exchange_judge_switch(struct exchange *x, enum exchange_next *next);
/* exchange_judge.c: so many bytes of the content will have been sent. False: no more may be. */
bool exchange_judge_grown(struct exchange *x, uint64_t seen);
/* exchange_deny.c: what logs and metrics call it. */
enum http_reason exchange_deny_reason(const struct access_verdict *verdict);
/* exchange_page.c: sets the page of a request that ends without an answer, in HTML for a client that
 * names it, in plain text for others. False: no memory. */
bool exchange_page(struct exchange *x);
/* exchange_deny.c: the request ends with 403, and the rule's name and reason. */
enum exchange_next exchange_deny(struct exchange *x, const struct access_verdict *verdict);
#endif
