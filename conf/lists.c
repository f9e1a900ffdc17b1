/* lists - see lists.h. */
#include "conf/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/namelist.h"

#define FILE_MAX_BYTES ((size_t)256 << 20)
/* Of a bad list so many lines are named. */
#define FAULTS_MAX 5u

struct conf_list {
    struct conf_list *next;
    char *path; /* NULL: written in the configuration itself */
    struct nameset *names;
    struct pattern *pattern;
};

struct list_reader {
    const struct conf_item *item;
    const struct conf_word *word;
    const char *path;
    size_t faults;
};

static bool report(const struct list_reader *reader, const char *problem)
{
    struct conf_shown shown;
    conf_report_add(reader->item->check->report, reader->word->place, NULL, "cannot use \"%s\": %s",
                    conf_show(&shown, span_str(reader->path)), problem);
    return false;
}

static bool report_errno(const struct list_reader *reader)
{
    char why[128];
    return report(reader, strerror_r(errno, why, sizeof(why)));
}

static void tell(void *ctx, const struct namelist_fault *fault)
{
    struct list_reader *reader = ctx;
    struct conf_shown name;
    struct conf_shown shown;
    if (++reader->faults <= FAULTS_MAX) {
        conf_report_add(reader->item->check->report, reader->word->place, NULL,
                        "line %zu of \"%s\": \"%s\" %s", fault->line,
                        conf_show(&name, span_str(reader->path)), conf_show(&shown, fault->word),
                        fault->why);
    }
}

static bool parse(struct list_reader *reader, struct span text, struct nameset **out)
{
    *out = nameset_new(namelist_lines(text));
    size_t bad = namelist_read(*out, text, tell, reader);
    if (bad > FAULTS_MAX) {
        struct conf_shown name;
        conf_report_add(reader->item->check->report, reader->word->place, NULL,
                        "and %zu more lines of \"%s\"", bad - FAULTS_MAX,
                        conf_show(&name, span_str(reader->path)));
    }
    nameset_settle(*out);
    return bad == 0;
}

static bool read_fd(struct list_reader *reader, int fd, struct nameset **out)
{
    struct stat info;
    size_t len = 0;
    ssize_t got = 1;

    if (fstat(fd, &info) != 0) {
        return report_errno(reader);
    }
    if (!S_ISREG(info.st_mode) || info.st_size < 0 || (uint64_t)info.st_size > FILE_MAX_BYTES) {
        return report(reader,
                      S_ISREG(info.st_mode) ? "it is larger than 256M" : "not a regular file");
    }
    size_t size = (size_t)info.st_size;
    char *bytes = mem_try(size + 1);
    if (bytes == NULL) {
        return report(reader, "no memory for it");
    }
    while (len < size && got > 0) {
        got = read(fd, bytes + len, size - len);
        if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got > 0) {
            len += (size_t)got;
        }
    }
    bool good = got < 0 ? report_errno(reader) : parse(reader, span_of(bytes, len), out);
    mem_free(bytes);
    return good;
}

static struct conf_list *add(struct conf_lists *lists)
{
    struct conf_list *list = mem_new(sizeof(*list));
    list->next = lists->first;
    lists->first = list;
    return list;
}

const struct nameset *conf_lists_file(const struct conf_item *item, const struct conf_word *word,
                                      const char *path, bool *good)
{
    struct conf_lists *lists = item->check->lists;
    struct list_reader reader = {.item = item, .word = word, .path = path};

    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return NULL;
    }
    for (const struct conf_list *at = lists->first; at != NULL; at = at->next) {
        if (at->path != NULL && strcmp(at->path, path) == 0) {
            *good = *good && at->names != NULL; /* what is wrong was said where it was read */
            return at->names;
        }
    }
    struct conf_list *list = add(lists);
    list->path = mem_copy(path, strlen(path));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *good = report_errno(&reader);
        return NULL;
    }
    if (!read_fd(&reader, fd, &list->names)) {
        *good = false;
        nameset_free(&list->names);
    }
    (void)close(fd);
    return list->names;
}

struct nameset *conf_lists_names(struct conf_lists *lists, size_t room)
{
    struct conf_list *list = add(lists);
    list->names = nameset_new(room);
    return list->names;
}

void conf_lists_keep(struct conf_lists *lists, struct pattern *pattern)
{
    add(lists)->pattern = pattern;
}

size_t conf_lists_bytes(const struct conf_lists *lists)
{
    size_t bytes = 0;
    for (const struct conf_list *at = lists->first; at != NULL; at = at->next) {
        bytes += sizeof(*at) + (at->names == NULL ? 0 : nameset_bytes(at->names));
    }
    return bytes;
}

void conf_lists_free(struct conf_lists *lists)
{
    while (lists->first != NULL) {
        struct conf_list *list = lists->first;
        lists->first = list->next;
        nameset_free(&list->names);
        pattern_free(&list->pattern);
        mem_free(list->path);
        mem_free(list);
    }
}
