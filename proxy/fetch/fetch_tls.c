/*
 * fetch_tls - TLS with origins: what a connection's handle and its SSL_CTX are told before the
 * handshake, and what a handshake that failed means.
 *
 * libcurl drives the handshake and the records; who is believed is said to OpenSSL itself, with
 * trust and certificates that were read with the configuration. libcurl reads no file then, checks
 * nothing twice, and has no store of its own in between. The name is part of the verification
 * (RFC 9110 4.3.4: of the subject alternative names only).
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

static const unsigned char alpn_both[] = "\x02h2\x08http/1.1";
static const unsigned char alpn_http1[] = "\x08http/1.1";

/* ---- the settings, as a peer keeps them ---- */

void fetch_tls_copy(struct fetch_tls *to, const struct fetch_tls *from)
{
    *to = *from;
    to->name = mem_copy(from->name, strlen(from->name));
    if (to->trust != NULL) {
        CHECK(X509_STORE_up_ref(to->trust) == 1);
    }
    if (to->certificate != NULL) {
        CHECK(X509_up_ref(to->certificate) == 1);
        CHECK(EVP_PKEY_up_ref(to->key) == 1);
    }
    to->chain = from->chain == NULL ? NULL : X509_chain_up_ref(from->chain);
}

void fetch_tls_drop(struct fetch_tls *tls)
{
    mem_free((char *)tls->name);
    X509_STORE_free(tls->trust);
    X509_free(tls->certificate);
    EVP_PKEY_free(tls->key);
    sk_X509_pop_free(tls->chain, X509_free);
    *tls = (struct fetch_tls){0};
}

bool fetch_tls_is_same(const struct fetch_tls *a, const struct fetch_tls *b)
{
    return a->verify == b->verify && a->min_version == b->min_version && a->id == b->id &&
           strcmp(a->name, b->name) == 0;
}

/* ---- before the handshake ---- */

/* The certificate must be valid for this name, or address. */
static bool fetch_tls_expect(SSL_CTX *context, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

static bool fetch_tls_identify(SSL_CTX *context, const struct fetch_tls *tls)
{
    return SSL_CTX_use_certificate(context, tls->certificate) == 1 &&
           SSL_CTX_use_PrivateKey(context, tls->key) == 1 &&
           (tls->chain == NULL || SSL_CTX_set1_chain(context, tls->chain) == 1);
}

/* What OpenSSL has to say on the way. libcurl's error text is the first one of a connection, not
 * the one that matters. */
static void fetch_tls_note(const SSL *ssl, int where, int value)
{
    struct fetch_conn *conn = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (where == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY) {
        conn->alert = value;
    }
    if (where == SSL_CB_HANDSHAKE_DONE) {
        const unsigned char *chosen;
        unsigned len;
        SSL_get0_alpn_selected(ssl, &chosen, &len);
        conn->speaks_h2 = len == 2 && memcmp(chosen, "h2", 2) == 0;
    }
}

/* CURLOPT_SSL_CTX_FUNCTION: libcurl has made its settings and hands its SSL_CTX over. */
static CURLcode fetch_tls_context(CURL *easy, void *ctx, void *arg)
{
    SSL_CTX *context = ctx;
    struct fetch_conn *conn = arg;
    const struct fetch_tls *tls = &conn->peer->tls;
    bool good = true;

    (void)easy;
    /* Asking for a second handshake in the middle of a response is a thing of the past (it is not
     * in TLS 1.3), and reading would have to wait for room to write. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_app_data(context, conn);
    SSL_CTX_set_info_callback(context, fetch_tls_note);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    good = SSL_CTX_set_min_proto_version(context, (int)tls->min_version) == 1 &&
           SSL_CTX_set_alpn_protos(context, conn->is_shared ? alpn_both : alpn_http1,
                                   (conn->is_shared ? sizeof(alpn_both) : sizeof(alpn_http1)) -
                                       1) == 0;
    if (good && tls->certificate != NULL) {
        good = fetch_tls_identify(context, tls);
    }
    if (good && tls->verify) {
        SSL_CTX_set1_cert_store(context, tls->trust);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        good = fetch_tls_expect(context, tls->name);
    }
    return good ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

bool fetch_tls_setup(struct fetch_conn *conn)
{
    CURL *easy = conn->easy;

    return curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, fetch_tls_context) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, conn) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           /* It keeps whatever store it finds in the SSL_CTX for all others otherwise. */
           curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SHARE, conn->peer->sessions) == CURLE_OK;
}

/* ---- what went wrong ---- */

/* In words, for the log. */
static const char *fetch_tls_verdict(long verify)
{
    switch (verify) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "is for another name";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "is of an unknown CA";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "is signed by itself and not in ca";
    default:
        return X509_verify_cert_error_string(verify);
    }
}

/* "error:0A000410:SSL routines::sslv3 alert handshake failure": what stands behind the colons. */
static const char *fetch_tls_reason(const char *text)
{
    const char *at = strstr(text, "SSL routines::");

    return at == NULL ? text : at + strlen("SSL routines::");
}

bool fetch_tls_refused(const struct fetch_conn *conn, char *out, size_t size)
{
    if (conn->alert == 0) {
        return false;
    }
    (void)snprintf(out, size, "the origin refused, by TLS alert: %s",
                   SSL_alert_desc_string_long(conn->alert));
    return true;
}

enum fetch_fault fetch_tls_fault(const struct fetch_conn *conn, CURLcode code, char *out,
                                 size_t size)
{
    long verify = X509_V_OK;

    (void)curl_easy_getinfo(conn->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
    if (fetch_tls_refused(conn, out, size)) {
        return FETCH_TLS;
    }
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        (void)snprintf(out, size, "the origin's certificate %s", fetch_tls_verdict(verify));
        return FETCH_TLS_CERTIFICATE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CLIENTCERT:
        (void)snprintf(out, size, "no TLS with the origin: %s", fetch_tls_reason(conn->error));
        return FETCH_TLS;
    default:
        return FETCH_OK;
    }
}
