/* type_health - the values of `check`, `eject` and `breaker`, and of `resolver`. */
#include <stdio.h>
#include <string.h>

#include "conf/net.h"
#include "conf/report.h"
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/value.h"

#define PATH_MAX_BYTES ((size_t)2048)
#define BODY_MAX_BYTES ((size_t)1024)
#define DNS_PORT 53u

/* ---- lists with commas ---- */

/* The next word of a list; false: there is none. */
static bool list_next(struct span *rest, struct span *out)
{
    if (rest->ptr == NULL) {
        return false;
    }
    const char *comma = rest->len == 0 ? NULL : memchr(rest->ptr, ',', rest->len);
    *out = comma == NULL ? *rest : span_of(rest->ptr, (size_t)(comma - rest->ptr));
    *rest = comma == NULL ? span_of(NULL, 0) : span_of(comma + 1, rest->len - out->len - 1);
    return true;
}

static bool status_read(struct span word, uint64_t *out)
{
    return word.len == 3 && span_to_u64(word, 599, out) && *out >= 100;
}

/* 200, 200-299 or 5xx */
static bool range_read(struct span word, struct conf_status_range *out)
{
    uint64_t low;
    uint64_t high;

    if (word.len == 3 && span_eq(span_of(word.ptr + 1, 2), SPAN("xx")) && word.ptr[0] >= '1' &&
        word.ptr[0] <= '5') {
        low = (uint64_t)(word.ptr[0] - '0') * 100;
        high = low + 99;
    } else if (word.len == 7 && word.ptr[3] == '-') {
        if (!status_read(span_of(word.ptr, 3), &low) ||
            !status_read(span_of(word.ptr + 4, 3), &high) || low > high) {
            return false;
        }
    } else if (status_read(word, &low)) {
        high = low;
    } else {
        return false;
    }
    *out = (struct conf_status_range){.low = (uint16_t)low, .high = (uint16_t)high};
    return true;
}

static bool statuses_add(const struct conf_item *item, const struct conf_word *word,
                         struct span text, struct conf_statuses *out)
{
    if (out->count < CONF_STATUSES_MAX) {
        return range_read(text, &out->list[out->count]) && ++out->count > 0;
    }
    conf_report_add(item->check->report, word->place, NULL, "more than %u statuses here",
                    CONF_STATUSES_MAX);
    return false;
}

static bool statuses_set(const struct conf_item *item)
{
    struct conf_statuses *out = item->target;
    struct span rest = item->words[0].text;
    struct span word;
    struct conf_shown shown;

    *out = (struct conf_statuses){0};
    while (list_next(&rest, &word)) {
        if (!statuses_add(item, &item->words[0], word, out)) {
            conf_report_add(item->check->report, item->words[0].place, NULL,
                            "\"%s\" is not a status from 100 to 599, a range like 200-299, or 2xx",
                            conf_show(&shown, word));
            return false;
        }
    }
    return true;
}

static void statuses_show(const struct conf_statuses *statuses, const char *before, struct buf *out)
{
    for (uint32_t i = 0; i < statuses->count; i++) {
        const struct conf_status_range *range = &statuses->list[i];
        buf_puts(out, i == 0 ? before : ",");
        if (range->high == range->low + 99 && range->low % 100 == 0) {
            buf_printf(out, "%uxx", range->low / 100u);
        } else if (range->high > range->low) {
            buf_printf(out, "%u-%u", range->low, range->high);
        } else {
            buf_printf(out, "%u", range->low);
        }
    }
}

static bool statuses_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    (void)row;
    (void)owner;
    statuses_show(value, "", out);
    return true;
}

static const char *const failure_words[] = {"connect", "timeout", "reset", "bad"};

static bool failures_set(const struct conf_item *item)
{
    struct conf_failures *out = item->target;
    struct span rest = item->words[0].text;
    struct span word;
    struct conf_shown shown;

    *out = (struct conf_failures){0};
    while (list_next(&rest, &word)) {
        uint32_t bit = 0;
        for (uint32_t i = 0; i < ARRAY_LEN(failure_words); i++) {
            bit |= span_eq(word, span_str(failure_words[i])) ? (uint32_t)1 << i : 0;
        }
        out->faults |= bit;
        if (bit == 0 && !statuses_add(item, &item->words[0], word, &out->statuses)) {
            conf_report_add(item->check->report, item->words[0].place, NULL,
                            "\"%s\" is not a failure: connect, timeout, reset, bad, a status, a "
                            "range like 502-504, or 5xx",
                            conf_show(&shown, word));
            return false;
        }
    }
    return true;
}

