/* operate - reload, log files, the end. */
#include <string.h>

#include "admin/handlers.h"
#include "admin/json.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/log.h"
#include "worker/service_run.h"

#define OPERATE_REPORT_MAX_BYTES ((size_t)4 << 20)

/* The array inside the configuration checker's {"problems":[...],"count":N}; "[]" when there is
 * none. */
static struct span problem_array(struct span report)
{
    static const char key[] = "\"problems\":";
    const char *from = report.len == 0 ? NULL : memmem(report.ptr, report.len, key, strlen(key));
    const char *until = report.len == 0 ? NULL : memrchr(report.ptr, ']', report.len);

    if (from == NULL || until == NULL || until < from) {
        return SPAN("[]");
    }
    from += strlen(key);
    return span_of(from, (size_t)(until - from) + 1);
}

void config_reload_post(struct admin_request *request)
{
    struct buf report;
    struct buf problems;
    struct json json;

    buf_init(&report, OPERATE_REPORT_MAX_BYTES);
    buf_init(&problems, OPERATE_REPORT_MAX_BYTES);
    log_info("reload_asked", "by=%s", request->who.name);
    if (service_conf_path(request->admin->service) == NULL) {
        problem_reply(request, PROBLEM_NO_FILE,
                      "This larder was started without one, as `larder demo` does.");
        buf_free(&report);
        buf_free(&problems);
        return;
    }
    bool ok = service_reload(request->admin->service, &report, &problems);
    if (ok) {
        reply_json(request, 200, &json);
        json_object(&json);
        json_put_bool(&json, "ok", true);
    } else {
        problem_begin(request, PROBLEM_CONFIG_INVALID, &json,
                      "Nothing was changed; the configuration in force stays.");
        json_key(&json, "errors");
        json_raw(&json, problem_array(buf_span(&problems)));
    }
    /* When ok: what differs but needs a restart. Else the errors as the checker prints them. */
    json_key(&json, "report");
    json_string(&json, buf_span(&report));
    json_object_end(&json);
    buf_free(&report);
    buf_free(&problems);
}

static void reply_done(struct admin_request *request)
{
    struct json json;

    reply_json(request, 200, &json);
    json_object(&json);
    json_put_bool(&json, "ok", true);
    json_object_end(&json);
}

void log_reopen_post(struct admin_request *request)
{
    service_reopen_logs(request->admin->service);
    reply_done(request);
}

void stop_post(struct admin_request *request)
{
    log_info("stop_asked", "by=%s", request->who.name);
    service_stop(request->admin->service);
    reply_done(request);
}
