/* The loop: order and removal of timers, tasks, watches; mail from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/loop.h"

static struct loop *loop;
static unsigned fired;
static char order[64];

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    fired = 0;
    memset(order, 0, sizeof(order));
    return loop == NULL;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(&loop);
    assert_null(loop);
    return 0;
}

/* ---- timers ---- */

struct named_timer {
    struct loop_timer timer;
    char name;
    bool stops;
    struct named_timer *clears; /* when it fires */
    struct named_timer *sets;
    uint64_t due_us;
};

static void named_fire(struct loop_timer *timer)
{
    struct named_timer *named = CONTAINER_OF(timer, struct named_timer, timer);

    order[fired++] = named->name;
    assert_true(clock_mono_us() >= named->due_us); /* never early */
    if (named->clears != NULL) {
        loop_timer_clear(&named->clears->timer);
    }
    if (named->sets != NULL) {
        named->sets->due_us = loop_now_us(loop) + 20000;
        loop_timer_set(loop, &named->sets->timer, 20000);
        named->sets = NULL;
    }
    if (named->stops) {
        loop_stop(loop);
    }
}

static void named_set(struct named_timer *named, char name, uint64_t delay_us)
{
    loop_timer_init(&named->timer, named_fire);
    named->name = name;
    named->due_us = loop_now_us(loop) + delay_us;
    loop_timer_set(loop, &named->timer, delay_us);
}

static void test_timers_fire_in_order(void **state)
{
    struct named_timer timers[4] = {0};

    (void)state;
    named_set(&timers[0], 'c', 150000);
    named_set(&timers[1], 'a', 0);
    named_set(&timers[2], 'b', 70000);
    named_set(&timers[3], 'd', 220000);
    timers[3].stops = true;
    loop_run(loop);
    assert_string_equal(order, "abcd");
}

static void test_timers_of_one_slot_clear_each_other(void **state)
{
    struct named_timer timers[3] = {0};

    (void)state;
    named_set(&timers[0], 'a', 30000);
    named_set(&timers[1], 'x', 30000);
    timers[0].clears = &timers[1];
    timers[0].sets = &timers[0]; /* itself, once */
    named_set(&timers[2], 'z', 120000);
    timers[2].stops = true;
    loop_run(loop);
    assert_string_equal(order, "aaz");
}

static void test_timer_moves_and_far_ones_wait(void **state)
{
    struct named_timer timers[3] = {0};

    (void)state;
    /* One lap of the wheel later in the same slot as a near one. */
    named_set(&timers[0], 'x', (uint64_t)4096 * 16000 + 40000);
    named_set(&timers[1], 'y', 3600000000u);
    named_set(&timers[2], 'a', 30000000);
    timers[2].due_us = loop_now_us(loop) + 40000;
    loop_timer_set(loop, &timers[2].timer, 40000);
    timers[2].stops = true;
    uint64_t begin = clock_mono_us();
    loop_run(loop);
    assert_string_equal(order, "a");
    assert_in_range(clock_mono_us() - begin, 30000, 15000000);
    loop_timer_clear(&timers[0].timer);
    loop_timer_clear(&timers[1].timer);
    loop_timer_clear(&timers[1].timer); /* twice is harmless */
}

/* ---- tasks ---- */

static unsigned task_runs;
static struct loop_task task_first;
static struct loop_task task_second;

static void task_count(struct loop_task *task)
{
    task_runs++;
    if (task == &task_first && task_runs < 5) {
        loop_task_defer(loop, task); /* next round */
        loop_task_defer(loop, task);
    } else if (task == &task_first) {
        loop_task_clear(&task_second);
        loop_stop(loop);
    }
}

static void test_tasks_run_once_per_round(void **state)
{
    (void)state;
    task_runs = 0;
    loop_task_init(&task_first, task_count);
    loop_task_init(&task_second, task_count);
    loop_task_defer(loop, &task_first);
    loop_task_defer(loop, &task_first);
    loop_run(loop);
    assert_int_equal(task_runs, 5);
    /* A cleared one never runs. */
    loop_task_defer(loop, &task_second);
    loop_task_clear(&task_second);
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(task_runs, 5);
}

/* ---- watches ---- */

