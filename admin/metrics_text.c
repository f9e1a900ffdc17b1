/* metrics_text - the lines every metric is made of. */
#include "admin/metrics_text.h"

void metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_label(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"') {
            buf_putc(out, '\\');
        }
        buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}
