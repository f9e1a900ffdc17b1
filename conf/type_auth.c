/*
 * type_auth - `auth`, `groups` and `group`: who the users of a forward proxy are. What the lines of
 * their files mean is in user_file.h; that users are found and have their groups is seen to when all is
 * read (rules_users.c).
 */
#include <limits.h>
#include <openssl/sha.h>

#include "base/mem.h"
#include "conf/slurp.h"
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/user_file.h"
#include "conf/value.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)
#define USERS_MAX ((size_t)100000)
#define GROUP_LINES_MAX ((size_t)100000)
#define RATE_MAX ((uint64_t)1000000)
#define REALM_MAX_BYTES ((size_t)128)

/* ---- rates ---- */

static bool rate_set(const struct conf_item *item)
{
    static const struct {
        char unit;
        uint32_t period_s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    struct conf_rate *out = item->target;
    struct span text = item->words[0].text;
    struct conf_shown shown;
    uint64_t count;

    *out = (struct conf_rate){.period_s = 60};
    if (span_eq(text, SPAN("off"))) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (text.len > 2 && text.ptr[text.len - 2] == '/' &&
            text.ptr[text.len - 1] == units[i].unit &&
            span_to_u64(span_of(text.ptr, text.len - 2), RATE_MAX, &count) && count > 0) {
            *out = (struct conf_rate){.count = (uint32_t)count, .period_s = units[i].period_s};
            return true;
        }
    }
    conf_report_add(item->check->report, item->words[0].place, NULL,
                    "\"%s\" is not a rate like 10/m (per s, m or h; 1 to 1,000,000), or off",
                    conf_show(&shown, text));
    return false;
}

static bool rate_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const struct conf_rate *rate = value;

    (void)row;
    (void)owner;
    if (rate->count == 0) {
        buf_puts(out, "off");
    } else {
        buf_printf(out, "%u/%c", rate->count,
                   rate->period_s == 1    ? 's'
                   : rate->period_s == 60 ? 'm'
                                          : 'h');
    }
    return true;
}

/* ---- files ---- */

struct lines {
    const struct conf_item *item;
    const struct conf_word *word; /* that names the file */
    const char *path;
    struct span bytes; /* of mem_try */
    size_t count;      /* at least so many lines may be there */
};

static bool file_report(const struct lines *lines, const char *problem)
{
    struct conf_shown shown;

    conf_report_add(lines->item->check->report, lines->word->place, NULL, "cannot use \"%s\": %s",
                    conf_show(&shown, span_str(lines->path)), problem);
    return false;
}

/* what: who it is about; may be empty. */
static bool line_report(const struct lines *lines, size_t number, struct span what,
                        const char *problem)
{
    struct conf_shown file;
    struct conf_shown shown;

    conf_report_add(lines->item->check->report, lines->word->place, NULL,
                    "line %zu of \"%s\"%s%s%s: %s", number, conf_show(&file, span_str(lines->path)),
                    what.len == 0 ? "" : ", \"", what.len == 0 ? "" : conf_show(&shown, what),
                    what.len == 0 ? "" : "\"", problem);
    return false;
}

/* Takes the path from a word, and reads the file where this machine's are to be read. */
static bool lines_open(struct lines *lines, const struct conf_item *item,
                       const struct conf_word *word)
{
    char room[128];
    const char *problem;

    *lines = (struct lines){.item = item, .word = word, .bytes = span_of(NULL, 0)};
    lines->path = conf_check_copy(item->check, word->text);
    if (!conf_item_path(item, word, PATH_MAX - 1)) {
        return false;
    }
    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return true;
    }
    if (!conf_slurp(lines->path, FILE_MAX_BYTES, &lines->bytes, room, &problem)) {
        return file_report(lines, problem);
    }
    lines->count = 1;
    for (size_t i = 0; i < lines->bytes.len; i++) {
        lines->count += lines->bytes.ptr[i] == '\n' ? 1 : 0;
    }
    return true;
}

static void lines_close(struct lines *lines)
{
    char *bytes = span_unconst(lines->bytes.ptr);

    if (bytes != NULL) {
        explicit_bzero(bytes, lines->bytes.len);
        mem_free(bytes);
    }
}

/* ---- auth ---- */

static void user_fill(struct conf_check *check, struct conf_user *user, struct span name,
                      struct span hash)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    const char *copy = conf_check_copy(check, name);

    user->name = span_str(copy);
    user->hash = conf_check_copy(check, hash);
    (void)SHA256((const unsigned char *)hash.ptr, hash.len, digest);
    memcpy(user->mark, digest, sizeof(user->mark));
}

static bool users_read(const struct lines *lines, struct conf_auth *auth)
{
    struct conf_check *check = lines->item->check;
    struct span rest = lines->bytes;
    struct user_line line = {0};
    struct span name;
    struct span hash;
    bool good = true;

    size_t most = lines->count < USERS_MAX ? lines->count : USERS_MAX;
    struct conf_user *users = arena_alloc(check->arena, (most + 1) * sizeof(*users));
    auth->users = users;
    while (users != NULL && user_line_next(&rest, &line)) {
        const char *problem = user_line_password(line.text, &name, &hash);
        if (problem != NULL) {
            good = line_report(lines, line.number, name, problem);
        } else if (auth->user_count == USERS_MAX) {
            return file_report(lines, "it has more than 100,000 users");
        } else {
            users[auth->user_count] = (struct conf_user){.line = (uint32_t)line.number};
            user_fill(check, &users[auth->user_count++], name, hash);
        }
    }
    return good;
}

