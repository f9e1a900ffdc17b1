"""What it takes of memory; run on a release build for the figures of the issue (sanitizers multiply them)."""
import threading
import time

from case import Client, content, head, reply, same, slow

MB = 1 << 20


class Peak:
    """The highest resident memory while it watches."""

    def __init__(self, larder):
        self.larder, self.bytes = larder, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.stop.is_set():
            self.bytes = max(self.bytes, self.larder.rss_bytes())
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def read_checked(larder, target, total, piece):
    """Reads a body made of one repeating piece, without keeping it; every byte is compared."""
    with larder.client(timeout=60) as client:
        client.request(target)
        response = client.read_head()
        same((response.status, response.get("Content-Length")), (200, str(total)))
        got, buffer = 0, client.buffer
        double = piece + piece
        while True:
            at = got % len(piece)
            view = memoryview(buffer)
            done = 0
            while done < len(buffer):
                count = min(len(piece), len(buffer) - done)
                if view[done:done + count] != double[at:at + count]:
                    raise AssertionError(f"a wrong byte within {count} of {got + done}")
                done += count
                at = (at + count) % len(piece)
            got += len(buffer)
            if got >= total:
                break
            buffer = client.socket.recv(MB)
            assert buffer, f"cut after {got} of {total}"
        same(got, total)
        return response


@slow(240)
def test_object_larger_than_memory(t):
    """1 GB through 64 MB of RAM tier: streamed from the first request on, and from disk afterwards."""
    larder = t.larder(0x7fff, start=False)
    total = (256 if larder.is_sanitized() else 1024) * MB
    piece = content("piece", 1_000_003)

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", str(total)), ("Cache-Control", "max-age=100000")]))
        double, sent = piece + piece, 0
        while sent < total:
            at = sent % len(piece)
            count = min(len(piece), total - sent)
            conn.send(double[at:at + count])
            sent += count
    origin = t.origin({"/big": behave})
    larder.write_config(origin_port=origin.port, size="3G", memory="64M", store="max_object 2G;")
    larder.start()
    before = larder.rss_bytes()
    allowed = (64 + 160 if not larder.is_sanitized() else 700) * MB
    for load in range(3):
        if load == 2:
            larder.restart()
        with Peak(larder) as peak:
            response = read_checked(larder, "/big", total, piece)
        assert peak.bytes < before + allowed, f"load {load}: {peak.bytes >> 20} MB resident, {before >> 20} before"
        same(response.is_hit, load > 0, f"load {load}")
        larder.all_written()
    same(origin.count("/big"), 1)


@slow(180)
def test_followers_of_a_large_object(t):
    """A slow and a fast reader of a large cold object: both right, memory bounded."""
    total, piece = 300 * MB, content("piece", 1_000_003)

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", str(total)), ("Cache-Control", "max-age=100000")]))
        double, sent = piece + piece, 0
        while sent < total:
            at = sent % len(piece)
            count = min(len(piece), total - sent)
            conn.send(double[at:at + count])
            sent += count
    origin = t.origin({"/big": behave})
    larder = t.larder(origin, size="1G", memory="32M")
    before = larder.rss_bytes()
    lazy = Client(larder.port, receive_buffer=65536, timeout=60)
    lazy.request("/big")
    head_of_lazy = lazy.read_head()
    with Peak(larder) as peak:
        read_checked(larder, "/big", total, piece)
        allowed = (32 + 160 if not larder.is_sanitized() else 700) * MB
    assert peak.bytes < before + allowed, f"{peak.bytes >> 20} MB resident, {before >> 20} before"
    got, double = 0, piece + piece
    buffer = lazy.buffer
    while got < total:
        at = 0
        while at < len(buffer):
            start = (got + at) % len(piece)
            count = min(len(piece), len(buffer) - at)
            assert buffer[at:at + count] == double[start:start + count], f"a wrong byte near {got + at}"
            at += count
        got += len(buffer)
        if got < total:
            buffer = lazy.socket.recv(MB)
            assert buffer, f"the slow reader was cut after {got}"
    lazy.close()
    same(head_of_lazy.status, 200)
    same(origin.count("/big"), 1)


@slow(240)
def test_10000_idle_connections(t):
    larder = t.larder(t.origin({"/a": reply("x" * 1000, cache="max-age=100000")}),
                      limits="connections 30000; client_idle 600s;")
    with larder.client() as client:
        for _ in range(2000):
            client.request("/a")
            client.read_response()
    warm = [larder.client() for _ in range(200)]
    for client in warm:
        client.request("/a")
        client.read_response()
    before = larder.rss_bytes()
    clients = []
    try:
        for number in range(10_000):
            client = Client(larder.port, source=f"127.0.2.{number % 200 + 1}")
            client.request("/a")
            same(client.read_response().status, 200)
            clients.append(client)
        time.sleep(1.0)
        grown = (larder.rss_bytes() - before) / len(clients)
        limit = 2048 if not larder.is_sanitized() else 16384
        assert grown <= limit, f"{grown:.0f} bytes for each idle connection"
        for _ in range(100):
            same(larder.fetch("/a").status, 200, "a new client beside 10,000 idle ones")
        for client in clients[::97]:
            client.request("/a")
            assert client.read_response().is_hit
    finally:
        for client in clients + warm:
            client.close()
    same(larder.fetch("/a").status, 200)
    print(f"{grown:.0f} bytes for each idle connection")


@slow(180)
def test_memory_budget_holds(t):
    """Many objects of many sizes: resident memory stays under the tier's budget plus a constant."""
    origin = t.origin(default=lambda conn, request: reply(content(request.target, int(request.target.split("/")[2])),
                                                          cache="max-age=100000")(conn, request))
    larder = t.larder(origin, memory="32M", size="1G")
    before = larder.rss_bytes()
    with Peak(larder) as peak, larder.client() as client:
        for number in range(4000):
            size = (500, 3000, 20_000, 100_000, 300_000)[number % 5]
            client.request(f"/m/{size}/{number}")
            same(len(client.read_response().body), size)
    allowed = (32 + 160 if not larder.is_sanitized() else 600) * MB
    assert peak.bytes < before + allowed, f"{peak.bytes >> 20} MB resident, {before >> 20} before"
