#ifndef DEMO_RUN_H
#define DEMO_RUN_H
/*
 * demo_run - `larder demo`: proxy, admin server and a built-in origin in a temporary folder, or
 * before an origin of the user's with a store that stays. Threads: main.
 */
struct demo_options {
    unsigned port;       /* of the proxy; 0: 8080. The next free one is taken when it is in use */
    unsigned admin_port; /* 0: 8090 */
    unsigned traffic;    /* requests per second of the built-in visitors; 0: none come */
    const char *origin;  /* URL; NULL: the built-in origin with visitors */
    const char *store;   /* folder that stays; NULL: a temporary one, removed at the end */
};

/* Returns the exit status. */
int demo_run(const struct demo_options *options);
#endif
