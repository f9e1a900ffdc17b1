"""Origins that die, hang, flap, refuse, lie and come back while clients run: who is still answered, and with what."""
import os
import signal
import subprocess
import sys
import threading
import time

from case import head, Client, free_port, raw, reply, same, slow, wait_for
from d01_collapse import Crowd
from larder import die_with_parent
from p01_balance import queued
from p20_retries import before

# A real process to kill: keeps connections, takes its time, writes down each body it was sent.
PROGRAM = r"""
import socket, sys, threading, time
name, port, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a")
def serve(conn):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = conn.recv(65536)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(data) < length:
            data += conn.recv(65536)
        body, data = data[:length], data[length:]
        if body:
            log.write(body.decode() + "\n")
            log.flush()
        time.sleep(0.003)
        answer = head.split(b" ")[1] + b" by " + name.encode()
        conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
def guarded(conn):
    try:
        serve(conn)
    except OSError:
        pass
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(512)
while True:
    conn, _ = listener.accept()
    threading.Thread(target=guarded, args=(conn,), daemon=True).start()
"""


class Process:
    def __init__(self, t, name):
        self.t, self.name, self.port = t, name, free_port()
        self.log = os.path.join(t.folder, f"{name}.log")
        self.process = None
        self.start()
        t.undo.append(self.kill)

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, self.name, str(self.port), self.log],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

        def listens():
            try:
                Client(self.port).close()
                return True
            except OSError:
                return False
        wait_for(listens, 20, "the origin process")

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def bodies(self):
        with open(self.log, encoding="ascii") as data:
            return data.read().split()


class Load:
    """Clients on kept connections, each asking for something else every time."""

    def __init__(self, larder, count, post_every=0):
        self.larder, self.post_every = larder, post_every
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.gets = self.posts = 0
        self.failed, self.failed_posts, self.who = [], [], {}
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        client, turn = None, 0
        while not self.over.is_set():
            turn += 1
            is_post = self.post_every and turn % self.post_every == 0
            target = f"/x?{number}-{turn}"
            try:
                client = client or self.larder.client()
                client.request(target, "POST" if is_post else "GET", body=f"{number}-{turn}".encode() if is_post else None)
                response = client.read_response()
                good = response.status == 200 and response.complete and response.body.startswith(target.encode())
                what = f"{response.status} {response.get('Proxy-Status')} {response.body[:60]!r}"
                if not good and not response.complete or response.get("Connection") == "close":
                    client.close()
                    client = None
            except (OSError, AssertionError) as error:
                good, what, client = False, repr(error), None
            with self.lock:
                self.gets += not is_post
                self.posts += bool(is_post)
                if not good:
                    (self.failed_posts if is_post else self.failed).append((target, what))
                else:
                    who = response.body.rsplit(b" ", 1)[-1].decode()
                    self.who[who] = self.who.get(who, 0) + 1

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        return self


@slow(120)
def test_one_of_three_is_killed(t):
    """kill -9 with requests in flight on kept connections: no GET fails, no POST is done twice; then it comes back."""
    origins = [Process(t, f"s{number}") for number in range(3)]
    larder = before(t, origins, "eject time=1s max_time=1s;")
    load = Load(larder, 8, post_every=5)
    for _ in range(2):
        wait_for(lambda: load.who.get("s1", 0) > 20, 30, "load on all of them")
        origins[1].kill()
        done = load.gets
        wait_for(lambda: load.gets > done + 300, 60, "load on the others")
        origins[1].start()
        load.who.pop("s1", None)
    wait_for(lambda: load.who.get("s1", 0) > 20, 30, "it is asked again")
    load.end()
    same(load.failed, [], f"of {load.gets} GETs")
    assert load.gets > 600 and len(load.failed_posts) < 20, (load.gets, load.failed_posts)
    bodies = [body for origin in origins for body in origin.bodies()]
    same(len(bodies), len(set(bodies)), "POSTs done twice")
    assert len(bodies) >= load.posts - len(load.failed_posts)


