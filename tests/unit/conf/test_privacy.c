/* What servers and logs are told of clients; the PAC file. */
#include "conf_test.h"

#define FORWARD(body) "listen :3128 { forward f; } forward f { " body " }"

static const struct bad_case bad[] = {
    {FORWARD("identity hidden;"),
     "1:50 \"hidden\" is not a value of \"identity\" [hide] {hide forward transparent}\n"},
    {FORWARD("user_agent;"),
     "1:41 \"user_agent\" needs more words; write: user_agent keep | remove | \"TEXT\";\n"},
    {FORWARD("user_agent Keep;"),
     "1:52 \"Keep\" is not a value of \"user_agent\" [keep] {keep remove}\n"},
    {FORWARD("user_agent \" x\";"),
     "1:52 \" x\" cannot be sent: 1 to 512 visible ASCII characters, "
     "spaces within\n"},
    {FORWARD("user_agent \"\";"), "1:52 \"\" cannot be sent: 1 to 512 visible ASCII characters, "
                                  "spaces within\n"},
    {FORWARD("referer sameorigin;"), "1:49 \"sameorigin\" is not a value of \"referer\" "
                                     "[same_origin] {keep remove origin same_origin}\n"},
    {FORWARD("drop_cookies;"),
     "1:41 \"drop_cookies\" needs more words; write: drop_cookies HOST-PATTERN... | off;\n"},
    {FORWARD("drop_cookies a off;"), "1:56 \"off\" stands alone\n"},
    {FORWARD("drop_cookies http://a;"),
     "1:54 \"http://a\" is no pattern of host names: letters, digits, - _ and . , with * for any "
     "of them\n"},
    {FORWARD("pac yes;"), "1:45 \"yes\" is not a value of \"pac\" {off on}\n"},
    {FORWARD("pac on; pac_direct 10.0.0.0/33;"),
     "1:60 \"10.0.0.0/33\" is neither a pattern of host names nor a network\n"},
    {FORWARD("pac on; pac_direct a:1;"), "1:60 \"a:1\" is no pattern of host names: letters, "
                                         "digits, - _ and . , with * for any of them\n"},
    {FORWARD("pac on; pac_proxy p.example;"),
     "1:59 \"p.example\" is not NAME:PORT, as clients reach this proxy\n"},
    {FORWARD("anonymize all;"),
     "1:51 \"all\" is not a value of \"anonymize\" {off truncate drop}\n"},
    {FORWARD("log_query of;"), "1:51 \"of\" is not a value of \"log_query\" [on] {on off}\n"},
    {"identity hide;" REST,
     "1:1 \"identity\" does not belong at the top level; it belongs in forward "
     "{workers user state_dir listen trust admin store log limits resolver origins site forward}\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static void test_defaults(void **state)
{
    struct conf *conf = text_good(FORWARD(""));
    const struct conf_site *forward = conf_find_forward(conf, "f");

    (void)state;
    assert_int_equal(forward->privacy.identity, CONF_IDENTITY_HIDE);
    assert_int_equal(forward->privacy.user_agent.kind, CONF_AGENT_KEEP);
    assert_int_equal(forward->privacy.referer, CONF_REFERER_KEEP);
    assert_int_equal(forward->privacy.drop_cookies.count, 0);
    assert_int_equal(forward->privacy.anonymize, CONF_ANONYMIZE_OFF);
    assert_true(forward->privacy.log_query);
    assert_int_equal(forward->pac.kind, CONF_PAC_OFF);
    assert_null(forward->pac.proxy);
    conf_unref(conf);
}

/* Each value, through a dump and back. */
static void test_values(void **state)
{
    static const char text[] =
        "site a { origins { server x http://x; } anonymize truncate; log_query off; } "
        "listen :3128 { forward f; } forward f { "
        "identity transparent; user_agent \"a \\\"b\\\" \\$c \\\\\"; referer same_origin; "
        "drop_cookies *.Ads.example [::1]; anonymize drop; log_query off; pac on; "
        "pac_direct *.Intra 10.0.0.0/8 a b 2001:db8::/32; pac_proxy P.example:3128; "
        "rule path /x { user_agent \"keep\"; referer origin; drop_cookies off; } "
        "rule path /y { drop_cookies *; } }";
    struct conf *conf = text_good(text);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const struct conf_site *forward = conf_find_forward(conf, "f");
        assert_int_equal(forward->privacy.identity, CONF_IDENTITY_TRANSPARENT);
        assert_int_equal(forward->privacy.user_agent.kind, CONF_AGENT_TEXT);
        assert_string_equal(forward->privacy.user_agent.text, "a \"b\" $c \\");
        assert_int_equal(forward->privacy.referer, CONF_REFERER_SAME_ORIGIN);
        assert_int_equal(forward->privacy.drop_cookies.count, 2);
        assert_string_equal(forward->privacy.drop_cookies.list[0], "*.ads.example");
        assert_int_equal(forward->privacy.anonymize, CONF_ANONYMIZE_DROP);
        assert_false(forward->privacy.log_query);
        assert_int_equal(forward->pac.kind, CONF_PAC_ON);
        assert_int_equal(forward->pac.direct.host_count, 3);
        assert_string_equal(forward->pac.direct.hosts[0], "*.intra");
        assert_int_equal(forward->pac.direct.network_count, 2);
        assert_int_equal(forward->pac.direct.networks[1].bits, 32);
        assert_string_equal(forward->pac.proxy, "p.example:3128");
        assert_int_equal(forward->rules[0].set, CONF_RULE_PRIVACY);
        assert_int_equal(forward->rules[0].user_agent.kind, CONF_AGENT_TEXT);
        assert_string_equal(forward->rules[0].user_agent.text, "keep");
        assert_int_equal(forward->rules[0].referer, CONF_REFERER_ORIGIN);
        assert_true(forward->rules[0].drop_cookies.is_set);
        assert_int_equal(forward->rules[0].drop_cookies.count, 0);
        assert_int_equal(forward->rules[1].user_agent.kind, CONF_AGENT_UNSET);
        assert_int_equal(forward->rules[1].drop_cookies.count, 1);
        for (size_t j = 0; j < conf->site_count; j++) {
            const struct conf_site *site = &conf->sites[j];
            if (site->forward.name == NULL) {
                assert_int_equal(site->privacy.anonymize, CONF_ANONYMIZE_TRUNCATE);
                assert_false(site->privacy.log_query);
            }
        }
        struct buf dump;
        buf_init(&dump, TEXT_BYTES);
        conf_print_effective(conf, true, &dump);
        conf_unref(conf);
        conf = text_good(dump.data);
        buf_free(&dump);
    }
    conf_unref(conf);
    conf = text_good(FORWARD("pac /etc/office.pac;"));
    assert_int_equal(conf->sites[0].pac.kind, CONF_PAC_FILE);
    assert_string_equal(conf->sites[0].pac.page.path, "/etc/office.pac");
    conf_unref(conf);
}

/* What does nothing is said, and loads. */
static void test_no_effect(void **state)
{
    static const struct {
        const char *text, *problems;
    } rows[] = {
        {FORWARD("forwarded both;"),
         "1:41 \"forwarded\" has no effect: that is for identity forward\n"},
        {FORWARD("identity forward; forwarded both;"), ""},
        {FORWARD("forwarded off;"), ""},
        {FORWARD("pac_direct a; pac_proxy b:1;"), "1:41 \"pac_direct\" has no effect: pac is off\n"
                                                  "1:55 \"pac_proxy\" has no effect: pac is off\n"},
        {FORWARD("pac /f; pac_direct a;"), "1:49 \"pac_direct\" has no effect: pac names a file\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf *conf;
        struct conf_report *report = conf_report_new();
        struct buf problems;
        buf_init(&problems, TEXT_BYTES);
        buf_puts(&problems, "");
        assert_int_equal(conf_load_text("t", span_str(rows[i].text), CONF_PORTABLE, &conf, report),
                         ERR_OK);
        problems_print(report, &problems);
        assert_string_equal(problems.data, rows[i].problems);
        conf_report_free(report);
        buf_free(&problems);
        conf_unref(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
