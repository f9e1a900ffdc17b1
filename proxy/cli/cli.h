#ifndef CLI_CLI_H
#define CLI_CLI_H
/*
 * cli - the command line. Commands that are the program itself (run, demo) are called through
 * functions handed in by main; the others talk to a running larder over its admin socket, or read
 * a configuration file.
 *
 * Threads: main, before any other thread. Exit status: 0 done, 1 failed, 2 misused or cannot be
 * read; `status` answers 0, 1, 2 for ok, warning, critical.
 */

struct cli_demo {
    unsigned port;       /* 0: not said */
    unsigned admin_port; /* 0: not said */
    unsigned traffic;    /* requests per second; 0: none */
    const char *origin;  /* URL or NULL */
    const char *store;   /* folder or NULL */
};

struct cli_ops {
    int (*run)(const char *conf_path);
    int (*demo)(const struct cli_demo *demo);
};

int cli_run(int argc, char **argv, const struct cli_ops *ops);
#endif
