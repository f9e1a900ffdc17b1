/* Names, lists, and what is hop by hop (RFC 9110 5.6.1, 7.6.1). */
#include "helper.h"

static void names(void **state)
{
    (void)state;
    for (unsigned id = 1; id < HTTP_FIELD_COUNT; id++) {
        struct span usual = http_field_name((enum http_field_id)id);
        char text[64];
        assert_true(usual.len > 0 && usual.len < sizeof(text));
        assert_int_equal(http_field_id_of(usual), id);
        for (size_t i = 0; i < usual.len; i++) {
            text[i] = ascii_lower(usual.ptr[i]);
        }
        assert_int_equal(http_field_id_of(span_of(text, usual.len)), id);
        for (size_t i = 0; i < usual.len; i++) {
            text[i] = usual.ptr[i] >= 'a' && usual.ptr[i] <= 'z' ? (char)(usual.ptr[i] - 32)
                                                                 : usual.ptr[i];
        }
        assert_int_equal(http_field_id_of(span_of(text, usual.len)), id);
        for (size_t i = 0; i < usual.len; i++) {
            memcpy(text, usual.ptr, usual.len);
            text[i] = '_';
            assert_int_equal(http_field_id_of(span_of(text, usual.len)), HTTP_FIELD_OTHER);
        }
        assert_int_equal(http_field_id_of(span_of(usual.ptr, usual.len - 1)), HTTP_FIELD_OTHER);
    }
    assert_int_equal(http_field_id_of(SPAN("X-Unknown")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_id_of(SPAN("")), HTTP_FIELD_OTHER);
    assert_int_equal(http_field_name(HTTP_FIELD_OTHER).len, 0);
}

struct list_row {
    const char *value;
    const char *joined; /* members in brackets */
};

static const struct list_row list_rows[] = {
    {"", ""},
    {" , ,\t,", ""},
    {"a", "[a]"},
    {"a,b", "[a][b]"},
    {" a ,\tb ", "[a][b]"},
    {"a=\"x,y\", b", "[a=\"x,y\"][b]"},
    {"a=\"x\\\",y\", b", "[a=\"x\\\",y\"][b]"},
    {"a=\"x,y", "[a=\"x,y]"},
    {"a=\"x\\", "[a=\"x\\]"},
};

static void lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(list_rows) / sizeof(list_rows[0]); i++) {
        struct span value = span_str(list_rows[i].value);
        struct span member;
        char joined[128] = "";
        size_t len = 0;
        while (http_list_next(&value, &member)) {
            len += (size_t)snprintf(joined + len, sizeof(joined) - len, "[%.*s]", (int)member.len,
                                    member.ptr);
        }
        assert_string_equal(joined, list_rows[i].joined);
    }
}

static void lookup(void **state)
{
    struct message message = {0};
    unsigned at = 0;

    (void)state;
    struct http_fields *fields = message_fields(
        &message, "Via: 1.1 a\r\nX-Own: 1\r\nVIA: 1.1 b, 1.0 c\r\nx-own: 2\r\nAge: 5\r\n");
    assert_true(http_fields_has(fields, HTTP_FIELD_VIA));
    assert_false(http_fields_has(fields, HTTP_FIELD_DATE));
    assert_span(http_fields_find(fields, HTTP_FIELD_VIA), "1.1 a");
    assert_null(http_fields_find(fields, HTTP_FIELD_DATE).ptr);
    assert_int_equal(http_fields_count(fields, HTTP_FIELD_VIA), 2);
    assert_non_null(http_fields_next(fields, HTTP_FIELD_VIA, &at));
    assert_span(http_fields_next(fields, HTTP_FIELD_VIA, &at)->value, "1.1 b, 1.0 c");
    assert_null(http_fields_next(fields, HTTP_FIELD_VIA, &at));
    assert_span(http_fields_find_name(fields, SPAN("X-OWN")), "1");
    assert_span(http_fields_find_name(fields, SPAN("age")), "5");
    assert_null(http_fields_find_name(fields, SPAN("none")).ptr);
    assert_true(http_fields_has_token(fields, HTTP_FIELD_VIA, SPAN("1.0 C")));
    assert_false(http_fields_has_token(fields, HTTP_FIELD_VIA, SPAN("1.0")));
}

