/* options - the options of all commands in one table; getopt_long gets those a command takes. */
#include <getopt.h>
#include <string.h>

#include "cli/command.h"

static const struct flag {
    const char *name;
    char letter;
    const char *argument; /* NULL: takes none */
    const char *help;
} flags[FLAG_COUNT] = {
    [FLAG_CONFIG] = {"config", 'c', "FILE", "configuration file; default " CLI_CONF_PATH},
    [FLAG_SOCKET] = {"socket", 0, "PATH", "admin socket; default: the one the file names"},
    [FLAG_SERVER] = {"server", 0, "URL", "admin address instead of the socket"},
    [FLAG_TOKEN_FILE] = {"token-file", 0, "FILE", "file with the token for --server"},
    [FLAG_JSON] = {"json", 0, NULL, "print JSON"},
    [FLAG_FORMAT] = {"format", 0, "text|json", "how to print the errors"},
    [FLAG_DEFAULTS] = {"defaults", 0, NULL, "also what nobody set"},
    [FLAG_URL] = {"url", 0, "URL", "what to purge; may be repeated"},
    [FLAG_SOFT] = {"soft", 0, NULL, "mark stale: the next request has it refreshed"},
    [FLAG_HARD] = {"hard", 0, NULL, "remove"},
    [FLAG_DRY_RUN] = {"dry-run", 'n', NULL, "count only, change nothing"},
    [FLAG_REASON] = {"reason", 0, "TEXT", "why, for those who look at it later"},
    [FLAG_YES] = {"yes", 'y', NULL, "do not ask, also when no server is left"},
    [FLAG_HEADER] = {"header", 'H', "FIELD", "a header field, \"Name: value\"; may be repeated"},
    [FLAG_METHOD] = {"method", 'X', "METHOD", "method of the request; default GET"},
    [FLAG_CLIENT] = {"client", 0, "ADDRESS",
                     "as if this client had asked; of a list: only what it asked"},
    [FLAG_SITE] = {"site", 0, "SITE", "only in the cache of this site, or forward:NAME"},
    [FLAG_USER] = {"user", 0, "NAME", "as if this user had asked; of a list: only what he asked"},
    [FLAG_AT] = {"at", 0, "TIME",
                 "as if it were then: 2026-11-26T09:30, of the daemon's zone; default now"},
    [FLAG_FORWARD] = {"forward", 0, "NAME",
                      "of which forward proxy; default: the only one, or all"},
    [FLAG_RULE] = {"rule", 0, "NAME", "only those of this rule"},
    [FLAG_HOST] = {"host", 0, "NAME", "only of this host and those below it"},
    [FLAG_BY] = {"by", 0, "WORD", "order: requests, denied or bytes; of tunnels: age or bytes"},
    [FLAG_LIMIT] = {"limit", 0, "N", "at most so many; default 20"},
    [FLAG_CHECK_ONLY] = {"check-only", 0, NULL, "check the configuration and end"},
    [FLAG_PORT] = {"port", 'p', "N",
                   "port of the proxy; default 8080, the next free one when taken"},
    [FLAG_ADMIN_PORT] = {"admin-port", 0, "N", "port of the dashboard; default 8090"},
    [FLAG_TRAFFIC] = {"traffic", 0, "N",
                      "requests a second of the built-in visitors; default 20, 0: none"},
    [FLAG_ORIGIN] = {"origin", 0, "URL", "your site, in place of the demo site"},
    [FLAG_STORE] = {"store", 0, "FOLDER", "keep the cache there"},
    [FLAG_HELP] = {"help", 'h', NULL, "this text"},
};

void cli_print_flags(unsigned wanted, FILE *out)
{
    wanted |= FLAG(HELP);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flags[i];
        char left[64];
        if ((wanted & (1u << i)) == 0) {
            continue;
        }
        (void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", flag->letter != 0 ? '-' : ' ',
                       flag->letter != 0 ? flag->letter : ' ', flag->letter != 0 ? ", " : "  ",
                       flag->name, flag->argument != NULL ? " " : "",
                       flag->argument != NULL ? flag->argument : "");
        fprintf(out, "  %-26s %s\n", left, flag->help);
    }
}

