"""RFC 9111 4.2.4 and RFC 5861: when a stale response may be sent, for how long, and what takes its place."""
import threading
import time

from case import content, head, raw, reply, same, same_body, sequence, slow, wait_for
from d01_collapse import Crowd

TIMEOUTS = "connect=5s first_byte=3s idle=3s"


def reset(conn, _request):
    conn.reset()


def hang(conn, _request):
    conn.is_dropped(20)


def stale_of(t, cache_control, *, path="/e", headers=(), **words):
    """A daemon with one response that has just become stale, stored with these directives."""
    origin = t.origin({path: reply("good", cache=f"max-age=1{cache_control}", etag='"1"', headers=headers)})
    larder = t.larder(origin, timeouts=TIMEOUTS, **words)
    same(larder.fetch(path).body, b"good")
    time.sleep(2.1)
    return origin, larder


def is_stale(response, body=b"good"):
    same((response.status, response.body), (200, body))
    assert response.is_hit and response.age >= 2 and "ttl=-" in response.cache_status, response.raw_head
    same(response.get("Warning"), None)


def test_stale_when_the_origin_cannot_be_reached(t):
    """Without a word about it in response or configuration: disconnect, silence, refusal."""
    for failure in (reset, raw(b""), hang):
        origin, larder = stale_of(t, "")
        origin.routes["/e"] = failure
        is_stale(larder.fetch("/e"))
        same(origin.last("/e").get("If-None-Match"), '"1"', "it was asked first")
    origin, larder = stale_of(t, "")
    origin.shut()
    is_stale(larder.fetch("/e"))
    is_stale(larder.fetch("/e", headers=[("Cache-Control", "no-store")]))
    response = larder.fetch("/e", "HEAD")
    same((response.status, response.is_hit), (200, True), "HEAD as well")


def test_serve_stale_off(t):
    """The switch: then only stale-if-error allows it."""
    origin, larder = stale_of(t, "", cache="serve_stale off;")
    origin.shut()
    same(larder.fetch("/e").status, 502)
    origin, larder = stale_of(t, ", stale-if-error=60", cache="serve_stale off;")
    origin.shut()
    is_stale(larder.fetch("/e"))


def test_serve_stale_of_a_rule(t):
    """What was sent again for one request is not for another that may not have it."""
    origin, larder = stale_of(t, "", site="rule header X-Strict { serve_stale off; }", workers=1)
    origin.shut()
    for _ in range(2):
        is_stale(larder.fetch("/e"))
        same(larder.fetch("/e", headers=[("X-Strict", "1")]).status, 502)


def test_an_error_of_the_origin_is_no_disconnect(t):
    """500 to 504, and nonsense, are passed on unless stale-if-error is there; other 5xx always."""
    origin, larder = stale_of(t, "")
    for status in (500, 502, 503, 504):
        origin.routes["/e"] = reply("bad", status)
        same(larder.fetch("/e").status, status)
    origin.routes["/e"] = raw(b"nonsense\r\n\r\n")
    same(larder.fetch("/e").status, 502)
    for number, status in enumerate((500, 502, 503, 504)):
        origin, larder = stale_of(t, ", stale-if-error=600")
        origin.routes["/e"] = reply("bad", status)
        is_stale(larder.fetch("/e"))
    origin, larder = stale_of(t, ", stale-if-error=600")
    for status in (501, 505, 404, 400):
        origin.routes["/e"] = reply("bad", status)
        same(larder.fetch("/e").status, status)


def test_stale_if_error_of_the_operator_has_an_end(t):
    origin, larder = stale_of(t, "", cache="stale_if_error 8s;")
    origin.routes["/e"] = reply("bad", 503)
    is_stale(larder.fetch("/e"))
    time.sleep(9.5)
    same(larder.fetch("/e").status, 503, "past the window")


def test_stale_if_error_of_the_request(t):
    """RFC 5861 section 4: a client may allow it; that is for itself only."""
    origin, larder = stale_of(t, "", workers=1)
    origin.routes["/e"] = reply("bad", 503)
    same(larder.fetch("/e", headers=[("Cache-Control", "stale-if-error=0")]).status, 503)
    is_stale(larder.fetch("/e", headers=[("Cache-Control", "stale-if-error=600")]))
    origin, larder = stale_of(t, ", must-revalidate")
    origin.routes["/e"] = reply("bad", 503)
    same(larder.fetch("/e", headers=[("Cache-Control", "stale-if-error=600")]).status, 503)


