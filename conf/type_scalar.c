/* type_scalar - see type_scalar.h. */
#include "conf/type_scalar.h"

#include "conf/value.h"

static const char *const units_size[] = {"K", "M", "G", "T"};
static const char *const units_duration[] = {"ms", "s", "m", "h", "d"};
static const char *const units_percent[] = {"%"};

static enum conf_value value_mode(struct span word, uint64_t *out)
{
    *out = 0;
    if (word.len < 3 || word.len > 4) {
        return CONF_VALUE_BAD;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '7') {
            return CONF_VALUE_BAD;
        }
        *out = *out * 8 + (uint64_t)(word.ptr[i] - '0');
    }
    return CONF_VALUE_OK;
}

static enum conf_value scalar_parse(enum schema_type type, struct span word, uint64_t *out)
{
    if (type == SCHEMA_SIZE) {
        return conf_value_size(word, out);
    }
    if (type == SCHEMA_DURATION) {
        return conf_value_duration(word, out);
    }
    if (type == SCHEMA_PERCENT) {
        return conf_value_percent(word, out);
    }
    return type == SCHEMA_MODE ? value_mode(word, out) : conf_value_count(word, out);
}

static const char *scalar_noun(enum schema_type type)
{
    if (type == SCHEMA_SIZE) {
        return "a size like 10G";
    }
    if (type == SCHEMA_DURATION) {
        return "a duration like 30s";
    }
    if (type == SCHEMA_PERCENT) {
        return "a percentage like 5%";
    }
    return type == SCHEMA_MODE ? "permission bits like 0660" : "a whole number";
}

static void scalar_units(enum schema_type type, struct conf_advice *advice)
{
    if (type == SCHEMA_SIZE) {
        advice->allowed = units_size;
        advice->allowed_count = ARRAY_LEN(units_size);
    } else if (type == SCHEMA_DURATION) {
        advice->allowed = units_duration;
        advice->allowed_count = ARRAY_LEN(units_duration);
    } else if (type == SCHEMA_PERCENT) {
        advice->allowed = units_percent;
        advice->allowed_count = ARRAY_LEN(units_percent);
    }
}

/* "10g" and "10GB" were meant as 10G, "30sec" as 30s: digits and the first letter, in its case. */
static void scalar_guess(enum schema_type type, struct span word, struct conf_shown *out)
{
    size_t digits = 0;
    uint64_t ignored;

    out->text[0] = '\0';
    while (digits < word.len && word.ptr[digits] >= '0' && word.ptr[digits] <= '9') {
        digits++;
    }
    if (digits == 0 || digits > 20 || (type != SCHEMA_SIZE && type != SCHEMA_DURATION)) {
        return;
    }
    memcpy(out->text, word.ptr, digits);
    char unit = 's';
    if (digits < word.len) {
        unit = ascii_lower(word.ptr[digits]);
    }
    if (type == SCHEMA_SIZE && unit >= 'a' && unit <= 'z') {
        unit = (char)(unit & ~0x20);
    }
    out->text[digits] = unit;
    out->text[digits + 1] = '\0';
    if (scalar_parse(type, span_of(out->text, digits + 1), &ignored) != CONF_VALUE_OK) {
        out->text[0] = '\0';
    }
}

static void scalar_report_range(struct conf_check *check, const struct conf_scalar *scalar,
                                struct conf_place place, const char *shown)
{
    struct buf range;

    buf_init(&range, 128);
    conf_scalar_print(scalar->type, scalar->min, &range);
    buf_puts(&range, "..");
    conf_scalar_print(scalar->type, scalar->max, &range);
    conf_report_add(check->report, place, NULL, "\"%s\" is out of range for \"%s\": %s", shown,
                    scalar->name, range.data);
    buf_free(&range);
}

static void scalar_report(struct conf_check *check, const struct conf_scalar *scalar,
                          struct conf_place place, struct span text, enum conf_value result)
{
    struct conf_advice advice = {0};
    struct conf_shown shown;
    struct conf_shown guess;
    const char *word = conf_show(&shown, text);

    if (result == CONF_VALUE_TOO_LARGE && scalar->max > 0) {
        scalar_report_range(check, scalar, place, word);
        return;
    }
    if (result == CONF_VALUE_UNIT) {
        scalar_units(scalar->type, &advice);
        conf_report_add(check->report, place, &advice, "\"%s\" has the wrong unit: \"%s\" takes %s",
                        word, scalar->name, scalar_noun(scalar->type));
        return;
    }
    scalar_guess(scalar->type, text, &guess);
    advice.hint = guess.text[0] == '\0' ? NULL : guess.text;
    if (result == CONF_VALUE_NO_UNIT) {
        scalar_units(scalar->type, &advice);
        conf_report_add(check->report, place, &advice, "\"%s\" needs a unit", word);
    } else {
        conf_report_add(check->report, place, &advice, "\"%s\" is not right: \"%s\" takes %s", word,
                        scalar->name, scalar_noun(scalar->type));
    }
}

bool conf_scalar_read(struct conf_check *check, const struct conf_scalar *scalar,
                      struct conf_place place, struct span text, uint64_t *out)
{
    struct conf_shown shown;
    enum conf_value result = scalar_parse(scalar->type, text, out);

    if (result != CONF_VALUE_OK) {
        scalar_report(check, scalar, place, text, result);
        return false;
    }
    if (scalar->max > 0 && (*out < scalar->min || *out > scalar->max)) {
        scalar_report_range(check, scalar, place, conf_show(&shown, text));
        return false;
    }
    return true;
}

void conf_scalar_store(enum schema_type type, void *target, uint64_t value)
{
    if (type == SCHEMA_SIZE || type == SCHEMA_DURATION) {
        memcpy(target, &value, sizeof(value));
        return;
    }
    uint32_t narrow = (uint32_t)value;
    CHECK(narrow == value);
    memcpy(target, &narrow, sizeof(narrow));
}

uint64_t conf_scalar_load(enum schema_type type, const void *target)
{
    uint64_t value;
    uint32_t narrow;

    if (type == SCHEMA_SIZE || type == SCHEMA_DURATION) {
        memcpy(&value, target, sizeof(value));
        return value;
    }
    memcpy(&narrow, target, sizeof(narrow));
    return narrow;
}

void conf_scalar_print(enum schema_type type, uint64_t value, struct buf *out)
{
    if (type == SCHEMA_SIZE) {
        conf_print_size(value, out);
    } else if (type == SCHEMA_DURATION) {
        conf_print_duration(value, out);
    } else if (type == SCHEMA_MODE) {
        buf_printf(out, "%04o", (unsigned)value);
    } else {
        buf_put_u64(out, value);
        buf_puts(out, type == SCHEMA_PERCENT ? "%" : "");
    }
}
