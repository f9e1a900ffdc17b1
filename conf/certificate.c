/* certificate - see certificate.h. */
#include "conf/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define FILE_BYTES_MAX ((size_t)8 << 20)

/* What distributions call the file of the CAs they believe. */
static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

/* ---- files ---- */

static const char *read_problem(int error)
{
    switch (error) {
    case ENOENT:
        return "cannot be read: there is no such file";
    case EACCES:
        return "cannot be read: permission denied";
    case EISDIR:
        return "cannot be read: it is a folder";
    case EFBIG:
        return "cannot be read: it is larger than 8M";
    default:
        return "cannot be read";
    }
}

/* The whole of a file; NULL: *problem. */
static char *file_read(const char *path, size_t *len, const char **problem)
{
    char *data = mem_try(FILE_BYTES_MAX);
    FILE *file = fopen(path, "re");

    *problem = read_problem(file == NULL ? errno : 0);
    *len = 0;
    if (file != NULL && data != NULL) {
        *len = fread(data, 1, FILE_BYTES_MAX, file);
        *problem = read_problem(ferror(file) != 0 ? errno : EFBIG);
        if (ferror(file) == 0 && *len < FILE_BYTES_MAX) {
            *problem = NULL;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (*problem != NULL) {
        mem_free(data);
        return NULL;
    }
    return data;
}

/* What OpenSSL takes for a password instead of asking on the terminal: a key that has one is of no
 * use. */
static char no_password[] = "";

/* The next certificate in what is being read, or NULL. */
static X509 *certificate_next(BIO *text)
{
    X509 *certificate = PEM_read_bio_X509_AUX(text, NULL, NULL, no_password);

    ERR_clear_error();
    return certificate;
}

/* ---- what they hold ---- */

static bool trust_parse(struct conf_certificate *into, const char *data, size_t len)
{
    BIO *text = BIO_new_mem_buf(data, (int)len);
    X509 *certificate;
    size_t count = 0;

    CHECK(text != NULL);
    into->trust = X509_STORE_new();
    CHECK(into->trust != NULL);
    while ((certificate = certificate_next(text)) != NULL) {
        count += X509_STORE_add_cert(into->trust, certificate) == 1 ? 1 : 0;
        X509_free(certificate);
    }
    ERR_clear_error();
    BIO_free(text);
    return count > 0;
}

/* The first certificate is the one shown, the others go behind it. */
static bool shown_parse(struct conf_certificate *into, const char *data, size_t len)
{
    BIO *text = BIO_new_mem_buf(data, (int)len);
    X509 *certificate;

    CHECK(text != NULL);
    into->certificate = certificate_next(text);
    while (into->certificate != NULL && (certificate = certificate_next(text)) != NULL) {
        if (into->chain == NULL) {
            into->chain = sk_X509_new_null();
        }
        CHECK(into->chain != NULL && sk_X509_push(into->chain, certificate) > 0);
    }
    BIO_free(text);
    return into->certificate != NULL;
}

static bool key_parse(struct conf_certificate *into, const char *data, size_t len)
{
    BIO *text = BIO_new_mem_buf(data, (int)len);

    CHECK(text != NULL);
    into->key = PEM_read_bio_PrivateKey(text, NULL, NULL, no_password);
    ERR_clear_error();
    BIO_free(text);
    return into->key != NULL;
}

/* ---- the list ---- */

static bool path_is(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct conf_certificate *list_find(const struct conf_certificates *list,
                                                const char *path, const char *key_path)
{
    for (const struct conf_certificate *at = list->first; at != NULL; at = at->next) {
        if (path_is(at->path, path) && path_is(at->key_path, key_path)) {
            return at;
        }
    }
    return NULL;
}

static struct conf_certificate *list_add(struct conf_certificates *list, const char *path,
                                         const char *key_path)
{
    struct conf_certificate *new = mem_new(sizeof(*new));

    new->path = path == NULL ? NULL : mem_copy(path, strlen(path));
    new->key_path = key_path == NULL ? NULL : mem_copy(key_path, strlen(key_path));
    new->next = list->first;
    list->first = new;
    return new;
}

static void list_drop_first(struct conf_certificates *list)
{
    struct conf_certificate *first = list->first;

    list->first = first->next;
    X509_STORE_free(first->trust);
    X509_free(first->certificate);
    sk_X509_pop_free(first->chain, X509_free);
    EVP_PKEY_free(first->key);
    mem_free(first->path);
    mem_free(first->key_path);
    mem_free(first);
}

void conf_certificates_free(struct conf_certificates *list)
{
    while (list->first != NULL) {
        list_drop_first(list);
    }
}

/* Two kinds of use of one file are two entries that never meet: only one of them has a key. */
static uint64_t content_id(struct span first, struct span second)
{
    const struct span parts[] = {first, second};

    return hash64_parts((struct hash_seed){0}, parts, ARRAY_LEN(parts));
}

/* ---- reading ---- */

/* The machine's own CAs. */
static char *system_read(size_t *len, const char **problem)
{
    const char *named = getenv("SSL_CERT_FILE"); /* NOLINT(concurrency-mt-unsafe): only read */
    char *data = named == NULL ? NULL : file_read(named, len, problem);

    for (size_t i = 0; data == NULL && named == NULL && i < ARRAY_LEN(system_files); i++) {
        data = file_read(system_files[i], len, problem);
    }
    return data;
}

enum err conf_certificate_trust(struct conf_certificates *list, const char *path,
                                const struct conf_certificate **out, const char **problem)
{
    size_t len;

    *problem = NULL;
    *out = list_find(list, path, NULL);
    if (*out != NULL) {
        return ERR_OK;
    }
    char *data = path == NULL ? system_read(&len, problem) : file_read(path, &len, problem);
    if (data == NULL) {
        return ERR_IO;
    }
    struct conf_certificate *new = list_add(list, path, NULL);
    new->id = content_id(span_of(data, len), (struct span){0});
    bool good = trust_parse(new, data, len);
    mem_free(data);
    if (!good) {
        list_drop_first(list);
        *problem = "holds no certificate in PEM form";
        return ERR_SYNTAX;
    }
    if (path != NULL) {
        /* What the operator names is believed itself, also when another CA stands above it. */
        (void)X509_STORE_set_flags(new->trust, X509_V_FLAG_PARTIAL_CHAIN);
    }
    *out = new;
    return ERR_OK;
}

/* The problem, or NULL. */
static const char *identity_parse(struct conf_certificate *into, struct span certificate,
                                  struct span key, const char **blamed)
{
    *blamed = into->path;
    if (!shown_parse(into, certificate.ptr, certificate.len)) {
        return "holds no certificate in PEM form";
    }
    *blamed = into->key_path;
    if (!key_parse(into, key.ptr, key.len)) {
        return "holds no private key in PEM form, or one with a password";
    }
    bool fits = X509_check_private_key(into->certificate, into->key) == 1;
    ERR_clear_error();
    return fits ? NULL : "holds the key of another certificate";
}

enum err conf_certificate_identity(struct conf_certificates *list, const char *path,
                                   const char *key_path, const struct conf_certificate **out,
                                   const char **blamed, const char **problem)
{
    size_t len;
    size_t key_len;

    *problem = NULL;
    *out = list_find(list, path, key_path);
    if (*out != NULL) {
        return ERR_OK;
    }
    *blamed = path;
    char *data = file_read(path, &len, problem);
    if (data == NULL) {
        return ERR_IO;
    }
    *blamed = key_path;
    char *key = file_read(key_path, &key_len, problem);
    if (key == NULL) {
        mem_free(data);
        return ERR_IO;
    }
    struct conf_certificate *new = list_add(list, path, key_path);
    new->id = content_id(span_of(data, len), span_of(key, key_len));
    *problem = identity_parse(new, span_of(data, len), span_of(key, key_len), blamed);
    *blamed = *blamed == new->path ? path : key_path; /* the caller's, which stay */
    explicit_bzero(key, key_len);
    mem_free(key);
    mem_free(data);
    if (*problem != NULL) {
        list_drop_first(list);
        return ERR_SYNTAX;
    }
    *out = new;
    return ERR_OK;
}
