/* Dictionaries, as strict as RFC 8941 section 4.2. */
#include "helper.h"
#include "http/sfv.h"

/* A dictionary and what is read of it: "key=type:text" per member, "!" behind the last for an
 * error. */
struct row {
    const char *text;
    const char *read;
};

static const struct row rows[] = {
    {"", ""},
    {"  ", ""},
    {"a", "a=b:1 "},
    {"a=?1, b=?0", "a=b:1 b=b:0 "},
    {"a=1", "a=i:1 "},
    {"a=-1", "a=i:-1 "},
    {"a=007", "a=i:7 "},
    {"a=999999999999999", "a=i:999999999999999 "},
    {"a=-999999999999999", "a=i:-999999999999999 "},
    {"a=1000000000000000", "!"},
    {"a=1.5", "a=d:1.5 "},
    {"a=-0.125", "a=d:-0.125 "},
    {"a=123456789012.1", "a=d:123456789012.1 "},
    {"a=1234567890123.1", "!"},
    {"a=1.2345", "!"},
    {"a=1.", "!"},
    {"a=.5", "!"},
    {"a=-", "!"},
    {"a=+1", "!"},
    {"a=1e3", "!"},
    {"a=\"x, y\"", "a=s:x, y "},
    {"a=\"\"", "a=s: "},
    {"a=\"x\\\"y\\\\\"", "a=s:x\\\"y\\\\ "},
    {"a=\"x\\y\"", "!"},
    {"a=\"x", "!"},
    {"a=\"x\\", "!"},
    {"a=\"\x80\"", "!"},
    {"a=\"\t\"", "!"},
    {"a='x'", "!"},
    {"a=tok", "a=t:tok "},
    {"a=*t:/o", "a=t:*t:/o "},
    {"a=:YQ==:", "a=y:YQ== "},
    {"a=::", "a=y: "},
    {"a=:YQ", "!"},
    {"a=:Y Q:", "!"},
    {"a=?2", "!"},
    {"a=?", "!"},
    {"a=()", "a=l: "},
    {"a=( 1  b \"c\" )", "a=l: 1  b \"c\"  "},
    {"a=(1;x 2;y=3);z", "a=l:1;x 2;y=3 "},
    {"a=(1,2)", "!"},
    {"a=(1", "!"},
    {"a=(1\t2)", "!"},
    {"a=((1))", "!"},
    {"a=1;b;c=\"d\"; e", "a=i:1 "},
    {"a;b=2", "a=b:1 "},
    {"a=1;", "!"},
    {"a=1;B", "!"},
    {"a=1;b=", "!"},
    {"a=1 ;b", "!"},
    {"a=1;\tb", "!"},
    {"a=1,b=2", "a=i:1 b=i:2 "},
    {"a=1 \t,\t b=2", "a=i:1 b=i:2 "},
    {"a=1, a=2", "a=i:1 a=i:2 "},
    {"a=1,", "!"},
    {"a=1, ", "!"},
    {",a=1", "!"},
    {"a=1,,b=2", "a=i:1 !"},
    {"a=1 b=2", "!"},
    {"a =1", "!"},
    {"a= 1", "!"},
    {"a=", "!"},
    {"A=1", "!"},
    {"aB", "!"},
    {"1a=1", "!"},
    {"-a=1", "!"},
    {"*a-1_.*=1", "*a-1_.*=i:1 "},
    {"a=@5", "!"},
    {"a=%\"x\"", "!"},
    {"\"a\"=1", "!"},
    {"a=1, B=2", "a=i:1 !"},
    {"a=1;x, b=(", "a=i:1 !"},
};

static void describe(char *out, size_t size, struct span rest)
{
    static const char letters[] = "idstybl";
    struct http_sfv_member member;
    enum http_sfv next;
    size_t at = 0;

    out[0] = '\0';
    while ((next = http_sfv_next(&rest, &member)) == HTTP_SFV_MEMBER) {
        bool is_number = member.type == HTTP_SFV_INTEGER || member.type == HTTP_SFV_BOOLEAN;
        int len = is_number
                      ? snprintf(out + at, size - at, "%.*s=%c:%lld ", (int)member.key.len,
                                 member.key.ptr, letters[member.type], (long long)member.integer)
                      : snprintf(out + at, size - at, "%.*s=%c:%.*s ", (int)member.key.len,
                                 member.key.ptr, letters[member.type], (int)member.text.len,
                                 member.text.ptr);
        assert_true(len > 0 && (size_t)len < size - at);
        at += (size_t)len;
    }
    (void)snprintf(out + at, size - at, "%s", next == HTTP_SFV_ERROR ? "!" : "");
}

static void rfc8941_4_2_dictionary(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char got[256];
        describe(got, sizeof(got), span_str(rows[i].text));
        if (strcmp(got, rows[i].read) != 0) {
            fail_msg("%s: read as \"%s\", expected \"%s\"", rows[i].text, got, rows[i].read);
        }
        /* Every cut is read within its bounds (under ASan: from a block of just that size). */
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            char cut[64];
            assert_true(len <= sizeof(cut));
            memcpy(cut, rows[i].text, len);
            describe(got, sizeof(got), span_of(cut, len));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8941_4_2_dictionary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