static void removal(void **state)
{
    struct message message = {0};

    (void)state;
    struct http_fields *fields = message_fields(
        &message, "Proxy-Authorization: a\r\nVia: 1\r\nproxy-authorization: b\r\nX-Own: 1\r\n");
    http_fields_remove(fields, HTTP_FIELD_DATE);
    assert_int_equal(fields->count, 4);
    http_fields_remove(fields, HTTP_FIELD_PROXY_AUTHORIZATION);
    assert_int_equal(fields->count, 2);
    assert_false(http_fields_has(fields, HTTP_FIELD_PROXY_AUTHORIZATION));
    assert_null(http_fields_find_name(fields, SPAN("Proxy-Authorization")).ptr);
    assert_span(http_fields_find(fields, HTTP_FIELD_VIA), "1");
    assert_span(http_fields_find_name(fields, SPAN("X-Own")), "1");
}

static void parameters_of_tokens(void **state)
{
    struct message message = {0};

    (void)state;
    struct http_fields *fields =
        message_fields(&message, "TE: trailers ;q=0.5, \"close\"\r\nConnection: Close\r\n");
    assert_true(http_fields_has_token(fields, HTTP_FIELD_TE, SPAN("trailers")));
    assert_false(http_fields_has_token(fields, HTTP_FIELD_TE, SPAN("close")));
    assert_true(http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("close")));
}

static void hop_by_hop(void **state)
{
    static const char *const gone[] = {
        "X-One",   "X-Two",   "Connection", "Keep-Alive",       "TE", "Proxy-Authorization",
        "Upgrade", "Trailer", "Server",     "Transfer-Encoding"};
    struct message message = {0};

    (void)state;
    struct http_fields *fields = message_fields(
        &message,
        "X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nHost: h\r\nAuthorization: a\r\nCookie: c\r\n"
        "Cache-Control: no-store\r\nContent-Length: 0\r\nContent-Type: t\r\nServer: s\r\n"
        "Set-Cookie: d\r\nKeep-Alive: k\r\nTE: t\r\nProxy-Authorization: p\r\nUpgrade: u\r\n"
        "Trailer: t\r\nX-Forwarded-For: f\r\nVary: v\r\nETag: e\r\n"
        "Connection: x-one, Host, Authorization, Cookie, Cache-Control, Content-Length\r\n"
        "Connection: X-TWO,Content-Type, server, Set-Cookie, X-Forwarded-For, Vary, ETag\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        bool expected = false;
        for (size_t j = 0; j < sizeof(gone) / sizeof(gone[0]); j++) {
            expected = expected || span_eq_nocase(fields->items[i].name, span_str(gone[j]));
        }
        if (http_fields_is_hop_by_hop(fields, &fields->items[i]) != expected) {
            fail_msg("%.*s", (int)fields->items[i].name.len, fields->items[i].name.ptr);
        }
    }
}

/* RFC 9110 7.6.1: what the Connection of a response names ends here, but for what all recipients of
 * the content need to know. */
static void ends_here(void **state)
{
    static const char *const gone[] = {"X-One",      "Set-Cookie",           "Location",  "Server",
                                       "Connection", "Larder-Cache-Control", "Keep-Alive"};
    struct message message = {0};

    (void)state;
    struct http_fields *fields = message_fields(
        &message,
        "X-One: 1\r\nX-Two: 2\r\nCache-Control: no-store\r\nContent-Length: 0\r\n"
        "Content-Type: t\r\nServer: s\r\nSet-Cookie: d\r\nset-cookie: e\r\nLocation: /\r\n"
        "Vary: v\r\nETag: e\r\nVia: 1.1 x\r\nLarder-Cache-Control: max-age=1\r\nKeep-Alive: k\r\n"
        "Connection: x-one, Cache-Control,Content-Length, Content-Type, server\r\n"
        "Connection: SET-cookie, Location, Vary, ETag, Via, larder-cache-control\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        bool expected = false;
        for (size_t j = 0; j < sizeof(gone) / sizeof(gone[0]); j++) {
            expected = expected || span_eq_nocase(fields->items[i].name, span_str(gone[j]));
        }
        if (http_fields_ends_here(fields, &fields->items[i]) != expected) {
            fail_msg("%.*s", (int)fields->items[i].name.len, fields->items[i].name.ptr);
        }
    }
}

