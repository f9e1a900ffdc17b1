#ifndef ADMIN_SAMPLER_H
#define ADMIN_SAMPLER_H
/*
 * sampler - a thread that looks at the counters each second, writes down the difference, feeds the
 * event streams, and saves the history each minute and at the end.
 * Threads: start and stop from main.
 */
struct admin;
struct sampler;

/* path: of the history's file; read now. */
struct sampler *sampler_start(struct admin *admin, const char *path);
void sampler_stop(struct sampler **sampler);
#endif
