/* The PROXY protocol: every header whole, cut before every byte, and every slip in one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\1\xc6\x33\x64\1\x12\x67\0\x50" /* 192.0.2.1:4711 to 198.51.100.1:80 */
#define V6 "\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x12\x67\0\x50"
#define TLS "\x20\0\5\1\0\0\0\0"

struct row {
    struct span header;
    const char *client; /* "192.0.2.1 4711", "unix", "peer"; NULL: bad */
    bool is_tls;
};
#define BYTES(text)                                                                                \
    {                                                                                              \
        .ptr = (text), .len = sizeof(text) - 1                                                     \
    }
#define GOOD(text, who)                                                                            \
    {                                                                                              \
        .header = BYTES(text), .client = (who)                                                     \
    }
#define BAD(text)                                                                                  \
    {                                                                                              \
        .header = BYTES(text)                                                                      \
    }

static const struct row rows[] = {
    GOOD("PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n", "192.0.2.1 4711"),
    GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255 65535"),
    GOOD("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0 0"),
    GOOD("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", "2001:db8::1 1"),
    GOOD("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"),
    GOOD("PROXY UNKNOWN\r\n", "peer"),
    GOOD("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "peer"),
    GOOD(SIGNATURE "\x21\x11\0\x0c" V4, "192.0.2.1 4711"),
    GOOD(SIGNATURE "\x21\x12\0\x0c" V4, "192.0.2.1 4711"),
    GOOD(SIGNATURE "\x21\x21\0\x24" V6, "2001:db8::1 4711"),
    GOOD(SIGNATURE "\x21\0\0\0", "peer"),
    GOOD(SIGNATURE "\x21\0\0\4\4\0\1a", "peer"),
    GOOD(SIGNATURE "\x20\0\0\0", "peer"),
    GOOD(SIGNATURE "\x20\x11\0\x0c" V4, "peer"),
    GOOD(SIGNATURE "\x20\x99\0\3abc", "peer"),
    GOOD(SIGNATURE "\x21\x11\0\x13" V4 "\4\0\0\1\0\1x", "192.0.2.1 4711"),
    {.header = BYTES(SIGNATURE "\x21\x11\0\x14" V4 TLS),
     .client = "192.0.2.1 4711",
     .is_tls = true},
    {.header = BYTES(SIGNATURE "\x21\x11\0\x1e" V4 "\2\0\3a.b\x20\0\x09\3\0\0\0\0\x21\0\1X"),
     .client = "192.0.2.1 4711",
     .is_tls = true},
    GOOD(SIGNATURE "\x21\x11\0\x14" V4 "\x20\0\5\2\0\0\0\0", "192.0.2.1 4711"),
    BAD("GET / HTTP/1.1\r\n"),
    BAD("P"
        "ROXX"),
    BAD("proxy TCP4 192.0.2.1 198.51.100.1 4711 80\r\n"),
    BAD("PROXY  TCP4 192.0.2.1 198.51.100.1 4711 80\r\n"),
    BAD("PROXY TCP4  192.0.2.1 198.51.100.1 4711 80\r\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 4711 80 \r\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 04711 80\r\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 4711 65536\r\n"),
    BAD("PROXY TCP4 192.0.2.1 198.51.100.1 +1 80\r\n"),
    BAD("PROXY TCP4 192.0.2 198.51.100.1 4711 80\r\n"),
    BAD("PROXY TCP4 192.0.2.01 198.51.100.1 4711 80\r\n"),
    BAD("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
    BAD("PROXY TCP6 192.0.2.1 198.51.100.1 4711 80\r\n"),
    BAD("PROXY TCP4 192.0.2.1\0 198.51.100.1 4711 80\r\n"),
    BAD("PROXY UDP4 192.0.2.1 198.51.100.1 4711 80\r\n"),
    BAD("PROXY UNKNOWNX\r\n"),
    BAD("PROXY \r\n"),
    BAD("PROXY\r\n"),
    BAD("PROXY UNKNOWN 3456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890123456\r\n"), /* 108 bytes */
    BAD(SIGNATURE "\x11\x11\0\x0c" V4),
    BAD(SIGNATURE "\x22\x11\0\x0c" V4),
    BAD(SIGNATURE "\x21\x13\0\x0c" V4),
    BAD(SIGNATURE "\x21\x10\0\x0c" V4),
    BAD(SIGNATURE "\x21\x41\0\x0c" V4),
    BAD(SIGNATURE "\x21\x11\0\x0b" V4),
    BAD(SIGNATURE "\x21\x21\0\x0c" V4),
    BAD(SIGNATURE "\x21\x31\0\x0c" V4),
    BAD(SIGNATURE "\x21\x11\0\x0d" V4 "\4"),
    BAD(SIGNATURE "\x21\x11\0\x0f" V4 "\4\0\1"),
    BAD(SIGNATURE "\x21\x11\0\x0f" V4 "\4\xff\xff"),
    BAD(SIGNATURE "\x21\x11\0\x13" V4 "\x20\0\4\1\0\0\0"), /* half an SSL value */
    BAD(SIGNATURE "\x21\x11\x3f\xf1" V4),                  /* one byte beyond what is read */
    BAD("\r\n\r\n\0\r\nQUIT\r"),
    BAD("\r\nGET / HTTP/1.1\r\n"),
};

static void client_print(const struct proxy_client *client, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = (const void *)&client->address;
    const struct sockaddr_in6 *six = (const void *)&client->address;

    if (client->is_peer) {
        assert_int_equal(client->address.ss_family, 0);
        snprintf(out, size, "peer");
    } else if (client->address.ss_family == AF_INET) {
        snprintf(out, size, "%s %u", inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text)),
                 ntohs(four->sin_port));
    } else if (client->address.ss_family == AF_INET6) {
        snprintf(out, size, "%s %u", inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text)),
                 ntohs(six->sin6_port));
    } else {
        snprintf(out, size, "unix");
    }
}

