/*
 * query - parameters are split at "&" and joined again; an empty one ("a&&b", "?") is a parameter
 * with an empty name. Sorting is a heap sort over places, with the place as the last word, so that
 * it is stable and hostile queries cost n log n.
 */
#include "http/query.h"

#include <stdint.h>

#include "http/glob.h"

struct query_part {
    uint32_t at; /* in the target */
    uint32_t len;
};

static struct span part_name(const char *target, const struct query_part *part)
{
    const char *from = target + part->at;
    const char *equals = part->len == 0 ? NULL : memchr(from, '=', part->len);

    return span_of(from, equals == NULL ? part->len : (size_t)(equals - from));
}

static bool part_counts(const char *target, const struct query_part *part,
                        const struct http_query_options *options)
{
    struct span name = part_name(target, part);

    for (unsigned i = 0; i < options->ignore_count; i++) {
        if (http_glob_match(options->ignore[i], name, HTTP_GLOB_ENCODED)) {
            return false;
        }
    }
    return true;
}

static int query_hex(char c)
{
    char lower = ascii_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte at *at as an origin may read it; moves *at behind it. */
static unsigned char query_byte(struct span text, size_t *at)
{
    char c = text.ptr[(*at)++];

    if (c == '+') {
        return ' ';
    }
    if (c == '%' && text.len - *at >= 2) {
        int high = query_hex(text.ptr[*at]);
        int low = query_hex(text.ptr[*at + 1]);
        if (high >= 0 && low >= 0) {
            *at += 2;
            return (unsigned char)(high * 16 + low);
        }
    }
    return (unsigned char)c;
}

/* One name in two spellings is one: the order of its values may mean something to the origin. */
static int query_compare(struct span x, struct span y)
{
    size_t a = 0;
    size_t b = 0;

    while (a < x.len && b < y.len) {
        unsigned char one = query_byte(x, &a);
        unsigned char other = query_byte(y, &b);
        if (one != other) {
            return one < other ? -1 : 1;
        }
    }
    return (a < x.len) - (b < y.len);
}

static bool part_before(const char *target, const struct query_part *a, const struct query_part *b)
{
    int order = query_compare(part_name(target, a), part_name(target, b));

    return order != 0 ? order < 0 : a->at < b->at;
}

/* Lets the part at root sink to its place among the first count of a heap. */
static void heap_sink(const char *target, struct query_part *parts, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && part_before(target, &parts[child], &parts[child + 1])) {
            child++;
        }
        if (!part_before(target, &parts[root], &parts[child])) {
            return;
        }
        struct query_part other = parts[root];
        parts[root] = parts[child];
        parts[child] = other;
        root = child;
    }
}

static void parts_sort(const char *target, struct query_part *parts, size_t count)
{
    for (size_t root = count / 2; root-- > 0;) {
        heap_sink(target, parts, root, count);
    }
    for (size_t last = count; last-- > 1;) {
        struct query_part first = parts[0];
        parts[0] = parts[last];
        parts[last] = first;
        heap_sink(target, parts, 0, last);
    }
}

size_t http_query_room(struct span target)
{
    size_t parts = 1;

    for (size_t i = 0; i < target.len; i++) {
        parts += target.ptr[i] == '&' ? 1 : 0;
    }
    return parts * sizeof(struct query_part) + target.len;
}

/* The parameters that count, in order; *all is how many there were. */
static size_t parts_split(struct span target, size_t from, const struct http_query_options *options,
                          struct query_part *parts, size_t *all)
{
    size_t count = 0;

    *all = 0;
    for (size_t at = from;;) {
        const char *end = at == target.len ? NULL : memchr(target.ptr + at, '&', target.len - at);
        size_t stop = end == NULL ? target.len : (size_t)(end - target.ptr);
        parts[count] = (struct query_part){.at = (uint32_t)at, .len = (uint32_t)(stop - at)};
        count += part_counts(target.ptr, &parts[count], options) ? 1 : 0;
        ++*all;
        if (end == NULL) {
            return count;
        }
        at = stop + 1;
    }
}

struct span http_query_normal(char *room, struct span target,
                              const struct http_query_options *options)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.ptr, '?', target.len);
    struct query_part *parts = (struct query_part *)(void *)room;
    size_t all;

    if (mark == NULL || target.len > UINT32_MAX) {
        return target;
    }
    size_t path_len = (size_t)(mark - target.ptr);
    size_t count = parts_split(target, path_len + 1, options, parts, &all);
    if (options->sort) {
        parts_sort(target.ptr, parts, count);
    } else if (count == all) {
        return target;
    }
    /* The places come first in room, all of them were counted, so the text begins behind. */
    char *out = room + all * sizeof(*parts);
    char *at = out;
    memcpy(at, target.ptr, path_len);
    at += path_len;
    for (size_t i = 0; i < count; i++) {
        *at++ = i == 0 ? '?' : '&';
        memcpy(at, target.ptr + parts[i].at, parts[i].len);
        at += parts[i].len;
    }
    return span_of(out, (size_t)(at - out));
}
