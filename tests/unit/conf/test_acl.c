/* `acl`: mistakes, values, names, warnings, the dump that loads to the same, lists from files. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/nameset.h"
#include "conf_test.h"

#define ACL(rules) "listen 127.0.0.1:3128 { forward f; } forward f { acl { " rules " } }"
#define KINDS "{client user group host to port scheme method path regex time type size}"
#define FORM "is not NAME, *.NAME, .NAME or an address"

static const struct bad_case bad[] = {
    {ACL("allow;"),
     "1:56 \"allow\" needs more words; write: allow [NAME] all | [NAME] CONDITION VALUE... "
     "[CONDITION VALUE...] [reason=\"TEXT\"];\n"},
    {ACL("allow staff;"),
     "1:62 this rule has no condition; for every request write: allow staff all\n"},
    {ACL("deny reason=x;"), "1:61 this rule has no condition; for every request write: deny all\n"},
    {ACL("allow a clint 10.0.0.0/8;"), "1:64 \"clint\" is not a condition [client] " KINDS "\n"},
    {ACL("allow clint 10.0.0.0/8;"), "1:68 \"10.0.0.0/8\" is not a condition " KINDS "\n"},
    {ACL("allow a all port 1;"), "1:68 \"port\" says less than \"all\" before it\n"},
    {ACL("allow a port;"), "1:64 \"port\" needs a value behind it\n"},
    {ACL("allow a port 0 65536 8-7 x 1-;"),
     "1:69 \"0\" is not a port from 1 to 65535, or a range of them like 8000-8999\n"
     "1:71 \"65536\" is not a port from 1 to 65535, or a range of them like 8000-8999\n"
     "1:77 \"8-7\" is not a port from 1 to 65535, or a range of them like 8000-8999\n"
     "1:81 \"x\" is not a port from 1 to 65535, or a range of them like 8000-8999\n"
     "1:83 \"1-\" is not a port from 1 to 65535, or a range of them like 8000-8999\n"},
    {ACL("allow a port 1 port 2;"),
     "1:71 \"port\" is there twice: several values stand behind one word\n"},
    {ACL("allow a client x 10.0.0.1/8;"),
     "1:71 \"x\" is not an IP address (names are not looked up here)\n"
     "1:73 \"10.0.0.1/8\" is not a network: wrong prefix length, or address bits behind it\n"},
    {ACL("allow a to privat;"),
     "1:67 \"privat\" is not an address, a network, or one of public private loopback "
     "linklocal multicast self [private]\n"},
    {ACL("allow a host a..b http://x 127.1;"),
     "1:69 \"a..b\" " FORM "\n1:74 \"http://x\" " FORM "\n1:83 \"127.1\" " FORM "\n"},
    {ACL("allow a host file:list;"),
     "1:69 \"list\" is not an absolute path (one that begins with \"/\")\n"},
    {ACL("allow a scheme ftp;"), "1:71 \"ftp\" is not a scheme {http https connect}\n"},
    {ACL("allow a method get;"), "1:71 \"get\" is not a method: letter case counts [GET]\n"},
    {ACL("allow a path x /a?b;"),
     "1:69 \"x\" is not a path pattern: one begins with / or *\n"
     "1:71 \"/a?b\" has a \"?\": it is compared without the query; use regex\n"},
    {ACL("allow a regex ab(c;"), "1:74 the regex is not right here: missing closing parenthesis\n"},
    {ACL("allow a regex \"a\\\\\\\\b(c\";"),
     "1:79 the regex is not right here: missing closing parenthesis\n"},
    {ACL("allow a regex [;"),
     "1:71 the regex is not right here: missing terminating ] for character class\n"},
    {ACL("allow a time mon-fry 25:00-26:00 \"mon 8:00-9:00\" 08:00-08:00;"),
     "1:69 \"mon-fry\" is not a time like \"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"\n"
     "1:77 \"25:00-26:00\" is not a time like \"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"\n"
     "1:89 \"mon 8:00-9:00\" is not a time like \"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"\n"
     "1:105 \"08:00-08:00\" is not a time like \"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"\n"},
    {ACL("allow a type video;"), "1:69 \"video\" is not a media type pattern like video/*\n"},
    {ACL("deny a size 5M;"), "1:68 \"5M\" is not a size like >100M or <1K\n"},
    {ACL("deny a all reason=;"), "1:67 \"reason=\" is no text of 1 to 500 bytes\n"},
    {ACL("deny a all reason=a reason=b;"), "1:76 \"reason=b\" is a second reason\n"},
    {ACL("deny a/b all;"),
     "1:61 \"a/b\" is not a rule name: letters, digits, - _ and . (at most 64)\n"},
    {ACL("deny a all reason=Not here;"),
     "1:78 \"here\" belongs to the reason? Then write: reason=\"TEXT\"\n"},
    {ACL("allow 10.0.0.0/8;"), "1:62 \"10.0.0.0/8\" stands where the name does; write: client "
                               "ADDRESS, or: to ADDRESS\n"},
    {ACL("deny a all; deny a all;"), "1:61 another rule has the name \"a\"\n"
                                     "1:68 this rule is never reached: t:1:56 denies all\n"
                                     "1:73 another rule has the name \"a\"\n"},
    {ACL("deny self all;"), "1:61 another rule has the name \"self\"\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, sizeof(bad) / sizeof(bad[0]));
}

static const struct conf_acl *acl_of(const struct conf *conf)
{
    return &conf_find_forward(conf, "f")->forward.acl;
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = text_good(ACL(
        "deny host a b; allow allow_3 client 10.0.0.0/8 ::1; allow \"host\" to private 10.0.0.0/8 self "
        "port 1 8-9; "
        "deny host c size >1K <2M; allow n time \"mon-wed,sat 08:00-18:00\" sun;"));
    const struct conf_acl *acl = acl_of(conf);

    assert_int_equal(acl->count, 5);
    assert_string_equal(acl->list[0].name, "deny_1");
    assert_false(acl->list[0].allow);
    assert_string_equal(acl->list[1].name, "allow_3");
    assert_string_equal(acl->list[3].name, "deny_4");
    const struct conf_acl_condition *to = &acl->list[2].conditions[0];
    assert_int_equal(to->kind, CONF_ACL_TO);
    assert_int_equal(to->bits, CONF_ACL_PRIVATE | CONF_ACL_SELF);
    assert_int_equal(to->network_count, 1);
    assert_int_equal(acl->list[2].conditions[1].ranges[1].high, 9);
    assert_true(acl->list[3].conditions[1].sizes[0].above);
    assert_int_equal(acl->list[3].conditions[1].sizes[1].bytes, 2 << 20);
    const struct conf_acl_time *time = acl->list[4].conditions[0].times;
    assert_int_equal(time[0].days, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6);
    assert_int_equal(time[0].from, 480);
    assert_int_equal(time[1].days, 1);
    assert_int_equal(time[1].to, CONF_DAY_MINUTES);
    conf_unref(conf);
}

/* The dump loads to the same, values that look like keywords among them. */
static void test_dump(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ACL("deny ads host a.example *.b .c 192.0.2.1 reason=\"Not \\\"here\\\", 5 \\$\"; allow all;"),
        ACL("allow x user \"port\" \"all\" bob group \"to\" \"reason=1\" \"reason=\\\"2\"; "
            "deny regex \"^https?://[a-z ]+;\" \"b{2}\";"),
        ACL("allow t time \"mon-fri 08:00-18:00\" 22:00-06:00 type text/* size >1K; deny all;"),
        ACL(""),
        "listen 127.0.0.1:3128 { forward f; } forward f { }",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (int defaults = 0; defaults < 2; defaults++) {
            struct conf *first = text_good(texts[i]);
            struct buf one;
            struct buf two;
            buf_init(&one, TEXT_BYTES);
            buf_init(&two, TEXT_BYTES);
            for (size_t j = 0; j < acl_of(first)->count; j++) {
                buf_puts(&one, acl_of(first)->list[j].name);
                conf_print_acl_conditions(&acl_of(first)->list[j], &one);
                buf_puts(&one, acl_of(first)->list[j].reason == NULL
                                   ? ""
                                   : acl_of(first)->list[j].reason);
            }
            struct buf dump;
            buf_init(&dump, TEXT_BYTES);
            conf_print_effective(first, defaults == 1, &dump);
            buf_putc(&dump, '\0');
            struct conf *second = text_good(dump.data);
            for (size_t j = 0; j < acl_of(second)->count; j++) {
                buf_puts(&two, acl_of(second)->list[j].name);
                conf_print_acl_conditions(&acl_of(second)->list[j], &two);
                buf_puts(&two, acl_of(second)->list[j].reason == NULL
                                   ? ""
                                   : acl_of(second)->list[j].reason);
            }
            if (!span_eq(buf_span(&one), buf_span(&two))) {
                fail_msg("%s", dump.data);
            }
            buf_free(&one);
            buf_free(&two);
            buf_free(&dump);
            conf_unref(first);
            conf_unref(second);
        }
    }
}

