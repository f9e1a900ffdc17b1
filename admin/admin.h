#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H
/*
 * admin - what operators talk to: dashboard, JSON API, metrics and health over HTTP, on a TCP
 * address (loopback unless told otherwise) and a Unix socket. Reads counters and snapshots; nothing
 * here can hold up a worker.
 *
 * Threads:   start and stop from main; the others from any. Inside: one libmicrohttpd thread for
 * each door, a sampler (statistics each second) and one for slow jobs (purge, reload). Ownership:
 * service must outlive admin. conf is borrowed for the call. Errors:    a sentence for people:
 * what; why; next step.
 */
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "worker/service.h"

struct admin;

/* NULL and error when the TCP address cannot be had or the token file cannot be made. A Unix socket
 * that cannot be made is only a warning. */
struct admin *admin_start(struct service *service, const struct conf *conf, char *error,
                          size_t error_size);
/* Ends streams and jobs, saves the statistics, joins, frees. Nulls *admin. */
void admin_stop(struct admin **admin);

/* The real TCP port; 0: no TCP listener. */
unsigned admin_port(const struct admin *admin);
/* The admin token made at this start, to be shown once on a terminal. False: there were tokens
 * already, or it was taken before. */
bool admin_take_token(struct admin *admin, char *out, size_t size);
/* A one-time code for http://host:port/#login=CODE, good for five minutes. size >= 32. */
void admin_login_code(struct admin *admin, char *out, size_t size);
#endif
