// layer: conf
/* Arbitrary bytes through tokenizer, parser and checker; what loads must dump and load back the
 * same. */
#include <stdint.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DUMP_BYTES ((size_t)1 << 20)

static void print_report(const struct conf_report *report)
{
    struct buf out;

    buf_init(&out, DUMP_BYTES);
    conf_report_print(report, &out);
    conf_report_print_json(report, &out);
    CHECK(!out.failed);
    buf_free(&out);
}

static void check_dump(const struct conf *conf)
{
    const unsigned flags = CONF_SEALED | CONF_PORTABLE;
    struct conf_report *report = conf_report_new();
    struct conf *again;
    struct buf first;
    struct buf second;

    buf_init(&first, DUMP_BYTES);
    buf_init(&second, DUMP_BYTES);
    conf_print_effective(conf, true, &first);
    if (!first.failed) {
        CHECK(conf_load_text("dump", buf_span(&first), flags, &again, report) == ERR_OK);
        CHECK(conf_diff_restart(conf, again, &second) == 0);
        conf_unref(again);
    }
    conf_report_free(report);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_report *report = conf_report_new();
    struct conf *conf;
    enum err err = conf_load_text("fuzz", span_of((const char *)data, size),
                                  CONF_SEALED | CONF_PORTABLE, &conf, report);

    CHECK((err == ERR_OK) == (conf != NULL) && (err == ERR_OK) == (conf_report_count(report) == 0));
    print_report(report);
    if (conf != NULL) {
        check_dump(conf);
    }
    conf_unref(conf);
    conf_report_free(report);
    return 0;
}
