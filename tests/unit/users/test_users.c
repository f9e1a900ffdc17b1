/* Desks, queue and memory: who is right, what is hashed how often, who waits for whom, what is forgotten when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "users/users.h"
#include "users/users_private.h"

#define USERS_MANY 4u
/* "secret" and some milliseconds; "secret" and a quarter of a second. */
#define QUICK "$5$rounds=1000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3"
#define SLOW "$5$rounds=300000$ab$GOdvjTGjuFO3m4ez9ZY.r52zyo41A3CMhdg.ba5ZxlB"
#define BCRYPT "$2y$04$aaaaaaaaaaaaaaaaaaaaaOGY9KrC7e/pHj3EXQPxs8hKEBbvQhsvG"

static uint32_t index_room[16];
static struct conf_user list[USERS_MANY];

/* anna and ben by quick hashes, carl by a slow one, dora by bcrypt. */
static struct conf_auth auth_of(void)
{
    static const char *const names[] = {"anna", "ben", "carl", "dora"};
    static const char *const hashed[] = {QUICK, QUICK, SLOW, BCRYPT};
    struct conf_auth auth = {
        .path = "/x", .cache_ms = 60000, .users = list, .user_count = USERS_MANY, .index_mask = 15};

    memset(index_room, 0, sizeof(index_room));
    for (uint32_t i = 0; i < USERS_MANY; i++) {
        list[i] = (struct conf_user){.name = span_str(names[i]), .hash = hashed[i]};
        list[i].mark[0] = (uint8_t)(i + 1);
        size_t at = (size_t)hash64(auth.seed, list[i].name) & auth.index_mask;
        while (index_room[at] != 0) {
            at = (at + 1) & auth.index_mask;
        }
        index_room[at] = i + 1;
    }
    auth.index = index_room;
    return auth;
}

struct kit {
    struct users *users;
    struct loop *loop;
    struct users_desk *desk;
    struct conf_auth auth;
    unsigned told;
    enum users_answer last;
};

static void kit_init(struct kit *kit, unsigned threads, unsigned queue_max)
{
    *kit = (struct kit){.auth = auth_of()};
    kit->users = users_new(
        &(struct users_options){.threads = threads, .queue_max = queue_max, .remembered = 256});
    kit->loop = loop_new();
    kit->desk = users_desk_new(kit->users, kit->loop);
}

static void kit_fini(struct kit *kit)
{
    users_desk_free(&kit->desk);
    users_free(&kit->users);
    while (mailbox_deliver(loop_mailbox(kit->loop)) > 0) {
    }
    loop_free(&kit->loop);
}

static void on_answer(void *ctx, enum users_answer answer)
{
    struct kit *kit = ctx;

    kit->told++;
    kit->last = answer;
}

static struct users_question question_of(const struct kit *kit, const char *name,
                                         const char *password)
{
    return (struct users_question){.auth = &kit->auth,
                                   .name = span_str(name),
                                   .password = span_str(password),
                                   .who = SPAN("1234")};
}

static void await(struct kit *kit, unsigned told)
{
    uint64_t until = clock_mono_us() + 20000000;

    while (kit->told < told) {
        assert_true(clock_mono_us() < until);
        if (mailbox_deliver(loop_mailbox(kit->loop)) == 0) {
            clock_sleep_us(500);
        }
    }
}

/* What was cancelled may still be running, and counts as this client's until it is over. */
static void await_idle(struct kit *kit)
{
    uint64_t until = clock_mono_us() + 20000000;
    struct users_figures figures;

    for (users_figures(kit->users, &figures); figures.checks > 0;
         users_figures(kit->users, &figures)) {
        assert_true(clock_mono_us() < until);
        if (mailbox_deliver(loop_mailbox(kit->loop)) == 0) {
            clock_sleep_us(500);
        }
    }
}

/* As a request does, alone. */
static enum users_answer asked(struct kit *kit, const char *name, const char *password)
{
    const struct users_waiter waiter = {on_answer, kit};
    struct users_question question = question_of(kit, name, password);
    struct users_wait *wait = NULL;

    enum users_answer answer = users_ask(kit->desk, &question);
    if (answer == USERS_NEW) {
        assert_int_equal(users_join(kit->desk, &question, 1, &waiter, &wait), USERS_NEW);
        answer = users_begin(kit->desk, &question, NULL, &waiter, &wait);
    }
    if (answer == USERS_WAIT) {
        assert_non_null(wait);
        await(kit, kit->told + 1);
        answer = kit->last;
    }
    return answer;
}

