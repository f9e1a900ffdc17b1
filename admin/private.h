#ifndef ADMIN_PRIVATE_H
#define ADMIN_PRIVATE_H
/* private - the parts of a running admin server, for the files of this folder. */
#include <stdatomic.h>

#include "admin/admin.h"
#include "admin/auth.h"
#include "admin/door.h"
#include "admin/events.h"
#include "admin/history.h"
#include "admin/jobs.h"
#include "admin/purge_log.h"
#include "admin/sampler.h"

#define ADMIN_MAGIC 0x61646d6eu

struct admin {
    uint32_t magic;
    struct service *service;
    struct auth *auth;
    struct history *history;
    struct events *events;
    struct purge_log *purges;
    struct jobs *jobs;
    struct sampler *sampler;
    struct door *tcp;
    struct door *local;
    char *socket_path; /* NULL: none made */
    unsigned port;
    uint32_t id_prefix;               /* of request ids */
    _Atomic uint64_t requests;        /* answered or begun */
    _Atomic uint64_t purged[2];       /* variants, by enum store_purge_mode */
    _Atomic uint64_t purge_orders[2]; /* purges carried out, likewise */
    char token[AUTH_TOKEN_BYTES];     /* main's, until taken */
};
#endif
