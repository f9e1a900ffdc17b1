/* The admin server over real sockets, before a fake service. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "admin/admin.h"
#include "admin/secret.h"
#include "base/buf.h"
#include "base/clock.h"
#include "fake_service.h"

#define READER "Authorization: Bearer t-read\r\n"
#define PURGER "Authorization: Bearer t-purge\r\n"
#define ADMIN "Authorization: Bearer t-admin\r\n"
#define JSON "Content-Type: application/json\r\n"

static char folder[64];
static struct admin *admin;
static struct buf reply; /* of the last ask */

/* ---- set-up ---- */

static void write_tokens(void)
{
    static const char *const names[] = {"read", "purge", "admin"};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/tokens", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    for (size_t i = 0; i < 3; i++) {
        char token[32];
        char hex[2 * SECRET_DIGEST_BYTES + 1];
        (void)snprintf(token, sizeof(token), "t-%s", names[i]);
        struct secret_digest digest = secret_digest(span_str(token));
        secret_digest_print(&digest, hex);
        (void)fprintf(file, "%s %s %s x\n", names[i], names[i], hex);
    }
    assert_int_equal(fclose(file), 0);
}

static struct conf *make_conf(const char *more)
{
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    struct buf text;

    buf_init(&text, 4096);
    buf_printf(
        &text,
        "listen 127.0.0.1:8080; state_dir %s;\n"
        "admin { listen 127.0.0.1:8090; socket %s/admin.sock mode=0666; tokens %s/tokens; %s }\n"
        "site * { origins { server app http://127.0.0.1:1; } }\n",
        folder, folder, folder, more);
    if (conf_load_text("test", buf_span(&text), CONF_PORTABLE, &conf, report) != ERR_OK) {
        buf_clear(&text);
        conf_report_print(report, &text);
        fail_msg("%s", text.data);
    }
    /* Any free port. The snapshot is ours alone so far. */
    conf->admin.listen.port = 0;
    ((struct sockaddr_in *)(void *)&conf->admin.listen.address)->sin_port = 0;
    conf_report_free(report);
    buf_free(&text);
    return conf;
}

static void start(const char *more)
{
    char error[512] = "";

    fake.conf = make_conf(more);
    admin = admin_start((struct service *)(void *)&fake, fake.conf, error, sizeof(error));
    if (admin == NULL) {
        fail_msg("%s", error);
    }
}

static void stop(void)
{
    admin_stop(&admin);
    assert_null(admin);
    conf_unref(fake.conf);
    fake.conf = NULL;
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/larder-admin-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    write_tokens();
    fake.top = top_new(60);
    atomic_store(&fake.state, SERVICE_SERVING);
    atomic_store(&fake.purge_count, 0);
    atomic_store(&fake.purge_ms, 0);
    fake.reload_fails = false;
    buf_init(&reply, 64 << 20);
    start("metrics on;");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"tokens", "history", "purges.jsonl"};
    char path[128];

    (void)state;
    stop();
    top_free(&fake.top);
    buf_free(&reply);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    return rmdir(folder); /* the socket is gone, and nothing else was left */
}

/* ---- asking ---- */

static int connect_tcp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)admin_port(admin))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int connect_unix(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/admin.sock", folder);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void put_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = send(fd, data, len, MSG_NOSIGNAL);
        if (put <= 0) {
            return; /* it hung up: the answer says why */
        }
        data += put;
        len -= (size_t)put;
    }
}

/* Reads to the end, at most ten seconds between two pieces. Returns the status. */
static unsigned read_reply(int fd)
{
    char block[65536];
    ssize_t got;

    buf_clear(&reply);
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 10000) != 1) {
            fail_msg("no answer");
        }
        got = recv(fd, block, sizeof(block), 0);
        if (got <= 0) {
            break;
        }
        buf_append(&reply, span_of(block, (size_t)got));
    }
    (void)close(fd);
    return reply.len > 12 ? (unsigned)strtoul(reply.data + 9, NULL, 10) : 0;
}

/* head: lines after the request line, Host included when wanted. */
static unsigned ask_fd(int fd, const char *line, const char *head, const char *body)
{
    struct buf request;

    buf_init(&request, 8 << 20);
    buf_printf(&request, "%s HTTP/1.1\r\n%sConnection: close\r\n", line, head);
    if (body != NULL) {
        buf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
    }
    buf_puts(&request, "\r\n");
    buf_puts(&request, body == NULL ? "" : body);
    put_all(fd, request.data, request.len);
    buf_free(&request);
    return read_reply(fd);
}

