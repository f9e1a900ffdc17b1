/* exchange_deny - what a client is told whose request a forward proxy's rules deny. */
#include "base/buf.h"
#include "exchange/exchange_forward.h"
#include "http/status.h"

#define PAGE_MAX_BYTES 16384u

enum http_reason exchange_deny_reason(const struct access_verdict *verdict)
{
    switch (verdict->by) {
    case ACCESS_BY_RULE:
        break;
    case ACCESS_BY_END:
        return HTTP_REASON_ACCESS_END;
    case ACCESS_BY_PRIVATE:
        return HTTP_REASON_ACCESS_PRIVATE;
    case ACCESS_BY_PORT:
        return HTTP_REASON_ACCESS_PORT;
    case ACCESS_BY_SELF:
        return HTTP_REASON_ACCESS_SELF;
    }
    return HTTP_REASON_ACCESS_RULE;
}

enum exchange_next exchange_deny(struct exchange *x, const struct access_verdict *verdict)
{
    x->forwarding->verdict = *verdict;
    x->result = RESULT_DENIED;
    x->reason = (uint8_t)exchange_deny_reason(verdict);
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    x->proxy_error = verdict->by == ACCESS_BY_PRIVATE || verdict->by == ACCESS_BY_SELF
                         ? HTTP_PROXY_DESTINATION_IP_PROHIBITED
                         : HTTP_PROXY_HTTP_REQUEST_DENIED;
    return exchange_fail(x, 403, "denied");
}

/* Does the client name HTML among what it takes (RFC 9110 12.5.1)? Programs that take anything do
 * not, and are better off with text. */
static bool takes_html(const struct http_request *request)
{
    for (unsigned i = 0; i < request->fields.count; i++) {
        const struct http_field *field = &request->fields.items[i];
        struct span rest = field->value;
        struct span member;
        if (!span_eq_nocase(field->name, SPAN("Accept"))) {
            continue;
        }
        while (http_list_next(&rest, &member)) {
            const char *end = memchr(member.ptr, ';', member.len);
            size_t len = end == NULL ? member.len : (size_t)(end - member.ptr);
            if (span_eq_nocase(span_trim(span_of(member.ptr, len)), SPAN("text/html"))) {
                return true;
            }
        }
    }
    return false;
}

/* Text for people; what acts in HTML is escaped, and control bytes are nowhere. */
static void put_text(struct buf *out, struct span text, bool is_html)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((unsigned char)c < 0x20 || c == 0x7f) {
            buf_putc(out, ' ');
        } else if (is_html && strchr("&<>\"'", c) != NULL) {
            buf_printf(out, "&#%d;", c);
        } else {
            buf_putc(out, c);
        }
    }
}

static void put_line(struct buf *out, const char *what, struct span text, bool is_html)
{
    buf_printf(out, is_html ? "<dt>%s</dt><dd>" : "%s: ", what);
    put_text(out, text, is_html);
    buf_puts(out, is_html ? "</dd>\n" : "\n");
}

static void write_page(const struct exchange *x, bool is_html, struct buf *out)
{
    const struct access_verdict *verdict = &x->forwarding->verdict;
    bool is_rule = verdict->answer == ACCESS_DENY; /* or a quota */
    const char *title = "This proxy does not allow this request";

    if (is_html) {
        buf_printf(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width\">"
            "<title>%u %s</title>\n<style>:root{color-scheme:light dark}"
            "body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}"
            "h1{font-size:1.5em}p::first-letter{text-transform:uppercase}"
            "dt{float:left;width:5em;opacity:.7}dd{overflow-wrap:anywhere}</style></head>\n<body><h1>%s</h1>\n<p>",
            x->status, http_status_reason(x->status), title);
    } else {
        buf_printf(out, "%u %s\n\n%s: ", x->status, http_status_reason(x->status), title);
    }
    put_text(out, span_str(is_rule ? verdict->reason : x->error_text), is_html);
    buf_puts(out, is_html ? ".</p>\n<dl>" : ".\n\n");
    if (is_rule) {
        put_line(out, "Rule", span_str(verdict->name), is_html);
    }
    put_line(out, "Host", x->forwarding->host, is_html);
    buf_puts(out, is_html ? "</dl></body></html>\n" : "");
}

bool exchange_deny_page(struct exchange *x)
{
    bool is_html = takes_html(x->stream->request);
    struct buf page;

    buf_init(&page, PAGE_MAX_BYTES);
    write_page(x, is_html, &page);
    struct span body = page.failed ? span_of(NULL, 0) : arena_copy(&x->arena, buf_span(&page));
    buf_free(&page);
    if (body.ptr == NULL) {
        return false;
    }
    x->own.body = body;
    x->own.type = is_html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
    return true;
}
