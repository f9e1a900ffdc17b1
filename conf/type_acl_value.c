/*
 * type_acl_value - the values of one condition of an access rule.
 *
 *   client, to   NETWORK         to also: private loopback linklocal multicast self public
 *   host         NAME, *.NAME (below it), .NAME (both), an address, or file:PATH
 *   port         443, 8000-8999
 *   time         "mon-fri 08:00-18:00", "sat,sun", "22:00-06:00"
 *   size         >100M, <1K
 */
#include <stdio.h>

#include "base/namelist.h"
#include "conf/lists.h"
#include "conf/type_acl.h"
#include "conf/value.h"

static const char *const to_words[] = {"public",    "private",   "loopback",
                                       "linklocal", "multicast", "self"};
static const char *const scheme_words[] = {"http", "https", "connect"};
static const char *const day_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
#define DAYS ARRAY_LEN(day_words)

static bool refuse(const struct conf_item *item, const struct conf_word *word, const char *problem,
                   const char *hint)
{
    const struct conf_advice advice = {.hint = hint};
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, &advice, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* The index of a word, or count. */
static size_t find_word(struct span text, const char *const *words, size_t count)
{
    size_t i = 0;
    while (i < count && !span_eq(text, span_str(words[i]))) {
        i++;
    }
    return i;
}

static bool read_network(const struct conf_item *item, struct conf_acl_condition *condition,
                         const struct conf_word *word)
{
    struct conf_network *list = span_unconst(condition->networks);
    enum conf_net why = conf_net_network(word->text, &list[condition->network_count]);

    if (why == CONF_NET_OK) {
        condition->network_count++;
        return true;
    }
    if (condition->kind == CONF_ACL_TO && why == CONF_NET_ADDRESS) {
        return refuse(item, word,
                      "is not an address, a network, or one of public private loopback linklocal "
                      "multicast self",
                      conf_nearest(word->text, to_words, ARRAY_LEN(to_words)));
    }
    return refuse(item, word, conf_net_problem(why), NULL);
}

static bool read_to(const struct conf_item *item, struct conf_acl_condition *condition,
                    const struct conf_word *word)
{
    size_t at = find_word(word->text, to_words, ARRAY_LEN(to_words));

    if (at == ARRAY_LEN(to_words)) {
        return read_network(item, condition, word);
    }
    condition->bits |= 1u << at;
    return true;
}

/* The set of names that are written here; made with the first. */
static bool read_host(const struct conf_item *item, struct conf_acl_condition *condition,
                      const struct conf_word *word)
{
    const struct nameset **sets = span_unconst(condition->sets);
    bool good = true;

    if (span_starts(word->text, SPAN("file:"))) {
        struct conf_word path = *word;
        path.text = span_of(word->text.ptr + 5, word->text.len - 5);
        const char *name = conf_check_copy(item->check, path.text);
        if (!conf_item_path(item, &path, 4095)) {
            return false;
        }
        const struct nameset *names = conf_lists_file(item, word, name, &good);
        if (names != NULL) {
            sets[condition->set_count++] = names;
        }
        return good;
    }
    struct nameset *own = NULL;
    if (condition->bits == 0) {
        own = conf_lists_names(item->check->lists, condition->count);
        sets[condition->set_count++] = own;
        condition->bits = (uint32_t)condition->set_count; /* where it stands, plus 1 */
    }
    own = span_unconst(sets[condition->bits - 1]);
    const char *why = namelist_add(own, word->text);
    return why == NULL || refuse(item, word, why, NULL);
}

static bool read_port(const struct conf_item *item, const struct conf_word *word,
                      struct conf_acl_range *out)
{
    struct span text = word->text;
    const char *dash = text.len == 0 ? NULL : memchr(text.ptr, '-', text.len);
    struct span low = dash == NULL ? text : span_of(text.ptr, (size_t)(dash - text.ptr));
    struct span high = dash == NULL ? text : span_of(dash + 1, text.len - low.len - 1);
    uint64_t from = 0;
    uint64_t to = 0;

    if (!span_to_u64(low, UINT16_MAX, &from) || !span_to_u64(high, UINT16_MAX, &to) || from == 0 ||
        from > to) {
        return refuse(item, word,
                      "is not a port from 1 to 65535, or a range of them like 8000-8999", NULL);
    }
    *out = (struct conf_acl_range){.low = (uint16_t)from, .high = (uint16_t)to};
    return true;
}

static bool read_method(const struct conf_item *item, const struct conf_word *word, size_t at,
                        const struct conf_acl_condition *condition)
{
    const char **texts = span_unconst(condition->texts);
    char *upper = span_unconst(texts[at]);

    if (!conf_is_token(word->text)) {
        return refuse(item, word, "is not a method name", NULL);
    }
    for (size_t i = 0; upper[i] != '\0'; i++) {
        upper[i] = (char)(upper[i] >= 'a' && upper[i] <= 'z' ? upper[i] & ~0x20 : upper[i]);
    }
    return upper[0] == '\0' || span_eq(word->text, span_str(upper)) || /* empty: no memory */
           refuse(item, word, "is not a method: letter case counts", upper);
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return text.len > 0;
}

static bool read_path(const struct conf_item *item, const struct conf_word *word)
{
    struct span text = word->text;

    if (text.len == 0 || (text.ptr[0] != '/' && text.ptr[0] != '*')) {
        return refuse(item, word, "is not a path pattern: one begins with / or *", NULL);
    }
    if (memchr(text.ptr, '?', text.len) != NULL) {
        return refuse(item, word, "has a \"?\": it is compared without the query; use regex", NULL);
    }
    return is_visible(text) ||
           refuse(item, word, "has bytes that no path has: write them as %XX", NULL);
}

static bool read_media_type(const struct conf_item *item, const struct conf_word *word, size_t at,
                            const struct conf_acl_condition *condition)
{
    const char **texts = span_unconst(condition->texts);

    texts[at] = conf_check_copy_lower(item->check, word->text);
    return (is_visible(word->text) && memchr(word->text.ptr, ';', word->text.len) == NULL &&
            (memchr(word->text.ptr, '/', word->text.len) != NULL ||
             memchr(word->text.ptr, '*', word->text.len) != NULL)) ||
           refuse(item, word, "is not a media type pattern like video/*", NULL);
}

static bool read_size(const struct conf_item *item, const struct conf_word *word,
                      struct conf_acl_size *out)
{
    struct span text = word->text;
    bool has_sign = text.len > 1 && (text.ptr[0] == '>' || text.ptr[0] == '<');

    if (!has_sign ||
        conf_value_size(span_of(text.ptr + 1, text.len - 1), &out->bytes) != CONF_VALUE_OK) {
        return refuse(item, word, "is not a size like >100M or <1K", NULL);
    }
    out->above = text.ptr[0] == '>';
    return true;
}

/* Where the byte of a word stands that the pattern is wrong at. */
static struct conf_place place_in(const struct conf_word *word, size_t offset)
{
    struct conf_place place = word->place;
    struct span text = place.source == NULL ? SPAN("") : place.source->text;
    size_t at = place.offset + (word->quoted ? 1 : 0);

    for (size_t i = 0; i < offset && at < text.len; i++) {
        at += word->quoted && text.ptr[at] == '\\' ? 2 : 1;
    }
    if (at <= text.len) {
        place.column += (uint32_t)(at - place.offset);
        place.offset = (uint32_t)at;
    }
    return place;
}

static bool read_regex(const struct conf_item *item, const struct conf_word *word,
                       const struct pattern **out)
{
    struct pattern_fault fault;
    struct pattern *pattern = pattern_new(word->text, &fault);

    if (pattern == NULL) {
        conf_report_add(item->check->report, place_in(word, fault.offset), NULL,
                        "the regex is not right here: %s", fault.why);
        return false;
    }
    conf_lists_keep(item->check->lists, pattern);
    *out = pattern;
    return true;
}

/* ---- time ---- */

/* mon-fri or sat,sun; a range may go over Saturday. */
static bool read_days(struct span text, uint8_t *out)
{
    *out = 0;
    while (text.len > 0) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.ptr);
        if (len != 3 && !(len == 7 && text.ptr[3] == '-')) {
            return false;
        }
        size_t first = find_word(span_of(text.ptr, 3), day_words, DAYS);
        size_t last = len == 3 ? first : find_word(span_of(text.ptr + 4, 3), day_words, DAYS);
        if (first == DAYS || last == DAYS) {
            return false;
        }
        for (size_t day = first;; day = (day + 1) % DAYS) {
            *out |= (uint8_t)(1u << day);
            if (day == last) {
                break;
            }
        }
        size_t used = comma == NULL ? len : len + 1;
        text = span_of(text.ptr + used, text.len - used);
        if (comma != NULL && text.len == 0) {
            return false;
        }
    }
    return *out != 0;
}

