/* admin - putting the parts together, and taking them apart in the one order that is safe. */
#include "admin/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/private.h"
#include "admin/socket.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define ADMIN_PATH_BYTES 4096

static bool make_folder(const char *path, char *error, size_t size)
{
    char text[96];

    if (mkdir(path, 0750) != 0 && errno != EEXIST) {
        (void)snprintf(error, size,
                       "cannot make %s: %s; set state_dir to a folder you may write to", path,
                       strerror_r(errno, text, sizeof(text)));
        return false;
    }
    return true;
}

static bool start_parts(struct admin *admin, const struct conf *conf, char *error, size_t size)
{
    char path[ADMIN_PATH_BYTES];
    char why[512] = "";

    if (!make_folder(conf->state_dir, error, size)) {
        return false;
    }
    if (auth_open(conf->admin.tokens_path, &admin->auth, admin->token, why, sizeof(why)) !=
        ERR_OK) {
        (void)snprintf(error, size, "the admin tokens cannot be used: %s", why);
        return false;
    }
    admin->history = history_new();
    admin->events = events_new();
    admin->jobs = jobs_start();
    (void)snprintf(path, sizeof(path), "%s/purges.jsonl", conf->state_dir);
    admin->purges = purge_log_open(path, clock_wall_ms());
    (void)snprintf(path, sizeof(path), "%s/history", conf->state_dir);
    admin->sampler = sampler_start(admin, path);
    return true;
}

static bool open_tcp(struct admin *admin, const struct conf_admin *conf, char *error, size_t size)
{
    char why[400];

    if (!conf->enabled) {
        return true;
    }
    int fd = socket_listen_tcp(&conf->listen, &admin->port, why, sizeof(why));
    if (fd < 0) {
        (void)snprintf(error, size, "%s; choose another address with `admin { listen ...; }`", why);
        return false;
    }
    admin->tcp = door_open(admin, fd, false);
    if (admin->tcp == NULL) {
        (void)snprintf(error, size,
                       "no thread or descriptors for the admin server; raise the limits");
    }
    return admin->tcp != NULL;
}

static void open_local(struct admin *admin, const struct conf_admin *conf)
{
    char why[400] = "no thread or descriptors";

    if (conf->socket_path == NULL) {
        return;
    }
    int fd = socket_listen_unix(conf->socket_path, conf->socket_mode, why, sizeof(why));
    if (fd >= 0) {
        admin->local = door_open(admin, fd, true);
    }
    if (admin->local == NULL) {
        log_warn("admin_socket", "reason=\"%s\" note=\"larder status and the like need --server\"",
                 why);
        return;
    }
    admin->socket_path = mem_copy(conf->socket_path, strlen(conf->socket_path));
}

struct admin *admin_start(struct service *service, const struct conf *conf, char *error,
                          size_t error_size)
{
    struct admin *admin = mem_new(sizeof(*admin));

    admin->magic = ADMIN_MAGIC;
    admin->service = service;
    random_bytes(&admin->id_prefix, sizeof(admin->id_prefix));
    if (!start_parts(admin, conf, error, error_size) ||
        !open_tcp(admin, &conf->admin, error, error_size)) {
        admin_stop(&admin);
        return NULL;
    }
    open_local(admin, &conf->admin);
    if (admin->port != 0) {
        log_info("admin_listening", "address=%s port=%u", conf->admin.listen.text, admin->port);
    }
    return admin;
}

/*
 * Nobody may be suspended when a daemon stops: jobs are run to their end and streams woken first;
 * what comes in meanwhile is refused and not suspended. The sampler goes before the streams it
 * feeds.
 */
void admin_stop(struct admin **admin_ptr)
{
    struct admin *admin = *admin_ptr;

    if (admin == NULL) {
        return;
    }
    CHECK_OBJ(admin, ADMIN_MAGIC);
    sampler_stop(&admin->sampler);
    if (admin->jobs != NULL) {
        jobs_stop(admin->jobs);
    }
    if (admin->events != NULL) {
        events_close(admin->events);
    }
    door_close(&admin->tcp);
    door_close(&admin->local);
    if (admin->socket_path != NULL) {
        (void)unlink(admin->socket_path);
    }
    events_free(&admin->events);
    jobs_free(&admin->jobs);
    purge_log_close(&admin->purges);
    history_free(&admin->history);
    auth_close(&admin->auth);
    mem_free(admin->socket_path);
    admin->magic = 0;
    mem_free(admin);
    *admin_ptr = NULL;
}

unsigned admin_port(const struct admin *admin)
{
    CHECK_OBJ(admin, ADMIN_MAGIC);
    return admin->port;
}

bool admin_take_token(struct admin *admin, char *out, size_t size)
{
    CHECK_OBJ(admin, ADMIN_MAGIC);
    bool fresh = admin->token[0] != '\0';
    (void)snprintf(out, size, "%s", admin->token);
    memset(admin->token, 0, sizeof(admin->token));
    return fresh;
}

void admin_login_code(struct admin *admin, char *out, size_t size)
{
    char code[AUTH_CODE_CHARS + 1];

    CHECK_OBJ(admin, ADMIN_MAGIC);
    auth_code_make(admin->auth, clock_mono_us() / 1000, code);
    (void)snprintf(out, size, "%s", code);
}
