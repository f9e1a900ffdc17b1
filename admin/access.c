/* access - GET /api/v1/access: the forward proxies, each with its figures and those of its rules. */
#include "admin/access.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/mem.h"
#include "worker/forward_view.h"

#define WHERE_BYTES ((size_t)8192)
#define RULE_BYTES ((size_t)64 << 10) /* conditions may be long lists */

const struct conf_site *access_next(const struct conf *conf, size_t *at)
{
    while (*at < conf->site_count) {
        const struct conf_site *site = &conf->sites[(*at)++];
        if (site->forward.name != NULL) {
            return site;
        }
    }
    return NULL;
}

void access_want_rules(const struct conf *conf, struct tally_sum *sum)
{
    const struct conf_site *site;
    size_t at = 0;

    while ((site = access_next(conf, &at)) != NULL) {
        (void)tally_sum_want(sum, site->forward.name, "");
        for (size_t i = 0; i < site->forward.acl.count; i++) {
            (void)tally_sum_want(sum, site->forward.name, site->forward.acl.list[i].name);
        }
    }
}

void access_write_names(const struct conf *conf, struct json *json)
{
    const struct conf_site *site;
    size_t at = 0;

    json_array(json);
    while ((site = access_next(conf, &at)) != NULL) {
        json_string(json, span_str(site->forward.name));
    }
    json_array_end(json);
}

bool access_forward_asked(struct admin_request *request, const char **name)
{
    const struct conf_site *site;
    size_t at = 0;

    *name = request_query(request, "forward");
    if (*name == NULL) {
        return true;
    }
    while ((site = access_next(request->conf, &at)) != NULL) {
        if (strcmp(site->forward.name, *name) == 0) {
            return true;
        }
    }
    problem_reply(request, PROBLEM_NOT_FOUND, "no forward proxy \"%s\"", *name);
    return false;
}

bool access_limit_asked(struct admin_request *request, unsigned normal, unsigned max,
                        unsigned *limit)
{
    const char *text = request_query(request, "limit");
    uint64_t number = normal;

    if (text != NULL && (!span_to_u64(span_str(text), max, &number) || number == 0)) {
        problem_reply(request, PROBLEM_BAD_REQUEST, "limit is 1 to %u", max);
        return false;
    }
    *limit = (unsigned)number;
    return true;
}

void access_put_where(struct json *json, const char *key, struct conf_where where)
{
    struct buf text;

    json_key(json, key);
    if (where.file == NULL) {
        json_null(json);
        return;
    }
    buf_init(&text, WHERE_BYTES);
    buf_printf(&text, "%s:%u", where.file, where.line);
    json_string(json, buf_span(&text));
    buf_free(&text);
}

void access_put_rule(struct json *json, const struct conf *conf, const struct conf_site *site,
                     unsigned rule)
{
    const struct conf_acl *acl = site == NULL ? NULL : &site->forward.acl;

    if (acl == NULL || rule >= acl->count) {
        json_put_text(json, "text", NULL);
        json_put_text(json, "at", NULL);
        return;
    }
    const struct conf_acl_rule *found = &acl->list[rule];
    struct buf text;
    buf_init(&text, RULE_BYTES);
    buf_printf(&text, "%s %s ", found->allow ? "allow" : "deny",
               found->has_own_name ? found->name : "");
    text.len -= !found->has_own_name && text.len > 0; /* of the name that is not there */
    conf_print_acl_conditions(found, &text);
    if (found->reason != NULL) {
        buf_printf(&text, " reason=\"%s\"", found->reason);
    }
    json_key(json, "text");
    json_string(json, buf_span(&text));
    buf_free(&text);
    access_put_where(json, "at", conf_where_acl(conf, site, rule));
}

static uint64_t figure_of(const struct tally_row *row, enum tally_figure figure)
{
    return row == NULL ? 0 : row->figure[figure];
}

static void write_listens(const struct conf *conf, const char *name, struct json *json)
{
    json_key(json, "listens");
    json_array(json);
    for (size_t i = 0; i < conf->listen_count; i++) {
        const char *forward = conf->listens[i].forward;
        if (forward != NULL && strcmp(forward, name) == 0) {
            json_string(json, span_str(conf->listens[i].text));
        }
    }
    json_array_end(json);
}

static void write_rule(const struct tally_row *row, const char *name, struct json *json)
{
    json_put_text(json, "name", name);
    json_put_u64(json, "allowed", figure_of(row, TALLY_ALLOWED));
    json_put_u64(json, "denied", figure_of(row, TALLY_DENIED));
}

