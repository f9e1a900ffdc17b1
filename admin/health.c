/* health - for supervisors and load balancers: alive, and ready for traffic. */
#include "admin/handlers.h"
#include "admin/json.h"
#include "admin/private.h"

void health_live(struct admin_request *request)
{
    buf_puts(reply_begin(request, 200, "text/plain; charset=utf-8"), "ok\n");
}

static void write_check(struct json *json, const char *name, bool ok, const char *detail)
{
    json_object(json);
    json_put_text(json, "name", name);
    json_put_bool(json, "ok", ok);
    json_put_text(json, "detail", detail);
    json_object_end(json);
}

/* The cache may still be loading its index, or be without a disk: requests are answered all the
 * same. */
void health_ready(struct admin_request *request)
{
    struct service *service = request->admin->service;
    enum service_state state = service_state(service);
    bool ready = state == SERVICE_SERVING;
    struct store_stats store;
    struct json json;

    store_stats(service_store(service), &store);
    reply_json(request, ready ? 200 : 503, &json);
    json_object(&json);
    json_put_bool(&json, "ready", ready);
    json_key(&json, "checks");
    json_array(&json);
    write_check(&json, "configuration", true, "loaded");
    write_check(&json, "listeners", state == SERVICE_SERVING,
                state == SERVICE_STARTING   ? "starting"
                : state == SERVICE_DRAINING ? "draining"
                                            : "accepting");
    write_check(&json, "store", store.disk_state != STORE_DISK_FAILED,
                store.recovering                        ? "recovering, serving meanwhile"
                : store.disk_state == STORE_DISK_FAILED ? "the disk fails, serving from memory"
                                                        : "in order");
    json_array_end(&json);
    json_object_end(&json);
}
