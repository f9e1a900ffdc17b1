#ifndef CONF_UTF8_H
#define CONF_UTF8_H
/* utf8 - showing bytes of unknown origin to people: printable characters pass, the rest is
 * replaced. */
#include "base/buf.h"
#include "base/span.h"

#define UTF8_MARK "\xef\xbb\xbf" /* byte order mark */
#define UTF8_MARK_BYTES ((unsigned)3)

/* Does a character begin with this byte? Columns count these. */
static inline bool utf8_is_start(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Length of the printable character at the start of text; 0: none, or one that acts on a terminal
 * (controls) or reorders text (bidi). RFC 3629. */
size_t utf8_printable(struct span text);
/* Appends the first character of text (not empty), or a space for a tab, or "?" for one that is not
 * printable. Returns how many bytes of text it took. */
size_t utf8_show(struct span text, struct buf *out);
#endif
