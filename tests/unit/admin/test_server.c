/* The admin server over real sockets: who may do what, and what is refused. */
#include "admin/route.h"
#include "server_kit.h"

static void test_health(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    assert_string_equal(body_of_reply(), "ok\n");
    assert_int_equal(ask("HEAD /healthz", "", NULL), 200);
    assert_string_equal(body_of_reply(), "");
    assert_int_equal(ask("GET /readyz", "", NULL), 200);
    atomic_store(&fake.state, SERVICE_DRAINING);
    assert_int_equal(ask("GET /readyz", "", NULL), 503);
    assert_true(says("\"draining\""));
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
}

static void test_scopes(void **state)
{
    (void)state;
    static const char purge[] = "{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":\"hard\"}";
    static const struct {
        const char *line, *head, *body;
        unsigned status;
    } rows[] = {
        {"GET /api/v1/status", "", NULL, 401},
        {"GET /api/v1/status", "Authorization: Bearer wrong\r\n", NULL, 401},
        {"GET /api/v1/status", "Authorization: Basic dC1yZWFk\r\n", NULL, 401},
        {"GET /api/v1/status", "Authorization: Bearer\r\n", NULL, 401},
        {"GET /api/v1/status", READER, NULL, 200},
        {"GET /api/v1/status", "Authorization: bearer  t-read\r\n", NULL, 200},
        {"GET /api/v1/stats", READER, NULL, 200},
        {"GET /api/v1/top", READER, NULL, 200},
        {"GET /api/v1/purges", READER, NULL, 200},
        {"GET /api/v1/origins", "", NULL, 401},
        {"GET /api/v1/origins", READER, NULL, 200},
        {"POST /api/v1/origins/*/app", READER JSON, "{\"state\":\"drain\"}", 403},
        {"POST /api/v1/origins/*/app", PURGER JSON, "{\"state\":\"drain\"}", 403},
        {"POST /api/v1/origins/*/app", ADMIN JSON, "{\"state\":\"drain\"}", 200},
        {"POST /api/v1/origins/*/app/check", PURGER JSON, "{}", 403},
        {"GET /metrics", "", NULL, 401},
        {"GET /metrics", READER, NULL, 200},
        {"GET /api/v1/session", "", NULL, 401},
        {"GET /api/v1/session", READER, NULL, 200},
        {"GET /api/v1/events", "", NULL, 401},
        {"POST /api/v1/purges", JSON, purge, 401},
        {"POST /api/v1/purges", READER JSON, purge, 403},
        {"POST /api/v1/purges", PURGER JSON, purge, 200},
        {"POST /api/v1/purges", ADMIN JSON, purge, 200},
        {"POST /api/v1/config/reload", PURGER JSON, "{}", 403},
        {"POST /api/v1/config/reload", ADMIN JSON, "{}", 200},
        {"POST /api/v1/log/reopen", PURGER JSON, "{}", 403},
        {"POST /api/v1/stop", PURGER JSON, "{}", 403},
        {"POST /api/v1/login-code", PURGER JSON, "{}", 403},
        {"POST /api/v1/login-code", ADMIN JSON, "{}", 200},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned status = ask(rows[i].line, rows[i].head, rows[i].body);
        if (status != rows[i].status) {
            fail_msg("row %zu, %s: %u", i, rows[i].line, status);
        }
        assert_true(status != 401 || says("WWW-Authenticate: Bearer"));
        assert_true(status < 400 || says("Content-Type: application/problem+json"));
        assert_true(says("Cache-Control: no-store"));
        assert_true(says("X-Request-Id: "));
    }
    assert_int_equal(atomic_load(&fake.stops), 0);
    assert_int_equal(ask("POST /api/v1/stop", ADMIN JSON, "{}"), 200);
    assert_int_equal(atomic_load(&fake.stops), 1);
    assert_int_equal(ask("POST /api/v1/log/reopen", ADMIN JSON, "{}"), 200);
    assert_int_equal(atomic_load(&fake.reopens), 1);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *line, *head, *body;
        unsigned status;
    } rows[] = {
        {"GET /api/v1/nothing", ADMIN, NULL, 404},
        {"GET /api/v2/status", ADMIN, NULL, 404},
        {"GET /nothing.html", "", NULL, 404},
        {"GET /../etc/passwd", "", NULL, 404},
        {"POST /api/v1/status", ADMIN JSON, "{}", 405},
        {"DELETE /api/v1/purges", ADMIN, NULL, 405},
        {"GET /api/v1/config/reload", ADMIN, NULL, 405},
        {"PUT /healthz", "", NULL, 405},
        {"POST /index.html", "", "x", 405},
        {"POST /api/v1/config/reload", ADMIN, "{}", 415},
        {"POST /api/v1/config/reload", ADMIN "Content-Type: text/plain\r\n", "{}", 415},
        {"POST /api/v1/session", "Content-Type: text/plain\r\n", "{\"token\":\"t-admin\"}", 415},
        {"POST /api/v1/purges", ADMIN JSON, "", 400},
        {"POST /api/v1/purges", ADMIN JSON, "[]", 400},
        {"POST /api/v1/purges", ADMIN JSON, "{\"mode\":\"hard\"", 400},
        {"POST /api/v1/purges", ADMIN JSON, "{} {}", 400},
        {"POST /api/v1/purges", ADMIN JSON, "{\"reason\":\"a\\u0000b\"}", 400},
        {"POST /api/v1/purges", ADMIN JSON, "{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", 400},
        {"POST /api/v1/config/reload", ADMIN JSON "Origin: http://evil.example\r\n", "{}", 403},
        {"POST /api/v1/config/reload", ADMIN JSON "Sec-Fetch-Site: cross-site\r\n", "{}", 403},
        {"GET /api/v1/stats?range=2y", READER, NULL, 400},
        {"GET /api/v1/top?limit=0", READER, NULL, 400},
        {"GET /api/v1/top?limit=101", READER, NULL, 400},
        {"GET /api/v1/top?by=x", READER, NULL, 400},
        {"GET /api/v1/purges?limit=-1", READER, NULL, 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned status = ask(rows[i].line, rows[i].head, rows[i].body);
        if (status != rows[i].status) {
            fail_msg("row %zu, %s: %u", i, rows[i].line, status);
        }
        cJSON *json = json_of_reply();
        assert_int_equal(cJSON_GetObjectItem(json, "status")->valueint, status);
        cJSON_Delete(json);
    }
    assert_int_equal(ask("POST /api/v1/status", ADMIN JSON, "{}"), 405);
    assert_true(says("Allow: GET, HEAD\r\n"));
    assert_int_equal(ask("GET /api/v1/config/reload", ADMIN, NULL), 405);
    assert_true(says("Allow: POST\r\n"));
    assert_int_equal(ask("PUT /api/v1/session", ADMIN JSON, "{}"), 405);
    assert_true(says("Allow: POST, GET, HEAD, DELETE\r\n"));
    assert_int_equal(ask("GET /problems/scope", "", NULL), 200);
    assert_int_equal(ask("GET /problems/x", "", NULL), 404);
}

