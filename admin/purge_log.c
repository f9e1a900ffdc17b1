/*
 * purge_log - rows are appended as they come; once 1 000 too many have gathered the file is written
 * anew. Each line is {"ms":TIME,"purge":OBJECT}, so that age can be judged without reading JSON; a
 * line that does not parse is dropped, so a damaged file cannot spoil an answer.
 */
#include "admin/purge_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "admin/file.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"

#define PURGE_LOG_ROWS ((size_t)10000)
#define PURGE_LOG_SLACK ((size_t)1000)
#define PURGE_LOG_AGE_MS ((int64_t)90 * 24 * 3600 * 1000)
#define PURGE_LOG_ROW_MAX_BYTES ((size_t)16384)
#define PURGE_LOG_FILE_MAX_BYTES ((size_t)256 << 20)

#define LINE_BEFORE "{\"ms\":"
#define LINE_BETWEEN ",\"purge\":"

struct purge_log {
    struct lock lock;
    char *path;
    size_t rows;                    /* in the file; opener and job thread only */
    char *recent[PURGE_LOG_RECENT]; /* [lock] ring */
    uint64_t added;                 /* [lock] */
};

static void remember(struct purge_log *log, struct span row)
{
    char *copy = mem_copy(row.ptr, row.len);

    lock_acquire(&log->lock);
    char **place = &log->recent[log->added++ % PURGE_LOG_RECENT];
    char *old = *place;
    *place = copy;
    lock_release(&log->lock);
    mem_free(old);
}

static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT;
    }
    bool good = file_read_fd(fd, out);
    (void)close(fd);
    return good;
}

/* The row as cJSON understands it, NULL when it is not an object with an id and nothing behind it.
 */
static cJSON *row_parse(struct span row)
{
    const char *end = NULL;

    if (row.len == 0 || row.len > PURGE_LOG_ROW_MAX_BYTES || row.ptr[0] != '{') {
        return NULL;
    }
    cJSON *json = cJSON_ParseWithLengthOpts(row.ptr, row.len, &end, false);
    if (!cJSON_IsObject(json) || end != row.ptr + row.len ||
        !cJSON_IsString(cJSON_GetObjectItem(json, "id"))) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static bool row_is_good(struct span row)
{
    cJSON *json = row_parse(row);

    cJSON_Delete(json);
    return json != NULL;
}

/* Printed anew, since cJSON takes spellings that others refuse. */
static void remember_read(struct purge_log *log, struct span row)
{
    cJSON *json = row_parse(row);
    char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);

    if (text != NULL) {
        remember(log, span_str(text));
    }
    cJSON_free(text);
    cJSON_Delete(json);
}

/* Splits off a line; false: no more. */
static bool next_line(struct span *text, struct span *line)
{
    if (text->len == 0) {
        return false;
    }
    const char *end = memchr(text->ptr, '\n', text->len);
    *line = span_of(text->ptr, end == NULL ? text->len : (size_t)(end - text->ptr));
    text->ptr += line->len + (end != NULL);
    text->len -= line->len + (end != NULL);
    return true;
}

static bool split_line(struct span line, int64_t *time_ms, struct span *row)
{
    static const struct span before = {LINE_BEFORE, sizeof(LINE_BEFORE) - 1};
    static const struct span between = {LINE_BETWEEN, sizeof(LINE_BETWEEN) - 1};
    uint64_t value;

    if (!span_starts(line, before) || line.ptr[line.len - 1] != '}') {
        return false;
    }
    line = span_of(line.ptr + before.len, line.len - before.len - 1);
    const char *comma = line.len == 0 ? NULL : memchr(line.ptr, ',', line.len);
    if (comma == NULL ||
        !span_to_u64(span_of(line.ptr, (size_t)(comma - line.ptr)), INT64_MAX, &value)) {
        return false;
    }
    *row = span_of(comma, (size_t)(line.ptr + line.len - comma));
    if (!span_starts(*row, between)) {
        return false;
    }
    *row = span_of(row->ptr + between.len, row->len - between.len);
    *time_ms = (int64_t)value;
    return true;
}

