/*
 * access_lists - GET /api/v1/access/denials, /destinations, /users, /clients: who asked the forward
 * proxies for what, in lists of bounded length.
 */
#include <stdio.h>
#include <string.h>

#include "admin/access.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/mem.h"
#include "record/tunnel_view.h"
#include "worker/forward_view.h"

#define LIMIT_DEFAULT 50u
#define LIST_LIMIT_MAX 200u
#define DENIALS_LIMIT_MAX 500u

/* ---- denials ---- */

/* One that is given must not be empty: nothing would match. */
static const char *filter_asked(const struct admin_request *request, const char *name)
{
    const char *value = request_query(request, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool filter_read(struct admin_request *request, struct denials_filter *filter)
{
    const char *cursor = request_query(request, "cursor");

    *filter = (struct denials_filter){
        .rule = filter_asked(request, "rule"),
        .client = filter_asked(request, "client"),
        .user = filter_asked(request, "user"),
        .host = filter_asked(request, "host"),
    };
    if (cursor != NULL && (!span_to_u64(span_str(cursor), UINT64_MAX, &filter->before_id) ||
                           filter->before_id == 0)) {
        problem_reply(request, PROBLEM_BAD_REQUEST, "cursor is what \"next\" said");
        return false;
    }
    return access_forward_asked(request, &filter->forward);
}

static void write_denial(const struct denial *denial, struct json *json)
{
    char request_id[24];

    (void)snprintf(request_id, sizeof(request_id), "%016llx",
                   (unsigned long long)denial->request_id);
    json_object(json);
    json_put_u64(json, "id", denial->id);
    json_put_text(json, "request_id", request_id);
    json_put_time(json, "time", denial->wall_ms);
    json_put_text(json, "forward", denial->forward);
    json_put_text(json, "client", denial->client);
    json_put_text(json, "user", denial->user);
    json_put_text(json, "method", denial->method);
    json_put_text(json, "scheme", denial->scheme);
    json_put_text(json, "host", denial->host);
    json_put_u64(json, "port", denial->port);
    json_put_text(json, "path", denial->path);
    json_put_u64(json, "status", denial->status);
    json_put_text(json, "rule", denial->rule);
    json_put_text(json, "reason", denial->why);
    json_object_end(json);
}

void access_denials_get(struct admin_request *request)
{
    struct denials *denials = forward_view_denials(service_forward_view(request->admin->service));
    struct denials_filter filter;
    unsigned limit;
    bool more;
    char next[24];
    struct json json;

    if (!access_limit_asked(request, LIMIT_DEFAULT, DENIALS_LIMIT_MAX, &limit) ||
        !filter_read(request, &filter)) {
        return;
    }
    struct denial *list = mem_new(limit * sizeof(*list));
    size_t count = denials_list(denials, &filter, list, limit, &more);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_u64(&json, "seen", denials_seen(denials));
    json_put_u64(&json, "kept", DENIALS_KEPT);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        write_denial(&list[i], &json);
    }
    json_array_end(&json);
    (void)snprintf(next, sizeof(next), "%llu", (unsigned long long)(more ? list[count - 1].id : 0));
    json_put_text(&json, "next", more ? next : NULL);
    json_object_end(&json);
    mem_free(list);
}

/* ---- tunnels ---- */

static void write_tunnel(const struct tunnel_view *view, struct json *json)
{
    char id[24];

    (void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)view->id);
    json_object(json);
    json_put_text(json, "id", id);
    json_put_text(json, "forward", view->forward);
    json_put_text(json, "client", view->client);
    json_put_text(json, "user", view->user);
    json_put_text(json, "host", view->host);
    json_put_u64(json, "port", view->port);
    json_put_text(json, "rule", view->rule);
    json_put_time(json, "since", view->since_ms);
    json_put_double(json, "age_s", (double)view->age_us / 1e6);
    json_put_u64(json, "bytes_to_client", view->to_client);
    json_put_u64(json, "bytes_to_origin", view->to_origin);
    json_object_end(json);
}

