/*
 * type_upstream - the words of `upstream`: a pool, a URL or none, who we are to the parents, and what
 * else if none of them can be asked.
 *
 * User and password become the line that is sent (RFC 7617), once. A dump shows *** in place of the
 * password; those in a file are in no dump.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/report.h"
#include "conf/type.h"
#include "conf/value.h"

#define FILE_MAX_BYTES ((size_t)4096)
#define NAME_MAX_BYTES ((size_t)255) /* of a user, and of a password */
#define HIDDEN "***"

static bool report(const struct conf_item *item, const char *problem)
{
    conf_report_add(item->check->report, item->name->place, NULL, "%s", problem);
    return false;
}

/* ---- who we are ---- */

/* RFC 4648 section 4 */
static void base64_put(struct span from, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < from.len; i += 3) {
        size_t have = from.len - i < 3 ? from.len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++) {
            bits = bits << 8 | (j < have ? (unsigned char)from.ptr[i + j] : 0U);
        }
        *to++ = digits[bits >> 18 & 63];
        *to++ = digits[bits >> 12 & 63];
        *to++ = have > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = have > 2 ? digits[bits & 63] : '=';
    }
    *to = '\0';
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return text.len <= NAME_MAX_BYTES;
}

/* pair: USER:PASSWORD. */
static bool authorize(const struct conf_item *item, struct conf_upstream *out, struct span pair)
{
    const struct span name = SPAN("Proxy-Authorization: Basic ");
    char *line = arena_alloc(item->check->arena, name.len + (pair.len + 2) / 3 * 4 + 1);

    if (line == NULL) {
        return false; /* conf.c says that all of it is too large */
    }
    memcpy(line, name.ptr, name.len);
    base64_put(pair, line + name.len);
    out->authorization = line;
    return true;
}

static bool authorize_words(const struct conf_item *item, struct conf_upstream *out)
{
    static const struct conf_advice warning = {.is_warning = true};

    if (out->user == NULL || out->password == NULL) {
        return report(item, "\"user\" and \"password\" belong together");
    }
    struct span user = span_str(out->user);
    struct span password = span_str(out->password);
    if (!is_plain(user) || !is_plain(password) || memchr(user.ptr, ':', user.len) != NULL) {
        return report(item, "a user has no \":\", and user and password are at most 255 bytes, "
                            "none of them a control byte");
    }
    if (span_eq(password, SPAN(HIDDEN))) {
        conf_report_add(item->check->report, item->name->place, &warning,
                        "the password is " HIDDEN ", as a dump shows it: is it the real one? Those "
                        "in a file (credentials=FILE) are not lost in dumps");
    }
    return authorize(item, out,
                     arena_printf(item->check->arena, "%s:%s", out->user, out->password));
}

/* ---- credentials=FILE ---- */

static bool report_file(const struct conf_item *item, const struct conf_upstream *out,
                        const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, item->name->place, NULL, "\"%s\" %s",
                    conf_show(&shown, span_str(out->credentials)), problem);
    return false;
}

static bool take_line(const struct conf_item *item, struct conf_upstream *out, struct span line)
{
    const char *end = line.len == 0 ? NULL : memchr(line.ptr, '\n', line.len);

    line.len = end == NULL ? line.len : (size_t)(end - line.ptr);
    line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r' ? 1 : 0;
    const char *colon = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr) {
        return report_file(item, out, "has no USER:PASSWORD in its first line");
    }
    size_t user = (size_t)(colon - line.ptr);
    if (!is_plain(span_of(line.ptr, user)) || !is_plain(span_of(colon + 1, line.len - user - 1))) {
        return report_file(item, out,
                           "has a user or password over 255 bytes, or with a control byte");
    }
    return authorize(item, out, line);
}

static bool read_open(const struct conf_item *item, struct conf_upstream *out, int fd)
{
    static const struct conf_advice warning = {.is_warning = true};
    char room[FILE_MAX_BYTES];
    struct conf_shown shown;
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return report_file(item, out, "is not a regular file");
    }
    if ((info.st_mode & S_IROTH) != 0) {
        conf_report_add(item->check->report, item->name->place, &warning,
                        "everybody on this machine may read the password in \"%s\": chmod o-r",
                        conf_show(&shown, span_str(out->credentials)));
    }
    ssize_t got = read(fd, room, sizeof(room));
    if (got < 0) {
        return report_file(item, out, "cannot be read");
    }
    bool good = take_line(item, out, span_of(room, (size_t)got));
    explicit_bzero(room, sizeof(room));
    return good;
}

