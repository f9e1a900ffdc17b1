/* privileges - see the header. */
#include "worker/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct owner {
    bool wanted;
    uid_t uid;
    gid_t gid;
};

static bool fail(char *error, size_t size, const char *what, const char *name)
{
    char why[96];
    snprintf(error, size, "%s %s: %s", what, name, strerror_r(errno, why, sizeof(why)));
    return false;
}

/* Like mkdir -p, mode 0750; new folders belong to the owner. */
static bool make_folder(const char *path, const struct owner *owner, char *error, size_t size)
{
    char part[4096];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return fail(error, size, "cannot make folder", path);
    }
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0750) == 0) {
            if (owner->wanted && chown(part, owner->uid, owner->gid) != 0) {
                return fail(error, size, "cannot give away folder", part);
            }
        } else if (errno != EEXIST) {
            (void)fail(error, size, "cannot make folder", part);
            size_t used = strlen(error);
            snprintf(error + used, size - used,
                     "; make it, or name another: state_dir, store { path }");
            return false;
        }
    }
    return true;
}

/* /run is root's: its folder for the admin socket is made while we still may. A daemon without it
 * serves, and the admin server says what is missing, so nothing is judged here. */
static void make_socket_folder(const char *path, const struct owner *owner)
{
    char folder[4096];
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (!owner->wanted || slash == NULL || (size_t)(slash - path) >= sizeof(folder)) {
        return;
    }
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (mkdir(folder, 0755) == 0 && chown(folder, owner->uid, owner->gid) != 0) {
        (void)rmdir(folder);
    }
}

static bool find_owner(const char *name, struct owner *owner, char *error, size_t size)
{
    char room[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (name == NULL || geteuid() != 0) {
        return true;
    }
    if (getpwnam_r(name, &entry, room, sizeof(room), &found) != 0 || found == NULL) {
        snprintf(error, size, "there is no user %s", name);
        return false;
    }
    *owner = (struct owner){.wanted = true, .uid = found->pw_uid, .gid = found->pw_gid};
    return true;
}

bool privileges_settle(const struct conf *conf, char *error, size_t error_size)
{
    struct owner owner = {0};
    if (!find_owner(conf->user, &owner, error, error_size) ||
        !make_folder(conf->state_dir, &owner, error, error_size) ||
        (conf->store.path != NULL && !make_folder(conf->store.path, &owner, error, error_size))) {
        return false;
    }
    make_socket_folder(conf->admin.socket_path, &owner);
    if (!owner.wanted) {
        return true;
    }
    if (initgroups(conf->user, owner.gid) != 0 || setgid(owner.gid) != 0 ||
        setuid(owner.uid) != 0) {
        return fail(error, error_size, "cannot become user", conf->user);
    }
    /* A core dump of a process that changed its user is off by default; crashes must stay findable.
     */
    (void)prctl(PR_SET_DUMPABLE, 1);
    return true;
}

void privileges_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_warn("descriptor_limit", "cannot be raised from the soft limit");
        }
    }
}
