/* loop - see loop.h. */
#include "site/loop.h"

#include "base/hash.h"
#include "base/instance.h"

#define HOPS SPAN("Larder-Hops")
#define NAME_BITS 48 /* of the number in a name */

struct span loop_name(struct arena *arena, const struct conf_site *site)
{
    const struct hash_seed seed = {.value = instance_id()};
    uint64_t number = hash64(seed, span_str(site->names.list[0])) >> (64 - NAME_BITS);

    if (strcmp(site->via, "larder") != 0) {
        return span_str(site->via);
    }
    return arena_printf(arena, "%s-%012llx", site->via, (unsigned long long)number);
}

/* What follows the protocol in "1.1 larder" or "HTTP/1.1 larder (comment)". */
static struct span received_by(struct span member)
{
    const char *space = memchr(member.ptr, ' ', member.len);

    if (space == NULL) {
        return span_of(NULL, 0);
    }
    struct span by = span_trim(span_of(space, member.len - (size_t)(space - member.ptr)));
    const char *end = memchr(by.ptr, ' ', by.len);
    if (end != NULL) {
        by.len = (size_t)(end - by.ptr);
    }
    return by;
}

/* Members of a field, and whether one of them is ours. */
struct hops {
    struct span own;
    unsigned count;
    bool is_back;
};

static void hops_read(struct hops *hops, struct span value, bool is_via)
{
    struct span member;

    while (http_list_next(&value, &member)) {
        hops->count++;
        hops->is_back =
            hops->is_back || span_eq_nocase(is_via ? received_by(member) : member, hops->own);
    }
}

static bool is_over(const struct hops *hops)
{
    return hops->is_back || hops->count > LOOP_HOPS_MAX;
}

static bool via_is_closed(const struct http_fields *fields, const struct site *site)
{
    struct hops hops = {.own = site->via_own};
    const struct http_field *field;
    unsigned at = 0;

    while ((field = http_fields_next(fields, HTTP_FIELD_VIA, &at)) != NULL) {
        hops_read(&hops, field->value, true);
    }
    return is_over(&hops);
}

static bool hops_are_closed(const struct http_fields *fields, const struct site *site)
{
    struct hops hops = {.own = site->via_own};

    for (unsigned i = 0; i < fields->count; i++) {
        if (span_eq_nocase(fields->items[i].name, HOPS)) {
            hops_read(&hops, fields->items[i].value, false);
        }
    }
    return is_over(&hops);
}

bool loop_is_closed(const struct http_fields *fields, const struct site *site)
{
    if (http_fields_has(fields, HTTP_FIELD_VIA) && via_is_closed(fields, site)) {
        return true;
    }
    return UNLIKELY(site->forward != NULL) && hops_are_closed(fields, site);
}

struct span loop_hops(struct arena *arena, const struct http_fields *fields,
                      const struct site *site)
{
    struct span line = arena_printf(arena, "Larder-Hops: ");

    for (unsigned i = 0; line.ptr != NULL && i < fields->count; i++) {
        const struct http_field *field = &fields->items[i];
        if (span_eq_nocase(field->name, HOPS) && field->value.len > 0) {
            line = arena_printf(arena, "%.*s%.*s, ", (int)line.len, line.ptr, (int)field->value.len,
                                field->value.ptr);
        }
    }
    return line.ptr == NULL ? line
                            : arena_printf(arena, "%.*s%.*s", (int)line.len, line.ptr,
                                           (int)site->via_own.len, site->via_own.ptr);
}
