/* exchange_pac - the PAC file at a forward proxy's own listener, for clients that do not know of any
 * proxy yet: in origin form, and without a login, which they could not have. */
#include "exchange/exchange_forward.h"
#include "http/key.h"
#include "site/pac.h"

#define PAC_MAX_BYTES (128u * 1024u)

/* The authority by which the client came, with its port. Empty: it does not say. */
static struct span asked_by(struct exchange *x)
{
    struct span authority = x->stream->request->authority;
    size_t host = http_authority_host(authority).len;

    if (authority.len > host + 1) {
        return authority;
    }
    return host == 0 ? span_of("", 0)
                     : arena_printf(&x->arena, "%.*s:80", (int)host, authority.ptr);
}

static enum exchange_next send_file(struct exchange *x, struct span file)
{
    char room[PAC_TAG_BYTES];
    struct span tag = pac_tag(room, file);

    x->own = (struct own_page){
        .body = file,
        .type = PAC_TYPE,
        .lines = arena_printf(&x->arena,
                              "ETag: %s\r\nCache-Control: " PAC_CACHING
                              "\r\nX-Content-Type-Options: nosniff\r\n",
                              room),
    };
    if (x->own.lines.ptr == NULL) {
        return exchange_fail(x, 500, "no memory");
    }
    x->result = RESULT_SYNTHETIC;
    x->status = exchange_has_tag(x->stream->request, tag) ? 304 : 200;
    return exchange_go(x, EXCHANGE_STEP_ERROR);
}

bool exchange_pac(struct exchange *x, enum exchange_next *next)
{
    const struct http_request *request = x->stream->request;
    const struct conf_pac *pac = &x->site->conf->pac;
    struct buf out;

    if (pac->kind == CONF_PAC_OFF || !pac_is_path(request->path) ||
        (request->method != HTTP_GET && request->method != HTTP_HEAD)) {
        return false;
    }
    if (UNLIKELY(x->site->guards.is_used) && !exchange_guard(x, next)) {
        return true;
    }
    struct span proxy = pac->proxy == NULL ? asked_by(x) : span_str(pac->proxy);
    if (proxy.len == 0 && pac->kind == CONF_PAC_ON) {
        *next = exchange_fail(x, 400, "the request has no Host to name the proxy by");
        return true;
    }
    buf_init(&out, pac->kind == CONF_PAC_FILE ? pac->page.body.len + 1 : PAC_MAX_BYTES);
    pac_write(&out, pac, proxy);
    struct span file = pac->kind == CONF_PAC_FILE ? pac->page.body
                       : out.failed               ? span_of(NULL, 0)
                                                  : arena_copy(&x->arena, buf_span(&out));
    buf_free(&out);
    *next =
        file.ptr == NULL ? exchange_fail(x, 500, "the PAC file is too large") : send_file(x, file);
    return true;
}
