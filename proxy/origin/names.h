#ifndef ORIGIN_NAMES_H
#define ORIGIN_NAMES_H
/*
 * names - the addresses a server's host name has: which is used next, and what a lookup changes.
 * Pure; under the lock of the server's pool.
 */
#include <stdbool.h>
#include <stdint.h>

#include "origin/health.h"

enum names_state {
    NAMES_LITERAL, /* the host is an address, or nobody looks names up here */
    NAMES_PENDING, /* looked up for the first time */
    NAMES_KNOWN,
    NAMES_NONE, /* there is no such name, or no answer yet */
};

struct origin_address {
    char text[ORIGIN_ADDRESS_BYTES]; /* literal, no brackets */
    bool is_broken;                  /* it took no connection, and has not since */
};

struct origin_names {
    enum names_state state;
    unsigned count;
    unsigned next; /* whose turn it is */
    struct origin_address list[ORIGIN_ADDRESSES_MAX];
    unsigned negatives; /* in a row: answers that there is no such name */
    bool is_warning;    /* the last lookup failed */
    char detail[96];    /* why */
    int64_t at_ms;      /* of the last good answer */
};

enum names_answer {
    NAMES_FOUND,
    NAMES_NEGATIVE, /* a server says that there is no such name, or no address for it */
    NAMES_FAILED,   /* no answer, or a broken one */
};

/* What a lookup brought. detail: in words, unless it is FOUND. */
struct names_result {
    enum names_answer answer;
    unsigned count; /* FOUND: at least 1 */
    char addresses[ORIGIN_ADDRESSES_MAX][ORIGIN_ADDRESS_BYTES];
    bool is_silent;  /* FAILED: nobody answered */
    bool is_partial; /* FOUND: DNS still owes the other family; another result follows */
    char detail[96];
};

bool names_is_literal(const char *host);
/* In turn, those that are broken last. "": connect to the host itself. */
void names_pick(struct origin_names *names, char out[ORIGIN_ADDRESS_BYTES]);
/* A connection to this address stood, or could not be made. Returns whether that is news. */
bool names_note(struct origin_names *names, const char *address, bool is_broken);
/* A lookup is over. A good answer is kept when later ones fail, and when they say that there is no
 * such name, until they have said so several times. Returns whether something has changed. */
bool names_take(struct origin_names *names, const struct names_result *result, int64_t now_ms);
/* The first lookup takes too long for those who wait. */
void names_give_up(struct origin_names *names);
void names_show(const struct origin_names *names, struct origin_health_view *out);
#endif
