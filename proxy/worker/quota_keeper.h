#ifndef WORKER_QUOTA_KEEPER_H
#define WORKER_QUOTA_KEEPER_H
/*
 * quota_keeper - what quotas need from time to time: the periods it is now, and their accounts on the
 * disk (STATE_DIR/quotas), every 5 seconds and at the end, when something has changed.
 *
 * Threads: main. It may write to the disk.
 */
#include <stdint.h>

struct quota_store;

struct quota_keeper {
    struct quota_store *store;
    char *path;
    uint64_t held; /* what the file holds, see quota_file.h */
    uint64_t saved_us;
};

/* Reads what is kept. store: as long as the keeper. */
void quota_keeper_open(struct quota_keeper *keeper, struct quota_store *store,
                       const char *state_dir);
/* Some times a second. */
void quota_keeper_tick(struct quota_keeper *keeper);
/* Keeps what there is; nobody moves bytes any more. */
void quota_keeper_close(struct quota_keeper *keeper);
#endif
