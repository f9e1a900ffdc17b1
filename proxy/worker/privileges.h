#ifndef WORKER_PRIVILEGES_H
#define WORKER_PRIVILEGES_H
/*
 * privileges - folders the daemon needs, and the step down from root to `user` once the ports are
 * bound. Threads: main, before any other thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/* Makes state_dir and the store's folder when absent (owned by `user`, and then the admin socket's
 * too), then becomes that user. False with a sentence in error. Without `user`, or when not root,
 * only the folders are made. */
bool privileges_settle(const struct conf *conf, char *error, size_t error_size);
/* As many descriptors as the system lets us have. */
void privileges_raise_descriptors(void);
#endif
