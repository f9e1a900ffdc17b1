/* top - GET /api/v1/top. */
#include <string.h>

#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/mem.h"

#define TOP_LIMIT_DEFAULT 20u

static const char *const order_names[] = {
    [TOP_REQUESTS] = "requests", [TOP_MISSES] = "misses", [TOP_BYTES] = "bytes"};

void top_write(struct admin *admin, enum top_order order, unsigned limit, struct json *json)
{
    struct top_item *items = mem_new(limit * sizeof(*items));
    uint64_t bound = 0;
    double covered_s = 0;
    size_t count = top_list(service_top(admin->service), order, items, limit, &bound, &covered_s);

    json_object(json);
    json_put_double(json, "window_s", covered_s);
    json_put_text(json, "by", order_names[order]);
    json_put_u64(json, "error_bound", bound);
    json_key(json, "items");
    json_array(json);
    for (size_t i = 0; i < count; i++) {
        json_object(json);
        json_put_text(json, "url", items[i].url);
        json_put_u64(json, "requests", items[i].requests);
        json_put_u64(json, "hits", items[i].hits);
        json_put_u64(json, "misses", items[i].misses);
        json_put_u64(json, "bytes", items[i].bytes);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
    mem_free(items);
}

void top_get(struct admin_request *request)
{
    const char *by = request_query(request, "by");
    const char *limit_text = request_query(request, "limit");
    uint64_t limit = TOP_LIMIT_DEFAULT;
    struct json json;

    if (limit_text != NULL &&
        (!span_to_u64(span_str(limit_text), TOP_LIMIT_MAX, &limit) || limit == 0)) {
        problem_reply(request, PROBLEM_BAD_REQUEST, "limit is 1 to %u", TOP_LIMIT_MAX);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(order_names); i++) {
        if (strcmp(by == NULL ? "requests" : by, order_names[i]) == 0) {
            reply_json(request, 200, &json);
            top_write(request->admin, (enum top_order)i, (unsigned)limit, &json);
            return;
        }
    }
    problem_reply(request, PROBLEM_BAD_REQUEST, "by is one of requests, misses, bytes");
}
