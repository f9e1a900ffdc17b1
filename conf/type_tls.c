/* type_tls - the values of `origins` that say how connections to its servers are made: tls,
 * keepalive. */
#include <limits.h>
#include <string.h>

#include "conf/certificate.h"
#include "conf/net.h"
#include "conf/report.h"
#include "conf/type.h"
#include "conf/type_scalar.h"
#include "conf/value.h"

/* ---- tls ---- */

enum tls_option {
    TLS_VERIFY,
    TLS_NAME,
    TLS_CA,
    TLS_CERT,
    TLS_KEY,
    TLS_MIN,
    TLS_OPTION_COUNT,
};

static const char *const tls_names[] = {"verify", "name", "ca", "cert", "key", "min"};
static const char *const tls_versions[] = {"1.2", "1.3"};
static const char *const on_off[] = {"on", "off"};

/* Where each option stands; text.ptr NULL: it does not. */
struct tls_words {
    struct conf_word at[TLS_OPTION_COUNT];
};

/* Takes name=value words apart. */
static bool tls_split(const struct conf_item *item, struct tls_words *out)
{
    bool good = true;

    *out = (struct tls_words){0};
    for (size_t i = 0; i < item->count; i++) {
        struct conf_word word = item->words[i];
        struct conf_word name = word;
        const char *equals = word.text.len == 0 ? NULL : memchr(word.text.ptr, '=', word.text.len);
        name.text.len = equals == NULL ? word.text.len : (size_t)(equals - word.text.ptr);
        size_t which = conf_item_choose(item, &name, tls_names, ARRAY_LEN(tls_names));
        if (which == TLS_OPTION_COUNT) {
            good = false;
        } else if (equals == NULL || equals + 1 == word.text.ptr + word.text.len) {
            conf_report_add(item->check->report, word.place, NULL, "\"%s\" needs a value: %s=VALUE",
                            tls_names[which], tls_names[which]);
            good = false;
        } else if (out->at[which].text.ptr != NULL) {
            conf_report_add(item->check->report, word.place, NULL,
                            "\"%s\" is set twice in this \"tls\"; remove one", tls_names[which]);
            good = false;
        } else {
            word.text = span_of(equals + 1, word.text.len - name.text.len - 1);
            out->at[which] = word;
        }
    }
    return good;
}

