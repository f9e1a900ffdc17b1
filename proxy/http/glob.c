/*
 * glob - one walk over the text that remembers the last star only: a later star makes the choice of
 * an earlier one final, so nothing is ever tried in combinations.
 */
#include "http/glob.h"

static int glob_hex(char c)
{
    char lower = ascii_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool glob_is_unreserved(char c)
{
    char lower = ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* The byte at `at` as it counts; *next is what follows it. */
static char glob_byte(struct span text, size_t at, unsigned flags, size_t *next)
{
    char c = text.ptr[at];

    *next = at + 1;
    if ((flags & HTTP_GLOB_ENCODED) != 0 && c == '%' && text.len - at >= 3) {
        int high = glob_hex(text.ptr[at + 1]);
        int low = glob_hex(text.ptr[at + 2]);
        char decoded = (char)(high * 16 + low);
        if (high >= 0 && low >= 0 && glob_is_unreserved(decoded)) {
            *next = at + 3;
            c = decoded;
        }
    }
    return (flags & HTTP_GLOB_NOCASE) != 0 ? ascii_lower(c) : c;
}

bool http_glob_match(struct span pattern, struct span text, unsigned flags)
{
    size_t p = 0;
    size_t at = 0;
    size_t star = SIZE_MAX; /* behind the last star; SIZE_MAX: none yet */
    size_t star_at = 0;     /* where in the text its run ends so far */

    while (at < text.len) {
        size_t next;
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = ++p;
            star_at = at;
        } else if (p < pattern.len && pattern.ptr[p] == glob_byte(text, at, flags, &next)) {
            p++;
            at = next;
        } else if (star != SIZE_MAX) {
            (void)glob_byte(text, star_at, flags, &next);
            p = star;
            at = star_at = next;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}
