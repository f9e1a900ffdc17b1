/* type_answer - what is answered without cache and origin: redirect, respond; and error_page. */
#include <string.h>

#include "conf/net.h"
#include "conf/template.h"
#include "conf/type_page.h"
#include "conf/value.h"

static bool answer_report(const struct conf_item *item, const struct conf_word *word,
                          const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

static bool is_word(const struct conf_item *item, size_t at, const char *word)
{
    return at < item->count && span_eq(item->words[at].text, span_str(word));
}

/* ---- redirect ---- */

static bool redirect_url(const struct conf_item *item, uint16_t status, struct conf_redirect *out)
{
    if (!conf_item_expect(item, 2, 2)) {
        return false;
    }
    out->kind = CONF_REDIRECT_URL;
    out->status = status;
    out->url = conf_check_copy(item->check, item->words[1].text);
    const char *fault = conf_template_fault(item->words[1].text);
    if (fault != NULL) {
        struct conf_shown shown;
        conf_report_add(item->check->report, item->words[1].place, NULL,
                        "\"%s\" cannot be redirected to: %s",
                        conf_show(&shown, item->words[1].text), fault);
    }
    return fault == NULL;
}

static bool redirect_port(const struct conf_item *item, const struct conf_word *word,
                          struct conf_redirect *out)
{
    struct span text = word->text;
    uint64_t port;

    if (!span_to_u64(span_of(text.ptr + 5, text.len - 5), 65535, &port) || port == 0) {
        return answer_report(item, word, "is not port=1 to port=65535");
    }
    out->https_port = (uint32_t)port;
    return true;
}

/* [ "https" ] [ "host" NAME ] [ "port=" NUMBER ] */
static bool redirect_place(const struct conf_item *item, struct conf_redirect *out)
{
    size_t at = 0;

    out->kind = CONF_REDIRECT_PLACE;
    if (is_word(item, at, "https")) {
        out->https = true;
        at++;
    }
    if (is_word(item, at, "host")) {
        if (!conf_item_expect(item, at + 2, SIZE_MAX)) {
            return false;
        }
        const struct conf_word *name = &item->words[at + 1];
        out->host = conf_check_copy_lower(item->check, name->text);
        if (!conf_net_is_authority(name->text)) {
            return answer_report(item, name, "is not a host name, with or without a port");
        }
        at += 2;
    }
    if (out->https && at < item->count && span_starts(item->words[at].text, SPAN("port="))) {
        if (!redirect_port(item, &item->words[at], out)) {
            return false;
        }
        at++;
    }
    return conf_item_expect(item, 1, at);
}

static bool redirect_set(const struct conf_item *item)
{
    static const char *const first[] = {"off", "https", "host", "301", "302", "303", "307", "308"};
    struct conf_redirect *out = item->target;
    uint64_t status;

    *out = (struct conf_redirect){0};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    size_t which = conf_item_choose(item, &item->words[0], first, ARRAY_LEN(first));
    if (which == ARRAY_LEN(first)) {
        return false;
    }
    if (which == 0) {
        return conf_item_expect(item, 1, 1);
    }
    if (which <= 2) {
        return redirect_place(item, out);
    }
    CHECK(span_to_u64(item->words[0].text, 399, &status));
    return redirect_url(item, (uint16_t)status, out);
}

void conf_print_redirect(const struct conf_redirect *redirect, struct buf *out)
{
    switch (redirect->kind) {
    case CONF_REDIRECT_OFF:
        buf_puts(out, "off");
        return;
    case CONF_REDIRECT_URL:
        buf_printf(out, "%u ", redirect->status);
        conf_print_word(redirect->url, out);
        return;
    case CONF_REDIRECT_PLACE:
        break;
    }
    buf_puts(out, redirect->https ? "https" : "");
    if (redirect->host != NULL) {
        buf_puts(out, redirect->https ? " host " : "host ");
        conf_print_word(redirect->host, out);
    }
    if (redirect->https_port != 0) {
        buf_printf(out, " port=%u", redirect->https_port);
    }
}

static bool redirect_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    (void)row;
    (void)owner;
    conf_print_redirect(value, out);
    return true;
}

/* ---- respond ---- */

/* Not those that speak of the connection, of parts, of what the client has, or of elsewhere. */
static bool respond_status(struct span text, uint16_t *out)
{
    uint64_t status;

    if (text.len != 3 || !span_to_u64(text, 599, &status) || status < 200 || status == 206 ||
        (status >= 300 && status < 400)) {
        return false;
    }
    *out = (uint16_t)status;
    return true;
}

