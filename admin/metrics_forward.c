/* metrics_forward - the forward proxies: labels are names of the configuration and our own words. */
#include "admin/metrics_text.h"
#include "base/mem.h"
#include "worker/service.h"

static void put_labels(struct buf *out, const char *name, const struct tally_row *row)
{
    buf_puts(out, name);
    buf_puts(out, "{forward=\"");
    metric_label(out, row->forward);
    buf_putc(out, '"');
}

static void put_value(struct buf *out, uint64_t number)
{
    buf_puts(out, "} ");
    buf_put_u64(out, number);
    buf_putc(out, '\n');
}

/* One figure of every proxy. */
static void put_wholes(struct buf *out, const struct tally_sum *sum, const char *name,
                       enum tally_figure figure)
{
    metric_head(out, name, "counter",
                figure == TALLY_REQUESTS ? "Requests of the clients of forward proxies."
                                         : "Tunnels opened.");
    for (size_t i = 0; i < sum->count; i++) {
        if (sum->row[i].rule[0] == '\0') {
            put_labels(out, name, &sum->row[i]);
            put_value(out, sum->row[i].figure[figure]);
        }
    }
}

static void put_rules(struct buf *out, const struct tally_sum *sum, const char *name,
                      const char *help, enum tally_figure figure)
{
    metric_head(out, name, "counter", help);
    for (size_t i = 0; i < sum->count; i++) {
        if (sum->row[i].rule[0] != '\0') {
            put_labels(out, name, &sum->row[i]);
            buf_puts(out, ",acl=\"");
            metric_label(out, sum->row[i].rule);
            buf_putc(out, '"');
            put_value(out, sum->row[i].figure[figure]);
        }
    }
}

static void put_tunnels(struct buf *out, const struct tally_sum *sum)
{
    static const char open[] = "larder_forward_tunnels";
    static const char bytes[] = "larder_forward_tunnel_bytes_total";

    metric_head(out, open, "gauge", "Tunnels open now.");
    for (size_t i = 0; i < sum->count; i++) {
        const uint64_t *figure = sum->row[i].figure;
        if (sum->row[i].rule[0] == '\0') {
            uint64_t closed = figure[TALLY_TUNNELS_CLOSED];
            put_labels(out, open, &sum->row[i]);
            put_value(out, figure[TALLY_TUNNELS_OPENED] > closed
                               ? figure[TALLY_TUNNELS_OPENED] - closed
                               : 0);
        }
    }
    metric_head(out, bytes, "counter", "Bytes through tunnels.");
    for (size_t i = 0; i < sum->count; i++) {
        if (sum->row[i].rule[0] == '\0') {
            put_labels(out, bytes, &sum->row[i]);
            buf_puts(out, ",direction=\"to_client\"");
            put_value(out, sum->row[i].figure[TALLY_TO_CLIENT]);
            put_labels(out, bytes, &sum->row[i]);
            buf_puts(out, ",direction=\"to_origin\"");
            put_value(out, sum->row[i].figure[TALLY_TO_ORIGIN]);
        }
    }
}

void metrics_put_forwards(struct buf *out, struct service *service)
{
    struct tally_sum *sum = mem_new(sizeof(*sum));

    service_tally(service, sum);
    put_wholes(out, sum, "larder_forward_requests_total", TALLY_REQUESTS);
    put_rules(out, sum, "larder_forward_denied_total",
              "Requests that a forward proxy denied, by the rule that did.", TALLY_DENIED);
    put_rules(out, sum, "larder_forward_allowed_total",
              "Requests that a forward proxy let pass, by the rule that did.", TALLY_ALLOWED);
    put_wholes(out, sum, "larder_forward_tunnels_total", TALLY_TUNNELS_OPENED);
    put_tunnels(out, sum);
    mem_free(sum);
}
