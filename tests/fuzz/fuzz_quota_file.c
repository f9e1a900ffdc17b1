// layer: limit
/* The file of quotas: whatever is read back is written the same. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "limit/quota_file.h"

struct kept {
    struct quota_view view;
    char site[256], name[256];
};

static struct kept kept[64];
static size_t count;

static void take(void *ctx, const struct quota_view *view)
{
    (void)ctx;
    if (count < ARRAY_LEN(kept)) {
        struct kept *out = &kept[count];
        out->view = *view;
        strcpy(out->site, view->site); /* NOLINT */
        strcpy(out->name, view->name); /* NOLINT */
        out->view.site = out->site;
        out->view.name = out->name;
    }
    count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct quota_view list[ARRAY_LEN(kept)];
    char *copy = malloc(size + 1);
    struct buf text;

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    count = 0;
    buf_init(&text, 1 << 20);
    /* As lines of a file whose frame is right, since no fuzzer finds a hash. */
    buf_puts(&text, "");
    const char *fault = quota_file_read(span_of(copy, size), take, NULL);
    if (fault == NULL && count <= ARRAY_LEN(kept)) {
        for (size_t i = 0; i < count; i++) {
            list[i] = kept[i].view;
        }
        quota_file_write(&text, list, count);
        CHECK(span_eq(buf_span(&text), span_of(copy, size)));
    }
    buf_free(&text);
    free(copy);
    return 0;
}
