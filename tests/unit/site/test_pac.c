/* The PAC file: nothing in it is code but our own. What it answers: tests/e2e/w33_pac.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "site/pac.h"

static void paths(void **state)
{
    static const struct {
        const char *path;
        bool is;
    } rows[] = {{"/proxy.pac", true},   {"/wpad.dat", true},    {"/proxy.pac?a=b", true},
                {"/wpad.dat?", true},   {"/Proxy.pac", false},  {"/proxy.pac/", false},
                {"//proxy.pac", false}, {"/proxy.pacx", false}, {"", false},
                {"/", false},           {"?/proxy.pac", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(pac_is_path(span_str(rows[i].path)), rows[i].is);
    }
}

static void escapes(void **state)
{
    static const char *const hosts[] = {"*.a-b.test", "[::1]", "\"/\\\n</script>$("};
    static const struct conf_network network = {.address = {192, 0, 2}, .bits = 24};
    const struct conf_pac pac = {
        .kind = CONF_PAC_ON,
        .direct = {.hosts = hosts, .host_count = 3, .networks = &network, .network_count = 1},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    pac_write(&out, &pac, SPAN("p\"; evil(); \"\n\xe2\x80\xa8:1"));
    assert_false(out.failed);
    assert_non_null(strstr(out.data, "var proxy = \"p\\x22\\x3b\\x20evil\\x28\\x29\\x3b\\x20\\x22"
                                     "\\x0a\\xe2\\x80\\xa8\\x3a1\";\n"));
    assert_non_null(strstr(out.data, "/^.*\\x2ea\\x2db\\x2etest$/,\n"));
    assert_non_null(strstr(out.data, "/^\\x5b?\\x3a\\x3a1\\x5d?$/,\n"));
    assert_non_null(strstr(out.data, "/^\\x22\\x2f\\x5c\\x0a\\x3c\\x2fscript\\x3e\\x24\\x28$/\n"));
    assert_non_null(strstr(out.data, "        [24, 192, 0, 2, 0]\n"));
    buf_free(&out);
}

static void settings(void **state)
{
    const struct conf_pac named = {.kind = CONF_PAC_ON, .proxy = "p.test:1"};
    const struct conf_pac file = {.kind = CONF_PAC_FILE, .page = {.body = SPAN("own")}};
    char one[PAC_TAG_BYTES];
    char two[PAC_TAG_BYTES];
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    pac_write(&out, &named, SPAN("asked.test:2"));
    assert_non_null(strstr(out.data, "var proxy = \"p\\x2etest\\x3a1\";"));
    assert_null(strstr(out.data, "asked"));
    buf_clear(&out);
    pac_write(&out, &file, SPAN("asked.test:2"));
    assert_true(span_eq(buf_span(&out), SPAN("own")));
    buf_free(&out);
    assert_int_equal(pac_tag(one, SPAN("a")).len, PAC_TAG_BYTES - 1);
    assert_false(span_eq(pac_tag(one, SPAN("a")), pac_tag(two, SPAN("b"))));
    assert_true(span_eq(pac_tag(one, SPAN("a")), pac_tag(two, SPAN("a"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(escapes),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
