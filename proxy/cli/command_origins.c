/* command_origins - the pools of origin servers: how they do, and what an operator does with one. */
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"

#define CHECK_WAIT_MS 10000u /* how long the result of a check is waited for */
#define CHECK_LOOK_MS 100u

/* ---- the list ---- */

enum column {
    COLUMN_NAME,
    COLUMN_STATE,
    COLUMN_FOR,
    COLUMN_REQUESTS,
    COLUMN_ERRORS,
    COLUMN_FIRST_BYTE,
    COLUMN_ACTIVE,
    COLUMN_CHECK,
    COLUMN_COUNT,
};

static const char *const titles[COLUMN_COUNT] = {
    [COLUMN_NAME] = "server",       [COLUMN_STATE] = "state",
    [COLUMN_FOR] = "for",           [COLUMN_REQUESTS] = "requests/s",
    [COLUMN_ERRORS] = "errors/min", [COLUMN_FIRST_BYTE] = "first byte p50, p95",
    [COLUMN_ACTIVE] = "active",     [COLUMN_CHECK] = "last check",
};

struct row {
    char cell[COLUMN_COUNT][96];
};

static void ago(char *out, size_t size, const char *time)
{
    int64_t then = cli_unix_time(time);
    int64_t age = clock_wall_ms() / 1000 - then;
    struct cli_figure figure;

    (void)snprintf(out, size, "%s", then == 0 ? "-" : cli_duration(&figure, (double)age));
}

static void fill_check(const cJSON *server, char *out, size_t size)
{
    const cJSON *check = cJSON_GetObjectItemCaseSensitive(server, "last_check");
    char when[48];

    if (!cJSON_IsObject(check)) {
        bool on = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(server, "checks"));
        (void)snprintf(out, size, "%s", on ? "not yet" : "none");
        return;
    }
    ago(when, sizeof(when), client_text(check, "time"));
    (void)snprintf(out, size, "%s %s ago", client_text(check, "result"), when);
}

static void fill_times(const cJSON *server, char *out, size_t size)
{
    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(server, "first_byte_p50_ms"))) {
        struct cli_figure p50;
        struct cli_figure p95;
        (void)snprintf(out, size, "%s, %s",
                       cli_ms(&p50, client_number(server, "first_byte_p50_ms")),
                       cli_ms(&p95, client_number(server, "first_byte_p95_ms")));
    } else {
        (void)snprintf(out, size, "-");
    }
}

/* "a", "a (weight 3)", "a (backup, weight 1)": the weight where the pool has several. */
static void fill_name(const cJSON *server, bool is_weighted, char *out, size_t size)
{
    bool backup = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(server, "backup"));
    char weight[32] = "";

    if (is_weighted) {
        (void)snprintf(weight, sizeof(weight), "weight %.0f", client_number(server, "weight"));
    }
    (void)snprintf(out, size, "%s%s%s%s%s%s", client_text(server, "name"),
                   backup || is_weighted ? " (" : "", backup ? "backup" : "",
                   backup && is_weighted ? ", " : "", weight, backup || is_weighted ? ")" : "");
}

static bool is_weighted(const cJSON *servers)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, servers)
    {
        if (client_number(at, "weight") != 1) {
            return true;
        }
    }
    return false;
}

static void fill_row(const cJSON *server, bool has_weights, struct row *row)
{
    size_t size = sizeof(row->cell[0]);
    double max = client_number(server, "max");

    fill_name(server, has_weights, row->cell[COLUMN_NAME], size);
    (void)snprintf(row->cell[COLUMN_STATE], size, "%s", client_text(server, "state"));
    ago(row->cell[COLUMN_FOR], size, client_text(server, "since"));
    (void)snprintf(row->cell[COLUMN_REQUESTS], size, "%.1f",
                   client_number(server, "requests_per_s"));
    (void)snprintf(row->cell[COLUMN_ERRORS], size, "%.0f",
                   client_number(server, "errors_last_minute"));
    fill_times(server, row->cell[COLUMN_FIRST_BYTE], size);
    if (max > 0) {
        (void)snprintf(row->cell[COLUMN_ACTIVE], size, "%.0f of %.0f",
                       client_number(server, "active"), max);
    } else {
        (void)snprintf(row->cell[COLUMN_ACTIVE], size, "%.0f", client_number(server, "active"));
    }
    fill_check(server, row->cell[COLUMN_CHECK], size);
}

static const char *colour_of(const char *state)
{
    if (strcmp(state, "up") == 0) {
        return "\033[32m";
    }
    return strcmp(state, "down") == 0 || strcmp(state, "ejected") == 0 ? "\033[31m" : "\033[33m";
}

