#ifndef CONF_CONF_ANSWER_H
#define CONF_CONF_ANSWER_H
/* conf_answer - the parts of a snapshot (conf.h, which includes this) about paths at the origin, and
 * about what is answered without it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct conf_match;

/* What a path that can be written in several ways counts as. */
enum conf_normalize {
    CONF_NORMALIZE_AUTO, /* FOLD where the site's settings look at paths, else OFF */
    CONF_NORMALIZE_OFF,
    CONF_NORMALIZE_REJECT,
    CONF_NORMALIZE_FOLD,
};

/* Other paths at the origin. Prefixes: whole segments, no "/" at the end; "": none. */
struct conf_rewrite {
    const char *strip_prefix;
    const char *add_prefix;
    bool redirect_rewrite; /* Location and Content-Location back again */
};

/* Bytes to send, read with the configuration. */
struct conf_page {
    const char *text; /* as written: the path, or the text itself */
    const char *path; /* NULL: it is a text */
    const char *type; /* media type */
    struct span body; /* at most 1 MiB; empty when loaded with CONF_SEALED or CONF_PORTABLE */
    uint64_t tag[2];  /* of the bytes, the same on every machine */
    bool names_type;
};

struct conf_redirect {
    enum {
        CONF_REDIRECT_OFF,
        CONF_REDIRECT_PLACE, /* same path and query, at another scheme or host */
        CONF_REDIRECT_URL,
    } kind;
    bool https;          /* PLACE: clients that come without */
    uint32_t https_port; /* to name; 0: none */
    const char *host;    /* PLACE: to be asked for, with or without port; NULL: any */
    uint16_t status;     /* URL: 301, 302, 303, 307, 308 */
    const char *url;     /* with {host}, {path} and {query} (template.h) */
};

struct conf_respond {
    uint16_t status;       /* 0: off */
    struct conf_page page; /* text NULL: nothing */
};

struct conf_error_page {
    const struct conf_match *statuses;
    size_t status_count;
    bool intercept; /* also in place of what the origin says with this status */
    struct conf_page page;
};
#endif
