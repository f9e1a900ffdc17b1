/* command_access - the forward proxies: their figures and lists, and which rule decides. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/client.h"
#include "cli/command.h"

#define STATUS_ALLOWED 0
#define STATUS_DENIED 1
#define STATUS_ERROR 2
#define LIMIT_MAX 200u
#define LIMIT_DEFAULT 20u
#define PATH_BYTES 2048u

static const cJSON *member(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static bool is_text(const cJSON *json, const char *name)
{
    return client_text(json, name)[0] != '\0';
}

/* Text in a column; longer one goes on over the next. */
static void cell(const char *text, int width)
{
    int len = (int)strlen(text);

    cli_print_line(stdout, text[0] == '\0' ? "-" : text);
    len = len == 0 ? 1 : len;
    printf("%*s", len < width ? width - len + 2 : 2, "");
}

/* Calls, and prints JSON where that is wanted. NULL: a message was printed, or it is done. */
static cJSON *ask(struct cli_args *args, const char *method, const char *path, const char *body,
                  int *status)
{
    struct client *client = client_open(args);
    struct buf raw = {0};

    *status = STATUS_ERROR;
    if (client == NULL) {
        return NULL;
    }
    cJSON *json = client_get(client, method, path, body, &raw);
    client_close(&client);
    if (json != NULL) {
        *status = STATUS_ALLOWED;
        if (args->value[FLAG_JSON] != NULL) {
            printf("%s\n", raw.data);
        }
    }
    buf_free(&raw);
    return json;
}

/* ---- access test ---- */

static char *question(const struct cli_args *args)
{
    static const struct {
        enum cli_flag flag;
        const char *name;
    } members[] = {
        {FLAG_USER, "user"}, {FLAG_METHOD, "method"}, {FLAG_AT, "at"}, {FLAG_FORWARD, "forward"}};
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "client", args->rest[1]);
    cJSON_AddStringToObject(body, "url", args->rest[2]);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (args->value[members[i].flag] != NULL) {
            cJSON_AddStringToObject(body, members[i].name, args->value[members[i].flag]);
        }
    }
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return text;
}

static void row(const char *label, const char *text, const char *note)
{
    printf("%-12s ", label);
    cli_print_line(stdout, text);
    if (note[0] != '\0') {
        printf("  # ");
        cli_print_line(stdout, note);
    }
    printf("\n");
}

static void print_addresses(const cJSON *json)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, member(json, "addresses"))
    {
        char text[400];
        const char *reason = client_text(at, "reason");
        (void)snprintf(text, sizeof(text), "%s: %s by \"%s\"%s%s", client_text(at, "address"),
                       strcmp(client_text(at, "answer"), "allow") == 0 ? "allowed" : "denied",
                       client_text(at, "rule"), reason[0] == '\0' ? "" : ": ", reason);
        row("address", text, client_text(at, "at"));
    }
    if (is_text(json, "lookup")) {
        row("address", client_text(json, "lookup"), "");
    }
}

static void print_test(const cJSON *json)
{
    bool is_allowed = strcmp(client_text(json, "answer"), "allow") == 0;
    const char *reason = client_text(json, "reason");
    char text[600];

    (void)snprintf(text, sizeof(text), "%s by \"%s\"%s%s", is_allowed ? "allowed" : "denied",
                   client_text(json, "rule"), reason[0] == '\0' ? "" : ": ", reason);
    cli_print_line(stdout, text);
    printf("\n");
    if (is_text(json, "text")) {
        row("rule", client_text(json, "text"), client_text(json, "at"));
    }
    row("forward", client_text(json, "forward"), "");
    (void)snprintf(text, sizeof(text), "%s %s port %.0f%s%s", client_text(json, "method"),
                   client_text(json, "host"), client_number(json, "port"),
                   is_text(json, "path") ? ", path " : "", client_text(json, "path"));
    row("request", text, "");
    print_addresses(json);
    if (cJSON_IsTrue(member(json, "asks_response"))) {
        row("later", "judged once more when the response's head is there", "");
    }
    if (is_text(json, "way")) {
        row("way", client_text(json, "way"), client_text(json, "way_at"));
    }
}

