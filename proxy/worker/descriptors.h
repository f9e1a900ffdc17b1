#ifndef WORKER_DESCRIPTORS_H
#define WORKER_DESCRIPTORS_H
/* descriptors - what the descriptors that this process may have are for. */

/* Connections to origins that each of so many workers may keep for later: all of them take a quarter
 * of the descriptors at most, so that clients of thousands of servers leave enough for the rest. */
unsigned descriptors_for_idle(unsigned workers);
#endif
