/* buf - growth by doubling up to the limit; one byte beyond len always holds a NUL. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

#define BUF_FIRST_BYTES ((size_t)256)

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

/* Room for len more bytes and the NUL, or the failed flag. */
static bool buf_room(struct buf *buf, size_t len)
{
    if (buf->failed || buf->limit < buf->len || len > buf->limit - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + len + 1;
    if (need <= buf->cap) {
        return true;
    }
    size_t cap = buf->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : buf->cap * 2;
    if (cap > buf->limit) {
        cap = buf->limit + 1;
    }
    if (cap < need) {
        cap = need;
    }
    char *data = mem_try_resize(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_append(struct buf *buf, struct span data)
{
    if (!buf_room(buf, data.len)) {
        return;
    }
    if (data.len > 0) {
        memcpy(buf->data + buf->len, data.ptr, data.len);
        buf->len += data.len;
    }
    buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, span_str(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, span_of(&c, 1));
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    char room[SPAN_U64_BYTES];

    buf_append(buf, span_from_u64(room, value));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(len >= 0);
    if (buf_room(buf, (size_t)len)) {
        (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

struct span buf_span(const struct buf *buf)
{
    return span_of(buf->data, buf->len);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_free(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){.limit = buf->limit};
}
