/* type - the plain types, and what all of them share. */
#include "conf/type.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/type_scalar.h"
#include "conf/value.h"

#define USER_BUFFER_BYTES 16384
#define TOKEN_MAX_BYTES ((size_t)64)
#define OPTIONS_MAX ((size_t)8)

const char *conf_check_copy(struct conf_check *check, struct span text)
{
    const char *copy = arena_string(check->arena, text);

    return copy == NULL ? "" : copy;
}

const char *conf_check_copy_lower(struct conf_check *check, struct span text)
{
    char *copy = arena_string(check->arena, text);

    for (size_t i = 0; copy != NULL && i < text.len; i++) {
        copy[i] = ascii_lower(copy[i]);
    }
    return copy == NULL ? "" : copy;
}

/* Appends nothing or ";": how a directive ends when it has no block. */
static const char *row_end(const struct schema_row *row)
{
    return row->type == SCHEMA_BLOCK ? "" : ";";
}

/* A word too many is most often a directive whose ";" before it was forgotten. */
static void item_surplus(const struct conf_item *item, size_t index)
{
    const struct conf_word *word = &item->words[index];
    const struct conf_word *before = index == 0 ? item->name : &item->words[index - 1];
    struct conf_shown shown;
    struct conf_place place = before->place;

    if (!word->quoted && schema_find(item->row->context, word->text) != NULL) {
        place.offset = before->end_offset;
        place.column = before->end_column;
        conf_report_add(item->check->report, place, NULL, "missing \";\" after \"%s\"",
                        conf_show(&shown, before->text));
        return;
    }
    conf_report_add(item->check->report, word->place, NULL,
                    "one word too many: \"%s\"; write: %s%s%s%s", conf_show(&shown, word->text),
                    item->row->name, item->row->syntax[0] == '\0' ? "" : " ", item->row->syntax,
                    row_end(item->row));
}

bool conf_item_expect(const struct conf_item *item, size_t min, size_t max)
{
    if (item->count < min) {
        conf_report_add(item->check->report, item->name->place, NULL,
                        "\"%s\" needs more words; write: %s %s%s", item->row->name, item->row->name,
                        item->row->syntax, row_end(item->row));
        return false;
    }
    if (item->count > max) {
        item_surplus(item, max);
        return false;
    }
    return true;
}

size_t conf_item_choose(const struct conf_item *item, const struct conf_word *word,
                        const char *const *allowed, size_t count)
{
    struct conf_shown shown;

    for (size_t i = 0; i < count; i++) {
        if (span_eq(word->text, span_str(allowed[i]))) {
            return i;
        }
    }
    const struct conf_advice advice = {.hint = conf_nearest(word->text, allowed, count),
                                       .allowed = allowed,
                                       .allowed_count = count};
    conf_report_add(item->check->report, word->place, &advice, "\"%s\" is not a value of \"%s\"",
                    conf_show(&shown, word->text), item->row->name);
    return count;
}

/* Is it the one word that stands for "none" or 0? */
static bool item_is_special(const struct conf_item *item)
{
    return item->row->allowed_count == 1 &&
           span_eq(item->words[0].text, span_str(item->row->allowed[0]));
}

static const struct conf_type type_scalar;
static const struct conf_type *const types[SCHEMA_TYPE_COUNT];

static bool option_set(const struct conf_item *item, const struct schema_option *option,
                       struct conf_place place, struct span text)
{
    const struct conf_scalar scalar = {
        .type = option->type, .name = option->name, .min = option->min, .max = option->max};
    uint64_t value;

    if (types[option->type] != &type_scalar) {
        const struct conf_word word = {.text = text, .place = place};
        struct conf_item one = *item;
        one.words = &word;
        one.count = 1;
        one.target = (char *)item->owner + option->offset;
        return types[option->type]->set(&one);
    }
    if (!conf_scalar_read(item->check, &scalar, place, text, &value)) {
        return false;
    }
    conf_scalar_store(option->type, (char *)item->owner + option->offset, value);
    return true;
}

/* A bare number where a count is wanted: "size=100". "" when it is none. */
static void option_guess(const struct schema_row *row, struct span text, struct conf_shown *out)
{
    uint64_t number;

    out->text[0] = '\0';
    for (size_t i = 0; span_to_u64(text, UINT64_MAX, &number) && i < row->option_count; i++) {
        if (row->options[i].type == SCHEMA_COUNT) {
            (void)snprintf(out->text, sizeof(out->text), "%s=%llu", row->options[i].name,
                           (unsigned long long)number);
            return;
        }
    }
}

