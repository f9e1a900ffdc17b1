#ifndef SITE_URL_KEY_H
#define SITE_URL_KEY_H
/*
 * url_key - from an address an operator typed to the key a request for it has: the site's settings
 * for the query count here as they do there.
 * Threads: any; pure.
 */
#include "base/arena.h"
#include "base/span.h"
#include "site/site.h"

enum url_scheme {
    URL_SCHEME_OWN,
    URL_SCHEME_OTHER, /* of the same address under https instead of http, or the other way round */
};

/* Key in the arena. name: the first name of the one that answers ("forward:office" has a cache of its
 * own); empty: the published site that has the URL. Empty key: that one has other URLs. Returns NULL,
 * or what is wrong with the URL, static text. */
const char *url_key(const struct site_table *sites, struct arena *arena, struct span url,
                    struct span name, enum url_scheme scheme, struct span *key);
#endif