static void test_large_body(void **state)
{
    (void)state;
    char *body = mem_new((2 << 20) + 1);

    memset(body, ' ', 2 << 20);
    assert_int_equal(ask("POST /api/v1/purges", ADMIN JSON, body), 413);
    mem_free(body);
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
}

static void test_host(void **state)
{
    (void)state;
    assert_int_equal(ask_fd(connect_tcp(), "GET /healthz", "Host: evil.example\r\n", NULL), 421);
    assert_int_equal(
        ask_fd(connect_tcp(), "GET /api/v1/status", "Host: evil.example\r\n" ADMIN, NULL), 421);
    assert_int_equal(ask_fd(connect_tcp(), "GET /healthz", "Host: 127.0.0.1:1\r\n", NULL), 200);
    assert_int_equal(ask_fd(connect_tcp(), "GET /healthz", "", NULL), 400);
    /* On the socket there is no browser. */
    assert_int_equal(ask_fd(connect_unix(), "GET /healthz", "Host: x\r\n", NULL), 200);
}

static void test_unix_socket_needs_no_token(void **state)
{
    (void)state;
    assert_int_equal(ask_fd(connect_unix(), "GET /api/v1/session", "Host: x\r\n", NULL), 200);
    assert_true(says("\"scopes\":[\"read\",\"purge\",\"admin\"]"));
    assert_true(says("\"name\":\"unix:"));
    assert_int_equal(ask_fd(connect_unix(), "POST /api/v1/config/reload", "Host: x\r\n" JSON, "{}"),
                     200);
    /* A token that is sent counts, and a wrong one is wrong. */
    assert_int_equal(
        ask_fd(connect_unix(), "POST /api/v1/config/reload", "Host: x\r\n" READER JSON, "{}"), 403);
    assert_int_equal(ask_fd(connect_unix(), "GET /api/v1/status",
                            "Host: x\r\nAuthorization: Bearer no\r\n", NULL),
                     401);
}

