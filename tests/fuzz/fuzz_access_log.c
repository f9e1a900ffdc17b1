// layer: worker
/* Whatever a client sends: one printable line, never longer than its room, and quotes stay paired.
 */
#include "base/check.h"
#include "base/mem.h"
#include "worker/access_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that mean something to a reader of the line. */
static size_t count_open_quotes(struct span line)
{
    size_t count = 0;

    for (size_t i = 0; i < line.len; i++) {
        CHECK(line.ptr[i] >= 0x20 && line.ptr[i] < 0x7f);
        if (line.ptr[i] == '\\') {
            CHECK(++i < line.len);
        } else {
            count += line.ptr[i] == '"';
        }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record = {.client = SPAN("192.0.2.1"), .site = SPAN("*")};
    size_t cut = size == 0 ? 0 : data[0] % size;
    size_t room = 32768;
    char *out = mem_new(room);

    if (size > 2048) {
        mem_free(out);
        return 0;
    }
    record.wall_ms = (int64_t)(size * 977);
    record.path = span_of((const char *)data, cut);
    record.user_agent = span_of((const char *)data + cut, size - cut);
    record.referer = record.path;
    record.method = record.user_agent;
    size_t len = access_log_format_line(ACCESS_LOG_COMBINED, &record, out, room);
    CHECK(len < room && count_open_quotes(span_of(out, len)) == 6);
    len = access_log_format_line(ACCESS_LOG_JSON, &record, out, room);
    CHECK(len < room && out[len - 1] == '}');
    CHECK(count_open_quotes(span_of(out, len)) % 2 == 0);
    len = access_log_format_line(ACCESS_LOG_JSON, &record, out, cut);
    CHECK(len <= cut);
    mem_free(out);
    return 0;
}
