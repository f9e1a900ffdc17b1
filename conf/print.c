/* print - the snapshot and the schema table for people. */
#include "conf/print.h"

#include "conf/type_scalar.h"
#include "conf/value.h"

#define NOTE_COLUMN ((size_t)44)

struct dump {
    const struct conf_settings *settings;
    bool with_defaults;
    struct buf *out;
};

/* Ends a line that began at start with where its value comes from. */
static void dump_note(const struct dump *dump, size_t start, const struct conf_setting *setting)
{
    struct buf *out = dump->out;
    struct conf_shown shown;

    do {
        buf_putc(out, ' ');
    } while (!out->failed && out->len - start < NOTE_COLUMN);
    if (setting == NULL) {
        buf_puts(out, "# default\n");
    } else {
        buf_printf(out, "# %s:%u\n", conf_show(&shown, span_str(setting->file)), setting->line);
    }
}

static void dump_indent(const struct dump *dump, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        buf_puts(dump->out, "    ");
    }
}

static void dump_value(const struct dump *dump, const struct schema_row *row, const void *owner,
                       const void *element, const struct conf_setting *setting, unsigned depth)
{
    size_t start = dump->out->len;
    struct buf words;

    if (setting == NULL && !dump->with_defaults) {
        return;
    }
    buf_init(&words, dump->out->limit);
    if (conf_item_print(row, owner, element, &words)) {
        dump_indent(dump, depth);
        buf_puts(dump->out, row->name);
        buf_puts(dump->out, words.len == 0 ? "" : " ");
        buf_append(dump->out, buf_span(&words));
        buf_putc(dump->out, ';');
        dump_note(dump, start, setting);
    }
    buf_free(&words);
}

static void dump_context(const struct dump *dump, enum schema_context context, const void *owner,
                         uint32_t owner_index, unsigned depth);

static void dump_block(const struct dump *dump, const struct schema_row *row, const void *value,
                       uint32_t owner_index, unsigned depth)
{
    bool is_site = row->block == SCHEMA_SITE;
    const struct conf_setting *setting = conf_setting_find(
        dump->settings, is_site ? 0 : owner_index, row, is_site ? owner_index - 1 : 0);
    size_t start = dump->out->len;

    if (setting == NULL && !dump->with_defaults) {
        return;
    }
    dump_indent(dump, depth);
    buf_puts(dump->out, row->name);
    if (is_site) {
        const struct conf_site *site = value;
        for (size_t i = 0; i < site->names.count; i++) {
            buf_putc(dump->out, ' ');
            conf_print_word(site->names.list[i], dump->out);
        }
    }
    buf_puts(dump->out, " {");
    dump_note(dump, start, setting);
    dump_context(dump, row->block, value, owner_index, depth + 1);
    dump_indent(dump, depth);
    buf_puts(dump->out, "}\n");
}

static void dump_row(const struct dump *dump, const struct schema_row *row, const void *owner,
                     uint32_t owner_index, unsigned depth)
{
    const char *field = (const char *)owner + row->offset;
    const char *list;
    size_t count;

    if (row->element_bytes == 0) {
        if (row->type == SCHEMA_BLOCK) {
            dump_block(dump, row, field, owner_index, depth);
        } else {
            dump_value(dump, row, owner, NULL,
                       conf_setting_find(dump->settings, owner_index, row, 0), depth);
        }
        return;
    }
    memcpy(&list, field, sizeof(list));
    memcpy(&count, (const char *)owner + row->count_offset, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        const void *element = list + i * row->element_bytes;
        if (row->type == SCHEMA_BLOCK) {
            dump_block(dump, row, element, (uint32_t)i + 1, depth);
        } else {
            dump_value(dump, row, owner, element,
                       conf_setting_find(dump->settings, owner_index, row, (uint32_t)i), depth);
        }
    }
}

static void dump_context(const struct dump *dump, enum schema_context context, const void *owner,
                         uint32_t owner_index, unsigned depth)
{
    for (size_t i = 0; i < schema_row_count; i++) {
        if (schema_rows[i].context == context) {
            dump_row(dump, &schema_rows[i], owner, owner_index, depth);
        }
    }
}

void conf_print_effective(const struct conf *conf, bool with_defaults, struct buf *out)
{
    const struct dump dump = {
        .settings = &conf->places->settings, .with_defaults = with_defaults, .out = out};

    dump_context(&dump, SCHEMA_MAIN, conf, 0, 0);
}

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

static size_t restart_context(enum schema_context context, const void *old, const void *new,
                              struct buf *out)
{
    size_t count = 0;
    struct buf values[2];

    for (size_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (row->context != context) {
            continue;
        }
        if (row->type == SCHEMA_BLOCK && row->element_bytes == 0) {
            count += restart_context(row->block, (const char *)old + row->offset,
                                     (const char *)new + row->offset, out);
        }
        if (row->reloadable) {
            continue;
        }
        buf_init(&values[0], out->limit);
        buf_init(&values[1], out->limit);
        restart_value(row, old, &values[0]);
        restart_value(row, new, &values[1]);
        if (!span_eq(buf_span(&values[0]), buf_span(&values[1]))) {
            const char *where = context == SCHEMA_MAIN ? "" : schema_context_name(context);
            buf_printf(out, "%s%s%s: stays %s until a restart; the file says %s\n", where,
                       where[0] == '\0' ? "" : ".", row->name, values[0].data, values[1].data);
            count++;
        }
        buf_free(&values[0]);
        buf_free(&values[1]);
    }
    return count;
}

size_t conf_diff_restart(const struct conf *old, const struct conf *new, struct buf *out)
{
    return restart_context(SCHEMA_MAIN, old, new, out);
}
