/*
 * daemon - TERM and INT drain (a second one ends at once), HUP reloads, USR1 reopens the logs.
 * Signals are taken with sigtimedwait on the main thread alone: no handler, nothing async.
 */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/notify.h"
#include "worker/service_run.h"

#define POLL_MS 100

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGPIPE);
}

void daemon_block_signals(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* 0: none within POLL_MS. */
static int next_signal(void)
{
    sigset_t set;
    struct timespec wait = {.tv_nsec = POLL_MS * 1000000L};
    signal_set(&set);
    int number = sigtimedwait(&set, NULL, &wait);
    return number < 0 ? 0 : number;
}

static void reload(struct service *service)
{
    struct buf report;
    buf_init(&report, 1 << 20);
    notify_systemd("RELOADING=1");
    if (!service_reload(service, &report, NULL)) {
        fprintf(stderr, "%s", report.data == NULL ? "" : report.data);
    }
    notify_systemd("READY=1");
    buf_free(&report);
}

static void serve(struct service *service)
{
    while (!service_wants_stop(service)) {
        service_tick(service);
        switch (next_signal()) {
        case SIGTERM:
        case SIGINT:
            return;
        case SIGHUP:
            reload(service);
            break;
        case SIGUSR1:
            service_reopen_logs(service);
            break;
        default:
            break;
        }
    }
}

static void drain(struct service *service)
{
    struct conf *conf = service_conf(service);
    uint64_t until_us = clock_mono_us() + conf->limits.drain_ms * 1000;
    conf_unref(conf);
    log_info("draining", "in-flight responses finish, a second signal ends at once");
    notify_systemd("STOPPING=1");
    service_drain(service);
    while (!service_is_drained(service) && clock_mono_us() < until_us) {
        service_tick(service);
        int number = next_signal();
        if (number == SIGTERM || number == SIGINT) {
            break;
        }
    }
}

static struct admin *start_admin(struct service *service, const struct conf *conf)
{
    char error[512] = "";
    struct admin *admin = admin_start(service, conf, error, sizeof(error));
    if (admin == NULL) {
        fprintf(stderr, "larder: %s\n", error);
        return NULL;
    }
    char token[128];
    if (admin_take_token(admin, token, sizeof(token))) {
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "admin token, shown this once: %s\n", token);
        } else {
            log_info("tokens_made", "file=\"%s\" note=\"its first lines say how to add one\"",
                     conf->admin.tokens_path);
        }
    }
    return admin;
}

int daemon_run(struct conf *conf, const char *conf_path, const struct daemon_hooks *hooks)
{
    char error[512] = "";
    struct service *service = service_new(
        &(struct service_options){.conf = conf, .conf_path = conf_path}, error, sizeof(error));
    if (service == NULL) {
        fprintf(stderr, "larder: %s\n", error);
        return 1;
    }
    if (service_start(service) != ERR_OK) {
        fprintf(stderr, "larder: no threads to be had; raise the limit of processes\n");
        return 1;
    }
    struct admin *admin = start_admin(service, conf);
    int status = admin == NULL ? 1 : 0;
    if (admin != NULL) {
        log_info("serving", "workers=%u listens=%zu", service_workers(service), conf->listen_count);
        notify_systemd("READY=1");
        if (hooks != NULL && hooks->started != NULL) {
            hooks->started(hooks->ctx, service, admin);
        }
        serve(service);
        if (hooks != NULL && hooks->stopping != NULL) {
            hooks->stopping(hooks->ctx);
        }
        drain(service);
        admin_stop(&admin);
    }
    service_end(&service);
    log_info("ended", "status=%d", status);
    return status;
}
