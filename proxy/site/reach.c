/* reach - see reach.h. */
#include "site/reach.h"

#include "base/log.h"
#include "http/path.h"
#include "site/site_path.h"

static void judge_once(const struct site *site, const struct access_facts *facts,
                       struct access_verdict *out)
{
    access_judge(site->access, facts, out);
    if (UNLIKELY(out->gave_up)) {
        log_warn("acl_regex_gave_up", "site=%.*s rule=%s note=\"too much work for this URL\"",
                 (int)site->name.len, site->name.ptr, out->name);
    }
}

/* Of two readings of one request, of which the first was not denied. */
static void take_stricter(struct access_verdict *out, const struct access_verdict *other)
{
    if (other->answer == ACCESS_DENY ||
        (other->answer == ACCESS_WANTS_ADDRESS && out->answer == ACCESS_ALLOW)) {
        *out = *other;
    } else if (other->answer == ACCESS_ALLOW) {
        out->asks_response = out->asks_response || other->asks_response;
        out->bound = other->bound < out->bound ? other->bound : out->bound;
    }
}

/* Paths count in the spelling that rules, key and origin share; one that has an escaped slash must
 * pass in both readings. */
void reach_judge(struct arena *arena, const struct site *site, struct access_facts *facts,
                 struct access_verdict *out)
{
    if (LIKELY(!access_asks_path(site->access)) || LIKELY(!http_path_is_odd(facts->path))) {
        judge_once(site, facts, out);
        return;
    }
    struct span strict = site_path_folded(arena, site, facts->path);
    char *room = arena_alloc(arena, HTTP_PATH_FOLD_BYTES(facts->path));
    if (strict.ptr == NULL || room == NULL) {
        *out = (struct access_verdict){.answer = ACCESS_DENY,
                                       .by = ACCESS_BY_END,
                                       .name = "end",
                                       .reason = "the path is too long",
                                       .rule = UINT32_MAX};
        return;
    }
    struct span loose = http_path_fold(room, facts->path, HTTP_PATH_LOOSE);
    facts->path = strict;
    judge_once(site, facts, out);
    if (out->answer != ACCESS_DENY && !span_eq(strict, loose)) {
        struct access_verdict other;
        facts->path = loose;
        judge_once(site, facts, &other);
        take_stricter(out, &other);
        facts->path = strict;
    }
}

bool reach_allows(struct arena *arena, const struct site *site, const struct access_facts *facts,
                  const struct sockaddr *address, struct access_verdict *verdict)
{
    struct access_facts known = *facts;

    known.address = address;
    reach_judge(arena, site, &known, verdict);
    return verdict->answer == ACCESS_ALLOW;
}
