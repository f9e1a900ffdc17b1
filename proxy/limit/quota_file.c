/* quota_file - see quota_file.h. */
#include "limit/quota_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define HEAD "larder-quotas 1\n"
#define NAME_BYTES 256u
#define PATH_BYTES 4096u
#define FIELDS 8u

static const struct hash_seed fixed_seed = {.value =
                                                0x71756f746173}; /* no secret: finds accidents */

/* ---- writing ---- */

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._:/@+", c) != NULL);
}

static void put_word(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (is_plain((unsigned char)*at)) {
            buf_putc(out, *at);
        } else {
            buf_printf(out, "%%%02x", (unsigned)(unsigned char)*at);
        }
    }
    buf_putc(out, ' ');
}

void quota_file_write(struct buf *out, const struct quota_view *list, size_t count)
{
    size_t begin = out->len;

    buf_puts(out, HEAD);
    for (size_t i = 0; i < count; i++) {
        const struct quota_view *view = &list[i];
        put_word(out, view->site);
        put_word(out, view->name);
        put_word(out, calendar_name(view->per));
        put_word(out, quota_whose_name(view->whose));
        put_word(out, view->who[0] == '\0' ? "-" : view->who);
        buf_printf(out, "%lld %llu %llu\n", (long long)view->period.begin_s,
                   (unsigned long long)view->down, (unsigned long long)view->up);
    }
    uint64_t hash = hash64(fixed_seed, span_of(out->data + begin, out->len - begin));
    buf_printf(out, "end %zu %016llx\n", count, (unsigned long long)hash);
}

/* ---- reading ---- */

struct line {
    struct quota_view view;
    char site[NAME_BYTES], name[NAME_BYTES];
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: not as put_word writes it, or too long. */
static bool get_word(struct span word, char *out, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (c == '%') {
            int high = i + 2 < word.len ? hex_digit(word.ptr[i + 1]) : -1;
            int low = i + 2 < word.len ? hex_digit(word.ptr[i + 2]) : -1;
            c = high < 0 || low < 0 ? '\0' : (char)(high * 16 + low);
            i += 2;
        } else if (!is_plain((unsigned char)c)) {
            return false;
        }
        if (c == '\0' || len + 1 >= size) {
            return false;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return len > 0;
}

static bool get_per(struct span word, enum calendar_per *out)
{
    for (unsigned i = 0; i < CALENDAR_PERS; i++) {
        if (span_eq(word, span_str(calendar_name((enum calendar_per)i)))) {
            *out = (enum calendar_per)i;
            return true;
        }
    }
    return false;
}

static bool get_whose(struct span word, enum quota_whose *out)
{
    static const enum quota_whose all[] = {QUOTA_CLIENT, QUOTA_USER, QUOTA_ALL, QUOTA_OTHERS};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (span_eq(word, span_str(quota_whose_name(all[i])))) {
            *out = all[i];
            return true;
        }
    }
    return false;
}

static bool line_read(struct span text, struct line *out)
{
    struct span words[FIELDS];
    size_t count = 0;
    uint64_t begin_s;

    while (count < FIELDS) {
        const char *space = memchr(text.ptr, ' ', text.len);
        size_t len = space == NULL ? text.len : (size_t)(space - text.ptr);
        words[count++] = span_of(text.ptr, len);
        if (space == NULL) {
            text.len = 0;
            break;
        }
        text = span_of(space + 1, text.len - len - 1);
    }
    struct quota_view *view = &out->view;
    *view = (struct quota_view){.site = out->site, .name = out->name};
    if (count < FIELDS || text.len > 0 || !get_word(words[0], out->site, sizeof(out->site)) ||
        !get_word(words[1], out->name, sizeof(out->name)) || !get_per(words[2], &view->per) ||
        !get_whose(words[3], &view->whose) || !get_word(words[4], view->who, sizeof(view->who)) ||
        !span_to_u64(words[5], INT64_MAX / 2, &begin_s) ||
        !span_to_u64(words[6], INT64_MAX, &view->down) ||
        !span_to_u64(words[7], INT64_MAX, &view->up)) {
        return false;
    }
    if (view->whose == QUOTA_ALL) {
        view->who[0] = '\0';
    }
    view->period.begin_s = (int64_t)begin_s;
    return true;
}

/* The lines between the first and the last, and what the last one says. False: it is not whole. */
static bool frame_read(struct span text, struct span *lines, uint64_t *count)
{
    const struct span head = SPAN(HEAD);
    char last[64];

    if (text.len <= head.len || !span_starts(text, head) || text.ptr[text.len - 1] != '\n') {
        return false;
    }
    size_t at = text.len - 1;
    while (text.ptr[at - 1] != '\n') { /* the head has one */
        at--;
    }
    struct span end = span_of(text.ptr + at, text.len - at);
    const char *space = end.len > 4 ? memchr(end.ptr + 4, ' ', end.len - 4) : NULL;
    if (!span_starts(end, SPAN("end ")) || space == NULL ||
        !span_to_u64(span_of(end.ptr + 4, (size_t)(space - end.ptr) - 4), QUOTA_ACCOUNTS_MAX * 2,
                     count)) {
        return false;
    }
    uint64_t hash = hash64(fixed_seed, span_of(text.ptr, at));
    int len = snprintf(last, sizeof(last), "end %llu %016llx\n", (unsigned long long)*count,
                       (unsigned long long)hash);
    *lines = span_of(text.ptr + head.len, at - head.len);
    return span_eq(end, span_of(last, (size_t)len));
}

/* Goes over the lines; take NULL: only looks. Returns how many; UINT64_MAX: one is wrong. */
static uint64_t lines_walk(struct span lines,
                           void (*take)(void *ctx, const struct quota_view *view), void *ctx)
{
    struct line line;
    uint64_t count = 0;

    while (lines.len > 0) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        CHECK(end != NULL); /* frame_read has cut it there */
        size_t len = (size_t)(end - lines.ptr);
        if (!line_read(span_of(lines.ptr, len), &line)) {
            return UINT64_MAX;
        }
        if (take != NULL) {
            take(ctx, &line.view);
        }
        count++;
        lines = span_of(end + 1, lines.len - len - 1);
    }
    return count;
}