static bool respond_set(const struct conf_item *item)
{
    struct conf_respond *out = item->target;
    size_t at = 1;

    *out = (struct conf_respond){0};
    if (!conf_item_expect(item, 1, 3)) {
        return false;
    }
    if (is_word(item, 0, "off")) {
        return conf_item_expect(item, 1, 1);
    }
    if (!respond_status(item->words[0].text, &out->status)) {
        return answer_report(item, &item->words[0],
                             "is not a status to answer with: 200 to 599, without 206 and 3xx");
    }
    bool has_body = item->count > 1 && !span_starts(item->words[1].text, SPAN("type="));
    if (!has_body) {
        return conf_item_expect(item, 1, 1);
    }
    if (out->status == 204 || out->status == 205) {
        return answer_report(item, &item->words[1], "cannot be sent: this status has no content");
    }
    if (!conf_item_page(item, &item->words[at++], &out->page)) {
        return false;
    }
    size_t before = conf_report_count(item->check->report);
    if (at < item->count && conf_item_page_type(item, &item->words[at], &out->page)) {
        at++;
    }
    return conf_item_expect(item, 1, at) && conf_report_count(item->check->report) == before;
}

void conf_print_respond(const struct conf_respond *respond, struct buf *out)
{
    if (respond->status == 0) {
        buf_puts(out, "off");
        return;
    }
    buf_printf(out, "%u", respond->status);
    if (respond->page.text != NULL) {
        conf_print_page(&respond->page, out);
        conf_print_page_type(&respond->page, out);
    }
}

static bool respond_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    (void)row;
    (void)owner;
    conf_print_respond(value, out);
    return true;
}

/* ---- error_page ---- */

static bool page_statuses(const struct conf_item *item, size_t count, struct conf_error_page *out)
{
    struct conf_match *list = arena_alloc(item->check->arena, count * sizeof(*list));
    bool good = list != NULL;

    for (size_t i = 0; list != NULL && i < count; i++) {
        const struct conf_word *word = &item->words[i];
        list[i] = (struct conf_match){.text = conf_check_copy(item->check, word->text)};
        if (!conf_item_status(item, word, &list[i])) {
            good = false;
        } else if (list[i].low < 400) {
            good = answer_report(item, word, "is no error: those are 400 to 599");
        }
    }
    out->statuses = list;
    out->status_count = list == NULL ? 0 : count;
    return good;
}

static bool error_page_set(const struct conf_item *item)
{
    struct conf_error_page *out = item->target;
    size_t at = 0;

    *out = (struct conf_error_page){0};
    if (!conf_item_expect(item, 2, SIZE_MAX)) {
        return false;
    }
    while (at < item->count &&
           (item->words[at].text.len == 0 || item->words[at].text.ptr[0] != '/')) {
        at++;
    }
    if (at == item->count) {
        return answer_report(item, &item->words[at - 1],
                             "is not a file: an absolute path stands behind the statuses");
    }
    size_t before = conf_report_count(item->check->report);
    if (at == 0) {
        return answer_report(item, &item->words[0], "needs a status before it, like 503 or 5xx");
    }
    (void)page_statuses(item, at, out);
    (void)conf_item_page(item, &item->words[at++], &out->page);
    for (; at < item->count; at++) {
        if (is_word(item, at, "intercept")) {
            out->intercept = true;
        } else if (!conf_item_page_type(item, &item->words[at], &out->page)) {
            return answer_report(item, &item->words[at], "is neither intercept nor type=TYPE");
        }
    }
    return conf_report_count(item->check->report) == before;
}

static bool error_page_print(const struct schema_row *row, const void *owner, const void *value,
                             struct buf *out)
{
    const struct conf_error_page *page = value;

    (void)row;
    (void)owner;
    for (size_t i = 0; i < page->status_count; i++) {
        buf_puts(out, i == 0 ? "" : " ");
        buf_puts(out, page->statuses[i].text);
    }
    if (page->status_count == 0 || page->page.text == NULL) {
        return false;
    }
    conf_print_page(&page->page, out);
    buf_puts(out, page->intercept ? " intercept" : "");
    conf_print_page_type(&page->page, out);
    return true;
}

/* ---- page ---- */

static bool page_set(const struct conf_item *item)
{
    struct conf_page *out = item->target;
    size_t before = conf_report_count(item->check->report);
    size_t at = 1;

    *out = (struct conf_page){0};
    if (!conf_item_expect(item, 1, 2) || !conf_item_page(item, &item->words[0], out)) {
        return false;
    }
    if (item->count > 1 && conf_item_page_type(item, &item->words[1], out)) {
        at++;
    }
    return conf_item_expect(item, 1, at) && conf_report_count(item->check->report) == before;
}

static bool page_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const struct conf_page *page = value;

    (void)row;
    (void)owner;
    if (page->text == NULL) {
        return false;
    }
    conf_print_word(page->text, out);
    conf_print_page_type(page, out);
    return true;
}

const struct conf_type conf_type_page = {page_set, page_print};
const struct conf_type conf_type_redirect = {redirect_set, redirect_print};
const struct conf_type conf_type_respond = {respond_set, respond_print};
const struct conf_type conf_type_error_page = {error_page_set, error_page_print};
