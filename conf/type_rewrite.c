/* type_rewrite - a prefix of paths, or off. */
#include <string.h>

#include "conf/type.h"
#include "conf/value.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* Escapes with capitals, as paths are compared. */
static bool has_good_escapes(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' &&
            (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))) {
            return false;
        }
    }
    return true;
}

/* An empty segment, "." or "..". */
static bool has_odd_segment(struct span text)
{
    size_t from = 1;

    for (size_t i = 1; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '/') {
            continue;
        }
        struct span segment = span_of(text.ptr + from, i - from);
        if (segment.len == 0 || span_eq(segment, SPAN(".")) || span_eq(segment, SPAN(".."))) {
            return true;
        }
        from = i + 1;
    }
    return false;
}

static const char *prefix_fault(struct span text)
{
    if (text.len == 0 || text.ptr[0] != '/') {
        return "is not a path prefix: one begins with /";
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("?#\\*", c) != NULL) {
            return "has bytes that no prefix of a path has";
        }
    }
    if (!has_good_escapes(text)) {
        return "has a % that begins no escape; write escapes with capitals";
    }
    if (text.len == 1 || text.ptr[text.len - 1] == '/') {
        return "ends in /: name whole segments, as in /api";
    }
    return has_odd_segment(text) ? "has an empty or a dot segment" : NULL;
}

bool conf_item_prefix(const struct conf_item *item, const struct conf_word *word)
{
    const char *fault = prefix_fault(word->text);
    struct conf_shown shown;

    if (fault != NULL) {
        conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                        conf_show(&shown, word->text), fault);
    }
    return fault == NULL;
}

static bool prefix_set(const struct conf_item *item)
{
    const char **target = item->target;

    *target = "";
    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    if (span_eq(item->words[0].text, SPAN("off"))) {
        return true;
    }
    *target = conf_check_copy(item->check, item->words[0].text);
    return conf_item_prefix(item, &item->words[0]);
}

static bool prefix_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const char *prefix = *(const char *const *)value;

    (void)row;
    (void)owner;
    conf_print_word(prefix == NULL || prefix[0] == '\0' ? "off" : prefix, out);
    return true;
}

const struct conf_type conf_type_prefix = {prefix_set, prefix_print};