static int run_test(struct cli_args *args)
{
    int status;

    if (args->rest_count != 3) {
        cli_error("test what? `larder access test CLIENT URL`");
        return STATUS_ERROR;
    }
    char *body = question(args);
    if (body == NULL) {
        cli_error("out of memory");
        return STATUS_ERROR;
    }
    cJSON *json = ask(args, "POST", "/api/v1/access/test", body, &status);
    cJSON_free(body);
    if (json == NULL) {
        return status;
    }
    if (args->value[FLAG_JSON] == NULL) {
        print_test(json);
    }
    status = strcmp(client_text(json, "answer"), "allow") == 0 ? STATUS_ALLOWED : STATUS_DENIED;
    cJSON_Delete(json);
    return status;
}

/* ---- lists ---- */

/* What stands in for a rule, in words. */
static const char *built_in(const char *name)
{
    static const char *const words[][2] = {
        {"private", "not a public address"},
        {"port", "not a usual port"},
        {"self", "larder itself"},
        {"end", "no rule holds"},
        {"login", "a wrong name or password"},
        {"limit", "a limit of the block"},
        {"quota", "a quota is used up"},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i][0], name) == 0) {
            return words[i][1];
        }
    }
    return "";
}

static void print_summary(const cJSON *json)
{
    const cJSON *at;

    if (cJSON_GetArraySize(member(json, "forwards")) == 0) {
        printf("no forward proxy is configured\n");
    }
    cJSON_ArrayForEach(at, member(json, "forwards"))
    {
        struct cli_figure down;
        struct cli_figure up;
        const cJSON *rule;
        cli_print_line(stdout, client_text(at, "name"));
        printf(": %.0f requests, %.0f denied, %.0f asked for a password, %.0f tunnels open of "
               "%.0f, %s to clients and %s to servers through tunnels\n",
               client_number(at, "requests"), client_number(at, "denied"),
               client_number(at, "challenges"), client_number(at, "tunnels"),
               client_number(at, "tunnels_total"),
               cli_bytes(&down, client_number(at, "tunnel_bytes_to_client")),
               cli_bytes(&up, client_number(at, "tunnel_bytes_to_origin")));
        cJSON_ArrayForEach(rule, member(at, "rules"))
        {
            printf("  %10.0f allowed %10.0f denied  ", client_number(rule, "allowed"),
                   client_number(rule, "denied"));
            cell(client_text(rule, "name"), 12);
            cli_print_line(stdout, is_text(rule, "text") ? client_text(rule, "text")
                                                         : built_in(client_text(rule, "name")));
            if (is_text(rule, "at")) {
                printf("  # ");
                cli_print_line(stdout, client_text(rule, "at"));
            }
            printf("\n");
        }
    }
}

static void print_denials(const cJSON *json)
{
    const cJSON *at;

    if (cJSON_GetArraySize(member(json, "items")) > 0) {
        printf("%-26s%-18s%-17s%-10s%-12s%-9s%s\n", "time", "reference", "client", "user", "rule",
               "method", "what  # why");
    }
    cJSON_ArrayForEach(at, member(json, "items"))
    {
        char place[320];
        const char *method = client_text(at, "method");
        bool is_tunnel = strcmp(client_text(at, "scheme"), "connect") == 0;
        (void)snprintf(place, sizeof(place), "%s%s%s:%.0f",
                       is_tunnel ? "" : client_text(at, "scheme"), is_tunnel ? "" : "://",
                       client_text(at, "host"), client_number(at, "port"));
        cell(client_text(at, "time"), 24);
        cell(client_text(at, "request_id"), 16);
        cell(client_text(at, "client"), 15);
        cell(client_text(at, "user"), 8);
        cell(client_text(at, "rule"), 10);
        cell(method, 7);
        cli_print_line(stdout, place);
        cli_print_line(stdout, client_text(at, "path"));
        if (is_text(at, "reason")) {
            printf("  # ");
            cli_print_line(stdout, client_text(at, "reason"));
        }
        printf("\n");
    }
    if (cJSON_GetArraySize(member(json, "items")) == 0) {
        printf("nothing was denied\n");
    }
}

