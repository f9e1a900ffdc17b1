"""Purges: in force before the answer, all variants, exact counts, over every door."""
import json
import random
import threading
import time

from case import head, reply, same, slow, wait_for
from d01_collapse import Crowd, waiting


def test_hard_purge(t):
    origin = t.origin({"/p": reply(lambda request: str(origin.count("/p")), cache="max-age=600")})
    larder = t.larder(origin)
    larder.fetch("/p")
    assert larder.fetch("/p").is_hit
    answer = larder.purge("http://site.test/p")
    same(answer["matched"], 1)
    response = larder.fetch("/p")
    assert not response.is_hit and response.body == b"2", response
    assert larder.fetch("/p").is_hit


def test_nothing_to_purge(t):
    larder = t.larder(t.origin())
    same(larder.purge("http://site.test/absent")["matched"], 0)
    same(larder.purge("http://site.test/absent", "soft")["matched"], 0)


def test_purge_is_exact(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin)
    targets = ["/p", "/p?x=1", "/p/", "/P", "/pp"]
    for target in targets:
        larder.fetch(target)
    larder.fetch("/p", host="other.test")
    same(larder.purge("http://site.test/p")["matched"], 1)
    same([larder.fetch(target).is_hit for target in targets], [False, True, True, True, True])
    assert larder.fetch("/p", host="other.test").is_hit


def test_all_variants(t):
    origin = t.origin({"/v": reply(lambda request: request.get("X-V"), cache="max-age=600", headers=[("Vary", "X-V")])})
    larder = t.larder(origin)
    for value in "abc":
        larder.fetch("/v", headers=[("X-V", value)])
    answer = larder.purge("http://site.test/v")
    assert 3 in (answer["matched"], answer.get("variants")), answer
    for value in "abc":
        assert not larder.fetch("/v", headers=[("X-V", value)]).is_hit
    same(origin.count("/v"), 6)


def test_soft_purge_revalidates(t):
    origin = t.origin({"/s": reply("body", cache="max-age=600", etag='"1"')})
    larder = t.larder(origin)
    larder.fetch("/s")
    same(larder.purge("http://site.test/s", "soft")["matched"], 1)
    response = larder.fetch("/s")
    same((response.status, response.body), (200, b"body"))
    same(origin.last("/s").get("If-None-Match"), '"1"', "a soft purge makes it stale, not gone")
    assert larder.fetch("/s").is_hit
    same(origin.count("/s"), 2)


def test_in_force_before_the_answer(t):
    origin = t.origin({"/p": reply(lambda request: str(origin.count("/p")), cache="max-age=600")})
    larder = t.larder(origin)
    for number in range(1, 60):
        same(larder.fetch("/p").body.decode(), str(number))
        assert larder.fetch("/p").is_hit
        same(larder.purge("http://site.test/p", "hard" if number % 2 else "soft")["matched"], 1)


def test_purge_of_what_is_in_flight(t):
    """What was asked from the origin before the purge must not be served after it."""
    for mode in ("hard", "soft"):
        gate = threading.Event()

        def behave(conn, request, gate=gate):
            number = origin.count(request.path)
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", "8")]) + b"half")
            if number == 1:
                gate.wait(20)
            conn.send(b"%04d" % number)
        path = f"/{mode}"
        origin = t.origin({path: behave})
        larder = t.larder(origin)
        with larder.client() as client:
            client.request(path)
            client.read_head()
            larder.purge(f"http://site.test{path}", mode)
            gate.set()
        settled(larder)
        response = larder.fetch(path)
        same(response.body, b"half0002", f"{mode}: the old content after the purge")


def test_purge_method(t):
    origin = t.origin({"/p": reply("x", cache="max-age=600")})
    larder = t.larder(origin)
    larder.fetch("/p")
    response = larder.fetch("/p", "PURGE")
    same((response.status, json.loads(response.body)["matched"]), (200, 1))
    same(json.loads(larder.fetch("/p", "PURGE").body)["matched"], 0)
    assert not larder.fetch("/p").is_hit
    same(origin.count(method="PURGE"), 0, "PURGE went to the origin")


