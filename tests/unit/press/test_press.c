/* The press: bytes come back as they went in, what gains nothing or finds no room is told, and
 * every job taken comes back once. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "press/press.h"

static unsigned done_count;

static void on_done(struct press_job *job)
{
    (void)job;
    done_count++;
}

static void await(struct mailbox *box, unsigned count)
{
    while (done_count < count) {
        struct pollfd wait = {.fd = box->fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 20000), 1);
        (void)mailbox_deliver(box);
    }
}

static char *body_of(size_t len, bool is_noise)
{
    char *body = mem_new(len + 1);
    if (is_noise) {
        random_bytes(body, len);
    }
    for (size_t i = 0; !is_noise && i < len; i++) {
        body[i] = (char)('a' + (i * i / 7) % 11);
    }
    return body;
}

static struct press_job job_of(struct mailbox *box, const struct span *pieces, size_t count)
{
    struct press_job job = {.level = 6, .pieces = pieces, .piece_count = count, .box = box};
    for (size_t i = 0; i < count; i++) {
        job.length += pieces[i].len;
    }
    job.limit = (size_t)job.length;
    job.done = on_done;
    return job;
}

static void check_gzip(const struct press_job *job, struct span body)
{
    z_stream stream = {.next_in = (Bytef *)job->data, .avail_in = (uInt)job->len};
    char *out = mem_new(body.len + 1);
    assert_int_equal(inflateInit2(&stream, 31), Z_OK);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)body.len + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, body.len);
    assert_int_equal(stream.avail_in, 0);
    assert_memory_equal(out, body.ptr, body.len);
    (void)inflateEnd(&stream);
    mem_free(out);
}

static void round_trip(void **state)
{
    static const size_t lengths[] = {2000, 262144, 262145, 1000000};
    struct mailbox box;
    struct press *press =
        press_new(&(struct press_options){.threads = 2, .jobs_max = 8, .bytes_max = 1 << 20});
    (void)state;
    mailbox_init(&box);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *body = body_of(lengths[i], false);
        /* pieces of any size, empty ones too */
        const struct span pieces[] = {
            span_of(body, 1), span_of(body, 0), span_of(body + 1, lengths[i] / 2),
            span_of(body + 1 + lengths[i] / 2, lengths[i] - 1 - lengths[i] / 2), span_of(body, 0)};
        struct press_job gzip = job_of(&box, pieces, 5);
        struct press_job again = gzip;
        struct press_job brotli = gzip;
        brotli.format = PRESS_BROTLI;
        done_count = 0;
        assert_true(press_submit(press, &gzip));
        await(&box, 1);
        assert_true(press_submit(press, &again));
        await(&box, 2);
        assert_true(press_submit(press, &brotli));
        await(&box, 3);
        assert_int_equal(gzip.result, PRESS_DONE);
        assert_int_equal(brotli.result, PRESS_DONE);
        check_gzip(&gzip, span_of(body, lengths[i]));
        assert_int_equal(again.check, gzip.check);
        assert_true(gzip.check != brotli.check && brotli.len > 0 && brotli.len < lengths[i]);
        mem_free(gzip.data);
        mem_free(again.data);
        mem_free(brotli.data);
        mem_free(body);
    }
    press_free(&press);
    mailbox_fini(&box);
}

static void no_gain(void **state)
{
    struct mailbox box;
    struct press *press =
        press_new(&(struct press_options){.threads = 1, .jobs_max = 8, .bytes_max = 1 << 20});
    char *noise = body_of(600000, true);
    char *text = body_of(600000, false);
    const struct span noises[] = {span_of(noise, 300000), span_of(noise + 300000, 300000)};
    const struct span texts[] = {span_of(text, 600000)};
    (void)state;
    mailbox_init(&box);
    done_count = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct press_job job = job_of(&box, i < 2 ? noises : texts, i < 2 ? 2 : 1);
        job.format = i % 2 == 0 ? PRESS_GZIP : PRESS_BROTLI;
        job.limit = i < 2 ? job.limit - 1 : 10; /* a body too good to be true */
        assert_true(press_submit(press, &job));
        await(&box, i + 1);
        assert_int_equal(job.result, PRESS_NO_GAIN);
        assert_null(job.data);
        assert_int_equal(job.len, 0);
    }
    press_free(&press);
    mailbox_fini(&box);
    mem_free(noise);
    mem_free(text);
}

/* More than the queue takes, and an end while most of it waits. */
static void bounds(void **state)
{
    struct mailbox box;
    struct press_job jobs[6];
    struct press *press =
        press_new(&(struct press_options){.threads = 1, .jobs_max = 4, .bytes_max = 1 << 30});
    char *body = body_of(20000000, false);
    const struct span pieces[] = {span_of(body, 20000000)};
    unsigned taken = 0;
    (void)state;
    mailbox_init(&box);
    done_count = 0;
    for (unsigned i = 0; i < 6; i++) {
        jobs[i] = job_of(&box, pieces, 1);
        jobs[i].format = PRESS_BROTLI;
        jobs[i].level = 9;
        taken += press_submit(press, &jobs[i]) ? 1 : 0;
    }
    assert_int_equal(taken, 4);
    assert_true(press_is_full(press));
    press_free(&press);
    assert_null(press);
    await(&box, 4);
    assert_int_equal(mailbox_deliver(&box), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(jobs[i].result, PRESS_CANCELLED);
        assert_null(jobs[i].data);
    }
    mailbox_fini(&box);
    mem_free(body);
}

static void byte_bound(void **state)
{
    struct mailbox box;
    struct press_job jobs[3];
    struct press *press =
        press_new(&(struct press_options){.threads = 1, .jobs_max = 10, .bytes_max = 1000});
    char *body = body_of(3000000, false);
    const struct span pieces[] = {span_of(body, 3000000)};
    (void)state;
    mailbox_init(&box);
    done_count = 0;
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = job_of(&box, pieces, 1);
    }
    assert_true(press_submit(press, &jobs[0])); /* a single one may be larger */
    assert_true(press_is_full(press));
    assert_false(press_submit(press, &jobs[1]));
    await(&box, 1);
    assert_false(press_is_full(press));
    assert_true(press_submit(press, &jobs[2]));
    await(&box, 2);
    mem_free(jobs[0].data);
    mem_free(jobs[2].data);
    press_free(&press);
    press_free(&press); /* NULL is fine */
    mailbox_fini(&box);
    mem_free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(no_gain),
        cmocka_unit_test(bounds),
        cmocka_unit_test(byte_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