static size_t option_find(const struct conf_item *item, const struct conf_word *word,
                          size_t name_len)
{
    const char *names[OPTIONS_MAX + 1];
    const struct schema_row *row = item->row;
    struct conf_shown shown;
    struct conf_shown guess;
    size_t name_count = row->option_count;

    CHECK(row->option_count <= OPTIONS_MAX);
    for (size_t i = 0; i < row->option_count; i++) {
        names[i] = row->options[i].name;
        if (name_len < word->text.len &&
            span_eq(span_of(word->text.ptr, name_len), span_str(names[i]))) {
            return i;
        }
    }
    struct span name = span_of(word->text.ptr, name_len);
    const char *nearest = conf_nearest(name, names, row->option_count);
    if (nearest != NULL && span_eq(name, span_str(nearest))) {
        conf_report_add(item->check->report, word->place, NULL, "\"%s\" needs a value: %s=VALUE",
                        nearest, nearest);
        return row->option_count;
    }
    if (row->type == SCHEMA_SERVER) {
        names[name_count++] = "backup"; /* a word by itself, read in type_net.c */
        nearest = nearest != NULL ? nearest : conf_nearest(name, &names[name_count - 1], 1);
    }
    option_guess(row, word->text, &guess);
    const struct conf_advice advice = {.hint = guess.text[0] != '\0' ? guess.text : nearest,
                                       .allowed = names,
                                       .allowed_count = name_count};
    conf_report_add(item->check->report, word->place, &advice,
                    "\"%s\" is not an option of \"%s\"; options are name=value",
                    conf_show(&shown, word->text), row->name);
    return row->option_count;
}

bool conf_item_options(const struct conf_item *item, size_t first)
{
    const struct schema_row *row = item->row;
    bool seen[OPTIONS_MAX] = {false};
    bool good = true;

    for (size_t i = 0; i < row->option_count; i++) {
        CHECK(option_set(item, &row->options[i], (struct conf_place){0},
                         span_str(row->options[i].fallback)));
    }
    for (size_t i = first; i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (!word->quoted && schema_find(row->context, word->text) != NULL) {
            item_surplus(item, i);
            return false;
        }
        const char *equals =
            word->text.len == 0 ? NULL : memchr(word->text.ptr, '=', word->text.len);
        size_t name_len = equals == NULL ? word->text.len : (size_t)(equals - word->text.ptr);
        size_t index = option_find(item, word, name_len);
        if (index == row->option_count) {
            good = false;
        } else if (seen[index]) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"%s\" is set twice in this \"%s\"; remove one",
                            row->options[index].name, row->name);
            good = false;
        } else {
            struct span value = span_of(equals + 1, word->text.len - name_len - 1);
            good = option_set(item, &row->options[index], word->place, value) && good;
            seen[index] = true;
        }
    }
    return good;
}

static bool flag_set(const struct conf_item *item)
{
    bool *target = item->target;

    *target = true;
    return conf_item_expect(item, 0, 0);
}

static bool flag_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    (void)row;
    (void)owner;
    (void)out;
    return *(const bool *)value;
}

static bool switch_set(const struct conf_item *item)
{
    bool *target = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    size_t count = item->row->allowed_count;
    size_t index = conf_item_choose(item, &item->words[0], item->row->allowed, count);
    return index < count && conf_value_switch(item->words[0].text, target) == CONF_VALUE_OK;
}

/* The name alone means on. */
static bool on_set(const struct conf_item *item)
{
    bool *target = item->target;

    if (item->count > 0) {
        return switch_set(item);
    }
    *target = true;
    return true;
}

static bool switch_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    (void)row;
    (void)owner;
    buf_puts(out, *(const bool *)value ? "on" : "off");
    return true;
}

static bool scalar_set(const struct conf_item *item)
{
    const struct schema_row *row = item->row;
    const struct conf_scalar scalar = {
        .type = row->type, .name = row->name, .min = row->min, .max = row->max};
    uint64_t value = 0;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    if (!item_is_special(item) && !conf_scalar_read(item->check, &scalar, item->words[0].place,
                                                    item->words[0].text, &value)) {
        return false;
    }
    conf_scalar_store(row->type, item->target, value);
    return true;
}

