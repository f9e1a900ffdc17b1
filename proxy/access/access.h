#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H
/*
 * access - the rules of a forward proxy: who may ask for what. First match wins, the end denies.
 *
 * A request is judged before it goes out, and again for every address before a connection to it is
 * made, so that what was checked is what is connected to. Rules that ask of the response are judged
 * once more when its head is there.
 *
 * What a rule allows it allows to public addresses only unless it has `to`, to usual ports only
 * unless it has `port` (http 80 8008 8080, https and connect 443), and to larder itself only with
 * `to self`. A request that a rule does not let through for that goes on to the next rule; if none
 * has it, the verdict says what the first such rule would need.
 *
 * Without an address that is known:
 *   - a rule with `to` whose other conditions hold cannot be judged (ACCESS_WANTS_ADDRESS);
 *   - that a rule is for public addresses only is left to the judgement before the connection, but
 *     where another rule allows others: then what the cache has may come from there, and the answer
 *     is ACCESS_WANTS_ADDRESS too.
 *
 * Threads:   one at a time for a struct access; facts and verdicts are values.
 * Ownership: facts borrow; a verdict borrows from the access.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/span.h"

struct access; /* compiled */
struct conf;
struct conf_site;

enum access_scheme {
    ACCESS_HTTP,
    ACCESS_HTTPS,   /* an absolute https:// target: TLS is ours to speak */
    ACCESS_CONNECT, /* a tunnel */
};

/* Of one request; spans that are not known are empty. */
struct access_facts {
    const struct sockaddr *client; /* NULL or AF_UNSPEC: without an address */
    struct span user;              /* proven; empty: nobody */
    const char *const *groups;     /* of that user */
    unsigned group_count;
    enum access_scheme scheme;
    /* host: as hostname_read has it (base/hostname.h); path: with query, as it counts */
    struct span method, host, path;
    uint16_t port;
    const struct sockaddr *address; /* to be connected to; NULL: not known yet */
    int64_t wall_s;
    bool has_response; /* the three below are known */
    struct span type;  /* Content-Type as it came; of several a list */
    uint64_t length;   /* of the content; UINT64_MAX: not known yet */
    uint64_t seen;     /* bytes of content whose length is not known, so far */
};

enum access_answer {
    ACCESS_ALLOW,
    ACCESS_DENY,
    ACCESS_WANTS_ADDRESS, /* a rule on the way asks for it: judge again with it */
};

enum access_by {
    ACCESS_BY_RULE,
    ACCESS_BY_END,     /* no rule holds */
    ACCESS_BY_PRIVATE, /* the address is not public; `rule` would hold otherwise */
    ACCESS_BY_PORT,    /* the port is none of the usual; the same */
    ACCESS_BY_SELF,    /* it is larder itself; the same */
};

struct access_verdict {
    enum access_answer answer;
    enum access_by by;
    /* Who decided: a rule's name, or "private", "port", "self", "end" where no rule did. */
    const char *name;
    const char *reason; /* for people: of the rule, or what is built in */
    unsigned rule;      /* from 0 in the order of the file; UINT_MAX: none */
    bool asks_response; /* judge again with the response's head */
    bool gave_up;       /* a regex hit its bound: it held for deny, and not for allow */
    uint64_t bound;     /* judge again when content of unknown length has more bytes than this;
                           UINT64_MAX: never */
};

/* Rules of a forward proxy (site->forward), in the arena but for what access_end frees. conf: whose
 * listeners are `self`; both must outlive it. NULL: no memory. */
struct access *access_compile(struct arena *arena, const struct conf *conf,
                              const struct conf_site *site);
void access_end(const struct access *access); /* NULL is fine */
/* Is there a rule about paths? Then they must mean the same in every spelling. */
bool access_asks_path(const struct access *access);
void access_judge(const struct access *access, const struct access_facts *facts,
                  struct access_verdict *out);
/* What the facts point to, copied, but for groups. False: the arena is full. */
bool access_facts_copy(struct access_facts *facts, struct arena *arena);
#endif