static bool failures_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    const struct conf_failures *failures = value;
    const char *before = "";

    (void)row;
    (void)owner;
    for (uint32_t i = 0; i < ARRAY_LEN(failure_words); i++) {
        if ((failures->faults & (uint32_t)1 << i) != 0) {
            buf_printf(out, "%s%s", before, failure_words[i]);
            before = ",";
        }
    }
    statuses_show(&failures->statuses, before, out);
    return true;
}

/* ---- options that are text ---- */

static bool text_set(const struct conf_item *item)
{
    const char **target = item->target;
    struct span text = item->words[0].text;

    if (text.len > BODY_MAX_BYTES) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "this text is longer than %zu bytes", BODY_MAX_BYTES);
        return false;
    }
    *target = text.len == 0 ? NULL : conf_check_copy(item->check, text);
    return true;
}

static bool text_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const char *text = *(const char *const *)value;

    (void)row;
    (void)owner;
    if (text == NULL) {
        buf_puts(out, "\"\"");
    } else {
        conf_print_word(text, out);
    }
    return true;
}

static bool authority_set(const struct conf_item *item)
{
    const char **target = item->target;

    if (item->words[0].text.len > 0) {
        return conf_type_host.set(item);
    }
    *target = NULL;
    return true;
}

/* ---- check ---- */

static const char *const probe_words[] = {"off", "GET", "HEAD", "tcp"};

static bool probe_path(const struct conf_item *item, const struct conf_word *word,
                       struct conf_probe *probe)
{
    bool good = word->text.len > 0 && word->text.len <= PATH_MAX_BYTES && word->text.ptr[0] == '/';
    struct conf_shown shown;

    for (size_t i = 0; good && i < word->text.len; i++) {
        good = word->text.ptr[i] > ' ' && word->text.ptr[i] < 0x7f && word->text.ptr[i] != '#';
    }
    if (!good) {
        conf_report_add(item->check->report, word->place, NULL,
                        "\"%s\" is not a path like /healthz, with a query or without",
                        conf_show(&shown, word->text));
    }
    probe->path = conf_check_copy(item->check, word->text);
    return good;
}

static bool is_path(const struct conf_item *item, size_t at)
{
    return at < item->count && item->words[at].text.len > 0 && item->words[at].text.ptr[0] == '/';
}

static bool probe_set(const struct conf_item *item)
{
    struct conf_probe *probe = item->target;
    size_t at = 0;
    size_t kind = CONF_PROBE_GET;

    *probe = (struct conf_probe){0};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    if (!is_path(item, 0)) {
        kind = conf_item_choose(item, &item->words[at++], probe_words, ARRAY_LEN(probe_words));
        if (kind == ARRAY_LEN(probe_words)) {
            return false;
        }
    }
    probe->kind = (enum conf_probe_kind)kind;
    bool has_path = kind == CONF_PROBE_GET || kind == CONF_PROBE_HEAD;
    if (has_path && (!conf_item_expect(item, at + 1, SIZE_MAX) ||
                     !probe_path(item, &item->words[at++], probe))) {
        return false;
    }
    if (kind == CONF_PROBE_OFF && !conf_item_expect(item, 1, 1)) {
        return false;
    }
    if (!conf_item_options(item, at)) {
        return false;
    }
    if (probe->body != NULL && kind != CONF_PROBE_GET) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "only a GET has a body to look at; remove body= here");
        return false;
    }
    return true;
}

static bool probe_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_probe *probe = value;

    buf_puts(out, probe_words[probe->kind]);
    if (probe->path != NULL) {
        buf_putc(out, ' ');
        conf_print_word(probe->path, out);
    }
    return probe->kind == CONF_PROBE_OFF || conf_print_options(row, owner, " ", out);
}

/* ---- eject, breaker ---- */

static const char *const eject_words[] = {"auto", "off", "on"};

static bool is_option(const struct conf_item *item)
{
    return item->count == 0 ||
           memchr(item->words[0].text.ptr, '=', item->words[0].text.len) != NULL;
}