def test_purge_method_is_off_by_default(t):
    origin = t.origin({"/p": reply("x", cache="max-age=600")})
    sites = f"site * {{ origins {{ server o http://127.0.0.1:{origin.port}; }} }}"
    larder = t.larder(origin, sites=sites)
    larder.fetch("/p")
    response = larder.fetch("/p", "PURGE")
    assert response.status in (403, 405), response
    same(response.cache_status, "", "an answer of our own is no hit")
    assert larder.fetch("/p").is_hit
    same(origin.count(method="PURGE"), 0)


def test_purge_method_from_elsewhere(t):
    origin = t.origin({"/p": reply("x", cache="max-age=600")})
    sites = f"site * {{ origins {{ server o http://127.0.0.1:{origin.port}; }} cache {{ purge from 127.0.0.77; }} }}"
    larder = t.larder(origin, sites=sites)
    larder.fetch("/p")
    assert larder.fetch("/p", "PURGE").status in (403, 405)
    assert larder.fetch("/p").is_hit
    same(larder.fetch("/p", "PURGE", source="127.0.0.77").status, 200)
    assert not larder.fetch("/p").is_hit


def test_cli_purge(t):
    origin = t.origin({"/p": reply("x", cache="max-age=600", etag='"1"')})
    larder = t.larder(origin)
    larder.fetch("/p")
    done = larder.command("purge", "--url", "http://site.test/p", "--hard", check=0)
    assert "1" in done.stdout, done.stdout
    assert not larder.fetch("/p").is_hit
    larder.command("purge", "--url", "http://site.test/p", "--soft", check=0)
    larder.fetch("/p")
    same(origin.last("/p").get("If-None-Match"), '"1"')
    assert larder.command("purge").returncode != 0
    assert larder.command("purge", "--url", "nonsense").returncode != 0


def test_purge_from_disk(t):
    """Objects that are only on disk, after a restart: counted and gone, and they do not come back."""
    origin = t.origin(default=reply(lambda request: f"{request.path} {origin.count(request.path)}", cache="max-age=600"))
    larder = t.larder(origin)
    for number in range(20):
        larder.fetch(f"/d{number}")
    larder.restart()
    same(larder.purge("http://site.test/d0")["matched"], 1)
    same(larder.purge("http://site.test/d0")["matched"], 0)
    same(larder.purge("http://site.test/d1")["matched"], 1)
    larder.kill()
    larder.start()
    same(larder.fetch("/d0").body, b"/d0 2", "a purge answered before the crash was forgotten")
    same(larder.fetch("/d1").body, b"/d1 2")
    assert larder.fetch("/d2").is_hit


class Versions:
    """An origin resource with a version, purges of it that are counted once they are answered, and readers that judge
    what they get: a request that starts after purge n was answered must not see what was fetched before it. Nothing
    more can be asked of all answers: a request in flight while its fill is purged may still see a late, newer version,
    and the next one a hit on the older version that was fetched in between and is not purged yet. Only the cache's own
    content, so what plain hits show, never goes back."""

    def __init__(self, t, mode, cache):
        self.mode, self.version, self.purged = mode, 0, 0
        self.cache = cache
        self.stop = threading.Event()
        self.errors = []
        self.statuses = {"hit_for_miss": 0, "hit_for_miss, stored": 0}
        self.origin = t.origin({"/p": self.behave})
        self.larder = t.larder(self.origin)

    def behave(self, conn, request):
        time.sleep(random.choice((0, 0, 0.01)))  # some are slow to look: late answers of purged fills
        version = self.version
        time.sleep(random.choice((0, 0, 0.01)))  # and some to answer: purges while they are on the way
        fields = [("Cache-Control", self.cache or random.choice(("no-store", "max-age=600"))), ("ETag", f'"{version}"')]
        if request.get("If-None-Match") == f'"{version}"':
            conn.send(head(304, fields))
        else:
            conn.send(head(200, fields + [("Content-Length", str(len(str(version))))]) + str(version).encode())

    def read(self):
        try:
            self.read_on()
        except Exception as error:
            self.errors.append(repr(error))

    def read_on(self):
        top, before = 0, None
        with self.larder.client() as client:
            while not self.stop.is_set():
                floor, begin = self.purged, time.monotonic()
                client.request("/p")
                response = client.read_response()
                got = int(response.body)
                answer = f"{got} ({response.cache_status}, age {response.age}, {time.monotonic() - begin:.4f} s)"
                if got < floor:
                    self.errors.append(f"{answer} after the purge of version {floor - 1} was answered; before: {before}")
                if response.is_hit and got < top:
                    self.errors.append(f"a hit on {answer} after a hit on {top}; before: {before}")
                if "hit_for_miss" in response.cache_status:
                    self.statuses["hit_for_miss, stored" if "; stored" in response.cache_status else "hit_for_miss"] += 1
                top, before = max(top, got) if response.is_hit else top, answer
                if self.mode == "jitter":
                    time.sleep(random.random() * 0.005)

    def run(self, rounds, modes):
        threads = [threading.Thread(target=self.read) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, rounds + 1):
                self.version = number
                if self.mode == "jitter":
                    time.sleep(random.random() * 0.005)
                self.larder.purge("http://site.test/p", modes[number % len(modes)])
                self.purged = number
                if self.mode == "jitter":
                    time.sleep(random.random() * 0.01)
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        same(self.errors[:5], [], "a purged version was seen")
        same(int(self.larder.fetch("/p").body), rounds)


