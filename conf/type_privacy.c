/* type_privacy - what is told of clients: user_agent, referer, lists of hosts; and the PAC file. */
#include <string.h>

#include "conf/report.h"
#include "conf/type_page.h"
#include "conf/value.h"

#define AGENT_MAX_BYTES ((size_t)512)
#define HOSTS_MAX ((size_t)1024) /* patterns in one directive */
#define HOST_MAX_BYTES ((size_t)253)

static bool privacy_report(const struct conf_item *item, const struct conf_word *word,
                           const char *problem)
{
    struct conf_shown shown;

    conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                    conf_show(&shown, word->text), problem);
    return false;
}

static bool is_off(const struct conf_item *item)
{
    return item->count == 1 && span_eq(item->words[0].text, SPAN("off"));
}

/* ---- user_agent ---- */

static const char *const agent_words[] = {"keep", "remove"};

/* Visible ASCII and spaces within (RFC 9110 5.5). */
static bool is_agent(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.len > 0 && text.len <= AGENT_MAX_BYTES && text.ptr[0] != ' ' &&
           text.ptr[text.len - 1] != ' ';
}

static bool agent_set(const struct conf_item *item)
{
    struct conf_agent *out = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    const struct conf_word *word = &item->words[0];
    if (!word->quoted) {
        size_t which = conf_item_choose(item, word, agent_words, ARRAY_LEN(agent_words));
        if (which == ARRAY_LEN(agent_words)) {
            return false;
        }
        *out = (struct conf_agent){.kind = which == 0 ? CONF_AGENT_KEEP : CONF_AGENT_REMOVE};
        return true;
    }
    if (!is_agent(word->text)) {
        return privacy_report(item, word,
                              "cannot be sent: 1 to 512 visible ASCII characters, spaces within");
    }
    *out = (struct conf_agent){.kind = CONF_AGENT_TEXT,
                               .text = conf_check_copy(item->check, word->text)};
    return true;
}

/* In quotes, whatever it is: without, "keep" is another thing. */
static void print_quoted(const char *text, struct buf *out)
{
    buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (strchr("\"\\$", *text) != NULL) {
            buf_putc(out, '\\');
        }
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

static bool agent_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_agent *agent = value;

    (void)row;
    (void)owner;
    switch (agent->kind) {
    case CONF_AGENT_UNSET:
        return false;
    case CONF_AGENT_KEEP:
    case CONF_AGENT_REMOVE:
        buf_puts(out, agent_words[agent->kind - CONF_AGENT_KEEP]);
        return true;
    case CONF_AGENT_TEXT:
        break;
    }
    print_quoted(agent->text, out);
    return true;
}

/* ---- referer ---- */

static const char *const referer_words[] = {"keep", "remove", "origin", "same_origin"};

static bool referer_set(const struct conf_item *item)
{
    enum conf_referer *out = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    size_t which = conf_item_choose(item, &item->words[0], referer_words, ARRAY_LEN(referer_words));
    *out = (enum conf_referer)(which + 1);
    return which < ARRAY_LEN(referer_words);
}

static bool referer_print(const struct schema_row *row, const void *owner, const void *value,
                          struct buf *out)
{
    enum conf_referer referer = *(const enum conf_referer *)value;

    (void)row;
    (void)owner;
    if (referer == CONF_REFERER_UNSET) {
        return false;
    }
    buf_puts(out, referer_words[referer - 1]);
    return true;
}

/* ---- patterns of hosts ---- */

/* Letters, digits, ".", "-", "_" and *; an IPv6 address in brackets. */
static bool is_host_pattern(struct span text)
{
    if (text.len > 2 && text.ptr[0] == '[') {
        return conf_net_is_host(text);
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr(".-_*", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0 && text.len <= HOST_MAX_BYTES;
}

static bool host_pattern(const struct conf_item *item, const struct conf_word *word)
{
    if (span_eq(word->text, SPAN("off"))) {
        return privacy_report(item, word, "stands alone");
    }
    return is_host_pattern(word->text) ||
           privacy_report(item, word,
                          "is no pattern of host names: letters, digits, - _ and . , with * for "
                          "any of them");
}

static bool hosts_set(const struct conf_item *item)
{
    struct conf_hosts *out = item->target;
    bool good = true;

    *out = (struct conf_hosts){.is_set = true};
    if (is_off(item)) {
        return true;
    }
    if (!conf_item_expect(item, 1, HOSTS_MAX)) {
        return false;
    }
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < item->count; i++) {
        good = host_pattern(item, &item->words[i]) && good;
        list[i] = conf_check_copy_lower(item->check, item->words[i].text);
    }
    out->list = list;
    out->count = list == NULL ? 0 : item->count;
    return good;
}

static bool hosts_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_hosts *hosts = value;
    const struct conf_names names = {.list = hosts->list, .count = hosts->count};

    (void)row;
    (void)owner;
    if (!hosts->is_set) {
        return false;
    }
    if (!conf_print_words(&names, out)) {
        buf_puts(out, "off");
    }
    return true;
}

