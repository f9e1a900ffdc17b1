#ifndef USERS_USERS_PRIVATE_H
#define USERS_USERS_PRIVATE_H
/* users_private - shared by the files of users/ only. */
#include "users/users.h"

/* ---- memory.c: what was found out ---- */

struct users_memory;

struct users_memory *users_memory_new(size_t entries);
void users_memory_free(struct users_memory **memory);
/* RIGHT, WRONG or NEW. What was right within keep_us before now is, and counts from now on anew. */
enum users_answer users_memory_find(struct users_memory *memory, const uint8_t *mac,
                                    uint64_t keep_us, uint64_t now_us);
/* In place of the one in its set that was used least recently. */
void users_memory_put(struct users_memory *memory, const uint8_t *mac, bool is_right,
                      uint64_t now_us);

/* ---- hasher.c: crypt(3) ---- */

struct users_hasher; /* of one thread */

struct users_hasher *users_hasher_new(void);
void users_hasher_free(struct users_hasher **hasher);
/* Is hash that of password (terminated)? In time that does not depend on how much of it is right. */
bool users_hasher_check(struct users_hasher *hasher, const char *password, const char *hash);
#endif
