#ifndef TESTS_UNIT_FETCH_PROBE_H
#define TESTS_UNIT_FETCH_PROBE_H
/* probe - a fetch handler that writes down what it was told. Header only; for the tests of this
 * folder. */
#include "origin.h"

enum probe_stage {
    PROBE_NEVER,
    PROBE_IN_INFORMATIONAL,
    PROBE_IN_HEAD,
    PROBE_IN_DATA,
    PROBE_IN_BATCH,
    PROBE_IN_BODY,
    PROBE_IN_DONE,
};

struct probe {
    struct loop *loop;
    struct fetch *fetch;
    struct loop_timer timer;
    unsigned informational, heads, datas, batches, dones, ends;
    unsigned status;
    bool chunked, has_length, unstorable;
    struct buf body;
    struct fetch_result result;
    /* behaviour */
    enum probe_stage cancel_at;
    bool cancel_by_call; /* fetch_cancel from inside instead of FETCH_CANCEL */
    bool ends_cancelled;
    bool pause_head;
    unsigned pause_every; /* data calls between pauses; 0: never */
    bool paused;
    struct span upload;
    size_t upload_at;
    size_t upload_piece; /* bytes per call */
    bool upload_pauses;  /* between pieces */
    bool upload_breaks;  /* FETCH_CANCEL at the end */
    bool upload_stalls;  /* waits for ever at the end */
    bool stops;          /* the loop, when done */
    bool wants_body_later;
    unsigned upload_asked; /* calls for more */
};

static void probe_end(struct probe *probe)
{
    if (probe->stops) {
        loop_stop(probe->loop);
    }
}

/* Cancels here, when told so. */
static bool probe_cancels(struct probe *probe, enum probe_stage stage, enum fetch_flow *flow)
{
    if (probe->cancel_at != stage) {
        return false;
    }
    assert_false(probe->ends_cancelled); /* nothing is called after a cancel */
    probe->ends_cancelled = true;
    if (probe->cancel_by_call) {
        fetch_cancel(&probe->fetch);
        assert_null(probe->fetch);
    } else {
        *flow = FETCH_CANCEL;
    }
    return true;
}

static void probe_informational(void *ctx, struct span head)
{
    struct probe *probe = ctx;
    enum fetch_flow flow;

    assert_false(probe->ends_cancelled);
    assert_memory_equal(head.ptr + head.len - 4, "\r\n\r\n", 4);
    probe->informational++;
    (void)probe_cancels(probe, PROBE_IN_INFORMATIONAL, &flow);
}

static enum fetch_flow probe_head(void *ctx, const struct http_response *response)
{
    struct probe *probe = ctx;
    enum fetch_flow flow = FETCH_GO;

    assert_false(probe->ends_cancelled);
    probe->heads++;
    probe->status = response->status;
    probe->chunked = response->chunked;
    probe->has_length = response->has_content_length;
    probe->unstorable = response->unstorable;
    if (!probe_cancels(probe, PROBE_IN_HEAD, &flow) && probe->pause_head) {
        probe->paused = true;
        flow = FETCH_PAUSE;
    }
    return flow;
}

static enum fetch_flow probe_data(void *ctx, struct span data)
{
    struct probe *probe = ctx;
    enum fetch_flow flow = FETCH_GO;

    assert_false(probe->ends_cancelled);
    assert_false(probe->paused); /* nothing comes while paused */
    assert_true(data.len > 0);
    probe->datas++;
    buf_append(&probe->body, data);
    if (!probe_cancels(probe, PROBE_IN_DATA, &flow) && probe->pause_every > 0 &&
        probe->datas % probe->pause_every == 0) {
        probe->paused = true;
        flow = FETCH_PAUSE;
    }
    return flow;
}

static void probe_ended(void *ctx)
{
    struct probe *probe = ctx;

    assert_false(probe->ends_cancelled);
    assert_int_equal(probe->status, 101);
    probe->ends++;
}

static void probe_batch(void *ctx)
{
    struct probe *probe = ctx;
    enum fetch_flow flow = FETCH_GO;

    assert_false(probe->ends_cancelled);
    assert_true(probe->heads > 0);
    probe->batches++;
    if (probe->cancel_at == PROBE_IN_BATCH) {
        probe->cancel_by_call = true;
        (void)probe_cancels(probe, PROBE_IN_BATCH, &flow);
        return;
    }
    if (probe->paused) {
        loop_timer_set(probe->loop, &probe->timer, 1000);
    }
}

