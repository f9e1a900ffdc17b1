#ifndef RECORD_REDACT_H
#define RECORD_REDACT_H
/*
 * redact - what logs and views get of a client's address, its user, and of queries: the settings
 * anonymize and log_query. Done where the record of a request is made, so that nobody who reads
 * records can see more.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "base/span.h"
#include "conf/conf.h"

struct record;

struct redaction {
    enum conf_anonymize clients;
    bool drops_queries;
};

static inline bool redaction_is_used(const struct redaction *redaction)
{
    return redaction->clients != CONF_ANONYMIZE_OFF || redaction->drops_queries;
}

struct redaction redaction_compile(const struct conf_privacy *conf);
/* Both of them at once: of what cannot be said to be either's. */
struct redaction redaction_stricter(struct redaction a, struct redaction b);

#define REDACT_ADDRESS_BYTES 46
/* client, user, path and referer of the record as they may be kept. address: the client's, which is
 * truncated to its network in room (what else stands in the record, as "unknown", stays). */
void redact_record(const struct redaction *redaction, const struct sockaddr_storage *address,
                   struct record *record, char room[REDACT_ADDRESS_BYTES]);
/* Of an address as text ("192.0.2.1", "2001:db8::/64"), or (is_user) of a user's name; where no record
 * is, as in lists of accounts. */
const char *redact_who(enum conf_anonymize clients, bool is_user, const char *who,
                       char room[REDACT_ADDRESS_BYTES]);
/* A path or URL without its query, if that is dropped. */
struct span redact_query(const struct redaction *redaction, struct span url);
#endif