static unsigned ask(const char *line, const char *head, const char *body)
{
    char all[1024];

    (void)snprintf(all, sizeof(all), "Host: localhost\r\n%s", head);
    return ask_fd(connect_tcp(), line, all, body);
}

static const char *body_of_reply(void)
{
    const char *end = strstr(reply.data, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static bool says(const char *text)
{
    return strstr(reply.data, text) != NULL;
}

static cJSON *json_of_reply(void)
{
    cJSON *json = cJSON_Parse(body_of_reply());

    assert_true(cJSON_IsObject(json));
    return json;
}

/* ---- tests ---- */

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

/* Logs in with this body; fills head with the cookie and csrf lines. */
static void log_in(const char *body, char *cookie, char *csrf, size_t size)
{
    assert_int_equal(ask("POST /api/v1/session", JSON, body), 200);
    const char *at = strstr(reply.data, "Set-Cookie: ");
    assert_non_null(at);
    assert_non_null(strstr(at, "; HttpOnly; SameSite=Strict; Path=/\r\n"));
    (void)snprintf(cookie, size, "Cookie: %.*s\r\n", (int)strcspn(at + 12, ";"), at + 12);
    cJSON *json = json_of_reply();
    (void)snprintf(csrf, size, "X-CSRF: %s\r\n",
                   cJSON_GetStringValue(cJSON_GetObjectItem(json, "csrf")));
    cJSON_Delete(json);
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

static void test_purge(void **state)
{
    (void)state;
    assert_int_equal(
        ask("POST /api/v1/purges", PURGER JSON,
            "{\"select\":{\"urls\":[\"http://h/stored\",\"http://h/no\",\"http://h/stored2\"]},"
            "\"mode\":\"soft\",\"reason\":\"a <b>\"}"),
        200);
    cJSON *json = json_of_reply();
    assert_int_equal(cJSON_GetObjectItem(json, "matched")->valueint, 4);
    assert_int_equal(cJSON_GetObjectItem(json, "bytes")->valueint, 200);
    assert_int_equal(cJSON_GetObjectItem(json, "in_flight")->valueint, 2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "results")), 3);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "sample")), 2);
    assert_string_equal(cJSON_GetObjectItem(json, "by")->valuestring, "token:purge");
    assert_string_equal(cJSON_GetObjectItem(json, "reason")->valuestring, "a <b>");
    cJSON_Delete(json);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(fake.purges[i].mode, STORE_PURGE_SOFT);
        assert_false(fake.purges[i].dry_run);
        assert_int_equal(fake.purges[i].durable, i == 2); /* one wait for the disk covers all */
    }
    assert_string_equal(fake.purges[1].key, "http://h/no");

    unsigned before = atomic_load(&fake.purge_count);
    assert_int_equal(ask("POST /api/v1/purges", PURGER JSON,
                         "{\"select\":{\"urls\":[\"http://h/stored/?v=2\",\"http://h/stored\"]},"
                         "\"mode\":\"hard\",\"dry_run\":true}"),
                     200);
    assert_true(says("\"dry_run\":true"));
    for (unsigned i = before; i < atomic_load(&fake.purge_count); i++) {
        assert_true(fake.purges[i].dry_run && !fake.purges[i].durable);
    }
    assert_int_equal(ask("POST /api/v1/purges", PURGER JSON,
                         "{\"select\":{\"urls\":[\"http://h/x?stored\"]},\"mode\":\"hard\"}"),
                     200);
    assert_true(says("\"hints\":[]"));

    /* The history, newest first, also after a restart. */
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(ask("GET /api/v1/purges?limit=2", READER, NULL), 200);
        json = json_of_reply();
        const cJSON *items = cJSON_GetObjectItem(json, "items");
        assert_int_equal(cJSON_GetArraySize(items), 2);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(items, 1), "dry_run")));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "next")));
        cJSON_Delete(json);
        stop();
        start("metrics on;");
    }
}