static bool is_of_file(const struct conf_acl *acl, const char *name)
{
    for (size_t i = 0; i < acl->count; i++) {
        if (strcmp(acl->list[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The rules in the order of the file, then what decided without one. */
static void write_rules(const struct conf *conf, const struct conf_site *site,
                        const struct tally_sum *sum, struct json *json)
{
    const struct conf_acl *acl = &site->forward.acl;

    json_key(json, "rules");
    json_array(json);
    for (size_t i = 0; i < acl->count; i++) {
        const char *name = acl->list[i].name;
        json_object(json);
        write_rule(tally_sum_find(sum, site->forward.name, name), name, json);
        access_put_rule(json, conf, site, (unsigned)i);
        json_object_end(json);
    }
    for (size_t i = 0; i < sum->count; i++) {
        const struct tally_row *row = &sum->row[i];
        if (strcmp(row->forward, site->forward.name) == 0 && row->rule[0] != '\0' &&
            !is_of_file(acl, row->rule)) {
            json_object(json);
            write_rule(row, row->rule, json);
            access_put_rule(json, conf, site, UINT_MAX);
            json_object_end(json);
        }
    }
    json_array_end(json);
}

static uint64_t denied_of(const struct tally_sum *sum, const char *name)
{
    uint64_t denied = 0;

    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->row[i].forward, name) == 0) {
            denied += sum->row[i].figure[TALLY_DENIED];
        }
    }
    return denied;
}

/* null: nothing was looked for in the cache so far, or it is not counted apart. */
static void write_hit_ratio(struct service *service, const struct conf_site *site,
                            const struct counters_sum *counters, struct json *json)
{
    unsigned slot = sites_slot(service, site);
    double ratio = slot == 0 ? -1.0 : counters_hit_ratio(counters->site[slot]);

    json_key(json, "hit_ratio");
    if (ratio < 0) {
        json_null(json);
    } else {
        json_double(json, ratio);
    }
}

/* What was counted since the start. */
struct counted {
    struct tally_sum sum;
    struct counters_sum counters;
};

static void write_forward(struct admin *admin, const struct conf *conf,
                          const struct conf_site *site, const struct counted *counted,
                          struct json *json)
{
    struct forward_view *view = service_forward_view(admin->service);
    const struct tally_sum *sum = &counted->sum;
    const char *name = site->forward.name;
    const struct tally_row *row = tally_sum_find(sum, name, "");
    uint64_t opened = figure_of(row, TALLY_TUNNELS_OPENED);
    uint64_t closed = figure_of(row, TALLY_TUNNELS_CLOSED);

    json_object(json);
    json_put_text(json, "name", name);
    access_put_where(json, "at", conf_where_site(conf, site, NULL));
    write_listens(conf, name, json);
    json_put_u64(json, "requests", figure_of(row, TALLY_REQUESTS));
    write_hit_ratio(admin->service, site, &counted->counters, json);
    json_put_u64(json, "denied", denied_of(sum, name));
    json_put_u64(json, "tunnels", opened > closed ? opened - closed : 0);
    json_put_u64(json, "tunnels_total", opened);
    json_put_u64(json, "tunnel_bytes_to_client", figure_of(row, TALLY_TO_CLIENT));
    json_put_u64(json, "tunnel_bytes_to_origin", figure_of(row, TALLY_TO_ORIGIN));
    json_put_u64(json, "challenges", figure_of(row, TALLY_CHALLENGES));
    json_put_u64(json, "logins_failed", figure_of(row, TALLY_LOGIN_FAILED));
    json_put_u64(json, "logins_refused", figure_of(row, TALLY_LOGIN_REFUSED));
    json_put_u64(json, "users_seen", forward_view_count(view, FORWARD_USERS, name));
    json_put_u64(json, "clients_seen", forward_view_count(view, FORWARD_CLIENTS, name));
    write_rules(conf, site, sum, json);
    json_object_end(json);
}

void access_get(struct admin_request *request)
{
    struct admin *admin = request->admin;
    struct counted *counted = mem_new(sizeof(*counted));
    const struct conf_site *site;
    size_t at = 0;
    struct json json;

    service_tally(admin->service, &counted->sum);
    service_counters(admin->service, &counted->counters);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_u64(&json, "seen_s", FORWARD_LIST_WINDOW_S);
    json_key(&json, "forwards");
    json_array(&json);
    while ((site = access_next(request->conf, &at)) != NULL) {
        write_forward(admin, request->conf, site, counted, &json);
    }
    json_array_end(&json);
    json_object_end(&json);
    mem_free(counted);
}
