/* The admin server over real sockets: purges, reload, figures, files. */
#include "server_kit.h"
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
    for (unsigned i = 0; i < 6; i++) { /* each under both schemes */
        assert_int_equal(fake.purges[i].mode, STORE_PURGE_SOFT);
        assert_false(fake.purges[i].dry_run);
        assert_int_equal(fake.purges[i].durable, i == 5); /* one wait for the disk covers all */
    }
    assert_string_equal(fake.purges[2].key, "other:http://h/no");
    assert_string_equal(fake.purges[3].key, "http://h/no");

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

/* A URL means both schemes unless told otherwise; what is found under either counts. */
static void test_purge_schemes(void **state)
{
    (void)state;
    static const struct {
        const char *select, *matched;
        unsigned purges;
    } rows[] = {
        {"\"urls\":[\"http://h/stored-both\"]", "\"matched\":3,", 2},
        {"\"urls\":[\"http://h/both\"]", "\"matched\":1,", 2},
        {"\"scheme\":\"both\",\"urls\":[\"http://h/stored\"]", "\"matched\":2,", 2},
        {"\"urls\":[\"http://h/stored-both\"],\"scheme\":\"exact\"", "\"matched\":2,", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[128];
        unsigned before = atomic_load(&fake.purge_count);
        snprintf(body, sizeof(body), "{\"select\":{%s},\"mode\":\"hard\"}", rows[i].select);
        assert_int_equal(ask("POST /api/v1/purges", PURGER JSON, body), 200);
        assert_true(says(rows[i].matched));
        assert_int_equal(atomic_load(&fake.purge_count) - before, rows[i].purges);
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
        {"{\"select\":{\"urls\":[\"http://h/\"],\"scheme\":\"https\"},\"mode\":\"hard\"}",
         "\"/select/scheme\""},
        {"{\"select\":{\"urls\":[\"http://h/\"],\"scheme\":1},\"mode\":\"hard\"}",
         "\"/select/scheme\""},
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

static void purge_begins(unsigned before)
{
    for (unsigned i = 0; i < 15000 && atomic_load(&fake.purges_begun) == before; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(atomic_load(&fake.purges_begun), before + 1);
}

static void test_slow_purge_holds_nobody_up(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = NULL;
    int fd = connect_tcp();

    atomic_store(&fake.purge_holds, true);
    unsigned before = atomic_load(&fake.purges_begun);
    assert_int_equal(pthread_create(&thread, NULL, slow_purge, &fd), 0);
    purge_begins(before);
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    assert_int_equal(ask("GET /api/v1/stats?range=7d", READER, NULL), 200);
    assert_int_equal(atomic_load(&fake.purge_count), 0); /* it is still at it */
    atomic_store(&fake.purge_holds, false);
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
    unsigned before = atomic_load(&fake.purges_begun);
    assert_int_equal(pthread_create(&thread, NULL, slow_purge, &fd), 0);
    purge_begins(before);
    stop(); /* the purge is carried out; the answer may be lost */
    assert_int_equal(atomic_load(&fake.purge_count), 2);
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
    cJSON *json = NULL; /* a second later, or more */
    const cJSON *minute = NULL;
    for (unsigned i = 0; i < 100 && (i == 0 || cJSON_GetObjectItem(minute, "hit")->valueint == 0);
         i++) {
        (void)usleep(200000);
        cJSON_Delete(json);
        assert_int_equal(ask("GET /api/v1/stats", READER, NULL), 200);
        json = json_of_reply();
        minute = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "totals"), "last_minute");
    }
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

static void test_www_dir(void **state)
{
    (void)state;
    char more[128];
    char path[128];

    stop();
    (void)snprintf(path, sizeof(path), "%s/index.html", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("<p>mine</p>", file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(more, sizeof(more), "www_dir %s;", folder);
    start(more);
    assert_int_equal(ask("GET /", "", NULL), 200);
    assert_string_equal(body_of_reply(), "<p>mine</p>");
    assert_true(says("text/html"));
    static const char *const bad[] = {
        "GET /../../etc/passwd",
        "GET /%2e%2e/%2e%2e/etc/passwd",
        "GET /..%2fetc/passwd",
        "GET /.hidden",
        "GET /index.html%00.js",
        "GET /admin.sock",
        "GET //",
        "GET /index.html/x",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unsigned status = ask(bad[i], "", NULL);
        /* A NUL ends the path: the file before it is a file of ours. */
        if (status != 404 && !(status == 200 && says("<p>mine</p>"))) {
            fail_msg("%s: %u", bad[i], status);
        }
    }
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_purge),
        TEST(test_purge_schemes),
        TEST(test_purge_refused),
        TEST(test_slow_purge_holds_nobody_up),
        TEST(test_stop_during_purge),
        TEST(test_reload),
        TEST(test_stats_and_status),
        TEST(test_metrics),
        TEST(test_assets),
        TEST(test_www_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
