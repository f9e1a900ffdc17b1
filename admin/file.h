#ifndef ADMIN_FILE_H
#define ADMIN_FILE_H
/* file - small files read and written whole. Not from a handler: it may block on the disk. */
#include <stdbool.h>

#include "base/buf.h"

/* Appends what is left of fd. False: not read to the end, or out is full. */
bool file_read_fd(int fd, struct buf *out);
/* False with errno: not all was written. */
bool file_write_fd(int fd, struct span data);
/* Opens path (mode 0640, with these flags beside O_CREAT), writes, and closes. */
bool file_write(const char *path, int flags, struct span data, bool sync);
#endif
