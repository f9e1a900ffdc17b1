/* type_log - where the two logs go: PATH [WORD] | stderr [WORD] | off. */
#include <limits.h>

#include "conf/type.h"
#include "conf/value.h"

/* The target and the optional second word. False: a message is out. */
static bool log_read(const struct conf_item *item, enum conf_log_kind *kind, const char **path,
                     unsigned *second)
{
    const struct schema_row *row = item->row;
    bool good = true;

    if (!conf_item_expect(item, 1, 2)) {
        return false;
    }
    *path = NULL;
    if (span_eq(item->words[0].text, SPAN("stderr"))) {
        *kind = CONF_LOG_STDERR;
    } else {
        *kind = CONF_LOG_FILE;
        *path = conf_check_copy(item->check, item->words[0].text);
        good = conf_item_path(item, &item->words[0], PATH_MAX - 1) &&
               conf_item_folder_of(item, &item->words[0]);
    }
    if (item->count == 2) {
        size_t index = conf_item_choose(item, &item->words[1], row->allowed, row->allowed_count);
        *second = (unsigned)index;
        good = good && index < row->allowed_count;
    }
    return good;
}

static bool access_set(const struct conf_item *item)
{
    struct conf_access_log *log = item->target;
    unsigned format = CONF_LOG_COMBINED;

    *log = (struct conf_access_log){.kind = CONF_LOG_OFF};
    if (item->count > 0 && span_eq(item->words[0].text, SPAN("off"))) {
        return conf_item_expect(item, 1, 1);
    }
    bool good = log_read(item, &log->kind, &log->path, &format);
    log->format = (enum conf_log_format)format;
    return good;
}

static void log_print(enum conf_log_kind kind, const char *path, const char *second,
                      struct buf *out)
{
    conf_print_word(kind == CONF_LOG_FILE ? path : "stderr", out);
    buf_printf(out, " %s", second);
}

static bool access_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_access_log *log = value;

    (void)owner;
    if (log->kind == CONF_LOG_OFF) {
        buf_puts(out, "off");
    } else {
        log_print(log->kind, log->path, row->allowed[log->format], out);
    }
    return true;
}

static bool error_set(const struct conf_item *item)
{
    struct conf_error_log *log = item->target;
    unsigned level = LOG_LEVEL_INFO;
    bool good = log_read(item, &log->kind, &log->path, &level);

    log->level = (enum log_level)level;
    return good;
}

static bool error_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_error_log *log = value;

    (void)owner;
    log_print(log->kind, log->path, row->allowed[log->level], out);
    return true;
}

const struct conf_type conf_type_access_log = {access_set, access_print};
const struct conf_type conf_type_error_log = {error_set, error_print};