struct pipe_watch {
    struct loop_watch watch;
    struct pipe_watch *other;
    int fds[2];
    unsigned calls;
};

static void pipe_ready(struct loop_watch *watch, uint32_t events)
{
    struct pipe_watch *self = CONTAINER_OF(watch, struct pipe_watch, watch);

    assert_true((events & EPOLLIN) != 0);
    self->calls++;
    /* Both are ready in this round: the other one must not be called any more. */
    loop_watch_remove(loop, &self->other->watch);
    loop_watch_remove(loop, &self->watch);
    memset(&self->other->watch, 0x5a, sizeof(self->other->watch));
    loop_stop(loop);
}

static void test_watch_removed_by_another_is_not_called(void **state)
{
    struct pipe_watch pipes[2] = {0};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i].fds), 0);
        assert_int_equal(write(pipes[i].fds[1], "x", 1), 1);
        pipes[i].other = &pipes[1 - i];
        pipes[i].watch = (struct loop_watch){.ready = pipe_ready, .fd = pipes[i].fds[0]};
        assert_int_equal(loop_watch_add(loop, &pipes[i].watch, EPOLLIN), ERR_OK);
    }
    loop_run(loop);
    assert_int_equal(pipes[0].calls + pipes[1].calls, 1);
    for (unsigned i = 0; i < 2; i++) {
        close(pipes[i].fds[0]);
        close(pipes[i].fds[1]);
    }
}

static void test_watch_add_reports_failure(void **state)
{
    struct loop_watch watch = {.ready = pipe_ready, .fd = 1 << 20};

    (void)state;
    assert_int_not_equal(loop_watch_add(loop, &watch, EPOLLIN), ERR_OK);
    loop_watch_remove(loop, &watch); /* harmless */
}

/* ---- mail ---- */

enum {
    SENDERS = 8,
    MAILS = 2000,
};

struct numbered_mail {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

static unsigned mail_next[SENDERS];
static unsigned mail_count;

static void mail_deliver(struct mail *mail)
{
    struct numbered_mail *numbered = CONTAINER_OF(mail, struct numbered_mail, mail);

    assert_int_equal(numbered->number, mail_next[numbered->sender]++);
    mem_free(numbered);
    if (++mail_count == SENDERS * MAILS) {
        loop_stop(loop);
    }
}

static void *mail_send(void *arg)
{
    unsigned sender = *(unsigned *)arg;

    for (unsigned i = 0; i < MAILS; i++) {
        struct numbered_mail *mail = mem_new(sizeof(*mail));
        mail->mail.deliver = mail_deliver;
        mail->sender = sender;
        mail->number = i;
        mailbox_post(loop_mailbox(loop), &mail->mail);
    }
    return NULL;
}

static void test_mail_of_eight_threads_arrives_in_order(void **state)
{
    pthread_t threads[SENDERS];
    unsigned senders[SENDERS];

    (void)state;
    mail_count = 0;
    memset(mail_next, 0, sizeof(mail_next));
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = i;
        assert_int_equal(thread_start(&threads[i], "sender", mail_send, &senders[i]), ERR_OK);
    }
    loop_run(loop);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(mail_next[i], MAILS);
    }
}

static void test_stop_before_run_and_waiting_mail(void **state)
{
    unsigned sender = 0;

    (void)state;
    loop_stop(loop);
    loop_stop(loop);
    loop_run(loop);
    /* Mail nobody waited for is delivered by loop_free, not leaked. */
    mail_count = 0;
    mail_next[0] = 0;
    (void)mail_send(&sender);
    assert_int_equal(mail_count, 0);
    loop_free(&loop);
    assert_int_equal(mail_count, MAILS);
}

static void test_date_is_imf_fixdate(void **state)
{
    (void)state;
    struct span date = loop_http_date(loop);
    assert_int_equal(date.len, 29);
    assert_memory_equal(date.ptr + 25, " GMT", 4);
    assert_int_equal(date.ptr[3], ',');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timers_fire_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timers_of_one_slot_clear_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_moves_and_far_ones_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tasks_run_once_per_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_removed_by_another_is_not_called, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_watch_add_reports_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mail_of_eight_threads_arrives_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stop_before_run_and_waiting_mail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_date_is_imf_fixdate, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
