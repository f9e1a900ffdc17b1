/*
 * Leaders and followers in many threads: each thread is a worker with a mailbox of its own. Any key
 * is fetched by whoever leads; fills fail, are detached, refreshed, purged; every byte read is
 * checked against the key's content. Small budget, so that eviction runs all the time; with and
 * without disk.
 */
#include <pthread.h>

#include "support.h"

#define THREADS 6
#define KEYS 40
#define ROUNDS 400

static struct store *store;
static _Atomic unsigned counts[16];

enum {
    DID_FRESH,
    DID_STALE,
    DID_LEAD,
    DID_FOLLOW,
    DID_DISK,
    DID_PASS,
    DID_AGAIN,
    DID_FAILED,
    DID_ALONE,
    DID_SHARE
};

static void did(unsigned what)
{
    atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
}

struct worker {
    struct mailbox box;
    uint64_t random;
    pthread_t thread;
};

static unsigned worker_random(struct worker *worker, unsigned below)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random % below);
}

static uint64_t key_length(unsigned key)
{
    static const uint64_t lengths[] = {10, 1000, 40000, 300000, 1500000};
    return lengths[key % ARRAY_LEN(lengths)];
}

/* Waits for a flag set by mail; never for ever: a lost wake-up fails the test. */
static void wait_woken(struct worker *worker, bool *flag)
{
    if (!test_wait(&worker->box, flag, 30000)) {
        print_error("lost wake-up\n");
        abort();
    }
    *flag = false;
}

static void follow(struct worker *worker, struct store_object *object, const char *key)
{
    bool woken = false;
    uint32_t code = 0;
    uint64_t offset = 0;
    uint64_t seed = test_seed(key);
    struct store_reader *reader =
        store_reader_open(store, object, 0, false, &worker->box, test_wake, &woken);

    if (reader == NULL) {
        return; /* too many readers */
    }
    for (;;) {
        enum store_head_state state = store_reader_head(reader, &code);
        if (state == STORE_HEAD_WAIT) {
            wait_woken(worker, &woken);
            continue;
        }
        did(state == STORE_HEAD_AGAIN    ? DID_AGAIN
            : state == STORE_HEAD_FAILED ? DID_FAILED
            : state == STORE_HEAD_ALONE  ? DID_ALONE
                                         : DID_FOLLOW);
        if (state != STORE_HEAD_READY) {
            assert_true(state != STORE_HEAD_FAILED || code == 7);
            store_reader_close(&reader);
            return;
        }
        break;
    }
    for (;;) {
        struct span span;
        enum store_read got = store_reader_next(reader, &span);
        if (got == STORE_READ_WAIT) {
            if (worker_random(worker, 50) == 0) {
                break; /* the client leaves */
            }
            wait_woken(worker, &woken);
            continue;
        }
        if (got != STORE_READ_BYTES) {
            if (got == STORE_READ_END && offset != store_object_length(object)) {
                print_error("short body\n");
                abort();
            }
            break;
        }
        size_t n = 1 + worker_random(worker, (unsigned)span.len);
        test_check_bytes(span_of(span.ptr, n), seed, offset);
        store_reader_advance(reader, n);
        offset += n;
    }
    store_reader_close(&reader);
}

static void fill(struct worker *worker, struct store_lookup *lookup, const char *key,
                 unsigned number)
{
    struct store_lead *lead = lookup->lead;
    bool has_stale = lookup->object != NULL && !lookup->is_solo;
    uint64_t length = key_length(number);
    bool is_known = worker_random(worker, 2) == 0;
    struct store_head head = test_head(is_known ? length : STORE_LENGTH_UNKNOWN,
                                       (enum store_judgement)(worker_random(worker, 5) % 3));
    bool woken = false;
    uint64_t at = 0;
    unsigned fate = worker_random(worker, 12);
    uint64_t stop = fate == 0 ? worker_random(worker, (unsigned)length) : length;
    struct store_reader *own = NULL;
    struct store_object *object = store_object_ref(store_lead_object(lead));

    store_lead_bind(lead, &worker->box, test_wake, &woken);
    if (worker_random(worker, 2) == 0) {
        usleep(worker_random(worker, 1500)); /* the origin thinks: others come to wait */
    }
    if (fate == 1) {
        store_lead_abort(&lead, worker_random(worker, 2) ? 7 : 0);
        store_object_unref(&object);
        return;
    }
    if (fate == 2 && has_stale) {
        struct store_object *fresh = store_lead_refresh(&lead, &head);
        store_object_unref(&fresh);
        store_object_unref(&object);
        return;
    }
    if (fate == 3 || (lookup->is_solo && !store_lead_share(lead))) {
        bool ignored = false;
        own = store_reader_open(store, object, 0, true, &worker->box, test_wake, &ignored);
        store_lead_detach(lead, fate == 3 ? worker_random(worker, 300) : 0);
    } else {
        did(lookup->is_solo ? DID_SHARE : DID_LEAD);
    }
    assert_int_equal(store_lead_head(lead, &head), ERR_OK);
    while (at < stop) {
        uint64_t to = at + 1 + worker_random(worker, 60000);
        to = to < stop ? to : stop;
        test_append(lead, key, at, to);
        at = to;
        if (worker_random(worker, 3) == 0) {
            store_lead_flush(lead);
            usleep(worker_random(worker, 100));
        }
        struct span span;
        while (own != NULL && store_reader_next(own, &span) == STORE_READ_BYTES) {
            store_reader_advance(own, span.len);
        }
        (void)mailbox_deliver(&worker->box);
        if (store_lead_must_pause(lead) && own == NULL) {
            if (store_lead_is_abandoned(lead)) {
                break;
            }
            wait_woken(worker, &woken);
        }
    }
    store_reader_close(&own);
    if (at == length) {
        store_lead_commit(&lead);
    } else {
        store_lead_abort(&lead, 7);
    }
    store_object_unref(&object);
}

