/* route - the order of checks matters: nothing about an address is told before Host is right,
 * nothing is done before the scope is. */
#include "admin/route.h"

#include <stdio.h>
#include <string.h>

#include "admin/guard.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/clock.h"
#include "base/log.h"

static const struct route routes[] = {
    {"GET", "/healthz", AUTH_NONE, health_live, false},
    {"GET", "/readyz", AUTH_NONE, health_ready, false},
    {"GET", "/metrics", AUTH_READ, metrics_get, false},
    {"POST", "/api/v1/session", AUTH_NONE, session_post, false},
    {"GET", "/api/v1/session", AUTH_READ, session_get, false},
    {"DELETE", "/api/v1/session", AUTH_READ, session_delete, false},
    {"POST", "/api/v1/login-code", AUTH_ADMIN, login_code_post, false},
    {"GET", "/api/v1/status", AUTH_READ, status_get, false},
    {"GET", "/api/v1/stats", AUTH_READ, stats_get, false},
    {"GET", "/api/v1/top", AUTH_READ, top_get, false},
    {"GET", "/api/v1/events", AUTH_READ, events_get, false},
    {"GET", "/api/v1/purges", AUTH_READ, purges_get, false},
    {"POST", "/api/v1/purges", AUTH_PURGE, purges_post, true},
    {"GET", "/api/v1/sites", AUTH_READ, sites_get, false},
    {"POST", "/api/v1/sites/*", AUTH_ADMIN, sites_post, false},
    {"GET", "/api/v1/access/quotas", AUTH_READ, quotas_get, true},
    {"POST", "/api/v1/access/quotas/reset", AUTH_ADMIN, quotas_reset_post, false},
    {"POST", "/api/v1/explain", AUTH_READ, explain_post, true},
    {"GET", "/api/v1/origins", AUTH_READ, origins_get, false},
    {"POST", "/api/v1/origins/*", AUTH_ADMIN, origins_post, false},
    {"GET", "/api/v1/access", AUTH_READ, access_get, false},
    {"GET", "/api/v1/access/denials", AUTH_READ, access_denials_get, false},
    {"GET", "/api/v1/access/tunnels", AUTH_READ, access_tunnels_get, true},
    {"POST", "/api/v1/access/test", AUTH_READ, access_test_post, true},
    {"GET", "/api/v1/access/destinations", AUTH_READ, access_destinations_get, false},
    {"GET", "/api/v1/access/users", AUTH_READ, access_users_get, false},
    {"GET", "/api/v1/access/clients", AUTH_READ, access_clients_get, false},
    {"POST", "/api/v1/config/reload", AUTH_ADMIN, config_reload_post, true},
    {"POST", "/api/v1/log/reopen", AUTH_ADMIN, log_reopen_post, true},
    {"POST", "/api/v1/stop", AUTH_ADMIN, stop_post, false},
    {"GET", "/proxy.pac", AUTH_NONE, pac_get, false},
    {"GET", "/wpad.dat", AUTH_NONE, pac_get, false},
    {"GET", "/problems/*", AUTH_NONE, problem_page, false},
    {"GET", "/*", AUTH_NONE, asset_get, false},
};

const struct route *route_list(size_t *count)
{
    *count = ARRAY_LEN(routes);
    return routes;
}

static bool path_matches(const struct route *route, const char *path)
{
    size_t len = strlen(route->path);

    if (route->path[len - 1] == '*') {
        return strncmp(route->path, path, len - 1) == 0;
    }
    return strcmp(route->path, path) == 0;
}

static bool is_catch_all(const struct route *route)
{
    return strcmp(route->path, "/*") == 0;
}

/* HEAD is GET whose body is not sent. */
static bool method_matches(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static void reply_allow(struct admin_request *request)
{
    char allow[64] = "";
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (path_matches(&routes[i], request->path) && (!is_catch_all(&routes[i]) || len == 0)) {
            const char *method = routes[i].method;
            const char *both = strcmp(method, "GET") == 0 ? "GET, HEAD" : method;
            int put =
                snprintf(allow + len, sizeof(allow) - len, "%s%s", len == 0 ? "" : ", ", both);
            len += put > 0 ? (size_t)put : 0;
        }
    }
    problem_reply(request, PROBLEM_METHOD, "%s is not for this address", request->method);
    reply_header(request, "Allow", "%s", allow);
}

