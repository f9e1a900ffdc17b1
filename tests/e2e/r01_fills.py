"""Fills whose client leaves, whose origin contradicts itself, or whom nobody wants any more."""
import threading
import time

from case import Client, content, head, reply, same, same_body, slow, wait_for


def hang_up(client):
    """Resets the connection: both directions are over at once."""
    import socket
    import struct
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_client_leaves_the_second_try(t):
    """A 304 for something else: asked again without a condition, and the client leaves before that is answered."""
    gate, second = threading.Event(), threading.Event()
    fresh = content("fresh", 5000)
    state = {"n": 0}

    def behave(conn, request):
        state["n"] += 1
        if state["n"] == 1:
            conn.send(head(200, [("Cache-Control", "max-age=0"), ("ETag", '"one"'), ("Content-Length", "3")]) + b"old")
        elif request.get("If-None-Match"):
            conn.send(head(304, [("ETag", '"two"')]))
        else:
            second.set()
            gate.wait(60)
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("ETag", '"two"'),
                                 ("Content-Length", str(len(fresh)))]) + fresh)
    origin = t.origin({"/x": behave})
    larder = t.larder(origin)
    same(larder.fetch("/x").body, b"old")
    client = larder.client()
    client.request("/x")
    assert second.wait(30), "no second try"
    hang_up(client)
    time.sleep(0.3)
    gate.set()
    wait_for(lambda: larder.fetch("/x").body == fresh, what="the renewed object")
    assert larder.alive()


def test_nobody_wants_an_endless_answer(t):
    """The client left before the head; the answer turns out not to be storable and never ends."""
    gate, dropped = threading.Event(), threading.Event()

    def behave(conn, _request):
        gate.wait(60)
        conn.send(head(200, [("Cache-Control", "no-store"), ("Transfer-Encoding", "chunked")]))
        try:
            while not conn.origin.stopping.wait(0.01):
                conn.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        finally:
            dropped.set()
    origin = t.origin({"/endless": behave})
    larder = t.larder(origin)
    client = larder.client()
    client.request("/endless")
    wait_for(lambda: origin.count("/endless") == 1, what="the fetch")
    hang_up(client)
    time.sleep(0.3)
    gate.set()
    assert dropped.wait(30), "the origin is read on for nobody"


def test_nobody_wants_what_grew_too_large(t):
    """A fill for the cache that outgrows what may be stored, after its client has left."""
    dropped, gone = threading.Event(), threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Transfer-Encoding", "chunked")]))
        conn.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        gone.wait(60)
        try:
            while not conn.origin.stopping.wait(0.01):
                conn.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        finally:
            dropped.set()
    origin = t.origin({"/endless": behave})
    larder = t.larder(origin, store="max_object 1M;")
    client = larder.client()
    client.request("/endless")
    client.read_until(b"x" * 100)
    hang_up(client)
    time.sleep(0.3)
    gone.set()
    assert dropped.wait(30), "the origin is read on for nobody"


def endless(dropped, cache="max-age=600", pause=0.002):
    """200 in chunks without an end; says when the proxy closes the connection."""
    def behave(conn, _request):
        try:
            conn.send(head(200, [("Cache-Control", cache), ("Transfer-Encoding", "chunked")]))
            while not conn.origin.stopping.wait(pause):
                conn.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        finally:
            dropped.set()
    return behave


def test_nobody_wants_what_cannot_be_kept(t):
    """Without a disk, a fill that outgrows its share of the memory is stored nowhere: it ends when its client leaves,
    before that point or after it."""
    for count in (100_000, 30_000_000):
        dropped = threading.Event()
        larder = t.larder(t.origin({"/endless": endless(dropped)}), disk=False)
        client = larder.client()
        client.request("/endless")
        client.read_some(count)
        assert not dropped.is_set()
        hang_up(client)
        assert dropped.wait(30), f"the origin is read on for nobody (left after {count} bytes)"
        assert larder.alive()


def test_last_reader_of_a_passed_on_fill_leaves(t):
    """The leader leaves, the follower keeps it going; it holds the origin back, and leaves too."""
    dropped = threading.Event()
    origin = t.origin({"/endless": endless(dropped)})
    larder = t.larder(origin, store="max_object 1M;")
    leader, follower = larder.client(), larder.client()
    leader.request("/endless")
    leader.read_some(1000)
    follower.request("/endless")
    follower.read_some(1000)
    leader.read_some(400_000)
    follower.read_some(400_000)
    leader.read_some(2_000_000)
    hang_up(leader)
    follower.read_some(10_000_000)
    assert not dropped.is_set(), "the follower lost its fill"
    same(origin.count("/endless"), 1)
    time.sleep(1.0)  # it reads nothing: the fill waits for it
    hang_up(follower)
    assert dropped.wait(30), "the origin is read on for nobody"


