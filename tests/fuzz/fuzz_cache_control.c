// layer: http
/* Cache-Control: what was said first stays said; ages saturate; letter case means nothing; one more
 * line is one more member. An operator's URL makes a key within its room. */
#include "base/check.h"
#include "base/mem.h"
#include "http/directives.h"
#include "http/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct http_directives *a, const struct http_directives *b)
{
    return a->flags == b->flags && a->max_age_s == b->max_age_s && a->s_maxage_s == b->s_maxage_s &&
           a->min_fresh_s == b->min_fresh_s && a->max_stale_s == b->max_stale_s &&
           a->stale_while_revalidate_s == b->stale_while_revalidate_s &&
           a->stale_if_error_s == b->stale_if_error_s &&
           a->no_cache_fields.len == b->no_cache_fields.len &&
           a->private_fields.len == b->private_fields.len;
}

/* Changes text. */
static void check_case(char *text, size_t size, const struct http_directives *once)
{
    struct http_directives other = {0};

    for (size_t i = 0; i < size; i++) {
        bool is_lower = text[i] >= 'a' && text[i] <= 'z';
        text[i] = is_lower ? (char)(text[i] - 32) : ascii_lower(text[i]);
    }
    http_directives_parse(&other, span_of(text, size));
    CHECK(is_same(&other, once));
}

/* The value on one line and a word on the next is the same as the two in one, where the value does
 * not end inside a quote: then the word is lost. */
static void check_lines(struct span value, const struct http_directives *once)
{
    struct http_directives apart = *once;
    struct http_directives joined = {0};
    char *text = mem_try(value.len + 9);

    http_directives_parse(&apart, SPAN("no-store"));
    memcpy(text, value.ptr, value.len);
    memcpy(text + value.len, ",no-store", 9);
    http_directives_parse(&joined, span_of(text, value.len + 9));
    CHECK(is_same(&apart, &joined) || memchr(value.ptr, '"', value.len) != NULL);
    CHECK((joined.flags & ~apart.flags) == 0 || memchr(value.ptr, '"', value.len) != NULL);
    mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_directives once = {0};
    struct http_directives more = {0};
    struct span key;
    char *text = mem_try(size);
    char *out = mem_try(size + 1);

    memcpy(text, data, size);
    struct span value = span_of(text, size);
    http_directives_parse(&once, value);
    CHECK(once.max_age_s <= HTTP_AGE_MAX_S && once.s_maxage_s <= HTTP_AGE_MAX_S &&
          once.min_fresh_s <= HTTP_AGE_MAX_S && once.max_stale_s <= HTTP_AGE_MAX_S);
    CHECK(http_directives_has(&once, HTTP_CC_MAX_AGE) || once.max_age_s == 0);
    more = once;
    http_directives_parse(&more, SPAN("max-age=5, s-maxage=6, no-store"));
    CHECK((more.flags & once.flags) == once.flags && (more.flags & HTTP_CC_NO_STORE) != 0);
    CHECK(more.max_age_s == (http_directives_has(&once, HTTP_CC_MAX_AGE) ? once.max_age_s : 5));
    CHECK(more.s_maxage_s == (http_directives_has(&once, HTTP_CC_S_MAXAGE) ? once.s_maxage_s : 6));

    check_case(text, size, &once);
    check_lines(value, &once);
    memcpy(text, data, size);
    if (http_key_from_url(out, value, &key) == NULL) {
        CHECK(key.len <= size + 1 && http_is_field_value(key));
    }
    mem_free(out);
    mem_free(text);
    return 0;
}
