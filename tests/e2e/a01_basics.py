"""Requests and answers as they should be."""
from case import content, fetch, head, is_refused, raw, reply, same, same_body, sequence, wait_for


def test_miss_then_hit(t):
    origin = t.origin({"/a": reply("hello", cache="max-age=60", headers=[("X-Thing", "kept")])})
    larder = t.larder(origin)
    first = larder.fetch("/a")
    same((first.status, first.body), (200, b"hello"))
    same(first.get("X-Thing"), "kept")
    assert "larder" in first.cache_status and "fwd=uri-miss" in first.cache_status, first.cache_status
    assert not first.is_hit and first.get("Age") in (None, "0"), first
    second = larder.fetch("/a")
    same((second.status, second.body), (200, b"hello"))
    assert second.is_hit and second.age >= 0, second.raw_head
    same(origin.count("/a"), 1)
    same(second.get("X-Thing"), "kept")
    same(second.get("Date"), first.get("Date"), "Date stays as stored")
    for response in (first, second):
        same(len(response.all("Date")), 1, "one Date")
        same(len(response.all("Cache-Status")), 1, "one Cache-Status")
        assert "larder" in response.get("Via", ""), response.raw_head
        same(response.all("Content-Length"), ["5"])


def test_keep_alive(t):
    origin = t.origin({"/a": reply("x" * 100, cache="max-age=60"), "/b": reply("no", cache="no-store")})
    larder = t.larder(origin)
    with larder.client() as client:
        for number in range(40):
            target = "/a" if number % 2 else "/b"
            client.request(target)
            response = client.read_response()
            same((response.status, response.body), (200, b"x" * 100 if number % 2 else b"no"))
    same(origin.count("/b"), 20)
    same(origin.count("/a"), 1)
    assert origin.connections <= 4, f"{origin.connections} origin connections for 21 requests one after the other"


def test_connection_close_is_honoured(t):
    larder = t.larder(t.origin({"/a": reply("hello", cache="max-age=60")}))
    with larder.client() as client:
        client.request("/a", headers=[("Connection", "close")])
        response = client.read_response()
        same(response.get("Connection", "").lower(), "close")
        assert client.is_closed(), "still open"


def test_http10(t):
    origin = t.origin({"/a": reply("hello", cache="max-age=60"),
                       "/c": reply("chunks" * 1000, cache="no-store", chunked=True)})
    larder = t.larder(origin)
    for _ in range(2):
        with larder.client() as client:
            client.request("/a", version="HTTP/1.0")
            response = client.read_response()
            same((response.status, response.body), (200, b"hello"))
            assert client.is_closed(), "a 1.0 connection without keep-alive stayed open"
    same(origin.count("/a"), 1)
    with larder.client() as client:
        client.request("/c", version="HTTP/1.0")
        response = client.read_response()
        assert response.framing in ("close", "length"), "chunks to a 1.0 client"
        same_body(response, b"chunks" * 1000)


def test_pipelining_in_order(t):
    routes = {f"/p{n}": reply(content(f"/p{n}", 500 + n), cache="max-age=60", delay=0.4 if n == 0 else 0)
              for n in range(10)}
    routes["/n"] = reply("never stored", cache="no-store")
    origin = t.origin(routes)
    larder = t.larder(origin)
    order = ["/p0", "/n", "/p1", "/p2", "/n", "/p3", "/p1", "/p4", "/p5", "/p0", "/p6", "/p7", "/p8", "/p9", "/n"]
    with larder.client() as client:
        client.send("".join(f"GET {target} HTTP/1.1\r\nHost: site.test\r\n\r\n" for target in order))
        for target in order:
            response = client.read_response()
            same(response.status, 200)
            same_body(response, b"never stored" if target == "/n" else content(target, 500 + int(target[2:])))
        same(client.buffer, b"")


def test_pipelining_byte_by_byte(t):
    larder = t.larder(t.origin({"/a": reply("one", cache="max-age=60"), "/b": reply("two", cache="max-age=60")}))
    with larder.client() as client:
        for byte in b"GET /a HTTP/1.1\r\nHost: site.test\r\n\r\nGET /b HTTP/1.1\r\nHost: site.test\r\n\r\n":
            client.send(bytes([byte]))
        same(client.read_response().body, b"one")
        same(client.read_response().body, b"two")


