/*
 * folders - the lock is flock() on a file that stays: the kernel gives it up with the process, so
 * what a dead one left behind is in nobody's way. The number in it is only for people.
 */
#include "worker/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store.h"

#define PATH_BYTES 4096

static bool store_is_free(const struct conf *conf, char *error, size_t size)
{
    int pid = 0;
    if (conf->store.path == NULL || !store_is_in_use(conf->store.path, &pid)) {
        return true;
    }
    snprintf(error, size,
             "the store folder %s is in use by process %d; stop it, or give this one "
             "another store { path }",
             conf->store.path, pid);
    return false;
}

static void tell_taken(const char *folder, int fd, char *error, size_t size)
{
    char text[24] = "";
    char who[48] = "another larder";
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    long pid = len > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0) {
        snprintf(who, sizeof(who), "process %ld", pid);
    }
    snprintf(error, size,
             "the state folder %s is in use by %s; stop it, or give this one another state_dir",
             folder, who);
}

static void note_pid(int fd)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
        log_debug("state_lock", "its file has no room for our number");
    }
}

bool folders_take(const struct conf *conf, int *lock, char *error, size_t error_size)
{
    char path[PATH_BYTES];
    char why[96];
    *lock = -1;
    if (!store_is_free(conf, error, error_size)) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/lock", conf->state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        note_pid(fd);
        *lock = fd;
        return true;
    }
    int number = errno;
    bool is_taken = fd >= 0 && number == EWOULDBLOCK;
    if (is_taken) {
        tell_taken(conf->state_dir, fd, error, error_size);
    } else {
        log_warn("state_lock", "file=\"%s\" reason=\"%s\" note=\"a second larder is not noticed\"",
                 path, strerror_r(number, why, sizeof(why)));
    }
    if (fd >= 0) {
        close(fd);
    }
    return !is_taken;
}
