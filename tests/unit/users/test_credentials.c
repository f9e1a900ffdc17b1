/* Field values of the Basic scheme: which are taken, and what of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "users/credentials.h"

struct row {
    const char *value;
    enum users_form form;
    const char *name, *password;
};

static const struct row rows[] = {
    {"Basic YTpi", USERS_FORM_GOOD, "a", "b"},
    {"basic YTpi", USERS_FORM_GOOD, "a", "b"},
    {"bASIC   YTpi", USERS_FORM_GOOD, "a", "b"},
    {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", USERS_FORM_GOOD, "Aladdin",
     "open sesame"},                                                    /* RFC 7617 2 */
    {"Basic dGVzdDoxMjPCow==", USERS_FORM_GOOD, "test", "123\xc2\xa3"}, /* 2.1 */
    {"Basic YTpiOmM6", USERS_FORM_GOOD, "a", "b:c:"},
    {"Basic YTo=", USERS_FORM_GOOD, "a", ""},
    {"Basic OmI=", USERS_FORM_GOOD, "", "b"},
    {"Basic Og==", USERS_FORM_GOOD, "", ""},
    {"Basic YTr/+w==", USERS_FORM_GOOD, "a", "\xff\xfb"},
    {"Basic", USERS_FORM_BAD, NULL, NULL},
    {"Basic ", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTpi ", USERS_FORM_BAD, NULL, NULL},
    {"Basic Y Tpi", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTp", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTo", USERS_FORM_BAD, NULL, NULL},  /* without its padding */
    {"Basic YTp=", USERS_FORM_BAD, NULL, NULL}, /* bits behind the end */
    {"Basic Ox==", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTpi====", USERS_FORM_BAD, NULL, NULL},
    {"Basic Y===", USERS_FORM_BAD, NULL, NULL},
    {"Basic ====", USERS_FORM_BAD, NULL, NULL},
    {"Basic YT=iYTpi", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTo=YTpi", USERS_FORM_BAD, NULL, NULL},
    {"Basic YTr_-w==", USERS_FORM_BAD, NULL, NULL}, /* base64url */
    {"Basic YWI=", USERS_FORM_BAD, NULL, NULL},     /* no colon */
    {"Basic YTpiAA==", USERS_FORM_BAD, NULL, NULL}, /* NUL */
    {"Basic YTpiCg==", USERS_FORM_BAD, NULL, NULL}, /* LF */
    {"Basic YQk6Yg==", USERS_FORM_BAD, NULL, NULL}, /* HTAB */
    {"Basic YTpifw==", USERS_FORM_BAD, NULL, NULL}, /* DEL */
    {"Basic realm=\"x\"", USERS_FORM_BAD, NULL, NULL},
    {"Basi YTpi", USERS_FORM_OTHER, NULL, NULL},
    {"BasicYTpi", USERS_FORM_OTHER, NULL, NULL},
    {"Basic\tYTpi", USERS_FORM_OTHER, NULL, NULL},
    {"Bearer YTpi", USERS_FORM_OTHER, NULL, NULL},
    {"YTpi", USERS_FORM_OTHER, NULL, NULL},
    {"", USERS_FORM_OTHER, NULL, NULL},
};

static void values(void **state)
{
    struct users_credentials credentials;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum users_form form = users_credentials_read(span_str(rows[i].value), &credentials);
        if (form != rows[i].form) {
            fail_msg("%s: %d", rows[i].value, (int)form);
        }
        if (form == USERS_FORM_GOOD) {
            assert_true(span_eq(credentials.name, span_str(rows[i].name)));
            assert_true(span_eq(credentials.password, span_str(rows[i].password)));
        }
        users_credentials_wipe(&credentials);
        assert_null(credentials.name.ptr);
        for (size_t j = 0; j < sizeof(credentials.room); j++) {
            assert_int_equal(credentials.room[j], 0);
        }
    }
}

/* name and password of so many bytes, in base64. */
static size_t write(char *out, size_t name_len, size_t password_len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[1200];
    size_t len = name_len + 1 + password_len;
    size_t at = 0;

    memset(plain, 'x', sizeof(plain));
    plain[name_len] = ':';
    memcpy(out, "Basic ", 6);
    out += 6;
    for (size_t i = 0; i < len; i += 3) {
        unsigned word = 0;
        for (size_t j = 0; j < 3; j++) {
            word = word << 8 | (i + j < len ? (unsigned char)plain[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            out[at++] = i + j > len ? '=' : digits[word >> (18 - 6 * j) & 63];
        }
    }
    return at + 6;
}

static void lengths(void **state)
{
    static const struct {
        size_t name, password;
        enum users_form form;
    } cases[] = {
        {255, 511, USERS_FORM_GOOD}, {255, 512, USERS_FORM_BAD}, {256, 511, USERS_FORM_BAD},
        {256, 1, USERS_FORM_BAD},    {1, 511, USERS_FORM_GOOD},  {1, 512, USERS_FORM_BAD},
        {254, 511, USERS_FORM_GOOD}, {0, 800, USERS_FORM_BAD},   {700, 0, USERS_FORM_BAD}};
    struct users_credentials credentials;
    char text[2000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = write(text, cases[i].name, cases[i].password);
        assert_int_equal(users_credentials_read(span_of(text, len), &credentials), cases[i].form);
        if (cases[i].form == USERS_FORM_GOOD) {
            assert_int_equal(credentials.name.len, cases[i].name);
            assert_int_equal(credentials.password.len, cases[i].password);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
