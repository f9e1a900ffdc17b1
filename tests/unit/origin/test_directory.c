/* The directory: what a host is, one lookup for all who ask, how long answers count, and what is done
 * while DNS fails. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "origin/directory_private.h"

/* The watch thread is played by the test: it takes the names to look up and answers them. */
struct fixture {
    struct directory *directory;
    struct loop *loop; /* of who asks */
    struct loop *watch;
    uint64_t now_us;
};

static void fixture_open(struct fixture *fixture)
{
    fixture->directory = directory_new();
    fixture->loop = loop_new();
    fixture->watch = loop_new();
    assert_non_null(fixture->loop);
    assert_non_null(fixture->watch);
    directory_open(fixture->directory, fixture->watch);
    fixture->now_us = loop_now_us(fixture->loop);
}

static void fixture_close(struct fixture *fixture)
{
    directory_close(fixture->directory);
    while (mailbox_deliver(loop_mailbox(fixture->loop)) > 0) {
    }
    while (mailbox_deliver(loop_mailbox(fixture->watch)) > 0) {
    }
    directory_free(&fixture->directory);
    loop_free(&fixture->loop);
    loop_free(&fixture->watch);
}

struct asker {
    struct directory_wait *wait;
    unsigned woken;
    struct directory_addresses out;
};

static void on_wake(void *ctx)
{
    ((struct asker *)ctx)->woken++;
}

static enum directory_answer ask(struct fixture *fixture, struct asker *asker, const char *host)
{
    const struct directory_asker who = {.loop = fixture->loop, .wake = on_wake, .ctx = asker};

    return directory_find(fixture->directory, span_str(host), &asker->out, &who, &asker->wait);
}

/* The first of the addresses, as text. */
static const char *first(const struct asker *asker)
{
    static char text[INET6_ADDRSTRLEN];
    const struct sockaddr_storage *address = &asker->out.list[0];
    const void *bytes =
        address->ss_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
            : (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

    assert_true(asker->out.count > 0);
    assert_non_null(inet_ntop(address->ss_family, bytes, text, sizeof(text)));
    return text;
}

static struct names_result result(enum names_answer answer, const char *one, const char *two)
{
    struct names_result made = {.answer = answer};

    for (unsigned i = 0; i < 2 && (i == 0 ? one : two) != NULL; i++) {
        (void)snprintf(made.addresses[made.count++], ORIGIN_ADDRESS_BYTES, "%s",
                       i == 0 ? one : two);
    }
    return made;
}

/* As if the answer had come so long ago. The machine's clock may be younger than that. */
static void age(struct directory_name *name, uint64_t by_us)
{
    uint64_t *const times[] = {&name->answered_us, &name->until_us, &name->stale_until_us};

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        *times[i] = *times[i] > by_us ? *times[i] - by_us : 0;
    }
}

/* Looks the next name up, which must be this one. ago_us: the answer came so long before now. */
static void answer(struct fixture *fixture, const char *host, struct names_result made,
                   uint32_t ttl_s, uint64_t ago_us)
{
    struct directory_name *name = directory_next(fixture->directory);

    assert_non_null(name);
    assert_string_equal(name->text, host);
    directory_answer(fixture->directory, name, &made, ttl_s, fixture->now_us);
    age(name, ago_us);
    (void)mailbox_deliver(loop_mailbox(fixture->loop));
}

/* ---- what a host is ---- */

