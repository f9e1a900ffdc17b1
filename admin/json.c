/* json - see RFC 8259. */
#include "admin/json.h"

#include <math.h>
#include <time.h>

#define JSON_TIME_MAX_MS ((int64_t)253402300799999) /* the year 9999: RFC 3339 has four digits */

void json_init(struct json *json, struct buf *out)
{
    *json = (struct json){.out = out};
}

static void json_before(struct json *json)
{
    if (json->comma) {
        buf_putc(json->out, ',');
    }
    json->comma = true;
}

static void json_open(struct json *json, char c)
{
    json_before(json);
    buf_putc(json->out, c);
    json->comma = false;
}

static void json_close(struct json *json, char c)
{
    buf_putc(json->out, c);
    json->comma = true;
}

void json_object(struct json *json)
{
    json_open(json, '{');
}

void json_object_end(struct json *json)
{
    json_close(json, '}');
}

void json_array(struct json *json)
{
    json_open(json, '[');
}

void json_array_end(struct json *json)
{
    json_close(json, ']');
}

void json_key(struct json *json, const char *name)
{
    json_before(json);
    buf_putc(json->out, '"');
    buf_puts(json->out, name);
    buf_puts(json->out, "\":");
    json->comma = false;
}

/* Length of the well-formed sequence at the start (RFC 3629 section 4), 0: none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > left) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool surrogate = at[0] == 0xed && at[1] > 0x9f;
    bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

static bool json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void json_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        buf_putc(out, '\\');
        buf_putc(out, (char)c);
    } else if (c == '\n') {
        buf_puts(out, "\\n");
    } else {
        buf_puts(out, "\\u00");
        buf_putc(out, hex[c >> 4]);
        buf_putc(out, hex[c & 15]);
    }
}

void json_string(struct json *json, struct span text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t from = 0;
    size_t i = 0;

    json_before(json);
    buf_putc(json->out, '"');
    while (i < text.len) {
        size_t wide = at[i] >= 0x80 ? utf8_length(at + i, text.len - i) : 0;
        if (wide > 0 || json_is_plain(at[i])) {
            i += wide > 0 ? wide : 1;
            continue;
        }
        buf_append(json->out, span_of(text.ptr + from, i - from));
        if (at[i] >= 0x80) {
            buf_puts(json->out, "\\ufffd");
        } else {
            json_escape(json->out, at[i]);
        }
        from = ++i;
    }
    if (text.len > from) {
        buf_append(json->out, span_of(text.ptr + from, text.len - from));
    }
    buf_putc(json->out, '"');
}

void json_u64(struct json *json, uint64_t value)
{
    json_before(json);
    buf_put_u64(json->out, value);
}

void json_i64(struct json *json, int64_t value)
{
    json_before(json);
    buf_printf(json->out, "%lld", (long long)value);
}

void json_double(struct json *json, double value)
{
    json_before(json);
    if (!isfinite(value)) {
        buf_puts(json->out, "null");
    } else if (fabs(value) < 1e15 && nearbyint(value) == value) {
        buf_printf(json->out, "%.0f", value);
    } else {
        buf_printf(json->out, "%.6g", value);
    }
}

void json_bool(struct json *json, bool value)
{
    json_before(json);
    buf_puts(json->out, value ? "true" : "false");
}

void json_null(struct json *json)
{
    json_before(json);
    buf_puts(json->out, "null");
}

void json_raw(struct json *json, struct span text)
{
    json_before(json);
    buf_append(json->out, text);
}

void json_time(struct json *json, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[40];

    if (wall_ms <= 0 || wall_ms > JSON_TIME_MAX_MS || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        json_null(json);
        return;
    }
    json_before(json);
    buf_printf(json->out, "\"%s.%03dZ\"", text, (int)(wall_ms % 1000));
}

void json_put_text(struct json *json, const char *name, const char *text)
{
    json_key(json, name);
    if (text == NULL) {
        json_null(json);
    } else {
        json_string(json, span_str(text));
    }
}

void json_put_u64(struct json *json, const char *name, uint64_t value)
{
    json_key(json, name);
    json_u64(json, value);
}

void json_put_double(struct json *json, const char *name, double value)
{
    json_key(json, name);
    json_double(json, value);
}

void json_put_bool(struct json *json, const char *name, bool value)
{
    json_key(json, name);
    json_bool(json, value);
}

void json_put_time(struct json *json, const char *name, int64_t wall_ms)
{
    json_key(json, name);
    json_time(json, wall_ms);
}
