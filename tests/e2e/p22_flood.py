"""A random-query flood, a purge of everything, a storm of expiries: the origin sees no more at once than it was said to take."""
import selectors
import threading
import time

from case import Client, head, same, slow, wait_for
from client import PATIENCE

MAX = 50


class Gauge:
    """Answers after a moment and knows how many it is asked at once; while the gate is shut nobody is."""

    def __init__(self, t, take_s=0.004, cache="max-age=3600"):
        self.take_s, self.cache = take_s, cache
        self.lock, self.gate = threading.Lock(), threading.Event()
        self.active = self.most = self.seen = 0
        self.gate.set()
        self.origin = t.origin(default=self.behave)
        self.port = self.origin.port

    def behave(self, conn, request):
        with self.lock:
            self.origin.requests.clear()  # there are too many to keep
            self.seen += 1
            self.active += 1
            self.most = max(self.most, self.active)
        self.gate.wait(60)
        time.sleep(self.take_s)
        body = request.target.encode()
        with self.lock:  # before the answer: with its last byte the next one may come
            self.active -= 1
        conn.send(head(200, [("Cache-Control", self.cache), ("Content-Length", str(len(body)))]) + body)


class Flood:
    """Many connections, one request after another on each. Counts what comes back."""

    def __init__(self, larder, connections, total, target):
        self.left, self.total, self.target = total, total, target
        self.good = self.refused = 0
        self.wrong = []
        self.selector = selectors.DefaultSelector()
        self.clients = [Client(larder.port, timeout=30) for _ in range(connections)]
        for client in self.clients:
            self.selector.register(client.socket, selectors.EVENT_READ, client)
            self.ask(client)

    def ask(self, client):
        if self.left == 0:
            self.selector.unregister(client.socket)
            return
        self.left -= 1
        client.asked = self.target(self.total - self.left)
        client.send(f"GET {client.asked} HTTP/1.1\r\nHost: site.test\r\n\r\n")

    def judge(self, client):
        data, _, rest = client.buffer.partition(b"\r\n\r\n")
        if not _:
            return False
        length = int(data.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return False
        body, client.buffer = rest[:length], rest[length:]
        if data.startswith(b"HTTP/1.1 200 ") and body == client.asked.encode():
            self.good += 1
        elif data.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in data + b"\r\n" and \
                b"connection_limit_reached" in data:
            self.refused += 1
        else:
            self.wrong.append((client.asked, data, body))
        return True

    def run(self, limit_s):
        end = time.monotonic() + limit_s
        while self.good + self.refused + len(self.wrong) < self.total and time.monotonic() < end and not self.wrong:
            for key, _ in self.selector.select(1):
                client = key.data
                if not client.fill():
                    self.wrong.append((client.asked, b"the connection ended", b""))
                elif self.judge(client):
                    self.ask(client)
        for client in self.clients:
            client.close()
        return self


def active(larder):
    figures = [value for name, value in larder.metrics().items() if name.startswith("larder_origin_active")]
    assert figures
    return sum(figures)


def refusals(larder):
    return larder.metrics()['larder_unasked_total{reason="queue_full"}']


def site(gauge, settings, rest=""):
    return (f"site * {{ origins {{ server one http://127.0.0.1:{gauge.port} max={MAX}; "
            f"timeout first_byte=20s idle=20s; {settings} }} cache {{ purge from 127.0.0.1; {rest} }} }}")


class Beside:
    """Another client, who asks for what is stored meanwhile."""

    def __init__(self, larder, target):
        self.larder, self.target = larder, target
        self.over = threading.Event()
        self.wrong, self.slowest, self.count = [], 0.0, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.larder.client() as client:
            while not self.over.wait(0.02):
                begun = time.monotonic()
                client.request(self.target)
                response = client.read_response()
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.count += 1
                if response.status != 200 or not response.is_hit:
                    self.wrong.append(response)

    def end(self):
        self.over.set()
        self.thread.join(30)
        return self


@slow(300)
def test_50000_distinct_queries(t):
    gauge = Gauge(t)
    larder = t.larder(sites=site(gauge, "queue size=200 timeout=5m;"), memory="64M", access="off")
    same(larder.fetch("/hot").status, 200)
    before = larder.rss_bytes()
    beside = Beside(larder, "/hot")
    gauge.gate.clear()
    flood = Flood(larder, 300, 50_000, lambda number: f"/search?q={number}")
    wait_for(lambda: gauge.active == MAX and refusals(larder) > 0, 30, "all places taken, a full queue")
    wait_for(lambda: beside.count > 20, 30, "hits of other objects meanwhile")
    gauge.gate.set()
    flood.run(240 * PATIENCE)
    beside.end()
    same(flood.wrong[:3], [])
    same(flood.good + flood.refused, 50_000, "every request has its answer")
    assert flood.good > 1000 and flood.refused > 0, (flood.good, flood.refused)
    same(gauge.seen, flood.good + 1, "what was answered, was asked for once")
    same(gauge.most, MAX)
    same(beside.wrong, [], "hits of other objects")
    if not larder.is_sanitized():
        assert larder.rss_bytes() < before + (160 << 20), (before, larder.rss_bytes())
    same(refusals(larder), flood.refused)
    wait_for(lambda: active(larder) == 0, 10, "the end of it")


@slow(120)
def test_a_queue_that_takes_all_loses_none(t):
    gauge = Gauge(t, take_s=0.002)
    larder = t.larder(sites=site(gauge, "queue size=1000 timeout=10m;"), memory="64M", access="off")
    flood = Flood(larder, 300, 5_000, lambda number: f"/search?q={number}").run(100 * PATIENCE)
    same((flood.wrong[:3], flood.good, flood.refused), ([], 5_000, 0))
    same(gauge.seen, 5_000)
    assert gauge.most <= MAX, gauge.most


@slow(120)
def test_expiries_and_purges_of_everything(t):
    """300 clients, 100 hot objects that expire every third second and are purged all the time."""
    gauge = Gauge(t, take_s=0.02, cache="max-age=3")
    larder = t.larder(sites=site(gauge, "queue size=1000 timeout=10m;"), access="off")
    over, number, begun = threading.Event(), 0, time.monotonic()

    def purge():
        nonlocal number
        with larder.client() as client:
            while not over.is_set():
                client.request(f"/hot?{number % 100}", "PURGE")
                client.read_response()
                number += 1
                if number % 100 == 0:
                    time.sleep(1)
    thread = threading.Thread(target=purge)
    thread.start()
    flood = Flood(larder, 300, 8_000, lambda number: f"/hot?{number % 100}").run(100 * PATIENCE)
    over.set()
    thread.join(30)
    same((flood.wrong[:3], flood.good), ([], 8_000))
    assert gauge.most <= MAX, gauge.most
    # Each of the hundred once in its two seconds (Date has whole ones), and once after each purge.
    most = 100 * (1 + (time.monotonic() - begun) / 2) + number
    assert gauge.seen < min(most, 8_000), (gauge.seen, most)
    wait_for(lambda: active(larder) == 0, 10, "the end of it")
