"""Each fault an origin can put on the wire (libcurl believes most of them): 502, nothing stored, and nobody harmed."""
import threading
import time

from case import head, raw, reply, same

OK = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"


def ok(fields, body=b""):
    return OK + fields + b"\r\n" + body


# Faults seen before the head is over: always 502.
HEAD_FAULTS = {
    "two lengths": ok(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"),
    "plus length": ok(b"Content-Length: +5\r\n", b"hello"),
    "list of lengths": ok(b"Content-Length: 5, 6\r\n", b"hello"),
    "minus length": ok(b"Content-Length: -5\r\n", b"hello"),
    "25 digits": ok(b"Content-Length: 1000000000000000000000005\r\n", b"hello"),
    "empty length": ok(b"Content-Length: \r\n", b"hello"),
    "space before colon": ok(b"Content-Length : 5\r\n", b"hello"),
    "space in name": ok(b"X Y: z\r\nContent-Length: 5\r\n", b"hello"),
    "NUL": ok(b"X: a\0b\r\nContent-Length: 5\r\n", b"hello"),
    "no colon": ok(b"nonsense\r\nContent-Length: 5\r\n", b"hello"),
    "empty name": ok(b": x\r\nContent-Length: 5\r\n", b"hello"),
    "bare CR": ok(b"X: a\rb\r\nContent-Length: 5\r\n", b"hello"),
    "no status line": b"hello\n",
    "HTTP/0.9": b"<html>hello</html>",
    "status 20": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/2 as text": b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/3.0": b"HTTP/3.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw",
    "gzip, chunked": ok(b"Transfer-Encoding: gzip, chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunked, gzip": ok(b"Transfer-Encoding: chunked, gzip\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunked twice": ok(b"Transfer-Encoding: chunked, chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "head of 400 KB": ok(b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(400)) + b"Content-Length: 5\r\n", b"hello"),
    "endless head": ok(b"X: " + b"y" * 2_000_000),
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a head": OK + b"Content-Le",
}

# Either refused or read in the one safe way; never stored in another.
TOLERABLE = {
    "same length twice": (ok(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"), b"hello"),
    "length list of the same": (ok(b"Content-Length: 5, 5\r\n", b"hello"), b"hello"),
    "obs-fold": (ok(b"X: a\r\n b\r\nContent-Length: 5\r\n", b"hello"), b"hello"),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\nCache-Control: max-age=600\n\nhello", b"hello"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\nCache-Control: max-age=600\r\n\r\nhello", b"hello"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=600\r\n\r\nhello", b"hello"),
}

# Faults after the head: the client may have it already, and must then see a cut answer.
BODY_FAULTS = {
    "short body": ok(b"Content-Length: 100\r\n", b"hello"),
    "short chunks": ok(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"),
    "short chunk": ok(b"Transfer-Encoding: chunked\r\n", b"ff\r\nhello"),
    "bad chunk size": ok(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\nzz\r\nx\r\n0\r\n\r\n"),
    "minus chunk": ok(b"Transfer-Encoding: chunked\r\n", b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk without CRLF": ok(b"Transfer-Encoding: chunked\r\n", b"5\r\nhelloXX0\r\n\r\n"),
    "huge chunk size": ok(b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
}


def check_recovers(larder, origin, path, name):
    """The fault has left nothing behind: the next good answer is fetched, served and stored."""
    origin.routes[path] = reply("good", cache="max-age=600")
    response = larder.fetch(path)
    same((response.status, response.body, response.is_hit), (200, b"good", False), f"after {name}")
    assert larder.fetch(path).is_hit, f"after {name}"


def test_heads(t):
    origin = t.origin()
    larder = t.larder(origin)
    wrong = []
    for number, (name, data) in enumerate(HEAD_FAULTS.items()):
        path = f"/f{number}"
        origin.routes[path] = raw(data)
        response = larder.fetch(path)
        if response.status != 502 or "error=" not in response.get("Proxy-Status", ""):
            wrong.append(f"{name}: {response} {response.get('Proxy-Status')}")
            continue
        assert b"hello" not in response.body, name
        check_recovers(larder, origin, path, name)
    assert not wrong, "\n" + "\n".join(wrong)


def test_length_and_chunked(t):
    """RFC 9112 6.1, 6.3: the chunks count, the length is not passed on, nothing is stored, and the connection ends.

    Real origins send both; where the message ends is certain, whether what follows is a message is not."""
    both = {
        "length first": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "length last": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "of HTTP/1.0": b"HTTP/1.0 200 OK\r\nCache-Control: max-age=600\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
    }
    evil = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\nEVIL"
    for name, first in both.items():
        used = []

        def behave(conn, request, first=first, used=used):
            used.append(conn.number)
            if request.path == "/good":
                reply("good", cache="no-store")(conn, request)
            else:
                conn.send(first + b"5\r\nhello\r\n0\r\n\r\n" + (evil if request.path == "/smuggled" else b""))
        origin = t.origin(default=behave)
        larder = t.larder(origin, workers=1)
        for path in ("/both", "/both", "/smuggled", "/smuggled"):
            response = larder.fetch(path)
            same((response.status, response.body, response.is_hit), (200, b"hello", False), f"{name}{path}")
            same(response.all("Content-Length"), [], f"{name}{path}: what the client is told")
            same([larder.fetch("/good").body for _ in range(2)], [b"good"] * 2, f"{name}{path}: the next ones")
        same(used, [1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5], f"{name}: each message with both is the last on its connection")
    for lengths in (b"Content-Length: 3\r\nContent-Length: 5\r\n", b"Content-Length: x\r\n"):
        origin = t.origin({"/": raw(ok(lengths + b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"))})
        same(t.larder(origin).fetch("/").status, 502, lengths)


def test_tolerable(t):
    origin = t.origin()
    larder = t.larder(origin)
    for number, (name, (data, body)) in enumerate(TOLERABLE.items()):
        path = f"/t{number}"
        origin.routes[path] = raw(data)
        for _ in range(2):
            response = larder.fetch(path)
            assert response.status == 502 or (response.status, response.body) == (200, body), f"{name}: {response}"
            assert b"\n b" not in response.raw_head, f"{name}: a folded line came through"


def test_bodies(t):
    origin = t.origin()
    larder = t.larder(origin)
    for number, (name, data) in enumerate(BODY_FAULTS.items()):
        path = f"/b{number}"
        origin.routes[path] = raw(data)
        response = larder.fetch(path)
        assert response.status == 502 or (response.status == 200 and not response.complete), \
            f"{name}: a cut body was shown as complete: {response}"
        check_recovers(larder, origin, path, name)


def test_trailers_are_not_fields(t):
    data = ok(b"Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n",
              b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nSet-Cookie: a=b\r\nX-Trailer: 1\r\n\r\n")
    larder = t.larder(t.origin({"/t": raw(data)}))
    for _ in range(2):
        response = larder.fetch("/t")
        same((response.status, response.body), (200, b"hello"))
        same((response.get("X-Trailer"), response.get("Set-Cookie")), (None, None))


def test_interim_heads_do_not_leak(t):
    data = (b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: leaked=1\r\nContent-Length: 7\r\n\r\n" * 5 +
            ok(b"Content-Length: 5\r\n", b"hello"))
    larder = t.larder(t.origin({"/i": raw(data)}))
    response = larder.fetch("/i")
    same((response.status, response.body, response.get("Set-Cookie")), (200, b"hello", None))


def test_endless_interim_heads(t):
    def behave(conn, _request):
        for _ in range(20_000):
            conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50)
    larder = t.larder(t.origin({"/i": behave}))
    response = larder.fetch("/i", timeout=40)
    same(response.status, 502)


def test_no_length_ends_with_the_connection(t):
    larder = t.larder(t.origin({"/c": raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000)}))
    for _ in range(2):
        response = larder.fetch("/c")
        same((response.status, len(response.body), response.complete), (200, 70_000, True))


def test_bytes_beyond_the_length(t):
    """The surplus is dropped and the connection not used again: it must not answer the next request."""
    data = ok(b"Content-Length: 5\r\n", b"hello" + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    def behave(conn, _request):
        conn.send(data)
    origin = t.origin({"/x": behave, "/y": reply("clean", cache="no-store")})
    larder = t.larder(origin, workers=1)
    for _ in range(5):
        same(larder.fetch("/x", headers=[("Cache-Control", "no-cache")]).body, b"hello")
        same(larder.fetch("/y").body, b"clean")


def test_unasked_response_on_a_kept_connection(t):
    """Bytes that come while nothing was asked must not answer the next request."""
    sent = threading.Semaphore(0)

    def behave(conn, request):
        reply("first", cache="no-store")(conn, request)
        time.sleep(0.2)
        try:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        finally:
            sent.release()
    origin = t.origin({"/x": behave, "/y": reply("clean", cache="no-store")})
    larder = t.larder(origin, workers=1)
    for _ in range(5):
        same(larder.fetch("/x").body, b"first")
        assert sent.acquire(timeout=30)  # as long as it is on its way nobody can tell it from the answer
        same(larder.fetch("/y").body, b"clean")


def test_head_with_a_body(t):
    def behave(conn, request):
        conn.send(head(200, [("Content-Length", "5"), ("Cache-Control", "no-store")]) + b"hello")
    origin = t.origin({"/h": behave, "/y": reply("clean", cache="no-store")})
    larder = t.larder(origin, workers=1)
    for _ in range(3):
        with larder.client() as client:
            client.request("/h", "HEAD")
            same(client.read_response("HEAD").status, 200)
            client.request("/y")
            same(client.read_response().body, b"clean")


def test_field_injection_through_stored_values(t):
    """Whatever odd bytes a field holds, our own head stays one head."""
    origin = t.origin({"/o": raw(ok(b"X-Odd: \x80\xff\tq\r\nContent-Length: 2\r\n", b"ok"))})
    larder = t.larder(origin)
    for _ in range(2):
        response = larder.fetch("/o")
        assert response.status in (200, 502)
        if response.status == 200:
            same(response.body, b"ok")
