/* One spelling for each host; what only some programs read as an address is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hostname.h"

struct row {
    const char *text;
    enum hostname_kind kind;
    const char *wanted;
};

static const struct row rows[] = {
    {"example.org", HOSTNAME_NAME, "example.org"},
    {"WWW.Example.ORG.", HOSTNAME_NAME, "www.example.org"},
    {"localhost", HOSTNAME_NAME, "localhost"},
    {"a_b-c.x", HOSTNAME_NAME, "a_b-c.x"},
    {"1a", HOSTNAME_NAME, "1a"},
    {"0xg", HOSTNAME_NAME, "0xg"},
    {"1.2.3.4.com", HOSTNAME_NAME, "1.2.3.4.com"},
    {"127.0.0.1", HOSTNAME_ADDRESS, "127.0.0.1"},
    {"127.0.0.1.", HOSTNAME_ADDRESS, "127.0.0.1"},
    {"[::1]", HOSTNAME_ADDRESS, "::1"},
    {"::1", HOSTNAME_ADDRESS, "::1"},
    {"[0:0:0:0:0:0:0:1]", HOSTNAME_ADDRESS, "::1"},
    {"[2001:DB8:0:0::1]", HOSTNAME_ADDRESS, "2001:db8::1"},
    {"[::ffff:127.0.0.1]", HOSTNAME_ADDRESS, "127.0.0.1"},
    {"[::FFFF:7f00:1]", HOSTNAME_ADDRESS, "127.0.0.1"},
    {"[0:0:0:0:0:ffff:10.0.0.1]", HOSTNAME_ADDRESS, "10.0.0.1"},
    /* addresses to inet_aton, browsers or resolvers */
    {"2130706433", HOSTNAME_BAD, ""},
    {"0x7f000001", HOSTNAME_BAD, ""},
    {"0X7F000001", HOSTNAME_BAD, ""},
    {"0177.0.0.1", HOSTNAME_BAD, ""},
    {"0177.0.0.01", HOSTNAME_BAD, ""},
    {"127.1", HOSTNAME_BAD, ""},
    {"127.0.1", HOSTNAME_BAD, ""},
    {"0x7f.0.0.1", HOSTNAME_BAD, ""},
    {"127.0.0.0x1", HOSTNAME_BAD, ""},
    {"127.0.0.01", HOSTNAME_BAD, ""},
    {"127.0.0.1..", HOSTNAME_BAD, ""},
    {"256.0.0.1", HOSTNAME_BAD, ""},
    {"1.2.3.4.5", HOSTNAME_BAD, ""},
    {"0", HOSTNAME_BAD, ""},
    {"0x", HOSTNAME_BAD, ""},
    {"a.1", HOSTNAME_BAD, ""},
    {"[127.0.0.1]", HOSTNAME_BAD, ""},
    {"[::1%lo]", HOSTNAME_BAD, ""},
    {"::1%25lo", HOSTNAME_BAD, ""},
    {"[::1", HOSTNAME_BAD, ""},
    {"[]", HOSTNAME_BAD, ""},
    {"[::127.1]", HOSTNAME_BAD, ""},
    /* no hosts */
    {"", HOSTNAME_BAD, ""},
    {".", HOSTNAME_BAD, ""},
    {".a", HOSTNAME_BAD, ""},
    {"a..b", HOSTNAME_BAD, ""},
    {"a b", HOSTNAME_BAD, ""},
    {"a%2eb", HOSTNAME_BAD, ""},
    {"a/b", HOSTNAME_BAD, ""},
    {"a@b", HOSTNAME_BAD, ""},
    {"b\xc3\xbc"
     "cher.example",
     HOSTNAME_BAD, ""},
    {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", HOSTNAME_BAD, ""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char room[HOSTNAME_BYTES];
        struct span out;
        struct sockaddr_storage address;
        enum hostname_kind kind = hostname_read(span_str(rows[i].text), room, &out, &address);
        if (kind != rows[i].kind ||
            (kind != HOSTNAME_BAD && !span_eq(out, span_str(rows[i].wanted)))) {
            fail_msg("%s: %d %.*s", rows[i].text, (int)kind, (int)out.len,
                     out.ptr == NULL ? "" : out.ptr);
        }
        assert_int_equal(kind == HOSTNAME_ADDRESS, address.ss_family != AF_UNSPEC);
        if (kind != HOSTNAME_BAD) { /* what comes out goes in again, and stays */
            char again_room[HOSTNAME_BYTES];
            struct span again;
            assert_int_equal(hostname_read(out, again_room, &again, &address), kind);
            assert_true(span_eq(out, again));
        }
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char text[300];
    char room[HOSTNAME_BYTES];
    struct span out;
    struct sockaddr_storage address;

    memset(text, 'a', sizeof(text));
    assert_int_equal(hostname_read(span_of(text, 63), room, &out, &address), HOSTNAME_NAME);
    assert_int_equal(hostname_read(span_of(text, 64), room, &out, &address), HOSTNAME_BAD);
    for (size_t i = 1; i < sizeof(text); i += 2) {
        text[i] = '.';
    }
    assert_int_equal(hostname_read(span_of(text, 253), room, &out, &address), HOSTNAME_NAME);
    assert_int_equal(hostname_read(span_of(text, 255), room, &out, &address), HOSTNAME_BAD);
    assert_int_equal(hostname_read(SPAN("a\0b"), room, &out, &address), HOSTNAME_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
