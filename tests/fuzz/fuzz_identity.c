// layer: http
/* Names of fields that tell of a client: the same in any case and with "_" for "-"; Referers: what is told of one lies
 * at its beginning, is an origin itself, and is no more than that. The first line is the name, the rest the Referer. */
#include "base/check.h"
#include "http/identity.h"
#include "http/key.h"
#include "http/referer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_BYTES 128u

static enum http_identity identity_of(struct span name)
{
    struct http_field item;
    struct http_fields fields;

    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, name, SPAN("v")));
    return http_field_identity(&item);
}

static void take_name(struct span name)
{
    char other[NAME_BYTES];

    if (name.len > sizeof(other) || !http_is_token(name)) {
        return;
    }
    enum http_identity identity = identity_of(name);
    CHECK(identity <= HTTP_IDENTITY_TRAP);
    for (size_t i = 0; i < name.len; i++) {
        other[i] = i % 2 == 0 ? ascii_lower(name.ptr[i]) : name.ptr[i];
    }
    CHECK(identity_of(span_of(other, name.len)) == identity);
    for (size_t i = 0; i < name.len; i++) {
        other[i] = name.ptr[i] == '-' ? '_' : name.ptr[i];
    }
    CHECK(identity == HTTP_IDENTITY_NONE ||
          identity_of(span_of(other, name.len)) != HTTP_IDENTITY_NONE);
}

static void take_referer(struct span referer)
{
    struct span origin = http_referer_origin(referer);
    struct http_url url;

    CHECK(origin.len <= referer.len);
    if (origin.len == 0) {
        CHECK(!http_referer_is_same(referer, SPAN("http"), SPAN("a.test")));
        return;
    }
    CHECK(origin.ptr == referer.ptr);
    CHECK(http_url_parse(origin, &url) == NULL && span_eq(url.path, SPAN("/")));
    CHECK(span_eq(http_referer_origin(origin), origin));
    CHECK(http_referer_is_same(referer, url.scheme.len == 5 ? SPAN("https") : SPAN("http"),
                               url.authority));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *line = size == 0 ? NULL : memchr(bytes, '\n', size);
    size_t len = line == NULL ? size : (size_t)(line - bytes);

    take_name(span_of(bytes, len));
    take_referer(line == NULL ? span_of("", 0) : span_of(line + 1, size - len - 1));
    return 0;
}
