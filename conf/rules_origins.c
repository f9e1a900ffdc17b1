/*
 * rules_origins - what only shows between pools, their servers and those who name them.
 */
#include <string.h>

#include "conf/check.h"
#include "conf/report.h"

static const struct conf_setting *find_row(const struct conf_checker *checker,
                                           enum schema_context context, const char *name,
                                           uint32_t owner, uint32_t ordinal)
{
    const struct schema_row *row = schema_find(context, span_str(name));

    CHECK(row != NULL);
    return conf_setting_find(&checker->settings, owner, row, ordinal);
}

/* owner: of the pool's settings. */
static void check_servers(struct conf_checker *checker, const struct conf_origins *pool,
                          uint32_t owner)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_setting *at =
            find_row(checker, SCHEMA_ORIGINS, "server", owner, (uint32_t)i);
        struct conf_shown place;
        struct conf_shown name;
        if (at == NULL || !at->good) {
            continue;
        }
        if (i == CONF_SERVERS_MAX) {
            conf_report_add(checker->base.report, at->node->words[0].place, NULL,
                            "more than %u servers in one pool", CONF_SERVERS_MAX);
            return;
        }
        for (size_t j = 0; j < i; j++) {
            const struct conf_setting *first =
                find_row(checker, SCHEMA_ORIGINS, "server", owner, (uint32_t)j);
            if (first == NULL || !first->good ||
                strcmp(pool->servers[i].name, pool->servers[j].name) != 0) {
                continue;
            }
            conf_report_add(checker->base.report, at->node->words[1].place, NULL,
                            "there is a server \"%s\" in this pool already, at %s",
                            conf_show(&name, span_str(pool->servers[i].name)),
                            conf_show_place(&place, first->node->words[1].place));
            break;
        }
    }
}

/* A pool is called by its name in the API, and a site's own by the site's: one name, one pool. */
static void check_pool_name(struct conf_checker *checker, size_t index)
{
    const struct conf *conf = checker->conf;
    const struct conf_setting *at = find_row(checker, SCHEMA_MAIN, "origins", 0, (uint32_t)index);
    struct conf_shown place;
    struct conf_shown name;

    if (at == NULL || !at->good) {
        return;
    }
    const char *own = conf->pools[index].name;
    const struct conf_setting *other = NULL;
    const char *what = "pool";
    for (size_t i = 0; i < index && other == NULL; i++) {
        const struct conf_setting *pool = find_row(checker, SCHEMA_MAIN, "origins", 0, (uint32_t)i);
        if (pool != NULL && pool->good && strcmp(conf->pools[i].name, own) == 0) {
            other = pool;
        }
    }
    for (size_t i = 0; i < conf->site_count && other == NULL; i++) {
        const struct conf_setting *site = find_row(checker, SCHEMA_MAIN, "site", 0, (uint32_t)i);
        if (site != NULL && site->good && strcmp(conf->sites[i].names.list[0], own) == 0) {
            other = site;
            what = "site";
        }
    }
    if (other != NULL) {
        conf_report_add(checker->base.report, at->node->words[1].place, NULL,
                        "there is a %s \"%s\" already, at %s", what,
                        conf_show(&name, span_str(own)),
                        conf_show_place(&place, other->node->words[1].place));
    }
}

void conf_check_pool_name(struct conf_checker *checker, const struct conf_setting *at,
                          const char *name)
{
    const struct conf *conf = checker->conf;
    struct conf_advice advice = {0};
    struct conf_shown shown;

    if (at == NULL || !at->good || name == NULL || conf_find_pool(conf, name) != NULL) {
        return;
    }
    const char **names = arena_alloc(checker->base.arena, (conf->pool_count + 1) * sizeof(*names));
    if (names == NULL) {
        return; /* reported as too large */
    }
    for (size_t i = 0; i < conf->pool_count; i++) {
        if (conf->pools[i].name != NULL) {
            names[advice.allowed_count++] = conf->pools[i].name;
        }
    }
    advice.allowed = names;
    advice.hint = conf_nearest(span_str(name), names, advice.allowed_count);
    conf_report_add(checker->base.report, at->node->words[1].place, &advice,
                    "there is no pool \"%s\"; it would be at the top level: origins %s { ... }",
                    conf_show(&shown, span_str(name)), name);
}

void conf_check_origins(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;

    for (size_t i = 0; i < conf->pool_count; i++) {
        check_pool_name(checker, i);
        check_servers(checker, &conf->pools[i], conf->pools[i].owner);
        conf_check_origin_tls(checker, &conf->pools[i], conf->pools[i].owner);
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        check_servers(checker, &site->origins, (uint32_t)i + 1);
        conf_check_origin_tls(checker, &site->origins, (uint32_t)i + 1);
        conf_check_pool_name(checker, find_row(checker, SCHEMA_SITE, "origins", (uint32_t)i + 1, 0),
                             site->origins.name);
        for (size_t j = 0; j < site->rule_count; j++) {
            const struct conf_rule *rule = &site->rules[j];
            conf_check_pool_name(checker, find_row(checker, SCHEMA_RULE, "origins", rule->owner, 0),
                                 rule->origins);
        }
    }
}
