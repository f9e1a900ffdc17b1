#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
/*
 * clock - monotonic time for deadlines and durations, wall time for HTTP dates and logs. The two
 * never mix. A worker's loop reads them once per turn and hands the cached values on.
 */
#include <stdint.h>

/* Microseconds since an arbitrary start; never goes back. */
uint64_t clock_mono_us(void);
/* Milliseconds since the Unix epoch; may jump when an administrator sets the clock. */
int64_t clock_wall_ms(void);
/* Sleeps at least so long. Service threads only: a worker never waits. */
void clock_sleep_us(uint64_t us);
#endif