/* 00:00..24:00 */
static bool read_clock(struct span text, uint16_t *out)
{
    uint64_t hour = 0;
    uint64_t minute = 0;

    if (text.len != 5 || text.ptr[2] != ':' || !span_to_u64(span_of(text.ptr, 2), 24, &hour) ||
        !span_to_u64(span_of(text.ptr + 3, 2), 59, &minute) || (hour == 24 && minute > 0)) {
        return false;
    }
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool read_clocks(struct span text, struct conf_acl_time *out)
{
    return text.len == 11 && text.ptr[5] == '-' && read_clock(span_of(text.ptr, 5), &out->from) &&
           read_clock(span_of(text.ptr + 6, 5), &out->to) && out->from < CONF_DAY_MINUTES &&
           out->from != out->to;
}

static bool read_time(const struct conf_item *item, const struct conf_word *word,
                      struct conf_acl_time *out)
{
    struct span text = span_trim(word->text);
    const char *space = text.len == 0 ? NULL : memchr(text.ptr, ' ', text.len);
    bool good;

    *out = (struct conf_acl_time){.days = 0x7f, .from = 0, .to = CONF_DAY_MINUTES};
    if (space != NULL) {
        size_t len = (size_t)(space - text.ptr);
        good = read_days(span_of(text.ptr, len), &out->days) &&
               read_clocks(span_trim(span_of(space, text.len - len)), out);
    } else {
        good = read_clocks(text, out) || read_days(text, &out->days);
    }
    return good ||
           refuse(item, word,
                  "is not a time like \"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"",
                  NULL);
}

/* ---- all ---- */

bool conf_acl_value_read(const struct conf_item *item, struct conf_acl_condition *condition,
                         size_t at, const struct conf_word *word)
{
    const char **texts = span_unconst(condition->texts);
    struct conf_shown shown;

    texts[at] = conf_check_copy(item->check, word->text);
    switch (condition->kind) {
    case CONF_ACL_CLIENT:
        return read_network(item, condition, word);
    case CONF_ACL_USER:
    case CONF_ACL_GROUP:
        return word->text.len > 0 || refuse(item, word, "is not a name", NULL);
    case CONF_ACL_HOST:
        return read_host(item, condition, word);
    case CONF_ACL_TO:
        return read_to(item, condition, word);
    case CONF_ACL_PORT:
        return read_port(item, word, span_unconst(&condition->ranges[at]));
    case CONF_ACL_SCHEME: {
        size_t scheme = find_word(word->text, scheme_words, ARRAY_LEN(scheme_words));
        const struct conf_advice advice = {.allowed = scheme_words,
                                           .allowed_count = ARRAY_LEN(scheme_words)};
        condition->bits |= 1u << scheme;
        if (scheme == ARRAY_LEN(scheme_words)) {
            conf_report_add(item->check->report, word->place, &advice, "\"%s\" is not a scheme",
                            conf_show(&shown, word->text));
        }
        return scheme < ARRAY_LEN(scheme_words);
    }
    case CONF_ACL_METHOD:
        return read_method(item, word, at, condition);
    case CONF_ACL_PATH:
        return read_path(item, word);
    case CONF_ACL_REGEX:
        return read_regex(item, word, span_unconst(&condition->patterns[at]));
    case CONF_ACL_TIME:
        return read_time(item, word, span_unconst(&condition->times[at]));
    case CONF_ACL_TYPE:
        return read_media_type(item, word, at, condition);
    case CONF_ACL_SIZE:
        return read_size(item, word, span_unconst(&condition->sizes[at]));
    case CONF_ACL_KINDS:
        break;
    }
    return false;
}

/* Zeroed; NULL: no memory. */
static void *room_for(const struct conf_item *item, size_t count, size_t bytes)
{
    void *list = arena_alloc(item->check->arena, count * bytes + 1);
    if (list != NULL) {
        memset(list, 0, count * bytes);
    }
    return list;
}

bool conf_acl_value_room(const struct conf_item *item, struct conf_acl_condition *condition,
                         size_t count)
{
    void *list = NULL;

    condition->count = count;
    condition->texts = room_for(item, count, sizeof(*condition->texts));
    switch (condition->kind) {
    case CONF_ACL_CLIENT:
    case CONF_ACL_TO:
        condition->networks = list = room_for(item, count, sizeof(*condition->networks));
        break;
    case CONF_ACL_HOST:
        condition->sets = list = room_for(item, count, sizeof(void *));
        break;
    case CONF_ACL_PORT:
        condition->ranges = list = room_for(item, count, sizeof(*condition->ranges));
        break;
    case CONF_ACL_REGEX:
        condition->patterns = list = room_for(item, count, sizeof(void *));
        break;
    case CONF_ACL_TIME:
        condition->times = list = room_for(item, count, sizeof(*condition->times));
        break;
    case CONF_ACL_SIZE:
        condition->sizes = list = room_for(item, count, sizeof(*condition->sizes));
        break;
    case CONF_ACL_USER:
    case CONF_ACL_GROUP:
    case CONF_ACL_SCHEME:
    case CONF_ACL_METHOD:
    case CONF_ACL_PATH:
    case CONF_ACL_TYPE:
    case CONF_ACL_KINDS:
        return condition->texts != NULL;
    }
    return condition->texts != NULL && list != NULL;
}
