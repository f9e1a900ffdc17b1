/*
 * include - relative to the including file, wildcards in alphabetical order, at most 8 deep and 256
 * files. A cycle is told by device and inode, so a link cannot hide it, and is named in full.
 */
#include "conf/include.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define CHAIN_MAX_BYTES ((size_t)300)

struct conf_file *conf_file_new(struct conf_tree *tree, const char *name, struct span text)
{
    struct conf_file *file = arena_alloc(&tree->arena, sizeof(*file));
    struct span copy = arena_copy(&tree->arena, span_of(name, strlen(name) + 1));

    if (file == NULL || copy.ptr == NULL) {
        return NULL;
    }
    *file = (struct conf_file){
        .source = {.name = copy.ptr, .text = text, .index = (uint32_t)tree->file_count++},
        .next = tree->files};
    tree->files = file;
    if (tree->main == NULL) {
        tree->main = &file->source;
    }
    return file;
}

void conf_files_free(struct conf_tree *tree)
{
    for (struct conf_file *file = tree->files; file != NULL; file = file->next) {
        mem_free(file->bytes);
        file->bytes = NULL;
    }
    tree->files = NULL;
}

/* Reads what is there, at most the limit even when the file grows meanwhile. */
static enum err file_slurp(int fd, struct conf_file *file, size_t size)
{
    size_t len = 0;

    file->bytes = mem_try(size + 1);
    if (file->bytes == NULL) {
        errno = ENOMEM;
        return ERR_NOMEM;
    }
    while (len < size) {
        ssize_t got = read(fd, file->bytes + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ERR_IO;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    file->source.text = span_of(file->bytes, len);
    return ERR_OK;
}

static void file_report_errno(struct conf_tree *tree, struct conf_place place, const char *path)
{
    char text[128];
    struct conf_shown shown;

    conf_report_add(tree->report, place, NULL, "cannot read \"%s\": %s",
                    conf_show(&shown, span_str(path)), strerror_r(errno, text, sizeof(text)));
}

/* "a.conf -> b.conf -> a.conf" */
static void file_report_cycle(struct conf_tree *tree, struct conf_place place,
                              const struct conf_file *from, const struct conf_file *again)
{
    const struct conf_file *chain[CONF_INCLUDE_DEPTH_MAX + 2];
    struct conf_shown shown;
    struct buf text;
    size_t count = 0;

    for (const struct conf_file *at = from; at != again && count < ARRAY_LEN(chain);
         at = at->from) {
        chain[count++] = at;
    }
    buf_init(&text, CHAIN_MAX_BYTES);
    buf_puts(&text, conf_show(&shown, span_str(again->source.name)));
    while (count > 0) {
        count--;
        buf_printf(&text, " -> %s", conf_show(&shown, span_str(chain[count]->source.name)));
    }
    buf_printf(&text, " -> %s", conf_show(&shown, span_str(again->source.name)));
    conf_report_add(tree->report, place, NULL, "these files include each other without end: %s",
                    text.data);
    buf_free(&text);
}

static enum err file_read_fd(struct conf_tree *tree, int fd, struct conf_file *file,
                             struct conf_place place)
{
    struct stat info;
    struct conf_shown shown;
    const char *name = conf_show(&shown, span_str(file->source.name));

    if (fstat(fd, &info) != 0) {
        file_report_errno(tree, place, file->source.name);
        return ERR_IO;
    }
    if (!S_ISREG(info.st_mode)) {
        conf_report_add(tree->report, place, NULL, "cannot read \"%s\": not a regular file", name);
        return ERR_IO;
    }
    file->device = info.st_dev;
    file->inode = info.st_ino;
    for (const struct conf_file *at = file->from; at != NULL; at = at->from) {
        if (at->device == file->device && at->inode == file->inode) {
            file_report_cycle(tree, place, file->from, at);
            return ERR_SYNTAX;
        }
    }
    if (info.st_size < 0 || (uint64_t)info.st_size > CONF_FILE_MAX_BYTES) {
        conf_report_add(tree->report, place, NULL, "\"%s\" is larger than 4M", name);
        return ERR_LIMIT;
    }
    enum err err = file_slurp(fd, file, (size_t)info.st_size);
    if (err != ERR_OK) {
        file_report_errno(tree, place, file->source.name);
    }
    return err;
}

enum err conf_file_read(struct conf_tree *tree, const char *path, const struct conf_file *from,
                        struct conf_place place, struct conf_file **out)
{
    struct conf_file *file = conf_file_new(tree, path, (struct span){0});

    *out = NULL;
    if (file == NULL) {
        return ERR_NOMEM;
    }
    file->from = from;
    file->depth = from == NULL ? 0 : from->depth + 1;
    if (place.source == NULL) {
        place.source = &file->source;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        enum err err = errno == ENOENT ? ERR_ABSENT : ERR_IO;
        file_report_errno(tree, place, path);
        return err;
    }
    enum err err = file_read_fd(tree, fd, file, place);
    (void)close(fd);
    if (err == ERR_OK) {
        *out = file;
    }
    return err;
}

/* False: not all was read, and the report says why. */
static bool include_file(struct conf_tree *tree, const struct conf_file *from,
                         struct conf_node *parent, struct conf_place place, const char *path)
{
    struct conf_file *file;

    if (tree->file_count >= CONF_FILES_MAX) {
        conf_report_add(tree->report, place, NULL, "more than %zu configuration files",
                        CONF_FILES_MAX);
        return false;
    }
    if (conf_file_read(tree, path, from, place, &file) != ERR_OK) {
        return false;
    }
    conf_parse_source(tree, file, parent);
    return true;
}

static bool include_glob(struct conf_tree *tree, const struct conf_file *from,
                         struct conf_node *parent, struct conf_place place, const char *pattern)
{
    glob_t found = {0};
    bool all = true;
    /* Without GLOB_TILDE it asks for no user. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    int result = glob(pattern, 0, NULL, &found);

    if (result == 0) {
        for (size_t i = 0; i < found.gl_pathc && tree->file_count <= CONF_FILES_MAX; i++) {
            all = include_file(tree, from, parent, place, found.gl_pathv[i]) && all;
        }
    } else if (result != GLOB_NOMATCH) { /* an empty conf.d is fine */
        conf_report_add(tree->report, place, NULL, "cannot list the files of this include");
        all = false;
    }
    globfree(&found);
    return all;
}

/* The folder of the including file, ready for glob when wanted. */
static void include_put_folder(const char *name, bool for_glob, struct buf *out)
{
    const char *slash = strrchr(name, '/');

    for (const char *at = name; slash != NULL && at <= slash; at++) {
        if (for_glob && strchr("*?[]\\", *at) != NULL) {
            buf_putc(out, '\\');
        }
        buf_putc(out, *at);
    }
}

/* One word behind `include`. */
static bool include_word(struct conf_tree *tree, const struct conf_file *file,
                         struct conf_node *parent, const struct conf_word *word)
{
    struct span text = word->text;
    struct buf path;
    bool all = false;
    bool is_glob = false;

