/*
 * access_log_format - one record as one line, without printf: at a hundred thousand requests a
 * second the log thread shares the processor with the workers.
 *
 * Combined: bytes outside 0x20..0x7e, `"` and `\` become \xNN. JSON: bytes outside 0x20..0x7e
 * become \u00NN each, so that a line is always valid and the bytes can be had back (read it as
 * Latin-1).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "http/cache_status.h"
#include "origin/figures.h"
#include "worker/access_log.h"

static const char log_hex[] = "0123456789abcdef";

struct line {
    char *at;
    char *end;
};

static inline void put(struct line *line, struct span text)
{
    size_t room = (size_t)(line->end - line->at);
    size_t len = text.len < room ? text.len : room;

    if (len > 0 && text.ptr != NULL) {
        memcpy(line->at, text.ptr, len);
        line->at += len;
    }
}

static void put_u64(struct line *line, uint64_t value)
{
    char room[SPAN_U64_BYTES];

    put(line, span_from_u64(room, value));
}

static void put_i64(struct line *line, int64_t value)
{
    if (value < 0) {
        put(line, SPAN("-"));
    }
    put_u64(line, value < 0 ? (uint64_t) - (value + 1) + 1 : (uint64_t)value);
}

/* Exactly count digits, with zeros in front. */
static void put_digits(struct line *line, uint64_t value, unsigned count)
{
    char digits[20];

    for (unsigned i = count; i-- > 0;) {
        digits[i] = (char)('0' + value % 10);
        value /= 10;
    }
    put(line, span_of(digits, count));
}

static void put_seconds(struct line *line, uint64_t us)
{
    put_u64(line, us / 1000000);
    put(line, SPAN("."));
    put_digits(line, us % 1000000, 6);
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_BYTE(value) (0x0101010101010101ull * (value))

/* The highest bit of each byte that is zero; bytes above a zero one may be marked too. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* How many bytes at the start need no escape; eight at a time, since nearly all are plain. */
static size_t plain_length(struct span text)
{
    size_t i = 0;

    while (text.len - i >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.ptr + i, sizeof(word));
        uint64_t low = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
        uint64_t high = word & EACH_BYTE(0x80);
        if ((low | high | zero_bytes(word ^ EACH_BYTE(0x7f)) | zero_bytes(word ^ EACH_BYTE('"')) |
             zero_bytes(word ^ EACH_BYTE('\\'))) != 0) {
            break;
        }
        i += sizeof(word);
    }
    while (i < text.len && is_plain(text.ptr[i])) {
        i++;
    }
    return i;
}

static void put_escape(struct line *line, char c, bool json)
{
    const char pair[2] = {log_hex[(unsigned char)c >> 4], log_hex[(unsigned char)c & 15]};

    if (json && (c == '"' || c == '\\')) {
        put(line, span_of((const char[]){'\\', c}, 2));
    } else {
        put(line, json ? SPAN("\\u00") : SPAN("\\x"));
        put(line, span_of(pair, sizeof(pair)));
    }
}

static void put_escaped(struct line *line, struct span text, bool json)
{
    for (;;) {
        size_t plain = plain_length(text);
        put(line, span_of(text.ptr, plain));
        if (plain == text.len || text.ptr == NULL) {
            return;
        }
        put_escape(line, text.ptr[plain], json);
        text = span_of(text.ptr + plain + 1, text.len - plain - 1);
    }
}

/* Combined: "-" stands for nothing; fields that are not in quotes may hold no space. */
static void put_or_dash(struct line *line, struct span text)
{
    if (text.len == 0) {
        put(line, SPAN("-"));
        return;
    }
    put_escaped(line, text, false);
}

/* Most lines share their second, and gmtime_r with strftime costs more than the rest of a line. */
static struct span stamp(int64_t wall_ms, bool json)
{
    static _Thread_local struct {
        int64_t second;
        bool json;
        char text[40];
        size_t len;
    } last = {.second = INT64_MIN};
    int64_t second = wall_ms / 1000;

    if (last.second != second || last.json != json) {
        time_t when = (time_t)second;
        struct tm parts;
        last.len = 0;
        if (gmtime_r(&when, &parts) != NULL) {
            last.len = strftime(last.text, sizeof(last.text),
                                json ? "%Y-%m-%dT%H:%M:%S" : "%d/%b/%Y:%H:%M:%S +0000", &parts);
        }
        last.second = second;
        last.json = json;
    }
    return span_of(last.text, last.len);
}

static struct span reason_name(const struct record *record)
{
    if (record->reason >= HTTP_REASON_COUNT) {
        return SPAN("");
    }
    return span_str(http_reason_name((enum http_reason)record->reason));
}

/* A field without quotes may hold no space. */
static void put_word(struct line *line, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct span byte = span_of(text.ptr + i, 1);
        if (*byte.ptr == ' ') {
            put(line, SPAN("\\x20"));
        } else {
            put_escaped(line, byte, false);
        }
    }
}

/* As it was asked for: of a forward proxy the whole URL, or the address of a tunnel. */
static void put_target(struct line *line, const struct record *record)
{
    if (UNLIKELY(record->is_forward)) {
        bool is_tunnel = span_eq(record->scheme, SPAN("connect"));
        if (!is_tunnel) {
            put_escaped(line, record->scheme, false);
            put(line, SPAN("://"));
        }
        put_escaped(line, record->host, false);
        if (is_tunnel) {
            return;
        }
    }
    put_or_dash(line, record->path);
}

