/* pac - see pac.h. */
#include "site/pac.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* Helpers of the script: addresses are arrays of bytes, networks the same behind their bits. */
static const char pac_functions[] =
    "function larderFour(text) {\n"
    "    var parts = text.split(\".\"), bytes = [], i;\n"
    "    for (i = 0; i < parts.length; i++) {\n"
    "        if (!/^(0|[1-9][0-9]?[0-9]?)$/.test(parts[i]) || parts[i] > 255) { return null; }\n"
    "        bytes[i] = parts[i] - 0;\n"
    "    }\n"
    "    return bytes.length == 4 ? bytes : null;\n"
    "}\n"
    "\n"
    "function larderSix(text) {\n"
    "    var at, four, halves, head, tail, bytes = [], i;\n"
    "    text = text.replace(/^\\[|\\]$/g, \"\").replace(/%.*$/, \"\");\n"
    "    at = text.lastIndexOf(\":\");\n"
    "    if (at < 0) { return null; }\n"
    "    four = text.indexOf(\".\") < 0 ? null : larderFour(text.substring(at + 1));\n"
    "    if (four) {\n"
    "        text = text.substring(0, at + 1) + (four[0] * 256 + four[1]).toString(16) + \":\" +\n"
    "               (four[2] * 256 + four[3]).toString(16);\n"
    "    }\n"
    "    halves = text.split(\"::\");\n"
    "    head = halves[0] == \"\" ? [] : halves[0].split(\":\");\n"
    "    tail = halves.length < 2 || halves[1] == \"\" ? [] : halves[1].split(\":\");\n"
    "    if (halves.length > 2 || (halves.length == 1 && head.length != 8) ||\n"
    "        head.length + tail.length > 8 - (halves.length - 1)) { return null; }\n"
    "    while (head.length + tail.length < 8) { head[head.length] = \"0\"; }\n"
    "    head = head.concat(tail);\n"
    "    for (i = 0; i < 8; i++) {\n"
    "        if (!/^[0-9a-f]+$/.test(head[i]) || head[i].length > 4) { return null; }\n"
    "        bytes[2 * i] = parseInt(head[i], 16) >> 8;\n"
    "        bytes[2 * i + 1] = parseInt(head[i], 16) & 255;\n"
    "    }\n"
    "    for (i = 0; i < 10 && bytes[i] == 0; i++) { }\n"
    "    return i == 10 && bytes[10] == 255 && bytes[11] == 255 ? bytes.slice(12) : bytes;\n"
    "}\n"
    "\n"
    "function larderIn(address, network) {\n"
    "    var bits = network[0], i, shift;\n"
    "    if (network.length != address.length + 1) { return false; }\n"
    "    for (i = 0; bits > 0; i++, bits -= 8) {\n"
    "        shift = bits < 8 ? 8 - bits : 0;\n"
    "        if (address[i] >> shift != network[i + 1] >> shift) { return false; }\n"
    "    }\n"
    "    return true;\n"
    "}\n"
    "\n";

static const char pac_main[] =
    "    var address, i;\n"
    "    host = host.toLowerCase().replace(/\\.$/, \"\");\n"
    "    address = larderFour(host) || larderSix(host);\n"
    "    if (!address && (host.indexOf(\".\") < 0 || /\\.localhost$/.test(host))) {\n"
    "        return \"DIRECT\";\n"
    "    }\n"
    "    for (i = 0; address && i < networks.length; i++) {\n"
    "        if (larderIn(address, networks[i])) { return \"DIRECT\"; }\n"
    "    }\n"
    "    for (i = 0; i < hosts.length; i++) {\n"
    "        if (hosts[i].test(host)) { return \"DIRECT\"; }\n"
    "    }\n"
    "    return \"PROXY \" + proxy;\n"
    "}\n";

/* Loopback, this host, private, shared, link-local. */
static const char pac_networks[] =
    "        [8, 0, 0, 0, 0], [8, 127, 0, 0, 0], [8, 10, 0, 0, 0], [12, 172, 16, 0, 0],\n"
    "        [16, 192, 168, 0, 0], [16, 169, 254, 0, 0], [10, 100, 64, 0, 0],\n"
    "        [127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n"
    "        [7, 252, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n"
    "        [10, 254, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]";

bool pac_is_path(struct span path)
{
    const char *mark = path.len == 0 ? NULL : memchr(path.ptr, '?', path.len);

    if (mark != NULL) {
        path.len = (size_t)(mark - path.ptr);
    }
    return span_eq(path, SPAN("/proxy.pac")) || span_eq(path, SPAN("/wpad.dat"));
}

/* As it may stand in a string and in a regular expression. */
static void put_escaped(struct buf *out, char c)
{
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    if (is_plain) {
        buf_putc(out, c);
    } else {
        buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
    }
}

static void put_pattern(struct buf *out, struct span pattern)
{
    /* The host comes without brackets from some clients, with them from others. */
    bool is_literal = pattern.len > 2 && pattern.ptr[0] == '[';

    if (is_literal) {
        pattern = span_of(pattern.ptr + 1, pattern.len - 2);
    }
    buf_puts(out, is_literal ? "/^\\x5b?" : "/^");
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] == '*') {
            buf_puts(out, ".*");
        } else {
            put_escaped(out, pattern.ptr[i]);
        }
    }
    buf_puts(out, is_literal ? "\\x5d?$/" : "$/");
}

static void put_network(struct buf *out, const struct conf_network *network)
{
    buf_printf(out, ",\n        [%u", network->bits);
    for (unsigned i = 0; i < (network->v6 ? 16u : 4u); i++) {
        buf_printf(out, ", %u", network->address[i]);
    }
    buf_puts(out, "]");
}

void pac_write(struct buf *out, const struct conf_pac *pac, struct span proxy)
{
    const struct conf_pac_direct *direct = &pac->direct;

    if (pac->kind == CONF_PAC_FILE) {
        buf_append(out, pac->page.body);
        return;
    }
    if (pac->proxy != NULL) {
        proxy = span_str(pac->proxy);
    }
    buf_puts(out, pac_functions);
    buf_puts(out, "function FindProxyForURL(url, host) {\n    var proxy = \"");
    for (size_t i = 0; i < proxy.len; i++) {
        put_escaped(out, proxy.ptr[i]);
    }
    buf_puts(out, "\";\n    var networks = [\n");
    buf_puts(out, pac_networks);
    for (size_t i = 0; i < direct->network_count; i++) {
        put_network(out, &direct->networks[i]);
    }
    buf_puts(out, "\n    ];\n    var hosts = [");
    for (size_t i = 0; i < direct->host_count; i++) {
        buf_puts(out, i == 0 ? "\n        " : ",\n        ");
        put_pattern(out, span_str(direct->hosts[i]));
    }
    buf_puts(out, "\n    ];\n");
    buf_puts(out, pac_main);
}

struct span pac_tag(char room[PAC_TAG_BYTES], struct span file)
{
    struct hash128 hash = hash128((struct hash_seed){0}, file);

    (void)snprintf(room, PAC_TAG_BYTES, "\"%016llx%016llx\"", (unsigned long long)hash.hi,
                   (unsigned long long)hash.lo);
    return span_str(room);
}
