/* explain_guard - who asks, and what lists and limits say of it. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "explain/explain.h"

const char *explain_client(struct explain *out, struct span client)
{
    union {
        struct sockaddr_storage any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {.any = {.ss_family = AF_UNSPEC}};
    char text[INET6_ADDRSTRLEN] = "";
    out->client_text = SPAN("(client)");
    if (client.len == 0) {
        return NULL;
    }
    if (client.len < sizeof(text)) {
        memcpy(text, client.ptr, client.len);
    }
    if (inet_pton(AF_INET, text, &address.four.sin_addr) == 1) {
        address.four.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &address.six.sin6_addr) == 1) {
        address.six.sin6_family = AF_INET6;
    } else {
        return "client is not an IP address";
    }
    out->client = address.any;
    out->client_text = arena_copy(&out->arena, client);
    return NULL;
}

/* Is there a list for this request? */
static bool has_list(const struct explain *out)
{
    const struct guards *guards = &out->site->guards;
    bool found = guards->site.access != NULL;
    for (unsigned i = 0; i < out->site->rules.count && !found; i++) {
        found = guards->rules[i].access != NULL && policy_holds(&out->asked, i);
    }
    return found;
}

void explain_guard(struct explain *out, const struct conf *conf)
{
    const struct guards *guards = &out->site->guards;
    const struct conf_site *site = out->site->conf;
    const struct sockaddr *client = (const struct sockaddr *)&out->client;
    struct guard_verdict verdict;
    if (client->sa_family == AF_UNSPEC) {
        out->access = has_list(out) ? EXPLAIN_ACCESS_DEPENDS : EXPLAIN_ACCESS_FREE;
        return;
    }
    out->is_unlimited = guards_except(guards, client);
    enum conf_admission admission = guards_admit(guards, &out->asked, client, &verdict);
    out->access = admission == CONF_ADMIT_DENY ? EXPLAIN_ACCESS_DENIED
                  : has_list(out)              ? EXPLAIN_ACCESS_ALLOWED
                                               : EXPLAIN_ACCESS_FREE;
    if (verdict.entry != NULL) {
        const struct conf_rule *rule = verdict.rule < 0 ? NULL : &site->rules[verdict.rule];
        const struct conf_access *access = rule == NULL ? &site->access : &rule->access;
        out->access_where =
            conf_where_element(conf, site, rule, "allow", (size_t)(verdict.entry - access->list));
    }
}