    for (size_t i = 0; i < text.len && !word->quoted; i++) {
        is_glob = is_glob || text.ptr[i] == '*' || text.ptr[i] == '?' || text.ptr[i] == '[';
    }
    buf_init(&path, CONF_WORD_MAX_BYTES * 2);
    if (text.len == 0 || text.ptr[0] != '/') {
        include_put_folder(file->source.name, is_glob, &path);
    }
    buf_append(&path, text);
    if (path.data == NULL || path.failed) {
        conf_report_add(tree->report, word->place, NULL, "not a file name");
    } else if (is_glob) {
        all = include_glob(tree, file, parent, word->place, path.data);
    } else {
        all = include_file(tree, file, parent, word->place, path.data);
    }
    buf_free(&path);
    return all;
}

void conf_include(struct conf_tree *tree, const struct conf_file *file, struct conf_node *parent,
                  const struct conf_node *node)
{
    bool all = false;

    if (node->is_bad) {
        /* which file was meant is not known; the report says why */
    } else if (node->word_count < 2) {
        conf_report_add(tree->report, node->words[0].place, NULL,
                        "\"include\" needs a file; write: include FILE-OR-GLOB;");
    } else if ((tree->flags & CONF_SEALED) != 0) {
        conf_report_add(tree->report, node->words[0].place, NULL, "include is not possible here");
    } else if (file->depth >= CONF_INCLUDE_DEPTH_MAX) {
        conf_report_add(tree->report, node->words[0].place, NULL,
                        "includes are nested deeper than %u files", CONF_INCLUDE_DEPTH_MAX);
    } else {
        all = true;
        for (size_t i = 1; i < node->word_count; i++) {
            all = include_word(tree, file, parent, &node->words[i]) && all;
        }
    }
    tree->is_torn = tree->is_torn || !all;
}
