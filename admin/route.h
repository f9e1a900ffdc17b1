#ifndef ADMIN_ROUTE_H
#define ADMIN_ROUTE_H
/*
 * route - the table of addresses and what every request must pass before its handler runs: Host,
 * method, size, identity, scope, content type, same origin.
 */
#include <stdbool.h>
#include <stddef.h>

#include "admin/request.h"

struct route {
    const char *method;
    const char *path; /* one that ends in '*' matches what follows */
    enum auth_scope scope;
    void (*run)(struct admin_request *request);
    bool is_slow; /* it may wait for a disk: on the job thread */
};

/* All but the handler: returns the route to run, or NULL when the answer is made. */
const struct route *route_admit(struct admin_request *request, bool body_is_too_large);
/* The table, for tests and listings. */
const struct route *route_list(size_t *count);
#endif
