/* guard - see guard.h. */
#include "site/guard.h"

#include <string.h>

#include "base/check.h"

struct compile {
    struct guards *guards;
    struct arena *arena;
    struct limit_table *limits;
    struct span site;
};

/* The configuration is bounded, so is what is made of it: never NULL. */
static void *guard_alloc(struct arena *arena, size_t count, size_t bytes)
{
    void *room = arena_alloc(arena, (count + 1) * bytes);
    CHECK(room != NULL);
    memset(room, 0, (count + 1) * bytes);
    return room;
}

static void limit_compile(const struct compile *compile, struct guard_limit *limit,
                          const struct conf_limit *conf)
{
    *limit = (struct guard_limit){.conf = conf, .key_name = span_str(conf->key_name)};
    if (conf->kind == CONF_LIMIT_REQUESTS) {
        limit->rate = limit_rate(conf->most, conf->period_s, conf->burst);
    }
    if (compile->limits != NULL) {
        limit->ref =
            limit_register(compile->limits, LIMIT_REFUSES, compile->site, span_str(conf->name));
    }
}

static void guard_compile(const struct compile *compile, struct guard *guard,
                          const struct conf_access *access, const struct conf_limit *list,
                          size_t count)
{
    struct guards *guards = compile->guards;
    struct guard_limit *room = guard_alloc(compile->arena, count, sizeof(*room));
    *guard = (struct guard){.access = access->count > 0 ? access : NULL, .limits = room};
    for (size_t i = 0; i < count; i++) {
        switch (list[i].kind) {
        case CONF_LIMIT_REQUESTS:
        case CONF_LIMIT_CONCURRENT:
            limit_compile(compile, &room[guard->count++], &list[i]);
            guards->counts_misses = guards->counts_misses || list[i].misses_only;
            break;
        case CONF_LIMIT_CONNECTIONS: /* meters.h */
            break;
        case CONF_LIMIT_EXCEPT:
            guards->has_except = true;
            break;
        case CONF_LIMIT_OFF:
            guard->clears = true;
            break;
        }
    }
    guards->is_used = guards->is_used || access->count > 0 || guard->count > 0;
}

void guards_compile(struct guards *guards, struct arena *arena, const struct conf_site *site,
                    struct limit_table *limits)
{
    struct guard *rules = guard_alloc(arena, site->rule_count, sizeof(*rules));
    struct compile compile = {
        .guards = guards,
        .arena = arena,
        .limits = limits,
        .site = span_str(site->names.list[0]),
    };
    *guards = (struct guards){.conf = site, .rules = rules};
    guard_compile(&compile, &guards->site, &site->access, site->limits, site->limit_count);
    for (size_t i = 0; i < site->rule_count; i++) {
        const struct conf_rule *rule = &site->rules[i];
        guard_compile(&compile, &rules[i], &rule->access, rule->limits, rule->limit_count);
    }
}

bool guards_except(const struct guards *guards, const struct sockaddr *client)
{
    const struct conf_site *site = guards->conf;
    for (size_t i = 0; guards->has_except && i < site->limit_count; i++) {
        if (conf_networks_match(&site->limits[i].except, client)) {
            return true; /* the other kinds have no networks there */
        }
    }
    return false;
}

enum conf_admission guards_admit(const struct guards *guards, const struct policy *policy,
                                 const struct sockaddr *client, struct guard_verdict *verdict)
{
    enum conf_admission admission = CONF_ADMIT_OPEN;
    *verdict = (struct guard_verdict){.rule = -1};
    for (size_t i = guards->conf->rule_count; i > 0 && admission == CONF_ADMIT_OPEN; i--) {
        const struct conf_access *access = guards->rules[i - 1].access;
        if (access != NULL && policy_holds(policy, (unsigned)i - 1)) {
            admission = conf_access_judge(access, client, &verdict->entry);
            verdict->rule = (int)i - 1;
        }
    }
    if (admission == CONF_ADMIT_OPEN && guards->site.access != NULL) {
        admission = conf_access_judge(guards->site.access, client, &verdict->entry);
        verdict->rule = -1;
    }
    return admission;
}

const struct guard *guards_next(const struct guards *guards, const struct policy *policy,
                                unsigned *at)
{
    unsigned rules = (unsigned)guards->conf->rule_count;
    if (*at == 0) {
        /* From the last `limit off` that holds. */
        for (unsigned i = rules; i > 0 && *at == 0; i--) {
            *at = guards->rules[i - 1].clears && policy_holds(policy, i - 1) ? i : 0;
        }
        if (*at == 0) {
            *at = 1;
            return &guards->site;
        }
    }
    for (; *at <= rules; ++*at) {
        if (policy_holds(policy, *at - 1) && guards->rules[*at - 1].count > 0) {
            return &guards->rules[(*at)++ - 1];
        }
    }
    return NULL;
}
