/* command_quota - accounts of the quotas of forward proxies; the list is that of `larder access`. */
#include <string.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "cli/client.h"
#include "cli/command.h"

#define RESET_PATH "/api/v1/access/quotas/reset"

/* FORWARD/QUOTA/KEY[:WHO]. NULL: it is none. */
static cJSON *order_make(const char *text)
{
    const char *slash = strchr(text, '/');
    const char *second = slash == NULL ? NULL : strchr(slash + 1, '/');
    const char *colon = second == NULL ? NULL : strchr(second + 1, ':');
    char words[3][128];

    if (second == NULL) {
        return NULL;
    }
    const struct span spans[3] = {
        span_of(text, (size_t)(slash - text)),
        span_of(slash + 1, (size_t)(second - slash - 1)),
        colon == NULL ? span_str(second + 1) : span_of(second + 1, (size_t)(colon - second - 1)),
    };
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        if (spans[i].len == 0 || spans[i].len >= sizeof(words[i])) {
            return NULL;
        }
        memcpy(words[i], spans[i].ptr, spans[i].len);
        words[i][spans[i].len] = '\0';
    }
    cJSON *order = cJSON_CreateObject();
    cJSON_AddStringToObject(order, "forward", words[0]);
    cJSON_AddStringToObject(order, "name", words[1]);
    cJSON_AddStringToObject(order, "key", words[2]);
    cJSON_AddStringToObject(order, "who", colon == NULL ? "" : colon + 1);
    return order;
}

static int reset(struct cli_args *args, struct client *client, const char *account)
{
    struct buf raw = {0};
    cJSON *order = order_make(account);
    char *text = order == NULL ? NULL : cJSON_PrintUnformatted(order);
    cJSON *json = NULL;

    if (text == NULL) {
        cli_error("\"%s\" is no account; `larder quota list` shows them, in the last column",
                  account);
    } else {
        json = client_get(client, "POST", RESET_PATH, text, &raw);
    }
    if (json != NULL) {
        printf("%s\n", args->value[FLAG_JSON] != NULL ? raw.data : "it begins at 0 again");
    }
    int status = text == NULL ? 2 : json == NULL ? 1 : 0;
    cJSON_free(text);
    buf_free(&raw);
    cJSON_Delete(order);
    cJSON_Delete(json);
    return status;
}

int command_quota(struct cli_args *args)
{
    const char *what = args->rest_count > 0 ? args->rest[0] : "list";
    bool is_list = strcmp(what, "list") == 0;

    if (!is_list && strcmp(what, "reset") != 0) {
        cli_error("\"%s\" is neither list nor reset", what);
        return 2;
    }
    if (args->rest_count != (is_list ? (args->rest_count > 0 ? 1 : 0) : 2)) {
        cli_error("write: larder quota [list] | larder quota reset FORWARD/QUOTA/KEY:WHO");
        return 2;
    }
    if (is_list) {
        return command_access_quotas(args);
    }
    struct client *client = client_open(args);
    if (client == NULL) {
        return 1;
    }
    int status = reset(args, client, args->rest[1]);
    client_close(&client);
    return status;
}
