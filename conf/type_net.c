/* type_net - types that hold addresses, networks, host names and the origin URL. */
#include <arpa/inet.h>
#include <stdio.h>

#include "conf/net.h"
#include "conf/type.h"
#include "conf/value.h"

#define SERVER_WORDS_MAX ((size_t)16)

const char *conf_net_problem(enum conf_net why)
{
    switch (why) {
    case CONF_NET_OK:
        break;
    case CONF_NET_FORM:
        return "is not ADDRESS:PORT";
    case CONF_NET_NO_PORT:
        return "has no port";
    case CONF_NET_PORT:
        return "has no port from 1 to 65535";
    case CONF_NET_ADDRESS:
        return "is not an IP address (names are not looked up here)";
    case CONF_NET_BITS:
        return "is not a network: wrong prefix length, or address bits behind it";
    case CONF_NET_HOST:
        return "has no host name that could exist";
    case CONF_NET_SCHEME:
        return "is not an origin: write http://HOST[:PORT] or https://HOST[:PORT]";
    case CONF_NET_PATH:
        return "has more than host and port; an origin is http[s]://HOST[:PORT]";
    case CONF_NET_USER:
        return "holds a user or password; an origin is http[s]://HOST[:PORT]";
    }
    return "is not right";
}

static bool net_report(const struct conf_item *item, const struct conf_word *word, const char *what,
                       const char *hint)
{
    struct conf_shown shown;
    const struct conf_advice advice = {.hint = hint};

    conf_report_add(item->check->report, word->place, &advice, "\"%s\" %s",
                    conf_show(&shown, word->text), what);
    return false;
}

/* Common slips at `listen`: a bare port, `*:80`, `localhost:80`. "" when there is no good guess. */
static void listen_guess(struct span word, struct conf_shown *out)
{
    struct conf_listen listen;
    struct span rest = word;
    const char *prefix = ":";

    out->text[0] = '\0';
    if (span_starts(word, SPAN("*:"))) {
        rest = span_of(word.ptr + 2, word.len - 2);
    } else if (span_starts(word, SPAN("localhost:"))) {
        rest = span_of(word.ptr + 10, word.len - 10);
        prefix = "127.0.0.1:";
    }
    if (rest.len > 0 && rest.len <= 5) {
        (void)snprintf(out->text, sizeof(out->text), "%s%.*s", prefix, (int)rest.len, rest.ptr);
    }
    if (out->text[0] != '\0' && conf_net_listen(span_str(out->text), &listen) != CONF_NET_OK) {
        out->text[0] = '\0';
    }
}

static bool listen_read(const struct conf_item *item, struct conf_listen *out)
{
    const struct conf_word *word = &item->words[0];
    struct conf_shown guess;
    enum conf_net why = conf_net_listen(word->text, out);

    if (why != CONF_NET_OK) {
        listen_guess(word->text, &guess);
        return net_report(item, word, conf_net_problem(why),
                          guess.text[0] == '\0' ? NULL : guess.text);
    }
    out->text = conf_check_copy(item->check, word->text);
    return true;
}

static bool listen_set(const struct conf_item *item)
{
    return conf_item_expect(item, 1, 1) && listen_read(item, item->target);
}

static bool listen_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_listen *listen = value;

    (void)row;
    (void)owner;
    conf_print_word(listen->text, out);
    return true;
}

static bool admin_listen_set(const struct conf_item *item)
{
    struct conf_admin *admin = item->owner;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    admin->enabled = !span_eq(item->words[0].text, SPAN("off"));
    return !admin->enabled || listen_read(item, &admin->listen);
}

static bool admin_listen_print(const struct schema_row *row, const void *owner, const void *value,
                               struct buf *out)
{
    const struct conf_admin *admin = owner;

    (void)row;
    (void)value;
    conf_print_word(admin->enabled ? admin->listen.text : "off", out);
    return true;
}

