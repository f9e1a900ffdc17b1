"""RFC 9111 section 3 and 4.2: what is stored, and for how long it is fresh."""
import threading
import re
import time

from case import content, http_date, reply, same, same_body, sequence, wait_for

H = http_date

# name, status, response fields, request fields, is the second request a hit?
STORING = [
    ("max-age", 200, [("Cache-Control", "max-age=60")], [], True),
    ("s-maxage", 200, [("Cache-Control", "s-maxage=60")], [], True),
    ("s-maxage over max-age", 200, [("Cache-Control", "max-age=0, s-maxage=60")], [], True),
    ("s-maxage 0 over max-age", 200, [("Cache-Control", "s-maxage=0, max-age=60")], [], False),
    ("Expires", 200, [("Expires", H(60))], [], True),
    ("Expires in the past", 200, [("Expires", H(-60))], [], False),
    ("Expires 0", 200, [("Expires", "0")], [], False),
    ("max-age over Expires 0", 200, [("Expires", "0"), ("Cache-Control", "max-age=60")], [], True),
    ("Expires against the response's own Date", 200, [("Date", H(-7200)), ("Expires", H(-7140))], [], False),
    ("heuristic", 200, [("Last-Modified", H(-864000))], [], True),
    ("nothing said", 200, [], [], False),
    ("no-store", 200, [("Cache-Control", "max-age=60, no-store")], [], False),
    ("private", 200, [("Cache-Control", "private, max-age=60")], [], False),
    ("no-store in capitals", 200, [("Cache-Control", "max-age=60, NO-STORE")], [], False),
    ("no-store on its own line", 200, [("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")], [], False),
    ("no-store inside a quoted value", 200, [("Cache-Control", 'ext="no-store", max-age=60')], [], True),
    ("directive in capitals", 200, [("Cache-Control", "MAX-AGE=60")], [], True),
    ("quoted max-age", 200, [("Cache-Control", 'max-age="60"')], [], True),
    ("empty list members", 200, [("Cache-Control", ",, max-age=60 ,,")], [], True),
    ("leading zeros", 200, [("Cache-Control", "max-age=0060")], [], True),
    ("huge max-age", 200, [("Cache-Control", "max-age=99999999999999999999")], [], True),
    ("negative max-age", 200, [("Cache-Control", "max-age=-60")], [], False),
    ("max-age with letters", 200, [("Cache-Control", "max-age=60x")], [], False),
    ("decimal max-age", 200, [("Cache-Control", "max-age=60.5")], [], False),
    ("first duplicate wins", 200, [("Cache-Control", "max-age=60, max-age=0")], [], True),
    ("must-revalidate while fresh", 200, [("Cache-Control", "must-revalidate, max-age=60")], [], True),
    ("Age used up", 200, [("Cache-Control", "max-age=60"), ("Age", "100")], [], False),
    ("Age not yet used up", 200, [("Cache-Control", "max-age=60"), ("Age", "10")], [], True),
    ("Authorization", 200, [("Cache-Control", "max-age=60")], [("Authorization", "Basic eDp5")], False),
    ("Authorization and public", 200, [("Cache-Control", "max-age=60, public")], [("Authorization", "Basic eDp5")], True),
    ("Authorization and s-maxage", 200, [("Cache-Control", "s-maxage=60")], [("Authorization", "Basic eDp5")], True),
    ("Authorization and must-revalidate", 200, [("Cache-Control", "max-age=60, must-revalidate")],
     [("Authorization", "Basic eDp5")], True),
    ("Cookie in the request", 200, [("Cache-Control", "max-age=60")], [("Cookie", "a=b")], True),
    ("Set-Cookie", 200, [("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b")], [], False),
    ("Set-Cookie and public", 200, [("Cache-Control", "max-age=60, public"), ("Set-Cookie", "a=b")], [], True),
    ("request no-store", 200, [("Cache-Control", "max-age=60")], [("Cache-Control", "no-store")], False),
    ("404 with lifetime", 404, [("Cache-Control", "max-age=60")], [], True),
    ("404 without", 404, [], [], False),
    ("301 with lifetime", 301, [("Cache-Control", "max-age=60"), ("Location", "/x")], [], True),
    ("302 with lifetime", 302, [("Cache-Control", "max-age=60"), ("Location", "/x")], [], True),
    ("302 heuristic", 302, [("Last-Modified", H(-864000)), ("Location", "/x")], [], False),
    ("500 without", 500, [("Last-Modified", H(-864000))], [], False),
    ("503 with lifetime", 503, [("Cache-Control", "max-age=60")], [], True),
    ("unknown status with lifetime", 299, [("Cache-Control", "max-age=60")], [], True),
    ("Vary star", 200, [("Cache-Control", "max-age=60"), ("Vary", "*")], [], False),
    ("Vary star in a list", 200, [("Cache-Control", "max-age=60"), ("Vary", "Accept, *")], [], False),
    ("Pragma in the response is nothing", 200, [("Cache-Control", "max-age=60"), ("Pragma", "no-cache")], [], True),
]


