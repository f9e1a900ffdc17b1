"""https:// URLs that a forward proxy fetches itself, when it may: verified, by the address that was looked up, cached."""
from case import free_port, reply, same
from forwarding import ACL
from tls import Authority, TlsOrigin
from w20_names import dns, get, proxy


def fetcher(t, server, ca, **words):
    origins = f"timeout connect=10s first_byte=20s idle=20s; tls ca={ca.path};"
    return proxy(t, server, origins=origins, block="fetch_https on;", **words)


def test_off_by_default(t):
    """Not unless the configuration says so: 403 with its own reason, nobody is asked, not even DNS."""
    origin = t.origin(default=reply("x"))
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    larder = proxy(t, server, acl="acl { allow tests port 1-65535; }")
    response = get(larder, f"https://app.test:{origin.port}/")
    same(response.status, 403)
    assert b"CONNECT" in response.body, response.body
    same((server.questions, origin.connections), ([], 0))


def test_what_is_believed(t):
    """Own CA, name and dates hold, or 502 says what is wrong; nothing is sent then."""
    ca, other = Authority(t), Authority(t, "other")
    names = {f"{name}.test": [("A", "127.0.0.1", 60)] for name in ("good", "wrong", "old", "strange")}
    server = dns(t, names)
    pairs = {"good": ca.issue("DNS:good.test"), "wrong": ca.issue("DNS:good.test"), "old": ca.issue("DNS:old.test", days=-1),
             "strange": other.issue("DNS:strange.test")}
    origins = {name: TlsOrigin(t, pair, {"/a": reply("fine", cache="max-age=60")}) for name, pair in pairs.items()}
    larder = fetcher(t, server, ca)
    for name, origin in origins.items():
        answer = get(larder, f"https://{name}.test:{origin.port}/a")
        if name == "good":
            same((answer.status, answer.body), (200, b"fine"))
            assert get(larder, f"https://{name}.test:{origin.port}/a").is_hit
            same(origin.names, ["good.test"])  # SNI
            same(origin.requests[0].get("Host"), f"good.test:{origin.port}")
        else:
            same(answer.status, 502, name)
            assert "tls_certificate_error" in answer.get("Proxy-Status"), answer.raw_head
            same(origin.requests, [], name)


def test_schemes_are_apart(t):
    """http and https of one host and port are two resources, in the cache too; the default port is not sent."""
    ca = Authority(t)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    secure = TlsOrigin(t, ca.issue("DNS:app.test"), {"/a": reply("secure", cache="max-age=60")})
    larder = fetcher(t, server, ca)
    same(get(larder, f"https://app.test:{secure.port}/a").body, b"secure")
    response = get(larder, f"http://app.test:{secure.port}/a")
    assert response.status == 502 and not response.is_hit, response.raw_head


def test_several_addresses(t):
    """Over TLS too the next address is asked when one takes no connection; a kept connection is used again."""
    ca = Authority(t)
    server = dns(t, {"app.test": [("A", "127.0.0.2", 60), ("A", "127.0.0.1", 60)]})
    origin = TlsOrigin(t, ca.issue("DNS:app.test"), {"/a": reply("fine", cache="no-store")})
    larder = fetcher(t, server, ca, workers=1)
    for _ in range(4):
        same(get(larder, f"https://app.test:{origin.port}/a").body, b"fine")
    same(len(origin.peers), 1)


def test_http2(t):
    """A server that chooses HTTP/2 gets it."""
    from tls import log_lines, nginx
    ca = Authority(t)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    port, log = nginx(t, ca.issue("DNS:app.test"), {"/a": b"two"})
    larder = fetcher(t, server, ca)
    same(get(larder, f"https://app.test:{port}/a").body, b"two")
    assert "HTTP/2.0" in log_lines(log, 1)[0]


def test_settings_without_meaning(t):
    """What can only be of one server, or of none, is refused."""
    larder = proxy(t, start=False)
    for block, told in (("origins { tls name=app.test; } fetch_https on;", '"name" has no meaning in a forward proxy'),
                        ("origins { tls verify=off; }", "which this forward proxy does not fetch")):
        larder.write_config(sites=f"forward office {{ {block} }}")
        done = larder.cli("check", larder.config_path)
        assert done.returncode != 0 and told in done.stdout + done.stderr, (block, done)


def test_handles_change_sides(t):
    """A handle of libcurl that serves http and https in turn loses nothing (a leak ends a sanitized daemon with an error)."""
    dead = free_port()
    larder = t.larder(sites=f"forward office {{ {ACL} fetch_https on; }}", listen="forward office;", workers=1)
    for i in range(10):
        for scheme in ("http", "https"):
            same(larder.fetch(f"{scheme}://127.0.0.1:{dead}/{i}", host=f"127.0.0.1:{dead}").status, 502)
