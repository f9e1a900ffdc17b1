/* Which requests a variant answers (RFC 9111 4.1). */
#include "helper.h"
#include "http/vary.h"

struct row {
    const char *vary; /* response lines */
    const char *first;
    const char *second;
    bool matches;
};

#define AE "Vary: Accept-Encoding\r\n"
#define AL "Vary: Accept-Language\r\n"
#define AE_ODD AE "Content-Encoding: odd\r\n"
#define AL_DE AL "Content-Language: DE\r\n"

static const struct row rows[] = {
    {"", "A: 1\r\n", "A: 2\r\n", true},
    {"Vary:\r\n", "A: 1\r\n", "A: 2\r\n", true},
    {"Vary: A\r\n", "A: 1\r\n", "A: 1\r\n", true},
    {"Vary: a\r\n", "A: 1\r\n", "a: 1\r\n", true},
    {"Vary: A\r\n", "A: 1\r\n", "A: 2\r\n", false},
    {"Vary: A\r\n", "A: x\r\n", "A: X\r\n", false},
    {"Vary: A\r\n", "A: 1\r\n", "A: 12\r\n", false},
    {"Vary: A\r\n", "A: 12\r\n", "A: 1\r\n", false},
    {"Vary: A\r\n", "", "", true},
    {"Vary: A\r\n", "", "A:\r\n", false},
    {"Vary: A\r\n", "A:\r\n", "", false},
    {"Vary: A\r\n", "A: 1, 2\r\n", "A: 1,2\r\n", true},
    {"Vary: A\r\n", "A: 1\r\nA: 2\r\n", "A: 1 , 2\r\n", true},
    {"Vary: A\r\n", "A: 1, 2\r\n", "A: 2, 1\r\n", false},
    {"Vary: A\r\n", "A: \"1, 2\"\r\n", "A: \"1,2\"\r\n", false},
    {"Vary: B, A\r\n", "A: 1\r\nB: 2\r\n", "B: 2\r\nA: 1\r\n", true},
    {"Vary: B\r\nVary: A\r\n", "A: 1\r\nB: 2\r\n", "B: 3\r\nA: 1\r\n", false},
    {"Vary: B, ,A\r\n", "A: 1\r\nB: 2\r\n", "B: 2\r\nA: 3\r\n", false},
    {"Vary: A, a\r\n", "A: 1\r\n", "A: 1\r\n", true},
    {"Vary: Cookie\r\n", "Cookie: a=1,2\r\n", "Cookie: a=1, 2\r\n", false},
    {"Vary: Cookie\r\n", "Cookie: a=1\r\n", "Cookie: a=1\r\n", true},
    {"Vary: Proxy-Authorization\r\n", "Proxy-Authorization: a\r\n", "", true},
    {"Vary: A, Proxy-Authorization\r\n", "Proxy-Authorization: a\r\nA: 1\r\n",
     "A: 1\r\nProxy-Authorization: b\r\n", true},
    {AE, "Accept-Encoding: gzip, br\r\n", "Accept-Encoding: br;q=0.9,GZIP\r\n", true},
    {AE, "Accept-Encoding: gzip\r\n", "Accept-Encoding: x-gzip\r\n", true},
    {AE, "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n", "Accept-Encoding: gzip, br\r\n", true},
    {AE, "Accept-Encoding: gzip\r\n", "Accept-Encoding: gzip, br\r\n", false},
    {AE, "Accept-Encoding: gzip\r\n", "Accept-Encoding: gzip;q=0\r\n", false},
    {AE, "Accept-Encoding: gzip\r\n", "Accept-Encoding: gzip;q=0.000\r\n", false},
    {AE, "Accept-Encoding: gzip\r\n", "Accept-Encoding: gzip;q=0.001\r\n", true},
    {AE, "Accept-Encoding: identity\r\n", "Accept-Encoding:\r\n", true},
    {AE, "Accept-Encoding: identity;q=0\r\n", "Accept-Encoding:\r\n", false},
    {AE, "Accept-Encoding: *;q=0\r\n", "Accept-Encoding:\r\n", false},
    {AE, "Accept-Encoding: *\r\n", "Accept-Encoding:\r\n", false},
    {AE, "", "Accept-Encoding:\r\n", false},
    /* Only the codings in use count ... */
    {AE, "Accept-Encoding: gzip, deflate\r\n", "Accept-Encoding: gzip\r\n", true},
    {AE, "Accept-Encoding: gzip, deflate, br\r\n", "Accept-Encoding: br, gzip\r\n", true},
    {AE, "Accept-Encoding: gzip, odd\r\n", "Accept-Encoding: gzip\r\n", true},
    {AE, "Accept-Encoding: gzip, br, zstd\r\n", "Accept-Encoding: br, gzip\r\n", false},
    {AE "Content-Encoding: br\r\n", "Accept-Encoding: br, deflate\r\n", "Accept-Encoding: br\r\n",
     true},
    /* ... unless the response has another one. */
    {AE_ODD, "Accept-Encoding: gzip, deflate\r\n", "Accept-Encoding: gzip\r\n", false},
    {AE_ODD, "Accept-Encoding: gzip, odd\r\n", "Accept-Encoding: gzip\r\n", false},
    {AE_ODD, "Accept-Encoding: gzip, odd\r\n", "Accept-Encoding: ODD, gzip\r\n", true},
    {AE_ODD, "Accept-Encoding: *\r\n", "Accept-Encoding: *, odd;q=0\r\n", false},
    {AE "Content-Encoding: gzip, deflate\r\n", "Accept-Encoding: gzip, deflate\r\n",
     "Accept-Encoding: gzip\r\n", false},
    {AE, "Accept-Encoding: *\r\n", "Accept-Encoding: *, gzip;q=0\r\n", false},
    {AE, "Accept-Encoding: *\r\n", "Accept-Encoding: gzip, *\r\n", true},
    {AE, "Accept-Encoding: *, br;q=0\r\n", "Accept-Encoding: br;q=0, *;q=0.1\r\n", true},
    {AL, "Accept-Language: de, en\r\n", "Accept-Language: EN, de\r\n", true},
    {AL, "Accept-Language: de;q=0.9, en\r\n", "Accept-Language: en, de;q=0.8\r\n", true},
    {AL, "Accept-Language: de;q=0.9, en\r\n", "Accept-Language: de, en;q=0.9\r\n", false},
    {AL, "Accept-Language: de, en;q=0\r\n", "Accept-Language: de, en;q=0.1\r\n", false},
    {AL, "Accept-Language: de\r\n", "Accept-Language: d\r\n", false},
    {AL, "Accept-Language: de, en\r\n", "Accept-Language: de, en;q=0.5\r\n", false},
    {AL, "Accept-Language: de;q=0.5, en;q=0.5\r\n", "Accept-Language: en, de\r\n", true},
    {AL, "Accept-Language: de\r\nAccept-Language: en;q=0.5\r\n",
     "Accept-Language: en ; q=0.4 , DE;q=1\r\n", true},
    /* A single Content-Language and the only top preference. */
    {AL_DE, "Accept-Language: de, en\r\n", "Accept-Language: de\r\n", true},
    {AL_DE, "Accept-Language: fr, de;q=0.1\r\n", "Accept-Language: en;q=0.5, De;q=0.7\r\n", true},
    {AL_DE, "Accept-Language: de, en\r\n", "Accept-Language: de, fr\r\n", false},
    {AL_DE, "Accept-Language: de, en\r\n", "Accept-Language: en\r\n", false},
    {AL_DE, "Accept-Language: de, en\r\n", "Accept-Language: de;q=0\r\n", false},
    {AL_DE, "Accept-Language: de, en\r\n", "Accept-Language: de-at\r\n", false},
    {AL_DE, "", "Accept-Language: de\r\n", false}, /* absent matches absent only */
    {AL_DE, "Accept-Language: de\r\n", "", false},
    {AL "Content-Language: de, en\r\n", "Accept-Language: en, de\r\n", "Accept-Language: de\r\n",
     false},
    {AL "Content-Language: de\r\nContent-Language: en\r\n", "Accept-Language: en\r\n",
     "Accept-Language: de\r\n", false},
    {AL "Content-Language: de\r\n", "Accept-Language: *\r\n", "Accept-Language: de\r\n", true},
    {AL "Content-Language: *\r\n", "Accept-Language: en\r\n", "Accept-Language: *\r\n", false},
    {"Vary: Accept-Language, A\r\nContent-Language: de\r\n", "A: 1\r\nAccept-Language: en, de\r\n",
     "A: 2\r\nAccept-Language: de\r\n", false},
    {"Content-Language: de\r\nVary: X-Accept-Language\r\n", "X-Accept-Language: en\r\n",
     "X-Accept-Language: de\r\n", false},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message response;
        struct message first;
        struct message second;
        struct buf selector;
        buf_init(&selector, 4096);
        struct http_fields *vary = message_fields(&response, rows[i].vary);
        enum http_vary kind =
            http_selector_build(&selector, vary, message_fields(&first, rows[i].first));
        assert_int_not_equal(kind, HTTP_VARY_STAR);
        assert_int_equal(kind == HTTP_VARY_NONE, selector.len == 0);
        assert_true(http_selector_matches(buf_span(&selector), &first.fields));
        if (http_selector_matches(buf_span(&selector), message_fields(&second, rows[i].second)) !=
            rows[i].matches) {
            fail_msg("%s: %s / %s", rows[i].vary, rows[i].first, rows[i].second);
        }
        /* Damaged selectors match nothing and are read within their bounds. */
        for (size_t len = 1; len < selector.len; len++) {
            char cut[256];
            assert_true(len <= sizeof(cut));
            memcpy(cut, selector.data, len);
            bool matches = http_selector_matches(span_of(cut, len), &first.fields);
            assert_true(!matches || strchr(rows[i].vary, ',') != NULL ||
                        strstr(rows[i].vary + 1, "Vary") != NULL);
        }
        buf_free(&selector);
    }
}

