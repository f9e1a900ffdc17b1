/* forward_test - see forward_test.h. */
#include "explain/forward_test.h"

#include <stdio.h>

#include "base/address.h"
#include "base/mem.h"
#include "http/key.h"
#include "net/loop.h"
#include "site/reach.h"

#define ARENA_BYTES ((size_t)256 << 10)

/* ---- the question ---- */

/* The one of this name, or the only one. */
static const char *find_site(struct forward_answer *out, const struct site_table *sites,
                             const char *name)
{
    const struct conf *conf = site_table_conf(sites);
    size_t len = 0;
    unsigned count = 0;

    out->fault[0] = '\0';
    for (size_t i = 0; i < conf->site_count; i++) {
        const char *own = conf->sites[i].forward.name;
        if (own == NULL) {
            continue;
        }
        count++;
        if (name == NULL || strcmp(own, name) == 0) {
            out->site = site_table_named(sites, span_str(conf->sites[i].names.list[0]));
        }
        int put = snprintf(out->fault + len, sizeof(out->fault) - len, "%s%s",
                           len == 0 ? "forward is one of " : ", ", own);
        len += put > 0 && len + (size_t)put < sizeof(out->fault) ? (size_t)put : 0;
    }
    if (count == 0) {
        return "no forward proxy is configured";
    }
    return out->site == NULL || (name == NULL && count > 1) ? out->fault : NULL;
}

static const char *read_client(struct forward_answer *out, const char *text)
{
    if (text == NULL) {
        return "client is missing: the address of who asks";
    }
    return address_parse(text, &out->client)
               ? NULL
               : "client is not an address like 192.0.2.1 or 2001:db8::1";
}

/* Nobody asks for the password here. */
static const char *read_user(struct forward_answer *out, const char *name)
{
    const struct conf_auth *auth = &out->site->forward->auth;

    if (name != NULL && auth->path == NULL) {
        return "user has no meaning there: without auth nobody is asked who he is";
    }
    out->facts.user = span_str(name);
    out->user = name == NULL ? NULL : conf_auth_find(auth, span_str(name));
    if (out->user != NULL) {
        out->facts.groups = out->user->groups;
        out->facts.group_count = out->user->group_count;
    }
    return NULL;
}

/* "host:443", as CONNECT has it (RFC 9110 9.3.6). */
static bool is_authority(const char *text)
{
    const char *colon = strrchr(text, ':');

    return strstr(text, "://") == NULL && colon != NULL && colon[1] >= '0' && colon[1] <= '9' &&
           http_is_authority(span_str(text));
}

static void set_target(struct access_facts *facts, struct span authority, uint16_t port)
{
    facts->host = http_authority_host(authority);
    facts->port = port;
    if (facts->host.len < authority.len) {
        uint64_t number = 0;
        struct span digits =
            span_of(authority.ptr + facts->host.len + 1, authority.len - facts->host.len - 1);
        if (span_to_u64(digits, UINT16_MAX, &number) && number > 0) {
            facts->port = (uint16_t)number;
        }
    }
}

static const char *read_url(struct forward_answer *out, const struct forward_question *question)
{
    struct access_facts *facts = &out->facts;
    struct http_url url = {0};

    if (question->url == NULL) {
        return "url is missing";
    }
    bool is_tunnel = is_authority(question->url);
    const char *fault = is_tunnel ? NULL : http_url_parse(span_str(question->url), &url);
    if (fault != NULL) {
        return fault;
    }
    bool is_https = is_tunnel || url.scheme.len == 5;
    facts->method = question->method != NULL ? span_str(question->method)
                    : is_https               ? SPAN("CONNECT")
                                             : SPAN("GET");
    is_tunnel = is_tunnel || span_eq(facts->method, SPAN("CONNECT"));
    struct span written = is_authority(question->url) ? span_str(question->url) : url.authority;
    facts->scheme = is_tunnel ? ACCESS_CONNECT : is_https ? ACCESS_HTTPS : ACCESS_HTTP;
    facts->path = is_tunnel ? SPAN("") : url.path;
    set_target(facts, written, is_https ? 443 : 80);
    if (hostname_read(facts->host, out->room, &facts->host, &out->literal) == HOSTNAME_BAD) {
        return "the host is no name, nor an address in its usual spelling";
    }
    if (out->literal.ss_family != AF_UNSPEC) {
        facts->address = (const struct sockaddr *)&out->literal;
    }
    return NULL;
}

static void deny(struct forward_answer *out, const char *name, const char *reason)
{
    out->verdict = (struct access_verdict){
        .answer = ACCESS_DENY, .name = name, .reason = reason, .rule = UINT32_MAX};
}

/* What comes before the rules (exchange_login.c, exchange_forward.c). */
static bool is_denied_before(struct forward_answer *out, const char *name)
{
    const struct conf_forward *forward = out->site->forward;

    if (forward->auth.path != NULL && name != NULL && out->user == NULL) {
        deny(out, "login", "there is no such user");
    } else if (forward->auth.path != NULL && name == NULL &&
               !conf_networks_match(&forward->auth_except, out->facts.client)) {
        deny(out, "login", "this proxy asks for a name and a password");
    } else if (out->facts.scheme == ACCESS_HTTPS && !forward->fetch_https) {
        deny(out, "fetch_https",
             "this proxy does not fetch https:// URLs itself; ask it for a tunnel");
    }
    return out->verdict.answer == ACCESS_DENY;
}