/* What may stand between quotes in a field (RFC 9110 5.6.4) without being escaped. */
static bool realm_check(const struct conf_item *item, const struct conf_auth *auth)
{
    const char *realm = auth->realm == NULL ? "" : auth->realm;
    const struct conf_word *at = item->name;
    bool good = realm[0] != '\0' && strlen(realm) <= REALM_MAX_BYTES;

    for (size_t i = 0; realm[i] != '\0' && good; i++) {
        good = realm[i] >= ' ' && realm[i] < 0x7f && realm[i] != '"' && realm[i] != '\\';
    }
    for (size_t i = 2; i < item->count; i++) {
        at = span_starts(item->words[i].text, SPAN("realm=")) ? &item->words[i] : at;
    }
    if (!good) {
        conf_report_add(
            item->check->report, at->place, NULL,
            "a realm is 1 to %zu visible characters of ASCII and spaces, without \" and \\",
            REALM_MAX_BYTES);
    }
    return good;
}

static bool auth_set(const struct conf_item *item)
{
    static const char *const kinds[] = {"basic"};
    struct conf_auth *auth = item->target;
    struct lines lines;

    if (!conf_item_expect(item, 2, SIZE_MAX) ||
        conf_item_choose(item, &item->words[0], kinds, ARRAY_LEN(kinds)) == ARRAY_LEN(kinds)) {
        return false;
    }
    bool good = conf_item_options(item, 2) && realm_check(item, auth);
    good = lines_open(&lines, item, &item->words[1]) && good;
    auth->path = lines.path;
    good = users_read(&lines, auth) && good;
    lines_close(&lines);
    return good;
}

static bool auth_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const struct conf_auth *auth = value;

    if (auth->path == NULL) {
        return false;
    }
    buf_puts(out, "basic ");
    conf_print_word(auth->path, out);
    return conf_print_options(row, owner, " ", out);
}

/* ---- groups ---- */

static bool group_is_name(struct span name)
{
    return conf_is_token(name) && name.len <= 64;
}

#define GROUP_NAME_PROBLEM "a group has a name of letters, digits and - . _ (at most 64)"

/* One line of the file. */
static bool group_read(const struct lines *lines, const struct user_line *line,
                       struct conf_group *group)
{
    struct conf_check *check = lines->item->check;
    struct span name;
    struct span members;
    struct span member;
    size_t count = 0;

    const char *problem = user_line_group(line->text, &name, &members);
    if (problem == NULL && !group_is_name(name)) {
        problem = GROUP_NAME_PROBLEM;
    }
    if (problem != NULL) {
        return line_report(lines, line->number, name, problem);
    }
    struct span rest = members;
    while (user_member_next(&rest, &member)) {
        problem = user_name_problem(member);
        if (problem != NULL) {
            return line_report(lines, line->number, member, problem);
        }
        count++;
    }
    struct span *users = arena_alloc(check->arena, (count + 1) * sizeof(*users));
    *group = (struct conf_group){.name = conf_check_copy(check, name), .users = users};
    while (users != NULL && user_member_next(&members, &member)) {
        users[group->count++] = span_str(conf_check_copy(check, member));
    }
    return true;
}

static bool group_file_set(const struct conf_item *item)
{
    struct conf_group_file *out = item->target;
    struct user_line line = {0};
    struct lines lines;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    bool good = lines_open(&lines, item, &item->words[0]);
    struct span rest = lines.bytes;
    out->path = lines.path;
    if (lines.count > GROUP_LINES_MAX) {
        lines_close(&lines);
        return file_report(&lines, "it has more than 100,000 lines");
    }
    struct conf_group *list = arena_alloc(item->check->arena, (lines.count + 1) * sizeof(*list));
    out->list = list;
    while (list != NULL && user_line_next(&rest, &line)) {
        bool is_group = group_read(&lines, &line, &list[out->count]);
        out->count += is_group ? 1 : 0;
        good = is_group && good;
    }
    lines_close(&lines);
    return good;
}

static bool group_file_print(const struct schema_row *row, const void *owner, const void *value,
                             struct buf *out)
{
    const struct conf_group_file *file = value;

    (void)row;
    (void)owner;
    if (file->path != NULL) {
        conf_print_word(file->path, out);
    }
    return file->path != NULL;
}

static bool group_set(const struct conf_item *item)
{
    struct conf_group *out = item->target;
    struct conf_shown shown;
    bool good = true;

    *out = (struct conf_group){.name = ""};
    if (!conf_item_expect(item, 2, SIZE_MAX)) {
        return false;
    }
    if (!group_is_name(item->words[0].text)) {
        conf_report_add(item->check->report, item->words[0].place, NULL, "\"%s\": %s",
                        conf_show(&shown, item->words[0].text), GROUP_NAME_PROBLEM);
        good = false;
    }
    struct span *users = arena_alloc(item->check->arena, item->count * sizeof(*users));
    out->name = conf_check_copy(item->check, item->words[0].text);
    out->users = users;
    for (size_t i = 1; i < item->count && users != NULL; i++) {
        const char *problem = user_name_problem(item->words[i].text);
        if (problem != NULL) {
            conf_report_add(item->check->report, item->words[i].place, NULL, "\"%s\": %s",
                            conf_show(&shown, item->words[i].text), problem);
            good = false;
        }
        users[out->count++] = span_str(conf_check_copy(item->check, item->words[i].text));
    }
    return good;
}

static bool group_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_group *group = value;

    (void)row;
    (void)owner;
    conf_print_word(group->name, out);
    for (size_t i = 0; i < group->count; i++) {
        buf_putc(out, ' ');
        conf_print_word(group->users[i].ptr, out);
    }
    return true;
}

const struct conf_type conf_type_rate = {rate_set, rate_print};
const struct conf_type conf_type_auth = {auth_set, auth_print};
const struct conf_type conf_type_group = {group_set, group_print};
const struct conf_type conf_type_group_file = {group_file_set, group_file_print};
