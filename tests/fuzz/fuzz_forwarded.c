// layer: http
/* Who the client is, from lines of both families: within bounds, an address that reads back as itself, hosts that are
 * authorities; and what is told to the origin of it is read back as the same by the next of us. */
#include "base/check.h"
#include "base/mem.h"
#include "http/forwarded.h"
#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every other name is ours, so that walks go far. */
static bool is_trusted(const void *ctx, const struct sockaddr *address)
{
    (void)ctx;
    const unsigned char *bytes = (const unsigned char *)address;
    unsigned sum = 0;
    for (size_t i = 4; i < 24; i++) {
        sum += bytes[i];
    }
    return sum % 2 == 0;
}

static void read_back(const struct http_forwarded *said)
{
    char chain[HTTP_FORWARDED_HOPS_MAX * (HTTP_FORWARDED_TEXT_BYTES + 2)];
    size_t len = 0;

    for (unsigned i = said->count; i > 0; i--) {
        struct span hop = span_str(said->hops[i - 1]);
        CHECK(hop.len > 0 && hop.len < HTTP_FORWARDED_TEXT_BYTES);
        memcpy(chain + len, hop.ptr, hop.len);
        memcpy(chain + len + hop.len, ", ", 2);
        len += hop.len + 2;
    }
    const struct http_forwarded_say say = {.chain = span_of(chain, len - 2),
                                           .host = said->host,
                                           .is_https = said->scheme == HTTP_SCHEME_HTTPS,
                                           .by = SPAN("fuzz")};
    size_t bytes = http_forwarded_bytes(&say);
    char *room = mem_try(bytes);
    struct span value = http_forwarded_write(room, &say);
    CHECK(value.len <= bytes);
    struct http_field item;
    struct http_fields fields;
    struct http_forwarded again;
    const struct http_forwarded_options options = {.family = HTTP_FORWARDED_7239,
                                                   .is_trusted = is_trusted};
    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, SPAN("Forwarded"), value));
    http_forwarded_read(&again, &fields, &options);
    CHECK(again.count == said->count);
    CHECK(memcmp(&again.client, &said->client, sizeof(again.client)) == 0);
    CHECK(span_eq(again.host, said->host));
    mem_free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                        "Forwarded"};
    struct http_field items[32];
    struct http_fields fields;
    struct http_forwarded said;
    char *text = mem_try(size + 1);
    size_t at = 1;

    if (size == 0) {
        mem_free(text);
        return 0;
    }
    memcpy(text, data, size);
    http_fields_init(&fields, items, 32);
    while (at < size &&
           fields.count < 32) { /* each line: one byte for its name, to the next newline */
        const char *end = memchr(text + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - text) - at;
        if (len > 0) {
            struct span value = span_trim(span_of(text + at + 1, len - 1));
            CHECK(http_fields_add(&fields, span_str(names[(unsigned char)text[at] % 4]), value));
        }
        at += len + 1;
    }
    const struct http_forwarded_options options = {.family = text[0] % 2 == 0 ? HTTP_FORWARDED_X
                                                                              : HTTP_FORWARDED_7239,
                                                   .is_trusted = is_trusted};
    http_forwarded_read(&said, &fields, &options);
    CHECK(said.count <= HTTP_FORWARDED_HOPS_MAX);
    CHECK(said.host.len == 0 || http_is_authority(said.host));
    if (said.count > 0) {
        read_back(&said);
    }
    mem_free(text);
    return 0;
}
