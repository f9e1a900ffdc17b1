"""Large request bodies: passed on as they come, held back by whoever is slower, never completed for a client that left."""
import hashlib
import os
import socket
import threading
import time

from case import Closed, content, head, reply, same, settle, slow, wait_for

MB = 1 << 20
PIECE = content("upload", 256 << 10)


def sink(result, rate=None):
    """Reads a body of any framing without keeping it; notes how much came, its hash, and whether it ended."""
    def behave(conn, request):
        result.update(bytes=0, ended=False, dropped=False, framing=request.get("Transfer-Encoding"))
        hash_ = hashlib.sha1()

        def take(count):
            while count:
                if not conn.buffer and not conn.recv():
                    result["dropped"] = True
                    raise Closed()
                data, conn.buffer = conn.buffer[:count], conn.buffer[count:]
                hash_.update(data)
                result["bytes"] += len(data)
                count -= len(data)
                if rate:
                    time.sleep(len(data) / rate)
        try:
            if request.get("Transfer-Encoding"):
                while True:
                    size = int(conn.read_line(), 16)
                    if size == 0:
                        same(conn.read_line(), b"")
                        break
                    take(size)
                    same(conn.read_some(2), b"\r\n")
            else:
                take(int(request.get("Content-Length")))
        except Closed:
            result["dropped"] = True
            raise
        result.update(ended=True, hash=hash_.hexdigest())
        reply("got %d" % result["bytes"], cache="no-store")(conn, request)
    behave.reads_body = True
    return behave


def push(client, total, chunked=False):
    """Sends so many bytes; returns their hash."""
    hash_ = hashlib.sha1()
    sent = 0
    while sent < total:
        data = PIECE[:total - sent]
        hash_.update(data)
        client.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        sent += len(data)
    if chunked:
        client.send("0\r\n\r\n")
    return hash_.hexdigest()


class Memory(threading.Thread):
    """Samples the resident set of the daemon until stopped."""

    def __init__(self, larder):
        super().__init__(daemon=True)
        self.larder, self.begin, self.most, self.over = larder, larder.rss_bytes(), 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.larder.rss_bytes())

    def grown(self):
        self.over.set()
        self.join()
        return self.most - self.begin


def start(t, behave, limits="request_body 8G;", **words):
    origin = t.origin({"/up": behave})
    words.setdefault("timeouts", "connect=5s first_byte=30s idle=30s")
    larder = t.larder(origin, limits=limits, **words)
    larder.fetch("/absent")
    return origin, larder


def check_large(t, total, chunked):
    got = {}
    _, larder = start(t, sink(got))
    memory = Memory(larder)
    with larder.client(timeout=120) as client:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {total}"
        client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
        wanted = push(client, total, chunked)
        response = client.read_response()
        same((response.status, response.body), (200, b"got %d" % total))
        client.request("/absent")
        same(client.read_response().status, 404, "the connection goes on")
    same((got["bytes"], got["hash"], got["framing"]), (total, wanted, "chunked" if chunked else None))
    grown = memory.grown()
    assert grown < 16 * MB, f"memory grew by {grown >> 20} MB for {total >> 20} MB"
    record = wait_for(lambda: [row for row in larder.access_records() if row["path"] == "/up"], 5)[0]
    same((record["received"], record["status"], record["result"]), (total, 200, "pass"))


def is_plain():
    with open(os.environ["LARDER"], "rb") as data:
        text = data.read()
    return b"__asan_init" not in text and b"__tsan_init" not in text


@slow(180)
def test_gigabytes_with_a_length(t):
    check_large(t, (5 << 30 if is_plain() else 9 << 28) + 17, False)


@slow(180)
def test_gigabytes_in_chunks(t):
    check_large(t, (9 << 28 if is_plain() else 1 << 29) + 17, True)


