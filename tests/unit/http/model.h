#ifndef TESTS_HTTP_MODEL_H
#define TESTS_HTTP_MODEL_H
/*
 * model - a response, a request and a clock as data, and a slow, obvious reading of RFC 9111, 9213
 * and 5861 that judges the data. test_model.c prints the same data as field lines for the code
 * under test; nothing here reads text or uses the code's own functions.
 */
#include <stdbool.h>
#include <stdint.h>

#define MODEL_DIRECTIVES 6

enum model_name {
    MODEL_MAX_AGE,
    MODEL_S_MAXAGE,
    MODEL_SWR,
    MODEL_SIE,
    MODEL_MIN_FRESH, /* requests */
    MODEL_MAX_STALE, /* requests */
    MODEL_NO_STORE,
    MODEL_NO_CACHE,
    MODEL_PRIVATE,
    MODEL_PUBLIC,
    MODEL_MUST_REVALIDATE,
    MODEL_PROXY_REVALIDATE,
    MODEL_MUST_UNDERSTAND,
    MODEL_IMMUTABLE,
    MODEL_EXTENSION, /* means nothing */
    MODEL_NAMES,
};

enum model_form {
    MODEL_VALID,  /* ages: a number; words: the word alone; lists: without names */
    MODEL_VOID,   /* ages: no number; not of words */
    MODEL_FIELDS, /* no-cache, private: with a field name */
    MODEL_BARE,   /* max-stale: without a number */
    MODEL_FALSE,  /* structured fields: =?0 */
};

struct model_directive {
    enum model_name name;
    enum model_form form;
    uint64_t seconds; /* VALID ages */
};

enum model_field {
    MODEL_ABSENT,
    MODEL_GOOD,
    MODEL_BAD, /* there, and malformed */
    MODEL_EMPTY,
};

struct model_list {
    enum model_field field;
    unsigned count;
    struct model_directive items[MODEL_DIRECTIVES];
};

struct model_time {
    enum model_field field; /* BAD: there, and no date or no number */
    int64_t value;
};

struct model_options {
    uint32_t default_s, min_s, max_s, heuristic_s, swr_s, sie_s;
    int cookies; /* 0 pass, 1 strip, 2 store */
};

struct model_case {
    unsigned status;
    struct model_list cache_control;
    struct model_list own; /* the first targeted field */
    struct model_list cdn; /* the second */
    struct model_time date, expires, modified, age;
    bool has_second_expires, has_etag, has_cookie, has_vary_star;
    bool asks_with_authorization;
    struct model_list ask; /* Cache-Control of the request */
    bool has_pragma;       /* no-cache */
    struct model_options options;
    int64_t asked_ms, received_ms, now_ms;
};

struct model_verdict {
    bool may_store;
    /* the rest only when it may */
    uint64_t lifetime_s;
    uint64_t age_s;     /* now */
    bool is_fresh;      /* as it is, whatever the client wants */
    bool serves;        /* fresh, or stale by the client's own max-stale */
    bool serves_stale;  /* and refreshes in the background */
    bool when_erring;   /* stale while the origin answers 5xx */
    bool when_down;     /* stale while the origin is away */
    bool leaves_fields; /* those of no-cache="..." */
};

/* ---- what the directives say ---- */

static inline const struct model_directive *model_find(const struct model_list *list,
                                                       enum model_name name, bool last)
{
    const struct model_directive *found = 0;

    for (unsigned i = 0; i < list->count; i++) {
        if (list->items[i].name == name && (last || found == 0)) {
            found = &list->items[i];
        }
    }
    return found;
}

/* RFC 9213 2.2: the first targeted field that can be read, else Cache-Control. In a dictionary the
 * last of the same key counts (RFC 8941 3.2), in Cache-Control the first (RFC 9111 4.2.1). */
static inline const struct model_list *model_policy(const struct model_case *data,
                                                    bool *is_targeted)
{
    *is_targeted = true;
    if (data->own.field == MODEL_GOOD) {
        return &data->own;
    }
    if (data->cdn.field == MODEL_GOOD) {
        return &data->cdn;
    }
    *is_targeted = false;
    return &data->cache_control;
}

static inline bool model_says(const struct model_list *list, enum model_name name, bool last)
{
    const struct model_directive *found = model_find(list, name, last);

    return found != 0 && found->form != MODEL_FALSE;
}

/* Seconds of an age, or -1 when it is not said. What is no number is none (4.2.1: stale). */
static inline int64_t model_age_of(const struct model_list *list, enum model_name name, bool last)
{
    const struct model_directive *found = model_find(list, name, last);
    const uint64_t most = (uint64_t)1 << 31;

    if (found == 0) {
        return -1;
    }
    if (found->form == MODEL_BARE) {
        return (int64_t)most;
    }
    if (found->form != MODEL_VALID) {
        return 0;
    }
    return (int64_t)(found->seconds > most ? most : found->seconds);
}