static bool scalar_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    uint64_t number = conf_scalar_load(row->type, value);

    (void)owner;
    if (number == 0 && row->allowed_count == 1) {
        buf_puts(out, row->allowed[0]);
    } else {
        conf_scalar_print(row->type, number, out);
    }
    return true;
}

static bool choice_set(const struct conf_item *item)
{
    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    size_t count = item->row->allowed_count;
    size_t index = conf_item_choose(item, &item->words[0], item->row->allowed, count);
    unsigned value = (unsigned)index;
    memcpy(item->target, &value, sizeof(value));
    return index < count;
}
_Static_assert(sizeof(enum conf_metrics) == sizeof(unsigned), "choices are stored as unsigned");

static bool choice_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    unsigned index;

    (void)owner;
    memcpy(&index, value, sizeof(index));
    CHECK(index < row->allowed_count);
    buf_puts(out, row->allowed[index]);
    return true;
}

bool conf_item_path(const struct conf_item *item, const struct conf_word *word, size_t max_bytes)
{
    struct conf_shown shown;

    if (word->text.len == 0 || word->text.ptr[0] != '/') {
        const struct conf_advice advice = {
            .allowed = item->row->allowed,
            .allowed_count = item->row->type == SCHEMA_PATH ? item->row->allowed_count : 0};
        conf_report_add(item->check->report, word->place, &advice,
                        "\"%s\" is not an absolute path (one that begins with \"/\")",
                        conf_show(&shown, word->text));
        return false;
    }
    if (word->text.len > max_bytes) {
        conf_report_add(item->check->report, word->place, NULL,
                        "this path is longer than %zu bytes", max_bytes);
        return false;
    }
    return true;
}

static bool path_set(const struct conf_item *item)
{
    const char **target = item->target;
    bool has_options = item->row->option_count > 0;

    if (!conf_item_expect(item, 1, has_options ? SIZE_MAX : 1)) {
        return false;
    }
    size_t max_bytes = item->row->max > 0 ? item->row->max : PATH_MAX - 1;
    bool special = item_is_special(item);
    *target = NULL;
    if (!special) {
        *target = conf_check_copy(item->check, item->words[0].text);
    }
    bool good = !has_options || conf_item_options(item, 1);
    return (special || conf_item_path(item, &item->words[0], max_bytes)) && good;
}

static bool path_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const char *path = *(const char *const *)value;

    if (path == NULL) {
        buf_puts(out, row->allowed_count > 0 ? row->allowed[0] : "");
        return row->allowed_count > 0;
    }
    conf_print_word(path, out);
    for (size_t i = 0; i < row->option_count; i++) {
        const struct schema_option *option = &row->options[i];
        buf_printf(out, " %s=", option->name);
        conf_scalar_print(option->type,
                          conf_scalar_load(option->type, (const char *)owner + option->offset),
                          out);
    }
    return true;
}

/* Reports what keeps a folder from being used; path is terminated. */
static bool item_is_folder(const struct conf_item *item, struct conf_place place, const char *path)
{
    struct stat info;
    struct conf_shown shown;

    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return true;
    }
    bool is_file = errno == 0 || errno == ENOTDIR;
    conf_report_add(item->check->report, place, NULL,
                    is_file ? "\"%s\" is not a folder"
                            : "the folder \"%s\" does not exist; make it first",
                    conf_show(&shown, span_str(path)));
    return false;
}

bool conf_item_folder_of(const struct conf_item *item, const struct conf_word *word)
{
    char folder[PATH_MAX];

    if ((item->check->flags & CONF_PORTABLE) != 0) {
        return true;
    }
    const char *slash = memrchr(word->text.ptr, '/', word->text.len);
    CHECK(slash != NULL && word->text.len < sizeof(folder)); /* conf_item_path came before */
    size_t len = (size_t)(slash - word->text.ptr);
    memcpy(folder, word->text.ptr, len + 1);
    folder[len == 0 ? 1 : len] = '\0';
    errno = 0;
    return item_is_folder(item, word->place, folder);
}

static bool folder_set(const struct conf_item *item)
{
    const char **target = item->target;

    if (!path_set(item) || *target == NULL) {
        return false;
    }
    errno = 0;
    return (item->check->flags & CONF_PORTABLE) != 0 ||
           item_is_folder(item, item->words[0].place, *target);
}