static void test_session_and_csrf(void **state)
{
    (void)state;
    static const char reload[] = "POST /api/v1/config/reload";
    char cookie[128];
    char csrf[128];
    char head[512];

    log_in("{\"token\":\"t-admin\"}", cookie, csrf, sizeof(cookie));
    unsigned before = atomic_load(&fake.reloads);
    assert_int_equal(ask("GET /api/v1/status", cookie, NULL), 200);
    assert_int_equal(ask("GET /api/v1/session", cookie, NULL), 200);
    assert_true(says(strchr(csrf, ' ') + 1) || csrf[0] == 'X');
    (void)snprintf(head, sizeof(head), "%s" JSON, cookie);
    assert_int_equal(ask(reload, head, "{}"), 403);
    (void)snprintf(head, sizeof(head), "%s" JSON "X-CSRF: wrong\r\n", cookie);
    assert_int_equal(ask(reload, head, "{}"), 403);
    (void)snprintf(head, sizeof(head), "%s%s" JSON "Origin: http://evil.example\r\n", cookie, csrf);
    assert_int_equal(ask(reload, head, "{}"), 403);
    assert_int_equal(atomic_load(&fake.reloads), before);
    (void)snprintf(head, sizeof(head),
                   "%s%s" JSON "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n",
                   cookie, csrf);
    assert_int_equal(ask(reload, head, "{}"), 200);
    assert_int_equal(atomic_load(&fake.reloads), before + 1);
    /* The way out needs the header too. */
    assert_int_equal(ask("DELETE /api/v1/session", cookie, NULL), 403);
    (void)snprintf(head, sizeof(head), "%s%s", cookie, csrf);
    assert_int_equal(ask("DELETE /api/v1/session", head, NULL), 204);
    assert_int_equal(ask("GET /api/v1/status", cookie, NULL), 401);
}

static void test_login_code(void **state)
{
    (void)state;
    char code[64];
    char body[128];
    char cookie[128];
    char csrf[128];

    admin_login_code(admin, code, sizeof(code));
    (void)snprintf(body, sizeof(body), "{\"code\":\"%s\"}", code);
    log_in(body, cookie, csrf, sizeof(cookie));
    assert_int_equal(ask("GET /api/v1/status", cookie, NULL), 200);
    assert_int_equal(ask("POST /api/v1/session", JSON, body), 401); /* once only */
    assert_int_equal(ask("POST /api/v1/session", JSON, "{}"), 422);
    assert_int_equal(ask("POST /api/v1/session", JSON, "{\"token\":\"t-admin\",\"code\":\"x\"}"),
                     422);
}

static void test_login_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ask("POST /api/v1/session", JSON, "{\"token\":\"guess\"}"), 401);
    }
    assert_int_equal(ask("POST /api/v1/session", JSON, "{\"token\":\"t-admin\"}"), 429);
    assert_true(says("Retry-After: "));
    /* Only logins are held back. */
    assert_int_equal(ask("GET /api/v1/status", READER, NULL), 200);
}

/* Clients that send rubbish, a little, or nothing do not disturb the others. */
static void test_bad_clients(void **state)
{
    (void)state;
    static const char *const rubbish[] = {
        "\r\n\r\n", "GET", "\xff\xfe\x00", "GET / HTTP/9.9\r\n\r\n",
        "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"};
    int fds[40];

    for (unsigned i = 0; i < 40; i++) {
        fds[i] = connect_tcp();
        const char *text = rubbish[i % 5];
        put_all(fds[i], text, strlen(text));
        if (i % 2 == 0) {
            (void)close(fds[i]);
            fds[i] = -1;
        }
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ask("GET /api/v1/status", READER, NULL), 200);
    }
    stop();
    for (unsigned i = 0; i < 40; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    start("metrics on;");
}

static void test_taken_port(void **state)
{
    (void)state;
    char error[512] = "";
    struct conf *conf = make_conf("");

    ((struct sockaddr_in *)(void *)&conf->admin.listen.address)->sin_port =
        htons((uint16_t)admin_port(admin));
    assert_null(admin_start((struct service *)(void *)&fake, conf, error, sizeof(error)));
    assert_non_null(strstr(error, "in use"));
    conf_unref(conf);
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    assert_int_equal(ask_fd(connect_unix(), "GET /healthz", "Host: x\r\n", NULL), 200);
}

/* Of two the second would never be asked. */
static void test_no_address_twice(void **state)
{
    (void)state;
    size_t count;
    const struct route *list = route_list(&count);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (strcmp(list[i].method, list[j].method) == 0 &&
                strcmp(list[i].path, list[j].path) == 0) {
                fail_msg("%s %s is there twice", list[i].method, list[i].path);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_health),           TEST(test_scopes),     TEST(test_refusals),
        TEST(test_large_body),       TEST(test_host),       TEST(test_unix_socket_needs_no_token),
        TEST(test_session_and_csrf), TEST(test_login_code), TEST(test_login_limit),
        TEST(test_bad_clients),      TEST(test_taken_port), TEST(test_no_address_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