/* Selectors of records from before: the full list of codings still matches, languages do not. */
static void old_selectors(void **state)
{
    static const char codings[] = "\x0f\0accept-encoding\x02\x01\0\0\0\x01";
    static const char languages[] = "\x0f\0accept-language\x03\x03\0\0\0de,";
    struct message message;
    struct http_fields *fields =
        message_fields(&message, "Accept-Encoding: gzip\r\nAccept-Language: de\r\n");

    (void)state;
    assert_true(http_selector_matches(span_of(codings, sizeof(codings) - 1), fields));
    assert_false(http_selector_matches(span_of(languages, sizeof(languages) - 1), fields));
    fields = message_fields(&message, "Accept-Encoding: gzip, br\r\n");
    assert_false(http_selector_matches(span_of(codings, sizeof(codings) - 1), fields));
}

static void same_selector_for_any_order(void **state)
{
    struct message one;
    struct message two;
    struct message request;
    struct buf a;
    struct buf b;

    (void)state;
    buf_init(&a, 1000);
    buf_init(&b, 1000);
    struct http_fields *fields = message_fields(&request, "X: 1\r\nY: 2\r\n");
    assert_int_equal(http_selector_build(&a, message_fields(&one, "Vary: y,X\r\n"), fields),
                     HTTP_VARY_SOME);
    assert_int_equal(
        http_selector_build(&b, message_fields(&two, "Vary: x\r\nVary: Y, x\r\n"), fields),
        HTTP_VARY_SOME);
    assert_true(span_eq(buf_span(&a), buf_span(&b)));
    buf_free(&a);
    buf_free(&b);
}

