#ifndef ADMIN_POOLS_H
#define ADMIN_POOLS_H
/* pools - what several views of the origins share: which servers may be asked, and what it means
 * for visitors when none may. */
#include <stdbool.h>

#include "admin/admin.h"
#include "admin/json.h"
#include "origin/view.h"

#define POOLS_TEXT_BYTES 512u

/* May it be asked, as far as its state goes? */
bool pools_is_asked(const struct origin_server_view *server);
/* How many of them. */
unsigned pools_asked(const struct origin_pool_view *pool);
/* What an operator should know of a pool with so many servers left; empty: nothing. */
void pools_warning(const struct origin_pool_view *pool, unsigned left, char *out, size_t size);
const struct origin_pool_view *pools_find(const struct origins_view *view, const char *name);
const struct origin_server_view *pools_server(const struct origin_pool_view *pool,
                                              const char *name);
/* What is wrong with origins now, the worst first: elements of status.problems. Returns how many
 * were written, at most limit. */
unsigned pools_write_problems(struct service *service, struct json *json, unsigned limit);
#endif