static void print_cells(const struct row *row, const size_t *widths, const char *colour)
{
    printf(" ");
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        bool is_coloured = i == COLUMN_STATE && colour != NULL;
        printf(" %s", is_coloured ? colour : "");
        cli_print_line(stdout, row->cell[i]);
        printf("%s", is_coloured ? "\033[0m" : "");
        for (size_t k = strlen(row->cell[i]); i + 1 < COLUMN_COUNT && k <= widths[i]; k++) {
            printf(" ");
        }
    }
    printf("\n");
}

/* What is more than a word: where it is, and why it is not up. */
static void print_reason(const cJSON *server)
{
    const char *reason = client_text(server, "reason");
    const char *by = client_text(server, "by");

    if (strcmp(client_text(server, "state"), "up") == 0 || (reason[0] == '\0' && by[0] == '\0')) {
        return;
    }
    printf("      ");
    cli_print_line(stdout, reason[0] == '\0' ? "no reason given" : reason);
    if (by[0] != '\0') {
        printf(", by ");
        cli_print_line(stdout, by);
    }
    printf("\n");
}

static void print_servers(const cJSON *servers)
{
    bool has_colour = cli_has_colour(stdout);
    bool has_weights = is_weighted(servers);
    size_t widths[COLUMN_COUNT];
    const cJSON *at;
    struct row row;
    struct row head;

    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        widths[i] = strlen(titles[i]);
        (void)snprintf(head.cell[i], sizeof(head.cell[i]), "%s", titles[i]);
    }
    cJSON_ArrayForEach(at, servers)
    {
        fill_row(at, has_weights, &row);
        for (unsigned i = 0; i < COLUMN_COUNT; i++) {
            size_t len = strlen(row.cell[i]);
            widths[i] = len > widths[i] ? len : widths[i];
        }
    }
    print_cells(&head, widths, NULL);
    cJSON_ArrayForEach(at, servers)
    {
        fill_row(at, has_weights, &row);
        print_cells(&row, widths, has_colour ? colour_of(row.cell[COLUMN_STATE]) : NULL);
        print_reason(at);
    }
}

static void print_queue(const cJSON *queue)
{
    double waiting = client_number(queue, "waiting");
    double full = client_number(queue, "refused_full");
    double late = client_number(queue, "refused_late");

    if (waiting > 0 || full > 0 || late > 0) {
        printf("  queue: %.0f of %.0f waiting; refused since the start: %.0f because it was full, "
               "%.0f after waiting %.3g s\n",
               waiting, client_number(queue, "size"), full, late,
               client_number(queue, "timeout_s"));
    }
}

static void print_retries(const cJSON *pool)
{
    double sent = client_number(pool, "retries");
    double refused = client_number(pool, "retries_refused");

    if (sent > 0 || refused > 0) {
        printf("  retries since the start: %.0f sent, %.0f not, because of the budget\n", sent,
               refused);
    }
}

static void print_pool(const cJSON *pool)
{
    const cJSON *servers = cJSON_GetObjectItemCaseSensitive(pool, "servers");
    const char *warning = client_text(pool, "warning");
    const char *comma = "";
    const cJSON *site;

    printf("pool ");
    cli_print_line(stdout, client_text(pool, "name"));
    printf(": %.0f of %d may be asked, %s; used by ", client_number(pool, "up"),
           cJSON_GetArraySize(servers), client_text(pool, "balance"));
    cJSON_ArrayForEach(site, cJSON_GetObjectItemCaseSensitive(pool, "sites"))
    {
        printf("%s", comma);
        cli_print_line(stdout, cJSON_IsString(site) ? site->valuestring : "");
        comma = ", ";
    }
    printf("%s\n", comma[0] == '\0' ? "nobody" : "");
    if (warning[0] != '\0') {
        printf("  warning: ");
        cli_print_line(stdout, warning);
        printf("\n");
    }
    print_queue(cJSON_GetObjectItemCaseSensitive(pool, "queue"));
    print_retries(pool);
    print_servers(servers);
}

static int list(struct cli_args *args, struct client *client)
{
    struct buf raw = {0};
    cJSON *json = client_get(client, "GET", "/api/v1/origins", NULL, &raw);
    const cJSON *pool;
    bool is_first = true;

    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
    } else if (json != NULL) {
        cJSON_ArrayForEach(pool, cJSON_GetObjectItemCaseSensitive(json, "pools"))
        {
            printf("%s", is_first ? "" : "\n");
            is_first = false;
            print_pool(pool);
        }
    }
    buf_free(&raw);
    int status = json == NULL ? 1 : 0;
    cJSON_Delete(json);
    return status;
}

