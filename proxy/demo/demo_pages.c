// SPDX-License-Identifier: MIT
#include "demo/demo_pages.h"

#include <stdio.h>
#include <time.h>

#include "base/hash.h"

enum {
    PAGE_LIMIT_BYTES = 256 << 10,
    LARGE_FILE_BYTES = 32 << 20,
};

static const char html_type[] = "text/html; charset=utf-8";

/* Reads "N" or "N<suffix>" after the prefix. Returns 0 when it is not 1..max. */
static unsigned path_number(struct span path, const char *prefix, const char *suffix, unsigned max)
{
    struct span head = span_str(prefix);
    struct span tail = span_str(suffix);
    uint64_t number = 0;

    if (!span_starts(path, head) || path.len <= head.len + tail.len) {
        return 0;
    }
    struct span rest = span_of(path.ptr + head.len, path.len - head.len);
    if (!span_eq(span_of(rest.ptr + rest.len - tail.len, tail.len), tail) ||
        !span_to_u64(span_of(rest.ptr, rest.len - tail.len), max, &number)) {
        return 0;
    }
    return (unsigned)number;
}

static void html_open(struct buf *body, const char *title)
{
    buf_printf(body,
               "<!doctype html><html lang=en><meta charset=utf-8>"
               "<meta name=viewport content='width=device-width'>"
               "<link rel=stylesheet href=/style.css><title>%s</title><h1>%s</h1>",
               title, title);
}

static void page_index(struct buf *body)
{
    html_open(body, "The demo site");
    buf_puts(body,
             "<p>A small site behind Larder. It waits 150 ms before each answer; what comes from "
             "the cache does not.</p><ul>"
             "<li><a href=/hello>/hello</a>, a line of text, kept for a minute"
             "<li><a href=/api/time.json>/api/time.json</a>, kept for 5 seconds"
             "<li><a href=/large.bin>/large.bin</a>, 32 MiB"
             "<li><a href=/missing>/missing</a>, a 404"
             "<li><a href=/account>/account</a>, never stored</ul><p>");
    for (unsigned i = 1; i <= DEMO_PICTURE_COUNT; i++) {
        buf_printf(body, "<img src=/picture/%u.svg alt='picture %u' width=160 height=120> ", i, i);
    }
    buf_puts(body, "<p>Articles:");
    for (unsigned i = 1; i <= DEMO_ARTICLE_COUNT; i++) {
        buf_printf(body, " <a href=/article/%u>%u</a>", i, i);
    }
}

static void page_article(struct buf *body, unsigned number)
{
    char title[32];
    (void)snprintf(title, sizeof(title), "Article %u", number);
    html_open(body, title);
    buf_printf(body, "<p><img src=/picture/%u.svg alt='' width=160 height=120>",
               1 + number % DEMO_PICTURE_COUNT);
    for (unsigned i = 0; i < 8 + number % 9; i++) {
        buf_printf(body,
                   "<p>Paragraph %u of article %u. A larder keeps food near the table, so that "
                   "nobody walks to the market for each meal.",
                   i + 1, number);
    }
    buf_puts(body, "<p><a href=/>Back</a>");
}

static void page_picture(struct buf *body, unsigned number)
{
    buf_puts(body, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 160 120'>");
    buf_printf(body, "<rect width='160' height='120' fill='hsl(%u 55%% 82%%)'/>",
               number * 30 % 360);
    for (unsigned i = 0; i < 12; i++) {
        unsigned spot = (number * 7919 + i * 104729) % 100000;
        buf_printf(body, "<circle cx='%u' cy='%u' r='%u' fill='hsl(%u 60%% %u%%)' opacity='.7'/>",
                   spot % 160, spot / 7 % 120, 5 + spot / 11 % 22, (number * 30 + i * 17) % 360,
                   40 + i * 3);
    }
    buf_puts(body, "</svg>");
}

static void page_account(struct buf *body, int64_t now_ms)
{
    html_open(body, "Your account");
    buf_printf(body, "<p>Made for you alone at %lld; no cache may keep it.",
               (long long)(now_ms / 1000));
}

static void page_missing(struct demo_page *out)
{
    out->status = 404;
    out->type = html_type;
    out->cache_control = "max-age=10";
    html_open(&out->body, "Not here");
    buf_puts(&out->body, "<p>There is no such page. <a href=/>Back</a>");
}

static void page_fill(struct span path, int64_t now_ms, struct demo_page *out)
{
    unsigned number;

    out->type = html_type;
    out->cache_control = "max-age=60";
    if (span_eq(path, SPAN("/"))) {
        page_index(&out->body);
    } else if (span_eq(path, SPAN("/hello"))) {
        out->type = "text/plain; charset=utf-8";
        buf_puts(&out->body, "Hello from the demo origin.\n");
    } else if (span_eq(path, SPAN("/api/time.json"))) {
        out->type = "application/json";
        out->cache_control = "max-age=5";
        buf_printf(&out->body, "{\"unix_s\":%lld}\n", (long long)(now_ms / 1000));
    } else if (span_eq(path, SPAN("/large.bin"))) {
        out->type = "application/octet-stream";
        out->cache_control = "max-age=3600";
        out->pattern_bytes = LARGE_FILE_BYTES;
    } else if (span_eq(path, SPAN("/style.css"))) {
        out->type = "text/css";
        out->cache_control = "max-age=3600";
        buf_puts(&out->body, "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem "
                             "auto;padding:0 1rem}img{border-radius:.5rem}\n");
    } else if (span_eq(path, SPAN("/account"))) {
        out->cache_control = "no-store";
        page_account(&out->body, now_ms);
    } else if ((number = path_number(path, "/article/", "", DEMO_ARTICLE_COUNT)) != 0) {
        out->cache_control = "max-age=120";
        page_article(&out->body, number);
    } else if ((number = path_number(path, "/picture/", ".svg", DEMO_PICTURE_COUNT)) != 0) {
        out->type = "image/svg+xml";
        out->cache_control = "max-age=3600";
        page_picture(&out->body, number);
    } else {
        page_missing(out);
    }
}

void demo_page_make(struct span path, int64_t now_ms, struct demo_page *out)
{
    static const struct hash_seed seed = {.value = 1}; /* tags stay the same over restarts */

    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '?') {
            path.len = i;
        }
    }
    *out = (struct demo_page){.status = 200};
    buf_init(&out->body, PAGE_LIMIT_BYTES);
    page_fill(path, now_ms, out);
    out->etag = hash64(seed, out->pattern_bytes != 0 ? path : buf_span(&out->body));
}

void demo_pattern_fill(char *out, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t at = offset + i;
        out[i] = (char)('a' + (at / 61 + at) % 26);
    }
}
