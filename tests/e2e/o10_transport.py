"""RFC 9112 and RFC 9110 15.2: what an origin may send, and what of it reaches the client."""
import threading
import time

from case import Client, content, head, is_refused, raw, reply, same, same_body


def test_interim_heads_come_at_once(t):
    """102 and 103 are with the client, fields and all, while the origin still works on the answer."""
    gate = threading.Event()

    def behave(conn, _request):
        conn.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n"
                  b"Link: </t.js>\r\nX-Early: caf\xe9\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n\r\n")
        gate.wait(15)
        conn.send(head(200, [("Content-Length", "2"), ("Cache-Control", "max-age=60")]) + b"ok")
    origin = t.origin({"/i": behave})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/i")
        same(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 102 Processing\r\n\r\n")
        same(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n"
             b"Link: </t.js>\r\nX-Early: caf\xe9\r\n\r\n", "its end-to-end fields, byte for byte")
        assert client.is_silent(0.3), "the answer came before the origin sent it"
        gate.set()
        response = client.read_response()
        same((response.status, response.body, response.get("Link"), response.get("X-Early")), (200, b"ok", None, None))
        client.request("/i")
        response = client.read_response()
        same((response.is_hit, response.interim, response.get("Link")), (True, [], None), "a hit repeats nothing of them")


def test_interim_heads_and_old_clients(t):
    """RFC 9110 15.2: a 1.0 client knows no 1xx."""
    larder = t.larder(t.origin({"/i": raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
                                          head(200, [("Content-Length", "2"), ("Cache-Control", "no-store")]) + b"ok")}))
    with larder.client() as client:
        client.request("/i", version="HTTP/1.0")
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_continue_of_the_origin_is_not_doubled(t):
    """The proxy answers Expect itself; the origin is not asked for a 100, and one it sends is not passed on."""
    def behave(conn, request):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        reply(request.body, cache="no-store")(conn, request)
    origin = t.origin({"/e": behave})
    larder = t.larder(origin)
    with larder.client() as client:
        client.send("PUT /e HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.send("hello")
        response = client.read_response()
        same((response.status, response.body, response.interim), (200, b"hello", []))
    same(origin.last("/e").get("Expect"), None)


def test_no_body_where_there_is_none(t):
    """HEAD, 204 and 304 have no content, whatever their fields say."""
    def behave(conn, request):
        status = {"/h": 200, "/n": 204, "/m": 304}[request.path]
        length = [] if status == 204 else [("Content-Length", "5")]
        conn.send(head(status, [*length, ("Cache-Control", "no-store"), ("ETag", '"e"')]))
    origin = t.origin({"/h": behave, "/n": behave, "/m": behave})
    larder = t.larder(origin, timeouts="connect=5s first_byte=5s idle=5s", workers=1)
    with larder.client() as client:
        for method, target, status in (("HEAD", "/h", 200), ("GET", "/n", 204), ("GET", "/m", 304)) * 2:
            client.request(target, method, headers=[("Cache-Control", "no-store"), ("If-None-Match", '"e"')])
            response = client.read_response(method)
            same((response.status, response.body), (status, b""), target)
    same(origin.connections, 1, "origin connections: each response ended where it should")


def test_transfer_coding_that_is_not_chunked(t):
    """RFC 9112 6.3: the body ends with the connection, the field is for nobody else, Content-Length does not count."""
    for fields in (b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: odd, gzip\r\nContent-Length: 3\r\n",
                   b"transfer-encoding: IDENTITY\r\nConnection: keep-alive\r\n"):
        origin = t.origin({"/t": raw(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n" + fields +
                                     b"\r\nwhatever it is")})
        larder = t.larder(origin, workers=1)
        for number in (1, 2):
            response = larder.fetch("/t")
            same((response.status, response.body, response.complete), (200, b"whatever it is", True), fields)
            assert response.get("Transfer-Encoding") in (None, "chunked"), response.raw_head
            same((origin.connections, origin.count("/t")), (number, number), "neither stored nor the connection kept")


def test_surplus_ends_the_connection(t):
    """Bytes beyond Content-Length are for nobody, and the connection they came on is closed."""
    dropped = threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "5"), ("Cache-Control", "max-age=600")]) + b"helloSURPLUS")
        if conn.is_dropped(10):
            dropped.set()
    origin = t.origin({"/x": behave})
    larder = t.larder(origin)
    with larder.client() as client:
        for _ in range(2):
            client.request("/x")
            response = client.read_response()
            same((response.status, response.body), (200, b"hello"))
        same(client.buffer, b"")
        assert client.is_silent(0.2)
    assert dropped.wait(30), "the connection was kept"


