#ifndef FILL_FILL_REQUEST_H
#define FILL_FILL_REQUEST_H
/* fill_request - what is sent to the origin for a client's request (RFC 9110 7.6; RFC 9111 4.3.1).
 */
#include "fill/fill.h"

struct fill_request_options {
    const struct site *site;
    const struct policy *policy;
    const struct http_request *request;
    const struct site_client *client;
    const struct store_object *stale; /* add its validators; NULL: none */
    struct span offer;                /* a line of validators of other variants; may be empty */
    bool shared; /* for the cache: the client's own conditions and ranges stay out */
    const struct fill_range *range; /* ask for this only; NULL: for what the client asked for */
    bool to_parent;                 /* it is a parent that is asked */
};

/* fill_selecting.c: the request's fields as far as they select stored responses: its own, or a
 * copy in the arena. NULL: no memory. */
const struct http_fields *fill_selecting(struct arena *arena, const struct site *site,
                                         const struct policy *policy,
                                         const struct http_request *request,
                                         const struct site_client *client);
/* The field lines, in the arena (or borrowed from the request where they stand there in one piece).
 * Returns their count; 0 with *lines NULL when the arena is full. */
unsigned fill_request_lines(struct arena *arena, const struct fill_request_options *options,
                            const struct span **lines);
#define FILL_VARIANTS_MAX 16u /* whose validators are offered */
/* fill_variants.c: the variants of a key that may be offered, a reference each; their count. */
unsigned fill_offer_take(struct store *store, const struct store_key *key,
                         struct store_object *out[FILL_VARIANTS_MAX]);
/* The line that offers them; empty when there are none, or no room. */
struct span fill_offer_line(struct arena *arena, struct store_object *const *variants,
                            unsigned count);
/* fill_origin.c: what the choice of a server depends on, hash and cookie. client: its address. */
void fill_want(struct origin_want *out, const struct conf_origins *origins,
               const struct http_fields *fields, struct span key, struct span client);
/* A copy of head and fields that outlives the client. NULL when the arena is full. */
const struct http_request *fill_request_clone(struct arena *arena, const struct http_request *from);
#endif
