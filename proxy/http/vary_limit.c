/* vary_limit - see vary_limit.h. */
#include "http/vary_limit.h"

static bool vary_is_ignored(struct span name, const struct span *ignore, unsigned ignore_count)
{
    for (unsigned i = 0; i < ignore_count; i++) {
        if (span_eq_nocase(name, ignore[i])) {
            return !span_eq(name, SPAN("*"));
        }
    }
    return false;
}

static bool vary_split(struct http_fields *out, const struct http_field *field,
                       const struct span *ignore, unsigned ignore_count)
{
    struct span value = field->value;
    struct span member;

    while (http_list_next(&value, &member)) {
        if (!vary_is_ignored(member, ignore, ignore_count) &&
            !http_fields_add(out, field->name, member)) {
            return false;
        }
    }
    return true;
}

bool http_vary_without(struct http_fields *out, const struct http_fields *response,
                       const struct span *ignore, unsigned ignore_count)
{
    for (unsigned i = 0; i < response->count; i++) {
        const struct http_field *field = &response->items[i];
        bool fits = field->id == HTTP_FIELD_VARY ? vary_split(out, field, ignore, ignore_count)
                                                 : http_fields_add(out, field->name, field->value);
        if (!fits) {
            return false;
        }
    }
    return true;
}
