#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H
/*
 * client - requests to a running larder's admin server: over its Unix socket, or --server URL with
 * a token from --token-file. Failures are told to the user here.
 */
#include "base/buf.h"
#include "cli/command.h"

struct client;
struct cJSON;

/* NULL: a message was printed. */
struct client *client_open(const struct cli_args *args);
void client_close(struct client **client);
/* method GET or POST; body NULL or JSON. Returns the HTTP status and fills reply, which the caller
 * frees; 0: a message was printed. */
unsigned client_call(struct client *client, const char *method, const char *path, const char *body,
                     struct buf *reply);
/* Says what the problem+json of a failed call says. */
void client_explain(unsigned status, const struct buf *reply);
/* A call that must answer 200 with an object, or a message is printed and NULL returned. raw may
 * be NULL; else it gets the text and is the caller's. Free with cJSON_Delete. */
struct cJSON *client_get(struct client *client, const char *method, const char *path,
                         const char *body, struct buf *raw);
/* Members, forgiving: 0, "" and NULL when absent. */
double client_number(const struct cJSON *object, const char *name);
const char *client_text(const struct cJSON *object, const char *name);
#endif
