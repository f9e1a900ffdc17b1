// layer: http
/* Dictionaries: what is read and written again reads the same; whatever breaks the field breaks it
 * wherever it stands; and directives made of one keep their bounds. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "http/sfv.h"
#include "http/targeted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without parameters, which have no meaning. */
static void write_member(struct buf *out, const struct http_sfv_member *member)
{
    static const char *const open[] = {"=", "=", "=\"", "=", "=:", "=?", "=("};
    static const char *const close[] = {"", "", "\"", "", ":", "", ")"};

    buf_puts(out, out->len == 0 ? "" : ", ");
    buf_append(out, member->key);
    buf_puts(out, open[member->type]);
    if (member->type == HTTP_SFV_BOOLEAN) {
        buf_putc(out, member->integer == 1 ? '1' : '0');
    } else {
        buf_append(out, member->text);
    }
    buf_puts(out, close[member->type]);
}

/* False: malformed. */
static bool rewrite(struct span rest, struct buf *out)
{
    struct http_sfv_member member;
    enum http_sfv next;

    while ((next = http_sfv_next(&rest, &member)) == HTTP_SFV_MEMBER) {
        CHECK(member.key.len > 0);
        CHECK(member.type != HTTP_SFV_INTEGER ||
              (member.integer < 1000000000000000 && member.integer > -1000000000000000));
        write_member(out, &member);
    }
    return next == HTTP_SFV_END;
}

static void check_targeted(struct span value, bool is_valid)
{
    struct http_field item;
    struct http_fields fields;
    struct http_directives directives;

    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, SPAN("CDN-Cache-Control"), span_trim(value)));
    bool is_read = http_targeted_parse(&directives, &fields, SPAN("CDN-Cache-Control"));
    CHECK(is_read == (is_valid && span_trim(value).len > 0));
    CHECK(is_read || directives.flags == 0);
    CHECK(directives.max_age_s <= HTTP_AGE_MAX_S && directives.s_maxage_s <= HTTP_AGE_MAX_S);
    CHECK(http_directives_has(&directives, HTTP_CC_MAX_AGE) || directives.max_age_s == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once;
    struct buf twice;
    char *text = mem_try(size);

    memcpy(text, data, size);
    struct span value = span_of(text, size);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    bool is_valid = rewrite(value, &once);
    CHECK(rewrite(buf_span(&once), &twice)); /* also what came before the error */
    CHECK(span_eq(buf_span(&once), buf_span(&twice)));
    check_targeted(value, is_valid);
    /* Joined with another, in either order, it is as valid as it was. */
    if (once.len > 0) {
        struct buf joined;
        buf_init(&joined, 1 << 20);
        buf_puts(&joined, "max-age=1 ,\t");
        buf_append(&joined, span_trim(value));
        buf_clear(&twice);
        CHECK(rewrite(buf_span(&joined), &twice) == is_valid);
        buf_free(&joined);
    }
    buf_free(&once);
    buf_free(&twice);
    mem_free(text);
    return 0;
}
