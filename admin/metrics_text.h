#ifndef ADMIN_METRICS_TEXT_H
#define ADMIN_METRICS_TEXT_H
/* metrics_text - pieces of the Prometheus text format, and who writes which part of it. */
#include "admin/admin.h"
#include "base/buf.h"

/* The two lines before a metric's samples. */
void metric_head(struct buf *out, const char *name, const char *type, const char *help);
/* A label's value, escaped: names come from the configuration, but may hold anything. */
void metric_label(struct buf *out, const char *text);
/* metrics_origins.c: all about pools and their servers. */
void metrics_put_origins(struct buf *out, struct service *service);
/* metrics_forward.c: all about forward proxies. */
void metrics_put_forwards(struct buf *out, struct service *service);
/* metrics_names.c: the names of servers that their clients ask for. */
void metrics_put_names(struct buf *out, struct service *service);
#endif
