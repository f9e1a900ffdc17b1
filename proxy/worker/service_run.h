#ifndef WORKER_SERVICE_RUN_H
#define WORKER_SERVICE_RUN_H
/*
 * service_run - the life of the daemon, for main alone: bind, start, drain, stop. What others may
 * ask of a running service is in service.h.
 *
 * Threads: main.
 */
#include "worker/service.h"

struct service_options {
    struct conf *conf;     /* borrowed for the call */
    const char *conf_path; /* file to read again at a reload; NULL: a reload says there is none */
};

/* Raises the descriptor limit, binds every listen address, opens the store, builds the workers;
 * nothing is served yet. On failure NULL with a sentence in error. */
struct service *service_new(const struct service_options *options, char *error, size_t error_size);
/* Starts the threads. */
MUST_USE enum err service_start(struct service *service);
/* Port of listen address i as the kernel gave it (for port 0). */
unsigned service_port(const struct service *service, unsigned i);
/* Has somebody asked for the end (service_stop)? */
bool service_wants_stop(const struct service *service);
/* Stops accepting; in-flight responses go on. */
void service_drain(struct service *service);
bool service_is_drained(const struct service *service);
/* Some times a second: what is to be done besides (the periods of quotas; their file every 5 s). May
 * write to the disk. */
void service_tick(struct service *service);
void service_reopen_logs(struct service *service);
/* Ends everything still running, flushes the store, frees. Nulls *service. The admin server must be
 * gone. */
void service_end(struct service **service);
#endif
