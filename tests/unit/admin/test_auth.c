/* Tokens, sessions, codes, limits; the clock is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/auth.h"
#include "admin/tokens.h"
#include "base/buf.h"
#include "base/mem.h"

#define IDLE_MS ((uint64_t)1000)

static char folder[64];
static char path[128];

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int fresh_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/larder-auth-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/tokens", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails when something was left beside */
}

/* A file with tokens named after their scope: read, purge, admin; the token is "t-NAME". */
static struct auth *three_tokens(void)
{
    static const char *const names[] = {"read", "purge", "admin"};
    char text[1024] = "# comment\n\n";
    char made[AUTH_TOKEN_BYTES];
    char why[256];
    struct auth *auth = NULL;

    for (size_t i = 0; i < 3; i++) {
        char token[32];
        char hex[2 * SECRET_DIGEST_BYTES + 1];
        (void)snprintf(token, sizeof(token), "t-%s", names[i]);
        struct secret_digest digest = secret_digest(span_str(token));
        secret_digest_print(&digest, hex);
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "%s %s %s 2026-01-01\n", names[i], names[i],
                       hex);
    }
    write_file(text, 0600);
    assert_int_equal(auth_open(path, &auth, made, why, sizeof(why)), ERR_OK);
    assert_string_equal(made, "");
    return auth;
}

static void test_digest(void **state)
{
    (void)state;
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    struct secret_digest digest = secret_digest(SPAN("abc")); /* FIPS 180-4 example */
    struct secret_digest back;

    secret_digest_print(&digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(secret_digest_parse(span_str(hex), &back));
    assert_true(secret_equal(&digest, &back));
    for (unsigned i = 0; i < SECRET_DIGEST_BYTES; i++) {
        back = digest;
        back.bytes[i] ^= 1;
        assert_false(secret_equal(&digest, &back));
    }
    hex[5] = 'g';
    assert_false(secret_digest_parse(span_str(hex), &back));
    assert_false(secret_digest_parse(SPAN("ba78"), &back));
}

static void test_first_start(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_BYTES];
    char again[AUTH_TOKEN_BYTES];
    char why[256];
    char text[1024] = "";
    struct auth *auth = NULL;
    struct auth_identity who;
    struct stat facts;

    assert_int_equal(auth_open(path, &auth, token, why, sizeof(why)), ERR_OK);
    assert_int_equal(strncmp(token, "admin_admin_", 12), 0);
    assert_int_equal(strlen(token), 12 + SECRET_CHARS);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    assert_null(strstr(text, token + 12)); /* the secret itself is not kept */
    assert_true(auth_token_check(auth, span_str(token), &who));
    assert_int_equal(who.scope, AUTH_ADMIN);
    auth_close(&auth);
    assert_null(auth);
    assert_int_equal(auth_open(path, &auth, again, why, sizeof(why)), ERR_OK);
    assert_string_equal(again, "");
    assert_true(auth_token_check(auth, span_str(token), &who));
    auth_close(&auth);
}

static void test_tokens(void **state)
{
    (void)state;
    struct auth *auth = three_tokens();
    struct auth_identity who;

    assert_true(auth_token_check(auth, SPAN("t-read"), &who));
    assert_int_equal(who.scope, AUTH_READ);
    assert_string_equal(who.name, "read");
    assert_true(auth_token_check(auth, SPAN("t-purge"), &who));
    assert_int_equal(who.scope, AUTH_PURGE);
    static const char *const wrong[] = {"", "t-rea", "t-reads", "T-READ", " t-read", "read"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(auth_token_check(auth, span_str(wrong[i]), &who));
        assert_int_equal(who.scope, AUTH_NONE);
    }
    assert_int_equal(auth_failures(auth), 6);
    auth_close(&auth);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char good[] =
        "a read ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad x\n";
    struct tokens *tokens = mem_new(sizeof(*tokens));
    char text[1024];

    tokens_parse(span_str(good), tokens);
    assert_int_equal(tokens->count, 1);
    assert_int_equal(tokens->fault_count, 0);
    /* cut anywhere: refused, never read past */
    for (size_t cut = 1; cut + 4 < sizeof(good); cut++) {
        char *exact = mem_copy(good, cut);
        tokens_parse(span_of(exact, cut), tokens);
        mem_free(exact);
        assert_int_equal(tokens->count, cut < 71 ? 0 : 1);
        assert_int_equal(tokens->fault_count, cut < 71 ? 1 : 0);
    }
    /* Each bad line is noted, and the good ones around it count. */
    (void)snprintf(text, sizeof(text),
                   "%sa write 00\n\n# x\nb_b read 00\n\xff read 00\nb\nb read 00\n%sb%s", good,
                   good, good + 1);
    tokens_parse(span_str(text), tokens);
    assert_int_equal(tokens->count, 2);
    assert_string_equal(tokens->list[1].name, "b");
    static const struct token_fault faults[] = {
        {2, "second word"}, {5, "the name"},   {6, "the name"},
        {7, "second word"}, {8, "third word"}, {9, "another token has this name"}};
    assert_int_equal(tokens->fault_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(tokens->faults[i].line, faults[i].line);
        assert_non_null(strstr(tokens->faults[i].what, faults[i].what));
    }
    mem_free(tokens);
}

