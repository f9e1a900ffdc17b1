/* problem - one row per type; the pages under /problems/ come from the same rows. */
#include "admin/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROBLEM_PREFIX "/problems/"

static const struct problem_row {
    unsigned status;
    const char *name;
    const char *title;
    const char *help;
} problem_rows[] = {
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request cannot be understood",
                             "The body is not the JSON this address wants, or the query is wrong."},
    [PROBLEM_LOGIN_NEEDED] = {401, "login-needed", "A login or a token is needed",
                              "Send `Authorization: Bearer TOKEN`, or log in with `larder "
                              "dashboard`. The first start shows a token; the head of the token "
                              "file says how to add one."},
    [PROBLEM_LOGIN_WRONG] = {401, "login-wrong", "That token or code is not right",
                             "Login codes work once and for five minutes; `larder dashboard` makes "
                             "a new one."},
    [PROBLEM_SCOPE] = {403, "scope", "This token may not do that",
                       "Scopes are read, purge and admin; each holds the ones before it."},
    [PROBLEM_CROSS_SITE] = {403, "cross-site", "The request does not come from the dashboard",
                            "With a session cookie, changes need the X-CSRF header of GET "
                            "/api/v1/session and must come from the same origin."},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing at this address", "Check the path."},
    [PROBLEM_METHOD] = {405, "method", "This address does not take that method",
                        "The Allow header lists the methods it takes."},
    [PROBLEM_NO_FILE] = {409, "no-file", "There is no configuration file to read again",
                         "Only what `larder run` serves can be reloaded."},
    [PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large", "Send less at a time."},
    [PROBLEM_MEDIA_TYPE] = {415, "media-type", "The body must be JSON",
                            "Send `Content-Type: application/json`."},
    [PROBLEM_WRONG_HOST] = {421, "wrong-host", "This server is not known by that name",
                            "Add the name to `server_names` in the admin block, or use an address. "
                            "Other names are refused so that no web page can reach this server by "
                            "DNS rebinding."},
    [PROBLEM_INVALID] = {422, "invalid", "The request is not valid", "See errors[]."},
    [PROBLEM_CONFIG_INVALID] = {422, "config-invalid", "The configuration has errors",
                                "Nothing was changed. See errors[]; `larder check` says the same."},
    [PROBLEM_TOO_MANY] = {429, "too-many-logins", "Too many wrong logins",
                          "Five in a minute from one address; wait as Retry-After says."},
    [PROBLEM_INTERNAL] = {500, "internal", "This server cannot do that now",
                          "The error log says more."},
    [PROBLEM_BUSY] = {503, "busy", "Too much at once", "Try again as Retry-After says."},
};

static void problem_open(struct admin_request *request, const struct problem_row *row,
                         struct json *json, const char *detail)
{
    char type[64];

    json_init(json, reply_begin(request, row->status, "application/problem+json"));
    if (row->status == 401) {
        reply_header(request, "WWW-Authenticate", "Bearer realm=\"larder\"");
    }
    (void)snprintf(type, sizeof(type), PROBLEM_PREFIX "%s", row->name);
    json_object(json);
    json_put_text(json, "type", type);
    json_put_text(json, "title", row->title);
    json_put_u64(json, "status", row->status);
    json_put_text(json, "detail", detail);
    json_put_text(json, "instance", request->path);
    json_put_text(json, "request_id", request->id);
}

void problem_reply(struct admin_request *request, enum problem problem, const char *fmt, ...)
{
    struct json json;
    char detail[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    problem_open(request, &problem_rows[problem], &json, detail);
    json_object_end(&json);
}

void problem_begin(struct admin_request *request, enum problem problem, struct json *json,
                   const char *fmt, ...)
{
    char detail[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    problem_open(request, &problem_rows[problem], json, detail);
}

void problem_page(struct admin_request *request)
{
    const char *name = request->path + strlen(PROBLEM_PREFIX);

    for (size_t i = 0; i < ARRAY_LEN(problem_rows); i++) {
        if (strcmp(problem_rows[i].name, name) == 0) {
            buf_printf(reply_begin(request, 200, "text/plain; charset=utf-8"), "%u %s\n\n%s\n",
                       problem_rows[i].status, problem_rows[i].title, problem_rows[i].help);
            return;
        }
    }
    problem_reply(request, PROBLEM_NOT_FOUND, "no such problem type");
}
