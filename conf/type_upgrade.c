/* type_upgrade - the protocols a client may switch a connection to (RFC 9110 7.8), or off. */
#include "conf/report.h"
#include "conf/type.h"
#include "conf/value.h"

#define PROTOCOL_MAX_BYTES 64u
#define PROTOCOL_USUAL "websocket" /* what "on" means */

/* protocol-name ["/" protocol-version], both tokens */
static bool protocol_is_name(struct span text)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    size_t name_len = slash == NULL ? text.len : (size_t)(slash - text.ptr);

    return text.len <= PROTOCOL_MAX_BYTES && conf_is_token(span_of(text.ptr, name_len)) &&
           (slash == NULL || conf_is_token(span_of(slash + 1, text.len - name_len - 1)));
}

/* HTTP by another name: a client that switches to it speaks to the origin past every rule. */
static bool protocol_is_http(struct span text)
{
    static const char *const names[] = {"h2c", "h2", "h3", "http", "tls"};
    const char *slash = memchr(text.ptr, '/', text.len);
    struct span name = span_of(text.ptr, slash == NULL ? text.len : (size_t)(slash - text.ptr));

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq_nocase(name, span_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool protocol_report(const struct conf_item *item, const struct conf_word *word,
                            const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* Allowed, but most likely a slip. */
static void protocol_doubt(const struct conf_item *item, const struct conf_word *word)
{
    static const char *const slips[] = {"websockets", "web-socket", "ws", "wss"};
    const struct conf_advice advice = {.is_warning = true, .hint = PROTOCOL_USUAL};
    struct conf_shown shown;

    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        if (span_eq_nocase(word->text, span_str(slips[i]))) {
            conf_report_add(item->check->report, word->place, &advice,
                            "\"%s\" is no protocol that browsers ask for",
                            conf_show(&shown, word->text));
        }
    }
}

static bool protocol_check(const struct conf_item *item, size_t index)
{
    const struct conf_word *word = &item->words[index];
    protocol_doubt(item, word);

    if (span_eq(word->text, SPAN("on")) || span_eq(word->text, SPAN("off"))) {
        return protocol_report(item, word, "stands alone");
    }
    if (!protocol_is_name(word->text)) {
        return protocol_report(item, word, "is not a protocol like websocket or name/1.0");
    }
    if (protocol_is_http(word->text)) {
        return protocol_report(item, word,
                               "is not allowed: clients would send HTTP past all rules");
    }
    for (size_t i = 0; i < index; i++) {
        if (span_eq_nocase(item->words[i].text, word->text)) {
            return protocol_report(item, word, "is there twice");
        }
    }
    return true;
}

static bool upgrade_set(const struct conf_item *item)
{
    struct conf_names *out = item->target;
    bool good = true;

    *out = (struct conf_names){0};
    if (!conf_item_expect(item, 1, CONF_FIELDS_MAX)) {
        return false;
    }
    const struct span first = item->words[0].text;
    if (item->count == 1 && span_eq(first, SPAN("off"))) {
        return true;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    bool is_on = item->count == 1 && span_eq(first, SPAN("on"));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        good = (is_on || protocol_check(item, i)) && good;
        list[i] = is_on ? PROTOCOL_USUAL : conf_check_copy(item->check, item->words[i].text);
    }
    *out = (struct conf_names){.list = list, .count = list == NULL ? 0 : item->count};
    return good;
}

static bool upgrade_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    (void)row;
    (void)owner;
    if (!conf_print_words(value, out)) {
        buf_puts(out, "off");
    }
    return true;
}

const struct conf_type conf_type_upgrade = {upgrade_set, upgrade_print};