static void test_literals(void **state)
{
    static const struct {
        const char *host, *address; /* NULL: none, and nobody is asked */
    } rows[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"192.0.2.7.", "192.0.2.7"},
        {"127.1", "127.0.0.1"},
        {"2130706433", "127.0.0.1"},
        {"0x7f000001", "127.0.0.1"},
        {"0177.0.0.1", "127.0.0.1"},
        {"0x7f.1", "127.0.0.1"},
        {"0", "0.0.0.0"},
        {"::1", "::1"},
        {"2001:db8::7", "2001:db8::7"},
        {"::ffff:127.0.0.1", "127.0.0.1"},
        {"::ffff:7f00:1", "127.0.0.1"},
        {"256.0.0.1", NULL},
        {"1.2.3.4.5", NULL},
        {"foo.1", NULL},
        {"foo.0x7f", NULL},
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"a b", NULL},
        {"a/b", NULL},
        {"fe80::1%lo", NULL},
        {"caf\xc3\xa9", NULL},
    };
    struct fixture fixture;
    struct asker asker = {0};

    (void)state;
    fixture_open(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum directory_answer got = ask(&fixture, &asker, rows[i].host);
        if (got != (rows[i].address != NULL ? DIRECTORY_FOUND : DIRECTORY_NONE)) {
            fail_msg("%s: %d", rows[i].host, (int)got);
        }
        if (rows[i].address != NULL) {
            assert_int_equal(asker.out.count, 1);
            assert_string_equal(first(&asker), rows[i].address);
        }
        assert_null(asker.wait);
    }
    assert_null(directory_next(fixture.directory));
    fixture_close(&fixture);
}

static void test_name_lengths(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    char host[300];

    (void)state;
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof(host) - 1; i++) {
        host[i] = i % 64 == 63 ? '.' : 'a';
    }
    host[254] = '\0';
    assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_NONE);
    host[253] = '\0';
    assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    host[253] = '.'; /* of the root: not counted */
    host[254] = '\0';
    assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    host[63] = 'a'; /* a label too long */
    assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_NONE);
    fixture_close(&fixture);
}

/* ---- asking and waiting ---- */

static void test_one_lookup_for_all(void **state)
{
    struct fixture fixture;
    struct asker one = {0};
    struct asker two = {0};
    struct asker gone = {0};
    struct directory_figures figures;

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &one, "www.test"), DIRECTORY_WAIT);
    assert_int_equal(ask(&fixture, &two, "www.test."), DIRECTORY_WAIT);
    assert_int_equal(ask(&fixture, &gone, "www.test"), DIRECTORY_WAIT);
    directory_cancel(&gone.wait);
    answer(&fixture, "www.test", result(NAMES_FOUND, "192.0.2.1", "2001:db8::1"), 60, 0);
    assert_null(directory_next(fixture.directory));
    assert_int_equal(one.woken, 1);
    assert_int_equal(two.woken, 1);
    assert_int_equal(gone.woken, 0);
    assert_int_equal(ask(&fixture, &one, "www.test"), DIRECTORY_FOUND);
    assert_int_equal(one.out.count, 2);
    assert_string_equal(first(&one), "192.0.2.1");
    directory_figures(fixture.directory, &figures);
    assert_int_equal(figures.names, 1);
    assert_int_equal(figures.lookups, 1);
    assert_int_equal(figures.answers, 1);
    assert_int_equal(figures.looking_up, 0);
    fixture_close(&fixture);
}

/* Given up while the mail is on its way. */
static void test_cancelled_when_told(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct names_result none = result(NAMES_NEGATIVE, NULL, NULL);

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    directory_answer(fixture.directory, directory_next(fixture.directory), &none, 0,
                     fixture.now_us);
    directory_cancel(&asker.wait);
    assert_null(asker.wait);
    (void)mailbox_deliver(loop_mailbox(fixture.loop));
    assert_int_equal(asker.woken, 0);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_NONE);
    fixture_close(&fixture);
}

/* Who waits when nobody looks names up any more hears of it, and nobody waits from then on. */
static void test_closed(void **state)
{
    struct fixture fixture;
    struct asker one = {0};
    struct asker two = {0};

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &one, "www.test"), DIRECTORY_WAIT);
    directory_close(fixture.directory);
    (void)mailbox_deliver(loop_mailbox(fixture.loop));
    assert_int_equal(one.woken, 1);
    assert_int_equal(ask(&fixture, &one, "www.test"), DIRECTORY_FAILED);
    assert_int_equal(ask(&fixture, &two, "other.test"), DIRECTORY_FAILED);
    directory_open(fixture.directory, fixture.watch);
    fixture_close(&fixture);
}