static void star(void **state)
{
    static const char *const stars[] = {
        "Vary: *\r\n",
        "Vary: a, *\r\n",
        "Vary: a\r\nVary: ,*,\r\n",
        "Vary: a b\r\n",
        "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(stars) / sizeof(stars[0]); i++) {
        struct message message;
        struct buf out;
        buf_init(&out, 4096);
        struct http_fields *fields = message_fields(&message, stars[i]);
        assert_true(http_vary_is_star(fields));
        assert_int_equal(http_selector_build(&out, fields, fields), HTTP_VARY_STAR);
        buf_free(&out);
    }
    struct message message;
    assert_false(http_vary_is_star(message_fields(&message, "Vary: a*, b\r\n")));
    assert_false(
        http_vary_is_star(message_fields(&message, "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\r\n")));
}

static void too_long(void **state)
{
    struct message message;
    struct buf out;

    (void)state;
    buf_init(&out, 12);
    struct http_fields *fields = message_fields(&message, "Vary: A\r\nA: 0123456789\r\n");
    assert_int_equal(http_selector_build(&out, fields, fields), HTTP_VARY_STAR);
    buf_free(&out);
}

static void many_languages(void **state)
{
    char lines[1024] = "Vary: Accept-Language\r\nAccept-Language: a0";
    struct message message;
    struct buf out;

    (void)state;
    for (int i = 1; i < 40; i++) {
        size_t len = strlen(lines);
        (void)snprintf(lines + len, sizeof(lines) - len, ",a%d;q=0.%d", i, i % 10);
    }
    size_t len = strlen(lines);
    (void)snprintf(lines + len, sizeof(lines) - len, "\r\n");
    buf_init(&out, 4096);
    struct http_fields *fields = message_fields(&message, lines);
    assert_int_equal(http_selector_build(&out, fields, fields), HTTP_VARY_SOME);
    assert_true(http_selector_matches(buf_span(&out), fields));
    buf_free(&out);
}

/* By what differs from user to user? */
static void personal(void **state)
{
    static const struct {
        const char *vary;
        bool wanted;
    } cases[] = {
        {"", false},
        {"Vary: Accept-Encoding, User-Agent, X-Cookie\r\n", false},
        {"Vary: COOKIE\r\n", true},
        {"Vary: Accept\r\nVary: a, authorization\r\n", true},
    };
    struct message message;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 4096);
        struct http_fields *fields = message_fields(&message, cases[i].vary);
        (void)http_selector_build(&out, fields, fields);
        if (http_selector_is_personal(buf_span(&out)) != cases[i].wanted) {
            fail_msg("%s", cases[i].vary);
        }
        for (size_t len = 0; len < out.len; len++) { /* damaged */
            (void)http_selector_is_personal(span_of(out.data, len));
        }
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_selectors),
        cmocka_unit_test(table),
        cmocka_unit_test(same_selector_for_any_order),
        cmocka_unit_test(star),
        cmocka_unit_test(personal),
        cmocka_unit_test(too_long),
        cmocka_unit_test(many_languages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
