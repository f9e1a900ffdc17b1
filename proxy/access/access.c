/*
 * access - the walk over the rules. A rule whose conditions hold but for those of the response is
 * neither passed over nor final: it is noted, and the walk goes on to see what would be without it.
 */
#include "access/access.h"

#include <limits.h>
#include <netinet/in.h>

#include "access/access_address.h"
#include "access/access_private.h"
#include "base/mem.h"

#define CLASSES 5u /* enum conf_acl_to, without self */

/* What an allow rule would need to let through what it does not. */
struct access_reasons {
    const char *class[CLASSES];
    const char *port, *self;
};

static const char no_reason[] = "a rule of this proxy does not allow it";

static const char *reason_text(struct arena *arena, const struct conf_acl_rule *rule,
                               const char *what, const char *needs)
{
    struct span text =
        arena_printf(arena, "the rule \"%s\" is not for %s; to allow it there, add: %s%c",
                     rule->name, what, needs, 0);
    return text.ptr == NULL ? no_reason : text.ptr;
}

static bool reasons_compile(struct arena *arena, const struct conf_acl *acl, struct access *access)
{
    static const char *const what[CLASSES] = {"public addresses", "private addresses",
                                              "loopback addresses", "link-local addresses",
                                              "multicast addresses"};
    struct access_reasons *list = arena_alloc(arena, (acl->count + 1) * sizeof(*list));

    for (size_t i = 0; list != NULL && i < acl->count; i++) {
        const struct conf_acl_rule *rule = &acl->list[i];
        list[i] = (struct access_reasons){0};
        for (unsigned j = 0; j < CLASSES && rule->allow; j++) {
            const char *name = access_class_name((enum conf_acl_to)(1u << j));
            char needs[24] = "to ";
            memcpy(needs + 3, name, strlen(name) + 1);
            list[i].class[j] = reason_text(arena, rule, what[j], needs);
        }
        if (rule->allow) {
            list[i].port = reason_text(arena, rule, "unusual ports", "port NUMBER");
            list[i].self = reason_text(arena, rule, "this proxy itself", "to self");
        }
    }
    access->reasons = list;
    return list != NULL;
}

