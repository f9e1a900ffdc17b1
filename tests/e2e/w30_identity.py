"""What a server is told of a forward proxy's client: identity, user_agent, referer, drop_cookies, and what of it is cached."""
import base64
import re
import threading

import websocket
from case import Client, Origin, reply, same, sequence, wait_for
from forwarding import ask, proxy

USER = "jane"


def lines(request):
    """All lines but Host, sorted as they came."""
    return [f"{name}: {value}" for name, value in request.headers if name != "Host"]


# What a client says of itself, in odd case, repeated, with "_", named in Connection.
TELLS = [
    ("FORWARDED", 'for=10.9.8.7;host="evil.test"'), ("forwarded", "for=10.9.8.6"), ("X-forwarded-FOR", "10.9.8.7"),
    ("X-Forwarded-For", "10.9.8.6"), ("x-forwarded-host", "evil.test"), ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "4711"), ("X-Forwarded-User", USER), ("X_Forwarded_For", "10.9.8.7"),
    ("via", "1.1 inner.corp"), ("VIA", "1.0 desk"), ("FROM", f"{USER}@corp.test"),
    ("x-real-ip", "10.9.8.7"), ("X_Real_IP", "10.9.8.7"), ("X-REAL-IP", "10.9.8.6"), ("X-Client-IP", "10.9.8.7"),
    ("client-ip", "10.9.8.7"), ("TRUE-client-ip", "10.9.8.7"), ("X-Cluster-Client-Ip", "10.9.8.7"),
    ("X-Originating-IP", "10.9.8.7"), ("X-Remote-IP", "10.9.8.7"), ("X-Remote-Addr", "10.9.8.7"),
    ("CF-Connecting-IP", "10.9.8.7"), ("Fastly-Client-IP", "10.9.8.7"), ("X-ProxyUser-Ip", "10.9.8.7"),
    ("WL-Proxy-Client-IP", "10.9.8.7"), ("Proxy-Client-IP", "10.9.8.7"), ("X-Authenticated-User", USER),
    ("X-Remote-User", USER), ("Proxy", "http://10.9.8.7:1/"), ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authorization", "Basic " + base64.b64encode(f"{USER}:secret".encode()).decode()),
    ("Proxy-Odd", "10.9.8.7"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
    ("Connection", "X-Odd, Via, X-Real-IP, keep-alive"), ("Connection", "from"), ("X-Odd", "10.9.8.7"),
]
# What is nobody's secret.
PLAIN = [("Accept", "text/html"), ("User-Agent", "Desk/1.0"), ("accept-LANGUAGE", "de"), ("X-Own", "kept"), ("DNT", "1")]
SENT = ["Accept: text/html", "User-Agent: Desk/1.0", "accept-LANGUAGE: de", "X-Own: kept", "DNT: 1"]


def test_hide_is_the_default(t):
    origin = t.origin(default=reply("x", cache="no-store"))
    for settings in ("", "identity hide;", "identity hide; forwarded both; via edge;"):
        larder = proxy(t, settings)
        same(ask(larder, origin, "/a", headers=TELLS + PLAIN).status, 200)
        host = f"127.0.0.1:{origin.port}"
        same(origin.last("/a").raw_head.decode().split("\r\n"), ["GET /a HTTP/1.1", f"Host: {host}"] + SENT)
        same(ask(larder, origin, "/b", "POST", headers=TELLS + PLAIN, body=b"abc").status, 200)
        same(origin.last("/b").raw_head.decode().split("\r\n"),
             ["POST /b HTTP/1.1", f"Host: {host}"] + SENT + ["Content-Length: 3"])
        with Client(larder.proxy) as client:  # an old client does not show either
            client.request(f"http://{host}/old", host=host, version="HTTP/1.0", headers=TELLS)
            same(client.read_response().status, 200)
        same(origin.last("/old").raw_head.decode().split("\r\n"), ["GET /old HTTP/1.1", f"Host: {host}"])


