/*
 * rules_guard - limits of a site need names of their own; allow and deny become one set of ranges,
 * and what stands behind something that decides all of it is warned of.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/check.h"

struct guard {
    struct conf_checker *checker;
    const struct conf_site *site;
    enum schema_context context;
    uint32_t owner;
    unsigned made; /* names with a number so far */
};

static const struct conf_setting *guard_setting(const struct guard *guard, const char *name,
                                                size_t ordinal)
{
    const struct schema_row *row = schema_find(guard->context, span_str(name));

    CHECK(row != NULL);
    return conf_setting_find(&guard->checker->settings, guard->owner, row, (uint32_t)ordinal);
}

/* ---- names ---- */

static const struct conf_limit *named_in(const struct conf_limit *limits, size_t count,
                                         const struct conf_limit *except, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (&limits[i] != except && span_eq(span_str(limits[i].name), name)) {
            return &limits[i];
        }
    }
    return NULL;
}

/* Another limit of the site with this name. */
static bool is_named(const struct conf_site *site, const struct conf_limit *except,
                     struct span name)
{
    bool found = named_in(site->limits, site->limit_count, except, name) != NULL;

    for (size_t i = 0; !found && i < site->rule_count; i++) {
        const struct conf_rule *rule = &site->rules[i];
        found = named_in(rule->limits, rule->limit_count, except, name) != NULL;
    }
    return found;
}

/* "requests", "requests_x-api-key", "concurrent_site_2" */
static void name_make(struct guard *guard, struct conf_limit *limit)
{
    const char *kind = limit->kind == CONF_LIMIT_REQUESTS      ? "requests"
                       : limit->kind == CONF_LIMIT_CONNECTIONS ? "connections"
                                                               : "concurrent";
    const char *key = limit->key == CONF_LIMIT_CLIENT    ? NULL
                      : limit->key == CONF_LIMIT_USER    ? "user"
                      : limit->key == CONF_LIMIT_SITE    ? "site"
                      : limit->key == CONF_LIMIT_FORWARD ? "forward"
                                                         : limit->key_name;
    char text[100];
    int len = snprintf(text, sizeof(text), "%s%s%.60s", kind, key == NULL ? "" : "_",
                       key == NULL ? "" : key);

    for (char *at = text; *at != '\0'; at++) {
        *at = ascii_lower(*at);
    }
    while (is_named(guard->site, limit, span_str(text))) {
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "_%u", ++guard->made);
    }
    limit->name = conf_check_copy(&guard->checker->base, span_str(text));
}

/* In a rule too the words are those of the block around it. */
static void key_check(const struct guard *guard, struct conf_limit *limit,
                      const struct conf_setting *setting, bool report)
{
    bool is_forward = guard->site->forward.name != NULL;

    if (is_forward && limit->key == CONF_LIMIT_SITE) {
        limit->key = CONF_LIMIT_FORWARD;
    } else if (!is_forward && report && limit->key == CONF_LIMIT_USER) {
        conf_report_add(guard->checker->base.report, setting->node->words[0].place, NULL,
                        "key=user is for forward proxies: nobody logs in to a site");
    } else if (!is_forward && report && limit->key == CONF_LIMIT_FORWARD) {
        conf_report_add(guard->checker->base.report, setting->node->words[0].place, NULL,
                        "key=forward is for forward proxies: of a site it is key=site");
    }
}

static void limit_check(struct guard *guard, struct conf_limit *limit, size_t ordinal, bool make)
{
    const struct conf_setting *setting = guard_setting(guard, "limit", ordinal);

    if (setting == NULL || !setting->good || limit->kind > CONF_LIMIT_CONNECTIONS) {
        return;
    }
    key_check(guard, limit, setting, make);
    if (ordinal == CONF_LIMITS_MAX && make) {
        conf_report_add(guard->checker->base.report, setting->node->words[0].place, NULL,
                        "more than %u limits in one block", CONF_LIMITS_MAX);
    }
    if (make && !limit->has_own_name) {
        name_make(guard, limit);
    } else if (!make && limit->has_own_name &&
               is_named(guard->site, limit, span_str(limit->name))) {
        conf_report_add(guard->checker->base.report, setting->node->words[0].place, NULL,
                        "another limit of this site has the name \"%s\"", limit->name);
    }
}

/* ---- allow and deny ---- */

static size_t access_networks(const struct conf_access_entry *entry)
{
    return entry->all ? 2 : entry->written.count + entry->listed.count;
}

static size_t networks_put(struct netset_network *out, const struct conf_networks *networks,
                           uint32_t number, uint32_t step)
{
    for (size_t i = 0; i < networks->count; i++) {
        out[i] = (struct netset_network){
            .bits = networks->list[i].bits, .v6 = networks->list[i].v6, .number = number};
        memcpy(out[i].address, networks->list[i].address, sizeof(out[i].address));
        number += step;
    }
    return networks->count;
}

/* Numbers: one for each network written, one for a whole file. Returns how many numbers. */
static uint32_t access_collect(struct conf_access *access, struct netset_network *out)
{
    struct conf_access_entry *list = span_unconst(access->list);
    uint32_t number = 0;

    for (size_t i = 0; i < access->count; i++) {
        struct conf_access_entry *entry = &list[i];
        entry->number = number;
        access->only_allows = (i == 0 || access->only_allows) && entry->allow;
        if (entry->all) {
            *out++ = (struct netset_network){.number = number};
            *out++ = (struct netset_network){.number = number, .v6 = true};
        }
        out += networks_put(out, &entry->written, number, 1);
        number += (uint32_t)entry->written.count;
        out += networks_put(out, &entry->listed, number, 0);
        number += entry->all || entry->file != NULL ? 1 : 0;
    }
    return number;
}