static bool tunnels_asked(struct admin_request *request, struct tunnel_view_list *list)
{
    const char *by = request_query(request, "by");
    const char *forward;
    unsigned limit;

    if (by != NULL && strcmp(by, "age") != 0 && strcmp(by, "bytes") != 0) {
        problem_reply(request, PROBLEM_BAD_REQUEST, "by is one of age, bytes");
        return false;
    }
    if (!access_limit_asked(request, LIMIT_DEFAULT, LIST_LIMIT_MAX, &limit) ||
        !access_forward_asked(request, &forward)) {
        return false;
    }
    *list = (struct tunnel_view_list){
        .order = by != NULL && by[0] == 'b' ? TUNNEL_BY_BYTES : TUNNEL_BY_AGE, .max = limit};
    (void)snprintf(list->forward, sizeof(list->forward), "%s", forward == NULL ? "" : forward);
    return true;
}

void access_tunnels_get(struct admin_request *request)
{
    struct tunnel_view_list list;
    struct json json;

    if (!tunnels_asked(request, &list)) {
        return;
    }
    list.items = mem_new(list.max * sizeof(*list.items));
    bool is_whole = service_tunnels(request->admin->service, &list);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_u64(&json, "open", list.open);
    json_put_bool(&json, "complete", is_whole);
    json_put_text(&json, "by", list.order == TUNNEL_BY_AGE ? "age" : "bytes");
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < list.count; i++) {
        write_tunnel(&list.items[i], &json);
    }
    json_array_end(&json);
    json_object_end(&json);
    mem_free(list.items);
}

/* ---- who matters most ---- */

static bool order_asked(struct admin_request *request, enum forward_order *order, const char **name)
{
    static const char *const names[] = {[FORWARD_BY_REQUESTS] = "requests",
                                        [FORWARD_BY_DENIED] = "denied",
                                        [FORWARD_BY_BYTES] = "bytes"};
    const char *by = request_query(request, "by");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(by == NULL ? "requests" : by, names[i]) == 0) {
            *order = (enum forward_order)i;
            *name = names[i];
            return true;
        }
    }
    problem_reply(request, PROBLEM_BAD_REQUEST, "by is one of requests, denied, bytes");
    return false;
}

/* key: "NAME WHAT", see forward_view.h. */
static void write_item(const struct sketch_item *item, const char *what, struct json *json)
{
    const uint64_t *figure = item->sum.figure;
    const char *space = strchr(item->key, ' ');
    size_t len = space == NULL ? 0 : (size_t)(space - item->key);

    json_object(json);
    json_key(json, "forward");
    json_string(json, span_of(item->key, len));
    json_put_text(json, what, space == NULL ? item->key : space + 1);
    json_put_u64(json, "requests", figure[FORWARD_REQUESTS]);
    json_put_u64(json, "denied", figure[FORWARD_DENIED]);
    json_put_u64(json, "tunnels", figure[FORWARD_TUNNELS]);
    json_put_u64(json, "bytes", figure[FORWARD_BYTES]);
    json_put_u64(json, "bytes_to_client", figure[FORWARD_TO_CLIENT]);
    json_put_time(json, "last", item->sum.last_ms);
    json_object_end(json);
}

static void reply_list(struct admin_request *request, enum forward_list list, const char *what)
{
    struct forward_question question = {.list = list};
    struct sketch_extent extent;
    const char *by;
    unsigned limit;
    struct json json;

    if (!order_asked(request, &question.order, &by) ||
        !access_limit_asked(request, LIMIT_DEFAULT, LIST_LIMIT_MAX, &limit) ||
        !access_forward_asked(request, &question.forward)) {
        return;
    }
    struct sketch_item *items = mem_new(limit * sizeof(*items));
    size_t count = forward_view_list(service_forward_view(request->admin->service), &question,
                                     items, limit, &extent);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_text(&json, "by", by);
    json_put_double(&json, "window_s", extent.covered_s);
    json_put_u64(&json, "error_bound", extent.error_bound);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        write_item(&items[i], what, &json);
    }
    json_array_end(&json);
    json_object_end(&json);
    mem_free(items);
}

void access_destinations_get(struct admin_request *request)
{
    reply_list(request, FORWARD_DESTINATIONS, "host");
}

void access_users_get(struct admin_request *request)
{
    reply_list(request, FORWARD_USERS, "user");
}

void access_clients_get(struct admin_request *request)
{
    reply_list(request, FORWARD_CLIENTS, "client");
}
