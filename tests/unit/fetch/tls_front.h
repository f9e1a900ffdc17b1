#ifndef TESTS_UNIT_FETCH_TLS_FRONT_H
#define TESTS_UNIT_FETCH_TLS_FRONT_H
/*
 * tls_front - TLS before the scripted origin: certificates made on the spot, a thread per
 * connection that carries the bytes to and from the origin's plain port. Header only.
 */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "kit.h"

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by issuer, by itself without one. names: as of subjectAltName; NULL: it is a CA. Valid from
 * so many seconds from now to so many. */
static inline struct identity identity_new(const struct identity *issuer, const char *subject,
                                           const char *names, long from_s, long to_s)
{
    static long serial;
    struct identity new = {EVP_EC_gen("P-256"), X509_new()};
    struct identity signer = issuer == NULL ? new : *issuer;
    X509_NAME *name = X509_get_subject_name(new.certificate);

    assert_int_equal(X509_set_version(new.certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(new.certificate), ++serial);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
    X509_set_issuer_name(new.certificate, X509_get_subject_name(signer.certificate));
    X509_gmtime_adj(X509_getm_notBefore(new.certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(new.certificate), to_s);
    X509_set_pubkey(new.certificate, new.key);
    if (names == NULL) {
        certificate_extend(new.certificate, signer.certificate, NID_basic_constraints,
                           "critical,CA:TRUE");
    } else {
        certificate_extend(new.certificate, signer.certificate, NID_subject_alt_name, names);
    }
    assert_true(X509_sign(new.certificate, signer.key, EVP_sha256()) > 0);
    return new;
}

static inline void identity_drop(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static inline X509_STORE *store_of(const struct identity *ca)
{
    X509_STORE *store = X509_STORE_new();

    assert_int_equal(X509_STORE_add_cert(store, ca->certificate), 1);
    return store;
}

struct tls_front {
    SSL_CTX *context;
    int fd;
    unsigned inner_port; /* the plain origin */
    unsigned port;
    pthread_t thread;
    pthread_t workers[ORIGIN_CONNECTIONS_MAX];
    _Atomic unsigned connections;
    _Atomic bool stopping;
    /* what was seen */
    _Atomic unsigned handshakes, resumed, certified;
    char name[128]; /* SNI of the last one; read once its fetch is done */
};

struct tls_front_conn {
    struct tls_front *front;
    int fd;
};

/* False: one of them has ended. */
static bool tls_front_carry(SSL *ssl, int plain)
{
    static _Thread_local char data[40000];
    struct pollfd wait[2] = {{.fd = SSL_get_fd(ssl), .events = POLLIN},
                             {.fd = plain, .events = POLLIN}};

    if (SSL_pending(ssl) == 0 && poll(wait, 2, 20) <= 0) {
        return true;
    }
    if (SSL_pending(ssl) > 0 || wait[0].revents != 0) {
        int got = SSL_read(ssl, data, sizeof(data));
        if (got <= 0 || send(plain, data, (size_t)got, MSG_NOSIGNAL) != got) {
            return false;
        }
    }
    if (wait[1].revents != 0) {
        ssize_t got = recv(plain, data, sizeof(data), 0);
        if (got <= 0 || SSL_write(ssl, data, (int)got) != got) {
            return false;
        }
    }
    return true;
}

static void *tls_front_conn_run(void *arg)
{
    struct tls_front_conn *conn = arg;
    struct tls_front *front = conn->front;
    struct sockaddr_in inner = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)front->inner_port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SSL *ssl = SSL_new(front->context);
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    SSL_set_fd(ssl, conn->fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        X509 *peer = SSL_get1_peer_certificate(ssl);
        (void)snprintf(front->name, sizeof(front->name), "%s", name == NULL ? "" : name);
        atomic_fetch_add(&front->resumed, SSL_session_reused(ssl) ? 1 : 0);
        atomic_fetch_add(&front->certified, peer != NULL ? 1 : 0);
        atomic_fetch_add(&front->handshakes, 1);
        X509_free(peer);
        assert_int_equal(connect(plain, (struct sockaddr *)&inner, sizeof(inner)), 0);
        while (!atomic_load(&front->stopping) && tls_front_carry(ssl, plain)) {
        }
        (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(plain);
    close(conn->fd);
    mem_free(conn);
    return NULL;
}

static void *tls_front_run(void *arg)
{
    struct tls_front *front = arg;
    int one = 1;

    while (!atomic_load(&front->stopping)) {
        struct pollfd wait = {.fd = front->fd, .events = POLLIN};
        if (poll(&wait, 1, 20) != 1) {
            continue;
        }
        struct tls_front_conn *conn = mem_new(sizeof(*conn));
        conn->front = front;
        conn->fd = accept(front->fd, NULL, NULL);
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        unsigned at = atomic_fetch_add(&front->connections, 1);
        assert_true(at < ORIGIN_CONNECTIONS_MAX);
        assert_int_equal(thread_start(&front->workers[at], "front", tls_front_conn_run, conn),
                         ERR_OK);
    }
    return NULL;
}

/* demands: a certificate of this CA from whoever connects; NULL: none is asked for. */
static inline struct tls_front *tls_front_start(const struct identity *identity,
                                                const struct identity *demands, unsigned inner_port)
{
    struct tls_front *front = mem_new(sizeof(*front));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    front->inner_port = inner_port;
    front->context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(front->context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(front->context, identity->key), 1);
    assert_int_equal(SSL_CTX_set_session_id_context(front->context, (const unsigned char *)"t", 1),
                     1);
    if (demands != NULL) {
        SSL_CTX_set0_verify_cert_store(front->context, store_of(demands));
        SSL_CTX_set_verify(front->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    front->fd = origin_bind(&address, 128);
    front->port = ntohs(address.sin_port);
    assert_int_equal(thread_start(&front->thread, "front", tls_front_run, front), ERR_OK);
    return front;
}

static inline void tls_front_stop(struct tls_front *front)
{
    atomic_store(&front->stopping, true);
    assert_int_equal(pthread_join(front->thread, NULL), 0);
    for (unsigned i = 0; i < atomic_load(&front->connections); i++) {
        assert_int_equal(pthread_join(front->workers[i], NULL), 0);
    }
    close(front->fd);
    SSL_CTX_free(front->context);
    mem_free(front);
}
#endif
