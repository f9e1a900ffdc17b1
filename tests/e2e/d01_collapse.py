"""Many clients, one cold object: one origin request, and nobody waits longer than the bytes do."""
import selectors
import threading
import time

from case import Client, content, head, reply, same, same_body, slow, wait_for
from client import PATIENCE


class Crowd:
    """Clients that have all asked for the same thing, read side by side."""

    def __init__(self, larder, count, target, headers=()):
        self.selector = selectors.DefaultSelector()
        self.clients = []
        for _ in range(count):
            client = Client(larder.port, timeout=30)
            client.request(target, headers=headers)
            self.clients.append(client)
            self.selector.register(client.socket, selectors.EVENT_READ, client)

    def read_until(self, check, limit_s):
        """Reads whatever comes until check(client) holds for every one; returns how many it holds for."""
        end = time.monotonic() + limit_s * PATIENCE
        while time.monotonic() < end:
            if all(client.ended or check(client) for client in self.clients):
                break
            for key, _ in self.selector.select(0.2):
                if not key.data.fill():
                    self.selector.unregister(key.fileobj)
        return sum(1 for client in self.clients if check(client))

    def close(self):
        for client in self.clients:
            client.close()


def waiting(larder, count):
    """So many clients' requests are under way."""
    wait_for(lambda: larder.metrics()['larder_connections{state="active"}'] == count, what=f"{count} that wait")


@slow(150)
def test_500_clients_one_request(t):
    gate = threading.Event()
    first, rest = content("first", 30_000), content("rest", 270_000)

    def behave(conn, _request):
        time.sleep(1.0)
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", str(len(first) + len(rest)))]))
        conn.send(first)
        gate.wait(60)
        conn.send(rest)
    origin = t.origin({"/slow": behave})
    larder = t.larder(origin, timeouts="connect=5s first_byte=60s idle=60s")
    crowd = Crowd(larder, 500, "/slow")
    try:
        got = crowd.read_until(lambda client: b"\r\n\r\n" in client.buffer and
                               len(client.buffer.split(b"\r\n\r\n", 1)[1]) >= len(first), 40)
        same(got, 500, "clients with the first bytes while the origin still sends")
        gate.set()
        for client in crowd.clients:
            response = client.read_response()
            same(response.status, 200)
            same_body(response, first + rest)
    finally:
        gate.set()
        crowd.close()
    same(origin.count("/slow"), 1, "origin requests for 500 clients")
    assert larder.fetch("/slow").is_hit


@slow(120)
def test_many_rounds(t):
    """Short races at the start of a fill, where the verdict and the in-flight mark could come apart."""
    origin = t.origin(default=lambda conn, request: reply(content(request.target, 2000), cache="max-age=600",
                                                          delay=0.02)(conn, request))
    larder = t.larder(origin)
    for number in range(60):
        target = f"/round{number}"
        crowd = Crowd(larder, 20, target)
        for client in crowd.clients:
            response = client.read_response()
            same(response.status, 200)
            same_body(response, content(target, 2000))
        crowd.close()
        same(origin.count(target), 1, target)


def test_leader_leaves(t):
    gate = threading.Event()
    body = content("/slow", 200_000)

    def behave(conn, _request):
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", str(len(body)))]) + body[:1000])
        gate.wait(30)
        conn.send(body[1000:])
    origin = t.origin({"/slow": behave})
    larder = t.larder(origin)
    leader = larder.client()
    leader.request("/slow")
    wait_for(lambda: origin.count("/slow") == 1, what="the leader's fetch")
    crowd = Crowd(larder, 10, "/slow")
    crowd.read_until(lambda client: b"\r\n\r\n" in client.buffer, 15)
    leader.close()
    time.sleep(0.5)
    gate.set()
    for client in crowd.clients:
        response = client.read_response()
        same(response.status, 200)
        same_body(response, body)
    crowd.close()
    same(origin.count("/slow"), 1)
    response = larder.fetch("/slow")
    same_body(response, body)
    assert response.is_hit