def test_storing_table(t):
    origin = t.origin()
    larder = t.larder(origin)
    wrong = []
    for number, (name, status, fields, ask, wanted) in enumerate(STORING):
        path = f"/s{number}"
        origin.routes[path] = reply(lambda request, p=path: f"{p} {origin.count(p)}", status, headers=fields)
        first = larder.fetch(path, headers=ask)
        second = larder.fetch(path, headers=ask)
        same((first.status, second.status), (status, status), name)
        count = origin.count(path)
        if (count == 1) != wanted or second.is_hit != wanted:
            wrong.append(f"{name}: {count} origin requests, {second.cache_status}")
        elif wanted:
            same(second.body, first.body, name)
    assert not wrong, "\n" + "\n".join(wrong)


def test_reasons_in_cache_status(t):
    origin = t.origin({"/m": reply("x", cache="max-age=60"), "/n": reply("x", cache="no-store")})
    larder = t.larder(origin)
    first, second = larder.fetch("/m"), larder.fetch("/m")
    assert "fwd=uri-miss" in first.cache_status and "stored" in first.cache_status, first.cache_status
    assert "; hit" in second.cache_status and "ttl=" in second.cache_status, second.cache_status
    ttl = int(second.cache_status.split("ttl=")[1].split(";")[0])
    assert 50 <= ttl <= 60, second.cache_status
    assert "stored" not in larder.fetch("/n").cache_status
    assert "fwd=" in larder.fetch("/n").cache_status


def test_freshness_ends(t):
    origin = t.origin({"/f": reply(lambda request: str(origin.count("/f")), cache="max-age=6")})
    larder = t.larder(origin)
    same(larder.fetch("/f").body, b"1")
    same(larder.fetch("/f").body, b"1")
    time.sleep(7.1)
    third = larder.fetch("/f")
    same(third.body, b"2", "stale, and nothing allows to serve it")
    # Of no use to anybody any more: on a slow machine the store may have dropped it by now.
    assert not third.is_hit and re.search("fwd=(stale|uri-miss)", third.cache_status), third.cache_status


def test_age_grows(t):
    origin = t.origin({"/a": reply("x", cache="max-age=600", headers=[("Age", "100")])})
    larder = t.larder(origin)
    begin = time.monotonic()
    larder.fetch("/a")
    first, passed = larder.fetch("/a").age, time.monotonic() - begin
    assert 100 <= first <= 101 + passed, (first, passed)
    time.sleep(2.2)
    later, passed = larder.fetch("/a").age, time.monotonic() - begin
    assert first + 2 <= later <= 101 + passed, (first, later, passed)


def test_age_of_a_response_that_was_slow(t):
    """An old Date counts: the response was made 50 s ago."""
    begin = time.monotonic()
    origin = t.origin({"/a": reply("x", cache="max-age=600", headers=[("Date", http_date(-50))])})
    larder = t.larder(origin)
    larder.fetch("/a")
    age, passed = larder.fetch("/a").age, time.monotonic() - begin
    assert 50 <= age <= 52 + passed, (age, passed)


