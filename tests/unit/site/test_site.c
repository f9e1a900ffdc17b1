/* Which site has a name: exact, the longest wildcard, or all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "site/site.h"

static unsigned slot_zero(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return 0;
}

static struct site_table *table_of(const char *text)
{
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    if (conf_load_text("t", span_str(text), CONF_PORTABLE, &conf, report) != ERR_OK) {
        fail_msg("%s: %s", text, conf_report_get(report, 0)->message);
    }
    conf_report_free(report);
    struct site_table *table = site_table_new(conf, NULL, NULL, slot_zero, NULL);
    conf_unref(conf);
    return table;
}

#define SITE(names) "site " names " { origins { server a http://a; } } "

struct name_case {
    const char *host;
    const char *site; /* its first name; NULL: none */
};

static void check(const char *text, const struct name_case *cases, size_t count)
{
    struct site_table *table = table_of(text);
    for (size_t i = 0; i < count; i++) {
        const struct site *site = site_table_find(table, span_str(cases[i].host));
        const char *got = site == NULL ? NULL : site->name.ptr;
        if ((got == NULL) != (cases[i].site == NULL) ||
            (got != NULL && strcmp(got, cases[i].site) != 0)) {
            fail_msg("%s: %s, wanted %s", cases[i].host, got, cases[i].site);
        }
    }
    site_table_unref(&table);
}

static void test_wildcards(void **state)
{
    static const char text[] =
        "listen :80; " SITE("www.example.com example.net") SITE("*.example.com")
            SITE("*.b.example.com") SITE("*.example.net other.test") SITE("*.org");
    static const struct name_case cases[] = {
        {"www.example.com", "www.example.com"},
        {"www.example.com:8080", "www.example.com"},
        {"example.com", NULL}, /* not below itself */
        {"a.example.com", "*.example.com"},
        {"a.example.com:81", "*.example.com"},
        {"x.y.z.example.com", "*.example.com"},
        {"x.www.example.com", "*.example.com"},
        {"b.example.com", "*.example.com"},
        {"c.b.example.com", "*.b.example.com"},
        {"d.c.b.example.com", "*.b.example.com"},
        {"cb.example.com", "*.example.com"},
        {"aexample.com", NULL},
        {".example.com", NULL},
        {"*.example.com", "*.example.com"}, /* no name a browser sends, but below it */
        {"example.net", "www.example.com"},
        {"m.example.net", "*.example.net"},
        {"other.test", "*.example.net"},
        {"a.other.test", NULL},
        {"org", NULL},
        {"a.org", "*.org"},
        {"", NULL},
        {".", NULL},
        {"[::1]:80", NULL},
    };
    (void)state;
    check(text, cases, ARRAY_LEN(cases));
}

static void test_default(void **state)
{
    static const char text[] =
        "listen :80; " SITE("*") SITE("*.example.com") SITE("www.example.com");
    static const struct name_case cases[] = {
        {"www.example.com", "www.example.com"},
        {"a.example.com", "*.example.com"},
        {"example.com", "*"},
        {"10.0.0.1:80", "*"},
        {".example.com", "*"},
        {"", "*"},
    };
    (void)state;
    check(text, cases, ARRAY_LEN(cases));
    static const struct name_case all[] = {{"www.example.com", "*"}, {"", "*"}};
    check("listen :80; " SITE("*"), all, ARRAY_LEN(all));
}

/* 253 bytes of labels: the probes are bounded by what is configured. */
static void test_long_host(void **state)
{
    char host[256] = "";
    (void)state;
    struct site_table *table = table_of("listen :80; " SITE("*.test"));
    for (size_t i = 0; i + 7 < 250; i += 2) {
        memcpy(host + i, "a.", 3);
    }
    assert_null(site_table_find(table, span_str(host)));
    strcat(host, "test");
    assert_non_null(site_table_find(table, span_str(host)));
    site_table_unref(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_long_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
