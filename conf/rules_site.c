/*
 * rules_site - what a `rule` may not say because of what it asks: the origin's response is known
 * only when it has been asked, and a purge knows an address and nothing else.
 */
#include "conf/check.h"

#define NEEDS_REQUEST                                                                              \
    (CONF_RULE_SERVE_STALE | CONF_RULE_CLIENT_REVALIDATE | CONF_RULE_IGNORE_COOKIES |              \
     CONF_RULE_IGNORE_QUERY | CONF_RULE_SORT_QUERY | CONF_RULE_UPGRADE | CONF_RULE_REDIRECT |      \
     CONF_RULE_RESPOND | CONF_RULE_LIMIT | CONF_RULE_UPSTREAM | CONTENT)
#define NEEDS_PATH (CONF_RULE_IGNORE_QUERY | CONF_RULE_SORT_QUERY)
/* What decides which of the origin's contents an address shows. */
#define CONTENT                                                                                    \
    (CONF_RULE_ORIGINS | CONF_RULE_HOST | CONF_RULE_STRIP_PREFIX | CONF_RULE_ADD_PREFIX |          \
     CONF_RULE_REDIRECT_REWRITE)
#define KIND(kind) (1u << CONF_IF_##kind)

/* kinds: bit per enum conf_condition_kind. */
static unsigned rule_kinds(const struct conf_rule *rule)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < rule->condition_count; i++) {
        kinds |= 1u << rule->conditions[i].kind;
    }
    return kinds;
}

/* The words of the first of these settings, or NULL. */
static const struct conf_node *rule_setting(const struct conf_node *node, uint32_t bits)
{
    for (const struct conf_node *at = node->first_child; at != NULL; at = at->next) {
        if (at->row != NULL && (at->row->set_bit & bits) != 0) {
            return at;
        }
    }
    return NULL;
}

/* Only host, path, prefix and method: all who ask this address in this way get the same. */
static bool is_by_address(const struct conf_rule *rule)
{
    return (rule_kinds(rule) & ~(KIND(HOST) | KIND(PATH) | KIND(PREFIX) | KIND(METHOD))) == 0;
}

/* GET without HEAD or the other way round: HEAD speaks of what GET has stored. */
static bool parts_get_and_head(const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct conf_condition *condition = &rule->conditions[i];
        unsigned named = 0;
        for (size_t j = 0; condition->kind == CONF_IF_METHOD && j < condition->count; j++) {
            named |= strcmp(condition->list[j].value, "GET") == 0    ? 1u
                     : strcmp(condition->list[j].value, "HEAD") == 0 ? 2u
                                                                     : 0u;
        }
        if (named == 1 || named == 2) {
            return true;
        }
    }
    return false;
}

static bool has_pass(const struct conf_rule *rule)
{
    return (rule->set & CONF_RULE_PASS) != 0 && rule->pass;
}

/* One address may not show several contents from the cache. */
static void rule_check_content(struct conf_checker *checker, const struct conf_rule *rule,
                               const struct conf_node *node)
{
    const struct conf_node *content = rule_setting(node, CONTENT);
    if (content == NULL || has_pass(rule)) {
        return;
    }
    if (!is_by_address(rule)) {
        conf_report_add(checker->base.report, content->words[0].place, NULL,
                        "\"%s\" decides what an address shows: its rule may ask for host, path, "
                        "prefix and method alone, or must have \"pass\"",
                        content->row->name);
    } else if (parts_get_and_head(rule)) {
        conf_report_add(checker->base.report, content->words[0].place, NULL,
                        "\"%s\" decides what an address shows: name GET and HEAD both or neither, "
                        "as HEAD speaks of what GET has stored",
                        content->row->name);
    }
}

/* Other content that is fit for uncached requests only, and a rule below it that has some of them
 * cached after all. */
