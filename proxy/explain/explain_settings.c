/* explain_settings - each setting in force, in the words of the configuration, and who decided it. */
#include "base/buf.h"
#include "conf/value.h"
#include "explain/explain.h"

#define VALUE_BYTES ((size_t)65536)

enum setting_kind {
    SETTING_SWITCH,
    SETTING_SECONDS,  /* uint32_t */
    SETTING_MS,       /* unsigned */
    SETTING_SIZE,     /* uint64_t bytes */
    SETTING_COUNT,    /* unsigned */
    SETTING_COOKIE,   /* enum http_set_cookie */
    SETTING_QUERY,    /* struct http_query_options: the names */
    SETTING_NAMES,    /* struct rule_names */
    SETTING_CODINGS,  /* unsigned, of http_coding_bit */
    SETTING_PREFIX,   /* struct span */
    SETTING_HOST,     /* struct policy_host */
    SETTING_REDIRECT, /* const struct conf_redirect * */
    SETTING_RESPOND,  /* const struct conf_respond * */
    SETTING_POOL,     /* struct site_pool */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    uint32_t bit; /* enum conf_rule_setting */
    size_t offset;
    bool is_rule_only, is_of_sites; /* of sites: a forward proxy has none */
};

#define AT(member) .offset = offsetof(struct policy, member)

static const struct setting settings[] = {
    {"pass", SETTING_SWITCH, CONF_RULE_PASS, AT(pass), true},
    {"ttl", SETTING_SECONDS, CONF_RULE_TTL, AT(freshness.ttl_s), true},
    {"default_ttl", SETTING_SECONDS, CONF_RULE_DEFAULT_TTL, AT(freshness.default_ttl_s), false},
    {"min_ttl", SETTING_SECONDS, CONF_RULE_MIN_TTL, AT(freshness.min_ttl_s), false},
    {"max_ttl", SETTING_SECONDS, CONF_RULE_MAX_TTL, AT(freshness.max_ttl_s), false},
    {"stale_while_revalidate", SETTING_SECONDS, CONF_RULE_STALE_WHILE_REVALIDATE,
     AT(freshness.stale_while_revalidate_s), false},
    {"stale_if_error", SETTING_SECONDS, CONF_RULE_STALE_IF_ERROR, AT(freshness.stale_if_error_s),
     false},
    {"serve_stale", SETTING_SWITCH, CONF_RULE_SERVE_STALE, AT(serve_stale), false},
    {"hit_for_miss", SETTING_MS, CONF_RULE_HIT_FOR_MISS, AT(hit_for_miss_ms), false},
    {"set_cookie", SETTING_COOKIE, CONF_RULE_SET_COOKIE, AT(freshness.set_cookie), false},
    {"client_revalidate", SETTING_SWITCH, CONF_RULE_CLIENT_REVALIDATE, AT(client_revalidate),
     false},
    {"max_object", SETTING_SIZE, CONF_RULE_MAX_OBJECT, AT(freshness.max_object_bytes), false},
    {"ignore_cookies", SETTING_SWITCH, CONF_RULE_IGNORE_COOKIES, AT(ignore_cookies), false},
    {"ignore_query", SETTING_QUERY, CONF_RULE_IGNORE_QUERY, AT(query), false},
    {"sort_query", SETTING_SWITCH, CONF_RULE_SORT_QUERY, AT(query.sort), false},
    {"vary_ignore", SETTING_NAMES, CONF_RULE_VARY_IGNORE, AT(vary_ignore), false},
    {"vary_max", SETTING_COUNT, CONF_RULE_VARY_MAX, AT(vary_max), false},
    {"cache_status", SETTING_SWITCH, CONF_RULE_CACHE_STATUS, AT(cache_status), false},
    {"compress", SETTING_CODINGS, CONF_RULE_COMPRESS, AT(codings), false},
    {"origins", SETTING_POOL, CONF_RULE_ORIGINS, AT(pool), .is_of_sites = true},
    {"redirect", SETTING_REDIRECT, CONF_RULE_REDIRECT, AT(redirect), .is_of_sites = true},
    {"respond", SETTING_RESPOND, CONF_RULE_RESPOND, AT(respond), .is_of_sites = true},
    {"host", SETTING_HOST, CONF_RULE_HOST, AT(host), .is_of_sites = true},
    {"strip_prefix", SETTING_PREFIX, CONF_RULE_STRIP_PREFIX, AT(rewrite.strip),
     .is_of_sites = true},
    {"add_prefix", SETTING_PREFIX, CONF_RULE_ADD_PREFIX, AT(rewrite.add), .is_of_sites = true},
    {"redirect_rewrite", SETTING_SWITCH, CONF_RULE_REDIRECT_REWRITE, AT(redirect_rewrite),
     .is_of_sites = true},
    {"upgrade", SETTING_NAMES, CONF_RULE_UPGRADE, AT(upgrade), false},
};
_Static_assert(ARRAY_LEN(settings) + EXPLAIN_FORWARD_SETTINGS <= EXPLAIN_SETTINGS_MAX,
               "EXPLAIN_SETTINGS_MAX too small");

static void print_names(const struct span *list, unsigned count, struct buf *out)
{
    if (count == 0) {
        buf_puts(out, "off");
    }
    for (unsigned i = 0; i < count; i++) {
        buf_puts(out, i == 0 ? "" : " ");
        buf_append(out, list[i]);
    }
}

