/* access - see access.h. */
#include "access/access.h"

#include <limits.h>
#include <netinet/in.h>

struct access {
    const struct conf_site *site;
};

struct access *access_compile(struct arena *arena, const struct conf_site *site)
{
    struct access *access = arena_alloc(arena, sizeof(*access));
    if (access != NULL) {
        access->site = site;
    }
    return access;
}

void access_judge(const struct access *access, const struct access_facts *facts,
                  struct access_verdict *out)
{
    (void)access;
    (void)facts;
    *out = (struct access_verdict){
        .answer = ACCESS_ALLOW, .name = "end", .reason = "", .rule = UINT_MAX};
}

static bool address_copy(const struct sockaddr **address, struct arena *arena)
{
    if (*address == NULL) {
        return true;
    }
    size_t len = (*address)->sa_family == AF_INET6  ? sizeof(struct sockaddr_in6)
                 : (*address)->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                    : sizeof(sa_family_t);
    struct sockaddr_storage *copy = arena_alloc(arena, sizeof(*copy));
    if (copy == NULL) {
        return false;
    }
    *copy = (struct sockaddr_storage){0};
    memcpy(copy, *address, len);
    *address = (const struct sockaddr *)copy;
    return true;
}

bool access_facts_copy(struct access_facts *facts, struct arena *arena)
{
    struct span *const spans[] = {&facts->user, &facts->method, &facts->host, &facts->path,
                                  &facts->type};

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct span copy = arena_copy(arena, *spans[i]);
        if (copy.ptr == NULL && spans[i]->len > 0) {
            return false;
        }
        *spans[i] = copy;
    }
    return address_copy(&facts->client, arena) && address_copy(&facts->address, arena);
}
