/* net - see net.h. inet_pton does the addresses; it takes no zones, no octal and no short forms. */
#include "conf/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool net_port(struct span word, uint16_t *out)
{
    uint64_t port;

    if (word.len > 5 || !span_to_u64(word, 65535, &port) || port == 0) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

static bool net_pton(int family, struct span word, void *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

/* Splits "[host]:port", "host:port" at the colon that counts. False: no port. */
static bool net_split(struct span word, struct span *host, struct span *port)
{
    const char *colon = memrchr(word.ptr, ':', word.len);
    const char *bracket = memrchr(word.ptr, ']', word.len);

    *host = word;
    *port = (struct span){0};
    if (colon == NULL || (bracket != NULL && bracket > colon)) {
        return false;
    }
    *host = span_of(word.ptr, (size_t)(colon - word.ptr));
    *port = span_of(colon + 1, word.len - host->len - 1);
    return true;
}

static bool net_is_bracketed(struct span host)
{
    return host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
}

static struct span net_unbracket(struct span host)
{
    return net_is_bracketed(host) ? span_of(host.ptr + 1, host.len - 2) : host;
}

static void listen_set6(struct conf_listen *out, const struct in6_addr *address)
{
    struct sockaddr_in6 socket_address = {
        .sin6_family = AF_INET6, .sin6_port = htons(out->port), .sin6_addr = *address};

    memcpy(&out->address, &socket_address, sizeof(socket_address));
    out->address_len = sizeof(socket_address);
}

static void listen_set4(struct conf_listen *out, struct in_addr address)
{
    struct sockaddr_in socket_address = {
        .sin_family = AF_INET, .sin_port = htons(out->port), .sin_addr = address};

    memcpy(&out->address, &socket_address, sizeof(socket_address));
    out->address_len = sizeof(socket_address);
}

enum conf_net conf_net_listen(struct span word, struct conf_listen *out)
{
    struct span host;
    struct span port;
    struct in_addr v4;
    struct in6_addr v6 = IN6ADDR_ANY_INIT;

    *out = (struct conf_listen){0};
    if (word.len == 0) {
        return CONF_NET_FORM;
    }
    if (!net_split(word, &host, &port)) {
        return CONF_NET_NO_PORT;
    }
    if (!net_port(port, &out->port)) {
        return CONF_NET_PORT;
    }
    if (host.len == 0) {
        out->any = true;
        listen_set6(out, &v6);
    } else if (net_is_bracketed(host) && net_pton(AF_INET6, net_unbracket(host), &v6)) {
        listen_set6(out, &v6);
    } else if (net_pton(AF_INET, host, &v4)) {
        listen_set4(out, v4);
    } else {
        return CONF_NET_ADDRESS;
    }
    return CONF_NET_OK;
}

/* Are all bits of the address behind the prefix zero? */
static bool network_is_clean(const struct conf_network *network, unsigned all_bits)
{
    for (unsigned bit = network->bits; bit < all_bits; bit++) {
        if ((network->address[bit / 8] & (0x80 >> (bit % 8))) != 0) {
            return false;
        }
    }
    return true;
}

/* An IPv4 network in IPv6 clothes means the clients that come without them. */
static void network_undress(struct conf_network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (!network->v6 || network->bits < 96 ||
        memcmp(network->address, mapped, sizeof(mapped)) != 0) {
        return;
    }
    memcpy(network->address, network->address + 12, 4);
    memset(network->address + 4, 0, sizeof(network->address) - 4);
    network->v6 = false;
    network->bits = (uint8_t)(network->bits - 96);
}

enum conf_net conf_net_network(struct span word, struct conf_network *out)
{
    const char *slash = word.len == 0 ? NULL : memchr(word.ptr, '/', word.len);
    struct span address = slash == NULL ? word : span_of(word.ptr, (size_t)(slash - word.ptr));

    *out = (struct conf_network){0};
    if (net_pton(AF_INET6, net_unbracket(address), out->address)) {
        out->v6 = true;
    } else if (!net_pton(AF_INET, address, out->address)) {
        return CONF_NET_ADDRESS;
    }
    unsigned all_bits = out->v6 ? 128 : 32;
    uint64_t bits = all_bits;
    if (slash != NULL &&
        !span_to_u64(span_of(slash + 1, word.len - address.len - 1), all_bits, &bits)) {
        return CONF_NET_BITS;
    }
    out->bits = (uint8_t)bits;
    if (!network_is_clean(out, all_bits)) {
        return CONF_NET_BITS;
    }
    network_undress(out);
    return CONF_NET_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool host_label(struct span label, bool *all_digits)
{
    *all_digits = true;
    if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        char c = ascii_lower(label.ptr[i]);
        *all_digits = *all_digits && is_digit(c);
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

bool conf_net_is_host(struct span word)
{
    uint8_t address[16];
    bool all_digits = false;
    size_t start = 0;

    if (net_is_bracketed(word)) {
        return net_pton(AF_INET6, net_unbracket(word), address);
    }
    if (word.len == 0 || word.len > CONF_HOST_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i <= word.len; i++) {
        if (i == word.len || word.ptr[i] == '.') {
            if (!host_label(span_of(word.ptr + start, i - start), &all_digits)) {
                return false;
            }
            start = i + 1;
        }
    }
    /* What ends in a number is an IPv4 address or a mistake. */
    return !all_digits || net_pton(AF_INET, word, address);
}

bool conf_net_is_authority(struct span word)
{
    struct span host;
    struct span port;
    uint16_t number;

    if (word.len == 0) {
        return false;
    }
    return net_split(word, &host, &port) ? conf_net_is_host(host) && net_port(port, &number)
                                         : conf_net_is_host(word);
}

static bool starts_nocase(struct span word, struct span prefix)
{
    return word.len >= prefix.len && span_eq_nocase(span_of(word.ptr, prefix.len), prefix);
}

enum conf_net conf_net_url(struct span word, bool *has_tls, struct span *host, uint16_t *port)
{
    struct span scheme = SPAN("http://");
    struct span port_word;

    *has_tls = starts_nocase(word, SPAN("https://"));
    if (*has_tls) {
        scheme = SPAN("https://");
    }
    if (!starts_nocase(word, scheme)) {
        return CONF_NET_SCHEME;
    }
    struct span rest = span_of(word.ptr + scheme.len, word.len - scheme.len);
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/') {
        rest.len--;
    }
    if (rest.len == 0) {
        return CONF_NET_HOST;
    }
    if (memchr(rest.ptr, '/', rest.len) != NULL || memchr(rest.ptr, '?', rest.len) != NULL ||
        memchr(rest.ptr, '#', rest.len) != NULL) {
        return CONF_NET_PATH;
    }
    if (memchr(rest.ptr, '@', rest.len) != NULL) {
        return CONF_NET_USER;
    }
    *port = *has_tls ? 443 : 80;
    if (net_split(rest, host, &port_word) && !net_port(port_word, port)) {
        return CONF_NET_PORT;
    }
    if (!conf_net_is_host(*host)) {
        return CONF_NET_HOST;
    }
    *host = net_unbracket(*host);
    return CONF_NET_OK;
}

/* The 4 or 16 address bytes of a peer; an IPv4 address mapped into IPv6 comes out as IPv4. */
static const uint8_t *net_bytes(const struct sockaddr *peer, bool *v6)
{
    const uint8_t *bytes;

    *v6 = false;
    if (peer->sa_family == AF_INET) {
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)peer)->sin_addr;
    }
    if (peer->sa_family != AF_INET6) {
        return NULL;
    }
    const struct in6_addr *address = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    bytes = address->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        return bytes + 12;
    }
    *v6 = true;
    return bytes;
}

bool conf_net_is_loopback(const struct sockaddr_storage *address)
{
    bool v6;
    const uint8_t *bytes = net_bytes((const struct sockaddr *)(const void *)address, &v6);
    static const uint8_t one[16] = {[15] = 1};

    if (bytes == NULL) {
        return false;
    }
    return v6 ? memcmp(bytes, one, sizeof(one)) == 0 : bytes[0] == 127;
}

static bool network_match(const struct conf_network *network, const uint8_t *bytes)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (memcmp(network->address, bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((network->address[whole] ^ bytes[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

bool conf_networks_match(const struct conf_networks *networks, const struct sockaddr *peer)
{
    bool v6;
    const uint8_t *bytes = net_bytes(peer, &v6);

    for (size_t i = 0; bytes != NULL && i < networks->count; i++) {
        if (networks->list[i].v6 == v6 && network_match(&networks->list[i], bytes)) {
            return true;
        }
    }
    return false;
}