enum model_scope {
    MODEL_NOTHING,
    MODEL_SOME,  /* the named fields */
    MODEL_WHOLE, /* the response */
};

/* no-cache, private: two of them in Cache-Control are more than we care to combine. */
static inline enum model_scope model_scope_of(const struct model_list *list, enum model_name name,
                                              bool last)
{
    unsigned count = 0;
    bool whole = false;

    if (last) {
        const struct model_directive *found = model_find(list, name, true);
        return found == 0 || found->form == MODEL_FALSE ? MODEL_NOTHING
               : found->form == MODEL_FIELDS            ? MODEL_SOME
                                                        : MODEL_WHOLE;
    }
    for (unsigned i = 0; i < list->count; i++) {
        if (list->items[i].name == name) {
            count++;
            whole = whole || list->items[i].form != MODEL_FIELDS;
        }
    }
    return count == 0 ? MODEL_NOTHING : whole || count > 1 ? MODEL_WHOLE : MODEL_SOME;
}

/* ---- 3, 4.2 ---- */

static inline bool model_in(unsigned status, const unsigned *list)
{
    for (; *list != 0; list++) {
        if (*list == status) {
            return true;
        }
    }
    return false;
}

/* RFC 9110 15.1 */
static inline bool model_is_heuristic(unsigned status)
{
    static const unsigned list[] = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501, 0};
    return model_in(status, list);
}

/* The rest of those the cases use, as far as a cache needs to know them. */
static inline bool model_is_understood(unsigned status)
{
    static const unsigned list[] = {200, 201, 203, 204, 300, 301, 302, 307, 308, 400, 403,
                                    404, 405, 410, 414, 500, 501, 502, 503, 504, 0};
    return model_in(status, list);
}

static inline int64_t model_date(const struct model_case *data)
{
    return data->date.field == MODEL_GOOD ? data->date.value : data->received_ms / 1000;
}

static inline int64_t model_cap(int64_t seconds)
{
    const int64_t most = (int64_t)1 << 31;

    return seconds < 0 ? 0 : seconds > most ? most : seconds;
}

/* 4.2.1; -1: neither said nor to be guessed. */
static inline int64_t model_lifetime(const struct model_case *data)
{
    bool last;
    const struct model_list *policy = model_policy(data, &last);
    int64_t shared_s = model_age_of(policy, MODEL_S_MAXAGE, last);
    int64_t own_s = model_age_of(policy, MODEL_MAX_AGE, last);

    if (shared_s >= 0) {
        return shared_s;
    }
    if (own_s >= 0) {
        return own_s;
    }
    if (!last && data->expires.field != MODEL_ABSENT) {
        return data->expires.field == MODEL_GOOD ? model_cap(data->expires.value - model_date(data))
                                                 : 0;
    }
    const struct model_directive *is_public = model_find(policy, MODEL_PUBLIC, last);
    if (!model_is_heuristic(data->status) && (is_public == 0 || is_public->form != MODEL_VALID)) {
        return -1;
    }
    if (data->options.default_s > 0) {
        return data->options.default_s;
    }
    if (data->modified.field == MODEL_GOOD && data->modified.value < model_date(data)) {
        int64_t tenth_s = (model_date(data) - data->modified.value) / 10;
        return tenth_s < data->options.heuristic_s ? tenth_s : data->options.heuristic_s;
    }
    return 0;
}

/* With the operator's bounds: never from nothing to something. */
static inline int64_t model_bounded(const struct model_case *data, int64_t lifetime_s)
{
    if (lifetime_s > 0 && lifetime_s < data->options.min_s) {
        lifetime_s = data->options.min_s;
    }
    if (data->options.max_s > 0 && lifetime_s > data->options.max_s) {
        lifetime_s = data->options.max_s;
    }
    return lifetime_s;
}

/* RFC 5861: never fresh, but of use for a while. */
static inline bool model_has_grace(const struct model_case *data)
{
    bool last;
    const struct model_list *policy = model_policy(data, &last);
    bool is_explicit = model_age_of(policy, MODEL_MAX_AGE, last) >= 0 ||
                       (!last && data->expires.field != MODEL_ABSENT);

    return is_explicit && !model_says(policy, MODEL_MUST_REVALIDATE, last) &&
           !model_says(policy, MODEL_PROXY_REVALIDATE, last) &&
           model_find(policy, MODEL_S_MAXAGE, last) == 0 &&
           model_scope_of(policy, MODEL_NO_CACHE, last) != MODEL_WHOLE &&
           (model_age_of(policy, MODEL_SWR, last) > 0 || model_age_of(policy, MODEL_SIE, last) > 0);
}

