/*
 * value - one spelling per value: units are case-sensitive ("M" is a size, "m" minutes), there are
 * no fractions, and a duration needs its unit, so that nobody has to guess what "30" was.
 */
#include "conf/value.h"

#include "conf/conf.h"
#include "conf/utf8.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"T", (uint64_t)1 << 40},
    {"G", (uint64_t)1 << 30},
    {"M", (uint64_t)1 << 20},
    {"K", (uint64_t)1 << 10},
};

static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

static const struct unit *unit_find(const struct unit *units, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(name, span_str(units[i].name))) {
            return &units[i];
        }
    }
    return NULL;
}

/* Splits digits from the unit behind them. */
static enum conf_value value_split(struct span word, uint64_t *number, struct span *unit)
{
    size_t digits = 0;

    while (digits < word.len && word.ptr[digits] >= '0' && word.ptr[digits] <= '9') {
        digits++;
    }
    *unit = span_of(word.ptr + digits, word.len - digits);
    if (digits == 0) {
        return CONF_VALUE_BAD;
    }
    if (!span_to_u64(span_of(word.ptr, digits), UINT64_MAX, number)) {
        return CONF_VALUE_TOO_LARGE;
    }
    return CONF_VALUE_OK;
}

static enum conf_value value_scale(uint64_t number, uint64_t factor, uint64_t *out)
{
    if (number > UINT64_MAX / factor) {
        return CONF_VALUE_TOO_LARGE;
    }
    *out = number * factor;
    return CONF_VALUE_OK;
}

/* A unit we did not take here: one of another kind, or nothing we know? */
static enum conf_value value_other_unit(struct span unit)
{
    bool known = unit_find(size_units, SIZE_UNITS, unit) != NULL ||
                 unit_find(duration_units, DURATION_UNITS, unit) != NULL ||
                 span_eq(unit, SPAN("%"));

    return known ? CONF_VALUE_UNIT : CONF_VALUE_BAD;
}

enum conf_value conf_value_count(struct span word, uint64_t *out)
{
    struct span unit;
    enum conf_value result = value_split(word, out, &unit);

    if (result == CONF_VALUE_OK && unit.len > 0) {
        return value_other_unit(unit);
    }
    return result;
}

/* A number with one of these units, or without any. */
static enum conf_value value_measured(struct span word, const struct unit *units, size_t count,
                                      uint64_t *out, bool *has_unit)
{
    struct span unit;
    enum conf_value result = value_split(word, out, &unit);

    *has_unit = unit.len > 0;
    if (result != CONF_VALUE_OK || !*has_unit) {
        return result;
    }
    const struct unit *found = unit_find(units, count, unit);
    return found == NULL ? value_other_unit(unit) : value_scale(*out, found->factor, out);
}

enum conf_value conf_value_size(struct span word, uint64_t *out_bytes)
{
    bool has_unit;

    return value_measured(word, size_units, SIZE_UNITS, out_bytes, &has_unit);
}

enum conf_value conf_value_duration(struct span word, uint64_t *out_ms)
{
    bool has_unit;
    enum conf_value result =
        value_measured(word, duration_units, DURATION_UNITS, out_ms, &has_unit);

    return result == CONF_VALUE_OK && !has_unit && *out_ms > 0 ? CONF_VALUE_NO_UNIT : result;
}

enum conf_value conf_value_percent(struct span word, uint64_t *out)
{
    struct span unit;
    enum conf_value result = value_split(word, out, &unit);

    if (result != CONF_VALUE_OK) {
        return result;
    }
    if (unit.len == 0) {
        return CONF_VALUE_NO_UNIT;
    }
    if (!span_eq(unit, SPAN("%"))) {
        return value_other_unit(unit);
    }
    return *out > 100 ? CONF_VALUE_TOO_LARGE : CONF_VALUE_OK;
}

enum conf_value conf_value_switch(struct span word, bool *out)
{
    *out = span_eq(word, SPAN("on"));
    return *out || span_eq(word, SPAN("off")) ? CONF_VALUE_OK : CONF_VALUE_BAD;
}

static void print_unit(uint64_t value, const struct unit *units, size_t count, struct buf *out)
{
    for (size_t i = 0; value > 0 && i < count; i++) {
        if (value % units[i].factor == 0) {
            buf_put_u64(out, value / units[i].factor);
            buf_puts(out, units[i].name);
            return;
        }
    }
    buf_put_u64(out, value);
}

void conf_print_size(uint64_t bytes, struct buf *out)
{
    print_unit(bytes, size_units, SIZE_UNITS, out);
}

void conf_print_duration(uint64_t ms, struct buf *out)
{
    print_unit(ms, duration_units, DURATION_UNITS, out);
}

void conf_print_word(const char *word, struct buf *out)
{
    bool is_plain = word[0] != '\0' && word[strcspn(word, " \t\r\n;{}\"#$\\")] == '\0';

    if (is_plain && strncmp(word, UTF8_MARK, UTF8_MARK_BYTES) != 0) {
        buf_puts(out, word);
        return;
    }
    buf_putc(out, '"');
    for (const char *at = word; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || *at == '$') {
            buf_putc(out, '\\');
        }
        buf_putc(out, *at);
    }
    buf_putc(out, '"');
}

bool conf_print_words(const struct conf_names *names, struct buf *out)
{
    for (size_t i = 0; i < names->count; i++) {
        buf_puts(out, i == 0 ? "" : " ");
        conf_print_word(names->list[i], out);
    }
    return names->count > 0;
}
