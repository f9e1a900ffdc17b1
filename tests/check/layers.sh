#!/bin/sh
# The arrows between folders: a file includes only its own folder and the layers it may use, and each third-party
# header stays in its folder and out of the headers that others include (*private.h may have it).
cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 exec python3 - <<'PY'
import os
import re
import sources

BELOW_EXCHANGE = {"fill", "site", "record", "access", "users", "tunnel", "press", "limit", "origin", "fetch", "net", "store",
                  "conf", "http", "base"}
MAY_USE = {
    "base": set(), "http": {"base"}, "conf": {"base"}, "store": {"base"}, "www": {"base"}, "demo": {"base", "http"},
    "cli": {"base", "conf"}, "press": {"base"}, "net": {"base", "http"}, "fetch": {"base", "http", "net"},
    "limit": {"base"}, "access": {"base", "http", "conf"}, "users": {"base", "conf", "net"}, "tunnel": {"base", "http", "net"},
    "origin": {"base", "http", "conf", "net", "fetch"}, "record": {"base", "conf"},
    "site": {"base", "http", "conf", "limit", "access", "fetch", "origin", "record"},
    "fill": {"base", "http", "conf", "store", "net", "fetch", "press", "access", "origin", "record", "site"},
    "exchange": BELOW_EXCHANGE,
    "explain": {"base", "http", "conf", "store", "net", "access", "origin", "site", "fill", "exchange"},
    "worker": BELOW_EXCHANGE | {"exchange"}, "admin": BELOW_EXCHANGE | {"explain", "worker", "www"},
}
OUTSIDE = [  # header, the layers whose .c files may include it
    (r"rocksdb/", {"store"}), (r"curl/", {"fetch", "cli"}), (r"microhttpd\.h", {"admin"}),
    (r"c?json/|cJSON", {"admin", "cli"}), (r"xxhash\.h|pcre2\.h", {"base"}), (r"zlib\.h|brotli/", {"press"}), (r"openssl/evp\.h", {"admin", "users"}), (r"crypt\.h", {"users"}), (r"openssl/(?!evp)", {"conf", "fetch"}),
    (r"nghttp2/", {"fetch"}), (r"ares", {"origin"}), (r"gnutls/", set()),
]
problems = []
for path in sources.files(".c", ".h"):
    parts = path.split(os.sep)
    layer = parts[1] if parts[0] == "proxy" and len(parts) == 3 else parts[0]
    is_program = parts[0] == "proxy" and len(parts) == 2
    if not is_program and layer not in MAY_USE:
        problems.append(f"{path}: this folder is no known layer")
        continue
    for number, line in enumerate(sources.without_comments(sources.text(path), True).splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if not found:
            continue
        kind, header = found.groups()
        for pattern, layers in OUTSIDE:
            is_open = path.endswith(".h") and not path.endswith("private.h")
            if re.match(pattern, header) and (is_open or layer not in layers or is_program):
                problems.append(f"{path}:{number}: {header} does not belong here")
        if kind == "<":
            continue
        folder = header.split("/")[0] if "/" in header else layer
        if header.endswith("private.h") and folder != layer:
            problems.append(f"{path}:{number}: \"{header}\" is private to {folder}")
        if ".." in header or (not is_program and folder != layer and folder not in MAY_USE[layer]):
            problems.append(f"{path}:{number}: {layer} may not include \"{header}\"")
sources.finish("layers: the arrows between folders", problems)
PY
