/* How origins with https:// are spoken to: files of certificates and keys, read with the
 * configuration. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/certificate.h"
#include "conf_test.h"
#include "tests/unit/remove_tree.h"

static char folder[] = "/tmp/larder-tls-XXXXXX";

static EVP_PKEY *pair_write(const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *file;

    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 1000);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    file = fopen(certificate_path, "we");
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = fopen(key_path, "we");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    return key;
}

static int files_make(void **state)
{
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    EVP_PKEY *key = pair_write("a.pem", "a.key");
    file = fopen("locked.key", "we");
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), (unsigned char *)"secret",
                                          6, NULL, NULL),
                     1);
    fclose(file);
    EVP_PKEY_free(key);
    EVP_PKEY_free(pair_write("b.pem", "b.key"));
    file = fopen("none.pem", "we");
    fputs("nothing of the kind\n", file);
    fclose(file);
    assert_int_equal(system("cat a.pem b.pem a.key > all.pem"), 0);
    return 0;
}

static int files_remove(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    test_remove_tree(folder);
    return 0;
}

/* The problems of a configuration whose pool has this line; "FOLDER/" in it is the folder. */
static struct conf *load(const char *line, struct buf *problems)
{
    char text[2000];
    char words[1000] = "";
    struct conf *conf;

    for (const char *at = line; *at != '\0'; at++) {
        size_t len = strlen(words);
        if (*at == '@') {
            (void)snprintf(words + len, sizeof(words) - len, "%s", folder);
        } else {
            words[len] = *at;
        }
    }
    (void)snprintf(
        text, sizeof(text),
        "listen :80; state_dir /tmp; store { path off; } admin { listen off; socket off; "
        "tokens /tmp/tokens; }\nsite * { origins { server a https://a.test;\n%s } }",
        words);
    text_load(span_str(text), 0, &conf, problems);
    return conf;
}

static void test_files_are_read(void **state)
{
    static const struct {
        const char *line;
        const char *problem; /* NULL: it loads */
    } rows[] = {
        {"tls ca=@/a.pem;", NULL},
        {"tls ca=@/all.pem;", NULL},
        {"tls ca=@/a.pem cert=@/b.pem key=@/b.key;", NULL},
        {"tls ca=@/a.pem cert=@/all.pem;", NULL},
        {"tls verify=off;", NULL},
        {"tls ca=@/no.pem;", "no.pem\" cannot be read: there is no such file"},
        {"tls ca=@/none.pem;", "none.pem\" holds no certificate in PEM form"},
        {"tls verify=off cert=@/none.pem key=@/a.key;", "none.pem\" holds no certificate in PEM"},
        {"tls verify=off cert=@/a.pem;", "a.pem\" holds no private key in PEM form"},
        {"tls verify=off cert=@/a.pem key=@/locked.key;",
         "locked.key\" holds no private key in PEM form, or one with a password"},
        {"tls verify=off cert=@/a.pem key=@/b.key;",
         "b.key\" holds the key of another certificate"},
        {"tls verify=off cert=@/a.pem key=@/no.key;",
         "no.key\" cannot be read: there is no such file"},
        {"tls verify=off key=@/a.key;", "\"key\" needs \"cert\": the certificate it belongs to"},
        {"tls ca=a.pem;", "\"a.pem\" is not an absolute path"},
        {"tls name=a:80;", "\"a:80\" is not a host name or IPv4 address"},
        {"tls name;", "\"name\" needs a value: name=VALUE"},
        {"tls ca=;", "\"ca\" needs a value: ca=VALUE"},
        {"tls verify=off verify=on;", "\"verify\" is set twice in this \"tls\"; remove one"},
        {"tls min=1.1;", "\"1.1\""},
        {"tls cu=/a;", "\"cu\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf problems;
        buf_init(&problems, TEXT_BYTES);
        buf_puts(&problems, "");
        struct conf *conf = load(rows[i].line, &problems);
        if (rows[i].problem == NULL ? conf == NULL
                                    : strstr(problems.data, rows[i].problem) == NULL) {
            fail_msg("%s\ngives %s", rows[i].line, problems.data);
        }
        conf_unref(conf);
        buf_free(&problems);
    }
}

static void test_what_is_kept(void **state)
{
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    struct conf *conf = load(
        "tls name=App.Test ca=@/a.pem cert=@/all.pem min=1.3; keepalive 5 idle=10s;", &problems);
    assert_non_null(conf);
    const struct conf_origins *pool = &conf->sites[0].origins;
    assert_true(pool->servers[0].has_tls);
    assert_int_equal(pool->servers[0].port, 443);
    assert_string_equal(pool->tls.name, "app.test");
    assert_true(pool->tls.only_13 && !pool->tls.no_verify);
    assert_non_null(pool->tls.trust->trust);
    assert_non_null(pool->tls.identity->certificate);
    assert_int_equal(sk_X509_num(pool->tls.identity->chain), 1);
    assert_true(pool->tls.trust->id != pool->tls.identity->id);
    assert_null(conf->system_trust);
    assert_int_equal(pool->keepalive.count, 5);
    assert_int_equal(pool->keepalive.idle_ms, 10000);
    conf_unref(conf);
    conf = load("", &problems);
    assert_non_null(conf);
    assert_non_null(conf->system_trust);
    conf_unref(conf);
    /* A machine without CAs. */
    assert_int_equal(setenv("SSL_CERT_FILE", "/no/such/file", 1), 0);
    assert_null(load("", &problems));
    assert_non_null(strstr(problems.data, "2:29 no CAs to check certificates of servers by"));
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_read),
        cmocka_unit_test(test_what_is_kept),
    };
    return cmocka_run_group_tests(tests, files_make, files_remove);
}
