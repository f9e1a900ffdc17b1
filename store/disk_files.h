#ifndef STORE_DISK_FILES_H
#define STORE_DISK_FILES_H
/* disk_files - the store's folder as the file system sees it: sizes, quarantine. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define DISK_PATH_BYTES 4096u

/* Makes the folder (and its parents, 0750) when absent. */
enum err disk_files_make(const char *path);
/* Bytes set aside for everything below path, the larger of size and blocks, two levels deep. */
uint64_t disk_files_bytes(const char *path);
/* Bytes the file system has left for us; UINT64_MAX when it does not say. */
uint64_t disk_files_free(const char *path);
/* Can a file of a few MiB be written, synced and deleted here? */
bool disk_files_probe(const char *path);
/* Can a file have two names here? */
bool disk_files_can_link(const char *path);
/* The store's hash seed from <path>/seed, made with `fallback` when absent; ERR_IO: it cannot be.
 */
enum err disk_files_seed(const char *path, uint64_t fallback, uint64_t *out);
/* Does another process have <path>/db open? Not for a folder this process has open itself. */
bool disk_files_in_use(const char *path, int *pid);
/* Moves <path>/db to <path>/quarantine-<time>, after deleting an older one; not while in use. */
void disk_files_quarantine(const char *path);
/* Deletes all quarantine folders; false: there were none. */
bool disk_files_drop_quarantine(const char *path);
#endif
