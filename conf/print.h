#ifndef CONF_PRINT_H
#define CONF_PRINT_H
/* print - what is behind struct conf: shared by conf.c, which makes it, and print.c, which shows
 * it. */
#include <stdatomic.h>

#include "conf/certificate.h"
#include "conf/check.h"
#include "conf/lists.h"

#define CONF_PLACES_MAGIC 0x636f6e66u
#define CONF_SNAPSHOT_MAX_BYTES ((size_t)64 << 20)

struct conf_places {
    uint32_t magic;
    _Atomic int refs;
    struct arena arena; /* every string and array of the snapshot */
    struct conf_settings settings;
    bool held[SCHEMA_ROWS_MAX]; /* by row: the file says otherwise, a restart will change it */
    struct conf_certificates certificates;
    struct conf_lists lists;
    struct conf *kept; /* whose memory holds what a reload cannot change, or NULL */
};
#endif
