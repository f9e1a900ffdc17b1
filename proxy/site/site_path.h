#ifndef SITE_SITE_PATH_H
#define SITE_SITE_PATH_H
/*
 * site_path - the path of a request as it counts for rules, key and origin alike (the site's
 * normalize_path).
 *
 * Threads: any; pure. Ownership: a path that was changed is in the arena.
 */
#include "base/arena.h"
#include "http/request.h"
#include "site/site.h"

/* Makes request->path the one that counts. Returns why it is refused (400), static text, or NULL. */
const char *site_path_settle(struct arena *arena, const struct site *site,
                             struct http_request *request);
/* A path of the site in the form that counts; NULL ptr: the arena is full. */
struct span site_path_folded(struct arena *arena, const struct site *site, struct span path);
#endif