static void forwarding(void **state)
{
    struct message message = {0};

    (void)state;
    struct http_fields *fields = message_fields(
        &message, "X-Forwarded-Host: a\r\nForwarded: b\r\nx-original-url: c\r\n"
                  "X-HTTP-Method-Override: d\r\nX-Forwarded-For: e\r\nX-Forwarded-Server: f\r\n"
                  "X_Forwarded_Host: g\r\nx-forwarded_proto: h\r\nX_Original_URL: i\r\n"
                  "X_HTTP_Method_Override: j\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        assert_true(http_field_is_forwarding(&fields->items[i]));
    }
    fields =
        message_fields(&message, "X-Custom: a\r\nHost: b\r\nReferer: c\r\nX_Custom: d\r\n_: e\r\n"
                                 "X_Forwarded_Host_and_a_name_that_is_longer_than_all: f\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        assert_false(http_field_is_forwarding(&fields->items[i]));
    }
}

static void full(void **state)
{
    struct http_field items[1];
    struct http_fields fields;

    (void)state;
    http_fields_init(&fields, items, 1);
    assert_true(http_fields_add(&fields, SPAN("A"), SPAN("1")));
    assert_false(http_fields_add(&fields, SPAN("Age"), SPAN("2")));
    assert_false(http_fields_has(&fields, HTTP_FIELD_AGE));
}

static void classes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)(unsigned char)c;
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool token = alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        bool value = c == '\t' || (c >= 0x20 && c != 0x7f);
        assert_int_equal(http_is_token(span_of(&byte, 1)), token);
        assert_int_equal(http_is_field_value(span_of(&byte, 1)), value);
        /* The wide loop must agree with the narrow one, wherever the byte stands. */
        for (size_t place = 0; place < 20; place++) {
            char text[20];
            memset(text, 'x', sizeof(text));
            text[place] = byte;
            assert_int_equal(http_is_field_value(span_of(text, sizeof(text))), value);
        }
    }
    assert_false(http_is_token(SPAN("")));
    assert_true(http_is_field_value(SPAN("")));
}

static void cookies(void **state)
{
    static const struct {
        const char *first, *second; /* Cookie lines; NULL: none */
        const char *value;          /* of the cookie "sid"; NULL: there is none */
    } table[] = {
        {NULL, NULL, NULL},
        {"sid=1", NULL, "1"},
        {"a=b; sid=1; c=d", NULL, "1"},
        {"a=b;sid = 1 ;c=d", NULL, "1"},
        {"sid=1; sid=2", NULL, "1"},
        {"a=b", "sid=3", "3"},
        {"sid", "sid=3", "3"}, /* no pair */
        {"sid=", "sid=3", ""},
        {"SID=1; xsid=2; sidx=3", NULL, NULL},
        {"sid=a=b", NULL, "a=b"},
        {";;sid=\"q\";", NULL, "\"q\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct http_field items[4];
        struct http_fields fields;
        http_fields_init(&fields, items, ARRAY_LEN(items));
        assert_true(http_fields_add(&fields, SPAN("A"), SPAN("sid=9")));
        if (table[i].first != NULL) {
            assert_true(http_fields_add(&fields, SPAN("cookie"), span_str(table[i].first)));
        }
        if (table[i].second != NULL) {
            assert_true(http_fields_add(&fields, SPAN("Cookie"), span_str(table[i].second)));
        }
        struct span value = http_fields_cookie(&fields, SPAN("sid"));
        assert_int_equal(value.ptr != NULL, table[i].value != NULL);
        assert_true(table[i].value == NULL || span_eq(value, span_str(table[i].value)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(lists),
        cmocka_unit_test(lookup),
        cmocka_unit_test(removal),
        cmocka_unit_test(parameters_of_tokens),
        cmocka_unit_test(hop_by_hop),
        cmocka_unit_test(ends_here),
        cmocka_unit_test(forwarding),
        cmocka_unit_test(full),
        cmocka_unit_test(classes),
        cmocka_unit_test(cookies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
