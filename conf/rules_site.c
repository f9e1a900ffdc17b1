/*
 * rules_site - what a `rule` may not say because of what it asks: the origin's response is known
 * only when it has been asked, and a purge knows an address and nothing else.
 */
#include "conf/check.h"

#define NEEDS_REQUEST                                                                              \
    (CONF_RULE_SERVE_STALE | CONF_RULE_CLIENT_REVALIDATE | CONF_RULE_IGNORE_COOKIES |              \
     CONF_RULE_IGNORE_QUERY | CONF_RULE_SORT_QUERY | CONF_RULE_LIMIT)
#define NEEDS_PATH (CONF_RULE_IGNORE_QUERY | CONF_RULE_SORT_QUERY)

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

static void rule_check(struct conf_checker *checker, const struct conf_rule *rule,
                       const struct conf_node *node)
{
    unsigned kinds = rule_kinds(rule);
    bool is_late = (kinds & (1u << CONF_IF_TYPE | 1u << CONF_IF_STATUS)) != 0;
    bool is_path = (kinds & ~(1u << CONF_IF_PATH)) == 0;
    const struct conf_node *late = is_late ? rule_setting(node, NEEDS_REQUEST) : NULL;
    const struct conf_node *key = is_path ? NULL : rule_setting(node, NEEDS_PATH);

    if (node->first_child == NULL) {
        conf_report_add(checker->base.report, node->words[0].place, NULL,
                        "this rule is empty: it changes nothing");
    }
    if (key != NULL) {
        conf_report_add(checker->base.report, key->words[0].place, NULL,
                        "\"%s\" decides under which address a response is stored: only \"path\" "
                        "may be a condition of its rule",
                        key->row->name);
    } else if (late != NULL) {
        conf_report_add(checker->base.report, late->words[0].place, NULL,
                        "\"%s\" must be known before the origin is asked, type and status are only "
                        "after it",
                        late->row->name);
    }
    if (is_late) {
        rule_check_header(checker, node);
    }
}

void conf_check_site_rules(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;
    const struct schema_row *row = schema_find(SCHEMA_SITE, SPAN("rule"));

    CHECK(row != NULL);
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
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
            if (setting->good) {
                rule_check(checker, &site->rules[j], setting->node);
            }
        }
    }
}
