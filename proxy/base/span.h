#ifndef BASE_SPAN_H
#define BASE_SPAN_H
/*
 * span - a borrowed view of bytes: pointer and length, not terminated. Who owns the bytes is said
 * by the function that hands a span out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

/* For interfaces of C that take what they only read as non-const (struct iovec and the like). */
static inline void *span_unconst(const void *ptr)
{
    union {
        const void *in;
        void *out;
    } both = {.in = ptr};
    return both.out;
}

/* A span over a string literal. */
#define SPAN(literal) ((struct span){.ptr = (literal), .len = sizeof(literal) - 1})

static inline struct span span_of(const char *ptr, size_t len)
{
    return (struct span){.ptr = ptr, .len = len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){.ptr = text, .len = text == NULL ? 0 : strlen(text)};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII lower case of one byte; other bytes unchanged, whatever the locale. */
static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

static inline bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/* Without SP and HTAB at both ends (RFC 9110 5.6.3 OWS). */
static inline struct span span_trim(struct span s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

#define SPAN_U64_BYTES 20

/* value in decimal, at the end of room. */
static inline struct span span_from_u64(char room[SPAN_U64_BYTES], uint64_t value)
{
    size_t at = SPAN_U64_BYTES;

    do {
        room[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return span_of(room + at, SPAN_U64_BYTES - at);
}

/* 1*DIGIT into *out. False when empty, another byte is met, or the number exceeds max. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *out);
#endif