/* An open proxy is warned of; rules for some, listeners of this machine and passwords are not. */
static void test_open(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *block;
        bool is_open;
    } rows[] = {
        {":3128", "acl { allow a all; }", true},
        {"192.0.2.1:3128", "acl { deny b host x; allow a port 443; }", true},
        {"127.0.0.1:3128", "acl { allow a all; }", false},
        {":3128", "acl { allow a client 10.0.0.0/8; deny all; }", false},
        {":3128", "acl { allow a all; } auth basic /etc/x;", false},
        {":3128", "", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[300];
        struct conf *conf;
        struct buf problems;
        (void)snprintf(text, sizeof(text), "listen %s { forward f; } forward f { %s }",
                       rows[i].listen, rows[i].block);
        buf_init(&problems, TEXT_BYTES);
        text_load(span_str(text), CONF_PORTABLE, &conf, &problems);
        buf_putc(&problems, '\0');
        assert_non_null(conf);
        if ((strstr(problems.data, "this rule is for everybody who reaches") != NULL) !=
            rows[i].is_open) {
            fail_msg("%s: %s", text, problems.data);
        }
        buf_free(&problems);
        conf_unref(conf);
    }
}

static void test_without(void **state)
{
    (void)state;
    struct conf *conf = text_good("listen 127.0.0.1:3128 { forward f; } forward f { }");

    assert_int_equal(acl_of(conf)->count, 1);
    assert_string_equal(acl_of(conf)->list[0].name, "default");
    assert_null(conf_where_acl(conf, conf_find_forward(conf, "f"), 0).file);
    conf_unref(conf);
    conf = text_good(ACL(""));
    assert_int_equal(acl_of(conf)->count, 0);
    conf_unref(conf);
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void load_list(const char *path, struct conf **out, struct buf *problems)
{
    char text[400];
    (void)snprintf(
        text, sizeof(text),
        "listen 127.0.0.1:3128 { forward f; } store { path off; } admin { socket off; listen off; } "
        "forward f { acl { deny a host file:%s b.example; deny c host file:%s; } }",
        path, path);
    buf_init(problems, TEXT_BYTES);
    text_load(span_str(text), 0, out, problems);
    buf_putc(problems, '\0');
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/larder-acl-XXXXXX";
    struct conf *conf;
    struct buf problems;

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    write_file(path, "0.0.0.0 a.example\n.c.example\n");
    load_list(path, &conf, &problems);
    assert_non_null(conf);
    const struct conf_acl_condition *host = &acl_of(conf)->list[0].conditions[0];
    assert_int_equal(host->set_count, 2);
    assert_ptr_equal(host->sets[0], acl_of(conf)->list[1].conditions[0].sets[0]); /* read once */
    assert_true(nameset_has(host->sets[0], SPAN("x.c.example")));
    assert_true(nameset_has(host->sets[1], SPAN("b.example")));
    assert_true(conf_list_bytes(conf) > 0);
    conf_unref(conf);
    buf_free(&problems);
    write_file(path, "a\nb b\nc\n||x^\n-\nq..\n..\n%\n&\n!\n");
    load_list(path, &conf, &problems);
    assert_null(conf);
    assert_non_null(strstr(problems.data, "line 2 of \"/tmp/larder-acl-"));
    assert_non_null(
        strstr(problems.data, "\"b\" stands before another word, and is not an address\n"));
    assert_non_null(strstr(problems.data, "line 4 of"));
    assert_non_null(strstr(problems.data, "and 2 more lines of"));
    buf_free(&problems);
    assert_int_equal(unlink(path), 0);
    load_list(path, &conf, &problems);
    assert_null(conf);
    assert_non_null(strstr(problems.data, "No such file or directory"));
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),     cmocka_unit_test(test_values), cmocka_unit_test(test_dump),
        cmocka_unit_test(test_without), cmocka_unit_test(test_files),  cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
