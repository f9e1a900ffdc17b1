/* rules_forward - listens and forward proxies belong together; settings of rules that speak of the
 * origins of one site have no meaning in a forward proxy. */
#include "conf/check.h"

const struct conf_site *conf_find_forward(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->site_count; i++) {
        const char *own = conf->sites[i].forward.name;
        if (own != NULL && strcmp(own, name) == 0) {
            return &conf->sites[i];
        }
    }
    return NULL;
}

static const struct conf_setting *find(const struct conf_checker *checker,
                                       enum schema_context context, const char *name,
                                       uint32_t owner, uint32_t ordinal)
{
    return conf_setting_find(&checker->settings, owner, schema_find(context, span_str(name)),
                             ordinal);
}

static void listen_check(struct conf_checker *checker, const struct conf_listen *listen)
{
    const struct conf *conf = checker->conf;
    const struct conf_setting *at = find(checker, SCHEMA_LISTENER, "forward", listen->owner, 0);
    struct conf_advice advice = {0};
    struct conf_shown shown;

    if (at == NULL || !at->good || conf_find_forward(conf, listen->forward) != NULL) {
        return;
    }
    const char **names = arena_alloc(checker->base.arena, (conf->site_count + 1) * sizeof(*names));
    if (names == NULL) {
        return; /* reported as too large */
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        if (conf->sites[i].forward.name != NULL) {
            names[advice.allowed_count++] = conf->sites[i].forward.name;
        }
    }
    advice.allowed = names;
    advice.hint = conf_nearest(span_str(listen->forward), names, advice.allowed_count);
    conf_report_add(checker->base.report, at->node->words[1].place, &advice,
                    "there is no forward proxy \"%s\"; it would be at the top level: forward %s { "
                    "... }",
                    conf_show(&shown, span_str(listen->forward)), listen->forward);
}

static void forward_check_rules(struct conf_checker *checker, const struct conf_site *site)
{
    static const char *const words[] = {"origins",          "host",  "strip_prefix", "add_prefix",
                                        "redirect_rewrite", "allow", "deny"};

    for (size_t i = 0; i < site->rule_count; i++) {
        for (size_t j = 0; j < ARRAY_LEN(words); j++) {
            const struct conf_setting *at =
                find(checker, SCHEMA_RULE, words[j], site->rules[i].owner, 0);
            if (at != NULL) {
                conf_report_add(checker->base.report, at->node->words[0].place, NULL,
                                "\"%s\" has no meaning in a forward proxy%s", words[j],
                                j < 5 ? ": the client says where its request goes"
                                      : ", whose acl decides who may ask for what");
            }
        }
    }
}

static void forward_check(struct conf_checker *checker, uint32_t index)
{
    const struct conf *conf = checker->conf;
    const struct conf_site *site = &conf->sites[index];
    static const struct conf_advice warning = {.is_warning = true};
    const struct conf_setting *at = find(checker, SCHEMA_MAIN, "site", 0, index);
    bool is_used = false;

    if (site->forward.name == NULL || at == NULL || !at->good) {
        return;
    }
    for (size_t i = 0; i < conf->listen_count; i++) {
        const char *name = conf->listens[i].forward;
        is_used = is_used || (name != NULL && strcmp(name, site->forward.name) == 0);
    }
    if (!is_used) {
        conf_report_add(checker->base.report, at->node->words[1].place, &warning,
                        "nobody comes in to the forward proxy \"%s\"; write: listen "
                        "127.0.0.1:3128 { forward %s; }",
                        site->forward.name, site->forward.name);
    }
    forward_check_rules(checker, site);
    conf_check_direct_tls(checker, site, index + 1);
}

void conf_check_forwards(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;

    for (size_t i = 0; i < conf->listen_count; i++) {
        listen_check(checker, &conf->listens[i]);
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        if (conf->sites[i].forward.name != NULL) {
            conf_check_acl(checker, span_unconst(&conf->sites[i]), (uint32_t)i + 1);
        }
        forward_check(checker, (uint32_t)i);
    }
}
