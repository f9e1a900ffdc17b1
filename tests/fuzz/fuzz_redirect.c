// layer: site
/* redirect: whatever a client sends, Location has no byte that ends a line and names no other host
 * than the setting or the client's own. */
#include "base/check.h"
#include "base/mem.h"
#include "http/key.h"
#include "site/redirect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_redirect settings[] = {
    {.kind = CONF_REDIRECT_PLACE, .https = true, .https_port = 8443},
    {.kind = CONF_REDIRECT_PLACE, .host = "www.test"},
    {.kind = CONF_REDIRECT_URL, .status = 302, .url = "https://m.{host}{path}{query}"},
    {.kind = CONF_REDIRECT_URL, .status = 302, .url = "/n{path}?x={path}&y={host}"},
    {.kind = CONF_REDIRECT_URL, .status = 302, .url = "/n{path}{query}"},
};
static const char *const hosts[] = {"a.test:8443", "www.test", "m.a.test", NULL, NULL};

static void check_location(struct span location, const char *host)
{
    struct http_url url;
    for (size_t i = 0; i < location.len; i++) {
        unsigned char c = (unsigned char)location.ptr[i];
        CHECK(c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>');
    }
    if (host == NULL) {
        CHECK(location.len > 2 && location.ptr[0] == '/' && location.ptr[1] == 'n');
    } else {
        CHECK(http_url_parse(location, &url) == NULL);
        CHECK(span_eq(url.authority, span_str(host)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = mem_new(size + 1);
    path[0] = '/';
    if (size > 0) {
        memcpy(path + 1, data, size);
    }
    const struct http_request request = {
        .method = HTTP_GET, .authority = SPAN("a.test"), .path = span_of(path, size + 1)};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        unsigned status = redirect_to(&settings[i], &request, false, &out);
        CHECK(status == 0 || status == 301 || status == 302);
        if (status != 0 && !out.failed) {
            check_location(buf_span(&out), hosts[i]);
        }
        buf_free(&out);
    }
    mem_free(path);
    return 0;
}
