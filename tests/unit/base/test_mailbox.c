/* mailbox, lock, thread: eight senders and one owner that only ever waits for the descriptor. */
#include <poll.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/thread.h"
#include "helper.h"

#define SENDERS 8
#define MAILS 5000

struct letter {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

static struct mailbox box;
static unsigned next_number[SENDERS];
static unsigned delivered;

static void deliver(struct mail *mail)
{
    struct letter *letter = CONTAINER_OF(mail, struct letter, mail);

    CHECK(letter->number == next_number[letter->sender]); /* in order */
    next_number[letter->sender]++;
    delivered++;
    mem_free(letter);
}

static void *send_all(void *arg)
{
    unsigned sender = *(unsigned *)arg;

    for (unsigned i = 0; i < MAILS; i++) {
        struct letter *letter = mem_new(sizeof(*letter));
        letter->mail.deliver = deliver;
        letter->sender = sender;
        letter->number = i;
        mailbox_post(&box, &letter->mail);
    }
    return NULL;
}

static void many_senders(void **state)
{
    pthread_t threads[SENDERS];
    unsigned ids[SENDERS];

    (void)state;
    mailbox_init(&box);
    assert_int_equal(mailbox_deliver(&box), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        ids[i] = i;
        assert_int_equal(thread_start(&threads[i], "sender", send_all, &ids[i]), ERR_OK);
    }
    while (delivered < SENDERS * MAILS) {
        struct pollfd wait = {.fd = box.fd, .events = POLLIN};
        /* A lost wake-up shows as a time-out here. */
        assert_int_equal(poll(&wait, 1, 10000), 1);
        (void)mailbox_deliver(&box);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    mailbox_fini(&box);
}

static unsigned chained;

static void post_again(struct mail *mail)
{
    if (++chained < 3) {
        mailbox_post(&box, mail);
    }
}

static void reposting(void **state)
{
    struct mail mail = {.deliver = post_again};
    struct pollfd wait = {.events = POLLIN};

    (void)state;
    mailbox_init(&box);
    wait.fd = box.fd;
    mailbox_post(&box, &mail);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(poll(&wait, 1, 0), 1);
        assert_int_equal(mailbox_deliver(&box), 1);
        assert_int_equal(chained, i);
    }
    assert_int_equal(poll(&wait, 1, 0), 0);
    mailbox_fini(&box);
}

static struct lock lock;
static struct cond cond;
static unsigned counter;

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        lock_acquire(&lock);
        counter++;
        lock_release(&lock);
    }
    lock_acquire(&lock);
    cond_signal(&cond);
    lock_release(&lock);
    return NULL;
}

static void locking(void **state)
{
    pthread_t threads[4];

    (void)state;
    lock_init(&lock, LOCK_QUEUE);
    cond_init(&cond);
    lock_acquire(&lock);
    assert_true(lock_is_held(&lock));
    uint64_t before = clock_mono_us();
    assert_false(cond_wait(&cond, &lock, 20));
    assert_true(clock_mono_us() - before >= 19000);
    assert_true(lock_is_held(&lock));
    lock_release(&lock);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(thread_start(&threads[i], "counter", count_up, NULL), ERR_OK);
    }
    lock_acquire(&lock);
    while (counter < 40000) {
        (void)cond_wait(&cond, &lock, 1000);
    }
    lock_release(&lock);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    cond_fini(&cond);
    lock_fini(&lock);
}

#ifdef LARDER_DEBUG
static void breach(void)
{
    struct lock low;
    struct lock high;

    lock_init(&low, LOCK_SHARD);
    lock_init(&high, LOCK_OBJECT);
    lock_acquire(&high);
    lock_acquire(&low);
}

static void same_rank(void)
{
    struct lock one;
    struct lock two;

    lock_init(&one, LOCK_SHARD);
    lock_init(&two, LOCK_SHARD);
    lock_acquire(&one);
    lock_acquire(&two);
}

static void not_held(void)
{
    struct lock one;

    lock_init(&one, LOCK_SHARD);
    lock_release(&one);
}

static void in_order(void)
{
    struct lock low;
    struct lock high;

    lock_init(&low, LOCK_SHARD);
    lock_init(&high, LOCK_OBJECT);
    lock_acquire(&low);
    lock_acquire(&high);
    lock_release(&low);
    lock_release(&high);
    lock_acquire(&low);
    lock_release(&low);
}

static void ranks(void **state)
{
    (void)state;
    assert_true(aborts(breach));
    assert_true(aborts(same_rank));
    assert_true(aborts(not_held));
    assert_false(aborts(in_order));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_senders),
        cmocka_unit_test(reposting),
        cmocka_unit_test(locking),
#ifdef LARDER_DEBUG
        cmocka_unit_test(ranks),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
