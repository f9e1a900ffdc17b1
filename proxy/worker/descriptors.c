/* descriptors - see descriptors.h. */
#include "worker/descriptors.h"

#include <stdint.h>
#include <sys/resource.h>

#include "base/log.h"

#define IDLE_MAX 16384u
#define IDLE_SHARE 4u
#define UNKNOWN 1024u /* when the system does not say */

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_warn("descriptor_limit", "cannot be raised from the soft limit");
        }
    }
}

unsigned descriptors_for_idle(unsigned workers)
{
    struct rlimit limit;
    uint64_t most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UNKNOWN;

    most = most / IDLE_SHARE / workers;
    return most > IDLE_MAX ? IDLE_MAX : most < 1 ? 1 : (unsigned)most;
}