@slow(120)
def test_flapping_lying_and_refusing(t):
    """One that opens and closes all the time, one that talks nonsense, one port where nobody is, and two good ones."""
    def echo(conn, request):  # in one piece: what is cut behind its head cannot be asked for again
        body = f"{request.target} by good".encode()
        conn.send(head(200, [("Cache-Control", "no-store"), ("Content-Length", str(len(body)))]) + body)
    lies = [raw(b"HTTP/9.9 nonsense\r\n\r\n"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345"),
            raw(b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n"), raw(b"")]

    def liar(conn, request):
        lies[len(conn.origin.requests) % len(lies)](conn, request)
    flapping, lying = t.origin(default=echo), t.origin(default=liar)
    larder = before(t, [t.origin(default=echo), lying, flapping, free_port(), t.origin(default=echo)],
                    "eject time=500ms max_time=500ms; retry 4 budget=100%;")
    load = Load(larder, 4)
    flaps, end = 0, time.monotonic() + 60
    while (flaps < 8 or load.gets < 150) and time.monotonic() < end:
        flaps += 1
        flapping.shut()
        time.sleep(0.4)
        flapping.listen()
        time.sleep(0.4)
    load.end()
    same(load.failed, [], f"of {load.gets}")
    assert flaps >= 8 and load.gets >= 150 and lying.requests, (flaps, load.gets)


@slow(60)
def test_one_hangs(t):
    """Nothing is heard of it: within the time for the first byte another is asked."""
    def echo(conn, request):  # in one piece: what is cut behind its head cannot be asked for again
        body = f"{request.target} by good".encode()
        conn.send(head(200, [("Cache-Control", "no-store"), ("Content-Length", str(len(body)))]) + body)

    def hang(conn, _request):
        conn.is_dropped(60)
    hanging = t.origin(default=hang)
    larder = before(t, [t.origin(default=echo), hanging, t.origin(default=echo)],
                    "eject fails=2 time=1s; retry 2 on=connect,reset,timeout budget=100%;",
                    timeouts="connect=5s first_byte=3s idle=20s")
    load = Load(larder, 4)
    wait_for(lambda: load.gets > 100 and len(hanging.requests) >= 4, 40, "requests of all three, and a trial")
    load.end()
    same(load.failed, [], f"of {load.gets}")


def all_dead(t, origins, larder):
    for origin in origins:
        origin.shut()
    wait_for(lambda: larder.fetch("/nowhere").status == 503, 15, "that they are known to be down")


def two_with_checks(t, settings="", **words):
    """Two origins with pages, checked each second."""
    pages = {"/ok": reply("ok"), "/a": reply("page", cache="max-age=1", etag='"v"'), "/new": reply("new"),
             "/strict": reply("page", cache="max-age=1, must-revalidate", etag='"v"')}
    origins = [t.origin(dict(pages)) for _ in range(2)]
    larder = before(t, origins, f"check GET /ok every=1s timeout=10s rise=1 fall=1; {settings}", **words)
    for path in ("/a", "/strict"):
        same(larder.fetch(path).status, 200)
    time.sleep(2.1)
    return origins, larder


@slow(60)
def test_all_are_dead(t):
    """Cached pages go on, uncached ones get a 503 at once, and recovery takes a check's interval."""
    origins, larder = two_with_checks(t)
    all_dead(t, origins, larder)
    for _ in range(3):
        response = larder.fetch("/a")
        same((response.status, response.body, response.is_hit), (200, b"page", True))
        assert "ttl=-" in response.cache_status, response.cache_status
    for number in range(50):
        response = larder.fetch(f"/new?{number}")
        same((response.status, response.get("Retry-After")), (503, "1"))
        assert "destination_unavailable" in response.get("Proxy-Status"), response.raw_head
    response = larder.fetch("/strict")
    same((response.status, response.get("Retry-After")), (504, "1"), "RFC 9111 5.2.2.2")
    same(larder.fetch("/new", "POST", body=b"x").status, 503)
    wait_for(lambda: any(record["reason"] == "origin_down" for record in larder.access_records()), 5, "the access log")
    assert larder.metrics()['larder_unasked_total{reason="origin_down"}'] >= 50, "somebody waited"
    for origin in origins:
        origin.listen()
    wait_for(lambda: larder.fetch("/new").status == 200, 15, "recovery")
    assert 'from=down to=up reason="1 check passed: status 200"' in larder.output(), larder.output()
    same(larder.fetch("/strict").status, 200)


@slow(60)
def test_followers_of_a_dead_origin(t):
    """All who wait for one key hear of it at once."""
    origins, larder = two_with_checks(t)
    all_dead(t, origins, larder)
    before = larder.metrics()['larder_unasked_total{reason="origin_down"}']
    crowd = Crowd(larder, 60, "/new")
    for client in crowd.clients:
        same(client.read_response().status, 503)
    crowd.close()
    records = wait_for(lambda: [one for one in larder.access_records() if one["path"] == "/new"][59:] and
                       [one for one in larder.access_records() if one["path"] == "/new"], 10, "the access log")
    same({(one["status"], one["reason"]) for one in records}, {(503, "origin_down")})
    assert larder.metrics()['larder_unasked_total{reason="origin_down"}'] > before


@slow(60)
def test_reasons_of_the_queue(t):
    """Full and too late are told apart; both are 503 with Retry-After, and a stale copy is better than either."""
    gate = threading.Event()

    def slowly(conn, request):
        gate.wait(100)
        reply("slow", cache="no-store")(conn, request)
    origin = t.origin({"/slow": slowly, "/a": reply("page", cache="max-age=1", etag='"v"')})
    larder = t.larder(sites=f"site * {{ origins {{ server one http://127.0.0.1:{origin.port} max=1; "
                            "queue size=1 timeout=6s; timeout first_byte=2m; } }")
    same(larder.fetch("/a").status, 200)
    time.sleep(2.1)
    with larder.client() as one, larder.client() as two:
        one.request("/slow?1")
        wait_for(lambda: origin.count("/slow") == 1, 5, "the place is taken")
        two.request("/slow?2")
        wait_for(lambda: queued(larder) == 1, 10, "the queue")
        full = larder.fetch("/slow?3")
        same((full.status, full.get("Retry-After")), (503, "1"))
        assert "connection_limit_reached" in full.get("Proxy-Status")
        stale = larder.fetch("/a")
        same((stale.status, stale.is_hit), (200, True))
        late = two.read_response()
        same((late.status, late.get("Retry-After")), (503, "1"))
        gate.set()
        same(one.read_response().status, 200)
    wait_for(lambda: len(larder.access_records()) == 5, 5, "the access log")
    reasons = [record["reason"] for record in larder.access_records()]
    assert "queue_full" in reasons and "queue_timeout" in reasons, reasons
    same(origin.count("/slow"), 1)