static uint64_t hashed(struct kit *kit)
{
    struct users_figures figures;

    users_figures(kit->users, &figures);
    return figures.right + figures.wrong;
}

static void right_and_wrong(void **state)
{
    static const struct {
        const char *name, *password;
        enum users_answer answer;
    } cases[] = {
        {"anna", "secret", USERS_RIGHT},   {"anna", "Secret", USERS_WRONG},
        {"anna", "", USERS_WRONG},         {"anna", "secret ", USERS_WRONG},
        {"ben", "secret", USERS_RIGHT},    {"carl", "secret", USERS_RIGHT},
        {"dora", "secret", USERS_RIGHT},   {"dora", "secre", USERS_WRONG},
        {"zoe", "secret", USERS_WRONG},    {"", "secret", USERS_WRONG},
        {"annasecret", "", USERS_WRONG},   {"ann", "asecret", USERS_WRONG},
        {"nobody", "secret", USERS_WRONG}, /* whose hash it would be right for */
    };
    struct kit kit;

    (void)state;
    kit_init(&kit, 2, 8);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            assert_int_equal(asked(&kit, cases[i].name, cases[i].password), cases[i].answer);
        }
        assert_int_equal(hashed(&kit), ARRAY_LEN(cases)); /* the second time from memory */
    }
    kit.auth.user_count = 0;
    kit.auth.index = NULL;
    assert_int_equal(asked(&kit, "anna", "secret"), USERS_WRONG); /* nobody can be right */
    kit_fini(&kit);
}

/* A line that changes is another question; the other lines' answers stay. */
static void changed_line(void **state)
{
    struct kit kit;

    (void)state;
    kit_init(&kit, 1, 8);
    assert_int_equal(asked(&kit, "anna", "secret"), USERS_RIGHT);
    assert_int_equal(asked(&kit, "ben", "secret"), USERS_RIGHT);
    list[0].hash = "$5$rounds=1000$ab$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    list[0].mark[0] = 99;
    assert_int_equal(asked(&kit, "anna", "secret"), USERS_WRONG);
    assert_int_equal(asked(&kit, "ben", "secret"), USERS_RIGHT);
    assert_int_equal(hashed(&kit), 3);
    list[0].hash = QUICK;
    list[0].mark[0] = 1;
    assert_int_equal(asked(&kit, "anna", "secret"), USERS_RIGHT);
    assert_int_equal(hashed(&kit), 3);
    kit_fini(&kit);
}

/* One hash for all who ask the same at the same time; who waits beside is told to ask again. */
static void collapse(void **state)
{
    struct kit kit;
    struct users_wait *waits[40] = {NULL};

    (void)state;
    kit_init(&kit, 2, 8);
    const struct users_waiter waiter = {on_answer, &kit};
    struct users_question question = question_of(&kit, "carl", "secret");
    assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
    assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &waits[0]), USERS_WAIT);
    for (unsigned i = 1; i < 20; i++) {
        assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
        assert_int_equal(users_join(kit.desk, &question, 4, &waiter, &waits[i]), USERS_WAIT);
    }
    assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &waits[20]), USERS_JOINED);
    struct users_question other = question_of(&kit, "carl", "guess");
    assert_int_equal(users_ask(kit.desk, &other), USERS_NEW);
    assert_int_equal(users_join(kit.desk, &other, 2, &waiter, &waits[21]), USERS_NEW);
    other.who = SPAN("4321");
    assert_int_equal(users_join(kit.desk, &other, 1, &waiter, &waits[21]), USERS_NEW);
    await(&kit, 21);
    assert_int_equal(kit.last, USERS_RIGHT);
    assert_int_equal(hashed(&kit), 1);

    /* beside: another password from a client with as many at once as it may have */
    struct users_question slow = question_of(&kit, "carl", "wrong");
    assert_int_equal(users_ask(kit.desk, &slow), USERS_NEW);
    assert_int_equal(users_begin(kit.desk, &slow, NULL, &waiter, &waits[0]), USERS_WAIT);
    other.who = SPAN("1234");
    assert_int_equal(users_join(kit.desk, &other, 1, &waiter, &waits[1]), USERS_WAIT);
    await(&kit, 23);
    assert_int_equal(kit.last, USERS_AGAIN); /* told in the order in which they came */
    kit_fini(&kit);
}