def test_post_in_pipeline(t):
    def echo(conn, request):
        reply(request.body, cache="no-store")(conn, request)
    origin = t.origin({"/e": echo, "/a": reply("one", cache="max-age=60")})
    larder = t.larder(origin)
    with larder.client() as client:
        client.send(b"POST /e HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\n\r\nGET /"
                    b"GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n"
                    b"POST /e HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                    b"GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n")
        for wanted in (b"GET /", b"one", b"abc", b"one"):
            same(client.read_response().body, wanted)


def test_head(t):
    origin = t.origin({"/a": reply("hello there", cache="max-age=60", etag='"1"'),
                       "/b": reply("hello there", cache="no-store")})
    larder = t.larder(origin)
    with larder.client() as client:
        for target in ("/b", "/a"):
            client.request(target, "HEAD")
            response = client.read_response("HEAD")
            same((response.status, response.get("Content-Length")), (200, "11"))
        client.request("/a")
        same(client.read_response().body, b"hello there")
        asked = origin.count("/a")
        client.request("/a", "HEAD")
        response = client.read_response("HEAD")
        same((response.status, response.get("Content-Length")), (200, "11"))
        assert response.is_hit, "a stored GET answers HEAD while fresh"
        same(origin.count("/a"), asked)
        client.request("/a")
        same(client.read_response().body, b"hello there", "the connection is in step after HEAD")


def test_request_bodies(t):
    def echo(conn, request):
        reply(request.body, cache="no-store")(conn, request)
    origin = t.origin({"/e": echo})
    larder = t.larder(origin)
    with larder.client() as client:
        for size in (0, 1, 1023, 65536, 300001, 2_000_000):
            body = content(str(size), size)
            client.request("/e", "POST", body=body)
            response = client.read_response()
            same(response.status, 200)
            same_body(response, body)
        for size in (0, 1, 70000):
            body = content(str(size), size)
            client.send(b"PUT /e HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, size, 7777):
                piece = body[at:at + 7777]
                client.send(b"%X;ext=1\r\n%s\r\n" % (len(piece), piece))
            client.send(b"0\r\nTrailer-Field: dropped\r\n\r\n")
            response = client.read_response()
            same(response.status, 200)
            same_body(response, body)
    same([request.method for request in origin.requests], ["POST"] * 6 + ["PUT"] * 3)
    assert all(not request.get("Trailer-Field") for request in origin.requests)
    assert all(request.get("Content-Type") is None for request in origin.requests), "a Content-Type was invented"


def test_get_with_body_is_not_stored(t):
    origin = t.origin({"/g": lambda conn, request: reply(b"got " + request.body, cache="max-age=60")(conn, request)})
    larder = t.larder(origin)
    same(larder.fetch("/g", body=b"poison").body, b"got poison")
    same(larder.fetch("/g").body, b"got ", "a request with content must not fill the entry of GET")


def test_expect_continue(t):
    def echo(conn, request):
        reply(request.body, cache="no-store")(conn, request)
    origin = t.origin({"/e": echo})
    larder = t.larder(origin)
    with larder.client() as client:
        client.send("POST /e HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        interim = client.read_until(b"\r\n\r\n")
        assert interim.startswith(b"HTTP/1.1 100 "), interim
        client.send("hello")
        response = client.read_response()
        same((response.status, response.body), (200, b"hello"))
        client.request("/e", "POST", headers=[("Expect", "100-continue")], body=b"impatient")
        response = client.read_response()
        same((response.status, response.body), (200, b"impatient"), "a client that does not wait")


def test_target_goes_through_byte_for_byte(t):
    origin = t.origin(default=reply("ok", cache="no-store"))
    larder = t.larder(origin)
    targets = ["/a%2Fb?x=1&&y", "//double//slash", "/%7Euser/", "/q?", "/semi;colon=1", "/a?b?c", "/plus+and%20space",
               "/UPPER%c3%a9"]
    for target in targets:
        same(larder.fetch(target).status, 200, target)
    same([request.target for request in origin.requests], targets)


def test_query_is_part_of_the_key(t):
    origin = t.origin(default=reply(lambda request: request.target, cache="max-age=60"))
    larder = t.larder(origin)
    targets = ["/k", "/k?", "/k?a=1", "/k?a=2", "/K", "/k/"]
    for _ in range(2):
        for target in targets:
            same(larder.fetch(target).body.decode(), target)
    assert origin.count() <= len(targets)


def test_host_is_part_of_the_key(t):
    origin = t.origin({"/h": reply(lambda request: request.get("Host"), cache="max-age=60")})
    larder = t.larder(origin)
    for _ in range(2):
        for host in ("one.test", "two.test", "one.test:8080"):
            same(larder.fetch("/h", host=host).body.decode(), host)
    same(larder.fetch("/h", host="ONE.test").is_hit, True, "host names are the same in any case")


def test_absolute_form(t):
    origin = t.origin({"/abs": reply(lambda request: request.get("Host"), cache="no-store")})
    larder = t.larder(origin)
    response = larder.fetch("http://site.test/abs", host="other.test")
    same((response.status, response.body), (200, b"site.test"), "the absolute form wins over Host")
    same(origin.last().target, "/abs")


def test_sites_by_name(t):
    one = t.origin(default=reply("one", cache="no-store"))
    two = t.origin(default=reply("two", cache="no-store"))
    sites = "".join(f"site {name} {{ origins {{ server o http://127.0.0.1:{origin.port}; }} }}\n"
                    for name, origin in (("one.test www.one.test", one), ("two.test", two)))
    larder = t.larder(one, sites=sites)
    same(larder.fetch("/", host="one.test").body, b"one")
    same(larder.fetch("/", host="WWW.one.test:80").body, b"one")
    same(larder.fetch("/", host="two.test").body, b"two")
    before = one.count() + two.count()
    response = larder.fetch("/", host="nobody.test")
    assert 400 <= response.status < 500, response
    same(one.count() + two.count(), before, "a request for an unknown site reached an origin")


def test_hop_by_hop_fields(t):
    fields = [("Connection", "X-Hop, close"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-End", "stays")]
    origin = t.origin({"/h": reply("x", cache="max-age=60", headers=fields)})
    larder = t.larder(origin)
    for _ in range(2):
        response = larder.fetch("/h", headers=[("Connection", "X-Mine"), ("X-Mine", "1"), ("TE", "trailers"),
                                               ("Proxy-Authorization", "Basic eDp5"), ("X-Through", "1"),
                                               ("Upgrade", "websocket")])
        same(response.status, 200)
        same((response.get("X-Hop"), response.get("Keep-Alive"), response.get("X-End")), (None, None, "stays"))
    request = origin.last("/h")
    same((request.get("X-Mine"), request.get("TE"), request.get("Upgrade"), request.get("Proxy-Authorization")),
         (None, None, None, None))
    same(request.get("X-Through"), "1")
    assert "larder" in request.get("Via", ""), request.raw_head


def test_strangers_forwarding_fields_are_dropped(t):
    origin = t.origin({"/f": reply("x", cache="no-store")})
    larder = t.larder(origin)
    bad = ["X-Forwarded-Host", "X-Forwarded-Scheme", "X-Forwarded-Prefix", "X-Original-URL", "X-Rewrite-URL", "X-Host",
           "X-HTTP-Method-Override", "Forwarded", "X_Forwarded_Host", "x-original_url"]
    larder.fetch("/f", headers=[(name, "evil.test") for name in bad] + [("X-Forwarded-For", "6.6.6.6")])
    request = origin.last("/f")
    for name in bad:
        assert "evil" not in (request.get(name) or ""), f"{name} came through"
    same(request.get("X-Forwarded-For"), "127.0.0.1")


def test_interim_responses_are_relayed(t):
    origin = t.origin({"/i": raw(b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"
                                 b"HTTP/1.1 102 Processing\r\n\r\n" + head(200, [("Content-Length", "2"),
                                                                                ("Cache-Control", "max-age=60")]) + b"ok")})
    larder = t.larder(origin)
    first = larder.fetch("/i")
    same((first.status, first.body), (200, b"ok"))
    assert 103 in [interim.status for interim in first.interim], first.interim
    assert first.get("Link") is None, "a field of the interim response leaked into the final one"
    second = larder.fetch("/i")
    same((second.status, second.body, second.interim), (200, b"ok", []), "not replayed on a hit")
    assert second.is_hit and second.get("Link") is None, second.raw_head


def test_odd_methods_and_statuses(t):
    origin = t.origin({"/d": reply("multi", 207, cache="no-store"), "/n": reply(b"", 204, cache="max-age=60"),
                       "/s": reply("odd", 299, cache="no-store"), "/g": reply("gone", 410, cache="max-age=60")})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/d", "PROPFIND", body=b"<propfind/>")
        response = client.read_response()
        same((response.status, response.body), (207, b"multi"))
        same((origin.last("/d").method, origin.last("/d").body), ("PROPFIND", b"<propfind/>"))
        client.request("/d", "M-SEARCH")
        same(client.read_response().status, 207)
        for _ in range(2):
            client.request("/n")
            response = client.read_response()
            same((response.status, response.get("Content-Length"), response.body), (204, None, b""))
        client.request("/s")
        same(client.read_response().status, 299)
        for _ in range(2):
            client.request("/g")
            same(client.read_response().status, 410)
    same(origin.count("/g"), 1, "a 410 with a lifetime is stored")


def test_chunked_origin_is_stored_whole(t):
    body = content("/c", 123456)
    origin = t.origin({"/c": reply(body, cache="max-age=60", chunked=True)})
    larder = t.larder(origin)
    same_body(larder.fetch("/c"), body)
    response = larder.fetch("/c")
    same_body(response, body)
    assert response.is_hit
    same(origin.count("/c"), 1)


def test_end_to_end_fields_are_untouched(t):
    fields = [("Content-Encoding", "bogus"), ("Content-MD5", "abc=="), ("Link", "</a>"), ("Link", "</b>"),
              ("X-Empty", ""), ("X-Odd", "caf\xe9 \"q\" ,, x"), ("Server", "mine/1.0"), ("Content-Type", "text/odd")]
    origin = t.origin({"/f": reply("x", cache="max-age=60", headers=fields)})
    larder = t.larder(origin)
    for _ in range(2):
        response = larder.fetch("/f")
        for name in {name for name, _ in fields}:
            same(response.all(name), [value for key, value in fields if key == name], name)


def test_nginx_as_origin(t):
    files = {"index.html": b"<h1>index</h1>", "style.css": b"body{}" * 100, "empty.html": b"",
             "big.bin": content("big", 3_000_001), "dir/page.html": content("page", 70000)}
    port, log = t.nginx(files)
    larder = t.larder(port)
    for load in range(2):
        for name, data in files.items():
            response = larder.fetch("/" + name)
            same((response.status, response.is_hit), (200, load == 1), name)
            same_body(response, data)

    def seen():
        with open(log, encoding="utf-8") as lines:
            return len(lines.readlines())
    wait_for(lambda: seen() >= len(files), what="nginx's log")
    same(seen(), len(files), "requests nginx saw")
    etag = larder.fetch("/style.css").get("ETag")
    response = larder.fetch("/style.css", headers=[("If-None-Match", etag)])
    same((response.status, response.body), (304, b""))
    same(larder.fetch("/nothing.html").status, 404)


def test_max_forwards_and_trace_and_connect(t):
    origin = t.origin(default=reply("reached", cache="no-store"))
    larder = t.larder(origin)
    response = is_refused(larder, b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n",
                          (400, 403, 404, 405, 421, 501))
    assert b"reached" not in response.body
    response = larder.fetch("/t", "TRACE", headers=[("Cookie", "secret=1")])
    assert b"secret" not in response.body, "TRACE echoed a cookie"
    same(response.cache_status, "", "an answer of our own is no hit")


def test_loop_is_seen(t):
    origin = t.origin({"/l": reply("x", cache="no-store")})
    larder = t.larder(origin)
    same(larder.fetch("/l").status, 200)
    via = origin.last("/l").get("Via")
    response = fetch(larder.port, "/l", headers=[("Via", f"1.0 before, {via}, 1.1 behind (x)")])
    same(response.status, 508, f"a request that carries our own Via ({via})")
    same(fetch(larder.port, "/l", headers=[("Via", "1.1 larder")]).status, 200, "another Larder's")


def test_sequence_of_sizes(t):
    """Every size around the edges of buffers and chunks, as miss and as hit."""
    edges = [0, 1, 2, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 262143, 262144, 262145, 524288, 524289,
             1_048_577]
    origin = t.origin({f"/s{n}": sequence(reply(content(f"/s{n}", n), cache="max-age=60"), reply("twice", 500))
                       for n in edges})
    larder = t.larder(origin)
    with larder.client() as client:
        for _ in range(2):
            for size in edges:
                client.request(f"/s{size}")
                response = client.read_response()
                same(response.status, 200, f"size {size}")
                same_body(response, content(f"/s{size}", size))
