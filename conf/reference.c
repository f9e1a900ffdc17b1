/* reference - `larder config ref`: the schema table in words. */
#include "conf/type_scalar.h"

static void reference_allowed(const struct schema_row *row, struct buf *out)
{
    if (row->max > 0 && row->type != SCHEMA_PATH) {
        buf_puts(out, "    range    ");
        conf_scalar_print(row->type, row->min, out);
        buf_puts(out, "..");
        conf_scalar_print(row->type, row->max, out);
        buf_putc(out, '\n');
    }
}

static void reference_options(const struct schema_row *row, struct buf *out)
{
    for (size_t i = 0; i < row->option_count; i++) {
        const struct schema_option *option = &row->options[i];
        buf_printf(out, "    option   %s=%s  %s", option->name, option->fallback, option->doc);
        if (option->max > 0) {
            buf_puts(out, ", ");
            conf_scalar_print(option->type, option->min, out);
            buf_puts(out, "..");
            conf_scalar_print(option->type, option->max, out);
        }
        buf_putc(out, '\n');
    }
}

static void reference_children(const struct schema_row *row, struct buf *out)
{
    const char *names[SCHEMA_ROWS_MAX];
    size_t count = row->block == SCHEMA_NONE ? 0 : schema_names(row->block, names);

    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s", i == 0 ? "    inside   " : ", ", names[i]);
    }
    buf_puts(out, count > 0 ? "\n" : "");
}

static const char *reference_context(enum schema_context context)
{
    return context == SCHEMA_ANY ? "everywhere" : schema_context_name(context);
}

/* What stands behind the words. */
static const char *reference_end(const struct schema_row *row)
{
    if (row->type == SCHEMA_BLOCK) {
        return "";
    }
    return row->block == SCHEMA_NONE ? ";" : "; or with a block { ... } instead of the \";\"";
}

static void reference_row(const struct schema_row *row, struct buf *out)
{
    bool is_block = row->type == SCHEMA_BLOCK;

    buf_printf(out, "%s%s%s%s\n    %s\n", row->name, row->syntax[0] == '\0' ? "" : " ", row->syntax,
               reference_end(row), row->doc);
    buf_printf(out, "    where    %s", reference_context(row->context));
    if (row->also != SCHEMA_NONE) {
        buf_printf(out, ", %s",
                   row->also == SCHEMA_DIRECT ? "origins of a forward proxy"
                                              : reference_context(row->also));
    }
    buf_putc(out, '\n');
    if (row->fallback != NULL && row->fallback[0] != '\0') {
        buf_printf(out, "    default  %s\n", row->fallback);
    }
    reference_allowed(row, out);
    reference_options(row, out);
    reference_children(row, out);
    if (row->required) {
        buf_puts(out, "    required\n");
    }
    if (!is_block && row->type != SCHEMA_INCLUDE) {
        buf_printf(out, "    changed  %s\n", row->reloadable ? "by a reload" : "by a restart");
    }
    buf_printf(out, "    example  %s\n", row->example);
}

static bool reference_matches(const struct schema_row *row, struct span name)
{
    const char *dot = name.len == 0 ? NULL : memchr(name.ptr, '.', name.len);

    if (dot == NULL) {
        return span_eq(name, span_str(row->name));
    }
    struct span context = span_of(name.ptr, (size_t)(dot - name.ptr));
    struct span last = span_of(dot + 1, name.len - context.len - 1);
    return span_eq(last, span_str(row->name)) &&
           span_eq(context, span_str(schema_context_name(row->context)));
}

static void reference_unknown(const char *directive, struct buf *out)
{
    const char *names[SCHEMA_ROWS_MAX];
    struct conf_shown shown;

    for (size_t i = 0; i < schema_row_count(); i++) {
        names[i] = schema_row_at(i)->name;
    }
    const char *dot = strrchr(directive, '.');
    const char *nearest =
        conf_nearest(span_str(dot == NULL ? directive : dot + 1), names, schema_row_count());
    buf_printf(out, "no directive is called \"%s\"", conf_show(&shown, span_str(directive)));
    if (nearest != NULL) {
        buf_printf(out, "; did you mean \"%s\"?", nearest);
    }
    buf_putc(out, '\n');
}

bool conf_print_reference(const char *directive, struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if (directive == NULL || reference_matches(row, span_str(directive))) {
            buf_puts(out, count == 0 ? "" : "\n");
            reference_row(row, out);
            count++;
        }
    }
    if (count == 0) {
        reference_unknown(directive, out);
    }
    return count > 0;
}
