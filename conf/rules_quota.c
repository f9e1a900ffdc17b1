/* rules_quota - each bandwidth and each quota of a forward proxy has a name of its own. */
#include <stdio.h>

#include "conf/check.h"

static const char *const whose_words[] = {"client", "user", "forward"};
static const char *const per_words[] = {"hour", "day", "week", "month"};

/* The names of one kind. */
struct names {
    struct conf_checker *checker;
    const char *directive;
    uint32_t owner;
    size_t count;
    const char **of[CONF_BANDWIDTHS_MAX];
    bool is_own[CONF_BANDWIDTHS_MAX];
};

static bool is_taken(const struct names *names, const char *name, size_t except)
{
    for (size_t i = 0; i < names->count; i++) {
        if (i != except && strcmp(*names->of[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void name_make(struct names *names, size_t index, const char *base)
{
    char text[100];
    unsigned made = 1;
    int len = snprintf(text, sizeof(text), "%s", base);

    while (is_taken(names, text, index)) {
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "_%u", ++made);
    }
    *names->of[index] = conf_check_copy(&names->checker->base, span_str(text));
}

static void names_compare(const struct names *names)
{
    const struct schema_row *row = schema_find(SCHEMA_FORWARD, span_str(names->directive));

    CHECK(row != NULL);
    for (size_t i = 0; i < names->count; i++) {
        const struct conf_setting *at =
            conf_setting_find(&names->checker->settings, names->owner, row, (uint32_t)i);
        if (at != NULL && at->good && names->is_own[i] && is_taken(names, *names->of[i], i)) {
            conf_report_add(names->checker->base.report, at->node->words[0].place, NULL,
                            "another %s of this forward proxy has the name \"%s\"",
                            names->directive, *names->of[i]);
        }
    }
}

/* False: there are too many, which is reported. */
static bool names_begin(struct names *names, size_t count)
{
    const struct schema_row *row = schema_find(SCHEMA_FORWARD, span_str(names->directive));
    size_t most = CONF_BANDWIDTHS_MAX;

    CHECK(row != NULL);
    names->count = count < most ? count : most;
    if (count <= most) {
        return true;
    }
    const struct conf_setting *at =
        conf_setting_find(&names->checker->settings, names->owner, row, (uint32_t)most);
    if (at != NULL) {
        conf_report_add(names->checker->base.report, at->node->words[0].place, NULL,
                        "more than %zu of \"%s\" in one block", most, names->directive);
    }
    return false;
}

static void bandwidths_check(struct names *names, const struct conf_forward *forward)
{
    char base[64];

    if (!names_begin(names, forward->bandwidth_count)) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct conf_bandwidth *bandwidth = span_unconst(&forward->bandwidths[i]);
        names->of[i] = &bandwidth->name;
        names->is_own[i] = bandwidth->has_own_name;
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct conf_bandwidth *bandwidth = &forward->bandwidths[i];
        (void)snprintf(base, sizeof(base), "bandwidth_%s",
                       bandwidth->key <= CONF_WHOSE_ALL ? whose_words[bandwidth->key] : "");
        if (!bandwidth->has_own_name) {
            name_make(names, i, base);
        }
    }
    names_compare(names);
}

static void quotas_check(struct names *names, const struct conf_forward *forward)
{
    char base[64];

    if (!names_begin(names, forward->quota_count)) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct conf_quota *quota = span_unconst(&forward->quotas[i]);
        names->of[i] = &quota->name;
        names->is_own[i] = quota->has_own_name;
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct conf_quota *quota = &forward->quotas[i];
        (void)snprintf(base, sizeof(base), "%s_%s",
                       quota->per <= CONF_PER_MONTH ? per_words[quota->per] : "",
                       quota->key <= CONF_WHOSE_ALL ? whose_words[quota->key] : "");
        if (!quota->has_own_name) {
            name_make(names, i, base);
        }
    }
    names_compare(names);
}

void conf_check_quotas(struct conf_checker *checker)
{
    for (size_t i = 0; i < checker->conf->site_count; i++) {
        const struct conf_site *site = &checker->conf->sites[i];
        struct names bandwidths = {
            .checker = checker, .directive = "bandwidth", .owner = (uint32_t)i + 1};
        struct names quotas = {.checker = checker, .directive = "quota", .owner = (uint32_t)i + 1};
        if (site->forward.name != NULL) {
            bandwidths_check(&bandwidths, &site->forward);
            quotas_check(&quotas, &site->forward);
        }
    }
}
