/*
 * quotas - GET /api/v1/access/quotas: whose quotas of forward proxies are how far used up;
 * POST /api/v1/access/quotas/reset: an account begins anew.
 */
#include <string.h>

#include <cjson/cJSON.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/log.h"
#include "base/mem.h"
#include "limit/limit.h"
#include "limit/quota.h"
#include "record/redact.h"

#define LIMIT_DEFAULT 50u
#define LIMIT_MAX 1000u
#define PREFIX "forward:"

static const enum quota_whose kinds[] = {QUOTA_CLIENT, QUOTA_USER, QUOTA_ALL, QUOTA_OTHERS};

/* The forward proxy's name, of the name its site has. */
static const char *forward_name(const char *site)
{
    size_t len = strlen(PREFIX);
    return strncmp(site, PREFIX, len) == 0 ? site + len : site;
}

/* Whose it is, as far as the forward proxy lets it be seen (anonymize). */
static const char *who_shown(const struct conf *conf, const char *site, enum quota_whose whose,
                             const char *who, char room[REDACT_ADDRESS_BYTES])
{
    const struct conf_site *forward = conf_find_forward(conf, forward_name(site));

    if (whose != QUOTA_CLIENT && whose != QUOTA_USER) {
        return who;
    }
    return redact_who(forward == NULL ? CONF_ANONYMIZE_DROP : forward->privacy.anonymize,
                      whose == QUOTA_USER, who, room);
}

static void write_account(struct json *json, const struct conf *conf, const struct quota_view *view)
{
    char room[REDACT_ADDRESS_BYTES];

    json_object(json);
    json_put_text(json, "forward", forward_name(view->site));
    json_put_text(json, "name", view->name);
    json_put_text(json, "per", calendar_name(view->per));
    json_put_text(json, "key", quota_whose_name(view->whose));
    json_put_text(json, "who", who_shown(conf, view->site, view->whose, view->who, room));
    json_put_u64(json, "used_bytes", view->used);
    json_put_u64(json, "limit_bytes", view->limit);
    json_put_u64(json, "bytes_to_client", view->down);
    json_put_u64(json, "bytes_to_origin", view->up);
    json_put_time(json, "begins_at", view->period.begin_s * 1000);
    json_put_time(json, "ends_at", view->period.end_s * 1000);
    json_object_end(json);
}

void quotas_get(struct admin_request *request)
{
    struct quota_store *store = limit_quotas(service_limits(request->admin->service));
    const char *forward;
    unsigned limit;
    uint64_t total = 0;
    struct quota_view *list;
    struct json json;

    if (!access_limit_asked(request, LIMIT_DEFAULT, LIMIT_MAX, &limit) ||
        !access_forward_asked(request, &forward)) {
        return;
    }
    size_t count = quota_list(store, &list);
    reply_json(request, 200, &json);
    json_object(&json);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        if (forward != NULL && strcmp(forward, forward_name(list[i].site)) != 0) {
            continue;
        }
        if (total++ < limit) {
            write_account(&json, request->conf, &list[i]);
        }
    }
    json_array_end(&json);
    json_put_u64(&json, "total", total);
    json_object_end(&json);
    mem_free(list);
}

/* Which account. */
struct order {
    const char *forward, *name, *key, *who;
    enum quota_whose whose;
};

/* False: the answer is made. */
static bool order_read(struct admin_request *request, const cJSON *body, struct order *order)
{
    *order = (struct order){.forward = body_text(body, "forward"),
                            .name = body_text(body, "name"),
                            .key = body_text(body, "key"),
                            .who = body_text(body, "who")};
    for (size_t i = 0; order->key != NULL && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(order->key, quota_whose_name(kinds[i])) == 0 && order->forward != NULL &&
            order->name != NULL && (order->who != NULL || kinds[i] == QUOTA_ALL)) {
            order->whose = kinds[i];
            order->who = kinds[i] == QUOTA_ALL ? "" : order->who;
            return true;
        }
    }
    problem_reply(request, PROBLEM_INVALID,
                  "members are forward, name, key (client, user, all, others) and who");
    return false;
}

static void reset(struct admin_request *request, const struct order *order)
{
    struct quota_store *store = limit_quotas(service_limits(request->admin->service));
    struct buf site;
    char by[64];
    char who[QUOTA_WHO_BYTES];
    char name[80];
    char room[REDACT_ADDRESS_BYTES];
    struct json json;

    buf_init(&site, 512);
    buf_printf(&site, PREFIX "%s", order->forward);
    bool is_there = !site.failed && quota_reset(store, buf_span(&site), span_str(order->name),
                                                order->whose, span_str(order->who));
    buf_free(&site);
    if (!is_there) {
        problem_reply(request, PROBLEM_NOT_FOUND, "there is no such account");
        return;
    }
    request_by(request, by, sizeof(by));
    log_info("quota_reset", "quota=%s key=%s who=\"%s\" by=%s",
             log_escape(name, sizeof(name), span_str(order->name)), order->key,
             log_escape(who, sizeof(who),
                        span_str(who_shown(request->conf, order->forward, order->whose, order->who,
                                           room))),
             by);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_text(&json, "forward", order->forward);
    json_put_text(&json, "name", order->name);
    json_put_text(&json, "key", order->key);
    json_put_text(&json, "who", order->who);
    json_put_bool(&json, "reset", true);
    json_object_end(&json);
}

void quotas_reset_post(struct admin_request *request)
{
    struct order order;
    cJSON *body = body_parse(request);

    if (body != NULL && order_read(request, body, &order)) {
        reset(request, &order);
    }
    cJSON_Delete(body);
}
