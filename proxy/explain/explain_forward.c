/*
 * explain_forward - explain, of a forward proxy: which one is asked, what it tells servers of its
 * clients, and how it gets there. Whether the client may ask is another question: forward_test.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "conf/value.h"
#include "explain/explain.h"
#include "fill/discretion.h"
#include "http/key.h"

#define VALUE_BYTES ((size_t)65536)

/* ---- which one ---- */

/* The only one; NULL: there is none, or several. */
static const struct site *only_forward(const struct site_table *sites)
{
    const struct conf *conf = site_table_conf(sites);
    const struct conf_site *found = NULL;

    for (size_t i = 0; i < conf->site_count; i++) {
        if (conf->sites[i].forward.name != NULL) {
            if (found != NULL) {
                return NULL;
            }
            found = &conf->sites[i];
        }
    }
    return found == NULL ? NULL : site_table_named(sites, span_str(found->names.list[0]));
}

const char *explain_find(struct explain *out, const struct site_table *sites,
                         const struct explain_question *question)
{
    if (question->forward.len == 0) {
        out->site = site_table_find(sites, out->request.authority);
        out->site = out->site == NULL ? only_forward(sites) : out->site;
    } else {
        out->site = site_table_named(sites, arena_printf(&out->arena, "forward:%.*s",
                                                         (int)question->forward.len,
                                                         question->forward.ptr));
    }
    if (out->site == NULL) {
        return question->forward.len == 0
                   ? "no site has this name; of several forward proxies one is to be "
                     "named (--forward)"
                   : "no forward proxy has this name";
    }
    if (out->site->forward != NULL) {
        out->request.authority = http_authority_normal(out->request.scheme, out->request.authority);
    }
    return NULL;
}

bool explain_is_tunnel(const struct explain *out)
{
    return out->site->forward != NULL && out->request.scheme.len == 5 &&
           !out->site->forward->fetch_https;
}

/* ---- how it leaves ---- */

bool explain_has_way(const struct explain *out)
{
    return out->site->forward == NULL || out->asked.upstream == 0 || out->request.scheme.len != 5 ||
           explain_is_tunnel(out);
}

/* A parent is asked in absolute form (RFC 9112 3.2.2), a tunnel in authority form (3.2.3). */
void explain_way(struct explain *out)
{
    struct span authority = out->request.authority;

    out->onward.host = authority;
    if (explain_is_tunnel(out)) {
        bool has_port = http_authority_host(authority).len < authority.len;
        out->onward.host = arena_printf(&out->arena, "%.*s%s", (int)authority.len, authority.ptr,
                                        has_port ? "" : ":443");
        out->onward.target = out->onward.host;
    } else if (out->asked.upstream != 0) {
        out->onward.target =
            arena_printf(&out->arena, "http://%.*s%.*s", (int)authority.len, authority.ptr,
                         (int)out->onward.target.len, out->onward.target.ptr);
    }
}

/* ---- settings ---- */

static void print_identity(const struct explain *out, struct buf *text)
{
    static const char *const words[] = {
        [SITE_TELLS] = "forward", [SITE_HIDES] = "hide", [SITE_TRANSPARENT] = "transparent"};

    buf_puts(text, words[out->site->identity]);
}

static void print_agent(const struct explain *out, struct buf *text)
{
    const struct policy_privacy *privacy = &out->asked.privacy;
    struct span name = SPAN("User-Agent: ");

    if (privacy->agent.len > name.len) {
        buf_printf(text, "\"%.*s\"", (int)(privacy->agent.len - name.len),
                   privacy->agent.ptr + name.len);
    } else {
        buf_puts(text, privacy->has_agent ? "remove" : "keep");
    }
}

static void print_referer(const struct explain *out, struct buf *text)
{
    static const char *const words[] = {
        [CONF_REFERER_UNSET] = "keep",
        [CONF_REFERER_KEEP] = "keep",
        [CONF_REFERER_REMOVE] = "remove",
        [CONF_REFERER_ORIGIN] = "origin",
        [CONF_REFERER_SAME_ORIGIN] = "same_origin",
    };

    buf_puts(text, words[out->asked.privacy.referer]);
}