/* The verdict on the first len bytes, from a copy of just that size. */
static enum proxy_header parse(struct span header, size_t len, size_t *used,
                               struct proxy_client *client)
{
    char *copy = mem_try(len + 1);

    memcpy(copy + 1, header.ptr, len);
    enum proxy_header verdict = proxy_header_parse(span_of(copy + 1, len), used, client);
    mem_free(copy);
    return verdict;
}

static void test_rows(void **state)
{
    struct proxy_client client;
    char shown[80];
    size_t used;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        size_t len = row->header.len;
        enum proxy_header verdict = parse(row->header, len, &used, &client);
        enum proxy_header wanted = row->client == NULL ? PROXY_HEADER_BAD : PROXY_HEADER_DONE;
        if (verdict != wanted) {
            fail_msg("row %zu: verdict %d", i, (int)verdict);
        }
        if (row->client == NULL) {
            assert_int_equal(used, 0);
            continue;
        }
        client_print(&client, shown, sizeof(shown));
        assert_string_equal(shown, row->client);
        assert_int_equal(client.is_tls, row->is_tls);
        assert_int_equal(used, len);
        for (size_t part = 0; part < len; part++) {
            if (parse(row->header, part, &used, &client) != PROXY_HEADER_MORE) {
                fail_msg("row %zu cut after %zu", i, part);
            }
        }
    }
}

/* A request behind it in the same packet is left alone. */
static void test_rest(void **state)
{
    struct proxy_client client;
    size_t used;
    const struct span v1 = SPAN("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\n\r\n");
    const struct span v2 = SPAN(SIGNATURE "\x21\x11\0\x0c" V4 "GET / HTTP/1.1\r\n\r\n");

    (void)state;
    assert_int_equal(proxy_header_parse(v1, &used, &client), PROXY_HEADER_DONE);
    assert_int_equal(used, 39);
    assert_int_equal(proxy_header_parse(v2, &used, &client), PROXY_HEADER_DONE);
    assert_int_equal(used, 28);
}

static void test_sizes(void **state)
{
    struct proxy_client client;
    char unix_header[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/x";
    char *large = mem_new(PROXY_HEADER_MAX_BYTES + 1);
    size_t used;

    (void)state;
    assert_int_equal(proxy_header_parse(span_of(unix_header, sizeof(unix_header)), &used, &client),
                     PROXY_HEADER_DONE);
    assert_int_equal(client.address.ss_family, AF_UNIX);
    assert_int_equal(
        proxy_header_parse(span_of(unix_header, sizeof(unix_header) - 1), &used, &client),
        PROXY_HEADER_MORE);
    /* as large as it may be: one value of no use */
    memcpy(large, SIGNATURE "\x21\x11\x3f\xf0" V4 "\xe0\x3f\xe1", 31);
    assert_int_equal(proxy_header_parse(span_of(large, PROXY_HEADER_MAX_BYTES), &used, &client),
                     PROXY_HEADER_DONE);
    assert_int_equal(used, PROXY_HEADER_MAX_BYTES);
    assert_int_equal(proxy_header_parse(span_of(large, PROXY_HEADER_MAX_BYTES - 1), &used, &client),
                     PROXY_HEADER_MORE);
    mem_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
