/*
 * type_limit - `limit`: a rate or a count, and for whom.
 *
 *   limit requests 10/s burst=20 key=header:X-Api-Key status=429 count=misses name=api;
 *   limit concurrent 8 key=client status=503;
 *   limit connections 100 key=user;       (of a forward proxy)
 *   limit except 10.0.0.0/8;    limit off;
 */
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/value.h"

#define NUMBER_MAX ((uint64_t)1000000)
#define NAME_MAX_BYTES ((size_t)64)

static const char *const kind_words[] = {
    [CONF_LIMIT_REQUESTS] = "requests",
    [CONF_LIMIT_CONCURRENT] = "concurrent",
    [CONF_LIMIT_CONNECTIONS] = "connections",
    [CONF_LIMIT_EXCEPT] = "except",
    [CONF_LIMIT_OFF] = "off",
};

/* What may stand in a block of this sort. */
#define KINDS_MAX 4u
static const enum conf_limit_kind kinds_in_site[] = {CONF_LIMIT_REQUESTS, CONF_LIMIT_CONCURRENT,
                                                     CONF_LIMIT_EXCEPT};
static const enum conf_limit_kind kinds_in_forward[] = {CONF_LIMIT_REQUESTS, CONF_LIMIT_CONCURRENT,
                                                        CONF_LIMIT_CONNECTIONS, CONF_LIMIT_EXCEPT};
static const enum conf_limit_kind kinds_in_rule[] = {CONF_LIMIT_REQUESTS, CONF_LIMIT_CONCURRENT,
                                                     CONF_LIMIT_OFF};

/* The first is for sites, the last two for forward proxies, which take "site" for "forward" too; in a
 * rule nobody knows yet whose it is (rules_guard.c). */
static const char *const key_words[] = {"site",        "client", "header:NAME",
                                        "cookie:NAME", "user",   "forward"};
#define KEYS_OF_SITES 1u
#define KEYS_OF_FORWARDS 2u
static const char *const count_words[] = {"all", "misses"};

enum limit_option {
    OPTION_BURST,
    OPTION_KEY,
    OPTION_STATUS,
    OPTION_COUNT,
    OPTION_NAME,
    OPTIONS,
};

static const char *const option_words[OPTIONS] = {
    [OPTION_BURST] = "burst", [OPTION_KEY] = "key",   [OPTION_STATUS] = "status",
    [OPTION_COUNT] = "count", [OPTION_NAME] = "name",
};

