/*
 * exchange_page - what people see whose request a forward proxy did not serve: what happened, whether
 * to try again, and by which reference those who run the proxy find it in their log. In HTML for a
 * client that names it, in plain text for all others. The words are for visitors; those of the logs
 * stand below them, for the one who is asked.
 *
 * What a client sent stands there as text only: what acts in HTML is escaped, and control bytes are
 * nowhere.
 */
#include <time.h>

#include "base/buf.h"
#include "exchange/exchange_forward.h"
#include "http/coding.h"
#include "http/status.h"

#define PAGE_MAX_BYTES 16384u

/* Sentences without their full stop at the end. */
struct words {
    const char *title, *what, *advice;
};

#define SOON "Try again in a few minutes"
#define TELL "Tell those who run this proxy: trying again will not help"

/* ---- which words ---- */

/* What this proxy decided by itself; of the rest title is NULL. */
static struct words words_of_reason(const struct exchange *x)
{
    static const char denied[] = "This proxy does not allow this request";
    const struct access_verdict *verdict = x->forwarding == NULL ? NULL : &x->forwarding->verdict;
    bool is_rule = verdict != NULL && verdict->answer == ACCESS_DENY;

    switch ((enum http_reason)x->reason) {
    case HTTP_REASON_CHALLENGE:
        return (struct words){"This proxy asks who you are",
                              "It wants a name and a password before it fetches anything",
                              "Load the page again and enter yours"};
    case HTTP_REASON_LOGIN_FAILED:
        return (struct words){"The name or the password is wrong",
                              "This proxy knows nobody by this name and password",
                              "Load the page again and enter them once more"};
    case HTTP_REASON_LOGIN_LIMIT:
        return (struct words){"Too many wrong passwords came from your address",
                              "This proxy looks at no more of them for the moment",
                              "Try again in a minute"};
    case HTTP_REASON_LOGIN_BUSY:
        return (struct words){"Too many people log in at the same time",
                              "This proxy has not looked at your password yet",
                              "Try again in a few seconds"};
    case HTTP_REASON_LIMIT_REQUESTS:
    case HTTP_REASON_LIMIT_CONCURRENT:
    case HTTP_REASON_LIMIT_CONNECTIONS:
        return (struct words){"This is too much at once",
                              "This proxy limits how much one may ask for at the same time",
                              "Wait a moment, and try again"};
    case HTTP_REASON_QUOTA:
        return (struct words){"A quota is used up", x->error_text,
                              "Trying again will not help before then"};
    default:
        break;
    }
    if (x->result != RESULT_DENIED) {
        return (struct words){NULL, NULL, NULL};
    }
    return (struct words){denied, is_rule ? verdict->reason : x->error_text,
                          "Trying again will not help"};
}

/* Was it a parent proxy that failed? */
static bool is_of_parent(const struct exchange *x)
{
    if (x->policy == NULL || x->policy->upstream == 0 || x->status < 500) {
        return false;
    }
    switch ((enum http_reason)x->reason) {
    case HTTP_REASON_ORIGIN_DOWN:
    case HTTP_REASON_QUEUE_FULL:
    case HTTP_REASON_QUEUE_TIMEOUT:
        return true;
    default:
        return x->origin.has_name && x->origin.pool == site_pool(x->site, x->policy)->conf->name;
    }
}

/* Somebody has typed the proxy's own address. */
static bool is_visit(const struct exchange *x)
{
    const struct http_request *request = x->stream->request;

    return request->method != HTTP_CONNECT && request->scheme.len == 0 && x->status == 400 &&
           (x->forwarding == NULL || x->forwarding->stage == FORWARD_TARGET);
}

/* What happened on the way to the server. */
static struct words words_of_way(const struct exchange *x)
{
    switch (x->proxy_error) {
    case HTTP_PROXY_DNS_ERROR:
        if (x->status == 503) {
            return (struct words){"This proxy is very busy",
                                  "It looks up too many names at the same time",
                                  "Try again in a few seconds"};
        }
        return (struct words){"This site was not found",
                              "There is no address for its name at the moment",
                              "Look whether the name is spelled right; if it is, try again in a "
                              "few minutes"};
    case HTTP_PROXY_DNS_TIMEOUT:
        return (struct words){"This site was not found in time",
                              "Nobody has told this proxy the address of its name so far",
                              "Try again in a minute"};
    case HTTP_PROXY_DESTINATION_UNAVAILABLE:
    case HTTP_PROXY_DESTINATION_IP_UNROUTABLE:
    case HTTP_PROXY_CONNECTION_REFUSED:
        return (struct words){"This site cannot be reached", "Nobody answers at its address", SOON};
    case HTTP_PROXY_CONNECTION_TIMEOUT:
    case HTTP_PROXY_CONNECTION_READ_TIMEOUT:
    case HTTP_PROXY_HTTP_RESPONSE_TIMEOUT:
        return (struct words){"This site takes too long to answer",
                              "This proxy has waited for it as long as it may", SOON};
    case HTTP_PROXY_TLS_CERTIFICATE_ERROR:
    case HTTP_PROXY_TLS_PROTOCOL_ERROR:
        return (struct words){"This site cannot be trusted",
                              "It could not prove that it is what its name says", SOON};
    case HTTP_PROXY_CONNECTION_TERMINATED:
    case HTTP_PROXY_HTTP_RESPONSE_INCOMPLETE:
    case HTTP_PROXY_HTTP_PROTOCOL_ERROR:
        return (struct words){"This site did not answer properly",
                              "Its answer broke off, or made no sense", SOON};
    case HTTP_PROXY_CONNECTION_LIMIT_REACHED:
        return (struct words){"This proxy is very busy", "It has no connection left",
                              "Try again in a few seconds"};
    case HTTP_PROXY_CONFIGURATION_ERROR:
        return (struct words){"This proxy is not set up for this",
                              "A setting that the request needs is wrong or missing", TELL};
    case HTTP_PROXY_LOOP_DETECTED:
        return (struct words){"This request goes round in circles",
                              "It has come back to this proxy", TELL};
    default:
        return (struct words){NULL, NULL, NULL};
    }
}

