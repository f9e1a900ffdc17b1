#ifndef TESTS_UNIT_STORE_SUPPORT_H
#define TESTS_UNIT_STORE_SUPPORT_H
/*
 * support - what the store's tests share: content that is a function of the key, a lookup whose
 * facts say how it is to be judged, and a mailbox loop. Everything static: one program per test
 * file.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include "tests/unit/remove_tree.h"

#define UNUSED __attribute__((unused))

/* facts[0]: enum store_judgement wanted; facts[1]: judgement once soft-purged. */
static UNUSED enum store_judgement test_judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    (void)ctx;
    return (enum store_judgement)(soft_at_ms != 0 ? facts[1] : facts[0]);
}

/* ctx: the selector wanted (text) or NULL for an object without one. */
static UNUSED bool test_matches(struct span selector, void *ctx)
{
    return selector.len == 0 || (ctx != NULL && span_eq(selector, span_str(ctx)));
}

static UNUSED struct store_lookup test_lookup_of(struct store *store, const char *key,
                                                 const char *selector)
{
    return (struct store_lookup){
        .key = store_key_of(store, span_str(key)),
        .may_lead = true,
        .may_follow = true,
        .matches = test_matches,
        .judge = test_judge,
        .ctx = (void *)(uintptr_t)selector,
    };
}

static UNUSED struct store_head test_head(uint64_t length, enum store_judgement judgement)
{
    struct store_head head = {.head = SPAN("HTTP/1.1 200 OK\r\nX: y\r\n\r\n"), .length = length};

    head.facts[0] = (uint8_t)judgement;
    head.facts[1] = STORE_JUDGE_VALIDATE;
    head.facts[2] = 42;
    return head;
}

/* Byte i of the body of key. */
static UNUSED char test_byte(uint64_t seed, uint64_t i)
{
    uint64_t x = seed + i / 8 * UINT64_C(0x9e3779b97f4a7c15);

    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return (char)(x >> (8 * (i % 8)));
}

static UNUSED uint64_t test_seed(const char *key)
{
    uint64_t seed = 1469598103934665603u;

    for (; *key != '\0'; key++) {
        seed = (seed ^ (uint8_t)*key) * 1099511628211u;
    }
    return seed;
}

static UNUSED void test_fill_bytes(char *out, uint64_t seed, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = test_byte(seed, offset + i);
    }
}

static UNUSED void test_check_bytes(struct span got, uint64_t seed, uint64_t offset)
{
    for (size_t i = 0; i < got.len; i++) {
        if (got.ptr[i] != test_byte(seed, offset + i)) {
            print_error("wrong byte at %llu\n", (unsigned long long)(offset + i));
            assert_true(false);
        }
    }
}

/* Appends [from, to) of the key's content. */
static UNUSED void test_append(struct store_lead *lead, const char *key, uint64_t from, uint64_t to)
{
    char block[16384];
    uint64_t seed = test_seed(key);

    while (from < to) {
        size_t n = to - from < sizeof(block) ? (size_t)(to - from) : sizeof(block);
        test_fill_bytes(block, seed, from, n);
        assert_int_equal(store_lead_append(lead, span_of(block, n)), ERR_OK);
        from += n;
    }
}

/* Delivers mail until *flag, at most ms. */
static UNUSED bool test_wait(struct mailbox *box, const bool *flag, int ms)
{
    uint64_t until = clock_mono_us() + (uint64_t)ms * 1000;

    while (!*flag && clock_mono_us() < until) {
        struct pollfd pollfd = {.fd = box->fd, .events = POLLIN};
        (void)poll(&pollfd, 1, 10);
        (void)mailbox_deliver(box);
    }
    return *flag;
}

static UNUSED void test_wake(void *ctx)
{
    *(bool *)ctx = true;
}

/* Reads the rest of an object from offset on and checks each byte. Returns false when it breaks. */
static UNUSED bool test_read_all(struct store *store, struct store_object *object, const char *key,
                                 uint64_t offset, struct mailbox *box)
{
    bool woken = false;
    uint64_t seed = test_seed(key);
    struct store_reader *reader =
        store_reader_open(store, object, offset, false, box, test_wake, &woken);
    bool ok = true;

    assert_non_null(reader);
    for (;;) {
        struct span span;
        enum store_read got = store_reader_next(reader, &span);
        if (got == STORE_READ_WAIT) {
            assert_true(test_wait(box, &woken, 20000));
            woken = false;
            continue;
        }
        if (got != STORE_READ_BYTES) {
            ok = got == STORE_READ_END;
            break;
        }
        test_check_bytes(span, seed, offset);
        offset += span.len;
        store_reader_advance(reader, span.len);
    }
    store_reader_close(&reader);
    if (ok) {
        assert_int_equal(offset, store_object_length(object));
    }
    return ok;
}

struct test_load {
    bool is_done;
    struct store_object *object;
};

static UNUSED void test_loaded(void *ctx, struct store_object *object)
{
    struct test_load *load = ctx;

    load->object = object;
    load->is_done = true;
}

/* A lookup that goes through the disk when it must. */
static UNUSED enum store_verdict test_get(struct store *store, struct store_lookup *lookup,
                                          struct mailbox *box)
{
    for (int i = 0; i < 20; i++) {
        enum store_verdict verdict = store_lookup(store, lookup);
        store_object_unref(&lookup->loaded);
        if (verdict != STORE_DISK) {
            return verdict;
        }
        struct test_load load = {0};
        assert_non_null(store_load_start(store, lookup, box, test_loaded, &load));
        assert_true(test_wait(box, &load.is_done, 20000));
        lookup->loaded = load.object;
    }
    return STORE_DISK;
}

/* Gives back all a lookup brought. */
static UNUSED void test_drop(struct store_lookup *lookup)
{
    store_object_unref(&lookup->object);
    store_object_unref(&lookup->stale);
    store_object_unref(&lookup->loaded);
    store_lead_abort(&lookup->lead, 0);
}

/* No fill may be left. */
static UNUSED void test_close(struct store **store, struct mailbox *box)
{
    struct store_stats stats;

    (void)mailbox_deliver(box);
    store_stats(*store, &stats);
    assert_int_equal(stats.fills, 0);
    store_close(store);
}

/* Leads, fills and commits in one go. */
static UNUSED void test_put(struct store *store, const char *key, uint64_t length,
                            enum store_judgement judgement)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);
    struct store_head head = test_head(length, judgement);

    struct mailbox box;
    mailbox_init(&box);
    assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD); /* by way of an index loading */
    mailbox_fini(&box);
    store_object_unref(&lookup.object);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    test_append(lookup.lead, key, 0, length);
    store_lead_commit(&lookup.lead);
}

/* Is the object a fresh hit with the right bytes? */
static UNUSED bool test_hit(struct store *store, const char *key, uint64_t length,
                            struct mailbox *box)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    lookup.may_lead = false;
    enum store_verdict verdict = test_get(store, &lookup, box);
    if (verdict != STORE_FRESH) {
        store_object_unref(&lookup.object);
        store_object_unref(&lookup.stale);
        return false;
    }
    assert_int_equal(store_object_length(lookup.object), length);
    assert_true(span_eq(store_object_key(lookup.object), span_str(key)));
    assert_int_equal(store_object_facts(lookup.object)[2], 42);
    assert_true(span_starts(store_object_head(lookup.object), SPAN("HTTP/1.1 200")));
    bool ok = test_read_all(store, lookup.object, key, 0, box);
    store_object_unref(&lookup.object);
    return ok;
}
#endif