/* ---- how long answers count ---- */

static void test_time_to_live(void **state)
{
    static const struct {
        uint32_t ttl_s;
        uint64_t old_ms; /* of the answer */
        enum directory_answer wanted;
    } rows[] = {
        {60, 59900, DIRECTORY_FOUND},     {60, 60100, DIRECTORY_WAIT},
        {0, 900, DIRECTORY_FOUND},        {0, 1100, DIRECTORY_WAIT},
        {86400, 299000, DIRECTORY_FOUND}, {86400, 301000, DIRECTORY_WAIT},
    };
    struct fixture fixture;
    struct asker asker = {0};
    char host[32];

    (void)state;
    fixture_open(&fixture);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        (void)snprintf(host, sizeof(host), "n%u.test", i);
        assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_WAIT);
        struct names_result made = result(NAMES_FOUND, "192.0.2.1", NULL);
        answer(&fixture, host, made, rows[i].ttl_s, rows[i].old_ms * 1000);
        enum directory_answer got = ask(&fixture, &asker, host);
        if (got != rows[i].wanted) {
            fail_msg("row %u: %d", i, (int)got);
        }
        directory_cancel(&asker.wait);
        if (got == DIRECTORY_WAIT) {
            answer(&fixture, host, made, 60, 0);
        }
    }
    fixture_close(&fixture);
}

static void test_negative(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "no.test"), DIRECTORY_WAIT);
    answer(&fixture, "no.test", result(NAMES_NEGATIVE, NULL, NULL), 0, 9 * DIRECTORY_SECOND_US);
    assert_int_equal(ask(&fixture, &asker, "no.test"), DIRECTORY_NONE);
    assert_int_equal(ask(&fixture, &asker, "old.test"), DIRECTORY_WAIT);
    answer(&fixture, "old.test", result(NAMES_FOUND, "192.0.2.1", NULL), 1,
           2 * DIRECTORY_SECOND_US);
    assert_int_equal(ask(&fixture, &asker, "old.test"), DIRECTORY_WAIT);
    answer(&fixture, "old.test", result(NAMES_NEGATIVE, NULL, NULL), 0, 11 * DIRECTORY_SECOND_US);
    /* over, and the old addresses are believed no more */
    assert_int_equal(ask(&fixture, &asker, "old.test"), DIRECTORY_WAIT);
    answer(&fixture, "old.test", result(NAMES_FAILED, NULL, NULL), 0, 0);
    assert_int_equal(ask(&fixture, &asker, "old.test"), DIRECTORY_FAILED);
    fixture_close(&fixture);
}

/* ---- while DNS fails ---- */

static void test_last_good_answer(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct directory_figures figures;

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    answer(&fixture, "www.test", result(NAMES_FOUND, "192.0.2.1", NULL), 1,
           3600 * DIRECTORY_SECOND_US);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    struct directory_name *name = directory_next(fixture.directory);
    directory_late(fixture.directory, name); /* the old one will do from now on */
    (void)mailbox_deliver(loop_mailbox(fixture.loop));
    assert_int_equal(asker.woken, 2);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    struct names_result failed = result(NAMES_FAILED, NULL, NULL);
    directory_answer(fixture.directory, name, &failed, 0, fixture.now_us);
    age(name, 2 * DIRECTORY_SECOND_US);
    /* Nobody waits for the next try either. */
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    answer(&fixture, "www.test", failed, 0, 0);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_null(directory_next(fixture.directory)); /* not asked again at once */
    directory_figures(fixture.directory, &figures);
    assert_int_equal(figures.failures, 2);
    assert_int_equal(figures.stale, 3);
    fixture_close(&fixture);
}

