/* purge_hints - spellings are looked up as a dry purge; the sites come from what is in force. */
#include "admin/purge_hints.h"

#include <string.h>

#include "admin/private.h"
#include "http/key.h"

#define HINT_URL_BYTES ((size_t)16384)
#define HINT_SITES_MAX 8u
#define HINT_LISTENS_MAX 4u

/* A URL with another authority than it has. */
static void put_authority(struct buf *out, const struct http_url *url, struct span host,
                          unsigned port)
{
    buf_append(out, url->scheme);
    buf_puts(out, "://");
    buf_append(out, host);
    if (port != 0) {
        buf_printf(out, ":%u", port);
    }
    buf_append(out, url->path);
}

/* Says so when this spelling is stored. Clears it. */
static void try_spelling(struct admin_request *request, struct buf *other, struct json *json)
{
    struct store_purge_result found = {0};
    struct buf key;

    buf_init(&key, HINT_URL_BYTES);
    if (other->len > 0 && !other->failed &&
        service_purge_key(request->admin->service, other->data, NULL, false, &key) == NULL &&
        !key.failed) {
        store_purge_key(service_store(request->admin->service), buf_span(&key), STORE_PURGE_SOFT,
                        true, false, &found);
    }
    buf_free(&key);
    if (found.objects > 0) {
        buf_puts(other, " is stored");
        json_string(json, buf_span(other));
    }
    buf_clear(other);
}

static void try_spellings(struct admin_request *request, const char *text,
                          const struct http_url *url, struct span host, struct json *json)
{
    const struct conf *conf = request->conf;
    size_t len = strlen(text);
    size_t bare = strcspn(text, "?#");
    bool is_https = url->scheme.len == 5;
    struct buf other;

    buf_init(&other, HINT_URL_BYTES);
    if (len > bare) { /* without the query */
        buf_append(&other, span_of(text, bare));
        try_spelling(request, &other, json);
    }
    if (bare > 0 && text[bare - 1] == '/') { /* without, or with, a slash at the end */
        buf_append(&other, span_of(text, bare - 1));
    } else {
        buf_append(&other, span_of(text, bare));
        buf_putc(&other, '/');
    }
    try_spelling(request, &other, json);
    buf_puts(&other, is_https ? "http" : "https");
    buf_puts(&other, text + (is_https ? 5 : 4));
    try_spelling(request, &other, json);
    if (host.len < url->authority.len) { /* without the port, or with ours */
        put_authority(&other, url, host, 0);
        try_spelling(request, &other, json);
    }
    for (size_t i = 0; i < conf->listen_count && i < HINT_LISTENS_MAX; i++) {
        if (host.len == url->authority.len) {
            put_authority(&other, url, host, conf->listens[i].port);
            try_spelling(request, &other, json);
        }
    }
    buf_free(&other);
}

static bool is_served(const struct conf *conf, struct span host)
{
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_names *names = &conf->sites[i].names;
        for (size_t j = 0; j < names->count; j++) {
            struct span name = span_str(names->list[j]);
            if (conf->sites[i].forward.name != NULL || span_eq(name, SPAN("*")) ||
                span_eq_nocase(name, host)) {
                return true;
            }
        }
    }
    return false;
}

static void say_not_served(const struct conf *conf, struct span host, struct json *json)
{
    struct buf text;
    size_t count = 0;

    buf_init(&text, HINT_URL_BYTES);
    buf_puts(&text, "no site serves ");
    buf_append(&text, host);
    buf_puts(&text, "; the sites:");
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_names *names = &conf->sites[i].names;
        for (size_t j = 0; j < names->count; j++) {
            if (count++ < HINT_SITES_MAX) {
                buf_putc(&text, ' ');
                buf_puts(&text, names->list[j]);
            }
        }
    }
    if (count > HINT_SITES_MAX) {
        buf_printf(&text, " and %zu more", count - HINT_SITES_MAX);
    }
    json_string(json, buf_span(&text));
    buf_free(&text);
}

void purge_hints_write(struct admin_request *request, const char *url, struct json *json)
{
    struct http_url parts;

    if (http_url_parse(span_str(url), &parts) != NULL) {
        return;
    }
    struct span host = http_authority_host(parts.authority);
    if (!is_served(request->conf, host)) {
        say_not_served(request->conf, host, json);
        return;
    }
    try_spellings(request, url, &parts, host, json);
}
