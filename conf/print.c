/* print - the snapshot and the schema table for people. */
#include "conf/print.h"

#include "conf/type_scalar.h"
#include "conf/value.h"

#define NOTE_COLUMN ((size_t)44)

struct dump {
    const struct conf_settings *settings;
    const bool *held; /* by row */
    bool with_defaults;
    bool is_gone; /* in a block that is kept until a restart: nobody knows where its values stood */
    struct buf *out;
};

struct dump_line {
    size_t start; /* in the output */
    unsigned depth;
};

static void dump_context(const struct dump *dump, enum schema_context context, const void *owner,
                         uint32_t owner_index, unsigned depth);

/* Ends a line that began at start with where its value comes from. */
static void dump_note(const struct dump *dump, size_t start, const struct schema_row *row,
                      const struct conf_setting *setting)
{
    struct buf *out = dump->out;
    struct conf_shown shown;

    do {
        buf_putc(out, ' ');
    } while (!out->failed && out->len - start < NOTE_COLUMN);
    if (dump->held[schema_index(row)] || dump->is_gone) {
        buf_puts(out, "# until a restart\n");
    } else if (setting == NULL) {
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

/* The block of a directive that may have one, or the ";" it has instead; and the note. */
static void dump_end(const struct dump *dump, const struct schema_row *row, const void *element,
                     const struct conf_setting *setting, const struct dump_line *line)
{
    struct buf inside;
    struct dump inner = *dump;
    uint32_t owner = 0;

    buf_init(&inside, dump->out->limit);
    inner.out = &inside;
    if (row->block != SCHEMA_NONE) {
        CHECK(element != NULL); /* such rows are repeated ones */
        memcpy(&owner, (const char *)element + row->owner_offset, sizeof(owner));
        inner.is_gone = owner == CONF_OWNER_GONE;
        dump_context(&inner, row->block, element, owner, line->depth + 1);
    }
    buf_puts(dump->out, inside.len == 0 ? ";" : " {");
    dump_note(dump, line->start, row, setting);
    if (inside.len > 0) {
        buf_append(dump->out, buf_span(&inside));
        dump_indent(dump, line->depth);
        buf_puts(dump->out, "}\n");
    }
    buf_free(&inside);
}

static bool is_fallback(const struct schema_row *row, const struct buf *words)
{
    return row->fallback != NULL && span_eq(buf_span(words), span_str(row->fallback));
}

static void dump_value(const struct dump *dump, const struct schema_row *row, const void *owner,
                       const void *element, const struct conf_setting *setting, unsigned depth)
{
    const struct dump_line line = {.start = dump->out->len, .depth = depth};
    struct buf words;

    bool is_wanted = dump->with_defaults && row->set_bit == 0; /* a rule has no defaults */
    if (setting == NULL && !is_wanted && !dump->held[schema_index(row)] && !dump->is_gone) {
        return;
    }
    buf_init(&words, dump->out->limit);
    if (conf_item_print(row, owner, element, &words) &&
        (is_wanted || !dump->is_gone || !is_fallback(row, &words))) {
        dump_indent(dump, depth);
        buf_puts(dump->out, conf_item_name(row, element));
        buf_puts(dump->out, words.len == 0 ? "" : " ");
        buf_append(dump->out, buf_span(&words));
        dump_end(dump, row, element, setting, &line);
    }
    buf_free(&words);
}

/* ordinal: of a repeated block. */
static void dump_block(const struct dump *dump, const struct schema_row *row, const void *value,
                       uint32_t owner_index, uint32_t ordinal, unsigned depth)
{
    const struct conf_setting *setting =
        conf_setting_find(dump->settings, owner_index, row, ordinal);
    size_t start = dump->out->len;

    if (setting == NULL && !dump->with_defaults) {
        return;
    }
    dump_indent(dump, depth);
    enum schema_context block = row->block;
    if (block == SCHEMA_SITE && ((const struct conf_site *)value)->forward.name != NULL) {
        block = SCHEMA_FORWARD;
    }
    buf_puts(dump->out, block == SCHEMA_FORWARD ? "forward" : row->name);
    if (row->block == SCHEMA_RULE) {
        const struct conf_rule *rule = value;
        owner_index = rule->owner;
        buf_putc(dump->out, ' ');
        conf_print_conditions(rule, dump->out);
    } else if (row->block == SCHEMA_ORIGINS) {
        const struct conf_origins *pool = value;
        owner_index = row->element_bytes > 0 ? pool->owner : owner_index;
        if (pool->name != NULL) {
            buf_putc(dump->out, ' ');
            conf_print_word(pool->name, dump->out);
        }
        if (pool->name != NULL && row->element_bytes == 0) {
            buf_putc(dump->out, ';');
            dump_note(dump, start, row, setting);
            return;
        }
    } else if (row->block == SCHEMA_SITE) {
        const struct conf_site *site = value;
        owner_index = ordinal + 1;
        if (block == SCHEMA_FORWARD) {
            buf_putc(dump->out, ' ');
            conf_print_word(site->forward.name, dump->out);
        }
        for (size_t i = 0; i < site->names.count && block == SCHEMA_SITE; i++) {
            buf_putc(dump->out, ' ');
            conf_print_word(site->names.list[i], dump->out);
        }
    }
    buf_puts(dump->out, " {");
    dump_note(dump, start, row, setting);
    dump_context(dump, block, value, owner_index, depth + 1);
    dump_indent(dump, depth);
    buf_puts(dump->out, "}\n");
}

static void dump_row(const struct dump *dump, const struct schema_row *row, const void *owner,
                     uint32_t owner_index, unsigned depth)
{
    const char *field = (const char *)owner + row->offset;
    const char *list;
    size_t count;

    if (row->joins != NULL) {
        return; /* in the other one's list */
    }
    if (row->element_bytes == 0) {
        if (row->type == SCHEMA_BLOCK) {
            dump_block(dump, row, field, owner_index, 0, depth);
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
            dump_block(dump, row, element, owner_index, (uint32_t)i, depth);
        } else {
            dump_value(dump, row, owner, element,
                       conf_setting_find(dump->settings, owner_index, row, (uint32_t)i), depth);
        }
    }
}

static void dump_context(const struct dump *dump, enum schema_context context, const void *owner,
                         uint32_t owner_index, unsigned depth)
{
    for (size_t i = 0; i < schema_row_count(); i++) {
        if (schema_belongs(schema_row_at(i), context)) {
            dump_row(dump, schema_row_at(i), owner, owner_index, depth);
        }
    }
}

void conf_print_effective(const struct conf *conf, bool with_defaults, struct buf *out)
{
    const struct dump dump = {.settings = &conf->places->settings,
                              .held = conf->places->held,
                              .with_defaults = with_defaults,
                              .out = out};

    dump_context(&dump, SCHEMA_MAIN, conf, 0, 0);
}

static struct conf_where where_of(const struct conf *conf, uint32_t owner,
                                  const struct schema_row *row, uint32_t ordinal)
{
    const struct conf_setting *setting =
        conf_setting_find(&conf->places->settings, owner, row, ordinal);

    return setting == NULL ? (struct conf_where){0}
                           : (struct conf_where){.file = setting->file, .line = setting->line};
}

struct conf_where conf_where_site(const struct conf *conf, const struct conf_site *site,
                                  const char *directive)
{
    if (directive == NULL) {
        return where_of(conf, 0, schema_find(SCHEMA_MAIN, SPAN("site")),
                        (uint32_t)(site - conf->sites));
    }
    const struct schema_row *row = schema_find(SCHEMA_CACHE, span_str(directive));

    row = row == NULL ? schema_find(SCHEMA_SITE, span_str(directive)) : row;
    row = row == NULL ? schema_find(SCHEMA_ORIGINS, span_str(directive)) : row;
    row = row == NULL ? schema_find(SCHEMA_FORWARD, span_str(directive)) : row;
    CHECK(row != NULL);
    return where_of(conf, (uint32_t)(site - conf->sites) + 1, row, 0);
}

struct conf_where conf_where_rule(const struct conf *conf, const struct conf_site *site,
                                  const struct conf_rule *rule, const char *directive)
{
    if (directive == NULL) {
        return where_of(conf, (uint32_t)(site - conf->sites) + 1,
                        schema_find(SCHEMA_SITE, SPAN("rule")), (uint32_t)(rule - site->rules));
    }
    const struct schema_row *row = schema_find(SCHEMA_RULE, span_str(directive));
    CHECK(row != NULL);
    return where_of(conf, rule->owner, row, 0);
}

struct conf_where conf_where_acl(const struct conf *conf, const struct conf_site *site,
                                 size_t ordinal)
{
    return where_of(conf, (uint32_t)(site - conf->sites) + 1,
                    schema_find(SCHEMA_ACL, SPAN("allow")), (uint32_t)ordinal);
}

struct conf_where conf_where_element(const struct conf *conf, const struct conf_site *site,
                                     const struct conf_rule *rule, const char *directive,
                                     size_t ordinal)
{
    uint32_t owner = rule != NULL ? rule->owner : (uint32_t)(site - conf->sites) + 1;
    enum schema_context context = rule != NULL ? SCHEMA_RULE : SCHEMA_SITE;

    return where_of(conf, owner, schema_find(context, span_str(directive)), (uint32_t)ordinal);
}
