/* TLS with origins: who is believed, what is shown, and that bytes and connections fare as ever. */
#include <signal.h>

#include "tls_front.h"

#define DAY_S 86400L

static struct identity ca, other_ca, good, expired, early, alone, client;
static X509_STORE *trust, *other_trust;
static struct tls_front *front;
static struct fetch_tls tls;

/* The origin of the kit is spoken to through a front with this certificate. */
static void use_front(const struct identity *identity, const struct identity *demands)
{
    front = tls_front_start(identity, demands, origin->address.port);
    tls = (struct fetch_tls){
        .verify = true,
        .name = "origin.test",
        .min_version = TLS1_2_VERSION,
        .trust = trust,
        .id = 1,
    };
    origin->address.port = front->port;
    origin->address.tls = &tls;
}

static int front_teardown(void **state)
{
    int status = teardown(state);

    if (front != NULL) {
        tls_front_stop(front);
        front = NULL;
    }
    return status;
}

#define FRONT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, front_teardown)

/* ---- who is believed ---- */

static void test_certificates(void **state)
{
    static const struct {
        const struct identity *shown;
        const char *name;
        X509_STORE **trust;
        const char *detail; /* NULL: it is believed */
    } rows[] = {
        {&good, "origin.test", &trust, NULL},
        {&good, "127.0.0.1", &trust, NULL},
        {&good, "deep.wild.test", &trust, NULL},
        {&good, "too.deep.wild.test", &trust, "the origin's certificate is for another name"},
        {&good, "other.test", &trust, "the origin's certificate is for another name"},
        {&good, "good", &trust, "the origin's certificate is for another name"}, /* only its CN */
        {&good, "127.0.0.2", &trust, "the origin's certificate is for another name"},
        {&expired, "origin.test", &trust, "the origin's certificate has expired"},
        {&early, "origin.test", &trust, "the origin's certificate is not valid yet"},
        {&good, "origin.test", &other_trust, "the origin's certificate is of an unknown CA"},
        {&alone, "origin.test", &trust,
         "the origin's certificate is signed by itself and not in ca"},
    };
    unsigned plain_port = origin->address.port;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        bool verifies = i % 2 == 0;
        use_front(rows[i / 2].shown, NULL);
        tls.name = rows[i / 2].name;
        tls.trust = *rows[i / 2].trust;
        tls.verify = verifies;
        tls.id = i;
        get("/bytes/5000");
        if (rows[i / 2].detail == NULL || !verifies) {
            assert_int_equal(probe.result.fault, FETCH_OK);
            assert_int_equal(probe.body.len, 5000);
        } else {
            assert_int_equal(probe.result.fault, FETCH_TLS_CERTIFICATE);
            assert_string_equal(probe.result.detail, rows[i / 2].detail);
            assert_false(probe.result.request_sent);
        }
        tls_front_stop(front);
        front = NULL;
        origin->address.port = plain_port;
    }
}

static void test_the_name_is_sent(void **state)
{
    (void)state;
    use_front(&good, NULL);
    get("/bytes/1");
    assert_string_equal(front->name, "origin.test");
    tls.name = "127.0.0.1"; /* an address is none (RFC 6066 3) */
    get("/bytes/1");
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_string_equal(front->name, "");
}

/* Where it goes, and by what name it is called there, are two things. */
static void test_a_given_address(void **state)
{
    (void)state;
    use_front(&good, NULL);
    origin->address.host = "nowhere.test";
    struct fetch_request request = probe_request(origin, "/bytes/10");
    request.address = "127.0.0.1";
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_string_equal(front->name, "origin.test");
}