def test_short_bodies_are_shown_as_cut_and_not_stored(t):
    for data in (b"Content-Length: 100\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"):
        origin = t.origin({"/s": raw(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n" + data)})
        larder = t.larder(origin)
        for number in (1, 2):
            response = larder.fetch("/s")
            assert response.status == 502 or not response.complete, f"{data!r}: shown as complete"
            same(origin.count("/s"), number, f"{data!r}: stored")


METHODS = ["M-SEARCH", "PROPFIND", "REPORT", "MKCOL", "LOCK", "get", "Q!#$%&'*+-.^_`|~9", "X" * 32]


def test_any_method_with_its_body(t):
    """RFC 9110 9.1: a token is a method, in the letters it came in; nothing of it is answered from the store."""
    def echo(conn, request):
        reply(f"{request.method} {request.body.decode()}", cache="max-age=600")(conn, request)
    origin = t.origin({"/m": echo})
    larder = t.larder(origin)
    with larder.client() as client:
        for method in METHODS:
            for body in (b"<body/>", b"", None):
                client.request("/m", method, body=body)
                response = client.read_response()
                same((response.status, response.body), (200, method.encode() + b" " + (body or b"")), method)
                same(origin.last("/m").method, method)
    same(origin.count("/m"), len(METHODS) * 3)


def test_every_status(t):
    """200 to 599 pass, known or not, with reason and body; the next request on the connection is in step."""
    statuses = [200, 201, 202, 203, 207, 226, 299, 300, 307, 308, 399, 400, 401, 402, 407, 418, 421, 451, 499, 500, 501,
                505, 511, 520, 599]
    origin = t.origin({f"/{status}": reply(f"body {status}", status, cache="max-age=600",
                                           headers=[("WWW-Authenticate", "Basic realm=x")] if status == 401 else [])
                       for status in statuses})
    larder = t.larder(origin)
    with larder.client() as client:
        for load in (0, 1):
            for status in statuses:
                client.request(f"/{status}")
                response = client.read_response()
                same((response.status, response.reason, response.body), (status, "Thing", f"body {status}".encode()))
                same((response.is_hit, origin.count(f"/{status}")), (load == 1, 1), f"{status} with explicit freshness")


def test_keep_alive_timeout_of_the_origin(t):
    """RFC 9112 9.3, Keep-Alive: timeout=4: not used again after those seconds; without it it is."""
    table = []
    for fields, wanted in (([("Keep-Alive", "timeout=4, max=100")], 2), ([("Keep-Alive", "max=5, timeout=60")], 1), ([], 1)):
        origin = t.origin({"/k": reply("x", cache="no-store", headers=fields)})
        larder = t.larder(origin, workers=1)
        larder.fetch("/k")
        larder.fetch("/k")
        same(origin.connections, 1, "at once")
        table.append((fields, wanted, origin, larder))
    time.sleep(4.6)
    for fields, wanted, origin, larder in table:
        larder.fetch("/k")
        same(origin.connections, wanted, f"{fields} after 4.6 s")


def test_retry_once_and_for_idempotent_only(t):
    """A kept connection that dies with the request on it: GET goes out once more on a new one, and not twice."""
    state = {"kill": 1}

    def behave(conn, request):
        if request.target == "/warm":
            reply("warm", cache="no-store")(conn, request)
        elif state["kill"] > 0:
            state["kill"] -= 1
            conn.reset()
        else:
            reply("good", cache="no-store")(conn, request)
    origin = t.origin(default=behave)
    larder = t.larder(origin, workers=1)
    for method, kills, status, requests in (("GET", 1, 200, 2), ("OPTIONS", 1, 200, 2), ("GET", 2, 502, 2),
                                            ("POST", 1, 502, 1), ("UNKNOWN", 1, 502, 1)):
        same(larder.fetch("/warm").body, b"warm")
        state["kill"] = kills
        target = f"/{method}-{kills}"
        response = larder.fetch(target, method)
        same((response.status, origin.count(target)), (status, requests), target)
        state["kill"] = 0


ODD = [("Content-Encoding", "bogus"), ("Content-Range", "bytes 0-3/99"), ("Content-MD5", "not base64 at all"),
       ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2, c=3"), ("Set-Cookie", "a=1; Path=/"), ("X-Obs", "\xe9\xff\x80"),
       ("X-Empty", ""), ("x-lower", "KEPT"), ("X-List", ",, a,,b ,"), ("X-Quoted", '"a, b'), ("Warning", '110 - "old"'),
       ("Content-Location", "not a uri %%"), ("Accept-Ranges", "none"), ("X-Tab", "a\tb")]


def test_odd_fields_pass_byte_for_byte(t):
    """End-to-end fields are not ours to mend, on a miss and on a hit."""
    origin = t.origin({"/o": reply("body", cache="max-age=600, public", headers=ODD)})
    larder = t.larder(origin)
    for load in (0, 1):
        response = larder.fetch("/o")
        same((response.status, response.body, response.is_hit), (200, b"body", load == 1))
        for name in {name for name, _ in ODD}:
            same([value for key, value in response.headers if key == name],
                 [value for key, value in ODD if key == name], name)


def test_requests_pass_byte_for_byte(t):
    """The client's own end-to-end fields as well, and in their order."""
    origin = t.origin({"/r": reply("x", cache="no-store")})
    larder = t.larder(origin)
    fields = [("Accept", "a/b;q=0.5,, */*"), ("X-Obs", "\xff\xe9"), ("cookie", "a=b"), ("Cookie", "c=d"), ("X-Empty", ""),
              ("Authorization", "Basic !!"), ("Cache-Control", "no-store"), ("X-Last", "1")]
    larder.fetch("/r", headers=fields)
    names = {name for name, _ in fields}
    same([field for field in origin.last("/r").headers if field[0] in names], fields)


def test_answers_when_the_origin_fails(t):
    """502 or 504 for each way an origin can fail before its head is through, on a connection that stays usable."""
    def hang(conn, _request):
        conn.is_dropped(20)
    origin = t.origin({"/empty": raw(b""), "/hang": hang, "/junk": raw(b"\0\1\2"),
                       "/reset": lambda conn, _request: conn.reset(), "/cut": raw(b"HTTP/1.1 200 OK\r\nX:"),
                       "/only-interim": raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")})
    larder = t.larder(origin, timeouts="connect=5s first_byte=4s idle=4s")
    with larder.client() as client:
        for path in origin.routes:
            for method in ("GET", "POST"):
                client.request(path, method, body=b"x" if method == "POST" else None)
                response = client.read_response()
                same(response.status, 504 if path == "/hang" else 502, f"{method} {path}")
                assert response.get("Proxy-Status", "").startswith("larder; error="), response.raw_head
        origin.shut()
        client.request("/gone")
        response = client.read_response()
        same((response.status, response.get("Proxy-Status")), (502, "larder; error=connection_refused"))


def test_slow_upload_after_an_early_answer(t):
    """An origin that has begun its 200 may wait for the rest of the upload: its idle time is not the client's."""
    def behave(conn, request):
        conn.send(head(200, [("Transfer-Encoding", "chunked"), ("Cache-Control", "no-store")]) + b"5\r\nearly\r\n")
        body = conn.read_body(request)
        conn.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    behave.reads_body = True
    larder = t.larder(t.origin({"/u": behave}), timeouts="connect=5s first_byte=4s idle=4s")
    with larder.client() as client:
        client.send("POST /u HTTP/1.1\r\nHost: site.test\r\nContent-Length: 6\r\n\r\nabc")
        response = client.read_head()
        same(response.status, 200)
        time.sleep(7)
        client.send("def")
        client.read_body(response, "POST")
        same((response.complete, response.body), (True, b"earlyabcdef"))


def test_via_both_ways(t):
    """Our name is added behind others, with the protocol version of the message that came."""
    def behave(conn, request):
        if request.target == "/old":
            conn.send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nVia: 1.0 up\r\n\r\nok")
            conn.close()
        else:
            reply("ok", cache="max-age=60", headers=[("Via", "2 up (x, y)")])(conn, request)
    origin = t.origin({"/a": behave, "/old": behave})
    larder = t.larder(origin, site="via edge1;")
    for _ in range(2):
        response = larder.fetch("/a", headers=[("Via", "1.1 down")])
        same(response.all("Via"), ["2 up (x, y)", "1.1 edge1"])
    same(origin.last("/a").all("Via"), ["1.1 down", "1.1 edge1"])
    same(larder.fetch("/old").all("Via"), ["1.0 up", "1.0 edge1"])
    with larder.client() as client:
        client.request("/a?1", version="HTTP/1.0")
        client.read_head()
    same(origin.last("/a").all("Via"), ["1.0 edge1"])
    for via in ("1.1 edge1", "1.1 a, HTTP/1.1 EDGE1 (larder)", "2 x (edge1), 1.0 edge1"):
        response = larder.fetch("/a", headers=[("Via", via)])
        same((response.status, response.get("Proxy-Status")), (508, "edge1; error=proxy_loop_detected"), via)
    for via in ("1.1 edge10", "1.1 x (edge1)", "1.1 larder"):
        same(larder.fetch("/a", headers=[("Via", via)]).status, 200, via)


def test_drops_and_slow_clients_of_an_interim_flood(t):
    """A client that reads nothing of many interim heads costs no memory without end and gets its answer."""
    def behave(conn, _request):
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 30 +
                  head(200, [("Content-Length", "2"), ("Cache-Control", "no-store")]) + b"ok")
    larder = t.larder(t.origin({"/i": behave}))
    client = Client(larder.port, receive_buffer=4096)
    client.request("/i")
    time.sleep(0.3)
    response = client.read_response()
    same((response.status, response.body, len(response.interim)), (200, b"ok", 30))
    client.close()


def test_absolute_form(t):
    """The same resource in absolute form: one key, one answer, the same rules; Host follows the target (RFC 9112 3.2.2)."""
    body = content("/a", 5000)
    origin = t.origin({"/a": reply(body, cache="max-age=600", etag='"a"'), "/q?x=/../y": reply("query", cache="max-age=60"),
                       "/": reply("root", cache="max-age=60"), "/p": reply("done", cache="no-store")})
    larder = t.larder(origin)
    first = larder.fetch("http://SITE.test:80/a", host="other.test")
    same_body(first, body)
    same((origin.last("/a").line, origin.last("/a").all("Host")), ("GET /a HTTP/1.1", ["site.test:80"]))
    for target, fields, status in (("http://site.test/a", [], 200), ("/a", [], 200),
                                   ("http://site.test/a", [("If-None-Match", '"a"')], 304)):
        response = larder.fetch(target, headers=fields)
        same((response.status, response.is_hit, origin.count("/a")), (status, True, 1), target)
    same(larder.fetch("http://site.test/a", "HEAD").get("Content-Length"), "5000")
    response = larder.fetch("http://site.test/a", headers=[("Range", "bytes=1-3")])
    same((response.status, response.body), (206, body[1:4]))
    same(larder.fetch("http://site.test/q?x=/../y").body, b"query")
    same(larder.fetch("http://site.test").body, b"root", "no path is /")
    same(origin.last().target, "/")
    same(larder.fetch("http://site.test/p", "POST", body=b"x").body, b"done")
    assert larder.fetch("/a").is_hit
    same(larder.fetch("http://site.test/a", "DELETE").status, 200)
    assert not larder.fetch("/a").is_hit, "an unsafe method in absolute form left the response in place"
    response = larder.fetch("http://site.test/none", headers=[("Cache-Control", "only-if-cached")])
    same((response.status, origin.count("/none")), (504, 0))
    is_refused(larder, b"GET http://site.test/a HTTP/1.1\r\nConnection: close\r\n\r\n", 400)


def test_max_forwards(t):
    """9110 7.6.2: OPTIONS ends where its count does, and each hop takes one; other methods do not count."""
    origin = t.origin(default=reply("from the origin", cache="no-store"))
    larder = t.larder(origin)
    for target in ("/a", "*"):
        response = larder.fetch(target, "OPTIONS", headers=[("Max-Forwards", "0")])
        same((response.status, response.body, response.complete), (200, b"", True), target)
        assert "OPTIONS" in response.get("Allow"), response.raw_head
    same(origin.count(), 0)
    for method, sent, wanted in (("OPTIONS", "1", "0"), ("OPTIONS", "10", "9"), ("OPTIONS", "many", "many"),
                                 ("POST", "0", "0"), ("GET", "7", "7")):
        same(larder.fetch("/b", method, headers=[("Max-Forwards", sent)]).body, b"from the origin", method)
        same(origin.last().all("Max-Forwards"), [wanted], method)