@slow(120)
def test_never_stale(t):
    """5.2.2.2, 5.2.2.8, 5.2.2.10, 5.2.2.4: then a dead origin gives 504, whatever operator and client allow."""
    for directive in ("must-revalidate", "proxy-revalidate", "s-maxage=1", "no-cache", "MUST-Revalidate"):
        origin, larder = stale_of(t, f", {directive}",
                                  cache="stale_if_error 600s; stale_while_revalidate 600s; serve_stale on;")
        for failure in (reset, hang, None):
            if failure is None:
                origin.shut()
            else:
                origin.routes["/e"] = failure
            clients = [larder.client() for _ in range(2)]  # side by side: the silent origin is waited for once
            for client, fields in zip(clients, ([], [("Cache-Control", "max-stale, stale-if-error=600")])):
                client.request("/e", headers=fields)
            for client in clients:
                response = client.read_response()
                same(response.status, 504, directive)
                assert "error=" in response.get("Proxy-Status", ""), response.raw_head
                assert response.body != b"good"
                client.close()


def test_no_cache_of_the_client_is_never_stale(t):
    origin, larder = stale_of(t, ", stale-if-error=600")
    origin.routes["/e"] = reply("bad", 503)
    same(larder.fetch("/e", headers=[("Cache-Control", "no-cache")]).status, 503)
    origin.shut()
    same(larder.fetch("/e", headers=[("Cache-Control", "no-cache")]).status, 502)
    is_stale(larder.fetch("/e"))


def test_rearmed(t):
    """Only the first request in some seconds waits for the dead origin; then it is asked again, and seen when it is back."""
    origin, larder = stale_of(t, "", workers=1)
    origin.routes["/e"] = hang
    begin = time.monotonic()
    is_stale(larder.fetch("/e"))
    assert time.monotonic() - begin > 2.9, "the first one waits"
    asked = origin.count("/e")
    for _ in range(5):
        is_stale(larder.fetch("/e"))
    same(origin.count("/e"), asked, "the others do not")
    origin.routes["/e"] = reply("new", cache="max-age=600")
    is_stale(larder.fetch("/e"))
    same(larder.fetch("/e", headers=[("Cache-Control", "max-age=0")]).body, b"new", "a client may force it")
    same(larder.fetch("/e").body, b"new")


def test_rearmed_for_seconds_only(t):
    origin, larder = stale_of(t, "", workers=1)
    origin.shut()
    begin = time.monotonic()
    is_stale(larder.fetch("/e"))
    origin.listen()
    origin.routes["/e"] = reply("new", cache="max-age=600")
    wait_for(lambda: larder.fetch("/e").body == b"new", what="the origin that is back")
    took = time.monotonic() - begin
    assert took > 4.5, f"a dead origin was asked again after {took:.1f} s"


def test_rearmed_after_an_error_status(t):
    origin, larder = stale_of(t, ", stale-if-error=600", workers=1)
    origin.routes["/e"] = reply("bad", 503)
    for _ in range(4):
        is_stale(larder.fetch("/e"))
    same(origin.count("/e"), 2, "one request for the stale ones")


def test_purges_end_the_rearmed_time(t):
    for mode in ("soft", "hard"):
        origin, larder = stale_of(t, "", workers=1)
        origin.routes["/e"] = reset
        is_stale(larder.fetch("/e"))
        larder.purge(larder.url("/e"), mode)
        origin.routes["/e"] = reply("new", cache="max-age=600")
        same(larder.fetch("/e").body, b"new", mode)


def test_rearmed_time_ends_with_the_process(t):
    origin, larder = stale_of(t, "", workers=1)
    origin.routes["/e"] = reset
    is_stale(larder.fetch("/e"))
    origin.routes["/e"] = reply("new", cache="max-age=600")
    larder.restart()
    same(larder.fetch("/e").body, b"new")


