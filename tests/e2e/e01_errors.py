"""When the origin fails: 502 and 504 with Proxy-Status, and stale where it is allowed."""
import socket
import threading
import time

from case import content, head, raw, reply, same, same_body, sequence, slow, wait_for


def check_error(response, status):
    same(response.status, status)
    assert "error=" in response.get("Proxy-Status", ""), f"Proxy-Status: {response.raw_head!r}"
    assert response.complete and response.body, "an error page"
    assert "larder" in response.cache_status or response.get("Cache-Status") is None, response.cache_status


def test_refused_connection(t):
    origin = t.origin({"/a": reply("up", cache="no-store")})
    larder = t.larder(origin)
    same(larder.fetch("/a").status, 200)
    origin.shut()
    with larder.client() as client:
        for _ in range(3):
            client.request("/a")
            check_error(client.read_response(), 502)
    origin.listen()
    wait_for(lambda: larder.fetch("/a").status == 200, 10, "recovery when the origin is back")


def test_connect_timeout(t):
    """A listener whose queue is full lets connections hang."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    larder = t.larder(listener.getsockname()[1], timeouts="connect=500ms first_byte=2s idle=2s")
    begin = time.monotonic()
    response = larder.fetch("/a")
    took = time.monotonic() - begin
    assert response.status in (502, 504), response
    check_error(response, response.status)
    assert 0.3 < took < 15, f"after {took:.1f} s"  # the kernel tries for two minutes
    for filler in fillers:
        filler.close()
    listener.close()


def test_first_byte_timeout(t):
    origin = t.origin({"/s": reply("late", cache="max-age=60", delay=15)})
    larder = t.larder(origin, timeouts="connect=1s first_byte=1s idle=5s")
    begin = time.monotonic()
    check_error(larder.fetch("/s"), 504)
    took = time.monotonic() - begin
    assert took > 0.7, f"after {took:.1f} s"


def test_idle_timeout_inside_the_body(t):
    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "100"), ("Cache-Control", "max-age=60")]) + b"some")
        conn.is_dropped(60)
        conn.close()
    origin = t.origin({"/s": behave})
    larder = t.larder(origin, timeouts="connect=5s first_byte=10s idle=1s")
    response = larder.fetch("/s", timeout=15)
    assert not response.complete, "a cut body was shown as complete"
    origin.routes["/s"] = reply("whole", cache="max-age=60")
    same(larder.fetch("/s").body, b"whole")


def test_slow_but_steady_is_fine(t):
    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "8"), ("Cache-Control", "max-age=60")]))
        for _ in range(8):
            time.sleep(0.8)
            conn.send(b"x")
    larder = t.larder(t.origin({"/s": behave}), timeouts="connect=5s first_byte=5s idle=5s")
    response = larder.fetch("/s")
    same((response.complete, response.body), (True, b"xxxxxxxx"))


def test_dead_pooled_connection_is_retried(t):
    """The origin closes kept connections; an idempotent request must not see that."""
    def behave(conn, request):
        reply("x", cache="no-store")(conn, request)
        conn.close()
    origin = t.origin({"/k": behave})
    larder = t.larder(origin)
    for _ in range(10):
        same(larder.fetch("/k").status, 200)
        time.sleep(0.02)


def test_post_is_not_sent_twice(t):
    """libcurl repeats a request on a dead connection by itself, POST too: it must not here."""
    state = {"posts": 0}

    def behave(conn, request):
        if request.method == "POST":
            state["posts"] += 1
            conn.reset()
            return
        reply("x", cache="no-store")(conn, request)
    larder = t.larder(t.origin({"/p": behave}))
    for _ in range(5):
        same(larder.fetch("/p").status, 200)
        before = state["posts"]
        check_error(larder.fetch("/p", "POST", body=b"once"), 502)
        same(state["posts"], before + 1, "how often the origin got the POST")


def test_stale_if_error(t):
    good = reply("good", cache="max-age=1, stale-if-error=600", etag='"1"')
    origin = t.origin({"/e": good})
    larder = t.larder(origin, timeouts="connect=5s first_byte=4s idle=4s")
    larder.fetch("/e")
    time.sleep(2.1)
    for failure in (reply("bad", 500), reply("bad", 503), raw(b""), raw(b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
                    reply("late", delay=15)):
        origin.routes["/e"] = failure
        response = larder.fetch("/e")
        same((response.status, response.body), (200, b"good"))
        assert response.age >= 2, response.raw_head
    origin.shut()
    same(larder.fetch("/e").body, b"good", "origin refuses")
    origin.listen()
    origin.routes["/e"] = reply("new", cache="max-age=600")
    wait_for(lambda: larder.fetch("/e").body == b"new", 40, "the new version once the origin is well", 0.5)


def test_stale_if_error_by_the_operator(t):
    origin = t.origin({"/e": reply("good", cache="max-age=1")})
    larder = t.larder(origin, cache="stale_if_error 600s;")
    larder.fetch("/e")
    time.sleep(2.1)
    origin.shut()
    same(larder.fetch("/e").body, b"good")


def test_must_revalidate_is_never_stale(t):
    for directive in ("must-revalidate", "proxy-revalidate", "no-cache"):
        origin = t.origin({"/e": reply("good", cache=f"max-age=1, {directive}", etag='"1"')})
        larder = t.larder(origin, cache="stale_if_error 600s; stale_while_revalidate 600s;")
        same(larder.fetch("/e").status, 200)
        time.sleep(2.1)
        origin.shut()
        response = larder.fetch("/e")
        assert response.status in (502, 504), f"{directive}: {response}"
        assert response.body != b"good"


def test_stale_while_revalidate(t):
    gate = threading.Event()

    def refreshed(conn, request):
        gate.wait(60)
        reply("v2", cache="max-age=600")(conn, request)
    origin = t.origin({"/w": sequence(reply("v1", cache="max-age=1, stale-while-revalidate=600"), refreshed)})
    larder = t.larder(origin, timeouts="connect=5s first_byte=2m idle=2m")
    larder.fetch("/w")
    time.sleep(2.1)
    for _ in range(5):
        same(larder.fetch("/w").body, b"v1", "stale at once: nobody waits for the refresh")
    gate.set()
    wait_for(lambda: larder.fetch("/w").body == b"v2", 10, "the refreshed version")
    same(origin.count("/w"), 2)


def test_error_with_head_already_sent(t):
    """After the head is out, a failure can only cut the connection."""
    def behave(conn, _request):
        conn.send(head(200, [("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=60")]) + b"5\r\nhello\r\n")
        is_out.wait(60)
        conn.reset()
    is_out = threading.Event()
    larder = t.larder(t.origin({"/c": behave}))
    with larder.client() as client:
        client.request("/c")
        response = client.read_head()
        is_out.set()
        client.read_body(response)
    same((response.status, response.complete), (200, False))


def test_origin_that_closes_after_each_answer(t):
    body = content("/x", 50_000)

    def behave(conn, _request):
        conn.send(head(200, [("Connection", "close"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]) +
                  body)
        conn.close()
    larder = t.larder(t.origin({"/x": behave}))
    for _ in range(10):
        same_body(larder.fetch("/x"), body)


@slow(90)
def test_trickling_head(t):
    """A head that comes drop by drop does not hold a request for ever."""
    def behave(conn, _request):
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
            conn.send(bytes([byte]))
            time.sleep(0.3)
    larder = t.larder(t.origin({"/t": sequence(behave)}), timeouts="connect=1s first_byte=2s idle=2s")
    response = larder.fetch("/t", timeout=45)  # the whole of it would take half an hour
    assert response.status in (502, 504), response