static void print_codings(unsigned codings, struct buf *out)
{
    bool gzip = (codings & http_coding_bit(HTTP_CODING_GZIP)) != 0;
    bool brotli = (codings & http_coding_bit(HTTP_CODING_BR)) != 0;
    buf_puts(out, gzip ? "gzip" : brotli ? "" : "off");
    if (brotli) {
        buf_puts(out, gzip ? " brotli" : "brotli");
    }
}

static void print_redirect(const struct conf_redirect *redirect, struct buf *out)
{
    if (redirect == NULL) {
        buf_puts(out, "off");
    } else {
        conf_print_redirect(redirect, out);
    }
}

static void print_respond(const struct conf_respond *respond, struct buf *out)
{
    if (respond == NULL) {
        buf_puts(out, "off");
    } else {
        conf_print_respond(respond, out);
    }
}

static void print_host(const struct policy_host *host, struct buf *out)
{
    buf_append(out, host->from == POLICY_HOST_NAME     ? host->name
                    : host->from == POLICY_HOST_SERVER ? SPAN("server")
                                                       : SPAN("client"));
}

static void print_pool(const struct site_pool *pool, struct buf *out)
{
    buf_puts(out, pool->pool == NULL ? "none" : origin_pool_name(pool->pool));
}

static void print_value(const struct setting *setting, const void *at, struct buf *out)
{
    static const char *const cookies[] = {
        [HTTP_SET_COOKIE_PASS] = "pass",
        [HTTP_SET_COOKIE_STRIP] = "strip",
        [HTTP_SET_COOKIE_STORE] = "store",
    };
    const struct http_query_options *query = at;
    const struct rule_names *names = at;
    switch (setting->kind) {
    case SETTING_SWITCH:
        buf_puts(out, *(const bool *)at ? "on" : "off");
        break;
    case SETTING_SECONDS:
        conf_print_duration(*(const uint32_t *)at * (uint64_t)1000, out);
        break;
    case SETTING_MS:
        conf_print_duration(*(const unsigned *)at, out);
        break;
    case SETTING_SIZE:
        conf_print_size(*(const uint64_t *)at, out);
        break;
    case SETTING_COUNT:
        buf_put_u64(out, *(const unsigned *)at);
        break;
    case SETTING_COOKIE:
        buf_puts(out, cookies[*(const enum http_set_cookie *)at]);
        break;
    case SETTING_QUERY:
        print_names(query->ignore, query->ignore_count, out);
        break;
    case SETTING_CODINGS:
        print_codings(*(const unsigned *)at, out);
        break;
    case SETTING_PREFIX:
        buf_append(out,
                   ((const struct span *)at)->len == 0 ? SPAN("off") : *(const struct span *)at);
        break;
    case SETTING_HOST:
        print_host(at, out);
        break;
    case SETTING_POOL:
        print_pool(at, out);
        break;
    case SETTING_REDIRECT:
        print_redirect(*(const struct conf_redirect *const *)at, out);
        break;
    case SETTING_RESPOND:
        print_respond(*(const struct conf_respond *const *)at, out);
        break;
    case SETTING_NAMES:
        print_names(names->list, names->count, out);
        break;
    }
}

/* The last rule that holds and has this setting; -1: none. */
static int decider_of(const struct explain *out, const struct policy *policy,
                      const struct setting *setting)
{
    const struct rules *rules = &out->site->rules;
    unsigned status = out->object == NULL ? 0 : out->facts.status;
    int found = -1;
    for (unsigned i = 0; i < rules->count; i++) {
        if (policy_holds(policy, i) && (out->site->conf->rules[i].set & setting->bit) != 0 &&
            (setting->bit != CONF_RULE_TTL || rule_ttl_applies(rules, i, status))) {
            found = (int)i;
        }
    }
    return found;
}

static void explain_one(struct explain *out, const struct conf *conf, const struct policy *policy,
                        const struct setting *setting)
{
    const struct conf_site *site = out->site->conf;
    struct explain_setting *to = &out->settings[out->setting_count];
    struct buf text;
    *to = (struct explain_setting){.name = setting->name, .rule = decider_of(out, policy, setting)};
    if (to->rule >= 0) {
        to->where = conf_where_rule(conf, site, &site->rules[to->rule], setting->name);
    } else if (!setting->is_rule_only) {
        to->where = conf_where_site(conf, site, setting->name);
    } else if (setting->bit == CONF_RULE_PASS) {
        to->where = conf_where_site(conf, site, "off");
    } else {
        return; /* no ttl */
    }
    buf_init(&text, VALUE_BYTES);
    const void *value = (const char *)policy + setting->offset;
    if (setting->kind == SETTING_HOST && policy->host.from == POLICY_HOST_ORIGINS) {
        value = &out->site->own.host;
    }
    if (setting->kind == SETTING_POOL) {
        value = site_pool(out->site, policy);
    }
    print_value(setting, value, &text);
    to->value = arena_copy(&out->arena, buf_span(&text));
    buf_free(&text);
    out->setting_count++;
}

void explain_settings(struct explain *out, const struct conf *conf)
{
    const struct policy *policy = out->object != NULL ? &out->later : &out->asked;
    bool is_forward = out->site->forward != NULL;
    for (size_t i = 0; i < ARRAY_LEN(settings) && out->answer != EXPLAIN_TUNNEL; i++) {
        if (!is_forward || !settings[i].is_of_sites) {
            explain_one(out, conf, policy, &settings[i]);
        }
    }
    if (is_forward) {
        explain_forward_settings(out, conf);
    }
}