static inline bool model_may_store(const struct model_case *data)
{
    bool last;
    const struct model_list *policy = model_policy(data, &last);
    bool is_public = model_says(policy, MODEL_PUBLIC, last);
    bool is_shared = model_find(policy, MODEL_S_MAXAGE, last) != 0;
    int64_t lifetime_s = model_lifetime(data);

    if (data->status < 200 || data->status == 206 || data->status == 304 || data->has_vary_star ||
        model_says(&data->ask, MODEL_NO_STORE, false)) {
        return false;
    }
    if (model_says(policy, MODEL_MUST_UNDERSTAND, last)) {
        if (!model_is_understood(data->status)) {
            return false;
        }
    } else if (model_says(policy, MODEL_NO_STORE, last)) {
        return false;
    }
    if (model_scope_of(policy, MODEL_PRIVATE, last) == MODEL_WHOLE) {
        return false;
    }
    if (data->asks_with_authorization && !is_public && !is_shared &&
        !model_says(policy, MODEL_MUST_REVALIDATE, last)) {
        return false;
    }
    if (data->has_cookie && data->options.cookies == 0 && !is_public && !is_shared) {
        return false;
    }
    if (lifetime_s < 0) {
        return false;
    }
    return model_bounded(data, lifetime_s) > 0 || data->has_etag || model_has_grace(data) ||
           data->modified.field == MODEL_GOOD || data->modified.field == MODEL_BAD;
}

/* 4.2.3 */
static inline int64_t model_current_age(const struct model_case *data)
{
    int64_t received_s = data->received_ms / 1000;
    int64_t apparent_s = received_s - model_date(data);
    int64_t delay_s = (data->received_ms - data->asked_ms) / 1000;
    int64_t said_s = data->age.field == MODEL_GOOD ? model_cap(data->age.value) : 0;
    int64_t resident_s = (data->now_ms - data->received_ms) / 1000;
    int64_t initial_s = said_s + (delay_s > 0 ? delay_s : 0);

    /* What was made while we waited is as old as the wait, whatever second its Date was cut to. */
    if (apparent_s > initial_s && model_date(data) < data->asked_ms / 1000) {
        initial_s = apparent_s;
    }
    return model_cap(model_cap(initial_s) + (resident_s > 0 ? resident_s : 0));
}

/* ---- 4.2.4, 5.2.1 ---- */

static inline bool model_client_refuses(const struct model_case *data, int64_t lifetime_s,
                                        int64_t age_s)
{
    int64_t most_s = model_age_of(&data->ask, MODEL_MAX_AGE, false);
    int64_t left_s = model_age_of(&data->ask, MODEL_MIN_FRESH, false);

    /* An age of 0 s is still not young enough for max-age=0. */
    return (most_s >= 0 && (age_s > most_s || most_s == 0)) ||
           (left_s >= 0 && lifetime_s - age_s < left_s);
}

static inline void model_judge(const struct model_case *data, struct model_verdict *out)
{
    bool last;
    const struct model_list *policy = model_policy(data, &last);
    int64_t lifetime_s = model_bounded(data, model_lifetime(data));
    int64_t age_s = model_current_age(data);
    int64_t swr_s = model_age_of(policy, MODEL_SWR, last);
    int64_t sie_s = model_age_of(policy, MODEL_SIE, last);
    int64_t max_stale_s = model_age_of(&data->ask, MODEL_MAX_STALE, false);
    bool never_stale = model_says(policy, MODEL_MUST_REVALIDATE, last) ||
                       model_says(policy, MODEL_PROXY_REVALIDATE, last) ||
                       model_find(policy, MODEL_S_MAXAGE, last) != 0;
    bool no_cache = model_scope_of(policy, MODEL_NO_CACHE, last) == MODEL_WHOLE;
    bool client_no_cache = model_find(&data->ask, MODEL_NO_CACHE, false) != 0 ||
                           (data->has_pragma && data->ask.field == MODEL_ABSENT);

    *out = (struct model_verdict){.may_store = model_may_store(data)};
    if (!out->may_store) {
        return;
    }
    int64_t stale_s = age_s - lifetime_s;
    out->lifetime_s = (uint64_t)lifetime_s;
    out->age_s = (uint64_t)age_s;
    out->is_fresh = lifetime_s > age_s;
    out->leaves_fields = model_scope_of(policy, MODEL_NO_CACHE, last) == MODEL_SOME;
    swr_s = swr_s < 0 ? data->options.swr_s : swr_s;
    sie_s = sie_s < 0 ? data->options.sie_s : sie_s;
    bool usable = !no_cache && !client_no_cache && !model_client_refuses(data, lifetime_s, age_s);
    out->serves = usable && out->is_fresh;
    if (usable && !out->is_fresh && !never_stale) {
        out->serves_stale = stale_s < swr_s;
        out->serves = !out->serves_stale && max_stale_s >= 0 && stale_s <= max_stale_s;
    }
    out->when_down = !never_stale && !no_cache && !client_no_cache;
    out->when_erring = out->when_down && sie_s > 0 && stale_s < sie_s;
}
#endif
