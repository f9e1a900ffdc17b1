/* command_explain - the walk of one request in words. */
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/client.h"
#include "cli/command.h"

static char *question(const struct cli_args *args)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "url", args->rest[0]);
    if (args->value[FLAG_METHOD] != NULL) {
        cJSON_AddStringToObject(body, "method", args->value[FLAG_METHOD]);
    }
    if (args->value[FLAG_CLIENT] != NULL) {
        cJSON_AddStringToObject(body, "client", args->value[FLAG_CLIENT]);
    }
    if (args->value[FLAG_FORWARD] != NULL) {
        cJSON_AddStringToObject(body, "forward", args->value[FLAG_FORWARD]);
    }
    cJSON *fields = cJSON_AddArrayToObject(body, "headers");
    for (unsigned i = 0; i < args->field_count; i++) {
        cJSON_AddItemToArray(fields, cJSON_CreateString(args->fields[i]));
    }
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return text;
}

static const cJSON *member(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static bool is_true(const cJSON *json, const char *name)
{
    return cJSON_IsTrue(member(json, name));
}

static void print_row(const char *label, const char *text, const char *note)
{
    printf("%-24s ", label);
    cli_print_safe(stdout, text);
    if (note[0] != '\0') {
        printf("  # ");
        cli_print_safe(stdout, note);
    }
    printf("\n");
}

static void print_rules(const cJSON *json)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, member(json, "rules"))
    {
        const char *holds = client_text(at, "holds");
        const char *what = strcmp(holds, "yes") == 0      ? "rule holds"
                           : strcmp(holds, "stored") == 0 ? "rule holds (stored)"
                           : is_true(at, "asks_response") ? "rule (asks the response)"
                                                          : "rule does not hold";
        print_row(what, client_text(at, "conditions"), client_text(at, "at"));
    }
}

static void print_guards(const cJSON *json)
{
    const cJSON *access = member(json, "access");
    const char *verdict = client_text(access, "verdict");
    const cJSON *at;

    if (strcmp(verdict, "free") != 0) {
        print_row("access", strcmp(verdict, "depends") == 0 ? "depends on --client" : verdict,
                  client_text(access, "at"));
    }
    cJSON_ArrayForEach(at, member(json, "limits"))
    {
        print_row("limit", client_text(at, "limit"), client_text(at, "at"));
    }
}

static void print_settings(const cJSON *json)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, member(json, "settings"))
    {
        const char *from = client_text(at, "from");
        bool is_default = strcmp(from, "default") == 0;
        char note[600];
        (void)snprintf(note, sizeof(note), "%s%s%s", from, is_default ? "" : " ",
                       client_text(at, "at"));
        print_row(client_text(at, "name"), client_text(at, "value"), note);
    }
}

static void print_stored(const cJSON *json)
{
    const cJSON *stored = member(json, "stored");
    double variants = client_number(json, "variant_count");

    if (!cJSON_IsObject(stored) && !is_true(json, "cache_asked")) {
        print_row("stored", "not looked at", "");
        return;
    }
    if (!cJSON_IsObject(stored)) {
        printf("%-24s nothing usable; %.0f variant%s of this key\n", "stored", variants,
               variants == 1 ? "" : "s");
        return;
    }
    printf("%-24s status %.0f, age %.0f s, ttl %.0f s, lifetime %.0f s from ", "stored",
           client_number(stored, "status"), client_number(stored, "age_s"),
           client_number(stored, "ttl_s"), client_number(stored, "lifetime_s"));
    cli_print_safe(stdout, client_text(stored, "lifetime_from"));
    printf("%s%s%s; %.0f variant%s of this key\n",
           is_true(stored, "must_revalidate") ? ", must-revalidate" : "",
           is_true(stored, "no_cache") ? ", no-cache" : "",
           is_true(stored, "has_validator") ? ", has a validator" : "", variants,
           variants == 1 ? "" : "s");
    printf("%-24s stale_while_revalidate %.0f s, stale_if_error %.0f s\n", "",
           client_number(stored, "stale_while_revalidate_s"),
           client_number(stored, "stale_if_error_s"));
    print_row("storable now", client_text(stored, "storable_now"), "");
}

