"""RFC 9111 4: who waits for somebody else's answer gets it only when it may be used for his own request too."""
import threading
import time

from case import head, reply, same, sequence, wait_for
from d01_collapse import waiting


def crowd(larder, target, count, headers=()):
    """That many clients that have asked, and not read yet."""
    clients = [larder.client() for _ in range(count)]
    for client in clients:
        client.request(target, headers=headers)
    return clients


def answers_of(clients):
    answers = [client.read_response() for client in clients]
    for client in clients:
        client.close()
    return answers


def gated(state, fields, etag=None):
    """Counts its answers, which wait for the gate; all but the first for another one. 304 to a condition when there is a
    tag."""
    def behave(conn, request):
        with state["lock"]:
            state["n"] += 1
            number = state["n"]
        state["gate" if number == 1 else "others"].wait(60)
        if etag is not None and request.get("If-None-Match") == etag:
            conn.send(head(304, [*fields, ("ETag", etag)]))
        else:
            body = str(number).encode()
            extra = [("ETag", etag)] if etag else []
            conn.send(head(200, [*fields, *extra, ("Content-Length", str(len(body)))]) + body)
    return behave


def new_state():
    return {"lock": threading.Lock(), "gate": threading.Event(), "others": threading.Event(), "n": 0}


def test_what_must_be_validated_is_not_shared(t):
    """no-cache and max-age=0: each of ten waiting clients is answered by the origin, side by side."""
    for cache in ("no-cache", "max-age=0", "no-cache, max-age=60"):
        state = new_state()
        origin = t.origin({"/n": gated(state, [("Cache-Control", cache), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")])})
        larder = t.larder(origin)
        clients = crowd(larder, "/n", 10)
        waiting(larder, 10)
        wait_for(lambda: origin.count("/n") == 1, what="the first request")
        state["gate"].set()
        wait_for(lambda: origin.count("/n") == 10, what="the others, side by side")
        state["others"].set()
        answers = answers_of(clients)
        same([answer.status for answer in answers], [200] * 10)
        same((origin.count("/n"), len({answer.body for answer in answers})), (10, 10), cache)


def test_validations_go_side_by_side(t):
    """A stored no-cache response: ten clients at once make ten conditional requests at once."""
    state = new_state()
    state["gate"].set()
    origin = t.origin({"/v": gated(state, [("Cache-Control", "no-cache")], etag='"e"')})
    larder = t.larder(origin)
    same(larder.fetch("/v").body, b"1")
    clients = crowd(larder, "/v", 10)
    wait_for(lambda: origin.count("/v") == 11, what="ten conditional requests side by side")
    state["others"].set()
    answers = answers_of(clients)
    same([(answer.status, answer.body) for answer in answers], [(200, b"1")] * 10)
    same([request.get("If-None-Match") for request in origin.requests[1:]], ['"e"'] * 10)


def test_what_is_fresh_is_shared(t):
    """One request, also when the answer must be revalidated once it is stale, or may leave fields out."""
    for cache in ("max-age=60", "max-age=60, must-revalidate", 's-maxage=60', 'max-age=60, no-cache="x"'):
        state = new_state()
        origin = t.origin({"/f": gated(state, [("Cache-Control", cache)])})
        larder = t.larder(origin)
        clients = crowd(larder, "/f", 10)
        waiting(larder, 10)
        wait_for(lambda: origin.count("/f") == 1, what="the first request")
        state["gate"].set()
        same([answer.body for answer in answers_of(clients)], [b"1"] * 10, cache)
        same(origin.count("/f"), 1, cache)


def test_the_clients_own_limits(t):
    """min-fresh that the answer cannot meet: its client asks for himself, the others share."""
    state = new_state()
    origin = t.origin({"/m": gated(state, [("Cache-Control", "max-age=60")])})
    larder = t.larder(origin)
    clients = crowd(larder, "/m", 3)
    wait_for(lambda: origin.count("/m") == 1, what="the first request")
    demanding = crowd(larder, "/m", 1, [("Cache-Control", "min-fresh=100")])
    waiting(larder, 4)
    state["gate"].set()
    same([answer.body for answer in answers_of(clients)], [b"1"] * 3)
    state["others"].set()
    same(answers_of(demanding)[0].body, b"2")
    same(origin.count("/m"), 2)


def test_a_stale_one_is_validated_once(t):
    """With a lifetime, one validation renews it for all who wait."""
    origin = t.origin({"/s": sequence(reply("x", cache="max-age=1", etag='"e"'),
                                      reply("x", cache="max-age=600", etag='"e"', delay=0.5))})
    larder = t.larder(origin)
    larder.fetch("/s")
    time.sleep(2.1)
    answers = answers_of(crowd(larder, "/s", 10))
    same([(answer.status, answer.body) for answer in answers], [(200, b"x")] * 10)
    same(origin.count("/s"), 2)
