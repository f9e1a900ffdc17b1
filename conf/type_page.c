/*
 * type_page - bytes the operator wants sent: a file, read with the configuration, or a text. What
 * begins with "/" is a file.
 */
#include "conf/type_page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "conf/value.h"

#define PAGE_MAX_BYTES ((off_t)1 << 20)
#define TYPE_MAX_BYTES ((size_t)127)

static const char text_type[] = "text/plain; charset=utf-8";

static bool page_report(const struct conf_item *item, const struct conf_word *word,
                        const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* By the end of the file's name. */
static const char *type_of(struct span path)
{
    static const struct {
        const char *end;
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".htm", "text/html; charset=utf-8"},
        {".txt", text_type},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".xml", "application/xml"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct span end = span_str(types[i].end);
        if (path.len > end.len &&
            span_eq_nocase(span_of(path.ptr + path.len - end.len, end.len), end)) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* Visible ASCII and spaces within, with a slash: what may stand in a field. */
static bool is_type(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 2 && text.len <= TYPE_MAX_BYTES && memchr(text.ptr, '/', text.len) != NULL &&
           text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ';
}

static bool slurp(int fd, char *room, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, room + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno; /* it became shorter meanwhile */
            return false;
        }
        len += (size_t)got;
    }
    return true;
}

static bool read_open(const struct conf_item *item, const struct conf_word *word, int fd,
                      struct conf_page *out)
{
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return page_report(item, word, "is not a regular file");
    }
    if (info.st_size > PAGE_MAX_BYTES) {
        return page_report(item, word, "is larger than 1M, which is the most that is kept ready");
    }
    size_t size = (size_t)info.st_size;
    char *room = arena_alloc(item->check->arena, size + 1);
    if (room == NULL) {
        return false; /* conf.c says that all of it is too large */
    }
    out->body = span_of(room, size);
    return slurp(fd, room, size);
}

static bool read_file(const struct conf_item *item, const struct conf_word *word,
                      struct conf_page *out)
{
    struct conf_shown shown;
    char text[128];

    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return true;
    }
    size_t before = conf_report_count(item->check->report);
    int fd = open(out->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool good = fd >= 0 && read_open(item, word, fd, out);
    int why = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!good && conf_report_count(item->check->report) == before &&
        !item->check->arena->overflow) {
        conf_report_add(item->check->report, word->place, NULL, "cannot read \"%s\": %s",
                        conf_show(&shown, word->text), strerror_r(why, text, sizeof(text)));
    }
    return good;
}

static void note_tag(struct conf_page *page)
{
    struct hash128 hash = hash128((struct hash_seed){0}, page->body);

    page->tag[0] = hash.hi;
    page->tag[1] = hash.lo;
}

bool conf_item_page(const struct conf_item *item, const struct conf_word *word,
                    struct conf_page *out)
{
    const char *copy = conf_check_copy(item->check, word->text);
    bool is_file = word->text.len > 0 && word->text.ptr[0] == '/';
    bool good = true;

    *out = (struct conf_page){.text = copy, .type = text_type, .body = span_str(copy)};
    if (is_file) {
        *out = (struct conf_page){
            .text = copy, .path = copy, .type = type_of(word->text), .body = SPAN("")};
        good = conf_item_path(item, word, PATH_MAX - 1) && read_file(item, word, out);
    }
    note_tag(out);
    return good;
}

bool conf_item_page_type(const struct conf_item *item, const struct conf_word *word,
                         struct conf_page *out)
{
    struct span text = word->text;

    if (!span_starts(text, SPAN("type="))) {
        return false;
    }
    text = span_of(text.ptr + 5, text.len - 5);
    out->type = conf_check_copy(item->check, text);
    out->names_type = true;
    if (!is_type(text)) {
        (void)page_report(item, word, "is not type=MEDIA/TYPE");
    }
    return true;
}

void conf_print_page(const struct conf_page *page, struct buf *out)
{
    buf_putc(out, ' ');
    conf_print_word(page->text, out);
}

void conf_print_page_type(const struct conf_page *page, struct buf *out)
{
    struct buf word;

    if (!page->names_type) {
        return;
    }
    buf_init(&word, TYPE_MAX_BYTES + 8);
    buf_printf(&word, "type=%s", page->type);
    buf_putc(out, ' ');
    conf_print_word(word.data, out);
    buf_free(&word);
}
