// layer: http
/* rewrite: targets stay paths, references never come to name a host they did not, and both keep to
 * their room. The input: strip, add, then the target or reference, with a NUL between. */
#include "base/check.h"
#include "base/mem.h"
#include "http/path.h"
#include "http/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span part_next(struct span *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\0', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    struct span part = span_of(rest->ptr, len);
    size_t used = end == NULL ? len : len + 1;
    *rest = span_of(rest->ptr + used, rest->len - used);
    return part;
}

/* What the configuration lets through: "/a/b", no "/" at the end, nothing odd. */
static struct span prefix_next(struct span *rest)
{
    struct span prefix = part_next(rest);
    bool good = prefix.len > 1 && prefix.ptr[0] == '/' && prefix.ptr[prefix.len - 1] != '/' &&
                !http_path_is_odd(prefix) && http_path_end(prefix) == prefix.len &&
                memchr(prefix.ptr, '#', prefix.len) == NULL;
    return good ? prefix : SPAN("");
}

static void check_target(const struct http_rewrite *rewrite, struct span target)
{
    bool is_stripped;
    char *room = mem_new(http_rewrite_bytes(rewrite, target));
    struct span out = http_rewrite_target(room, target, rewrite, &is_stripped);
    CHECK(target.len == 0 || target.ptr[0] != '/' || out.ptr[0] == '/');
    CHECK(target.len > 0 || out.len == 0);
    mem_free(room);
}

static void check_reference(const struct http_rewrite *rewrite, struct span reference)
{
    const struct http_rewrite_back back = {
        .rewrite = *rewrite,
        .client = SPAN("pub.test"),
        .host = SPAN("app"),
        .server = SPAN("10.0.0.1:8080"),
        .scheme = SPAN("http"),
    };
    char *room = mem_new(http_rewrite_reference_bytes(&back, reference));
    struct span out = http_rewrite_reference(room, reference, &back);
    if (out.ptr == room && out.len > 0) { /* changed: a path, or the client's own authority still */
        CHECK(out.ptr[0] == '/' || span_starts(out, SPAN("h")) || span_starts(out, SPAN("H")));
        bool names_host = span_starts(out, SPAN("//")) || span_starts(out, SPAN("/\\"));
        CHECK(!names_host || span_starts(reference, SPAN("//")));
    }
    mem_free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_new(size + 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    struct span rest = span_of(copy, size);
    struct http_rewrite rewrite;
    rewrite.strip = prefix_next(&rest);
    rewrite.add = prefix_next(&rest);
    struct span text = part_next(&rest);
    check_target(&rewrite, text);
    check_reference(&rewrite, text);
    mem_free(copy);
    return 0;
}
