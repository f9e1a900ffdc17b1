/*
 * exchange_own - answers of our own: what a setting says (redirect, respond), and error pages, those
 * of the operator or a small one (RFC 9110 15; RFC 9209). Pages stand in the configuration in force;
 * nothing is read here.
 */
#include "base/buf.h"
#include "exchange/exchange_extra.h"
#include "exchange/exchange_forward.h"
#include "fill/fill.h"
#include "http/condition.h"
#include "http/head.h"
#include "http/status.h"
#include "site/redirect.h"

#define LOCATION_MAX_BYTES (64u * 1024u)
/* "xxxxxxxxxxxxxxxx" twice, and quotes. */
#define TAG_BYTES 40u

/* ---- redirect, respond ---- */

/* For how long others may keep it: a mistake must not stay in browsers for ever, and what depends on
 * more than the address is for nobody else. */
static const char *redirect_lifetime(const struct exchange *x, unsigned status)
{
    bool is_lasting = status == 301 || status == 308;
    return is_lasting && !x->site->rules.answers_vary ? "max-age=3600" : "no-store";
}

/* Fields of responses are the operator's to change here too. */
static struct span edited(struct exchange *x, struct span head, const char *type)
{
    if (x->site->rules.late_shows) {
        struct rule_facts facts = rule_facts_of(x->stream->request, x->status, span_str(type));
        x->policy = site_policy(x->site, &facts, &x->policy_room);
    }
    if (head.ptr == NULL || x->policy->edit_count[CONF_HEADER_RESPONSE] == 0) {
        return head;
    }
    return exchange_edit_head(x, head);
}

static enum exchange_next send_own(struct exchange *x, unsigned status, const struct own_page *own)
{
    x->result = RESULT_SYNTHETIC;
    x->status = (uint16_t)status;
    x->own = *own;
    x->own.is_edited = true;
    return exchange_go(x, EXCHANGE_STEP_ERROR);
}

static bool answer_redirect(struct exchange *x, enum exchange_next *next)
{
    struct buf location;
    buf_init(&location, LOCATION_MAX_BYTES);
    unsigned status = redirect_to(x->policy->redirect, x->stream->request,
                                  exchange_client(x)->is_https, &location);
    if (status == 0) {
        buf_free(&location);
        return false;
    }
    struct span to = location.failed ? (struct span){0} : buf_span(&location);
    const struct own_page own = {
        .body = arena_printf(&x->arena, "%u %s\n\n%.*s\n", status, http_status_reason(status),
                             (int)to.len, to.len == 0 ? "" : to.ptr),
        .type = "text/plain; charset=utf-8",
        .lines = arena_printf(&x->arena, "Location: %.*s\r\nCache-Control: %s\r\n", (int)to.len,
                              to.len == 0 ? "" : to.ptr, redirect_lifetime(x, status)),
    };
    buf_free(&location);
    if (status == 400) {
        *next = exchange_fail(x, 400, "the request names no host to be redirected to");
    } else if (to.len == 0 || own.body.ptr == NULL || own.lines.ptr == NULL) {
        *next = exchange_fail(x, 414, "the target is too long");
    } else {
        *next = send_own(x, status, &own);
    }
    return true;
}

/* RFC 9110 13.1.2. */
bool exchange_has_tag(const struct http_request *request, struct span tag)
{
    unsigned at = 0;
    const struct http_field *field;
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        return false;
    }
    while ((field = http_fields_next(&request->fields, HTTP_FIELD_IF_NONE_MATCH, &at)) != NULL) {
        struct span rest = field->value;
        struct span member;
        while (http_list_next(&rest, &member)) {
            if (span_eq(member, SPAN("*")) || http_etag_match_weak(member, tag)) {
                return true;
            }
        }
    }
    return false;
}

