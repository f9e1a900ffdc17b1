"""Bytes move on as soon as they come, and no faster than they are taken."""
import socket
import threading
import time

from case import Closed, content, head, reply, same, same_body, slow, wait_for

MB = 1 << 20


def staged(gate, cache, chunked=False, first=b"first|", rest=b"rest"):
    """Sends the first part, then waits for the gate."""
    def behave(conn, _request):
        framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(first) + len(rest)))
        conn.send(head(200, [("Cache-Control", cache), framing]))
        conn.send(b"%x\r\n%s\r\n" % (len(first), first) if chunked else first)
        if not gate.wait(20):
            raise AssertionError("the gate never opened")
        conn.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest) if chunked else rest)
    return behave


def check_first_bytes_at_once(t, cache, chunked):
    gate = threading.Event()
    larder = t.larder(t.origin({"/s": staged(gate, cache, chunked)}))
    with larder.client(timeout=10) as client:
        client.request("/s")
        response = client.read_head()
        same(response.status, 200)
        wait_for(lambda: b"first|" in client.buffer or not client.fill(), 10, "the first bytes")
        gate.set()
        client.read_body(response)
        same((response.body, response.complete), (b"first|rest", True))


def test_first_bytes_at_once_stored(t):
    check_first_bytes_at_once(t, "max-age=60", False)


def test_first_bytes_at_once_stored_chunked(t):
    check_first_bytes_at_once(t, "max-age=60", True)


def test_first_bytes_at_once_not_stored(t):
    check_first_bytes_at_once(t, "no-store", False)


def test_first_bytes_at_once_not_stored_chunked(t):
    check_first_bytes_at_once(t, "no-store", True)


def test_request_body_streams(t):
    seen, done = threading.Event(), threading.Event()

    def behave(conn, request):
        same(conn.read_some(5), b"early")
        seen.set()
        same(conn.read_some(4), b"late")
        done.set()
        reply("ok", cache="no-store")(conn, request)
    behave.reads_body = True
    larder = t.larder(t.origin({"/u": behave}))
    with larder.client(timeout=10) as client:
        client.send("POST /u HTTP/1.1\r\nHost: site.test\r\nContent-Length: 9\r\n\r\nearly")
        assert seen.wait(20), "the first half of the body did not reach the origin before the second was sent"
        client.send("late")
        response = client.read_response()
        same((response.status, response.body), (200, b"ok"))
    assert done.is_set()


def test_answer_before_the_body_is_sent(t):
    """The origin refuses an upload early; the client sees its answer."""
    def behave(conn, request):
        conn.send(head(413, [("Content-Length", "3"), ("Connection", "close")]) + b"big")
        conn.close()
    behave.reads_body = True
    larder = t.larder(t.origin({"/u": behave}))
    with larder.client(timeout=10) as client:
        client.send("POST /u HTTP/1.1\r\nHost: site.test\r\nContent-Length: 900000\r\n\r\nstart")
        response = client.read_response()
        assert response.status in (413, 502), response


@slow(120)
def test_slow_client_slows_the_origin(t):
    """A response that is not stored: the origin is held back and memory stays bounded."""
    total, piece = 200 * MB, content("piece", 64 << 10)
    sent = [0]

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", str(total)), ("Cache-Control", "no-store")]))
        while sent[0] < total:
            conn.send(piece)
            sent[0] += len(piece)
    larder = t.larder(t.origin({"/big": behave}))
    larder.fetch("/absent")
    before = larder.rss_bytes()
    with larder.client(receive_buffer=65536, timeout=60) as client:
        client.request("/big")
        response = client.read_head()
        last = -1
        while sent[0] != last:
            last = sent[0]
            time.sleep(1.0)
        assert last < 48 * MB, f"the origin could send {last >> 20} MB to a client that reads nothing"
        grown = larder.rss_bytes() - before
        assert grown < 32 * MB, f"memory grew by {grown >> 20} MB"
        same(larder.fetch("/absent").status, 404, "others are served meanwhile")
        got = len(client.buffer)
        client.buffer = b""
        while got < total:
            data = client.socket.recv(MB)
            assert data, f"cut after {got} bytes"
            got += len(data)
        same(got, total)
        same(response.get("Content-Length"), str(total))


@slow(120)
def test_slow_origin_slows_the_upload(t):
    gate = threading.Event()
    total = 100 * MB
    got = [0]

    def behave(conn, request):
        gate.wait(60)
        while got[0] < total:
            conn.buffer = b""
            if not conn.recv():
                raise Closed()
            got[0] += len(conn.buffer)
        conn.buffer = b""
        reply("ok", cache="no-store")(conn, request)

    def behave_counting(conn, request):
        got[0] = len(conn.buffer)
        behave(conn, request)
    behave_counting.reads_body = True
    larder = t.larder(t.origin({"/up": behave_counting}), timeouts="connect=2s first_byte=60s idle=60s")
    larder.fetch("/absent")
    before = larder.rss_bytes()
    piece = content("piece", 256 << 10)
    with larder.client(timeout=2) as client:
        client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: {total}\r\n\r\n")
        sent = 0
        try:
            while sent < total:
                sent += client.socket.send(piece[:total - sent])
        except socket.timeout:
            pass
        assert sent < 48 * MB, f"{sent >> 20} MB went into an origin that reads nothing"
        grown = larder.rss_bytes() - before
        assert grown < 32 * MB, f"memory grew by {grown >> 20} MB"
        gate.set()
        client.socket.settimeout(60)
        while sent < total:
            at = sent % len(piece)
            sent += client.socket.send(piece[at:at + total - sent])
        response = client.read_response()
        same((response.status, response.body), (200, b"ok"))
    same(got[0], total)


def test_slow_reader_of_a_hit(t):
    """A stored object read drop by drop stays right, while others read it fast."""
    body = content("/o", 3 * MB + 17)
    larder = t.larder(t.origin({"/o": reply(body, cache="max-age=60")}))
    same_body(larder.fetch("/o"), body)
    with larder.client(receive_buffer=8192) as client:
        client.request("/o")
        response = client.read_head()
        pieces = [client.buffer]
        client.buffer = b""
        for number in range(50):
            pieces.append(client.socket.recv(3000))
            if number % 10 == 0:
                same_body(larder.fetch("/o"), body)
        have = sum(map(len, pieces))
        pieces.append(client.read_some(len(body) - have))
        response.body = b"".join(pieces)
        response.complete = len(response.body) == len(body)
        same_body(response, body)
