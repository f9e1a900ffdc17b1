#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H
/*
 * access - the rules of a forward proxy: who may ask for what. First match wins, the end denies.
 *
 * A request is judged before it goes out, and again for every address before a connection to it is
 * made, so that what was checked is what is connected to. Rules that ask of the response are judged
 * once more when its head is there. Loopback, private, link-local and multicast addresses, unusual
 * ports and the proxy itself are denied unless the rule that allows speaks of them itself.
 *
 * Threads: any; pure but for the clock in the facts. Ownership: facts and verdicts borrow.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/span.h"

struct access; /* compiled */
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
    struct span method, host, path; /* host: lower case, no port, no brackets; path: with query */
    uint16_t port;
    const struct sockaddr *address; /* to be connected to; NULL: not known yet */
    int64_t wall_s;
    bool has_response; /* the three below are known */
    struct span type;  /* Content-Type as it came */
    uint64_t length;   /* of the content; UINT64_MAX: not known yet */
};

enum access_answer {
    ACCESS_ALLOW,
    ACCESS_DENY,
    ACCESS_WANTS_ADDRESS, /* a rule on the way asks for it: judge again with it */
};

struct access_verdict {
    enum access_answer answer;
    /* Who decided: a rule's name, or "private", "port", "self", "end" where no rule did. */
    const char *name;
    const char *reason; /* for people: of the rule, or what is built in */
    unsigned rule;      /* from 0 in the order of the file; UINT_MAX: none */
    bool asks_response; /* judge again with the response's head */
};

/* Rules of a forward proxy (site->forward), in the arena. */
struct access *access_compile(struct arena *arena, const struct conf_site *site);
void access_judge(const struct access *access, const struct access_facts *facts,
                  struct access_verdict *out);
/* What the facts point to, copied, but for groups. False: the arena is full. */
bool access_facts_copy(struct access_facts *facts, struct arena *arena);
#endif
