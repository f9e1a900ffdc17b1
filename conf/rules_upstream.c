/* rules_upstream - the parents of forward proxies: pools that are there, or are made of a URL. */
#include <string.h>

#include "conf/check.h"

static const struct conf_setting *find(const struct conf_checker *checker,
                                       enum schema_context context, const char *name,
                                       uint32_t owner)
{
    return conf_setting_find(&checker->settings, owner, schema_find(context, span_str(name)), 0);
}

static bool has_tls(const struct conf_origins *pool)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        if (pool->servers[i].has_tls) {
            return true;
        }
    }
    return false;
}

/* Not every pool of origins can be one of parents. */
static void check_pool(struct conf_checker *checker, const struct conf_setting *at,
                       const char *name)
{
    const struct conf_origins *pool = conf_find_pool(checker->conf, name);
    struct conf_shown shown;

    conf_check_pool_name(checker, at, name);
    if (pool != NULL && has_tls(pool)) {
        conf_report_add(checker->base.report, at->node->words[1].place, NULL,
                        "the pool \"%s\" has a server with https://, and parents are spoken to in "
                        "clear text",
                        conf_show(&shown, span_str(name)));
    }
    if (pool != NULL && pool->sticky.cookie != NULL) {
        conf_report_add(checker->base.report, at->node->words[1].place, NULL,
                        "the pool \"%s\" has \"sticky\", which would set a cookie for every site "
                        "behind these parents",
                        conf_show(&shown, span_str(name)));
    }
}

static const struct conf_origins *made_of(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->parent_count; i++) {
        if (strcmp(conf->parents[i]->name, name) == 0) {
            return conf->parents[i];
        }
    }
    return NULL;
}

/* A pool of one server, like one nobody said more of. */
static void make_pool(struct conf_checker *checker, const struct conf_upstream *upstream)
{
    struct arena *arena = checker->base.arena;
    struct conf_origins *pool = arena_alloc(arena, sizeof(*pool));
    struct conf_server *server = arena_alloc(arena, sizeof(*server));
    const struct conf_origins **list =
        arena_alloc(arena, (checker->conf->parent_count + 1) * sizeof(const struct conf_origins *));

    if (pool == NULL || server == NULL || list == NULL) {
        return; /* conf.c says that all of it is too large */
    }
    *pool = (struct conf_origins){.name = upstream->pool, .servers = server, .server_count = 1};
    *server = (struct conf_server){.name = "proxy",
                                   .url = upstream->url,
                                   .host = upstream->host,
                                   .port = upstream->port,
                                   .weight = 1};
    conf_check_defaults(checker, SCHEMA_ORIGINS, pool);
    for (size_t i = 0; i < checker->conf->parent_count; i++) {
        list[i] = checker->conf->parents[i];
    }
    list[checker->conf->parent_count++] = pool;
    checker->conf->parents = list;
}

static void check_one(struct conf_checker *checker, const struct conf_setting *at,
                      const struct conf_upstream *upstream)
{
    if (at == NULL || !at->good || upstream->is_direct) {
        return;
    }
    if (upstream->url == NULL) {
        check_pool(checker, at, upstream->pool);
    } else if (made_of(checker->conf, upstream->pool) == NULL) {
        make_pool(checker, upstream);
    }
}

void conf_check_upstreams(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;

    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        check_one(checker, find(checker, SCHEMA_FORWARD, "upstream", (uint32_t)i + 1),
                  &site->forward.upstream);
        for (size_t j = 0; j < site->rule_count; j++) {
            const struct conf_setting *at =
                find(checker, SCHEMA_RULE, "upstream", site->rules[j].owner);
            if (at != NULL && site->forward.name == NULL) {
                conf_report_add(checker->base.report, at->node->words[0].place, NULL,
                                "\"upstream\" is for the rules of a forward proxy; a site's "
                                "requests go to its origins");
                continue;
            }
            check_one(checker, at, &site->rules[j].upstream);
        }
    }
}

const struct conf_origins *conf_find_parents(const struct conf *conf,
                                             const struct conf_upstream *upstream)
{
    return upstream->url == NULL ? conf_find_pool(conf, upstream->pool)
                                 : made_of(conf, upstream->pool);
}
