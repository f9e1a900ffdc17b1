#ifndef ADMIN_JSON_H
#define ADMIN_JSON_H
/*
 * json - writes JSON straight into a buf, commas by itself. Always valid UTF-8: bytes that are none
 * become U+FFFD, and what could act inside HTML or a terminal is escaped.
 *
 * Threads: one owner. Errors: the buf's sticky failed flag. Nesting is the caller's duty.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json {
    struct buf *out;
    bool comma; /* a value came before at this level */
};

void json_init(struct json *json, struct buf *out);
void json_object(struct json *json);
void json_object_end(struct json *json);
void json_array(struct json *json);
void json_array_end(struct json *json);
/* name: plain ASCII of our own. */
void json_key(struct json *json, const char *name);

void json_string(struct json *json, struct span text);
void json_u64(struct json *json, uint64_t value);
void json_i64(struct json *json, int64_t value);
/* Six digits; NaN and infinities are null. */
void json_double(struct json *json, double value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
/* Already JSON. */
void json_raw(struct json *json, struct span text);
/* RFC 3339 in UTC with milliseconds; 0 is null. */
void json_time(struct json *json, int64_t wall_ms);

/* key and value in one. text NULL: null. */
void json_put_text(struct json *json, const char *name, const char *text);
void json_put_u64(struct json *json, const char *name, uint64_t value);
void json_put_double(struct json *json, const char *name, double value);
void json_put_bool(struct json *json, const char *name, bool value);
void json_put_time(struct json *json, const char *name, int64_t wall_ms);
#endif
