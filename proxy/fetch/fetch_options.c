/*
 * fetch_options - what libcurl is told, and the few things it is told again per request.
 *
 * Constant options are set once per handle. The URL names the origin only and is set when a handle
 * changes its origin; the path travels as the request target, verbatim. Header lines are a list in
 * our own memory, rebuilt in place.
 *
 * Each option here answers a trap: libcurl obeys http_proxy unless told otherwise, adds Accept,
 * waits a second for 100 (Continue), and repeats any request on a reused connection found dead,
 * POST too, hence a fresh connection for all that must not be repeated.
 */
#include "base/mem.h"
#include "fetch/fetch_private.h"

#define FETCH_DNS_CACHE_S 60L

bool fetch_url_write(char out[FETCH_URL_BYTES], const struct fetch_origin *origin)
{
    bool is_v6 = strchr(origin->host, ':') != NULL;
    int len = snprintf(out, FETCH_URL_BYTES, is_v6 ? "http://[%s]:%u/" : "http://%s:%u/",
                       origin->host, origin->port);

    return len > 0 && len < FETCH_URL_BYTES;
}

bool fetch_options_init(struct fetch *fetch)
{
    CURL *easy = fetch->easy;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_BUFFERSIZE, FETCH_BUFFER_BYTES},
        {CURLOPT_DNS_CACHE_TIMEOUT, FETCH_DNS_CACHE_S},
        {CURLOPT_TCP_NODELAY, 1},
    };
    bool good = true;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        good = curl_easy_setopt(easy, numbers[i].option, numbers[i].value) == CURLE_OK && good;
    }
    good = curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fetch_on_head) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fetch_on_data) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_READFUNCTION, fetch_on_body) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_READDATA, fetch) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, fetch_on_connected) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_PREREQDATA, fetch) == CURLE_OK && good;
    good =
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fetch_socket_open) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch->pool) == CURLE_OK && good;
    good =
        curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, fetch_socket_close) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->pool) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error) == CURLE_OK && good;
    good = curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch) == CURLE_OK && good;
    return good;
}

/* ---- request text ---- */

static char *fetch_text_put(char *at, struct span text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    at[text.len] = '\0';
    return at + text.len + 1;
}

static bool fetch_text_reserve(struct fetch *fetch, const struct fetch_request *request)
{
    size_t bytes = request->target.len + request->host.len + request->method.len + 16;
    unsigned lines = request->line_count + 3; /* Host, Accept, Expect */

    for (unsigned i = 0; i < request->line_count; i++) {
        bytes += request->lines[i].len + 2;
    }
    if (bytes > fetch->text_capacity) {
        char *grown = mem_try(bytes * 2);
        if (grown == NULL) {
            return false;
        }
        mem_free(fetch->text);
        fetch->text = grown;
        fetch->text_capacity = bytes * 2;
    }
    if (lines > fetch->lines_capacity) {
        struct curl_slist *grown = mem_try(lines * 2 * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        mem_free(fetch->lines);
        fetch->lines = grown;
        fetch->lines_capacity = lines * 2;
    }
    return true;
}

/* libcurl takes "Name:" for a field to leave out; an empty one is written "Name;". */
static char *fetch_line_put(char *at, struct span line)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    CHECK(colon != NULL);
    size_t name_len = (size_t)(colon - line.ptr);
    struct span value = span_trim(span_of(colon + 1, line.len - name_len - 1));
    if (value.len > 0) {
        return fetch_text_put(at, line);
    }
    at = fetch_text_put(at, span_of(line.ptr, name_len)) - 1;
    return fetch_text_put(at, SPAN(";"));
}

static char *fetch_lines_build(struct fetch *fetch, const struct fetch_request *request, char *at)
{
    static char no_accept[] = "Accept:";
    static char no_expect[] = "Expect:";
    struct curl_slist *lines = fetch->lines;
    unsigned count = 0;
    bool has_accept = false;

    lines[count++].data = at;
    at = fetch_text_put(at, SPAN("Host: ")) - 1;
    at = fetch_text_put(at, request->host);
    for (unsigned i = 0; i < request->line_count; i++) {
        struct span line = request->lines[i];
        lines[count++].data = at;
        at = fetch_line_put(at, line);
        has_accept = has_accept || (line.len > 7 && line.ptr[6] == ':' &&
                                    span_eq_nocase(span_of(line.ptr, 6), SPAN("accept")));
    }
    if (!has_accept) {
        lines[count++].data = no_accept;
    }
    if (fetch->has_body) {
        lines[count++].data = no_expect;
    }
    for (unsigned i = 0; i < count; i++) {
        lines[i].next = i + 1 < count ? &lines[i + 1] : NULL;
    }
    return at;
}

/* ---- per request ---- */

static bool fetch_method_set(struct fetch *fetch, const struct fetch_request *request, char *at)
{
    CURL *easy = fetch->easy;
    enum fetch_method method = FETCH_METHOD_GET;
    bool good = true;

    if (fetch->is_head) {
        method = FETCH_METHOD_HEAD;
    } else if (fetch->has_body) {
        method = FETCH_METHOD_UPLOAD;
    }
    if (method != fetch->method) {
        fetch->method = method;
        /* HTTPGET undoes both NOBODY and UPLOAD. */
        good = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
        if (method == FETCH_METHOD_HEAD) {
            good = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK && good;
        } else if (method == FETCH_METHOD_UPLOAD) {
            good = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) == CURLE_OK && good;
        }
    }
    if (method == FETCH_METHOD_UPLOAD) {
        curl_off_t length = fetch->body_length == UINT64_MAX ? -1 : (curl_off_t)fetch->body_length;
        good = curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, length) == CURLE_OK && good;
    }
    bool plain =
        fetch->is_head || (method == FETCH_METHOD_GET && span_eq(request->method, SPAN("GET")));
    if (!plain) {
        (void)fetch_text_put(at, request->method);
        good = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, at) == CURLE_OK && good;
    } else if (fetch->custom_method) {
        good = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK && good;
    }
    fetch->custom_method = !plain;
    return good;
}

bool fetch_options_set(struct fetch *fetch, const struct fetch_request *request)
{
    CURL *easy = fetch->easy;
    char url[FETCH_URL_BYTES];
    bool good = true;

    if (!fetch_text_reserve(fetch, request) || !fetch_url_write(url, request->origin)) {
        return false;
    }
    if (strcmp(url, fetch->url) != 0) {
        memcpy(fetch->url, url, sizeof(url));
        good = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK && good;
    }
    if (fetch->connect_timeout_us != fetch->told_connect_timeout_us) {
        fetch->told_connect_timeout_us = fetch->connect_timeout_us;
        long timeout_ms = (long)((fetch->connect_timeout_us + 999) / 1000);
        good = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) == CURLE_OK && good;
    }
    if (fetch->fresh == request->may_retry) {
        fetch->fresh = !request->may_retry;
        good = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fetch->fresh ? 1L : 0L) == CURLE_OK &&
               good;
    }
    char *target = fetch->text;
    char *at = fetch_text_put(target, request->target);
    good = curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK && good;
    at = fetch_lines_build(fetch, request, at);
    good = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->lines) == CURLE_OK && good;
    return fetch_method_set(fetch, request, at) && good;
}