/* Which parents its rules send it to. */
static void find_way(struct forward_answer *out)
{
    const struct access_facts *facts = &out->facts;
    const struct http_request request = {
        .method_text = facts->method,
        .scheme = facts->scheme == ACCESS_HTTP ? SPAN("http") : SPAN("https"),
        .authority = facts->host,
        .path = facts->path,
    };
    const struct rule_facts asked = rule_facts_of(&request, 0, span_of(NULL, 0));
    struct policy room;

    out->upstream = site_upstream(out->site, site_policy(out->site, &asked, &room));
}

/* ---- its addresses ---- */

struct lookup {
    struct loop *loop;
    struct loop_timer late;
    bool is_woken;
};

static void on_found(void *ctx)
{
    struct lookup *lookup = ctx;

    lookup->is_woken = true;
    loop_stop(lookup->loop);
}

static void on_late(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct lookup, late)->loop);
}

/* As a worker would ask, but this thread waits. */
static void look_up(struct forward_answer *out, struct directory *directory)
{
    struct lookup lookup = {.loop = loop_new()};
    struct directory_wait *wait = NULL;

    out->has_lookup = true;
    out->lookup = DIRECTORY_FAILED;
    if (lookup.loop == NULL) {
        return;
    }
    const struct directory_asker asker = {
        .loop = lookup.loop, .wake = on_found, .ctx = &lookup, .wants_all = true};
    out->lookup = directory_find(directory, out->facts.host, &out->addresses, &asker, &wait);
    if (out->lookup == DIRECTORY_WAIT) {
        loop_timer_init(&lookup.late, on_late);
        loop_timer_set(lookup.loop, &lookup.late, (uint64_t)FORWARD_TEST_WAIT_S * 1000000);
        loop_run(lookup.loop);
        loop_timer_clear(&lookup.late);
        out->lookup = DIRECTORY_SILENT;
        if (lookup.is_woken) {
            out->lookup =
                directory_find(directory, out->facts.host, &out->addresses, &asker, &wait);
        }
        if (out->lookup == DIRECTORY_WAIT) {
            out->lookup = DIRECTORY_SILENT;
        }
        directory_cancel(&wait);
    }
    loop_free(&lookup.loop);
}

/* The first address that may be connected to decides, else the first that may not; of a parent, which
 * chooses, the first that may not. */
static void judge_addresses(struct forward_answer *out)
{
    bool is_decided = false;
    enum access_answer wanted = out->upstream == NULL ? ACCESS_ALLOW : ACCESS_DENY;

    for (unsigned i = 0; i < out->addresses.count; i++) {
        struct access_verdict *verdict = &out->verdicts[i];
        address_set_port(&out->addresses.list[i], out->facts.port);
        out->facts.address = (const struct sockaddr *)&out->addresses.list[i];
        reach_judge(&out->arena, out->site, &out->facts, verdict);
        if (verdict->answer == wanted && !is_decided) {
            out->verdict = *verdict;
            is_decided = true;
        }
    }
    out->facts.address = NULL;
    if (!is_decided) {
        out->verdict = out->verdicts[0];
    }
}

static enum forward_outcome outcome_of(const struct access_verdict *verdict)
{
    return verdict->answer == ACCESS_ALLOW  ? FORWARD_ALLOWED
           : verdict->answer == ACCESS_DENY ? FORWARD_DENIED_BY
                                            : FORWARD_UNKNOWN;
}

const char *forward_test(struct forward_answer *out, const struct site_table *sites,
                         struct directory *directory, const struct forward_question *question)
{
    memset(out, 0, sizeof(*out));
    arena_init(&out->arena, ARENA_BYTES);
    const char *fault = find_site(out, sites, question->forward);
    fault = fault != NULL ? fault : read_client(out, question->client);
    fault = fault != NULL ? fault : read_url(out, question);
    fault = fault != NULL ? fault : read_user(out, question->user);
    if (fault != NULL) {
        return fault;
    }
    out->facts.client = (const struct sockaddr *)&out->client;
    out->facts.wall_s = question->wall_s;
    out->facts.length = UINT64_MAX;
    out->verdict.answer = ACCESS_ALLOW;
    if (!is_denied_before(out, question->user)) {
        reach_judge(&out->arena, out->site, &out->facts, &out->verdict);
    }
    find_way(out);
    if (out->verdict.answer == ACCESS_WANTS_ADDRESS ||
        (out->verdict.answer == ACCESS_ALLOW && out->upstream == NULL)) {
        look_up(out, directory);
        if (out->lookup == DIRECTORY_FOUND) {
            judge_addresses(out);
        }
    }
    out->outcome = outcome_of(&out->verdict);
    return NULL;
}

void forward_test_end(struct forward_answer *out)
{
    arena_reset(&out->arena);
}