static void print_tunnels(const cJSON *json)
{
    const cJSON *at;

    printf("%.0f tunnel%s open\n", client_number(json, "open"),
           client_number(json, "open") == 1 ? " is" : "s are");
    if (cJSON_GetArraySize(member(json, "items")) > 0) {
        printf("%-14s%-17s%-10s%-12s%-12s%s\n", "open for", "client", "user", "to client",
               "to server", "server");
    }
    cJSON_ArrayForEach(at, member(json, "items"))
    {
        struct cli_figure age;
        struct cli_figure down;
        struct cli_figure up;
        char target[300];
        (void)snprintf(target, sizeof(target), "%s:%.0f", client_text(at, "host"),
                       client_number(at, "port"));
        cell(cli_duration(&age, client_number(at, "age_s")), 12);
        cell(client_text(at, "client"), 15);
        cell(client_text(at, "user"), 8);
        cell(cli_bytes(&down, client_number(at, "bytes_to_client")), 10);
        cell(cli_bytes(&up, client_number(at, "bytes_to_origin")), 10);
        cli_print_line(stdout, target);
        printf("\n");
    }
}

static void print_items(const cJSON *json, const char *what)
{
    const cJSON *at;
    struct cli_figure span;

    printf("%10s %10s %10s  %-20s  %s, last %s\n", "requests", "denied", "bytes", "last", what,
           cli_duration(&span, client_number(json, "window_s")));
    cJSON_ArrayForEach(at, member(json, "items"))
    {
        struct cli_figure bytes;
        char last[24];
        (void)snprintf(last, sizeof(last), "%.19sZ", client_text(at, "last"));
        printf("%10.0f %10.0f %10s  %-20s  ", client_number(at, "requests"),
               client_number(at, "denied"), cli_bytes(&bytes, client_number(at, "bytes")), last);
        cli_print_line(stdout, client_text(at, what));
        printf("\n");
    }
}

static void print_destinations(const cJSON *json)
{
    print_items(json, "host");
}

static void print_users(const cJSON *json)
{
    print_items(json, "user");
}

static void print_clients(const cJSON *json)
{
    print_items(json, "client");
}

/* As `larder quota reset` wants it: "office/month_user/user:anna". */
static void print_account(const cJSON *account)
{
    const char *key = client_text(account, "key");

    cli_print_line(stdout, client_text(account, "forward"));
    printf("/");
    cli_print_line(stdout, client_text(account, "name"));
    printf("/%s%s", key, strcmp(key, "all") == 0 ? "" : ":");
    cli_print_line(stdout, strcmp(key, "all") == 0 ? "" : client_text(account, "who"));
    printf("\n");
}

static void print_quotas(const cJSON *json)
{
    const cJSON *items = member(json, "items");
    double more = client_number(json, "total") - (double)cJSON_GetArraySize(items);
    const cJSON *at;

    if (cJSON_GetArraySize(items) > 0) {
        printf("%8s %10s of %-10s  %-22s%s\n", "share", "used", "quota", "begins anew", "account");
    }
    cJSON_ArrayForEach(at, items)
    {
        struct cli_figure used;
        struct cli_figure limit;
        char share[16] = "-";
        double most = client_number(at, "limit_bytes"); /* 0: the file has this quota no more */
        if (most > 0) {
            (void)snprintf(share, sizeof(share), "%.1f %%",
                           100 * client_number(at, "used_bytes") / most);
        }
        printf("%8s %10s of %-10s  %.19sZ  ", share,
               cli_bytes(&used, client_number(at, "used_bytes")),
               most > 0 ? cli_bytes(&limit, most) : "-", client_text(at, "ends_at"));
        print_account(at);
    }
    if (cJSON_GetArraySize(items) == 0) {
        printf("nothing has moved under a quota\n");
    } else if (more > 0) {
        printf("and %.0f more that have used less\n", more);
    }
}

