/* quota_keeper - see quota_keeper.h. */
#include "worker/quota_keeper.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "limit/quota_file.h"

#define SAVE_US ((uint64_t)5000000)
#define NAME "/quotas"

void quota_keeper_open(struct quota_keeper *keeper, struct quota_store *store,
                       const char *state_dir)
{
    size_t bytes = strlen(state_dir) + sizeof(NAME);
    char *path = mem_new(bytes);

    (void)snprintf(path, bytes, "%s" NAME, state_dir);
    *keeper = (struct quota_keeper){.store = store, .path = path};
    quota_file_load(store, path, &keeper->held);
}

void quota_keeper_tick(struct quota_keeper *keeper)
{
    uint64_t now_us = clock_mono_us();

    quota_tick(keeper->store, clock_wall_ms() / 1000);
    if (now_us - keeper->saved_us >= SAVE_US) {
        keeper->saved_us = now_us;
        quota_file_save(keeper->store, keeper->path, &keeper->held);
    }
}

void quota_keeper_close(struct quota_keeper *keeper)
{
    quota_file_save(keeper->store, keeper->path, &keeper->held);
    mem_free(keeper->path);
    keeper->path = NULL;
}
