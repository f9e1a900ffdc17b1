"""Trusted proxies before us: whose client it is, by which scheme and to which host; for everybody else nothing changes."""
from case import fetch, reply, same, wait_for

TRUST = "trust 127.0.0.1;"
MORE = "trust 127.0.0.1 10.0.0.0/8 fd00::/8;"


def xff(*values):
    return [("X-Forwarded-For", value) for value in values]


def told(origin, path):
    """What the origin was told of the client of its last request for a path."""
    request = origin.last(path)
    return {name: request.all(name) for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded")
            if request.all(name)}


def test_strangers(t):
    """Without trust, and from a peer that is not trusted: dropped and overwritten, whatever they say."""
    origin = t.origin(default=reply("x", cache="no-store"))
    lies = xff("1.2.3.4", "5.6.7.8") + [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.test"),
                                        ("Forwarded", "for=1.2.3.4;proto=https;host=evil.test")]
    larders = [t.larder(origin), t.larder(origin, extra="trust 10.0.0.0/8;"), t.larder(origin, extra=TRUST, site="trust off;")]
    for larder in larders:
        same(larder.fetch("/a", headers=lies).status, 200)
        same(told(origin, "/a"), {"X-Forwarded-For": ["127.0.0.1"], "X-Forwarded-Proto": ["http"],
                                  "X-Forwarded-Host": ["site.test"]})
    larder = t.larder(origin, extra=TRUST)
    same(fetch(larder.port, "/b", headers=lies, source="127.0.0.2").status, 200)
    same(told(origin, "/b")["X-Forwarded-For"], ["127.0.0.2"])


