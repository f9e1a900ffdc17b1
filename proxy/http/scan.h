#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H
/*
 * scan - how far do bytes stay in a class? The inner loops of the parsers, 16 bytes at a time where
 * the machine can. Never reads at or beyond `end`.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum http_byte_class {
    HTTP_BYTE_TOKEN = 1,  /* tchar (RFC 9110 5.6.2) */
    HTTP_BYTE_VALUE = 2,  /* HTAB, SP, visible ASCII, obs-text (RFC 9110 5.5) */
    HTTP_BYTE_TARGET = 4, /* visible ASCII but '#' */
    HTTP_BYTE_HOST = 8,   /* letters, digits, '-', '.', '_', '~' */
};

extern const uint8_t http_byte_class[256];

static inline bool http_byte_is(char c, enum http_byte_class wanted)
{
    return (http_byte_class[(unsigned char)c] & (unsigned)wanted) != 0;
}

static inline const char *http_scan_token(const char *at, const char *end)
{
    while (at < end && http_byte_is(*at, HTTP_BYTE_TOKEN)) {
        at++;
    }
    return at;
}

/* The first byte that may not stand in a field value: a line end, mostly. */
static inline const char *http_scan_value(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i highest_control = _mm_set1_epi8(0x1f);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i delete = _mm_set1_epi8(0x7f);

    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, highest_control), bytes);
        __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control),
                                   _mm_cmpeq_epi8(bytes, delete));
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
#endif
    while (at < end && http_byte_is(*at, HTTP_BYTE_VALUE)) {
        at++;
    }
    return at;
}

/* The first byte that may not stand in a request target: the space behind it, mostly. */
static inline const char *http_scan_target(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i lowest = _mm_set1_epi8(0x21);
    const __m128i hash = _mm_set1_epi8('#');
    const __m128i delete = _mm_set1_epi8(0x7f);

    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* signed: bytes from 0x80 on are below 0x21 as well */
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(bytes, hash), _mm_cmpeq_epi8(bytes, delete));
        bad = _mm_or_si128(bad, _mm_cmplt_epi8(bytes, lowest));
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
#endif
    while (at < end && http_byte_is(*at, HTTP_BYTE_TARGET)) {
        at++;
    }
    return at;
}
#endif
