// layer: net
/* A PROXY protocol header has the same verdict, length and client for any split of the input; before
 * its last byte it is never done, and what is bad stays bad whatever follows. */
#include "base/check.h"
#include "base/mem.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_client whole;
    size_t used;
    enum proxy_header verdict =
        proxy_header_parse(span_of((const char *)data, size), &used, &whole);

    CHECK(used <= size && used <= PROXY_HEADER_MAX_BYTES);
    CHECK((verdict == PROXY_HEADER_DONE) == (used > 0));
    CHECK(verdict == PROXY_HEADER_DONE || size <= PROXY_HEADER_MAX_BYTES ||
          verdict == PROXY_HEADER_BAD);
    size_t step = size > 512 ? 97 : 1;
    for (size_t len = 0; len < size; len += step) {
        char *part = mem_try(len); /* of its own, so that a read behind the end is seen */
        struct proxy_client client;
        size_t again;
        if (len > 0) {
            memcpy(part, data, len);
        }
        enum proxy_header now = proxy_header_parse(span_of(part, len), &again, &client);
        if (now == PROXY_HEADER_DONE) {
            CHECK(verdict == now && again == used && len >= used);
            CHECK(client.is_peer == whole.is_peer && client.is_tls == whole.is_tls);
            CHECK(memcmp(&client.address, &whole.address, sizeof(whole.address)) == 0);
        } else if (now == PROXY_HEADER_BAD) {
            CHECK(verdict == now);
        }
        mem_free(part);
    }
    return 0;
}
