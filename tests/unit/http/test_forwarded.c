/* Who the client is by what trusted proxies say (10/8 and fd00::/8 here), and how the origin is told. */
#include <netinet/in.h>

#include "base/buf.h"
#include "base/mem.h"
#include "helper.h"
#include "http/forwarded.h"

static bool is_trusted(const void *ctx, const struct sockaddr *address)
{
    assert_string_equal(ctx, "ctx");
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)address;
        return (ntohl(four->sin_addr.s_addr) >> 24) == 10;
    }
    assert_int_equal(address->sa_family, AF_INET6);
    const struct sockaddr_in6 *six = (const void *)address;
    return six->sin6_addr.s6_addr[0] == 0xfd;
}

struct row {
    const char *head;   /* lines */
    const char *hops;   /* nearest first; the last one is the client. "": the peer is */
    const char *scheme; /* NULL: unsaid */
    const char *host;
};

#define FOR "X-Forwarded-For: "
#define PROTO "X-Forwarded-Proto: "
#define HOST "X-Forwarded-Host: "

static const struct row x_rows[] = {
    {"", "", NULL, NULL},
    {FOR "192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FOR "192.0.2.1\n" PROTO "https\n" HOST "A.test:81\n", "192.0.2.1", "https", "A.test:81"},
    {PROTO "HTTPS\n", "", "https", NULL},
    {PROTO "http\n", "", "http", NULL},
    {PROTO "ftp\n" HOST "a b\n", "", NULL, NULL},
    {PROTO "\n" HOST "user@a\n", "", NULL, NULL},
    /* what the client sent stands at the left, and is not looked at */
    {FOR "1.1.1.1, 192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FOR "10.0.0.9, 192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FOR "garbage \" here, 192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FOR "1.1.1.1\n" FOR "192.0.2.1\n", "192.0.2.1", NULL, NULL},
    /* over trusted ones */
    {FOR "1.1.1.1, 192.0.2.1, 10.0.0.2, fd00::3\n", "fd00::3 10.0.0.2 192.0.2.1", NULL, NULL},
    {FOR "192.0.2.1\n" FOR "10.0.0.2,10.0.0.3\n", "10.0.0.3 10.0.0.2 192.0.2.1", NULL, NULL},
    {FOR "192.0.2.1\nX: y\n" FOR "10.0.0.2\n", "10.0.0.2 192.0.2.1", NULL, NULL},
    {FOR "10.0.0.2, 10.0.0.3\n", "10.0.0.3 10.0.0.2", NULL, NULL}, /* one of ours asks */
    /* empty members and lines count for nothing */
    {FOR "192.0.2.1,,\t, \n" FOR "\n" FOR " , \n", "192.0.2.1", NULL, NULL},
    /* forms */
    {FOR "192.0.2.1:4711\n", "192.0.2.1", NULL, NULL},
    {FOR "[2001:DB8:0::1]:4711\n", "2001:db8::1", NULL, NULL},
    {FOR "[2001:db8::1]\n", "2001:db8::1", NULL, NULL},
    {FOR "2001:db8::1\n", "2001:db8::1", NULL, NULL},
    {FOR "192.0.2.1, ::ffff:10.0.0.2\n", "10.0.0.2 192.0.2.1", NULL, NULL},
    {FOR "192.0.2.1, [::ffff:a00:2]:1\n", "10.0.0.2 192.0.2.1", NULL, NULL},
    /* who does not say, hides its client: never the next one to the left, never the proxy itself */
    {FOR "192.0.2.1, unknown\n", "unknown", NULL, NULL},
    {FOR "192.0.2.1, _hidden, 10.0.0.2\n", "10.0.0.2 unknown", NULL, NULL},
    {FOR "192.0.2.1:port\n", "unknown", NULL, NULL},
    {FOR "192.0.2.1:65536\n", "unknown", NULL, NULL},
    {FOR "192.0.2.1:\n", "unknown", NULL, NULL},
    {FOR "192.0.2.1 10.0.0.2\n", "unknown", NULL, NULL},
    {FOR "192.0.2.01\n", "unknown", NULL, NULL},
    {FOR "192.0.2\n", "unknown", NULL, NULL},
    {FOR "0x0a000001\n", "unknown", NULL, NULL},
    {FOR "\"192.0.2.1\"\n", "unknown", NULL, NULL},
    {FOR "[2001:db8::1\n", "unknown", NULL, NULL},
    {FOR "2001:db8::1]\n", "unknown", NULL, NULL},
    {FOR "[2001:db8::1]x\n", "unknown", NULL, NULL},
    {FOR "[2001:db8::1]:\n", "unknown", NULL, NULL},
    {FOR "[]\n", "unknown", NULL, NULL},
    {FOR "[192.0.2.1]\n", "unknown", NULL, NULL},
    {FOR "fe80::1%eth0\n", "unknown", NULL, NULL},
    {FOR "a.test\n", "unknown", NULL, NULL},
    {FOR "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001\n", "unknown", NULL, NULL},
    /* the scheme said by who stands next to the client; fewer than names: they were overwritten */
    {FOR "192.0.2.1, 10.0.0.2\n" PROTO "https, http\n", "10.0.0.2 192.0.2.1", "https", NULL},
    {FOR "192.0.2.1, 10.0.0.2\n" PROTO "ftp, https, http\n", "10.0.0.2 192.0.2.1", "https", NULL},
    {FOR "192.0.2.1, 10.0.0.2\n" PROTO "https\n", "10.0.0.2 192.0.2.1", "https", NULL},
    {FOR "192.0.2.1\n" PROTO "https, http\n", "192.0.2.1", "http", NULL},
    {FOR "192.0.2.1\n" HOST "evil.test, a.test\n", "192.0.2.1", NULL, "a.test"},
    /* the other family is not believed */
    {"Forwarded: for=192.0.2.1;proto=https;host=a.test\n", "", NULL, NULL},
};

#define FWD "Forwarded: "

static const struct row rfc_rows[] = {
    {"", "", NULL, NULL},
    {FOR "192.0.2.1\n" PROTO "https\n" HOST "a.test\n", "", NULL, NULL},
    {FWD "for=192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FWD "For=\"[2001:db8:cafe::17]:4711\"\n", "2001:db8:cafe::17", NULL, NULL},
    {FWD "for=192.0.2.60;proto=http;by=203.0.113.43\n", "192.0.2.60", "http", NULL},
    {FWD "for=192.0.2.1;proto=https;host=\"a.test:81\"\n", "192.0.2.1", "https", "a.test:81"},
    {FWD "for=192.0.2.1; PROTO=\"HTTPS\" ; host=a.test ;\n", "192.0.2.1", "https", "a.test"},
    {FWD "for=192.0.2.1:47\n", "192.0.2.1", NULL, NULL}, /* without the quotes it needs */
    {FWD "for=[2001:db8::1]\n", "2001:db8::1", NULL, NULL},
    {FWD "for=1.1.1.1, for=192.0.2.1\n", "192.0.2.1", NULL, NULL},
    {FWD "for=192.0.2.1;proto=https,for=10.0.0.2;proto=http\n", "10.0.0.2 192.0.2.1", "https",
     NULL},
    {FWD "for=192.0.2.1;proto=https\n" FWD "for=10.0.0.2;proto=http\n", "10.0.0.2 192.0.2.1",
     "https", NULL},
    {FWD "for=192.0.2.1, for=10.0.0.2;proto=https\n", "10.0.0.2 192.0.2.1", NULL, NULL},
    {FWD ",, for=192.0.2.1 ,\t,\n" FWD "\n", "192.0.2.1", NULL, NULL},
    {FWD "for=\"192.0.2.1\";ext=\"a;b,for=10.0.0.1\\\"\"\n", "192.0.2.1", NULL, NULL},
    {FWD "for=unknown\n", "unknown", NULL, NULL},
    {FWD "for=192.0.2.1, for=_gazonk;proto=https\n", "unknown", "https", NULL},
    {FWD "for=192.0.2.1, for=\"_SEVKISEK\", for=10.0.0.2\n", "10.0.0.2 unknown", NULL, NULL},
    {FWD "for=192.0.2.1, proto=https\n", "unknown", "https", NULL}, /* an element without for */
    {FWD "for=\"192.0.2.1\\1\"\n", "unknown", NULL, NULL},
    /* a line that is not in the grammar: what may a client have put before what we trust */
    {FWD "for=192.0.2.1;x=\", for=198.51.100.7\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1;x=\", for=\"[2001:db8::7]\"\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1;x=\", for=198.51.100.7;by=\"10.0.0.1\"\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1;x=\"\n" FWD "for=198.51.100.7\n", "198.51.100.7", NULL, NULL},
    {FWD "for=192.0.2.1;for=192.0.2.2\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1;proto=http;proto=https\n", "malformed", NULL, NULL},
    {FWD "for =192.0.2.1\n", "malformed", NULL, NULL},
    {FWD "for= 192.0.2.1\n", "malformed", NULL, NULL},
    {FWD "for=\n", "malformed", NULL, NULL},
    {FWD "for\n", "malformed", NULL, NULL},
    {FWD "=192.0.2.1\n", "malformed", NULL, NULL},
    {FWD "192.0.2.1\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1 proto=https\n", "malformed", NULL, NULL},
    {FWD "for=\"192.0.2.1\n", "malformed", NULL, NULL},
    {FWD "for=\"192.0.2.1\\\n", "malformed", NULL, NULL},
    {FWD "for=192.0.2.1;host=\"a b\"\n", "192.0.2.1", NULL, NULL},
};

/* Lines into fields, each value in memory of its own so that a read beyond it is seen. */
static void fields_of(struct http_fields *fields, struct http_field *items, unsigned room,
                      const char *head, struct buf *text)
{
    buf_puts(text, head);
    http_fields_init(fields, items, room);
    for (char *at = text->data; at != NULL && at < text->data + text->len;) {
        char *end = memchr(at, '\n', (size_t)(text->data + text->len - at));
        char *colon = memchr(at, ':', (size_t)(end - at));
        assert_true(http_fields_add(fields, span_of(at, (size_t)(colon - at)),
                                    span_trim(span_of(colon + 1, (size_t)(end - colon - 1)))));
        at = end + 1;
    }
}

static void run(struct http_forwarded *out, const char *head, enum http_forwarded_family family)
{
    static struct http_field items[64];
    struct http_fields fields;
    struct buf text;
    const struct http_forwarded_options options = {
        .family = family, .is_trusted = is_trusted, .ctx = "ctx"};

    buf_init(&text, 1 << 20);
    fields_of(&fields, items, ARRAY_LEN(items), head, &text);
    memset(out, 0xaa, sizeof(*out));
    http_forwarded_read(out, &fields, &options);
    static char host[300];
    snprintf(host, sizeof(host), "%.*s", (int)out->host.len, out->host.ptr);
    out->host = span_str(host);
    buf_free(&text);
}

static bool row_holds(const struct row *row, const struct http_forwarded *got)
{
    static const char *const schemes[] = {NULL, "http", "https"};
    char hops[1024] = "";
    if (got->is_malformed) {
        return strcmp(row->hops, "malformed") == 0;
    }
    size_t len = 0;
    const char *scheme = schemes[got->scheme];

    for (unsigned i = 0; i < got->count; i++) {
        len += (size_t)snprintf(hops + len, sizeof(hops) - len, "%s%s", i == 0 ? "" : " ",
                                got->hops[i]);
    }
    bool is_hidden = got->count == 0 || strcmp(got->hops[got->count - 1], "unknown") == 0;
    return strcmp(hops, row->hops) == 0 && (got->client.ss_family == AF_UNSPEC) == is_hidden &&
           (scheme == NULL ? row->scheme == NULL
                           : row->scheme != NULL && strcmp(scheme, row->scheme) == 0) &&
           span_eq(got->host, span_str(row->host));
}

static void rows_run(const struct row *rows, size_t count, enum http_forwarded_family family)
{
    for (size_t i = 0; i < count; i++) {
        struct http_forwarded got;
        run(&got, rows[i].head, family);
        if (!row_holds(&rows[i], &got)) {
            fail_msg("%s: %u hops, the last %s, scheme %d, host %.*s", rows[i].head, got.count,
                     got.count == 0 ? "" : got.hops[got.count - 1], (int)got.scheme,
                     (int)got.host.len, got.host.ptr);
        }
    }
}

static void test_x_forwarded(void **state)
{
    (void)state;
    rows_run(x_rows, ARRAY_LEN(x_rows), HTTP_FORWARDED_X);
}

static void test_rfc7239(void **state)
{
    (void)state;
    rows_run(rfc_rows, ARRAY_LEN(rfc_rows), HTTP_FORWARDED_7239);
}

/* A walk has an end, however many say they are ours; long lists take time in proportion. */
static void test_bounds(void **state)
{
    static const char *const names[][2] = {{FOR, "10.0.0.1,"}, {FWD, "for=10.0.0.1,"}};

    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        struct http_forwarded got;
        struct buf head;
        buf_init(&head, 1 << 20);
        for (unsigned line = 0; line < 20; line++) {
            buf_puts(&head, names[family][0]);
            for (unsigned i = 0; i < 2000; i++) {
                buf_puts(&head, names[family][1]);
            }
            buf_puts(&head, "\n");
        }
        buf_puts(&head, "");
        run(&got, head.data, (enum http_forwarded_family)family);
        assert_int_equal(got.count, HTTP_FORWARDED_HOPS_MAX);
        assert_string_equal(got.hops[HTTP_FORWARDED_HOPS_MAX - 1], "10.0.0.1");
        buf_free(&head);
    }
}

static void test_write(void **state)
{
    static const struct {
        struct http_forwarded_say say;
        const char *wanted;
    } rows[] = {
        {{.chain = {"192.0.2.1", 9}, .host = {"a.test", 6}, .by = {"larder", 6}},
         "for=192.0.2.1;proto=http;host=a.test;by=_larder"},
        {{.chain = {"192.0.2.1", 9}, .host = {"a.test:81", 9}, .is_https = true},
         "for=192.0.2.1;proto=https;host=\"a.test:81\""},
        {{.chain = {"2001:db8::1", 11}, .host = {"[::1]", 5}, .by = {"a!b.C-1", 7}},
         "for=\"[2001:db8::1]\";proto=http;host=\"[::1]\";by=_a_b.C-1"},
        {{.chain = {"unix", 4}}, "for=unknown;proto=http"},
        {{.chain = {"unknown, 10.0.0.1", 17}, .by = {"x", 1}},
         "for=unknown;proto=http, for=10.0.0.1;by=_x"},
        {{.chain = {"192.0.2.1, fd00::1, 10.0.0.1", 28}, .host = {"h", 1}, .by = {"x", 1}},
         "for=192.0.2.1;proto=http;host=h, for=\"[fd00::1]\", for=10.0.0.1;by=_x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t bytes = http_forwarded_bytes(&rows[i].say);
        char *room = mem_try(bytes);
        struct span got = http_forwarded_write(room, &rows[i].say);
        assert_true(got.len <= bytes);
        if (!span_eq(got, span_str(rows[i].wanted))) {
            fail_msg("%.*s instead of %s", (int)got.len, got.ptr, rows[i].wanted);
        }
        mem_free(room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_forwarded),
        cmocka_unit_test(test_rfc7239),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
