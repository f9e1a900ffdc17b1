#ifndef CONF_VALUE_H
#define CONF_VALUE_H
/* value - units: words into numbers and back. Pure. */
#include "base/buf.h"
#include "base/span.h"

struct conf_names;

enum conf_value {
    CONF_VALUE_OK,
    CONF_VALUE_BAD,       /* no number at all, or a spelling we do not take */
    CONF_VALUE_NO_UNIT,   /* a duration without one */
    CONF_VALUE_UNIT,      /* a number with a unit of another kind */
    CONF_VALUE_TOO_LARGE, /* beyond 64 bits */
};

/* 1*DIGIT */
enum conf_value conf_value_count(struct span word, uint64_t *out);
/* 1*DIGIT [ K / M / G / T ], powers of 1024; bytes. */
enum conf_value conf_value_size(struct span word, uint64_t *out_bytes);
/* 1*DIGIT ( ms / s / m / h / d ), or 0; milliseconds. */
enum conf_value conf_value_duration(struct span word, uint64_t *out_ms);
/* 1*DIGIT %, 0 to 100. */
enum conf_value conf_value_percent(struct span word, uint64_t *out);
/* on / off */
enum conf_value conf_value_switch(struct span word, bool *out);

/* The shortest spelling that reads back to the same value. */
void conf_print_size(uint64_t bytes, struct buf *out);
void conf_print_duration(uint64_t ms, struct buf *out);
/* A word as the language would read it back: quoted and escaped when it must be. */
void conf_print_word(const char *word, struct buf *out);
/* Words with spaces between. False: there are none. */
bool conf_print_words(const struct conf_names *names, struct buf *out);
#endif