def test_purge_while_being_asked(t):
    """Purges against readers in all workers."""
    Versions(t, "rush", "max-age=600").run(100, ["hard"])


def test_purge_while_being_asked_slowly(t):
    Versions(t, "jitter", "max-age=600").run(80, ["hard"])


def test_purge_while_being_validated(t):
    """The same with soft purges, which meet validations in flight, and both kinds in turn."""
    Versions(t, "rush", "max-age=600").run(60, ["soft"])
    Versions(t, "jitter", "max-age=600").run(80, ["soft", "hard", "soft"])


def test_purge_while_not_storable(t):
    """Requests that go side by side because the key is marked, and are stored now and then, against purges."""
    versions = Versions(t, "jitter", None)
    versions.run(100, ["hard", "soft", "soft"])
    assert versions.statuses["hit_for_miss"] > 0 and versions.statuses["hit_for_miss, stored"] > 0, versions.statuses


def gated(body, cache, gate, hold):
    """200 with this ETag, or 304; the request number `hold` is answered only when the gate opens."""
    def behave(conn, request):
        number = conn.origin.count(request.path)
        if number == hold:
            assert gate.wait(60)
        fields = [("Cache-Control", cache if isinstance(cache, str) else cache(number)), ("ETag", f'"{body(number)}"')]
        if request.get("If-None-Match") == f'"{body(number)}"':
            conn.send(head(304, fields))
        else:
            data = body(number).encode()
            conn.send(head(200, fields + [("Content-Length", str(len(data)))]) + data)
    return behave


def first_of(seconds, more=""):
    """The first answer lives so long, all others for ten minutes."""
    return lambda number: f"max-age={seconds if number == 1 else 600}{more}"


def settled(larder):
    """What came late from the origin is in the store, or refused."""
    wait_for(lambda: larder.metrics()["larder_store_fills"] == 0, what="the end of the fills")


def test_late_answer_of_a_purged_fill(t):
    """It goes to its own client, and does not take the place of what was fetched after the purge."""
    gate = threading.Event()
    origin = t.origin({"/l": gated(str, "max-age=600", gate, 1)})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/l")
        wait_for(lambda: origin.count("/l") == 1, what="the fill")
        larder.purge("http://site.test/l")
        same(larder.fetch("/l").body, b"2")
        gate.set()
        same(client.read_response().body, b"1")
    response = larder.fetch("/l")
    same((response.body, response.is_hit), (b"2", True))


def test_purge_meets_a_validation(t):
    """A 304 that answers a question from before the purge does not bring the object back (hard) or make it fresh."""
    for mode in ("hard", "soft"):
        gate = threading.Event()
        origin = t.origin({"/v": gated(lambda number: "same", first_of(1), gate, 2)})
        larder = t.larder(origin)
        larder.fetch("/v")
        time.sleep(2.1)
        with larder.client() as client:
            client.request("/v")
            wait_for(lambda: origin.count("/v") == 2, what="the validation")
            larder.purge("http://site.test/v", mode)
            gate.set()
            same(client.read_response().body, b"same")
        settled(larder)
        response = larder.fetch("/v")
        assert not response.is_hit, f"{mode}: {response}"
        same((origin.count("/v"), origin.last("/v").get("If-None-Match")), (3, None if mode == "hard" else '"same"'), mode)
        assert larder.fetch("/v").is_hit


