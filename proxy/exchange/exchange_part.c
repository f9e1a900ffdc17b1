/*
 * exchange_part - a body made of several stretches: what is said between them, and the next stretch
 * made ready for exchange_send.
 */
#include "exchange/exchange_plan.h"

/* Text before the range, or at the end. False: x is parked or done, *next says. */
static bool send_text(struct exchange *x, struct exchange_plan *plan, enum exchange_next *next)
{
    struct span text = plan->text[plan->at];
    bool is_end = plan->at == plan->set.count;
    if (plan->text_sent == text.len && !is_end) {
        return true;
    }
    struct iovec part = {.iov_base = span_unconst(text.ptr + plan->text_sent),
                         .iov_len = text.len - plan->text_sent};
    ptrdiff_t sent = stream_send(x->stream, &part, 1, is_end);
    if (sent < 0) {
        *next = exchange_cut(x);
        return false;
    }
    plan->text_sent += (size_t)sent;
    if (plan->text_sent < text.len) {
        *next = EXCHANGE_PARK;
        return false;
    }
    if (is_end) {
        *next = exchange_go(x, EXCHANGE_STEP_DONE);
    }
    return !is_end;
}

/* [offset, end) of the object is what comes next. */
static enum exchange_next send_stretch(struct exchange *x, uint64_t offset, uint64_t end)
{
    x->offset = offset;
    x->end = end;
    if (!x->whole && !exchange_seek(x)) {
        return exchange_cut(x);
    }
    return exchange_go(x, EXCHANGE_STEP_SEND);
}

enum exchange_next exchange_part(struct exchange *x)
{
    struct exchange_plan *plan = x->plan;
    enum exchange_next next = EXCHANGE_PARK;
    exchange_note_first_byte(x);
    if (plan->at < plan->set.count && plan->position > plan->set.parts[plan->at].last) {
        plan->at++;
        plan->text_sent = 0;
        plan->position = plan->at < plan->set.count ? plan->set.parts[plan->at].first : 0;
    }
    if (!send_text(x, plan, &next)) {
        return next;
    }
    const struct http_range_part *part = &plan->set.parts[plan->at];
    plan->position = part->last + 1;
    return send_stretch(x, part->first, part->last + 1);
}