static const char *nearest_flag(const char *word, unsigned wanted)
{
    const char *names[FLAG_COUNT];
    size_t count = 0;

    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if ((wanted & (1u << i)) != 0) {
            names[count++] = flags[i].name;
        }
    }
    return cli_nearest(word, names, count);
}

/* What getopt_long stopped at. */
static void complain(const struct cli_command *command, char **argv, int code, unsigned wanted)
{
    const char *word = argv[optind > 0 ? optind - 1 : 0];
    const char *near = strncmp(word, "--", 2) == 0 ? nearest_flag(word + 2, wanted) : NULL;

    if (code == ':') {
        cli_error("%s needs a value; `larder help %s`", word, command->name);
    } else if (near != NULL) {
        cli_error("%s does not know \"%s\"; did you mean \"--%s\"?", command->name, word, near);
    } else {
        cli_error("%s does not know \"%s\"; `larder help %s`", command->name, word, command->name);
    }
}

static bool take(struct cli_args *out, unsigned flag, const char *value)
{
    if (flag == FLAG_URL) {
        if (out->url_count == CLI_URLS_MAX) {
            cli_error("too many URLs; at most %u in one purge; purge in parts", CLI_URLS_MAX);
            return false;
        }
        out->urls[out->url_count++] = value;
    } else if (flag == FLAG_HEADER) {
        if (out->field_count == CLI_FIELDS_MAX) {
            cli_error("too many header fields; at most %u", CLI_FIELDS_MAX);
            return false;
        }
        out->fields[out->field_count++] = value;
    } else if (out->value[flag] != NULL && flags[flag].argument != NULL) {
        cli_error("--%s is given twice; remove one", flags[flag].name);
        return false;
    }
    out->value[flag] = value == NULL ? "" : value;
    return true;
}

/* Builds what getopt_long wants: val is the flag's number + 256. */
static void build(unsigned wanted, struct option *longs, char *shorts)
{
    *shorts++ = ':';
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if ((wanted & (1u << i)) == 0) {
            continue;
        }
        *longs++ = (struct option){
            .name = flags[i].name, .has_arg = flags[i].argument != NULL, .val = (int)i + 256};
        if (flags[i].letter != 0) {
            *shorts++ = flags[i].letter;
            if (flags[i].argument != NULL) {
                *shorts++ = ':';
            }
        }
    }
    *longs = (struct option){0};
    *shorts = '\0';
}

static unsigned flag_of_code(int code)
{
    if (code >= 256) {
        return (unsigned)code - 256;
    }
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (flags[i].letter == code) {
            return i;
        }
    }
    return FLAG_COUNT;
}

bool cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *out)
{
    struct option longs[FLAG_COUNT + 1];
    char shorts[2 * FLAG_COUNT + 2];
    unsigned wanted = command->flags | FLAG(HELP);
    int code;

    build(wanted, longs, shorts);
    optind = 0;
    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the command line is read before any other thread */
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (code == '?' || code == ':') {
            complain(command, argv, code, wanted);
            return false;
        }
        if (!take(out, flag_of_code(code), optarg)) {
            return false;
        }
    }
    out->rest = argv + optind;
    out->rest_count = argc - optind;
    if (out->rest_count > command->rest_max) {
        cli_error("%s does not want \"%s\"; `larder help %s`", command->name,
                  out->rest[command->rest_max], command->name);
        return false;
    }
    return true;
}

bool cli_number(const struct cli_args *args, enum cli_flag flag, unsigned min, unsigned max,
                unsigned *out)
{
    uint64_t number = 0;

    if (args->value[flag] == NULL) {
        return true;
    }
    if (!span_to_u64(span_str(args->value[flag]), max, &number) || number < min) {
        cli_error("--%s \"%s\" is no number from %u to %u", flags[flag].name, args->value[flag],
                  min, max);
        return false;
    }
    *out = (unsigned)number;
    return true;
}
