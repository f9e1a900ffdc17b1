#ifndef WORKER_FOLDERS_H
#define WORKER_FOLDERS_H
/*
 * folders - a daemon has its folders to itself: two on one store or one state_dir would both lose,
 * so the second one ends before it touches anything. Threads: main.
 */
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/* Takes state_dir, until *lock is closed or the process ends, and looks that nobody has the store.
 * The folders are there already. False with a sentence in error; *lock is then -1, as also where
 * the file system has no locks or no room (the log says so). */
bool folders_take(const struct conf *conf, int *lock, char *error, size_t error_size);
#endif
