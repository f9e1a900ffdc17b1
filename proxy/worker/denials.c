/* denials - entry of id N stands at N % DENIALS_KEPT. */
#include "worker/denials.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"

struct denials {
    struct lock lock;
    uint64_t last;       /* [lock] id of the newest; 0: none yet */
    struct denial *ring; /* [lock] NULL: none yet */
};

struct denials *denials_new(void)
{
    struct denials *denials = mem_new(sizeof(*denials));

    lock_init(&denials->lock, LOCK_STATS);
    return denials;
}

void denials_free(struct denials **denials)
{
    if (*denials != NULL) {
        lock_fini(&(*denials)->lock);
        mem_free((*denials)->ring);
        mem_free(*denials);
        *denials = NULL;
    }
}

struct span denial_forward(const struct record *record)
{
    struct span before = SPAN("forward:");
    struct span name = record->site;

    return span_starts(name, before) ? span_of(name.ptr + before.len, name.len - before.len) : name;
}

struct span denial_host(struct span authority, struct span scheme, uint16_t *port)
{
    size_t len = authority.len;
    uint64_t number = 0;

    while (len > 0 && authority.ptr[len - 1] >= '0' && authority.ptr[len - 1] <= '9') {
        len--;
    }
    bool has_port =
        len > 0 && len < authority.len && authority.ptr[len - 1] == ':' &&
        span_to_u64(span_of(authority.ptr + len, authority.len - len), UINT16_MAX, &number);
    *port = has_port                         ? (uint16_t)number
            : span_eq(scheme, SPAN("https")) ? 443
            : span_eq(scheme, SPAN("http"))  ? 80
                                             : 0;
    struct span host = has_port ? span_of(authority.ptr, len - 1) : authority;
    if (host.len > 2 && host.ptr[0] == '[') {
        host = span_of(host.ptr + 1, host.len - 2);
    }
    return host;
}

static void text_set(char *out, size_t size, struct span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    for (size_t i = 0; i < len; i++) { /* a NUL would end it early */
        out[i] = text.ptr[i] == '\0' ? '?' : text.ptr[i];
    }
    out[len] = '\0';
}

void denials_add(struct denials *denials, const struct record *record)
{
    lock_acquire(&denials->lock);
    if (denials->ring == NULL) {
        denials->ring = mem_new(DENIALS_KEPT * sizeof(*denials->ring));
    }
    denials->last++;
    struct denial *at = &denials->ring[denials->last % DENIALS_KEPT];
    at->id = denials->last;
    at->request_id = record->request_id;
    at->wall_ms = record->wall_ms;
    at->status = record->status;
    text_set(at->forward, sizeof(at->forward), denial_forward(record));
    text_set(at->rule, sizeof(at->rule), record->rule);
    text_set(at->why, sizeof(at->why), record->why);
    text_set(at->client, sizeof(at->client), record->client);
    text_set(at->user, sizeof(at->user), record->user);
    text_set(at->method, sizeof(at->method), record->method);
    text_set(at->scheme, sizeof(at->scheme), record->scheme);
    text_set(at->host, sizeof(at->host), denial_host(record->host, record->scheme, &at->port));
    text_set(at->path, sizeof(at->path), record->path);
    lock_release(&denials->lock);
}

/* "example.org" and all below it. */
static bool host_is_below(const char *host, const char *wanted)
{
    size_t len = strlen(host);
    size_t end = strlen(wanted);

    return end <= len && strcasecmp(host + len - end, wanted) == 0 &&
           (end == len || host[len - end - 1] == '.');
}

static bool is_wanted(const struct denial *denial, const struct denials_filter *filter)
{
    return (filter->forward == NULL || strcmp(filter->forward, denial->forward) == 0) &&
           (filter->rule == NULL || strcmp(filter->rule, denial->rule) == 0) &&
           (filter->client == NULL || strcmp(filter->client, denial->client) == 0) &&
           (filter->user == NULL || strcmp(filter->user, denial->user) == 0) &&
           (filter->host == NULL || host_is_below(denial->host, filter->host));
}

size_t denials_list(struct denials *denials, const struct denials_filter *filter,
                    struct denial *out, size_t max, bool *more)
{
    size_t count = 0;

    *more = false;
    lock_acquire(&denials->lock);
    uint64_t id = denials->last;
    uint64_t oldest = id > DENIALS_KEPT ? id - DENIALS_KEPT : 0;
    if (filter->before_id > 0 && filter->before_id <= id) {
        id = filter->before_id - 1;
    }
    for (; id > oldest && !*more; id--) {
        const struct denial *at = &denials->ring[id % DENIALS_KEPT];
        if (!is_wanted(at, filter)) {
            continue;
        }
        if (count == max) {
            *more = true;
        } else {
            out[count++] = *at;
        }
    }
    lock_release(&denials->lock);
    return count;
}

uint64_t denials_seen(struct denials *denials)
{
    lock_acquire(&denials->lock);
    uint64_t last = denials->last;
    lock_release(&denials->lock);
    return last;
}
