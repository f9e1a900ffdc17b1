/* top - the sketch of URLs. */
#include "worker/top.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/sketch.h"

enum figure {
    FIGURE_REQUESTS,
    FIGURE_HITS,
    FIGURE_MISSES,
    FIGURE_BYTES,
};

struct top {
    struct sketch *sketch;
};

struct top *top_new(unsigned window_s)
{
    const struct sketch_shape shape = {
        .window_s = window_s,
        .order_count = 3,
        .order = {[TOP_REQUESTS] = FIGURE_REQUESTS,
                  [TOP_MISSES] = FIGURE_MISSES,
                  [TOP_BYTES] = FIGURE_BYTES},
    };

    struct top *top = mem_new(sizeof(*top));
    top->sketch = sketch_new(&shape);
    return top;
}

void top_free(struct top **top)
{
    if (*top != NULL) {
        sketch_free(&(*top)->sketch);
        mem_free(*top);
        *top = NULL;
    }
}

static size_t url_put(char *url, size_t size, size_t at, struct span part)
{
    size_t room = size - 1 - at;
    size_t len = part.len < room ? part.len : room;

    if (len > 0) {
        memcpy(url + at, part.ptr, len);
    }
    return at + len;
}

/* scheme://host/path as text: a NUL would end it early, so control bytes become "?". */
static struct span top_url(const struct record *record, char *url, size_t size)
{
    const struct span parts[] = {record->scheme, SPAN("://"), record->host, record->path};
    size_t whole = 0;
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        whole += parts[i].len;
        len = url_put(url, size, len, parts[i]);
    }
    if (whole > len) {
        memset(url + len - 3, '.', 3);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] < 0x20 || url[i] == 0x7f) {
            url[i] = '?';
        }
    }
    return span_of(url, len);
}

void top_add(struct top *top, const struct record *record)
{
    struct sketch_sum more = {.figure = {[FIGURE_REQUESTS] = record->weight}};
    char url[SKETCH_KEY_BYTES];

    if (record->weight == 0 || record->path.len == 0) {
        return;
    }
    more.figure[FIGURE_BYTES] = record->bytes * record->weight;
    if (record->result == RESULT_MISS) {
        more.figure[FIGURE_MISSES] = record->weight;
    } else if (record->result == RESULT_HIT || record->result == RESULT_STALE ||
               record->result == RESULT_REVALIDATED) {
        more.figure[FIGURE_HITS] = record->weight;
    }
    sketch_add(top->sketch, top_url(record, url, sizeof(url)), &more);
}

size_t top_list(struct top *top, enum top_order order, struct top_item *out, size_t max,
                uint64_t *error_bound, double *covered_s)
{
    struct sketch_item *items = mem_new((max + 1) * sizeof(*items));
    struct sketch_extent extent;
    size_t count =
        sketch_list(top->sketch, &(struct sketch_question){.order = order}, items, max, &extent);

    for (size_t i = 0; i < count; i++) {
        const uint64_t *figure = items[i].sum.figure;
        out[i].requests = figure[FIGURE_REQUESTS];
        out[i].hits = figure[FIGURE_HITS];
        out[i].misses = figure[FIGURE_MISSES];
        out[i].bytes = figure[FIGURE_BYTES];
        memcpy(out[i].url, items[i].key, sizeof(out[i].url));
    }
    *error_bound = extent.error_bound;
    *covered_s = extent.covered_s;
    mem_free(items);
    return count;
}
