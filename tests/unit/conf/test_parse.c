/* Syntax: what the language is, and each error at its exact place. */
#include <stdlib.h>

#include "conf_test.h"

static const struct bad_case bad[] = {
    /* missing ";" */
    {"workers 2\n" REST, "1:10 missing \";\" after \"2\"\n"},
    {"store { size 1G }" REST, "1:16 missing \";\" after \"1G\"\n"},
    {"store { size 1G memory 1G; }" REST, "1:16 missing \";\" after \"1G\"\n"},
    {REST " workers 2", "1:64 missing \";\" after \"2\"\n"},
    {"workers\n  auto\nlisten :81;" REST, "2:7 missing \";\" after \"auto\"\n"},
    {"log { access off error stderr; }" REST, "1:17 missing \";\" after \"off\"\n"},
    /* blocks */
    {"listen :80;\nsite a {\n  origins { server a http://a; }\n",
     "2:1 this \"site\" block is never closed; a \"}\" is missing\n"},
    {"store {\n  size 1G;\nlisten :80; site * { origins { server a http://a; } }",
     "1:1 this \"store\" block is never closed; a \"}\" is missing\n"},
    {"listen :80; site * { origins { server a http://a;",
     "1:13 this \"site\" block is never closed; a \"}\" is missing\n"
     "1:22 this \"origins\" block is never closed; a \"}\" is missing\n"},
    {REST " }", "1:55 unexpected \"}\": no block is open\n"},
    {REST ";", "1:54 unexpected \";\": no directive before it\n"},
    {"{ workers 2; }" REST, "1:1 \"{\" without a directive before it\n"},
    {"workers { }" REST, "1:9 \"workers\" takes no block; write: workers auto | NUMBER;\n"},
    {"store;" REST, "1:1 \"store\" needs a block; write: store { ... }\n"},
    {"store x { }" REST, "1:7 one word too many: \"x\"; write: store { ... }\n"},
    {"a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{",
     "1:1 unknown directive \"a\" at the top level"
     " {workers user state_dir listen trust admin store log limits resolver origins site forward}\n"
     "1:34 blocks are nested deeper than 16; the rest was not read\n"},
    /* quotes and escapes */
    {"user \"a;\n" REST, "1:6 this quote is not closed on its line\n"},
    {"user \"a\n" REST, "1:6 this quote is not closed on its line\n"},
    {"user \"a # b; c\n" REST, "1:6 this quote is not closed on its line\n"},
    {"user \"a\n b\"; " REST, "1:6 this quote is not closed on its line\n"},
    {"user \"${A:-\"};\n" REST, "1:6 this quote is not closed on its line\n"},
    {"store { path \"/a; size 1; } " REST, "1:14 this quote is not closed on its line\n"
                                           "1:24 \"1\" is out of range for \"size\": 64M..1024T\n"},
    {"listen :80; site \"a { origins {\n server a \"http://a; keepalive 4; } }",
     "1:18 this quote is not closed on its line\n"
     "2:11 this quote is not closed on its line\n"},
    {"user \"a\\n\";" REST, "1:8 unknown escape in a quoted word {\\\" \\\\ \\$}\n"},
    {"user \"a\"b;" REST, "1:9 a space or \";\" is missing behind the quoted word\n"},
    {"user \"a\"b c\";" REST, "1:9 a space or \";\" is missing behind the quoted word\n"},
    {"user a\"b\";" REST, "1:7 a quote may only begin a word or follow \"=\"\n"},
    {"user a\";" REST, "1:7 a quote may only begin a word or follow \"=\"\n"},
    /* variables */
    {"user ${LARDER_UNSET_1};" REST,
     "1:6 environment variable LARDER_UNSET_1 is not set; give a default: ${LARDER_UNSET_1:-VALUE}\n"},
    {"workers ${A}\n" REST, "1:9 environment variable A is not set; give a default: ${A:-VALUE}\n"
                            "1:13 missing \";\" after \"${A}\"\n"},
    {"include ${A}/x; ${A} 1; ${A} { b; }" REST,
     "1:9 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:17 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:25 environment variable A is not set; give a default: ${A:-VALUE}\n"},
    {"listen :${A}; admin { listen 127.0.0.1:${A}; } site ${A} { via \"\\a\"; origins { server a "
     "http://${A}; timeout ${A}; keepalive -1; } cache { min_ttl ${A}; max_ttl 1s; } }",
     "1:9 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:40 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:53 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:65 unknown escape in a quoted word {\\\" \\\\ \\$}\n"
     "1:96 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:110 environment variable A is not set; give a default: ${A:-VALUE}\n"
     "1:126 \"-1\" is not right: \"keepalive\" takes a whole number\n"
     "1:148 environment variable A is not set; give a default: ${A:-VALUE}\n"},
    {"user x${1a};" REST, "1:7 a variable is written ${NAME} or ${NAME:-default}\n"},
    {"user x${a;" REST, "1:7 a variable is written ${NAME} or ${NAME:-default}\n"},
    {"user x${a:b};" REST, "1:7 a variable is written ${NAME} or ${NAME:-default}\n"},
    {"user x${LARDER_CONTROL};" REST,
     "1:7 environment variable LARDER_CONTROL holds a control character\n"},
    /* not text */
    {"\xff\xfeu\x01", "0:0 this file is UTF-16; save it as UTF-8\n"},
    {"\xfe\xff\x01u", "0:0 this file is UTF-16; save it as UTF-8\n"},
    {"\xef\xbb\xbfusre a;" REST,
     "1:1 unknown directive \"usre\" at the top level [user]"
     " {workers user state_dir listen trust admin store log limits resolver origins site forward}\n"},
    {"workers 2;\n\x01" REST, "2:1 this is not a text file: byte 0x01; the rest was not read\n"},
    /* include */
    {"include;" REST, "1:1 \"include\" needs a file; write: include FILE-OR-GLOB;\n"},
    {"include { }" REST, "1:9 \"include\" takes no block; write: include FILE-OR-GLOB...;\n"},
    {"include /larder/none.conf;" REST,
     "1:9 cannot read \"/larder/none.conf\": No such file or directory\n"},
    {"include \"/larder/*.conf\";" REST,
     "1:9 cannot read \"/larder/*.conf\": No such file or directory\n"},
    {"include /dev;" REST, "1:9 cannot read \"/dev\": not a regular file\n"},
    /* columns are characters, not bytes, and a tab is one */
    {"# \xc3\xa9\n\t\"\xc3\xa9\xc3\xa9\" x; " REST,
     "2:2 unknown directive \"\xc3\xa9\xc3\xa9\" at the top level"
     " {workers user state_dir listen trust admin store log limits resolver origins site forward}\n"},
    {"workers \"\xc3\xa9\" 2; " REST,
     "1:13 one word too many: \"2\"; write: workers auto | NUMBER;\n"},
};

