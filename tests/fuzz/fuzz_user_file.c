// layer: conf
/* Files of passwords and groups: the lines are parts of the text in its order, and what is taken can be handed to
 * crypt(3). */
#include <stdint.h>

#include "base/check.h"
#include "conf/conf_auth.h"
#include "conf/user_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span text, struct span part)
{
    CHECK(part.len == 0 || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len));
}

static void check_password(struct span line)
{
    struct span name;
    struct span hash;

    if (user_line_password(line, &name, &hash) == NULL) {
        CHECK(name.len > 0 && name.len <= CONF_USER_NAME_MAX && hash.len <= CONF_USER_HASH_MAX);
        CHECK(memchr(name.ptr, ':', name.len) == NULL);
        for (size_t i = 0; i < hash.len; i++) {
            CHECK(hash.ptr[i] > ' ' && hash.ptr[i] < 0x7f && hash.ptr[i] != ':');
        }
    }
    check_inside(line, name);
    check_inside(line, hash);
}

static void check_group(struct span line)
{
    struct span name;
    struct span members;
    struct span member;

    if (user_line_group(line, &name, &members) != NULL) {
        return;
    }
    check_inside(line, name);
    while (user_member_next(&members, &member)) {
        check_inside(line, member);
        CHECK(member.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct span rest = text;
    struct user_line line = {0};
    size_t number = 0;

    while (user_line_next(&rest, &line)) {
        CHECK(line.number > number && line.text.len > 0);
        number = line.number;
        check_inside(text, line.text);
        check_password(line.text);
        check_group(line.text);
    }
    return 0;
}