def test_renewed_response_is_not_rearmed(t):
    """A 304 makes it another matter: stale again, the origin is asked again."""
    origin, larder = stale_of(t, "", workers=1)
    good = origin.routes["/e"]
    origin.routes["/e"] = reset
    is_stale(larder.fetch("/e"))
    origin.routes["/e"] = good
    begin = time.monotonic()
    assert larder.fetch("/e", headers=[("Cache-Control", "max-age=0")]).age <= time.monotonic() - begin + 1
    asked = origin.count("/e")
    time.sleep(2.1)
    same(larder.fetch("/e").body, b"good")
    same(origin.count("/e"), asked + 1)


def test_crowd_before_a_dead_origin(t):
    """Everybody who waited for it gets the stale copy, after one origin request."""
    origin, larder = stale_of(t, "")
    origin.routes["/e"] = hang
    crowd = Crowd(larder, 20, "/e")
    for client in crowd.clients:
        is_stale(client.read_response())
    crowd.close()
    same(origin.count("/e"), 2)


def test_revalidated_in_the_background_once(t):
    """RFC 5861 section 3: at once, with one background request that carries the client's fields and our validators."""
    gate = threading.Event()

    def refreshed(conn, request):
        gate.wait(60)
        reply("v2", cache="max-age=600")(conn, request)
    origin = t.origin({"/w": sequence(reply("v1", cache="max-age=1, stale-while-revalidate=600", etag='"1"'), refreshed)})
    larder = t.larder(origin, timeouts="connect=5s first_byte=2m idle=2m")
    larder.fetch("/w")
    time.sleep(2.1)
    for _ in range(6):
        is_stale(larder.fetch("/w", headers=[("X-Client", "mine"), ("Accept-Language", "de"), ("If-None-Match", '"other"'),
                                             ("Cookie", "a=b")]), b"v1")
    wait_for(lambda: origin.count("/w") == 2, what="the refresh")
    request = origin.last("/w")
    same((request.get("X-Client"), request.get("Accept-Language"), request.all("If-None-Match"), request.get("Cookie")),
         ("mine", "de", ['"1"'], "a=b"))
    gate.set()
    wait_for(lambda: larder.fetch("/w").body == b"v2", 10, "the refreshed response")
    same(origin.count("/w"), 2)


def test_past_the_window_in_the_foreground(t):
    origin = t.origin({"/w": sequence(reply("one", cache="max-age=1, stale-while-revalidate=1"),
                                      reply("two", cache="max-age=600", delay=0.5))})
    larder = t.larder(origin)
    larder.fetch("/w")
    time.sleep(3.2)
    response = larder.fetch("/w")
    same((response.body, response.is_hit), (b"two", False))


def test_refresh_replaces_whatever_it_says(t):
    """A 404, one that may not be stored, one that is private: none leaves the old one in place."""
    for new, wanted in ((reply("gone", 404, cache="max-age=600"), (404, b"gone", True)), (reply("gone", 410), (410, b"gone", False)),
                        (reply("secret", cache="no-store"), (200, b"secret", False)),
                        (reply("mine", cache="private, max-age=9"), (200, b"mine", False)),
                        (reply("other", 301, cache="no-store", headers=[("Location", "/x")]), (301, b"other", False))):
        origin = t.origin({"/w": reply("old", cache="max-age=1, stale-while-revalidate=600")})
        larder = t.larder(origin, workers=1)
        larder.fetch("/w")
        time.sleep(2.1)
        origin.routes["/w"] = new
        is_stale(larder.fetch("/w"), b"old")
        wait_for(lambda: origin.count("/w") == 2, what="the refresh")
        wait_for(lambda: larder.fetch("/w").body != b"old", 5, f"the end of the old one before {wanted}")
        response = larder.fetch("/w")
        same((response.status, response.body, response.is_hit), wanted)


def test_failed_refresh_replaces_nothing(t):
    """5xx and no answer at all: the window goes on."""
    failures = {"/503": reply("bad", 503), "/reset": reset, "/junk": raw(b"junk"), "/500": reply("bad", 500)}
    origin = t.origin(default=reply("old", cache="max-age=1, stale-while-revalidate=600"))
    larder = t.larder(origin, timeouts=TIMEOUTS)
    for path in failures:
        larder.fetch(path)
    time.sleep(2.1)
    origin.routes.update(failures)
    for path in failures:
        is_stale(larder.fetch(path), b"old")
        wait_for(lambda at=path: origin.count(at) >= 2, what="the refresh")
    time.sleep(0.3)
    for path in failures:
        is_stale(larder.fetch(path), b"old")