static bool user_set(const struct conf_item *item)
{
    const char **target = item->target;
    char buffer[USER_BUFFER_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    struct conf_shown shown;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    *target = conf_check_copy(item->check, item->words[0].text);
    if ((item->check->flags & CONF_PORTABLE) != 0 && item->words[0].text.len > 0) {
        return true;
    }
    (void)getpwnam_r(*target, &entry, buffer, sizeof(buffer), &found);
    if (found == NULL) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "there is no user \"%s\" on this machine",
                        conf_show(&shown, item->words[0].text));
    }
    return found != NULL;
}

static bool text_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const char *text = *(const char *const *)value;

    (void)row;
    (void)owner;
    if (text != NULL) {
        conf_print_word(text, out);
    }
    return text != NULL;
}

bool conf_is_token(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = ascii_lower(word.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return word.len > 0;
}

static bool token_set(const struct conf_item *item)
{
    const char **target = item->target;
    struct conf_shown shown;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    *target = conf_check_copy(item->check, item->words[0].text);
    if (!conf_is_token(item->words[0].text) || item->words[0].text.len > TOKEN_MAX_BYTES) {
        conf_report_add(item->check->report, item->words[0].place, NULL,
                        "\"%s\" is not a name of letters, digits and - . _ (at most %zu)",
                        conf_show(&shown, item->words[0].text), TOKEN_MAX_BYTES);
        return false;
    }
    return true;
}

static bool options_set(const struct conf_item *item)
{
    return conf_item_options(item, 0);
}

bool conf_print_options(const struct schema_row *row, const void *owner, const char *before,
                        struct buf *out)
{
    for (size_t i = 0; i < row->option_count; i++) {
        const struct schema_option *option = &row->options[i];
        const void *value = (const char *)owner + option->offset;
        buf_printf(out, "%s%s=", i == 0 ? before : " ", option->name);
        if (types[option->type] == &type_scalar) {
            conf_scalar_print(option->type, conf_scalar_load(option->type, value), out);
        } else {
            (void)types[option->type]->print(row, owner, value, out);
        }
    }
    return true;
}

static bool options_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    (void)value;
    return conf_print_options(row, owner, "", out);
}

static const struct conf_type type_flag = {flag_set, flag_print};
static const struct conf_type type_switch = {switch_set, switch_print};
static const struct conf_type type_on = {on_set, switch_print};
static const struct conf_type type_scalar = {scalar_set, scalar_print};
static const struct conf_type type_choice = {choice_set, choice_print};
static const struct conf_type type_path = {path_set, path_print};
static const struct conf_type type_folder = {folder_set, path_print};
static const struct conf_type type_user = {user_set, text_print};
static const struct conf_type type_token = {token_set, text_print};
static const struct conf_type type_options = {options_set, options_print};

