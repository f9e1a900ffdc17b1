#ifndef BASE_INSTANCE_H
#define BASE_INSTANCE_H
/*
 * instance - which process this is, to others that have the same configuration: a random number,
 * another after each start.
 * Threads: any.
 */
#include <stdint.h>

uint64_t instance_id(void);
#endif
