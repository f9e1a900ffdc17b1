/* access_address - see access_address.h. Tables by the IANA registries of special-purpose addresses
 * (RFC 6890), and address blocks that were given up but are still routed by some. */
#include "access/access_address.h"

#include <string.h>

#include "base/interfaces.h"
#include "base/netset.h"

struct block_v4 {
    uint32_t first;
    uint8_t bits;
    uint8_t class;
};

static const struct block_v4 blocks_v4[] = {
    {0x00000000, 32, CONF_ACL_LOOPBACK},  /* 0.0.0.0: a connect goes to this machine */
    {0x00000000, 8, CONF_ACL_PRIVATE},    /* this network */
    {0x0a000000, 8, CONF_ACL_PRIVATE},    /* RFC 1918 */
    {0x64400000, 10, CONF_ACL_PRIVATE},   /* shared with a carrier's NAT */
    {0x7f000000, 8, CONF_ACL_LOOPBACK},   /* RFC 1122 */
    {0xa9fe0000, 16, CONF_ACL_LINKLOCAL}, /* and where clouds keep their secrets */
    {0xac100000, 12, CONF_ACL_PRIVATE},   /* RFC 1918 */
    {0xc0000000, 24, CONF_ACL_PRIVATE},   /* protocol assignments */
    {0xc0000200, 24, CONF_ACL_PRIVATE},   /* documentation */
    {0xc0586300, 24, CONF_ACL_PRIVATE},   /* 6to4 relays, given up */
    {0xc0a80000, 16, CONF_ACL_PRIVATE},   /* RFC 1918 */
    {0xc6120000, 15, CONF_ACL_PRIVATE},   /* benchmarks */
    {0xc6336400, 24, CONF_ACL_PRIVATE},   /* documentation */
    {0xcb007100, 24, CONF_ACL_PRIVATE},   /* documentation */
    {0xe0000000, 4, CONF_ACL_MULTICAST},  /* RFC 1112 */
    {0xffffffff, 32, CONF_ACL_MULTICAST}, /* broadcast */
    {0xf0000000, 4, CONF_ACL_PRIVATE},    /* reserved */
};

static enum conf_acl_to class_v4(const uint8_t bytes[4])
{
    uint32_t address =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    for (size_t i = 0; i < ARRAY_LEN(blocks_v4); i++) {
        if ((address ^ blocks_v4[i].first) >> (32 - blocks_v4[i].bits) == 0) {
            return (enum conf_acl_to)blocks_v4[i].class;
        }
    }
    return CONF_ACL_PUBLIC;
}

struct block_v6 {
    uint8_t first[6];
    uint8_t bits; /* at most 48 */
    uint8_t class;
};

static const struct block_v6 blocks_v6[] = {
    {{0xff}, 8, CONF_ACL_MULTICAST},
    {{0xfe, 0x80}, 10, CONF_ACL_LINKLOCAL},
    {{0x20, 0x01, 0x00}, 23, CONF_ACL_PRIVATE},       /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, CONF_ACL_PRIVATE}, /* documentation */
    {{0x3f, 0xff, 0x00}, 20, CONF_ACL_PRIVATE},       /* documentation */
    {{0x20}, 3, CONF_ACL_PUBLIC},                     /* all that was given out so far */
};

static bool starts_with(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    return memcmp(bytes, prefix, bits / 8) == 0 &&
           (bits % 8 == 0 || (bytes[bits / 8] ^ prefix[bits / 8]) >> (8 - bits % 8) == 0);
}

static enum conf_acl_to class_v6(const uint8_t bytes[16])
{
    static const uint8_t zeros[15] = {0};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(bytes, zeros, sizeof(zeros)) == 0 && bytes[15] <= 1) {
        return CONF_ACL_LOOPBACK; /* ::, ::1 */
    }
    if (memcmp(bytes, nat64, sizeof(nat64)) == 0) {
        return class_v4(bytes + 12);
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x02) { /* 6to4 */
        return class_v4(bytes + 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(blocks_v6); i++) {
        if (starts_with(bytes, blocks_v6[i].first, blocks_v6[i].bits)) {
            return (enum conf_acl_to)blocks_v6[i].class;
        }
    }
    return CONF_ACL_PRIVATE;
}

enum conf_acl_to access_address_class(const struct sockaddr *address)
{
    bool v6 = false;
    const uint8_t *bytes = netset_bytes(address, &v6);
    if (bytes == NULL) {
        return CONF_ACL_PRIVATE;
    }
    return v6 ? class_v6(bytes) : class_v4(bytes);
}

const char *access_class_name(enum conf_acl_to class)
{
    switch (class) {
    case CONF_ACL_PUBLIC:
        return "public";
    case CONF_ACL_LOOPBACK:
        return "loopback";
    case CONF_ACL_LINKLOCAL:
        return "linklocal";
    case CONF_ACL_MULTICAST:
        return "multicast";
    case CONF_ACL_SELF:
        return "self";
    case CONF_ACL_PRIVATE:
        break;
    }
    return "private";
}

static bool is_zero(const uint8_t *bytes, bool v6)
{
    static const uint8_t zeros[16] = {0};
    return memcmp(bytes, zeros, v6 ? 16 : 4) == 0;
}

/* Does this listener take connections to that address? */
static bool listens_at(const struct conf_listen *listen, const struct sockaddr *address)
{
    const struct sockaddr *own = (const struct sockaddr *)&listen->address;
    bool own_v6 = false;
    bool v6 = false;
    const uint8_t *own_bytes = netset_bytes(own, &own_v6);
    const uint8_t *bytes = netset_bytes(address, &v6);

    if (bytes == NULL || own_bytes == NULL) {
        return false;
    }
    enum conf_acl_to class = access_address_class(address);
    if (listen->any || is_zero(own_bytes, own_v6)) {
        return class == CONF_ACL_LOOPBACK || interfaces_has(address);
    }
    if (is_zero(bytes, v6)) { /* it leads to 127.0.0.1 or ::1 */
        return access_address_class(own) == CONF_ACL_LOOPBACK;
    }
    return v6 == own_v6 && memcmp(bytes, own_bytes, v6 ? 16 : 4) == 0;
}

bool access_is_self(const struct conf *conf, const struct sockaddr *address, uint16_t port)
{
    for (size_t i = 0; i < conf->listen_count; i++) {
        if (conf->listens[i].port == port && listens_at(&conf->listens[i], address)) {
            return true;
        }
    }
    return conf->admin.enabled && conf->admin.listen.port == port &&
           listens_at(&conf->admin.listen, address);
}