@slow(90)
def test_slow_origin_holds_the_client_back(t):
    """At the origin's pace, in bounded memory, with other requests served meanwhile."""
    got = {}
    total = 24 * MB
    _, larder = start(t, sink(got, rate=2 * MB), timeouts="connect=2s first_byte=60s idle=60s")
    memory = Memory(larder)
    with larder.client(timeout=60) as client:
        client.send(f"POST /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: {total}\r\n\r\n")
        sender = threading.Thread(target=push, args=(client, total), daemon=True)
        sender.start()
        settle(1.5)
        assert got.get("bytes", 0) < 16 * MB
        same(larder.fetch("/absent").status, 404)
        assert sender.is_alive(), "the whole body left the client although the origin has not taken it"
        sender.join(60)
        same(client.read_response().body, b"got %d" % total)
    grown = memory.grown()
    assert grown < 16 * MB, f"memory grew by {grown >> 20} MB"


def check_abort(t, framing, reset):
    """The client leaves in the middle: the origin's side is cut, and what it has looks incomplete."""
    got = {}
    origin, larder = start(t, sink(got))
    with larder.client() as client:
        client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
        client.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if "chunked" in framing else PIECE)
        wait_for(lambda: got.get("bytes", 0) == len(PIECE), 5, "what was sent so far")
        if reset:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for(lambda: got.get("dropped"), 5, "the end of the origin's side")
    same((got["ended"], got["bytes"], origin.count("/up")), (False, len(PIECE), 1))
    record = wait_for(lambda: [row for row in larder.access_records() if row["path"] == "/up"], 5)[0]
    same(record["received"], len(PIECE))


def test_abort_with_a_length(t):
    check_abort(t, "Content-Length: 10000000", False)


def test_abort_with_a_length_by_reset(t):
    check_abort(t, "Content-Length: 10000000", True)


def test_abort_in_chunks(t):
    check_abort(t, "Transfer-Encoding: chunked", False)


def test_abort_in_chunks_by_reset(t):
    check_abort(t, "Transfer-Encoding: chunked", True)


def test_too_large_is_refused_at_once(t):
    """413 before a byte of it is sent on, with the length known."""
    origin, larder = start(t, sink({}), limits="request_body 1M;")
    for expect in ("", "Expect: 100-continue\r\n"):
        with larder.client() as client:
            client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: {MB + 1}\r\n{expect}\r\n")
            response = client.read_response()
            same((response.status, response.interim), (413, []))
    same(origin.count("/up"), 0)


def test_too_large_in_chunks(t):
    """413 once the limit is passed; the origin never sees an end."""
    got = {}
    origin, larder = start(t, sink(got), limits="request_body 1M;")
    with larder.client() as client:
        client.send("PUT /up HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            push(client, 8 * MB, True)
        except OSError:
            pass
        same(client.read_response().status, 413)
    wait_for(lambda: got.get("dropped"), 5, "the end of the origin's side")
    same((got["ended"], origin.count("/up")), (False, 1))
    assert got["bytes"] <= MB


def test_just_large_enough(t):
    got = {}
    _, larder = start(t, sink(got), limits="request_body 1M;")
    for chunked in (False, True):
        with larder.client() as client:
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MB}"
            client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
            push(client, MB, chunked)
            same(client.read_response().body, b"got %d" % MB)