static bool tls_report_file(const struct conf_item *item, const struct conf_word *word,
                            const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

/* Reads the files, unless it is not this machine's configuration. */
static bool tls_load(const struct conf_item *item, const struct tls_words *words,
                     struct conf_origin_tls *tls)
{
    struct conf_certificates *list = item->check->certificates;
    const struct conf_word *cert = &words->at[TLS_CERT];
    const struct conf_word *key = &words->at[TLS_KEY];
    const char *problem = NULL;
    const char *blamed = NULL;
    bool good = true;

    if ((item->check->flags & CONF_PORTABLE) != 0) {
        return true;
    }
    if (tls->ca != NULL && conf_certificate_trust(list, tls->ca, &tls->trust, &problem) != ERR_OK) {
        good = tls_report_file(item, &words->at[TLS_CA], problem);
    }
    if (tls->cert != NULL && conf_certificate_identity(list, tls->cert, tls->key, &tls->identity,
                                                       &blamed, &problem) != ERR_OK) {
        bool is_key = blamed == tls->key && key->text.ptr != NULL;
        good = tls_report_file(item, is_key ? key : cert, problem);
    }
    return good;
}

static bool tls_paths(const struct conf_item *item, const struct tls_words *words,
                      struct conf_origin_tls *tls)
{
    const char **const targets[] = {
        [TLS_CA] = &tls->ca, [TLS_CERT] = &tls->cert, [TLS_KEY] = &tls->key};
    bool good = true;

    for (size_t i = TLS_CA; i <= TLS_KEY; i++) {
        if (words->at[i].text.ptr != NULL) {
            good = conf_item_path(item, &words->at[i], PATH_MAX - 1) && good;
            *targets[i] = conf_check_copy(item->check, words->at[i].text);
        }
    }
    if (tls->key != NULL && tls->cert == NULL) {
        conf_report_add(item->check->report, words->at[TLS_KEY].place, NULL,
                        "\"key\" needs \"cert\": the certificate it belongs to");
        return false;
    }
    tls->key = tls->key == NULL ? tls->cert : tls->key;
    return good;
}

static bool tls_name(const struct conf_item *item, const struct conf_word *word,
                     struct conf_origin_tls *tls)
{
    struct conf_shown shown;

    if (word->text.ptr == NULL) {
        return true;
    }
    tls->name = conf_check_copy_lower(item->check, word->text);
    if (conf_net_is_host(word->text) && word->text.ptr[0] != '[') {
        return true;
    }
    conf_report_add(item->check->report, word->place, NULL,
                    "\"%s\" is not a host name or IPv4 address", conf_show(&shown, word->text));
    return false;
}

static bool tls_set(const struct conf_item *item)
{
    struct conf_origin_tls *tls = item->target;
    struct tls_words words;
    bool good;

    if (!conf_item_expect(item, 1, TLS_OPTION_COUNT) || !tls_split(item, &words)) {
        return false;
    }
    *tls = (struct conf_origin_tls){0};
    good = tls_name(item, &words.at[TLS_NAME], tls);
    if (words.at[TLS_VERIFY].text.ptr != NULL) {
        size_t which = conf_item_choose(item, &words.at[TLS_VERIFY], on_off, ARRAY_LEN(on_off));
        good = which < ARRAY_LEN(on_off) && good;
        tls->no_verify = which == 1;
    }
    if (words.at[TLS_MIN].text.ptr != NULL) {
        size_t which =
            conf_item_choose(item, &words.at[TLS_MIN], tls_versions, ARRAY_LEN(tls_versions));
        good = which < ARRAY_LEN(tls_versions) && good;
        tls->only_13 = which == 1;
    }
    good = tls_paths(item, &words, tls) && good;
    return good && tls_load(item, &words, tls);
}

/* False: nothing is printed. */
static bool tls_print_option(const char *name, const char *value, bool is_first, struct buf *out)
{
    if (value != NULL) {
        buf_printf(out, "%s%s=", is_first ? "" : " ", name);
        conf_print_word(value, out);
    }
    return value != NULL;
}

static bool tls_print(const struct schema_row *row, const void *owner, const void *value,
                      struct buf *out)
{
    const struct conf_origin_tls *tls = value;
    bool is_apart = tls->cert != NULL && strcmp(tls->cert, tls->key) != 0;
    const char *const values[TLS_OPTION_COUNT] = {
        [TLS_VERIFY] = tls->no_verify ? "off" : NULL,
        [TLS_NAME] = tls->name,
        [TLS_CA] = tls->ca,
        [TLS_CERT] = tls->cert,
        [TLS_KEY] = is_apart ? tls->key : NULL,
        [TLS_MIN] = tls->only_13 ? "1.3" : NULL,
    };
    bool is_first = true;

    (void)row;
    (void)owner;
    for (size_t i = 0; i < TLS_OPTION_COUNT; i++) {
        is_first = !tls_print_option(tls_names[i], values[i], is_first, out) && is_first;
    }
    return !is_first;
}

/* ---- keepalive ---- */

static bool keepalive_set(const struct conf_item *item)
{
    const struct schema_row *row = item->row;
    const struct conf_scalar scalar = {
        .type = SCHEMA_COUNT, .name = row->name, .min = row->min, .max = row->max};
    struct conf_keepalive *target = item->target;
    uint64_t value = 0;

    if (!conf_item_expect(item, 1, 2) ||
        !conf_scalar_read(item->check, &scalar, item->words[0].place, item->words[0].text,
                          &value)) {
        return false;
    }
    target->count = (uint32_t)value;
    return conf_item_options(item, 1);
}

static bool keepalive_print(const struct schema_row *row, const void *owner, const void *value,
                            struct buf *out)
{
    const struct conf_keepalive *keepalive = value;

    (void)row;
    (void)owner;
    buf_printf(out, "%u idle=", keepalive->count);
    conf_scalar_print(SCHEMA_DURATION, keepalive->idle_ms, out);
    return true;
}

const struct conf_type conf_type_tls = {tls_set, tls_print};
const struct conf_type conf_type_keepalive = {keepalive_set, keepalive_print};