def test_purges_while_a_crowd_waits(t):
    """Who waits for a validation gets what its 304 confirms, whatever was purged since they asked: a purge that comes
    again and again sends them from no fetch to the next. Who comes after it waits for the next one."""
    for mode in ("hard", "soft"):
        gates = {number: threading.Event() for number in (2, 3)}

        def behave(conn, request, gates=gates):
            number = origin.count("/c")
            assert gates[number].wait(30) if number in gates else True
            fields = [("Cache-Control", "max-age=600"), ("ETag", '"1"')]
            is_same = request.get("If-None-Match") == '"1"'
            conn.send(head(304, fields) if is_same else head(200, fields + [("Content-Length", "4")]) + b"body")
        origin = t.origin({"/c": behave})
        larder = t.larder(origin, timeouts="connect=10s first_byte=60s idle=60s")
        larder.fetch("/c")
        larder.purge("http://site.test/c", "soft")
        first = Crowd(larder, 20, "/c")
        wait_for(lambda: origin.count("/c") == 2, 20, "the validation")
        waiting(larder, 20)
        larder.purge("http://site.test/c", mode)
        second = Crowd(larder, 5, "/c")
        wait_for(lambda: origin.count("/c") == 3, 20, "another one for those who came after the purge")
        gates[2].set()
        wait_for(lambda: first.read_until(lambda client: client.buffer, 0.2) >= 15, 20, "answers for those who came before it")
        same(second.read_until(lambda client: client.buffer, 0.2), 0, "who came after it")
        gates[3].set()
        for crowd in (first, second):
            same({(response.status, response.body) for response in (client.read_response() for client in crowd.clients)},
                 {(200, b"body")})
            crowd.close()
        assert larder.fetch("/c").is_hit
        same(origin.count("/c"), 3)


def test_a_crowd_that_its_304_does_not_serve(t):
    """What is stale as it comes is for its own client: the others ask at once, each alone, and not one after another."""
    gates = {2: threading.Event(), 3: threading.Event()}

    def behave(conn, request):
        number = origin.count("/c")
        assert gates[min(number, 3)].wait(60) if number > 1 else True
        fields = [("Cache-Control", "max-age=600"), ("Age", "1000"), ("ETag", '"1"')]
        is_same = request.get("If-None-Match") == '"1"'
        conn.send(head(304, fields) if is_same else head(200, fields + [("Content-Length", "4")]) + b"body")
    origin = t.origin({"/c": behave})
    larder = t.larder(origin, timeouts="connect=10s first_byte=60s idle=60s")
    larder.fetch("/c")
    crowd = Crowd(larder, 8, "/c")
    wait_for(lambda: origin.count("/c") == 2, 20, "the validation")
    waiting(larder, 8)
    gates[2].set()
    wait_for(lambda: origin.count("/c") == 9, 20, "all the others, none of whom has been answered yet")
    gates[3].set()
    same({(response.status, response.body) for response in (client.read_response() for client in crowd.clients)}, {(200, b"body")})
    crowd.close()


def test_purge_meets_a_background_refresh(t):
    for mode in ("hard", "soft"):
        gate = threading.Event()
        origin = t.origin({"/b": gated(str, first_of(1, ", stale-while-revalidate=600"), gate, 2)})
        larder = t.larder(origin)
        larder.fetch("/b")
        time.sleep(2.1)
        same(larder.fetch("/b").body, b"1", "stale while it is renewed")
        wait_for(lambda: origin.count("/b") == 2, what="the refresh")
        larder.purge("http://site.test/b", mode)
        gate.set()
        settled(larder)
        if mode == "hard":
            response = larder.fetch("/b")
            same((response.body, response.is_hit), (b"3", False), "what was asked before the purge")
        else:
            # Stale, so another refresh begins; what it brings is fresh.
            same(larder.fetch("/b").body, b"2")
            wait_for(lambda: larder.fetch("/b").body == b"3", what="the refresh after the purge")
        assert larder.fetch("/b").is_hit