static bool host_report(const struct conf_item *item, const struct conf_word *word)
{
    struct span text = word->text;
    struct conf_shown shown;

    if (conf_net_is_authority(text)) {
        return net_report(item, word, "has a port; write the host name alone", NULL);
    }
    if (span_starts(text, SPAN("http://")) || span_starts(text, SPAN("https://"))) {
        return net_report(item, word, "is an address; write the host name alone", NULL);
    }
    if (text.len > 0 && memchr(text.ptr, '*', text.len) != NULL) {
        return net_report(item, word,
                          "has a wildcard where none may be; a site has NAME, *.NAME or *", NULL);
    }
    if (text.len > 1 && text.ptr[text.len - 1] == '.' &&
        conf_net_is_host(span_of(text.ptr, text.len - 1))) {
        return net_report(item, word, "ends in a dot; browsers send the name without it",
                          conf_show(&shown, span_of(text.ptr, text.len - 1)));
    }
    return net_report(item, word,
                      "is not a host name: labels of letters, digits, - and _ with dots between",
                      NULL);
}

/* NAME, *.NAME or *; an address has nothing below it. */
bool conf_is_site_name(struct span word)
{
    if (span_eq(word, SPAN("*"))) {
        return true;
    }
    if (!span_starts(word, SPAN("*."))) {
        return conf_net_is_host(word);
    }
    struct span below = span_of(word.ptr + 2, word.len - 2);
    struct conf_network address;
    return conf_net_is_host(below) && conf_net_network(below, &address) != CONF_NET_OK;
}

static bool names_read(const struct conf_item *item, bool with_star, struct conf_names *out)
{
    const char **list = arena_alloc(item->check->arena, item->count * sizeof(*list));
    bool good = true;

    for (size_t i = 0; list != NULL && i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (with_star ? !conf_is_site_name(word->text) : !conf_net_is_host(word->text)) {
            good = host_report(item, word);
        }
        list[i] = conf_check_copy_lower(item->check, word->text);
    }
    *out = (struct conf_names){.list = list, .count = list == NULL ? 0 : item->count};
    return good;
}

static bool names_set(const struct conf_item *item)
{
    return conf_item_expect(item, 1, SIZE_MAX) && names_read(item, false, item->target);
}

bool conf_item_site_names(const struct conf_item *item, struct conf_names *out)
{
    return conf_item_expect(item, 1, SIZE_MAX) && names_read(item, true, out);
}

static bool names_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    (void)row;
    (void)owner;
    return conf_print_words(value, out);
}

bool conf_item_network_words(const struct conf_item *item, const struct conf_word *words,
                             size_t count, struct conf_networks *out)
{
    struct conf_network *list = arena_alloc(item->check->arena, (count + 1) * sizeof(*list));
    bool good = true;

    for (size_t i = 0; list != NULL && i < count; i++) {
        enum conf_net why = conf_net_network(words[i].text, &list[i]);
        if (why != CONF_NET_OK) {
            good = net_report(item, &words[i], conf_net_problem(why), NULL);
        }
    }
    *out = (struct conf_networks){.list = list, .count = list == NULL ? 0 : count};
    return good;
}

bool conf_item_networks(const struct conf_item *item, size_t first, struct conf_networks *out)
{
    return conf_item_network_words(item, item->words + first, item->count - first, out);
}

static bool networks_set(const struct conf_item *item)
{
    return conf_item_expect(item, 1, SIZE_MAX) && conf_item_networks(item, 0, item->target);
}

static void network_print(const struct conf_network *network, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];

    CHECK(inet_ntop(network->v6 ? AF_INET6 : AF_INET, network->address, text, sizeof(text)) !=
          NULL);
    buf_printf(out, "%s/%u", text, network->bits);
}

bool conf_print_networks(const struct conf_networks *networks, struct buf *out)
{
    for (size_t i = 0; i < networks->count; i++) {
        buf_puts(out, i == 0 ? "" : " ");
        network_print(&networks->list[i], out);
    }
    return networks->count > 0;
}

static bool networks_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    (void)row;
    (void)owner;
    return conf_print_networks(value, out);
}

/* "off", or "from" NETWORK... */
static bool from_set(const struct conf_item *item)
{
    static const char *const first[] = {"from", "off"};
    struct conf_networks *target = item->target;

    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    *target = (struct conf_networks){0};
    size_t which = conf_item_choose(item, &item->words[0], first, ARRAY_LEN(first));
    if (which == 0) {
        return conf_item_expect(item, 2, SIZE_MAX) && conf_item_networks(item, 1, target);
    }
    return which == 1 && conf_item_expect(item, 1, 1);
}