def test_expect_continue(t):
    """100 comes from us once, before the body, and the origin sees no Expect."""
    got = {}
    origin, larder = start(t, sink(got))
    with larder.client() as client:
        client.send("PUT /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
        same(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(PIECE[:1000])
        response = client.read_response()
        same((response.status, response.body, response.interim), (200, b"got 1000", []))
    same(origin.last("/up").get("Expect"), None)


def check_early_answer(t, status, framing):
    """The origin answers in the middle of the body and reads no more: the client gets to see it."""
    def behave(conn, _request):
        conn.read_some(1000)
        conn.send(head(status, [("Content-Length", "7"), ("WWW-Authenticate", "Basic"), ("Connection", "close")]) + b"go away")
        conn.socket.shutdown(socket.SHUT_WR)
        conn.keep = False
        conn.is_dropped(60)
    behave.reads_body = True
    _, larder = start(t, behave)
    with larder.client(timeout=20) as client:
        client.send(f"POST /up HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
        over = threading.Event()

        def send():
            try:
                push(client, 64 * MB, "chunked" in framing)
            except OSError:
                pass
            over.set()
        threading.Thread(target=send, daemon=True).start()
        response = client.read_response()
        same((response.status, response.body, response.complete), (status, b"go away", True))
        if "chunked" not in framing:  # else the rest may be short enough to be read off
            same(response.get("Connection"), "close", "there is no next request behind half a body")
        assert over.wait(30), "the client is left sending"
    record = wait_for(lambda: [row for row in larder.access_records() if row["path"] == "/up"], 5)[0]
    same((record["status"], record["origin_status"]), (status, status))
    assert record["received"] < 64 * MB


def test_early_413(t):
    check_early_answer(t, 413, f"Content-Length: {64 * MB}")


def test_early_401_in_chunks(t):
    check_early_answer(t, 401, "Transfer-Encoding: chunked")


def test_early_200_goes_on(t):
    """A success that comes early does not end the upload: the origin may still read (RFC 9112 9.5)."""
    got = {}

    def behave(conn, request):
        conn.send(head(200, [("Transfer-Encoding", "chunked"), ("Cache-Control", "no-store")]) + b"5\r\nearly\r\n")
        data = conn.read_body(request)
        got["hash"] = hashlib.sha1(data).hexdigest()
        conn.send(b"4\r\nlate\r\n0\r\n\r\n")
    behave.reads_body = True
    _, larder = start(t, behave)
    with larder.client(timeout=20) as client:
        client.send(f"POST /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: {4 * MB}\r\n\r\n")
        client.send(PIECE)
        response = client.read_head()
        wait_for(lambda: b"early" in client.buffer or not client.fill(), 5, "the early part")
        client.socket.sendall(PIECE * 15)
        client.read_body(response)
        same((response.status, response.body, response.complete), (200, b"earlylate", True))
    same(got["hash"], hashlib.sha1(PIECE * 16).hexdigest())


def test_an_origin_that_dies_in_the_middle(t):
    """502 and no second try: the body is gone."""
    def behave(conn, _request):
        conn.read_some(1000)
        conn.reset()
        conn.socket.close()
        raise Closed()
    behave.reads_body = True
    origin, larder = start(t, behave)
    with larder.client(timeout=20) as client:
        client.send(f"PUT /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: {16 * MB}\r\n\r\n")
        try:
            push(client, 16 * MB)
        except OSError:
            pass
        same(client.read_response().status, 502)
    same(origin.count("/up"), 1)


def test_a_trickling_upload_is_passed_on_at_once(t):
    """Each piece reaches the origin before the next is sent, in chunks too."""
    pieces, seen = [b"one", b"two", b"three"], threading.Semaphore(0)

    def behave(conn, request):
        for piece in pieces:
            if request.get("Transfer-Encoding"):
                same(conn.read_line(), b"%x" % len(piece))
                same(conn.read_some(len(piece) + 2), piece + b"\r\n")
            else:
                same(conn.read_some(len(piece)), piece)
            seen.release()
        if request.get("Transfer-Encoding"):
            same((conn.read_line(), conn.read_line()), (b"0", b""))
        reply("ok", cache="no-store")(conn, request)
    behave.reads_body = True
    _, larder = start(t, behave)
    for chunked in (False, True):
        with larder.client() as client:
            framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 11"
            client.send(f"POST /up HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
            for piece in pieces:
                client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                assert seen.acquire(timeout=30), piece
            if chunked:
                client.send("0\r\n\r\n")
            same(client.read_response().body, b"ok")
