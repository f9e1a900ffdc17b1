#ifndef WORKER_NOTIFY_H
#define WORKER_NOTIFY_H
/* notify - tells systemd how we are (sd_notify protocol, Type=notify): one datagram to
 * $NOTIFY_SOCKET, nothing when unset. */
void notify_systemd(const char *state);
#endif
