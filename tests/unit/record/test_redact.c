/* What logs and views get of clients. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/record.h"
#include "record/redact.h"

static const struct {
    enum conf_anonymize clients;
    const char *address, *client, *user;
} rows[] = {
    {CONF_ANONYMIZE_OFF, "192.0.2.17", "192.0.2.17", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "192.0.2.17", "192.0.2.0", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "10.255.255.255", "10.255.255.0", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "2001:db8:1:2::3", "2001:db8:1::", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:ffff::", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "::1", "::", "jane"},
    {CONF_ANONYMIZE_TRUNCATE, "unknown", "unknown", "jane"},
    {CONF_ANONYMIZE_DROP, "192.0.2.17", "", ""},
    {CONF_ANONYMIZE_DROP, "2001:db8::1", "", ""},
    {CONF_ANONYMIZE_DROP, "unix", "", ""},
};

static void clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct redaction redaction = {.clients = rows[i].clients};
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        struct record record = {.client = span_str(rows[i].address), .user = SPAN("jane")};
        char room[REDACT_ADDRESS_BYTES];
        void *at = &address;
        if (inet_pton(AF_INET, rows[i].address, &((struct sockaddr_in *)at)->sin_addr) == 1) {
            address.ss_family = AF_INET;
        } else if (inet_pton(AF_INET6, rows[i].address, &((struct sockaddr_in6 *)at)->sin6_addr) ==
                   1) {
            address.ss_family = AF_INET6;
        }
        assert_int_equal(redaction_is_used(&redaction), rows[i].clients != CONF_ANONYMIZE_OFF);
        redact_record(&redaction, &address, &record, room);
        assert_true(span_eq(record.client, span_str(rows[i].client)));
        assert_true(span_eq(record.user, span_str(rows[i].user)));
    }
}

static void names(void **state)
{
    char room[REDACT_ADDRESS_BYTES];

    (void)state;
    assert_string_equal(redact_who(CONF_ANONYMIZE_OFF, false, "192.0.2.17", room), "192.0.2.17");
    assert_string_equal(redact_who(CONF_ANONYMIZE_TRUNCATE, false, "192.0.2.17", room),
                        "192.0.2.0");
    assert_string_equal(redact_who(CONF_ANONYMIZE_TRUNCATE, false, "2001:db8:1:2::/64", room),
                        "2001:db8:1::");
    assert_string_equal(redact_who(CONF_ANONYMIZE_TRUNCATE, true, "10.0.0.9", room), "10.0.0.9");
    assert_string_equal(redact_who(CONF_ANONYMIZE_TRUNCATE, false, "unknown", room), "unknown");
    assert_string_equal(redact_who(CONF_ANONYMIZE_DROP, false, "192.0.2.17", room), "");
    assert_string_equal(redact_who(CONF_ANONYMIZE_DROP, true, "jane", room), "");
}

static void queries(void **state)
{
    static const struct {
        bool drops;
        const char *url, *wanted;
    } urls[] = {
        {false, "/a?b=c", "/a?b=c"},
        {true, "/a?b=c", "/a"},
        {true, "/a?", "/a"},
        {true, "/a?b?c", "/a"},
        {true, "?", ""},
        {true, "/a", "/a"},
        {true, "", ""},
        {true, "https://h.test/p?token=1#x", "https://h.test/p"},
    };
    const struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const struct redaction redaction = {.drops_queries = urls[i].drops};
        char room[REDACT_ADDRESS_BYTES];
        struct record record = {.client = SPAN("192.0.2.1"),
                                .path = span_str(urls[i].url),
                                .referer = span_str(urls[i].url)};
        redact_record(&redaction, &address, &record, room);
        assert_true(span_eq(record.path, span_str(urls[i].wanted)));
        assert_true(span_eq(record.referer, span_str(urls[i].wanted)));
        assert_true(span_eq(record.client, SPAN("192.0.2.1")));
    }
}

static void stricter(void **state)
{
    const struct redaction drop = {.clients = CONF_ANONYMIZE_DROP};
    const struct redaction cut = {.clients = CONF_ANONYMIZE_TRUNCATE, .drops_queries = true};

    (void)state;
    struct redaction both = redaction_stricter(drop, cut);
    assert_int_equal(both.clients, CONF_ANONYMIZE_DROP);
    assert_true(both.drops_queries);
    both = redaction_stricter((struct redaction){0}, cut);
    assert_int_equal(both.clients, CONF_ANONYMIZE_TRUNCATE);
    both = redaction_stricter((struct redaction){0}, (struct redaction){0});
    assert_false(redaction_is_used(&both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients),
        cmocka_unit_test(names),
        cmocka_unit_test(queries),
        cmocka_unit_test(stricter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
