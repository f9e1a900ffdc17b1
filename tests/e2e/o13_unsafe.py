"""RFC 9111 4.4 and RFC 9110 9.3.3: what unsafe methods put out of force, and the answer to a POST that is stored."""
import threading
import time

from case import content, head, reply, same, same_body, wait_for


def fill(larder, *targets, host="site.test"):
    for target in targets:
        larder.fetch(target, host=host)
        assert larder.fetch(target, host=host).is_hit, target


def hits(larder, *targets, host="site.test"):
    return [larder.fetch(target, host=host, headers=[("Cache-Control", "only-if-cached")]).status == 200
            for target in targets]


# field of the answer to POST /a/b/do?q=1, what it puts out of force
NAMED = [
    ("/x", "/x"), ("y", "/a/b/y"), ("./y", "/a/b/y"), ("../y", "/a/y"), ("../../../y", "/y"), ("?q=2", "/a/b/do?q=2"),
    ("/x#frag", "/x"), ("y?z=1#frag", "/a/b/y?z=1"), ("http://site.test/x", "/x"), ("http://SITE.test:80/x?y#z", "/x?y"),
    ("HTTP://site.test/a/../x", "/x"), ("//site.test/x", "/x"), ("http://site.test", "/"), ("http://site.test?q", "/?q"),
    (".", "/a/b/"), ("..", "/a/"), ("y/../z", "/a/b/z"), ("a:b", None), ("x/a:b", "/a/b/x/a:b"),
    ("http://other.test/x", None), ("//other.test/x", None), ("https://site.test/x", None), ("http://site.test:81/x", None),
    ("ftp://site.test/x", None), ("http:x", None), ("http://u@site.test/x", None), ("/x y", None), ("", None), ("/%78", "/%78"),
]


def test_uris_named_by_the_answer(t):
    """Location and Content-Location, resolved against the target (RFC 3986 5.2), of the same origin only."""
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin)
    everything = sorted({target for _, target in NAMED if target} | {"/x"})
    fill(larder, *everything)
    fill(larder, "/x", host="other.test")
    fill(larder, "/x", host="site.test:81")
    for field in ("Location", "Content-Location"):
        for reference, target in NAMED:
            origin.routes["/a/b/do?q=1"] = reply("done", 201, headers=[(field, reference)])
            same(larder.fetch("/a/b/do?q=1", "POST", body=b"x").status, 201)
            gone = [one for one, hit in zip(everything, hits(larder, *everything)) if not hit]
            same(gone, [target] if target else [], f"{field}: {reference}")
            fill(larder, *gone)
    same(hits(larder, "/x", host="other.test") + hits(larder, "/x", host="site.test:81"), [True, True])


def test_by_method_and_status(t):
    """Unsafe and unknown methods with 2xx or 3xx; never safe ones, never 4xx or 5xx."""
    origin = t.origin()
    larder = t.larder(origin)

    def behave(conn, request):
        if request.method == "GET":
            reply("x", cache="max-age=600")(conn, request)
        else:
            reply("done", state["status"], headers=[("Location", "/l"), ("Content-Location", "/c")])(conn, request)
    state = {"status": 200}
    for path in ("/t", "/l", "/c"):
        origin.routes[path] = behave
    unsafe = ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO", "post"]
    for method, status, wanted in ([(method, 200, True) for method in unsafe] +
                                   [("POST", status, True) for status in (201, 204, 299, 301, 302, 303, 307, 399)] +
                                   [("POST", status, False) for status in (400, 404, 409, 499, 500, 503, 599)] +
                                   [("FOO", 404, False), ("DELETE", 500, False), ("OPTIONS", 200, False)]):
        fill(larder, "/t", "/l", "/c")
        state["status"] = status
        same(larder.fetch("/t", method, headers=[("Cache-Control", "no-cache")]).status, status)
        same(hits(larder, "/t", "/l", "/c"), [not wanted] * 3, f"{method} {status}")


def test_all_variants_and_fills_in_flight(t):
    gate = threading.Event()

    def behave(conn, request):
        if request.method == "GET" and request.get("X-V") == "slow":
            gate.wait(15)
        reply(f"{request.get('X-V')} {origin.count('/v')}", cache="max-age=600", headers=[("Vary", "X-V")])(conn, request)
    origin = t.origin({"/v": behave})
    larder = t.larder(origin)
    for value in ("1", "2"):
        larder.fetch("/v", headers=[("X-V", value)])
    with larder.client() as client:
        client.request("/v", headers=[("X-V", "slow")])
        wait_for(lambda: origin.count("/v") == 3, what="the slow fetch")
        larder.fetch("/v", "PUT", body=b"x")
        gate.set()
        response = client.read_response()
        same(response.status, 200)
        assert "; stored" not in response.cache_status, f"purged in flight: {response.cache_status}"
    for value in ("1", "2", "slow"):
        assert not larder.fetch("/v", headers=[("X-V", value)]).is_hit, value


