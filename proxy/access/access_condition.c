/* access_condition - does one condition hold? */
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "access/access_private.h"
#include "base/mem.h"
#include "base/nameset.h"
#include "http/fields.h"
#include "http/glob.h"

static const char *const scheme_names[] = {"http", "https", "connect"};

static enum access_truth truth(bool holds)
{
    return holds ? ACCESS_YES : ACCESS_NO;
}

static bool networks_hold(const struct conf_acl_condition *condition,
                          const struct sockaddr *address)
{
    const struct conf_networks networks = {.list = condition->networks,
                                           .count = condition->network_count};
    return address != NULL && conf_networks_match(&networks, address);
}

static bool texts_have(const struct conf_acl_condition *condition, struct span text)
{
    for (size_t i = 0; i < condition->count; i++) {
        if (span_eq(span_str(condition->texts[i]), text)) {
            return true;
        }
    }
    return false;
}

static bool texts_match(const struct conf_acl_condition *condition, struct span text,
                        unsigned flags)
{
    for (size_t i = 0; i < condition->count; i++) {
        if (http_glob_match(span_str(condition->texts[i]), text, flags)) {
            return true;
        }
    }
    return false;
}

static bool user_holds(const struct conf_acl_condition *condition, struct span user)
{
    return user.len > 0 && (texts_have(condition, user) || texts_have(condition, SPAN("*")));
}

static bool group_holds(const struct conf_acl_condition *condition,
                        const struct access_facts *facts)
{
    for (unsigned i = 0; i < facts->group_count; i++) {
        if (texts_have(condition, span_str(facts->groups[i]))) {
            return true;
        }
    }
    return false;
}

static bool host_holds(const struct conf_acl_condition *condition, struct span host)
{
    for (size_t i = 0; i < condition->set_count; i++) {
        if (nameset_has(condition->sets[i], host)) {
            return true;
        }
    }
    return false;
}

static bool port_holds(const struct conf_acl_condition *condition, uint16_t port)
{
    for (size_t i = 0; i < condition->count; i++) {
        if (port >= condition->ranges[i].low && port <= condition->ranges[i].high) {
            return true;
        }
    }
    return false;
}

static struct span without_query(struct span path)
{
    const char *query = path.len == 0 ? NULL : memchr(path.ptr, '?', path.len);
    return query == NULL ? path : span_of(path.ptr, (size_t)(query - path.ptr));
}

/* scheme://host[:port]/path?query in the room. Empty: no memory. */
static struct span url_of(const struct access_room *room_in, const struct access_facts *facts)
{
    struct access_room *room = span_unconst(room_in);
    size_t bytes = facts->host.len + facts->path.len + 32;
    bool is_v6 =
        memchr(facts->host.ptr == NULL ? "" : facts->host.ptr, ':', facts->host.len) != NULL;
    unsigned usual = facts->scheme == ACCESS_HTTP ? 80 : facts->scheme == ACCESS_HTTPS ? 443 : 0;
    char port[16] = "";

    if (room->url_len > 0) {
        return span_of(room->url, room->url_len);
    }
    if (room->url_size < bytes) {
        char *url = mem_try_resize(room->url, bytes);
        if (url == NULL) {
            return span_of(NULL, 0);
        }
        room->url = url;
        room->url_size = bytes;
    }
    if (facts->port != usual) {
        (void)snprintf(port, sizeof(port), ":%u", facts->port);
    }
    int len = snprintf(room->url, room->url_size, "%s://%s%.*s%s%s", scheme_names[facts->scheme],
                       is_v6 ? "[" : "", (int)facts->host.len,
                       facts->host.ptr == NULL ? "" : facts->host.ptr, is_v6 ? "]" : "", port);
    room->url_len = (size_t)len;
    if (facts->scheme != ACCESS_CONNECT && facts->path.len > 0) {
        memcpy(room->url + room->url_len, facts->path.ptr, facts->path.len);
        room->url_len += facts->path.len;
    }
    return span_of(room->url, room->url_len);
}

static enum access_truth regex_holds(struct access_case *judged, const struct conf_acl_rule *rule,
                                     const struct conf_acl_condition *condition)
{
    const struct access_room *room = judged->access->room;
    struct span url = url_of(room, judged->facts);
    bool gave_up = url.len == 0 || room->patterns == NULL;

    for (size_t i = 0; i < condition->count && !gave_up; i++) {
        switch (pattern_ask(condition->patterns[i], room->patterns, url)) {
        case PATTERN_YES:
            return ACCESS_YES;
        case PATTERN_GAVE_UP:
            gave_up = true;
            break;
        case PATTERN_NO:
            break;
        }
    }
    judged->out->gave_up = judged->out->gave_up || gave_up;
    return truth(gave_up && !rule->allow);
}

/* The local time of a minute is asked for once. Summer time needs nothing of its own: a rule is about
 * what a clock on the wall shows. */
static void clock_set(struct access_room *room, int64_t wall_s)
{
    int64_t minute = wall_s >= 0 ? wall_s / 60 : (wall_s - 59) / 60;
    time_t now = (time_t)wall_s;
    struct tm local = {0};

    if (minute != room->minute && localtime_r(&now, &local) != NULL) {
        room->minute = minute;
        room->day = (unsigned)local.tm_wday;
        room->day_minute = (unsigned)(local.tm_hour * 60 + local.tm_min);
    }
}

