/* thread - a new thread inherits its creator's signal mask, so the mask is full while we create. */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>

enum err thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
    sigset_t all;
    sigset_t before;

    CHECK(sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int result = pthread_create(out, NULL, run, arg);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (result != 0) {
        return ERR_NOMEM;
    }
    /* Fails when the name is too long, or harmlessly when the thread has already ended. */
    (void)pthread_setname_np(*out, name);
    return ERR_OK;
}

void thread_be_patient(void)
{
    const struct sched_param none = {0};

    (void)sched_setscheduler(0, SCHED_BATCH, &none); /* where it is refused all works as well */
}