/* Networks in `to` may hold addresses that are not public; it is enough that they may. */
static bool reaches_inside(const struct conf_acl *acl)
{
    for (size_t i = 0; i < acl->count; i++) {
        const struct conf_acl_rule *rule = &acl->list[i];
        for (size_t j = 0; rule->allow && j < rule->condition_count; j++) {
            const struct conf_acl_condition *condition = &rule->conditions[j];
            if (condition->kind == CONF_ACL_TO &&
                (condition->network_count > 0 || condition->bits != CONF_ACL_PUBLIC)) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t kinds_of(const struct conf_acl *acl)
{
    uint32_t has = 0;
    for (size_t i = 0; i < acl->count; i++) {
        has |= acl->list[i].has;
    }
    return has;
}

struct access *access_compile(struct arena *arena, const struct conf *conf,
                              const struct conf_site *site)
{
    struct access *access = arena_alloc(arena, sizeof(*access));
    struct access_room *room = arena_alloc(arena, sizeof(*room));
    const struct conf_acl *acl = &site->forward.acl;

    if (access == NULL || room == NULL) {
        return NULL;
    }
    *room = (struct access_room){.minute = INT64_MIN};
    *access = (struct access){
        .conf = conf, .acl = acl, .room = room, .reaches_inside = reaches_inside(acl)};
    if (!reasons_compile(arena, acl, access)) {
        return NULL;
    }
    if ((kinds_of(acl) & 1u << CONF_ACL_REGEX) != 0) {
        room->patterns = pattern_room_new();
    }
    return access;
}

void access_end(const struct access *access)
{
    if (access != NULL) {
        pattern_room_free(&access->room->patterns);
        mem_free(access->room->url);
        access->room->url = NULL;
    }
}

bool access_asks_path(const struct access *access)
{
    return (kinds_of(access->acl) & (1u << CONF_ACL_PATH | 1u << CONF_ACL_REGEX)) != 0;
}

/* ---- one rule ---- */

static enum access_truth conditions_hold(struct access_case *judged,
                                         const struct conf_acl_rule *rule)
{
    enum access_truth all = ACCESS_YES;
    for (size_t i = 0; i < rule->condition_count; i++) {
        enum access_truth one = access_condition_holds(judged, rule, &rule->conditions[i]);
        if (one == ACCESS_NO) {
            return ACCESS_NO;
        }
        all = one > all ? one : all;
    }
    return all;
}

static bool is_usual_port(const struct access_facts *facts)
{
    if (facts->scheme != ACCESS_HTTP) {
        return facts->port == 443;
    }
    return facts->port == 80 || facts->port == 8008 || facts->port == 8080;
}

/* Does the rule itself speak of connections to us? */
static bool allows_self(const struct conf_acl_rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (rule->conditions[i].kind == CONF_ACL_TO &&
            (rule->conditions[i].bits & CONF_ACL_SELF) != 0) {
            return true;
        }
    }
    return false;
}

static const char *class_reason(const struct access_reasons *reasons, uint32_t class)
{
    unsigned at = 0;
    while (at + 1 < CLASSES && (class >> at & 1) == 0) {
        at++;
    }
    return reasons->class[at];
}

/* What keeps a request from going where this allow rule would let it otherwise; ACCESS_BY_RULE:
 * nothing. */
static enum access_by held_by(const struct access_case *judged, const struct conf_acl_rule *rule)
{
    if ((judged->class & CONF_ACL_SELF) != 0 && !allows_self(rule)) {
        return ACCESS_BY_SELF;
    }
    if ((rule->has & 1u << CONF_ACL_TO) == 0 && judged->facts->address != NULL &&
        (judged->class & CONF_ACL_PUBLIC) == 0) {
        return ACCESS_BY_PRIVATE;
    }
    if ((rule->has & 1u << CONF_ACL_PORT) == 0 && !is_usual_port(judged->facts)) {
        return ACCESS_BY_PORT;
    }
    return ACCESS_BY_RULE;
}

/* ---- the walk ---- */

static void settle(struct access_case *judged, enum access_answer answer, size_t at)
{
    const struct conf_acl_rule *rule = &judged->access->acl->list[at];
    struct access_verdict *out = judged->out;

    out->answer = answer;
    out->by = ACCESS_BY_RULE;
    out->rule = (unsigned)at;
    out->name = rule->name;
    out->reason = rule->reason != NULL ? rule->reason : rule->allow ? "" : no_reason;
}

static void settle_held(struct access_case *judged, enum access_by by, size_t at)
{
    static const char *const names[] = {
        [ACCESS_BY_RULE] = "",     [ACCESS_BY_END] = "end",   [ACCESS_BY_PRIVATE] = "private",
        [ACCESS_BY_PORT] = "port", [ACCESS_BY_SELF] = "self",
    };
    const struct access_reasons *reasons = &judged->access->reasons[at];
    struct access_verdict *out = judged->out;

    out->answer = ACCESS_DENY;
    out->by = by;
    out->rule = (unsigned)at;
    out->name = names[by];
    out->reason = by == ACCESS_BY_SELF   ? reasons->self
                  : by == ACCESS_BY_PORT ? reasons->port
                                         : class_reason(reasons, judged->class);
}

/* What was met on the way. */
struct walk {
    size_t later; /* the first rule that allows, if the response is as it says; SIZE_MAX: none */
    size_t held;  /* the first that allows, but for held_by; SIZE_MAX: none */
    enum access_by by;
};

/* The end, or a rule that denies. */
static void walk_deny(struct access_case *judged, const struct walk *walk, size_t at)
{
    const struct conf_acl *acl = judged->access->acl;
    bool is_end = at == acl->count || acl->list[at].condition_count == 0;

    if (walk->later != SIZE_MAX) {
        settle(judged, ACCESS_ALLOW, walk->later);
    } else if (walk->held != SIZE_MAX && is_end) {
        settle_held(judged, walk->by, walk->held);
    } else if (at < acl->count) {
        settle(judged, ACCESS_DENY, at);
    }
}

/* Is the walk over with this rule? */
static bool walk_rule(struct access_case *judged, struct walk *walk, size_t at)
{
    const struct conf_acl_rule *rule = &judged->access->acl->list[at];
    enum access_truth holds = conditions_hold(judged, rule);

    if (holds == ACCESS_NO) {
        return false;
    }
    enum access_by by = rule->allow ? held_by(judged, rule) : ACCESS_BY_RULE;
    if (by != ACCESS_BY_RULE) {
        walk->by = walk->held == SIZE_MAX ? by : walk->by;
        walk->held = walk->held == SIZE_MAX ? at : walk->held;
        return false;
    }
    bool is_for_public = rule->allow && (rule->has & 1u << CONF_ACL_TO) == 0;
    if (holds == ACCESS_UNKNOWN ||
        (is_for_public && judged->facts->address == NULL && judged->access->reaches_inside)) {
        settle(judged, ACCESS_WANTS_ADDRESS, at);
        return true;
    }
    if (holds == ACCESS_LATER) {
        judged->out->asks_response = true;
        if (rule->allow && walk->later == SIZE_MAX) {
            walk->later = at;
        }
        return false;
    }
    if (rule->allow) {
        settle(judged, ACCESS_ALLOW, at);
    } else {
        walk_deny(judged, walk, at);
    }
    return true;
}

void access_judge(const struct access *access, const struct access_facts *facts,
                  struct access_verdict *out)
{
    struct access_case judged = {.access = access, .facts = facts, .out = out};
    struct walk walk = {.later = SIZE_MAX, .held = SIZE_MAX, .by = ACCESS_BY_RULE};

    *out = (struct access_verdict){.answer = ACCESS_DENY,
                                   .by = ACCESS_BY_END,
                                   .name = "end",
                                   .reason = "no rule of this proxy allows it",
                                   .rule = UINT_MAX,
                                   .bound = UINT64_MAX};
    access->room->url_len = 0;
    if (facts->address != NULL) {
        judged.class = (uint32_t)access_address_class(facts->address);
        judged.class |=
            access_is_self(access->conf, facts->address, facts->port) ? (uint32_t)CONF_ACL_SELF : 0;
    }
    for (size_t i = 0; i < access->acl->count; i++) {
        if (walk_rule(&judged, &walk, i)) {
            return;
        }
    }
    walk_deny(&judged, &walk, access->acl->count);
}

/* ---- facts ---- */

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
