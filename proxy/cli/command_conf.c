/* command_conf - run, demo, and what needs only a configuration file. */
#include <string.h>

#include "base/buf.h"
#include "cli/command.h"
#include "conf/conf.h"

#define REPORT_MAX_BYTES ((size_t)4 << 20)

static void print_json(const struct conf_report *report)
{
    struct buf text;

    buf_init(&text, REPORT_MAX_BYTES);
    conf_report_print_json(report, &text);
    (void)fwrite(text.len == 0 ? "" : text.data, 1, text.len, stdout);
    buf_free(&text);
}

static int check(const char *path, bool as_json)
{
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    enum err err = conf_load(path, &conf, report);

    if (as_json) {
        print_json(report);
    } else if (err != ERR_OK) {
        conf_report_tell(report);
    } else {
        conf_report_tell(report); /* warnings */
        printf("%s is in order\n", path);
    }
    conf_report_free(report);
    conf_unref(conf);
    if (err == ERR_OK) {
        return 0;
    }
    return err == ERR_SYNTAX ? 1 : 2;
}

/* The file meant by -c, or the usual one. */
static const char *conf_path(const struct cli_args *args)
{
    return args->value[FLAG_CONFIG] != NULL ? args->value[FLAG_CONFIG] : CLI_CONF_PATH;
}

int command_check(struct cli_args *args)
{
    const char *format = args->value[FLAG_FORMAT];

    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        cli_error("--format is text or json, not \"%s\"", format);
        return 2;
    }
    if (args->rest_count > 0 && args->value[FLAG_CONFIG] != NULL) {
        cli_error("two files to check; give one");
        return 2;
    }
    return check(args->rest_count > 0 ? args->rest[0] : conf_path(args),
                 format != NULL && format[0] == 'j');
}

int command_run(struct cli_args *args)
{
    if (args->value[FLAG_CHECK_ONLY] != NULL) {
        return check(conf_path(args), false);
    }
    return args->ops->run(conf_path(args));
}

int command_demo(struct cli_args *args)
{
    struct cli_demo demo = {.traffic = CLI_DEMO_TRAFFIC,
                            .origin = args->value[FLAG_ORIGIN],
                            .store = args->value[FLAG_STORE]};

    if (!cli_number(args, FLAG_PORT, 1, 65535, &demo.port) ||
        !cli_number(args, FLAG_ADMIN_PORT, 1, 65535, &demo.admin_port) ||
        !cli_number(args, FLAG_TRAFFIC, 0, 1000, &demo.traffic)) {
        return 2;
    }
    return args->ops->demo(&demo);
}

static int config_show(const struct cli_args *args, const char *path)
{
    struct conf *conf = NULL;
    struct buf text;
    struct conf_report *report = conf_report_new();

    if (conf_load(path, &conf, report) != ERR_OK) {
        conf_report_tell(report);
        conf_report_free(report);
        return 1;
    }
    buf_init(&text, REPORT_MAX_BYTES);
    conf_print_effective(conf, args->value[FLAG_DEFAULTS] != NULL, &text);
    if (text.len > 0) {
        (void)fwrite(text.data, 1, text.len, stdout);
    }
    buf_free(&text);
    conf_report_free(report);
    conf_unref(conf);
    return 0;
}

static int config_ref(const struct cli_args *args)
{
    struct buf text;

    buf_init(&text, REPORT_MAX_BYTES);
    bool known = conf_print_reference(args->rest_count > 1 ? args->rest[1] : NULL, &text);
    if (text.len > 0) {
        (void)fwrite(text.data, 1, text.len, known ? stdout : stderr);
    }
    buf_free(&text);
    return known ? 0 : 1;
}

int command_config(struct cli_args *args)
{
    const char *what = args->rest_count > 0 ? args->rest[0] : "";

    if (strcmp(what, "ref") == 0) {
        return config_ref(args);
    }
    if (strcmp(what, "show") == 0) {
        if (args->rest_count > 1 && args->value[FLAG_CONFIG] != NULL) {
            cli_error("two files to show; give one");
            return 2;
        }
        return config_show(args, args->rest_count > 1 ? args->rest[1] : conf_path(args));
    }
    cli_error("config what? `larder config show [FILE]` or `larder config ref [DIRECTIVE]`");
    return 2;
}
