#ifndef ADMIN_SOCKET_H
#define ADMIN_SOCKET_H
/* socket - the admin server's listening sockets. Returned descriptors are the caller's; -1: why
 * says it in words. */
#include <stddef.h>

#include "conf/conf.h"

int socket_listen_tcp(const struct conf_listen *conf, unsigned *port, char *why, size_t why_size);
/* Replaces a socket nobody listens on any more; the folder is made when only it is missing. */
int socket_listen_unix(const char *path, unsigned mode, char *why, size_t why_size);
#endif