static void test_purge_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *pointer;
    } rows[] = {
        {"{}", "\"/select\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]}}", "\"/mode\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":\"Hard\"}", "\"/mode\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":1}", "\"/mode\""},
        {"{\"select\":{\"urls\":[]},\"mode\":\"hard\"}", "\"/select/urls\""},
        {"{\"select\":{\"urls\":\"http://h/\"},\"mode\":\"hard\"}", "\"/select/urls\""},
        {"{\"select\":{\"urls\":[\"http://h/\",\"ftp://h/\"]},\"mode\":\"hard\"}",
         "\"/select/urls/1\""},
        {"{\"select\":{\"urls\":[\"http://h/\",7]},\"mode\":\"hard\"}", "\"/select/urls/1\""},
        {"{\"select\":{\"urls\":[\"http://h/\"],\"all\":true},\"mode\":\"hard\"}",
         "\"/select/all\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":\"hard\",\"now\":1}", "\"/now\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":\"hard\",\"mode\":\"soft\"}",
         "\"/mode\""},
        {"{\"select\":{\"urls\":[\"http://h/\"]},\"mode\":\"hard\",\"dry_run\":\"no\"}",
         "\"/dry_run\""},
        {"{\"select\":[],\"mode\":\"hard\"}", "\"/select\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ask("POST /api/v1/purges", PURGER JSON, rows[i].body) != 422 ||
            !says(rows[i].pointer)) {
            fail_msg("row %zu: %s", i, reply.data);
        }
    }
    assert_int_equal(atomic_load(&fake.purge_count), 0); /* nothing was touched */
}

static void *slow_purge(void *arg)
{
    static const char body[] = "{\"select\":{\"urls\":[\"http://h/stored\"]},\"mode\":\"hard\"}";
    int fd = *(int *)arg;
    char block[4096];

    int len = snprintf(block, sizeof(block),
                       "POST /api/v1/purges HTTP/1.1\r\nHost: localhost\r\n" ADMIN JSON
                       "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                       sizeof(body) - 1, body);
    put_all(fd, block, (size_t)len);
    ssize_t got = recv(fd, block, sizeof(block) - 1, MSG_WAITALL);
    (void)close(fd);
    block[got > 0 ? got : 0] = '\0';
    return strncmp(block, "HTTP/1.1 200", 12) == 0 ? arg : NULL;
}

static void test_slow_purge_holds_nobody_up(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = NULL;
    int fd = connect_tcp();

    atomic_store(&fake.purge_ms, 1500);
    assert_int_equal(pthread_create(&thread, NULL, slow_purge, &fd), 0);
    (void)usleep(200000);
    uint64_t start_us = clock_mono_us();
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    assert_int_equal(ask("GET /api/v1/stats?range=7d", READER, NULL), 200);
    assert_true(clock_mono_us() - start_us < 1000000);
    assert_int_equal(atomic_load(&fake.purge_count), 0); /* it is still at it */
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &fd);
}

static void test_stop_during_purge(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = NULL;
    int fd = connect_tcp();

    atomic_store(&fake.purge_ms, 500);
    assert_int_equal(pthread_create(&thread, NULL, slow_purge, &fd), 0);
    (void)usleep(150000);
    stop(); /* the purge is carried out; the answer may be lost */
    assert_int_equal(atomic_load(&fake.purge_count), 1);
    assert_int_equal(pthread_join(thread, &result), 0);
    start("metrics on;");
}

static void test_reload(void **state)
{
    (void)state;
    fake.reload_fails = true;
    assert_int_equal(ask("POST /api/v1/config/reload", ADMIN JSON, "{}"), 422);
    cJSON *json = json_of_reply();
    const cJSON *error = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "errors"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(error, "message")),
                        "no [such] thing");
    assert_non_null(
        strstr(cJSON_GetStringValue(cJSON_GetObjectItem(json, "report")), "x.conf:1:1"));
    cJSON_Delete(json);
    fake.reload_fails = false;
    assert_int_equal(ask("POST /api/v1/config/reload", ADMIN JSON, "{}"), 200);
    assert_true(says("\"ok\":true"));
}

