/* byteranges - see byteranges.h. */
#include "http/byteranges.h"

void http_byteranges_type(struct buf *out, const struct http_byteranges *body)
{
    buf_puts(out, "multipart/byteranges; boundary=");
    buf_append(out, body->boundary);
}

void http_byteranges_open(struct buf *out, const struct http_byteranges *body,
                          const struct http_range_part *part, bool is_first)
{
    char range[HTTP_CONTENT_RANGE_BYTES];

    buf_puts(out, is_first ? "--" : "\r\n--");
    buf_append(out, body->boundary);
    if (body->content_type.len > 0) {
        buf_puts(out, "\r\nContent-Type: ");
        buf_append(out, body->content_type);
    }
    buf_puts(out, "\r\nContent-Range: ");
    buf_append(out, span_of(range, http_content_range_write(range, part, body->length)));
    buf_puts(out, "\r\n\r\n");
}

void http_byteranges_close(struct buf *out, const struct http_byteranges *body)
{
    buf_puts(out, "\r\n--");
    buf_append(out, body->boundary);
    buf_puts(out, "--\r\n");
}