static void test_bad(void **state)
{
    (void)state;
    assert_int_equal(setenv("LARDER_CONTROL", "a\nb", 1), 0);
    bad_cases(bad, ARRAY_LEN(bad));
}

static const struct {
    const char *text;
    const char *user;
} words[] = {
    {"user plain;", "plain"},
    {"user \"a b\";", "a b"},
    {"user \"a\\\"b\\\\c\\$d\";", "a\"b\\c$d"},
    {"user a\\b;", "a\\b"},
    {"user a#b;", "a#b"},
    {"user a$b;", "a$b"},
    {"user a=\"b c\";", "a=b c"},
    {"user\n\t a # comment ; }\n\r\n ;", "a"},
    {"\xef\xbb\xbfuser a;", "a"},
    {"\xef\xbb\xbf\xef\xbb\xbf\nworkers 1;\n\xef\xbb\xbfuser a;", "a"},
    {"user a\xef\xbb\xbf;", "a\xef\xbb\xbf"},
    {"user ${LARDER_SET};", "two words;"},
    {"user \"<${LARDER_SET}>\";", "<two words;>"},
    {"user \"\\${LARDER_SET}\";", "${LARDER_SET}"},
    {"user x${LARDER_SET:-y}z;", "xtwo words;z"},
    {"user x${LARDER_UNSET_1:-y w}z;", "xy wz"},
    {"user x${LARDER_UNSET_1:-}z;", "xz"},
    {"user x${LARDER_EMPTY:-y}z;", "xyz"},
    {"user ${LARDER_UNSET_1:-a}${LARDER_UNSET_1:-b};", "ab"},
};

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(setenv("LARDER_SET", "two words;", 1), 0);
    assert_int_equal(setenv("LARDER_EMPTY", "", 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct buf text;
        buf_init(&text, TEXT_BYTES);
        buf_printf(&text, "%s%s", words[i].text, REST);
        struct conf *conf = text_good(text.data);
        assert_string_equal(conf->user, words[i].user);
        conf_unref(conf);
        buf_free(&text);
    }
}

/* Nothing of the environment or the disk shows in a sealed load. */
static void test_sealed(void **state)
{
    struct conf *conf;
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    text_load(SPAN("include /dev/null; via ${PATH}; user ${PATH:-x};" REST),
              CONF_SEALED | CONF_PORTABLE, &conf, &problems);
    assert_null(conf);
    assert_non_null(strstr(problems.data, "1:1 include is not possible here\n"));
    assert_non_null(strstr(problems.data, "environment variable PATH is not set"));
    buf_free(&problems);
}

/* Every cut of a good file is either good or has a message inside the text; nothing hangs or reads
 * on. */
static void test_cut(void **state)
{
    static const char text[] = "workers 2; # c\nuser \"a b\"; via x=\"${A:-b}\";\n" REST;

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = mem_copy(text, len);
        struct conf *conf;
        struct buf problems;
        buf_init(&problems, TEXT_BYTES);
        text_load(span_of(copy, len), CONF_SEALED | CONF_PORTABLE, &conf, &problems);
        assert_true(problems.len > 0); /* "via" is misplaced, the rest is missing */
        conf_unref(conf);
        buf_free(&problems);
        mem_free(copy);
    }
}

static void test_limits(void **state)
{
    struct conf *conf;
    struct buf problems;
    struct buf text;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    buf_init(&text, (size_t)8 << 20);
    for (size_t i = 0; i < 70000; i++) {
        buf_putc(&text, 'x');
    }
    text_load(buf_span(&text), CONF_PORTABLE, &conf, &problems);
    assert_non_null(strstr(problems.data, "1:1 this word is longer than 65536 bytes\n"));
    while (text.len <= (size_t)4 << 20) {
        buf_puts(&text, "a;");
    }
    buf_clear(&problems);
    text_load(buf_span(&text), CONF_PORTABLE, &conf, &problems);
    assert_string_equal(problems.data, "0:0 the text is larger than 4M\n");
    text.len = (size_t)4 << 20;
    memset(text.data, ';', text.len);
    buf_clear(&problems);
    text_load(buf_span(&text), CONF_PORTABLE, &conf, &problems);
    assert_null(conf);
    for (size_t i = 0; i + 1 < text.len; i += 2) {
        text.data[i] = 'a';
    }
    buf_clear(&problems);
    text_load(buf_span(&text), CONF_PORTABLE, &conf, &problems);
    assert_null(conf);
    buf_free(&problems);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad), cmocka_unit_test(test_words),  cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_cut), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