static void test_many_lines(void **state)
{
    (void)state;
    struct tokens *tokens = mem_new(sizeof(*tokens));
    struct buf text;

    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < TOKENS_MAX + 10; i++) {
        buf_printf(&text,
                   "n%u read ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\r\n",
                   i);
    }
    tokens_parse(buf_span(&text), tokens);
    assert_int_equal(tokens->count, TOKENS_MAX);
    assert_int_equal(tokens->fault_count, 10);
    assert_int_equal(tokens->faults[0].line, TOKENS_MAX + 1);
    buf_free(&text);
    mem_free(tokens);
}

static void test_unsafe_file(void **state)
{
    (void)state;
    struct auth *auth = NULL;
    char made[AUTH_TOKEN_BYTES];
    char why[256] = "";

    write_file("", 0644); /* others may read it */
    assert_int_equal(auth_open(path, &auth, made, why, sizeof(why)), ERR_IO);
    assert_non_null(strstr(why, "chmod 600"));
    assert_null(auth);
    write_file("what is this\n", 0600); /* lets nobody in */
    assert_int_equal(auth_open(path, &auth, made, why, sizeof(why)), ERR_OK);
    assert_string_equal(made, "");
    auth_close(&auth);
}

static void test_sessions(void **state)
{
    (void)state;
    struct auth *auth = three_tokens();
    struct auth_identity who;
    struct auth_identity found;
    char cookie[SECRET_CHARS + 1];
    char other[SECRET_CHARS + 1];

    assert_true(auth_token_check(auth, SPAN("t-purge"), &who));
    auth_session_open(auth, 5000, &who, cookie);
    assert_true(auth_session_find(auth, span_str(cookie), 5500, IDLE_MS, &found));
    assert_int_equal(found.scope, AUTH_PURGE);
    assert_string_equal(found.csrf, who.csrf);
    assert_true(auth_csrf_matches(&found, span_str(who.csrf)));
    assert_false(auth_csrf_matches(&found, SPAN("")));
    assert_false(auth_csrf_matches(&found, span_of(who.csrf, SECRET_CHARS - 1)));
    assert_false(auth_csrf_matches(&(struct auth_identity){0}, SPAN("")));
    /* Each use prolongs it; too long a pause ends it for good. */
    assert_true(auth_session_find(auth, span_str(cookie), 6500, IDLE_MS, &found));
    assert_false(auth_session_find(auth, span_str(cookie), 7501, IDLE_MS, &found));
    assert_int_equal(found.scope, AUTH_NONE);
    assert_false(auth_session_find(auth, span_str(cookie), 6600, IDLE_MS, &found));
    auth_session_open(auth, 8000, &who, cookie);
    auth_session_open(auth, 8000, &who, other);
    assert_true(auth_session_is_open(auth, who.session));
    auth_session_close(auth, who.session);
    assert_false(auth_session_is_open(auth, who.session));
    assert_false(auth_session_is_open(auth, 0));
    assert_false(auth_session_find(auth, span_str(other), 8000, IDLE_MS, &found));
    assert_true(auth_session_find(auth, span_str(cookie), 8000, IDLE_MS, &found));
    assert_false(auth_session_find(auth, SPAN(""), 8000, IDLE_MS, &found));
    /* Bounded: the one unused for longest goes. */
    for (unsigned i = 0; i < 64; i++) {
        auth_session_open(auth, 8100 + i, &who, other);
    }
    assert_false(auth_session_find(auth, span_str(cookie), 8200, IDLE_MS, &found));
    assert_true(auth_session_find(auth, span_str(other), 8200, IDLE_MS, &found));
    auth_close(&auth);
}