/* Keeps the newest good lines of text that are young enough, in out. Returns how many. */
static size_t keep_lines(struct span text, int64_t now_ms, struct buf *out)
{
    size_t all = 0;
    size_t kept = 0;
    struct span line;
    struct span row;
    int64_t time_ms;

    for (struct span at = text; next_line(&at, &line); all++) {
    }
    size_t skip = all > PURGE_LOG_ROWS ? all - PURGE_LOG_ROWS : 0;
    while (next_line(&text, &line)) {
        if (skip > 0) {
            skip--;
        } else if (split_line(line, &time_ms, &row) && row_is_good(row) &&
                   now_ms - time_ms < PURGE_LOG_AGE_MS) {
            buf_append(out, line);
            buf_putc(out, '\n');
            kept++;
        }
    }
    return kept;
}

static void rewrite(struct purge_log *log, struct span kept)
{
    char beside[4096];

    if (snprintf(beside, sizeof(beside), "%s.new", log->path) >= (int)sizeof(beside) ||
        !file_write(beside, O_TRUNC, kept, false) || rename(beside, log->path) != 0) {
        log_warn("purge_log_not_written", "path=\"%s\"", log->path);
    }
}

static void compact(struct purge_log *log, int64_t now_ms, bool must, struct buf *kept)
{
    struct buf text;

    buf_init(&text, PURGE_LOG_FILE_MAX_BYTES);
    if (!read_file(log->path, &text)) {
        log_warn("purge_log_not_read", "path=\"%s\"", log->path);
    }
    log->rows = keep_lines(buf_span(&text), now_ms, kept);
    if (must || kept->len != text.len) {
        rewrite(log, buf_span(kept));
    }
    buf_free(&text);
}

struct purge_log *purge_log_open(const char *path, int64_t now_ms)
{
    struct purge_log *log = mem_new(sizeof(*log));
    struct buf kept;
    struct span line;
    struct span row;
    int64_t time_ms;

    lock_init(&log->lock, LOCK_PURGE);
    log->path = mem_copy(path, strlen(path));
    buf_init(&kept, PURGE_LOG_FILE_MAX_BYTES);
    compact(log, now_ms, false, &kept);
    for (struct span at = buf_span(&kept); next_line(&at, &line);) {
        if (split_line(line, &time_ms, &row)) {
            remember_read(log, row);
        }
    }
    buf_free(&kept);
    return log;
}

void purge_log_close(struct purge_log **log)
{
    if (*log == NULL) {
        return;
    }
    for (unsigned i = 0; i < PURGE_LOG_RECENT; i++) {
        mem_free((*log)->recent[i]);
    }
    lock_fini(&(*log)->lock);
    mem_free((*log)->path);
    mem_free(*log);
    *log = NULL;
}

void purge_log_add(struct purge_log *log, struct span row, int64_t now_ms)
{
    struct buf line;

    CHECK(row.len == 0 || memchr(row.ptr, '\n', row.len) == NULL);
    if (row.len > PURGE_LOG_ROW_MAX_BYTES) {
        log_warn("purge_log_row_too_long", "bytes=%zu", row.len);
        return;
    }
    remember(log, row);
    buf_init(&line, PURGE_LOG_ROW_MAX_BYTES + 64);
    buf_puts(&line, LINE_BEFORE);
    buf_put_u64(&line, (uint64_t)now_ms);
    buf_puts(&line, LINE_BETWEEN);
    buf_append(&line, row);
    buf_puts(&line, "}\n");
    if (line.failed || !file_write(log->path, O_APPEND, buf_span(&line), false)) {
        log_warn("purge_log_not_written", "path=\"%s\"", log->path);
    }
    buf_free(&line);
    if (++log->rows > PURGE_LOG_ROWS + PURGE_LOG_SLACK) {
        struct buf kept;
        buf_init(&kept, PURGE_LOG_FILE_MAX_BYTES);
        compact(log, now_ms, true, &kept);
        buf_free(&kept);
    }
}

void purge_log_write(struct purge_log *log, unsigned limit, struct json *json)
{
    json_array(json);
    lock_acquire(&log->lock);
    for (uint64_t i = 0; i < limit && i < PURGE_LOG_RECENT && i < log->added; i++) {
        json_raw(json, span_str(log->recent[(log->added - 1 - i) % PURGE_LOG_RECENT]));
    }
    lock_release(&log->lock);
    json_array_end(json);
}
