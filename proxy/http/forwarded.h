#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H
/*
 * forwarded - what trusted proxies before us say of the client: X-Forwarded-For, -Proto and -Host,
 * or Forwarded (RFC 7239). And what we say of it to the origin.
 *
 * Each proxy adds, at the right end, who came to it. The list is read from there, as long as what it
 * names is trusted itself; the first that is not is the client. What stands further left was sent by
 * that client, and may say anything: it is not looked at.
 *
 * One family of fields is believed, never both: a proxy that writes one hands on what clients send
 * in the other.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "base/span.h"
#include "http/fields.h"

#define HTTP_FORWARDED_HOPS_MAX 16 /* trusted proxies in a row; the walk ends there */
#define HTTP_FORWARDED_TEXT_BYTES 46

enum http_forwarded_family {
    HTTP_FORWARDED_X,    /* X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host */
    HTTP_FORWARDED_7239, /* Forwarded */
};

enum http_scheme {
    HTTP_SCHEME_UNSAID,
    HTTP_SCHEME_HTTP,
    HTTP_SCHEME_HTTPS,
};

struct http_forwarded_options {
    enum http_forwarded_family family;
    bool (*is_trusted)(const void *ctx, const struct sockaddr *address);
    const void *ctx;
};

struct http_forwarded {
    /* Of the client, without a port; AF_UNSPEC: the proxy next to it does not say, hides it, or says
     * no address. */
    struct sockaddr_storage client;
    /* Who was named, nearest first: hops[count - 1] is the client, the others are trusted. 0: nobody
     * is named, the peer itself is the client. In canonical form, or "unknown". */
    char hops[HTTP_FORWARDED_HOPS_MAX][HTTP_FORWARDED_TEXT_BYTES];
    unsigned count;
    enum http_scheme scheme; /* the client's, as said by who stands next to it */
    bool is_malformed; /* a line of Forwarded is not in the grammar: a client may have put a quote
                                before what a proxy has added to it. To be refused */
    struct span host;  /* a valid authority as the client asked for; empty: not said */
};

/* The peer is trusted; what do its fields say? */
void http_forwarded_read(struct http_forwarded *out, const struct http_fields *fields,
                         const struct http_forwarded_options *options);

/* One name of a list: an IPv4 address, or an IPv6 address with or without brackets, with or without
 * a port (the IPv6 one then with brackets). IPv4 mapped into IPv6 comes out as IPv4. False: hidden,
 * unknown or nonsense. */
bool http_forwarded_node(struct span text, struct sockaddr_storage *out);

/* What an origin is told. */
struct http_forwarded_say {
    struct span chain; /* as X-Forwarded-For: "192.0.2.1, 10.0.0.1" */
    struct span host;  /* may be empty */
    struct span by;    /* our name; may be empty */
    bool is_https;
    bool without_scheme; /* say nothing of that */
};

/* Room for http_forwarded_write. */
size_t http_forwarded_bytes(const struct http_forwarded_say *say);
/* Writes the value of a Forwarded field and returns it: an element for each of the chain; proto and
 * host in the client's, by in the last, that of the peer we were asked by. */
struct span http_forwarded_write(char *out, const struct http_forwarded_say *say);
#endif
