/* type_outgoing - the addresses of this machine that connections leave from. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "conf/report.h"
#include "conf/type.h"
#include "conf/value.h"

/* False: it is no address. */
static bool outgoing_read(struct span word, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    char text[INET6_ADDRSTRLEN];

    *out = (struct sockaddr_storage){0};
    if (word.len > 2 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']') {
        word = span_of(word.ptr + 1, word.len - 2);
    }
    if (word.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        out->ss_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        out->ss_family = AF_INET6;
    }
    return out->ss_family != AF_UNSPEC;
}

/* Of one interface, that a packet can come from. */
static bool outgoing_is_single(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

    if (address->ss_family == AF_INET) {
        uint32_t bits = ntohl(v4->sin_addr.s_addr);
        return bits != INADDR_ANY && bits != INADDR_BROADCAST && !IN_MULTICAST(bits);
    }
    return !IN6_IS_ADDR_UNSPECIFIED(v6) && !IN6_IS_ADDR_MULTICAST(v6) &&
           !IN6_IS_ADDR_V4MAPPED(v6) && !IN6_IS_ADDR_LINKLOCAL(v6);
}

/* An address may come and go, so that it is no error. */
static void outgoing_doubt(const struct conf_item *item, const struct conf_word *word,
                           const struct sockaddr_storage *address)
{
    static const struct conf_advice warning = {.is_warning = true};
    socklen_t len =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct conf_shown shown;

    if ((item->check->flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
        return;
    }
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_strange =
        fd >= 0 && bind(fd, (const struct sockaddr *)address, len) != 0 && errno == EADDRNOTAVAIL;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (is_strange) {
        conf_report_add(item->check->report, word->place, &warning,
                        "this machine does not have the address %s now; connections from it fail",
                        conf_show(&shown, word->text));
    }
}

static bool outgoing_word(const struct conf_item *item, const struct conf_word *word,
                          struct conf_outgoing *out)
{
    struct sockaddr_storage address;
    struct conf_shown shown;
    const char *problem = NULL;

    if (!outgoing_read(word->text, &address)) {
        problem = "is not an address like 192.0.2.7 or 2001:db8::7";
    } else if (!outgoing_is_single(&address)) {
        problem = "is no address that a connection can come from";
    } else if ((address.ss_family == AF_INET ? &out->v4 : &out->v6)->ss_family != AF_UNSPEC) {
        problem = "is the second one of its kind; there can be one IPv4 and one IPv6 address";
    }
    if (problem != NULL) {
        conf_report_add(item->check->report, word->place, NULL, "\"%s\" %s",
                        conf_show(&shown, word->text), problem);
        return false;
    }
    *(address.ss_family == AF_INET ? &out->v4 : &out->v6) = address;
    outgoing_doubt(item, word, &address);
    return true;
}

static bool outgoing_set(const struct conf_item *item)
{
    struct conf_outgoing *out = item->target;
    bool good = true;

    *out = (struct conf_outgoing){0};
    if (!conf_item_expect(item, 1, 2)) {
        return false;
    }
    if (item->count == 1 && span_eq(item->words[0].text, SPAN("off"))) {
        return true;
    }
    for (size_t i = 0; i < item->count; i++) {
        good = outgoing_word(item, &item->words[i], out) && good;
    }
    return good;
}

static bool outgoing_print(const struct schema_row *row, const void *owner, const void *value,
                           struct buf *out)
{
    const struct conf_outgoing *outgoing = value;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&outgoing->v4;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&outgoing->v6;
    bool has_v4 = outgoing->v4.ss_family != AF_UNSPEC;
    bool has_v6 = outgoing->v6.ss_family != AF_UNSPEC;
    char text[INET6_ADDRSTRLEN];

    (void)row;
    (void)owner;
    if (has_v4) {
        buf_puts(out, inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)));
    }
    if (has_v6) {
        buf_puts(out, has_v4 ? " " : "");
        buf_puts(out, inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)));
    }
    if (!has_v4 && !has_v6) {
        buf_puts(out, "off");
    }
    return true;
}

const struct conf_type conf_type_outgoing = {outgoing_set, outgoing_print};
