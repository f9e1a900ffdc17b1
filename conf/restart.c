/*
 * restart - what a reload cannot change. The new snapshot keeps the values in force by pointing at
 * the old one's memory, which it holds a reference on: a chain of at most one, because what the old
 * one held is handed on.
 */
#include "conf/print.h"

/* One old or new value; every element of a repeated one. */
static void restart_value(const struct schema_row *row, const void *owner, struct buf *out)
{
    const char *list;
    size_t count;

    if (row->element_bytes == 0) {
        if (!conf_item_print(row, owner, NULL, out)) {
            buf_puts(out, "unset");
        }
        return;
    }
    memcpy(&list, (const char *)owner + row->offset, sizeof(list));
    memcpy(&count, (const char *)owner + row->count_offset, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i == 0 ? "" : " ");
        (void)conf_item_print(row, owner, list + i * row->element_bytes, out);
    }
}

/* Does a setting differ that only a restart changes? The values are left in the two buffers. */
static bool restart_differs(const struct schema_row *row, const void *old, const void *new,
                            struct buf values[2])
{
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&values[i]);
        buf_puts(&values[i], "");
        restart_value(row, i == 0 ? old : new, &values[i]);
    }
    return !span_eq(buf_span(&values[0]), buf_span(&values[1]));
}

/* The context's struct inside a snapshot; such settings stand in blocks that stand only once. */
static char *restart_owner(const struct conf *conf, enum schema_context context)
{
    size_t offset = 0;

    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if (context == SCHEMA_MAIN || row->block != context) {
            continue;
        }
        CHECK(row->context == SCHEMA_MAIN && row->element_bytes == 0);
        offset = row->offset;
    }
    return (char *)span_unconst(conf) + offset;
}

size_t conf_diff_restart(const struct conf *old, const struct conf *new, struct buf *out)
{
    size_t count = 0;
    struct buf values[2];

    buf_init(&values[0], out->limit);
    buf_init(&values[1], out->limit);
    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if (row->reloadable || !restart_differs(row, restart_owner(old, row->context),
                                                restart_owner(new, row->context), values)) {
            continue;
        }
        const char *where = row->context == SCHEMA_MAIN ? "" : schema_context_name(row->context);
        buf_printf(out, "%s%s%s: stays %s until a restart; the file says %s\n", where,
                   where[0] == '\0' ? "" : ".", row->name, values[0].data, values[1].data);
        count++;
    }
    buf_free(&values[0]);
    buf_free(&values[1]);
    return count;
}

/* The element of a list whose words are the same, or NULL. */
static const char *restart_same(const struct schema_row *row, const char *owner,
                                const char *element, struct buf values[2])
{
    const char *list;
    size_t count;

    buf_clear(&values[0]);
    (void)conf_item_print(row, NULL, element, &values[0]);
    memcpy(&list, owner + row->offset, sizeof(list));
    memcpy(&count, owner + row->count_offset, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        buf_clear(&values[1]);
        (void)conf_item_print(row, NULL, list + i * row->element_bytes, &values[1]);
        if (span_eq(buf_span(&values[0]), buf_span(&values[1]))) {
            return list + i * row->element_bytes;
        }
    }
    return NULL;
}

/* Which elements there are stays; what the blocks of those the file still has say is new. The others
 * go on as they began, in the memory that is held anyway. */
static void restart_merge(const struct schema_row *row, const char *first, char *new,
                          struct arena *arena)
{
    struct buf values[2];
    const char *from;
    size_t count;

    memcpy(&from, first + row->offset, sizeof(from));
    memcpy(&count, first + row->count_offset, sizeof(count));
    char *list = arena_alloc(arena, count * row->element_bytes);
    if (list == NULL) {
        memcpy(new + row->offset, &from, sizeof(from));
        memcpy(new + row->count_offset, &count, sizeof(count));
        return;
    }
    buf_init(&values[0], CONF_SNAPSHOT_MAX_BYTES);
    buf_init(&values[1], CONF_SNAPSHOT_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        const char *kept = from + i * row->element_bytes;
        const char *same = restart_same(row, new, kept, values);
        memcpy(list + i * row->element_bytes, same != NULL ? same : kept, row->element_bytes);
        if (same == NULL) {
            const uint32_t gone = CONF_OWNER_GONE; /* its number is another one's by now */
            memcpy(list + i * row->element_bytes + row->owner_offset, &gone, sizeof(gone));
        }
    }
    buf_free(&values[0]);
    buf_free(&values[1]);
    memcpy(new + row->offset, &list, sizeof(list));
    memcpy(new + row->count_offset, &count, sizeof(count));
}

static void restart_copy(const struct schema_row *row, const char *old, char *new)
{
    if (row->element_bytes > 0) {
        memcpy(new + row->offset, old + row->offset, sizeof(void *));
        memcpy(new + row->count_offset, old + row->count_offset, sizeof(size_t));
        return;
    }
    memcpy(new + row->offset, old + row->offset, conf_type_bytes(row->type));
    for (size_t i = 0; i < row->option_count; i++) {
        const struct schema_option *option = &row->options[i];
        memcpy(new + option->offset, old + option->offset, conf_type_bytes(option->type));
    }
}

void conf_keep_restart(struct conf *new, struct conf *old)
{
    struct conf *first = old->places->kept != NULL ? old->places->kept : old;
    struct buf values[2];

    CHECK(new != old &&new->places->kept == NULL);
    buf_init(&values[0], CONF_SNAPSHOT_MAX_BYTES);
    buf_init(&values[1], CONF_SNAPSHOT_MAX_BYTES);
    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if (row->reloadable) {
            continue;
        }
        char *from = restart_owner(old, row->context);
        char *to = restart_owner(new, row->context);
        new->places->held[i] = restart_differs(row, from, to, values);
        if (row->element_bytes > 0 && row->block != SCHEMA_NONE) {
            restart_merge(row, restart_owner(first, row->context), to, &new->places->arena);
        } else {
            restart_copy(row, from, to);
        }
    }
    /* Kept values lie in the memory of the snapshot the process started with: hold that one. */
    new->places->kept = conf_ref(first);
    buf_free(&values[0]);
    buf_free(&values[1]);
}