static void probe_done(void *ctx, const struct fetch_result *result)
{
    struct probe *probe = ctx;

    assert_false(probe->ends_cancelled);
    assert_int_equal(probe->dones, 0);
    assert_true(probe->heads == 0 || probe->batches > 0);
    probe->dones++;
    probe->result = *result;
    if (probe->cancel_at == PROBE_IN_DONE) {
        fetch_cancel(&probe->fetch); /* superfluous, but harmless */
    }
    probe->fetch = NULL;
    probe_end(probe);
}

static enum fetch_flow probe_body(void *ctx, char *out, size_t size, size_t *count)
{
    struct probe *probe = ctx;
    enum fetch_flow flow = FETCH_GO;
    size_t left = probe->upload.len - probe->upload_at;
    size_t piece = probe->upload_piece < left ? probe->upload_piece : left;

    assert_false(probe->ends_cancelled);
    probe->upload_asked++;
    *count = 0;
    if (probe_cancels(probe, PROBE_IN_BODY, &flow)) {
        return flow;
    }
    if (probe->upload_pauses && !probe->wants_body_later) {
        probe->wants_body_later = true;
        loop_timer_set(probe->loop, &probe->timer, 1000);
        return FETCH_PAUSE;
    }
    probe->wants_body_later = false;
    if (piece == 0 && probe->upload_stalls) {
        return FETCH_PAUSE;
    }
    if (piece == 0 && probe->upload_breaks) {
        probe->ends_cancelled = true;
        return FETCH_CANCEL;
    }
    piece = piece < size ? piece : size;
    if (piece > 0) {
        memcpy(out, probe->upload.ptr + probe->upload_at, piece);
    }
    probe->upload_at += piece;
    *count = piece;
    return FETCH_GO;
}

/* Resumes what was paused. */
static void probe_timer(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

    if (probe->fetch == NULL || probe->ends_cancelled) {
        return;
    }
    if (probe->wants_body_later) {
        fetch_resume_body(probe->fetch);
    }
    if (probe->paused) {
        probe->paused = false;
        fetch_resume(probe->fetch);
    }
}

static const struct fetch_handler probe_handler = {
    .informational = probe_informational,
    .head = probe_head,
    .data = probe_data,
    .ended = probe_ended,
    .batch = probe_batch,
    .done = probe_done,
    .body = probe_body,
};

static inline void probe_init(struct probe *probe, struct loop *loop)
{
    memset(probe, 0, sizeof(*probe));
    probe->loop = loop;
    probe->stops = true;
    probe->upload_piece = SIZE_MAX;
    loop_timer_init(&probe->timer, probe_timer);
    buf_init(&probe->body, ORIGIN_BODY_BYTES);
}

static inline void probe_fini(struct probe *probe)
{
    loop_timer_clear(&probe->timer);
    buf_free(&probe->body);
}

static inline struct fetch_request probe_request(const struct origin *origin, const char *target)
{
    return (struct fetch_request){
        .origin = &origin->address,
        .method = SPAN("GET"),
        .host = SPAN("example.org"),
        .target = span_str(target),
        .may_retry = true,
    };
}

#define HANG_MS 60000 /* whatever takes so long never ends */

/* A loop that does not end by itself is stopped and the test fails. */
struct watchdog {
    struct loop_timer timer;
    struct loop *loop;
    bool bit;
};

static void watchdog_fire(struct loop_timer *timer)
{
    struct watchdog *dog = CONTAINER_OF(timer, struct watchdog, timer);

    dog->bit = true;
    loop_stop(dog->loop);
}

static inline void run_loop(struct loop *loop, unsigned ms, bool may_bite)
{
    struct watchdog dog = {.loop = loop};

    loop_timer_init(&dog.timer, watchdog_fire);
    loop_timer_set(loop, &dog.timer, (uint64_t)ms * 1000);
    loop_run(loop);
    loop_timer_clear(&dog.timer);
    assert_true(may_bite || !dog.bit);
}

/* Around all tests of a program. */
static inline int group_begin(void **state)
{
    (void)state;
    fetch_global_init();
    return 0;
}

static inline int group_end(void **state)
{
    (void)state;
    mem_free(origin_body);
    return 0;
}
#endif
