/* demo_run - a whole Larder in one command, for a first look. */
#include "demo_run.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon.h"
#include "demo/demo_origin.h"
#include "demo/demo_traffic.h"
#include "net/listener.h"

#define ORIGIN_DELAY_MS 150
#define PORT_TRIES 50u
/* The second server is out for some seconds of each minute, so that there is something to see. */
#define FLAP_PERIOD_MS 60000u
#define FLAP_DOWN_MS 12000u

struct demo {
    const struct demo_options *options;
    char folder[512];
    bool temporary;
    unsigned port, admin_port, origin_port;
    char origin_url[512];
    char flaky_url[64];
    struct demo_origin *origin;
    struct demo_origin *flaky; /* the same site, but it flaps */
    struct demo_traffic *traffic;
};

/* every: on all addresses of the machine, where a neighbour may have the port on one of them only. */
static bool is_free(unsigned port, bool every)
{
    char here[32];
    char everywhere[32];
    snprintf(here, sizeof(here), "127.0.0.1:%u", port);
    snprintf(everywhere, sizeof(everywhere), ":%u", port);
    return !listener_is_taken(here) && !(every && listener_is_taken(everywhere));
}

/* wanted, or the next one free; says when it had to move. 0: none. */
static unsigned free_port(const char *what, unsigned wanted, bool every, unsigned not_this)
{
    for (unsigned port = wanted; port < wanted + PORT_TRIES && port < 65536; port++) {
        if (port == not_this || !is_free(port, every)) {
            continue;
        }
        if (port != wanted) {
            printf("port %u is taken; the %s uses %u\n", wanted, what, port);
        }
        return port;
    }
    fprintf(stderr, "larder: no free port for the %s from %u on; choose another with --port\n",
            what, wanted);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static bool make_folder(struct demo *demo)
{
    if (demo->options->store != NULL) {
        if (mkdir(demo->options->store, 0750) != 0 && errno != EEXIST) {
            fprintf(stderr, "larder: cannot make the folder %s\n", demo->options->store);
            return false;
        }
        char full[PATH_MAX];
        if (realpath(demo->options->store, full) == NULL || strlen(full) >= sizeof(demo->folder)) {
            fprintf(stderr, "larder: the folder name %s is too long\n", demo->options->store);
            return false;
        }
        snprintf(demo->folder, sizeof(demo->folder), "%.*s", (int)sizeof(demo->folder) - 1, full);
        return true;
    }
    const char *base = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): read before any thread */
    snprintf(demo->folder, sizeof(demo->folder), "%s/larder-demo-XXXXXX",
             base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(demo->folder) == NULL) {
        fprintf(stderr, "larder: cannot make a temporary folder like %s\n", demo->folder);
        return false;
    }
    demo->temporary = true;
    return true;
}

static bool start_origin(struct demo *demo)
{
    if (demo->options->origin != NULL) {
        snprintf(demo->origin_url, sizeof(demo->origin_url), "%s", demo->options->origin);
        return true;
    }
    if (demo_origin_start("127.0.0.1", 0, ORIGIN_DELAY_MS, &demo->origin) != ERR_OK ||
        demo_origin_start("127.0.0.1", 0, ORIGIN_DELAY_MS, &demo->flaky) != ERR_OK) {
        fprintf(stderr, "larder: the demo origin cannot start: no free port on 127.0.0.1\n");
        return false;
    }
    demo->origin_port = demo_origin_port(demo->origin);
    snprintf(demo->origin_url, sizeof(demo->origin_url), "http://127.0.0.1:%u", demo->origin_port);
    snprintf(demo->flaky_url, sizeof(demo->flaky_url), "http://127.0.0.1:%u",
             demo_origin_port(demo->flaky));
    return true;
}

static struct conf *make_conf(struct demo *demo)
{
    struct buf text;
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    buf_init(&text, 1 << 16);
    buf_printf(&text, "listen %s:%u;\nstate_dir \"%s/state\";\n",
               demo->options->origin == NULL ? "127.0.0.1" : "", demo->port, demo->folder);
    buf_printf(&text, "admin { listen 127.0.0.1:%u; socket \"%s/admin.sock\"; }\n",
               demo->admin_port, demo->folder);
    buf_printf(&text, "store { path \"%s/store\"; size %s; memory 128M; }\n", demo->folder,
               demo->temporary ? "1G" : "10G");
    buf_puts(&text, "log { error stderr warn; }\nlimits { drain 5s; }\n");
    if (demo->flaky == NULL) {
        buf_printf(&text, "site * { origins { server app \"%s\"; } }\n", demo->origin_url);
    } else {
        buf_printf(&text,
                   "origins demo {\n    server app \"%s\" weight=9;\n    server flaky \"%s\";\n"
                   "    check GET /hello every=1s timeout=1s fall=2;\n}\n"
                   "site * { origins demo; }\n",
                   demo->origin_url, demo->flaky_url);
    }
    enum err err = conf_load_text("demo", buf_span(&text), 0, &conf, report);
    const struct conf_problem *problem = conf_report_get(report, 0);
    if (err != ERR_OK && demo->options->origin != NULL && problem != NULL) {
        fprintf(stderr, "larder: --origin: %s\n", problem->message); /* the rest is ours */
    } else if (err != ERR_OK) {
        conf_report_tell(report);
    }
    conf_report_free(report);
    buf_free(&text);
    return conf;
}