static void test_stats_and_status(void **state)
{
    (void)state;
    static const char *const ranges[] = {"5m", "1h", "24h", "7d"};
    static const int lengths[] = {300, 360, 288, 2016};
    const cJSON *at;
    char line[64];

    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(line, sizeof(line), "GET /api/v1/stats?range=%s", ranges[i]);
        assert_int_equal(ask(line, READER, NULL), 200);
        cJSON *json = json_of_reply();
        unsigned columns = 0;
        cJSON_ArrayForEach(at, json)
        {
            if (cJSON_IsArray(at)) {
                assert_int_equal(cJSON_GetArraySize(at), lengths[i]);
                columns++;
            }
        }
        assert_int_equal(columns, 19);
        cJSON_Delete(json);
    }
    atomic_fetch_add(&fake.hits, 60);
    (void)usleep(2300000);
    assert_int_equal(ask("GET /api/v1/stats", READER, NULL), 200);
    cJSON *json = json_of_reply();
    const cJSON *minute = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "totals"), "last_minute");
    assert_int_equal(cJSON_GetObjectItem(minute, "hit")->valueint, 60);
    assert_int_equal(cJSON_GetObjectItem(minute, "miss")->valueint, 0); /* they were there before */
    assert_true(cJSON_GetObjectItem(minute, "hit_ratio")->valuedouble == 1.0);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(minute, "origin_first_byte_p95_ms")));
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(minute, "cache_p95_ms")));
    cJSON_Delete(json);
    stop(); /* and all of it survives a restart */
    start("metrics on;");
    assert_int_equal(ask("GET /api/v1/stats", READER, NULL), 200);
    json = json_of_reply();
    minute = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "totals"), "last_minute");
    assert_int_equal(cJSON_GetObjectItem(minute, "hit")->valueint, 60);
    cJSON_Delete(json);

    assert_int_equal(ask("GET /api/v1/status", READER, NULL), 200);
    json = json_of_reply();
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "state")), "serving");
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "site_names"), 0)),
        "www.\"x\"\\y");
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "store"), "disk")),
        "ok");
    cJSON_Delete(json);
}

/* Each line is a comment or `name{labels} number`, each name has HELP and TYPE, no series twice. */
static void test_metrics(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /metrics", READER, NULL), 200);
    assert_true(says("Content-Type: text/plain; version=0.0.4"));
    char *copy = mem_copy(body_of_reply(), strlen(body_of_reply()));
    unsigned count = 0;
    char *rest = copy;
    while (*rest != '\0') {
        char *end = strchr(rest, '\n');
        assert_non_null(end);
        *end = '\0';
        if (rest[0] != '#') {
            char name[128];
            char type[160];
            char *space = strrchr(rest, ' ');
            assert_non_null(space);
            char *stop_at = NULL;
            (void)strtod(space + 1, &stop_at);
            assert_true(stop_at == end);
            size_t len = strcspn(rest, "{ ");
            if (strstr(rest, "_bucket{") == NULL && strstr(rest, "_sum{") == NULL &&
                strstr(rest, "_count{") == NULL) {
                (void)snprintf(name, sizeof(name), "%.*s", (int)len, rest);
                (void)snprintf(type, sizeof(type), "# TYPE %s ", name);
                assert_non_null(strstr(body_of_reply(), type));
            }
            /* the same series nowhere else */
            *space = '\0';
            char series[512];
            (void)snprintf(series, sizeof(series), "\n%s ", rest);
            const char *first = strstr(reply.data, series);
            assert_non_null(first);
            assert_null(strstr(first + 1, series));
            count++;
        }
        rest = end + 1;
    }
    assert_true(count > 150);
    mem_free(copy);
    assert_true(says("larder_requests_total{site=\"-\",result=\"hit\"} "));
    assert_true(says("larder_requests_total{site=\"www.\\\"x\\\"\\\\y\",result=\"miss\"} 3\n"));
    assert_true(says("larder_connections{state=\"active\"} 5\n"));
    stop();
    start("metrics open;");
    assert_int_equal(ask("GET /metrics", "", NULL), 200);
    stop();
    start("metrics off;");
    assert_int_equal(ask("GET /metrics", READER, NULL), 404);
}

static void test_assets(void **state)
{
    (void)state;
    char etag[128];
    char head[256];

    assert_int_equal(ask("GET /", "", NULL), 200);
    assert_true(says("Content-Type: text/html; charset=utf-8"));
    assert_true(says("Content-Security-Policy: default-src 'none'; script-src 'self';"));
    assert_true(says("X-Content-Type-Options: nosniff"));
    assert_true(says("Cache-Control: no-cache"));
    const char *at = strstr(reply.data, "ETag: ");
    assert_non_null(at);
    (void)snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
    (void)snprintf(head, sizeof(head), "If-None-Match: \"x\", %s\r\n", etag);
    assert_int_equal(ask("GET /", head, NULL), 304);
    assert_string_equal(body_of_reply(), "");
    assert_int_equal(ask("GET /", "If-None-Match: \"x\"\r\n", NULL), 200);
    assert_false(says("Content-Encoding"));
    assert_int_equal(ask("GET /", "Accept-Encoding: br, gzip;q=0\r\n", NULL), 200);
    assert_false(says("Content-Encoding"));
    assert_int_equal(ask("GET /", "Accept-Encoding: br, gzip\r\n", NULL), 200);
    if (says("Content-Encoding: gzip")) {
        assert_true(says("Vary: Accept-Encoding"));
        assert_null(strstr(reply.data, etag)); /* another form, another tag */
    }
}