def windowed(window, state):
    def behave(conn, request):
        number = conn.origin.count(request.path)
        if state.get("down"):
            conn.send(head(503, [("Content-Length", "4"), ("Cache-Control", "no-store")]) + b"down")
        else:
            conn.send(head(200, [("Cache-Control", f"max-age=600, {window}"), ("Content-Length", "1")]) + str(number).encode())
    return behave


def test_soft_purge_opens_the_window(t):
    """stale-while-revalidate counts from the purge: within it the old one is sent at once, after it nobody gets it."""
    origin = t.origin({"/in": windowed("stale-while-revalidate=60", {}), "/after": windowed("stale-while-revalidate=3", {}),
                       "/must": windowed("stale-while-revalidate=60, must-revalidate", {})})
    larder = t.larder(origin)
    for path in ("/in", "/after", "/must"):
        larder.fetch(path)
        larder.purge(f"http://site.test{path}", "soft")
    response = larder.fetch("/in")
    same(response.body, b"1")
    assert "ttl=0" in response.cache_status or "ttl=-" in response.cache_status, response
    wait_for(lambda: larder.fetch("/in").body == b"2", what="the refresh")
    same(larder.fetch("/must").body, b"2", "must-revalidate")
    time.sleep(2)
    larder.purge("http://site.test/after", "soft")  # it was stale already: the window does not begin anew
    time.sleep(2.2)
    same(larder.fetch("/after").body, b"2", "stale after its window")
    assert larder.fetch("/after").is_hit


def test_soft_purge_and_errors(t):
    """stale-if-error counts from the purge too."""
    state = {}
    origin = t.origin({"/in": windowed("stale-if-error=6", state), "/must": windowed("stale-if-error=60, must-revalidate", state)})
    larder = t.larder(origin, workers=1)  # all of them have to do with the same worker, which re-arms stale answers
    for path in ("/in", "/must"):
        larder.fetch(path)
        larder.purge(f"http://site.test{path}", "soft")
    state["down"] = True
    response = larder.fetch("/in")
    same((response.status, response.body), (200, b"1"))
    same(larder.fetch("/must").status, 503)
    time.sleep(7.2)
    same(larder.fetch("/in").status, 503, "stale after its window")


@slow(90)
def test_soft_purge_window_after_a_restart(t):
    origin = t.origin({"/r": windowed("stale-while-revalidate=10", {})})
    larder = t.larder(origin)
    larder.fetch("/r")
    time.sleep(0.5)
    larder.purge("http://site.test/r", "soft")
    larder.restart()
    time.sleep(11.2)
    same(larder.fetch("/r").body, b"2", "stale after its window")
    time.sleep(10.5)  # older than the window is long: only the moment of the purge tells
    larder.purge("http://site.test/r", "soft")
    larder.restart()
    same(larder.fetch("/r").body, b"2", "stale within its window")


def test_bad_purge_requests(t):
    larder = t.larder(t.origin({"/p": reply("x", cache="max-age=600")}))
    larder.fetch("/p")
    for body in ({}, {"select": {}}, {"select": {"urls": "x"}}, {"select": {"urls": [1]}},
                 {"select": {"urls": ["http://site.test/p"]}, "mode": "firm"},
                 {"select": {"urls": ["/p"]}, "mode": "hard"},
                 {"unknown": 1, "select": {"urls": ["http://site.test/p"]}, "mode": "hard"}):
        status, answer = larder.api("/api/v1/purges", "POST", body)
        assert status in (400, 422), (body, status, answer)
        assert answer.get("title") or answer.get("detail"), answer
    assert larder.fetch("/p").is_hit, "a refused purge purged"


def test_counts_add_up(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin)
    urls = [f"http://site.test/c{number}" for number in range(50)]
    for number in range(50):
        larder.fetch(f"/c{number}")
    status, answer = larder.api("/api/v1/purges", "POST", {"select": {"urls": urls + ["http://site.test/absent"]},
                                                                   "mode": "hard"})
    same((status, answer["matched"]), (200, 50))
    same([number for number in range(50) if larder.fetch(f"/c{number}").is_hit], [])