/* A network written of which an earlier entry decides every address; otherwise than this one. */
static void access_warn(const struct guard *guard, const struct conf_access *access, size_t ordinal,
                        const bool *seen)
{
    static const struct conf_advice warning = {.is_warning = true};
    const struct conf_access_entry *entry = &access->list[ordinal];
    const struct conf_setting *setting = guard_setting(guard, "allow", ordinal);
    size_t count = entry->all ? 1 : entry->written.count;
    struct conf_shown shown;
    struct conf_shown place;

    if (setting == NULL || !setting->good || entry->file != NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct netset_network network = {.v6 = false};
        if (seen[entry->number + i]) {
            continue;
        }
        if (!entry->all) {
            const struct conf_networks one = {.list = &entry->written.list[i], .count = 1};
            (void)networks_put(&network, &one, 0, 0);
        }
        uint32_t number = netset_find_first(&access->set, &network);
        size_t at = access->count;
        while (at > 0 && access->list[at - 1].number > number) {
            at--;
        }
        CHECK(at > 0); /* somebody decides, or this one would */
        const struct conf_setting *first = guard_setting(guard, "allow", at - 1);
        if (first == NULL || access->list[at - 1].allow == entry->allow) {
            continue; /* said twice */
        }
        conf_report_add(guard->checker->base.report, setting->node->words[1 + i].place, &warning,
                        "\"%s\" is never reached: what stands before it decides, first at %s",
                        conf_show(&shown, setting->node->words[1 + i].text),
                        conf_show_place(&place, first->node->words[0].place));
    }
}

static void access_check(const struct guard *guard, struct conf_access *access)
{
    size_t total = 0;

    for (size_t i = 0; i < access->count; i++) {
        total += access_networks(&access->list[i]);
    }
    if (access->count == 0) {
        return;
    }
    struct netset_network *networks = mem_try((total + 1) * sizeof(*networks));
    bool *seen = mem_try(total + access->count + 1);
    if (networks == NULL || seen == NULL) {
        guard->checker->base.arena->overflow = true; /* conf.c reports it */
    } else {
        memset(seen, 0, total + access->count + 1);
        (void)access_collect(access, networks);
        if (!netset_build(&access->set, guard->checker->base.arena, networks, total)) {
            guard->checker->base.arena->overflow = true;
        } else {
            netset_reach(&access->set, seen);
            for (size_t i = 0; i < access->count; i++) {
                access_warn(guard, access, i, seen);
            }
        }
    }
    mem_free(networks);
    mem_free(seen);
}

static const struct conf_access_entry *access_find(const struct conf_access *access,
                                                   const struct sockaddr *address)
{
    bool v6;
    size_t low = 0;
    size_t high = access->count;

    if (netset_bytes(address, &v6) == NULL) { /* a proxy of ours did not say whose request it is */
        while (low < high && !access->list[low].all) {
            low++;
        }
        return low < high ? &access->list[low] : NULL;
    }
    uint32_t number = netset_find(&access->set, address);
    if (number == NETSET_NONE) {
        return NULL;
    }
    while (low < high) { /* the last entry that does not begin behind it */
        size_t middle = low + (high - low) / 2;
        if (access->list[middle].number <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &access->list[low - 1];
}

enum conf_admission conf_access_judge(const struct conf_access *access,
                                      const struct sockaddr *address,
                                      const struct conf_access_entry **entry)
{
    *entry = access_find(access, address);
    if (*entry != NULL) {
        return (*entry)->allow ? CONF_ADMIT_ALLOW : CONF_ADMIT_DENY;
    }
    return access->only_allows ? CONF_ADMIT_DENY : CONF_ADMIT_OPEN;
}

/* ---- all sites ---- */

static void limits_check(const struct guard *of_site, bool make)
{
    const struct conf_site *site = of_site->site;
    struct guard guard = *of_site;

    guard.made = 1;
    for (size_t i = 0; i < site->limit_count; i++) {
        limit_check(&guard, span_unconst(&site->limits[i]), i, make);
    }
    guard.context = SCHEMA_RULE;
    for (size_t i = 0; i < site->rule_count; i++) {
        const struct conf_rule *rule = &site->rules[i];
        guard.owner = rule->owner;
        for (size_t j = 0; j < rule->limit_count; j++) {
            limit_check(&guard, span_unconst(&rule->limits[j]), j, make);
        }
    }
}

static void site_check(struct conf_checker *checker, uint32_t index)
{
    struct conf_site *site = span_unconst(&checker->conf->sites[index]);
    struct conf_rule *rules = span_unconst(site->rules);
    struct guard guard = {
        .checker = checker, .site = site, .context = SCHEMA_SITE, .owner = index + 1};

    limits_check(&guard, true); /* all names are made before any is compared */
    limits_check(&guard, false);
    guard.context = SCHEMA_RULE;
    for (size_t i = 0; i < site->rule_count; i++) {
        guard.owner = rules[i].owner;
        access_check(&guard, &rules[i].access);
    }
    guard.context = SCHEMA_SITE;
    guard.owner = index + 1;
    access_check(&guard, &site->access);
}

void conf_check_guards(struct conf_checker *checker)
{
    for (size_t i = 0; i < checker->conf->site_count; i++) {
        site_check(checker, (uint32_t)i);
    }
}