/* ---- streams ---- */

static int open_stream(void)
{
    static const char request[] =
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" READER "\r\n";
    int fd = connect_tcp();

    put_all(fd, request, sizeof(request) - 1);
    return fd;
}

/* Reads until the text was seen, at most three seconds. */
static bool wait_for(int fd, const char *text)
{
    uint64_t until_us = clock_mono_us() + 3000000;
    char block[65536];

    buf_clear(&reply);
    while (clock_mono_us() < until_us) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 100) != 1) {
            continue;
        }
        ssize_t got = recv(fd, block, sizeof(block), 0);
        if (got <= 0) {
            return false;
        }
        buf_append(&reply, span_of(block, (size_t)got));
        if (says(text)) {
            return true;
        }
    }
    return false;
}

static void test_stream(void **state)
{
    (void)state;
    int fd = open_stream();

    assert_true(wait_for(fd, "event: tick\ndata: {\"t\":"));
    assert_true(says("HTTP/1.1 200 OK"));
    assert_true(says("Content-Type: text/event-stream"));
    const char *snapshot = strstr(reply.data, "event: snapshot\ndata: {\"status\":{");
    assert_non_null(snapshot);
    assert_true(snapshot < strstr(reply.data, "event: tick"));
    assert_int_equal(ask("POST /api/v1/purges", ADMIN JSON,
                         "{\"select\":{\"urls\":[\"http://h/stored\"]},\"mode\":\"hard\"}"),
                     200);
    assert_true(wait_for(fd, "event: purge\ndata: {\"id\":\"p_"));
    assert_true(wait_for(fd, "\nid: "));
    (void)close(fd);
}

static void test_streams_are_bounded(void **state)
{
    (void)state;
    int fds[32];

    for (unsigned i = 0; i < 32; i++) {
        fds[i] = open_stream();
        assert_true(wait_for(fds[i], "event: snapshot"));
    }
    assert_int_equal(ask("GET /api/v1/events", READER, NULL), 503);
    assert_true(says("Retry-After"));
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    /* One that goes away is noticed within a tick or two. */
    (void)close(fds[0]);
    int fd = -1;
    for (unsigned i = 0; i < 20 && fd < 0; i++) {
        (void)usleep(250000);
        fd = open_stream();
        if (!wait_for(fd, "event: snapshot")) {
            (void)close(fd);
            fd = -1;
        }
    }
    assert_true(fd >= 0);
    (void)close(fd);
    stop(); /* with open streams */
    for (unsigned i = 1; i < 32; i++) {
        (void)close(fds[i]);
    }
    start("metrics on;");
}

static void test_logged_out_stream_ends(void **state)
{
    (void)state;
    char cookie[128];
    char csrf[128];
    char head[512];

    log_in("{\"token\":\"t-read\"}", cookie, csrf, sizeof(cookie));
    int fd = connect_tcp();
    (void)snprintf(head, sizeof(head), "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                   cookie);
    put_all(fd, head, strlen(head));
    assert_true(wait_for(fd, "event: snapshot"));
    (void)snprintf(head, sizeof(head), "%s%s", cookie, csrf);
    assert_int_equal(ask("DELETE /api/v1/session", head, NULL), 204);
    assert_true(wait_for(fd, "\r\n0\r\n\r\n")); /* the last chunk */
    (void)close(fd);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_health),
        TEST(test_scopes),
        TEST(test_refusals),
        TEST(test_large_body),
        TEST(test_host),
        TEST(test_unix_socket_needs_no_token),
        TEST(test_session_and_csrf),
        TEST(test_login_code),
        TEST(test_login_limit),
        TEST(test_purge),
        TEST(test_purge_refused),
        TEST(test_slow_purge_holds_nobody_up),
        TEST(test_stop_during_purge),
        TEST(test_reload),
        TEST(test_stats_and_status),
        TEST(test_metrics),
        TEST(test_assets),
        TEST(test_stream),
        TEST(test_streams_are_bounded),
        TEST(test_logged_out_stream_ends),
        TEST(test_bad_clients),
        TEST(test_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
