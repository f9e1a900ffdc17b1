/* access_test - POST /api/v1/access/test: which rule decides on a request that nobody has made. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/clock.h"
#include "base/mem.h"
#include "explain/forward_test.h"

/* ---- the question ---- */

/* "2026-11-26T09:30", with or without seconds; in UTC behind a "Z", else in the zone of this machine,
 * as the times of the rules are. */
static bool read_time(const char *text, int64_t *wall_s)
{
    struct tm parts = {.tm_isdst = -1};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M", &parts);

    if (rest != NULL && *rest == ':') {
        rest = strptime(rest + 1, "%S", &parts);
    }
    if (rest == NULL || (strcmp(rest, "") != 0 && strcmp(rest, "Z") != 0)) {
        return false;
    }
    *wall_s = *rest == 'Z' ? (int64_t)timegm(&parts) : (int64_t)mktime(&parts);
    return true;
}

/* Returns NULL, or what is wrong. Everything is borrowed from body. */
static const char *read_question(struct forward_question *question, const cJSON *body)
{
    const struct {
        const char *name;
        const char **value;
    } members[] = {
        {"forward", &question->forward}, {"client", &question->client}, {"url", &question->url},
        {"method", &question->method},   {"user", &question->user},
    };
    const cJSON *at;

    question->wall_s = clock_wall_ms() / 1000;
    cJSON_ArrayForEach(at, body)
    {
        const char *text = cJSON_GetStringValue(at);
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(members) && text != NULL; i++) {
            if (strcmp(at->string, members[i].name) == 0) {
                *members[i].value = text;
                is_known = true;
            }
        }
        if (text != NULL && strcmp(at->string, "at") == 0) {
            if (!read_time(text, &question->wall_s)) {
                return "at is a time like 2026-11-26T09:30, or 2026-11-26T09:30Z for UTC";
            }
            is_known = true;
        }
        if (!is_known) {
            return "members are client, url, method, user, at, forward, all strings";
        }
    }
    return NULL;
}

/* ---- the answer ---- */

static void put_verdict(struct json *json, const struct forward_answer *answer,
                        const struct access_verdict *verdict, const struct conf *conf)
{
    json_put_text(json, "rule", verdict->name);
    json_put_text(json, "reason", verdict->reason);
    access_put_rule(json, conf, answer->site->conf, verdict->rule);
}

static void write_addresses(const struct forward_answer *answer, const struct conf *conf,
                            struct json *json)
{
    json_key(json, "addresses");
    json_array(json);
    for (unsigned i = 0; i < answer->addresses.count; i++) {
        const struct sockaddr_storage *address = &answer->addresses.list[i];
        char text[INET6_ADDRSTRLEN] = "";
        const void *bytes =
            address->ss_family == AF_INET6
                ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
        (void)inet_ntop(address->ss_family, bytes, text, sizeof(text));
        json_object(json);
        json_put_text(json, "address", text);
        json_put_text(json, "answer",
                      answer->verdicts[i].answer == ACCESS_ALLOW ? "allow" : "deny");
        put_verdict(json, answer, &answer->verdicts[i], conf);
        json_object_end(json);
    }
    json_array_end(json);
}

static const char *lookup_text(const struct forward_answer *answer)
{
    if (!answer->has_lookup) {
        return answer->outcome == FORWARD_DENIED_BY ? "not looked up: the request is denied before"
                                                    : "not looked up: the parent proxy does that";
    }
    switch (answer->lookup) {
    case DIRECTORY_FOUND:
        return "";
    case DIRECTORY_NONE:
        return "there is no such name";
    case DIRECTORY_SILENT:
    case DIRECTORY_WAIT:
        return "DNS does not answer";
    case DIRECTORY_BUSY:
        return "too many names are being looked up";
    case DIRECTORY_FAILED:
        break;
    }
    return "DNS does not know";
}

static void put_span(struct json *json, const char *name, struct span text)
{
    json_key(json, name);
    json_string(json, text);
}

/* By whom it would leave. */
static void write_way(const struct forward_answer *answer, struct json *json)
{
    const struct conf_upstream *upstream = answer->upstream == NULL ? NULL : answer->upstream->conf;
    char text[300] = "direct";

    if (answer->outcome == FORWARD_DENIED_BY) {
        json_put_text(json, "way", NULL);
        return;
    }
    if (upstream != NULL && !upstream->is_direct && answer->facts.scheme == ACCESS_HTTPS) {
        (void)snprintf(text, sizeof(text), "none: https:// URLs do not go by parents (501)");
    } else if (upstream != NULL && !upstream->is_direct) {
        (void)snprintf(text, sizeof(text), "parents %.200s%s", upstream->pool,
                       upstream->else_direct ? ", or direct when none can be asked" : "");
    }
    json_put_text(json, "way", text);
}

static void write_answer(struct admin_request *request, const struct forward_answer *answer,
                         const struct forward_question *question, const struct conf *conf)
{
    static const char *const outcomes[] = {
        [FORWARD_ALLOWED] = "allow", [FORWARD_DENIED_BY] = "deny", [FORWARD_UNKNOWN] = "unknown"};
    static const char *const schemes[] = {
        [ACCESS_HTTP] = "http", [ACCESS_HTTPS] = "https", [ACCESS_CONNECT] = "connect"};
    const struct access_facts *facts = &answer->facts;
    struct json json;

    reply_json(request, 200, &json);
    json_object(&json);
    json_put_text(&json, "forward", answer->site->conf->forward.name);
    json_put_text(&json, "answer", outcomes[answer->outcome]);
    put_verdict(&json, answer, &answer->verdict, conf);
    json_put_text(&json, "client", question->client);
    json_put_text(&json, "user", question->user == NULL ? "" : question->user);
    put_span(&json, "method", facts->method);
    json_put_text(&json, "scheme", schemes[facts->scheme]);
    put_span(&json, "host", facts->host);
    json_put_u64(&json, "port", facts->port);
    put_span(&json, "path", facts->path);
    json_put_time(&json, "time", facts->wall_s * 1000);
    json_put_bool(&json, "asks_response", answer->verdict.asks_response);
    json_put_text(&json, "lookup", lookup_text(answer));
    write_addresses(answer, conf, &json);
    write_way(answer, &json);
    json_object_end(&json);
}

void access_test_post(struct admin_request *request)
{
    struct service *service = request->admin->service;
    struct forward_question question = {0};
    cJSON *body = body_parse(request);

    if (body == NULL) {
        return;
    }
    struct forward_answer *answer = mem_new(sizeof(*answer));
    struct site_table *sites = service_sites(service);
    const char *fault = read_question(&question, body);
    if (fault == NULL) {
        fault = forward_test(answer, sites, origins_directory(service_origins(service)), &question);
    }
    if (fault == NULL) {
        write_answer(request, answer, &question, site_table_conf(sites));
    } else {
        problem_reply(request, PROBLEM_INVALID, "%s", fault);
    }
    forward_test_end(answer);
    service_sites_release(service, &sites);
    mem_free(answer);
    cJSON_Delete(body);
}
