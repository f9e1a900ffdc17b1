/* rules_tls - what only shows between the servers of a pool and how they are to be spoken to. */
#include "conf/certificate.h"
#include "conf/check.h"
#include "conf/report.h"

static const struct conf_setting *find_row(const struct conf_checker *checker, const char *name,
                                           uint32_t owner, uint32_t ordinal)
{
    const struct schema_row *row = schema_find(SCHEMA_ORIGINS, span_str(name));

    CHECK(row != NULL);
    return conf_setting_find(&checker->settings, owner, row, ordinal);
}

/* Servers are verified by what this machine trusts. at: what makes it needed, and its word. */
static void check_system_trust(struct conf_checker *checker, const struct conf_setting *at,
                               unsigned word)
{
    const char *problem = NULL;
    struct conf *conf = checker->conf;

    if ((checker->base.flags & CONF_PORTABLE) != 0 || conf->system_trust != NULL) {
        return;
    }
    if (conf_certificate_trust(checker->base.certificates, NULL, &conf->system_trust, &problem) !=
        ERR_OK) {
        conf_report_add(checker->base.report, at->node->words[word].place, NULL,
                        "no CAs to check certificates of servers by: install ca-certificates, or "
                        "name a file: origins { tls ca=FILE; }");
    }
}

void conf_check_origin_tls(struct conf_checker *checker, const struct conf_origins *pool,
                           uint32_t owner)
{
    const struct conf_setting *tls = find_row(checker, "tls", owner, 0);
    bool has_tls = false;

    if (pool->server_count == 0) {
        return;
    }
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_setting *at = find_row(checker, "server", owner, (uint32_t)i);
        has_tls = has_tls || pool->servers[i].has_tls;
        if (pool->servers[i].has_tls && at != NULL && at->good && !pool->tls.no_verify &&
            pool->tls.ca == NULL) {
            check_system_trust(checker, at, 2);
        }
    }
    const struct conf_setting *header = find_row(checker, "proxy_protocol", owner, 0);
    if (header != NULL && header->good && has_tls &&
        pool->proxy_protocol != CONF_PROXY_PROTOCOL_OFF) {
        conf_report_add(checker->base.report, header->node->words[0].place, NULL,
                        "\"proxy_protocol\" is not for servers with https://; X-Forwarded-For and "
                        "Forwarded tell them the client's address");
    }
    if (tls != NULL && tls->good && !has_tls) {
        conf_report_add(checker->base.report, tls->node->words[0].place, NULL,
                        "\"tls\" is for servers with https://, and this pool has none");
    }
}

void conf_check_direct_tls(struct conf_checker *checker, const struct conf_site *site,
                           uint32_t owner)
{
    const struct conf_origin_tls *tls = &site->origins.tls;
    const struct conf_setting *own = find_row(checker, "tls", owner, 0);
    const struct conf_setting *fetches = conf_setting_find(
        &checker->settings, owner, schema_find(SCHEMA_FORWARD, SPAN("fetch_https")), 0);

    if (own != NULL && own->good && (tls->name != NULL || tls->cert != NULL)) {
        conf_report_add(checker->base.report, own->node->words[0].place, NULL,
                        "\"%s\" has no meaning in a forward proxy, whose clients name all kinds of "
                        "servers",
                        tls->name != NULL ? "name" : "cert");
    }
    if (own != NULL && own->good && !site->forward.fetch_https) {
        conf_report_add(checker->base.report, own->node->words[0].place, NULL,
                        "\"tls\" is for https:// URLs, which this forward proxy does not fetch; "
                        "write: fetch_https on;");
    }
    if (fetches != NULL && fetches->good && site->forward.fetch_https && !tls->no_verify &&
        tls->ca == NULL) {
        check_system_trust(checker, fetches, 0);
    }
}