def test_chain(t):
    """The client is the first from the right that is not trusted; the origin sees it first and nothing a client made up."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, extra=MORE)
    for number, (values, chain) in enumerate([
            ((), "127.0.0.1"),
            (("203.0.113.7",), "203.0.113.7, 127.0.0.1"),
            (("1.1.1.1, 203.0.113.7",), "203.0.113.7, 127.0.0.1"),
            (("1.1.1.1", "203.0.113.7", "10.0.0.3, fd00::1"), "203.0.113.7, 10.0.0.3, fd00::1, 127.0.0.1"),
            (("203.0.113.7:4711", "[FD00::1]:80"), "203.0.113.7, fd00::1, 127.0.0.1"),
            (("203.0.113.7, unknown",), "unknown, 127.0.0.1"),
            (('203.0.113.7, "; DROP\t<x>',), "unknown, 127.0.0.1"),
            (("2001:db8::9",), "2001:db8::9, 127.0.0.1")]):
        path = f"/{number}"
        same(larder.fetch(path, headers=xff(*values)).status, 200)
        same(told(origin, path)["X-Forwarded-For"], [chain], repr(values))
    wait_for(lambda: len(larder.access_lines()) >= 8, 10, "the access log")
    clients = {record["path"]: record["client"] for record in larder.access_records()}
    same([clients[f"/{number}"] for number in range(8)],
         ["127.0.0.1", "203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.7", "unknown", "unknown", "2001:db8::9"])


def test_rfc7239(t):
    """`trust rfc7239`: Forwarded is believed and the other family is not; `forwarded` says what the origin gets."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, extra="trust rfc7239 127.0.0.1 10.0.0.0/8;", site="forwarded rfc7239; via edge;")
    said = ('for=1.1.1.1;proto=http, for="[2001:db8::7]:4711";proto=https;host="site.test", for=10.0.0.3;proto=http')
    same(larder.fetch("/a", headers=xff("9.9.9.9") + [("Forwarded", said)]).status, 200)
    same(told(origin, "/a"), {"Forwarded": [
        'for="[2001:db8::7]";proto=https;host=site.test, for=10.0.0.3, for=127.0.0.1;by=_edge']})
    # a quote of the client's that swallows what the proxy has added: who that is cannot be told
    same(larder.fetch("/b", headers=[("Forwarded", 'for=1.1.1.1;x=", for=203.0.113.7')]).status, 400)
    same(origin.count("/b"), 0)
    same(fetch(larder.port, "/s", headers=[("Forwarded", 'x="')], source="127.0.0.2").status, 200)
    same(larder.fetch("/b", headers=[("Forwarded", "for=1.1.1.1, for=_hidden")]).status, 200)
    same(told(origin, "/b"), {"Forwarded": ["for=unknown;proto=http;host=site.test, for=127.0.0.1;by=_edge"]})
    same(larder.fetch("/c", headers=xff("9.9.9.9")).status, 200)
    same(told(origin, "/c"), {"Forwarded": ["for=127.0.0.1;proto=http;host=site.test;by=_edge"]})
    for word, names in (("both", {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"}),
                        ("x_forwarded", {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}),
                        ("on", {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}), ("off", set())):
        larder.write_config(site=f"forwarded {word}; via edge;")
        larder.command("reload", check=0)
        same(larder.fetch("/d", headers=[("Forwarded", "for=203.0.113.7")]).status, 200)
        same(set(told(origin, "/d")), names, word)


def body_of(request):
    return f"{request.get('X-Forwarded-Proto')} {request.get('Host')}"


def test_scheme_is_in_the_key(t):
    """http and https are two addresses; Location and Content-Location of the own scheme are invalidated; top lists know."""
    origin = t.origin({"/unsafe": reply("done", headers=[("Location", "/page")])},
                      default=reply(body_of, cache="max-age=600"))
    larder = t.larder(origin, extra=TRUST)
    https = [("X-Forwarded-Proto", "https")]
    for headers, body in (([], b"http site.test"), (https, b"https site.test")):
        first, second = larder.fetch("/page", headers=headers), larder.fetch("/page", headers=headers)
        same((first.body, first.is_hit, second.body, second.is_hit), (body, False, body, True))
    # a stranger cannot reach the other one, nor plant anything there
    stranger = fetch(larder.port, "/page", headers=https, source="127.0.0.2")
    same((stranger.body, stranger.is_hit), (b"http site.test", True))
    same(larder.fetch("/unsafe", "POST", headers=https, body=b"x").status, 200)
    assert not larder.fetch("/page", headers=https).is_hit, "POST by https did not invalidate the page of https"
    assert larder.fetch("/page").is_hit, "POST by https invalidated the page of http"
    wait_for(lambda: any(record["scheme"] == "https" for record in larder.access_records()), 10, "https in the log")

    def top():
        return {item["url"] for item in larder.api("/api/v1/top")[1]["items"]}
    wait_for(lambda: {"http://site.test/page", "https://site.test/page"} <= top(), 10, "both in the top list")


def test_absolute_form(t):
    """What the request line says of the scheme is no more than a client's word."""
    origin = t.origin(default=reply(body_of, cache="max-age=600"))
    larder = t.larder(origin)
    assert not larder.fetch("/page").is_hit
    with larder.client() as client:
        client.send(b"GET https://site.test/page HTTP/1.1\r\nHost: site.test\r\n\r\n")
        answer = client.read_response()
    same((answer.body, answer.is_hit), (b"http site.test", True))


def test_purge_takes_both(t):
    """A URL stands for both schemes, by the API and by PURGE, unless told otherwise; explain looks at the one named."""
    origin = t.origin(default=reply(body_of, cache="max-age=600"))
    larder = t.larder(origin, extra=TRUST)
    https = [("X-Forwarded-Proto", "https")]

    def fill():
        return larder.fetch("/p", headers=https).is_hit, larder.fetch("/p").is_hit

    fill()
    same(fill(), (True, True))
    same(larder.purge("http://site.test/p")["matched"], 2)
    same(fill(), (False, False))
    same(larder.purge("https://site.test:443/p")["matched"], 2)
    same(fill(), (False, False))
    status, answer = larder.api("/api/v1/purges", "POST", {"select": {"urls": ["https://site.test/p"], "scheme": "exact"},
                                                           "mode": "hard"})
    same((status, answer["matched"]), (200, 1))
    same(fill(), (False, True))
    same(b'"matched":2' in larder.fetch("/p", "PURGE").body, True)
    same(fill(), (False, False))
    same(b'"matched":2' in larder.fetch("/p", "PURGE", headers=https).body, True)
    same(larder.fetch("/p", headers=https).is_hit, False)
    for url, found in (("https://site.test/p", "hit"), ("http://site.test/p", "miss")):
        status, answer = larder.api("/api/v1/explain", "POST", {"url": url})
        same((status, answer["answer"], answer["key"]), (200, found, url))


def test_purge_is_the_clients(t):
    """Who may purge is asked of the client, not of the proxy it came through; who hides may not."""
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin, extra=TRUST)  # purge from 127.0.0.1
    same(larder.fetch("/p", "PURGE").status, 200)
    for client in ("203.0.113.7", "unknown", "127.0.0.1, 203.0.113.7", "x\""):
        same(larder.fetch("/p", "PURGE", headers=xff(client)).status, 403, client)
    other = t.larder(origin, sites=f"""site * {{ origins {{ server main http://127.0.0.1:{origin.port}; }}
        cache {{ purge from 203.0.113.0/24; }} trust 127.0.0.1; }}""")
    same(other.fetch("/p", "PURGE").status, 403)
    same(other.fetch("/p", "PURGE", headers=xff("203.0.113.7")).status, 200)
    same(fetch(other.port, "/p", "PURGE", headers=xff("203.0.113.7"), source="127.0.0.2").status, 403)


def test_host(t):
    """X-Forwarded-Host is the host asked for: for the key, the site and the origin. One that is not ours is none."""
    origin = t.origin(default=reply(body_of, cache="max-age=600"))
    server = f"origins {{ server main http://127.0.0.1:{origin.port}; }}"
    larder = t.larder(origin, extra=TRUST, sites=f"site a.test b.test {{ {server} }} site c.test {{ {server} trust off; }}")

    def ask(host, forwarded, **words):
        return fetch(larder.port, "/h", host=host, headers=[("X-Forwarded-Host", forwarded)], **words)
    same(ask("a.test", "B.test").body, b"http b.test")
    hit = fetch(larder.port, "/h", host="b.test")
    same((hit.body, hit.is_hit), (b"http b.test", True))
    same(told(origin, "/h")["X-Forwarded-Host"], ["b.test"])
    same(ask("a.test", "b.test", source="127.0.0.2").body, b"http a.test")
    for nonsense in ("nowhere.test", "b.test/x", "user@b.test", "b .test", "", "c.test"):
        same(ask("a.test", nonsense).body, b"http a.test", nonsense)
    same(ask("c.test", "b.test").body, b"http c.test")
    same(ask("internal.test", "b.test").body, b"http b.test")  # known to the proxy alone
    same(ask("internal.test", "nowhere.test").status, 421)


def test_vary_by_client(t):
    """A response by Forwarded is for one client when it is we who say that, as one by X-Forwarded-For."""
    origin = t.origin(default=reply("x", cache="max-age=600", headers=[("Vary", "Forwarded")]))
    larder = t.larder(origin, site="forwarded rfc7239;")
    same([larder.fetch("/v").is_hit for _ in range(3)], [False] * 3)
    plain = t.larder(origin)
    same([plain.fetch("/v").is_hit for _ in range(2)], [False, True])


def test_after_proxy_protocol(t):
    """Who connected is whom the PROXY protocol names: that peer must be trusted."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, listen="proxy_protocol from 127.0.0.1;", extra="trust 203.0.113.0/24;")
    for source, chain in (("203.0.113.7", "198.51.100.9, 203.0.113.7"), ("198.51.100.1", "198.51.100.1")):
        with larder.client() as client:
            client.send(f"PROXY TCP4 {source} 192.0.2.1 4711 80\r\nGET /p HTTP/1.1\r\nHost: site.test\r\n"
                        "X-Forwarded-For: 198.51.100.9\r\n\r\n".encode())
            same(client.read_response().status, 200)
        same(told(origin, "/p")["X-Forwarded-For"], [chain])