/* The queue is bounded; who leaves makes room, but for what has begun. */
static void full_and_cancelled(void **state)
{
    struct kit kit;
    struct users_wait *waits[5] = {NULL};
    struct users_figures figures;
    char password[] = "guess0";

    (void)state;
    kit_init(&kit, 1, 4);
    const struct users_waiter waiter = {on_answer, &kit};
    for (unsigned i = 0; i < 5; i++) {
        password[5] = (char)('0' + i);
        struct users_question question = question_of(&kit, "carl", password);
        assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
        assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &waits[i]),
                         i < 4 ? USERS_WAIT : USERS_FULL);
    }
    assert_null(waits[4]);
    users_figures(kit.users, &figures);
    assert_int_equal(figures.full, 1);
    assert_int_equal(figures.checks, 4);
    for (unsigned i = 0; i < 4; i++) {
        users_cancel(&waits[i]);
        assert_null(waits[i]);
        users_cancel(&waits[i]);
    }
    users_figures(kit.users, &figures);
    assert_true(figures.checks <= 1); /* one may be running */
    await_idle(&kit);
    assert_int_equal(asked(&kit, "anna", "secret"), USERS_RIGHT);
    assert_true(hashed(&kit) <= 2);
    assert_int_equal(kit.told, 1);
    kit_fini(&kit);
}

struct late {
    const struct kit *kit;
    unsigned before; /* told in the kit when this was */
    enum users_answer answer;
    bool is_told;
};

static void on_late(void *ctx, enum users_answer answer)
{
    struct late *late = ctx;

    *late = (struct late){late->kit, late->kit->told, answer, true};
}

/* A full queue has room for another client: the newest of who has most is told that it is full. */
static void full_and_another(void **state)
{
    struct kit kit;
    struct late late = {.kit = &kit};
    struct users_wait *waits[5] = {NULL};
    struct users_wait *wait = NULL;
    char password[] = "guess0";

    (void)state;
    kit_init(&kit, 1, 5);
    const struct users_waiter waiter = {on_answer, &kit};
    for (unsigned i = 0; i < 5; i++) {
        password[5] = (char)('0' + i);
        struct users_question question = question_of(&kit, "carl", password);
        assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
        assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &waits[i]), USERS_WAIT);
    }
    struct users_question question = question_of(&kit, "anna", "secret");
    question.who = SPAN("4321");
    assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
    const struct users_waiter other = {on_late, &late};
    assert_int_equal(users_begin(kit.desk, &question, NULL, &other, &wait), USERS_WAIT);
    await(&kit, 1);
    assert_int_equal(kit.last, USERS_FULL);
    waits[4] = NULL;
    while (!late.is_told) {
        if (mailbox_deliver(loop_mailbox(kit.loop)) == 0) {
            clock_sleep_us(500);
        }
    }
    assert_int_equal(late.answer, USERS_RIGHT);
    assert_int_equal(late.before, 2); /* who made room, and one whose turn it was */
    for (unsigned i = kit.told - 1; i < 4; i++) {
        users_cancel(&waits[i]);
    }
    kit_fini(&kit);
}

struct given {
    struct kit *kit;
    _Atomic unsigned count, checks;
    atomic_bool may_go_on;
};

static void on_given(const struct users_deposit *deposit)
{
    struct given *given;
    struct users_figures figures;

    memcpy(&given, deposit->what, sizeof(given));
    users_figures(given->kit->users, &figures);
    given->checks = figures.checks;
    given->count++;
    while (!given->may_go_on) {
        clock_sleep_us(500);
    }
}

/* A right password gives back what it cost while it is still counted, so that who asks next meets the
 * one or the other; also if nobody waits for it any more. A wrong one does not. */
static void deposits(void **state)
{
    static const struct {
        const char *name, *password;
        bool leaves;
        unsigned back;
    } rows[] = {
        {"anna", "secret", false, 1},
        {"anna", "guess", false, 0},
        {"nobody", "secret", false, 0},
        {"ben", "secret", true, 1},
    };
    struct kit kit;

    (void)state;
    kit_init(&kit, 1, 8);
    const struct users_waiter waiter = {on_answer, &kit};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct given given = {.kit = &kit, .may_go_on = !rows[i].leaves};
        struct given *at = &given;
        struct users_deposit deposit = {.give_back = on_given};
        struct users_wait *wait = NULL;
        struct users_question question = question_of(&kit, rows[i].name, rows[i].password);
        memcpy(deposit.what, &at, sizeof(at));
        kit.told = 0;
        assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
        assert_int_equal(users_begin(kit.desk, &question, &deposit, &waiter, &wait), USERS_WAIT);
        if (rows[i].leaves) {
            while (given.count == 0) {
                clock_sleep_us(500);
            }
            users_cancel(&wait);
            given.may_go_on = true;
        } else {
            await(&kit, 1);
        }
        await_idle(&kit);
        assert_int_equal(given.count, rows[i].back);
        assert_int_equal(given.checks, rows[i].back);
    }
    kit_fini(&kit);
}

