#ifndef DAEMON_H
#define DAEMON_H
/*
 * daemon - the running program from configuration to last byte: service, admin server, signals,
 * drain. Threads: main.
 */
#include "admin/admin.h"
#include "conf/conf.h"
#include "worker/service.h"

struct daemon_hooks {
    /* Everything is up. login_code may be NULL when there is no admin listener. */
    void (*started)(void *ctx, struct service *service, struct admin *admin);
    /* The end began: before the drain. */
    void (*stopping)(void *ctx);
    void *ctx;
};

/* Runs until TERM, INT or `larder stop`. Returns the exit status; errors are on standard error.
 * hooks may be NULL. */
int daemon_run(struct conf *conf, const char *conf_path, const struct daemon_hooks *hooks);
/* Blocks the signals daemon_run waits for; call first in main, before any thread. */
void daemon_block_signals(void);
#endif