static void test_too_old(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct names_result silent = result(NAMES_FAILED, NULL, NULL);
    uint64_t day_us = DIRECTORY_STALE_S * DIRECTORY_SECOND_US;

    (void)state;
    silent.is_silent = true;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    answer(&fixture, "www.test", result(NAMES_FOUND, "192.0.2.1", NULL), 1,
           day_us + 2 * DIRECTORY_SECOND_US);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    directory_late(fixture.directory, directory_next(fixture.directory));
    (void)mailbox_deliver(loop_mailbox(fixture.loop));
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    fixture_close(&fixture);
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "never.test"), DIRECTORY_WAIT);
    answer(&fixture, "never.test", silent, 0, 0);
    assert_int_equal(ask(&fixture, &asker, "never.test"), DIRECTORY_SILENT);
    fixture_close(&fixture);
}

/* ---- bounds ---- */

static void test_lookups_are_bounded(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct directory_figures figures;
    char host[32];

    (void)state;
    fixture_open(&fixture);
    for (unsigned i = 0; i < DIRECTORY_LOOKUPS_MAX; i++) {
        (void)snprintf(host, sizeof(host), "n%u.test", i);
        assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_WAIT);
        directory_cancel(&asker.wait);
    }
    assert_int_equal(ask(&fixture, &asker, "more.test"), DIRECTORY_BUSY);
    assert_int_equal(ask(&fixture, &asker, "n0.test"), DIRECTORY_WAIT); /* under way already */
    directory_cancel(&asker.wait);
    answer(&fixture, "n0.test", result(NAMES_FOUND, "192.0.2.1", NULL), 60, 0);
    assert_int_equal(ask(&fixture, &asker, "more.test"), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    directory_figures(fixture.directory, &figures);
    assert_int_equal(figures.busy, 1);
    fixture_close(&fixture);
}

/* The one asked for longest ago makes room, never one that is being looked up. */
static void test_names_are_bounded(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct directory_figures figures;
    char host[32];

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "sought.test"), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    struct directory_name *sought = directory_next(fixture.directory);
    for (unsigned i = 0; i < DIRECTORY_NAMES_MAX; i++) {
        (void)snprintf(host, sizeof(host), "n%u.test", i);
        assert_int_equal(ask(&fixture, &asker, host), DIRECTORY_WAIT);
        answer(&fixture, host, result(NAMES_FOUND, "192.0.2.1", NULL), 60, 0);
        if (i == 10) {
            assert_int_equal(ask(&fixture, &asker, "n0.test"), DIRECTORY_FOUND);
        }
    }
    directory_figures(fixture.directory, &figures);
    assert_int_equal(figures.names, DIRECTORY_NAMES_MAX);
    assert_int_equal(ask(&fixture, &asker, "n0.test"), DIRECTORY_FOUND);
    assert_int_equal(ask(&fixture, &asker, "n1.test"), DIRECTORY_WAIT);
    directory_cancel(&asker.wait);
    struct names_result made = result(NAMES_FOUND, "192.0.2.9", NULL);
    directory_answer(fixture.directory, sought, &made, 60, fixture.now_us);
    assert_int_equal(ask(&fixture, &asker, "sought.test"), DIRECTORY_FOUND);
    fixture_close(&fixture);
}

/* ---- addresses ---- */

static void test_broken_addresses_come_last(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};
    struct sockaddr_storage bad;

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    answer(&fixture, "www.test", result(NAMES_FOUND, "2001:db8::1", "192.0.2.1"), 60, 0);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_string_equal(first(&asker), "2001:db8::1");
    bad = asker.out.list[0];
    directory_note(fixture.directory, SPAN("www.test."), (struct sockaddr *)&bad, true,
                   fixture.now_us);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_int_equal(asker.out.count, 2);
    assert_string_equal(first(&asker), "192.0.2.1");
    directory_note(fixture.directory, SPAN("www.test"), (struct sockaddr *)&bad, false,
                   fixture.now_us);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_string_equal(first(&asker), "2001:db8::1");
    directory_note(fixture.directory, SPAN("www.test"), (struct sockaddr *)&bad, true,
                   fixture.now_us - (DIRECTORY_BROKEN_S + 1) * DIRECTORY_SECOND_US);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_string_equal(first(&asker), "2001:db8::1");
    fixture_close(&fixture);
}