static bool time_holds(const struct access_case *judged, const struct conf_acl_condition *condition)
{
    struct access_room *room = judged->access->room;
    clock_set(room, judged->facts->wall_s);
    unsigned yesterday = (room->day + 6) % 7;

    for (size_t i = 0; i < condition->count; i++) {
        const struct conf_acl_time *time = &condition->times[i];
        bool is_day = (time->days >> room->day & 1) != 0;
        bool was_day = (time->days >> yesterday & 1) != 0;
        unsigned at = room->day_minute;
        if (time->to > time->from ? is_day && at >= time->from && at < time->to
                                  : (is_day && at >= time->from) || (was_day && at < time->to)) {
            return true;
        }
    }
    return false;
}

static struct span media_type(struct span type)
{
    const char *end = type.len == 0 ? NULL : memchr(type.ptr, ';', type.len);
    return span_trim(end == NULL ? type : span_of(type.ptr, (size_t)(end - type.ptr)));
}

/* There is one type. Of several some programs take the first and others the last: any may be the one
 * to deny, and all must be those to allow. */
static bool type_holds(const struct conf_acl_rule *rule, const struct conf_acl_condition *condition,
                       struct span type)
{
    struct span member;
    bool holds = texts_match(condition, media_type(type), HTTP_GLOB_NOCASE);

    while (http_list_next(&type, &member)) {
        holds = texts_match(condition, media_type(member), HTTP_GLOB_NOCASE);
        if (holds != rule->allow) {
            break;
        }
    }
    return holds;
}

/* What is not known yet is to the good of the client: `deny` does not hold, nor does `allow` for
 * what must be large; `allow` for what must be small does until it has grown. */
static bool size_holds(struct access_case *judged, const struct conf_acl_rule *rule,
                       const struct conf_acl_condition *condition)
{
    const struct access_facts *facts = judged->facts;
    bool is_known = facts->length != UINT64_MAX;
    uint64_t length = is_known ? facts->length : facts->seen;
    bool holds = false;

    for (size_t i = 0; i < condition->count && !holds; i++) {
        const struct conf_acl_size *size = &condition->sizes[i];
        if (size->above) {
            holds = length > size->bytes;
        } else {
            holds = length < size->bytes && (is_known || rule->allow);
        }
        uint64_t last = size->above ? size->bytes : size->bytes - (size->bytes > 0 ? 1 : 0);
        if (!is_known && length <= last && last < judged->out->bound) {
            judged->out->bound = last;
        }
    }
    return holds;
}

/* Of the response, which nobody sees in a tunnel. */
static enum access_truth response_holds(struct access_case *judged,
                                        const struct conf_acl_rule *rule,
                                        const struct conf_acl_condition *condition)
{
    const struct access_facts *facts = judged->facts;

    if (facts->scheme == ACCESS_CONNECT) {
        return ACCESS_NO;
    }
    if (!facts->has_response) {
        return ACCESS_LATER;
    }
    if (condition->kind == CONF_ACL_TYPE) {
        return truth(type_holds(rule, condition, facts->type));
    }
    return truth(size_holds(judged, rule, condition));
}

static enum access_truth to_holds(const struct access_case *judged,
                                  const struct conf_acl_condition *condition)
{
    if (judged->facts->address == NULL) {
        return ACCESS_UNKNOWN;
    }
    return truth((judged->class & condition->bits) != 0 ||
                 networks_hold(condition, judged->facts->address));
}

enum access_truth access_condition_holds(struct access_case *judged,
                                         const struct conf_acl_rule *rule,
                                         const struct conf_acl_condition *condition)
{
    const struct access_facts *facts = judged->facts;

    switch (condition->kind) {
    case CONF_ACL_CLIENT:
        return truth(networks_hold(condition, facts->client));
    case CONF_ACL_USER:
        return truth(user_holds(condition, facts->user));
    case CONF_ACL_GROUP:
        return truth(group_holds(condition, facts));
    case CONF_ACL_HOST:
        return truth(host_holds(condition, facts->host));
    case CONF_ACL_TO:
        return to_holds(judged, condition);
    case CONF_ACL_PORT:
        return truth(port_holds(condition, facts->port));
    case CONF_ACL_SCHEME:
        return truth((condition->bits >> facts->scheme & 1) != 0);
    case CONF_ACL_METHOD:
        return truth(texts_have(condition, facts->method));
    case CONF_ACL_PATH:
        return truth(facts->scheme != ACCESS_CONNECT &&
                     texts_match(condition, without_query(facts->path), HTTP_GLOB_ENCODED));
    case CONF_ACL_REGEX:
        return regex_holds(judged, rule, condition);
    case CONF_ACL_TIME:
        return truth(time_holds(judged, condition));
    case CONF_ACL_TYPE:
    case CONF_ACL_SIZE:
        return response_holds(judged, rule, condition);
    case CONF_ACL_KINDS:
        break;
    }
    return ACCESS_NO;
}
