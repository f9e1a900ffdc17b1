/* instance - see instance.h. */
#include "base/instance.h"

#include <pthread.h>

#include "base/hash.h"

static pthread_once_t instance_once = PTHREAD_ONCE_INIT;
static uint64_t instance_number; /* written once */

static void instance_begin(void)
{
    random_bytes(&instance_number, sizeof(instance_number));
}

uint64_t instance_id(void)
{
    (void)pthread_once(&instance_once, instance_begin);
    return instance_number;
}