static bool limit_report(const struct conf_item *item, const struct conf_word *word,
                         const struct conf_advice *advice, const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, advice, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

static bool number_read(const struct conf_item *item, const char *name, struct conf_place place,
                        struct span text, uint32_t *out)
{
    bool is_status = name == option_words[OPTION_STATUS];
    const struct conf_scalar scalar = {.type = SCHEMA_COUNT,
                                       .name = name,
                                       .min = is_status ? 400 : 1,
                                       .max = is_status ? 599 : NUMBER_MAX};
    uint64_t value;

    if (!conf_scalar_read(item->check, &scalar, place, text, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* 1*DIGIT "/" ( "s" / "m" ) */
static bool rate_read(const struct conf_item *item, const struct conf_word *word,
                      struct conf_limit *out)
{
    struct span text = word->text;

    if (text.len < 3 || text.ptr[text.len - 2] != '/' ||
        (text.ptr[text.len - 1] != 's' && text.ptr[text.len - 1] != 'm')) {
        return limit_report(item, word, NULL, "is not a rate like 10/s or 300/m");
    }
    out->period_s = text.ptr[text.len - 1] == 's' ? 1 : 60;
    return number_read(item, kind_words[CONF_LIMIT_REQUESTS], word->place,
                       span_of(text.ptr, text.len - 2), &out->most);
}

static bool is_forward(const struct conf_item *item)
{
    return item->row->context == SCHEMA_SITE &&
           ((const struct conf_site *)item->owner)->forward.name != NULL;
}

static bool key_read(const struct conf_item *item, const struct conf_word *word, struct span text,
                     struct conf_limit *out)
{
    bool is_rule = item->row->context == SCHEMA_RULE;
    bool may_be_forward = is_rule || is_forward(item);
    unsigned first = is_forward(item) ? KEYS_OF_SITES : 0;
    unsigned hidden = first + (may_be_forward ? 0 : KEYS_OF_FORWARDS);
    const struct conf_advice advice = {.allowed = key_words + first,
                                       .allowed_count = ARRAY_LEN(key_words) - hidden};
    static const char header[] = "header:";
    static const char cookie[] = "cookie:";
    size_t prefix = sizeof(header) - 1;

    if (span_eq(text, SPAN("client")) || span_eq(text, SPAN("site"))) {
        out->key = text.len == 4 ? CONF_LIMIT_SITE : CONF_LIMIT_CLIENT;
        return true;
    }
    if (may_be_forward && (span_eq(text, SPAN("user")) || span_eq(text, SPAN("forward")))) {
        out->key = text.len == 4 ? CONF_LIMIT_USER : CONF_LIMIT_FORWARD;
        return true;
    }
    if (out->kind == CONF_LIMIT_CONNECTIONS) {
        return limit_report(item, word, NULL, "is not for connections: client, user or forward");
    }
    if (!span_starts(text, span_str(header)) && !span_starts(text, span_str(cookie))) {
        return limit_report(item, word, &advice, "does not say whose requests count together");
    }
    out->key = text.ptr[0] == 'h' ? CONF_LIMIT_HEADER : CONF_LIMIT_COOKIE;
    struct span name = span_of(text.ptr + prefix, text.len - prefix);
    out->key_name = conf_check_copy(item->check, name);
    return conf_is_token(name) ||
           limit_report(item, word, NULL,
                        out->key == CONF_LIMIT_HEADER ? "has no name of a header field"
                                                      : "has no name of a cookie");
}

static bool option_value(const struct conf_item *item, const struct conf_word *word,
                         enum limit_option option, struct span text, struct conf_limit *out)
{
    switch (option) {
    case OPTION_BURST:
        if (out->kind != CONF_LIMIT_REQUESTS) {
            return limit_report(item, word, NULL, "is for \"requests\" only");
        }
        return number_read(item, option_words[option], word->place, text, &out->burst);
    case OPTION_STATUS:
        return number_read(item, option_words[option], word->place, text, &out->status);
    case OPTION_KEY:
        return key_read(item, word, text, out);
    case OPTION_COUNT:
        if (out->kind == CONF_LIMIT_CONNECTIONS) {
            return limit_report(item, word, NULL, "is for requests only");
        }
        out->misses_only = span_eq(text, span_str(count_words[1]));
        if (!out->misses_only && !span_eq(text, span_str(count_words[0]))) {
            const struct conf_advice advice = {.allowed = count_words,
                                               .allowed_count = ARRAY_LEN(count_words)};
            return limit_report(item, word, &advice, "does not say which requests count");
        }
        return true;
    case OPTION_NAME:
        out->name = conf_check_copy(item->check, text);
        out->has_own_name = true;
        return (conf_is_token(text) && text.len <= NAME_MAX_BYTES) ||
               limit_report(item, word, NULL,
                            "is no name of letters, digits and - . _ (at most 64)");
    case OPTIONS:
        break;
    }
    return false;
}

static bool options_read(const struct conf_item *item, struct conf_limit *out)
{
    bool seen[OPTIONS] = {false};
    bool good = true;

    for (size_t i = 2; i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        const char *equals =
            word->text.len == 0 ? NULL : memchr(word->text.ptr, '=', word->text.len);
        size_t len = equals == NULL ? word->text.len : (size_t)(equals - word->text.ptr);
        struct span name = span_of(word->text.ptr, len);
        size_t option = 0;
        while (option < OPTIONS && !span_eq(name, span_str(option_words[option]))) {
            option++;
        }
        if (option == OPTIONS || equals == NULL) {
            const struct conf_advice advice = {.hint = conf_nearest(name, option_words, OPTIONS),
                                               .allowed = option_words,
                                               .allowed_count = OPTIONS};
            good = limit_report(item, word, &advice,
                                "is not an option of \"limit\"; options are name=value");
        } else if (seen[option]) {
            good = limit_report(item, word, NULL, "is said twice");
        } else {
            seen[option] = true;
            good = option_value(item, word, (enum limit_option)option,
                                span_of(equals + 1, word->text.len - len - 1), out) &&
                   good;
        }
    }
    return good;
}

/* False: none that may stand here, and a message went out. */
static bool kind_read(const struct conf_item *item, enum conf_limit_kind *out)
{
    const char *words[KINDS_MAX];
    const enum conf_limit_kind *kinds = kinds_in_site;
    size_t count = ARRAY_LEN(kinds_in_site);

    if (item->row->context == SCHEMA_RULE) {
        kinds = kinds_in_rule;
        count = ARRAY_LEN(kinds_in_rule);
    } else if (is_forward(item)) {
        kinds = kinds_in_forward;
        count = ARRAY_LEN(kinds_in_forward);
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = kind_words[kinds[i]];
    }
    size_t which = conf_item_choose(item, &item->words[0], words, count);
    *out = which < count ? kinds[which] : CONF_LIMIT_OFF;
    return which < count;
}

static bool limit_set(const struct conf_item *item)
{
    struct conf_limit *out = item->target;
    bool good;

    *out = (struct conf_limit){.name = ""};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    if (!kind_read(item, &out->kind)) {
        return false;
    }
    if (out->kind == CONF_LIMIT_OFF) {
        return conf_item_expect(item, 1, 1);
    }
    if (!conf_item_expect(item, 2, SIZE_MAX)) {
        return false;
    }
    if (out->kind == CONF_LIMIT_EXCEPT) {
        return conf_item_networks(item, 1, &out->except);
    }
    if (out->kind == CONF_LIMIT_REQUESTS) {
        good = rate_read(item, &item->words[1], out);
    } else {
        good = number_read(item, kind_words[out->kind], item->words[1].place, item->words[1].text,
                           &out->most);
    }
    good = options_read(item, out) && good;
    out->status = out->status != 0 ? out->status : out->kind == CONF_LIMIT_REQUESTS ? 429 : 503;
    out->burst = out->burst != 0 ? out->burst : out->most;
    return good;
}

/* Names are tokens, which may hold what means something to the language. */
static void print_pair(const char *option, const char *value, struct buf *out)
{
    struct buf word;

    buf_init(&word, out->limit);
    buf_puts(&word, option);
    buf_puts(&word, value);
    buf_putc(out, ' ');
    conf_print_word(word.data, out);
    buf_free(&word);
}

void conf_print_limit(const struct conf_limit *limit, struct buf *out)
{
    static const char *const prefixes[] = {
        "key=client", "key=header:", "key=cookie:", "key=site", "key=user", "key=forward"};

    buf_puts(out, kind_words[limit->kind]);
    if (limit->kind == CONF_LIMIT_EXCEPT) {
        buf_putc(out, ' ');
        (void)conf_print_networks(&limit->except, out);
    }
    if (limit->kind == CONF_LIMIT_EXCEPT || limit->kind == CONF_LIMIT_OFF) {
        return;
    }
    buf_printf(out, " %u", limit->most);
    if (limit->kind == CONF_LIMIT_REQUESTS) {
        buf_printf(out, "%s burst=%u", limit->period_s == 1 ? "/s" : "/m", limit->burst);
    }
    print_pair(prefixes[limit->key], limit->key_name == NULL ? "" : limit->key_name, out);
    buf_printf(out, " status=%u", limit->status);
    if (limit->kind != CONF_LIMIT_CONNECTIONS) {
        buf_printf(out, " count=%s", count_words[limit->misses_only ? 1 : 0]);
    }
    if (limit->has_own_name) {
        print_pair("name=", limit->name, out);
    }
}

static bool limit_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    (void)row;
    (void)owner;
    conf_print_limit(value, out);
    return true;
}

const struct conf_type conf_type_limit = {limit_set, limit_print};