static void test_a_certificate_of_ours(void **state)
{
    (void)state;
    for (int max = 0; max < 2; max++) { /* TLS 1.3 tells after the handshake, 1.2 within */
        use_front(&good, &ca);
        assert_int_equal(SSL_CTX_set_max_proto_version(front->context,
                                                       max == 0 ? TLS1_3_VERSION : TLS1_2_VERSION),
                         1);
        get("/bytes/10");
        assert_int_equal(probe.result.fault, FETCH_TLS);
        assert_non_null(strstr(probe.result.detail, "alert"));
        tls.certificate = client.certificate;
        tls.key = client.key;
        tls.id = 2;
        get("/bytes/10");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(atomic_load(&front->certified), 1);
        tls.certificate = other_ca.certificate; /* not of theirs */
        tls.key = other_ca.key;
        tls.id = 3;
        get("/bytes/10");
        assert_int_equal(probe.result.fault, FETCH_TLS);
        origin->address.port = front->inner_port;
        tls_front_stop(front);
        front = NULL;
    }
}

static void test_the_least_version(void **state)
{
    (void)state;
    use_front(&good, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(front->context, TLS1_2_VERSION), 1);
    tls.min_version = TLS1_3_VERSION;
    get("/bytes/10");
    assert_int_equal(probe.result.fault, FETCH_TLS);
    tls.min_version = TLS1_2_VERSION;
    get("/bytes/10");
    assert_int_equal(probe.result.fault, FETCH_OK);
}

/* Its answer to our hello never comes. */
static void test_a_handshake_that_does_not_end(void **state)
{
    (void)state;
    use_front(&good, NULL);
    origin->address.port = front->inner_port;
    origin->address.connect_timeout_us = 200000;
    get("/bytes/10");
    assert_int_equal(probe.result.fault, FETCH_CONNECT_TIMEOUT);
    assert_false(probe.result.request_sent);
}

/* ---- connections ---- */

static void test_connections_are_kept_and_sessions_resumed(void **state)
{
    (void)state;
    use_front(&good, NULL);
    for (unsigned i = 0; i < 30; i++) {
        if (i == 10 || i == 20) {
            origin->address.keepalive = 0; /* the next one connects anew */
            get("/bytes/1000");
            origin->address.keepalive = 8;
        }
        get(i % 2 == 0 ? "/bytes/1000" : "/chunks/20000");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.result.reused_connection, i % 10 != 0);
        run_loop(loop, 2, true); /* sees what comes on a kept connection, and leaves it */
    }
    assert_int_equal(atomic_load(&front->handshakes), 3);
    assert_int_equal(atomic_load(&front->resumed), 2);
}

/* Also by a connection whose handle never saw it. One is good for one connection in TLS 1.3, which
 * brings the next one. */
static void test_a_session_is_everybodys(void **state)
{
    struct probe other;

    (void)state;
    use_front(&good, NULL);
    origin->address.keepalive = 0;
    get("/bytes/1000");
    struct fetch_request request = probe_request(origin, "/silent");
    probe_init(&other, loop);
    other.stops = false;
    other.fetch = fetch_start(pool, &request, &probe_handler, &other);
    run_loop(loop, 300, true); /* it has the handle that was there */
    get("/bytes/1000");
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(atomic_load(&front->resumed), 2);
    fetch_cancel(&other.fetch);
    probe_fini(&other);
}

/* Neither connections nor sessions made by other rules. */
static void test_nothing_is_shared_between_settings(void **state)
{
    (void)state;
    use_front(&good, NULL);
    tls.verify = false;
    get("/bytes/1");
    assert_int_equal(probe.result.fault, FETCH_OK);
    tls.verify = true;
    tls.trust = other_trust;
    tls.id = 2;
    get("/bytes/1");
    assert_int_equal(probe.result.fault, FETCH_TLS_CERTIFICATE);
    tls.trust = trust;
    tls.id = 3;
    get("/bytes/1");
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_false(probe.result.reused_connection);
    assert_int_equal(atomic_load(&front->resumed), 0);
}

static void test_dead_and_talkative_ones(void **state)
{
    (void)state;
    use_front(&good, NULL);
    for (int i = 0; i < 5; i++) {
        get("/die");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_memory_equal(probe.body.data, "alive", 5);
        get(i % 2 == 0 ? "/twice/0" : "/twice/5");
        assert_memory_equal(probe.body.data, "once", 4);
        sleep_ms(40);
        get("/bytes/4");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_memory_equal(probe.body.data, origin_body, 4);
    }
}