def test_validation_that_ends_in_something_unstorable(t):
    """In the foreground as well: the old one is out of force, and not sent when the origin then dies."""
    origin, larder = stale_of(t, "", cache="hit_for_miss 0;", workers=1)
    origin.routes["/e"] = reply("secret", cache="no-store")
    same(larder.fetch("/e").body, b"secret")
    origin.shut()
    same(larder.fetch("/e").status, 502)


def test_fresh_response_is_not_evicted_by_an_unstorable_one(t):
    """RFC 9111 section 3: a client forces validation, the answer may not be stored; the others keep what is fresh."""
    for headers in ([], [("ETag", '"1"')]):
        origin = t.origin({"/a": sequence(reply("old", cache="max-age=600", headers=headers),
                                          reply("secret", cache="no-store"), reply("error", 500))})
        larder = t.larder(origin)
        larder.fetch("/a")
        same(larder.fetch("/a", headers=[("Cache-Control", "no-cache")]).body, b"secret")
        same(larder.fetch("/a", headers=[("Cache-Control", "no-cache")]).status, 500)
        response = larder.fetch("/a")
        same((response.body, response.is_hit, origin.count("/a")), (b"old", True, 3))


def test_refresh_under_a_mark(t):
    """A key marked as not storable for one variant: another one within its window is refreshed all the same."""
    def behave(conn, request):
        kind = request.get("X-Kind")
        cache = "no-store" if kind == "b" else "max-age=1, stale-while-revalidate=600"
        reply(f"{kind} {origin.count('/v')}", cache=cache, headers=[("Vary", "X-Kind")])(conn, request)
    origin = t.origin({"/v": behave})
    larder = t.larder(origin, cache="hit_for_miss 10m;", workers=1)
    same(larder.fetch("/v", headers=[("X-Kind", "a")]).body, b"a 1")
    same(larder.fetch("/v", headers=[("X-Kind", "b")]).body, b"b 2")
    time.sleep(2.1)
    is_stale(larder.fetch("/v", headers=[("X-Kind", "a")]), b"a 1")
    wait_for(lambda: origin.count("/v") == 3, 5, "the refresh")
    wait_for(lambda: larder.fetch("/v", headers=[("X-Kind", "a")]).body != b"a 1", 5, "the refreshed variant")


def test_large_stale_body_is_whole(t):
    body = content("/big", 3_000_000)
    origin = t.origin({"/big": reply(body, cache="max-age=1", etag='"1"')})
    larder = t.larder(origin, memory="16M")
    same_body(larder.fetch("/big"), body)
    time.sleep(2.1)
    origin.shut()
    for _ in range(3):
        response = larder.fetch("/big")
        same_body(response, body)
        assert response.is_hit


def test_without_a_validator_it_is_kept_for_a_dead_origin(t):
    """It could only be fetched anew, and yet is better than nothing: the store's sweeping leaves it alone."""
    origin = t.origin(default=reply("good", cache="max-age=1"))
    larder = t.larder(origin)
    paths = [f"/{number}" for number in range(150)]
    with larder.client() as client:
        for path in paths:
            client.request(path)
            client.read_response()
        time.sleep(5)
        origin.shut()
        for path in paths:
            client.request(path)
            is_stale(client.read_response())


def test_cut_after_the_head_is_not_mended_with_stale(t):
    """Bytes of the new response are out: what follows may not be those of the old one."""
    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "100"), ("Cache-Control", "max-age=60")]) + b"new part")
        is_out.wait(60)
        conn.reset()
    is_out = threading.Event()
    origin, larder = stale_of(t, ", stale-if-error=600")
    origin.routes["/e"] = behave
    with larder.client() as client:
        client.request("/e")
        response = client.read_head()
        is_out.set()
        client.read_body(response)
    assert not response.complete and response.body in (b"new part", b""), response
    origin.shut()
    is_stale(larder.fetch("/e"))
