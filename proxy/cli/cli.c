/* cli - the table of commands, help, version. */
#include "cli/cli.h"

#include <string.h>

#include "cli/command.h"

static const struct cli_command commands[] = {
    {"run", "serve in the foreground", "", FLAG(CONFIG) | FLAG(CHECK_ONLY), 0, command_run},
    {"check", "check a configuration file: 0 good, 1 errors, 2 cannot be read", "[FILE]",
     FLAG(CONFIG) | FLAG(FORMAT), 1, command_check},
    {"config", "show what is in force in a file, or explain directives",
     "show [FILE] | ref [DIRECTIVE]", FLAG(CONFIG) | FLAG(DEFAULTS), 2, command_config},
    {"status", "how the running larder does: 0 ok, 1 warning, 2 critical", "",
     FLAGS_SERVER | FLAG(JSON), 0, command_status},
    {"purge", "remove URLs from the cache, or mark them stale", "--url URL... --soft | --hard",
     FLAGS_SERVER | FLAG(URL) | FLAG(SOFT) | FLAG(HARD) | FLAG(DRY_RUN) | FLAG(REASON) |
         FLAG(SITE) | FLAG(JSON),
     1, command_purge},
    {"origins", "how the origin servers do; take one out of its pool, or back in",
     "[list] | drain POOL/SERVER | maintenance POOL/SERVER | up POOL/SERVER | check POOL/SERVER",
     FLAGS_SERVER | FLAG(REASON) | FLAG(YES) | FLAG(JSON), 2, command_origins},
    {"maintenance", "switch sites to maintenance and back", "on SITE | off SITE | list [SITE]",
     FLAGS_SERVER | FLAG(REASON) | FLAG(JSON), 2, command_maintenance},
    {"access",
     "forward proxies: rules, denials, tunnels, who asked for what; test: 0 allowed, 1 denied, 2 error",
     "[list] | test CLIENT URL | denials | tunnels | destinations | users | clients | quotas",
     FLAGS_SERVER | FLAG(USER) | FLAG(METHOD) | FLAG(AT) | FLAG(FORWARD) | FLAG(RULE) | FLAG(HOST) |
         FLAG(CLIENT) | FLAG(BY) | FLAG(LIMIT) | FLAG(JSON),
     3, command_access},
    {"quota", "forward proxies: how far quotas are used up; begin an account anew",
     "[list] | reset FORWARD/QUOTA/KEY:WHO",
     FLAGS_SERVER | FLAG(FORWARD) | FLAG(LIMIT) | FLAG(JSON), 2, command_quota},
    {"explain", "what would become of a request, and which setting decides", "URL",
     FLAGS_SERVER | FLAG(HEADER) | FLAG(METHOD) | FLAG(CLIENT) | FLAG(FORWARD) | FLAG(JSON), 1,
     command_explain},
    {"reload", "read the configuration file again", "", FLAGS_SERVER | FLAG(JSON), 0,
     command_reload},
    {"stop", "finish what is in flight and end", "", FLAGS_SERVER, 0, command_stop},
    {"dashboard", "print a login link for the dashboard (one use, 5 minutes)", "",
     FLAGS_SERVER | FLAG(JSON), 0, command_dashboard},
    {"log", "open the log files again, after they were moved", "reopen", FLAGS_SERVER, 1,
     command_log},
    {"demo", "proxy, dashboard and a demo site in a temporary folder", "",
     FLAG(PORT) | FLAG(ADMIN_PORT) | FLAG(TRAFFIC) | FLAG(ORIGIN) | FLAG(STORE), 0, command_demo},
    {"version", "print the version", "", FLAG(JSON), 0, command_version},
    {"help", "explain a command", "[COMMAND]", 0, 1, command_help},
};

const struct cli_command *cli_commands(size_t *count)
{
    *count = ARRAY_LEN(commands);
    return commands;
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[ARRAY_LEN(commands)];

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
    }
    const char *near = cli_nearest(name, names, ARRAY_LEN(commands));
    if (near != NULL) {
        cli_error("unknown command \"%s\"; did you mean \"%s\"?", name, near);
    } else {
        cli_error("unknown command \"%s\"; `larder help` lists them", name);
    }
    return 2;
}

static void print_all(FILE *out)
{
    fputs("larder, a caching proxy, reverse and forward\n\nusage: larder COMMAND [OPTIONS]\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].line);
    }
    fputs("\n`larder help COMMAND` tells more.\n", out);
}

static void print_one(const struct cli_command *command, FILE *out)
{
    fprintf(out, "usage: larder %s%s%s%s\n\n%s\n", command->name,
            command->words[0] == '\0' ? "" : " ", command->words,
            command->flags == 0 ? "" : " [OPTIONS]", command->line);
    if (command->flags != 0) {
        fputs("\noptions:\n", out);
        cli_print_flags(command->flags, out);
    }
}

int command_help(struct cli_args *args)
{
    if (args->rest_count == 0) {
        print_all(stdout);
        return 0;
    }
    const struct cli_command *command = find(args->rest[0]);
    if (command == NULL) {
        return unknown(args->rest[0]);
    }
    print_one(command, stdout);
    return 0;
}

int command_version(struct cli_args *args)
{
    puts(args->value[FLAG_JSON] != NULL ? "{\"version\":\"" LARDER_VERSION "\"}"
                                        : "larder " LARDER_VERSION);
    return 0;
}

int cli_run(int argc, char **argv, const struct cli_ops *ops)
{
    struct cli_args args = {.ops = ops};

    if (argc < 2) {
        print_all(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    const struct cli_command *command = find(name);
    if (command == NULL) {
        return unknown(name);
    }
    if (!cli_parse(command, argc - 1, argv + 1, &args)) {
        return 2;
    }
    if (args.value[FLAG_HELP] != NULL) {
        print_one(command, stdout);
        return 0;
    }
    return command->run(&args);
}
