#ifndef CONF_TYPE_SCALAR_H
#define CONF_TYPE_SCALAR_H
/* type_scalar - numbers with a unit and a range: shared by directives and name=value options. */
#include "conf/type.h"

struct conf_scalar {
    enum schema_type type; /* COUNT, MODE, SIZE, DURATION or PERCENT */
    const char *name;      /* of the directive or option, for messages */
    uint64_t min;
    uint64_t max; /* 0: no range */
};

/* Reads text; a message at place when it is not such a value or out of range. */
bool conf_scalar_read(struct conf_check *check, const struct conf_scalar *scalar,
                      struct conf_place place, struct span text, uint64_t *out);
/* Stores into the field type's width. */
void conf_scalar_store(enum schema_type type, void *target, uint64_t value);
uint64_t conf_scalar_load(enum schema_type type, const void *target);
void conf_scalar_print(enum schema_type type, uint64_t value, struct buf *out);
#endif
