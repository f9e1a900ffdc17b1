/* command_control - what changes something in the running larder. */
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/client.h"
#include "cli/command.h"

/* One call whose answer is only good or bad. json: print it. Returns the exit status; *out, when
 * not NULL, gets the answer. */
static int control(struct cli_args *args, const char *path, const char *body, cJSON **out)
{
    struct buf raw = {0};
    struct client *client = client_open(args);

    if (client == NULL) {
        return 1;
    }
    cJSON *json = client_get(client, "POST", path, body, &raw);
    client_close(&client);
    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
    }
    buf_free(&raw);
    int status = json == NULL ? 1 : 0;
    if (out != NULL) {
        *out = json;
    } else {
        cJSON_Delete(json);
    }
    return status;
}

int command_reload(struct cli_args *args)
{
    cJSON *json = NULL;
    int status = control(args, "/api/v1/config/reload", NULL, &json);

    if (json != NULL && args->value[FLAG_JSON] == NULL) {
        const char *report = client_text(json, "report");
        printf("reloaded\n");
        if (report[0] != '\0') {
            printf("only a restart changes these:\n");
            cli_print_safe(stdout, report);
        }
    }
    cJSON_Delete(json);
    return status;
}

int command_stop(struct cli_args *args)
{
    int status = control(args, "/api/v1/stop", NULL, NULL);

    if (status == 0) {
        printf("stopping; responses in flight are finished first\n");
    }
    return status;
}

int command_log(struct cli_args *args)
{
    if (args->rest_count != 1 || strcmp(args->rest[0], "reopen") != 0) {
        cli_error("log what? `larder log reopen`");
        return 2;
    }
    return control(args, "/api/v1/log/reopen", NULL, NULL);
}

int command_dashboard(struct cli_args *args)
{
    cJSON *json = NULL;
    int status = control(args, "/api/v1/login-code", NULL, &json);

    if (json != NULL && args->value[FLAG_JSON] == NULL) {
        const char *url = client_text(json, "url");
        if (url[0] == '\0') {
            cli_error("there is no dashboard; the admin server listens on the socket only; set "
                      "`admin { listen 127.0.0.1:8090; }`");
            status = 1;
        } else {
            cli_print_safe(stdout, url);
            printf("\n");
        }
    }
    cJSON_Delete(json);
    return status;
}

static char *purge_body(const struct cli_args *args)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *select = cJSON_AddObjectToObject(body, "select");
    cJSON *urls = cJSON_AddArrayToObject(select, "urls");

    for (unsigned i = 0; i < args->url_count; i++) {
        cJSON_AddItemToArray(urls, cJSON_CreateString(args->urls[i]));
    }
    if (args->value[FLAG_SITE] != NULL) {
        cJSON *sites = cJSON_AddArrayToObject(select, "sites");
        cJSON_AddItemToArray(sites, cJSON_CreateString(args->value[FLAG_SITE]));
    }
    cJSON_AddStringToObject(body, "mode", args->value[FLAG_SOFT] != NULL ? "soft" : "hard");
    cJSON_AddBoolToObject(body, "dry_run", args->value[FLAG_DRY_RUN] != NULL);
    if (args->value[FLAG_REASON] != NULL) {
        cJSON_AddStringToObject(body, "reason", args->value[FLAG_REASON]);
    }
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return text;
}

static void print_purge(const cJSON *json)
{
    const char *mode = client_text(json, "mode");
    bool dry_run = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "dry_run"));
    double matched = client_number(json, "matched");
    double in_flight = client_number(json, "in_flight");
    struct cli_figure bytes;
    const cJSON *at;

    printf("%s %.0f object%s, %s",
           dry_run          ? "would match"
           : mode[0] == 's' ? "made stale"
                            : "removed",
           matched, matched == 1 ? "" : "s", cli_bytes(&bytes, client_number(json, "bytes")));
    if (in_flight > 0) {
        printf(", and %.0f in flight", in_flight);
    }
    if (!dry_run) {
        printf("; in force since %s", client_text(json, "effective_at"));
    }
    printf("\n");
    cJSON_ArrayForEach(at, cJSON_GetObjectItemCaseSensitive(json, "results"))
    {
        printf("  %6.0f  ", client_number(at, "matched"));
        cli_print_safe(stdout, client_text(at, "url"));
        printf("\n");
    }
    cJSON_ArrayForEach(at, cJSON_GetObjectItemCaseSensitive(json, "hints"))
    {
        printf("hint: ");
        cli_print_safe(stdout, cJSON_IsString(at) ? at->valuestring : "");
        printf("\n");
    }
}

int command_purge(struct cli_args *args)
{
    bool soft = args->value[FLAG_SOFT] != NULL;
    cJSON *json = NULL;

    if (args->rest_count > 0) {
        cli_error("a URL to purge stands behind --url; write: larder purge %s --url %s",
                  args->value[FLAG_SOFT] != NULL   ? "--soft"
                  : args->value[FLAG_HARD] != NULL ? "--hard"
                                                   : "--soft|--hard",
                  args->rest[0]);
        return 2;
    }
    if (args->url_count == 0) {
        cli_error("nothing to purge; give --url URL, as often as needed");
        return 2;
    }
    if (soft == (args->value[FLAG_HARD] != NULL)) {
        cli_error("say how to purge, one of the two; --soft marks stale, --hard removes");
        return 2;
    }
    char *body = purge_body(args);
    if (body == NULL) {
        cli_error("out of memory");
        return 1;
    }
    int status = control(args, "/api/v1/purges", body, &json);
    if (json != NULL && args->value[FLAG_JSON] == NULL) {
        print_purge(json);
    }
    cJSON_free(body);
    cJSON_Delete(json);
    return status;
}