static bool eject_set(const struct conf_item *item)
{
    struct conf_eject *eject = item->target;
    size_t kind = CONF_EJECT_ON;
    bool has_word = !is_option(item);

    *eject = (struct conf_eject){0};
    if (has_word) {
        kind = conf_item_choose(item, &item->words[0], eject_words, ARRAY_LEN(eject_words));
        if (kind == ARRAY_LEN(eject_words)) {
            return false;
        }
    }
    eject->kind = (enum conf_eject_kind)kind;
    if (!conf_item_options(item, has_word ? 1 : 0)) {
        return false;
    }
    if (eject->max_time_ms < eject->time_ms) {
        conf_report_add(item->check->report, item->name->place, NULL,
                        "max_time of \"%s\" is less than its time", item->row->name);
        return false;
    }
    return true;
}

static bool eject_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_eject *eject = value;

    buf_puts(out, eject_words[eject->kind]);
    return conf_print_options(row, owner, " ", out);
}

static bool breaker_set(const struct conf_item *item)
{
    struct conf_breaker *breaker = item->target;
    static const char *const words[] = {"off", "on"};
    bool has_word = !is_option(item);
    size_t is_on = 1;

    *breaker = (struct conf_breaker){0};
    if (has_word) {
        is_on = conf_item_choose(item, &item->words[0], words, ARRAY_LEN(words));
        if (is_on == ARRAY_LEN(words)) {
            return false;
        }
    }
    breaker->is_on = is_on != 0;
    return (is_on != 0 || conf_item_expect(item, 1, 1)) &&
           conf_item_options(item, has_word ? 1 : 0);
}

static bool breaker_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    const struct conf_breaker *breaker = value;

    buf_puts(out, breaker->is_on ? "on" : "off");
    return !breaker->is_on || conf_print_options(row, owner, " ", out);
}

/* ---- resolver ---- */

/* ADDRESS[:PORT], or [IPv6]:PORT; made ADDRESS:PORT. */
static const char *resolver_read(const struct conf_item *item, struct span word)
{
    char text[80];
    struct conf_listen listen;
    struct conf_network address;
    bool is_v6 = memchr(word.ptr, ':', word.len) != NULL;

    if (word.len == 0 || word.len > 60 || memchr(word.ptr, '/', word.len) != NULL) {
        return NULL;
    }
    if (conf_net_network(word, &address) == CONF_NET_OK) {
        (void)snprintf(text, sizeof(text), is_v6 ? "[%.*s]:%u" : "%.*s:%u", (int)word.len, word.ptr,
                       DNS_PORT);
    } else if (word.ptr[0] == '[' && word.ptr[word.len - 1] == ']') {
        (void)snprintf(text, sizeof(text), "%.*s:%u", (int)word.len, word.ptr, DNS_PORT);
    } else {
        (void)snprintf(text, sizeof(text), "%.*s", (int)word.len, word.ptr);
    }
    if (text[0] == ':' || conf_net_listen(span_str(text), &listen) != CONF_NET_OK) {
        return NULL;
    }
    return conf_check_copy(item->check, span_str(text));
}

static bool resolvers_set(const struct conf_item *item)
{
    struct conf_names *target = item->target;
    struct conf_shown shown;
    bool good = true;

    *target = (struct conf_names){0};
    if (!conf_item_expect(item, 1, 8)) {
        return false;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        list[i] = resolver_read(item, item->words[i].text);
        if (list[i] == NULL) {
            conf_report_add(item->check->report, item->words[i].place, NULL,
                            "\"%s\" is not the address of a name server: ADDRESS or ADDRESS:PORT",
                            conf_show(&shown, item->words[i].text));
            good = false;
        }
    }
    *target = (struct conf_names){.list = list, .count = list == NULL || !good ? 0 : item->count};
    return good;
}

static bool resolvers_print(const struct schema_row *row, const void *owner, const void *value,
                            struct buf *out)
{
    (void)row;
    (void)owner;
    return conf_print_words(value, out);
}

const struct conf_type conf_type_statuses = {statuses_set, statuses_print};
const struct conf_type conf_type_failures = {failures_set, failures_print};
const struct conf_type conf_type_text = {text_set, text_print};
const struct conf_type conf_type_authority = {authority_set, text_print};
const struct conf_type conf_type_probe = {probe_set, probe_print};
const struct conf_type conf_type_eject = {eject_set, eject_print};
const struct conf_type conf_type_breaker = {breaker_set, breaker_print};
const struct conf_type conf_type_resolvers = {resolvers_set, resolvers_print};
