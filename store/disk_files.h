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
/* Moves <path>/db to <path>/quarantine-<time>, after deleting an older one. */
void disk_files_quarantine(const char *path);
/* Deletes all quarantine folders; false: there were none. */
bool disk_files_drop_quarantine(const char *path);
#endif