static void rules_check_pass_off(struct conf_checker *checker, const struct conf_site *site,
                                 const struct conf_setting *const *settings)
{
    const struct conf_setting *apart = NULL;
    struct conf_shown place;

    for (size_t i = 0; i < site->rule_count && i < CONF_RULES_MAX; i++) {
        const struct conf_rule *rule = &site->rules[i];
        if (settings[i] == NULL || !settings[i]->good) {
            continue;
        }
        const struct conf_node *off = rule_setting(settings[i]->node, CONF_RULE_PASS);
        if (apart != NULL && off != NULL && !rule->pass) {
            conf_report_add(checker->base.report, off->words[0].place, NULL,
                            "this would cache what the rule at %s gets from elsewhere for some "
                            "only; put this rule above it",
                            conf_show_place(&place, apart->node->words[0].place));
        }
        if (apart == NULL && (rule->set & CONTENT) != 0 && has_pass(rule) &&
            (!is_by_address(rule) || parts_get_and_head(rule))) {
            apart = settings[i];
        }
    }
}

static void rule_check_header(struct conf_checker *checker, const struct conf_node *node)
{
    for (const struct conf_node *at = node->first_child; at != NULL; at = at->next) {
        if (at->row != NULL && at->row->type == SCHEMA_HEADER && at->word_count > 1 &&
            span_eq(at->words[1].text, SPAN("request"))) {
            conf_report_add(checker->base.report, at->words[0].place, NULL,
                            "a request has gone to the origin before type or status are known; "
                            "put \"header request\" into a rule without them");
        }
    }
}

/* Of a response only what comes after its head can still be waited for. */
static void rule_check_timeout(struct conf_checker *checker, const struct conf_node *node)
{
    const struct conf_node *at = rule_setting(node, CONF_RULE_TIMEOUT);
    const struct span name = SPAN("first_byte=");

    for (uint32_t i = 1; at != NULL && i < at->word_count; i++) {
        struct span word = at->words[i].text;
        if (word.len >= name.len && span_eq(span_of(word.ptr, name.len), name)) {
            conf_report_add(checker->base.report, at->words[i].place, NULL,
                            "the first byte has come before type or status are known; put "
                            "\"timeout first_byte\" into a rule without them");
        }
    }
}

static void rule_check(struct conf_checker *checker, const struct conf_rule *rule,
                       const struct conf_node *node)
{
    unsigned kinds = rule_kinds(rule);
    bool is_late = (kinds & (KIND(TYPE) | KIND(STATUS))) != 0;
    bool is_path = (kinds & ~(KIND(HOST) | KIND(PATH) | KIND(PREFIX))) == 0;
    const struct conf_node *late = is_late ? rule_setting(node, NEEDS_REQUEST) : NULL;
    const struct conf_node *key = is_path ? NULL : rule_setting(node, NEEDS_PATH);

    if (node->first_child == NULL) {
        conf_report_add(checker->base.report, node->words[0].place, NULL,
                        "this rule is empty: it changes nothing");
    }
    if (key != NULL) {
        conf_report_add(checker->base.report, key->words[0].place, NULL,
                        "\"%s\" decides under which address a response is stored: only \"host\", "
                        "\"path\" and \"prefix\" may be conditions of its rule",
                        key->row->name);
    } else if (late != NULL) {
        conf_report_add(checker->base.report, late->words[0].place, NULL,
                        "\"%s\" must be known before the origin is asked, type and status are only "
                        "after it",
                        late->row->name);
    } else {
        rule_check_content(checker, rule, node);
    }
    if (is_late) {
        rule_check_header(checker, node);
        rule_check_timeout(checker, node);
    }
}

void conf_check_site_rules(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;
    const struct schema_row *row = schema_find(SCHEMA_SITE, SPAN("rule"));

    CHECK(row != NULL);
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        const struct conf_setting *settings[CONF_RULES_MAX] = {NULL};
        for (size_t j = 0; j < site->rule_count; j++) {
            const struct conf_setting *setting =
                conf_setting_find(&checker->settings, (uint32_t)i + 1, row, (uint32_t)j);
            if (setting == NULL) {
                continue;
            }
            if (j == CONF_RULES_MAX) {
                conf_report_add(checker->base.report, setting->node->words[0].place, NULL,
                                "more than %u rules in one site", CONF_RULES_MAX);
                break;
            }
            settings[j] = setting;
            if (setting->good) {
                rule_check(checker, &site->rules[j], setting->node);
            }
        }
        rules_check_pass_off(checker, site, settings);
    }
}