static bool from_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const struct conf_networks *networks = value;

    (void)row;
    (void)owner;
    buf_puts(out, networks->count == 0 ? "off" : "from ");
    (void)conf_print_networks(networks, out);
    return true;
}

static bool server_url(const struct conf_item *item, struct conf_server *server)
{
    const struct conf_word *word = &item->words[1];
    struct span host = {0};
    struct conf_shown guess;
    bool guessed = false;
    enum conf_net why = conf_net_url(word->text, &server->has_tls, &host, &server->port);

    if (why == CONF_NET_SCHEME && conf_net_is_authority(word->text) && word->text.len < 60) {
        guessed = snprintf(guess.text, sizeof(guess.text), "http://%.*s", (int)word->text.len,
                           word->text.ptr) > 0;
    }
    if (why != CONF_NET_OK) {
        return net_report(item, word, conf_net_problem(why), guessed ? guess.text : NULL);
    }
    struct span url = word->text;
    if (url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    server->url = conf_check_copy_lower(item->check, url);
    server->host = conf_check_copy_lower(item->check, host);
    return true;
}

/* What stands behind name and address: options, and `backup` anywhere between them. */
static bool server_options(const struct conf_item *item, struct conf_server *server)
{
    struct conf_word words[SERVER_WORDS_MAX];
    struct conf_item rest = *item;
    bool good = true;

    rest.words = words;
    rest.count = 0;
    rest.owner = server;
    for (size_t i = 2; i < item->count; i++) {
        const struct conf_word *word = &item->words[i];
        if (span_starts(word->text, SPAN("backup="))) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"backup\" takes no value; write: backup");
            good = false;
            continue;
        }
        if (!span_eq(word->text, SPAN("backup"))) {
            words[rest.count++] = *word; /* there is room for all: server_set */
            continue;
        }
        if (server->backup) {
            conf_report_add(item->check->report, word->place, NULL,
                            "\"backup\" stands twice here; remove one");
            good = false;
        }
        server->backup = true;
    }
    return conf_item_options(&rest, 0) && good;
}

static bool server_set(const struct conf_item *item)
{
    struct conf_server *server = item->target;

    if (!conf_item_expect(item, 2, SERVER_WORDS_MAX)) {
        return false;
    }
    bool good = conf_item_label(item, &item->words[0], "server", &server->name);
    good = server_url(item, server) && good;
    return server_options(item, server) && good;
}

static bool server_print(const struct schema_row *row, const void *owner, const void *value,
                         struct buf *out)
{
    const struct conf_server *server = value;

    (void)row;
    (void)owner;
    if (server == NULL || server->name == NULL) {
        return false;
    }
    conf_print_word(server->name, out);
    buf_putc(out, ' ');
    conf_print_word(server->url, out);
    if (server->weight != 1) {
        buf_printf(out, " weight=%u", server->weight);
    }
    if (server->max != 0) {
        buf_printf(out, " max=%u", server->max);
    }
    buf_puts(out, server->backup ? " backup" : "");
    return true;
}

static bool host_set(const struct conf_item *item)
{
    const char **target = item->target;

    if (!conf_item_expect(item, 1, 1)) {
        return false;
    }
    *target = conf_check_copy_lower(item->check, item->words[0].text);
    return conf_net_is_authority(item->words[0].text) || host_report(item, &item->words[0]);
}

static bool host_print(const struct schema_row *row, const void *owner, const void *value,
                       struct buf *out)
{
    const char *host = *(const char *const *)value;

    (void)row;
    (void)owner;
    if (host != NULL) {
        conf_print_word(host, out);
    }
    return host != NULL;
}

const struct conf_type conf_type_names = {names_set, names_print};
const struct conf_type conf_type_networks = {networks_set, networks_print};
const struct conf_type conf_type_from = {from_set, from_print};
const struct conf_type conf_type_listen = {listen_set, listen_print};
const struct conf_type conf_type_admin_listen = {admin_listen_set, admin_listen_print};
const struct conf_type conf_type_server = {server_set, server_print};
const struct conf_type conf_type_host = {host_set, host_print};