def test_vary(t):
    origin = t.origin({"/v": reply(lambda request: request.get("Accept-Language", "none"), cache="max-age=60",
                                   headers=[("Vary", "Accept-Language")])})
    larder = t.larder(origin)
    for _ in range(2):
        for language in ("de", "en", "fr, de;q=0.5"):
            same(larder.fetch("/v", headers=[("Accept-Language", language)]).body.decode(), language)
        same(larder.fetch("/v").body, b"none", "absent matches absent only")
    same(origin.count("/v"), 4)
    assert larder.fetch("/v", headers=[("Accept-Language", "de"), ("Accept", "x/y")]).is_hit, "only what Vary names counts"


def test_vary_over_two_lines(t):
    origin = t.origin({"/v": reply(lambda request: f"{request.get('X-One')} {request.get('X-Two')}", cache="max-age=60",
                                   headers=[("Vary", "X-One"), ("vary", " ,x-TWO")])})
    larder = t.larder(origin)
    for _ in range(2):
        for one in ("1", "2"):
            for two in ("1", "2"):
                same(larder.fetch("/v", headers=[("X-One", one), ("X-Two", two)]).body.decode(), f"{one} {two}")
    same(origin.count("/v"), 4)


def test_request_directives(t):
    origin = t.origin({"/r": reply(lambda request: str(origin.count("/r")), cache="max-age=600")})
    larder = t.larder(origin)
    response = larder.fetch("/r", headers=[("Cache-Control", "only-if-cached")])
    same((response.status, origin.count()), (504, 0))
    same(larder.fetch("/r").body, b"1")
    same(larder.fetch("/r", headers=[("Cache-Control", "only-if-cached")]).body, b"1")
    same(larder.fetch("/r", headers=[("Cache-Control", "no-cache")]).body, b"2", "no-cache asks the origin")
    same(larder.fetch("/r").body, b"2", "and what came is kept")
    same(larder.fetch("/r", headers=[("Pragma", "no-cache")]).body, b"3")
    same(larder.fetch("/r", headers=[("Pragma", "no-cache"), ("Cache-Control", "max-stale")]).body, b"3",
         "Pragma counts only without Cache-Control")
    time.sleep(1.2)
    same(larder.fetch("/r", headers=[("Cache-Control", "max-age=0")]).body, b"4")
    same(larder.fetch("/r", headers=[("Cache-Control", "min-fresh=1000")]).body, b"5")
    assert larder.fetch("/r", headers=[("Cache-Control", "no-store")]).status == 200


def test_clients_may_not_revalidate_when_told_so(t):
    origin = t.origin({"/r": reply("x", cache="max-age=600")})
    larder = t.larder(origin, cache="client_revalidate off;")
    larder.fetch("/r")
    for value in ("no-cache", "max-age=0"):
        assert larder.fetch("/r", headers=[("Cache-Control", value)]).is_hit, value
    same(origin.count("/r"), 1)


def test_default_ttl(t):
    origin = t.origin({"/d": reply("x"), "/n": reply("x", cache="no-store"), "/e": reply("x", 500)})
    larder = t.larder(origin, cache="default_ttl 60s;")
    for path, count in (("/d", 1), ("/n", 2), ("/e", 2)):
        larder.fetch(path)
        larder.fetch(path)
        same(origin.count(path), count, path)


