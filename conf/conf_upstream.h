#ifndef CONF_CONF_UPSTREAM_H
#define CONF_CONF_UPSTREAM_H
/*
 * conf_upstream - by which parent proxies a forward proxy's requests leave (`upstream`).
 *
 * Part of the snapshot (conf.h): immutable, owned by it.
 */
#include <stdbool.h>
#include <stdint.h>

struct conf_upstream {
    bool is_set;
    bool is_direct;   /* by none: the servers are asked by ourselves */
    bool else_direct; /* by ourselves too when no parent can be asked; else such a request fails */
    const char *pool; /* of the parents: its name; made of the URL: "parent:HOST:PORT" */
    const char *url;  /* as written; NULL: the pool was named */
    const char *host; /* of the URL, no brackets */
    uint16_t port;
    const char *user; /* as written; NULL: not said here */
    const char *password;
    const char *credentials;   /* a file with USER:PASSWORD in its first line; NULL: none */
    const char *authorization; /* the line for the parents: "Proxy-Authorization: Basic ..."; NULL:
                                  they are told nothing. Never to be shown */
    const char *otherwise;     /* private: the word behind else= */
};
#endif
