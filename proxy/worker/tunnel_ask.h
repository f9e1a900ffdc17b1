#ifndef WORKER_TUNNEL_ASK_H
#define WORKER_TUNNEL_ASK_H
/*
 * tunnel_ask - asks every worker which tunnels it has open. They answer between two rounds of their
 * loops; who asks waits, for a second at most, so it is nothing for a worker or an admin door.
 */
#include <stdbool.h>

#include "record/tunnel_view.h"
#include "worker/worker.h"

/* list: empty, with what is wanted; items: room for max. False: a worker did not answer in time, and
 * its tunnels are not in the list. */
bool tunnel_ask(struct worker *const *workers, unsigned count, struct tunnel_view_list *list);
#endif
