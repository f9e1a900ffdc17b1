#ifndef ADMIN_DOOR_H
#define ADMIN_DOOR_H
/*
 * door - one listening socket with its libmicrohttpd daemon: bytes to struct admin_request and
 * back. Threads: open and close from main.
 */
#include <stdbool.h>

struct admin;
struct door;

/* Takes fd. NULL: no thread or descriptors to be had. is_local: a Unix socket. */
struct door *door_open(struct admin *admin, int fd, bool is_local);
/* Streams and jobs must have been ended. Nulls *door. */
void door_close(struct door **door);
#endif
