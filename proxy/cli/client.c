/* client - libcurl, one easy handle. */
#include "cli/client.h"

#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"

#define CLIENT_REPLY_MAX_BYTES ((size_t)64 << 20)
#define CLIENT_TIMEOUT_S 60L
#define CLIENT_TOKEN_BYTES 256

struct client {
    CURL *curl;
    struct curl_slist *headers;
    char place[512]; /* for messages */
    char base[512];
    bool is_guess; /* the usual socket, though the usual file may name another */
};

static void tell_no_socket(const struct conf_report *report, const char *path)
{
    conf_report_tell(report);
    cli_error("which admin socket %s names cannot be told; mend it, or give --socket PATH (the "
              "usual one is " CLI_SOCKET_PATH ")",
              path);
}

/* The socket the configuration names. Without a file, or when nobody asked for this very file, the
 * usual one will do. */
static bool socket_path(const struct cli_args *args, char *out, size_t size, bool *is_guess)
{
    const char *path = args->value[FLAG_CONFIG];
    struct buf found;
    bool good = true;

    (void)snprintf(out, size, "%s", CLI_SOCKET_PATH);
    if (args->value[FLAG_SOCKET] != NULL) {
        (void)snprintf(out, size, "%s", args->value[FLAG_SOCKET]);
        return true;
    }
    buf_init(&found, 4096);
    struct conf_report *report = conf_report_new();
    switch (conf_find_socket(path == NULL ? CLI_CONF_PATH : path, report, &found)) {
    case CONF_SOCKET_NAMED:
        (void)snprintf(out, size, "%s", found.data);
        break;
    case CONF_SOCKET_OFF:
        cli_error("%s turns the admin socket off; give --server URL and --token-file FILE",
                  path == NULL ? CLI_CONF_PATH : path);
        good = false;
        break;
    case CONF_SOCKET_UNKNOWN:
        good = path == NULL;
        *is_guess = good && access(CLI_CONF_PATH, F_OK) == 0;
        if (!good) {
            tell_no_socket(report, path);
        }
        break;
    }
    conf_report_free(report);
    buf_free(&found);
    return good;
}

static bool add_header(struct client *client, const char *line)
{
    struct curl_slist *more = curl_slist_append(client->headers, line);

    if (more != NULL) {
        client->headers = more;
    }
    return more != NULL;
}

static bool add_token(struct client *client, const char *path)
{
    char token[CLIENT_TOKEN_BYTES] = "";
    char line[CLIENT_TOKEN_BYTES + 32];
    FILE *file = path == NULL ? NULL : fopen(path, "re");

    if (path == NULL) {
        cli_error("--server needs --token-file; the token was shown at the first start");
        return false;
    }
    if (file == NULL || fgets(token, sizeof(token), file) == NULL) {
        cli_error("cannot read a token from %s", path);
        if (file != NULL) {
            (void)fclose(file);
        }
        return false;
    }
    (void)fclose(file);
    token[strcspn(token, " \t\r\n")] = '\0';
    (void)snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
    return add_header(client, line);
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct buf *out = ctx;

    buf_append(out, span_of(data, size * count));
    return out->failed ? 0 : size * count;
}

static bool aim(struct client *client, const struct cli_args *args)
{
    const char *server = args->value[FLAG_SERVER];
    char path[256];

    if (server != NULL) {
        size_t len = strlen(server);
        (void)snprintf(client->base, sizeof(client->base), "%.*s",
                       (int)(len > 0 && server[len - 1] == '/' ? len - 1 : len), server);
        (void)snprintf(client->place, sizeof(client->place), "%s", client->base);
        return add_token(client, args->value[FLAG_TOKEN_FILE]);
    }
    if (!socket_path(args, path, sizeof(path), &client->is_guess)) {
        return false;
    }
    (void)snprintf(client->base, sizeof(client->base), "http://localhost");
    (void)snprintf(client->place, sizeof(client->place), "%s", path);
    if (args->value[FLAG_TOKEN_FILE] != NULL && !add_token(client, args->value[FLAG_TOKEN_FILE])) {
        return false;
    }
    return curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

struct client *client_open(const struct cli_args *args)
{
    struct client *client = mem_new(sizeof(*client));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        client->curl = curl_easy_init();
    }
    if (client->curl == NULL) {
        cli_error("libcurl cannot be set up; out of memory?");
        client_close(&client);
        return NULL;
    }
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, CLIENT_TIMEOUT_S);
    curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "larder/" LARDER_VERSION);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_data);
    if (!aim(client, args)) {
        client_close(&client);
        return NULL;
    }
    return client;
}