static enum exchange_next answer_respond(struct exchange *x)
{
    const struct conf_respond *respond = x->policy->respond;
    const struct conf_page *page = &respond->page;
    bool has_page = page->text != NULL;
    unsigned status = respond->status;
    struct own_page own = {.body = has_page ? page->body : SPAN(""),
                           .type = has_page ? page->type : NULL};
    if (status == 200 && has_page) {
        struct span tag =
            arena_printf(&x->arena, "\"%016llx%016llx\"", (unsigned long long)page->tag[0],
                         (unsigned long long)page->tag[1]);
        if (tag.ptr == NULL) {
            return exchange_fail(x, 500, "no memory");
        }
        own.lines = arena_printf(&x->arena, "ETag: %.*s\r\nCache-Control: %s\r\n", (int)tag.len,
                                 tag.ptr, x->site->rules.answers_vary ? "no-store" : "no-cache");
        status = exchange_has_tag(x->stream->request, tag) ? 304 : 200;
    } else {
        own.lines = SPAN("Cache-Control: no-store\r\n");
    }
    return own.lines.ptr == NULL ? exchange_fail(x, 500, "no memory") : send_own(x, status, &own);
}

bool exchange_answer(struct exchange *x, enum exchange_next *next)
{
    if (x->policy->redirect != NULL && answer_redirect(x, next)) {
        return true;
    }
    if (x->policy->respond == NULL) {
        return false;
    }
    *next = answer_respond(x);
    return true;
}

/* ---- error pages ---- */

static const struct conf_error_page *page_for(const struct exchange *x)
{
    const struct conf_site *site = x->site == NULL ? NULL : x->site->conf;
    for (size_t i = site == NULL ? 0 : site->error_page_count; i > 0; i--) {
        const struct conf_error_page *page = &site->error_pages[i - 1];
        for (size_t j = 0; j < page->status_count; j++) {
            if (x->status >= page->statuses[j].low && x->status <= page->statuses[j].high) {
                return page;
            }
        }
    }
    return NULL;
}

/* What the origin said beside the page. */
static struct span kept_lines(struct exchange *x)
{
    static const char *const kept[] = {"Retry-After", "WWW-Authenticate", "Allow"};
    struct http_field items[STORED_FIELDS_MAX];
    struct http_fields fields;
    struct buf lines;
    unsigned status;
    http_fields_init(&fields, items, ARRAY_LEN(items));
    if (!http_head_read(store_object_head(x->object), &status, &fields)) {
        return SPAN("");
    }
    buf_init(&lines, LOCATION_MAX_BYTES);
    for (unsigned i = 0; i < fields.count; i++) {
        for (size_t j = 0; j < ARRAY_LEN(kept); j++) {
            if (span_eq_nocase(items[i].name, span_str(kept[j]))) {
                buf_append(&lines, items[i].name);
                buf_puts(&lines, ": ");
                buf_append(&lines, items[i].value);
                buf_puts(&lines, "\r\n");
            }
        }
    }
    struct span copy =
        lines.failed || lines.len == 0 ? SPAN("") : arena_copy(&x->arena, buf_span(&lines));
    buf_free(&lines);
    return copy;
}

bool exchange_intercept(struct exchange *x)
{
    const struct conf_error_page *page = page_for(x);
    if (page == NULL || !page->intercept) {
        return false;
    }
    struct span kept = kept_lines(x);
    struct span lines =
        arena_printf(&x->arena, "Cache-Control: no-store\r\n%.*s", (int)kept.len, kept.ptr);
    if (lines.ptr == NULL) {
        return false;
    }
    x->own = (struct own_page){.body = page->page.body, .type = page->page.type, .lines = lines};
    exchange_release(x);
    if (x->origin.fill != NULL) {
        fill_detach(&x->origin.fill); /* what may be stored is stored, for the day the page goes */
    }
    return true;
}

/* The operator's page, or a small one. False: no memory. */
static bool choose_page(struct exchange *x)
{
    const struct conf_error_page *page = page_for(x);
    x->own.lines = SPAN("Cache-Control: no-store\r\n");
    if (page != NULL) {
        x->own.body = page->page.body;
        x->own.type = page->page.type;
        return true;
    }
    if (x->site != NULL && x->site->forward != NULL) {
        return exchange_page(x);
    }
    x->own.type = "text/plain; charset=utf-8";
    x->own.body = arena_printf(&x->arena, "%u %s\n\n%s\n", x->status, http_status_reason(x->status),
                               x->error_text);
    return x->own.body.ptr != NULL;
}

