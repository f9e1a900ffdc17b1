/* authority - host and port (RFC 3986 3.2, narrowed to what names and addresses really use). */
#include "http/request.h"
#include "http/scan.h"

/* [hex digits, colons, dots]: whether it is an address is the resolver's business. */
static size_t authority_literal(struct span text)
{
    size_t at = 1;

    while (at < text.len && text.ptr[at] != ']') {
        char c = ascii_lower(text.ptr[at]);
        bool valid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
        if (!valid) {
            return 0;
        }
        at++;
    }
    return at < text.len && at > 2 ? at + 1 : 0;
}

bool http_is_authority(struct span text)
{
    size_t at = 0;
    uint64_t port;

    if (text.len > 0 && text.ptr[0] == '[') {
        at = authority_literal(text);
    } else {
        while (at < text.len && http_byte_is(text.ptr[at], HTTP_BYTE_HOST)) {
            at++;
        }
    }
    if (at == 0 || at > 255) {
        return false;
    }
    if (at == text.len) {
        return true;
    }
    if (text.ptr[at] != ':') {
        return false;
    }
    struct span digits = span_of(text.ptr + at + 1, text.len - at - 1);
    return digits.len == 0 || (digits.ptr[0] != '0' && span_to_u64(digits, 65535, &port));
}
