/*
 * fill_sticky - the cookie that keeps a client with its server. It is never stored: only a response
 * that is not kept sets it, and only for the client it is sent to.
 */
#include "fill/fill_private.h"

#define COOKIE_DIGITS 8u

uint32_t fill_sticky_id(struct span text)
{
    uint32_t id = 0;

    if (text.len != COOKIE_DIGITS) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        if (c >= '0' && c <= '9') {
            id = id << 4 | (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            id = id << 4 | (uint32_t)(c - 'a' + 10);
        } else {
            return 0;
        }
    }
    return id;
}

void fill_sticky_note(struct fill *fill)
{
    const struct conf_sticky *sticky = &site_pool(fill->site, &fill->policy)->conf->sticky;
    struct fill_owner *owner = fill->owner;

    if (LIKELY(sticky->cookie == NULL) || owner == NULL || fill->background ||
        fill->claim.server == NULL) {
        return;
    }
    uint32_t id = origin_server_id(fill->claim.server);
    if (id == fill->want.sticky) {
        return;
    }
    struct span age = sticky->max_age_ms == 0
                          ? SPAN("")
                          : arena_printf(owner->arena, "; Max-Age=%llu",
                                         (unsigned long long)((sticky->max_age_ms + 999) / 1000));
    owner->sticky_line =
        arena_printf(owner->arena, "Set-Cookie: %s=%08x; Path=/%.*s; HttpOnly; SameSite=Lax%s\r\n",
                     sticky->cookie, id, (int)age.len, age.len == 0 ? "" : age.ptr,
                     fill->client.is_https ? "; Secure" : "");
}