static void put_extra(struct exchange *x, struct extra *extra)
{
    if (x->stream->request->method == HTTP_CONNECT) {
        extra_put(extra, SPAN("Connection: close\r\n")); /* what follows is no HTTP */
    }
    if (UNLIKELY(x->status == 407)) {
        exchange_put_challenge(x, extra);
    }
    if (x->result == RESULT_SYNTHETIC) {
        return;
    }
    if (x->retry_after_s > 0) {
        extra_put(extra, SPAN("Retry-After: "));
        extra_number(extra, x->retry_after_s);
        extra_put(extra, SPAN("\r\n"));
    }
    if (x->status == 405 && x->result == RESULT_ERROR) {
        extra_put(extra, SPAN("Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n"));
    }
    if (x->own.closes) {
        extra_put(extra, SPAN("Connection: close\r\n"));
    }
    if (x->proxy_error != HTTP_PROXY_ERROR_COUNT && x->site != NULL) {
        extra_put(extra, SPAN("Proxy-Status: "));
        extra->at += http_proxy_status_write(extra->at, (size_t)(extra->end - extra->at),
                                             x->site->via, x->proxy_error);
        extra_put(extra, SPAN("\r\n"));
    }
    if (x->forward != HTTP_FORWARD_NONE) { /* our own words were never a hit (RFC 9211, 2) */
        exchange_put_cache_status(x, extra);
    }
}

/* False: no memory. */
static bool write_head(struct exchange *x)
{
    char room[EXTRA_BYTES];
    struct extra extra = {.at = room, .end = room + sizeof(room)};
    bool has_content = http_status_has_body(x->status);
    bool head_only = x->stream->request->method == HTTP_HEAD || !has_content;
    if (x->own.body.ptr == NULL && !choose_page(x)) {
        return false;
    }
    const struct own_page *own = &x->own;
    struct span about = span_of("", 0);
    if (has_content) {
        about = arena_printf(
            &x->arena, "%s%s%sContent-Length: %zu\r\n",
            own->type == NULL ? "" : "Content-Type: ", own->type == NULL ? "" : own->type,
            own->type == NULL ? "" : "\r\n", own->body.len);
    }
    struct span head =
        arena_printf(&x->arena, "HTTP/1.1 %u %s\r\n%.*s%.*s", x->status,
                     http_status_reason(x->status), (int)about.len, about.ptr, (int)own->lines.len,
                     own->lines.ptr == NULL ? "" : own->lines.ptr);
    if (own->is_edited) {
        head = edited(x, head, own->type == NULL ? "" : own->type);
    }
    if (head.ptr == NULL || about.ptr == NULL) {
        return false;
    }
    x->source = BYTES_SELF;
    x->offset = 0;
    x->end = head_only ? 0 : own->body.len;
    put_extra(x, &extra);
    stream_head(x->stream, head, span_of(room, (size_t)(extra.at - room)),
                head_only ? STREAM_BODY_NONE : STREAM_BODY_LENGTH);
    x->head_sent = true;
    return true;
}

enum exchange_next exchange_error(struct exchange *x)
{
    if (!x->head_sent && !write_head(x)) {
        x->aborted = true;
        return exchange_go(x, EXCHANGE_STEP_DONE);
    }
    struct iovec part = {.iov_base = span_unconst(x->own.body.ptr + x->offset),
                         .iov_len = (size_t)(x->end - x->offset)};
    ptrdiff_t sent = exchange_offer(x, &part, part.iov_len > 0 ? 1 : 0, true);
    if (sent < 0) {
        x->aborted = true;
        return exchange_go(x, EXCHANGE_STEP_DONE);
    }
    x->offset += (uint64_t)sent;
    return x->offset == x->end ? exchange_go(x, EXCHANGE_STEP_DONE) : EXCHANGE_PARK;
}
