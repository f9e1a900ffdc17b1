#ifndef WORKER_TUNNEL_LIST_H
#define WORKER_TUNNEL_LIST_H
/*
 * tunnel_list - the tunnels that are open (exchange/tunnels.h), for people to look at: each worker is
 * asked by mail and copies what fits, the oldest first.
 *
 * Threads: one that may wait, never a worker. Ownership: the list is the caller's.
 */
#include <stdint.h>

struct worker;

#define TUNNEL_LIST_MOST 1000u

struct tunnel_row {
    char client[48];               /* address, no port */
    char user[64];                 /* "": nobody */
    char host[264];                /* host:port, as asked for */
    char proxy[64];                /* "forward:office" */
    int64_t since_ms;              /* Unix milliseconds */
    uint64_t to_client, to_server; /* bytes */
};

struct tunnel_list {
    uint64_t total; /* open now, of those workers that answered */
    unsigned count; /* of rows */
    struct tunnel_row rows[];
};

/* At most `most` rows, 1..TUNNEL_LIST_MOST. Waits for 1 s at most: a worker that does not answer in
 * time is left out. mem_free it. */
struct tunnel_list *tunnel_list_new(struct worker *const *workers, unsigned count, unsigned most);
#endif
