/* The addresses below /api/v1/access over real sockets, and the metrics of forward proxies. */
#include "server_kit.h"

static void restart_with_forward(void)
{
    stop();
    start("metrics on; } listen 127.0.0.1:3128 { forward office; } forward office { ");
}

static void deny(const char *host, const char *rule)
{
    const struct record record = {
        .wall_ms = 1700000000123,
        .status = 403,
        .result = RESULT_DENIED,
        .is_forward = true,
        .request_id = 0xef,
        .client = SPAN("192.0.2.1"),
        .method = SPAN("GET"),
        .scheme = SPAN("http"),
        .host = span_str(host),
        .path = SPAN("/<x>"),
        .site = SPAN("forward:office"),
        .user = SPAN("anna"),
        .rule = span_str(rule),
        .why = SPAN("Blocked \"by\" policy"),
    };
    forward_view_add(service_forward_view(NULL), &record);
    tally_add(tally_of(fake_tally(), SPAN("office"), SPAN("")), TALLY_REQUESTS, 1);
    tally_add(tally_of(fake_tally(), SPAN("office"), span_str(rule)), TALLY_DENIED, 1);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /api/v1/access", READER, NULL), 200);
    assert_true(says("\"forwards\":[]"));
    assert_int_equal(ask("GET /api/v1/status", READER, NULL), 200);
    assert_true(says("\"forwards\":[]"));
    assert_int_equal(ask("GET /api/v1/access/denials", READER, NULL), 200);
    assert_true(says("\"seen\":0,\"kept\":1000,\"items\":[],\"next\":null"));
    assert_int_equal(ask("GET /api/v1/access", "", NULL), 401);
    assert_int_equal(ask("GET /api/v1/access/denials", "", NULL), 401);
}

static void test_summary(void **state)
{
    (void)state;
    restart_with_forward();
    deny("a.example", "ads");
    deny("b.example", "ads");
    deny("c.example", "end");
    struct tally_entry *entry = tally_of(fake_tally(), SPAN("office"), SPAN(""));
    tally_add(entry, TALLY_TUNNELS_OPENED, 5);
    tally_add(entry, TALLY_TUNNELS_CLOSED, 2);
    tally_add(entry, TALLY_TO_CLIENT, 700);
    tally_add(entry, TALLY_TO_ORIGIN, 80);
    assert_int_equal(ask("GET /api/v1/access", READER, NULL), 200);
    assert_true(says("\"name\":\"office\",\"at\":\"test:"));
    assert_true(says("\"listens\":[\"127.0.0.1:3128\"]"));
    assert_true(
        says("\"requests\":3,\"hit_ratio\":null,\"denied\":3,\"tunnels\":3,\"tunnels_total\":5,"
             "\"tunnel_bytes_to_client\":700,\"tunnel_bytes_to_origin\":80,"
             "\"challenges\":0,\"logins_failed\":0,\"logins_refused\":0,"
             "\"users_seen\":1,\"clients_seen\":1"));
    assert_int_equal(ask("GET /api/v1/status", READER, NULL), 200);
    assert_true(says("\"forwards\":[\"office\"]"));
    assert_int_equal(ask("GET /metrics", READER, NULL), 200);
    assert_true(says("\nlarder_forward_requests_total{forward=\"office\"} 3\n"));
    assert_true(says("\nlarder_forward_denied_total{forward=\"office\",acl=\"ads\"} 2\n"));
    assert_true(says("\nlarder_forward_denied_total{forward=\"office\",acl=\"end\"} 1\n"));
    assert_true(says("\nlarder_forward_tunnels{forward=\"office\"} 3\n"));
    assert_true(says("\nlarder_forward_tunnel_bytes_total{forward=\"office\","
                     "direction=\"to_client\"} 700\n"));
    assert_true(says("\nlarder_forward_tunnel_bytes_total{forward=\"office\","
                     "direction=\"to_origin\"} 80\n"));
}

