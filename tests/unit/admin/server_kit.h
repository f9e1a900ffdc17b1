#ifndef SERVER_KIT_H
#define SERVER_KIT_H
/* server_kit - an admin server in a folder of its own before the fake service, and ways to ask it.
 */
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

static inline void write_tokens(void)
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

static inline void start(const char *more)
{
    char error[512] = "";

    fake.conf = make_conf(more);
    fake.origins = origins_new();
    origins_apply(fake.origins, fake.conf);
    admin = admin_start((struct service *)(void *)&fake, fake.conf, error, sizeof(error));
    if (admin == NULL) {
        fail_msg("%s", error);
    }
}

static inline void stop(void)
{
    admin_stop(&admin);
    assert_null(admin);
    origins_free(&fake.origins);
    conf_unref(fake.conf);
    fake.conf = NULL;
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    static const char *const files[] = {"tokens", "history", "purges.jsonl"};
    char path[128];

    (void)state;
    stop();
    top_free(&fake.top);
    forward_view_free(&fake.forwards);
    tally_free(&fake.tally);
    buf_free(&reply);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    return rmdir(folder); /* the socket is gone, and nothing else was left */
}

/* ---- asking ---- */

static inline int connect_tcp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)admin_port(admin))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static inline int connect_unix(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/admin.sock", folder);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static inline void put_all(int fd, const char *data, size_t len)
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
static inline unsigned read_reply(int fd)
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
static inline unsigned ask_fd(int fd, const char *line, const char *head, const char *body)
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

static inline unsigned ask(const char *line, const char *head, const char *body)
{
    char all[1024];

    (void)snprintf(all, sizeof(all), "Host: localhost\r\n%s", head);
    return ask_fd(connect_tcp(), line, all, body);
}

static inline const char *body_of_reply(void)
{
    const char *end = strstr(reply.data, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static inline bool says(const char *text)
{
    return strstr(reply.data, text) != NULL;
}

static inline cJSON *json_of_reply(void)
{
    cJSON *json = cJSON_Parse(body_of_reply());

    assert_true(cJSON_IsObject(json));
    return json;
}

/* Logs in with this body; fills head with the cookie and csrf lines. */
static inline void log_in(const char *body, char *cookie, char *csrf, size_t size)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif
