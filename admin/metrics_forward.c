/* metrics_forward - the forward proxies: labels are names of the configuration and our own words. */
#include "admin/access.h"
#include "admin/metrics_text.h"
#include "base/check.h"
#include "base/mem.h"
#include "users/users.h"
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
                       const char *help, enum tally_figure figure)
{
    metric_head(out, name, "counter", help);
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

static void put_logins(struct buf *out, const struct tally_sum *sum)
{
    static const char name[] = "larder_forward_logins_failed_total";
    static const struct {
        enum tally_figure figure;
        const char *outcome;
    } rows[] = {{TALLY_LOGIN_FAILED, "wrong"}, {TALLY_LOGIN_REFUSED, "refused"}};

    metric_head(out, name, "counter",
                "Requests that were denied at the login: with a wrong password, or not looked at "
                "because of too many wrong ones.");
    for (size_t i = 0; i < sum->count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(rows) && sum->row[i].rule[0] == '\0'; k++) {
            put_labels(out, name, &sum->row[i]);
            buf_printf(out, ",outcome=\"%s\"", rows[k].outcome);
            put_value(out, sum->row[i].figure[rows[k].figure]);
        }
    }
}

struct figure {
    const char *name, *type, *help;
    uint64_t number;
};

static void put_figures(struct buf *out, const struct figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metric_head(out, figures[i].name, figures[i].type, figures[i].help);
        buf_puts(out, figures[i].name);
        buf_putc(out, ' ');
        buf_put_u64(out, figures[i].number);
        buf_putc(out, '\n');
    }
}

/* What all forward proxies share: passwords being hashed. Names: metrics_names.c. */
static void put_shared(struct buf *out, struct service *service)
{
    struct users_figures users;

    users_figures(service_users(service), &users);
    const struct figure figures[] = {
        {"larder_forward_passwords_right_total", "counter",
         "Passwords hashed and found right; those known already cost no hashing.", users.right},
        {"larder_forward_passwords_wrong_total", "counter", "The same, found wrong.", users.wrong},
        {"larder_forward_passwords_full_total", "counter",
         "Passwords not looked at, because too many waited.", users.full},
        {"larder_forward_passwords_waiting", "gauge", "Passwords being looked at.", users.checks},
    };
    put_figures(out, figures, ARRAY_LEN(figures));
}

static void put_all(struct buf *out, const struct tally_sum *sum)
{
    put_wholes(out, sum, "larder_forward_requests_total",
               "Requests of the clients of forward proxies.", TALLY_REQUESTS);
    put_rules(out, sum, "larder_forward_denied_total",
              "Requests that a forward proxy denied, by the rule that did.", TALLY_DENIED);
    put_rules(out, sum, "larder_forward_allowed_total",
              "Requests that a forward proxy let pass, by the rule that did.", TALLY_ALLOWED);
    put_wholes(out, sum, "larder_forward_tunnels_total", "Tunnels opened.", TALLY_TUNNELS_OPENED);
    put_tunnels(out, sum);
    put_wholes(out, sum, "larder_forward_challenges_total",
               "407 to clients that sent no password: how a browser begins, not a denial.",
               TALLY_CHALLENGES);
    put_logins(out, sum);
}

void metrics_put_forwards(struct buf *out, struct service *service)
{
    struct conf *conf = service_conf(service);
    struct tally_sum *sum = mem_new(sizeof(*sum));
    size_t at = 0;

    service_tally(service, sum);
    access_want_rules(conf, sum);
    if (sum->count > 0) {
        put_all(out, sum);
    }
    if (access_next(conf, &at) != NULL) {
        put_shared(out, service);
    }
    mem_free(sum);
    conf_unref(conf);
}
