/* figures - counts for ever, and six windows of ten seconds that are used in turn. */
#include "origin/figures.h"

#include <string.h>

#include "base/check.h"

const char *origin_fault_name(enum fetch_fault fault)
{
    static const char *const names[] = {
        [FETCH_OK] = "ok",
        [FETCH_DNS] = "dns",
        [FETCH_CONNECT_REFUSED] = "connect_refused",
        [FETCH_CONNECT_TIMEOUT] = "connect_timeout",
        [FETCH_TLS_CERTIFICATE] = "tls_certificate",
        [FETCH_TLS] = "tls",
        [FETCH_FIRST_BYTE_TIMEOUT] = "first_byte_timeout",
        [FETCH_IDLE_TIMEOUT] = "idle_timeout",
        [FETCH_TOTAL_TIMEOUT] = "total_timeout",
        [FETCH_CLOSED] = "closed",
        [FETCH_BAD_RESPONSE] = "bad_response",
        [FETCH_INCOMPLETE] = "incomplete",
        [FETCH_BODY_BAD] = "request_body",
        [FETCH_OUTGOING] = "outgoing",
        [FETCH_INTERNAL] = "internal",
    };
    _Static_assert(ARRAY_LEN(names) <= ORIGIN_FAULTS, "every fault is counted");

    return (unsigned)fault < ARRAY_LEN(names) && names[fault] != NULL ? names[fault] : "unknown";
}

static struct origin_window *window_now(struct origin_figures *figures, uint64_t now_us)
{
    uint64_t number = now_us / ORIGIN_WINDOW_US;
    struct origin_window *window = &figures->windows[number % ORIGIN_WINDOWS];

    if (window->number != number) {
        memset(window, 0, sizeof(*window));
        window->number = number;
    }
    return window;
}

void origin_figures_note(struct origin_figures *figures, const struct origin_outcome *outcome,
                         uint64_t now_us)
{
    if (!outcome->is_known) {
        return;
    }
    struct origin_window *window = window_now(figures, now_us);
    unsigned class = outcome->status / 100;

    figures->responses[class < ORIGIN_CLASSES ? class : 0]++;
    figures->faults[(unsigned)outcome->fault < ORIGIN_FAULTS ? outcome->fault : FETCH_INTERNAL]++;
    figures->received_bytes += outcome->received_bytes;
    window->responses++;
    window->failures += outcome->fault != FETCH_OK;
    if (outcome->head_seen) {
        unsigned bucket = histogram_index(outcome->first_byte_us);
        figures->first_byte[bucket]++;
        figures->first_byte_sum_us += outcome->first_byte_us;
        window->first_byte[bucket]++;
        *(outcome->connect_us > 0 ? &figures->connected : &figures->reused) += 1;
    }
}

void origin_figures_recent(const struct origin_figures *figures, uint64_t now_us,
                           struct origin_recent *out)
{
    uint64_t first_byte[HISTOGRAM_BUCKETS] = {0};
    uint64_t number = now_us / ORIGIN_WINDOW_US;
    uint64_t covered_us = (ORIGIN_WINDOWS - 1) * ORIGIN_WINDOW_US + now_us % ORIGIN_WINDOW_US;
    uint64_t age_us = now_us > figures->born_us ? now_us - figures->born_us : 0;

    *out = (struct origin_recent){0};
    for (unsigned i = 0; i < ORIGIN_WINDOWS; i++) {
        const struct origin_window *window = &figures->windows[i];
        if (window->number + ORIGIN_WINDOWS <= number) {
            continue;
        }
        out->responses += window->responses;
        out->failures += window->failures;
        for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++) {
            first_byte[k] += window->first_byte[k];
        }
    }
    covered_us = age_us < covered_us ? age_us : covered_us;
    out->seconds = covered_us < 1000000 ? 1.0 : (double)covered_us / 1e6;
    out->p50_us = histogram_quantile_us(first_byte, 0.5);
    out->p95_us = histogram_quantile_us(first_byte, 0.95);
}
