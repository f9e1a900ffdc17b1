#ifndef EXPLAIN_FORWARD_TEST_H
#define EXPLAIN_FORWARD_TEST_H
/*
 * forward_test - what a forward proxy would say to a request that nobody has made: the same rules are
 * asked, of the request and of each address that its server has now, and nothing else happens.
 *
 * Threads: any that may wait for DNS (up to FORWARD_TEST_WAIT_S); not a worker.
 */
#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/arena.h"
#include "base/hostname.h"
#include "origin/directory.h"
#include "site/site.h"

#define FORWARD_TEST_WAIT_S 12u

/* NULL: not said. */
struct forward_question {
    const char *forward; /* its name; may be left out where there is only one */
    const char *client;  /* an address */
    const char *url;     /* or HOST:PORT for a tunnel */
    const char *method;  /* GET, and CONNECT for https:// */
    const char *user;    /* proven; only where there is auth */
    int64_t wall_s;      /* the time to judge by */
};

enum forward_outcome {
    FORWARD_ALLOWED,
    FORWARD_DENIED_BY,
    FORWARD_UNKNOWN, /* a rule asks for the address, and there is none */
};

struct forward_answer {
    const struct site *site;
    struct access_facts facts;
    const struct conf_user *user;            /* the site's; NULL: nobody, or not known */
    struct sockaddr_storage client, literal; /* literal: of the URL; AF_UNSPEC: a name */
    enum forward_outcome outcome;
    struct access_verdict
        verdict;     /* who decides; of FORWARD_UNKNOWN: what was said without address */
    bool has_lookup; /* the addresses were looked at */
    enum directory_answer lookup; /* never WAIT */
    struct directory_addresses addresses;
    struct access_verdict verdicts[DIRECTORY_ADDRESSES_MAX]; /* of each */
    const struct site_upstream *upstream; /* by whom it would go; NULL: by ourselves */
    struct arena arena;
    char room[HOSTNAME_BYTES];
    char fault[256];
};

/* Returns NULL, or what is wrong with the question; borrows from both. End it in any case. */
const char *forward_test(struct forward_answer *out, const struct site_table *sites,
                         struct directory *directory, const struct forward_question *question);
void forward_test_end(struct forward_answer *out);
#endif
