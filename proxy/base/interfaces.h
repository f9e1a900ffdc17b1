#ifndef BASE_INTERFACES_H
#define BASE_INTERFACES_H
/*
 * interfaces - the addresses of this machine's network interfaces, as the last look at them found
 * them: what a connection to one of them reaches is on this machine. One list for the process.
 *
 * Threads: interfaces_refresh before other threads, then by the watch thread (origin/watch.h) alone.
 *          interfaces_has by any; no lock.
 */
#include <stdbool.h>
#include <sys/socket.h>

/* Looks. Lists that are replaced stay in memory (interfaces_has may be reading one); one that is the
 * same as before is not replaced. */
void interfaces_refresh(void);
/* IPv4 mapped into IPv6 counts as IPv4. False before the first look. */
bool interfaces_has(const struct sockaddr *address);
#endif