/* ---- pac ---- */

static bool pac_set(const struct conf_item *item)
{
    struct conf_pac *out = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    const struct conf_word *word = &item->words[0];
    if (word->text.len > 0 && word->text.ptr[0] == '/') {
        out->kind = CONF_PAC_FILE;
        return conf_item_page(item, word, &out->page);
    }
    static const char *const words[] = {"off", "on"};
    size_t which = conf_item_choose(item, word, words, ARRAY_LEN(words));
    out->kind = which == 1 ? CONF_PAC_ON : CONF_PAC_OFF;
    out->page = (struct conf_page){0};
    return which < ARRAY_LEN(words);
}

static bool pac_print(const struct schema_row *row, const void *owner, const void *value,
                      struct buf *out)
{
    const struct conf_pac *pac = value;

    (void)row;
    (void)owner;
    switch (pac->kind) {
    case CONF_PAC_OFF:
        buf_puts(out, "off");
        break;
    case CONF_PAC_ON:
        buf_puts(out, "on");
        break;
    case CONF_PAC_FILE:
        conf_print_word(pac->page.path, out);
        break;
    }
    return true;
}

/* ---- pac_direct ---- */

static bool pac_direct_word(const struct conf_item *item, const struct conf_word *word,
                            const char **host, struct conf_network *network, bool *is_network)
{
    enum conf_net why = conf_net_network(word->text, network);

    *is_network = why == CONF_NET_OK;
    if (*is_network) {
        return true;
    }
    if (memchr(word->text.ptr, '/', word->text.len) != NULL) {
        return privacy_report(item, word, "is neither a pattern of host names nor a network");
    }
    *host = conf_check_copy_lower(item->check, word->text);
    return host_pattern(item, word);
}

static bool pac_direct_set(const struct conf_item *item)
{
    struct conf_pac_direct *out = item->target;
    bool good = true;

    *out = (struct conf_pac_direct){0};
    if (is_off(item)) {
        return true;
    }
    if (!conf_item_expect(item, 1, HOSTS_MAX)) {
        return false;
    }
    const char **hosts = arena_alloc(item->check->arena, item->count * sizeof(*hosts));
    struct conf_network *networks =
        arena_alloc(item->check->arena, item->count * sizeof(*networks));
    for (size_t i = 0; hosts != NULL && networks != NULL && i < item->count; i++) {
        bool is_network;
        good = pac_direct_word(item, &item->words[i], &hosts[out->host_count],
                               &networks[out->network_count], &is_network) &&
               good;
        out->network_count += is_network ? 1 : 0;
        out->host_count += is_network ? 0 : 1;
    }
    out->hosts = hosts;
    out->networks = networks;
    return good;
}

static bool pac_direct_print(const struct schema_row *row, const void *owner, const void *value,
                             struct buf *out)
{
    const struct conf_pac_direct *direct = value;
    const struct conf_names names = {.list = direct->hosts, .count = direct->host_count};
    const struct conf_networks networks = {.list = direct->networks,
                                           .count = direct->network_count};

    (void)row;
    (void)owner;
    if (direct->host_count + direct->network_count == 0) {
        buf_puts(out, "off");
        return true;
    }
    if (conf_print_words(&names, out) && networks.count > 0) {
        buf_putc(out, ' ');
    }
    (void)conf_print_networks(&networks, out);
    return true;
}

/* ---- pac_proxy ---- */

static bool pac_proxy_set(const struct conf_item *item)
{
    const char **out = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    const struct conf_word *word = &item->words[0];
    if (span_eq(word->text, SPAN("auto"))) {
        *out = NULL;
        return true;
    }
    if (!conf_net_is_authority(word->text) || conf_net_is_host(word->text)) {
        return privacy_report(item, word, "is not NAME:PORT, as clients reach this proxy");
    }
    *out = conf_check_copy_lower(item->check, word->text);
    return true;
}

static bool pac_proxy_print(const struct schema_row *row, const void *owner, const void *value,
                            struct buf *out)
{
    const char *proxy = *(const char *const *)value;

    (void)row;
    (void)owner;
    buf_puts(out, proxy == NULL ? "auto" : proxy);
    return true;
}

const struct conf_type conf_type_agent = {agent_set, agent_print};
const struct conf_type conf_type_referer = {referer_set, referer_print};
const struct conf_type conf_type_hosts = {hosts_set, hosts_print};
const struct conf_type conf_type_pac = {pac_set, pac_print};
const struct conf_type conf_type_pac_direct = {pac_direct_set, pac_direct_print};
const struct conf_type conf_type_pac_proxy = {pac_proxy_set, pac_proxy_print};
