#ifndef TESTS_UNIT_ACCESS_KIT_H
#define TESTS_UNIT_ACCESS_KIT_H
/* access_kit - rules of a forward proxy from text, and questions to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/access.h"
#include "base/hostname.h"
#include "base/mem.h"
#include "conf/conf.h"

struct kit {
    struct conf *conf;
    struct arena arena;
    struct access *access;
};

/* acl: what stands in the forward block. */
static inline void kit_open(struct kit *kit, const char *acl, unsigned flags)
{
    struct conf_report *report = conf_report_new();
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "listen 127.0.0.1:3128 { forward f; } listen :8080 { forward f; }"
               "admin { listen 127.0.0.1:8090; } forward f { %s }",
               acl);
    if (conf_load_text("t", buf_span(&text), flags, &kit->conf, report) != ERR_OK) {
        fail_msg("%s: %s", acl, conf_report_get(report, 0)->message);
    }
    conf_report_free(report);
    buf_free(&text);
    arena_init(&kit->arena, 1 << 24);
    kit->access = access_compile(&kit->arena, kit->conf, conf_find_forward(kit->conf, "f"));
    assert_non_null(kit->access);
}

static inline void kit_close(struct kit *kit)
{
    access_end(kit->access);
    arena_reset(&kit->arena);
    conf_unref(kit->conf);
}

/* "10.0.0.1" or "::1" into room. */
static inline const struct sockaddr *kit_address(const char *text, struct sockaddr_storage *room)
{
    char out[HOSTNAME_BYTES];
    struct span normal;

    if (text == NULL) {
        return NULL;
    }
    assert_int_equal(hostname_read(span_str(text), out, &normal, room), HOSTNAME_ADDRESS);
    return (const struct sockaddr *)room;
}

struct asked {
    const char *url;    /* scheme://host[:port]/path; scheme connect too */
    const char *client; /* NULL: 10.1.1.1 */
    const char *to;     /* NULL: not known */
    const char *method; /* NULL: GET */
    const char *user;
    const char *groups[3];
    const char *type; /* not NULL: there is a response */
    uint64_t length;  /* of it, plus 1; 0: unknown */
    uint64_t seen;
    int64_t wall_s;
};

static inline void kit_url(const char *url, struct access_facts *facts)
{
    const char *host = strstr(url, "://") + 3;
    const char *path = strchr(host, '/');
    const char *colon = host[0] == '[' ? strchr(host, ']') + 1 : strchr(host, ':');

    path = path == NULL ? url + strlen(url) : path;
    facts->scheme = url[0] == 'c'                   ? ACCESS_CONNECT
                    : strncmp(url, "https", 5) == 0 ? ACCESS_HTTPS
                                                    : ACCESS_HTTP;
    facts->port = facts->scheme == ACCESS_HTTP ? 80 : 443;
    if (colon != NULL && colon < path && *colon == ':') {
        facts->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    } else {
        colon = path;
    }
    facts->host = span_of(host, (size_t)(colon - host));
    if (host[0] == '[') {
        facts->host = span_of(host + 1, (size_t)(colon - host) - 2);
    }
    facts->path = span_str(path);
}

static inline void kit_ask(const struct kit *kit, const struct asked *asked,
                           struct access_verdict *out)
{
    struct sockaddr_storage client;
    struct sockaddr_storage to;
    unsigned groups = 0;

    while (groups < 3 && asked->groups[groups] != NULL) {
        groups++;
    }
    struct access_facts facts = {
        .client = kit_address(asked->client == NULL ? "10.1.1.1" : asked->client, &client),
        .user = span_str(asked->user),
        .groups = asked->groups,
        .group_count = groups,
        .method = span_str(asked->method == NULL ? "GET" : asked->method),
        .address = kit_address(asked->to, &to),
        .wall_s = asked->wall_s,
        .has_response = asked->type != NULL,
        .type = span_str(asked->type),
        .length = asked->length == 0 ? UINT64_MAX : asked->length - 1,
        .seen = asked->seen,
    };
    kit_url(asked->url, &facts);
    access_judge(kit->access, &facts, out);
}

/* "allow NAME", "deny NAME", "wants NAME"; "?" behind it: the response is asked for. */
static inline const char *kit_says(const struct kit *kit, const struct asked *asked)
{
    static char text[128];
    static const char *const answers[] = {"allow", "deny", "wants"};
    struct access_verdict verdict;

    kit_ask(kit, asked, &verdict);
    (void)snprintf(text, sizeof(text), "%s %s%s", answers[verdict.answer], verdict.name,
                   verdict.asks_response ? "?" : "");
    return text;
}
#endif
