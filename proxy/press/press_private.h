#ifndef PRESS_PRESS_PRIVATE_H
#define PRESS_PRESS_PRIVATE_H
/* press_private - shared by press.c and press_coder.c only. */
#include <stdatomic.h>

#include "press/press.h"

/* Does the job: sets result, and data and len when PRESS_DONE. Looks at is_closing between pieces.
 */
void press_encode(struct press_job *job, const _Atomic bool *is_closing);
#endif