/* ---- bytes ---- */

static void test_bodies_arrive_whole(void **state)
{
    static const size_t sizes[] = {1, 16383, 16384, 16385, 300000, 30000000};
    char target[64];

    (void)state;
    use_front(&good, NULL);
    for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
        snprintf(target, sizeof(target), i % 2 == 0 ? "/bytes/%zu" : "/chunks/%zu", sizes[i / 2]);
        get(target);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.body.len, sizes[i / 2]);
        assert_memory_equal(probe.body.data, origin_body, sizes[i / 2]);
    }
    for (size_t i = 0; i < 5; i++) {
        post("/echo", sizes[i]);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_memory_equal(probe.body.data + probe.body.len - sizes[i], origin_body, sizes[i]);
    }
}

/* Decrypted bytes wait where epoll does not see them. */
static void test_pauses(void **state)
{
    (void)state;
    use_front(&good, NULL);
    for (unsigned every = 1; every < 4; every++) {
        struct fetch_request request = probe_request(origin, "/bytes/3000000");
        probe_again();
        probe.pause_every = every;
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.body.len, 3000000);
        assert_memory_equal(probe.body.data, origin_body, 3000000);
    }
}

static char *small_place(void *ctx, size_t *room)
{
    static char place[9000];

    (void)ctx;
    *room = sizeof(place);
    return place;
}

/* A turn that ends within the last record, with nothing left in the socket. */
static void test_a_turn_ends_within_a_record(void **state)
{
    struct fetch_handler handler = probe_handler;
    char target[64];

    (void)state;
    handler.place = small_place;
    use_front(&good, NULL);
    for (size_t size = 262144 + 8192; size < 262144 + 32768; size += 2048) {
        snprintf(target, sizeof(target), "/bytes/%zu", size);
        struct fetch_request request = probe_request(origin, target);
        probe_again();
        probe.pause_head = true;
        probe.fetch = fetch_start(pool, &request, &handler, &probe);
        run_loop(loop, HANG_MS, false);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.body.len, size);
    }
}

/* ---- all of it ---- */

static int identities_make(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN);
    ca = identity_new(NULL, "ca", NULL, -DAY_S, DAY_S);
    other_ca = identity_new(NULL, "other ca", NULL, -DAY_S, DAY_S);
    good = identity_new(&ca, "good", "DNS:origin.test,DNS:*.wild.test,IP:127.0.0.1", -DAY_S, DAY_S);
    expired = identity_new(&ca, "expired", "DNS:origin.test", -2 * DAY_S, -DAY_S);
    early = identity_new(&ca, "early", "DNS:origin.test", DAY_S, 2 * DAY_S);
    alone = identity_new(NULL, "alone", "DNS:origin.test", -DAY_S, DAY_S);
    client = identity_new(&ca, "client", "DNS:larder.test", -DAY_S, DAY_S);
    trust = store_of(&ca);
    other_trust = store_of(&other_ca);
    return group_begin(state);
}

static int identities_drop(void **state)
{
    struct identity *all[] = {&ca, &other_ca, &good, &expired, &early, &alone, &client};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        identity_drop(all[i]);
    }
    X509_STORE_free(trust);
    X509_STORE_free(other_trust);
    return group_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(test_certificates),
        FRONT_TEST(test_the_name_is_sent),
        FRONT_TEST(test_a_given_address),
        FRONT_TEST(test_a_certificate_of_ours),
        FRONT_TEST(test_the_least_version),
        FRONT_TEST(test_a_handshake_that_does_not_end),
        FRONT_TEST(test_connections_are_kept_and_sessions_resumed),
        FRONT_TEST(test_a_session_is_everybodys),
        FRONT_TEST(test_nothing_is_shared_between_settings),
        FRONT_TEST(test_dead_and_talkative_ones),
        FRONT_TEST(test_bodies_arrive_whole),
        FRONT_TEST(test_pauses),
        FRONT_TEST(test_a_turn_ends_within_a_record),
    };
    return cmocka_run_group_tests(tests, identities_make, identities_drop);
}
