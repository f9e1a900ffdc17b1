/* command_maintenance - sites that are down on purpose. */
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/client.h"
#include "cli/command.h"

static const cJSON *member(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static void print_site(const cJSON *site)
{
    const cJSON *maintenance = member(site, "maintenance");
    bool on = cJSON_IsTrue(member(maintenance, "on"));

    printf("%-3s  ", on ? "on" : "off");
    cli_print_safe(stdout, client_text(site, "name"));
    if (on) {
        printf("  since ");
        cli_print_safe(stdout, client_text(maintenance, "since"));
        printf(" by ");
        cli_print_safe(stdout, client_text(maintenance, "by"));
        if (client_text(maintenance, "reason")[0] != '\0') {
            printf(": ");
            cli_print_safe(stdout, client_text(maintenance, "reason"));
        }
    }
    printf("\n");
}

/* Does the site have this name? NULL: any. */
static bool has_name(const cJSON *site, const char *name)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, member(site, "names"))
    {
        if (name == NULL || (cJSON_IsString(at) && strcmp(at->valuestring, name) == 0)) {
            return true;
        }
    }
    return false;
}

static int list(struct cli_args *args, struct client *client, const char *name)
{
    struct buf raw = {0};
    cJSON *json = client_get(client, "GET", "/api/v1/sites", NULL, &raw);
    const cJSON *site;
    unsigned shown = 0;

    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
        shown = 1;
    } else if (json != NULL) {
        cJSON_ArrayForEach(site, member(json, "sites"))
        {
            if (has_name(site, name)) {
                print_site(site);
                shown++;
            }
        }
        if (shown == 0) {
            cli_error("no site has the name \"%s\"; `larder maintenance list` shows them all",
                      name == NULL ? "" : name);
        }
    }
    buf_free(&raw);
    cJSON_Delete(json);
    return shown == 0 ? 1 : 0;
}

static int change(struct cli_args *args, struct client *client, bool on, const char *name)
{
    struct buf raw = {0};
    struct buf path;
    cJSON *body = cJSON_CreateObject();

    cJSON_AddBoolToObject(body, "on", on);
    if (args->value[FLAG_REASON] != NULL) {
        cJSON_AddStringToObject(body, "reason", args->value[FLAG_REASON]);
    }
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    buf_init(&path, 1024);
    buf_printf(&path, "/api/v1/sites/%s/maintenance", name);
    cJSON *json =
        text == NULL || path.failed ? NULL : client_get(client, "POST", path.data, text, &raw);
    if (json != NULL && args->value[FLAG_JSON] != NULL) {
        printf("%s\n", raw.data);
    } else if (json != NULL) {
        print_site(json);
    }
    int status = json == NULL ? 1 : 0;
    cJSON_free(text);
    buf_free(&path);
    buf_free(&raw);
    cJSON_Delete(json);
    return status;
}

/* What may stand in the path as it is: names of sites have nothing else. */
static bool is_name(const char *text)
{
    return text[0] != '\0' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789-_.*:[]")] == '\0';
}

int command_maintenance(struct cli_args *args)
{
    const char *what = args->rest_count > 0 ? args->rest[0] : "list";
    const char *name = args->rest_count > 1 ? args->rest[1] : NULL;
    bool is_list = strcmp(what, "list") == 0;
    bool on = strcmp(what, "on") == 0;

    if (!is_list && !on && strcmp(what, "off") != 0) {
        cli_error("\"%s\" is neither on, off nor list", what);
        return 2;
    }
    if (!is_list && (name == NULL || !is_name(name))) {
        cli_error("which site? `larder maintenance %s SITE`, by one of its names", what);
        return 2;
    }
    struct client *client = client_open(args);
    if (client == NULL) {
        return 1;
    }
    int status = is_list ? list(args, client, name) : change(args, client, on, name);
    client_close(&client);
    return status;
}
