/* file - see file.h. */
#include "admin/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool file_read_fd(int fd, struct buf *out)
{
    char block[16384];
    ssize_t got;

    while ((got = read(fd, block, sizeof(block))) != 0) {
        if (got > 0) {
            buf_append(out, span_of(block, (size_t)got));
        }
        if (out->failed || (got < 0 && errno != EINTR)) {
            return false;
        }
    }
    return true;
}

bool file_write_fd(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t put = write(fd, data.ptr, data.len);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            data.ptr += put;
            data.len -= (size_t)put;
        }
    }
    return true;
}

bool file_write(const char *path, int flags, struct span data, bool sync)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0640);

    if (fd < 0) {
        return false;
    }
    bool good = file_write_fd(fd, data) && (!sync || fsync(fd) == 0);
    return close(fd) == 0 && good;
}
