#ifndef WORKER_DESCRIPTORS_H
#define WORKER_DESCRIPTORS_H
/* descriptors - how many this process may have open, and what they may be for. */

/* As many as the hard limit allows; once, at the start. */
void descriptors_raise(void);
/* Connections to origins that each of so many workers may keep for later: all of them take a quarter
 * of the descriptors at most, so that clients of thousands of servers leave enough for the rest. */
unsigned descriptors_for_idle(unsigned workers);
#endif
