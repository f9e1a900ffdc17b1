/* type_fields - a list of field names of HTTP messages, most important first, or off. */
#include <string.h>

#include "conf/report.h"
#include "conf/type.h"
#include "conf/value.h"

#define FIELD_MAX_BYTES 64u

/* token (RFC 9110 5.6.2) */
static bool field_is_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0 && text.len <= FIELD_MAX_BYTES;
}

static bool field_report(const struct conf_item *item, const struct conf_word *word,
                         const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

static bool fields_set(const struct conf_item *item)
{
    struct conf_names *out = item->target;
    bool good = true;

    *out = (struct conf_names){0};
    if (item->count == 1 && span_eq(item->words[0].text, SPAN("off"))) {
        return true;
    }
    if (!conf_item_expect(item, 1, CONF_FIELDS_MAX)) {
        return false;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (span_eq(word->text, SPAN("off"))) {
            good = field_report(item, word, "stands alone");
        } else if (!field_is_name(word->text)) {
            good = field_report(item, word, "is not a field name (at most 64 bytes)");
        }
        for (size_t j = 0; j < i; j++) {
            if (span_eq_nocase(item->words[j].text, word->text)) {
                good = field_report(item, word, "is there twice");
            }
        }
        list[i] = conf_check_copy(item->check, word->text);
    }
    *out = (struct conf_names){.list = list, .count = list == NULL ? 0 : item->count};
    return good;
}

static bool fields_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    (void)row;
    (void)owner;
    if (!conf_print_words(value, out)) {
        buf_puts(out, "off");
    }
    return true;
}

const struct conf_type conf_type_fields = {fields_set, fields_print};
