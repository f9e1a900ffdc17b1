/* descriptors - see descriptors.h. */
#include "worker/descriptors.h"

#include <stdint.h>
#include <sys/resource.h>

#define IDLE_MAX 16384u
#define IDLE_SHARE 4u
#define UNKNOWN 1024u /* when the system does not say */

unsigned descriptors_for_idle(unsigned workers)
{
    struct rlimit limit;
    uint64_t most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UNKNOWN;

    most = most / IDLE_SHARE / workers;
    return most > IDLE_MAX ? IDLE_MAX : most < 1 ? 1 : (unsigned)most;
}
