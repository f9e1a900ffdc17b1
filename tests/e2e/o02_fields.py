"""RFC 9111 5.2.2.4, 5.2.2.7: no-cache and private with field names."""
import threading
import time

from case import content, head, reply, same, same_body, wait_for


def test_no_cache_fields_are_left_out_of_unvalidated_hits(t):
    fields = [("Cache-Control", 'max-age=8, no-cache="X-Secret, set-COOKIE", public'), ("X-Secret", "1"),
              ("x-secret", "2"), ("X-Open", "3"), ("Set-Cookie", "a=b"), ("ETag", '"e"'),
              ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")]
    body = content("/f", 3000)
    origin = t.origin({"/f": reply(body, etag='"e"', headers=fields[:-2] + fields[-1:])})
    larder = t.larder(origin)
    first = larder.fetch("/f")
    same((first.all("X-Secret"), first.all("Set-Cookie"), first.get("X-Open")), (["1", "2"], ["a=b"], "3"))

    def is_open_only(response, what):
        assert response.is_hit, response.cache_status
        same((response.all("X-Secret"), response.all("Set-Cookie"), response.get("X-Open"), response.get("ETag")),
             ([], [], "3", '"e"'), what)
        same(response.get("Cache-Control"), fields[0][1], what)

    hit = larder.fetch("/f")
    is_open_only(hit, "a hit")
    same_body(hit, body)
    same(hit.all("Content-Length"), ["3000"])
    is_open_only(larder.fetch("/f", "HEAD"), "HEAD")
    condition = larder.fetch("/f", headers=[("If-None-Match", '"e"')])
    same(condition.status, 304)
    is_open_only(condition, "a 304")
    part = larder.fetch("/f", headers=[("Range", "bytes=10-19")])
    same((part.status, part.body), (206, body[10:20]))
    is_open_only(part, "a part")
    same(origin.count("/f"), 1)
    time.sleep(9.1)
    validated = larder.fetch("/f")
    same((origin.count("/f"), validated.all("X-Secret"), validated.all("Set-Cookie")), (2, ["1", "2"], ["a=b"]),
         "validated just now")
    same_body(validated, body)
    is_open_only(larder.fetch("/f"), "a hit after the validation")
    forced = larder.fetch("/f", headers=[("Cache-Control", "no-cache")])
    same((origin.count("/f"), forced.all("X-Secret")), (3, ["1", "2"]), "validated because the client wants it")


def test_no_cache_fields_stale_and_over_a_restart(t):
    origin = t.origin({"/f": reply("x", headers=[("Cache-Control", 'max-age=1, no-cache="x-a"'), ("X-A", "1")])})
    larder = t.larder(origin)
    same(larder.fetch("/f").get("X-A"), "1")
    time.sleep(1.5)
    larder.stop()
    larder.start()
    time.sleep(1)
    origin.stop()
    stale = larder.fetch("/f")
    same((stale.status, stale.body, stale.get("X-A")), (200, b"x", None), "stale, and not validated")


def test_no_cache_without_names_is_for_all(t):
    origin = t.origin({"/n": reply("x", headers=[("Cache-Control", 'max-age=60, no-cache="a", no-cache'), ("A", "1"),
                                                 ("ETag", '"e"')])})
    larder = t.larder(origin)
    for _ in range(2):
        same(larder.fetch("/n").get("A"), "1")
    same(origin.count("/n"), 2)


def test_private_fields_reach_their_own_client_only(t):
    """Who asked gets the field, whoever shares the answer does not: not on a hit, not while it is still arriving."""
    go = threading.Event()

    def behave(conn, request):
        conn.send(head(200, [("Cache-Control", 'max-age=60, public, private="Set-Cookie, x-who"'), ("X-Who", "first"),
                             ("Set-Cookie", "id=1"), ("set-cookie", "b=2"), ("X-Open", "3"), ("Content-Length", "4")])
                  + b"ab")
        go.wait(20)
        conn.send(b"cd")
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    with larder.client() as own, larder.client() as other:
        own.request("/p")
        wait_for(lambda: origin.count("/p") == 1, what="the request at the origin")
        other.request("/p")
        time.sleep(0.3)
        go.set()
        first, follower = own.read_response(), other.read_response()
    same((first.body, first.all("X-Who"), first.all("Set-Cookie")), (b"abcd", ["first"], ["id=1", "b=2"]))
    hit = larder.fetch("/p")
    assert hit.is_hit, hit.cache_status
    for response in (follower, hit, larder.fetch("/p", "HEAD")):
        same((response.all("X-Who"), response.all("Set-Cookie"), response.get("X-Open")), ([], [], "3"))
        same(response.get("Content-Length"), "4")
    same((hit.body, origin.count("/p")), (b"abcd", 1))


def test_private_fields_of_what_is_not_stored(t):
    origin = t.origin({"/p": reply("x", headers=[("Cache-Control", 'no-store, private="x-who"'), ("X-Who", "1")])})
    larder = t.larder(origin)
    for number in (1, 2):
        same((larder.fetch("/p").get("X-Who"), origin.count("/p")), ("1", number))


def test_private_in_a_targeted_field(t):
    origin = t.origin({"/p": reply("x", headers=[("CDN-Cache-Control", 'max-age=60, private="x-a"'), ("X-A", "1"),
                                                 ("Cache-Control", 'private="x-b"'), ("X-B", "2")])})
    larder = t.larder(origin)
    first, hit = larder.fetch("/p"), larder.fetch("/p")
    same((first.get("X-A"), first.get("X-B")), ("1", "2"))
    assert hit.is_hit, hit.cache_status
    same((hit.get("X-A"), hit.get("X-B")), (None, "2"), "the targeted field replaces Cache-Control")


def test_must_understand(t):
    cases = [(200, "max-age=60, must-understand", True), (200, "max-age=60, must-understand, no-store", True),
             (200, "max-age=60, no-store", False), (299, "max-age=60, must-understand", False),
             (599, "max-age=60, must-understand, public", False), (404, "no-store, must-understand, max-age=60", True),
             (299, "max-age=60", True)]
    origin = t.origin()
    larder = t.larder(origin)
    for number, (status, cache, wanted) in enumerate(cases):
        path = f"/m{number}"
        origin.routes[path] = reply("x", status, cache=cache)
        larder.fetch(path)
        same(larder.fetch(path).is_hit, wanted, f"{status} {cache}")


def test_no_warning_is_written(t):
    """RFC 9111 5.5: not on a stale answer, not on a heuristic one; the origin's own passes."""
    origin = t.origin({"/w": reply("x", headers=[("Cache-Control", "max-age=1, stale-while-revalidate=60")]),
                       "/h": reply("x", headers=[("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")]),
                       "/o": reply("x", cache="max-age=60", headers=[("Warning", '214 a "b"')])})
    larder = t.larder(origin)
    for path in ("/w", "/h", "/o"):
        larder.fetch(path)
    time.sleep(2.1)
    for path, wanted in (("/w", []), ("/h", []), ("/o", ['214 a "b"'])):
        response = larder.fetch(path)
        assert response.is_hit, response.cache_status
        same(response.all("Warning"), wanted, path)


def test_cache_status_behind_those_of_others(t):
    """RFC 9211 2: ours is the last member, the others stand before it in their order."""
    origin = t.origin({"/c": reply("x", cache="max-age=60",
                                   headers=[("Cache-Status", "one; hit"), ("Cache-Status", "two; fwd=miss")])})
    larder = t.larder(origin)
    for _ in range(2):
        members = larder.fetch("/c").all("Cache-Status")
        same(members[:2], ["one; hit", "two; fwd=miss"])
        same((len(members), members[2].split(";")[0]), (3, "larder"))


def test_no_cache_fields_where_copies_are_compressed(t):
    """Whoever accepts gzip gets the same: without the field, and plain, since ours (Vary, ETag) may not be left out."""
    body = b"compressible " * 2000
    origin = t.origin({"/z": reply(body, etag='"e"', headers=[("Cache-Control", 'max-age=600, no-cache="x-a, vary"'),
                                                              ("X-A", "1"), ("Content-Type", "text/plain"), ("X-B", "2")])})
    larder = t.larder(origin, site="compress gzip;")
    larder.fetch("/z", headers=[("Accept-Encoding", "gzip")])
    for _ in range(3):
        for ask in ([("Accept-Encoding", "gzip")], []):
            response = larder.fetch("/z", headers=ask)
            assert response.is_hit, response.cache_status
            same((response.get("X-A"), response.get("X-B"), response.get("Content-Encoding")), (None, "2", None))
            same_body(response, body)
        time.sleep(0.3)
    same(origin.count("/z"), 1)
