/* Host names by the hundred thousand: against a slow model, lists in all their forms, and one of 500,000 names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/namelist.h"

static bool has(const struct nameset *set, const char *host)
{
    return nameset_has(set, span_str(host));
}

static void add(struct nameset *set, const char *name, unsigned forms)
{
    assert_true(nameset_add(set, span_str(name), forms));
}

static void test_forms(void **state)
{
    (void)state;
    struct nameset *set = nameset_new(0);

    assert_false(has(set, "a"));
    add(set, "exact.test", NAMESET_EXACT);
    add(set, "below.test", NAMESET_BELOW);
    add(set, "both.test", NAMESET_EXACT | NAMESET_BELOW);
    add(set, "twice.test", NAMESET_EXACT);
    add(set, "twice.test", NAMESET_BELOW);
    add(set, "org", NAMESET_BELOW);
    assert_int_equal(nameset_count(set), 5);
    static const char *const in[] = {"exact.test",   "a.below.test", "a.b.below.test",
                                     "both.test",    "a.both.test",  "twice.test",
                                     "a.twice.test", "a.org",        "a.b.c.org"};
    static const char *const out[] = {"",           "test",        "a.exact.test", "xexact.test",
                                      "below.test", "xbelow.test", "both.test.x",  "oth.test",
                                      "org",        ".test",       "a..test"};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
        assert_true(has(set, in[i]));
    }
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        if (has(set, out[i])) {
            fail_msg("%s is there", out[i]);
        }
    }
    nameset_settle(set);
    assert_true(has(set, "a.b.below.test"));
    nameset_free(&set);
    assert_null(set);
}

/* A name of few letters and labels, so that many meet. */
static size_t random_name(char *out, unsigned *seed)
{
    size_t len = 0;
    unsigned labels = 1 + (unsigned)rand_r(seed) % 4;
    for (unsigned i = 0; i < labels; i++) {
        len += (size_t)snprintf(out + len, 32, "%s%c%c", i == 0 ? "" : ".", 'a' + rand_r(seed) % 4,
                                rand_r(seed) % 2 == 0 ? '\0' : 'a' + rand_r(seed) % 3);
        len = strlen(out);
    }
    return len;
}

#define MODEL 400u

static void test_model(void **state)
{
    (void)state;
    static char names[MODEL][40];
    static unsigned forms[MODEL];
    unsigned seed = 7;
    struct nameset *set = nameset_new(3);

    for (unsigned i = 0; i < MODEL; i++) {
        (void)random_name(names[i], &seed);
        forms[i] = 1 + (unsigned)rand_r(&seed) % 3;
        add(set, names[i], forms[i]);
    }
    for (unsigned n = 0; n < 20000; n++) {
        char host[40];
        bool wanted = false;
        (void)random_name(host, &seed);
        for (unsigned i = 0; i < MODEL && !wanted; i++) {
            size_t len = strlen(host);
            size_t own = strlen(names[i]);
            wanted = ((forms[i] & NAMESET_EXACT) != 0 && strcmp(host, names[i]) == 0) ||
                     ((forms[i] & NAMESET_BELOW) != 0 && len > own + 1 &&
                      host[len - own - 1] == '.' && strcmp(host + len - own, names[i]) == 0);
        }
        if (has(set, host) != wanted) {
            fail_msg("%s: wanted %d", host, wanted);
        }
    }
    nameset_free(&set);
}

static void test_long_names(void **state)
{
    (void)state;
    char name[NAMESET_NAME_MAX_BYTES + 3];
    struct nameset *set = nameset_new(0);

    for (size_t i = 0; i < sizeof(name); i++) { /* 127 labels */
        name[i] = i % 2 == 0 ? 'a' : '.';
    }
    assert_true(nameset_add(set, span_of(name, 253), NAMESET_EXACT));
    assert_true(nameset_add(set, span_of(name, 201), NAMESET_BELOW));
    assert_true(nameset_has(set, span_of(name, 253)));
    assert_true(nameset_has(set, span_of(name, 203)));
    assert_false(nameset_has(set, span_of(name, 201)));
    assert_false(nameset_has(set, span_of(name, 255)));
    nameset_free(&set);
}

/* ---- lists ---- */

static void tell(void *ctx, const struct namelist_fault *fault)
{
    char *out = ctx;
    (void)snprintf(out + strlen(out), 500 - strlen(out), "%zu:%.*s:%s\n", fault->line,
                   (int)fault->word.len, fault->word.ptr, fault->why);
}

static const char *read_list(struct nameset **set, const char *text)
{
    static char faults[500];
    faults[0] = '\0';
    *set = nameset_new(namelist_lines(span_str(text)));
    (void)namelist_read(*set, span_str(text), tell, faults);
    return faults;
}

