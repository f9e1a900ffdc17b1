/* type_origins - the values of `origins`: the pool's name, how its servers take turns. */
#include <string.h>

#include "conf/report.h"
#include "conf/type.h"
#include "conf/value.h"

#define LABEL_MAX_BYTES ((size_t)64)

static bool is_label(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = ascii_lower(word.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            c != '.') {
            return false;
        }
    }
    return word.len > 0 && word.len <= LABEL_MAX_BYTES;
}

bool conf_item_label(const struct conf_item *item, const struct conf_word *word, const char *what,
                     const char **out)
{
    struct conf_shown shown;

    *out = conf_check_copy(item->check, word->text);
    if (is_label(word->text)) {
        return true;
    }
    conf_report_add(item->check->report, word->place, NULL,
                    "\"%s\" is not a %s name: letters, digits, - _ and . (at most 64)",
                    conf_show(&shown, word->text), what);
    return false;
}

/* ---- balance ---- */

static const char *const hash_words[] = {"url", "client", "header", "cookie"};

static bool balance_hash(const struct conf_item *item, struct conf_balancing *out)
{
    if (!conf_item_expect(item, 2, 3)) {
        return false;
    }
    size_t key = conf_item_choose(item, &item->words[1], hash_words, ARRAY_LEN(hash_words));
    if (key == ARRAY_LEN(hash_words)) {
        return false;
    }
    out->by = (enum conf_balance)(CONF_BALANCE_HASH_URL + key);
    bool has_name = out->by >= CONF_BALANCE_HASH_HEADER;
    if (!conf_item_expect(item, has_name ? 3 : 2, has_name ? 3 : 2)) {
        return false;
    }
    if (!has_name) {
        return true;
    }
    out->name = conf_check_copy(item->check, item->words[2].text);
    if (conf_is_token(item->words[2].text)) {
        return true;
    }
    struct conf_shown shown;
    conf_report_add(item->check->report, item->words[2].place, NULL,
                    "\"%s\" is not the name of a %s", conf_show(&shown, item->words[2].text),
                    hash_words[key]);
    return false;
}

static bool balance_set(const struct conf_item *item)
{
    struct conf_balancing *target = item->target;

    *target = (struct conf_balancing){0};
    if (!conf_item_expect(item, 1, 3)) {
        return false;
    }
    size_t which =
        conf_item_choose(item, &item->words[0], item->row->allowed, item->row->allowed_count);
    if (which == CONF_BALANCE_HASH_URL) {
        return balance_hash(item, target);
    }
    target->by = (enum conf_balance)which;
    return which < item->row->allowed_count && conf_item_expect(item, 1, 1);
}

static bool balance_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    const struct conf_balancing *balance = value;

    (void)owner;
    if (balance->by < CONF_BALANCE_HASH_URL) {
        buf_puts(out, row->allowed[balance->by]);
        return true;
    }
    buf_printf(out, "hash %s", hash_words[balance->by - CONF_BALANCE_HASH_URL]);
    if (balance->name != NULL) {
        buf_putc(out, ' ');
        conf_print_word(balance->name, out);
    }
    return true;
}

const struct conf_type conf_type_balance = {balance_set, balance_print};

/* ---- sticky ---- */

static bool sticky_set(const struct conf_item *item)
{
    struct conf_sticky *target = item->target;
    struct conf_shown shown;

    *target = (struct conf_sticky){0};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    if (span_eq(item->words[0].text, SPAN("off")) && !item->words[0].quoted) {
        return conf_item_expect(item, 1, 1);
    }
    bool good = conf_is_token(item->words[0].text) && item->words[0].text.len <= LABEL_MAX_BYTES;
    if (!good) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "\"%s\" is not the name of a cookie (at most 64 bytes)",
                        conf_show(&shown, item->words[0].text));
    }
    target->cookie = conf_check_copy(item->check, item->words[0].text);
    return conf_item_options(item, 1) && good;
}

static bool sticky_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_sticky *sticky = value;

    (void)owner;
    if (sticky->cookie == NULL) {
        buf_puts(out, row->allowed[0]);
        return true;
    }
    conf_print_word(sticky->cookie, out);
    if (sticky->max_age_ms > 0) {
        buf_puts(out, " max_age=");
        conf_print_duration(sticky->max_age_ms, out);
    }
    return true;
}

const struct conf_type conf_type_sticky = {sticky_set, sticky_print};
