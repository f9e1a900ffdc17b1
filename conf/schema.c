/* schema - the one table, made of those in schema_*.c, and how directives are found in it. */
#include "conf/schema.h"

#include "conf/schema_rows.h"

static const struct schema_group *const groups[] = {
    &schema_group_server, &schema_group_listen, &schema_group_site,    &schema_group_origins,
    &schema_group_cache,  &schema_group_guard,  &schema_group_forward, &schema_group_privacy,
};

size_t schema_row_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        count += groups[i]->count;
    }
    CHECK(count <= SCHEMA_ROWS_MAX);
    return count;
}

const struct schema_row *schema_row_at(size_t index)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (index < groups[i]->count) {
            return &groups[i]->rows[index];
        }
        index -= groups[i]->count;
    }
    CHECK(false);
    return NULL;
}

const char *schema_context_name(enum schema_context context)
{
    for (size_t i = 0; i < schema_row_count(); i++) {
        if (schema_row_at(i)->block == context && context != SCHEMA_NONE) {
            return schema_row_at(i)->name;
        }
    }
    return "the top level";
}

bool schema_belongs(const struct schema_row *row, enum schema_context context)
{
    return context != SCHEMA_NONE && (row->context == context || row->also == context);
}

const struct schema_row *schema_find(enum schema_context context, struct span name)
{
    for (size_t i = 0; context != SCHEMA_NONE && i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if ((schema_belongs(row, context) || row->context == SCHEMA_ANY) &&
            span_eq(name, span_str(row->name))) {
            return row;
        }
    }
    return NULL;
}

const struct schema_row *schema_find_elsewhere(enum schema_context context, struct span name)
{
    for (size_t i = 0; i < schema_row_count(); i++) {
        if (!schema_belongs(schema_row_at(i), context) &&
            span_eq(name, span_str(schema_row_at(i)->name))) {
            return schema_row_at(i);
        }
    }
    return NULL;
}

const struct schema_row *schema_list_row(const struct schema_row *row)
{
    return row->joins == NULL ? row : schema_find(row->context, span_str(row->joins));
}

size_t schema_names(enum schema_context context, const char **out)
{
    size_t count = 0;

    for (size_t i = 0; i < schema_row_count(); i++) {
        if (schema_belongs(schema_row_at(i), context)) {
            out[count++] = schema_row_at(i)->name;
        }
    }
    return count;
}

uint32_t schema_index(const struct schema_row *row)
{
    size_t before = 0;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        const struct schema_row *first = groups[i]->rows;
        if (row >= first && row < first + groups[i]->count) {
            return (uint32_t)(before + (size_t)(row - first));
        }
        before += groups[i]->count;
    }
    CHECK(false);
    return 0;
}
