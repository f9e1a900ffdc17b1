#ifndef ADMIN_JOBS_H
#define ADMIN_JOBS_H
/*
 * jobs - one thread for handlers that may wait for a disk, so that the door's thread never does.
 * Threads: push from any; start and stop from main.
 */
#include <stdbool.h>

struct job {
    struct job *next;
    void (*run)(struct job *job); /* on the job thread; may free it */
};

struct jobs;

struct jobs *jobs_start(void);
/* Runs what is queued, refuses the rest. */
void jobs_stop(struct jobs *jobs);
void jobs_free(struct jobs **jobs);
/* False: too many wait, or stopped. */
bool jobs_push(struct jobs *jobs, struct job *job);
#endif
