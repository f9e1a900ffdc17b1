// layer: limit
/*
 * The file of quotas: the bytes as they are, and as the lines of a file whose frame is right, since a
 * hash is not to be guessed. What is read is written, read again, and written the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
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

/* Writes what was kept. */
static void write_kept(struct buf *out)
{
    static struct quota_view list[ARRAY_LEN(kept)];
    for (size_t i = 0; i < count; i++) {
        list[i] = kept[i].view;
    }
    quota_file_write(out, list, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hash_seed seed = {.value = 0x71756f746173};
    struct buf text;
    struct buf first;
    struct buf second;
    size_t lines = 0;

    buf_init(&text, 1 << 20);
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    count = 0;
    buf_append(&text, span_of((const char *)data, size));
    (void)quota_file_read(buf_span(&text), take, NULL);
    buf_clear(&text);
    buf_puts(&text, "larder-quotas 1\n");
    buf_append(&text, span_of((const char *)data, size));
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n' ? 1 : 0;
    }
    buf_printf(&text, "end %zu %016llx\n", lines,
               (unsigned long long)hash64(seed, buf_span(&text)));
    count = 0;
    if (quota_file_read(buf_span(&text), take, NULL) == NULL && count <= ARRAY_LEN(kept)) {
        write_kept(&first);
        count = 0;
        CHECK(quota_file_read(buf_span(&first), take, NULL) == NULL);
        write_kept(&second);
        CHECK(span_eq(buf_span(&first), buf_span(&second)));
    }
    buf_free(&text);
    buf_free(&first);
    buf_free(&second);
    return 0;
}
