/* redact - see redact.h. */
#include "record/redact.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/address.h"
#include "record/record.h"

struct redaction redaction_compile(const struct conf_privacy *conf)
{
    return (struct redaction){.clients = conf->anonymize, .drops_queries = !conf->log_query};
}

struct redaction redaction_stricter(struct redaction a, struct redaction b)
{
    return (struct redaction){
        .clients = a.clients > b.clients ? a.clients : b.clients,
        .drops_queries = a.drops_queries || b.drops_queries,
    };
}

struct span redact_query(const struct redaction *redaction, struct span url)
{
    const char *mark =
        redaction->drops_queries && url.len > 0 ? memchr(url.ptr, '?', url.len) : NULL;

    return mark == NULL ? url : span_of(url.ptr, (size_t)(mark - url.ptr));
}

/* 192.0.2.0 of 192.0.2.17, 2001:db8:1:: of 2001:db8:1:2::3. */
static struct span network_of(const struct sockaddr_storage *address, char *room)
{
    const void *from = address;

    if (address->ss_family == AF_INET) {
        struct in_addr four = ((const struct sockaddr_in *)from)->sin_addr;
        four.s_addr &= htonl(0xffffff00u);
        return span_str(inet_ntop(AF_INET, &four, room, REDACT_ADDRESS_BYTES));
    }
    struct in6_addr six = ((const struct sockaddr_in6 *)from)->sin6_addr;
    memset(&six.s6_addr[6], 0, sizeof(six) - 6);
    return span_str(inet_ntop(AF_INET6, &six, room, REDACT_ADDRESS_BYTES));
}

/* The address of a text, without a prefix length; AF_UNSPEC: it is none. */
static void address_of(const char *text, struct sockaddr_storage *out)
{
    char copy[REDACT_ADDRESS_BYTES];
    size_t len = strcspn(text, "/");

    *out = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (len >= sizeof(copy)) {
        return;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    (void)address_parse(copy, out);
}

const char *redact_who(enum conf_anonymize clients, bool is_user, const char *who,
                       char room[REDACT_ADDRESS_BYTES])
{
    struct sockaddr_storage address;

    switch (clients) {
    case CONF_ANONYMIZE_OFF:
        return who;
    case CONF_ANONYMIZE_TRUNCATE:
        break;
    case CONF_ANONYMIZE_DROP:
        return "";
    }
    if (is_user) {
        return who;
    }
    address_of(who, &address);
    return address.ss_family == AF_UNSPEC ? who : network_of(&address, room).ptr;
}

void redact_record(const struct redaction *redaction, const struct sockaddr_storage *address,
                   struct record *record, char room[REDACT_ADDRESS_BYTES])
{
    bool is_address = address->ss_family == AF_INET || address->ss_family == AF_INET6;

    switch (redaction->clients) {
    case CONF_ANONYMIZE_OFF:
        break;
    case CONF_ANONYMIZE_TRUNCATE:
        record->client = is_address ? network_of(address, room) : record->client;
        break;
    case CONF_ANONYMIZE_DROP:
        record->client = span_of("", 0);
        record->user = span_of("", 0);
        break;
    }
    record->path = redact_query(redaction, record->path);
    record->referer = redact_query(redaction, record->referer);
}