static struct words words_of(const struct exchange *x)
{
    struct words words = words_of_reason(x);

    if (words.title == NULL && is_of_parent(x)) {
        words = (struct words){"This proxy cannot pass your request on",
                               "The proxy that it sends requests to does not answer as it should; "
                               "the site has nothing to do with it",
                               x->proxy_error == HTTP_PROXY_CONFIGURATION_ERROR ? TELL : SOON};
    }
    if (words.title == NULL && is_visit(x)) {
        words = (struct words){"This is a proxy, not a web site",
                               "Browsers and programs are told to use it in their settings",
                               "It has no pages of its own"};
    }
    if (words.title == NULL) {
        words = words_of_way(x);
    }
    if (words.title == NULL) {
        words =
            (struct words){x->status < 500 ? "This proxy cannot do what was asked"
                                           : "This proxy could not fetch this",
                           x->error_text, x->status < 500 ? "Trying again will not help" : SOON};
    }
    return words;
}

/* ---- the page ---- */

/* Does the client name HTML among what it takes (RFC 9110 12.5.1)? Programs that take anything do
 * not, and are better off with text. */
static bool takes_html(const struct http_request *request)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(&request->fields, HTTP_FIELD_ACCEPT, &at)) != NULL) {
        struct span rest = field->value;
        struct span member;
        while (http_list_next(&rest, &member)) {
            struct span type = {0};
            (void)http_part_next(&member, &type);
            if (span_eq_nocase(type, SPAN("text/html")) && http_weight(member) > 0) {
                return true;
            }
        }
    }
    return false;
}

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

/* A sentence that may begin with a small letter, as those of rules and logs do. */
static void put_sentence(struct buf *out, const char *text, bool is_html)
{
    buf_puts(out, is_html ? "<p>" : "");
    if (text[0] >= 'a' && text[0] <= 'z') {
        buf_putc(out, (char)(text[0] - 'a' + 'A'));
        text++;
    }
    put_text(out, span_str(text), is_html);
    bool has_end = out->len > 0 && strchr(".!?", out->data[out->len - 1]) != NULL;
    buf_puts(out, has_end ? "" : ".");
    buf_puts(out, is_html ? "</p>\n" : "\n");
}

static void put_line(struct buf *out, const char *what, struct span text, bool is_html)
{
    if (text.len > 0) {
        buf_printf(out, is_html ? "<dt>%s</dt><dd>" : "%s: ", what);
        put_text(out, text, is_html);
        buf_puts(out, is_html ? "</dd>\n" : "\n");
    }
}

static void put_top(const struct exchange *x, const char *title, bool is_html, struct buf *out)
{
    if (!is_html) {
        buf_printf(out, "%u %s\n\n%s.\n", x->status, http_status_reason(x->status), title);
        return;
    }
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\">"
               "<title>%s</title>\n<style>:root{color-scheme:light dark}"
               "body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}"
               "h1{font-size:1.5em;line-height:1.25}"
               "dl{display:grid;grid-template-columns:auto 1fr;gap:0 1em;margin-top:2em;"
               "font-size:.875em}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}</style></head>\n"
               "<body><h1>%s</h1>\n",
               title, title);
}

/* For the one who is asked. */
static void put_facts(struct exchange *x, const char *said, bool is_html, struct buf *out)
{
    const struct exchange_forward *forward = x->forwarding;
    time_t now = (time_t)(loop_wall_ms(x->env->loop) / 1000);
    struct tm parts;
    char text[40];

    buf_puts(out, is_html ? "<dl>\n" : "\n");
    if (x->error_text != said && x->result == RESULT_ERROR) {
        put_line(out, "Details", span_str(x->error_text), is_html);
    }
    if (forward != NULL && forward->verdict.answer == ACCESS_DENY) {
        put_line(out, "Rule", span_str(forward->verdict.name), is_html);
    }
    put_line(out, "Host", forward == NULL ? SPAN("") : forward->host, is_html);
    if (gmtime_r(&now, &parts) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts) > 0) {
        put_line(out, "Time", span_str(text), is_html);
    }
    buf_printf(out,
               is_html ? "<dt>Reference</dt><dd>%016llx</dd>\n</dl></body></html>\n"
                       : "Reference: %016llx\n",
               (unsigned long long)exchange_request_id(x));
}

static void write_page(struct exchange *x, bool is_html, struct buf *out)
{
    struct words words = words_of(x);

    put_top(x, words.title, is_html, out);
    put_sentence(out, words.what, is_html);
    put_sentence(out, words.advice, is_html);
    put_sentence(out, "If you need help, ask those who run this proxy, and give them the reference",
                 is_html);
    put_facts(x, words.what, is_html, out);
}

bool exchange_page(struct exchange *x)
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
