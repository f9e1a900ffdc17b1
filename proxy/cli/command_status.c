/* command_status - one screen, and an exit status for monitoring. */
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"

#define STATUS_RECENT_S 600   /* a problem younger than this is a warning */
#define STATUS_LATELY_S 86400 /* an older one is not shown */

enum verdict {
    VERDICT_OK,
    VERDICT_WARN,
    VERDICT_CRIT,
};

/* What is asked beside the state; each NULL: not answered. */
struct answers {
    cJSON *stats, *access;
};

static const char *const verdict_names[] = {"ok", "warning", "critical"};

static int64_t age_of(const cJSON *problem)
{
    return clock_wall_ms() / 1000 - cli_unix_time(client_text(problem, "last"));
}

/* It lasts, and ends by itself; the others are past events. */
static bool is_now(const cJSON *problem)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(problem, "now"));
}

/* The line of a state that is told by itself as long as it lasts. */
static bool is_told(const cJSON *problem)
{
    const char *event = client_text(problem, "event");

    return strcmp(event, "reload_failed") == 0 || strncmp(event, "origin_", 7) == 0;
}

/* It is a reason for the verdict. */
static bool counts(const cJSON *problem)
{
    return is_now(problem) || (age_of(problem) < STATUS_RECENT_S && !is_told(problem));
}

/* Past, and of no weight any more. */
static bool is_lately(const cJSON *problem)
{
    return !counts(problem) && age_of(problem) < STATUS_LATELY_S;
}

static bool has_disk_failed(const cJSON *status)
{
    const cJSON *store = cJSON_GetObjectItemCaseSensitive(status, "store");

    return strcmp(client_text(store, "disk"), "failed") == 0;
}

static bool is_serving(const cJSON *status)
{
    const char *state = client_text(status, "state");

    return strcmp(state, "serving") == 0 || strcmp(state, "recovering") == 0;
}

static enum verdict judge(const cJSON *status)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(status, "config");
    const cJSON *problem;

    if (!is_serving(status) || has_disk_failed(status)) {
        return VERDICT_CRIT;
    }
    bool is_good = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(config, "last_reload_ok"));
    cJSON_ArrayForEach(problem, cJSON_GetObjectItemCaseSensitive(status, "problems"))
    {
        if (is_now(problem) && strcmp(client_text(problem, "level"), "error") == 0) {
            return VERDICT_CRIT;
        }
        is_good = is_good && !counts(problem);
    }
    return is_good ? VERDICT_OK : VERDICT_WARN;
}

/* A ratio, or "-" when nothing was measured. */
static void print_ratio(const cJSON *object, const char *name)
{
    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(object, name))) {
        printf("%.1f %%", client_number(object, name) * 100);
    } else {
        printf("-");
    }
}

static void print_ms(const cJSON *object, const char *name)
{
    struct cli_figure figure;

    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(object, name))) {
        printf("%s", cli_ms(&figure, client_number(object, name)));
    } else {
        printf("-");
    }
}

static void print_traffic(const cJSON *totals)
{
    const cJSON *minute = cJSON_GetObjectItemCaseSensitive(totals, "last_minute");
    struct cli_figure figure;

    printf("traffic   %s/s requests in the last minute, peak today %s/s\n",
           cli_count(&figure, client_number(minute, "requests_per_s")),
           cli_count(&(struct cli_figure){0}, client_number(totals, "peak_requests_per_s")));
    printf("cache     hit ratio ");
    print_ratio(minute, "hit_ratio");
    printf(", of bytes ");
    print_ratio(minute, "byte_hit_ratio");
    printf(", saved %s/s\n", cli_bytes(&figure, client_number(minute, "saved_bytes_per_s")));
    printf("times     cache p95 ");
    print_ms(minute, "cache_p95_ms");
    printf(", origin first byte p50 ");
    print_ms(minute, "origin_first_byte_p50_ms");
    printf(" p95 ");
    print_ms(minute, "origin_first_byte_p95_ms");
    printf("\nerrors    %.0f responses 5xx in the last minute: %.0f from origins, %.0f our own\n",
           client_number(minute, "errors_5xx"), client_number(minute, "errors_origin"),
           client_number(minute, "errors_self"));
}

static const char *plural(double count)
{
    return count == 1 ? "" : "s";
}

static void print_store(const cJSON *store)
{
    struct cli_figure used;
    struct cli_figure size;
    struct cli_figure count;
    const char *disk = client_text(store, "disk");

    printf("memory    %s of %s, %s object%s\n",
           cli_bytes(&used, client_number(store, "memory_bytes")),
           cli_bytes(&size, client_number(store, "memory_capacity_bytes")),
           cli_count(&count, client_number(store, "memory_objects")),
           plural(client_number(store, "memory_objects")));
    if (strcmp(disk, "off") == 0) {
        printf("disk      off\n");
        return;
    }
    printf("disk      %s of %s, %s object%s, %s",
           cli_bytes(&used, client_number(store, "disk_bytes")),
           cli_bytes(&size, client_number(store, "disk_capacity_bytes")),
           cli_count(&count, client_number(store, "disk_objects")),
           plural(client_number(store, "disk_objects")), disk);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(store, "recovering"))) {
        printf(", index %.0f %% read", client_number(store, "recovered_share") * 100);
    }
    printf("\n");
}