/* Who waits for whatever there is gets the addresses of one family; who wants all waits for the end. */
static void test_one_family(void **state)
{
    static const struct {
        enum names_answer answer; /* of the lookup as a whole */
        const char *one, *two;
        unsigned count;
    } ends[] = {
        {NAMES_FOUND, "2001:db8::1", "192.0.2.1", 2},
        {NAMES_FOUND, "192.0.2.1", NULL, 1},
        {NAMES_FAILED, NULL, NULL, 1}, /* what there was stays */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct fixture fixture;
        struct asker any = {0};
        struct asker all = {0};
        fixture_open(&fixture);
        const struct directory_asker who = {
            .loop = fixture.loop, .wake = on_wake, .ctx = &all, .wants_all = true};
        assert_int_equal(ask(&fixture, &any, "www.test"), DIRECTORY_WAIT);
        assert_int_equal(
            directory_find(fixture.directory, SPAN("www.test"), &all.out, &who, &all.wait),
            DIRECTORY_WAIT);
        struct directory_name *name = directory_next(fixture.directory);
        struct names_result part = result(NAMES_FOUND, "192.0.2.1", NULL);
        directory_part(fixture.directory, name, &part, 60, fixture.now_us);
        directory_late(fixture.directory, name);
        (void)mailbox_deliver(loop_mailbox(fixture.loop));
        assert_int_equal(any.woken, 1);
        assert_int_equal(all.woken, 0);
        assert_int_equal(ask(&fixture, &any, "www.test"), DIRECTORY_FOUND);
        assert_true(any.out.is_partial);
        assert_int_equal(any.out.count, 1);
        directory_cancel(&all.wait);
        assert_int_equal(
            directory_find(fixture.directory, SPAN("www.test"), &all.out, &who, &all.wait),
            DIRECTORY_WAIT);
        assert_null(directory_next(fixture.directory)); /* its lookup goes on */
        struct names_result whole = result(ends[i].answer, ends[i].one, ends[i].two);
        directory_answer(fixture.directory, name, &whole, 60, fixture.now_us);
        (void)mailbox_deliver(loop_mailbox(fixture.loop));
        assert_int_equal(any.woken, 1);
        assert_int_equal(all.woken, 1);
        assert_int_equal(
            directory_find(fixture.directory, SPAN("www.test"), &all.out, &who, &all.wait),
            DIRECTORY_FOUND);
        assert_false(all.out.is_partial);
        assert_int_equal(all.out.count, ends[i].count);
        fixture_close(&fixture);
    }
}

static void test_mapped_addresses(void **state)
{
    struct fixture fixture;
    struct asker asker = {0};

    (void)state;
    fixture_open(&fixture);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_WAIT);
    answer(&fixture, "www.test", result(NAMES_FOUND, "::ffff:10.1.2.3", NULL), 60, 0);
    assert_int_equal(ask(&fixture, &asker, "www.test"), DIRECTORY_FOUND);
    assert_int_equal(asker.out.list[0].ss_family, AF_INET);
    assert_string_equal(first(&asker), "10.1.2.3");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_name_lengths),
        cmocka_unit_test(test_one_lookup_for_all),
        cmocka_unit_test(test_cancelled_when_told),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_time_to_live),
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_last_good_answer),
        cmocka_unit_test(test_too_old),
        cmocka_unit_test(test_lookups_are_bounded),
        cmocka_unit_test(test_names_are_bounded),
        cmocka_unit_test(test_broken_addresses_come_last),
        cmocka_unit_test(test_one_family),
        cmocka_unit_test(test_mapped_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