/* What a shell takes for one word; a path with ' in it is left to its owner. */
static const char *quote_for(const char *path)
{
    return strpbrk(path, " \t\"$&;()*?<>|`\\") != NULL ? "'" : "";
}

/* The program's own path: after the quickstart it is in no folder of PATH. */
static void print_more_links(const struct demo *demo)
{
    char program[PATH_MAX] = "";
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[len > 0 ? len : 0] = '\0';
    const char *command = len > 0 ? program : "larder";
    const char *q = quote_for(command);
    const char *f = quote_for(demo->folder);
    printf("more links    %s%s%s dashboard --socket %s%s/admin.sock%s\n", q, command, q, f,
           demo->folder, f);
    printf(
        "purge a page  %s%s%s purge --hard --url http://127.0.0.1:%u/%s --socket %s%s/admin.sock%s\n",
        q, command, q, demo->port, demo->origin != NULL ? "hello" : "", f, demo->folder, f);
}

static void on_started(void *ctx, struct service *service, struct admin *admin)
{
    struct demo *demo = ctx;
    char code[128] = "";
    (void)service;
    admin_login_code(admin, code, sizeof(code));
    char token[128];
    (void)admin_take_token(admin, token, sizeof(token));
    if (demo->origin != NULL) {
        printf("demo origin   %s      (built in, slow on purpose: %d ms)\n", demo->origin_url,
               ORIGIN_DELAY_MS);
        printf("and another   %s      (down for %u s of each minute)\n", demo->flaky_url,
               FLAP_DOWN_MS / 1000);
    } else {
        printf("origin        %s\n", demo->origin_url);
    }
    printf("proxy         http://127.0.0.1:%u%s\n", demo->port,
           demo->origin != NULL ? "" : "      (and on this machine's other addresses)");
    printf("dashboard     http://127.0.0.1:%u/#login=%s      (one use, 5 min)\n", demo->admin_port,
           code);
    print_more_links(demo);
    const char *path = demo->origin != NULL ? "hello" : "";
    printf("a miss        curl -i http://127.0.0.1:%u/%s        # watch Cache-Status\n", demo->port,
           path);
    printf("then a hit    curl -i http://127.0.0.1:%u/%s%s\n", demo->port, path,
           demo->origin != NULL ? ""
                                : "        # detail=no_lifetime, and hit_for_miss right after it: "
                                  "the site gives it no lifetime");
    printf(demo->temporary ? "Ctrl-C stops everything and removes %s\n"
                           : "Ctrl-C stops; what is cached stays in %s\n",
           demo->folder);
    (void)fflush(stdout);
    if (demo->flaky != NULL) {
        demo_origin_flap(demo->flaky, FLAP_PERIOD_MS, FLAP_DOWN_MS);
    }
    bool has_visitors = demo->origin != NULL && demo->options->traffic > 0;
    if (has_visitors && demo_traffic_start("127.0.0.1", demo->port, demo->options->traffic,
                                           &demo->traffic) != ERR_OK) {
        fprintf(stderr, "larder: no built-in visitors; the charts will move with yours\n");
    }
}

static void on_stopping(void *ctx)
{
    struct demo *demo = ctx;
    if (demo->traffic != NULL) {
        demo_traffic_stop(&demo->traffic);
    }
}

static int run(struct demo *demo)
{
    const struct demo_options *options = demo->options;
    demo->port =
        free_port("proxy", options->port != 0 ? options->port : 8080, options->origin != NULL, 0);
    demo->admin_port = free_port("dashboard", options->admin_port != 0 ? options->admin_port : 8090,
                                 false, demo->port);
    if (demo->port == 0 || demo->admin_port == 0 || !start_origin(demo)) {
        return 1;
    }
    struct conf *conf = make_conf(demo);
    if (conf == NULL) {
        return 1;
    }
    const struct daemon_hooks hooks = {.started = on_started, .stopping = on_stopping, .ctx = demo};
    int status = daemon_run(conf, NULL, &hooks);
    conf_unref(conf);
    return status;
}

int demo_run(const struct demo_options *options)
{
    struct demo demo = {.options = options};
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* in order with standard error, also in a pipe */
    if (!make_folder(&demo)) {
        return 1;
    }
    int status = run(&demo);
    if (demo.origin != NULL) {
        demo_origin_stop(&demo.origin);
    }
    if (demo.flaky != NULL) {
        demo_origin_stop(&demo.flaky);
    }
    if (demo.temporary) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the other threads are gone */
        (void)nftw(demo.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        printf("removed %s\n", demo.folder);
    }
    return status;
}
