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

/* Servers are verified by what this machine trusts. */
static void check_system_trust(struct conf_checker *checker, const struct conf_setting *server)
{
    const char *problem = NULL;
    struct conf *conf = checker->conf;

    if ((checker->base.flags & CONF_PORTABLE) != 0 || conf->system_trust != NULL) {
        return;
    }
    if (conf_certificate_trust(checker->base.certificates, NULL, &conf->system_trust, &problem) !=
        ERR_OK) {
        conf_report_add(checker->base.report, server->node->words[2].place, NULL,
                        "no CAs to check this server's certificate by: install ca-certificates, "
                        "or name a file in this pool: tls ca=FILE");
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
            check_system_trust(checker, at);
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
