#ifndef CONF_CONF_QUOTA_H
#define CONF_CONF_QUOTA_H
/*
 * conf_quota - how fast and how much the clients of a forward proxy may move.
 *
 * Part of the snapshot (conf.h): immutable, owned by it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_network;

/* Whose bytes count together. */
enum conf_whose {
    CONF_WHOSE_CLIENT, /* the address; IPv6 by /64 */
    CONF_WHOSE_USER,   /* who is logged in; by client where nobody is */
    CONF_WHOSE_ALL,    /* of the whole forward proxy */
};

/* Bytes that count, or-ed. */
enum conf_sides {
    CONF_SIDE_DOWN = 1, /* to the client */
    CONF_SIDE_UP = 2,   /* from it */
};

enum conf_per {
    CONF_PER_HOUR,
    CONF_PER_DAY,
    CONF_PER_WEEK,
    CONF_PER_MONTH,
};

#define CONF_BANDWIDTHS_MAX 8u /* in one forward block; quotas the same */

struct conf_bandwidth {
    uint64_t bytes_s;
    uint64_t burst; /* bytes; 0: a tenth of a second's, at least 4 KiB */
    unsigned sides; /* enum conf_sides: of both, the bytes count together */
    enum conf_whose key;
    const char *name; /* unlike any other of its forward proxy; the file's, or made */
    bool has_own_name;
    const struct conf_network *except; /* clients it is not for */
    size_t except_count;
};

struct conf_quota {
    uint64_t bytes;
    enum conf_per per;
    unsigned sides; /* enum conf_sides */
    enum conf_whose key;
    uint64_t throttle_bytes_s; /* once it is used up; 0: requests are denied */
    uint32_t status;           /* with which */
    const char *name;          /* as above */
    bool has_own_name;
    const struct conf_network *except;
    size_t except_count;
};
#endif
