#ifndef EXCHANGE_EXCHANGE_EXTRA_H
#define EXCHANGE_EXCHANGE_EXTRA_H
/* exchange_extra - a few short field lines put together on the stack; for exchange_*.c only. */
#include <string.h>

#include "exchange/exchange_private.h"

#define EXTRA_BYTES 512u

struct extra {
    char *at;
    char *end;
};

/* Nothing when it does not fit. */
static inline void extra_put(struct extra *extra, struct span text)
{
    if ((size_t)(extra->end - extra->at) >= text.len) {
        memcpy(extra->at, text.ptr, text.len);
        extra->at += text.len;
    }
}

static inline void extra_number(struct extra *extra, uint64_t value)
{
    char room[SPAN_U64_BYTES];
    extra_put(extra, span_from_u64(room, value));
}

/* exchange_login.c: the challenge of a 407, where it is ours. */
void exchange_put_challenge(struct exchange *x, struct extra *extra);
/* exchange_reply.c: RFC 9211, where the site says so. */
void exchange_put_cache_status(struct exchange *x, struct extra *extra);
#endif