static void request(struct worker *worker)
{
    unsigned number = worker_random(worker, KEYS);
    char key[32];
    snprintf(key, sizeof(key), "follow %u", number);
    if (worker_random(worker, 60) == 0) {
        struct store_purge_result result;
        store_purge_key(store, span_str(key),
                        worker_random(worker, 2) ? STORE_PURGE_HARD : STORE_PURGE_SOFT, false,
                        false, &result);
        return;
    }
    struct store_lookup lookup = test_lookup_of(store, key, NULL);
    lookup.may_solo = worker_random(worker, 4) != 0;
    switch (test_get(store, &lookup, &worker->box)) {
    case STORE_FRESH:
        did(DID_FRESH);
        follow(worker, lookup.object, key);
        break;
    case STORE_STALE:
        did(DID_STALE);
        follow(worker, lookup.object, key);
        if (lookup.lead != NULL) {
            fill(worker, &lookup, key, number);
        }
        break;
    case STORE_LEAD:
        fill(worker, &lookup, key, number);
        break;
    case STORE_FOLLOW:
        follow(worker, lookup.object, key);
        break;
    case STORE_PASS: {
        did(DID_PASS);
        struct store_lead *lead = store_lead_private(store);
        store_lead_abort(&lead, 0);
        break;
    }
    case STORE_DISK:
        did(DID_DISK);
        break;
    case STORE_ABSENT:
        abort();
    }
    store_object_unref(&lookup.object);
    store_object_unref(&lookup.stale);
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < ROUNDS; i++) {
        request(worker);
        (void)mailbox_deliver(&worker->box);
    }
    return NULL;
}

static void run_all(const char *path)
{
    struct store_options options = {.path = path,
                                    .disk_bytes = 64u << 20,
                                    .memory_bytes = 8u << 20,
                                    .max_object_bytes = 1u << 30,
                                    .read_threads = 2,
                                    .flush_ms = 100,
                                    .max_readers = 50};
    static struct worker workers[THREADS];
    struct store_stats stats;

    memset(counts, 0, sizeof(counts));
    store = store_open(&options);
    for (unsigned i = 0; i < THREADS; i++) {
        mailbox_init(&workers[i].box);
        workers[i].random = 88172645463325252u + i * 977;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)mailbox_deliver(&workers[i].box);
        mailbox_fini(&workers[i].box);
    }
    store_stats(store, &stats);
    print_message(
        "fresh %u stale %u lead %u follow %u pass %u again %u failed %u alone %u share %u; evicted "
        "%u/%u corrupt %u\n",
        counts[DID_FRESH], counts[DID_STALE], counts[DID_LEAD], counts[DID_FOLLOW],
        counts[DID_PASS], counts[DID_AGAIN], counts[DID_FAILED], counts[DID_ALONE],
        counts[DID_SHARE], (unsigned)stats.evicted_memory, (unsigned)stats.evicted_disk,
        (unsigned)stats.corrupt);
    assert_int_equal(stats.fills, 0);
    assert_int_equal(stats.corrupt, 0);
    assert_true(stats.memory_bytes <= stats.memory_capacity_bytes);
    assert_true(counts[DID_FRESH] > 0 && counts[DID_LEAD] > 0 && counts[DID_FOLLOW] > 0);
    store_close(&store);
}

static void test_memory(void **state)
{
    (void)state;
    run_all(NULL);
}

static void test_disk(void **state)
{
    char folder[] = "/tmp/larder-follow-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    run_all(folder);
    run_all(folder);
    test_remove_tree(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
