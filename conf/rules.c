/* rules - what only shows when settings are seen together. Each message names both places. */
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/check.h"
#include "conf/net.h"

#define LISTENS_MAX ((size_t)256)

static const struct conf_setting *rules_find(const struct conf_checker *checker,
                                             enum schema_context context, const char *name,
                                             uint32_t owner, uint32_t ordinal)
{
    const struct schema_row *row = schema_find(context, span_str(name));

    CHECK(row != NULL);
    return conf_setting_find(&checker->settings, owner, row, ordinal);
}

/* The first word behind the name. */
static struct conf_place setting_place(const struct conf_setting *setting)
{
    return setting->node->words[setting->node->word_count > 1 ? 1 : 0].place;
}

static bool is_wildcard(const struct conf_listen *listen)
{
    static const uint8_t zero[16];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&listen->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&listen->address;

    return listen->address.ss_family == AF_INET ? v4->sin_addr.s_addr == INADDR_ANY
                                                : memcmp(&v6->sin6_addr, zero, sizeof(zero)) == 0;
}

/* Would both bind the same address? :PORT takes both 0.0.0.0 and [::]. */
static bool listens_clash(const struct conf_listen *a, const struct conf_listen *b)
{
    if (a->port != b->port) {
        return false;
    }
    if (a->any || b->any) {
        return is_wildcard(a) && is_wildcard(b);
    }
    return a->address_len == b->address_len &&
           memcmp(&a->address, &b->address, a->address_len) == 0;
}

static void report_clash(struct conf_checker *checker, const struct conf_setting *first,
                         const struct conf_setting *again)
{
    struct conf_shown shown;
    struct conf_shown place;

    conf_report_add(checker->base.report, setting_place(again), NULL,
                    "\"%s\" is already listened on at %s",
                    conf_show(&shown, again->node->words[1].text),
                    conf_show_place(&place, setting_place(first)));
}

static void rules_listens(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;
    const struct conf_setting *admin = rules_find(checker, SCHEMA_ADMIN, "listen", 0, 0);
    bool has_admin = admin != NULL && admin->good && conf->admin.enabled;

    for (size_t i = 0; i < conf->listen_count; i++) {
        const struct conf_setting *again =
            rules_find(checker, SCHEMA_MAIN, "listen", 0, (uint32_t)i);
        if (again == NULL || !again->good) {
            continue;
        }
        if (i == LISTENS_MAX) {
            conf_report_add(checker->base.report, setting_place(again), NULL,
                            "more than %zu addresses to listen on", LISTENS_MAX);
            return;
        }
        for (size_t j = 0; j < i; j++) {
            const struct conf_setting *first =
                rules_find(checker, SCHEMA_MAIN, "listen", 0, (uint32_t)j);
            if (first != NULL && first->good &&
                listens_clash(&conf->listens[i], &conf->listens[j])) {
                report_clash(checker, first, again);
                break;
            }
        }
        if (has_admin && listens_clash(&conf->listens[i], &conf->admin.listen)) {
            report_clash(checker, again, admin);
        }
    }
}

static void rules_admin(struct conf_checker *checker)
{
    const struct conf_admin *admin = &checker->conf->admin;
    const struct conf_setting *listen = rules_find(checker, SCHEMA_ADMIN, "listen", 0, 0);
    struct conf_shown shown;

    if (listen == NULL || !listen->good || !admin->enabled || admin->plain_http_from.count > 0 ||
        conf_net_is_loopback(&admin->listen.address)) {
        return;
    }
    conf_report_add(checker->base.report, setting_place(listen), NULL,
                    "\"%s\" is not loopback, and TLS for the admin listener is not there yet: use "
                    "127.0.0.1, or allow clear text with plain_http_from NETWORK...;",
                    conf_show(&shown, span_str(admin->listen.text)));
}

struct rules_name {
    const char *name;
    uint32_t site;
    uint32_t index; /* among the site's names */
};

