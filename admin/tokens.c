/* tokens - the file is small and read whole; the first one is made beside its place and linked in,
 * so that a crash cannot leave half a file. */
#include "admin/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/file.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define TOKENS_FILE_MAX_BYTES ((size_t)65536)

static struct span word_next(struct span *line)
{
    *line = span_trim(*line);
    size_t len = 0;
    while (len < line->len && line->ptr[len] != ' ' && line->ptr[len] != '\t') {
        len++;
    }
    struct span word = span_of(line->ptr, len);
    line->ptr += len;
    line->len -= len;
    return word;
}

static bool name_is_good(struct span name)
{
    if (name.len == 0 || name.len >= AUTH_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) {
            return false;
        }
    }
    return true;
}

static bool scope_parse(struct span word, enum auth_scope *out)
{
    static const enum auth_scope scopes[] = {AUTH_READ, AUTH_PURGE, AUTH_ADMIN};

    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (span_eq(word, span_str(auth_scope_name(scopes[i])))) {
            *out = scopes[i];
            return true;
        }
    }
    return false;
}

/* Returns NULL, or what is wrong. */
static const char *line_parse(struct span line, struct token *out)
{
    struct span name = word_next(&line);
    struct span scope = word_next(&line);
    struct span digest = word_next(&line);

    if (!name_is_good(name)) {
        return "the name is letters, digits, - and ., at most 47 of them";
    }
    if (!scope_parse(scope, &out->scope)) {
        return "the second word is not read, purge or admin";
    }
    if (!secret_digest_parse(digest, &out->digest)) {
        return "the third word is not a SHA-256 in 64 hex digits";
    }
    memcpy(out->name, name.ptr, name.len);
    out->name[name.len] = '\0';
    return NULL;
}

static bool name_is_new(const struct tokens *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->list[i].name, name) == 0) {
            return false;
        }
    }
    return true;
}

static void add_fault(struct tokens *tokens, size_t line, const char *what)
{
    if (tokens->fault_count < TOKENS_FAULTS_MAX) {
        tokens->faults[tokens->fault_count] = (struct token_fault){.line = line, .what = what};
    }
    tokens->fault_count++;
}

static const char *row_take(struct span row, struct tokens *out)
{
    if (out->count == TOKENS_MAX) {
        return "there are 256 tokens already";
    }
    struct token *token = &out->list[out->count];
    const char *wrong = line_parse(row, token);
    if (wrong == NULL && !name_is_new(out, token->name)) {
        wrong = "another token has this name";
    }
    out->count += wrong == NULL ? 1 : 0;
    return wrong;
}

void tokens_parse(struct span text, struct tokens *out)
{
    out->count = 0;
    out->fault_count = 0;
    for (size_t line = 1; text.len > 0; line++) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
        bool is_crlf = len > 0 && text.ptr[len - 1] == '\r';
        struct span row = span_trim(span_of(text.ptr, len - (is_crlf ? 1 : 0)));
        text.ptr += len + (end != NULL);
        text.len -= len + (end != NULL);
        if (row.len == 0 || row.ptr[0] == '#') {
            continue;
        }
        const char *wrong = row_take(row, out);
        if (wrong != NULL) {
            add_fault(out, line, wrong);
        }
    }
}

static enum err fail_errno(char *why, size_t size, const char *what, const char *path)
{
    int code = errno;
    char text[96];

    (void)snprintf(why, size, "%s %s: %s", what, path, strerror_r(code, text, sizeof(text)));
    return code == ENOENT ? ERR_ABSENT : ERR_IO;
}

enum err tokens_load(const char *path, struct tokens *out, char *why, size_t why_size)
{
    struct stat facts;
    struct buf text;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail_errno(why, why_size, "cannot read", path);
    }
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || (facts.st_mode & 0077) != 0) {
        (void)close(fd);
        (void)snprintf(why, why_size, "%s must be a file only its owner may read; chmod 600 it",
                       path);
        return ERR_IO;
    }
    buf_init(&text, TOKENS_FILE_MAX_BYTES);
    bool is_read = file_read_fd(fd, &text);
    (void)close(fd);
    if (is_read) {
        tokens_parse(buf_span(&text), out);
    } else {
        (void)snprintf(why, why_size, "%s cannot be read or is larger than 64 KiB", path);
    }
    buf_free(&text);
    return is_read ? ERR_OK : ERR_IO;
}

static void tokens_print_first(struct buf *out, const char *token)
{
    struct secret_digest digest = secret_digest(span_str(token));
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    char stamp[32] = "";
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm parts;

    if (gmtime_r(&now, &parts) != NULL) {
        (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    secret_digest_print(&digest, hex);
    buf_puts(
        out,
        "# Larder's admin tokens: name, scope (read, purge, admin), SHA-256 of the token, created.\n"
        "# A line taken out ends its token. To add one, choose NAME_SCOPE_SECRET and write:\n"
        "# NAME SCOPE $(printf %s NAME_SCOPE_SECRET | sha256sum | cut -c1-64)\n");
    buf_printf(out, "admin admin %s %s\n", hex, stamp);
}

enum err tokens_create(const char *path, char token[AUTH_TOKEN_BYTES], char *why, size_t why_size)
{
    char secret[SECRET_CHARS + 1];
    char beside[4096];
    struct buf text;

    secret_make(secret, SECRET_CHARS);
    (void)snprintf(token, AUTH_TOKEN_BYTES, "admin_admin_%s", secret);
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside)) {
        (void)snprintf(why, why_size, "the path of the token file is too long");
        return ERR_LIMIT;
    }
    (void)unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)fail_errno(why, why_size, "cannot write", beside);
        return ERR_IO;
    }
    buf_init(&text, 4096);
    tokens_print_first(&text, token);
    bool good = !text.failed && file_write_fd(fd, buf_span(&text)) && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (!good || link(beside, path) != 0) {
        (void)fail_errno(why, why_size, "cannot write", path);
        good = false;
    }
    (void)unlink(beside);
    buf_free(&text);
    return good ? ERR_OK : ERR_IO;
}
