/*
 * type_quota - `bandwidth` and `quota`: how fast and how much, and for whom.
 *
 *   bandwidth 10M/s down key=user burst=1M name=evening except 10.0.0.0/8;
 *   quota 50G per=month key=user count=down action=throttle:256K/s name=monthly;
 */
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/value.h"

#define NAME_MAX_BYTES ((size_t)64)
#define RATE_MIN ((uint64_t)1 << 10)
#define RATE_MAX ((uint64_t)1 << 40)
#define QUOTA_MIN ((uint64_t)1 << 10)
#define QUOTA_MAX ((uint64_t)1 << 60)

static const char throttle[] = "throttle:";

/* By enum conf_sides, less 1. */
static const char *const side_words[] = {"down", "up", "both"};
/* By enum conf_whose, enum conf_per. */
static const char *const key_words[] = {"client", "user", "forward"};
static const char *const per_words[] = {"hour", "day", "week", "month"};
static const char *const action_words[] = {"deny", "throttle:RATE"};

enum quota_option {
    OPTION_KEY,
    OPTION_NAME,
    OPTION_BURST,              /* of a bandwidth, the last */
    OPTION_PER = OPTION_BURST, /* of a quota, from here on */
    OPTION_COUNT,
    OPTION_ACTION,
    OPTION_STATUS,
    OPTIONS_MAX,
};

static const char *const bandwidth_options[] = {"key", "name", "burst"};
static const char *const quota_options[] = {"key", "name", "per", "count", "action", "status"};

/* What both have in common, while it is read. */
struct reading {
    const struct conf_item *item;
    const char *const *options;
    size_t option_count;
    struct conf_bandwidth *bandwidth; /* one of the two */
    struct conf_quota *quota;
    bool seen[OPTIONS_MAX];
};