def test_everybody_leaves(t):
    gate = threading.Event()
    body = content("/slow", 200_000)

    def behave(conn, _request):
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", str(len(body)))]) + body[:1000])
        gate.wait(30)
        conn.send(body[1000:])
    origin = t.origin({"/slow": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 3, "/slow")
    crowd.read_until(lambda client: b"\r\n\r\n" in client.buffer, 15)
    crowd.close()
    time.sleep(0.5)
    gate.set()
    same_body(larder.fetch("/slow"), body)
    same_body(larder.fetch("/slow"), body)
    assert origin.count("/slow") <= 2


def test_leader_fails_before_the_head(t):
    """The first origin request dies without an answer: those who wait get a new leader, or the error; nobody hangs."""
    lock = threading.Lock()
    state = {"n": 0}

    def behave(conn, request):
        with lock:
            state["n"] += 1
            number = state["n"]
        if number == 1:
            time.sleep(1.0)
            conn.close()
        else:
            reply("good", cache="max-age=600")(conn, request)
    origin = t.origin({"/f": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 30, "/f")
    statuses = []
    for client in crowd.clients:
        response = client.read_response()
        statuses.append(response.status)
        assert response.status in (200, 502), response
        if response.status == 200:
            same(response.body, b"good")
    crowd.close()
    assert origin.count("/f") <= 4, f"{origin.count('/f')} origin requests"
    same(larder.fetch("/f").body, b"good")


def test_leader_fails_inside_the_body(t):
    """A cut body is never shown as complete, to anybody, and is not stored."""
    lock = threading.Lock()
    state = {"n": 0}
    body = content("/f", 100_000)

    def behave(conn, request):
        with lock:
            state["n"] += 1
            number = state["n"]
        if number == 1:
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", str(len(body)))]) + body[:50_000])
            time.sleep(1.0)
            conn.close()
        else:
            reply(body, cache="max-age=600")(conn, request)
    origin = t.origin({"/f": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 20, "/f")
    for client in crowd.clients:
        response = client.read_response()
        if response.status == 200 and response.complete:
            same_body(response, body)
        else:
            assert response.status in (200, 502), response
            assert body.startswith(response.body) or response.status == 502
    crowd.close()
    same_body(larder.fetch("/f"), body)


def test_not_storable_is_never_shared(t):
    numbers = iter(range(1_000_000))
    lock, gate = threading.Lock(), threading.Event()

    def behave(conn, request):
        with lock:
            number = next(numbers)
        if number == 0:
            time.sleep(0.5)  # it is known to be private only then, and all have gathered
        else:
            gate.wait(30)
        reply(f"secret {number}", cache="private, max-age=60")(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 40, "/p")
    wait_for(lambda: origin.count("/p") == 40, what="all at the origin, not one after the other")
    gate.set()
    bodies = [client.read_response().body for client in crowd.clients]
    crowd.close()
    same(len(set(bodies)), 40, "different private answers for 40 clients")
    same(origin.count("/p"), 40)


def test_variants_collapse_apart(t):
    origin = t.origin({"/v": reply(lambda request: request.get("Accept-Language"), cache="max-age=600", delay=0.5,
                                   headers=[("Vary", "Accept-Language")])})
    larder = t.larder(origin)
    crowds = {language: Crowd(larder, 15, "/v", [("Accept-Language", language)]) for language in ("de", "en", "fr")}
    for language, crowd in crowds.items():
        for client in crowd.clients:
            response = client.read_response()
            same((response.status, response.body.decode()), (200, language))
        crowd.close()
    assert origin.count("/v") <= 12, f"{origin.count('/v')} origin requests for 3 variants"


def test_collapse_on_revalidation(t):
    state = {"n": 0}

    def behave(conn, request):
        if request.get("If-None-Match"):
            time.sleep(0.7)
        reply("body", cache="max-age=1" if not request.get("If-None-Match") else "max-age=600", etag='"1"')(conn, request)
        state["n"] += 1
    origin = t.origin({"/r": behave})
    larder = t.larder(origin)
    larder.fetch("/r")
    time.sleep(2.1)
    crowd = Crowd(larder, 40, "/r")
    for client in crowd.clients:
        response = client.read_response()
        same((response.status, response.body), (200, b"body"))
    crowd.close()
    same(origin.count("/r"), 2, "origin requests: the first, and one validation for 40 clients")


def test_slow_follower_does_not_stop_the_others(t):
    body = content("/big", 8 << 20)
    origin = t.origin({"/big": reply(body, cache="max-age=600")})
    larder = t.larder(origin)
    lazy = Client(larder.port, receive_buffer=4096)
    lazy.request("/big")
    same_body(larder.fetch("/big"), body)
    same(origin.count("/big"), 1)
    response = lazy.read_response()
    same_body(response, body)
    lazy.close()


def test_head_joins_or_asks(t):
    """A HEAD beside a GET in flight is answered without a body and without a long wait."""
    gate = threading.Event()

    def behave(conn, request):
        if request.method == "HEAD":
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", "8")]))
            return
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", "8")]) + b"half")
        gate.wait(100)
        conn.send(b"half")
    larder = t.larder(t.origin({"/h": behave}), timeouts="connect=5s first_byte=2m idle=2m")
    with larder.client() as get:
        get.request("/h")
        get.read_head()
        response = larder.fetch("/h", "HEAD", timeout=8)
        same((response.status, response.get("Content-Length")), (200, "8"))
        gate.set()