/* The end in the middle of a check, and an answer for nobody. */
static void ends(void **state)
{
    struct kit kit;
    struct users_wait *wait = NULL;

    (void)state;
    kit_init(&kit, 2, 8);
    const struct users_waiter waiter = {on_answer, &kit};
    struct users_question question = question_of(&kit, "anna", "secret");
    assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
    assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &wait), USERS_WAIT);
    while (hashed(&kit) == 0) {
        clock_sleep_us(500);
    }
    users_cancel(&wait); /* its mail is there and not delivered */
    question = question_of(&kit, "carl", "secret");
    assert_int_equal(users_ask(kit.desk, &question), USERS_NEW);
    assert_int_equal(users_begin(kit.desk, &question, NULL, &waiter, &wait), USERS_WAIT);
    users_cancel(&wait);
    kit_fini(&kit);
    assert_int_equal(kit.told, 0);
}

/* ---- memory ---- */

static void put(struct users_memory *memory, uint32_t number, bool is_right, uint64_t now_us)
{
    uint8_t mac[USERS_MAC_BYTES] = {0};

    memcpy(mac, &number, sizeof(number));
    users_memory_put(memory, mac, is_right, now_us);
}

static enum users_answer find(struct users_memory *memory, uint32_t number, uint64_t keep_us,
                              uint64_t now_us)
{
    uint8_t mac[USERS_MAC_BYTES] = {0};

    memcpy(mac, &number, sizeof(number));
    return users_memory_find(memory, mac, keep_us, now_us);
}

static void memory_time(void **state)
{
    struct users_memory *memory = users_memory_new(256);

    (void)state;
    assert_int_equal(find(memory, 1, 100, 1000), USERS_NEW);
    put(memory, 1, true, 1000);
    put(memory, 2, false, 1000);
    assert_int_equal(find(memory, 1, 100, 1100), USERS_RIGHT); /* and counts from 1100 on */
    assert_int_equal(find(memory, 1, 100, 1200), USERS_RIGHT);
    assert_int_equal(find(memory, 1, 100, 900), USERS_RIGHT); /* another thread's clock */
    assert_int_equal(find(memory, 1, 100, 1300), USERS_RIGHT);
    assert_int_equal(find(memory, 1, 100, 1401), USERS_NEW);
    assert_int_equal(find(memory, 2, 100, 1000 + 60000000), USERS_WRONG);
    assert_int_equal(find(memory, 2, 100, 1001 + 60000000), USERS_NEW);
    put(memory, 2, true, 2000); /* never both in practice; right has the say */
    assert_int_equal(find(memory, 2, 100, 2050), USERS_RIGHT);
    users_memory_free(&memory);
    assert_null(memory);
}

/* Any number of guesses push out no proof; of proofs those that were used last stay. */
static void memory_bounds(void **state)
{
    struct users_memory *memory = users_memory_new(256);
    unsigned kept = 0;

    (void)state;
    for (uint32_t i = 0; i < 16; i++) {
        put(memory, i * 7919, true, 1000 + i);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        put(memory, i * 31 + 1000000, false, 2000 + i);
    }
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(find(memory, i * 7919, 1 << 30, 200000), USERS_RIGHT);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        put(memory, i * 31 + 5, true, 300000 + i);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        kept += find(memory, i * 31 + 5, 1 << 30, 400000) == USERS_RIGHT ? 1 : 0;
    }
    assert_int_equal(kept, 256);
    assert_int_equal(find(memory, 9999 * 31 + 5, 1 << 30, 400000), USERS_RIGHT);
    users_memory_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_and_wrong),
        cmocka_unit_test(changed_line),
        cmocka_unit_test(collapse),
        cmocka_unit_test(full_and_cancelled),
        cmocka_unit_test(full_and_another),
        cmocka_unit_test(deposits),
        cmocka_unit_test(ends),
        cmocka_unit_test(memory_time),
        cmocka_unit_test(memory_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
