#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H
/* command - what the files of this folder share: options, messages, the table of commands. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"
#include "base/span.h"
#include "cli/cli.h"

#define CLI_CONF_PATH "/etc/larder/larder.conf"
#define CLI_SOCKET_PATH "/run/larder/admin.sock"
#define CLI_URLS_MAX 1000u
#define CLI_FIELDS_MAX 64u
#define CLI_DEMO_TRAFFIC 20 /* requests a second */

enum cli_flag {
    FLAG_CONFIG,
    FLAG_SOCKET,
    FLAG_SERVER,
    FLAG_TOKEN_FILE,
    FLAG_JSON,
    FLAG_FORMAT,
    FLAG_DEFAULTS,
    FLAG_URL,
    FLAG_SOFT,
    FLAG_HARD,
    FLAG_DRY_RUN,
    FLAG_REASON,
    FLAG_YES,
    FLAG_HEADER,
    FLAG_METHOD,
    FLAG_CLIENT,
    FLAG_SITE,
    FLAG_USER,
    FLAG_AT,
    FLAG_FORWARD,
    FLAG_RULE,
    FLAG_HOST,
    FLAG_BY,
    FLAG_LIMIT,
    FLAG_CHECK_ONLY,
    FLAG_PORT,
    FLAG_ADMIN_PORT,
    FLAG_TRAFFIC,
    FLAG_ORIGIN,
    FLAG_STORE,
    FLAG_HELP,
    FLAG_COUNT,
};

#define FLAG(name) (1u << FLAG_##name)
#define FLAGS_SERVER (FLAG(CONFIG) | FLAG(SOCKET) | FLAG(SERVER) | FLAG(TOKEN_FILE))

struct cli_args {
    const struct cli_ops *ops;
    const char *value[FLAG_COUNT]; /* "" for a flag without argument; NULL: not given */
    const char *urls[CLI_URLS_MAX];
    unsigned url_count;
    const char *fields[CLI_FIELDS_MAX]; /* "Name: value" */
    unsigned field_count;
    char **rest; /* words that are no options */
    int rest_count;
};

struct cli_command {
    const char *name;
    const char *line;  /* what it does, one line */
    const char *words; /* after the name, for the usage line */
    unsigned flags;    /* of FLAG() */
    int rest_max;
    int (*run)(struct cli_args *args);
};

const struct cli_command *cli_commands(size_t *count);

/* False: a message was printed. */
bool cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *out);
void cli_print_flags(unsigned wanted, FILE *out);
/* A whole number from min to max, or a message. Not given: out stays as it is. */
bool cli_number(const struct cli_args *args, enum cli_flag flag, unsigned min, unsigned max,
                unsigned *out);

/* "larder: what; why; next step" on standard error. */
void cli_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The nearest word within two typing errors, or NULL. */
const char *cli_nearest(const char *word, const char *const *words, size_t count);
/* Foreign text without what could act on a terminal. */
void cli_print_safe(FILE *out, const char *text);
/* The same, only the first line. */
void cli_print_line(FILE *out, const char *text);
/* Colours on a terminal, unless NO_COLOR is set. */
bool cli_has_colour(FILE *out);
/* "1.5 GiB", "3.0k": into a small buffer of the caller, returned. */
struct cli_figure {
    char text[32];
};
const char *cli_bytes(struct cli_figure *figure, double bytes);
const char *cli_count(struct cli_figure *figure, double count);
/* "3 d 4 h", "12 min 5 s", "8 s". */
const char *cli_duration(struct cli_figure *figure, double seconds);
/* "0.12 ms", "340 ms", "1.5 s". */
const char *cli_ms(struct cli_figure *figure, double ms);
/* Unix seconds of an RFC 3339 time in UTC; 0: not one. */
int64_t cli_unix_time(const char *text);

int command_run(struct cli_args *args);
int command_check(struct cli_args *args);
int command_config(struct cli_args *args);
int command_status(struct cli_args *args);
int command_purge(struct cli_args *args);
int command_origins(struct cli_args *args);
int command_maintenance(struct cli_args *args);
int command_quota(struct cli_args *args);
int command_access(struct cli_args *args);
/* The list of quotas, which has two names. */
int command_access_quotas(struct cli_args *args);
int command_explain(struct cli_args *args);
int command_reload(struct cli_args *args);
int command_stop(struct cli_args *args);
int command_dashboard(struct cli_args *args);
int command_log(struct cli_args *args);
int command_demo(struct cli_args *args);
int command_version(struct cli_args *args);
int command_help(struct cli_args *args);
#endif
