/*
 * probe - see probe.h. The body is read to its end or to BODY_LOOK_BYTES, also when nobody looks
 * for a text in it: a server that stops in its midst has not passed.
 */
#include "origin/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BODY_LOOK_BYTES ((size_t)64 << 10)
#define TOTAL_SLACK_US UINT64_C(20000) /* so that the timeout that says more comes first */

enum verdict {
    FAILED,
    PASSED,
    UNASKED,
};

static void finish(struct probe *probe, enum verdict verdict)
{
    const struct health_result result = {
        .is_passed = verdict == PASSED,
        .is_unasked = verdict == UNASKED,
        .took_us = loop_now_us(probe->loop) - probe->started_us,
        .detail = probe->detail,
    };

    probe_cancel(probe);
    probe->done(probe, &result);
}

static bool is_expected(const struct conf_statuses *expect, unsigned status)
{
    for (uint32_t i = 0; i < expect->count; i++) {
        if (status >= expect->list[i].low && status <= expect->list[i].high) {
            return true;
        }
    }
    return false;
}

/* Status and body are there. */
static void judge(struct probe *probe)
{
    const char *text = probe->settings->body;

    (void)snprintf(probe->detail, sizeof(probe->detail), "status %u", probe->status);
    bool has_text =
        text == NULL || (probe->body.len > 0 &&
                         memmem(probe->body.data, probe->body.len, text, strlen(text)) != NULL);
    if (!has_text) {
        (void)snprintf(probe->detail, sizeof(probe->detail),
                       "status %u, but its body is without the text", probe->status);
    }
    bool is_passed = has_text && is_expected(&probe->settings->expect, probe->status);
    finish(probe, is_passed ? PASSED : FAILED);
}

static void on_end(struct loop_timer *timer)
{
    judge(CONTAINER_OF(timer, struct probe, end));
}

static enum fetch_flow on_head(void *ctx, const struct http_response *response)
{
    struct probe *probe = ctx;

    probe->status = response->status;
    return FETCH_GO;
}

static enum fetch_flow on_data(void *ctx, struct span data)
{
    struct probe *probe = ctx;
    size_t room = BODY_LOOK_BYTES - probe->body.len;

    buf_append(&probe->body, span_of(data.ptr, data.len < room ? data.len : room));
    if (probe->body.len < BODY_LOOK_BYTES) {
        return FETCH_GO;
    }
    probe->fetch = NULL; /* gone when this returns */
    loop_timer_set(probe->loop, &probe->end, 0);
    return FETCH_CANCEL;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    struct probe *probe = ctx;

    probe->fetch = NULL;
    if (result->fault == FETCH_OK) {
        judge(probe);
        return;
    }
    /* The slack is over first where the connection took its time. */
    bool is_unheard = result->fault == FETCH_TOTAL_TIMEOUT && probe->status == 0;
    const char *words = health_fault_words(is_unheard ? FETCH_FIRST_BYTE_TIMEOUT : result->fault);
    bool is_timeout = result->fault == FETCH_CONNECT_TIMEOUT ||
                      result->fault == FETCH_FIRST_BYTE_TIMEOUT ||
                      result->fault == FETCH_IDLE_TIMEOUT || result->fault == FETCH_TOTAL_TIMEOUT;
    if (is_timeout) {
        (void)snprintf(probe->detail, sizeof(probe->detail), "%s after %g s", words,
                       (double)probe->settings->timeout_ms / 1000.0);
    } else {
        (void)snprintf(probe->detail, sizeof(probe->detail), "%s", words);
    }
    finish(probe, result->fault == FETCH_INTERNAL ? UNASKED : FAILED);
}

static bool is_ours(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_knock(struct knock *knock, int error, uint64_t took_us)
{
    struct probe *probe = CONTAINER_OF(knock, struct probe, knock);

    (void)took_us;
    if (error == 0) {
        (void)snprintf(probe->detail, sizeof(probe->detail), "%s",
                       probe->is_tls ? "connected; TLS was not tried" : "connected");
    } else if (error == ETIMEDOUT) {
        (void)snprintf(probe->detail, sizeof(probe->detail), "connect timed out after %g s",
                       (double)probe->settings->timeout_ms / 1000.0);
    } else {
        char room[64];
        const char *words =
            error == ECONNREFUSED ? "connection refused" : strerror_r(error, room, sizeof(room));
        (void)snprintf(probe->detail, sizeof(probe->detail), "%s", words);
    }
    finish(probe, error == 0 ? PASSED : is_ours(error) ? UNASKED : FAILED);
}

void probe_init(struct probe *probe, struct loop *loop, struct fetch_pool *fetches,
                void (*done)(struct probe *probe, const struct health_result *result))
{
    *probe = (struct probe){.loop = loop, .fetches = fetches, .done = done};
    knock_init(&probe->knock, loop, on_knock);
    loop_timer_init(&probe->end, on_end);
    buf_init(&probe->body, BODY_LOOK_BYTES + 1);
}

static void ask(struct probe *probe, const struct probe_target *target)
{
    static const struct fetch_handler handler = {
        .head = on_head, .data = on_data, .batch = on_batch, .done = on_done};
    static const struct span lines[] = {{"User-Agent: larder-check", 24}, {"Accept: */*", 11}};
    uint64_t timeout_us = target->settings->timeout_ms * 1000;
    bool is_head = target->settings->kind == CONF_PROBE_HEAD;

    probe->origin = *target->origin;
    probe->origin.connect_timeout_us = timeout_us;
    probe->origin.first_byte_timeout_us = timeout_us;
    probe->origin.idle_timeout_us = timeout_us;
    probe->origin.total_timeout_us = timeout_us + TOTAL_SLACK_US;
    probe->origin.keepalive = 0;
    const struct fetch_request request = {
        .origin = &probe->origin,
        .address = target->address[0] == '\0' ? NULL : target->address,
        .method = is_head ? SPAN("HEAD") : SPAN("GET"),
        .host = span_str(target->host),
        .target = span_str(target->settings->path),
        .lines = lines,
        .line_count = ARRAY_LEN(lines),
    };
    probe->fetch = fetch_start(probe->fetches, &request, &handler, probe);
}

void probe_start(struct probe *probe, const struct probe_target *target)
{
    CHECK(!probe->is_busy);
    probe->is_busy = true;
    probe->settings = target->settings;
    probe->started_us = loop_now_us(probe->loop);
    probe->status = 0;
    probe->is_tls = target->origin->tls != NULL;
    buf_clear(&probe->body);
    if (target->settings->kind == CONF_PROBE_TCP) {
        const char *address = target->address[0] == '\0' ? target->origin->host : target->address;
        knock_start(&probe->knock, address, target->origin->port,
                    target->settings->timeout_ms * 1000);
    } else {
        ask(probe, target);
    }
}

void probe_cancel(struct probe *probe)
{
    fetch_cancel(&probe->fetch);
    knock_cancel(&probe->knock);
    loop_timer_clear(&probe->end);
    buf_free(&probe->body);
    buf_init(&probe->body, BODY_LOOK_BYTES + 1);
    probe->is_busy = false;
}
