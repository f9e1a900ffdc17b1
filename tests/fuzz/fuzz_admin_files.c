// layer: admin
/* The admin server's own files and texts, damaged: tokens, history; and the JSON writer's promise.
 */
#include "admin/history.h"
#include "admin/json.h"
#include "admin/tokens.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_history(struct span file)
{
    struct history *history = history_new();
    struct history_sum sum;

    if (history_read(history, file, 1800000000) == ERR_OK) {
        history_last_day(history, 1800000000, &sum);
    }
    history_free(&history);
}

static void try_json(struct span text)
{
    struct buf out;
    struct json json;

    buf_init(&out, 1 << 20);
    json_init(&json, &out);
    json_string(&json, text);
    CHECK(!out.failed && out.len >= 2 && out.data[0] == '"' && out.data[out.len - 1] == '"');
    for (size_t i = 1; i + 1 < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        CHECK(c >= 0x20 && c != '"' && c != '<' && c != 0x7f);
        i += c == '\\';
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct tokens *tokens = mem_new(sizeof(*tokens));

    tokens_parse(text, tokens);
    CHECK(tokens->count <= TOKENS_MAX);
    mem_free(tokens);
    try_json(text);
    if (size > 16 && data[0] == 'A') {
        try_history(text);
    }
    return 0;
}