void client_close(struct client **client)
{
    if (*client != NULL) {
        curl_slist_free_all((*client)->headers);
        if ((*client)->curl != NULL) {
            curl_easy_cleanup((*client)->curl);
        }
        mem_free(*client);
        *client = NULL;
    }
}

static void tell_failure(const struct client *client, CURLcode code)
{
    if (code == CURLE_COULDNT_CONNECT) {
        cli_error(
            "no larder answers at %s; it is not running%s%s; start it with `larder run`, or give "
            "--socket or --server",
            client->place, client->place[0] == '/' ? ", or you may not use this socket" : " there",
            client->is_guess ? ", or " CLI_CONF_PATH " names another (`larder check` says what is "
                               "wrong with it)"
                             : "");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        cli_error("%s does not answer in time; look at its error log", client->place);
    } else {
        cli_error("talking to %s failed; %s", client->place, curl_easy_strerror(code));
    }
}

unsigned client_call(struct client *client, const char *method, const char *path, const char *body,
                     struct buf *reply)
{
    char url[1024];
    long status = 0;

    buf_init(reply, CLIENT_REPLY_MAX_BYTES);
    (void)snprintf(url, sizeof(url), "%s%s", client->base, path);
    if (strcmp(method, "POST") == 0) {
        if (!add_header(client, "Content-Type: application/json")) {
            return 0;
        }
        curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE,
                         (long)strlen(body == NULL ? "{}" : body));
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body == NULL ? "{}" : body);
    } else {
        curl_easy_setopt(client->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, reply);
    CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK) {
        tell_failure(client, code);
        return 0;
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status > 0 ? (unsigned)status : 0;
}

double client_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

const char *client_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text == NULL ? "" : text;
}

void client_explain(unsigned status, const struct buf *reply)
{
    cJSON *json = reply->len == 0 ? NULL : cJSON_ParseWithLength(reply->data, reply->len);
    const cJSON *error;

    if (!cJSON_IsObject(json)) {
        cli_error("the server answers %u; is this a larder's admin address?", status);
        cJSON_Delete(json);
        return;
    }
    const char *report = client_text(json, "report");
    cli_error("%s. %s%s", client_text(json, "title"), client_text(json, "detail"),
              status == 401 ? "; give --token-file FILE, or be root or the daemon's user" : "");
    if (report[0] != '\0') {
        cli_print_safe(stderr, report);
    } else {
        cJSON_ArrayForEach(error, cJSON_GetObjectItemCaseSensitive(json, "errors"))
        {
            fputs("  ", stderr);
            cli_print_safe(stderr, client_text(error, "pointer"));
            fputs(" ", stderr);
            cli_print_safe(stderr, client_text(error, "message"));
            fputc('\n', stderr);
        }
    }
    cJSON_Delete(json);
}

cJSON *client_get(struct client *client, const char *method, const char *path, const char *body,
                  struct buf *raw)
{
    struct buf reply;
    cJSON *json = NULL;

    unsigned status = client_call(client, method, path, body, &reply);
    if (status == 200) {
        json = reply.len == 0 ? NULL : cJSON_ParseWithLength(reply.data, reply.len);
    }
    if (status != 0 && !cJSON_IsObject(json)) {
        client_explain(status, &reply);
        cJSON_Delete(json);
        json = NULL;
    }
    if (raw != NULL && json != NULL) {
        *raw = reply;
    } else {
        buf_free(&reply);
    }
    return json;
}