@slow(90)
def test_nobody_waits_for_an_endless_answer_in_the_cache(t):
    """One that trickles in, and could be stored if it ever ended: not for ever. A long one is still stored."""
    dropped = threading.Event()

    def long(conn, _request):
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Transfer-Encoding", "chunked")]))
        for _ in range(15):
            conn.send(b"4\r\nlong\r\n")
            conn.origin.stopping.wait(0.1)
        conn.send(b"0\r\n\r\n")
    origin = t.origin({"/endless": endless(dropped, pause=0.2), "/long": long})
    larder = t.larder(origin, timeouts="connect=5s first_byte=20s idle=8s")
    clients = [larder.client() for _ in range(3)]
    for client, path in zip(clients, ("/endless", "/endless", "/long")):
        client.request(path)
        client.read_some(1000 if path == "/endless" else 10)
    hang_up(clients[0])
    hang_up(clients[2])
    clients[1].read_some(3_400_000)  # more than 8 s: somebody is there
    assert not dropped.is_set(), "the follower lost its fill"
    hang_up(clients[1])
    assert dropped.wait(40), "the origin is read on for nobody"
    response = larder.fetch("/long")
    same((response.body, response.is_hit), (b"long" * 15, True))


def test_only_if_cached_never_reaches_the_origin(t):
    origin = t.origin({"/private": reply("mine", cache="private")})
    larder = t.larder(origin)
    for _ in range(2):
        same(larder.fetch("/private").status, 200)
    before = origin.count("/private")
    response = larder.fetch("/private", headers=[("Cache-Control", "only-if-cached")])
    same(response.status, 504, "only-if-cached for a key known not to be storable")
    same(origin.count("/private"), before)


def test_head_with_very_many_fields(t):
    """As many fields as an origin may send: parts and 304s of it are still right."""
    body = content("many", 1000)
    fields = [("Cache-Control", "max-age=600"), ("ETag", '"e"')]
    fields += [(f"X-{n}", "v") for n in range(252)]
    origin = t.origin({"/many": reply(body, headers=fields)})
    larder = t.larder(origin)
    same_body(larder.fetch("/many"), body)
    response = larder.fetch("/many", headers=[("Range", "bytes=10-19")])
    same((response.status, response.body), (206, body[10:20]))
    same(larder.fetch("/many", headers=[("If-None-Match", '"e"')]).status, 304)


def test_other_variant_behind_a_failed_validation(t):
    """A follower that has no stale copy of its own is not told of an origin error that is none of its business."""
    gate = threading.Event()
    state = {"n": 0}

    def behave(conn, request):
        state["n"] += 1
        language = request.get("Accept-Language", "-")
        if language == "de" and state["n"] > 1:
            gate.wait(60)
            conn.send(head(503, [("Content-Length", "0")]))
            return
        body = f"in {language}".encode()
        conn.send(head(200, [("Cache-Control", "max-age=0, stale-if-error=600"), ("Vary", "Accept-Language"),
                             ("ETag", f'"{language}"'), ("Content-Length", str(len(body)))]) + body)
    origin = t.origin({"/v": behave})
    larder = t.larder(origin)
    same(larder.fetch("/v", headers=[("Accept-Language", "de")]).body, b"in de")
    with larder.client() as first, larder.client() as other:
        first.request("/v", headers=[("Accept-Language", "de")])
        wait_for(lambda: origin.count("/v") == 2, what="the validation")
        other.request("/v", headers=[("Accept-Language", "fr")])
        time.sleep(0.5)
        gate.set()
        response = first.read_response()
        same((response.status, response.body), (200, b"in de"))
        response = other.read_response()
        same((response.status, response.body), (200, b"in fr"), "the other variant")


def test_chunks_become_a_length(t):
    """Three hits of what came in chunks on one kept connection: from memory, behind a 304, and after a restart."""
    small, large = content("small", 900), content("large", 700_000)
    origin = t.origin({"/small": reply(small, cache="max-age=600", chunked=True),
                       "/large": reply(large, cache="max-age=600", chunked=True),
                       "/stale": reply(small, cache="max-age=0", etag='"s"', chunked=True)})
    larder = t.larder(origin)
    wanted = {"/small": small, "/large": large, "/stale": small}

    def ask(method="GET", version="HTTP/1.1", headers=()):
        with larder.client(timeout=10) as client:
            for target, body in wanted.items():
                client.request(target, method, version=version,
                               headers=[*headers, ("Connection", "keep-alive")])
                response = client.read_response(method)
                same(response.status, 200, target)
                same(response.get("Content-Length"), str(len(body)), f"length of {method} {target}")
                if method == "GET":
                    same_body(response, body)
    for target, body in wanted.items():
        same_body(larder.fetch(target), body)
    ask()
    ask(version="HTTP/1.0")
    larder.restart()
    ask()
    wanted.pop("/stale")
    ask("HEAD")
