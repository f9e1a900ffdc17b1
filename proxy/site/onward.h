#ifndef SITE_ONWARD_H
#define SITE_ONWARD_H
/*
 * onward - how a request goes on to the origin: under which Host and target, and how what the origin
 * says of itself is said to the client. The cache key knows nothing of it: it is what the client
 * asked.
 *
 * Threads: any; pure. Ownership: results are in the arena, or borrow from site and request.
 */
#include <stdbool.h>

#include "http/request.h"
#include "http/response.h"
#include "http/rewrite.h"
#include "site/site.h"

struct onward {
    struct span host;      /* to send */
    struct span scheme;    /* of the server's URL, and */
    struct span authority; /* its host and port; once onward_choose was called */
    struct span target;    /* to send; NULL ptr: the arena is full */
    bool is_stripped;      /* strip_prefix was there */
};

/* target: of the client, as it counts (site_target). */
void onward_settle(struct onward *out, struct arena *arena, const struct policy *policy,
                   struct span target);
/* url: of the server that is asked; settles the host. */
void onward_choose(struct onward *out, const struct site *site, const struct policy *policy,
                   const struct http_request *request, struct span url);
/* The response with Location and Content-Location as the client may follow them: itself, or a copy in
 * the arena. NULL: the arena is full. */
const struct http_response *onward_back(struct arena *arena, const struct policy *policy,
                                        const struct http_request *request,
                                        const struct onward *onward,
                                        const struct http_response *response);
#endif
