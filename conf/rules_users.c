/*
 * rules_users - the users of a forward proxy, ready to be found by name, and the groups each is in.
 * Names are looked up by strangers' requests, so the index is keyed by chance.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "conf/check.h"

#define MEMBERS_MAX ((size_t)1000000)

struct membership {
    uint32_t user;
    const char *group;
};

struct members {
    struct membership *list;
    size_t count;
    size_t missing;            /* members that are no users */
    struct span first_missing; /* of them */
    const char *its_group;
};

static const struct conf_setting *setting_of(const struct conf_checker *checker,
                                             const char *directive, uint32_t owner,
                                             uint32_t ordinal)
{
    return conf_setting_find(&checker->settings, owner,
                             schema_find(SCHEMA_FORWARD, span_str(directive)), ordinal);
}

/* Where a name is, or may be put: the first free place on the way. */
static size_t slot_of(const struct conf_auth *auth, struct span name)
{
    size_t at = (size_t)hash64(auth->seed, name) & auth->index_mask;

    while (auth->index[at] != 0 && !span_eq(auth->users[auth->index[at] - 1].name, name)) {
        at = (at + 1) & auth->index_mask;
    }
    return at;
}

const struct conf_user *conf_auth_find(const struct conf_auth *auth, struct span name)
{
    if (auth->index == NULL) {
        return NULL;
    }
    uint32_t found = auth->index[slot_of(auth, name)];
    return found == 0 ? NULL : &auth->users[found - 1];
}

bool conf_forward_has_group(const struct conf_forward *forward, struct span name)
{
    for (size_t i = 0; i < forward->group_file.count; i++) {
        if (span_eq(span_str(forward->group_file.list[i].name), name)) {
            return true;
        }
    }
    for (size_t i = 0; i < forward->group_count; i++) {
        if (span_eq(span_str(forward->groups[i].name), name)) {
            return true;
        }
    }
    return false;
}

static void users_index(struct conf_checker *checker, struct conf_auth *auth,
                        const struct conf_setting *at)
{
    size_t slots = 4;
    struct conf_shown name;
    struct conf_shown file;

    while (slots < auth->user_count * 2) {
        slots *= 2;
    }
    uint32_t *index = arena_alloc(checker->base.arena, slots * sizeof(*index));
    if (index == NULL) {
        return; /* reported as too large */
    }
    memset(index, 0, slots * sizeof(*index));
    random_bytes(&auth->seed, sizeof(auth->seed));
    auth->index = index;
    auth->index_mask = slots - 1;
    for (size_t i = 0; i < auth->user_count; i++) {
        uint32_t *slot = &index[slot_of(auth, auth->users[i].name)];
        if (*slot == 0) {
            *slot = (uint32_t)i + 1;
            continue;
        }
        conf_report_add(checker->base.report, at->node->words[2].place, NULL,
                        "line %u of \"%s\": \"%s\" stands in line %u already; remove one",
                        auth->users[i].line, conf_show(&file, span_str(auth->path)),
                        conf_show(&name, auth->users[i].name), auth->users[*slot - 1].line);
    }
}

static void members_add(struct members *members, const struct conf_auth *auth,
                        const struct conf_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < groups[i].count; j++) {
            const struct conf_user *user = conf_auth_find(auth, groups[i].users[j]);
            if (user != NULL) {
                members->list[members->count++] = (struct membership){
                    .user = (uint32_t)(user - auth->users), .group = groups[i].name};
                continue;
            }
            if (members->missing++ == 0) {
                members->first_missing = groups[i].users[j];
                members->its_group = groups[i].name;
            }
        }
    }
}

static void members_warn(struct conf_checker *checker, const struct members *members,
                         const struct conf_setting *at)
{
    static const struct conf_advice warning = {.is_warning = true};
    struct conf_shown name;
    struct conf_shown group;

    if (members->missing > 0 && at != NULL) {
        conf_report_add(checker->base.report, at->node->words[1].place, &warning,
                        "%zu in these groups have no password in \"auth\", the first is \"%s\" in "
                        "\"%s\"",
                        members->missing, conf_show(&name, members->first_missing),
                        conf_show(&group, span_str(members->its_group)));
    }
}

static int membership_compare(const void *left, const void *right)
{
    const struct membership *a = left;
    const struct membership *b = right;

    return a->user != b->user ? (a->user < b->user ? -1 : 1) : strcmp(a->group, b->group);
}

/* Sorts them, and gives each user his part of one list of names. */
static void members_settle(struct conf_checker *checker, struct conf_auth *auth,
                           struct members *members)
{
    struct conf_user *users = span_unconst(auth->users);
    const char **names = arena_alloc(checker->base.arena, (members->count + 1) * sizeof(*names));

    if (names == NULL) {
        return; /* reported as too large */
    }
    if (members->count > 0) {
        qsort(members->list, members->count, sizeof(*members->list), membership_compare);
    }
    for (size_t i = 0; i < members->count; i++) {
        struct conf_user *user = &users[members->list[i].user];
        if (i > 0 && membership_compare(&members->list[i], &members->list[i - 1]) == 0) {
            continue; /* said twice */
        }
        if (user->group_count++ == 0) {
            user->groups = names;
        }
        *names++ = members->list[i].group;
    }
}

static size_t members_most(const struct conf_group *groups, size_t count)
{
    size_t most = 0;

    for (size_t i = 0; i < count; i++) {
        most += groups[i].count;
    }
    return most;
}

