/* Variants and their base: which facts go together, and keys that name the base's generation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fill/derived.h"
#include "fill/encode.h"
#include "http/date.h"

static struct http_stored base_facts(void)
{
    return (struct http_stored){
        .response_time_ms = 1000,
        .date_s = 1,
        .last_modified_s = HTTP_DATE_NONE,
        .lifetime_s = 60,
        .status = 200,
        .flags = HTTP_STORED_COMPRESSIBLE | HTTP_STORED_HAS_ETAG,
        .generation = 77,
    };
}

static bool is_current(const struct encode_facts *facts, const struct http_stored *base)
{
    uint8_t bytes[STORE_FACTS_BYTES];
    memcpy(bytes, facts, sizeof(bytes));
    return encode_is_current(bytes, base);
}

static void test_current(void **state)
{
    struct http_stored base = base_facts();
    struct encode_facts facts = {.stored = base, .check = 5};
    (void)state;
    assert_true(is_current(&facts, &base));
    /* came in chunks: the variant has a length all the same */
    base.flags |= HTTP_STORED_NO_LENGTH;
    assert_true(is_current(&facts, &base));
    facts.stored = base;
    assert_false(is_current(&facts, &base));
    /* renewed by a 304 */
    base = facts.stored = base_facts();
    base.response_time_ms++;
    assert_false(is_current(&facts, &base));
    base = base_facts();
    base.lifetime_s = 0;
    assert_false(is_current(&facts, &base));
    /* a mark stands whatever becomes of the fields */
    facts = (struct encode_facts){.is_mark = 1};
    assert_true(is_current(&facts, &base));
}

static void test_keys(void **state)
{
    char one[64];
    char two[64];
    struct http_stored base = base_facts();
    struct span url = SPAN("http://a/");
    struct span gzip = derived_key_write(one, url, &base, DERIVED_ENCODING, HTTP_CODING_GZIP);
    (void)state;
    assert_int_equal(gzip.len, url.len + DERIVED_KEY_EXTRA);
    assert_true(span_starts(gzip, url) && gzip.ptr[url.len] == '\0');
    struct span br = derived_key_write(two, url, &base, DERIVED_ENCODING, HTTP_CODING_BR);
    assert_false(span_eq(gzip, br));
    base.generation++;
    struct span later = derived_key_write(two, url, &base, DERIVED_ENCODING, HTTP_CODING_GZIP);
    assert_false(span_eq(gzip, later));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_current),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