/* "app, server a", or "app, one of its servers"; then how they are. */
static void print_pool(const cJSON *origin)
{
    const char *server = client_text(origin, "server");
    const char *before = "";
    const cJSON *at;

    printf("%-24s ", "origin");
    cli_print_line(stdout, client_text(origin, "pool"));
    if (!cJSON_IsArray(member(origin, "servers"))) { /* a forward proxy by itself */
        printf(": the server of the URL\n");
        return;
    }
    printf("%s", server[0] == '\0' ? ", one of its servers: " : ", server ");
    if (server[0] != '\0') {
        cli_print_line(stdout, server);
        printf(" of: ");
    }
    cJSON_ArrayForEach(at, member(origin, "servers"))
    {
        const char *reason = client_text(at, "reason");
        bool is_up = strcmp(client_text(at, "state"), "up") == 0;
        printf("%s", before);
        cli_print_line(stdout, client_text(at, "name"));
        printf(" %s%s%s", is_true(at, "backup") ? "(backup) " : "", client_text(at, "state"),
               is_up || reason[0] == '\0' ? "" : " (");
        cli_print_line(stdout, is_up ? "" : reason);
        printf("%s", is_up || reason[0] == '\0' ? "" : ")");
        before = ", ";
    }
    printf("\n");
}

static void print_origin(const cJSON *json)
{
    const cJSON *origin = member(json, "origin");
    const cJSON *at;

    if (!cJSON_IsObject(origin)) {
        print_row("origin", "not asked", "");
        return;
    }
    print_pool(origin);
    printf("    ");
    cli_print_safe(stdout, client_text(json, "method"));
    printf(" ");
    cli_print_safe(stdout, client_text(origin, "target"));
    printf("\n    Host: ");
    cli_print_safe(stdout, client_text(origin, "host"));
    printf("\n");
    cJSON_ArrayForEach(at, member(origin, "headers"))
    {
        printf("    ");
        cli_print_safe(stdout, cJSON_IsString(at) ? at->valuestring : "");
        printf("\n");
    }
}

/* What a setting answers by itself. */
static void print_own(const cJSON *json)
{
    char status[16];

    if (!cJSON_IsNumber(member(json, "status"))) {
        return;
    }
    (void)snprintf(status, sizeof(status), "%.0f", client_number(json, "status"));
    print_row("status", status, "");
    if (client_text(json, "location")[0] != '\0') {
        print_row("location", client_text(json, "location"), "");
    }
}

static void print_answer(const cJSON *json)
{
    print_row("answer", client_text(json, "answer"), client_text(json, "reason"));
    if (is_true(json, "in_maintenance")) {
        print_row("maintenance", "on: 503 for all but those it allows", "");
    }
    print_own(json);
    print_row("site", client_text(json, "site"), "");
    print_row("key", client_text(json, "key"), "");
    print_rules(json);
    print_guards(json);
    print_settings(json);
    print_row("cache asked", is_true(json, "cache_asked") ? "yes" : "no", "");
    print_stored(json);
    print_origin(json);
}

int command_explain(struct cli_args *args)
{
    struct buf raw = {0};

    if (args->rest_count != 1) {
        cli_error("explain what? `larder explain http://HOST/PATH`");
        return 2;
    }
    char *body = question(args);
    if (body == NULL) {
        cli_error("out of memory");
        return 1;
    }
    struct client *client = client_open(args);
    cJSON *json = client == NULL ? NULL : client_get(client, "POST", "/api/v1/explain", body, &raw);
    cJSON_free(body);
    if (client != NULL) {
        client_close(&client);
    }
    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
    } else if (json != NULL) {
        print_answer(json);
    }
    buf_free(&raw);
    int status = json == NULL ? 1 : 0;
    cJSON_Delete(json);
    return status;
}