static void groups_compile(struct conf_checker *checker, struct conf_forward *forward,
                           uint32_t owner)
{
    const struct conf_group_file *file = &forward->group_file;
    struct members members = {0};
    size_t most =
        members_most(file->list, file->count) + members_most(forward->groups, forward->group_count);

    if (most > MEMBERS_MAX) {
        checker->base.arena->overflow = true; /* reported with it */
        return;
    }
    members.list = mem_try((most + 1) * sizeof(*members.list));
    if (members.list == NULL) {
        checker->base.arena->overflow = true;
        return;
    }
    members_add(&members, &forward->auth, file->list, file->count);
    members_warn(checker, &members, setting_of(checker, "groups", owner, 0));
    for (size_t i = 0; i < forward->group_count; i++) {
        members.missing = 0;
        members_add(&members, &forward->auth, &forward->groups[i], 1);
        members_warn(checker, &members, setting_of(checker, "group", owner, (uint32_t)i));
    }
    members_settle(checker, &forward->auth, &members);
    mem_free(members.list);
}

/* Without auth nobody has a name, so what speaks of names has no effect. */
static void without_auth(struct conf_checker *checker, uint32_t owner)
{
    static const struct conf_advice warning = {.is_warning = true};
    static const char *const words[] = {"auth_except", "groups", "group"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const struct conf_setting *at = setting_of(checker, words[i], owner, 0);
        if (at != NULL && at->good) {
            conf_report_add(checker->base.report, at->node->words[0].place, &warning,
                            "\"%s\" has no effect: without \"auth\" nobody is asked who he is",
                            words[i]);
        }
    }
}

static void without_users(struct conf_checker *checker, const struct conf_auth *auth,
                          const struct conf_setting *at)
{
    static const struct conf_advice warning = {.is_warning = true};
    struct conf_shown shown;

    if (auth->user_count == 0) {
        conf_report_add(checker->base.report, at->node->words[2].place, &warning,
                        "there is no user in \"%s\": whoever is asked is refused",
                        conf_show(&shown, span_str(auth->path)));
    }
}

/* ---- access rules that name somebody ---- */

static const char *name_problem(const struct conf_forward *forward, enum conf_acl_kind kind,
                                struct span name)
{
    if (kind == CONF_ACL_GROUP) {
        return forward->auth.path == NULL ? "is asked for, but without \"auth\" nobody "
                                            "is in a group"
               : conf_forward_has_group(forward, name) ? NULL
                                                       : "is no group: nobody is in it";
    }
    if (forward->auth.path == NULL) {
        return "is asked for, but without \"auth\" nobody is asked who he is";
    }
    return span_eq(name, SPAN("*")) || conf_auth_find(&forward->auth, name) != NULL
               ? NULL
               : "is no user: there is no line for him in the file of \"auth\"";
}

/* A name that is nobody's is a slip of the pen most often, and its rule never holds. */
static void rule_names(struct conf_checker *checker, const struct conf_forward *forward,
                       const struct conf_acl_rule *rule, const struct conf_setting *at)
{
    static const struct conf_advice warning = {.is_warning = true};

    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct conf_acl_condition *condition = &rule->conditions[i];
        bool names = condition->kind == CONF_ACL_USER || condition->kind == CONF_ACL_GROUP;
        for (size_t j = 0; names && j < condition->count; j++) {
            struct span name = span_str(condition->texts[j]);
            const char *problem = name_problem(forward, condition->kind, name);
            struct conf_place place = at->node->words[0].place;
            struct conf_shown shown;
            for (size_t k = 1; k < at->node->word_count; k++) {
                place = span_eq(at->node->words[k].text, name) ? at->node->words[k].place : place;
            }
            if (problem != NULL) {
                conf_report_add(checker->base.report, place, &warning, "\"%s\" %s",
                                conf_show(&shown, name), problem);
            }
        }
    }
}

static void acl_names(struct conf_checker *checker, const struct conf_forward *forward,
                      uint32_t owner)
{
    const struct schema_row *row = schema_find(SCHEMA_ACL, SPAN("allow"));

    for (size_t i = 0; i < forward->acl.count; i++) {
        const struct conf_setting *at =
            conf_setting_find(&checker->settings, owner, row, (uint32_t)i);
        if (at != NULL && at->good) {
            rule_names(checker, forward, &forward->acl.list[i], at);
        }
    }
}

void conf_check_users(struct conf_checker *checker)
{
    struct conf *conf = checker->conf;

    for (size_t i = 0; i < conf->site_count; i++) {
        struct conf_site *site = span_unconst(&conf->sites[i]);
        uint32_t owner = (uint32_t)i + 1;
        const struct conf_setting *auth = setting_of(checker, "auth", owner, 0);
        if (site->forward.name == NULL || (auth != NULL && !auth->good)) {
            continue;
        }
        if (auth == NULL) {
            without_auth(checker, owner);
        } else if ((checker->base.flags & (CONF_SEALED | CONF_PORTABLE)) != 0) {
            continue; /* nobody has looked who there is */
        } else {
            without_users(checker, &site->forward.auth, auth);
            users_index(checker, &site->forward.auth, auth);
            groups_compile(checker, &site->forward, owner);
        }
        acl_names(checker, &site->forward, owner);
    }
}
