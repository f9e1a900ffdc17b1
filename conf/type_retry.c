/* type_retry - the value of `retry`: how often, after what, which methods, and the budget. */
#include <string.h>

#include "conf/report.h"
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/value.h"

#define BUDGET_PERCENT 20u
#define STATUS_FIRST 400u
#define STATUS_LAST 599u

static const char *const words_on[] = {"connect", "timeout", "reset"};
static const char *const words_methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

#define METHODS_ALL ((1u << ARRAY_LEN(words_methods)) - 1)

/* The next of words with commas between; false: there is none. */
static bool word_next(struct span *rest, struct span *out)
{
    if (rest->ptr == NULL) {
        return false;
    }
    const char *comma = rest->len == 0 ? NULL : memchr(rest->ptr, ',', rest->len);
    *out = comma == NULL ? *rest : span_of(rest->ptr, (size_t)(comma - rest->ptr));
    *rest = comma == NULL ? span_of(NULL, 0) : span_of(comma + 1, rest->len - out->len - 1);
    return true;
}

/* As a bit; 0: it is none of them. */
static uint32_t bit_of(struct span word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(word, span_str(words[i]))) {
            return (uint32_t)1 << i;
        }
    }
    return 0;
}

static bool status_add(struct conf_retry *retry, struct span word)
{
    uint32_t status = 0;

    if (word.len != 3 || retry->status_count == CONF_RETRY_STATUSES_MAX) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') {
            return false;
        }
        status = status * 10 + (uint32_t)(word.ptr[i] - '0');
    }
    if (status < STATUS_FIRST || status > STATUS_LAST) {
        return false;
    }
    retry->statuses[retry->status_count++] = (uint16_t)status;
    return true;
}

static bool on_set(const struct conf_item *item, struct conf_retry *retry, struct conf_place place,
                   struct span value)
{
    struct conf_shown shown;
    struct span word;

    retry->on = 0;
    while (word_next(&value, &word)) {
        uint32_t bit = bit_of(word, words_on, ARRAY_LEN(words_on));
        retry->on |= bit;
        if (bit == 0 && !status_add(retry, word)) {
            conf_report_add(item->check->report, place, NULL,
                            "\"%s\" is nothing to retry on: connect, timeout, reset, or up to %u "
                            "statuses from %u to %u, with commas between",
                            conf_show(&shown, word), CONF_RETRY_STATUSES_MAX, STATUS_FIRST,
                            STATUS_LAST);
            return false;
        }
    }
    return true;
}

static bool methods_set(const struct conf_item *item, struct conf_retry *retry,
                        struct conf_place place, struct span value)
{
    struct conf_shown shown;
    struct span word;

    retry->methods = 0;
    while (word_next(&value, &word)) {
        uint32_t bit = bit_of(word, words_methods, ARRAY_LEN(words_methods));
        retry->methods |= bit;
        if (bit == 0) {
            conf_report_add(item->check->report, place, NULL,
                            "\"%s\" may not be sent twice; GET, HEAD, OPTIONS, TRACE, PUT and "
                            "DELETE may",
                            conf_show(&shown, word));
            return false;
        }
    }
    return true;
}

static bool budget_set(const struct conf_item *item, struct conf_retry *retry,
                       struct conf_place place, struct span value)
{
    const struct conf_scalar scalar = {.type = SCHEMA_PERCENT, .name = "budget", .max = 100};
    uint64_t percent;

    if (!conf_scalar_read(item->check, &scalar, place, value, &percent)) {
        return false;
    }
    retry->budget = (uint32_t)percent;
    return true;
}

static bool option_set(const struct conf_item *item, struct conf_retry *retry,
                       const struct conf_word *word, unsigned *seen)
{
    static const char *const names[] = {"on", "methods", "budget"};
    static bool (*const set[])(const struct conf_item *item, struct conf_retry *retry,
                               struct conf_place place,
                               struct span value) = {on_set, methods_set, budget_set};
    struct conf_shown shown;
    const char *equals = word->text.len == 0 ? NULL : memchr(word->text.ptr, '=', word->text.len);
    size_t len = equals == NULL ? word->text.len : (size_t)(equals - word->text.ptr);

    for (size_t i = 0; equals != NULL && i < ARRAY_LEN(names); i++) {
        if (!span_eq(span_of(word->text.ptr, len), span_str(names[i]))) {
            continue;
        }
        if ((*seen & 1u << i) != 0) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"%s\" is set twice in this \"retry\"; remove one", names[i]);
            return false;
        }
        *seen |= 1u << i;
        return set[i](item, retry, word->place, span_of(equals + 1, word->text.len - len - 1));
    }
    conf_report_add(
        item->check->report, word->place, NULL,
        "\"%s\" is no option of \"retry\": on=, methods=, budget=", conf_show(&shown, word->text));
    return false;
}

static bool retry_set(const struct conf_item *item)
{
    const struct conf_scalar scalar = {
        .type = SCHEMA_COUNT, .name = "retry", .max = CONF_RETRIES_MAX};
    struct conf_retry *retry = item->target;
    uint64_t count = 0;
    unsigned seen = 0;

    *retry = (struct conf_retry){.on = CONF_RETRY_CONNECT | CONF_RETRY_RESET,
                                 .methods = METHODS_ALL,
                                 .budget = BUDGET_PERCENT};
    if (!conf_item_expect(item, 1, 4)) {
        return false;
    }
    retry->is_auto = span_eq(item->words[0].text, SPAN("auto"));
    if (retry->is_auto) {
        return conf_item_expect(item, 1, 1);
    }
    bool good =
        conf_scalar_read(item->check, &scalar, item->words[0].place, item->words[0].text, &count);
    retry->count = (uint32_t)count;
    for (size_t i = 1; i < item->count; i++) {
        good = option_set(item, retry, &item->words[i], &seen) && good;
    }
    return good;
}

/* "a,b" of the words whose bit is set. */
static void print_bits(uint32_t bits, const char *const *words, size_t count, struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < count; i++) {
        if ((bits & (uint32_t)1 << i) != 0) {
            buf_printf(out, "%s%s", comma, words[i]);
            comma = ",";
        }
    }
}

static bool retry_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_retry *retry = value;

    (void)row;
    (void)owner;
    if (retry->is_auto) {
        buf_puts(out, "auto");
        return true;
    }
    buf_printf(out, "%u on=", retry->count);
    print_bits(retry->on, words_on, ARRAY_LEN(words_on), out);
    for (uint32_t i = 0; i < retry->status_count; i++) {
        buf_printf(out, "%s%u", i == 0 && retry->on == 0 ? "" : ",", retry->statuses[i]);
    }
    buf_puts(out, " methods=");
    print_bits(retry->methods, words_methods, ARRAY_LEN(words_methods), out);
    buf_printf(out, " budget=%u%%", retry->budget);
    return true;
}

const struct conf_type conf_type_retry = {retry_set, retry_print};
