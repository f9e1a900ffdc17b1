#ifndef STORE_MEMFILE_H
#define STORE_MEMFILE_H
/*
 * memfile - a body in a file that lies in memory, in huge pages. From there the kernel sends it
 * without copying it (sendfile), and a huge page costs it one look where small ones cost 512. What
 * is on its way to a client stays as it is when the file goes: the kernel holds its pages.
 *
 * Threads:   one thread makes, writes and seals it; then any thread reads.
 * Ownership: counted. Each takes a descriptor.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

#define MEMFILE_BYTES_MIN (2u * 1024u * 1024u) /* a huge page */

struct memfile;

/* Of so many bytes, at least MEMFILE_BYTES_MIN. ERR_NOMEM: no memory, descriptor or huge page now;
 * ERR_ABSENT: this kernel makes no huge pages for files (before Linux 6.1). */
MUST_USE enum err memfile_new(uint64_t bytes, struct memfile **out);
struct memfile *memfile_ref(struct memfile *file);
void memfile_unref(struct memfile **file);

MUST_USE enum err memfile_write(struct memfile *file, uint64_t offset, struct span data);
/* From now on count, which outlives the file, is one more for as long as there is the file. Once. */
void memfile_count(struct memfile *file, _Atomic uint32_t *count);
/* Nothing in it changes any more. */
MUST_USE enum err memfile_seal(struct memfile *file);

int memfile_fd(const struct memfile *file);
/* All of it, for those who read it as memory. */
const char *memfile_data(const struct memfile *file);
#endif