static void test_denials(void **state)
{
    (void)state;
    restart_with_forward();
    deny("a.example:81", "ads");
    deny("b.example", "ads");
    deny("c.example", "end");
    assert_int_equal(ask("GET /api/v1/access/denials?limit=2", READER, NULL), 200);
    cJSON *json = json_of_reply();
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "items")), 2);
    assert_string_equal(cJSON_GetObjectItem(json, "next")->valuestring, "2");
    cJSON_Delete(json);
    assert_int_equal(ask("GET /api/v1/access/denials?limit=2&cursor=2", READER, NULL), 200);
    assert_true(says(
        "\"items\":[{\"id\":1,\"request_id\":\"00000000000000ef\",\"time\":\"2023-11-14T22:13:20.123Z\","
        "\"forward\":\"office\",\"client\":\"192.0.2.1\",\"user\":\"anna\","
        "\"method\":\"GET\",\"scheme\":\"http\",\"host\":\"a.example\",\"port\":81,"));
    assert_true(says("\"status\":403,\"rule\":\"ads\",\"reason\":\"Blocked \\\"by\\\" policy\"}],"
                     "\"next\":null"));
    assert_int_equal(ask("GET /api/v1/access/denials?rule=end&forward=office", READER, NULL), 200);
    assert_true(says("\"id\":3") && !says("\"id\":2"));
    assert_int_equal(ask("GET /api/v1/access/denials?host=b.example", READER, NULL), 200);
    assert_true(says("\"id\":2") && !says("\"id\":3"));
    static const char *const bad[] = {"limit=0", "limit=501", "limit=x", "cursor=0", "cursor=x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char line[96];
        (void)snprintf(line, sizeof(line), "GET /api/v1/access/denials?%s", bad[i]);
        assert_int_equal(ask(line, READER, NULL), 400);
        assert_true(says("application/problem+json"));
    }
    assert_int_equal(ask("GET /api/v1/access/denials?forward=lab", READER, NULL), 404);
    assert_true(says("no forward proxy \\\"lab\\\""));
}

static void test_lists(void **state)
{
    (void)state;
    restart_with_forward();
    deny("a.example", "ads");
    deny("a.example", "ads");
    deny("b.example", "ads");
    assert_int_equal(ask("GET /api/v1/access/destinations?by=denied", READER, NULL), 200);
    assert_true(says("\"by\":\"denied\""));
    assert_true(says("\"error_bound\":0,\"items\":[{\"forward\":\"office\",\"host\":\"a.example\","
                     "\"requests\":2,\"denied\":2,\"tunnels\":0,\"bytes\":0,\"bytes_to_client\":0,"
                     "\"last\":\"2023-11-14T22:13:20.123Z\"},"));
    assert_int_equal(ask("GET /api/v1/access/users?forward=office", READER, NULL), 200);
    assert_true(says("\"items\":[{\"forward\":\"office\",\"user\":\"anna\",\"requests\":3,"));
    assert_int_equal(ask("GET /api/v1/access/clients", READER, NULL), 200);
    assert_true(says("\"client\":\"192.0.2.1\",\"requests\":3,"));
    assert_int_equal(ask("GET /api/v1/access/users?by=name", READER, NULL), 400);
    assert_int_equal(ask("GET /api/v1/access/users?limit=201", READER, NULL), 400);
    assert_int_equal(ask("GET /api/v1/access/clients?forward=x", READER, NULL), 404);
}

static void test_tunnels(void **state)
{
    (void)state;
    restart_with_forward();
    assert_int_equal(
        ask("GET /api/v1/access/tunnels?limit=1&by=bytes&forward=office", READER, NULL), 200);
    assert_true(says("\"open\":5,\"complete\":true,\"by\":\"bytes\",\"items\":["
                     "{\"id\":\"00000000000000ab\",\"forward\":\"office\","
                     "\"client\":\"192.0.2.1\",\"user\":\"anna\",\"host\":\"example.org\","
                     "\"port\":443,\"rule\":\"rest\",\"since\":\"2023-11-14T22:13:20.000Z\","
                     "\"age_s\":1.5,\"bytes_to_client\":70,\"bytes_to_origin\":8}]"));
    assert_int_equal(ask("GET /api/v1/access/tunnels?by=name", READER, NULL), 400);
    assert_int_equal(ask("GET /api/v1/access/tunnels?limit=201", READER, NULL), 400);
    assert_int_equal(ask("GET /api/v1/access/tunnels?forward=lab", READER, NULL), 404);
    assert_int_equal(ask("GET /api/v1/access/tunnels", "", NULL), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing), TEST(test_summary), TEST(test_denials),
        TEST(test_lists),   TEST(test_tunnels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
