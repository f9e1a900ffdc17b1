/* disk_files - see disk_files.h. */
#include "store/disk_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define DISK_FILES_DEPTH 3
#define DISK_FILES_FDS 16
#define DISK_PROBE_BLOCK ((size_t)256 * 1024)
#define DISK_PROBE_BLOCKS 16u

enum err disk_files_make(const char *path)
{
    char part[DISK_PATH_BYTES];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part)) {
        return ERR_IO;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST) {
            return ERR_IO;
        }
        part[i] = kept;
    }
    return ERR_OK;
}

static uint64_t disk_files_bytes_of(const struct stat *stat)
{
    uint64_t blocks = (uint64_t)stat->st_blocks * 512;
    uint64_t size = (uint64_t)stat->st_size;

    /* A file RocksDB takes in has two names for a moment. */
    return (blocks > size ? blocks : size) /
           (stat->st_nlink < 2 || S_ISDIR(stat->st_mode) ? 1 : (uint64_t)stat->st_nlink);
}

static uint64_t disk_files_walk(int folder_fd, const char *name, int depth)
{
    uint64_t sum = 0;
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return 0;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (struct dirent *item; (item = readdir(dir)) != NULL;) {
        struct stat stat;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
            fstatat(dirfd(dir), item->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        sum += disk_files_bytes_of(&stat);
        if (S_ISDIR(stat.st_mode) && depth > 1) {
            sum += disk_files_walk(dirfd(dir), item->d_name, depth - 1);
        }
    }
    (void)closedir(dir);
    return sum;
}

uint64_t disk_files_bytes(const char *path)
{
    return disk_files_walk(AT_FDCWD, path, DISK_FILES_DEPTH);
}

uint64_t disk_files_free(const char *path)
{
    struct statvfs stat;

    return statvfs(path, &stat) != 0 ? UINT64_MAX : (uint64_t)stat.f_bavail * stat.f_frsize;
}

bool disk_files_probe(const char *path)
{
    char name[DISK_PATH_BYTES];
    char *block = mem_new(DISK_PROBE_BLOCK);
    int len = snprintf(name, sizeof(name), "%s/probe", path);
    int fd = -1;
    bool ok = false;

    if (len > 0 && (size_t)len < sizeof(name)) {
        fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    }
    if (fd >= 0) {
        /* Its name goes first: a folder at its bound has no room for these bytes, and nothing is
         * left behind by a kill. */
        ok = unlink(name) == 0;
        for (unsigned i = 0; i < DISK_PROBE_BLOCKS && ok; i++) {
            ok = write(fd, block, DISK_PROBE_BLOCK) == (ssize_t)DISK_PROBE_BLOCK;
        }
        ok = ok && fsync(fd) == 0;
        (void)close(fd);
    }
    mem_free(block);
    return ok;
}

bool disk_files_can_link(const char *path)
{
    char from[DISK_PATH_BYTES];
    char to[DISK_PATH_BYTES];
    int a = snprintf(from, sizeof(from), "%s/probe", path);
    int b = snprintf(to, sizeof(to), "%s/probe2", path);

    if (a < 0 || (size_t)a >= sizeof(from) || b < 0 || (size_t)b >= sizeof(to)) {
        return false;
    }
    int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    bool ok = link(from, to) == 0;
    (void)unlink(from);
    (void)unlink(to);
    return ok;
}

enum err disk_files_seed(const char *path, uint64_t fallback, uint64_t *out)
{
    char name[DISK_PATH_BYTES];
    int len = snprintf(name, sizeof(name), "%s/seed", path);

    *out = fallback;
    if (len <= 0 || (size_t)len >= sizeof(name)) {
        return ERR_IO;
    }
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        uint64_t found;
        bool ok = read(fd, &found, sizeof(found)) == (ssize_t)sizeof(found);
        (void)close(fd);
        if (ok) {
            *out = found;
            return ERR_OK;
        }
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return ERR_IO;
    }
    bool ok = write(fd, &fallback, sizeof(fallback)) == (ssize_t)sizeof(fallback);
    ok = fsync(fd) == 0 && ok;
    (void)close(fd);
    return ok ? ERR_OK : ERR_IO;
}

static int disk_files_delete(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    (void)remove(path);
    return 0;
}

bool disk_files_drop_quarantine(const char *path)
{
    bool found = false;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return false;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (struct dirent *item; (item = readdir(dir)) != NULL;) {
        char name[DISK_PATH_BYTES];
        if (strncmp(item->d_name, "quarantine-", 11) != 0) {
            continue;
        }
        int len = snprintf(name, sizeof(name), "%s/%s", path, item->d_name);
        if (len > 0 && (size_t)len < sizeof(name)) {
            /* NOLINTNEXTLINE(concurrency-mt-unsafe): no working directory is changed */
            (void)nftw(name, disk_files_delete, DISK_FILES_FDS, FTW_DEPTH | FTW_PHYS);
            found = true;
        }
    }
    (void)closedir(dir);
    return found;
}

bool disk_files_in_use(const char *path, int *pid)
{
    char name[DISK_PATH_BYTES];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* as RocksDB takes it */

    int len = snprintf(name, sizeof(name), "%s/db/LOCK", path);
    if (len < 0 || (size_t)len >= sizeof(name)) {
        return false;
    }
    int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    bool in_use = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    *pid = in_use ? (int)lock.l_pid : 0;
    (void)close(fd);
    return in_use;
}

void disk_files_quarantine(const char *path)
{
    char from[DISK_PATH_BYTES];
    char to[DISK_PATH_BYTES];
    int pid = 0;

    if (disk_files_in_use(path, &pid)) {
        return; /* it is whole, and another's */
    }
    (void)disk_files_drop_quarantine(path);
    int a = snprintf(from, sizeof(from), "%s/db", path);
    int b =
        snprintf(to, sizeof(to), "%s/quarantine-%lld", path, (long long)(clock_wall_ms() / 1000));
    if (a < 0 || (size_t)a >= sizeof(from) || b < 0 || (size_t)b >= sizeof(to)) {
        return;
    }
    if (rename(from, to) == 0) {
        log_error("store_quarantine", "moved=%s", to);
    } else {
        log_error("store_quarantine", "cannot move %s: errno=%d", from, errno);
    }
}
