/*
 * type_acl - `allow` and `deny` in `acl`.
 *
 *   rule = [ NAME ] ( "all" / 1*( keyword 1*value ) ) [ "reason=" TEXT ]    a quoted word is a value
 */
#include "conf/type_acl.h"

#include "conf/net.h"
#include "conf/value.h"

static const char *const kind_words[CONF_ACL_KINDS] = {
    [CONF_ACL_CLIENT] = "client", [CONF_ACL_USER] = "user",     [CONF_ACL_GROUP] = "group",
    [CONF_ACL_HOST] = "host",     [CONF_ACL_TO] = "to",         [CONF_ACL_PORT] = "port",
    [CONF_ACL_SCHEME] = "scheme", [CONF_ACL_METHOD] = "method", [CONF_ACL_PATH] = "path",
    [CONF_ACL_REGEX] = "regex",   [CONF_ACL_TIME] = "time",     [CONF_ACL_TYPE] = "type",
    [CONF_ACL_SIZE] = "size",
};

#define REASON SPAN("reason=")
#define REASON_MAX_BYTES 500u

static enum conf_acl_kind kind_of(const struct conf_word *word)
{
    size_t i = 0;
    while (i < CONF_ACL_KINDS && (word->quoted || !span_eq(word->text, span_str(kind_words[i])))) {
        i++;
    }
    return (enum conf_acl_kind)i;
}

static bool is_all(const struct conf_word *word)
{
    return !word->quoted && span_eq(word->text, SPAN("all"));
}

static bool is_reason(const struct conf_word *word)
{
    return !word->quoted && span_starts(word->text, REASON);
}

static bool is_value(const struct conf_word *word)
{
    return kind_of(word) == CONF_ACL_KINDS && !is_reason(word);
}

static bool report(const struct conf_item *item, const struct conf_word *word, const char *problem,
                   const struct conf_advice *advice)
{
    struct conf_shown shown;
    conf_report_add(item->check->report, word->place, advice, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* Neither a condition nor the values of one. */
static bool report_unknown(const struct conf_item *item, const struct conf_word *word)
{
    const struct conf_advice advice = {.hint = conf_nearest(word->text, kind_words, CONF_ACL_KINDS),
                                       .allowed = kind_words,
                                       .allowed_count = CONF_ACL_KINDS};
    return report(item, word, "is not a condition", &advice);
}

static bool reason_read(const struct conf_item *item, const struct conf_word *word,
                        struct conf_acl_rule *out)
{
    struct span text = span_of(word->text.ptr + REASON.len, word->text.len - REASON.len);
    if (out->reason != NULL) {
        return report(item, word, "is a second reason", NULL);
    }
    out->reason = conf_check_copy(item->check, text);
    return (text.len > 0 && text.len <= REASON_MAX_BYTES) ||
           report(item, word, "is no text of 1 to 500 bytes", NULL);
}

/* One keyword and its values; *at is moved behind them. */
static bool condition_read(const struct conf_item *item, size_t *at, struct conf_acl_rule *rule)
{
    const struct conf_word *keyword = &item->words[(*at)++];
    struct conf_acl_condition *list = span_unconst(rule->conditions);
    struct conf_acl_condition *condition = &list[rule->condition_count];
    size_t first = *at;
    bool good = true;

    condition->kind = kind_of(keyword);
    while (*at < item->count && is_value(&item->words[*at])) {
        ++*at;
    }
    size_t count = *at - first;
    if (count == 0) {
        return report(item, keyword, "needs a value behind it", NULL);
    }
    if (!conf_acl_value_room(item, condition, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        good = conf_acl_value_read(item, condition, i, &item->words[first + i]) && good;
    }
    if ((rule->has & 1u << condition->kind) != 0) {
        return report(item, keyword, "is there twice: several values stand behind one word", NULL);
    }
    rule->has |= 1u << condition->kind;
    rule->condition_count++;
    return good;
}

static bool conditions_read(const struct conf_item *item, size_t at, struct conf_acl_rule *out)
{
    bool good = true;
    bool all = false;

    while (at < item->count) {
        const struct conf_word *word = &item->words[at];
        if (is_reason(word)) {
            good = reason_read(item, word, out) && good;
            at++;
        } else if (is_all(word) && !all && out->condition_count == 0) {
            all = true;
            at++;
        } else if (kind_of(word) == CONF_ACL_KINDS && at > 0 && is_reason(&item->words[at - 1])) {
            return report(item, word, "belongs to the reason? Then write: reason=\"TEXT\"", NULL);
        } else if (kind_of(word) == CONF_ACL_KINDS) {
            return report_unknown(item, word);
        } else if (all) {
            return report(item, word, "says less than \"all\" before it", NULL);
        } else {
            good = condition_read(item, &at, out) && good;
        }
    }
    if (good && !all && out->condition_count == 0) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "this rule has no condition; for every request write: %s%s%s all",
                        item->row->name, out->has_own_name ? " " : "",
                        out->has_own_name ? out->name : "");
        return false;
    }
    return good;
}

static bool acl_set(const struct conf_item *item)
{
    struct conf_acl_rule *out = item->target;
    struct conf_acl_condition *list =
        arena_alloc(item->check->arena, CONF_ACL_KINDS * sizeof(*list));
    size_t first = 0;

    *out = (struct conf_acl_rule){.allow = item->row->joins == NULL, .conditions = list};
    if (!conf_item_expect(item, 1, SIZE_MAX) || list == NULL) {
        return false;
    }
    memset(list, 0, CONF_ACL_KINDS * sizeof(*list));
    const struct conf_word *name = &item->words[0];
    if (is_value(name) && !is_all(name)) {
        struct conf_network network;
        if (conf_net_network(name->text, &network) == CONF_NET_OK) {
            return report(item, name,
                          "stands where the name does; write: client ADDRESS, or: to ADDRESS",
                          NULL);
        }
        if (!conf_item_label(item, name, "rule", &out->name)) {
            return false;
        }
        out->has_own_name = true;
        first = 1;
    }
    return conditions_read(item, first, out);
}

/* One that could be taken for a keyword is quoted. */
static void print_value(const char *text, struct buf *out)
{
    const struct conf_word word = {.text = span_str(text)};
    size_t at = out->len;

    conf_print_word(text, out);
    if (!is_value(&word) && !out->failed && out->data[at] != '"') {
        out->len = at;
        buf_printf(out, "\"%s\"", text);
    }
}

/* As in the file, without its name: "client 10.0.0.0/8 port 443", or "all". */
void conf_print_acl_conditions(const struct conf_acl_rule *rule, struct buf *out)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct conf_acl_condition *condition = &rule->conditions[i];
        buf_printf(out, "%s%s", i == 0 ? "" : " ", kind_words[condition->kind]);
        for (size_t j = 0; j < condition->count; j++) {
            buf_putc(out, ' ');
            print_value(condition->texts[j], out);
        }
    }
    if (rule->condition_count == 0) {
        buf_puts(out, "all");
    }
}

static bool acl_print(const struct schema_row *row, const void *owner, const void *value,
                      struct buf *out)
{
    const struct conf_acl_rule *rule = value;

    (void)row;
    (void)owner;
    if (rule->has_own_name) {
        conf_print_word(rule->name, out);
        buf_putc(out, ' ');
    }
    conf_print_acl_conditions(rule, out);
    if (rule->reason != NULL) {
        buf_puts(out, " reason=");
        conf_print_word(rule->reason, out);
    }
    return true;
}

const char *conf_acl_kind_name(enum conf_acl_kind kind)
{
    return kind_words[kind];
}

const struct conf_type conf_type_acl = {acl_set, acl_print};
