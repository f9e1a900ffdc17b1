/* stream - GET /api/v1/events: the snapshot; the rest is published by the sampler and the purges.
 */
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/clock.h"

#define STREAM_TOP_LIMIT 20u

void events_get(struct admin_request *request)
{
    struct admin *admin = request->admin;
    struct json json;

    if (events_count(admin->events) >= EVENTS_STREAMS) {
        problem_reply(request, PROBLEM_BUSY, "at most %u event streams at once", EVENTS_STREAMS);
        reply_header(request, "Retry-After", "5");
        return;
    }
    json_init(&json, reply_begin(request, 200, "text/event-stream"));
    request->reply.is_stream = true;
    json_object(&json);
    json_key(&json, "status");
    status_write(admin, &json);
    json_key(&json, "stats");
    stats_write(admin, HISTORY_5M, clock_wall_ms() / 1000, &json);
    json_key(&json, "top");
    top_write(admin, TOP_REQUESTS, STREAM_TOP_LIMIT, &json);
    json_key(&json, "origins");
    origins_write(admin, &json);
    json_object_end(&json);
}