def test_unsafe_methods_invalidate(t):
    routes = {"/u": reply(lambda request: f"{request.method} {origin.count('/u')}", cache="max-age=600"),
              "/l": reply("x", cache="max-age=600"), "/c": reply("x", cache="max-age=600"),
              "/other": reply("x", cache="max-age=600")}
    origin = t.origin(routes)
    larder = t.larder(origin)
    for method in ("POST", "PUT", "DELETE", "PATCH", "UNKNOWN"):
        larder.fetch("/u")
        assert larder.fetch("/u").is_hit
        same(larder.fetch("/u", method, body=b"x").status, 200)
        assert not larder.fetch("/u").is_hit, f"{method} left the stored response in place"
    larder.fetch("/u")
    origin.routes["/u"] = reply("failed", 500)
    larder.fetch("/u", "POST", body=b"x")
    assert larder.fetch("/u").is_hit, "a failed POST invalidated"
    for path in ("/l", "/c", "/other"):
        larder.fetch(path)
    origin.routes["/do"] = reply("done", 201, headers=[("Location", "/l"), ("Content-Location", "http://site.test/c")])
    larder.fetch("/do", "POST", body=b"x")
    same([larder.fetch(path).is_hit for path in ("/l", "/c", "/other")], [False, False, True])
    larder.fetch("/l", host="other.test")
    origin.routes["/do"] = reply("done", 201, headers=[("Location", "http://other.test/l")])
    larder.fetch("/do", "POST", body=b"x")
    assert larder.fetch("/l", host="other.test").is_hit, "another host's response was invalidated"


def test_safe_methods_do_not_invalidate(t):
    origin = t.origin({"/s": reply("x", cache="max-age=600")})
    larder = t.larder(origin)
    larder.fetch("/s")
    larder.fetch("/s", "OPTIONS")
    larder.fetch("/s", "HEAD")
    assert larder.fetch("/s").is_hit


def test_hit_for_miss_goes_side_by_side(t):
    """What cannot be stored does not queue: after the first answer the others go to the origin at once."""
    gate = threading.Event()

    def behave(conn, request):
        if conn.origin.requests[0] is not request:
            gate.wait(30)
        reply(str(id(request)), cache="no-store")(conn, request)
    origin = t.origin({"/n": behave})
    larder = t.larder(origin)
    larder.fetch("/n")
    bodies = []
    threads = [threading.Thread(target=lambda: bodies.append(larder.fetch("/n").body)) for _ in range(10)]
    for thread in threads:
        thread.start()
    wait_for(lambda: origin.count("/n") == 11, what="ten of them at the origin at once")
    gate.set()
    for thread in threads:
        thread.join()
    same(origin.count("/n"), 11)
    same(len(set(bodies)), 10, "an answer that may not be shared was shared")


def test_hit_for_miss_ends_with_a_storable_answer(t):
    """no-store twice, then storable: the third answer is stored, long before the key is forgotten."""
    state = {"n": 0}

    def behave(conn, request):
        state["n"] += 1
        cache = "no-store" if state["n"] <= 2 else "max-age=60"
        reply(str(state["n"]), cache=cache)(conn, request)
    origin = t.origin({"/n": behave})
    larder = t.larder(origin, cache="hit_for_miss 10m;", workers=1)  # one: lines in the log in order
    answers = [larder.fetch("/n") for _ in range(5)]
    same([answer.body for answer in answers], [b"1", b"2", b"3", b"3", b"3"])
    same([answer.is_hit for answer in answers], [False, False, False, True, True])
    same(["; stored" in answer.cache_status for answer in answers], [False, False, True, False, False])
    same([word in answer.cache_status for word, answer in zip(("no_store", "hit_for_miss", "hit_for_miss"), answers)],
         [True] * 3, [answer.cache_status for answer in answers])
    wait_for(lambda: len(larder.access_lines()) == 5, what="the access log")
    lines = larder.access_records()
    same([(line["result"], line["reason"]) for line in lines],
         [("miss", "no_store"), ("pass", "hit_for_miss"), ("miss", "hit_for_miss"), ("hit", "fresh"), ("hit", "fresh")])