def test_purged_in_flight_says_so(t):
    """Cache-Status does not promise what will not be."""
    gate = threading.Event()

    def behave(conn, request):
        gate.wait(15)
        reply("x", cache="max-age=600")(conn, request)
    origin = t.origin({"/f": behave})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/f")
        wait_for(lambda: origin.count("/f") == 1, what="the fetch")
        same(larder.purge(larder.url("/f"))["in_flight"], 1)
        gate.set()
        response = client.read_response()
        same((response.status, response.body), (200, b"x"))
        same(response.cache_status, "larder; fwd=uri-miss; fwd-status=200; detail=purged_hard"
             if "fwd-status" in response.cache_status else "larder; fwd=uri-miss; detail=purged_hard")
    response = larder.fetch("/f")
    assert not response.is_hit and "; stored" in response.cache_status, response.cache_status


# fields of the answer to POST /p, status, may a GET be answered with it?
POSTS = [
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/p")], 200, True),
    ([("Cache-Control", "s-maxage=600"), ("Content-Location", "http://site.test/p")], 200, True),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "p#x")], 203, True),
    ([("Expires", "Tue, 01 Jan 2199 00:00:00 GMT"), ("Content-Location", "/p")], 200, True),
    ([("Cache-Control", "max-age=600")], 200, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/q")], 200, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/p?x")], 200, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "http://other.test/p")], 200, False),
    ([("Content-Location", "/p"), ("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT")], 200, False),
    ([("Cache-Control", "max-age=0"), ("Content-Location", "/p"), ("ETag", '"1"')], 200, False),
    ([("Cache-Control", "max-age=600, no-store"), ("Content-Location", "/p")], 200, False),
    ([("Cache-Control", "max-age=600, private"), ("Content-Location", "/p")], 200, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/p"), ("Vary", "*")], 200, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/p")], 201, False),
    ([("Cache-Control", "max-age=600"), ("Content-Location", "/p")], 404, False),
]


def test_post_for_a_later_get(t):
    """RFC 9110 9.3.3: explicit freshness and the target in Content-Location; old ones go first, then it is stored."""
    for fields, status, wanted in POSTS:
        def behave(conn, request):
            if request.method == "POST":
                reply(b"made of " + request.body, status, headers=fields)(conn, request)
            else:
                reply("plain", cache="max-age=600")(conn, request)
        origin = t.origin({"/p": behave})
        larder = t.larder(origin, cache="default_ttl 60s;")
        fill(larder, "/p")
        response = larder.fetch("/p", "POST", body=b"this")
        same((response.status, response.body, "; stored" in response.cache_status), (status, b"made of this", wanted), fields)
        count = origin.count("/p")
        response = larder.fetch("/p")
        if wanted:
            same((response.status, response.body, response.is_hit), (status, b"made of this", True), fields)
            same(origin.count("/p"), count)
            larder.restart()
            response = larder.fetch("/p", "HEAD")
            same((response.is_hit, response.get("Content-Length")), (True, "12"))
            same(larder.fetch("/p", "POST", body=b"that").body, b"made of that", "a POST is never answered from the store")
            same(larder.fetch("/p").body, b"made of that")
        else:
            same(response.body, b"plain", fields)
            same(response.is_hit, status == 404, "an error does not invalidate")


def test_post_with_vary_and_a_large_body(t):
    body = content("/p", 2_000_000)

    def behave(conn, request):
        if request.method == "POST":
            reply(body, cache="max-age=600", headers=[("Content-Location", "/p"), ("Vary", "X-V")])(conn, request)
        else:
            reply("plain", cache="no-store")(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    same_body(larder.fetch("/p", "POST", body=b"x", headers=[("X-V", "1")]), body)
    response = larder.fetch("/p", headers=[("X-V", "1")])
    same_body(response, body)
    assert response.is_hit
    same(larder.fetch("/p", headers=[("X-V", "2")]).body, b"plain")


def test_get_beside_a_storable_post(t):
    """A GET that began before the POST does not bring the old state back; one that comes after its head shares it."""
    gates = {"GET": threading.Event(), "POST": threading.Event()}
    body = content("new", 100_000)

    def behave(conn, request):
        if request.method == "GET":
            gates["GET"].wait(15)
            reply("old", cache="max-age=600")(conn, request)
        else:
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Location", "/p"),
                                 ("Content-Length", str(len(body)))]) + body[:1000])
            gates["POST"].wait(15)
            conn.send(body[1000:])
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    with larder.client() as get, larder.client() as post, larder.client() as late:
        get.request("/p")
        wait_for(lambda: origin.count("/p", "GET") == 1, what="the GET")
        post.request("/p", "POST", body=b"x")
        head_of_post = post.read_head()
        late.request("/p")
        time.sleep(0.3)
        gates["GET"].set()
        same(get.read_response().body, b"old")
        gates["POST"].set()
        same_body(post.read_body(head_of_post), body)
        same_body(late.read_response(), body)
    response = larder.fetch("/p")
    same_body(response, body)
    same((response.is_hit, origin.count("/p", "GET")), (True, 1))


def test_broken_post_stores_nothing(t):
    def behave(conn, request):
        if request.method == "POST":
            conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Location", "/p"), ("Content-Length", "99")]) +
                      b"part")
            conn.close()
        else:
            reply("plain", cache="no-store")(conn, request)
    larder = t.larder(t.origin({"/p": behave}))
    assert not larder.fetch("/p", "POST", body=b"x").complete
    same(larder.fetch("/p").body, b"plain")
