#ifndef LIMIT_QUOTA_FILE_H
#define LIMIT_QUOTA_FILE_H
/*
 * quota_file - the accounts of quotas as a small file, so that they outlive the process.
 *
 *   larder-quotas 1
 *   forward:office month_user month user alice 1764543600 53687091 7340032
 *   end 1 8f2b6a2d9c01e377
 *
 * A line an account: site, quota, period, whose, who (%XX for what is no letter, digit or one of
 * - . _ : / @ +), beginning of the period, bytes down, bytes up. The last line has the number of
 * accounts and a hash of all before it: a file that was cut or changed is damaged as a whole.
 *
 * Threads: a service thread; quota_file_write and _read are pure.
 */
#include "base/buf.h"
#include "base/err.h"
#include "limit/quota.h"

/* 65536 accounts with long names. */
#define QUOTA_FILE_MAX_BYTES ((size_t)80 << 20)

void quota_file_write(struct buf *out, const struct quota_view *list, size_t count);
/* Reads all of it before any account is taken. site and name of a view live for the call. Returns
 * NULL, or what is wrong with it (static), and nothing was taken. */
const char *quota_file_read(struct span text,
                            void (*take)(void *ctx, const struct quota_view *view), void *ctx);

/* What was kept at path. A file that is damaged or cannot be read is put aside as PATH.damaged, with
 * a warning in the log. *last: a hash of what is there, for quota_file_save; 0: nothing. */
void quota_file_load(struct quota_store *store, const char *path, uint64_t *last);
/* Keeps the accounts at path: beside it first, then in its place. What has not changed is not written
 * again. Failures go to the log. */
void quota_file_save(struct quota_store *store, const char *path, uint64_t *last);
#endif
