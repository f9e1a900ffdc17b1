/* names - see names.h. */
#include "origin/names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* So many answers in a row that there is no such name are believed over an older good one. */
#define NEGATIVES_BELIEVED 3u

bool names_is_literal(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

void names_pick(struct origin_names *names, char out[ORIGIN_ADDRESS_BYTES])
{
    out[0] = '\0';
    if (names->state == NAMES_LITERAL || names->count == 0) {
        return;
    }
    unsigned chosen = names->next % names->count;
    for (unsigned i = 0; i < names->count; i++) {
        unsigned at = (names->next + i) % names->count;
        if (!names->list[at].is_broken) {
            chosen = at;
            break;
        }
    }
    names->next = (chosen + 1) % names->count;
    memcpy(out, names->list[chosen].text, ORIGIN_ADDRESS_BYTES);
}

bool names_note(struct origin_names *names, const char *address, bool is_broken)
{
    for (unsigned i = 0; address[0] != '\0' && i < names->count; i++) {
        struct origin_address *own = &names->list[i];
        if (strcmp(own->text, address) == 0) {
            bool is_news = own->is_broken != is_broken;
            own->is_broken = is_broken;
            return is_news;
        }
    }
    return false;
}

static bool is_broken(const struct origin_names *names, const char *address)
{
    for (unsigned i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].text, address) == 0) {
            return names->list[i].is_broken;
        }
    }
    return false;
}

/* The same addresses in whatever order? Resolvers rotate them. */
static bool is_same(const struct origin_names *names, const struct names_result *result)
{
    if (names->state != NAMES_KNOWN || names->count != result->count) {
        return false;
    }
    for (unsigned i = 0; i < result->count; i++) {
        bool found = false;
        for (unsigned j = 0; j < names->count && !found; j++) {
            found = strcmp(names->list[j].text, result->addresses[i]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool take_found(struct origin_names *names, const struct names_result *result,
                       int64_t now_ms)
{
    if (result->is_partial && names->state == NAMES_KNOWN) {
        return false; /* what there is will do until all is there */
    }
    struct origin_names old = *names;
    bool had_warning = names->is_warning;

    names->at_ms = now_ms;
    names->negatives = 0;
    names->is_warning = false;
    names->detail[0] = '\0';
    if (is_same(&old, result)) {
        return had_warning;
    }
    names->state = NAMES_KNOWN;
    names->count = result->count;
    names->next = 0;
    for (unsigned i = 0; i < result->count; i++) {
        memcpy(names->list[i].text, result->addresses[i], ORIGIN_ADDRESS_BYTES);
        names->list[i].is_broken = is_broken(&old, result->addresses[i]);
    }
    return true;
}

bool names_take(struct origin_names *names, const struct names_result *result, int64_t now_ms)
{
    if (names->state == NAMES_LITERAL) {
        return false;
    }
    if (result->answer == NAMES_FOUND) {
        return take_found(names, result, now_ms);
    }
    bool is_news = !names->is_warning || strcmp(names->detail, result->detail) != 0;
    names->is_warning = true;
    (void)snprintf(names->detail, sizeof(names->detail), "%s", result->detail);
    names->negatives = result->answer == NAMES_NEGATIVE ? names->negatives + 1 : 0;
    if (names->state == NAMES_PENDING ||
        (names->state == NAMES_KNOWN && names->negatives >= NEGATIVES_BELIEVED)) {
        names->state = NAMES_NONE;
        names->count = 0;
        return true;
    }
    return is_news;
}

void names_give_up(struct origin_names *names)
{
    if (names->state == NAMES_PENDING) {
        names->state = NAMES_NONE;
        names->is_warning = true;
        (void)snprintf(names->detail, sizeof(names->detail), "no answer from DNS yet");
    }
}

void names_show(const struct origin_names *names, struct origin_health_view *out)
{
    out->dns.is_name = names->state != NAMES_LITERAL;
    out->dns.is_warning = names->is_warning;
    out->dns.at_ms = names->at_ms;
    out->dns.count = names->count;
    memcpy(out->dns.detail, names->detail, sizeof(out->dns.detail));
    for (unsigned i = 0; i < names->count; i++) {
        memcpy(out->dns.addresses[i], names->list[i].text, ORIGIN_ADDRESS_BYTES);
    }
}
