#ifndef STORE_TABLE_H
#define STORE_TABLE_H
/*
 * table - one file of the body log in RocksDB's own table format, written by us and then taken in
 * by RocksDB as it is. On the way through RocksDB a body would be copied into a batch, a memtable,
 * a block and a file buffer; here it is copied once, into the buffer that the file is written from,
 * and what has been pushed can be read back at once.
 *
 * The format is that of block based tables with format version 5: blocks without compression, XXH3,
 * one restart per entry, an index of one block, and the properties that mark a file made outside
 * of the database with sequence number 0.
 *
 * Threads:   one thread creates, adds, pushes, finishes; any thread finds and reads.
 * Ownership: counted; the file is closed with the last reference. Deleting it is up to the caller.
 * Errors:    ERR_IO and ERR_NOMEM leave a table that takes nothing more; what was pushed before can
 * be read.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct table;

/* Where a record lies: the block around it, and the value inside. */
struct table_place {
    uint64_t offset;
    uint32_t bytes; /* of the block and its trailer: what table_read wants room for */
    uint32_t at;
    uint32_t len;
};

/* Creates the file anew (a leftover is unlinked first, never written over). NULL: it cannot be. */
struct table *table_create(const char *path);
struct table *table_ref(struct table *table);
void table_unref(struct table **table);

/* Positions must rise. */
MUST_USE enum err table_add(struct table *table, uint64_t position, const struct span *parts,
                            size_t count);
/* All that was added can be found. */
MUST_USE enum err table_push(struct table *table);
/* Pushes and ends the file. At least one record was added. No sync. */
MUST_USE enum err table_finish(struct table *table);
/* Bytes added so far, blocks and all; 0: empty. */
uint64_t table_bytes(const struct table *table);
/* So much the file may still grow by what was added, its end, and the step of its reserve. */
uint64_t table_pending_bytes(const struct table *table);

/* ERR_ABSENT: not in this table. */
MUST_USE enum err table_find(struct table *table, uint64_t position, struct table_place *out);
/* Reads and verifies the block; value points into room. */
MUST_USE enum err table_read(struct table *table, const struct table_place *place, char *room,
                             struct span *value);
#endif