/* ---- one server ---- */

struct place {
    char pool[256], server[128];
};

/* "/api/v1/origins/POOL/SERVER/check" */
#define PLACE_PATH_BYTES (sizeof(struct place) + 64)

static bool place_read(const char *word, struct place *out)
{
    const char *slash = strchr(word, '/');

    if (slash == NULL || slash == word || slash[1] == '\0' || strpbrk(word, "?#%\\ ") != NULL ||
        (size_t)(slash - word) >= sizeof(out->pool) || strlen(slash + 1) >= sizeof(out->server) ||
        strchr(slash + 1, '/') != NULL) {
        cli_error("\"%s\" names no server; write POOL/SERVER, as `larder origins` lists them",
                  word);
        return false;
    }
    (void)snprintf(out->pool, sizeof(out->pool), "%.*s", (int)(slash - word), word);
    (void)snprintf(out->server, sizeof(out->server), "%s", slash + 1);
    return true;
}

static const cJSON *find_named(const cJSON *list, const char *name)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, list)
    {
        if (strcmp(client_text(at, "name"), name) == 0) {
            return at;
        }
    }
    return NULL;
}

/* Of an answer to GET; NULL: it is not there. */
static const cJSON *find_server(const cJSON *json, const struct place *place)
{
    const cJSON *pool = find_named(cJSON_GetObjectItemCaseSensitive(json, "pools"), place->pool);

    return find_named(cJSON_GetObjectItemCaseSensitive(pool, "servers"), place->server);
}

/* Asks on a terminal; elsewhere only --yes will do. */
static bool is_meant(const struct cli_args *args, const struct place *place)
{
    char line[16] = "";

    if (args->value[FLAG_YES] != NULL) {
        return true;
    }
    if (isatty(STDIN_FILENO) != 1) {
        cli_error("no server of pool %s would be left: visitors would get stale copies, then 503; "
                  "nothing was changed; add --yes if that is meant",
                  place->pool);
        return false;
    }
    fprintf(stderr,
            "No server of pool %s would be left: visitors would get stale copies, then 503. Go on? "
            "[y/N] ",
            place->pool);
    if (fgets(line, sizeof(line), stdin) == NULL || (line[0] != 'y' && line[0] != 'Y')) {
        fputs("nothing was changed\n", stderr);
        return false;
    }
    return true;
}

static char *state_body(const struct cli_args *args, const char *state)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "state", state);
    if (args->value[FLAG_REASON] != NULL) {
        cJSON_AddStringToObject(body, "reason", args->value[FLAG_REASON]);
    }
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return text;
}

/* Would the pool be empty without it? An unknown server is for the API to refuse. */
static bool may_go(struct cli_args *args, struct client *client, const struct place *place)
{
    cJSON *json = client_get(client, "GET", "/api/v1/origins", NULL, NULL);
    bool good = json != NULL;
    const cJSON *server = find_server(json, place);

    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(server, "is_last"))) {
        good = is_meant(args, place);
    }
    cJSON_Delete(json);
    return good;
}

static void print_done(const cJSON *json)
{
    const char *warning = client_text(json, "warning");
    double active = client_number(json, "active");
    double up = client_number(json, "up");

    printf("%s/%s is in state %s", client_text(json, "pool"), client_text(json, "server"),
           client_text(json, "state"));
    if (active > 0 && strcmp(client_text(json, "state"), "up") != 0) {
        printf(", %.0f request%s still under way", active, active == 1 ? "" : "s");
    }
    if (warning[0] != '\0') {
        printf("; ");
        cli_print_line(stdout, warning);
        printf("\n");
    } else {
        printf("; %.0f server%s of pool %s may be asked\n", up, up == 1 ? "" : "s",
               client_text(json, "pool"));
    }
}

static int set_state(struct cli_args *args, struct client *client, const struct place *place,
                     const char *state)
{
    char path[PLACE_PATH_BYTES];
    struct buf raw = {0};

    if (strcmp(state, "up") != 0 && !may_go(args, client, place)) {
        return 1;
    }
    int len = snprintf(path, sizeof(path), "/api/v1/origins/%s/%s", place->pool, place->server);
    CHECK(len > 0 && (size_t)len < sizeof(path));
    char *body = state_body(args, state);
    if (body == NULL) {
        cli_error("out of memory");
        return 1;
    }
    cJSON *json = client_get(client, "POST", path, body, &raw);
    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
    } else if (json != NULL) {
        print_done(json);
    }
    buf_free(&raw);
    cJSON_free(body);
    int status = json == NULL ? 1 : 0;
    cJSON_Delete(json);
    return status;
}

