/* rules_privacy - settings of a forward proxy that say nothing beside another one. */
#include "conf/check.h"

static const struct conf_setting *privacy_find(const struct conf_checker *checker, uint32_t owner,
                                               const char *name)
{
    return conf_setting_find(&checker->settings, owner, schema_find(SCHEMA_FORWARD, span_str(name)),
                             0);
}

static void privacy_warn(struct conf_checker *checker, uint32_t owner, const char *name,
                         const char *why)
{
    static const struct conf_advice warning = {.is_warning = true};
    const struct conf_setting *at = privacy_find(checker, owner, name);

    if (at != NULL && at->good) {
        conf_report_add(checker->base.report, at->node->words[0].place, &warning,
                        "\"%s\" has no effect: %s", name, why);
    }
}

void conf_check_privacy(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;

    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        uint32_t owner = 1 + (uint32_t)i;
        if (site->forward.name == NULL) {
            continue;
        }
        if (site->privacy.identity != CONF_IDENTITY_FORWARD &&
            site->forwarded != CONF_FORWARDED_OFF) {
            privacy_warn(checker, owner, "forwarded", "that is for identity forward");
        }
        if (site->pac.kind != CONF_PAC_ON) {
            const char *why = site->pac.kind == CONF_PAC_OFF ? "pac is off" : "pac names a file";
            privacy_warn(checker, owner, "pac_direct", why);
            privacy_warn(checker, owner, "pac_proxy", why);
        }
    }
}