def test_hit_for_miss_crowd(t):
    """50 requests for a slow resource that is not storable: all at the origin at once, none waits for another. When it
    becomes storable one of the answers is stored, each client gets one of its own time, and the rest are hits."""
    lock, gate = threading.Lock(), threading.Event()
    state = {"now": 0, "most": 0, "cache": "no-store", "n": 0}

    def behave(conn, request):
        with lock:
            state["n"] += 1
            number = state["n"]
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        if number > 1:
            gate.wait(20)
        with lock:
            state["now"] -= 1
        reply(str(number), cache=state["cache"])(conn, request)
    origin = t.origin({"/slow": behave})
    larder = t.larder(origin)
    larder.fetch("/slow")
    for cache in ("no-store", "max-age=60"):
        state.update(most=0, cache=cache)
        gate.clear()
        before = origin.count("/slow")
        clients = [larder.client() for _ in range(50)]
        for client in clients:
            client.request("/slow")
        wait_for(lambda: origin.count("/slow") == before + 50, what="50 requests side by side")
        gate.set()
        bodies = [client.read_response().body for client in clients]
        for client in clients:
            client.close()
        same(state["most"], 50)
        same(len(set(bodies)), 50, "each its own answer")
    before = origin.count("/slow")
    answers = [larder.fetch("/slow") for _ in range(5)]
    same([answer.is_hit for answer in answers], [True] * 5)
    same((len({answer.body for answer in answers}), origin.count("/slow")), (1, before))


def test_hit_for_miss_asks_for_no_more(t):
    """A part or a condition for what is not storable goes to the origin as it is."""
    origin = t.origin({"/n": reply("0123456789", cache="no-store", etag='"e"')})
    larder = t.larder(origin)
    larder.fetch("/n")
    for name, value in (("Range", "bytes=2-3"), ("If-None-Match", '"e"')):
        response = larder.fetch("/n", headers=[(name, value)])
        same(origin.last("/n").get(name), value)
        assert "hit_for_pass" in response.cache_status, response


def test_hit_for_miss_client_leaves(t):
    """Nobody else waits for such a fetch: it ends with its client."""
    dropped = threading.Event()

    def behave(conn, request):
        if origin.count("/n") == 1:
            reply("x", cache="no-store")(conn, request)
        elif conn.is_dropped(15):
            dropped.set()
    origin = t.origin({"/n": behave})
    larder = t.larder(origin)
    larder.fetch("/n")
    with larder.client() as client:
        client.request("/n")
        wait_for(lambda: origin.count("/n") == 2, what="the second request")
    assert dropped.wait(15), "the origin is waited for by nobody"


def test_many_objects(t):
    origin = t.origin(default=lambda conn, request: reply(content(request.target, 1000 + hash(request.target) % 3000),
                                                          cache="max-age=600")(conn, request))
    larder = t.larder(origin)
    with larder.client() as client:
        for load in range(2):
            for number in range(1500):
                target = f"/many/{number}"
                client.request(target)
                response = client.read_response()
                same(response.is_hit, load == 1, target)
                same_body(response, content(target, 1000 + hash(target) % 3000))
    same(origin.count(), 1500)


def test_memory_only(t):
    """store { path off; }: no disk, and everything else the same."""
    body = content("/a", 300_000)
    origin = t.origin({"/a": reply(body, cache="max-age=60")})
    larder = t.larder(origin, disk=False)
    for load in range(2):
        response = larder.fetch("/a")
        same_body(response, body)
        same(response.is_hit, load == 1)


def test_too_large_is_passed_on(t):
    body = content("/big", 400_000)
    for chunked in (False, True):
        origin = t.origin({"/big": reply(body, cache="max-age=60", chunked=chunked)})
        larder = t.larder(origin, store="max_object 100K;")
        for _ in range(2):
            response = larder.fetch("/big")
            same_body(response, body)
            assert not response.is_hit
        same(origin.count("/big"), 2)


def test_cache_off(t):
    origin = t.origin({"/a": reply("x", cache="max-age=60")})
    larder = t.larder(origin, cache="off;")
    for _ in range(2):
        assert not larder.fetch("/a").is_hit
    same(origin.count("/a"), 2)


def test_newer_unstorable_leaves_the_fresh_one(t):
    origin = t.origin({"/a": sequence(reply("old", cache="max-age=600"), reply("secret", cache="no-store"))})
    larder = t.larder(origin)
    larder.fetch("/a")
    same(larder.fetch("/a", headers=[("Cache-Control", "no-cache")]).body, b"secret")
    assert larder.fetch("/a").body != b"secret" or origin.count("/a") == 3
