/*
 * path - see path.h. A path is walked unit by unit (a byte, or an escape as it counts) and segment
 * by segment; nothing is decoded that would change what the segments are.
 */
#include "http/path.h"

static int hex_of(char c)
{
    char lower = ascii_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that an escape at `at` stands for, or -1. */
static int escape_at(struct span text, size_t at)
{
    if (text.ptr[at] != '%' || text.len - at < 3) {
        return -1;
    }
    int high = hex_of(text.ptr[at + 1]);
    int low = hex_of(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool is_unreserved(int c)
{
    int lower = c >= 'A' && c <= 'Z' ? c + 32 : c;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static char hex_digit(int value)
{
    return (char)(value < 10 ? '0' + value : 'A' + value - 10);
}

/* Writes the unit at `at` in its one form. *written: 1 or 3. Returns the bytes it has in text. */
static size_t unit_at(struct span text, size_t at, char out[3], size_t *written)
{
    int byte = escape_at(text, at);

    if (byte < 0 && text.ptr[at] != '%') {
        *written = 1;
        out[0] = text.ptr[at];
        return 1;
    }
    if (byte >= 0 && is_unreserved(byte)) {
        *written = 1;
        out[0] = (char)byte;
        return 3;
    }
    size_t taken = byte < 0 ? 1 : 3;
    byte = byte < 0 ? '%' : byte; /* or what follows it could become an escape with it */
    out[0] = '%';
    out[1] = hex_digit(byte >> 4);
    out[2] = hex_digit(byte & 15);
    *written = 3;
    return taken;
}

/* Bytes of what parts two segments here; 0: nothing does. */
static size_t slash_at(struct span path, size_t at, enum http_path_reading reading)
{
    char c = path.ptr[at];

    if (c == '/') {
        return 1;
    }
    if (reading == HTTP_PATH_STRICT || (c != '\\' && c != '%')) {
        return 0;
    }
    int byte = escape_at(path, at);
    return c == '\\' ? 1 : byte == '/' || byte == '\\' ? 3 : 0;
}

/* Takes the next segment off *rest, which is behind the slash before it. False: that was the last
 * one, or *rest has ended (ptr NULL) before. */
static bool segment_next(struct span *rest, struct span *segment, enum http_path_reading reading)
{
    if (rest->ptr == NULL) {
        return false;
    }
    for (size_t i = 0; i < rest->len; i++) {
        size_t slash = slash_at(*rest, i, reading);
        if (slash > 0) {
            *segment = span_of(rest->ptr, i);
            *rest = span_of(rest->ptr + i + slash, rest->len - i - slash);
            return true;
        }
    }
    *segment = *rest;
    *rest = span_of(NULL, 0);
    return true;
}

/* 1 of ".", 2 of "..", 0 of others. */
static unsigned dots_of(struct span segment, enum http_path_reading reading)
{
    unsigned dots = 0;
    size_t at = 0;

    while (at < segment.len) {
        if (reading == HTTP_PATH_LOOSE && segment.ptr[at] == ';') {
            break;
        }
        if (segment.ptr[at] != '.' && escape_at(segment, at) != '.') {
            return 0;
        }
        at += segment.ptr[at] == '.' ? 1 : 3;
        dots++;
    }
    return dots <= 2 ? dots : 0;
}

size_t http_path_end(struct span target)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.ptr, '?', target.len);

    return mark == NULL ? target.len : (size_t)(mark - target.ptr);
}

static bool is_path(struct span target)
{
    return target.len > 0 && target.ptr[0] == '/';
}

bool http_path_is_odd(struct span target)
{
    for (size_t i = 0; i < target.len && target.ptr[i] != '?'; i++) {
        char c = target.ptr[i];
        if (c == '%' || c == '\\') {
            return true;
        }
        if (c == '/' && i + 1 < target.len &&
            (target.ptr[i + 1] == '/' || target.ptr[i + 1] == '.')) {
            return true;
        }
    }
    return false;
}

/* The segments behind the first slash. */
static struct span segments_of(struct span target)
{
    return span_of(target.ptr + 1, http_path_end(target) - 1);
}

struct span http_path_fold(char *out, struct span target, enum http_path_reading reading)
{
    char *at = out;
    struct span segment;

    if (!is_path(target)) {
        return target;
    }
    struct span rest = segments_of(target);
    while (segment_next(&rest, &segment, reading)) {
        unsigned dots = dots_of(segment, reading);
        if (dots == 2) {
            while (at > out && *--at != '/') {
            }
        }
        if (dots > 0 || segment.len == 0) {
            if (rest.ptr == NULL) {
                *at++ = '/'; /* what it names is a folder */
            }
            continue;
        }
        *at++ = '/';
        for (size_t i = 0; i < segment.len;) {
            size_t written;
            char unit[3];
            i += unit_at(segment, i, unit, &written);
            memcpy(at, unit, written);
            at += written;
        }
    }
    size_t end = http_path_end(target);
    memcpy(at, target.ptr + end, target.len - end);
    return span_of(out, (size_t)(at - out) + target.len - end);
}

bool http_path_has_dots(struct span target, enum http_path_reading reading)
{
    struct span segment;

    if (!is_path(target)) {
        return false;
    }
    struct span rest = segments_of(target);
    while (segment_next(&rest, &segment, reading)) {
        if (dots_of(segment, reading) > 0) {
            return true;
        }
    }
    return false;
}

const char *http_path_fault(struct span target)
{
    if (!is_path(target) || !http_path_is_odd(target)) {
        return NULL;
    }
    struct span path = span_of(target.ptr, http_path_end(target));
    for (size_t i = 0; i < path.len; i++) {
        int byte = escape_at(path, i);
        if (path.ptr[i] == '%' && byte < 0) {
            return "the path has a % that begins no escape";
        }
        if (byte == 0) {
            return "the path has an escaped NUL";
        }
        if (path.ptr[i] == '\\' || byte == '/' || byte == '\\') {
            return "the path has an escaped slash, or a backslash";
        }
        if (path.ptr[i] == '/' && i + 1 < path.len && path.ptr[i + 1] == '/') {
            return "the path has an empty segment";
        }
        if (byte >= 0 && is_unreserved(byte)) {
            return "the path has an escape that none needs";
        }
    }
    return http_path_has_dots(target, HTTP_PATH_LOOSE) ? "the path has a dot segment" : NULL;
}

size_t http_path_prefix(struct span target, struct span prefix)
{
    size_t end = http_path_end(target);
    struct span path = span_of(target.ptr, end);
    size_t at = 0;
    size_t done = 0;

    while (done < prefix.len) {
        size_t written;
        char unit[3];
        if (at == path.len) {
            return 0;
        }
        at += unit_at(path, at, unit, &written);
        if (prefix.len - done < written || memcmp(prefix.ptr + done, unit, written) != 0) {
            return 0;
        }
        done += written;
    }
    return at == path.len || path.ptr[at] == '/' ? at : 0;
}