static void put_combined(struct line *line, const struct record *record)
{
    put_or_dash(line, record->client);
    put(line, SPAN(" - "));
    if (UNLIKELY(record->is_forward && record->user.len > 0)) {
        put_word(line, record->user);
    } else {
        put(line, SPAN("-"));
    }
    put(line, SPAN(" ["));
    put(line, stamp(record->wall_ms, false));
    put(line, SPAN("] \""));
    put_or_dash(line, record->method);
    put(line, SPAN(" "));
    put_target(line, record);
    put(line, SPAN(" HTTP/1."));
    put_u64(line, record->minor_version);
    put(line, SPAN("\" "));
    put_u64(line, record->status);
    put(line, SPAN(" "));
    put_u64(line, record->bytes);
    put(line, SPAN(" \""));
    put_or_dash(line, record->referer);
    put(line, SPAN("\" \""));
    put_or_dash(line, record->user_agent);
    put(line, SPAN("\" "));
    put(line, span_str(request_result_name((enum request_result)record->result)));
    put(line, SPAN(" "));
    if (UNLIKELY(record->is_forward && record->result == RESULT_DENIED)) {
        put(line, SPAN("rule:"));
        put_word(line, record->rule);
    } else {
        put_or_dash(line, reason_name(record));
    }
    put(line, SPAN(" "));
    put_seconds(line, record->first_byte_us);
    put(line, SPAN(" "));
    put_seconds(line, record->total_us);
    put(line, SPAN(" "));
    put_or_dash(line, record->site);
}

static void put_key(struct line *line, const char *name)
{
    put(line, SPAN(",\""));
    put(line, span_str(name));
    put(line, SPAN("\":"));
}

static void put_text(struct line *line, const char *name, struct span text)
{
    put_key(line, name);
    put(line, SPAN("\""));
    put_escaped(line, text, true);
    put(line, SPAN("\""));
}

static void put_number(struct line *line, const char *name, uint64_t value)
{
    put_key(line, name);
    put_u64(line, value);
}

static void put_time(struct line *line, const char *name, uint64_t us)
{
    put_key(line, name);
    put_seconds(line, us);
}

static void put_flag(struct line *line, const char *name, bool value)
{
    put_key(line, name);
    put(line, value ? SPAN("true") : SPAN("false"));
}

static void put_json_request(struct line *line, const struct record *record)
{
    const char *mark =
        record->path.len == 0 ? NULL : memchr(record->path.ptr, '?', record->path.len);
    struct span path = record->path;
    struct span query = {0};

    if (mark != NULL) {
        path.len = (size_t)(mark - path.ptr);
        query = span_of(mark + 1, record->path.len - path.len - 1);
    }
    put_text(line, "site", record->site);
    put_text(line, "client", record->client);
    put_text(line, "method", record->method);
    put_text(line, "scheme", record->scheme);
    put_text(line, "host", record->host);
    put_text(line, "path", path);
    put_text(line, "query", query);
    put_key(line, "proto");
    put(line, SPAN("\"HTTP/1."));
    put_u64(line, record->minor_version);
    put(line, SPAN("\""));
}

static void put_json(struct line *line, const struct record *record)
{
    char id[16];

    put(line, SPAN("{\"ts\":\""));
    put(line, stamp(record->wall_ms, true));
    put(line, SPAN("."));
    put_digits(line, (uint64_t)(record->wall_ms % 1000), 3);
    put(line, SPAN("Z\""));
    put_json_request(line, record);
    put_number(line, "status", record->status);
    put_number(line, "bytes", record->bytes);
    put_number(line, "received", record->received);
    put_text(line, "result", span_str(request_result_name((enum request_result)record->result)));
    put_text(line, "reason", reason_name(record));
    if (UNLIKELY(record->is_forward)) {
        put_text(line, "user", record->user);
        put_text(line, "rule", record->rule);
        if (record->result == RESULT_DENIED) {
            put_text(line, "why", record->why);
        }
    }
    put_number(line, "age_s", record->age_s);
    put_key(line, "ttl_s");
    put_i64(line, record->ttl_s);
    put_text(line, "origin", record->origin);
    put_number(line, "origin_status", record->origin_status);
    if (UNLIKELY(record->error != FETCH_OK)) {
        put_text(line, "error", span_str(origin_fault_name((enum fetch_fault)record->error)));
    }
    if (UNLIKELY(record->tries > 1)) {
        put_number(line, "tries", record->tries);
    }
    put_time(line, "connect_s", record->connect_us);
    put_time(line, "ttfb_s", record->first_byte_us);
    put_time(line, "total_s", record->total_us);
    put_flag(line, "collapsed", record->collapsed);
    put_flag(line, "stored", record->stored);
    put_flag(line, "aborted", record->aborted);
    put_text(line, "ua", record->user_agent);
    put_text(line, "referer", record->referer);
    for (unsigned i = 0; i < sizeof(id); i++) {
        id[i] = log_hex[(record->request_id >> (60 - 4 * i)) & 15];
    }
    put_text(line, "request_id", span_of(id, sizeof(id)));
    put(line, SPAN("}"));
}

size_t access_log_format_line(enum access_log_format format, const struct record *record, char *out,
                              size_t size)
{
    struct line line = {.at = out, .end = out + size};

    if (format == ACCESS_LOG_JSON) {
        put_json(&line, record);
    } else if (format == ACCESS_LOG_COMBINED) {
        put_combined(&line, record);
    }
    return (size_t)(line.at - out);
}
