/* type_compress - which codings a site sends, and patterns of media types. */
#include "conf/type.h"
#include "conf/value.h"

#define TYPE_MAX_BYTES ((size_t)127)

/* off | any of gzip and brotli, each once */
static bool codings_set(const struct conf_item *item)
{
    struct conf_compress *compress = item->target;
    const struct schema_row *row = item->row;
    struct conf_shown shown;

    if (!conf_item_expect(item, 1, row->allowed_count - 1)) {
        return false;
    }
    compress->gzip = compress->brotli = false;
    for (size_t i = 0; i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        size_t index = conf_item_choose(item, word, row->allowed, row->allowed_count);
        if (index == row->allowed_count) {
            return false;
        }
        bool is_off = span_eq(word->text, SPAN("off"));
        bool *coding = span_eq(word->text, SPAN("gzip")) ? &compress->gzip : &compress->brotli;
        if (is_off ? item->count > 1 : *coding) {
            conf_report_add(item->check->report, word->place, NULL,
                            is_off ? "\"%s\" stands alone" : "\"%s\" is named twice; remove one",
                            conf_show(&shown, word->text));
            return false;
        }
        if (!is_off) {
            *coding = true;
        }
    }
    return true;
}

static bool codings_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    const struct conf_compress *compress = value;

    (void)row;
    (void)owner;
    if (!compress->gzip && !compress->brotli) {
        buf_puts(out, "off");
        return true;
    }
    buf_puts(out, compress->gzip ? "gzip" : "");
    buf_puts(out, compress->gzip && compress->brotli ? " " : "");
    buf_puts(out, compress->brotli ? "brotli" : "");
    return true;
}

/* token "/" token, where "*" stands for any bytes (RFC 9110 8.3.1); no parameters. */
static bool is_media_pattern(struct span text)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);

    if (slash == NULL || slash == text.ptr || slash + 1 == text.ptr + text.len ||
        text.len > TYPE_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && strchr("!#$&-^_.+*", c) != NULL);
        if (!is_word && text.ptr + i != slash) {
            return false;
        }
    }
    return true;
}

static bool media_set(const struct conf_item *item)
{
    struct conf_names *types = item->target;
    struct conf_shown shown;
    bool good = true;

    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (!is_media_pattern(word->text)) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"%s\" is not a media type like text/css, text/* or "
                            "application/*+json",
                            conf_show(&shown, word->text));
            good = false;
        }
        list[i] = conf_check_copy_lower(item->check, word->text);
    }
    *types = (struct conf_names){.list = list, .count = list == NULL ? 0 : item->count};
    return good;
}

static bool media_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    (void)row;
    (void)owner;
    return conf_print_words(value, out);
}

const struct conf_type conf_type_codings = {codings_set, codings_print};
const struct conf_type conf_type_media_types = {media_set, media_print};