static void test_removed_token_ends_its_sessions(void **state)
{
    (void)state;
    struct auth *auth = three_tokens();
    struct auth_identity admin;
    struct auth_identity reader;
    struct auth_identity coded;
    char cookie[3][SECRET_CHARS + 1];
    char code[AUTH_CODE_CHARS + 1];
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    char text[256];

    assert_true(auth_token_check(auth, SPAN("t-admin"), &admin));
    auth_session_open(auth, 1, &admin, cookie[0]);
    assert_true(auth_token_check(auth, SPAN("t-read"), &reader));
    auth_session_open(auth, 1, &reader, cookie[1]);
    auth_code_make(auth, 1, code);
    assert_true(auth_code_take(auth, span_str(code), 1, &coded));
    auth_session_open(auth, 1, &coded, cookie[2]);

    struct secret_digest digest = secret_digest(SPAN("t-read"));
    secret_digest_print(&digest, hex);
    (void)snprintf(text, sizeof(text), "read read %s x\n", hex);
    write_file(text, 0600);
    auth_refresh(auth);
    assert_false(auth_session_is_open(auth, admin.session));
    assert_true(auth_session_is_open(auth, reader.session));
    assert_true(auth_session_is_open(auth, coded.session));
    assert_false(auth_token_check(auth, SPAN("t-admin"), &admin));
    /* A file of nothing but broken lines changes nothing; one that is empty does. */
    write_file("broken line\n", 0600);
    auth_refresh(auth);
    assert_true(auth_token_check(auth, SPAN("t-read"), &reader));
    write_file("# none\n", 0600);
    auth_refresh(auth);
    assert_false(auth_token_check(auth, SPAN("t-read"), &reader));
    auth_close(&auth);
}

static void test_codes(void **state)
{
    (void)state;
    struct auth *auth = three_tokens();
    struct auth_identity who;
    char code[AUTH_CODE_CHARS + 1];
    char first[AUTH_CODE_CHARS + 1];

    auth_code_make(auth, 1000, code);
    assert_false(auth_code_take(auth, span_of(code, AUTH_CODE_CHARS - 1), 1000, &who));
    assert_false(auth_code_take(auth, SPAN(""), 1000, &who));
    assert_true(auth_code_take(auth, span_str(code), 1000 + 300000, &who));
    assert_int_equal(who.scope, AUTH_ADMIN);
    assert_false(auth_code_take(auth, span_str(code), 1000, &who)); /* once */
    auth_code_make(auth, 1000, code);
    assert_false(auth_code_take(auth, span_str(code), 1000 + 300001, &who)); /* late */
    assert_false(auth_code_take(auth, span_str(code), 1001, &who));          /* and then spent */
    auth_code_make(auth, 2000, first);
    for (unsigned i = 0; i < 8; i++) {
        auth_code_make(auth, 2001 + i, code);
    }
    assert_false(auth_code_take(auth, span_str(first), 2010, &who));
    assert_true(auth_code_take(auth, span_str(code), 2010, &who));
    auth_close(&auth);
}

static void test_login_limit(void **state)
{
    (void)state;
    struct auth *auth = three_tokens();

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(auth_login_wait_s(auth, "192.0.2.1", 10000 + i), 0);
        auth_login_failed(auth, "192.0.2.1", 10000 + i * 1000);
    }
    assert_int_equal(auth_login_wait_s(auth, "192.0.2.1", 14000), 56);
    assert_int_equal(auth_login_wait_s(auth, "192.0.2.2", 14000), 0);
    assert_int_equal(auth_login_wait_s(auth, "192.0.2.1", 69999), 1);
    assert_int_equal(auth_login_wait_s(auth, "192.0.2.1", 70000), 0); /* a minute after the first */
    auth_login_failed(auth, "192.0.2.1", 70000);
    assert_int_equal(auth_login_wait_s(auth, "192.0.2.1", 70000), 1);
    /* More addresses than there are places: the table stays bounded, the newest are kept. */
    for (unsigned i = 0; i < 1000; i++) {
        char address[32];
        (void)snprintf(address, sizeof(address), "10.0.%u.%u", i / 250, i % 250);
        auth_login_failed(auth, address, 80000 + i);
    }
    for (unsigned i = 0; i < 4; i++) {
        auth_login_failed(auth, "10.0.3.249", 81000);
    }
    assert_int_equal(auth_login_wait_s(auth, "10.0.3.249", 81000), 60);
    auth_close(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test_setup_teardown(test_first_start, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_tokens, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_bad_lines, fresh_folder, drop_folder),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test_setup_teardown(test_unsafe_file, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_sessions, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_removed_token_ends_its_sessions, fresh_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(test_codes, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_login_limit, fresh_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