static bool quota_report(const struct conf_item *item, const struct conf_word *word,
                         const struct conf_advice *advice, const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, advice, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* Which of the words is this value of an option? count: none, and a message went out. */
static size_t value_choose(const struct conf_item *item, const struct conf_word *word,
                           struct span text, const char *const *words, size_t count)
{
    const struct conf_advice advice = {
        .hint = conf_nearest(text, words, count), .allowed = words, .allowed_count = count};

    for (size_t i = 0; i < count; i++) {
        if (span_eq(text, span_str(words[i]))) {
            return i;
        }
    }
    (void)quota_report(item, word, &advice, "is not one of the values");
    return count;
}

/* A size, with "/s" behind it or without. */
static bool rate_read(const struct conf_item *item, struct conf_place place, struct span text,
                      uint64_t *out)
{
    if (text.len > 2 && memcmp(text.ptr + text.len - 2, "/s", 2) == 0) {
        text.len -= 2;
    }
    const struct conf_scalar scalar = {
        .type = SCHEMA_SIZE, .name = item->row->name, .min = RATE_MIN, .max = RATE_MAX};
    return conf_scalar_read(item->check, &scalar, place, text, out);
}

static bool name_read(const struct conf_item *item, const struct conf_word *word, struct span text,
                      const char **name)
{
    *name = conf_check_copy(item->check, text);
    return (conf_is_token(text) && text.len <= NAME_MAX_BYTES) ||
           quota_report(item, word, NULL, "is no name of letters, digits and - . _ (at most 64)");
}

static bool action_read(const struct conf_item *item, const struct conf_word *word,
                        struct span text, struct conf_quota *quota)
{
    const struct conf_advice advice = {.allowed = action_words,
                                       .allowed_count = ARRAY_LEN(action_words)};
    size_t prefix = sizeof(throttle) - 1;

    if (span_starts(text, span_str(throttle))) {
        return rate_read(item, word->place, span_of(text.ptr + prefix, text.len - prefix),
                         &quota->throttle_bytes_s);
    }
    return span_eq(text, SPAN("deny")) ||
           quota_report(item, word, &advice, "does not say what happens when it is used up");
}

static bool quota_option_read(struct reading *reading, const struct conf_word *word, size_t option,
                              struct span text)
{
    const struct conf_item *item = reading->item;
    struct conf_quota *quota = reading->quota;
    const struct conf_scalar status = {
        .type = SCHEMA_COUNT, .name = "status", .min = 400, .max = 599};
    uint64_t number;
    size_t choice;

    switch (option) {
    case OPTION_PER:
        choice = value_choose(item, word, text, per_words, ARRAY_LEN(per_words));
        quota->per = (enum conf_per)choice;
        return choice < ARRAY_LEN(per_words);
    case OPTION_COUNT:
        choice = value_choose(item, word, text, side_words, ARRAY_LEN(side_words));
        quota->sides = (unsigned)choice + 1;
        return choice < ARRAY_LEN(side_words);
    case OPTION_ACTION:
        return action_read(item, word, text, quota);
    default:
        if (!conf_scalar_read(item->check, &status, word->place, text, &number)) {
            return false;
        }
        quota->status = (uint32_t)number;
        return true;
    }
}

static bool option_read(struct reading *reading, const struct conf_word *word, size_t option,
                        struct span text)
{
    const struct conf_item *item = reading->item;
    struct conf_bandwidth *bandwidth = reading->bandwidth;
    bool is_bandwidth = bandwidth != NULL;

    if (option == OPTION_KEY) {
        size_t key = value_choose(item, word, text, key_words, ARRAY_LEN(key_words));
        *(is_bandwidth ? &bandwidth->key : &reading->quota->key) = (enum conf_whose)key;
        return key < ARRAY_LEN(key_words);
    }
    if (option == OPTION_NAME) {
        *(is_bandwidth ? &bandwidth->has_own_name : &reading->quota->has_own_name) = true;
        return name_read(item, word, text, is_bandwidth ? &bandwidth->name : &reading->quota->name);
    }
    if (is_bandwidth) {
        const struct conf_scalar scalar = {
            .type = SCHEMA_SIZE, .name = "burst", .min = RATE_MIN, .max = RATE_MAX};
        return conf_scalar_read(item->check, &scalar, word->place, text, &bandwidth->burst);
    }
    return quota_option_read(reading, word, option, text);
}

/* name=value */
static bool pair_read(struct reading *reading, const struct conf_word *word)
{
    struct span text = word->text;
    const char *equals = text.len == 0 ? NULL : memchr(text.ptr, '=', text.len);
    size_t len = equals == NULL ? text.len : (size_t)(equals - text.ptr);
    struct span name = span_of(text.ptr, len);
    size_t option = 0;

    while (option < reading->option_count && !span_eq(name, span_str(reading->options[option]))) {
        option++;
    }
    if (option == reading->option_count || equals == NULL) {
        const struct conf_advice advice = {
            .hint = conf_nearest(name, reading->options, reading->option_count),
            .allowed = reading->options,
            .allowed_count = reading->option_count};
        return quota_report(reading->item, word, &advice,
                            "is not an option here; options are name=value");
    }
    if (reading->seen[option]) {
        return quota_report(reading->item, word, NULL, "is said twice");
    }
    reading->seen[option] = true;
    return option_read(reading, word, option, span_of(equals + 1, text.len - len - 1));
}

/* Options from word `first` on, then perhaps "except" NETWORK... */
static bool options_read(struct reading *reading, size_t first)
{
    const struct conf_item *item = reading->item;
    struct conf_networks except = {0};
    bool good = true;

    for (size_t i = first; i < item->count; i++) {
        if (span_eq(item->words[i].text, SPAN("except"))) {
            if (i + 1 == item->count) {
                return quota_report(item, &item->words[i], NULL, "needs a network behind it");
            }
            good = conf_item_networks(item, i + 1, &except) && good;
            break;
        }
        good = pair_read(reading, &item->words[i]) && good;
    }
    if (reading->bandwidth != NULL) {
        reading->bandwidth->except = except.list;
        reading->bandwidth->except_count = except.count;
    } else {
        reading->quota->except = except.list;
        reading->quota->except_count = except.count;
    }
    return good;
}

static bool bandwidth_set(const struct conf_item *item)
{
    struct conf_bandwidth *out = item->target;
    struct reading reading = {.item = item,
                              .options = bandwidth_options,
                              .option_count = ARRAY_LEN(bandwidth_options),
                              .bandwidth = out};
    size_t next = 1;

    *out = (struct conf_bandwidth){.sides = CONF_SIDE_DOWN | CONF_SIDE_UP, .name = ""};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    bool good = rate_read(item, item->words[0].place, item->words[0].text, &out->bytes_s);
    for (unsigned i = 0; item->count > 1 && i < ARRAY_LEN(side_words); i++) {
        if (span_eq(item->words[1].text, span_str(side_words[i]))) {
            out->sides = i + 1;
            next = 2;
        }
    }
    return options_read(&reading, next) && good;
}

static bool quota_set(const struct conf_item *item)
{
    const struct conf_scalar size = {
        .type = SCHEMA_SIZE, .name = "quota", .min = QUOTA_MIN, .max = QUOTA_MAX};
    struct conf_quota *out = item->target;
    struct reading reading = {.item = item,
                              .options = quota_options,
                              .option_count = ARRAY_LEN(quota_options),
                              .quota = out};

    *out = (struct conf_quota){
        .sides = CONF_SIDE_DOWN | CONF_SIDE_UP, .status = 403, .per = CONF_PER_MONTH, .name = ""};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    bool good = conf_scalar_read(item->check, &size, item->words[0].place, item->words[0].text,
                                 &out->bytes);
    good = options_read(&reading, 1) && good;
    if (good && !reading.seen[OPTION_PER]) {
        const struct conf_advice advice = {.allowed = per_words,
                                           .allowed_count = ARRAY_LEN(per_words)};
        conf_report_add(item->check->report, item->words[0].place, &advice,
                        "a quota needs a period: per=month");
        return false;
    }
    return good;
}

/* Names are tokens, which may hold what means something to the language. */
static void print_name(const char *name, struct buf *out)
{
    struct buf word;

    buf_init(&word, out->limit);
    buf_puts(&word, "name=");
    buf_puts(&word, name);
    buf_putc(out, ' ');
    conf_print_word(word.data, out);
    buf_free(&word);
}

static void print_except(const struct conf_network *list, size_t count, struct buf *out)
{
    const struct conf_networks networks = {.list = list, .count = count};

    buf_puts(out, count == 0 ? "" : " except ");
    (void)conf_print_networks(&networks, out);
}

void conf_print_bandwidth(const struct conf_bandwidth *bandwidth, struct buf *out)
{
    conf_print_size(bandwidth->bytes_s, out);
    buf_printf(out, "/s %s key=%s", side_words[bandwidth->sides - 1], key_words[bandwidth->key]);
    if (bandwidth->burst > 0) {
        buf_puts(out, " burst=");
        conf_print_size(bandwidth->burst, out);
    }
    if (bandwidth->has_own_name) {
        print_name(bandwidth->name, out);
    }
    print_except(bandwidth->except, bandwidth->except_count, out);
}

void conf_print_quota(const struct conf_quota *quota, struct buf *out)
{
    conf_print_size(quota->bytes, out);
    buf_printf(out, " per=%s key=%s count=%s action=", per_words[quota->per], key_words[quota->key],
               side_words[quota->sides - 1]);
    if (quota->throttle_bytes_s == 0) {
        buf_printf(out, "deny status=%u", quota->status);
    } else {
        buf_puts(out, throttle);
        conf_print_size(quota->throttle_bytes_s, out);
        buf_puts(out, "/s");
    }
    if (quota->has_own_name) {
        print_name(quota->name, out);
    }
    print_except(quota->except, quota->except_count, out);
}

static bool bandwidth_print(const struct schema_row *row, const void *owner, const void *value,
                            struct buf *out)
{
    (void)row;
    (void)owner;
    conf_print_bandwidth(value, out);
    return true;
}

static bool quota_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    (void)row;
    (void)owner;
    conf_print_quota(value, out);
    return true;
}

const struct conf_type conf_type_bandwidth = {bandwidth_set, bandwidth_print};
const struct conf_type conf_type_quota = {quota_set, quota_print};