static const struct route *route_find(struct admin_request *request)
{
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *route = &routes[i];
        if (!path_matches(route, request->path)) {
            continue;
        }
        if (is_catch_all(route) && (known || strncmp(request->path, "/api/", 5) == 0)) {
            continue; /* a file never hides an address of the API */
        }
        if (method_matches(route, request->method)) {
            return route;
        }
        known = true;
    }
    if (known) {
        reply_allow(request);
    } else {
        problem_reply(request, PROBLEM_NOT_FOUND, "no address %s", request->path);
    }
    return NULL;
}

static struct span bearer_of(const char *value)
{
    struct span text = span_str(value);

    if (text.len < 7 || !span_eq_nocase(span_of(text.ptr, 7), SPAN("Bearer "))) {
        return span_of("", 0);
    }
    return span_trim(span_of(text.ptr + 7, text.len - 7));
}

/* Who asks: a token counts before anything else, then the Unix socket's peer, then the cookie.
 * False: the answer is made. */
static bool identify(struct admin_request *request)
{
    const char *header = request_header(request, "Authorization");
    struct auth *auth = request->admin->auth;

    if (header != NULL) {
        if (auth_token_check(auth, bearer_of(header), &request->who)) {
            return true;
        }
        log_warn("admin_token_wrong", "address=%s", request->address);
        problem_reply(request, PROBLEM_LOGIN_WRONG,
                      "the Authorization header names no token of ours");
        return false;
    }
    if (request->is_trusted) {
        (void)snprintf(request->who.name, sizeof(request->who.name), "%s", request->address);
        request->who.scope = AUTH_ADMIN;
        return true;
    }
    const char *cookie = request_cookie(request, "larder_session");
    if (cookie != NULL) {
        (void)auth_session_find(auth, span_str(cookie), clock_mono_us() / 1000,
                                request->conf->admin.session_ms, &request->who);
    }
    return true;
}

static bool is_open_metrics(const struct admin_request *request, const struct route *route)
{
    return route->run == metrics_get && request->conf->admin.metrics == CONF_METRICS_OPEN &&
           (request->is_loopback || request->is_local);
}

static bool scope_allows(struct admin_request *request, const struct route *route)
{
    if (route->scope == AUTH_NONE || is_open_metrics(request, route)) {
        return true;
    }
    if (request->who.scope == AUTH_NONE) {
        problem_reply(request, PROBLEM_LOGIN_NEEDED, "%s %s needs scope %s", request->method,
                      request->path, auth_scope_name(route->scope));
        return false;
    }
    if ((request->who.scope & route->scope) != route->scope) {
        problem_reply(request, PROBLEM_SCOPE, "%s %s needs scope %s, \"%s\" has %s",
                      request->method, request->path, auth_scope_name(route->scope),
                      request->who.name, auth_scope_name(request->who.scope));
        return false;
    }
    return true;
}

/* What a form on a foreign page could send is refused before it does anything. */
static bool change_is_ours(struct admin_request *request)
{
    if (strcmp(request->method, "POST") == 0 &&
        !guard_is_json(request_header(request, "Content-Type"))) {
        problem_reply(request, PROBLEM_MEDIA_TYPE, "changes are JSON only");
        return false;
    }
    if (!guard_is_same_origin(request_header(request, "Sec-Fetch-Site"),
                              request_header(request, "Origin"), request_header(request, "Host"))) {
        problem_reply(request, PROBLEM_CROSS_SITE, "it was sent by another site's page");
        return false;
    }
    if (request->who.session != 0 &&
        !auth_csrf_matches(&request->who, span_str(request_header(request, "X-CSRF")))) {
        problem_reply(request, PROBLEM_CROSS_SITE,
                      "the X-CSRF header is absent or not this session's");
        return false;
    }
    return true;
}

const struct route *route_admit(struct admin_request *request, bool body_is_too_large)
{
    if (!request->is_local &&
        !guard_host_is_ours(request_header(request, "Host"), &request->conf->admin.server_names)) {
        problem_reply(request, PROBLEM_WRONG_HOST, "the Host header names another server");
        return NULL;
    }
    const struct route *route = route_find(request);
    if (route == NULL) {
        return NULL;
    }
    if (body_is_too_large) {
        problem_reply(request, PROBLEM_TOO_LARGE, "at most %zu bytes", REQUEST_BODY_MAX_BYTES);
        return NULL;
    }
    if (route->scope != AUTH_NONE && !identify(request)) {
        return NULL;
    }
    if (!scope_allows(request, route)) {
        return NULL;
    }
    if (strcmp(route->method, "GET") != 0 && !change_is_ours(request)) {
        return NULL;
    }
    return route;
}