static const struct conf_type *const types[SCHEMA_TYPE_COUNT] = {
    [SCHEMA_FLAG] = &type_flag,
    [SCHEMA_SWITCH] = &type_switch,
    [SCHEMA_ON] = &type_on,
    [SCHEMA_COUNT] = &type_scalar,
    [SCHEMA_MODE] = &type_scalar,
    [SCHEMA_SIZE] = &type_scalar,
    [SCHEMA_DURATION] = &type_scalar,
    [SCHEMA_PERCENT] = &type_scalar,
    [SCHEMA_CHOICE] = &type_choice,
    [SCHEMA_PATH] = &type_path,
    [SCHEMA_FOLDER] = &type_folder,
    [SCHEMA_USER] = &type_user,
    [SCHEMA_TOKEN] = &type_token,
    [SCHEMA_HOST] = &conf_type_host,
    [SCHEMA_OPTIONS] = &type_options,
    [SCHEMA_NAMES] = &conf_type_names,
    [SCHEMA_PATTERNS] = &conf_type_patterns,
    [SCHEMA_HEADER] = &conf_type_header,
    [SCHEMA_FIELDS] = &conf_type_fields,
    [SCHEMA_NETWORKS] = &conf_type_networks,
    [SCHEMA_FROM] = &conf_type_from,
    [SCHEMA_TRUST] = &conf_type_trust,
    [SCHEMA_LISTEN] = &conf_type_listen,
    [SCHEMA_ADMIN_LISTEN] = &conf_type_admin_listen,
    [SCHEMA_SERVER] = &conf_type_server,
    [SCHEMA_TLS] = &conf_type_tls,
    [SCHEMA_KEEPALIVE] = &conf_type_keepalive,
    [SCHEMA_BALANCE] = &conf_type_balance,
    [SCHEMA_RETRY] = &conf_type_retry,
    [SCHEMA_STICKY] = &conf_type_sticky,
    [SCHEMA_ACCESS_LOG] = &conf_type_access_log,
    [SCHEMA_ERROR_LOG] = &conf_type_error_log,
    [SCHEMA_CODINGS] = &conf_type_codings,
    [SCHEMA_MEDIA_TYPES] = &conf_type_media_types,
    [SCHEMA_LIMIT] = &conf_type_limit,
    [SCHEMA_BANDWIDTH] = &conf_type_bandwidth,
    [SCHEMA_QUOTA] = &conf_type_quota,
    [SCHEMA_ACCESS] = &conf_type_access,
    [SCHEMA_PREFIX] = &conf_type_prefix,
    [SCHEMA_REDIRECT] = &conf_type_redirect,
    [SCHEMA_RESPOND] = &conf_type_respond,
    [SCHEMA_PAGE] = &conf_type_page,
    [SCHEMA_ERROR_PAGE] = &conf_type_error_page,
    [SCHEMA_UPGRADE] = &conf_type_upgrade,
    [SCHEMA_STATUSES] = &conf_type_statuses,
    [SCHEMA_FAILURES] = &conf_type_failures,
    [SCHEMA_TEXT] = &conf_type_text,
    [SCHEMA_AUTHORITY] = &conf_type_authority,
    [SCHEMA_PROBE] = &conf_type_probe,
    [SCHEMA_EJECT] = &conf_type_eject,
    [SCHEMA_BREAKER] = &conf_type_breaker,
    [SCHEMA_ACL_RULE] = &conf_type_acl,
    [SCHEMA_RESOLVERS] = &conf_type_resolvers,
    [SCHEMA_UPSTREAM] = &conf_type_upstream,
    [SCHEMA_RATE] = &conf_type_rate,
    [SCHEMA_AUTH] = &conf_type_auth,
    [SCHEMA_GROUP] = &conf_type_group,
    [SCHEMA_GROUP_FILE] = &conf_type_group_file,
    [SCHEMA_AGENT] = &conf_type_agent,
    [SCHEMA_REFERER] = &conf_type_referer,
    [SCHEMA_HOSTS] = &conf_type_hosts,
    [SCHEMA_PAC] = &conf_type_pac,
    [SCHEMA_PAC_DIRECT] = &conf_type_pac_direct,
    [SCHEMA_PAC_PROXY] = &conf_type_pac_proxy,
    [SCHEMA_OUTGOING] = &conf_type_outgoing,
};

bool conf_item_set(const struct conf_item *item)
{
    const struct conf_type *type = types[item->row->type];

    CHECK(type != NULL);
    return type->set(item);
}

bool conf_item_print(const struct schema_row *row, const void *owner, const void *element,
                     struct buf *out)
{
    const struct conf_type *type = types[row->type];

    CHECK(type != NULL);
    return type->print(row, owner, element != NULL ? element : (const char *)owner + row->offset,
                       out);
}

const char *conf_item_name(const struct schema_row *row, const void *element)
{
    const struct conf_access_entry *entry = element;
    const struct conf_acl_rule *rule = element;

    if (row->type == SCHEMA_ACL_RULE && rule != NULL) {
        return rule->allow ? "allow" : "deny";
    }
    if (row->type != SCHEMA_ACCESS || entry == NULL) {
        return row->name;
    }
    return entry->allow ? "allow" : "deny";
}

size_t conf_type_bytes(enum schema_type type)
{
    static const size_t bytes[SCHEMA_TYPE_COUNT] = {
        [SCHEMA_COUNT] = sizeof(uint32_t),
        [SCHEMA_MODE] = sizeof(uint32_t),
        [SCHEMA_SIZE] = sizeof(uint64_t),
        [SCHEMA_DURATION] = sizeof(uint64_t),
        [SCHEMA_PATH] = sizeof(char *),
        [SCHEMA_FOLDER] = sizeof(char *),
        [SCHEMA_USER] = sizeof(char *),
        [SCHEMA_ADMIN_LISTEN] = offsetof(struct conf_admin, socket_path), /* enabled and listen */
    };

    CHECK(bytes[type] > 0);
    return bytes[type];
}