def test_forward(t):
    """Via and the address; what the client says of them itself does not count."""
    origin = t.origin(default=reply("x", cache="no-store"))
    person = ["X-Forwarded-User: jane", "via: 1.1 inner.corp", "VIA: 1.0 desk",
              "X-Authenticated-User: jane", "X-Remote-User: jane", "Proxy-Odd: 10.9.8.7"]
    for settings, added in (
            ("", ["X-Forwarded-For: 127.0.0.3"]), ("forwarded x_forwarded;", ["X-Forwarded-For: 127.0.0.3"]),
            ("forwarded off;", []), ("forwarded rfc7239;", ["Forwarded: for=127.0.0.3;by=_larder"]),
            ("forwarded both;", ["X-Forwarded-For: 127.0.0.3", "Forwarded: for=127.0.0.3;by=_larder"])):
        larder = proxy(t, f"identity forward; {settings}")
        same(ask(larder, origin, "/a", headers=TELLS + PLAIN).status, 200)
        got = lines(origin.last("/a"))
        via = [line for line in got if re.fullmatch(r"Via: 1\.1 larder-[0-9a-f]{12}", line)]
        same(len(via), 1, got)
        same([line for line in got if line not in via], person + SENT + added)
    larder = proxy(t, "identity forward; forwarded both; via edge;")
    same(ask(larder, origin, "/a", headers=PLAIN).status, 200)
    same(lines(origin.last("/a")), SENT + ["Via: 1.1 edge", "X-Forwarded-For: 127.0.0.3", "Forwarded: for=127.0.0.3;by=_edge"])


