/* pac - GET /proxy.pac, /wpad.dat: the PAC file of a forward proxy that has one, for whoever asks. */
#include "site/pac.h"

#include <netinet/in.h>
#include <string.h>

#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"

/* The one of that name, or without a name the only one. NULL: none, or several. */
static const struct conf_site *forward_of(const struct conf *conf, const char *name)
{
    const struct conf_site *found = NULL;

    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        if (site->forward.name == NULL || site->pac.kind == CONF_PAC_OFF ||
            (name != NULL && strcmp(name, site->forward.name) != 0)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = site;
    }
    return found;
}

/* Where its clients come in; NULL: nowhere. */
static const struct conf_listen *listen_of(const struct conf *conf, const struct conf_site *site)
{
    for (size_t i = 0; i < conf->listen_count; i++) {
        const char *name = conf->listens[i].forward;
        if (name != NULL && strcmp(name, site->forward.name) == 0) {
            return &conf->listens[i];
        }
    }
    return NULL;
}

static bool is_everywhere(const struct conf_listen *listen)
{
    const void *address = &listen->address;

    if (listen->address.ss_family == AF_INET6) {
        return listen->any ||
               IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
    }
    return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
}

/* NAME:PORT: of an address of its own, that; else the name by which we were asked. */
static void put_proxy(struct buf *out, const struct conf_listen *listen, const char *host)
{
    const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
    size_t len = end == NULL ? strcspn(host, ":") : (size_t)(end - host) + 1;

    if (!is_everywhere(listen)) {
        buf_puts(out, listen->text);
        return;
    }
    buf_printf(out, "%.*s:%u", (int)len, host, listen->port);
}

static bool has_tag(const char *value, const char *tag)
{
    return value != NULL && (strcmp(value, "*") == 0 || strstr(value, tag) != NULL);
}

void pac_get(struct admin_request *request)
{
    const struct conf_site *site = forward_of(request->conf, request_query(request, "forward"));
    const struct conf_listen *listen = site == NULL ? NULL : listen_of(request->conf, site);
    const char *host = request_header(request, "Host");
    char tag[PAC_TAG_BYTES];
    struct buf proxy;

    if (listen == NULL) {
        problem_reply(request, PROBLEM_NOT_FOUND,
                      "no forward proxy of that name has a PAC file (pac on;)");
        return;
    }
    buf_init(&proxy, 512);
    put_proxy(&proxy, listen, host == NULL ? "localhost" : host);
    struct buf *body = reply_begin(request, 200, PAC_TYPE);
    pac_write(body, &site->pac, buf_span(&proxy));
    buf_free(&proxy);
    (void)pac_tag(tag, buf_span(body));
    if (has_tag(request_header(request, "If-None-Match"), tag)) {
        (void)reply_begin(request, 304, NULL);
    }
    reply_header(request, "ETag", "%s", tag);
    reply_header(request, "Cache-Control", PAC_CACHING);
}
