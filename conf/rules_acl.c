/*
 * rules_acl - access rules get names, a forward proxy without rules gets those built in, and what
 * can never decide, or lets everybody in, is warned of.
 */
#include <stdio.h>

#include "conf/check.h"
#include "conf/net.h"

/* What a forward proxy without `acl` lets in; where to, access.h says of every rule. */
static const char *const default_clients[] = {
    "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10",
};
#define DEFAULT_CLIENTS ARRAY_LEN(default_clients)

static const struct conf_setting *find(const struct conf_checker *checker,
                                       enum schema_context context, const char *name,
                                       uint32_t owner, size_t ordinal)
{
    return conf_setting_find(&checker->settings, owner, schema_find(context, span_str(name)),
                             (uint32_t)ordinal);
}

static void set_default(struct conf_checker *checker, struct conf_acl *acl)
{
    struct arena *arena = checker->base.arena;
    struct conf_acl_rule *rule = arena_alloc(arena, sizeof(*rule));
    struct conf_acl_condition *condition = arena_alloc(arena, sizeof(*condition));
    struct conf_network *networks = arena_alloc(arena, DEFAULT_CLIENTS * sizeof(*networks));

    if (rule == NULL || condition == NULL || networks == NULL) {
        return; /* reported as too large */
    }
    for (size_t i = 0; i < DEFAULT_CLIENTS; i++) {
        CHECK(conf_net_network(span_str(default_clients[i]), &networks[i]) == CONF_NET_OK);
    }
    *condition = (struct conf_acl_condition){.kind = CONF_ACL_CLIENT,
                                             .count = DEFAULT_CLIENTS,
                                             .texts = default_clients,
                                             .networks = networks,
                                             .network_count = DEFAULT_CLIENTS};
    *rule = (struct conf_acl_rule){.allow = true,
                                   .has_own_name = true,
                                   .name = "default",
                                   .conditions = condition,
                                   .condition_count = 1,
                                   .has = 1u << CONF_ACL_CLIENT};
    *acl = (struct conf_acl){.list = rule, .count = 1};
}

static bool is_taken(const struct conf_acl *acl, size_t except, const char *name)
{
    static const char *const built_in[] = {"private", "port", "self", "end"};
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
        if (strcmp(name, built_in[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < acl->count; i++) {
        if (i != except && acl->list[i].name != NULL && strcmp(acl->list[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* "deny_3", by its place in the list. */
static void make_name(struct conf_checker *checker, const struct conf_acl *acl, size_t at)
{
    struct conf_acl_rule *rule = span_unconst(&acl->list[at]);
    char name[48];
    int len = snprintf(name, sizeof(name), "%s_%zu", rule->allow ? "allow" : "deny", at + 1);

    for (unsigned more = 2; is_taken(acl, at, name); more++) {
        (void)snprintf(name + len, sizeof(name) - (size_t)len, "_%u", more);
    }
    rule->name = conf_check_copy(&checker->base, span_str(name));
}

static void check_rule(struct conf_checker *checker, const struct conf_acl *acl, uint32_t owner,
                       size_t at)
{
    static const struct conf_advice warning = {.is_warning = true};
    const struct conf_setting *setting = find(checker, SCHEMA_ACL, "allow", owner, at);
    const struct conf_acl_rule *rule = &acl->list[at];
    struct conf_shown shown;

    if (setting == NULL || !setting->good) {
        return;
    }
    if (rule->has_own_name && is_taken(acl, at, rule->name)) {
        conf_report_add(checker->base.report, setting->node->words[1].place, NULL,
                        "another rule has the name \"%s\"",
                        conf_show(&shown, span_str(rule->name)));
    }
    for (size_t i = 0; i < at; i++) {
        const struct conf_setting *first = find(checker, SCHEMA_ACL, "allow", owner, i);
        if (!acl->list[i].allow && acl->list[i].condition_count == 0 && first != NULL &&
            first->good) {
            conf_report_add(checker->base.report, setting->node->words[0].place, &warning,
                            "this rule is never reached: %s denies all",
                            conf_show_place(&shown, first->node->words[0].place));
            return;
        }
    }
}

/* A listener of this forward proxy that others than this machine's own programs reach; NULL: none. */
static const struct conf_listen *open_listen(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->listen_count; i++) {
        const struct conf_listen *listen = &conf->listens[i];
        if (listen->forward != NULL && strcmp(listen->forward, name) == 0 && listen->text != NULL &&
            !conf_net_is_loopback(&listen->address)) {
            return listen;
        }
    }
    return NULL;
}

/* Whoever finds an open proxy makes use of it. */
static void warn_open(struct conf_checker *checker, const struct conf_forward *forward,
                      uint32_t owner)
{
    static const struct conf_advice warning = {.is_warning = true};
    const uint32_t who = 1u << CONF_ACL_CLIENT | 1u << CONF_ACL_USER | 1u << CONF_ACL_GROUP;
    const struct conf_listen *listen = open_listen(checker->conf, forward->name);

    for (size_t i = 0; i < forward->acl.count && listen != NULL; i++) {
        const struct conf_acl_rule *rule = &forward->acl.list[i];
        const struct conf_setting *setting = find(checker, SCHEMA_ACL, "allow", owner, i);
        if (rule->allow && (rule->has & who) == 0 && forward->auth.path == NULL &&
            setting != NULL && setting->good) {
            conf_report_add(checker->base.report, setting->node->words[0].place, &warning,
                            "this rule is for everybody who reaches %s; add client NETWORK..., or "
                            "auth to the forward proxy",
                            listen->text);
            return;
        }
    }
}

void conf_check_acl(struct conf_checker *checker, struct conf_site *site, uint32_t owner)
{
    struct conf_acl *acl = &site->forward.acl;

    if (find(checker, SCHEMA_FORWARD, "acl", owner, 0) == NULL) {
        set_default(checker, acl);
        return;
    }
    for (size_t i = 0; i < acl->count; i++) {
        if (!acl->list[i].has_own_name) {
            make_name(checker, acl, i);
        }
    }
    for (size_t i = 0; i < acl->count; i++) {
        check_rule(checker, acl, owner, i);
    }
    warn_open(checker, &site->forward, owner);
}
