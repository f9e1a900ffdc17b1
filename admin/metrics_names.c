/* metrics_names - the directory: names that forward proxies' clients ask for, and how looking them up
 * goes. */
#include <inttypes.h>

#include "admin/metrics_text.h"
#include "origin/directory.h"
#include "origin/origin.h"
#include "worker/service.h"

static void put(struct buf *out, const char *name, const char *type, const char *help,
                uint64_t number)
{
    metric_head(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, number);
}

void metrics_put_names(struct buf *out, struct service *service)
{
    static const char failures[] = "larder_name_failures_total";
    struct directory_figures figures;

    directory_figures(origins_directory(service_origins(service)), &figures);
    put(out, "larder_names", "gauge",
        "Names of servers whose addresses are kept for forward proxies.", figures.names);
    put(out, "larder_name_lookups_active", "gauge", "Lookups under way.", figures.looking_up);
    put(out, "larder_name_lookups_total", "counter", "Lookups begun.", figures.lookups);
    put(out, "larder_name_answers_total", "counter",
        "Questions answered by what is kept, those who had waited for it included.",
        figures.answers);
    put(out, "larder_name_stale_total", "counter",
        "Questions answered by addresses past their time to live, as DNS failed.", figures.stale);
    metric_head(out, failures, "counter", "Lookups that found no address; busy: not begun.");
    const struct {
        const char *reason;
        uint64_t number;
    } rows[] = {{"no_such_name", figures.negatives},
                {"failed", figures.failures},
                {"timeout", figures.timeouts},
                {"busy", figures.busy}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_printf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", failures, rows[i].reason,
                   rows[i].number);
    }
}
