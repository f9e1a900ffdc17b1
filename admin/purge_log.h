#ifndef ADMIN_PURGE_LOG_H
#define ADMIN_PURGE_LOG_H
/*
 * purge_log - what was purged, by whom, one JSON object a line in the state folder; at most 10 000
 * rows and 90 days. The newest 500 are kept in memory for answers.
 *
 * Threads: add by the job thread; write by any (rank LOCK_PURGE).
 */
#include <stdint.h>

#include "admin/json.h"

#define PURGE_LOG_RECENT 500u

struct purge_log;

/* Reads the file, drops what is too old or no JSON object, and writes it again when much was
 * dropped. */
struct purge_log *purge_log_open(const char *path, int64_t now_ms);
void purge_log_close(struct purge_log **log);
/* row: one JSON object without line breaks whose first member is "id". */
void purge_log_add(struct purge_log *log, struct span row, int64_t now_ms);
/* An array of the newest rows, newest first. */
void purge_log_write(struct purge_log *log, unsigned limit, struct json *json);
#endif