/* ---- check now ---- */

/* The server as it is now, alone; NULL: a message was printed, or it is not there. */
static cJSON *look(struct client *client, const struct place *place)
{
    cJSON *json = client_get(client, "GET", "/api/v1/origins", NULL, NULL);
    cJSON *server = cJSON_Duplicate(find_server(json, place), true);

    cJSON_Delete(json);
    return server;
}

static const char *check_time(const cJSON *server)
{
    return client_text(cJSON_GetObjectItemCaseSensitive(server, "last_check"), "time");
}

static int print_check(const struct cli_args *args, const struct place *place, const cJSON *server)
{
    const cJSON *check = cJSON_GetObjectItemCaseSensitive(server, "last_check");
    bool passed = strcmp(client_text(check, "result"), "passed") == 0;

    if (args->value[FLAG_JSON] != NULL) {
        char *text = cJSON_PrintUnformatted(server);
        printf("%s\n", text == NULL ? "{}" : text);
        cJSON_free(text);
    } else {
        struct cli_figure took;
        printf("%s/%s: the check %s in %s: ", place->pool, place->server,
               client_text(check, "result"), cli_ms(&took, client_number(check, "ms")));
        cli_print_line(stdout, client_text(check, "detail"));
        printf("; it is in state %s\n", client_text(server, "state"));
    }
    return passed ? 0 : 1;
}

static int check(struct cli_args *args, struct client *client, const struct place *place)
{
    char path[PLACE_PATH_BYTES];
    cJSON *before = look(client, place);

    int len =
        snprintf(path, sizeof(path), "/api/v1/origins/%s/%s/check", place->pool, place->server);
    CHECK(len > 0 && (size_t)len < sizeof(path));
    cJSON *begun = client_get(client, "POST", path, NULL, NULL);
    if (begun == NULL) {
        cJSON_Delete(before);
        return 1;
    }
    cJSON_Delete(begun);
    int status = -1;
    for (unsigned ms = 0; ms < CHECK_WAIT_MS && status < 0; ms += CHECK_LOOK_MS) {
        clock_sleep_us(CHECK_LOOK_MS * 1000);
        cJSON *now = look(client, place);
        if (now == NULL) {
            status = 1;
        } else if (check_time(now)[0] != '\0' && strcmp(check_time(now), check_time(before)) != 0) {
            status = print_check(args, place, now);
        }
        cJSON_Delete(now);
    }
    cJSON_Delete(before);
    if (status < 0) {
        cli_error("the check of %s/%s is still running; look later with `larder origins`",
                  place->pool, place->server);
        status = 1;
    }
    return status;
}

/* ---- which of them ---- */

static int run_on(struct cli_args *args, const char *action, const struct place *place)
{
    struct client *client = client_open(args);
    int status = 1;

    if (client == NULL) {
        return 1;
    }
    if (place == NULL) {
        status = list(args, client);
    } else if (strcmp(action, "check") == 0) {
        status = check(args, client, place);
    } else {
        status = set_state(args, client, place, action);
    }
    client_close(&client);
    return status;
}

int command_origins(struct cli_args *args)
{
    static const char *const actions[] = {"list", "drain", "maintenance", "up", "check"};
    const char *action = args->rest_count > 0 ? args->rest[0] : "list";
    struct place place;
    bool is_known = false;

    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        is_known = is_known || strcmp(actions[i], action) == 0;
    }
    if (!is_known) {
        const char *near = cli_nearest(action, actions, ARRAY_LEN(actions));
        cli_error("origins does not know \"%s\"; %s%s%s", action,
                  near == NULL ? "" : "did you mean \"",
                  near == NULL ? "`larder help origins`" : near, near == NULL ? "" : "\"?");
        return 2;
    }
    bool is_list = strcmp(action, "list") == 0;
    if (args->rest_count != 2 && !is_list) {
        cli_error("%s which server? larder origins %s POOL/SERVER", action, action);
        return 2;
    }
    if (args->rest_count == 2 && is_list) {
        cli_error("list takes no name; `larder origins` shows all");
        return 2;
    }
    if (!is_list && !place_read(args->rest[1], &place)) {
        return 2;
    }
    return run_on(args, action, is_list ? NULL : &place);
}