static int name_compare(const void *left, const void *right)
{
    const struct rules_name *a = left;
    const struct rules_name *b = right;
    int order = strcmp(a->name, b->name);

    if (order != 0) {
        return order;
    }
    if (a->site != b->site) {
        return a->site < b->site ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static void report_same_name(struct conf_checker *checker, const struct rules_name *first,
                             const struct rules_name *again)
{
    const struct conf_setting *one = rules_find(checker, SCHEMA_MAIN, "site", 0, first->site);
    const struct conf_setting *two = rules_find(checker, SCHEMA_MAIN, "site", 0, again->site);
    const char *forward = checker->conf->sites[again->site].forward.name;
    struct conf_shown shown;
    struct conf_shown place;

    CHECK(one != NULL && two != NULL);
    if (forward != NULL && (!one->good || !two->good)) {
        return; /* it may have no name at all, which is said */
    }
    conf_report_add(checker->base.report, two->node->words[1 + again->index].place, NULL,
                    "%s \"%s\" is already defined at %s",
                    forward != NULL ? "forward proxy" : "site",
                    conf_show(&shown, span_str(forward != NULL ? forward : again->name)),
                    conf_show_place(&place, one->node->words[1 + first->index].place));
}

/* Sorted, so that thousands of sites are no matter. */
static void rules_names(struct conf_checker *checker)
{
    const struct conf *conf = checker->conf;
    size_t total = 0;
    size_t count = 0;

    for (size_t i = 0; i < conf->site_count; i++) {
        total += conf->sites[i].names.count;
    }
    struct rules_name *names = mem_try((total + 1) * sizeof(*names));
    if (names == NULL) {
        checker->base.arena->overflow = true; /* conf.c reports it */
        return;
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        for (size_t j = 0; j < conf->sites[i].names.count; j++) {
            names[count++] = (struct rules_name){
                .name = conf->sites[i].names.list[j], .site = (uint32_t)i, .index = (uint32_t)j};
        }
    }
    qsort(names, count, sizeof(*names), name_compare);
    size_t first = 0;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[first].name, names[i].name) == 0) {
            report_same_name(checker, &names[first], &names[i]);
        } else {
            first = i;
        }
    }
    mem_free(names);
}

/* Two values of one block of which the first may not be larger. */
struct rules_order {
    enum schema_context context;
    const char *small;
    const char *large;
};

static void rules_order(struct conf_checker *checker, const struct rules_order *order,
                        const void *owner, uint32_t owner_index)
{
    const struct schema_row *small = schema_find(order->context, span_str(order->small));
    const struct schema_row *large = schema_find(order->context, span_str(order->large));
    const struct conf_setting *one = conf_setting_find(&checker->settings, owner_index, small, 0);
    const struct conf_setting *two = conf_setting_find(&checker->settings, owner_index, large, 0);
    const struct conf_setting *at = one != NULL ? one : two;
    struct conf_shown place = {.text = "is the default"};
    struct buf low;
    struct buf high;
    uint64_t values[2];

    if (order->context == SCHEMA_RULE && (one == NULL || two == NULL)) {
        return; /* the other one is the site's, or another rule's: the smaller counts */
    }
    if (at == NULL || (one != NULL && !one->good) || (two != NULL && !two->good)) {
        return;
    }
    memcpy(&values[0], (const char *)owner + small->offset, sizeof(values[0]));
    memcpy(&values[1], (const char *)owner + large->offset, sizeof(values[1]));
    if (values[0] <= values[1]) {
        return;
    }
    const struct conf_setting *other = at == one ? two : one;
    if (other != NULL) {
        (void)conf_show_place(&place, setting_place(other));
    }
    buf_init(&low, 64);
    buf_init(&high, 64);
    (void)conf_item_print(small, owner, NULL, &low);
    (void)conf_item_print(large, owner, NULL, &high);
    conf_report_add(checker->base.report, setting_place(at), NULL,
                    "\"%s\" (%s) may not be more than \"%s\" (%s); the other %s%s", small->name,
                    low.data, large->name, high.data, other == NULL ? "" : "is at ", place.text);
    buf_free(&low);
    buf_free(&high);
}

void conf_check_rules(struct conf_checker *checker)
{
    static const struct rules_order target = {SCHEMA_LIMITS, "target", "head"};
    static const struct rules_order orders[] = {{SCHEMA_CACHE, "min_ttl", "max_ttl"},
                                                {SCHEMA_CACHE, "default_ttl", "max_ttl"}};
    static const struct rules_order compress = {SCHEMA_SITE, "compress_min", "compress_max"};
    static const struct rules_order in_rule = {SCHEMA_RULE, "min_ttl", "max_ttl"};
    const struct conf *conf = checker->conf;

    rules_listens(checker);
    rules_admin(checker);
    rules_names(checker);
    rules_order(checker, &target, &conf->limits, 0);
    for (size_t i = 0; i < conf->site_count; i++) {
        for (size_t j = 0; j < ARRAY_LEN(orders); j++) {
            rules_order(checker, &orders[j], &conf->sites[i].cache, (uint32_t)i + 1);
        }
        rules_order(checker, &compress, &conf->sites[i], (uint32_t)i + 1);
        for (size_t j = 0; j < conf->sites[i].rule_count; j++) {
            const struct conf_rule *rule = &conf->sites[i].rules[j];
            rules_order(checker, &in_rule, rule, rule->owner);
        }
    }
}