/* Of each the figures since the start; those who asked, of the last hour. */
static void print_forwards(const cJSON *access)
{
    double seen_s = client_number(access, "seen_s");
    const cJSON *at;

    cJSON_ArrayForEach(at, cJSON_GetObjectItemCaseSensitive(access, "forwards"))
    {
        struct cli_figure figures[5];
        double requests = client_number(at, "requests");
        double tunnels = client_number(at, "tunnels");
        double users = client_number(at, "users_seen");
        double clients = client_number(at, "clients_seen");
        printf("forward   ");
        cli_print_line(stdout, client_text(at, "name"));
        printf(": %s request%s, hit ratio ", cli_count(&figures[0], requests), plural(requests));
        print_ratio(at, "hit_ratio");
        printf(", %s denied; %s tunnel%s open; %s user%s and %s client%s in the last %.0f min\n",
               cli_count(&figures[1], client_number(at, "denied")), cli_count(&figures[2], tunnels),
               plural(tunnels), cli_count(&figures[3], users), plural(users),
               cli_count(&figures[4], clients), plural(clients), seen_s / 60);
    }
}

static void print_state(const cJSON *problem)
{
    int64_t since = cli_unix_time(client_text(problem, "since"));
    int64_t age = clock_wall_ms() / 1000 - since;
    struct cli_figure figure;

    cli_print_line(stdout, client_text(problem, "text"));
    if (since > 0) {
        printf(" (for %s)", cli_duration(&figure, (double)age));
    }
    printf("\n");
}

static void print_event(const cJSON *problem)
{
    double count = client_number(problem, "count");
    struct cli_figure age;

    cli_print_line(stdout, client_text(problem, "event"));
    printf(" ");
    cli_print_line(stdout, client_text(problem, "text"));
    printf(" (%s ago", cli_duration(&age, (double)age_of(problem)));
    if (count > 1) {
        printf(", %.0f times", count);
    }
    printf(")\n");
}

/* Whatever makes the verdict worse than ok. */
static void print_reasons(const cJSON *status)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(status, "config");
    const cJSON *problem;

    if (!is_serving(status)) {
        printf("error     it is %s and takes no new work\n", client_text(status, "state"));
    }
    if (has_disk_failed(status)) {
        printf("error     the disk store has failed; answers come from memory and the origins\n");
    }
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(config, "last_reload_ok"))) {
        printf("reload    failed, the old configuration is in force: ");
        cli_print_line(stdout, client_text(config, "last_reload_error"));
        printf("\n");
    }
    cJSON_ArrayForEach(problem, cJSON_GetObjectItemCaseSensitive(status, "problems"))
    {
        if (!counts(problem)) {
            continue;
        }
        printf("%-9s ", client_text(problem, "level"));
        if (is_now(problem)) {
            print_state(problem);
        } else {
            print_event(problem);
        }
    }
}

static void print_lately(const cJSON *status)
{
    const char *heading = "Lately:\n";
    const cJSON *problem;

    cJSON_ArrayForEach(problem, cJSON_GetObjectItemCaseSensitive(status, "problems"))
    {
        /* That a reload failed was said above, and is gone after a good one. */
        if (!is_lately(problem) || strcmp(client_text(problem, "event"), "reload_failed") == 0) {
            continue;
        }
        printf("%s  ", heading);
        heading = "";
        print_event(problem);
    }
}

static void print_screen(const cJSON *status, const struct answers *answers, enum verdict verdict)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    bool colour = cli_has_colour(stdout);
    struct cli_figure uptime;

    printf("larder    %s%s%s, %s for ", colour ? colours[verdict] : "", verdict_names[verdict],
           colour ? "\033[0m" : "", client_text(status, "state"));
    printf("%s on ", cli_duration(&uptime, client_number(status, "uptime_s")));
    cli_print_line(stdout, client_text(status, "host"));
    double workers = client_number(status, "workers");
    double connections = client_number(status, "connections");
    printf(", version %s, pid %.0f, %.0f worker%s, %.0f connection%s\n",
           client_text(status, "version"), client_number(status, "pid"), workers, plural(workers),
           connections, plural(connections));
    print_reasons(status);
    print_traffic(cJSON_GetObjectItemCaseSensitive(answers->stats, "totals"));
    print_forwards(answers->access);
    print_store(cJSON_GetObjectItemCaseSensitive(status, "store"));
    print_lately(status);
}

static void print_member(const char *key, const cJSON *json, const char *name)
{
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(json, name));

    printf(",\"%s\":%s", key, text == NULL ? "null" : text);
    cJSON_free(text);
}

static void print_json(const struct buf *status, const struct answers *answers,
                       enum verdict verdict)
{
    printf("{\"verdict\":\"%s\",\"status\":%s", verdict_names[verdict], status->data);
    print_member("totals", answers->stats, "totals");
    print_member("forwards", answers->access, "forwards");
    printf("}\n");
}

/* False: a message was printed. */
static bool answers_get(struct client *client, struct answers *out)
{
    out->stats = client_get(client, "GET", "/api/v1/stats?range=5m", NULL, NULL);
    out->access =
        out->stats == NULL ? NULL : client_get(client, "GET", "/api/v1/access", NULL, NULL);
    return out->access != NULL;
}

int command_status(struct cli_args *args)
{
    struct buf raw = {0};
    enum verdict verdict = VERDICT_CRIT;
    struct client *client = client_open(args);

    if (client == NULL) {
        return VERDICT_CRIT;
    }
    cJSON *status = client_get(client, "GET", "/api/v1/status", NULL, &raw);
    struct answers answers = {0};
    if (status != NULL && answers_get(client, &answers)) {
        verdict = judge(status);
        if (args->value[FLAG_JSON] != NULL) {
            print_json(&raw, &answers, verdict);
        } else {
            print_screen(status, &answers, verdict);
        }
    }
    buf_free(&raw);
    cJSON_Delete(status);
    cJSON_Delete(answers.stats);
    cJSON_Delete(answers.access);
    client_close(&client);
    return (int)verdict;
}
