"""The collapsing lines: nobody waits for what cannot be shared, bytes go on as they come, a leader may leave."""
import threading
import time

from case import content, head, reply, same, same_body, wait_for
from d01_collapse import Crowd, waiting


def test_followers_get_each_piece_as_it_comes(t):
    """Not only the first bytes: piece by piece, on both workers, stored with a length and in chunks."""
    for chunked in (False, True):
        steps = [threading.Event() for _ in range(4)]
        pieces = [content(f"piece {n}", 5000) for n in range(4)]

        def behave(conn, _request):
            framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "20000")
            conn.send(head(200, [("Cache-Control", "max-age=600"), framing]))
            for step, piece in zip(steps, pieces):
                step.wait(20)
                conn.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                conn.send(b"0\r\n\r\n")
        origin = t.origin({"/p": behave})
        larder = t.larder(origin)
        crowd = Crowd(larder, 8, "/p")
        for number, step in enumerate(steps):
            step.set()
            same(crowd.read_until(lambda client, mark=pieces[number][-32:]: client.buffer.count(pieces[0][:32]) and
                                  mark in client.buffer, 20), 8, f"clients that have piece {number}")
        for client in crowd.clients:
            same_body(client.read_response(), b"".join(pieces))
        crowd.close()
        same(origin.count("/p"), 1)


def test_not_storable_all_at_once(t):
    """When the head shows that it may not be shared, those who waited are at the origin together, not one by one."""
    lock, gate = threading.Lock(), threading.Event()
    state = {"now": 0, "most": 0}

    def behave(conn, request):
        number = origin.count("/n")
        if number == 1:
            time.sleep(1.0)
        else:
            with lock:
                state["now"] += 1
                state["most"] = max(state["most"], state["now"])
            gate.wait(20)
        reply(f"own {id(request)}", cache="private")(conn, request)
    origin = t.origin({"/n": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 20, "/n")
    wait_for(lambda: state["now"] == 19, 15, "all others at the origin side by side")
    gate.set()
    same(len({client.read_response().body for client in crowd.clients}), 20)
    crowd.close()


def test_variants_of_users_all_at_once(t):
    """The same where the head shows that each user has a response of their own (Vary: Cookie); each is stored."""
    gate = threading.Event()

    def behave(conn, request):
        if origin.count("/v") > 1:
            gate.wait(20)
        else:
            time.sleep(1.0)
        reply(f"for {request.get('Cookie')}", cache="max-age=60", headers=[("Vary", "Accept, Cookie")])(conn, request)
    origin = t.origin({"/v": behave})
    larder = t.larder(origin)
    clients = [larder.client() for _ in range(12)]
    for number, client in enumerate(clients):
        client.request("/v", headers=[("Cookie", str(number))])
    wait_for(lambda: origin.count("/v") == 12, 15, "all of them at the origin side by side")
    gate.set()
    for number, client in enumerate(clients):
        same(client.read_response().body, f"for {number}".encode())
        client.request("/v", headers=[("Cookie", str(number))])
        response = client.read_response()
        same((response.body, response.is_hit), (f"for {number}".encode(), True))
        client.close()


def test_leader_leaves_before_the_head(t):
    """The fetch goes on for the others: one request, with the leader's fields."""
    gate = threading.Event()

    def behave(conn, request):
        gate.wait(20)
        reply("for all", cache="max-age=600")(conn, request)
    origin = t.origin({"/l": behave})
    larder = t.larder(origin)
    leader = larder.client()
    leader.request("/l", headers=[("X-Leader", "1")])
    wait_for(lambda: origin.count("/l") == 1, what="the leader's fetch")
    crowd = Crowd(larder, 10, "/l")
    waiting(larder, 11)
    leader.close()
    time.sleep(0.3)
    gate.set()
    for client in crowd.clients:
        same(client.read_response().body, b"for all")
    crowd.close()
    same((origin.count("/l"), origin.last("/l").get("X-Leader")), (1, "1"))
    assert larder.fetch("/l").is_hit


def test_leader_leaves_and_it_is_not_storable(t):
    """The others then ask for themselves."""
    gate = threading.Event()

    def behave(conn, request):
        if origin.count("/l") == 1:
            gate.wait(20)
        reply(f"own {id(request)}", cache="no-store")(conn, request)
    origin = t.origin({"/l": behave})
    larder = t.larder(origin)
    leader = larder.client()
    leader.request("/l")
    wait_for(lambda: origin.count("/l") == 1, what="the leader's fetch")
    crowd = Crowd(larder, 10, "/l")
    waiting(larder, 11)
    leader.close()
    time.sleep(0.3)
    gate.set()
    same(len({client.read_response().body for client in crowd.clients}), 10)
    crowd.close()


def test_crowd_and_cache_status(t):
    """One is forwarded, the others are hits that say so."""
    gate = threading.Event()

    def behave(conn, request):
        gate.wait(60)
        reply("x", cache="max-age=600")(conn, request)
    origin = t.origin({"/c": behave})
    larder = t.larder(origin)
    crowd = Crowd(larder, 10, "/c")
    waiting(larder, 10)
    gate.set()
    values = [client.read_response().cache_status for client in crowd.clients]
    crowd.close()
    same(sum("; collapsed" in value for value in values), 9, values)
    same(sum("; stored" in value for value in values), 1, values)
    same(origin.count("/c"), 1)


def test_crowd_with_conditions_and_ranges(t):
    """Each follower gets what it asked for of the one response."""
    body = content("/c", 10_000)
    origin = t.origin({"/c": reply(body, cache="max-age=600", headers=[("ETag", '"1"')], delay=0.8)})
    larder = t.larder(origin)
    wants = [([], 200), ([("If-None-Match", '"1"')], 304), ([("Range", "bytes=10-19")], 206), ([("If-None-Match", '"2"')], 200)]
    crowds = [(Crowd(larder, 3, "/c", fields), status) for fields, status in wants]
    for crowd, status in crowds:
        for client in crowd.clients:
            response = client.read_response()
            same(response.status, status)
            same_body(response, {200: body, 206: body[10:20], 304: b""}[status])
        crowd.close()
    same(origin.count("/c"), 1)
