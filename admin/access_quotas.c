/* access_quotas - GET /api/v1/access/quotas: whose quota is how far used up. */
#include <string.h>

#include "admin/access.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "base/mem.h"
#include "limit/limit.h"
#include "limit/quota.h"

#define LIMIT_DEFAULT 50u
#define LIMIT_MAX 500u

/* "office" of "forward:office". */
static const char *forward_name(const char *site)
{
    static const char before[] = "forward:";

    return strncmp(site, before, sizeof(before) - 1) == 0 ? site + sizeof(before) - 1 : site;
}

static void write_account(const struct quota_view *view, struct json *json)
{
    json_object(json);
    json_put_text(json, "forward", forward_name(view->site));
    json_put_text(json, "name", view->name);
    json_put_text(json, "per", calendar_name(view->per));
    json_put_text(json, "key", quota_whose_name(view->whose));
    json_put_text(json, "who", view->who);
    json_put_u64(json, "used_bytes", view->used);
    json_put_u64(json, "limit_bytes", view->limit);
    json_put_u64(json, "bytes_to_client", view->down);
    json_put_u64(json, "bytes_to_origin", view->up);
    json_put_time(json, "ends_at", view->period.end_s * 1000);
    json_object_end(json);
}

void access_quotas_get(struct admin_request *request)
{
    struct quota_view *list = NULL;
    const char *forward;
    unsigned limit;
    uint64_t total = 0;
    struct json json;

    if (!access_limit_asked(request, LIMIT_DEFAULT, LIMIT_MAX, &limit) ||
        !access_forward_asked(request, &forward)) {
        return;
    }
    size_t count = quota_list(limit_quotas(service_limits(request->admin->service)), &list);
    reply_json(request, 200, &json);
    json_object(&json);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        if (forward != NULL && strcmp(forward_name(list[i].site), forward) != 0) {
            continue;
        }
        if (total++ < limit) {
            write_account(&list[i], &json);
        }
    }
    json_array_end(&json);
    json_put_u64(&json, "total", total);
    json_object_end(&json);
    mem_free(list);
}