static void test_list(void **state)
{
    (void)state;
    struct nameset *set;
    const char *faults = read_list(&set, "\xef\xbb\xbf# a hosts file\r\n"
                                         "127.0.0.1 localhost\n"
                                         "127.0.0.1\tlocalhost.localdomain local\r\n"
                                         "255.255.255.255 broadcasthost\n"
                                         "::1 ip6-localhost ip6-loopback\n"
                                         "fe80::1%lo0 localhost\n"
                                         "0.0.0.0 0.0.0.0\n"
                                         "\n   \n"
                                         "0.0.0.0 Ads.Example tracker.example # two\n"
                                         "::      six.example\n"
                                         "  plain.example.   \t# one\n"
                                         "*.below.example\n"
                                         ".both.example#glued\n"
                                         "xn--bcher-kva.example\n"
                                         "_dmarc.under_score.example\n"
                                         "192.0.2.7\n"
                                         "2001:DB8::7\n"
                                         "last.example");
    assert_string_equal(faults, "");
    static const char *const in[] = {
        "ads.example",    "tracker.example",       "six.example",
        "plain.example",  "a.below.example",       "both.example",
        "a.both.example", "last.example",          "192.0.2.7",
        "2001:db8::7",    "xn--bcher-kva.example", "_dmarc.under_score.example"};
    static const char *const out[] = {"localhost",     "broadcasthost", "ip6-localhost", "0.0.0.0",
                                      "a.ads.example", "below.example", "local"};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
        if (!has(set, in[i])) {
            fail_msg("%s is not there", in[i]);
        }
    }
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        if (has(set, out[i])) {
            fail_msg("%s is there", out[i]);
        }
    }
    assert_int_equal(nameset_count(set), 11);
    nameset_free(&set);
}

static void test_bad_lines(void **state)
{
    (void)state;
    struct nameset *set;
    static const char form[] = "is not NAME, *.NAME, .NAME or an address";
    static const char *const rows[][2] = {
        {"good.example\n||ads.example^\n", "||ads.example^"},
        {"good.example\na..b\n", "a..b"},
        {"good.example\nads.*\n", "ads.*"},
        {"good.example\n*\n", "*"},
        {"good.example\n1.2.3\n", "1.2.3"},
        {"good.example\n0x7f.1\n", "0x7f.1"},
        {"good.example\nhttp://x\n", "http://x"},
        {"good.example\na/b\n", "a/b"},
        {"good.example\n*.\n", "*."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char wanted[200];
        (void)snprintf(wanted, sizeof(wanted), "2:%s:%s\n", rows[i][1], form);
        assert_string_equal(read_list(&set, rows[i][0]), wanted);
        assert_true(has(set, "good.example"));
        nameset_free(&set);
    }
    assert_string_equal(read_list(&set, "b\xc3\xbc"
                                        "cher.example\n"),
                        "1:b\xc3\xbc"
                        "cher.example:is not written as in DNS: xn--...\n");
    nameset_free(&set);
    assert_string_equal(read_list(&set, "a.example b.example\n"),
                        "1:a.example:stands before another word, and is not an address\n");
    nameset_free(&set);
    assert_string_equal(read_list(&set, "*.192.0.2.1\n"),
                        "1:*.192.0.2.1:has nothing below it: it is an address\n");
    nameset_free(&set);
}

/* ---- many ---- */

#define MANY 500000u

static double now_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void test_many(void **state)
{
    (void)state;
    size_t size = (size_t)MANY * 48;
    char *text = mem_try(size);
    size_t len = 0;
    char faults[500] = "";

    assert_non_null(text);
    for (unsigned i = 0; i < MANY; i++) {
        len += (size_t)snprintf(text + len, size - len, "0.0.0.0 ad%u.track%u.example%u.com\n",
                                i * 7, i % 977, i % 31);
    }
    double from = now_ms();
    struct nameset *set = nameset_new(namelist_lines(span_of(text, len)));
    assert_int_equal(namelist_read(set, span_of(text, len), tell, faults), 0);
    nameset_settle(set);
    double took = now_ms() - from;
    assert_int_equal(nameset_count(set), MANY);
    static char hosts[8192][64];
    unsigned found = 0;
    for (unsigned i = 0; i < 8192; i++) {
        unsigned n = (i * 2654435761u) % MANY;
        (void)snprintf(hosts[i], sizeof(hosts[i]), "ad%u.track%u.example%u.%s", n * 7, n % 977,
                       n % 31, i % 2 == 0 ? "com" : "org");
    }
    from = now_ms();
    for (unsigned i = 0; i < 1000000; i++) {
        found += nameset_has(set, span_str(hosts[i % 8192])) ? 1 : 0;
    }
    double lookups = now_ms() - from;
    char deep[NAMESET_NAME_MAX_BYTES];
    for (size_t i = 0; i < sizeof(deep); i++) {
        deep[i] = i % 2 == 0 ? 'a' : '.';
    }
    double deep_from = now_ms();
    for (unsigned i = 0; i < 100000; i++) {
        found += nameset_has(set, span_of(deep, sizeof(deep))) ? 1 : 0;
    }
    printf("%u names: loaded in %.0f ms, %.1f MiB; a lookup %.0f ns, of 127 labels %.0f ns\n", MANY,
           took, (double)nameset_bytes(set) / (1 << 20), lookups, (now_ms() - deep_from) * 10);
    assert_int_equal(found, 500000);
    assert_true(nameset_bytes(set) < (size_t)40 << 20);
    assert_true(took < 20000); /* sanitizers, a busy machine */
    nameset_free(&set);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_model),
        cmocka_unit_test(test_long_names), cmocka_unit_test(test_list),
        cmocka_unit_test(test_bad_lines),  cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("nameset", tests, NULL, NULL);
}
