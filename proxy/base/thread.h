#ifndef BASE_THREAD_H
#define BASE_THREAD_H
/* thread - named pthreads with all signals blocked (the main thread alone handles signals). */
#include <pthread.h>

#include "base/check.h"
#include "base/err.h"

/* Starts run(arg) as a joinable thread. name: at most 15 bytes. */
MUST_USE enum err thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg);
/* The calling thread serves the others: being woken, it does not push them off their processor. */
void thread_be_patient(void);
#endif
