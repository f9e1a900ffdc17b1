#ifndef CONF_CONF_TLS_H
#define CONF_CONF_TLS_H
/* conf_tls - the part of conf.h that says how connections to origins are made; belongs to the
 * snapshot as everything there. */
#include <stdbool.h>
#include <stdint.h>

/* Of OpenSSL. */
struct x509_store_st;
struct x509_st;
struct stack_st_X509;
struct evp_pkey_st;

/* What a file, or a file and that of its key, held. */
struct conf_certificate {
    struct conf_certificate *next; /* private */
    char *path;                    /* NULL: the machine's own CAs */
    char *key_path;                /* NULL: certificates to believe */
    uint64_t id;                   /* of all bytes of the files */
    struct x509_store_st *trust;   /* to believe, or NULL */
    struct x509_st *certificate;   /* to show, or NULL */
    struct stack_st_X509 *chain;   /* behind it, or NULL */
    struct evp_pkey_st *key;       /* of certificate */
};

/* How servers with https:// are spoken to. */
struct conf_origin_tls {
    bool no_verify;
    bool only_13;     /* TLS 1.3 or nothing; else 1.2 will do */
    const char *name; /* to expect and to send as SNI; NULL: the host in the server's URL */
    const char *ca;   /* files; NULL: not set. key: as cert when it is not */
    const char *cert;
    const char *key;
    const struct conf_certificate *trust;    /* NULL without ca */
    const struct conf_certificate *identity; /* NULL without cert */
};

/* Connections kept for later. */
struct conf_keepalive {
    uint32_t count; /* of one server, in each worker */
    uint64_t idle_ms;
};

/* What a connection to a server begins with, to say whose request it carries. */
enum conf_proxy_protocol {
    CONF_PROXY_PROTOCOL_OFF,
    CONF_PROXY_PROTOCOL_V1,
    CONF_PROXY_PROTOCOL_V2,
};
#endif