static bool authorize_file(const struct conf_item *item, struct conf_upstream *out)
{
    const struct conf_word path = {.text = span_str(out->credentials), .place = item->name->place};
    struct conf_shown shown;
    char text[128];

    if (out->user != NULL || out->password != NULL) {
        return report(item, "\"credentials\" takes the place of \"user\" and \"password\"");
    }
    if (!conf_item_path(item, &path, PATH_MAX - 1)) {
        return false;
    }
    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return true;
    }
    int fd = open(out->credentials, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        conf_report_add(item->check->report, item->name->place, NULL, "cannot read \"%s\": %s",
                        conf_show(&shown, path.text), strerror_r(errno, text, sizeof(text)));
        return false;
    }
    bool good = read_open(item, out, fd);
    (void)close(fd);
    return good;
}

/* ---- by whom ---- */

static bool take_url(const struct conf_item *item, struct conf_upstream *out)
{
    const struct conf_word *word = &item->words[0];
    struct span host = {0};
    struct conf_shown shown;
    bool has_tls = false;
    enum conf_net why = conf_net_url(word->text, &has_tls, &host, &out->port);

    if (why == CONF_NET_USER) {
        conf_report_add(item->check->report, word->place, NULL,
                        "user and password stand behind the URL: user=NAME password=TEXT, or "
                        "credentials=FILE");
        return false;
    }
    if (why != CONF_NET_OK) {
        conf_report_add(
            item->check->report, word->place, NULL, "\"%s\" %s", conf_show(&shown, word->text),
            why == CONF_NET_SCHEME ? "is not a parent: write http://HOST[:PORT], or the "
                                     "name of a pool"
                                   : conf_net_problem(why));
        return false;
    }
    if (has_tls) {
        conf_report_add(item->check->report, word->place, NULL,
                        "parents are spoken to in clear text: http://HOST[:PORT]");
        return false;
    }
    struct span url = word->text;
    url.len -= url.ptr[url.len - 1] == '/' ? 1 : 0;
    out->url = conf_check_copy_lower(item->check, url);
    out->host = conf_check_copy_lower(item->check, host);
    bool is_v6 = strchr(out->host, ':') != NULL;
    out->pool = arena_printf(item->check->arena, is_v6 ? "parent:[%s]:%u%c" : "parent:%s:%u%c",
                             out->host, out->port, 0)
                    .ptr;
    return out->pool != NULL;
}

static bool take_whom(const struct conf_item *item, struct conf_upstream *out)
{
    const struct conf_word *word = &item->words[0];

    if (!word->quoted && span_eq(word->text, SPAN("direct"))) {
        out->is_direct = true;
        return item->count == 1 || report(item, "\"direct\" stands alone");
    }
    if (word->text.len > 0 && memchr(word->text.ptr, ':', word->text.len) != NULL) {
        return take_url(item, out);
    }
    return conf_item_label(item, word, "pool", &out->pool);
}

static bool upstream_set(const struct conf_item *item)
{
    static const char *const otherwise[] = {"fail", "direct"};
    struct conf_upstream *out = item->target;
    struct conf_item rest = *item;

    *out = (struct conf_upstream){.is_set = true};
    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    rest.owner = out;
    bool good = take_whom(item, out);
    good = conf_item_options(&rest, 1) && good;
    const struct conf_word word = {.text = span_str(out->otherwise), .place = item->name->place};
    size_t which = conf_item_choose(item, &word, otherwise, ARRAY_LEN(otherwise));
    out->else_direct = which == 1;
    good = good && which < ARRAY_LEN(otherwise);
    if (!good) {
        return false;
    }
    if (out->credentials != NULL) {
        return authorize_file(item, out);
    }
    return (out->user == NULL && out->password == NULL) || authorize_words(item, out);
}

static void option_print(const char *name, const char *value, struct buf *out)
{
    buf_printf(out, " %s=", name);
    conf_print_word(value, out);
}

static bool upstream_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    const struct conf_upstream *upstream = value;

    (void)row;
    (void)owner;
    if (!upstream->is_set) {
        return false;
    }
    conf_print_word(upstream->is_direct     ? "direct"
                    : upstream->url != NULL ? upstream->url
                                            : upstream->pool,
                    out);
    if (upstream->user != NULL) {
        option_print("user", upstream->user, out);
        buf_puts(out, " password=" HIDDEN);
    }
    if (upstream->credentials != NULL) {
        option_print("credentials", upstream->credentials, out);
    }
    buf_puts(out, upstream->else_direct ? " else=direct" : "");
    return true;
}

const struct conf_type conf_type_upstream = {upstream_set, upstream_print};
