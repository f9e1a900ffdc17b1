/* slurp - see slurp.h. */
#include "conf/slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define PROBLEM_BYTES 128u

/* False: errno says why. */
static bool read_all(int fd, char *bytes, size_t size, size_t *len)
{
    ssize_t got = 1;

    for (*len = 0; *len < size && got != 0;) {
        got = read(fd, bytes + *len, size - *len);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        *len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool read_open(int fd, size_t max_bytes, struct span *out, const char **problem)
{
    struct stat info;
    size_t len;

    if (fstat(fd, &info) != 0) {
        return false;
    }
    if (!S_ISREG(info.st_mode) || info.st_size < 0) {
        *problem = "not a regular file";
        return false;
    }
    if ((uint64_t)info.st_size > max_bytes) {
        *problem = "it is too large";
        return false;
    }
    char *bytes = mem_try((size_t)info.st_size + 1);
    if (bytes == NULL) {
        *problem = "no memory for it";
        return false;
    }
    if (!read_all(fd, bytes, (size_t)info.st_size, &len)) {
        int why = errno;
        mem_free(bytes);
        errno = why;
        return false;
    }
    *out = span_of(bytes, len);
    return true;
}

bool conf_slurp(const char *path, size_t max_bytes, struct span *out, char room[128],
                const char **problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool good;

    *problem = NULL;
    good = fd >= 0 && read_open(fd, max_bytes, out, problem);
    if (!good && *problem == NULL) {
        *problem = strerror_r(errno, room, PROBLEM_BYTES);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}
