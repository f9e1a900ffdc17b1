/* method - names to codes, GET first. */
#include "http/method.h"

#include "base/check.h"

struct method_name {
    struct span name;
    enum http_method method;
};

enum http_method http_method_of(struct span text)
{
    static const struct method_name names[] = {
        {{"HEAD", 4}, HTTP_HEAD},       {{"POST", 4}, HTTP_POST},       {{"PUT", 3}, HTTP_PUT},
        {{"DELETE", 6}, HTTP_DELETE},   {{"OPTIONS", 7}, HTTP_OPTIONS}, {{"TRACE", 5}, HTTP_TRACE},
        {{"CONNECT", 7}, HTTP_CONNECT}, {{"PATCH", 5}, HTTP_PATCH},     {{"PURGE", 5}, HTTP_PURGE},
    };

    if (text.len == 3 && memcmp(text.ptr, "GET", 3) == 0) {
        return HTTP_GET;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq(text, names[i].name)) {
            return names[i].method;
        }
    }
    return HTTP_OTHER;
}

bool http_method_is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS ||
           method == HTTP_TRACE;
}

bool http_method_is_idempotent(enum http_method method)
{
    return http_method_is_safe(method) || method == HTTP_PUT || method == HTTP_DELETE ||
           method == HTTP_PURGE;
}
