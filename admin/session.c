/* session - logging in and out of the dashboard, and one-time codes. */
#include <stdio.h>

#include <cjson/cJSON.h>

#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/clock.h"
#include "base/log.h"

static void write_identity(struct json *json, const struct auth_identity *who)
{
    static const enum auth_scope scopes[] = {AUTH_READ, AUTH_PURGE, AUTH_ADMIN};

    json_object(json);
    json_put_text(json, "name", who->name);
    json_key(json, "scopes");
    json_array(json);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if ((who->scope & scopes[i]) == scopes[i]) {
            json_string(json, span_str(auth_scope_name(scopes[i])));
        }
    }
    json_array_end(json);
    json_put_text(json, "csrf", who->csrf);
    json_object_end(json);
}

static bool log_in(struct admin_request *request, const cJSON *body)
{
    struct auth *auth = request->admin->auth;
    const char *token = body_text(body, "token");
    const char *code = body_text(body, "code");

    if (token != NULL) {
        return auth_token_check(auth, span_str(token), &request->who);
    }
    return code != NULL &&
           auth_code_take(auth, span_str(code), clock_mono_us() / 1000, &request->who);
}

/* {"token":"..."} or {"code":"..."}, nothing else. */
static bool body_is_login(const cJSON *body)
{
    return cJSON_GetArraySize(body) == 1 &&
           (body_text(body, "token") != NULL || body_text(body, "code") != NULL);
}

static void open_session(struct admin_request *request)
{
    char cookie[SECRET_CHARS + 1];
    struct json json;

    auth_session_open(request->admin->auth, clock_mono_us() / 1000, &request->who, cookie);
    log_info("admin_login", "name=%s address=%s", request->who.name, request->address);
    reply_json(request, 200, &json);
    reply_header(request, "Set-Cookie", "larder_session=%s; HttpOnly; SameSite=Strict; Path=/",
                 cookie);
    write_identity(&json, &request->who);
}

void session_post(struct admin_request *request)
{
    struct auth *auth = request->admin->auth;
    uint64_t now_ms = clock_mono_us() / 1000;
    unsigned wait_s = auth_login_wait_s(auth, request->address, now_ms);

    if (wait_s > 0) {
        problem_reply(request, PROBLEM_TOO_MANY, "try again in %u s", wait_s);
        reply_header(request, "Retry-After", "%u", wait_s);
        return;
    }
    cJSON *body = body_parse(request);
    if (body == NULL) {
        return;
    }
    if (!body_is_login(body)) {
        problem_reply(request, PROBLEM_INVALID, "send {\"token\":\"...\"} or {\"code\":\"...\"}");
    } else if (log_in(request, body)) {
        open_session(request);
    } else {
        auth_login_failed(auth, request->address, now_ms);
        log_warn("admin_login_failed", "address=%s", request->address);
        problem_reply(request, PROBLEM_LOGIN_WRONG, "not accepted");
    }
    cJSON_Delete(body);
}

void session_get(struct admin_request *request)
{
    struct json json;

    reply_json(request, 200, &json);
    write_identity(&json, &request->who);
}

void session_delete(struct admin_request *request)
{
    if (request->who.session != 0) {
        auth_session_close(request->admin->auth, request->who.session);
    }
    (void)reply_begin(request, 204, NULL);
    reply_header(request, "Set-Cookie",
                 "larder_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
}

void login_code_post(struct admin_request *request)
{
    struct admin *admin = request->admin;
    char code[AUTH_CODE_CHARS + 1];
    struct json json;

    auth_code_make(admin->auth, clock_mono_us() / 1000, code);
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_text(&json, "code", code);
    json_key(&json, "url");
    if (admin->port == 0) {
        json_null(&json);
    } else {
        char url[128];
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/#login=%s", admin->port, code);
        json_string(&json, span_str(url));
    }
    json_put_u64(&json, "expires_s", 300);
    json_object_end(&json);
}
