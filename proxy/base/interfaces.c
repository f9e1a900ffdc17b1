/* interfaces - see interfaces.h. */
#include "base/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/netset.h"

struct address {
    bool v6;
    uint8_t bytes[16];
};

struct list {
    struct list *before; /* the one it replaced */
    size_t count;
    struct address items[];
};

/* Release by interfaces_refresh, acquire by interfaces_has. */
static _Atomic(struct list *) current;

/* NULL: no memory. */
static struct list *collect(const struct ifaddrs *all)
{
    size_t room = 0;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        room++;
    }
    struct list *list = mem_try(sizeof(*list) + room * sizeof(list->items[0]));
    if (list == NULL) {
        return NULL;
    }
    *list = (struct list){.count = 0};
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        bool v6 = false;
        const uint8_t *bytes = at->ifa_addr == NULL ? NULL : netset_bytes(at->ifa_addr, &v6);
        if (bytes != NULL) {
            struct address *item = &list->items[list->count++];
            memset(item, 0, sizeof(*item));
            item->v6 = v6;
            memcpy(item->bytes, bytes, v6 ? 16 : 4);
        }
    }
    return list;
}

void interfaces_refresh(void)
{
    static bool is_said; /* one thread at a time, see interfaces.h */
    struct ifaddrs *all = NULL;
    struct list *before = atomic_load_explicit(&current, memory_order_relaxed);

    if (getifaddrs(&all) != 0) {
        if (!is_said) {
            char why[128];
            log_warn("interfaces_unknown",
                     "reason=\"%s\" note=\"forward proxies do not know the "
                     "addresses of this machine; a sandbox must let in AF_NETLINK\"",
                     strerror_r(errno, why, sizeof(why)));
        }
        is_said = true;
        return; /* what was known stays */
    }
    struct list *list = collect(all);
    freeifaddrs(all);
    if (list == NULL) {
        return;
    }
    if (before != NULL && before->count == list->count &&
        memcmp(before->items, list->items, list->count * sizeof(list->items[0])) == 0) {
        mem_free(list);
        return;
    }
    list->before = before;
    atomic_store_explicit(&current, list, memory_order_release);
}

bool interfaces_has(const struct sockaddr *address)
{
    const struct list *list = atomic_load_explicit(&current, memory_order_acquire);
    bool v6 = false;
    const uint8_t *bytes = netset_bytes(address, &v6);

    for (size_t i = 0; list != NULL && bytes != NULL && i < list->count; i++) {
        if (list->items[i].v6 == v6 && memcmp(list->items[i].bytes, bytes, v6 ? 16 : 4) == 0) {
            return true;
        }
    }
    return false;
}
