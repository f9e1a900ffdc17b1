#ifndef WWW_ASSETS_H
#define WWW_ASSETS_H
/*
 * assets - the dashboard's files, embedded in the program at build time (www/build.cmake).
 *
 * Each file is there as it is and, where that is smaller, compressed by gzip. When the program was
 * built without node, one plain page says so and the rest is absent.
 *
 * Threads: any; everything is constant. Ownership: static storage, never freed.
 * Errors: an unknown path is NULL.
 */
#include <stdbool.h>
#include <stddef.h>

struct www_asset {
    const char *path; /* begins with '/', e.g. "/index.html" */
    const char *mime; /* value of Content-Type, with charset where it is text */
    const char *etag; /* strong, with its quotes, of the raw form */
    const unsigned char *raw;
    size_t raw_len;            /* bytes */
    const unsigned char *gzip; /* NULL: only the raw form exists */
    size_t gzip_len;           /* bytes */
    bool immutable;            /* the name holds a hash of the content: may be kept for ever */
    const char *gzip_etag;     /* strong, of the gzip form; RFC 9110 8.8.3.3 wants another one */
};

/* The file for a request path without query; "/" is "/index.html". NULL when there is none. */
const struct www_asset *www_asset_find(const char *path);

/* The whole table, ordered by path, for tests and listings. */
const struct www_asset *www_asset_list(size_t *count);

#endif