const char *quota_file_read(struct span text,
                            void (*take)(void *ctx, const struct quota_view *view), void *ctx)
{
    struct span lines;
    uint64_t count;

    if (!frame_read(text, &lines, &count)) {
        return "it is cut or was changed";
    }
    if (lines_walk(lines, NULL, NULL) != count) {
        return "a line of it is wrong";
    }
    (void)lines_walk(lines, take, ctx);
    return NULL;
}

/* ---- the file ---- */

static bool read_all(const char *path, struct buf *out)
{
    char block[65536];
    ssize_t got;
    /* A pipe in its place is an empty file, and none that the start waits for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return false;
    }
    while ((got = read(fd, block, sizeof(block))) != 0 && !out->failed) {
        if (got > 0) {
            buf_append(out, span_of(block, (size_t)got));
        } else if (errno != EINTR) {
            out->failed = true;
        }
    }
    (void)close(fd);
    return !out->failed;
}

static void take_account(void *ctx, const struct quota_view *view)
{
    (void)quota_restore(ctx, view);
}

void quota_file_load(struct quota_store *store, const char *path, uint64_t *last)
{
    char aside[PATH_BYTES];
    char why[96];
    struct buf text;
    const char *fault;

    buf_init(&text, QUOTA_FILE_MAX_BYTES);
    buf_puts(&text, "");
    errno = 0;
    if (read_all(path, &text)) {
        fault = quota_file_read(buf_span(&text), take_account, store);
        *last = hash64(fixed_seed, buf_span(&text)) | 1;
    } else if (errno == ENOENT) {
        fault = NULL;
    } else {
        fault = errno == 0 ? "it is too large" : strerror_r(errno, why, sizeof(why));
    }
    buf_free(&text);
    if (fault != NULL) {
        (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
        bool is_aside = rename(path, aside) == 0;
        log_warn("quota_file_damaged", "file=\"%s\" reason=\"%s\" note=\"%s%s\"", path, fault,
                 is_aside ? "accounts begin at 0; it is kept as " : "accounts begin at 0",
                 is_aside ? aside : "");
    }
}

static bool write_all(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t put = write(fd, data.ptr, data.len);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            data = span_of(data.ptr + put, data.len - (size_t)put);
        }
    }
    return true;
}

/* The name of a file that was renamed is on the disk when its folder is. */
static void sync_folder(const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');

    (void)snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
                   slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static bool write_beside(const char *path, struct span text)
{
    char beside[PATH_BYTES];

    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool good = write_all(fd, text) && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (!good || rename(beside, path) != 0) {
        return false;
    }
    sync_folder(path);
    return true;
}

void quota_file_save(struct quota_store *store, const char *path, uint64_t *last)
{
    struct quota_view *list;
    struct buf text;
    char why[96];
    size_t count = quota_list(store, &list);

    buf_init(&text, QUOTA_FILE_MAX_BYTES);
    quota_file_write(&text, list, count);
    mem_free(list);
    uint64_t hash = text.failed ? 0 : hash64(fixed_seed, buf_span(&text)) | 1;
    bool is_needed = hash != *last && (count > 0 || *last != 0);
    if (text.failed || (is_needed && !write_beside(path, buf_span(&text)))) {
        log_error("quota_file", "file=\"%s\" reason=\"%s\" note=\"a crash loses what has moved\"",
                  path, text.failed ? "no memory" : strerror_r(errno, why, sizeof(why)));
    } else if (is_needed) {
        *last = hash;
        log_settled("quota_file");
    }
    buf_free(&text);
}
