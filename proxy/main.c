/* main - hands the command line its two commands that are the program itself: run and demo. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "daemon.h"
#include "demo_run.h"

/*
 * Read by jemalloc when the program is linked with it. Bodies come and go in pieces of up to 256
 * KiB: huge pages and a slow return of free ones spare a page fault per 4 KiB (measured: a stored
 * miss of 100 KB cost 0.6 of what it did before).
 */
extern const char *malloc_conf;
const char *malloc_conf = "thp:always,dirty_decay_ms:30000,muzzy_decay_ms:0";

static int run(const char *conf_path)
{
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    if (conf_load(conf_path, &conf, report) != ERR_OK) {
        conf_report_tell(report);
        conf_report_free(report);
        return 1;
    }
    conf_report_tell(report); /* warnings */
    conf_report_free(report);
    int status = daemon_run(conf, conf_path, NULL);
    conf_unref(conf);
    return status;
}

static int demo(const struct cli_demo *options)
{
    return demo_run(&(struct demo_options){
        .port = options->port,
        .admin_port = options->admin_port,
        .traffic = options->traffic,
        .origin = options->origin,
        .store = options->store,
    });
}

int main(int argc, char **argv)
{
    const struct cli_ops ops = {.run = run, .demo = demo};
    mem_setup();
    daemon_block_signals();
    return cli_run(argc, argv, &ops);
}