def test_transparent(t):
    """What the client sent, but for what is of this hop only; nothing is added."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = proxy(t, "identity transparent; forwarded both; via edge;")
    same(ask(larder, origin, "/a", headers=TELLS + PLAIN).status, 200)
    gone = {"proxy", "proxy-connection", "proxy-authorization", "keep-alive", "te", "connection", "x-odd"}
    kept = [f"{name}: {value}" for name, value in TELLS if name.lower() not in gone and name.lower() not in
            ("x-real-ip", "from")]  # those Connection names
    same(lines(origin.last("/a")), kept + SENT)


def test_transparent_claims_are_not_cached(t):
    """A host or URL that is claimed and passed on could plant a response for others."""
    origin = t.origin(default=reply(lambda request: request.get("X-Forwarded-Host") or "none", cache="max-age=60"))
    larder = proxy(t, "identity transparent;")
    for name in ("X-Forwarded-Host", "x_forwarded_host", "X-Original-URL", "Forwarded", "X-HTTP-Method-Override"):
        response = ask(larder, origin, "/a", headers=[(name, "evil")])
        assert "detail=claim" in response.cache_status, (name, response.cache_status)
    same(ask(larder, origin, "/a").body, b"none")
    assert ask(larder, origin, "/a", headers=[("X-Forwarded-For", "10.9.8.7"), ("Via", "1.1 x")]).is_hit
    larder.write("identity hide;")
    larder.command("reload", check=0)
    assert ask(larder, origin, "/a", headers=[("X-Forwarded-Host", "evil")]).is_hit, "nothing of it is passed on"


def test_user_agent(t):
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = proxy(t, 'user_agent "Mozilla/5.0 (all \\"of\\" us)";')
    for headers in (PLAIN, [], [("user-agent", "a"), ("User-Agent", "b")]):
        ask(larder, origin, "/a", headers=headers)
        same(origin.last("/a").all("User-Agent"), ['Mozilla/5.0 (all "of" us)'])
    larder.write("user_agent remove;")
    larder.command("reload", check=0)
    ask(larder, origin, "/a", headers=PLAIN)
    same(origin.last("/a").all("User-Agent"), [])
    larder.write("user_agent keep;")
    larder.command("reload", check=0)
    ask(larder, origin, "/a", headers=PLAIN)
    same(origin.last("/a").all("User-Agent"), ["Desk/1.0"])


def test_vary_by_what_was_sent(t):
    """A response that depends on User-Agent or Referer is for all who are shown as the same."""
    origin = t.origin(default=reply(lambda request: f"{request.get('User-Agent')} {request.get('Referer')}",
                                    cache="max-age=60", headers=[("Vary", "User-Agent, Referer, X-Real-IP")]))
    site = f"http://127.0.0.1:{origin.port}"
    larder = proxy(t, 'user_agent "One"; referer origin;')
    one = [("User-Agent", "a"), ("Referer", f"{site}/1"), ("X-Real-IP", "10.9.8.7")]
    two = [("User-Agent", "b"), ("Referer", f"{site}/2"), ("X-Real-IP", "10.9.8.6")]
    same(ask(larder, origin, "/v", headers=one).body.decode(), f"One {site}/")
    response = ask(larder, origin, "/v", headers=two)
    same((response.is_hit, response.body.decode()), (True, f"One {site}/"))
    same(ask(larder, origin, "/v", headers=two[:1]).is_hit, False, "another Referer, none, is another")
    larder.write("")
    larder.command("reload", check=0)
    for headers in (one, two):
        same(ask(larder, origin, "/v", headers=headers).is_hit, False, "now they differ")
    assert ask(larder, origin, "/v", headers=one).is_hit


def test_referer(t):
    origin = t.origin(default=reply("x", cache="no-store"))
    here = f"http://127.0.0.1:{origin.port}"
    other = "https://mail.test:8443/inbox?id=4711"
    larder = proxy(t)
    for word, wanted in (("keep", [here + "/p?q=1", other, "about:blank"]), ("remove", [None] * 3),
                         ("origin", [here + "/", "https://mail.test:8443/", None]),
                         ("same_origin", [here + "/p?q=1", None, None])):
        larder.write(f"referer {word};")
        larder.command("reload", check=0)
        got = []
        for value in (here + "/p?q=1", other, "about:blank"):
            ask(larder, origin, "/a", headers=[("reFERER", value)])
            got.append(origin.last("/a").get("Referer"))
        same(got, wanted, word)


def test_cookies(t):
    """To and from the named hosts there are none; what is stored has none either."""
    setter = reply("x", cache="max-age=60", headers=[("Set-Cookie", "id=1"), ("set-cookie", "b=2"), ("X-Own", "y")])
    origin = t.origin({"/n": reply("x", cache="no-store", headers=[("Set-Cookie", "id=1")])}, default=setter)
    larder = proxy(t, "drop_cookies ads.test 127.0.0.*;")
    for path in ("/c", "/n"):
        response = ask(larder, origin, path, headers=[("Cookie", "me=1"), ("COOKIE", "you=2")])
        same(response.all("Set-Cookie"), [])
        same(origin.last(path).all("Cookie"), [])
    response = ask(larder, origin, "/c", headers=[("Cookie", "other=1")])
    same((response.is_hit, response.all("Set-Cookie"), response.get("X-Own")), (True, [], "y"))
    larder.write("drop_cookies *.test;")
    larder.command("reload", check=0)
    response = ask(larder, origin, "/n", headers=[("Cookie", "me=1")])
    same((response.all("Set-Cookie"), origin.last("/n").all("Cookie")), (["id=1"], ["me=1"]))
    # what was stored with its cookies before goes out without them now
    larder.write("cache { set_cookie store; }")
    larder.command("reload", check=0)
    same(ask(larder, origin, "/s").all("Set-Cookie"), ["id=1", "b=2"])
    larder.write("drop_cookies *; cache { set_cookie store; }")
    larder.command("reload", check=0)
    response = ask(larder, origin, "/s")
    same((response.is_hit, response.all("Set-Cookie")), (True, []))
    same(ask(larder, origin, "/s", headers=[("If-None-Match", "x"), ("Range", "bytes=0-0")]).all("Set-Cookie"), [])


def test_rules(t):
    """The same settings for some requests."""
    origin = t.origin(default=reply("x", cache="no-store", headers=[("Set-Cookie", "a=1")]))
    larder = proxy(t, """user_agent "One"; referer remove; drop_cookies *;
        rule path /open/* { user_agent keep; referer keep; drop_cookies off; }
        rule path /open/bare/* { user_agent remove; }""")
    sent = [("User-Agent", "a"), ("Referer", "http://r.test/x"), ("Cookie", "c=1")]
    for path, wanted in (("/a", (["One"], [], [], [])),
                         ("/open/a", (["a"], ["http://r.test/x"], ["c=1"], ["a=1"])),
                         ("/open/bare/a", ([], ["http://r.test/x"], ["c=1"], ["a=1"]))):
        response = ask(larder, origin, path, headers=sent)
        request = origin.last(path)
        same((request.all("User-Agent"), request.all("Referer"), request.all("Cookie"), response.all("Set-Cookie")), wanted)


def test_reload_switches(t):
    """A live change, on a connection that stays open too."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = proxy(t)
    host = f"127.0.0.1:{origin.port}"
    with Client(larder.proxy) as client:
        for word, wanted in (("hide", []), ("forward", ["127.0.0.1"]), ("transparent", ["10.9.8.7"]), ("hide", [])):
            larder.write(f"identity {word};")
            larder.command("reload", check=0)
            client.request(f"http://{host}/r", host=host, headers=[("X-Forwarded-For", "10.9.8.7")])
            same(client.read_response().status, 200)
            same(origin.last("/r").all("X-Forwarded-For"), wanted, word)


def test_capture_of_all_the_origin_gets(t):
    """With hide, in every kind of request: of the client, its user and its names there is not a byte."""
    page = reply("page", cache="max-age=1, stale-while-revalidate=60", etag='"1"')
    flaky = {"left": 1}

    def breaks_once(conn, request):
        if flaky["left"]:
            flaky["left"] -= 1
            conn.reset()
        else:
            reply("again", cache="no-store")(conn, request)

    def switch(conn, request):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Accept: " + websocket.accept_of(request.get("Sec-WebSocket-Key")).encode() + b"\r\n\r\n")
        conn.close()

    origin = t.origin({"/page": page, "/flaky": breaks_once, "/ws": switch,
                       "/big": sequence(reply(b"0" * 300000, cache="max-age=60", etag='"2"'))},
                      default=reply("x", cache="no-store"))
    larder = proxy(t, "upgrade websocket; origins { retry 2; }")
    tells = TELLS + [("Range", "bytes=0-9")]
    for _ in range(2):
        same(ask(larder, origin, "/big", headers=tells).status, 206)
    for method, body in (("GET", None), ("HEAD", None), ("POST", b"x=1"), ("PUT", b"y"), ("DELETE", None), ("OPTIONS", None)):
        same(ask(larder, origin, "/any", method, headers=TELLS, body=body).status, 200)
    same(ask(larder, origin, "/flaky", headers=TELLS).status, 200)
    same(origin.count("/flaky"), 2)
    same(ask(larder, origin, "/page", headers=TELLS).status, 200)
    threading.Event().wait(1.3)
    ask(larder, origin, "/page", headers=TELLS)  # stale, and renewed in the background
    wait_for(lambda: origin.count("/page") == 2, what="the renewal")
    same(origin.last("/page").get("If-None-Match"), '"1"')
    ask(larder, origin, "/page", headers=TELLS + [("Cache-Control", "no-cache")])
    host = f"127.0.0.1:{origin.port}"
    with Client(larder.proxy, source="127.0.0.3") as client:
        fields = [field for field in TELLS if field[0].lower() != "connection"]
        client.request(f"http://{host}/ws", host=host, headers=fields + [
            ("Connection", "Upgrade, X-Odd"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", base64.b64encode(b"0123456789abcdef").decode())])
        same(client.read_head().status, 101)
    everything = b"\n".join(request.raw_head + b"\n" + request.body for request in origin.requests)
    same(len(origin.requests), 13)
    for secret in (b"127.0.0.3", b"10.9.8", USER.encode(), b"corp", b"secret", b"desk", b"evil", b"larder", b"office",
                   b"Via", b"orwarded", b"Proxy", base64.b64encode(f"{USER}:secret".encode()), b"1.0"):
        at = everything.lower().find(secret.lower())
        assert at < 0, everything[max(0, at - 100):at + 100]


def test_published_sites(t):
    """A stranger's X-Real-IP and the like would be taken for ours; those of a proxy that is trusted go on. Proxy never does."""
    origin = t.origin(default=reply("x", cache="no-store"))
    claims = [("X-Real-IP", "10.9.8.7"), ("true-CLIENT-ip", "10.9.8.7"), ("X_Real_IP", "10.9.8.7"), ("CF-Connecting-IP", "10.9.8.7")]
    more = [("Proxy", "http://10.9.8.7:1/"), ("PROXY", "x"), ("From", "a@b.test"), ("X-Own", "1")]
    for words, wanted in (({}, []), ({"site": "trust 10.0.0.0/8;"}, []), ({"extra": "trust 127.0.0.1;"}, claims),
                          ({"extra": "trust 127.0.0.1;", "site": "trust off;"}, [])):
        larder = t.larder(origin, **words)
        same(larder.fetch("/a", headers=claims + more).status, 200)
        got = [field for field in origin.last("/a").headers if "10.9.8.7" in field[1] or field[0].lower() in ("proxy", "from", "x-own")]
        same(got, wanted + more[2:], words)


def test_proxy_protocol_to_a_parent(t):
    """The header before a connection tells of the client too, or of nobody."""
    heads = []

    def parent(conn, _request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nx")
        conn.close()

    class Parent(Origin):
        def serve(self, conn):
            conn.recv()
            line, conn.buffer = conn.buffer.split(b"\r\n", 1)
            heads.append(line)
            super().serve(conn)
    origin = Parent(default=parent)
    t.origins.append(origin)
    for settings, wanted in (("", b"PROXY UNKNOWN"), ("identity transparent;", b"PROXY UNKNOWN"), ("identity forward;", b"PROXY TCP4 127.0.0.3 ")):
        pools = f"origins up {{ server p http://127.0.0.1:{origin.port}; proxy_protocol v1; }}"
        larder = proxy(t, settings)
        larder.write(f"{settings} upstream up;", pools)
        larder.command("reload", check=0)
        same(ask(larder, origin, "/a").status, 200)
        assert heads[-1].startswith(wanted), (settings, heads)


def test_through_a_parent(t):
    """The same towards a parent, which is told nothing but where the request has been."""
    parent = t.origin(default=reply("x", cache="max-age=1, stale-while-revalidate=60", etag='"1"'))
    larder = proxy(t, f"upstream http://127.0.0.1:{parent.port};")
    for method, body, length in (("GET", None, []), ("POST", b"abc", ["Content-Length: 3"])):
        same(ask(larder, parent, "/a", method, headers=TELLS + PLAIN, body=body).status, 200)
        got = parent.last("http://127.0.0.1:%d/a" % parent.port).raw_head.decode().split("\r\n")
        hops = [line for line in got if re.fullmatch("Larder-Hops: larder-[0-9a-f]{12}", line)]
        same(len(hops), 1, got)
        same([line for line in got if line not in hops],
             [f"{method} http://127.0.0.1:{parent.port}/a HTTP/1.1", f"Host: 127.0.0.1:{parent.port}"] + SENT +
             ["Connection: Larder-Hops"] + length)


def test_forward_behind_a_trusted_proxy(t):
    """The client is whom a proxy of ours names; its fields of addresses go on, a stranger's do not."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = proxy(t, "")
    larder.write("identity forward;", "trust 127.0.0.1;")
    larder.command("reload", check=0)
    claims = [("X-Forwarded-For", "10.9.8.7, 203.0.113.7"), ("X-Real-IP", "203.0.113.7")]
    for source, wanted in (("127.0.0.1", (["203.0.113.7, 127.0.0.1"], ["203.0.113.7"])), ("127.0.0.3", (["127.0.0.3"], []))):
        ask(larder, origin, "/a", source=source, headers=claims)
        same((origin.last("/a").all("X-Forwarded-For"), origin.last("/a").all("X-Real-IP")), wanted)
