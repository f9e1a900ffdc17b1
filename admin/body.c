/* body - depth and NUL are judged before cJSON sees a byte: it recurses, and it ends strings at
 * NUL. */
#include "admin/body.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "admin/problem.h"

#define BODY_DEPTH_MAX 16

/* Deepest nesting outside of strings; -1: a NUL, raw or as an escape. */
static int body_depth(struct span text)
{
    int depth = 0;
    int deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\0') {
            return -1;
        }
        if (in_string && c == '\\') {
            if (text.len - i >= 6 && memcmp(text.ptr + i, "\\u0000", 6) == 0) {
                return -1;
            }
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (!in_string && (c == '}' || c == ']')) {
            depth--;
        }
    }
    return deepest;
}

cJSON *body_parse(struct admin_request *request)
{
    struct span text = buf_span(&request->body);
    const char *end = NULL;
    cJSON *json = NULL;

    int depth = body_depth(text);
    if (depth >= 0 && depth <= BODY_DEPTH_MAX && text.len > 0) {
        json = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
    }
    while (json != NULL && end < text.ptr + text.len && strchr(" \t\r\n", *end) != NULL) {
        end++;
    }
    if (!cJSON_IsObject(json) || end != text.ptr + text.len) {
        cJSON_Delete(json);
        problem_reply(request, PROBLEM_BAD_REQUEST,
                      "the body must be one JSON object, nested at most %d deep, without NUL",
                      BODY_DEPTH_MAX);
        return NULL;
    }
    return json;
}

const char *body_text(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}
