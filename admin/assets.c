/* assets - the dashboard's files, from the program or, while it is developed, from a folder. */
#include "www/assets.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/file.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"

#define ASSET_FILE_MAX_BYTES ((off_t)8 << 20)

/* Does the list of Accept-Encoding take gzip (RFC 9110 12.5.3)? */
static bool accepts_gzip(const char *value)
{
    struct span left = span_str(value);

    while (left.len > 0) {
        const char *comma = memchr(left.ptr, ',', left.len);
        size_t len = comma == NULL ? left.len : (size_t)(comma - left.ptr);
        struct span item = span_trim(span_of(left.ptr, len));
        left.ptr += len + (comma != NULL);
        left.len -= len + (comma != NULL);
        if (item.len >= 4 && span_eq_nocase(span_of(item.ptr, 4), SPAN("gzip"))) {
            struct span weight = span_trim(span_of(item.ptr + 4, item.len - 4));
            const char *zero = memmem(weight.ptr, weight.len, "q=0", 3);
            bool refused = zero != NULL &&
                           strspn(zero + 3, ".0") == (size_t)(weight.ptr + weight.len - zero) - 3;
            return (weight.len == 0 || weight.ptr[0] == ';') && !refused;
        }
    }
    return false;
}

/* Is one of the tags in If-None-Match ours? Weak comparison (RFC 9110 8.8.3.2): the tag with its
 * quotes cannot be part of another one. */
static bool etag_matches(const char *value, const char *etag)
{
    return value != NULL && (strcmp(value, "*") == 0 || strstr(value, etag) != NULL);
}

static const char *mime_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
        {".json", "application/json"},         {".png", "image/png"},
        {".map", "application/json"},          {".woff2", "font/woff2"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++) {
        if (strcmp(dot, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return "application/octet-stream";
}

/* Only plain names: no "..", no hidden file, nothing to be decoded. */
static bool path_is_plain(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        char c = ascii_lower(*at);
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                    c == '/' || (c == '.' && at != path && at[-1] != '/');
        if (!good) {
            return false;
        }
    }
    return true;
}

static void file_get(struct admin_request *request, const char *folder, const char *path)
{
    char name[4096];
    struct stat facts;
    int fd = -1;

    if (path_is_plain(path) &&
        snprintf(name, sizeof(name), "%s%s", folder, path) < (int)sizeof(name)) {
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) ||
        facts.st_size > ASSET_FILE_MAX_BYTES) {
        problem_reply(request, PROBLEM_NOT_FOUND, "no file %s in www_dir", path);
    } else {
        (void)file_read_fd(fd, reply_begin(request, 200, mime_of(path)));
        reply_header(request, "Cache-Control", "no-cache");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void asset_get(struct admin_request *request)
{
    const char *folder = request->conf->admin.www_dir;

    if (folder != NULL) {
        file_get(request, folder, strcmp(request->path, "/") == 0 ? "/index.html" : request->path);
        return;
    }
    const struct www_asset *asset = www_asset_find(request->path);
    if (asset == NULL) {
        problem_reply(request, PROBLEM_NOT_FOUND, "no file %s", request->path);
        return;
    }
    bool zip = asset->gzip != NULL && accepts_gzip(request_header(request, "Accept-Encoding"));
    const char *etag = zip ? asset->gzip_etag : asset->etag;
    bool same = etag_matches(request_header(request, "If-None-Match"), etag);
    (void)reply_begin(request, same ? 304 : 200, same ? NULL : asset->mime);
    if (!same) {
        request->reply.fixed = zip ? span_of((const char *)asset->gzip, asset->gzip_len)
                                   : span_of((const char *)asset->raw, asset->raw_len);
    }
    reply_header(request, "ETag", "%s", etag);
    reply_header(request, "Cache-Control", "%s",
                 asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (asset->gzip != NULL) {
        reply_header(request, "Vary", "Accept-Encoding");
        if (zip && !same) {
            reply_header(request, "Content-Encoding", "gzip");
        }
    }
}
