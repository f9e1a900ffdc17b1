/* type_trust - `trust`: whose forwarding fields are believed, and which. */
#include "conf/type.h"

static const char *const words_by[] = {"x_forwarded", "rfc7239"};

/* off; [x_forwarded | rfc7239] NETWORK... */
static bool trust_set(const struct conf_item *item)
{
    struct conf_trust *trust = item->target;

    if (!conf_item_expect(item, 1, SIZE_MAX)) {
        return false;
    }
    *trust = (struct conf_trust){.is_set = true};
    if (span_eq(item->words[0].text, SPAN("off"))) {
        return conf_item_expect(item, 1, 1);
    }
    size_t by = 0;
    while (by < ARRAY_LEN(words_by) && !span_eq(item->words[0].text, span_str(words_by[by]))) {
        by++;
    }
    if (by == ARRAY_LEN(words_by)) {
        return conf_item_networks(item, 0, &trust->networks);
    }
    trust->by = (enum conf_trust_by)by;
    return conf_item_expect(item, 2, SIZE_MAX) && conf_item_networks(item, 1, &trust->networks);
}

static bool trust_print(const struct schema_row *row, const void *owner, const void *value,
                        struct buf *out)
{
    const struct conf_trust *trust = value;

    (void)row;
    (void)owner;
    if (trust->networks.count == 0) {
        buf_puts(out, "off");
        return trust->is_set;
    }
    buf_printf(out, "%s ", words_by[trust->by]);
    return conf_print_networks(&trust->networks, out);
}

const struct conf_type conf_type_trust = {trust_set, trust_print};
