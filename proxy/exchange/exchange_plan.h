#ifndef EXCHANGE_EXCHANGE_PLAN_H
#define EXCHANGE_EXCHANGE_PLAN_H
/* exchange_plan - a response body made of several stretches; shared by exchange_range.c and
 * exchange_part.c only. */
#include "exchange/exchange_private.h"

/* In the exchange's arena. A stretch is sent by EXCHANGE_STEP_SEND, what lies between by
 * EXCHANGE_STEP_PART. */
struct exchange_plan {
    struct http_range_set set;              /* what is sent, in this order */
    unsigned at;                            /* which of it now; set.count: all sent */
    uint64_t position;                      /* next byte of it */
    struct span text[HTTP_RANGES_MAX + 1u]; /* before each range and at the end: multipart */
    size_t text_sent;                       /* bytes of text[at] */
    /* Of a representation stored in parts (part.h): */
    struct store_object *parent; /* a reference; NULL: all bytes are in x->object */
    struct store_object *part;   /* the next one, found or coming; a reference, or NULL */
    uint64_t total;              /* bytes of the representation */
    char *key_room;              /* for the key of a part */
    bool may_follow;             /* what others fetch may be waited for */
    bool may_fetch;              /* what is absent may be led and stored */
    bool is_ready;               /* part's head is there and holds `position` */
    bool is_trial;               /* `position` is that of the first part that is absent */
    uint8_t tries;               /* lookups for this part */
};
#endif
