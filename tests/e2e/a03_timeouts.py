"""Deadlines for clients: head, body, idle, slow readers; and the count of connections."""
import time

from case import content, reply, same, wait_for


def test_half_a_head(t):
    larder = t.larder(t.origin(), limits="head_timeout 1s;")
    begin = time.monotonic()
    with larder.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: si")
        while client.fill():
            pass
        took = time.monotonic() - begin
        assert 0.9 < took < 12, f"closed after {took:.1f} s"  # by default after 15
        assert not client.buffer or client.buffer.startswith(b"HTTP/1.1 408 "), client.buffer


def test_head_deadline_is_absolute(t):
    """A byte now and then does not keep a head alive."""
    larder = t.larder(t.origin(), limits="head_timeout 1s;")
    with larder.client() as client:
        begin = time.monotonic()
        try:
            client.send("GET / HTTP/1.1\r\nHost: site.test\r\nX: ")
            while time.monotonic() - begin < 30:
                client.send("a")
                time.sleep(0.2)
        except OSError:
            pass
        took = time.monotonic() - begin
        assert took < 12, f"still open after {took:.1f} s"


def test_idle_connection(t):
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=60")}), limits="client_idle 3s;")
    with larder.client() as client:
        begin = time.monotonic()
        client.request("/a")
        same(client.read_response().status, 200)
        assert client.is_closed(15), "an idle connection stayed open"
        took = time.monotonic() - begin
        assert took > 2.9, f"closed after {took:.2f} s"


def test_body_that_does_not_come(t):
    called = []

    def behave(conn, request):
        called.append(1)
        reply("x")(conn, request)
    larder = t.larder(t.origin({"/p": behave}), limits="body_timeout 1s;")
    with larder.client(timeout=15) as client:  # the default is 60 s
        begin = time.monotonic()
        client.send("POST /p HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100\r\n\r\nonly this")
        while client.fill():
            pass
        took = time.monotonic() - begin
        assert took > 0.9, f"closed after {took:.1f} s"
    time.sleep(0.3)
    same(called, [], "a cut body was completed towards the origin")


def test_cut_upload_is_not_completed(t):
    called = []

    def behave(conn, request):
        called.append(request.body)
        reply("x")(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    for number, framing in enumerate(("Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"), 1):
        with larder.client() as client:
            client.send("POST /p HTTP/1.1\r\nHost: site.test\r\n" + framing)
            wait_for(lambda number=number: origin.count("/p") == number, what="the head at the origin")
    time.sleep(1.0)
    same(called, [])
    same(larder.fetch("/p").status, 200)


def test_reader_that_takes_nothing(t):
    body = content("/big", 30 << 20)
    larder = t.larder(t.origin({"/big": reply(body, cache="max-age=60")}), limits="send_timeout 1s;")
    larder.fetch("/big")
    with larder.client(receive_buffer=4096) as client:
        client.request("/big")
        client.read_head()
        wait_for(lambda: larder.metrics()['larder_connections{state="active"}'] == 0, 15, "its end")  # by default after 60 s
        got = 0
        try:
            while True:
                data = client.socket.recv(1 << 20)
                if not data:
                    break
                got += len(data)
        except ConnectionError:
            pass
        assert got < len(body), "the whole body came: the reader was waited for"
    same(larder.fetch("/big").status, 200)


def test_connection_limit(t):
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=60")}), limits="connections 20;")
    clients = [larder.client() for _ in range(20)]
    try:
        for client in clients:
            client.request("/a")
            same(client.read_response().status, 200)
            client.send(b"GET /a")  # what is not idle does not make room (t03 has the idle ones)
        wait_for(lambda: larder.metrics()['larder_connections{state="idle"}'] == 0, what="20 half requests")
        with larder.client(timeout=5) as extra:
            try:
                extra.request("/a")
                while extra.fill():
                    pass
            except OSError:
                pass
            assert not extra.buffer.startswith(b"HTTP/1.1 200"), "number 21 was served"
    finally:
        for client in clients:
            client.close()

    def served():
        try:
            return larder.fetch("/a", timeout=2).status == 200
        except (OSError, AssertionError):
            return False
    wait_for(served, 10, "service after the others left")
