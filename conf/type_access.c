/*
 * type_access - `allow` and `deny`: networks, all of them, or those of a file.
 *
 *   allow 10.0.0.0/8 2001:db8::/32;    deny file=/etc/larder/blocked.txt;    deny all;
 *
 * A file has a network a line; "#" and ";" begin comments. It is read here, so that one that cannot
 * be used is found by the check, and nowhere later.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/type.h"
#include "conf/value.h"

#define LIST_MAX_BYTES ((size_t)32 << 20)
#define LIST_MAX_NETWORKS ((size_t)1000000)

static bool list_report(const struct conf_item *item, const struct conf_word *word,
                        const char *path, const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "cannot use \"%s\": %s",
                    conf_show(&shown, span_str(path)), problem);
    return false;
}

static bool list_report_errno(const struct conf_item *item, const struct conf_word *word,
                              const char *path)
{
    char why[128];

    return list_report(item, word, path, strerror_r(errno, why, sizeof(why)));
}

/* A line without comment and white space; NULL ptr at the end. */
static struct span list_line(struct span *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    struct span line = span_of(rest->ptr, len);
    size_t used = end == NULL ? len : len + 1;

    *rest = span_of(rest->ptr + used, rest->len - used);
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '#' || line.ptr[i] == ';') {
            line.len = i;
        }
    }
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return span_trim(line);
}

static bool list_parse(const struct conf_item *item, const struct conf_word *word, const char *path,
                       struct span text, struct conf_networks *out)
{
    size_t lines = 1;
    size_t number = 0;
    size_t count = 0;
    struct conf_shown shown;
    struct conf_shown name;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n' ? 1 : 0;
    }
    if (lines > LIST_MAX_NETWORKS) {
        return list_report(item, word, path, "it has more than 1,000,000 lines");
    }
    struct conf_network *list = arena_alloc(item->check->arena, lines * sizeof(*list));
    while (list != NULL && text.len > 0) {
        struct span line = list_line(&text);
        number++;
        if (line.len == 0) {
            continue;
        }
        enum conf_net why = conf_net_network(line, &list[count++]);
        if (why != CONF_NET_OK) {
            conf_report_add(item->check->report, word->place, NULL, "line %zu of \"%s\": \"%s\" %s",
                            number, conf_show(&name, span_str(path)), conf_show(&shown, line),
                            conf_net_problem(why));
            return false;
        }
    }
    *out = (struct conf_networks){.list = list, .count = count};
    return true;
}

static bool list_read_fd(const struct conf_item *item, const struct conf_word *word,
                         const char *path, int fd, struct conf_networks *out)
{
    struct stat info;
    size_t len = 0;
    ssize_t got = 1;

    if (fstat(fd, &info) != 0) {
        return list_report_errno(item, word, path);
    }
    if (!S_ISREG(info.st_mode) || info.st_size < 0 || (uint64_t)info.st_size > LIST_MAX_BYTES) {
        return list_report(item, word, path,
                           S_ISREG(info.st_mode) ? "it is larger than 32M" : "not a regular file");
    }
    size_t size = (size_t)info.st_size;
    char *bytes = mem_try(size + 1);
    if (bytes == NULL) {
        return list_report(item, word, path, "no memory for it");
    }
    while (len < size && got > 0) {
        got = read(fd, bytes + len, size - len);
        if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got > 0) {
            len += (size_t)got;
        }
    }
    bool good = got < 0 ? list_report_errno(item, word, path)
                        : list_parse(item, word, path, span_of(bytes, len), out);
    mem_free(bytes);
    return good;
}

static bool list_read(const struct conf_item *item, const struct conf_word *word,
                      struct conf_access_entry *out)
{
    struct conf_word path = *word;

    path.text = span_of(word->text.ptr + 5, word->text.len - 5);
    out->file = conf_check_copy(item->check, path.text);
    if (!conf_item_path(item, &path, 4095)) {
        return false;
    }
    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return true;
    }
    int fd = open(out->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return list_report_errno(item, word, out->file);
    }
    bool good = list_read_fd(item, word, out->file, fd, &out->listed);
    (void)close(fd);
    return good;
}

static bool access_set(const struct conf_item *item)
{
    struct conf_access_entry *out = item->target;
    struct conf_word *words = arena_alloc(item->check->arena, (item->count + 1) * sizeof(*words));
    size_t count = 0;
    bool good = true;

    *out = (struct conf_access_entry){.allow = item->row->joins == NULL};
    if (!conf_item_expect(item, 1, SIZE_MAX) || words == NULL) {
        return false;
    }
    if (span_eq(item->words[0].text, SPAN("all"))) {
        out->all = true;
        return conf_item_expect(item, 1, 1);
    }
    for (size_t i = 0; i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (!span_starts(word->text, SPAN("file="))) {
            words[count++] = *word;
        } else if (out->file != NULL) {
            conf_report_add(item->check->report, word->place, NULL,
                            "a second file: give each a directive of its own");
            good = false;
        } else {
            good = list_read(item, word, out) && good;
        }
    }
    return conf_item_network_words(item, words, count, &out->written) && good;
}

static bool access_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_access_entry *entry = value;

    (void)row;
    (void)owner;
    if (entry->all) {
        buf_puts(out, "all");
        return true;
    }
    (void)conf_print_networks(&entry->written, out);
    if (entry->file != NULL) {
        buf_puts(out, entry->written.count > 0 ? " file=" : "file=");
        conf_print_word(entry->file, out);
    }
    return true;
}

const struct conf_type conf_type_access = {access_set, access_print};