/* And whether this host is one of them. */
static void print_cookies(const struct explain *out, struct buf *text)
{
    const struct conf_hosts *hosts = out->asked.privacy.cookieless;
    bool is_here = discretion_is_cookieless(&out->asked, &out->request);

    for (size_t i = 0; hosts != NULL && i < hosts->count; i++) {
        buf_printf(text, "%s%s", i == 0 ? "" : " ", hosts->list[i]);
    }
    buf_puts(text, hosts == NULL ? "off"
                   : is_here     ? " (this host: dropped)"
                                 : " (this host: kept)");
}

static void print_outgoing(const struct explain *out, struct buf *text)
{
    const struct conf_outgoing *outgoing = &out->site->forward->outgoing;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&outgoing->v4;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&outgoing->v6;
    char room[INET6_ADDRSTRLEN];

    if (outgoing->v4.ss_family != AF_UNSPEC) {
        buf_puts(text, inet_ntop(AF_INET, &v4->sin_addr, room, sizeof(room)));
    }
    if (outgoing->v6.ss_family != AF_UNSPEC) {
        buf_puts(text, text->len > 0 ? " " : "");
        buf_puts(text, inet_ntop(AF_INET6, &v6->sin6_addr, room, sizeof(room)));
    }
    buf_puts(text, text->len > 0 ? "" : "off");
}

static void print_upstream(const struct explain *out, struct buf *text)
{
    const struct site_upstream *upstream = site_upstream(out->site, &out->asked);

    if (upstream == NULL) {
        buf_puts(text, "direct");
        return;
    }
    buf_puts(text, upstream->conf->url != NULL ? upstream->conf->url : upstream->conf->pool);
    buf_puts(text, upstream->conf->else_direct ? " else=direct" : "");
}

static bool sets_agent(const struct conf_rule *rule)
{
    return rule->user_agent.kind != CONF_AGENT_UNSET;
}

static bool sets_referer(const struct conf_rule *rule)
{
    return rule->referer != CONF_REFERER_UNSET;
}

static bool sets_cookies(const struct conf_rule *rule)
{
    return rule->drop_cookies.is_set;
}

static bool sets_upstream(const struct conf_rule *rule)
{
    return rule->upstream.is_set;
}

static const struct forward_setting {
    const char *name;
    void (*print)(const struct explain *out, struct buf *text);
    bool (*is_set)(const struct conf_rule *rule); /* NULL: no rule has it */
    bool is_of_tunnels;                           /* too */
} forward_settings[] = {
    {"identity", print_identity, NULL, false},
    {"user_agent", print_agent, sets_agent, false},
    {"referer", print_referer, sets_referer, false},
    {"drop_cookies", print_cookies, sets_cookies, false},
    {"outgoing", print_outgoing, NULL, true},
    {"upstream", print_upstream, sets_upstream, true},
};
_Static_assert(ARRAY_LEN(forward_settings) == EXPLAIN_FORWARD_SETTINGS, "their number");

/* The last rule that holds and has it; -1: none. */
static int decider_of(const struct explain *out, const struct forward_setting *setting)
{
    int found = -1;

    for (unsigned i = 0; setting->is_set != NULL && i < out->site->rules.count; i++) {
        if (policy_holds(&out->asked, i) && setting->is_set(&out->site->conf->rules[i])) {
            found = (int)i;
        }
    }
    return found;
}

void explain_forward_settings(struct explain *out, const struct conf *conf)
{
    const struct conf_site *site = out->site->conf;

    for (size_t i = 0; i < ARRAY_LEN(forward_settings); i++) {
        const struct forward_setting *setting = &forward_settings[i];
        struct explain_setting *to = &out->settings[out->setting_count];
        struct buf text;
        if (out->answer == EXPLAIN_TUNNEL && !setting->is_of_tunnels) {
            continue;
        }
        buf_init(&text, VALUE_BYTES);
        setting->print(out, &text);
        *to = (struct explain_setting){.name = setting->name,
                                       .value = arena_copy(&out->arena, buf_span(&text)),
                                       .rule = decider_of(out, setting)};
        to->where = to->rule < 0
                        ? conf_where_site(conf, site, setting->name)
                        : conf_where_rule(conf, site, &site->rules[to->rule], setting->name);
        out->setting_count++;
        buf_free(&text);
    }
}
