/*
 * site_path - the path of a request as it counts for rules, key and origin alike (the site's
 * normalize_path).
 *
 * What an origin may read as a slash and we do not (%2F, \) is kept, as it is data in many an API;
 * refused is only what rules would judge otherwise if it were one, or what would then leave its
 * folder: who decides by a path must not be passed by.
 */
#include "site/site_path.h"

#include <string.h>

#include "http/path.h"

static struct span fold(struct arena *arena, struct span path, enum http_path_reading reading)
{
    char *room = arena_alloc(arena, HTTP_PATH_FOLD_BYTES(path));
    return room == NULL ? span_of(NULL, 0) : http_path_fold(room, path, reading);
}

struct span site_path_folded(struct arena *arena, const struct site *site, struct span path)
{
    if (site->normalize != CONF_NORMALIZE_FOLD || LIKELY(!http_path_is_odd(path))) {
        return path;
    }
    return fold(arena, path, HTTP_PATH_STRICT);
}

/* Do the rules say the same when every byte counts as a slash that an origin may take for one? */
static bool is_one_reading(struct arena *arena, const struct site *site, struct span path)
{
    struct span loose = fold(arena, path, HTTP_PATH_LOOSE);
    return loose.ptr != NULL && !http_path_has_dots(path, HTTP_PATH_LOOSE) &&
           (span_eq(loose, path) || rules_see_alike(&site->rules, path, loose));
}

/* Is the NUL of some languages' strings in it? */
static bool has_nul(struct span path)
{
    return memmem(path.ptr, http_path_end(path), "%00", 3) != NULL;
}

const char *site_path_settle(struct arena *arena, const struct site *site,
                             struct http_request *request)
{
    if (LIKELY(site->normalize == CONF_NORMALIZE_OFF) || LIKELY(!http_path_is_odd(request->path))) {
        return NULL;
    }
    if (site->normalize == CONF_NORMALIZE_REJECT) {
        return http_path_fault(request->path);
    }
    request->path = fold(arena, request->path, HTTP_PATH_STRICT);
    if (request->path.ptr == NULL) {
        return "the path is too long";
    }
    return has_nul(request->path) || !is_one_reading(arena, site, request->path)
               ? "the path has an escaped slash, a backslash or the like that could mean another"
               : NULL;
}