static const struct list {
    const char *word, *path;
    void (*print)(const cJSON *json);
    unsigned flags;            /* that mean something for it */
    unsigned limit, limit_max; /* 0: LIMIT_DEFAULT, LIMIT_MAX */
} lists[] = {
    {"list", "/api/v1/access", print_summary, 0, 0, 0},
    {"denials", "/api/v1/access/denials", print_denials,
     FLAG(FORWARD) | FLAG(RULE) | FLAG(HOST) | FLAG(CLIENT) | FLAG(USER) | FLAG(LIMIT), 0, 0},
    {"tunnels", "/api/v1/access/tunnels", print_tunnels, FLAG(FORWARD) | FLAG(BY) | FLAG(LIMIT), 0,
     0},
    {"destinations", "/api/v1/access/destinations", print_destinations,
     FLAG(FORWARD) | FLAG(BY) | FLAG(LIMIT), 0, 0},
    {"users", "/api/v1/access/users", print_users, FLAG(FORWARD) | FLAG(BY) | FLAG(LIMIT), 0, 0},
    {"clients", "/api/v1/access/clients", print_clients, FLAG(FORWARD) | FLAG(BY) | FLAG(LIMIT), 0,
     0},
    {"quotas", "/api/v1/access/quotas", print_quotas, FLAG(FORWARD) | FLAG(LIMIT), 200, 1000},
};
#define QUOTAS (&lists[ARRAY_LEN(lists) - 1])

static const struct {
    enum cli_flag flag;
    const char *name;
} queries[] = {
    {FLAG_FORWARD, "forward"}, {FLAG_RULE, "rule"}, {FLAG_HOST, "host"},
    {FLAG_CLIENT, "client"},   {FLAG_USER, "user"}, {FLAG_BY, "by"},
};

/* value as it stands in a query (RFC 3986 2.3). */
static void put_escaped(struct buf *out, const char *value)
{
    for (; *value != '\0'; value++) {
        char c = ascii_lower(*value);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL) {
            buf_putc(out, *value);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)*value);
        }
    }
}

static bool path_of(const struct cli_args *args, const struct list *list, struct buf *out)
{
    unsigned limit = list->limit == 0 ? LIMIT_DEFAULT : list->limit;
    unsigned most = list->limit_max == 0 ? LIMIT_MAX : list->limit_max;

    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        enum cli_flag flag = queries[i].flag;
        if (args->value[flag] != NULL && (list->flags & (1u << flag)) == 0) {
            cli_error("access %s takes no --%s", list->word, queries[i].name);
            return false;
        }
    }
    if (!cli_number(args, FLAG_LIMIT, 1, most, &limit)) {
        return false;
    }
    buf_printf(out, "%s?limit=%u", list->path, limit);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        if (args->value[queries[i].flag] != NULL) {
            buf_printf(out, "&%s=", queries[i].name);
            put_escaped(out, args->value[queries[i].flag]);
        }
    }
    return !out->failed;
}

static int run_list(struct cli_args *args, const struct list *list)
{
    int status = STATUS_ERROR;
    struct buf path;

    buf_init(&path, PATH_BYTES);
    if (path_of(args, list, &path)) {
        cJSON *json = ask(args, "GET", path.data, NULL, &status);
        if (json != NULL && args->value[FLAG_JSON] == NULL) {
            list->print(json);
        }
        cJSON_Delete(json);
    }
    buf_free(&path);
    return status;
}

int command_access_quotas(struct cli_args *args)
{
    return run_list(args, QUOTAS);
}

int command_access(struct cli_args *args)
{
    const char *word = args->rest_count == 0 ? "list" : args->rest[0];
    const char *words[ARRAY_LEN(lists) + 1] = {"test"};

    if (strcmp(word, "test") == 0) {
        return run_test(args);
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        words[i + 1] = lists[i].word;
        if (strcmp(word, lists[i].word) != 0) {
            continue;
        }
        if (args->rest_count > 1) {
            cli_error("access %s does not want \"%s\"; `larder help access`", word, args->rest[1]);
            return STATUS_ERROR;
        }
        return run_list(args, &lists[i]);
    }
    const char *near = cli_nearest(word, words, ARRAY_LEN(words));
    if (near != NULL) {
        cli_error("access does not know \"%s\"; did you mean \"%s\"?", word, near);
    } else {
        cli_error("access does not know \"%s\"; `larder help access`", word);
    }
    return STATUS_ERROR;
}
