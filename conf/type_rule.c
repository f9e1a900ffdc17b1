/*
 * type_rule - the words of `rule`, `header` and of the lists of names that the cache ignores.
 *
 *   conditions = 1*( keyword 1*value )        a quoted word is always a value
 */
#include "base/mem.h"
#include "conf/type.h"
#include "conf/value.h"

static const char *const condition_words[CONF_IF_COUNT] = {
    [CONF_IF_PATH] = "path",     [CONF_IF_PREFIX] = "prefix", [CONF_IF_HOST] = "host",
    [CONF_IF_METHOD] = "method", [CONF_IF_COOKIE] = "cookie", [CONF_IF_HEADER] = "header",
    [CONF_IF_TYPE] = "type",     [CONF_IF_STATUS] = "status",
};

static const char *const side_words[] = {
    [CONF_HEADER_REQUEST] = "request",
    [CONF_HEADER_RESPONSE] = "response",
};

static const char *const action_words[] = {
    [CONF_HEADER_ADD] = "add",
    [CONF_HEADER_SET] = "set",
    [CONF_HEADER_REMOVE] = "remove",
};

static bool rule_report(const struct conf_item *item, const struct conf_word *word,
                        const char *problem, const char *hint)
{
    const struct conf_advice advice = {.hint = hint};
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, &advice, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

static bool text_has(struct span text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr(bytes, text.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Visible ASCII: what a request target is made of. */
static bool text_is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return text.len > 0;
}

/* ---- conditions ---- */

static enum conf_condition_kind condition_kind(const struct conf_word *word)
{
    for (size_t i = 0; !word->quoted && i < CONF_IF_COUNT; i++) {
        if (span_eq(word->text, span_str(condition_words[i]))) {
            return (enum conf_condition_kind)i;
        }
    }
    return CONF_IF_COUNT;
}

static bool match_path(const struct conf_item *item, const struct conf_word *word,
                       struct conf_match *out)
{
    struct span text = word->text;

    out->value = out->text;
    if (text.len == 0 || (text.ptr[0] != '/' && text.ptr[0] != '*')) {
        return rule_report(item, word, "is not a path pattern: one begins with / or *", NULL);
    }
    if (text_has(text, "?")) {
        return rule_report(item, word, "has a \"?\": rules see the path without its query", NULL);
    }
    return text_is_visible(text) ||
           rule_report(item, word, "has bytes that no path has: write them as %XX", NULL);
}

static bool match_host(const struct conf_item *item, const struct conf_word *word,
                       struct conf_match *out)
{
    out->value = conf_check_copy_lower(item->check, word->text);
    return conf_is_site_name(word->text) ||
           rule_report(item, word, "is not a host: NAME, *.NAME or an address, without port", NULL);
}

static bool match_method(const struct conf_item *item, const struct conf_word *word,
                         struct conf_match *out)
{
    struct conf_shown upper = {""};

    out->value = out->text;
    if (!conf_is_token(word->text)) {
        return rule_report(item, word, "is not a method name", NULL);
    }
    for (size_t i = 0; i < word->text.len && i + 1 < sizeof(upper.text); i++) {
        char c = word->text.ptr[i];
        upper.text[i] = (char)(c >= 'a' && c <= 'z' ? c & ~0x20 : c);
        upper.text[i + 1] = '\0';
    }
    return word->text.len >= sizeof(upper.text) || span_eq(word->text, span_str(upper.text)) ||
           rule_report(item, word, "is not a method: letter case counts", upper.text);
}

/* NAME or NAME=VALUE; both patterns but for the name of a header field. */
static bool match_pair(const struct conf_item *item, const struct conf_word *word, bool is_cookie,
                       struct conf_match *out)
{
    struct span text = word->text;
    const char *equals = text.len == 0 ? NULL : memchr(text.ptr, '=', text.len);
    size_t name_len = equals == NULL ? text.len : (size_t)(equals - text.ptr);
    struct span name = span_of(text.ptr, name_len);

    out->name = conf_check_copy(item->check, name);
    if (equals != NULL) {
        out->value = conf_check_copy(item->check, span_of(equals + 1, text.len - name_len - 1));
    }
    if (is_cookie ? !text_is_visible(name) || text_has(name, ";,\"") : !conf_is_token(name)) {
        return rule_report(item, word,
                           is_cookie ? "is not NAME or NAME=PATTERN of a cookie"
                                     : "is not NAME or NAME=PATTERN of a header field",
                           NULL);
    }
    return true;
}

static bool match_type(const struct conf_item *item, const struct conf_word *word,
                       struct conf_match *out)
{
    out->value = conf_check_copy_lower(item->check, word->text);
    if (!text_is_visible(word->text) || text_has(word->text, ";,\"") ||
        (!text_has(word->text, "/") && !text_has(word->text, "*"))) {
        return rule_report(item, word, "is not a media type pattern like image/*", NULL);
    }
    return true;
}

/* Three digits. */
static bool status_read(struct span text, uint16_t *out)
{
    uint64_t value;

    if (text.len != 3 || !span_to_u64(text, 599, &value) || value < 200) {
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

bool conf_item_status(const struct conf_item *item, const struct conf_word *word,
                      struct conf_match *out)
{
    struct span text = word->text;

    if (text.len == 3 && text.ptr[0] >= '2' && text.ptr[0] <= '5' &&
        span_eq(span_of(text.ptr + 1, 2), SPAN("xx"))) {
        out->low = (uint16_t)((text.ptr[0] - '0') * 100);
        out->high = (uint16_t)(out->low + 99);
        return true;
    }
    if (status_read(text, &out->low)) {
        out->high = out->low;
        return true;
    }
    if (text.len == 7 && text.ptr[3] == '-' && status_read(span_of(text.ptr, 3), &out->low) &&
        status_read(span_of(text.ptr + 4, 3), &out->high) && out->low <= out->high) {
        return true;
    }
    return rule_report(item, word, "is not a status from 200 to 599: 404, 400-499 or 5xx", NULL);
}

static bool match_read(const struct conf_item *item, enum conf_condition_kind kind,
                       const struct conf_word *word, struct conf_match *out)
{
    out->text = conf_check_copy(item->check, word->text);
    switch (kind) {
    case CONF_IF_PATH:
        return match_path(item, word, out);
    case CONF_IF_PREFIX:
        out->value = out->text;
        return conf_item_prefix(item, word);
    case CONF_IF_HOST:
        return match_host(item, word, out);
    case CONF_IF_METHOD:
        return match_method(item, word, out);
    case CONF_IF_COOKIE:
        return match_pair(item, word, true, out);
    case CONF_IF_HEADER:
        return match_pair(item, word, false, out);
    case CONF_IF_TYPE:
        return match_type(item, word, out);
    case CONF_IF_STATUS:
        return conf_item_status(item, word, out);
    case CONF_IF_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

/* One keyword and its values; *at is moved behind them. */
static bool condition_read(const struct conf_item *item, size_t *at, struct conf_condition *out)
{
    const struct conf_word *keyword = &item->words[(*at)++];
    size_t first = *at;
    bool good = true;

    while (*at < item->count && condition_kind(&item->words[*at]) == CONF_IF_COUNT) {
        ++*at;
    }
    size_t count = *at - first;
    struct conf_match *list = arena_alloc(item->check->arena, (count + 1) * sizeof(*list));
    out->kind = condition_kind(keyword);
    if (out->kind == CONF_IF_COUNT || list == NULL) {
        return false;
    }
    memset(list, 0, (count + 1) * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        good = match_read(item, out->kind, &item->words[first + i], &list[i]) && good;
    }
    out->list = list;
    out->count = count;
    return count > 0 ? good : rule_report(item, keyword, "needs a value behind it", NULL);
}

static bool condition_unknown(const struct conf_item *item)
{
    const struct conf_word *word = &item->words[0];
    const struct conf_advice advice = {.hint =
                                           conf_nearest(word->text, condition_words, CONF_IF_COUNT),
                                       .allowed = condition_words,
                                       .allowed_count = CONF_IF_COUNT};
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, &advice, "\"%s\" is not a condition",
                    conf_show(&shown, word->text));
    return false;
}

bool conf_item_conditions(const struct conf_item *item, struct conf_rule *out)
{
    size_t count = 0;
    size_t at = 0;
    bool good = true;

    if (!conf_item_expect(item, 2, SIZE_MAX)) {
        return false;
    }
    if (condition_kind(&item->words[0]) == CONF_IF_COUNT) {
        return condition_unknown(item);
    }
    for (size_t i = 0; i < item->count; i++) {
        count += condition_kind(&item->words[i]) != CONF_IF_COUNT ? 1 : 0;
    }
    struct conf_condition *list = arena_alloc(item->check->arena, count * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    memset(list, 0, count * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        good = condition_read(item, &at, &list[i]) && good;
    }
    out->conditions = list;
    out->condition_count = count;
    return good;
}

void conf_print_conditions(const struct conf_rule *rule, struct buf *out)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct conf_condition *condition = &rule->conditions[i];
        buf_printf(out, "%s%s", i == 0 ? "" : " ", condition_words[condition->kind]);
        for (size_t j = 0; j < condition->count; j++) {
            const struct conf_word word = {.text = span_str(condition->list[j].text)};
            bool is_keyword = condition_kind(&word) != CONF_IF_COUNT;
            buf_puts(out, is_keyword ? " \"" : " ");
            if (is_keyword) {
                buf_append(out, word.text);
                buf_putc(out, '"');
            } else {
                conf_print_word(condition->list[j].text, out);
            }
        }
    }
}

/* ---- header ---- */

/* Fields that are not the operator's to change, and why. */
struct header_kept {
    const char *name;
    const char *why;
    bool request, response;
};

static const char frames[] = "it frames the message";
static const char hop[] = "it is for one connection only";
static const char ours[] = "the cache itself speaks through it";

static const struct header_kept headers_kept[] = {
    {"Host", "use origins { host NAME; }", true, false},
    {"Content-Length", frames, true, true},
    {"Transfer-Encoding", frames, true, true},
    {"Trailer", frames, true, true},
    {"Connection", hop, true, true},
    {"Keep-Alive", hop, true, true},
    {"Proxy-Connection", hop, true, true},
    {"Proxy-Authenticate", hop, true, true},
    {"Proxy-Authentication-Info", hop, true, true},
    {"Proxy-Authorization", hop, true, true},
    {"TE", hop, true, true},
    {"Upgrade", hop, true, true},
    {"HTTP2-Settings", hop, true, true},
    {"Expect", hop, true, false},
    {"Via", "it is how loops are found", true, false},
    {"If-Match", ours, true, false},
    {"If-None-Match", ours, true, false},
    {"If-Modified-Since", ours, true, false},
    {"If-Unmodified-Since", ours, true, false},
    {"If-Range", ours, true, false},
    {"Range", ours, true, false},
    {"Content-Range", frames, false, true},
    {"Age", ours, false, true},
    {"Cache-Status", "use cache_status", false, true},
    {"Proxy-Status", ours, false, true},
};

static bool header_name(const struct conf_item *item, enum conf_header_side side,
                        const struct conf_word *word)
{
    struct conf_shown shown;

    if (!conf_is_token(word->text)) {
        return rule_report(item, word, "is not the name of a header field", NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(headers_kept); i++) {
        const struct header_kept *kept = &headers_kept[i];
        bool is_here = side == CONF_HEADER_REQUEST ? kept->request : kept->response;
        if (is_here && span_eq_nocase(word->text, span_str(kept->name))) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"%s\" of a %s may not be changed: %s", conf_show(&shown, word->text),
                            side_words[side], kept->why);
            return false;
        }
    }
    return true;
}

static bool header_set(const struct conf_item *item)
{
    struct conf_header *target = item->target;
    const struct conf_word *words = item->words;

    if (!conf_item_expect(item, 3, SIZE_MAX)) {
        return false;
    }
    size_t side = conf_item_choose(item, &words[0], side_words, ARRAY_LEN(side_words));
    size_t action = conf_item_choose(item, &words[1], action_words, ARRAY_LEN(action_words));
    if (side == ARRAY_LEN(side_words) || action == ARRAY_LEN(action_words)) {
        return false;
    }
    size_t count = action == CONF_HEADER_REMOVE ? 3 : 4;
    if (!conf_item_expect(item, count, count)) {
        return false;
    }
    *target = (struct conf_header){
        .side = (enum conf_header_side)side,
        .action = (enum conf_header_action)action,
        .name = conf_check_copy(item->check, words[2].text),
        .value = count == 4 ? conf_check_copy(item->check, words[3].text) : "",
    };
    return header_name(item, target->side, &words[2]); /* no word has control bytes: token.c */
}

static bool header_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_header *header = value;

    (void)row;
    (void)owner;
    if (header->name == NULL) {
        return false;
    }
    buf_printf(out, "%s %s ", side_words[header->side], action_words[header->action]);
    conf_print_word(header->name, out);
    if (header->action != CONF_HEADER_REMOVE) {
        buf_putc(out, ' ');
        conf_print_word(header->value, out);
    }
    return true;
}

/* ---- lists of names ---- */

static bool patterns_set(const struct conf_item *item)
{
    struct conf_names *target = item->target;
    bool good = true;

    *target = (struct conf_names){0};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    if (item->count == 1 && span_eq(item->words[0].text, SPAN("off"))) {
        return true;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        list[i] = conf_check_copy(item->check, word->text);
        if (!text_is_visible(word->text) || text_has(word->text, "&=#?")) {
            good = rule_report(item, word, "is not the name of a query parameter", NULL);
        }
    }
    *target = (struct conf_names){.list = list, .count = list == NULL ? 0 : item->count};
    return good;
}

static bool patterns_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    (void)row;
    (void)owner;
    if (!conf_print_words(value, out)) {
        buf_puts(out, "off");
    }
    return true;
}

const struct conf_type conf_type_patterns = {patterns_set, patterns_print};
const struct conf_type conf_type_header = {header_set, header_print};
